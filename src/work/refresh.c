/* refresh.c -- a new token before, or when, the old one stops working. There is one job of this kind in a lane, so
 * never two at once; and the new token is on disk before anybody uses it. */
#include "base/clock.h"
#include "work/account.h"
#include "work/task.h"

#define WAIT_MAX_MS        (INT64_C(300) * 1000)
#define FAILURES_WITH_NOTE 3 /* from so many on, the profile says so */

bool
account_queue_refresh(struct db *db, int64_t profile_id, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_REFRESH, .lane_id = profile_id, .record_id = profile_id, .due_at = now_ms }, waiting;
    struct arena a;
    bool found, ok;

    arena_init(&a);
    ok = job_next_of_kind(db, profile_id, JOB_REFRESH, 0, &a, &waiting, &found, err);
    if (ok && !found)
        ok = job_add(db, &job, now_ms, err);
    else if (ok && waiting.attempts == 0 && waiting.due_at > now_ms) /* one that failed has its own pace */
        ok = job_retry(db, &waiting, now_ms, 0, waiting.payload, err);
    arena_deinit(&a);
    return ok;
}

static bool
refresh_load(struct task *t, struct db *db, struct error *err)
{
    return task_load_job(t, db, err) && (t->gone || task_load_account(t, db, false, err));
}

/* A reconnect during the call has given the job another time, for the new credentials, or ended it. One that comes now
 * waits until this is over. */
static bool
refresh_is_put_off(struct task *t, struct db *db, bool *put_off, struct error *err)
{
    struct job now;
    bool found;

    if (!profile_lock(db, t->profile.id, err) || !job_get(db, t->job.id, &t->arena, &now, &found, err))
        return false;
    *put_off = !found || now.due_at > clock_now_ms();
    return true;
}

static bool
refresh_store(struct task *t, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();
    bool put_off;

    return refresh_is_put_off(t, db, &put_off, err)
        && (put_off || job_finish(db, &t->job, now_ms, err))
        && profile_refreshed(db, t->profile.id, t->used_token, &t->run.op.account, now_ms, err)
        && (t->job.attempts < FAILURES_WITH_NOTE || profile_note(db, t->profile.id, STR_NONE, err));
}

static void
refresh_stored(struct task *t)
{
    task_token_refreshed(t);
    lane_only(task_lane(t), 0);
    task_end(t);
}

/* Unlike a send it is tried for ever: until it succeeds the account is of no use. */
static bool
refresh_store_failure(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    int attempts = t->job.attempts + 1;
    int64_t wait_ms = end->retry_after_ms > 0 ? end->retry_after_ms : task_backoff_ms(attempts);
    bool put_off;

    if (!refresh_is_put_off(t, db, &put_off, err))
        return false;
    if (put_off)
        return true;
    if (end->retry_after_ms == 0 && wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    return (attempts < FAILURES_WITH_NOTE
            || profile_note(db, t->profile.id,
                            arena_printf(&t->arena, "Its access token could not be renewed yet: %.*s",
                                         STR_ARG(end->reason)), err))
        && job_retry(db, &t->job, clock_now_ms() + wait_ms, attempts, STR_NONE, err);
}

static bool
refresh_store_end(struct task *t, struct db *db, struct error *err)
{
    return task_hold_lane(t, db, t->run.end.reason, err);
}

static void
refresh_given_up(struct task *t)
{
    lane_only(task_lane(t), 0);
    task_end(t);
}

static void
refresh_answered(struct task *t)
{
    const struct op_step *end = &t->run.end;

    if (end->verdict == OP_DONE) {
        task_txn_must(t, refresh_store, refresh_stored);
        return;
    }
    log_warn("an access token was not renewed", LOG_CSTR("platform", t->platform->name),
             LOG_STR("account", t->profile.username), LOG_STR("reason", end->reason));
    t->run.op.account.token = t->used_token; /* what is compared with the token of a reconnect */
    if (end->token_invalid)
        task_txn_must(t, refresh_store_end, refresh_given_up);
    else
        task_txn_must(t, refresh_store_failure, task_end);
}

static void
refresh_loaded(struct task *t)
{
    if (t->gone) {
        task_txn_must(t, task_drop, refresh_given_up);
        return;
    }
    t->used_token = arena_copy(&t->arena, t->run.op.account.token);
    t->run.op.kind = OP_REFRESH;
    task_op(t, refresh_answered);
}

void
refresh_start(struct task *t)
{
    task_txn(t, DB_READ, refresh_load, refresh_loaded);
}
