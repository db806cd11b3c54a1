/* send.c -- a message on its way out: taken, its file fetched where the user gave a URL, sent, settled. */
#include "base/clock.h"
#include "base/id.h"
#include "work/task.h"

#define INTERRUPTED "interrupted" /* payload of a job whose request may have gone out */

static void send_go(struct task *t);

static struct attachment *
send_attachment(struct task *t)
{
    return t->message.attachment_count > 0 ? &t->message.attachments[0] : NULL;
}

/* What the adapter is to send. The attachment, if any, is ours by now. */
static bool
send_fill_op(struct task *t, struct error *err)
{
    struct op *op = &t->run.op;
    struct attachment *at = send_attachment(t);
    char ref[ID_TEXT_MAX];

    op->kind = OP_SEND;
    op->participant_id = t->message.chat_participant;
    op->conversation_id = t->message.chat_conversation;
    op->body = t->message.body;
    op->reply_to = t->message.reply_to_external_id;
    op->reply_markup = t->message.reply_markup;
    op->client_ref = arena_copy(&t->arena, str_of(id_format(ID_MESSAGE, t->message.id, ref)));
    if (!at)
        return true;
    op->has_file = true;
    op->file = (struct op_file){
        .file_name = at->file_name, .content_type = at->content_type, .size = at->size, .width = at->width,
        .height = at->height, .type = at->type, .is_voice = str_eq(at->content_type, STR("audio/ogg")),
    };
    return media_path(task_options(t)->media, at->media, &t->arena, &op->file.path, err);
}

/* From here on the request may go out, so the row says so before it does. */
static bool
send_mark(struct task *t, struct db *db, struct error *err)
{
    bool taken;

    if (!job_mark_in_flight(db, t->job.id, &taken, err))
        return false;
    t->gone = !taken;
    if (taken && str_eq(t->job.payload, STR(INTERRUPTED)))
        return message_mark_possible_duplicate(db, &t->message, &t->arena, err);
    return true;
}

static bool
send_load(struct task *t, struct db *db, struct error *err)
{
    struct attachment *at;
    bool found;

    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    t->gone = !found || t->job.state != JOB_READY;
    if (t->gone)
        return true;
    if (!message_get(db, t->job.record_id, &t->arena, &t->message, &found, err))
        return false;
    if (!found || t->message.status == STATUS_PUBLISHED || t->message.status == STATUS_FAILED) {
        t->gone = true;
        return job_finish(db, &t->job, clock_now_ms(), err);
    }
    if (!task_load_account(t, db, false, err))
        return false;
    if (t->gone) /* the account lost its token after this was queued */
        return job_retry(db, &t->job, TASK_HELD_UNTIL, t->job.attempts, t->job.payload, err);
    at = send_attachment(t);
    return (at && at->status == ATTACHMENT_PENDING) || send_mark(t, db, err);
}

/* ---- after the platform's verdict ---- */

static bool
send_settle(struct task *t, struct db *db, enum message_status status, struct str reason, struct error *err)
{
    struct op *op = &t->run.op;
    struct send_result result = {
        .status = status, .external_id = op->external_id, .conversation_id = op->out_conversation_id,
        .error_message = reason, .posted_at = op->posted_at,
    };

    return message_settle(db, &t->message, &result, clock_now_ms(), &t->arena, err);
}

static bool
send_fail(struct task *t, struct db *db, struct str reason, struct error *err)
{
    return send_settle(t, db, STATUS_FAILED, reason, err) && job_finish(db, &t->job, clock_now_ms(), err);
}

static bool
send_again(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    bool told_to_wait = end->retry_after_ms > 0, again;

    t->job.payload = end->maybe_done ? STR(INTERRUPTED) : str_eq(t->job.payload, STR(INTERRUPTED)) ? t->job.payload
                                                                                                   : STR_NONE;
    if (!task_retry(t, db, end->retry_after_ms, !told_to_wait, (int)config.retry_count, &again, err))
        return false;
    if (again)
        return send_settle(t, db, STATUS_WAITING, end->reason, err);
    return send_fail(t, db, end->reason, err);
}

static bool
send_store(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    struct message before = t->message;
    bool ok;

    t->flag = false;
    if (end->verdict == OP_DONE)
        ok = send_settle(t, db, STATUS_PUBLISHED, STR_NONE, err) && job_finish(db, &t->job, clock_now_ms(), err);
    else if (end->token_invalid)
        ok = task_hold_lane(t, db, end->reason, err);
    else if (end->verdict == OP_RETRY)
        ok = send_again(t, db, err);
    else
        ok = send_fail(t, db, end->reason, err);
    if (!ok)
        t->message = before; /* the transaction is rolled back and will run again */
    return ok;
}

static void
send_stored(struct task *t)
{
    struct worker_counters *count = task_counters(t);

    switch (t->message.status) {
    case STATUS_PUBLISHED:
        count->published++;
        break;
    case STATUS_FAILED:
        count->failed++;
        break;
    case STATUS_NONE:
    case STATUS_RECEIVED:
    case STATUS_PENDING:
    case STATUS_WAITING:
    case STATUSES:
        count->retried++;
        break;
    }
    task_end(t);
}

static void
send_answered(struct task *t)
{
    const struct op_step *end = &t->run.end;
    int64_t now_ms = clock_now_ms();

    if (end->verdict == OP_RETRY && end->retry_after_ms > 0)
        lane_slow_down(task_lane(t), t->job.queue_id, now_ms, now_ms + end->retry_after_ms, end->account_wide);
    task_txn_must(t, send_store, send_stored);
}

/* ---- a file the user gave as a URL ---- */

static bool
send_store_fetch_failure(struct task *t, struct db *db, struct error *err)
{
    struct str reason = arena_printf(&t->arena, "The media could not be fetched: %s", t->err.message);
    struct attachment *at = send_attachment(t);
    bool again = false;

    if (!t->err_is_final && !task_retry(t, db, t->err.retry_after_ms, true, (int)config.retry_count, &again, err))
        return false;
    if (again)
        return send_settle(t, db, STATUS_WAITING, reason, err);
    return attachment_failed(db, at, err) && send_fail(t, db, reason, err);
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

static void
send_media_kept(struct task *t)
{
    if (t->err.status != 0) { /* our own disk: the job stays as it is and is taken up again */
        t->err_is_final = false;
        task_txn_must(t, send_store_fetch_failure, send_stored);
        return;
    }
    task_txn_must(t, send_store_media, send_go);
}

static void
send_media_fetched(struct task *t)
{
    if (t->err.status != 0)
        task_txn_must(t, send_store_fetch_failure, send_stored);
    else
        task_keep(t, t->path, t->call.response.content_type, send_media_kept);
}

/* ---- the way out ---- */

static void
send_go(struct task *t)
{
    struct error err;

    if (t->gone) {
        task_end(t);
        return;
    }
    lane_mark(task_lane(t), t->seat);
    if (!send_fill_op(t, &err)) {
        t->run.end = (struct op_step){ .verdict = OP_FAIL, .reason = arena_copy(&t->arena, str_of(err.message)) };
        send_answered(t);
        return;
    }
    task_op(t, send_answered);
}

static void
send_loaded(struct task *t)
{
    struct attachment *at = send_attachment(t);

    if (t->gone)
        task_end(t);
    else if (at && at->status == ATTACHMENT_PENDING)
        task_fetch(t, at->source_url, config.download_max, send_media_fetched);
    else
        send_go(t);
}

void
send_start(struct task *t)
{
    task_txn(t, DB_WRITE, send_load, send_loaded);
}
