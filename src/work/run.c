#include "work/run.h"

#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"

#define CODES_MAX 128 /* more different codes than any platform has; what else one makes up shares the last place */

struct run_errors {
    uv_mutex_t lock;
    struct {
        const char *platform;
        int         code;
        int64_t     count;
    } entries[CODES_MAX];
    size_t count;
};

struct run_errors *
run_errors_new(void)
{
    struct run_errors *e = calloc(1, sizeof(*e));

    if (!e || uv_mutex_init(&e->lock) != 0)
        out_of_memory();
    return e;
}

void
run_errors_free(struct run_errors *e)
{
    uv_mutex_destroy(&e->lock);
    free(e);
}

static void
run_errors_count(struct run_errors *e, const char *platform, int code)
{
    size_t i;

    uv_mutex_lock(&e->lock);
    for (i = 0; i < e->count; i++)
        if (e->entries[i].code == code && e->entries[i].platform == platform)
            break;
    if (i >= CODES_MAX - 1) {
        i = CODES_MAX - 1;
        platform = "any";
        code = -1;
    }
    if (i == e->count) {
        e->entries[i].platform = platform;
        e->entries[i].code = code;
        e->count++;
    }
    e->entries[i].count++;
    uv_mutex_unlock(&e->lock);
}

void
run_errors_each(struct run_errors *e, void (*each)(void *ctx, const char *platform, int code, int64_t count), void *ctx)
{
    uv_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->count; i++)
        each(ctx, e->entries[i].platform, e->entries[i].code, e->entries[i].count);
    uv_mutex_unlock(&e->lock);
}

static void run_step(struct run *r, const struct net_response *last);

static void
run_answered(struct net_call *call)
{
    struct run *r = call->user;

    r->calling = false;
    run_step(r, &call->response);
}

static void
run_finish(struct run *r)
{
    if (r->end.verdict != OP_DONE && r->errors)
        run_errors_count(r->errors, r->platform->name, r->end.code);
    r->done(r);
}

static void
run_step(struct run *r, const struct net_response *last)
{
    r->end = (struct op_step){ .verdict = OP_FAIL };
    if (r->calls == RUN_CALLS_MAX) {
        r->end.reason = STR("The operation did not come to an end");
        log_error("operation in circles", LOG_CSTR("platform", r->platform->name), LOG_INT("kind", r->op.kind));
        run_finish(r);
        return;
    }
    r->platform->step(&r->op, last, &r->end);
    if (r->end.verdict != OP_CALL) {
        run_finish(r);
        return;
    }
    r->calls++;
    r->calling = true;
    r->call = (struct net_call){ .request = r->end.call, .arena = r->op.arena, .done = run_answered, .user = r };
    r->call.request.not_after_mono_ms = r->not_after_mono_ms;
    courier_send(r->courier, &r->call);
}

void
run_start(struct run *r)
{
    r->calls = 0;
    r->op.now_ms = clock_now_ms();
    r->op.stage = 0;
    r->op.state = NULL;
    run_step(r, NULL);
}

void
run_cancel(struct run *r)
{
    if (r->calling)
        courier_cancel(r->courier, &r->call);
    r->calling = false;
}
