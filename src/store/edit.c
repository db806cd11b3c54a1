/* edit.c -- edits by the other side: the whole message anew, or its text alone. */
#include "json/json.h"
#include "store/event.h"
#include "store/message_internal.h"

static const char message_edited_sql[] =
    "UPDATE message SET body = $2, platform_data = $3, edited_at = $4, attachments_count = $5, reply_markup = $6,"
    " is_unsupported = $7 WHERE id = $1";
static const char message_text_edited_sql[] = "UPDATE message SET body = $2, edited_at = $3 WHERE id = $1";
static const char attachment_keep_media_sql[] =
    "INSERT INTO replaced_media (chat_id, media)"
    " SELECT $2, media FROM attachment WHERE message_id = $1 AND media IS NOT NULL";
static const char attachment_forget_sql[] = "DELETE FROM attachment WHERE message_id = $1";

/* ---- of the whole message ---- */

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

static yyjson_val *
platform_data_of(const struct message *m, struct arena *a)
{
    struct error ignored;
    yyjson_val *data;

    if (m->platform_data.len == 0 || !json_parse(a, m->platform_data, PLATFORM_DATA_DEPTH, &data, &ignored))
        return NULL;
    return data;
}

static bool
edit_whole(struct db *db, struct message *m, const struct inbound_event *e, int64_t now_ms, struct arena *a,
           struct error *err)
{
    struct str media_error; /* why its file is not to be had, which an edit of the text does not change */

    if (m->deleted_at != 0 || e->at_ms < m->edited_at
        || (e->at_ms == m->edited_at && str_eq(e->body, m->body) && !media_changed(m, e)))
        return true;
    media_error = json_str(platform_data_of(m, a), "media_error");
    m->body = e->body;
    m->platform_data = e->platform_data;
    m->reply_markup = e->reply_markup;
    m->is_unsupported = e->is_unsupported;
    m->edited_at = e->at_ms;
    if (!db_exec(db, message_edited_sql,
                 DB_ARGS(db_int(m->id), db_text(m->body), db_text(m->platform_data), db_int(m->edited_at),
                         db_int((int64_t)e->media_count), db_text(m->reply_markup), db_int(m->is_unsupported)),
                 NULL, err))
        return false;
    if (media_changed(m, e)) {
        if (!db_exec(db, attachment_keep_media_sql, DB_ARGS(db_int(m->id), db_int(m->chat_id)), NULL, err)
            || !db_exec(db, attachment_forget_sql, DB_ARGS(db_int(m->id)), NULL, err)
            || !message_add_media(db, m, e, now_ms, a, err))
            return false;
    } else if (media_error.len > 0 && !message_note_media_error(db, m, media_error, a, err)) {
        return false;
    }
    return e->is_history || event_message(db, EVENT_MESSAGE_EDITED, m, now_ms, err);
}

/* ---- of the text ---- */

/* Of two edits that nothing else tells apart it is the one whose bytes are greater: always the same. */
static bool
edit_is_later(const struct message *m, int64_t number, const struct followup *f)
{
    if (number > 0 && f->sequence > 0 && number != f->sequence)
        return f->sequence > number;
    if (f->at_ms != m->edited_at)
        return f->at_ms > m->edited_at;
    return str_order(m->body, f->body) < 0;
}

bool
edit_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct arena *a,
           struct error *err)
{
    int64_t number = json_int(platform_data_of(m, a), "num_edit", 0);
    yyjson_val *sequence;

    if (m->deleted_at != 0 || !edit_is_later(m, number, f))
        return true;
    m->body = f->body;
    m->edited_at = f->at_ms;
    if (!db_exec(db, message_text_edited_sql, DB_ARGS(db_int(m->id), db_text(m->body), db_int(m->edited_at)), NULL,
                 err))
        return false;
    if (f->sequence > 0
        && !(json_parse(a, arena_printf(a, "%lld", (long long)f->sequence), 1, &sequence, err)
             && message_note(db, m, "num_edit", sequence, a, err)))
        return false;
    return f->is_history || event_message(db, EVENT_MESSAGE_EDITED, m, now_ms, err);
}

bool
message_receive_edit(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                     struct arena *a, struct error *err)
{
    const struct followup f = { .kind = FOLLOWUP_EDIT, .at_ms = e->at_ms ? e->at_ms : now_ms,
                                .sequence = e->sequence, .body = e->body, .is_history = e->is_history };
    struct message m;
    bool found, stored;

    if (e->text_only)
        return followup_take(db, c, e->external_id, &f, now_ms, a, err);
    if (!chat_lock(db, c->id, err) || !message_by_external(db, c, e->external_id, a, &m, &found, err))
        return false;
    if (found)
        return edit_whole(db, &m, e, now_ms, a, err);
    /* the original is late or was never ours to see; the edit carries all of it */
    return message_receive(db, c, e, now_ms, a, &m, &stored, err)
        && (m.deleted_at != 0 || e->is_history || event_message(db, EVENT_MESSAGE_EDITED, &m, now_ms, err));
}
