/* call.h -- one call of the Graph API: from the URL to the answer, with the trouble that was ordered for it. */
#ifndef PARLEY_SANDBOX_META_CALL_H
#define PARLEY_SANDBOX_META_CALL_H

#include "sandbox/meta/params.h"
#include "sandbox/meta/state.h"

/* What Meta says when something does not work. */
struct fb_error {
    int         status, code, subcode; /* subcode 0 = none */
    const char *type;                  /* NULL: by the code and the host */
    bool        transient;
    int64_t     regain_minutes;        /* of a limit; 0 = none */
    char        message[768];
};

/* Always false, so that `return fb_fail(...)` reads well. The status follows from the code. */
bool fb_fail(struct fb_error *err, int code, int subcode, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

enum fb_needs { FB_NEEDS_NOTHING, FB_NEEDS_TOKEN, FB_NEEDS_ACCOUNT }; /* ACCOUNT: a Page's or an Instagram account's */

struct fb_op {
    const char *name; /* as faults and the record of calls have it */

    /* Does it, and writes its members into the object `w` has open. Or sets c->kept and answers later. */
    bool (*run)(struct fb_call *c, struct json *w, struct fb_error *err);
    enum fb_needs needs;
};

#define FB_SEGMENTS_MAX 4

struct fb_call {
    struct fb            *fb;
    const struct fb_op   *op;
    struct http_exchange *x;
    struct arena         *arena;
    enum fb_host          host;
    struct str            version;                   /* "v25.0"; empty = none was given */
    struct str            segments[FB_SEGMENTS_MAX]; /* of the path, decoded, without the version */
    size_t                segment_count;
    struct fb_params      params;
    struct fb_token      *token;
    struct fb_account    *account; /* the token's */
    int64_t               record;
    bool                  raw, kept;  /* raw: the reply has been written as it shall be */
    bool                  cut;        /* when it has been carried out, the connection is closed */
    struct fault          fault;      /* with a code: the error that is told after it has been carried out */
    struct alarm          alarm;
    void (*resume)(struct fb_call *c); /* when the alarm rings, or what it waits for has happened */
    void (*abandon)(struct fb_call *c); /* the world ends: lets go of what is under way */
    void                 *work;        /* of the operation, in the arena */
    struct fb_call       *next, *previous;
};

/* As http.h's on_request(). */
void fb_call_serve(struct fb *fb, struct http_exchange *x);

/* Keeps the call until someone answers it; at_ms -1 = without an alarm. */
void fb_call_keep(struct fb_call *c, int64_t at_ms, void (*resume)(struct fb_call *c));
void fb_call_release(struct fb_call *c); /* is no longer kept, and answered as usual */
void fb_call_begin(struct fb_call *c, struct json *w);
void fb_call_end(struct fb_call *c, struct json *w);
void fb_call_fail(struct fb_call *c, const struct fb_error *err);
void fb_calls_abandon(struct fb *fb);

/* Which operation the path means; NULL with the error of a path that is none. */
const struct fb_op *fb_find_op(struct fb_call *c, struct fb_error *err);

/* The account the path names ("me" is the token's): NULL with the error. */
struct fb_account *fb_path_account(struct fb_call *c, struct fb_error *err);

/* What of `fields` says what the message carries: attachments, shares, sticker, story. */
void fb_write_attachments(struct fb_call *c, const struct fb_message *m, struct str fields, struct json *w);

/* Where the next page of a list is. */
void fb_put_paging(struct fb_call *c, struct json *w, int64_t next, bool more);

/* One more by the rate; false when it is one too many. */
bool fb_bucket_take(struct fb_bucket *b, double per_second, double burst, int64_t now_ms);

/* The operations, by file. */
bool fb_show_account(struct fb_call *c, struct json *w, struct fb_error *err); /* nodes.c */
bool fb_list_accounts(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_subscriptions(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_show_comment(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_answer_comment(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_show_person(struct fb_call *c, struct json *w, struct fb_error *err); /* read.c */
bool fb_list_conversations(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_show_conversation(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_show_message(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_send(struct fb_call *c, struct json *w, struct fb_error *err);        /* send.c */
bool fb_upload(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_dialog(struct fb_call *c, struct json *w, struct fb_error *err);      /* login.c */
bool fb_exchange(struct fb_call *c, struct json *w, struct fb_error *err);    /* tokens.c */
bool fb_instagram_exchange(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_instagram_long(struct fb_call *c, struct json *w, struct fb_error *err);
bool fb_instagram_refresh(struct fb_call *c, struct json *w, struct fb_error *err);

#endif
