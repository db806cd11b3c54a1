/* send_file.c -- a file that the user gave as a URL: fetched, kept and judged before the message goes out; and one that
 * is in a bucket, of which a copy is brought here first. */
#include "work/send.h"

static bool
send_store_fetch_failure(struct task *t, struct db *db, struct error *err)
{
    struct str reason = arena_printf(&t->arena, "The media could not be fetched: %s", t->err.message);

    if (t->err_is_final ? !send_fail(t, db, reason, err)
                        : !send_later(t, db, t->err.retry_after_ms, true, reason, err))
        return false;
    if (t->kept && !task_forget_kept(t, db, err)) /* it will be fetched again */
        return false;
    return t->message.status != STATUS_FAILED || attachment_failed(db, send_attachment(t), err);
}

/* Limits could not be checked before; now the bytes are there. */
static bool
send_file_fits(struct task *t, struct error *err)
{
    const struct platform *p = t->message.platform;
    const struct op_file file = {
        .path = t->path, .content_type = str_of(t->info.content_type), .size = t->info.size, .width = t->info.width,
        .height = t->info.height, .file_name = send_attachment(t)->file_name, .type = send_attachment(t)->type,
    };

    return !p->check_file || p->check_file(&file, err);
}

static bool
send_store_media(struct task *t, struct db *db, struct error *err)
{
    struct error unfit;

    t->gone = false; /* this may be a second try */
    if (!attachment_processed(db, send_attachment(t), &t->info, err))
        return false;
    if (!send_file_fits(t, &unfit)) {
        t->gone = true;
        return send_fail(t, db, arena_copy(&t->arena, str_of(unfit.message)), err);
    }
    return send_mark(t, db, err);
}

/* ---- from a bucket ---- */

bool
send_lacks_file(struct task *t)
{
    const struct message *m = &t->message;

    return media_is_remote(task_options(t)->media) && m->attachment_count > 0
        && m->attachments[0].status != ATTACHMENT_PENDING && str_is_none(t->run.op.file.path);
}

static void
send_bring(struct task *t)
{
    struct error err = { 0 };

    media_path(task_options(t)->media, send_attachment(t)->media, &t->arena, &t->run.op.file.path, &err);
    t->err = err;
}

static void
send_brought(struct task *t)
{
    t->err_is_final = t->err.status == 404;
    if (t->err.status != 0)
        task_txn_must(t, send_store_fetch_failure, send_stored);
    else
        send_with_file(t);
}

void
send_bring_file(struct task *t)
{
    task_disk(t, send_bring, send_brought);
}

/* ---- from a URL ---- */

static void
send_kept_brought(struct task *t)
{
    t->err_is_final = false;
    task_txn_must(t, t->err.status != 0 ? send_store_fetch_failure : send_store_media,
                  t->err.status != 0 ? send_stored : send_go);
}

/* What was just kept has a name, but not yet in the database. */
static void
send_bring_kept(struct task *t)
{
    struct error err = { 0 };

    media_path(task_options(t)->media, str_of(t->info.name), &t->arena, &t->run.op.file.path, &err);
    t->err = err;
}

static void
send_media_kept(struct task *t)
{
    if (t->err.status == 0 && media_is_remote(task_options(t)->media))
        task_disk(t, send_bring_kept, send_kept_brought);
    else /* where our own disk failed, it is tried again like a download that failed */
        send_kept_brought(t);
}

static void
send_media_fetched(struct task *t)
{
    if (t->err.status != 0)
        task_txn_must(t, send_store_fetch_failure, send_stored);
    else
        task_keep(t, t->path, t->call.response.content_type, send_media_kept);
}

void
send_fetch_file(struct task *t)
{
    task_fetch(t, send_attachment(t)->source_url, config.download_max, send_media_fetched);
}
