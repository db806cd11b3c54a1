/* message_out.c -- the outbound half of message.h: accepting, settling, editing. */
#include <assert.h>

#include "base/id.h"
#include "json/json.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message_internal.h"

static const char message_insert_sql[] =
    "INSERT INTO message (id, workspace_id, chat_id, direction, status, external_comment_id, body,"
    " reply_to_external_id, reply_markup, attachments_count, sort_at, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)";
static const char message_place_sql[] = "SELECT status, chat_id FROM message WHERE id = $1";
static const char message_published_sql[] =
    "UPDATE message SET status = $2, error_message = NULL, external_id = $3, posted_at = $4, sort_at = $4"
    " WHERE id = $1";
static const char message_unpublished_sql[] = "UPDATE message SET status = $2, error_message = $3 WHERE id = $1";
static const char message_platform_data_sql[] = "UPDATE message SET platform_data = $2 WHERE id = $1";
static const char message_edit_sql[] =
    "UPDATE message SET body = $2, reply_markup = $3, edited_at = $4 WHERE id = $1";

/* Which states an outbound message may pass into; anything else is our own mistake. */
static const bool may_become[STATUSES][STATUSES] = {
    [STATUS_PENDING] = { [STATUS_PUBLISHED] = true, [STATUS_WAITING] = true, [STATUS_FAILED] = true },
    [STATUS_WAITING] = { [STATUS_PUBLISHED] = true, [STATUS_WAITING] = true, [STATUS_FAILED] = true },
};

static bool
message_add_file(struct db *db, struct message *m, const struct attachment *media, int64_t now_ms, struct arena *a,
                 struct error *err)
{
    m->attachments = arena_new(a, struct attachment);
    m->attachment_count = 1;
    m->attachments[0] = *media;
    m->attachments[0].message_id = m->id;
    return attachment_add(db, &m->attachments[0], now_ms, err);
}

bool
message_accept(struct db *db, const struct chat *c, const struct draft *d, int64_t now_ms, struct arena *a,
               struct message *out, struct error *err)
{
    struct job job = { .kind = JOB_SEND, .lane_id = c->profile_id, .queue_id = c->id, .due_at = now_ms };

    *out = (struct message){
        .id                   = id_generate(now_ms),
        .workspace_id         = c->workspace_id,
        .chat_id              = c->id,
        .profile_id           = c->profile_id,
        .platform             = c->platform,
        .chat_participant     = c->participant_external_id,
        .chat_conversation    = c->external_conversation_id,
        .direction            = OUTBOUND,
        .status               = STATUS_PENDING,
        .body                 = d->body,
        .reply_to_external_id = d->reply_to_external_id,
        .reply_markup         = d->reply_markup,
        .external_comment_id  = d->external_comment_id,
        .created_at           = now_ms,
    };
    job.record_id = out->id;
    return chat_touch(db, c->id, STATUS_NONE, STATUS_PENDING, 0, 0, err)
        && db_exec(db, message_insert_sql,
                   DB_ARGS(db_int(out->id), db_int(c->workspace_id), db_int(c->id), db_int(OUTBOUND),
                           db_int(STATUS_PENDING), db_text(d->external_comment_id), db_text(d->body),
                           db_text(d->reply_to_external_id), db_text(d->reply_markup), db_int(d->has_media),
                           db_int(now_ms)),
                   NULL, err)
        && (!d->has_media || message_add_file(db, out, &d->media, now_ms, a, err))
        && job_add(db, &job, now_ms, err);
}

static bool
message_set_conversation(struct db *db, struct message *m, struct str conversation_id, struct error *err)
{
    if (conversation_id.len == 0 || str_eq(conversation_id, m->chat_conversation))
        return true;
    m->chat_conversation = conversation_id;
    return chat_set_conversation(db, m->chat_id, conversation_id, err);
}

bool
message_publish(struct db *db, struct message *m, enum message_status from, struct str external_id,
                struct str conversation_id, int64_t posted_at, int64_t now_ms, struct arena *a, struct error *err)
{
    if (!echo_absorb(db, m, external_id, &posted_at, now_ms, a, err))
        return false;
    m->status = STATUS_PUBLISHED;
    m->external_id = external_id;
    m->posted_at = posted_at;
    m->error_message = STR_NONE;
    return chat_touch(db, m->chat_id, (int)from, STATUS_PUBLISHED, 0, posted_at, err)
        && db_exec(db, message_published_sql,
                   DB_ARGS(db_int(m->id), db_int(STATUS_PUBLISHED), db_text(external_id), db_int(posted_at)), NULL, err)
        && message_set_conversation(db, m, conversation_id, err)
        && event_message(db, EVENT_MESSAGE_SENT, m, now_ms, err)
        && message_known(db, m, now_ms, a, err);
}

