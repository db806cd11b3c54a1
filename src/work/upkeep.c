#include "work/upkeep.h"

#include "base/clock.h"
#include "store/idempotency.h"
#include "store/webhook.h"

#define EVERY_MS   15000
#define PRUNE_ROWS 500 /* so many at once, that no writer waits long for it */

static bool
upkeep_prune(struct db_txn *txn, struct db *db, struct error *err)
{
    struct upkeep *u = container_of(txn, struct upkeep, prune);
    int64_t now_ms = clock_now_ms(), events, deliveries, keys;

    if (!event_prune(db, now_ms - config.events_keep_ms, PRUNE_ROWS, &events, err)
        || !delivery_prune(db, now_ms - config.events_keep_ms, PRUNE_ROWS, &deliveries, err)
        || !idempotency_prune(db, now_ms, PRUNE_ROWS, &keys, err))
        return false;
    u->more = events >= PRUNE_ROWS || deliveries >= PRUNE_ROWS || keys >= PRUNE_ROWS;
    return true;
}

static void
upkeep_pruned(struct db_txn *txn)
{
    struct upkeep *u = container_of(txn, struct upkeep, prune);

    u->busy--;
    if (txn->err.status != 0)
        log_warn("forgetting what is old failed", LOG_CSTR("error", txn->err.message));
    else if (u->more && !u->worker->draining)
        uv_timer_start(&u->timer, u->tick, 100, EVERY_MS);
    if (u->worker->draining)
        worker_maybe_close(u->worker);
}

static bool
upkeep_look(struct db_txn *txn, struct db *db, struct error *err)
{
    struct upkeep *u = container_of(txn, struct upkeep, look);

    arena_reset(&u->arena);
    return job_lanes_due(db, clock_now_ms() - EVERY_MS, &u->arena, &u->lanes, &u->lanes_count, err);
}

/* Lanes that another process on this database gave work to, or whose wake-up was lost. */
static void
upkeep_looked(struct db_txn *txn)
{
    struct upkeep *u = container_of(txn, struct upkeep, look);

    u->busy--;
    if (txn->err.status == 0 && !u->worker->draining)
        for (size_t i = 0; i < u->lanes_count; i++)
            worker_wake(u->worker, u->lanes[i]);
    if (u->worker->draining)
        worker_maybe_close(u->worker);
}

static void
upkeep_tick(uv_timer_t *timer)
{
    struct upkeep *u = timer->data;
    struct worker *w = u->worker;

    if (u->busy > 0)
        return;
    u->busy = 2;
    u->prune = (struct db_txn){ .run = upkeep_prune, .done = upkeep_pruned, .reply_to = &w->mailbox };
    u->look = (struct db_txn){ .run = upkeep_look, .done = upkeep_looked, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &u->prune);
    db_submit(w->options.engine, DB_READ, &u->look);
}

void
upkeep_start(struct worker *w)
{
    struct upkeep *u = &w->upkeep;

    u->worker = w;
    u->tick = upkeep_tick;
    arena_init(&u->arena);
    uv_timer_init(&w->loop, &u->timer);
    u->timer.data = u;
    uv_timer_start(&u->timer, upkeep_tick, EVERY_MS, EVERY_MS);
}

void
upkeep_stop(struct worker *w)
{
    uv_close((uv_handle_t *)&w->upkeep.timer, NULL);
    arena_deinit(&w->upkeep.arena);
}

bool
upkeep_is_busy(const struct worker *w)
{
    return w->upkeep.busy > 0;
}
