/* call.h -- one call of the Bot API: from the URL to the answer, with the trouble that was ordered for it. */
#ifndef PARLEY_SANDBOX_TELEGRAM_CALL_H
#define PARLEY_SANDBOX_TELEGRAM_CALL_H

#include "sandbox/telegram/params.h"
#include "sandbox/telegram/state.h"

struct tg_method {
    const char *name;

    /* Does it and writes "result" into the object `w` has open. False with status and description: the
     * prefix ("Bad Request: ") is added from the status. Or keeps the call with tg_call_keep() and
     * answers later. */
    bool (*run)(struct tg_call *c, struct json *w, struct error *err);

    bool sends;       /* counts against the rates of its chat and bot */
    bool in_response; /* may come as the answer to a webhook */
};

struct tg_call {
    struct tg              *tg;
    struct tg_bot          *bot;
    const struct tg_method *method;
    struct tg_params        params;
    struct arena           *arena;     /* of the exchange */
    struct http_exchange   *x;         /* NULL for one that came as the answer to a webhook */
    struct buf             *body;      /* of the answer */
    struct str              description; /* beside a result; none = none */
    int64_t                 record;    /* number of its record; 0 = is not recorded */
    bool                    kept;      /* answered later */
    bool                    raw;       /* the body is no JSON but a file */
    struct str              path;      /* of that file */
    bool                    cut;       /* when it is answered, the connection is closed instead */
    struct alarm            alarm;     /* of whoever keeps it */
    void (*resume)(struct tg_call *c); /* when the alarm rings */
    struct tg_call         *next, *previous; /* among tg->waiting */
    int64_t                 offset, limit; /* of a getUpdates that waits */
};

/* As http.h's on_request(), for /bot<TOKEN>/<METHOD>. */
void tg_call_serve(struct tg *tg, struct http_exchange *x);

/* As http.h's on_request(), for /file/bot<TOKEN>/<path>. */
void tg_file_serve(struct tg *tg, struct http_exchange *x);

/* A call without an exchange: what a bot put into its answer to a webhook. */
void tg_call_run_inline(struct tg_bot *bot, struct str body, struct str content_type);

/* Keeps the call until `resume` is called at that time, or someone answers it before; -1 = no time. */
void tg_call_keep(struct tg_call *c, int64_t until_ms, void (*resume)(struct tg_call *c));

/* Answers a call that was kept. tg_call_begin() opens the object that "result" goes into, tg_call_end()
 * sends it. */
void tg_call_begin(struct tg_call *c, struct json *w);
void tg_call_end(struct tg_call *c, struct json *w);
void tg_call_fail(struct tg_call *c, const struct error *err);

/* All that is delayed is answered, because the world ends; 500. */
void tg_calls_abandon(struct tg *tg);
void tg_calls_abandon_bot(struct tg_bot *bot); /* 401: the token is no longer valid */

extern const struct tg_method tg_methods[];
extern const size_t           tg_method_count;

#endif
