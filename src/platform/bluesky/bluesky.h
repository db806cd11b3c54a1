/* bluesky.h -- what the files of this folder share. The outside sees only `bluesky` (platform.h).
 *
 *     step.c         operations, each as the calls it takes; the small ones are here
 *     login.c        connecting, renewing and ending a session
 *     identity.c     handle -> DID -> DID document -> the account's own server
 *     token.c        what account.token and account.details hold
 *     send.c         messages on their way out, and finding one again
 *     facets.c       which parts of a text are links
 *     conversation.c the conversation with a person; archiving it
 *     poll.c         asking for what is new, in the log
 *     walk.c         reading conversations back: at first, and where the log's thread was lost
 *     back.c         whether the log has told of what it should
 *     cursor.c       what account.cursor holds
 *     parse.c        what a poll brought, as events
 *     content.c      one message: its text, links and embedded post
 *     call.c         how a call looks on the wire
 *     answer.c       what an answer, or its absence, means
 *
 * All calls go to the account's own server (its PDS); what begins with "chat." it passes on to the one chat service.
 * Names, figures and texts come from the published lexicons and servers as of 2026. */
#ifndef PARLEY_PLATFORM_BLUESKY_BLUESKY_H
#define PARLEY_PLATFORM_BLUESKY_BLUESKY_H

#include "json/json.h"
#include "platform/platform.h"

#define BLUESKY_TEXT_MAX    1000                       /* grapheme clusters */
#define BLUESKY_TEXT_BYTES  10000                      /* and never more bytes than these */
#define BLUESKY_HANDLE_MAX  253
#define BLUESKY_NAME_BYTES  640                        /* of what people call themselves */
#define BLUESKY_ID_MAX      512                        /* bytes; ids have a dozen characters */
#define BLUESKY_PICTURE_MAX ((int64_t)8 * 1024 * 1024)
#define BLUESKY_ANSWER_MAX  ((int64_t)10 * 1024 * 1024) /* a server passes on no more than that */
#define BLUESKY_CALL_MS     25000                      /* it gives up on the chat service after 10 s and says so */
#define BLUESKY_FRESH_MS    60000                      /* a token renewed so recently is not refused for its age */
#define BLUESKY_RENEWALS    3                          /* so many in a row, and another would not help either */

/* ---- token.c ---- */

struct bluesky_token {     /* account.token, as JSON */
    struct str identifier, password; /* what it was connected with */
    struct str access, refresh;
    int64_t    renewed_at; /* when the two came; 0 = never */
    int64_t    in_a_row;   /* how often they were renewed soon after they had been */
    int64_t    expires_at; /* of `access`, by our clock; 0 = nobody knows */
};

struct bluesky_talk {      /* op->state */
    struct bluesky_token token;
    struct bluesky_token given;     /* as it was at the beginning: what is replaced is still no word for errors */
    struct str           service;   /* base URL of the account's server */
    bool                 is_pinned; /* the user named it: nothing is looked up */
    struct str           did;       /* while logging in */
    void                *own;       /* of the operation */
};

bool       bluesky_token_read(struct arena *a, struct str text, struct bluesky_token *out);
struct str bluesky_token_write(struct arena *a, const struct bluesky_token *token);
struct str bluesky_details_write(struct arena *a, const struct bluesky_talk *talk);

/* Takes the two tokens of `session`; false when it has none. */
bool    bluesky_token_renew(struct arena *a, struct bluesky_token *token, yyjson_val *session, int64_t now_ms);
int64_t bluesky_refresh_at(const struct bluesky_token *token, int64_t now_ms);

/* Fills op->state from the account. False with `out` where the operation cannot begin: no session, or one known to
 * have run out. */
bool bluesky_begin(struct op *op, struct op_step *out);

struct str bluesky_base_url(struct str url); /* without slashes at its end */

static inline struct bluesky_talk *
bluesky_talk(struct op *op)
{
    return op->state;
}

/* ---- call.c ---- */

struct bluesky_param {
    const char *name;
    struct str  value; /* none or empty = left out */
};

/* GET or POST {service}/xrpc/{method} as the account. */
void bluesky_get(struct op *op, const char *method, const struct bluesky_param *params, size_t n, struct op_step *out);
void bluesky_post(struct op *op, const char *method, struct str json, struct op_step *out);

/* The same with another bearer than the access token; none = nobody's. `json` none = no body. */
void bluesky_post_as(struct op *op, const char *method, struct str bearer, struct str json, struct op_step *out);

