/* task_job.c -- what several kinds of job do in their transactions: try again, end, and wait for an account whose
 * credentials are no good at the moment, or any more. */
#include "base/clock.h"
#include "base/random.h"
#include "work/account.h"
#include "work/batch.h"
#include "work/task.h"

bool
task_load_job(struct task *t, struct db *db, struct error *err)
{
    bool found;

    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    t->early = found && t->job.due_at > clock_now_ms();
    t->gone = !found || t->early;
    return true;
}

bool
task_finish(struct task *t, struct db *db, struct error *err)
{
    return job_finish(db, &t->job, clock_now_ms(), err);
}

bool
task_forget_kept(struct task *t, struct db *db, struct error *err)
{
    struct job forget = { .kind = JOB_FORGET_MEDIA, .lane_id = t->lane_id, .record_id = t->job.record_id,
                          .due_at = clock_now_ms(), .payload = str_of(t->info.name) };

    return job_add(db, &forget, clock_now_ms(), err);
}

int64_t
task_backoff_ms(int attempts)
{
    size_t i = (size_t)(attempts < 1 ? 0 : attempts - 1);

    if (i >= config.retry_count)
        i = config.retry_count - 1;
    return random_jitter(config.retry_ms[i], 20);
}

bool
task_retry(struct task *t, struct db *db, int64_t retry_after_ms, bool counts, int limit, bool *again,
           struct error *err)
{
    int attempts = t->job.attempts + (counts ? 1 : 0);
    int64_t wait_ms = retry_after_ms > 0 ? retry_after_ms : task_backoff_ms(attempts);

    *again = limit == 0 || attempts <= limit;
    return !*again || job_retry(db, &t->job, clock_now_ms() + wait_ms, attempts, t->job.payload, err);
}

bool
task_load_account(struct task *t, struct db *db, bool also_deleted, struct error *err)
{
    bool found;

    if (also_deleted ? !profile_get_deleted(db, t->lane_id, &t->arena, &t->profile, &found, err)
                     : !batch_profile(t, db, &found, err))
        return false;
    t->gone = !found || (!also_deleted && t->profile.status != PROFILE_ACTIVE);
    if (t->gone)
        return true;
    t->platform = t->profile.platform;
    return !also_deleted || profile_account(db, &t->profile, &t->arena, &t->run.op.account, err);
}

bool
task_await_account(struct task *t, struct db *db, struct error *err)
{
    struct profile p;
    bool found;

    if (!profile_lock(db, t->lane_id, err) || !profile_get(db, t->lane_id, &t->arena, &p, &found, err))
        return false;
    if (!found)
        return job_finish(db, &t->job, clock_now_ms(), err);
    return job_retry(db, &t->job, p.status == PROFILE_EXPIRED ? JOB_HELD_UNTIL : clock_now_ms(), t->job.attempts,
                     t->job.payload, err);
}

bool
task_drop(struct task *t, struct db *db, struct error *err)
{
    return t->profile.status == PROFILE_EXPIRED ? task_await_account(t, db, err) : task_finish(t, db, err);
}

/* A queued message that was not tried yet waits as visibly as the one that was. */
static bool
hold_send(struct task *t, struct db *db, const struct job *job, struct str reason, struct error *err)
{
    struct send_result held = { .status = STATUS_WAITING, .error_message = reason };
    struct message m;
    bool found;

    if (!message_get(db, job->record_id, &t->arena, &m, &found, err))
        return false;
    if (!found || (m.status != STATUS_PENDING && m.id != t->message.id))
        return true;
    return message_settle(db, &m, &held, clock_now_ms(), &t->arena, err);
}

/* Whether the account was connected again, or its token refreshed, while this was under way: it was the old token that
 * was refused, and the job may go at once. */
static bool
token_is_old(struct task *t, struct db *db, bool *old, struct error *err)
{
    struct account now;
    struct profile p;
    bool found;

    *old = false;
    if (!profile_get(db, t->lane_id, &t->arena, &p, &found, err))
        return false;
    if (!found || p.status != PROFILE_ACTIVE)
        return true;
    if (!profile_account(db, &p, &t->arena, &now, err))
        return false;
    *old = !crypto_equal(now.token, t->run.op.account.token);
    account_wipe(&now);
    return true;
}

