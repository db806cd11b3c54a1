/* sweep.c -- dropping what was queued for an endpoint that was disabled or deleted, piece by piece. */
#include "base/clock.h"
#include "work/task.h"

static bool
sweep_store(struct task *t, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();
    bool found, more;

    arena_reset(&t->arena);
    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    if (!found)
        return true;
    if (!webhook_sweep_some(db, t->lane_id, now_ms, &more, err))
        return false;
    return more ? job_retry(db, &t->job, now_ms, 0, STR_NONE, err) : job_finish(db, &t->job, now_ms, err);
}

void
sweep_start(struct task *t)
{
    task_txn(t, DB_WRITE, sweep_store, task_end);
}
