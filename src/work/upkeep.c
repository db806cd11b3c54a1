#include "work/upkeep.h"

#include <malloc.h>

#include "base/clock.h"
#include "base/random.h"
#include "store/idempotency.h"
#include "store/webhook.h"
#include "work/seat.h"
#include "work/vigil.h"

#define EVERY_MS       15000 /* alone; else several times in a lease */
#define ROUNDS         5     /* of upkeep in a lease */
#define PRUNE_EVERY_MS 15000
#define TIDY_EVERY_MS  60000
#define PRUNE_ROWS     500 /* so many at once, that no writer waits long for it */
#define GIFTS_MAX      1000
#define PATIENCE       3   /* rounds that a lane waits for somebody who has less than their share */

static int64_t
upkeep_every_ms(const struct worker *w)
{
    int64_t every_ms = tenure_ms() / ROUNDS;

    return w->options.alone || every_ms > EVERY_MS ? EVERY_MS : every_ms;
}

/* ---- what is old ---- */

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
upkeep_again(struct upkeep *u, int64_t in_ms)
{
    if (!u->worker->draining)
        uv_timer_start(&u->timer, u->tick, (uint64_t)in_ms, (uint64_t)upkeep_every_ms(u->worker));
}

static void
upkeep_pruned(struct db_txn *txn)
{
    struct upkeep *u = container_of(txn, struct upkeep, prune);

    u->busy--;
    if (txn->err.status != 0) {
        log_warn("forgetting what is old failed", LOG_CSTR("error", txn->err.message));
    } else if (u->more) {
        u->pruned_mono_ms = 0;
        upkeep_again(u, 100);
    }
    worker_maybe_close(u->worker);
}

/* ---- memory ---- */

/* What a busy minute needed is not needed for ever: each thread's heap keeps what was freed in it, and each connection
 * the pages it read. */
