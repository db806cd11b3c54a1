/* mirror.c -- bringing a participant's file into our store, before the platform's link to it dies. When it has died
 * already (hours without a bucket, or without us), the operation itself asks for another where the platform can be
 * asked; that is one attempt, however it ends. */
#include "base/clock.h"
#include "work/task.h"

#define MIRROR_TRIES 8

/* By what the platform can be asked for the file anew. */
static bool
mirror_load_place(struct task *t, struct db *db, struct error *err)
{
    struct attachment_place place;

    if (!attachment_find_place(db, &t->attachment, &t->arena, &place, err))
        return false;
    t->run.op.message_id = place.message_external_id;
    t->run.op.media_index = place.index;
    t->run.op.media_count = place.count;
    return true;
}

static bool
mirror_load(struct task *t, struct db *db, struct error *err)
{
    bool found;

    if (!task_load_job(t, db, err))
        return false;
    if (t->gone)
        return true;
    if (!attachment_get(db, t->job.record_id, &t->arena, &t->attachment, &found, err))
        return false;
    if (!found || t->attachment.status != ATTACHMENT_PENDING) {
        t->gone = true;
        return true;
    }
    return mirror_load_place(t, db, err) && task_load_account(t, db, false, err);
}

static bool
mirror_store(struct task *t, struct db *db, struct error *err)
{
    struct attachment now;
    bool found;

    /* the message may have been unsent while its file was on the way */
    if (!attachment_get(db, t->attachment.id, &t->arena, &now, &found, err)
        || !(found ? attachment_processed(db, &t->attachment, &t->info, err)
                   : task_forget_kept(t, db, err)))
        return false;
    return job_finish(db, &t->job, clock_now_ms(), err);
}

/* It is not to be had: the attachment is failed, and the message says why, unless it was unsent meanwhile. */
static bool
mirror_give_up(struct task *t, struct db *db, struct str reason, struct error *err)
{
    struct attachment now;
    bool found;

    return attachment_get(db, t->attachment.id, &t->arena, &now, &found, err)
        && (!found
            || (attachment_failed(db, &now, err)
                && message_get(db, now.message_id, &t->arena, &t->message, &found, err)
                && message_note_media_error(db, &t->message, reason, &t->arena, err)))
        && job_finish(db, &t->job, clock_now_ms(), err);
}

static bool
mirror_store_failure(struct task *t, struct db *db, struct error *err)
{
    bool over;

    if (!task_try_again(t, db, MIRROR_TRIES, &over, err))
        return false;
    return !over || mirror_give_up(t, db, t->run.end.reason, err);
}

static void
mirror_failed(struct task *t)
{
    task_counters(t)->mirror_failed++;
    task_end(t);
}

static void
mirror_stored(struct task *t)
{
    task_counters(t)->mirrored++;
    task_end(t);
}

static void
mirror_kept(struct task *t)
{
    if (t->err.status == 0) {
        task_txn_must(t, mirror_store, mirror_stored);
        return;
    }
    log_warn("media not stored", LOG_CSTR("error", t->err.message));
    t->run.end = (struct op_step){ .verdict = OP_RETRY, .reason = arena_copy(&t->arena, str_of(t->err.message)) };
    task_txn_must(t, mirror_store_failure, mirror_failed);
}

static void
mirror_fetched(struct task *t)
{
    if (t->run.end.verdict == OP_DONE)
        task_keep(t, t->run.op.save_path, t->attachment.content_type, mirror_kept);
    else
        task_txn_must(t, mirror_store_failure, mirror_failed);
}

static void
mirror_loaded(struct task *t)
{
    struct op *op = &t->run.op;

    if (t->gone) {
        task_txn_must(t, task_drop, task_end);
        return;
    }
    op->kind = OP_MEDIA;
    op->media_ref = t->attachment.ref;
    op->media_type = t->attachment.type;
    op->save_path = media_spool_path(task_options(t)->media, &t->arena);
    op->media_max = config.download_max;
    task_op(t, mirror_fetched);
}

void
mirror_start(struct task *t)
{
    task_txn(t, DB_READ, mirror_load, mirror_loaded);
}
