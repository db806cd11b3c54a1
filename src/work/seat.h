/* seat.h -- a lane in its place on the worker's loop.
 *
 * lane.h decides which job may start; here is what it takes to know the jobs: looks at the table when something changed
 * (a wake-up, a job that ended, a time that came) and a place is free, and tasks for those that start.
 *
 * The first look takes the lane for this process, in the same transaction. When another has it, nothing is to be done
 * here until that one lets go of it, or ends. When it is ours, jobs that are in flight were left so by whoever had it
 * before: they may have gone out, so they are ready again and say so. */
#ifndef PARLEY_WORK_SEAT_H
#define PARLEY_WORK_SEAT_H

#include "work/batch.h"
#include "work/worker_internal.h"

enum seat_claim { SEAT_FREE, SEAT_OURS, SEAT_OTHERS, SEAT_LEAVING };

struct seat_lane {
    struct lane    lane;
    enum seat_claim claim;      /* whose it is, as far as we know */
    bool           taking, taken; /* what the look is to do, and has done */
    int64_t        process_id;  /* we have it as, or try to, */
    struct term   *term;        /* in this term */
    struct worker *worker;
    uv_timer_t     timer;
    const struct platform *platform;    /* NULL until the first look, and for a webhook endpoint */
    int            concurrency;         /* of an endpoint */
    int64_t        changed_at, heeded_at; /* when the endpoint was changed last, and which change is heeded already */
    bool           fetching, dirty, full, pumping;
    bool           looks_soon;
    struct seat_lane *next_to_look;
    int64_t        refreshed_at;        /* its token, by this process */
    bool           was_held;            /* when the look began, only the refresh of its token could start */
    struct job     refresh;             /* what such a look found of it; id 0 = no refresh is under way */
    struct batches batches[BATCH_SORTS];
    struct db_txn  txn;         /* the look for due jobs */
    struct map     ended;       /* jobs whose tasks ended meanwhile: the look may have seen them as they were before */
    struct arena   arena;
    struct job    *due;
    size_t         due_count;
    int            due_limit, added;
    int64_t        next_due_at, timer_at;
};

struct seat_lane *seat_of(struct worker *w, int64_t lane_id); /* made when it is missing */
void seat_close(struct seat_lane *seat);                      /* frees it once its timer is closed */

/* Somebody took it, or let go of it, or there may be something to do for other reasons. */
void seat_claim(struct seat_lane *seat, enum seat_claim claim);
void seat_wake(struct seat_lane *seat);
void seat_forgive(struct seat_lane *seat); /* it may not be others' any more */

/* Nothing of it is under way but polls, and nothing is known that is to be done now. */
bool seat_is_idle(const struct seat_lane *seat);
void seat_forget(struct seat_lane *seat); /* an idle one: frees it */

/* Starts what may start; when there may be more, it is looked for in this turn of the loop. */
void seat_pump(struct seat_lane *seat);
void seats_look(struct worker *w); /* once in a turn, before the loop waits */
void seat_look_after_trouble(struct seat_lane *seat); /* in a moment */

/* ---- seat_task.c ---- */

/* Starts the job that `place` is for. */
void seat_task_begin(struct seat_lane *seat, struct lane_job *place);

/* Takes `t`, which found that somebody else has the lane. */
void seat_overtaken(struct task *t);    /* its job is not due any more */
void seat_lost(struct task *t);

/* Takes `t`. `failed`: its job is looked at again in a moment. */
void seat_task_ended(struct task *t, bool failed);

#endif
