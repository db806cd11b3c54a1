/* echo.c -- what our account said, as the platform tells it back, matched with what we sent.
 *
 * An echo may come before the answer of the send that caused it, after it, or without one, when somebody wrote in the
 * platform's own app. It names our message where the platform carries our reference; elsewhere it is taken for the one
 * message of the chat that may be on its way and says the same. Should the answer then name another id, the answer is
 * right, and what was taken for its echo becomes a message for itself. */
#include "base/id.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message_internal.h"

static const char message_time_sql[] = "UPDATE message SET posted_at = $2, sort_at = $2 WHERE id = $1";
/* The chat's times may have been those of the message, and later than the new one. */
static const char chat_outbound_time_sql[] =
    "UPDATE chat SET last_outbound_at = $3, last_message_at = CASE WHEN last_message_at <> $2 THEN last_message_at"
    " WHEN last_inbound_at > $3 THEN last_inbound_at ELSE $3 END WHERE id = $1 AND last_outbound_at = $2";
static const char message_drop_sql[] = "DELETE FROM message WHERE id = $1";
static const char message_inherit_sql[] =
    "UPDATE message SET body = $2, platform_data = $3, reactions = $4, delivered_at = $5, read_at = $6,"
    " edited_at = $7 WHERE id = $1";
/* As it was published: what came later belongs to the id it came for. */
static const char message_reset_sql[] =
    "UPDATE message SET external_id = NULL, reactions = NULL, delivered_at = 0, read_at = 0 WHERE id = $1";
static const char message_identity_sql[] =
    "UPDATE message SET external_id = $2, posted_at = $3, sort_at = $3 WHERE id = $1";
static const char message_copy_sql[] =
    "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_id, body, reactions, posted_at,"
    " delivered_at, read_at, edited_at, sort_at, created_at)"
    " VALUES ($1, $2, $3, 2, 2, $4, $5, $6, $7, $8, $9, $10, $7, $11)";

/* ---- an echo comes ---- */

static bool
is_unsettled(const struct message *m)
{
    return m->direction == OUTBOUND && m->status != STATUS_PUBLISHED;
}

static bool
says_the_same(const struct message *m, const struct inbound_event *e)
{
    return (m->attachment_count > 0) == (e->media_count > 0) && str_eq(str_trim(m->body), str_trim(e->body));
}

/* The message our reference names, if it is still to be settled. */
static bool
find_by_reference(struct db *db, const struct chat *c, const struct inbound_event *e, struct arena *a,
                  struct message *out, bool *found, struct error *err)
{
    int64_t id;

    *found = false;
    if (!id_parse(ID_MESSAGE, e->client_ref, &id))
        return true;
    if (!message_get(db, id, a, out, found, err))
        return false;
    *found = *found && is_unsettled(out) && out->profile_id == c->profile_id
          && (out->chat_id == c->id || out->external_comment_id.len > 0
              || chat_is_unidentified(out->chat_participant));
    return true;
}

/* The one whose turn it is in this chat, if its request may have gone out. */
static bool
find_by_words(struct db *db, const struct chat *c, const struct inbound_event *e, struct arena *a, struct message *out,
              bool *found, struct error *err)
{
    struct job job;

    if (!job_head_of_queue(db, c->id, a, &job, found, err))
        return false;
    *found = *found && job.kind == JOB_SEND
          && (job.state == JOB_IN_FLIGHT || str_eq(job.payload, STR(JOB_INTERRUPTED)));
    if (!*found)
        return true;
    if (!message_get(db, job.record_id, a, out, found, err))
        return false;
    *found = *found && out->chat_id == c->id && is_unsettled(out) && says_the_same(out, e);
    return true;
}

/* A job in flight finds its message published when its answer is there. One that waits for another try need not. */
static bool
finish_waiting_job(struct db *db, int64_t queue_id, int64_t message_id, int64_t now_ms, struct arena *a,
                   struct error *err)
{
    struct job job;
    bool found;

    if (!job_head_of_queue(db, queue_id, a, &job, &found, err))
        return false;
    if (!found || job.kind != JOB_SEND || job.record_id != message_id || job.state == JOB_IN_FLIGHT)
        return true;
    return job_finish(db, &job, now_ms, err);
}

static bool
settle_by_echo(struct db *db, const struct chat *c, const struct inbound_event *e, struct message *m, int64_t now_ms,
               struct arena *a, struct error *err)
{
    int64_t queue_id = m->chat_id;

    return message_identify(db, m, c->participant_external_id, now_ms, a, err)
        && message_publish(db, m, m->status, e->external_id, e->conversation_id, e->at_ms ? e->at_ms : now_ms, now_ms,
                           a, err)
        && finish_waiting_job(db, queue_id, m->id, now_ms, a, err);
}

