/* send.c -- a message on its way out: taken, its file fetched where the user gave a URL, sent, settled. */
#include "work/send.h"

#include "base/clock.h"
#include "base/id.h"

#define RESERVED "reserved" /* payload of a private reply that has its place among them */

static bool
send_is_interrupted(const struct task *t)
{
    return str_eq(t->job.payload, STR(JOB_INTERRUPTED));
}

/* Whether the platform can be asked if it has the message. */
static bool
send_can_find(const struct task *t)
{
    return send_is_interrupted(t) && (t->message.platform->can & CAN_FIND_SENT) != 0;
}

struct attachment *
send_attachment(struct task *t)
{
    return t->message.attachment_count > 0 ? &t->message.attachments[0] : NULL;
}

static bool
send_fill_file(struct task *t, const struct attachment *at, struct error *err)
{
    struct str public_url = task_options(t)->env->public_url;
    struct op *op = &t->run.op;
    struct str path = op->file.path; /* send_bring_file() may have found it */

    op->has_file = true;
    op->file = (struct op_file){
        .file_name = at->file_name, .content_type = at->content_type, .size = at->size, .width = at->width,
        .height = at->height, .type = at->type, .is_voice = str_eq(at->content_type, STR("audio/ogg")),
    };
    if (public_url.len > 0)
        op->file.url = arena_printf(&t->arena, "%.*s/storage/%.*s", STR_ARG(public_url), STR_ARG(at->media));
    op->file.path = path;
    return !str_is_none(path) || media_path(task_options(t)->media, at->media, &t->arena, &op->file.path, err);
}

/* What the adapter is to send, or to look for. The attachment, if any, is ours by now. */
bool
send_fill_op(struct task *t, enum op_kind kind, struct error *err)
{
    struct op *op = &t->run.op;
    struct attachment *at = send_attachment(t);
    char ref[ID_TEXT_MAX];

    op->kind = kind;
    op->participant_id = t->message.chat_participant;
    op->conversation_id = t->message.chat_conversation;
    op->comment_id = t->message.external_comment_id;
    op->body = t->message.body;
    op->reply_to = t->message.reply_to_external_id;
    op->reply_markup = t->message.reply_markup;
    op->client_ref = arena_copy(&t->arena, str_of(id_format(ID_MESSAGE, t->message.id, ref)));
    op->since_ms = t->message.created_at;
    return !at || send_fill_file(t, at, err);
}

/* ---- what must happen before ---- */

enum send_next { NEXT_FETCH, NEXT_FIND, NEXT_RESERVE, NEXT_GO };

static enum send_next
send_next(struct task *t)
{
    const struct attachment *at = send_attachment(t);

    if (at && at->status == ATTACHMENT_PENDING)
        return NEXT_FETCH;
    if (send_can_find(t))
        return NEXT_FIND;
    if (t->message.external_comment_id.len > 0 && t->job.payload.len == 0)
        return NEXT_RESERVE;
    return NEXT_GO;
}

bool
send_mark(struct task *t, struct db *db, struct error *err)
{
    bool taken;

    if (!job_mark_in_flight(db, t->job.id, &taken, err))
        return false;
    t->gone = !taken;
    return !taken || !send_is_interrupted(t) || message_mark_possible_duplicate(db, &t->message, &t->arena, err);
}

static bool
send_load(struct task *t, struct db *db, struct error *err)
{
    if (!task_load_job(t, db, err))
        return false;
    t->gone = t->gone || t->job.state != JOB_READY;
    if (t->gone)
        return true;
    if (!send_is_settled(t, db, &t->gone, err))
        return false;
    if (t->gone)
        return true;
    if (!task_load_account(t, db, false, err))
        return false;
    if (t->gone) /* the account lost its token after this was queued */
        return task_await_account(t, db, err);
    return send_next(t) != NEXT_GO || send_lacks_file(t) || send_mark(t, db, err);
}

/* t->due_at is the place of this private reply. */
static bool
send_store_place(struct task *t, struct db *db, struct error *err)
{
    t->gone = t->due_at > clock_now_ms();
    return t->gone ? job_retry(db, &t->job, t->due_at, t->job.attempts, STR(RESERVED), err) : send_mark(t, db, err);
}

static void
send_loaded(struct task *t)
{
    if (t->gone) {
        task_end(t);
        return;
    }
    if (send_lacks_file(t)) {
        send_bring_file(t);
        return;
    }
    switch (send_next(t)) {
    case NEXT_FETCH:
        send_fetch_file(t);
        return;
    case NEXT_FIND:
        send_find(t);
        return;
    case NEXT_RESERVE:
        t->due_at = lane_take_private(task_lane(t), clock_now_ms());
        task_txn_must(t, send_store_place, send_go);
        return;
    case NEXT_GO:
        send_go(t);
        return;
    }
}

void
send_with_file(struct task *t)
{
    if (send_next(t) == NEXT_GO)
        task_txn_must(t, send_mark, send_go);
    else
        send_loaded(t);
}

void
send_start(struct task *t)
{
    task_txn(t, DB_WRITE, send_load, send_loaded);
}

/* ---- after the platform's verdict ---- */

