/* poll.c -- asking for updates where nobody can reach us. The position moves in the transaction
 * that stores what came. */
#include "base/clock.h"
#include "inbound/inbound.h"
#include "work/task.h"

#define POLL_GAP_MS     0
#define POLL_TROUBLE_MS 30000 /* at most this long between tries, whatever the trouble */

static bool
poll_load(struct task *t, struct db *db, struct error *err)
{
    if (!task_load_job(t, db, err))
        return false;
    if (t->gone)
        return true;
    if (!task_load_account(t, db, false, err))
        return false;
    if (!t->gone && t->profile.hook_url.len > 0) /* its updates are pushed by now */
        t->gone = true;
    return true;
}

static bool
poll_drop(struct task *t, struct db *db, struct error *err)
{
    if (t->profile.id != 0 && t->profile.status == PROFILE_EXPIRED)
        return task_await_account(t, db, err);
    return task_finish(t, db, err);
}

static bool
poll_store(struct task *t, struct db *db, struct error *err)
{
    struct inbound_batch batch = { 0 };
    struct ingest_counts counts;
    int64_t now_ms = clock_now_ms();
    bool found;

    /* a long poll is long enough for its profile to be deleted, and even erased */
    if (!profile_get(db, t->profile.id, &t->arena, &t->profile, &found, err))
        return false;
    if (!found)
        return job_finish(db, &t->job, now_ms, err);
    t->platform->parse_poll(&t->arena, &t->run.op.account, t->run.op.poll_body, &batch);
    if (!ingest(db, &t->profile, &batch, t->run.op.poll_body, now_ms, &t->arena, &counts, err))
        return false;
    if (t->profile.status_detail.len > 0 && !profile_note(db, t->profile.id, STR_NONE, err))
        return false;
    return job_retry(db, &t->job, now_ms + POLL_GAP_MS, 0, STR_NONE, err);
}

static bool
poll_store_failure(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    int64_t wait_ms = end->retry_after_ms > 0 ? end->retry_after_ms : task_backoff_ms(t->job.attempts + 1);

    if (end->token_invalid)
        return task_hold_lane(t, db, end->reason, err);
    if (t->run.op.check_lost && !str_eq(t->profile.status_detail, t->run.op.check_detail)
        && !profile_note(db, t->profile.id, t->run.op.check_detail, err))
        return false;
    if (end->retry_after_ms == 0 && wait_ms > POLL_TROUBLE_MS)
        wait_ms = POLL_TROUBLE_MS;
    return job_retry(db, &t->job, clock_now_ms() + wait_ms, t->job.attempts + 1, STR_NONE, err);
}

static void
poll_answered(struct task *t)
{
    if (t->run.end.verdict == OP_DONE) {
        task_counters(t)->polls++;
        task_txn_must(t, poll_store, task_end);
        return;
    }
    task_counters(t)->poll_errors++;
    log_warn("poll failed", LOG_CSTR("platform", t->platform->name), LOG_STR("account", t->profile.username),
             LOG_STR("reason", t->run.end.reason));
    task_txn_must(t, poll_store_failure, task_end);
}

static void
poll_loaded(struct task *t)
{
    if (t->gone) {
        task_txn_must(t, poll_drop, task_end);
        return;
    }
    t->run.op.kind = OP_POLL;
    task_op(t, poll_answered);
}

void
poll_start(struct task *t)
{
    task_txn(t, DB_READ, poll_load, poll_loaded);
}
