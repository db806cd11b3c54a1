#include "inbound/inbound.h"

#include "store/job.h"
#include "store/raw_payload.h"

static bool
ingest_message(struct db *db, const struct profile *p, const struct inbound_event *e, int64_t now_ms, struct arena *a,
               struct ingest_counts *counts, struct error *err)
{
    struct chat chat;
    struct message message;
    bool created, stored;

    if (!chat_open(db, p, &e->from, e->conversation_id, now_ms, a, &chat, &created, err)
        || !message_receive(db, &chat, e, now_ms, a, &message, &stored, err))
        return false;
    if (!stored)
        return true;
    counts->stored++;
    if (e->tap_id.len > 0) {
        struct job job = { .kind = JOB_ANSWER_TAP, .lane_id = p->id, .record_id = message.id, .due_at = now_ms,
                           .payload = e->tap_id };

        if (!job_add(db, &job, now_ms, err))
            return false;
    }
    if (chat.blocked_at != 0 && !e->outbound && (e->at_ms == 0 || e->at_ms >= chat.blocked_at)
        && !chat_set_blocked(db, chat.id, 0, err))
        return false;
    return created || e->outbound || chat_ask_participant(db, &chat, now_ms, err);
}

static bool
ingest_edit(struct db *db, const struct profile *p, const struct inbound_event *e, int64_t now_ms, struct arena *a,
            struct ingest_counts *counts, struct error *err)
{
    struct chat chat;
    bool created;

    counts->stored++;
    return chat_open(db, p, &e->from, e->conversation_id, now_ms, a, &chat, &created, err)
        && message_receive_edit(db, &chat, e, now_ms, a, err);
}

/* Somebody who blocks an account that never talked to them opens no chat. What comes late or again is overtaken by
 * what the person did since: they wrote after the block, or blocked after the unblocking. */
static bool
ingest_block(struct db *db, const struct profile *p, const struct inbound_event *e, int64_t now_ms, struct arena *a,
             struct error *err)
{
    bool lifts = e->kind == INBOUND_UNBLOCK, found;
    int64_t at_ms = e->at_ms ? e->at_ms : now_ms;
    struct chat chat;

    if (!chat_of_participant(db, p->id, e->from.external_id, a, &chat, &found, err))
        return false;
    if (!found || at_ms < (lifts ? chat.blocked_at : chat.last_inbound_at))
        return true;
    return chat_set_blocked(db, chat.id, lifts ? 0 : at_ms, err);
}

static bool
ingest_event(struct db *db, const struct profile *p, const struct inbound_event *e, int64_t now_ms, struct arena *a,
             struct ingest_counts *counts, struct error *err)
{
    switch (e->kind) {
    case INBOUND_MESSAGE:
        return ingest_message(db, p, e, now_ms, a, counts, err);
    case INBOUND_EDIT:
        return ingest_edit(db, p, e, now_ms, a, counts, err);
    case INBOUND_BLOCK:
    case INBOUND_UNBLOCK:
        return ingest_block(db, p, e, now_ms, a, err);
    case INBOUND_DELETION:
    case INBOUND_REACTION:
    case INBOUND_DELIVERY:
    case INBOUND_READ:
    case INBOUND_REFERRAL:
    case INBOUND_COMMENT:
    case INBOUND_MUTE:
    case INBOUND_UNMUTE:
    case INBOUND_HINT:
        counts->ignored++; /* Telegram tells bots none of these */
        return true;
    case INBOUND_KINDS:
        break;
    }
    return error_set(err, 500, "An event of unknown kind %d came from %s", (int)e->kind, p->platform->name);
}

bool
ingest(struct db *db, const struct profile *p, const struct inbound_batch *batch, struct str payload, int64_t now_ms,
       struct arena *a, struct ingest_counts *counts, struct error *err)
{
    *counts = (struct ingest_counts){ .events = (int)batch->count, .ignored = (int)batch->ignored };
    for (size_t i = 0; i < batch->count; i++)
        if (!ingest_event(db, p, &batch->events[i], now_ms, a, counts, err))
            return false;
    if (batch->not_understood) {
        counts->not_understood++;
        if (!raw_payload_keep(db, p->id, payload, now_ms, err))
            return false;
    }
    return batch->cursor.len == 0 || str_eq(batch->cursor, p->poll_cursor)
        || profile_set_cursor(db, p->id, batch->cursor, err);
}
