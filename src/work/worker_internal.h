/* worker_internal.h -- the worker's own state, shared by worker.c (thread, lanes) and task.c (steps of a job). */
#ifndef PARLEY_WORK_WORKER_INTERNAL_H
#define PARLEY_WORK_WORKER_INTERNAL_H

#include "work/task.h"

struct seat_lane; /* a lane with its timer */

/* upkeep.c */
struct upkeep {
    struct worker *worker;
    uv_timer_t     timer;
    uv_timer_cb    tick;
    struct db_txn  prune, look;
    int            busy;
    bool           more;
    struct arena   arena;
    int64_t       *lanes;
    size_t         lanes_count;
};

struct worker {
    struct worker_options  options;
    uv_thread_t            thread;
    uv_loop_t              loop;
    struct mailbox         mailbox;
    struct courier        *courier;
    struct run_errors     *errors;
    struct worker_counters counters;
    struct map             lanes;   /* lane id -> struct seat_lane */
    struct task           *tasks;   /* under way */
    int64_t                tasks_count;
    _Atomic int64_t        lanes_shown, tasks_shown, calls_shown; /* what other threads may read of the above */

    /* wake-ups from other threads, each lane once however often it is woken */
    uv_mutex_t  woken_lock;
    struct map  woken;
    bool        woken_posted;
    struct mail woken_mail;

    struct upkeep upkeep;
    struct mail stop_mail;
    bool        draining; /* nothing new is begun */
    bool        closing;  /* nothing goes on either */
    bool        closed;
    uv_timer_t  drain_timer;
    int64_t     drain_ms;

    struct arena  start_arena; /* what an earlier process left */
    int64_t      *start_lanes;
    size_t        start_lanes_count;
};

struct seat_lane {
    struct lane    lane;
    struct worker *worker;
    uv_timer_t     timer;
    const struct platform *platform;    /* NULL until the first look, and for a webhook endpoint */
    int            concurrency;         /* of an endpoint */
    int64_t        changed_at, heeded_at; /* when the endpoint was changed last, and which change is heeded already */
    bool           fetching, dirty, full, pumping;
    struct db_txn  txn;         /* the look for due jobs */
    struct arena   arena;
    struct job    *due;
    size_t         due_count;
    int            due_limit, added;
    int64_t        next_due_at, timer_at;
};

/* worker.c, for task.c: takes `t`. `failed`: its job is looked at again in a moment. */
void worker_task_ended(struct task *t, bool failed);

/* worker.c, for whoever just gave back something that closing waits for. */
void worker_maybe_close(struct worker *w);

/* task.c, for worker.c: stops the call or the wait it is in. False when it is in another thread's
 * hands, from where it comes back. */
bool task_interrupt(struct task *t);

#endif
