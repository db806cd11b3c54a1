/* meta.h -- what the files of this folder share. The outside sees `facebook`, `instagram` and `meta_app` (platform.h).
 *
 * Three kinds of connection, told apart by meta_flavour(): a Page's Messenger, an Instagram account through its Page
 * (both with a Page token, on Meta's Graph API), and an Instagram account of its own (Instagram Login, on Instagram's).
 *
 *     parse.c    one webhook for all of them: envelopes, entries, who is who
 *     content.c  one message: text, attachments, replies, taps
 *     comment.c  comments below posts
 *     fetched.c  a message that was asked for, because its webhook did not come
 *     step.c     operations, each as the calls it takes (send.c, connect.c, login.c, find.c, participant.c, media.c)
 *     call.c     how a call looks on the wire
 *     answer.c   what an answer, or its absence, means
 *     errors.c   the catalogue of error codes
 *     facebook.c instagram.c  the constants of each, and what differs
 *
 * Figures and rules come from Meta's documentation as of 2026 and from recorded traffic. */
#ifndef PARLEY_PLATFORM_META_META_H
#define PARLEY_PLATFORM_META_META_H

#include "json/json.h"
#include "platform/platform.h"

#define META_HOUR_MS ((int64_t)3600 * 1000)
#define META_DAY_MS  (24 * META_HOUR_MS)

/* ---- parse.c ---- */

/* platform_app's two. */
bool meta_verify(const struct platform_env *env, const struct net_header *headers, size_t n, struct str body);
void meta_parse(struct arena *a, const struct platform_env *env, struct str payload, struct inbound_batch *out);

struct str meta_id(struct arena *a, yyjson_val *obj, const char *key);   /* a string or a number, as text */
struct str meta_text(yyjson_val *obj, const char *key); /* what people wrote, or its first 64 KiB */
struct str meta_name(yyjson_val *obj, const char *key); /* what they are called, or its first 1,000 bytes */
int64_t    meta_time(yyjson_val *obj, const char *key); /* seconds, milliseconds or a text, as milliseconds; 0 = none */

/* ---- fetched.c ---- */

