/* account.c -- the tie between a profile and its platform: subscribing, looking after it, cutting it, and forgetting
 * what a deleted profile held. */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/random.h"
#include "work/account.h"
#include "work/task.h"

#define SUBSCRIBE_TRIES   0 /* for ever: without it nothing comes in */
#define UNSUBSCRIBE_TRIES 5
#define CHECK_EVERY_MS    ((int64_t)3600 * 1000)

struct str
account_hook_url(const struct platform *p, struct str public_url, int64_t profile_id, struct arena *a)
{
    char id[ID_TEXT_MAX];

    if (!(p->can & CAN_PUSH) || public_url.len == 0)
        return STR_NONE;
    if (p->app)
        return arena_printf(a, "%.*s/webhooks/%s", STR_ARG(public_url), p->app->name);
    return arena_printf(a, "%.*s/webhooks/%s/%s", STR_ARG(public_url), p->name, id_format(ID_PROFILE, profile_id, id));
}

struct str
account_new_secret(struct arena *a)
{
    unsigned char bytes[32];
    struct buf text;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, 128);
    hex_encode(&text, (struct str){ (const char *)bytes, sizeof(bytes) });
    return arena_take(a, &text);
}

/* Adds the job; a check that waits for its hour comes now, for whoever starts the server wants to know how things
 * are. */
static bool
account_add_job(struct db *db, struct job *job, int64_t now_ms, struct arena *a, struct error *err)
{
    struct job waiting;
    bool found = false;

    if (job->kind == JOB_CHECK && !job_next_of_kind(db, job->lane_id, JOB_CHECK, 0, a, &waiting, &found, err))
        return false;
    return found ? job_retry(db, &waiting, now_ms, 0, STR_NONE, err) : job_add_once(db, job, now_ms, err);
}

static enum job_kind
account_wants(const struct profile *p, struct str hook_url)
{
    if (hook_url.len == 0 && !(p->platform->can & CAN_POLL))
        return JOB_NONE;
    if (!str_eq(hook_url, p->hook_url))
        return JOB_SUBSCRIBE;
    return hook_url.len > 0 ? JOB_CHECK : JOB_POLL;
}

bool
account_tend(struct db *db, const struct profile *p, struct str public_url, int64_t now_ms, struct error *err)
{
    struct job job = { .lane_id = p->id, .record_id = p->id, .due_at = now_ms };
    struct arena a;
    struct str hook_url;
    bool ok;

    if (p->status != PROFILE_ACTIVE)
        return true;
    arena_init(&a);
    hook_url = account_hook_url(p->platform, public_url, p->id, &a);
    job.kind = account_wants(p, hook_url);
    ok = job.kind == JOB_NONE || account_add_job(db, &job, now_ms, &a, err);
    arena_deinit(&a);
    return ok;
}

/* ---- what all of them begin with ---- */

static bool
account_load(struct task *t, struct db *db, struct error *err)
{
    if (!task_load_job(t, db, err))
        return false;
    if (t->gone || !task_load_account(t, db, t->job.kind == JOB_UNSUBSCRIBE, err))
        return t->gone;
    t->run.op.hook_url = account_hook_url(t->profile.platform, task_options(t)->env->public_url, t->profile.id,
                                          &t->arena);
    return true;
}

/* Erasing waits for the end of unsubscribing. */
static bool
account_drop(struct task *t, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();

    return job_finish(db, &t->job, now_ms, err)
        && (t->job.kind != JOB_UNSUBSCRIBE || job_hurry_lane(db, t->lane_id, now_ms, err));
}

/* ---- subscribing again, because the public URL changed ---- */

static bool
subscribe_store(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    struct op *op = &t->run.op;
    bool again, blamed;

    if (!task_blame_account(t, db, &blamed, err))
        return false;
    if (blamed)
        return true;
    if (end->verdict != OP_DONE)
        return profile_note(db, t->profile.id, end->reason, err)
            && task_retry(t, db, end->retry_after_ms, true, SUBSCRIBE_TRIES, &again, err);
    t->profile.hook_url = op->hook_url;
    return profile_subscribed(db, t->profile.id, op->hook_url, op->account.webhook_secret, err)
        && job_finish(db, &t->job, clock_now_ms(), err)
        && account_tend(db, &t->profile, task_options(t)->env->public_url, clock_now_ms(), err);
}

static void
subscribe_answered(struct task *t)
{
    task_txn_must(t, subscribe_store, task_end);
}

static void
subscribe_loaded(struct task *t)
{
    if (t->gone) {
        task_txn_must(t, account_drop, task_end);
        return;
    }
    t->run.op.kind = OP_SUBSCRIBE;
    if (t->run.op.hook_url.len > 0 && !t->platform->app) /* an app has its own */
        t->run.op.account.webhook_secret = account_new_secret(&t->arena);
    task_op(t, subscribe_answered);
}

