/* identify.c -- a chat whose participant was only known as the author of a comment gets its person.
 *
 * A private reply may name a comment whose author nobody told us. Its message waits in a chat with the pseudo
 * participant "comment:<id>" until the platform's answer, or an echo, says whom it reached. And a known author may have
 * another id below posts than in messages; then the chat has the wrong one until then. */
#include "store/message_internal.h"

#include "store/job.h"

static const char chat_rename_sql[] = "UPDATE chat SET participant_external_id = $2 WHERE id = $1";
static const char chat_move_messages_sql[] = "UPDATE message SET chat_id = $2 WHERE chat_id = $1";
static const char chat_move_media_sql[] = "UPDATE replaced_media SET chat_id = $2 WHERE chat_id = $1";
static const char chat_keep_avatar_sql[] =
    "INSERT INTO replaced_media (chat_id, media) SELECT $2, avatar FROM chat WHERE id = $1 AND avatar IS NOT NULL";
static const char chat_move_counters_sql[] =
    "UPDATE chat SET n_received = chat.n_received + old.n_received, n_pending = chat.n_pending + old.n_pending,"
    " n_waiting = chat.n_waiting + old.n_waiting, n_published = chat.n_published + old.n_published,"
    " n_failed = chat.n_failed + old.n_failed,"
    " last_outbound_at = CASE WHEN chat.last_outbound_at < old.last_outbound_at THEN old.last_outbound_at"
    " ELSE chat.last_outbound_at END,"
    " last_message_at = CASE WHEN chat.last_message_at < old.last_message_at THEN old.last_message_at"
    " ELSE chat.last_message_at END"
    " FROM (SELECT n_received AS n_received, n_pending AS n_pending, n_waiting AS n_waiting,"
    " n_published AS n_published, n_failed AS n_failed, last_outbound_at AS last_outbound_at,"
    " last_message_at AS last_message_at FROM chat WHERE id = $1) AS old WHERE chat.id = $2";
static const char chat_drop_receipts_sql[] = "DELETE FROM receipt WHERE chat_id = $1";
static const char chat_drop_parked_sql[] = "DELETE FROM parked WHERE chat_id = $1";
static const char chat_drop_sql[] = "DELETE FROM chat WHERE id = $1";
static const char chat_count_one_less_sql[] = "UPDATE profile SET chats_count = chats_count - 1 WHERE id = $1";

bool
chat_is_unidentified(struct str participant_id)
{
    return str_starts(participant_id, STR("comment:"));
}

/* Jobs keep the old chat's id as the name of their queue, which has no other meaning. The old picture goes where
 * replaced ones are: its URL was given out, and what no row names would never be removed. Receipts and what waits for
 * messages concern what the person was sent, which is nothing yet by the old id. */
static bool
chat_merge_into(struct db *db, int64_t from, const struct chat *to, struct error *err)
{
    return db_exec(db, chat_move_counters_sql, DB_ARGS(db_int(from), db_int(to->id)), NULL, err)
        && db_exec(db, chat_move_messages_sql, DB_ARGS(db_int(from), db_int(to->id)), NULL, err)
        && db_exec(db, chat_move_media_sql, DB_ARGS(db_int(from), db_int(to->id)), NULL, err)
        && db_exec(db, chat_keep_avatar_sql, DB_ARGS(db_int(from), db_int(to->id)), NULL, err)
        && db_exec(db, chat_drop_receipts_sql, DB_ARGS(db_int(from)), NULL, err)
        && db_exec(db, chat_drop_parked_sql, DB_ARGS(db_int(from)), NULL, err)
        && db_exec(db, chat_drop_sql, DB_ARGS(db_int(from)), NULL, err)
        && db_exec(db, chat_count_one_less_sql, DB_ARGS(db_int(to->profile_id)), NULL, err);
}

/* An id by which somebody wrote to us is one for messages. */
static bool
is_to_be_identified(struct db *db, const struct message *m, struct str participant_id, struct arena *a, bool *out,
                    struct error *err)
{
    struct chat c;

    *out = chat_is_unidentified(m->chat_participant);
    if (*out || m->external_comment_id.len == 0 || str_eq(m->chat_participant, participant_id))
        return true;
    if (!chat_get(db, m->chat_id, a, &c, out, err))
        return false;
    *out = *out && c.n_received == 0;
    return true;
}

bool
message_identify(struct db *db, struct message *m, struct str participant_id, int64_t now_ms, struct arena *a,
                 struct error *err)
{
    struct job ask = { .kind = JOB_PARTICIPANT, .lane_id = m->profile_id, .due_at = now_ms };
    struct chat there;
    bool needed, found;

    if (participant_id.len == 0)
        return true;
    if (!is_to_be_identified(db, m, participant_id, a, &needed, err))
        return false;
    if (!needed)
        return true;
    if (!chat_of_participant(db, m->profile_id, participant_id, a, &there, &found, err))
        return false;
    m->chat_participant = participant_id;
    if (found && there.id == m->chat_id)
        return true;
    if (!found) {
        ask.record_id = m->chat_id;
        return db_exec(db, chat_rename_sql, DB_ARGS(db_int(m->chat_id), db_text(participant_id)), NULL, err)
            && job_add_once(db, &ask, now_ms, err);
    }
    if (!chat_merge_into(db, m->chat_id, &there, err))
        return false;
    m->chat_id = there.id;
    m->chat_conversation = there.external_conversation_id;
    return true;
}