/* GET of an address outside the account's server. `is_strangers`: the guard judges it. */
void bluesky_get_url(struct op *op, struct str url, bool is_strangers, struct op_step *out);

/* ---- answer.c ---- */

struct bluesky_refusal {
    int        status;
    struct str name, message; /* none where the answer does not say */
};

/* True with the JSON object when it was done; otherwise `out` is the verdict. */
bool bluesky_answered(struct op *op, const struct net_response *last, yyjson_val **root, struct op_step *out);

/* The same where nothing but a success is needed of the answer. */
bool bluesky_accepted(struct op *op, const struct net_response *last, struct op_step *out);

/* True when there is an answer, and it is none of success. */
bool bluesky_refused(struct op *op, const struct net_response *last, struct bluesky_refusal *out);
bool bluesky_is_named(const struct bluesky_refusal *r, const char *name);
bool bluesky_is_about_token(const struct bluesky_refusal *r); /* as opposed to the request */

/* `text` without any secret of the account, and not longer than an error message may be. */
struct str bluesky_reason(struct op *op, struct str text);

void bluesky_done(struct op_step *out);
void bluesky_fail(struct op *op, struct op_step *out, int code, struct str reason);
void bluesky_retry(struct op *op, struct op_step *out, int code, struct str reason);

/* ---- identity.c ---- */

/* Whether `text` is shaped like one, and so may stand in a URL. */
bool bluesky_is_did(struct str text);
bool bluesky_is_handle(struct str text);

bool bluesky_is_server_url(struct str url); /* scheme, host, perhaps a port */

void bluesky_get_did(struct op *op, struct str handle, struct op_step *out);

/* False with a FAIL where there is no place such a document would be at. */
bool bluesky_get_document(struct op *op, struct str did, struct op_step *out);

/* The account's server as the document `root` of `did` names it; none when it names none we would call. */
struct str bluesky_server_of(struct arena *a, yyjson_val *root, struct str did);

/* ---- login.c ---- */

void bluesky_connect(struct op *op, const struct net_response *last, struct op_step *out);
void bluesky_refresh(struct op *op, const struct net_response *last, struct op_step *out);
void bluesky_unsubscribe(struct op *op, const struct net_response *last, struct op_step *out);

/* ---- conversation.c ---- */

enum { BLUESKY_RESOLVES, BLUESKY_CALLS, BLUESKY_CALLS_AGAIN }; /* op->stage of what happens in a conversation */

typedef void bluesky_convo_call(struct op *op, struct str convo_id, struct op_step *out);

/* Makes `call` in the conversation of the operation: asks for it first where it is not known, and once more where it
 * is no more. True when `last` answers the call itself; otherwise `out` says what is next. */
bool bluesky_in_conversation(struct op *op, const struct net_response *last, bluesky_convo_call *call,
                             struct op_step *out);
void bluesky_mute(struct op *op, const struct net_response *last, struct op_step *out);

/* ---- send.c ---- */

void bluesky_send(struct op *op, const struct net_response *last, struct op_step *out);
void bluesky_find_sent(struct op *op, const struct net_response *last, struct op_step *out);

/* ---- facets.c ---- */

void bluesky_put_facets(struct json *w, struct str text); /* the member `facets`; nothing where there are no links */

/* ---- cursor.c ---- */

#define BLUESKY_KNOWN_MAX 64

struct bluesky_known {  /* whose conversation is which; the last used stand last */
    struct str id, peer; /* peer none = not one between two people */
};

struct bluesky_todo {   /* a conversation still to be read */
    struct str id, peer, handle, name;
    bool       muted;
};

struct bluesky_walk {
    bool                 is_recovery;
    struct str           since;      /* RECOVERY: what came until here is known */
    int64_t              since_ms;   /* the same as a time, where positions do not compare */
    struct str           list;       /* listConvos' cursor; none = from the start */
    int64_t              lists, pages; /* complete ones, and pages of the one under way */
    struct str           floor, top; /* below the one all were listed before; the other is where this list began */
    int64_t              floor_ms, top_ms;
    bool                 list_done, tried_again;
    struct bluesky_todo *todo;
    size_t               todo_count;
    struct str           page;       /* getMessages' cursor in todo[0] */
    int64_t              left;       /* messages of todo[0] still wanted; 0 = it has not begun */
};

