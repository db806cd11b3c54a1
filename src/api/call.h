/* call.h -- one request on its way to its answer, as a chain of steps.
 *
 * A step is a function that runs on the exchange's own loop (PLAIN), in a read or in a write transaction. It
 * fills the reply, and then the call is over; or it says what comes next with call_then(), perhaps after a
 * platform's answer (call_ask) or after work that would block (call_work). So what needs a platform's consent
 * is a few plain functions:
 *
 * edit_message (WRITES) -> OP_EDIT -> apply_edit (WRITES) -> reply
 *
 * Coroutines were the other way; they would hide where a transaction ends, and that is what matters most
 * here.
 *
 * A step in a transaction may be run twice (db.h), so it changes nothing but the database, the reply and what
 * it sets afresh in `state`. The reply, and what comes next, are forgotten before each run. */
#ifndef PARLEY_API_CALL_H
#define PARLEY_API_CALL_H

#include "api/body.h"
#include "db/db.h"
#include "http/http.h"
#include "media/media.h"
#include "store/workspace.h"
#include "work/worker.h"

struct api;
struct call;

enum step_mode { PLAIN, READS, WRITES };

struct step {
    bool (*run)(struct db *db, struct call *call, struct error *err); /* `db` is NULL in PLAIN ones */
    enum step_mode mode;
    bool (*ahead)(struct db_txn *t, struct db *db); /* `t` is call->txn */
};

enum route_flag {
    OPEN   = 1 << 0, /* needs no API key */
    BODY   = 1 << 1, /* its body is read as JSON, form or multipart */
    UPLOAD = 1 << 2, /* ... and may carry a file */
    HOOK   = 1 << 3, /* a platform's webhook: hook_knock() looks at the head first */
};

#define KEYLESS_BODY_MAX (64 * KIB) /* read before it is known who sends it */

struct route {
    struct http_route http; /* first, for http_route_find() */
    struct step       step;
    unsigned          flags;
};

extern const struct route routes[];
extern const size_t       route_count;

struct call {
    struct api           *api;
    struct http_exchange *x;
    struct arena         *arena; /* the exchange's: dies with the reply */
    const struct route   *route; /* NULL when none matched */
    struct scope          scope; /* the key's, narrowed by ?profile_group_id= */
    int64_t               now_ms;
    struct body           body;  /* of routes with BODY */
    struct ask           *ask;   /* the platform's last answer: ask->op, ask->end; NULL before there is one */
    struct net_response  *answer; /* of the last call_http() */
    void                 *state; /* the handler's own */

    /* An object in the media store that only a committed message makes worth keeping; removed when the call
     * fails. */
    char stored[MEDIA_NAME_MAX];

    /* The rest is call.c's. */
    struct step    now, next;
    struct ask    *asking;
    struct calling *calling;
    void         (*stream)(struct call *call);
    int64_t        streams_after_us; /* of a reply that became a stream: how long it took to begin */
    bool         (*work)(struct call *call, struct error *err);
    struct db_txn  txn;
    uv_work_t      worked;
    struct error   failure;
    bool           is_admitted;  /* key and body are read; the route's own steps run */

    struct scope   key_scope;
    struct str     group_text;   /* ?profile_group_id= */
    uint8_t        key_hash[SHA256_SIZE];
    unsigned       keys_seen;    /* which state of all keys that was */
    bool           key_is_found;

    struct str     idempotency_key; /* none = none */
    uint8_t        request_hash[SHA256_SIZE];
    bool           is_claimed;

    struct ask    *blaming;     /* when it fails: the account's token was refused, and is wiped after that */
    bool           expires_profile, refreshes_profile; /* ... and what follows if it is still the account's */
    struct str     expiry_reason;
    bool           is_outdated; /* it is not: the account has been connected again, its token renewed, or it is gone */
};

/* ---- for handlers ---- */

struct str call_param(const struct call *call, const char *name); /* of the path */
struct str call_query(const struct call *call, const char *name); /* none when absent */

/* What runs when the step at hand (and what it asked for) is done. */
void call_then(struct call *call, bool (*run)(struct db *db, struct call *call, struct error *err),
               enum step_mode mode);

/* What that, in WRITES, asks the database ahead. */
static inline void
call_ahead(struct call *call, bool (*ahead)(struct db_txn *t, struct db *db))
{
    call->next.ahead = ahead;
}

/* Has the platform do something before the next step, which finds the answer in call->ask. Fill in the
 * operation that is returned. A refusal ends the call with a 422 in the platform's words, and `account`'s
 * secrets are wiped after the answer, but for those that OP_CONNECT hands out. A stored account that turns out to have
 * lost its credentials is marked expired; where they only need to be renewed, that is queued and the answer is 503.
 * So it is, and nothing else happens, where it has got others since it was asked. */
struct op *call_ask(struct call *call, enum op_kind kind, const struct platform *platform,
                    const struct account *account);

/* The account of a stored profile, to ask with; 404 when it is gone, 422 when it has lost its access. */
bool call_account(struct db *db, struct call *call, int64_t profile_id, struct account *out, struct error *err);

/* A refusal of what was just asked does not end the call: the next step finds it in call->ask->end. */
void call_hear_refusal(struct call *call);
/* Such a refusal as the error it would have been; always false. */
bool call_refused(const struct ask *ask, struct error *err);

/* Has a plain HTTP request made before the next step, which finds call->answer, whatever it is.
 * Fill in the request that is returned; what it points to lives in the call's arena. */
struct net_request *call_http(struct call *call);

/* The reply has no end: once the step is over, `begin` is called on the exchange's loop with status
 * and headers set, and leads to http_stream_begin(). */
void call_stream(struct call *call, void (*begin)(struct call *call));

/* Has `work` done on a helper thread before the next step. It may block and has the call to itself. */
void call_work(struct call *call, bool (*work)(struct call *call, struct error *err));

/* Whether the request's body may turn out larger, as far as its head tells. */
bool call_may_exceed(const struct call *call, size_t max);

/* ---- for api.c ---- */

void call_init(struct call *call, struct api *api, struct http_exchange *x);
void call_begin(struct call *call); /* on the loop; leads to http_exchange_done() */

#endif
