/* event.c -- see event.h. What an event holds is written here; its number and its row are tail.c's. */
#include "store/event.h"

#include <time.h>

#include "base/clock.h"
#include "store/job.h"
#include "store/tail.h"
#include "store/view.h"
#include "store/webhook.h"

#define EVENT_MAX       (4 * MIB)
#define SHOWN_MAX       80 /* bytes of a wrong value that are worth repeating */
#define SETTLE_TRIES    500
#define SETTLE_PAUSE_MS 10
#define EVENT_COLUMNS   "id, workspace_id, group_id, profile_id, chat_id, type, created_at, data"

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
    [EVENT_WEBHOOK_DISABLED] = "webhook.disabled",
    [EVENT_PING] = "ping",
};

static const char event_get_sql[] = "SELECT " EVENT_COLUMNS " FROM event WHERE id = $1";
static const char event_list_sql[] =
    "SELECT " EVENT_COLUMNS " FROM event WHERE workspace_id = $1 AND id > $2 AND id <= $4 ORDER BY id LIMIT $3";
static const char event_exists_sql[] = "SELECT 1 FROM event WHERE id = $1 AND workspace_id = $2";
static const char event_newest_sql[] =
    "SELECT id FROM event WHERE workspace_id = $1 AND id <= $2 ORDER BY id DESC LIMIT 1";
static const char event_time_sql[] = "SELECT created_at FROM event WHERE id >= $1 ORDER BY id LIMIT 1";
static const char event_prune_sql[] =
    "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < $1 ORDER BY id LIMIT $2)";

static bool
event_type_unknown(struct str name, const char *where, int status, struct error *err)
{
    struct buf names;

    buf_init(&names, KIB);
    for (int i = EVENT_NONE + 1; i < EVENT_PING; i++) {
        buf_append(&names, i > EVENT_NONE + 1 ? STR(", ") : STR(""));
        buf_append(&names, str_of(event_type_names[i]));
    }
    error_set(err, status, "%s: there is no event '%.*s'; there are %.*s", where,
              STR_ARG(str_utf8_cut(name, SHOWN_MAX)), STR_ARG(buf_str(&names)));
    buf_deinit(&names);
    return false;
}

bool
event_type_read(struct str name, const char *where, int status, enum event_type *out, struct error *err)
{
    for (int i = EVENT_NONE + 1; i < EVENT_PING; i++)
        if (str_eq(name, str_of(event_type_names[i]))) {
            *out = (enum event_type)i;
            return true;
        }
    return event_type_unknown(name, where, status, err);
}

/* All but the data, which is left where it is until somebody wants it. */
static void
event_head_from_row(struct db_rows *rows, struct event *out)
{
    *out = (struct event){
        .id           = db_col_int(rows, 0),
        .workspace_id = db_col_int(rows, 1),
        .group_id     = db_col_int(rows, 2),
        .profile_id   = db_col_int(rows, 3),
        .chat_id      = db_col_int(rows, 4),
        .type         = (enum event_type)db_col_int(rows, 5),
        .created_at   = db_col_int(rows, 6),
    };
}

static struct str
event_data_of_row(struct db_rows *rows, struct arena *a)
{
    return db_col_text(rows, 7, a);
}

static bool
event_add(struct db *db, const struct event *e, struct buf *data, int64_t now_ms, struct error *err)
{
    struct event told = *e;

    if (!buf_ok(data))
        return error_set(err, 500, "An event of type %s would be larger than %zu bytes", event_type_names[e->type],
                         EVENT_MAX);
    told.data = arena_copy(db_memory(db), buf_str(data));
    told.created_at = now_ms;
    tail_event(db, &told);
    db_signal(db, TOPIC_EVENTS, e->workspace_id);
    return true;
}

