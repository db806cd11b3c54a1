/* redact.c -- taking what a person unsent out of the events that showed it, piece by piece. */
#include "base/clock.h"
#include "work/task.h"

/* payload: the event below which to go on. A message that is not there was erased with its profile, or has become one
 * with another, which has a job of its own. */
static bool
redact_store(struct task *t, struct db *db, struct error *err)
{
    int64_t before = INT64_MAX, now_ms = clock_now_ms();
    bool found, more = false;

    arena_reset(&t->arena);
    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    if (!found)
        return true;
    (void)str_to_i64(t->job.payload, &before);
    if (!message_get(db, t->job.record_id, &t->arena, &t->message, &found, err)
        || (found && !event_redact_some(db, &t->message, &before, &more, err)))
        return false;
    if (!more)
        return job_finish(db, &t->job, now_ms, err);
    return job_retry(db, &t->job, now_ms, 0, arena_printf(&t->arena, "%lld", (long long)before), err);
}

void
redact_start(struct task *t)
{
    task_txn(t, DB_WRITE, redact_store, task_end);
}