/* The answer of a send may not tell when; the echo does. */
static bool
correct_time(struct db *db, const struct inbound_event *e, struct message *m, int64_t now_ms, struct error *err)
{
    int64_t was_ms = m->posted_at;

    if (m->direction != OUTBOUND || e->at_ms == 0 || e->at_ms == was_ms)
        return true;
    m->posted_at = e->at_ms;
    return db_exec(db, chat_outbound_time_sql, DB_ARGS(db_int(m->chat_id), db_int(was_ms), db_int(e->at_ms)), NULL, err)
        && db_exec(db, message_time_sql, DB_ARGS(db_int(m->id), db_int(e->at_ms)), NULL, err)
        && chat_touch(db, m->chat_id, STATUS_NONE, STATUS_NONE, 0, e->at_ms, err)
        && receipt_cover(db, m, now_ms, err);
}

bool
echo_match(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms, struct arena *a,
           struct message *out, bool *matched, struct error *err)
{
    if (!chat_lock(db, c->id, err) || !message_by_external(db, c, e->external_id, a, out, matched, err))
        return false;
    if (*matched)
        return correct_time(db, e, out, now_ms, err);
    if (e->client_ref.len > 0 ? !find_by_reference(db, c, e, a, out, matched, err)
                              : !find_by_words(db, c, e, a, out, matched, err))
        return false;
    return !*matched || settle_by_echo(db, c, e, out, now_ms, a, err);
}

/* ---- an answer comes after its echo ---- */

/* Also when the account was deleted meanwhile: the id can be that of one message only. */
bool
echo_absorb(struct db *db, struct message *m, struct str external_id, int64_t *posted_at, int64_t now_ms,
            struct arena *a, struct error *err)
{
    const struct chat chat = { .id = m->chat_id, .workspace_id = m->workspace_id };
    struct message echo;
    bool found;

    if (!message_by_external(db, &chat, external_id, a, &echo, &found, err))
        return false;
    if (!found || echo.id == m->id)
        return true;
    *posted_at = echo.posted_at;
    m->reactions = echo.reactions;
    m->delivered_at = echo.delivered_at;
    m->read_at = echo.read_at;
    if (echo.edited_at != 0) {
        m->body = echo.body;
        m->edited_at = echo.edited_at;
    }
    if (m->platform_data.len == 0)
        m->platform_data = echo.platform_data;
    return message_forget_media(db, &echo, now_ms, err)
        && db_exec(db, message_drop_sql, DB_ARGS(db_int(echo.id)), NULL, err)
        && chat_touch(db, m->chat_id, (int)echo.status, STATUS_NONE, 0, 0, err)
        && db_exec(db, message_inherit_sql,
                   DB_ARGS(db_int(m->id), db_text(m->body), db_text(m->platform_data), db_text(m->reactions),
                           db_int(m->delivered_at), db_int(m->read_at), db_int(m->edited_at)),
                   NULL, err)
        && (echo.deleted_at == 0
            || deletion_apply(db, m, &(struct followup){ .kind = FOLLOWUP_DELETION, .at_ms = echo.deleted_at }, now_ms,
                              err));
}

/* A text can be told from what was stored; a file must be asked for. */
static bool
store_echo(struct db *db, const struct message *was, int64_t now_ms, struct error *err)
{
    struct job ask = { .kind = JOB_HINT, .lane_id = was->profile_id, .record_id = was->profile_id, .due_at = now_ms,
                       .payload = was->external_id };
    struct message echo = *was;

    if (was->attachment_count > 0)
        return job_add_named(db, &ask, now_ms, err);
    echo.id = id_generate(now_ms);
    echo.created_at = now_ms;
    echo.external_comment_id = echo.platform_data = echo.reply_to_external_id = echo.reply_markup = STR_NONE;
    return db_exec(db, message_copy_sql,
                   DB_ARGS(db_int(echo.id), db_int(echo.workspace_id), db_int(echo.chat_id), db_text(echo.external_id),
                           db_text(echo.body), db_text(echo.reactions), db_int(echo.posted_at),
                           db_int(echo.delivered_at), db_int(echo.read_at), db_int(echo.edited_at), db_int(now_ms)),
                   NULL, err)
        && chat_touch(db, echo.chat_id, STATUS_NONE, STATUS_PUBLISHED, 0, echo.posted_at, err)
        && event_message(db, EVENT_MESSAGE_SENT, &echo, now_ms, err);
}

bool
echo_give_back(struct db *db, struct message *m, const struct send_result *r, int64_t now_ms, struct arena *a,
               struct error *err)
{
    int64_t posted_at = r->posted_at ? r->posted_at : now_ms;
    struct message was = *m;

    m->external_id = r->external_id;
    m->reactions = STR_NONE;
    m->delivered_at = m->read_at = 0;
    if (!db_exec(db, message_reset_sql, DB_ARGS(db_int(m->id)), NULL, err)
        || !echo_absorb(db, m, r->external_id, &posted_at, now_ms, a, err))
        return false;
    m->posted_at = posted_at;
    return db_exec(db, message_identity_sql, DB_ARGS(db_int(m->id), db_text(m->external_id), db_int(posted_at)), NULL,
                   err)
        && store_echo(db, &was, now_ms, err)
        && chat_touch(db, m->chat_id, STATUS_PUBLISHED, STATUS_PUBLISHED, 0, posted_at, err)
        && message_known(db, m, now_ms, a, err);
}
