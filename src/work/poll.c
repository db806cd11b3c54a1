/* poll.c -- asking for updates where nobody can reach us. The position moves in the transaction that stores what came.
 *
 * Where the platform itself waits for something to happen, one poll follows the other. Where it answers at once, they
 * come quickly while something happens, for a minute longer, and then more and more slowly: the job's payload is how
 * many polls in a row brought nothing. */
#include "base/clock.h"
#include "base/random.h"
#include "inbound/inbound.h"
#include "work/task.h"

#define MORE_IN_VAIN    100  /* polls in a row that had more to come and brought nothing */
#define MORE_IN_VAIN_MS 1000 /* between those that follow */
#define TROUBLE_MAX_MS 30000 /* at most this long between tries, whatever the trouble */
#define ACTIVE_FOR_MS  60000
#define JITTER_PERCENT 10

struct poll_pace {
    int64_t quiet_ms, active_ms;
};

/* False where the platform itself waits. */
static bool
poll_pace_of(struct task *t, struct poll_pace *out)
{
    const struct platform *p = t->profile.platform;

    if (!p->poll_pace)
        return false;
    p->poll_pace(task_options(t)->env, &out->quiet_ms, &out->active_ms);
    if (out->active_ms == 0 || out->active_ms > out->quiet_ms)
        out->active_ms = out->quiet_ms;
    return true;
}

static int64_t
poll_empty_count(const struct job *job)
{
    int64_t n = 0;

    return str_to_i64(job->payload, &n) && n > 0 ? n : 0;
}

/* After `empty` polls that brought nothing. */
static int64_t
poll_wait_ms(const struct poll_pace *pace, int64_t empty)
{
    int64_t wait_ms = pace->active_ms, rest = empty - ACTIVE_FOR_MS / (pace->active_ms > 0 ? pace->active_ms : 1);

    for (; rest > 0 && wait_ms < pace->quiet_ms; rest--)
        wait_ms *= 2;
    return random_jitter(wait_ms < pace->quiet_ms ? wait_ms : pace->quiet_ms, JITTER_PERCENT);
}

/* While a poll is under way its row looks like one that is overdue: what it stores in the end heeds the payload. */
bool
poll_hurry(struct task *t, struct db *db, struct error *err)
{
    int64_t soon_ms, now_ms = clock_now_ms();
    struct poll_pace pace;
    struct job job;
    bool found;

    if (!poll_pace_of(t, &pace))
        return true;
    if (!job_next_of_kind(db, t->lane_id, JOB_POLL, 0, &t->arena, &job, &found, err))
        return false;
    if (!found || job.attempts > 0 || job.due_at == JOB_HELD_UNTIL) /* it waits for another reason */
        return true;
    soon_ms = now_ms + poll_wait_ms(&pace, 0);
    if (job.due_at <= soon_ms && job.payload.len == 0)
        return true;
    return job_retry(db, &job, job.due_at < soon_ms ? job.due_at : soon_ms, 0, STR_NONE, err);
}

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

/* When it is to come again, after one that brought `stored` things. */
static bool
poll_again(struct task *t, struct db *db, int64_t stored, bool more, int64_t now_ms, struct error *err)
{
    int64_t empty = stored > 0 ? 0 : poll_empty_count(&t->job) + 1, wait_ms;
    struct poll_pace pace;

    if (!poll_pace_of(t, &pace))
        return job_retry(db, &t->job, now_ms, 0, STR_NONE, err);
    if (more) /* a server that always has more, and never anything new, is not asked without end */
        wait_ms = empty > MORE_IN_VAIN ? MORE_IN_VAIN_MS : 0;
    else
        wait_ms = poll_wait_ms(&pace, empty);
    return job_retry(db, &t->job, now_ms + wait_ms, 0,
                     empty == 0 ? STR_NONE : arena_printf(&t->arena, "%lld", (long long)empty), err);
}

/* What should have come before is news: there may be more of it, and the platform knows where to look. */
static bool
poll_heed_news(struct task *t, struct db *db, const struct inbound_batch *batch, int64_t stored, bool *more,
               struct error *err)
{
    if (stored == 0 || batch->cursor_if_news.len == 0)
        return true;
    log_warn("the platform had not told of a message; reading on from where all was known",
             LOG_CSTR("platform", t->platform->name), LOG_STR("account", t->profile.username));
    *more = true;
    return profile_set_cursor(db, t->profile.id, batch->cursor_if_news, err);
}

static bool
poll_store(struct task *t, struct db *db, struct error *err)
{
    struct inbound_batch batch = { 0 };
    struct ingest_counts counts;
    int64_t now_ms = clock_now_ms();
    bool found, more;

    /* a long poll is long enough for its profile to be deleted, and even erased */
    if (!profile_get(db, t->profile.id, &t->arena, &t->profile, &found, err))
        return false;
    if (!found)
        return job_finish(db, &t->job, now_ms, err);
    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    if (!found)
        return true;
    t->platform->parse_poll(&t->arena, &t->run.op.account, t->run.op.poll_body, &batch);
    more = batch.more && batch.cursor.len > 0 && !str_eq(batch.cursor, t->profile.poll_cursor); /* it gets on */
    if (!ingest(db, &t->profile, &batch, t->run.op.poll_body, now_ms, &t->arena, &counts, err)
        || !poll_heed_news(t, db, &batch, counts.stored, &more, err))
        return false;
    if (t->profile.status_detail.len > 0 && !profile_note(db, t->profile.id, STR_NONE, err))
        return false;
    return poll_again(t, db, counts.stored, more, now_ms, err);
}

static bool
poll_store_failure(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    int64_t wait_ms = end->retry_after_ms > 0 ? end->retry_after_ms : task_backoff_ms(t->job.attempts + 1);
    struct poll_pace pace = { .quiet_ms = TROUBLE_MAX_MS };
    bool blamed;

    if (!task_blame_account(t, db, &blamed, err))
        return false;
    if (blamed)
        return true;
    if (t->run.op.check_lost && !str_eq(t->profile.status_detail, t->run.op.check_detail)
        && !profile_note(db, t->profile.id, t->run.op.check_detail, err))
        return false;
    (void)poll_pace_of(t, &pace);
    if (end->retry_after_ms == 0 && wait_ms > pace.quiet_ms)
        wait_ms = pace.quiet_ms;
    return job_retry(db, &t->job, clock_now_ms() + wait_ms, t->job.attempts + 1, t->job.payload, err);
}

static void
poll_answered(struct task *t)
{
    if (t->run.end.verdict == OP_DONE) {
        task_counters(t)->polls++;
        task_txn_must(t, poll_store, task_end);
        return;
    }
    if (t->run.end.token_stale) { /* as it is every few hours */
        task_txn_must(t, poll_store_failure, task_end);
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
        task_txn_must(t, task_drop, task_end);
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
