/* call.h -- one XRPC call: from the URL to the answer, with the trouble that was ordered for it.
 *
 * What begins with "chat." goes through the account server to the chat service, as its proxy header says; that
 * shows in some answers, and call.c sees to it. */
#ifndef PARLEY_SANDBOX_BLUESKY_CALL_H
#define PARLEY_SANDBOX_BLUESKY_CALL_H

#include "sandbox/bluesky/act.h"
#include "sandbox/bluesky/tokens.h"
#include "sandbox/bluesky/views.h"

enum bs_auth { BS_AUTH_NONE, BS_AUTH_OPTIONAL, BS_AUTH_ACCESS, BS_AUTH_REFRESH };

struct bs_call;
struct bs_method {
    const char      *nsid;
    enum http_method verb;
    enum bs_auth     auth;
    bool             guarded; /* an app password needs the permission for direct messages */
    bool             input;   /* it takes a JSON object; else a POST takes no body at all */

    /* Does it and writes into the object `w` has open. False with a status, and c->name. */
    bool (*run)(struct bs_call *c, struct json *w, struct error *err);
};

struct bs_call {
    struct bs              *bs;
    struct http_exchange   *x;
    struct arena           *arena; /* of the exchange */
    struct str              nsid;
    const struct bs_method *method;  /* NULL = there is none of that name */
    struct bs_account      *account; /* whose token it is; NULL = nobody's */
    struct bs_token         token;
    struct bs_eye           eye;
    yyjson_val             *input;
    const char             *name;    /* of the error; NULL = the usual one of the status */
    int64_t                 record;  /* its number; 0 = is not recorded */
    int64_t                 wait_s;  /* the limiter's: it must wait so long; 0 = there is room */
    bool                    counted; /* it came as far as the limiter */
    bool                    empty;   /* the answer has no body */
    bool                    kept, cut;
    struct alarm            alarm;
    struct bs_call         *next, *previous; /* among bs->waiting */
};

/* As http.h's on_request(), for /xrpc/<nsid>. */
void bs_call_serve(struct bs *bs, struct http_exchange *x);

/* An XRPC error; always false. `name` NULL = the usual one of the status. */
bool bs_fail(struct bs_call *c, struct error *err, int status, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
bool bs_fail_no(struct bs_call *c, struct error *err, enum bs_no no);

/* The body as the method wants it, into c->input. */
bool bs_input_read(struct bs_call *c, struct error *err);

/* A parameter of the query, none when it is absent or empty. */
struct str bs_param(struct bs_call *c, const char *name);
bool       bs_param_needed(struct bs_call *c, const char *name, struct str *out, struct error *err);
bool       bs_param_limit(struct bs_call *c, int64_t *out, struct error *err); /* 1..100, 50 when absent */
bool       bs_input_needed(struct bs_call *c, const char *name, struct str *out, struct error *err);

/* The account's place in the conversation that the text names. */
bool bs_membership(struct bs_call *c, struct str convo_id, struct bs_member **out, struct error *err);

/* An XRPC error as a reply, for requests that never became a call. */
void bs_reply_error(struct http_exchange *x, int status, const char *name, const char *message);

/* All that is delayed is answered, because the world ends. */
void bs_calls_abandon(struct bs *bs);

/* "http://" and the host that was asked for, in the exchange's arena. */
struct str bs_base_of(struct http_exchange *x);

extern const struct bs_method bs_methods[];
extern const size_t           bs_method_count;

#endif
