/* message_in.c -- the inbound half of message.h: storing what the platform tells, once, and forgetting it again. */
#include "base/id.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message_internal.h"

static const char message_insert_sql[] =
    "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_id, body, platform_data,"
    " reply_to_external_id, reply_markup, is_unsupported, attachments_count, posted_at, edited_at, sort_at, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13, $15)"
    " ON CONFLICT (workspace_id, external_id, chat_id) WHERE external_id IS NOT NULL DO NOTHING";
static const char message_redact_sql[] =
    "UPDATE message SET body = NULL, platform_data = NULL, reactions = NULL, reply_markup = NULL, is_unsupported = 0,"
    " attachments_count = 0, edited_at = 0, deleted_at = $2 WHERE id = $1";
static const char message_deleted_at_sql[] = "UPDATE message SET deleted_at = $2 WHERE id = $1";
static const char attachment_forget_sql[] = "DELETE FROM attachment WHERE message_id = $1";

/* What is only shown where it is needs no fetching: it is as ready as it will be. */
static enum attachment_status
status_of(const struct inbound_media *media)
{
    return media->refusal.len > 0 ? ATTACHMENT_FAILED : media->is_link ? ATTACHMENT_PROCESSED : ATTACHMENT_PENDING;
}

bool
message_add_media(struct db *db, struct message *m, const struct inbound_event *e, int64_t now_ms, struct arena *a,
                  struct error *err)
{
    m->attachment_count = e->media_count;
    m->attachments = arena_array(a, struct attachment, e->media_count);
    for (size_t i = 0; i < e->media_count; i++) {
        const struct inbound_media *from = &e->media[i];
        struct attachment *at = &m->attachments[i];
        struct job job = { .kind = JOB_MIRROR, .lane_id = m->profile_id, .due_at = now_ms };

        *at = (struct attachment){
            .message_id   = m->id,
            .type         = from->type,
            .status       = status_of(from),
            .external_id  = from->external_id,
            .source_url   = from->source_url,
            .ref          = from->ref,
            .content_type = from->content_type,
            .file_name    = from->file_name,
            .size         = from->size,
            .width        = from->width,
            .height       = from->height,
        };
        if (!attachment_add(db, at, now_ms, err))
            return false;
        job.record_id = at->id;
        if ((at->status == ATTACHMENT_PENDING && !job_add(db, &job, now_ms, err))
            || (at->status == ATTACHMENT_FAILED && !message_note_media_error(db, m, from->refusal, a, err)))
            return false;
    }
    return true;
}

bool
message_note_media_error(struct db *db, struct message *m, struct str reason, struct arena *a, struct error *err)
{
    struct buf text;
    yyjson_val *value;
    bool ok;

    buf_init(&text, 16 * KIB);
    json_put_str(&(struct json){ .buf = &text }, NULL, reason);
    ok = json_parse(a, buf_str(&text), 1, &value, err) && message_note(db, m, "media_error", value, a, err);
    buf_deinit(&text);
    return ok;
}

static struct message
message_of_event(const struct chat *c, const struct inbound_event *e, int64_t now_ms)
{
    bool is_edit = e->kind == INBOUND_EDIT;
    int64_t told_ms = is_edit ? e->posted_ms : e->at_ms;

    return (struct message){
        .id                   = id_generate(now_ms),
        .workspace_id         = c->workspace_id,
        .chat_id              = c->id,
        .profile_id           = c->profile_id,
        .platform             = c->platform,
        .chat_participant     = c->participant_external_id,
        .chat_conversation    = c->external_conversation_id,
        .direction            = e->outbound ? OUTBOUND : INBOUND,
        .status               = e->outbound ? STATUS_PUBLISHED : STATUS_RECEIVED,
        .external_id          = e->external_id,
        .body                 = e->body,
        .platform_data        = e->platform_data,
        .reply_to_external_id = e->reply_to,
        .reply_markup         = e->reply_markup,
        .is_unsupported       = e->is_unsupported,
        .posted_at            = told_ms ? told_ms : now_ms,
        .edited_at            = is_edit ? e->at_ms : 0,
        .created_at           = now_ms,
    };
}

