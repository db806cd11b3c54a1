#include "store/webhook.h"

#include "base/config.h"
#include "base/id.h"
#include "base/random.h"

#define SECRET_BYTES  32
#define REPLAY_PIECE  500

#define WEBHOOK_COLUMNS                                                                                   \
    "id, workspace_id, group_id, url, description, events, all_events, enabled, disabled_reason,"         \
    " concurrency, secret, old_secret, old_secret_until, failing_since, created_at, updated_at"

static const char webhook_insert_sql[] =
    "INSERT INTO webhook (id, workspace_id, group_id, url, description, events, all_events, enabled, concurrency,"
    " secret, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)";
static const char webhook_find_sql[] =
    "SELECT " WEBHOOK_COLUMNS " FROM webhook WHERE id = $1 AND workspace_id = $2 AND ($3 = 0 OR group_id = $3)";
static const char webhook_get_sql[] = "SELECT " WEBHOOK_COLUMNS " FROM webhook WHERE id = $1";
static const char webhook_list_sql[] =
    "SELECT " WEBHOOK_COLUMNS " FROM webhook WHERE workspace_id = $1 AND ($2 = 0 OR group_id = $2) ORDER BY id";
static const char webhook_update_sql[] =
    "UPDATE webhook SET url = $2, description = $3, events = $4, all_events = $5, enabled = $6, concurrency = $7,"
    " disabled_reason = $8, failing_since = $9, updated_at = $10 WHERE id = $1";
static const char webhook_delete_sql[] = "DELETE FROM webhook WHERE id = $1";
static const char webhook_forget_log_sql[] = "DELETE FROM delivery WHERE webhook_id = $1";
static const char webhook_rotate_sql[] =
    "UPDATE webhook SET old_secret = CASE WHEN $2 = 0 THEN NULL ELSE secret END, old_secret_until = $2, secret = $3,"
    " updated_at = $4 WHERE id = $1";
static const char webhook_success_sql[] = "UPDATE webhook SET failing_since = 0 WHERE id = $1 AND failing_since <> 0";
static const char webhook_failure_sql[] = "UPDATE webhook SET failing_since = $2 WHERE id = $1 AND failing_since = 0";
static const char webhook_listening_sql[] =
    "SELECT id, events FROM webhook WHERE workspace_id = $1 AND enabled = 1 AND (group_id = 0 OR group_id ="
    " (SELECT group_id FROM profile WHERE profile.id = $2))";

static const char secret_context[] = "webhook.secret";

/* ---- endpoints ---- */

static bool
webhook_unseal(struct str sealed, struct arena *a, struct str *out, struct error *err)
{
    struct secret plain = { 0 };

    *out = STR_NONE;
    if (sealed.len == 0)
        return true;
    if (!unseal(&config.keys, str_of(secret_context), sealed, &plain))
        return error_set(err, 500, "A webhook's secret cannot be opened with this PARLEY_SECRET_KEY");
    *out = arena_copy(a, secret_str(&plain));
    secret_wipe(&plain);
    return true;
}

static bool
webhook_from_row(struct db_rows *rows, struct arena *a, struct webhook *out, struct error *err)
{
    *out = (struct webhook){
        .id               = db_col_int(rows, 0),
        .workspace_id     = db_col_int(rows, 1),
        .group_id         = db_col_int(rows, 2),
        .url              = db_col_text(rows, 3, a),
        .description      = db_col_text(rows, 4, a),
        .events           = db_col_int(rows, 5),
        .all_events       = db_col_int(rows, 6) != 0,
        .enabled          = db_col_int(rows, 7) != 0,
        .disabled_reason  = db_col_text(rows, 8, a),
        .concurrency      = (int)db_col_int(rows, 9),
        .old_secret_until = db_col_int(rows, 12),
        .failing_since    = db_col_int(rows, 13),
        .created_at       = db_col_int(rows, 14),
        .updated_at       = db_col_int(rows, 15),
    };
    return webhook_unseal(db_col_peek(rows, 10), a, &out->secret, err)
        && webhook_unseal(db_col_peek(rows, 11), a, &out->old_secret, err);
}

static bool
webhook_read(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
             struct webhook **out, size_t *n, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;
    bool ok = true;

    *n = 0;
    *out = NULL;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (ok && db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        ok = webhook_from_row(&rows, a, &(*out)[(*n)++], err);
    }
    return db_finish(&rows, ok ? err : &(struct error){ 0 }) && ok;
}

