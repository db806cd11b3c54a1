#include "work/tenure.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "work/seat.h"

#define LEASE_MS_DEFAULT 15000
#define RENEWALS         3 /* a lease, so that one may fail */
#define MARGIN_PART      5 /* of a lease in which nothing begins: clocks differ, and a request takes a moment */
#define TROUBLE_AGAIN_MS 1000
#define FOR_EVER         (INT64_MAX / 2)

int64_t
tenure_ms(void)
{
    return config.lease_ms > 0 ? config.lease_ms : LEASE_MS_DEFAULT;
}

bool
tenure_lasts(const struct worker *w)
{
    return clock_mono_ms() < w->tenure.term->until_mono_ms;
}

bool
tenure_may_take(const struct worker *w)
{
    return tenure_lasts(w) && clock_mono_ms() >= w->tenure.restless_mono_ms;
}

/* What began in the term before and has not left yet does not leave any more. */
static void
begin_term(struct tenure *tenure)
{
    struct term *term = calloc(1, sizeof(*term));

    if (!term)
        out_of_memory();
    if (tenure->term)
        tenure->term->until_mono_ms = 0;
    term->before = tenure->term;
    tenure->term = term;
}

static void
extend_term(struct worker *w, int64_t asked_mono_ms)
{
    w->tenure.term->until_mono_ms = w->options.alone ? FOR_EVER
                                                     : asked_mono_ms + tenure_ms() - tenure_ms() / MARGIN_PART;
}

/* ---- renewing ---- */

static void renew(uv_timer_t *timer);

static bool
renew_run(struct db_txn *txn, struct db *db, struct error *err)
{
    struct tenure *tenure = container_of(txn, struct tenure, txn);
    int64_t now_ms = clock_now_ms(), until_ms = now_ms + tenure_ms();

    return lease_renew(db, tenure->process_id, now_ms, until_ms, &tenure->found, err)
        && (tenure->found != LEASE_GONE
            || lease_begin(db, false, until_ms, &tenure->found_id, &tenure->found_node, err));
}

static void
lapse(struct worker *w)
{
    struct tenure *tenure = &w->tenure;

    log_warn("this process's lease had run out; others may have taken over some of its work",
             LOG_CSTR("it", tenure->found == LEASE_GONE ? "begins anew" : "is renewed"));
    if (tenure->found == LEASE_GONE) {
        tenure->process_id = tenure->found_id;
        id_use_node(tenure->found_node);
    }
    begin_term(tenure);
    tenure->restless_mono_ms = clock_mono_ms() + tenure_ms() / RENEWALS;
}

static void
renew_done(struct db_txn *txn)
{
    struct worker *w = container_of(txn, struct worker, tenure.txn);
    struct tenure *tenure = &w->tenure;
    int64_t every_ms = tenure_ms() / RENEWALS;

    tenure->busy = false;
    if (txn->err.status != 0) {
        log_warn("the lease could not be renewed yet", LOG_CSTR("error", txn->err.message));
        every_ms = every_ms < TROUBLE_AGAIN_MS ? every_ms : TROUBLE_AGAIN_MS;
    } else {
        bool lapsed = tenure->found != LEASE_HELD;

        if (lapsed)
            lapse(w);
        extend_term(w, tenure->asked_mono_ms);
        if (lapsed)
            worker_doubt_all(w);
    }
    if (!tenure->is_over)
        uv_timer_start(&tenure->timer, renew, (uint64_t)every_ms, 0);
    worker_maybe_close(w); /* last, because what was found here is of no use to who ends the lease */
}

static void
renew(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    struct tenure *tenure = &w->tenure;

    tenure->busy = true;
    tenure->asked_mono_ms = clock_mono_ms();
    tenure->txn = (struct db_txn){ .run = renew_run, .done = renew_done, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &tenure->txn);
}

/* ---- its beginning and its end ---- */

bool
tenure_begin(struct worker *w, struct db *db, int64_t now_ms, struct error *err)
{
    return (w->options.alone || lease_bury(db, err))
        && lease_begin(db, w->options.alone, w->options.alone ? FOR_EVER : now_ms + tenure_ms(), &w->tenure.found_id,
                       &w->tenure.found_node, err);
}

void
tenure_start(struct worker *w, int64_t asked_mono_ms)
{
    struct tenure *tenure = &w->tenure;

    tenure->process_id = tenure->found_id;
    id_use_node(tenure->found_node);
    begin_term(tenure);
    extend_term(w, asked_mono_ms);
    uv_timer_init(&w->loop, &tenure->timer);
    tenure->timer.data = w;
    if (!w->options.alone)
        uv_timer_start(&tenure->timer, renew, (uint64_t)(tenure_ms() / RENEWALS), 0);
}

static bool
end_run(struct db_txn *txn, struct db *db, struct error *err)
{
    return lease_end(db, container_of(txn, struct tenure, txn)->process_id, err);
}

static void
end_done(struct db_txn *txn)
{
    struct worker *w = container_of(txn, struct worker, tenure.txn);

    if (txn->err.status != 0)
        log_warn("the lease could not be given up; others wait until it runs out",
                 LOG_CSTR("error", txn->err.message));
    w->tenure.busy = false;
    worker_maybe_close(w);
}

void
tenure_end(struct worker *w)
{
    struct tenure *tenure = &w->tenure;

    tenure->is_over = tenure->busy = true;
    uv_close((uv_handle_t *)&tenure->timer, NULL);
    tenure->txn = (struct db_txn){ .run = end_run, .done = end_done, .reply_to = &w->mailbox };
    db_submit(w->options.engine, DB_WRITE, &tenure->txn);
}

void
tenure_free(struct worker *w)
{
    for (struct term *t = w->tenure.term, *before; t; t = before) {
        before = t->before;
        free(t);
    }
}