/* The answer to OP_MESSAGE as a batch of one event. */
void meta_parse_fetched(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

/* The attachments of a message as that API shows them, each in its place. What has no link is there too, with `ref`
 * none, and with what Meta says of it as `refusal`. In `a`. */
size_t meta_fetched_files(struct arena *a, yyjson_val *message, struct inbound_media **out);

/* ---- errors.c ---- */

enum meta_class {
    META_REFUSED,    /* this request will never be taken */
    META_WINDOW,     /* the person has not written for too long */
    META_LATER,      /* worth another try */
    META_ONCE,       /* worth one more try, at once */
    META_UNSURE,     /* worth another try, and it may have happened */
    META_LIMIT,      /* too many calls: the account must be quiet for a while */
    META_SLOW,       /* refused, and a warning: quiet for a minute */
    META_PAUSE,      /* refused, and so would all others be: quiet for an hour */
    META_ACCESS,     /* a permission is missing or was taken away */
    META_TOKEN,      /* the token is no longer good */
    META_CLASSES
};

/* Code and subcode decide, then is_transient, then the HTTP status; `code` 0 = the answer names none. */
enum meta_class meta_classify(int64_t code, int64_t subcode, bool is_transient, int status);

/* ---- step.c ---- */

enum meta_flavour { META_PAGE, META_INSTAGRAM_PAGE, META_INSTAGRAM_LOGIN };

/* What an operation remembers from call to call. */
struct meta_talk {
    enum meta_flavour flavour;
    struct str        token;      /* of the calls; an exchange works with others than the account's */
    struct str        page_id;    /* of META_PAGE and META_INSTAGRAM_PAGE; none = not known yet */
    int64_t           rest_ms;    /* how long the account must be quiet, as the answers' headers say */
    enum meta_class   error;      /* of the last answer */
    bool              refused;    /* the last answer was no success; `error` says why */
    bool              again;      /* the one repeat that some errors are worth has been made */
    bool              renews;     /* a check found the subscription gone */
    int               dead;       /* OP_MEDIA: the HTTP status of a link that has died */
    size_t            cap;        /* of op->accounts */
};

void facebook_step(struct op *op, const struct net_response *last, struct op_step *out);
void instagram_step(struct op *op, const struct net_response *last, struct op_step *out);

struct meta_talk *meta_talk(struct op *op);
bool meta_token_fits(struct str token); /* whether it can stand in a header at all */
enum meta_flavour meta_flavour(const struct platform *platform, const struct account *account);

/* ---- call.c ---- */

struct meta_param {
    const char *name;
    struct str  value;
};

/* `path` is below the version and well encoded: meta_path(). Parameters go into the query. The token goes into a
 * header, the proof that we know the app's secret into the query. */
void meta_call(struct op *op, const char *method, struct str path, const struct meta_param *params, size_t n,
    struct op_step *out);

/* POSTs JSON, which is taken from `body` (freed here); or parts; or a form to any URL, without the token. */
void meta_call_json(struct op *op, struct str path, struct buf *body, struct op_step *out);
void meta_call_url(struct op *op, struct str url, struct op_step *out); /* GETs it as it is, without the token */
void meta_call_parts(struct op *op, struct str path, struct net_part *parts, size_t n, struct op_step *out);
void meta_call_form(struct op *op, struct str url, const struct meta_param *params, size_t n, struct op_step *out);

/* GETs the file to op->save_path. False when no file may be fetched from there. */
bool meta_call_file(struct op *op, struct str url, struct op_step *out);

bool       meta_is_id(struct str id); /* whether it can be a part of a path at all */
struct str meta_path(struct op *op, struct str id, const char *edge); /* "<id>/<edge>"; `edge` NULL = the id alone */
struct str meta_account_path(struct op *op, const char *edge); /* of the account's Page, or of an account of its own */
struct str meta_query(struct arena *a, struct str url, const struct meta_param *params, size_t n); /* with "?" */
struct str meta_url(struct arena *a, struct str base, const char *path); /* `base` with or without a slash at its end */
struct str meta_graph_url(struct op *op, const char *path); /* of the flavour's Graph API, without a version */

/* ---- answer.c ---- */

/* True with the JSON when Meta did it; otherwise `out` is the verdict. */
bool meta_answered(struct op *op, const struct net_response *last, yyjson_val **root, struct op_step *out);
bool meta_downloaded(struct op *op, const struct net_response *last, struct op_step *out);
bool meta_link_is_dead(const struct net_response *last); /* a download's answer says that the link works no longer */

void meta_done(struct op_step *out);
void meta_fail(struct op *op, struct op_step *out, int code, struct str reason);
void meta_retry(struct op *op, struct op_step *out, int code, struct str reason);

#define META_REST_SHORT_MS 5000

/* How long the account must be quiet: what the headers about usage say; 0 = not at all, META_REST_SHORT_MS = a limit
 * is near. Those that do not concern messages count only for a call that was `refused`. */
int64_t meta_rest_ms(struct arena *a, const struct net_response *last, bool refused);

/* ---- the operations ---- */

void meta_connect(struct op *op, const struct net_response *last, struct op_step *out);     /* connect.c */
void meta_subscribe(struct op *op, const struct net_response *last, struct op_step *out);
void meta_unsubscribe(struct op *op, const struct net_response *last, struct op_step *out);
void meta_check(struct op *op, const struct net_response *last, struct op_step *out);
void meta_exchange(struct op *op, const struct net_response *last, struct op_step *out);    /* login.c */
void meta_refresh(struct op *op, const struct net_response *last, struct op_step *out);
void meta_send(struct op *op, const struct net_response *last, struct op_step *out);        /* send.c */
void meta_react(struct op *op, const struct net_response *last, struct op_step *out);
void meta_find_sent(struct op *op, const struct net_response *last, struct op_step *out);   /* find.c */
void meta_message(struct op *op, const struct net_response *last, struct op_step *out);
void meta_participant(struct op *op, const struct net_response *last, struct op_step *out); /* participant.c */
void meta_media(struct op *op, const struct net_response *last, struct op_step *out);       /* media.c */

bool facebook_login_url(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
    struct str *out, struct error *err);
bool instagram_login_url(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
    struct str *out, struct error *err);

/* The path of a link to a file of its own, which stays when the link is signed anew; none where it is a script's. */
struct str meta_file_path(struct str url);

struct str meta_page_detail(struct arena *a, struct str page_id); /* account.details: {"page_id":...} */
struct str meta_attachment_type(enum meta_flavour flavour, const struct op_file *file); /* "image" ... */

/* ---- facebook.c and instagram.c: what both are, and what facebook.c checks for both ---- */

#define META_BOTH                                                                                    \
    .can = CAN_ATTACH | CAN_REACT | CAN_PRIVATE_REPLY | CAN_RECEIPTS | CAN_PUSH | CAN_FIND_SENT,     \
    .window_ms = META_DAY_MS,                                                                        \
    .needs_first_contact = true,                                                                     \
    .app = &meta_app,                                                                                \
    .parse_poll = meta_parse_fetched

#define META_FILE_MAX ((int64_t)25 * 1024 * 1024)

struct str meta_emoji_of(struct str reaction); /* of one of Messenger's names; none = it is none */
bool meta_emoji_fits(struct str emoji, struct error *err);
bool meta_size_fits(const struct op_file *file, int64_t max, const char *title, struct error *err);

#endif