static struct str
webhook_new_secret(struct arena *a)
{
    unsigned char bytes[SECRET_BYTES];
    struct buf text;
    struct str out;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, 128);
    buf_append(&text, STR("whsec_"));
    base64_encode(&text, (struct str){ (const char *)bytes, sizeof(bytes) });
    out = arena_copy(a, buf_str(&text));
    buf_deinit(&text);
    return out;
}

bool
webhook_create(struct db *db, const struct scope *s, struct webhook *w, int64_t now_ms, struct arena *a,
               struct error *err)
{
    struct buf sealed;
    bool ok;

    w->id = id_generate(now_ms);
    w->workspace_id = s->workspace_id;
    w->group_id = s->group_id;
    w->secret = webhook_new_secret(a);
    w->created_at = w->updated_at = now_ms;
    buf_init(&sealed, KIB);
    seal(&config.keys, str_of(secret_context), w->secret, &sealed);
    ok = db_exec(db, webhook_insert_sql,
                 DB_ARGS(db_int(w->id), db_int(w->workspace_id), db_int(w->group_id), db_text(w->url),
                         db_text(w->description), db_int(w->events), db_int(w->all_events), db_int(w->enabled),
                         db_int(w->concurrency), db_blob(buf_str(&sealed)), db_int(now_ms)),
                 NULL, err);
    buf_deinit(&sealed);
    return ok;
}

bool
webhook_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct webhook *out,
             struct error *err)
{
    struct webhook *found;
    int64_t key;
    size_t n = 0;

    if (id_parse(ID_WEBHOOK, id, &key)
        && !webhook_read(db, webhook_find_sql, DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)), a,
                         &found, &n, err))
        return false;
    if (n == 0)
        return error_set(err, 404, "There is no webhook '%.*s'", STR_ARG(str_slice(id, 0, 80)));
    *out = found[0];
    return true;
}

bool
webhook_get(struct db *db, int64_t id, struct arena *a, struct webhook *out, bool *found, struct error *err)
{
    struct webhook *list;
    size_t n;

    if (!webhook_read(db, webhook_get_sql, DB_ARGS(db_int(id)), a, &list, &n, err))
        return false;
    *found = n == 1;
    if (*found)
        *out = list[0];
    return true;
}

bool
webhook_list(struct db *db, const struct scope *s, struct arena *a, struct webhook **out, size_t *n, struct error *err)
{
    return webhook_read(db, webhook_list_sql, DB_ARGS(db_int(s->workspace_id), db_int(s->group_id)), a, out, n, err);
}

bool
webhook_update(struct db *db, struct webhook *w, bool was_enabled, int64_t now_ms, struct error *err)
{
    w->updated_at = now_ms;
    if (w->enabled && !was_enabled) {
        w->disabled_reason = STR_NONE;
        w->failing_since = 0;
    }
    if (!db_exec(db, webhook_update_sql,
                 DB_ARGS(db_int(w->id), db_text(w->url), db_text(w->description), db_int(w->events),
                         db_int(w->all_events), db_int(w->enabled), db_int(w->concurrency),
                         db_text(w->disabled_reason), db_int(w->failing_since), db_int(now_ms)),
                 NULL, err))
        return false;
    db_signal(db, TOPIC_LANE, w->id); /* its concurrency may be another now */
    return w->enabled || job_drop_lane(db, w->id, err);
}

bool
webhook_delete(struct db *db, const struct webhook *w, struct error *err)
{
    return job_drop_lane(db, w->id, err)
        && db_exec(db, webhook_forget_log_sql, DB_ARGS(db_int(w->id)), NULL, err)
        && db_exec(db, webhook_delete_sql, DB_ARGS(db_int(w->id)), NULL, err);
}

bool
webhook_rotate(struct db *db, struct webhook *w, int64_t overlap_ms, int64_t now_ms, struct arena *a,
               struct error *err)
{
    struct buf sealed;
    bool ok;

    w->old_secret = overlap_ms > 0 ? w->secret : STR_NONE;
    w->old_secret_until = overlap_ms > 0 ? now_ms + overlap_ms : 0;
    w->secret = webhook_new_secret(a);
    w->updated_at = now_ms;
    buf_init(&sealed, KIB);
    seal(&config.keys, str_of(secret_context), w->secret, &sealed);
    ok = db_exec(db, webhook_rotate_sql,
                 DB_ARGS(db_int(w->id), db_int(w->old_secret_until), db_blob(buf_str(&sealed)), db_int(now_ms)), NULL,
                 err);
    buf_deinit(&sealed);
    return ok;
}

bool
webhook_disable(struct db *db, struct webhook *w, struct str reason, int64_t now_ms, struct error *err)
{
    if (!w->enabled)
        return true;
    w->enabled = false;
    w->disabled_reason = reason;
    return webhook_update(db, w, true, now_ms, err) && event_webhook_disabled(db, w, now_ms, err);
}

