#include "store/event.h"

#include "base/id.h"
#include "store/job.h"
#include "store/view.h"

#define EVENT_MAX (4 * MIB)

const char *const event_type_names[EVENT_TYPES] = {
    [EVENT_MESSAGE_RECEIVED] = "message.received",
    [EVENT_MESSAGE_SENT] = "message.sent",
    [EVENT_MESSAGE_DELIVERED] = "message.delivered",
    [EVENT_MESSAGE_READ] = "message.read",
    [EVENT_MESSAGE_EDITED] = "message.edited",
    [EVENT_MESSAGE_DELETED] = "message.deleted",
    [EVENT_MESSAGE_WAITING] = "message.failed_waiting_for_retry",
    [EVENT_MESSAGE_FAILED] = "message.failed",
    [EVENT_REACTION] = "reaction.received",
    [EVENT_COMMENT] = "comment.created",
    [EVENT_PROFILE_CONNECTED] = "profile.connected",
    [EVENT_PROFILE_DISCONNECTED] = "profile.disconnected",
    [EVENT_REFERRAL] = "referral.received",
};

static const char event_insert_sql[] =
    "INSERT INTO event (id, workspace_id, profile_id, chat_id, type, data, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)";

static bool
event_add(struct db *db, enum event_type type, int64_t workspace_id, int64_t profile_id, int64_t chat_id,
          struct buf *data, int64_t now_ms, struct error *err)
{
    if (!buf_ok(data))
        return error_set(err, 500, "An event of type %s would be larger than %zu bytes", event_type_names[type],
                         EVENT_MAX);
    if (!db_exec(db, event_insert_sql,
                 DB_ARGS(db_int(id_generate(now_ms)), db_int(workspace_id), db_int(profile_id), db_int(chat_id),
                         db_int(type), db_text(buf_str(data)), db_int(now_ms)),
                 NULL, err))
        return false;
    db_signal(db, TOPIC_EVENTS, workspace_id);
    return true;
}

bool
event_message(struct db *db, enum event_type type, const struct message *m, int64_t now_ms, struct error *err)
{
    struct buf data;
    bool ok;

    buf_init(&data, EVENT_MAX);
    view_message(&(struct json){ .buf = &data }, NULL, m);
    ok = event_add(db, type, m->workspace_id, m->profile_id, m->chat_id, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

bool
event_profile(struct db *db, enum event_type type, const struct profile *p, int64_t now_ms, struct error *err)
{
    struct buf data;
    struct json w = { .buf = &data };
    char id[ID_TEXT_MAX], group[ID_TEXT_MAX];
    bool ok;

    buf_init(&data, EVENT_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "id", str_of(id_format(ID_PROFILE, p->id, id)));
    json_put_str(&w, "name", p->name);
    json_put_str(&w, "platform", str_of(p->platform->name));
    json_put_str(&w, "profile_group_id", str_of(id_format(ID_GROUP, p->group_id, group)));
    json_put_str(&w, "status", str_of(profile_status_names[p->status]));
    json_put_str(&w, "uid", p->external_id);
    json_put_str(&w, "username", p->username);
    json_end(&w);
    ok = event_add(db, type, p->workspace_id, p->id, 0, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}
