#include "work/setback.h"

#include "base/clock.h"
#include "work/seat.h"

#define EVERY_MS 1000
#define STEP_MS  2000 /* what is less is the clock being steered, or a busy machine */

static int64_t
lead_ms(void)
{
    return clock_now_ms() - clock_mono_ms();
}

static bool
setback_run(struct db_txn *txn, struct db *db, struct error *err)
{
    struct setback *s = container_of(txn, struct setback, txn);
    const struct worker *w = container_of(s, struct worker, setback);

    return job_hurry_by(db, w->tenure.process_id, s->back_ms, clock_now_ms(), err);
}

/* Each looks at its jobs again; its timer runs until a time that is an hour too far. */
static void
set_lanes_back(struct worker *w, int64_t by_ms)
{
    size_t at = 0;
    int64_t id;
    void *value;

    while (map_next(&w->lanes, &at, &id, &value)) {
        struct seat_lane *seat = value;

        lane_set_back(&seat->lane, by_ms);
        seat->refreshed_at -= by_ms;
        seat->timer_at = 0;
        seat_wake(seat);
    }
}

static void
setback_done(struct db_txn *txn)
{
    struct setback *s = container_of(txn, struct setback, txn);
    struct worker *w = container_of(s, struct worker, setback);

    s->busy = false;
    if (txn->err.status != 0) { /* the next tick finds it again */
        log_warn("the clock was set back, and what waits could not be moved yet",
                 LOG_CSTR("error", txn->err.message));
    } else {
        log_warn("the clock was set back; what waits was moved with it", LOG_INT("ms", s->back_ms));
        s->lead_ms -= s->back_ms;
        set_lanes_back(w, s->back_ms);
    }
    worker_maybe_close(w);
}

static void
setback_tick(uv_timer_t *timer)
{
    struct setback *s = container_of(timer, struct setback, timer);
    struct worker *w = container_of(s, struct worker, setback);
    int64_t lead = lead_ms();

    if (s->busy || w->draining)
        return;
    if (lead > s->lead_ms - STEP_MS) {
        if (lead > s->lead_ms + STEP_MS)
            log_warn("the clock was set forward, or this machine slept; what waits may be due early",
                     LOG_INT("ms", lead - s->lead_ms));
        s->lead_ms = lead;
        return;
    }
    s->busy = true;
    s->back_ms = s->lead_ms - lead;
    s->txn = (struct db_txn){ .run = setback_run, .done = setback_done, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &s->txn);
}

void
setback_start(struct worker *w)
{
    w->setback.lead_ms = lead_ms();
    uv_timer_init(&w->loop, &w->setback.timer);
    uv_timer_start(&w->setback.timer, setback_tick, EVERY_MS, EVERY_MS);
}

void
setback_stop(struct worker *w)
{
    uv_close((uv_handle_t *)&w->setback.timer, NULL);
}

bool
setback_is_busy(const struct worker *w)
{
    return w->setback.busy;
}
