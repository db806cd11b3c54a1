/* state.h -- who and what there is: accounts, their passwords and sessions, conversations, messages, and the
 * log of each account.
 *
 * People are accounts like any other, so whatever one can do, the control API can do as anyone. Everything
 * hangs from struct bs and goes with it; accounts and conversations are never removed before that. */
#ifndef PARLEY_SANDBOX_BLUESKY_STATE_H
#define PARLEY_SANDBOX_BLUESKY_STATE_H

#include "base/map.h"
#include "sandbox/own.h"
#include "sandbox/stage.h"

#define BS_LOG_MAX            100000 /* events of an account; the oldest are forgotten, and older cursors invalid */
#define BS_CONVO_MESSAGES_MAX 100000 /* the oldest are forgotten */
#define BS_MESSAGES_BYTES_MAX ((size_t)256 << 20) /* of all conversations */
#define BS_CALLS_MAX          20000
#define BS_CALLS_BYTES_MAX    ((size_t)32 << 20)
#define BS_GROUP_MAX          50
#define BS_TID_MAX            14 /* 13 characters and a NUL */

/* Whom there is from the start. Both businesses and the person have the same main password. */
#define BS_DESK_DID      "did:plc:desk22222222222222222222"
#define BS_SHOP_DID      "did:plc:shop22222222222222222222"
#define BS_MINA_DID      "did:plc:mina22222222222222222222"
#define BS_MAIN_PASSWORD "sandbox-password"

enum bs_status { BS_ACTIVE, BS_DEACTIVATED, BS_TAKENDOWN, BS_DELETED, BS_STATUSES };
enum bs_incoming { BS_FROM_FOLLOWING, BS_FROM_ALL, BS_FROM_NONE, BS_INCOMINGS };

/* Why something is not done, as the service would say it. */
enum bs_no {
    BS_YES, BS_NOT_FOLLOWED, BS_DISABLED, BS_BLOCKED_ACTOR, BS_BLOCKED_SUBJECT, BS_NO_RECIPIENT, BS_SUSPENDED,
    BS_UNKNOWN_SELF, BS_NO_CONVO, BS_LOCKED, BS_NO_REPLY_TARGET, BS_NO_MESSAGE, BS_REACTION_DELETED, BS_REACTION_LIMIT,
    BS_TOO_MANY, BS_NOES
};

struct bs_set {
    struct bs_account **items;
    size_t              count, cap;
};

struct bs_app_password {
    struct str              name, password; /* owned */
    bool                    privileged;     /* may read and write direct messages */
    struct bs_app_password *next;
};

/* A refresh token that is still good for something. */
struct bs_session {
    char               id[33], successor[33]; /* successor "" = not rotated yet */
    struct str         app_password;          /* its name; owned; none = the main password */
    bool               privileged;
    int64_t            made_ms, expires_ms;   /* rotation brings the end nearer: the grace */
    struct bs_session *next;
};

enum bs_event {
    BS_EV_BEGIN, BS_EV_ACCEPT, BS_EV_LEAVE, BS_EV_MUTE, BS_EV_UNMUTE, BS_EV_CREATE, BS_EV_DELETE, BS_EV_READ_MESSAGE,
    BS_EV_READ_CONVO, BS_EV_ADD_REACTION, BS_EV_REMOVE_REACTION, BS_EV_ADD_MEMBER, BS_EV_RAW, BS_EVENTS
};

struct bs_entry {
    int64_t          rev;
    enum bs_event    kind;
    struct bs_convo *convo;   /* NULL for BS_EV_RAW */
    int64_t          message; /* its id; 0 = of none */
    struct str       extra;   /* the reaction, or all of a raw one; owned; none = none */
};

struct bs_log {
    struct bs_entry *entries; /* oldest first */
    size_t           count, cap;
    int64_t          floor;   /* no cursor below this is good any more */
};

struct bs_account {
    struct bs              *bs;
    char                    did[40];
    struct str              handle, email, display_name, pds; /* owned; none or empty = none */
    struct str              declaration;                      /* the record as JSON; owned; none = no record */
    bool                    has_avatar, two_factor;
    bool                    chat_disabled; /* barred from chat */
    enum bs_status          status;
    enum bs_incoming        incoming;      /* of the declaration */
    enum bs_no              refuses;       /* whoever opens a conversation or writes; BS_YES = nobody */
    int64_t                 created_ms;
    int64_t                 generation;    /* access tokens of earlier ones have expired */
    struct bs_app_password *passwords;
    struct bs_session      *sessions;
    struct bs_set           follows, blocks;
    struct bs_member       *first_member, *last_member; /* its conversations */
    struct bs_log           log;
    int64_t                 logins_ms[512]; /* a ring of when they were */
    size_t                  login_count;
    int64_t                 sends_ms[512];
    size_t                  send_count;
    int64_t                *counts;         /* of calls, by method; owned */
    struct bs_account      *next;
};

struct bs_reaction {
    struct bs_account  *by;
    struct str          value; /* owned */
    int64_t             at_ms;
    struct bs_reaction *next;
};

/* What a message says; JSON where that is how it goes out. */
struct bs_draft {
    struct str text;
    struct str facets; /* an array; none = none */
    struct str embed;  /* a view; none = none */
    int64_t    reply_to;
    int64_t    sent_ms; /* 0 = now */
};

struct bs_message {
    int64_t             id, rev, sent_ms, reply_to;
    struct bs_convo    *convo;
    struct bs_account  *sender; /* NULL: a system message, and `text` is its data */
    struct str          text, facets, embed; /* in `memory` */
    char               *memory;
    size_t              size;
    struct bs_reaction *reactions;
    struct bs_set       deleted_for;
    struct bs_message  *older, *newer, *older_of_all, *newer_of_all;
};

