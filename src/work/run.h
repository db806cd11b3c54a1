/* run.h -- drives one platform operation: step, call, step with the answer, until the adapter has a verdict. */
#ifndef PARLEY_WORK_RUN_H
#define PARLEY_WORK_RUN_H

#include "net/courier.h"
#include "platform/platform.h"

#define RUN_CALLS_MAX 16 /* an operation that asks more often than this is going in circles */

struct run_errors;

struct run {
    /* the caller's */
    const struct platform *platform;
    struct op              op;
    struct courier        *courier;
    struct run_errors     *errors; /* where refusals are counted */
    void (*done)(struct run *r);
    void                  *user;
    const int64_t         *not_after_mono_ms; /* of each call; NULL = at any time */
    /* the result */
    struct op_step         end;
    /* its own */
    struct net_call        call;
    int                    calls;
    bool                   calling;
};

void run_start(struct run *r);  /* done() may be called before this returns */
void run_cancel(struct run *r); /* done() will not be called */

/* Refusals by platform and code, for metrics; those beyond many different ones as "any" and -1. Any thread reads. */
struct run_errors *run_errors_new(void);
void run_errors_free(struct run_errors *e);
void run_errors_each(struct run_errors *e, void (*each)(void *ctx, const char *platform, int code, int64_t count),
                     void *ctx);

#endif
