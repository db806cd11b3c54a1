/* forget.c -- removing a media object that nothing shows any more. */
#include "base/clock.h"
#include "work/task.h"

#define FORGET_TRIES 8

static void
forget_remove(struct task *t)
{
    t->err = (struct error){ 0 };
    if (media_remove(task_options(t)->media, t->job.payload, &t->err) || t->err.status == 404)
        t->err = (struct error){ 0 };
}

static bool
forget_store(struct task *t, struct db *db, struct error *err)
{
    bool again = false;

    if (t->err.status != 0 && !task_retry(t, db, 0, true, FORGET_TRIES, &again, err))
        return false;
    return again || task_finish(t, db, err);
}

static void
forget_removed(struct task *t)
{
    if (t->err.status != 0)
        log_warn("media not removed", LOG_CSTR("error", t->err.message));
    task_txn_must(t, forget_store, task_end);
}

static void
forget_loaded(struct task *t)
{
    if (t->gone)
        task_end(t);
    else
        task_disk(t, forget_remove, forget_removed);
}

void
forget_start(struct task *t)
{
    task_txn(t, DB_READ, task_load_job, forget_loaded);
}