/* Its echo was here first: there is nothing to do, or it was the echo of something else. */
static bool
message_settle_again(struct db *db, struct message *m, const struct send_result *r, int64_t now_ms, struct arena *a,
                     struct error *err)
{
    struct message now;
    bool found;

    m->status = STATUS_PUBLISHED;
    if (!message_get(db, m->id, a, &now, &found, err))
        return false;
    if (!found)
        return true;
    *m = now;
    if (r->status != STATUS_PUBLISHED)
        return true;
    return message_set_conversation(db, m, r->conversation_id, err)
        && (str_eq(m->external_id, r->external_id) || echo_give_back(db, m, r, now_ms, a, err));
}

/* `m` may be what a transaction that was rolled back made of it, or older than what another did with the row: settled
 * it, or moved it to another chat. */
static bool
message_place(struct db *db, struct message *m, enum message_status *from, bool *found, struct error *err)
{
    struct db_rows rows;

    if (!chat_lock(db, m->chat_id, err) || !db_query(db, message_place_sql, DB_ARGS(db_int(m->id)), &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found) {
        *from = (enum message_status)db_col_int(&rows, 0);
        m->chat_id = db_col_int(&rows, 1);
    }
    return db_finish(&rows, err);
}

bool
message_settle(struct db *db, struct message *m, const struct send_result *r, int64_t now_ms, struct arena *a,
               struct error *err)
{
    enum message_status from = STATUS_NONE;
    bool found;

    if (!message_place(db, m, &from, &found, err))
        return false;
    if (!found)
        return true;
    if (from == STATUS_PUBLISHED)
        return message_settle_again(db, m, r, now_ms, a, err);
    assert(may_become[from][r->status]);
    if (r->status == STATUS_PUBLISHED)
        return message_identify(db, m, r->participant_id, now_ms, a, err)
            && message_publish(db, m, from, r->external_id, r->conversation_id,
                               r->posted_at ? r->posted_at : now_ms, now_ms, a, err);
    m->status = r->status;
    m->error_message = r->error_message;
    return chat_touch(db, m->chat_id, (int)from, (int)r->status, 0, 0, err)
        && db_exec(db, message_unpublished_sql,
                   DB_ARGS(db_int(m->id), db_int(r->status), db_text(r->error_message)), NULL, err)
        && event_message(db, r->status == STATUS_WAITING ? EVENT_MESSAGE_WAITING : EVENT_MESSAGE_FAILED, m, now_ms,
                         err);
}

bool
message_note(struct db *db, struct message *m, const char *key, yyjson_val *value, struct arena *a, struct error *err)
{
    struct error ignored;
    struct buf text;
    struct json w;
    yyjson_val *old = NULL;

    if (m->platform_data.len > 0)
        (void)json_parse(a, m->platform_data, PLATFORM_DATA_DEPTH, &old, &ignored);
    buf_init(&text, 2 * MIB);
    w = (struct json){ .buf = &text };
    json_begin(&w, NULL);
    json_put_others(&w, old, key);
    json_put_val(&w, key, value);
    json_end(&w);
    if (!buf_ok(&text)) {
        buf_deinit(&text);
        return error_set(err, 500, "The message's platform_data has become too large");
    }
    m->platform_data = arena_copy(a, buf_str(&text));
    buf_deinit(&text);
    return db_exec(db, message_platform_data_sql, DB_ARGS(db_int(m->id), db_text(m->platform_data)), NULL, err);
}

bool
message_mark_possible_duplicate(struct db *db, struct message *m, struct arena *a, struct error *err)
{
    yyjson_val *yes;

    return json_parse(a, STR("true"), 1, &yes, err) && message_note(db, m, "possible_duplicate", yes, a, err);
}

bool
message_apply_edit(struct db *db, struct message *m, bool has_body, struct str body, bool has_markup,
                   struct str reply_markup, int64_t edited_at, int64_t now_ms, struct arena *a, struct error *err)
{
    bool found;

    if (!message_hold(db, m, a, &found, err))
        return false;
    if (!found || m->deleted_at != 0)
        return true;
    if (has_body)
        m->body = body;
    if (has_markup)
        m->reply_markup = reply_markup;
    m->edited_at = edited_at;
    return db_exec(db, message_edit_sql,
                   DB_ARGS(db_int(m->id), db_text(m->body), db_text(m->reply_markup), db_int(edited_at)), NULL, err)
        && event_message(db, EVENT_MESSAGE_EDITED, m, now_ms, err);
}
