#include "work/vigil.h"

#include "base/process.h"

#define EVERY_MS 500 /* it takes a few calls of the kernel, and none of the database while all live */

static bool
vigil_run(struct db_txn *txn, struct db *db, struct error *err)
{
    (void)txn;
    return lease_bury(db, err);
}

/* What they had is told free by the transaction (TOPIC_LEASES), and the look that follows says who is left. */
static void
vigil_done(struct db_txn *txn)
{
    struct worker *w = container_of(txn, struct worker, vigil.txn);

    w->vigil.busy = false;
    if (txn->err.status == 0)
        w->vigil.count = 0;
    else
        log_warn("a dead process's lease could not be ended yet", LOG_CSTR("error", txn->err.message));
    worker_maybe_close(w);
}

static void
vigil_tick(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    struct vigil *vigil = &w->vigil;
    bool died = false;

    if (vigil->busy || w->draining)
        return;
    for (size_t i = 0; !died && i < vigil->count; i++)
        died = process_is_dead(vigil->marks[i]);
    if (!died)
        return;
    log_warn("another process on this machine has died; its work is taken over");
    vigil->busy = true;
    vigil->txn = (struct db_txn){ .run = vigil_run, .done = vigil_done, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &vigil->txn);
}

void
vigil_watch(struct worker *w, const struct lease_census *census)
{
    struct vigil *vigil = &w->vigil;

    arena_reset(&vigil->arena);
    vigil->count = census->near_count;
    vigil->marks = arena_array(&vigil->arena, struct str, census->near_count);
    for (size_t i = 0; i < vigil->count; i++)
        vigil->marks[i] = arena_copy(&vigil->arena, census->near[i]);
}

void
vigil_start(struct worker *w)
{
    struct vigil *vigil = &w->vigil;

    uv_timer_init(&w->loop, &vigil->timer);
    vigil->timer.data = w;
    if (!w->options.alone)
        uv_timer_start(&vigil->timer, vigil_tick, EVERY_MS, EVERY_MS);
}

void
vigil_stop(struct worker *w)
{
    uv_close((uv_handle_t *)&w->vigil.timer, NULL);
    arena_deinit(&w->vigil.arena);
}
