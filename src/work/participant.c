/* participant.c -- who the other side is: name, language, picture; asked when a chat is new and then hourly at most. */
#include "base/clock.h"
#include "work/task.h"

#define PARTICIPANT_TRIES 4

static bool
participant_load(struct task *t, struct db *db, struct error *err)
{
    bool found;

    if (!task_load_job(t, db, err))
        return false;
    if (t->gone)
        return true;
    if (!chat_get(db, t->job.record_id, &t->arena, &t->chat, &found, err))
        return false;
    t->gone = !found;
    return t->gone || task_load_account(t, db, false, err);
}

/* flag: t->info is the new picture. The lock first: a chat that goes while this runs would leave the picture behind. */
static bool
participant_store(struct task *t, struct db *db, struct error *err)
{
    struct str avatar = t->flag ? str_of(t->info.name) : STR_NONE;
    bool found;

    return chat_lock(db, t->chat.id, err)
        && chat_get(db, t->chat.id, &t->arena, &t->chat, &found, err)
        && (found ? chat_set_participant(db, &t->chat, &t->run.op.participant, avatar, clock_now_ms(), &t->arena, err)
                  : !t->flag || task_forget_kept(t, db, err))
        && job_finish(db, &t->job, clock_now_ms(), err);
}

static bool
participant_store_failure(struct task *t, struct db *db, struct error *err)
{
    bool over;

    if (!task_try_again(t, db, PARTICIPANT_TRIES, &over, err))
        return false;
    return !over
        || (chat_set_participant_asked(db, t->chat.id, clock_now_ms(), err)
            && job_finish(db, &t->job, clock_now_ms(), err));
}

static void
participant_picture_kept(struct task *t)
{
    t->flag = t->err.status == 0;
    task_txn_must(t, participant_store, task_end);
}

/* Without the picture the rest is still worth having; the next refresh tries again. */
static void
participant_picture_fetched(struct task *t)
{
    if (t->run.end.verdict == OP_DONE)
        task_keep(t, t->run.op.save_path, STR_NONE, participant_picture_kept);
    else
        task_txn_must(t, participant_store, task_end);
}

static void
participant_answered(struct task *t)
{
    const struct participant *who = &t->run.op.participant;
    struct op *op = &t->run.op;

    if (t->run.end.verdict != OP_DONE) {
        task_txn_must(t, participant_store_failure, task_end);
        return;
    }
    if (who->avatar_ref.len == 0 || (who->avatar_id.len > 0 && str_eq(who->avatar_id, t->chat.avatar_id))) {
        task_txn_must(t, participant_store, task_end);
        return;
    }
    op->kind = OP_MEDIA;
    op->media_ref = who->avatar_ref;
    op->save_path = media_spool_path(task_options(t)->media, &t->arena);
    op->media_max = config.download_max;
    task_op(t, participant_picture_fetched);
}

static void
participant_loaded(struct task *t)
{
    if (t->gone) {
        task_txn_must(t, task_finish, task_end);
        return;
    }
    t->run.op.kind = OP_PARTICIPANT;
    t->run.op.participant_id = t->chat.participant_external_id;
    t->run.op.conversation_id = t->chat.external_conversation_id;
    task_op(t, participant_answered);
}

void
participant_start(struct task *t)
{
    task_txn(t, DB_READ, participant_load, participant_loaded);
}
