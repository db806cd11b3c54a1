/* message_in.c -- the inbound half of message.h: storing what the platform tells, once. */
#include "base/id.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message.h"

static const char message_insert_sql[] =
    "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_id, body, platform_data,"
    " reply_to_external_id, reply_markup, is_unsupported, attachments_count, posted_at, edited_at, sort_at, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13, $15)"
    " ON CONFLICT (workspace_id, external_id, chat_id) WHERE external_id IS NOT NULL DO NOTHING";
static const char message_edited_sql[] =
    "UPDATE message SET body = $2, platform_data = $3, edited_at = $4, attachments_count = $5, reply_markup = $6,"
    " is_unsupported = $7 WHERE id = $1";
static const char attachment_keep_media_sql[] =
    "INSERT INTO replaced_media (chat_id, media)"
    " SELECT $2, media FROM attachment WHERE message_id = $1 AND media IS NOT NULL";
static const char attachment_forget_sql[] = "DELETE FROM attachment WHERE message_id = $1";

static bool
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
            .status       = from->refusal.len ? ATTACHMENT_FAILED : ATTACHMENT_PENDING,
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
        if (at->status == ATTACHMENT_PENDING ? !job_add(db, &job, now_ms, err)
                                             : !message_note_media_error(db, m, from->refusal, a, err))
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

bool
message_receive(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms, struct arena *a,
                struct message *out, bool *stored, struct error *err)
{
    bool is_edit = e->kind == INBOUND_EDIT;
    int64_t told_ms = is_edit ? e->posted_ms : e->at_ms;
    int64_t at_ms = told_ms ? told_ms : now_ms;
    int64_t inserted;

    *out = (struct message){
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
        .posted_at            = at_ms,
        .edited_at            = is_edit ? e->at_ms : 0,
        .created_at           = now_ms,
    };
    *stored = false;
    if (!db_exec(db, message_insert_sql,
                 DB_ARGS(db_int(out->id), db_int(c->workspace_id), db_int(c->id), db_int(out->direction),
                         db_int(out->status), db_text(e->external_id), db_text(e->body), db_text(e->platform_data),
                         db_text(e->reply_to), db_text(e->reply_markup), db_int(e->is_unsupported),
                         db_int((int64_t)e->media_count), db_int(at_ms), db_int(out->edited_at), db_int(now_ms)),
                 &inserted, err))
        return false;
    if (inserted == 0)
        return true;
    *stored = true;
    return chat_touch(db, c->id, STATUS_NONE, out->status, e->outbound ? 0 : at_ms, e->outbound ? at_ms : 0, err)
        && (e->media_count == 0 || message_add_media(db, out, e, now_ms, a, err))
        && event_message(db, e->outbound ? EVENT_MESSAGE_SENT : EVENT_MESSAGE_RECEIVED, out, now_ms, err);
}

/* A person can replace the picture of a message they edit. The same file under a new reference is not a change. */
static bool
media_changed(const struct message *m, const struct inbound_event *e)
{
    if (m->attachment_count != e->media_count)
        return true;
    for (size_t i = 0; i < e->media_count; i++)
        if (!str_eq(m->attachments[i].external_id, e->media[i].external_id)
            || m->attachments[i].type != e->media[i].type)
            return true;
    return false;
}

/* Why its file is not to be had, which an edit of the text does not change. */
static struct str
message_media_error(const struct message *m, struct arena *a)
{
    struct error ignored;
    yyjson_val *data;

    if (m->platform_data.len == 0 || !json_parse(a, m->platform_data, JSON_DEPTH_MAX, &data, &ignored))
        return STR_NONE;
    return json_str(data, "media_error");
}

bool
message_receive_edit(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                     struct arena *a, struct error *err)
{
    struct str media_error;
    struct message m;
    bool found, stored;

    if (!message_by_external(db, c, e->external_id, a, &m, &found, err))
        return false;
    if (!found) /* the original is late or was never ours to see; the edit carries all of it */
        return message_receive(db, c, e, now_ms, a, &m, &stored, err)
            && event_message(db, EVENT_MESSAGE_EDITED, &m, now_ms, err);
    if (e->at_ms < m.edited_at
        || (e->at_ms == m.edited_at && str_eq(e->body, m.body) && !media_changed(&m, e)))
        return true;
    media_error = message_media_error(&m, a);
    m.body = e->body;
    m.platform_data = e->platform_data;
    m.reply_markup = e->reply_markup;
    m.is_unsupported = e->is_unsupported;
    m.edited_at = e->at_ms;
    if (!db_exec(db, message_edited_sql,
                 DB_ARGS(db_int(m.id), db_text(m.body), db_text(m.platform_data), db_int(m.edited_at),
                         db_int((int64_t)e->media_count), db_text(m.reply_markup), db_int(m.is_unsupported)),
                 NULL, err))
        return false;
    if (media_changed(&m, e)) {
        if (!db_exec(db, attachment_keep_media_sql, DB_ARGS(db_int(m.id), db_int(m.chat_id)), NULL, err)
            || !db_exec(db, attachment_forget_sql, DB_ARGS(db_int(m.id)), NULL, err)
            || !message_add_media(db, &m, e, now_ms, a, err))
            return false;
    } else if (media_error.len > 0 && !message_note_media_error(db, &m, media_error, a, err)) {
        return false;
    }
    return event_message(db, EVENT_MESSAGE_EDITED, &m, now_ms, err);
}
