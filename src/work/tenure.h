/* tenure.h -- the process's lease (store/lease.h), begun with the worker and renewed until it ends.
 *
 * Where there can be no other process it lasts for ever and costs nothing. Elsewhere the worker may only do what others
 * would do twice while `term` lasts. A term ends when the lease ran out before it was renewed: because the database was
 * away, or this process was stopped. Then lanes may have been taken by others, so all are taken anew before their next
 * job starts; what is under way ends as it does, and is written down only where the lane is still ours. */
#ifndef PARLEY_WORK_TENURE_H
#define PARLEY_WORK_TENURE_H

#include <stdatomic.h>
#include <uv.h>

#include "store/lease.h"

struct worker;

struct term {
    int64_t      until_mono_ms; /* nothing must leave later; moves on while the term lasts */
    struct term *before;        /* what is under way may still look at it */
};

struct tenure {
    uv_timer_t       timer;
    struct db_txn    txn;
    bool             busy, is_over;
    _Atomic int64_t  process_id;
    struct term     *term;
    int64_t          restless_mono_ms; /* until then nothing is taken from others: they may be about to renew as well */
    int64_t          asked_mono_ms;    /* when what is under way was asked for */
    enum lease_state found;
    int64_t          found_id;
    int              found_node;
};

/* In the transaction the worker begins with, and once that is committed. */
bool tenure_begin(struct worker *w, struct db *db, int64_t now_ms, struct error *err);
void tenure_start(struct worker *w, int64_t asked_mono_ms);

/* Hands everything over to others; worker_maybe_close() is called when they know. */
void tenure_end(struct worker *w);
void tenure_free(struct worker *w);

bool    tenure_lasts(const struct worker *w);     /* work may be begun */
bool    tenure_may_take(const struct worker *w);  /* lanes may be taken */
int64_t tenure_ms(void);                          /* of a lease */

#endif