struct bluesky_cursor { /* account.cursor, as JSON */
    struct str            log;       /* getLog's; none = at no time asked yet */
    struct str            born;      /* the log's position when the account was connected */
    int64_t               born_ms;
    int64_t               seen_ms;   /* when the newest message known from the log was sent */
    struct str            back;      /* the log's position at the last look back; none = there was none yet */
    int64_t               back_ms;   /* when that was */
    int64_t               looked_ms; /* the same of one that may have been refused */
    struct bluesky_known *known;
    size_t                known_count;
    bool                  has_walk;
    struct bluesky_walk   walk;
};

/* An unreadable text is an empty cursor. */
void       bluesky_cursor_read(struct arena *a, struct str text, struct bluesky_cursor *out);
struct str bluesky_cursor_write(struct arena *a, const struct bluesky_cursor *c);
void       bluesky_cursor_from(yyjson_val *val, struct arena *a, struct bluesky_cursor *out); /* of parsed JSON */

/* A cursor for an account connected now, whose log stands at `log`. */
void bluesky_cursor_start(const struct op *op, struct str log, struct bluesky_cursor *out);

const struct bluesky_known *bluesky_known_find(const struct bluesky_cursor *c, struct str id);
void bluesky_known_put(struct arena *a, struct bluesky_cursor *c, struct str id, struct str peer); /* as last used */
void bluesky_known_trim(struct bluesky_cursor *c); /* forgets those not used longest */

/* Whether both look like positions, and so can be compared. */
bool bluesky_rev_compares(struct str rev, struct str other);
bool bluesky_rev_reached(struct str rev, struct str other); /* rev <= other; both compare */

/* The other person in a conversation between two; none in any other. */
yyjson_val *bluesky_peer_of(yyjson_val *convo, struct str own_did);

/* ---- poll.c, walk.c, back.c ---- */

/* What a poll brings, for parse.c:
 *
 *     {"cursor": {...}, "more": bool,
 *      "log": {...}, "count": how many of its entries count, "broken": a log that is no JSON,
 *      "back": a cursor whose walk is to be done if anything of this is news,
 *      "convos": [convoView],
 *      "read": [{"convo": {...}, "messages": [newest first], "profiles": [...], "done": bool}]} */
struct bluesky_poll {
    struct bluesky_cursor cursor;
    bool                  more;
    yyjson_val           *log;
    size_t                log_count; /* events of it that count */
    struct str            broken;    /* a log that is no JSON */
    struct str           *unknown;   /* conversations to ask for */
    size_t                unknown_count, asked;
    yyjson_val          **convos;    /* what was answered */
    size_t                convo_count;
    struct str           *read;      /* pages of conversations, as JSON */
    size_t                read_count, read_cap, read_size;
    int                   calls;
    bool                  has_back;  /* it looked back: what if that brings news */
    struct bluesky_walk   back;
};

void bluesky_poll(struct op *op, const struct net_response *last, struct op_step *out);
void bluesky_walk(struct op *op, const struct net_response *last, struct op_step *out);
void bluesky_poll_finish(struct op *op, struct op_step *out);
size_t bluesky_keep_page(struct op *op, struct buf *page); /* adds to read[]; frees the buffer; how long that was */
bool bluesky_back_is_due(struct op *op);
void bluesky_get_back(struct op *op, struct op_step *out);
void bluesky_back(struct op *op, const struct net_response *last, struct op_step *out);
bool bluesky_is_behind(struct str rev, int64_t at_ms, struct str since, int64_t since_ms); /* there at `since` */
bool bluesky_todo_read(yyjson_val *convo, struct str own_did, struct bluesky_todo *out); /* false: none to be read */
void bluesky_put_todo(struct json *w, const struct bluesky_todo *convo);                 /* as "convo" of a page */
bool bluesky_log_needs_convo(yyjson_val *entry); /* whether it is of a kind that counts only between two */
void bluesky_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

/* ---- content.c ---- */

/* What `message` says: body, reply_to, platform_data, is_unsupported. */
void bluesky_read_content(struct arena *a, yyjson_val *message, struct inbound_event *event);

int64_t    bluesky_time(yyjson_val *obj, const char *key); /* milliseconds; 0 = none */
struct str bluesky_type(yyjson_val *obj);                  /* of $type what follows the '#', or all of it */
struct str bluesky_id(yyjson_val *obj);                    /* empty = it has none, or none that can be one */
struct str bluesky_name(yyjson_val *profile);              /* empty = it has none */
struct str bluesky_handle(yyjson_val *profile);            /* the same */
void       bluesky_read_profile(yyjson_val *profile, struct participant *out);

/* ---- step.c ---- */

void bluesky_step(struct op *op, const struct net_response *last, struct op_step *out);

#endif