void
subscribe_start(struct task *t)
{
    task_txn(t, DB_READ, account_load, subscribe_loaded);
}

/* ---- looking after it ---- */

static bool
check_store(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    struct str detail = t->run.op.check_detail;
    bool blamed;

    if (!task_blame_account(t, db, &blamed, err))
        return false;
    if (blamed)
        return true;
    if (end->verdict == OP_DONE && !str_eq(detail, t->profile.status_detail)
        && !profile_note(db, t->profile.id, detail, err))
        return false;
    return job_retry(db, &t->job, clock_now_ms() + random_jitter(CHECK_EVERY_MS, 20), 0, STR_NONE, err);
}

static void
check_answered(struct task *t)
{
    if (t->run.end.verdict == OP_DONE && t->run.op.check_lost)
        log_warn("another program has this account's updates", LOG_CSTR("platform", t->platform->name),
                 LOG_STR("account", t->profile.username), LOG_STR("detail", t->run.op.check_detail));
    task_txn_must(t, check_store, task_end);
}

static void
check_loaded(struct task *t)
{
    if (t->gone) {
        task_txn_must(t, account_drop, task_end);
        return;
    }
    t->run.op.kind = OP_CHECK;
    task_op(t, check_answered);
}

void
check_start(struct task *t)
{
    task_txn(t, DB_READ, account_load, check_loaded);
}

/* ---- cutting it; best effort, since the profile is gone for us already ---- */

/* To an app an account is subscribed once, whoever connected it: in another workspace, or here again by now. */
static bool
unsubscribe_load(struct task *t, struct db *db, struct error *err)
{
    struct profile *others;
    size_t n;

    if (!account_load(t, db, err))
        return false;
    if (t->gone || !t->profile.platform->app)
        return true;
    if (!profile_list_of_account(db, t->profile.platform->name, t->profile.external_id, &t->arena, &others, &n, err))
        return false;
    t->gone = n > 0;
    return true;
}

/* What is pushed needs an address; a session of one that is only polled is to be ended all the same. */
static bool
unsubscribe_has_nothing_to_cut(const struct task *t)
{
    return t->gone || t->run.op.account.token.len == 0
        || ((t->profile.platform->can & CAN_PUSH) && t->profile.hook_url.len == 0);
}

static bool
unsubscribe_store(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    bool again = false;

    if (end->verdict == OP_RETRY && !task_retry(t, db, end->retry_after_ms, true, UNSUBSCRIBE_TRIES, &again, err))
        return false;
    return again || account_drop(t, db, err);
}

static void
unsubscribe_answered(struct task *t)
{
    task_txn_must(t, unsubscribe_store, task_end);
}

static void
unsubscribe_loaded(struct task *t)
{
    if (unsubscribe_has_nothing_to_cut(t)) {
        task_txn_must(t, account_drop, task_end);
        return;
    }
    t->run.op.kind = OP_UNSUBSCRIBE;
    t->run.op.hook_url = t->profile.hook_url;
    task_op(t, unsubscribe_answered);
}

void
unsubscribe_start(struct task *t)
{
    task_txn(t, DB_READ, unsubscribe_load, unsubscribe_loaded);
}

/* ---- forgetting ---- */

/* Removed by jobs that the same transaction queues: a crash between the two would leave files that nothing names. */
static bool
erase_media(struct task *t, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();

    for (size_t i = 0; i < t->media_count; i++) {
        struct job job = { .kind = JOB_FORGET_MEDIA, .lane_id = t->lane_id, .record_id = t->lane_id, .due_at = now_ms,
                           .payload = t->media_names[i] };

        if (!job_add(db, &job, now_ms, err))
            return false;
    }
    return true;
}

static bool
erase_store(struct task *t, struct db *db, struct error *err)
{
    struct job other;
    bool waits;

    arena_reset(&t->arena);
    /* the token is needed until the platform's side is cut */
    if (!job_next_of_kind(db, t->lane_id, JOB_UNSUBSCRIBE, 0, &t->arena, &other, &waits, err))
        return false;
    if (waits)
        return job_retry(db, &t->job, clock_now_ms() + 5000, 0, STR_NONE, err);
    return profile_erase_some(db, t->lane_id, &t->arena, &t->media_names, &t->media_count, &t->more, err)
        && erase_media(t, db, err)
        && (t->more || job_finish(db, &t->job, clock_now_ms(), err));
}

static void
erase_stored(struct task *t)
{
    if (t->more && !task_is_draining(t))
        erase_start(t);
    else
        task_end(t);
}

void
erase_start(struct task *t)
{
    t->media_count = 0;
    t->more = false;
    task_txn(t, DB_WRITE, erase_store, erase_stored);
}