bool
webhook_note_success(struct db *db, const struct webhook *w, struct error *err)
{
    return w->failing_since == 0 || db_exec(db, webhook_success_sql, DB_ARGS(db_int(w->id)), NULL, err);
}

bool
webhook_note_failure(struct db *db, const struct webhook *w, int64_t now_ms, struct error *err)
{
    return w->failing_since != 0
        || db_exec(db, webhook_failure_sql, DB_ARGS(db_int(w->id), db_int(now_ms)), NULL, err);
}

/* ---- fan-out ---- */

/* What keeps one chat's events in order on their way to one endpoint: the queue their jobs share. Negative, so that no chat's own
 * queue of sends is hit; two pairs meeting in one number would only wait for each other. */
static int64_t
delivery_queue(int64_t webhook_id, const struct event *e)
{
    uint64_t x = (uint64_t)webhook_id * UINT64_C(0x9E3779B97F4A7C15);

    x ^= (uint64_t)(e->chat_id ? e->chat_id : e->profile_id ? e->profile_id : e->workspace_id);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return -(int64_t)((x ^ (x >> 31)) >> 1) - 1;
}

static bool
delivery_add(struct db *db, int64_t webhook_id, const struct event *e, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_DELIVER, .lane_id = webhook_id, .queue_id = delivery_queue(webhook_id, e),
                       .record_id = e->id, .due_at = now_ms };

    return job_add(db, &job, now_ms, err);
}

bool
webhook_fan_out(struct db *db, const struct event *e, int64_t now_ms, struct error *err)
{
    int64_t *ids = NULL;
    size_t n = 0, cap = 0;
    struct db_rows rows;
    struct arena a;
    bool ok;

    arena_init(&a);
    ok = db_query(db, webhook_listening_sql, DB_ARGS(db_int(e->workspace_id), db_int(e->profile_id)), &rows, err);
    while (ok && db_next(&rows)) {
        if ((db_col_int(&rows, 1) & (INT64_C(1) << e->type)) == 0)
            continue;
        ids = arena_more(&a, ids, n, &cap, sizeof(*ids));
        ids[n++] = db_col_int(&rows, 0);
    }
    ok = ok && db_finish(&rows, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = delivery_add(db, ids[i], e, now_ms, err);
    arena_deinit(&a);
    return ok;
}

/* ---- replay ---- */

bool
webhook_replay_events(struct db *db, const struct webhook *w, const int64_t *ids, size_t n, int64_t now_ms,
                      struct error *err)
{
    struct arena a;
    struct event e;
    char text[ID_TEXT_MAX];
    bool found, ok = true;

    arena_init(&a);
    for (size_t i = 0; ok && i < n; i++) {
        ok = event_get(db, ids[i], &a, &e, &found, err);
        if (ok && (!found || e.workspace_id != w->workspace_id))
            ok = error_set(err, 404, "There is no event '%s'; events are kept for a limited time",
                           id_format(ID_EVENT, ids[i], text));
        ok = ok && delivery_add(db, w->id, &e, now_ms, err);
        arena_reset(&a);
    }
    arena_deinit(&a);
    return ok;
}

bool
webhook_replay_since(struct db *db, const struct webhook *w, int64_t since_ms, int64_t now_ms, struct error *err)
{
    struct arena a;
    struct job job = { .kind = JOB_REPLAY, .lane_id = w->id, .record_id = w->id, .due_at = now_ms };
    bool ok;

    arena_init(&a);
    job.payload = arena_printf(&a, "%lld,%lld", (long long)(id_first_at(since_ms) - 1), (long long)id_generate(now_ms));
    ok = job_add(db, &job, now_ms, err);
    arena_deinit(&a);
    return ok;
}

bool
webhook_replay_some(struct db *db, const struct webhook *w, int64_t after, int64_t until, int64_t now_ms,
                    int64_t *last, struct error *err)
{
    const struct event_filter filter = { .types = w->events, .group_id = w->group_id };
    struct arena a;
    struct event *events;
    size_t n;
    bool ok;

    arena_init(&a);
    ok = event_list(db, w->workspace_id, &filter, after, REPLAY_PIECE, REPLAY_PIECE, &a, &events, &n, last, err);
    for (size_t i = 0; ok && i < n && events[i].id <= until; i++)
        ok = delivery_add(db, w->id, &events[i], now_ms, err);
    if (*last == after || *last >= until)
        *last = 0;
    arena_deinit(&a);
    return ok;
}