bool
send_settle(struct task *t, struct db *db, enum message_status status, struct str reason, struct error *err)
{
    struct op *op = &t->run.op;
    struct send_result result = {
        .status = status, .external_id = op->external_id, .conversation_id = op->out_conversation_id,
        .participant_id = op->out_participant_id, .error_message = reason,
        .posted_at = clock_sane(op->posted_at, clock_now_ms()),
    };

    return message_settle(db, &t->message, &result, clock_now_ms(), &t->arena, err);
}

bool
send_fail(struct task *t, struct db *db, struct str reason, struct error *err)
{
    return send_settle(t, db, STATUS_FAILED, reason, err) && job_finish(db, &t->job, clock_now_ms(), err);
}

bool
send_is_settled(struct task *t, struct db *db, bool *settled, struct error *err)
{
    bool found;

    if (!message_get(db, t->job.record_id, &t->arena, &t->message, &found, err))
        return false;
    *settled = !found || t->message.status == STATUS_PUBLISHED || t->message.status == STATUS_FAILED;
    if (!*settled)
        return true;
    /* touched, because the chat's next message may be queued at this moment */
    return (!found || chat_touch(db, t->message.chat_id, STATUS_NONE, STATUS_NONE, 0, 0, err))
        && job_finish(db, &t->job, clock_now_ms(), err);
}

/* Whether we may no longer write to this person at `due_at`. Looking whether the message is there goes on. */
static bool
send_window_closes(struct task *t, struct db *db, int64_t due_at, bool *closes, struct error *err)
{
    int64_t window_ms = t->message.platform->window_ms;
    bool found;

    *closes = false;
    if (window_ms == 0 || t->message.external_comment_id.len > 0 || send_can_find(t))
        return true;
    if (!chat_get(db, t->message.chat_id, &t->arena, &t->chat, &found, err))
        return false;
    *closes = found && t->chat.last_inbound_at > 0 && due_at > t->chat.last_inbound_at + window_ms;
    return true;
}

bool
send_later(struct task *t, struct db *db, int64_t retry_after_ms, bool counts, struct str reason, struct error *err)
{
    int attempts = t->job.attempts + (counts ? 1 : 0);
    int64_t due_at = clock_now_ms() + (retry_after_ms > 0 ? retry_after_ms : task_backoff_ms(attempts));
    bool closes;

    if (attempts > (int)config.retry_count)
        return send_fail(t, db, reason, err);
    if (!send_window_closes(t, db, due_at, &closes, err))
        return false;
    if (closes)
        return send_fail(t, db, arena_printf(&t->arena, "%.*s (not tried again: the time in which this person may be"
                                             " written to ends before)", STR_ARG(reason)), err);
    return job_retry(db, &t->job, due_at, attempts, t->job.payload, err)
        && send_settle(t, db, STATUS_WAITING, reason, err);
}

bool
send_again(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;

    if (end->maybe_done)
        t->job.payload = STR(JOB_INTERRUPTED);
    else if (!send_is_interrupted(t))
        t->job.payload = STR_NONE;
    return send_later(t, db, end->retry_after_ms, end->retry_after_ms == 0, end->reason, err);
}

static bool
send_store_verdict(struct task *t, struct db *db, struct error *err)
{
    const struct op_step *end = &t->run.end;
    bool blamed, settled;

    if (!task_blame_account(t, db, &blamed, err))
        return false;
    if (blamed)
        return true;
    switch (end->verdict) {
    case OP_DONE:
        return send_settle(t, db, STATUS_PUBLISHED, STR_NONE, err) && job_finish(db, &t->job, clock_now_ms(), err)
            && poll_hurry(t, db, err);
    case OP_RETRY:
        return send_is_settled(t, db, &settled, err) && (settled || send_again(t, db, err));
    case OP_CALL:
    case OP_FAIL:
        break;
    }
    return send_fail(t, db, end->reason, err);
}

static bool
send_store(struct task *t, struct db *db, struct error *err)
{
    struct message message = t->message;
    struct job job = t->job;
    bool ok = send_store_verdict(t, db, err);

    if (!ok) { /* the transaction is rolled back and will run again */
        t->message = message;
        t->job = job;
    }
    return ok;
}

void
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

/* ---- the way out ---- */

static void
send_answered(struct task *t)
{
    const struct op_step *end = &t->run.end;
    int64_t now_ms = clock_now_ms(), wait_ms = end->retry_after_ms;

    if (wait_ms == 0 && end->code == 429 && !end->account_wide)
        wait_ms = config.retry_ms[0];
    if (end->verdict == OP_RETRY && wait_ms > 0)
        lane_slow_down(task_lane(t), t->job.queue_id, now_ms, now_ms + wait_ms, end->account_wide);
    task_txn_must(t, send_store, send_stored);
    task_give_place(t);
}

void
send_go(struct task *t)
{
    struct error err;

    if (t->gone) {
        task_end(t);
        return;
    }
    lane_mark(task_lane(t), t->seat);
    if (send_attachment(t))
        lane_charge(task_lane(t), t->platform->pace.media_cost, clock_now_ms());
    if (!send_fill_op(t, OP_SEND, &err)) {
        t->run.end = (struct op_step){ .verdict = OP_FAIL, .reason = arena_copy(&t->arena, str_of(err.message)) };
        send_answered(t);
        return;
    }
    task_op(t, send_answered);
}