/* A conversation as one of its members has it. */
struct bs_member {
    struct bs_account *account;
    struct bs_convo   *convo;
    bool               accepted, muted, left;
    int64_t            rev;     /* of its newest event */
    int64_t            read_to; /* id of the last message that was read */
    int64_t            unread;
    struct bs_member  *next; /* of the account */
};

struct bs_convo {
    int64_t            id, created_ms;
    bool               group, locked;
    struct str         name; /* of a group; owned */
    struct bs_member  *members[BS_GROUP_MAX];
    size_t             member_count;
    struct bs_message *oldest, *newest;
    size_t             count;
    struct bs_convo   *next;
};

/* Times in seconds. Rates of 0 are not enforced. */
struct bs_settings {
    int64_t access_s, refresh_s, grace_s;
    int64_t logins_per_5_minutes, logins_per_day, requests_per_5_minutes, sends_per_minute;
    int64_t log_page;
    bool    named_refusals; /* the newer form: the name tells; else it is InvalidRequest and the text tells */
    bool    convo_kinds;    /* the newer form: a conversation tells whether it is a group */
    bool    session_did_doc, log_cursor, retry_after, check_replies, types_in_answers;
    char    proxy[128];     /* what atproto-proxy must say */
    char    bad_token[32];  /* what an unprivileged app password is told */
};

struct bs_record; /* records.h */
struct bs_records {
    struct bs_record *oldest, *newest;
    size_t            count, bytes;
    int64_t           last_number;
};

struct bs {
    struct stage      *stage;
    struct bs_settings settings;
    struct bs_account *first, *last;
    struct bs_convo   *first_convo, *last_convo;
    struct map         convos, messages; /* by id */
    struct bs_message *oldest, *newest;  /* of all conversations */
    size_t             message_bytes;
    int64_t            last_tid, rev;
    uint8_t            key[32];          /* signs tokens */
    struct bs_records  records;
    struct bs_call    *waiting;          /* calls that a delay holds */
    int64_t            window_s, window_count; /* requests in the five minutes that began then */
};

bool bs_set_has(const struct bs_set *set, const struct bs_account *a);
void bs_set_add(struct bs_set *set, struct bs_account *a); /* once */
void bs_set_remove(struct bs_set *set, const struct bs_account *a);

/* ---- the 13 characters that ids, revisions and cursors are written with ---- */
const char *bs_tid(int64_t n, char out[BS_TID_MAX]); /* returns `out` */
bool        bs_tid_read(struct str text, int64_t *out);
int64_t     bs_tid_new(struct bs *bs); /* grows, and is about the time */

/* ---- accounts ---- */
struct bs_account *bs_account_add(struct bs *bs, struct str did, struct str handle); /* `did` none = a new one */
struct bs_account *bs_account_by_did(const struct bs *bs, struct str did);
struct bs_account *bs_account_find(const struct bs *bs, struct str name); /* DID, handle or e-mail; NULL = none */
const char        *bs_status_name(enum bs_status status);
bool               bs_status_read(struct str name, enum bs_status *out);
const char        *bs_incoming_name(enum bs_incoming incoming);
bool               bs_incoming_read(struct str name, enum bs_incoming *out);
void               bs_account_declare(struct bs_account *a, struct str record, enum bs_incoming incoming);

/* `password` none = a new one. False when the name is taken. */
bool bs_app_password_add(struct bs_account *a, struct str name, struct str password, bool privileged,
    struct bs_app_password **out);
bool bs_app_password_revoke(struct bs_account *a, struct str name); /* with the sessions it opened */

/* Counts one more event of a kind that is limited, in a ring of 512; see also bs_within(). */
void bs_happened(int64_t *ring, size_t *count, int64_t now_ms);
/* How many of the ring's are not older than `window_ms`. */
int64_t bs_within(const int64_t *ring, size_t count, int64_t now_ms, int64_t window_ms);

/* ---- conversations and messages ---- */
struct bs_convo   *bs_convo_add(struct bs *bs, bool group, struct str name);
struct bs_member  *bs_member_add(struct bs_convo *convo, struct bs_account *a);
struct bs_member  *bs_member_of(const struct bs_convo *convo, const struct bs_account *a); /* NULL = is none */
struct bs_member  *bs_peer_of(const struct bs_member *m); /* in a direct one */
struct bs_convo   *bs_convo_get(const struct bs *bs, struct str id);
struct bs_convo   *bs_convo_between(const struct bs_account *a, const struct bs_account *b); /* NULL = none yet */
struct bs_message *bs_message_add(struct bs_convo *convo, struct bs_account *sender, int64_t rev,
    const struct bs_draft *draft);
struct bs_message *bs_message_get(const struct bs *bs, int64_t id);  /* NULL = forgotten */
void               bs_messages_forget(struct bs *bs);                /* all */

/* ---- logs ---- */

/* Notes an event under the next revision, or under `rev` when that is not 0. `extra` is copied. */
int64_t bs_log_add(struct bs_member *m, enum bs_event kind, int64_t rev, int64_t message, struct str extra);
void    bs_log_add_raw(struct bs_account *a, struct str json); /* "rev" is added */
void    bs_log_truncate(struct bs_account *a);                 /* forgets all, and every cursor so far is invalid */
size_t  bs_log_after(const struct bs_log *log, int64_t cursor); /* place of the first event behind it */

/* ---- opening and closing it all ---- */
void bs_init(struct bs *bs, struct stage *stage);
void bs_deinit(struct bs *bs);

/* Tells whoever watches that something about a conversation, or (NULL) about accounts, has changed. */
void bs_tell(struct bs *bs, const char *what, const struct bs_convo *convo);

static inline int64_t
bs_now_ms(const struct bs *bs)
{
    return stage_now_ms(bs->stage);
}

#endif
