/* hint.c -- fetching a message that the platform only hinted at: a delivery of something that never came itself. */
#include "base/clock.h"
#include "inbound/inbound.h"
#include "work/task.h"

#define HINT_TRIES 5

/* It may well have come meanwhile. */
static bool
hint_load(struct task *t, struct db *db, struct error *err)
{
    bool known;

    if (!task_load_job(t, db, err))
        return false;
    if (t->gone)
        return true;
    if (!task_load_account(t, db, false, err))
        return false;
    if (t->gone)
        return true;
    if (!message_is_known(db, &t->profile, t->job.payload, &known, err))
        return false;
    t->gone = known;
    return true;
}

static bool
hint_store(struct task *t, struct db *db, struct error *err)
{
    struct inbound_batch batch = { 0 };
    struct ingest_counts counts;
    bool found;

    if (!profile_get(db, t->profile.id, &t->arena, &t->profile, &found, err))
        return false;
    if (!found)
        return task_finish(t, db, err);
    t->platform->parse_poll(&t->arena, &t->run.op.account, t->run.op.poll_body, &batch);
    return ingest(db, &t->profile, &batch, t->run.op.poll_body, clock_now_ms(), &t->arena, &counts, err)
        && task_finish(t, db, err);
}

static bool
hint_store_failure(struct task *t, struct db *db, struct error *err)
{
    bool over;

    if (!task_try_again(t, db, HINT_TRIES, &over, err))
        return false;
    return !over || task_finish(t, db, err);
}

static void
hint_answered(struct task *t)
{
    const struct op_step *end = &t->run.end;

    if (end->verdict == OP_DONE) {
        task_txn_must(t, hint_store, task_end);
        return;
    }
    if (end->verdict == OP_FAIL)
        log_info("a message is not to be had", LOG_CSTR("platform", t->platform->name),
                 LOG_STR("account", t->profile.username), LOG_STR("reason", end->reason));
    task_txn_must(t, hint_store_failure, task_end);
}

static void
hint_loaded(struct task *t)
{
    if (t->gone) {
        task_txn_must(t, task_drop, task_end);
        return;
    }
    t->run.op.kind = OP_MESSAGE;
    t->run.op.message_id = t->job.payload;
    task_op(t, hint_answered);
}

void
hint_start(struct task *t)
{
    task_txn(t, DB_READ, hint_load, hint_loaded);
}
