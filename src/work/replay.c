/* replay.c -- queueing past events again for one endpoint, piece by piece, so that a long past stops nobody. */
#include "base/clock.h"
#include "work/task.h"

/* payload: "AFTER,UNTIL", event ids */
static bool
replay_store(struct task *t, struct db *db, struct error *err)
{
    int64_t after = 0, until = 0, last, now_ms = clock_now_ms();
    struct str first, second;
    struct webhook w;
    bool found;

    arena_reset(&t->arena);
    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    if (!found)
        return true;
    if (!webhook_get(db, t->lane_id, &t->arena, &w, &found, err))
        return false;
    if (!found || !w.enabled || !str_cut(t->job.payload, ',', &first, &second) || !str_to_i64(first, &after)
        || !str_to_i64(second, &until))
        return job_finish(db, &t->job, now_ms, err);
    if (!webhook_replay_some(db, &w, after, until, now_ms, &last, err))
        return false;
    if (last == 0)
        return job_finish(db, &t->job, now_ms, err);
    return job_retry(db, &t->job, now_ms, 0, arena_printf(&t->arena, "%lld,%lld", (long long)last, (long long)until),
                     err);
}

void
replay_start(struct task *t)
{
    task_txn(t, DB_WRITE, replay_store, task_end);
}
