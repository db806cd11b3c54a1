/* send_find.c -- asking a platform whether it has a message whose sending was cut off, so that it is not sent twice. */
#include "work/send.h"

#include "base/clock.h"

/* The first of what was found that no other message of the chat is already; no id = it is not there. */
static bool
find_pick(struct task *t, struct db *db, struct found_message *out, struct error *err)
{
    struct message other;
    bool found;

    *out = (struct found_message){ 0 };
    if (!chat_get(db, t->message.chat_id, &t->arena, &t->chat, &found, err))
        return false;
    for (size_t i = 0; found && i < t->run.op.found_count; i++) {
        bool taken;

        if (!message_by_external(db, &t->chat, t->run.op.found[i].external_id, &t->arena, &other, &taken, err))
            return false;
        if (!taken || other.id == t->message.id) {
            *out = t->run.op.found[i];
            return true;
        }
    }
    return true;
}

/* Out of reach: it is sent again, and says that it may be there twice. */
static bool
find_store_ignorance(struct task *t, struct db *db, struct error *err)
{
    bool settled;

    if (!send_is_settled(t, db, &settled, err))
        return false;
    t->gone = settled;
    return settled || send_mark(t, db, err);
}

static bool
find_store(struct task *t, struct db *db, struct error *err)
{
    struct found_message found;
    bool settled;

    if (!send_is_settled(t, db, &settled, err))
        return false;
    t->gone = true;
    if (settled)
        return true;
    if (!find_pick(t, db, &found, err))
        return false;
    t->run.op.external_id = found.external_id;
    t->run.op.posted_at = found.posted_at;
    if (found.external_id.len > 0)
        return send_settle(t, db, STATUS_PUBLISHED, STR_NONE, err) && job_finish(db, &t->job, clock_now_ms(), err)
            && poll_hurry(t, db, err);
    t->job.payload = STR_NONE; /* it is known not to be there */
    return send_mark(t, db, err);
}

static bool
find_store_failure(struct task *t, struct db *db, struct error *err)
{
    bool settled, blamed;

    t->run.end.maybe_done = true; /* whether it is there is as unknown as before */
    if (!send_is_settled(t, db, &settled, err) || (!settled && !task_blame_account(t, db, &blamed, err)))
        return false;
    return settled || blamed || send_again(t, db, err);
}

static void
find_stored(struct task *t)
{
    if (t->gone)
        send_stored(t);
    else
        send_go(t);
}

static void
find_answered(struct task *t)
{
    const struct op_step *end = &t->run.end;

    if (end->verdict == OP_DONE)
        task_txn_must(t, find_store, find_stored);
    else if (end->verdict == OP_RETRY || end->token_invalid)
        task_txn_must(t, find_store_failure, send_stored);
    else
        task_txn_must(t, find_store_ignorance, find_stored);
}

void
send_find(struct task *t)
{
    struct error err;

    if (!send_fill_op(t, OP_FIND_SENT, &err)) {
        log_warn("a message cannot be looked for", LOG_CSTR("error", err.message));
        task_txn_must(t, find_store_ignorance, find_stored);
        return;
    }
    task_op(t, find_answered);
}