static bool
message_insert(struct db *db, const struct message *m, size_t media_count, bool *inserted, struct error *err)
{
    return db_exec_likely(db, message_insert_sql,
                          DB_ARGS(db_int(m->id), db_int(m->workspace_id), db_int(m->chat_id), db_int(m->direction),
                                  db_int(m->status), db_text(m->external_id), db_text(m->body),
                                  db_text(m->platform_data), db_text(m->reply_to_external_id),
                                  db_text(m->reply_markup), db_int(m->is_unsupported), db_int((int64_t)media_count),
                                  db_int(m->posted_at), db_int(m->edited_at), db_int(m->created_at)),
                          inserted, err);
}

/* What followed it, where that came first. One that was deleted before it came is never shown. */
static bool
message_complete(struct db *db, const struct chat *c, struct message *m, const struct inbound_event *e, int64_t now_ms,
                 struct arena *a, struct error *err)
{
    enum event_type type = e->outbound ? EVENT_MESSAGE_SENT : EVENT_MESSAGE_RECEIVED;
    struct followup *list = NULL;
    bool is_gone;
    size_t n = 0;

    if (c->may_have_parked && !parked_take(db, m, a, &list, &n, err))
        return false;
    is_gone = n > 0 && list[0].kind == FOLLOWUP_DELETION;
    if (!is_gone
        && ((e->media_count > 0 && !message_add_media(db, m, e, now_ms, a, err))
            || (!e->is_history && !event_message(db, type, m, now_ms, err))))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!followup_apply(db, m, &list[i], now_ms, a, err))
            return false;
    return m->direction != OUTBOUND || receipt_cover(db, m, now_ms, err);
}

bool
message_receive(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms, struct arena *a,
                struct message *out, bool *stored, struct error *err)
{
    bool matched = false;

    *stored = false;
    if (e->outbound && !echo_match(db, c, e, now_ms, a, out, &matched, err))
        return false;
    if (matched)
        return true;
    *out = message_of_event(c, e, now_ms);
    if (!message_insert(db, out, e->media_count, stored, err))
        return false;
    if (!*stored)
        return true;
    return chat_touch(db, c->id, STATUS_NONE, (int)out->status, e->outbound ? 0 : out->posted_at,
                      e->outbound ? out->posted_at : 0, err)
        && message_complete(db, c, out, e, now_ms, a, err);
}

/* ---- deletions ---- */

bool
message_forget_media(struct db *db, struct message *m, int64_t now_ms, struct error *err)
{
    for (size_t i = 0; i < m->attachment_count; i++) {
        struct job job = { .kind = JOB_FORGET_MEDIA, .lane_id = m->profile_id, .record_id = m->id, .due_at = now_ms,
                           .payload = m->attachments[i].media };

        if (job.payload.len > 0 && !job_add(db, &job, now_ms, err))
            return false;
    }
    if (m->attachment_count > 0 && !db_exec(db, attachment_forget_sql, DB_ARGS(db_int(m->id)), NULL, err))
        return false;
    m->attachment_count = 0;
    return true;
}

/* Those of this transaction, too: they are there when it is over. */
static bool
forget_events(struct db *db, const struct message *m, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_REDACT, .lane_id = m->profile_id, .record_id = m->id, .due_at = now_ms };

    return job_add(db, &job, now_ms, err);
}

bool
deletion_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct error *err)
{
    if (m->deleted_at != 0 && m->deleted_at <= f->at_ms)
        return true;
    if (m->deleted_at != 0) {
        m->deleted_at = f->at_ms;
        return db_exec(db, message_deleted_at_sql, DB_ARGS(db_int(m->id), db_int(m->deleted_at)), NULL, err);
    }
    m->body = m->platform_data = m->reactions = m->reply_markup = STR_NONE;
    m->is_unsupported = false;
    m->edited_at = 0;
    m->deleted_at = f->at_ms;
    return message_forget_media(db, m, now_ms, err)
        && db_exec(db, message_redact_sql, DB_ARGS(db_int(m->id), db_int(m->deleted_at)), NULL, err)
        && forget_events(db, m, now_ms, err)
        && (f->is_history || event_message(db, EVENT_MESSAGE_DELETED, m, now_ms, err));
}

bool
message_receive_deletion(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                         struct arena *a, struct error *err)
{
    const struct followup f = { .kind = FOLLOWUP_DELETION, .at_ms = e->at_ms ? e->at_ms : now_ms,
                                .is_history = e->is_history };

    return followup_take(db, c, e->external_id, &f, now_ms, a, err);
}
