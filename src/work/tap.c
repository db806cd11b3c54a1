/* tap.c -- acknowledging a button press, so that the button stops spinning. It is worth nothing once it is late. */
#include "base/clock.h"
#include "work/task.h"

#define TAP_TRIES 3

static bool
tap_load(struct task *t, struct db *db, struct error *err)
{
    if (!task_load_job(t, db, err))
        return false;
    return t->gone || task_load_account(t, db, false, err);
}

static bool
tap_store(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    bool again = false, blamed = false;

    if (!t->gone && !task_blame_account(t, db, &blamed, err))
        return false;
    if (blamed)
        return true;
    if (!t->gone && end->verdict == OP_RETRY && !task_retry(t, db, end->retry_after_ms, true, TAP_TRIES, &again, err))
        return false;
    return again || job_finish(db, &t->job, clock_now_ms(), err);
}

static void
tap_answered(struct task *t)
{
    task_txn_must(t, tap_store, task_end);
}

static void
tap_loaded(struct task *t)
{
    if (t->gone) {
        tap_answered(t);
        return;
    }
    t->run.op.kind = OP_ANSWER_TAP;
    t->run.op.tap_id = t->job.payload;
    task_op(t, tap_answered);
}

void
tap_start(struct task *t)
{
    task_txn(t, DB_READ, tap_load, tap_loaded);
}