/* The others go on without it. */
static bool
needs_account(enum job_kind kind)
{
    return kind != JOB_FORGET_MEDIA && kind != JOB_REDACT;
}

bool
task_hold_lane(struct task *t, struct db *db, struct str reason, struct error *err)
{
    struct job job = { 0 };
    bool found, old;

    if (!profile_lock(db, t->lane_id, err) || !token_is_old(t, db, &old, err))
        return false;
    if (old) {
        t->message.status = STATUS_WAITING;
        return (t->job.kind != JOB_SEND || hold_send(t, db, &t->job, reason, err))
            && job_retry(db, &t->job, clock_now_ms(), t->job.attempts, t->job.payload, err);
    }
    if (!profile_expire(db, t->lane_id, reason, clock_now_ms(), err))
        return false;
    for (enum job_kind kind = JOB_SEND; kind < JOB_KINDS; kind++) {
        for (job.id = 0; needs_account(kind);) {
            if (!job_next_of_kind(db, t->lane_id, kind, job.id, &t->arena, &job, &found, err))
                return false;
            if (!found)
                break;
            if (kind == JOB_SEND && !hold_send(t, db, &job, reason, err))
                return false;
            if ((job.state == JOB_READY || job.id == t->job.id)
                && !job_retry(db, &job, JOB_HELD_UNTIL, job.attempts, job.payload, err))
                return false;
        }
    }
    t->message.status = STATUS_WAITING;
    return true;
}

/* The loop may hear of a renewal later than the table: the job for the next one is as old as the token. The one that
 * connecting made, though, tells of no renewal yet. */
static bool
token_is_fresh(struct task *t, struct db *db, int64_t now_ms, bool *fresh, struct error *err)
{
    struct profile p;
    struct job next;
    bool connected, found;

    if (!profile_get(db, t->lane_id, &t->arena, &p, &connected, err)
        || !job_next_of_kind(db, t->lane_id, JOB_REFRESH, 0, &t->arena, &next, &found, err))
        return false;
    *fresh = t->token_is_fresh
          || (found && next.attempts == 0 && next.due_at > now_ms && next.created_at > now_ms - TASK_FRESH_TOKEN_MS
              && (!connected || next.created_at > p.created_at));
    return true;
}

/* A token that is stale although it was refreshed just now is a failure like any other, so that nobody goes round in
 * circles for ever. */
static bool
task_await_refresh(struct task *t, struct db *db, bool *blamed, struct error *err)
{
    int64_t now_ms = clock_now_ms();
    bool old, fresh;

    if (!profile_lock(db, t->lane_id, err)
        || !token_is_old(t, db, &old, err)
        || !token_is_fresh(t, db, now_ms, &fresh, err))
        return false;
    *blamed = old || !fresh;
    t->awaits_refresh = *blamed && !old;
    return (!t->awaits_refresh || account_queue_refresh(db, t->lane_id, now_ms, err))
        && (!*blamed || job_retry(db, &t->job, now_ms, t->job.attempts, t->job.payload, err));
}

bool
task_blame_account(struct task *t, struct db *db, bool *blamed, struct error *err)
{
    const struct op_step *end = &t->run.end;

    t->awaits_refresh = false;
    *blamed = end->token_invalid;
    if (end->token_invalid)
        return task_hold_lane(t, db, end->reason, err);
    return end->verdict != OP_RETRY || !end->token_stale || task_await_refresh(t, db, blamed, err);
}

bool
task_try_again(struct task *t, struct db *db, int tries, bool *over, struct error *err)
{
    const struct op_step *end = &t->run.end;
    bool again = false, blamed;

    *over = false;
    if (!task_blame_account(t, db, &blamed, err))
        return false;
    if (blamed)
        return true;
    *over = end->verdict != OP_RETRY;
    if (*over)
        return true;
    if (!task_retry(t, db, end->retry_after_ms, end->retry_after_ms == 0, tries, &again, err))
        return false;
    *over = !again;
    return true;
}
