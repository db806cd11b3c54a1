/* worker_internal.h -- the worker's own state, shared by worker.c (the thread's life), seat.c
 * (lanes), task.c (steps of a job), ask.c, upkeep.c and vigil.c. */
#ifndef PARLEY_WORK_WORKER_INTERNAL_H
#define PARLEY_WORK_WORKER_INTERNAL_H

#include "work/task.h"
#include "work/tenure.h"

/* upkeep.c */
struct upkeep {
    struct worker *worker;
    uv_timer_t     timer;
    uv_timer_cb    tick;
    struct db_txn  prune, look, give;
    int            busy;
    bool           more, in_a_hurry;
    int64_t        pruned_mono_ms, tidied_mono_ms;
    uv_work_t      tidy;
    struct arena   arena;
    int64_t       *lanes;       /* with jobs that have been due for a while */
    size_t         lanes_count;
    struct lane_list    free;
    struct lease_census census;
    uint64_t            fingerprint; /* of the one before */
    int64_t       *gifts;       /* lanes that others are to have */
    size_t         gifts_count;
};

/* vigil.c */
struct vigil {
    uv_timer_t    timer;
    struct db_txn txn;
    bool          busy;
    struct arena  arena;
    struct str   *marks;
    size_t        count;
};

/* setback.c */
struct setback {
    uv_timer_t    timer;
    struct db_txn txn;
    bool          busy;
    int64_t       lead_ms; /* by how much the clock of the day is ahead of the one that nobody sets */
    int64_t       back_ms; /* by how much it was set back */
};

struct seat_lane;

struct worker {
    struct worker_options  options;
    uv_thread_t            thread;
    uv_loop_t              loop;
    struct mailbox         mailbox;
    struct courier        *courier;
    struct run_errors     *errors;
    struct worker_counters counters;
    struct map             lanes;   /* lane id -> struct seat_lane */
    struct tenure          tenure;
    int64_t                lanes_ours;
    int64_t                lanes_share; /* so many of all lanes we should have */
    struct task           *tasks;   /* under way */
    int64_t                tasks_count;
    uv_prepare_t           turn;        /* the loop is about to wait */
    struct seat_lane      *to_look;
    struct batch          *gathering, **gathering_end;
    _Atomic int64_t        lanes_shown, tasks_shown, calls_shown; /* what other threads may read of the above */

    /* wake-ups from other threads, each lane once however often it is woken */
    uv_mutex_t  woken_lock;
    struct map  woken, freed; /* there is something to do; nobody has it any more */
    bool        woken_all;    /* others have ended, or wake-ups may have been lost */
    bool        woken_posted;
    struct mail woken_mail;

    struct upkeep upkeep;
    struct vigil  vigil;
    struct setback setback;
    int            spool_lock; /* leftover.c's; -1 = none */
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

/* Whatever we had may be others' by now. */
void worker_doubt_all(struct worker *w);

/* worker.c, for whoever just gave back something that closing waits for. */
void worker_maybe_close(struct worker *w);

/* task.c, for batch.c: `t` did its part of a transaction, or not (`lost`: the lane is not ours any more). */
void task_txn_done(struct task *t, bool lost, const struct error *err);

/* task.c: stops the call or the wait it is in. False when it is in another thread's
 * hands, from where it comes back. */
bool task_interrupt(struct task *t);

#endif