static void
upkeep_tidy(uv_work_t *work)
{
    struct upkeep *u = container_of(work, struct upkeep, tidy);

    db_tidy(u->worker->options.engine);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void
upkeep_tidied(uv_work_t *work, int status)
{
    struct upkeep *u = container_of(work, struct upkeep, tidy);

    (void)status; /* nobody cancels it */
    u->busy--;
    worker_maybe_close(u->worker);
}

static void
upkeep_begin_tidying(struct upkeep *u, int64_t mono_ms)
{
    if (mono_ms - u->tidied_mono_ms < TIDY_EVERY_MS)
        return;
    u->tidied_mono_ms = mono_ms;
    u->busy++;
    if (uv_queue_work(&u->worker->loop, &u->tidy, upkeep_tidy, upkeep_tidied) != 0)
        out_of_memory();
}

/* ---- whose lanes are whose ---- */

/* Who has their share takes what nobody else took for a while. */
static int64_t
upkeep_due_before(const struct worker *w, int64_t now_ms)
{
    return w->lanes_ours < w->lanes_share || w->upkeep.census.processes <= 1
             ? now_ms
             : now_ms - PATIENCE * upkeep_every_ms(w);
}

static bool
upkeep_look(struct db_txn *txn, struct db *db, struct error *err)
{
    struct upkeep *u = container_of(txn, struct upkeep, look);
    const struct worker *w = u->worker;
    int64_t now_ms = clock_now_ms();

    arena_reset(&u->arena);
    if (!job_lanes_due(db, now_ms - upkeep_every_ms(w), &u->arena, &u->lanes, &u->lanes_count, err))
        return false;
    return w->options.alone
        || (lease_sweep(db, now_ms - 2 * tenure_ms(), err)
            && lease_count(db, now_ms, &u->arena, &u->census, err)
            && (u->census.fingerprint == u->fingerprint || idempotency_abandon(db, now_ms, err))
            && lane_list_free(db, now_ms, upkeep_due_before(w, now_ms), &u->arena, &u->free, err));
}

/* As many as make up our share, but what has waited for too long in any case; from somewhere in the middle, because
 * others look at the same list. */
static void
upkeep_take(struct upkeep *u)
{
    struct worker *w = u->worker;
    size_t n = u->free.count, from = n > 0 ? (size_t)random_below((int64_t)n) : 0;
    int64_t room = w->lanes_share - w->lanes_ours;

    for (size_t i = 0; i < n; i++) {
        size_t at = (from + i) % n;
        struct seat_lane *seat = seat_of(w, u->free.ids[at]);

        if ((seat->claim != SEAT_OTHERS && seat->claim != SEAT_FREE) || (at < u->free.orphans && room <= 0))
            continue;
        room--;
        seat_claim(seat, SEAT_FREE);
        seat_wake(seat);
    }
}

/* ---- more than our share ---- */

static bool
upkeep_give(struct db_txn *txn, struct db *db, struct error *err)
{
    struct upkeep *u = container_of(txn, struct upkeep, give);

    for (size_t i = 0; i < u->gifts_count; i++)
        if (!lane_let_go(db, u->gifts[i], u->worker->tenure.process_id, err))
            return false;
    return true;
}

static void
upkeep_gave(struct db_txn *txn)
{
    struct upkeep *u = container_of(txn, struct upkeep, give);
    struct worker *w = u->worker;

    u->busy--;
    for (size_t i = 0; i < u->gifts_count; i++) {
        struct seat_lane *seat = map_get(&w->lanes, u->gifts[i]);

        if (txn->err.status == 0 && !seat->dirty && lane_under_way(&seat->lane) == 0) {
            seat_forget(seat);
        } else {
            /* seldom reached: something must begin in the lane while the database is letting go of it */
            seat_claim(seat, SEAT_FREE);
            seat_wake(seat);
        }
    }
    worker_maybe_close(w);
}

/* Polls that wait for something to happen need not be ours: the next one asks again from the same place. */
static struct map
upkeep_polls(struct worker *w)
{
    struct map polls = { 0 };

    for (struct task *t = w->tasks; t; t = t->next)
        if (t->job.kind == JOB_POLL && t->at == TASK_CALLING && t->seat->uncounted)
            map_put(&polls, t->lane_id, t);
    return polls;
}

static void
upkeep_choose(struct upkeep *u, size_t max)
{
    struct worker *w = u->worker;
    struct map polls = upkeep_polls(w);
    size_t at = 0;
    int64_t id;
    void *value;

    u->gifts = arena_array(&u->arena, int64_t, max);
    while (u->gifts_count < max && map_next(&w->lanes, &at, &id, &value)) {
        struct seat_lane *seat = value;
        struct task *poll = map_get(&polls, id);

        if (seat->claim != SEAT_OURS || !seat_is_idle(seat) || lane_under_way(&seat->lane) != (poll != NULL))
            continue;
        seat_claim(seat, SEAT_LEAVING);
        u->gifts[u->gifts_count++] = id;
        if (poll && task_interrupt(poll))
            seat_task_ended(poll, false);
        seat->dirty = false;
    }
    map_deinit(&polls);
}

static void
upkeep_share(struct upkeep *u)
{
    struct worker *w = u->worker;
    int64_t excess;

    w->lanes_share = (u->census.lanes + u->census.processes - 1) / (u->census.processes > 0 ? u->census.processes : 1);
    excess = w->lanes_ours - w->lanes_share;
    u->gifts_count = 0;
    if (excess <= 0 || u->census.processes <= 1 || !tenure_lasts(w))
        return;
    upkeep_choose(u, excess < GIFTS_MAX ? (size_t)excess : GIFTS_MAX);
    if (u->gifts_count == 0)
        return;
    u->busy++;
    u->give = (struct db_txn){ .run = upkeep_give, .done = upkeep_gave, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &u->give);
}

/* ---- a round ---- */

/* Somebody has ended: what they had is not theirs any more. */
static void
upkeep_forgive(struct worker *w)
{
    size_t at = 0;
    int64_t id;
    void *value;

    while (map_next(&w->lanes, &at, &id, &value))
        seat_forgive(value);
}

static void
upkeep_heed(struct upkeep *u)
{
    struct worker *w = u->worker;

    if (!w->options.alone) /* first: a lane that was just woken does not look idle, and who polls has what is due */
        upkeep_share(u);
    for (size_t i = 0; i < u->lanes_count; i++) { /* its wake-up was lost */
        struct seat_lane *seat = map_get(&w->lanes, u->lanes[i]);

        if (w->options.alone || (seat && seat->claim == SEAT_OURS))
            seat_wake(seat_of(w, u->lanes[i]));
    }
    if (w->options.alone)
        return;
    if (u->census.fingerprint != u->fingerprint)
        upkeep_forgive(w);
    u->fingerprint = u->census.fingerprint;
    vigil_watch(w, &u->census);
    upkeep_take(u);
}

static void
upkeep_looked(struct db_txn *txn)
{
    struct upkeep *u = container_of(txn, struct upkeep, look);

    u->busy--;
    if (txn->err.status == 0 && !u->worker->draining)
        upkeep_heed(u);
    if (u->in_a_hurry)
        upkeep_hurry(u->worker);
    worker_maybe_close(u->worker);
}

static void
upkeep_tick(uv_timer_t *timer)
{
    struct upkeep *u = timer->data;
    struct worker *w = u->worker;
    int64_t mono_ms = clock_mono_ms();

    if (u->busy > 0 || w->draining)
        return;
    u->in_a_hurry = false;
    upkeep_begin_tidying(u, mono_ms);
    u->busy++;
    u->look = (struct db_txn){ .run = upkeep_look, .done = upkeep_looked, .reply_to = &w->mailbox };
    db_submit(w->options.engine, w->options.alone ? DB_READ : DB_WRITE, &u->look);
    if (u->pruned_mono_ms != 0 && mono_ms - u->pruned_mono_ms < PRUNE_EVERY_MS)
        return;
    u->pruned_mono_ms = mono_ms;
    u->busy++;
    u->prune = (struct db_txn){ .run = upkeep_prune, .done = upkeep_pruned, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &u->prune);
}

void
upkeep_hurry(struct worker *w)
{
    w->upkeep.in_a_hurry = true;
    if (w->upkeep.busy == 0)
        upkeep_again(&w->upkeep, 0);
}

void
upkeep_start(struct worker *w)
{
    struct upkeep *u = &w->upkeep;

    u->worker = w;
    u->tick = upkeep_tick;
    u->pruned_mono_ms = u->tidied_mono_ms = clock_mono_ms();
    arena_init(&u->arena);
    uv_timer_init(&w->loop, &u->timer);
    u->timer.data = u;
    uv_timer_start(&u->timer, upkeep_tick, (uint64_t)upkeep_every_ms(w), (uint64_t)upkeep_every_ms(w));
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