bool
event_message(struct db *db, enum event_type type, const struct message *m, int64_t now_ms, struct error *err)
{
    struct event e = { .workspace_id = m->workspace_id, .profile_id = m->profile_id, .chat_id = m->chat_id,
                       .type = type };
    struct buf data;
    bool ok;

    buf_init(&data, EVENT_MAX);
    view_message(&(struct json){ .buf = &data }, NULL, m);
    ok = event_add(db, &e, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

bool
event_reaction(struct db *db, const struct message *m, const struct reaction *r, int64_t now_ms, struct error *err)
{
    struct event e = { .workspace_id = m->workspace_id, .profile_id = m->profile_id, .chat_id = m->chat_id,
                       .type = EVENT_REACTION };
    struct buf data;
    struct json w = { .buf = &data };
    bool ok;

    buf_init(&data, EVENT_MAX);
    json_begin(&w, NULL);
    view_message(&w, "message", m);
    json_put_str(&w, "sender_external_id", r->sender);
    json_put_str(&w, "action", r->is_removed ? STR("unreact") : STR("react"));
    json_put_str(&w, "reaction", r->reaction);
    json_put_str(&w, "emoji", r->emoji);
    json_put_time(&w, "occurred_at", r->at_ms);
    json_end(&w);
    ok = event_add(db, &e, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

bool
event_referral(struct db *db, const struct chat *c, struct str referral, int64_t at_ms, int64_t now_ms,
               struct arena *a, struct error *err)
{
    struct event e = { .workspace_id = c->workspace_id, .profile_id = c->profile_id, .chat_id = c->id,
                       .type = EVENT_REFERRAL };
    struct error ignored;
    struct buf data;
    struct json w = { .buf = &data };
    yyjson_val *from = NULL;
    bool ok;

    (void)json_parse(a, referral, JSON_DEPTH_MAX, &from, &ignored);
    buf_init(&data, EVENT_MAX);
    json_begin(&w, NULL);
    view_chat(&w, "chat", c);
    json_put_str(&w, "ref", json_str(from, "ref"));
    json_put_str(&w, "source", json_str(from, "source"));
    json_put_str(&w, "type", json_str(from, "type"));
    json_put_time(&w, "received_at", at_ms);
    json_end(&w);
    ok = event_add(db, &e, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

bool
event_comment(struct db *db, const struct comment *c, int64_t now_ms, struct error *err)
{
    struct event e = { .workspace_id = c->workspace_id, .profile_id = c->profile_id, .type = EVENT_COMMENT };
    struct buf data;
    bool ok;

    buf_init(&data, EVENT_MAX);
    view_comment_event(&(struct json){ .buf = &data }, NULL, c);
    ok = event_add(db, &e, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

bool
event_profile(struct db *db, enum event_type type, const struct profile *p, int64_t now_ms, struct error *err)
{
    struct event e = { .workspace_id = p->workspace_id, .profile_id = p->id, .type = type };
    struct buf data;
    struct json w = { .buf = &data };
    bool ok;

    buf_init(&data, EVENT_MAX);
    json_begin(&w, NULL);
    view_id(&w, "id", ID_PROFILE, p->id);
    json_put_str(&w, "name", p->name);
    json_put_str(&w, "platform", str_of(p->platform->name));
    view_id(&w, "profile_group_id", ID_GROUP, p->group_id);
    json_put_str(&w, "status", str_of(profile_status_names[p->status]));
    json_put_str(&w, "uid", p->external_id);
    json_put_str(&w, "username", p->username);
    json_end(&w);
    ok = event_add(db, &e, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

bool
event_webhook_disabled(struct db *db, const struct webhook *w, int64_t now_ms, struct error *err)
{
    struct event e = { .workspace_id = w->workspace_id, .type = EVENT_WEBHOOK_DISABLED };
    struct buf data;
    struct json j = { .buf = &data };
    bool ok;

    buf_init(&data, EVENT_MAX);
    json_begin(&j, NULL);
    view_id(&j, "id", ID_WEBHOOK, w->id);
    json_put_str(&j, "url", w->url);
    json_put_str(&j, "disabled_reason", w->disabled_reason);
    json_end(&j);
    ok = event_add(db, &e, &data, now_ms, err);
    buf_deinit(&data);
    return ok;
}

/* Published clients read data.message, the newer reference reads data.object; and where the members
 * themselves are the data, an `object` with the same members stands beside them. */
static void
event_write_data(struct json *w, const struct event *e)
{
    struct str inside = str_slice(e->data, 1, e->data.len >= 2 ? e->data.len - 2 : 0);

    if (e->type >= EVENT_MESSAGE_RECEIVED && e->type <= EVENT_MESSAGE_FAILED) {
        json_begin(w, "data");
        json_put_raw(w, "message", e->data);
        json_put_raw(w, "object", e->data);
        json_end(w);
        return;
    }
    if (e->type == EVENT_REFERRAL) {
        json_begin(w, "data");
        json_put_raw(w, "object", e->data);
        json_end(w);
        return;
    }
    json_begin(w, "data");
    if (inside.len > 0) {
        buf_append(w->buf, inside); /* the members of the object, behind which `object` follows */
        w->comma = true;
    }
    json_put_raw(w, "object", e->data);
    json_end(w);
}

void
event_write(struct buf *out, const struct event *e)
{
    struct json w = { .buf = out };

    json_begin(&w, NULL);
    view_id(&w, "id", ID_EVENT, e->id);
    json_put_str(&w, "object", STR("event"));
    json_put_str(&w, "type", str_of(event_type_names[e->type]));
    json_put_time(&w, "created_at", e->created_at);
    event_write_data(&w, e);
    json_end(&w);
}

bool
event_get(struct db *db, int64_t id, struct arena *a, struct event *out, bool *found, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, event_get_sql, DB_ARGS(db_int(id)), &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found) {
        event_head_from_row(&rows, out);
        out->data = event_data_of_row(&rows, a);
    }
    return db_finish(&rows, err);
}

bool
event_matches(const struct event_filter *f, const struct event *e)
{
    return (f->types == 0 || (f->types & (INT64_C(1) << e->type)) != 0)
        && (f->profile_id == 0 || f->profile_id == e->profile_id)
        && (f->chat_id == 0 || f->chat_id == e->chat_id)
        && (f->group_id == 0 || f->group_id == e->group_id);
}

bool
event_list(struct db *db, int64_t workspace_id, const struct event_filter *f, int64_t after, int64_t until, size_t look,
           size_t max, size_t bytes, struct arena *a, struct event_page *out, struct error *err)
{
    size_t looked = 0, size = 0;
    struct db_rows rows;
    struct event *e;

    *out = (struct event_page){ .events = arena_array(a, struct event, max), .last = after };
    if (!db_query(db, event_list_sql,
                  DB_ARGS(db_int(workspace_id), db_int(after), db_int((int64_t)look), db_int(until)), &rows, err))
        return false;
    while (out->count < max && size < bytes && db_next(&rows)) {
        e = &out->events[out->count];
        event_head_from_row(&rows, e);
        out->last = e->id;
        looked++;
        if (!event_matches(f, e))
            continue;
        e->data = event_data_of_row(&rows, a);
        size += e->data.len;
        out->count++;
    }
    out->more = looked == look || out->count == max || size >= bytes;
    return db_finish(&rows, err);
}

bool
event_exists(struct db *db, int64_t workspace_id, int64_t id, bool *out, struct error *err)
{
    int64_t one;

    return db_get_int(db, event_exists_sql, DB_ARGS(db_int(id), db_int(workspace_id)), &one, out, err);
}

bool
event_newest(struct db *db, int64_t workspace_id, int64_t until, int64_t *out, struct error *err)
{
    *out = 0;
    return db_get_int(db, event_newest_sql, DB_ARGS(db_int(workspace_id), db_int(until)), out, NULL, err);
}

bool
event_settled(struct db *db, int64_t wanted, int64_t *out, bool *held, struct error *err)
{
    return db_settled(db, &event_series, wanted, out, held, err);
}

static bool
event_look(void *arg, struct db *db, struct error *err)
{
    int64_t settled;
    bool held;

    (void)arg;
    return event_settled(db, 0, &settled, &held, err);
}

bool
event_find_settled(struct db_engine *e, struct error *err)
{
    const struct timespec pause = { .tv_nsec = SETTLE_PAUSE_MS * 1000000L };

    for (int i = 0; i < SETTLE_TRIES; i++) {
        if (db_run(e, DB_READ, event_look, NULL, err))
            return true;
        nanosleep(&pause, NULL);
    }
    return false; /* not reached: it takes a database that gives no answer for five seconds */
}

/* The moment goes up with the number, but for what clocks differ by: halving the numbers finds the place. */
bool
event_first_since(struct db *db, int64_t since_ms, int64_t *out, struct error *err)
{
    int64_t low = 0, high = 0, at_ms;
    bool found;

    if (!db_get_int(db, event_series.newest_sql, DB_NO_ARGS, &high, NULL, err))
        return false;
    high++;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (!db_get_int(db, event_time_sql, DB_ARGS(db_int(middle)), &at_ms, &found, err))
            return false;
        if (!found || at_ms >= since_ms)
            high = middle;
        else
            low = middle + 1;
    }
    *out = low;
    return true;
}

bool
event_prune(struct db *db, int64_t older_than_ms, int limit, int64_t *removed, struct error *err)
{
    int64_t first, at_ms = older_than_ms;

    *removed = 0;
    if (!db_get_int(db, event_time_sql, DB_ARGS(db_int(0)), &at_ms, NULL, err))
        return false;
    return at_ms >= older_than_ms
        || (event_first_since(db, older_than_ms, &first, err)
            && db_exec(db, event_prune_sql, DB_ARGS(db_int(first), db_int(limit)), removed, err));
}
