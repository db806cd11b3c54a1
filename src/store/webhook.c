/* webhook.c -- the endpoints themselves, see webhook.h. */
#include "store/webhook.h"

#include <assert.h>
#include <stddef.h>

#include "base/array.h"
#include "base/config.h"
#include "base/id.h"
#include "base/random.h"

#define SECRET_BYTES  32

#define WEBHOOK_COLUMNS                                                                                      \
    "id, workspace_id, group_id, url, description, events, event_names, enabled, disabled_reason,"            \
    " concurrency, secret, old_secret, old_secret_until, failing_since, created_at, updated_at, queued_from,"  \
    " deliveries_count"

static const char webhook_insert_sql[] =
    "INSERT INTO webhook (id, workspace_id, group_id, url, description, events, event_names, enabled, concurrency,"
    " secret, queued_from, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $1, $11, $11)";
static const char webhook_count_sql[] = "SELECT COUNT(*) FROM webhook WHERE workspace_id = $1";
static const char webhook_find_sql[] =
    "SELECT " WEBHOOK_COLUMNS " FROM webhook WHERE id = $1 AND workspace_id = $2 AND ($3 = 0 OR group_id = $3)";
static const char webhook_get_sql[] = "SELECT " WEBHOOK_COLUMNS " FROM webhook WHERE id = $1";
static const char webhook_list_sql[] =
    "SELECT " WEBHOOK_COLUMNS " FROM webhook WHERE workspace_id = $1 AND ($2 = 0 OR group_id = $2) ORDER BY id";
static const char webhook_newest_job_sql[] =
    "SELECT id FROM job WHERE lane_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1";
static const char webhook_update_sql[] =
    "UPDATE webhook SET url = $2, description = $3, events = $4, event_names = $5, enabled = $6, concurrency = $7,"
    " disabled_reason = $8, failing_since = $9, queued_from = $10, updated_at = $11 WHERE id = $1";
static const char webhook_delete_sql[] = "DELETE FROM webhook WHERE id = $1";
static const char webhook_rotate_sql[] =
    "UPDATE webhook SET old_secret = CASE WHEN $2 = 0 THEN NULL ELSE secret END, old_secret_until = $2, secret = $3,"
    " updated_at = $4 WHERE id = $1";

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
        .event_names      = db_col_text(rows, 6, a),
        .enabled          = db_col_int(rows, 7) != 0,
        .disabled_reason  = db_col_text(rows, 8, a),
        .concurrency      = (int)db_col_int(rows, 9),
        .old_secret_until = db_col_int(rows, 12),
        .failing_since    = db_col_int(rows, 13),
        .created_at       = db_col_int(rows, 14),
        .updated_at       = db_col_int(rows, 15),
        .queued_from      = db_col_int(rows, 16),
        .deliveries_count = db_col_int(rows, 17),
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

struct str
webhook_new_secret(struct arena *a)
{
    unsigned char bytes[SECRET_BYTES];
    struct buf text;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, 128);
    buf_append(&text, STR("whsec_"));
    base64_encode(&text, (struct str){ (const char *)bytes, sizeof(bytes) });
    return arena_take(a, &text);
}

bool
webhook_create(struct db *db, const struct scope *s, struct webhook *w, int64_t now_ms, struct arena *a,
               struct error *err)
{
    int64_t count = 0;
    struct buf sealed;
    bool ok;

    if (!db_get_int(db, webhook_count_sql, DB_ARGS(db_int(s->workspace_id)), &count, NULL, err))
        return false;
    if (count >= WEBHOOKS_MAX)
        return error_set(err, 422, "There are %d webhooks already, which is as many as there can be", WEBHOOKS_MAX);
    w->id = w->queued_from = id_generate(now_ms);
    w->workspace_id = s->workspace_id;
    w->group_id = s->group_id;
    w->secret = webhook_new_secret(a);
    w->created_at = w->updated_at = now_ms;
    buf_init(&sealed, KIB);
    seal(&config.keys, str_of(secret_context), w->secret, &sealed);
    ok = db_exec(db, webhook_insert_sql,
                 DB_ARGS(db_int(w->id), db_int(w->workspace_id), db_int(w->group_id), db_text(w->url),
                         db_text(w->description), db_int(w->events), db_text(w->event_names), db_int(w->enabled),
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

struct webhook
webhook_copy(const struct webhook *w, struct arena *a)
{
    struct webhook copy = *w;

    static_assert(offsetof(struct webhook, events) - offsetof(struct webhook, url) == sizeof(w->texts)
                  && offsetof(struct webhook, old_secret) + sizeof(w->old_secret)
                         == offsetof(struct webhook, texts) + sizeof(w->texts), "`texts` is all texts");
    for (size_t i = 0; i < COUNT(w->texts); i++)
        copy.texts[i] = arena_copy(a, w->texts[i]);
    return copy;
}

bool
webhook_list(struct db *db, const struct scope *s, struct arena *a, struct webhook **out, size_t *n, struct error *err)
{
    return webhook_read(db, webhook_list_sql, DB_ARGS(db_int(s->workspace_id), db_int(s->group_id)), a, out, n, err);
}

/* From here on, above all there are: some may be from processes whose clocks are ahead. */
static bool
webhook_void(struct db *db, struct webhook *w, int64_t now_ms, struct error *err)
{
    int64_t newest = 0;

    if (!db_get_int(db, webhook_newest_job_sql, DB_ARGS(db_int(w->id), db_int(JOB_DELIVER)), &newest, NULL, err))
        return false;
    id_stay_above(newest);
    w->queued_from = id_generate(now_ms);
    return true;
}

bool
webhook_update(struct db *db, struct webhook *w, const struct webhook *before, int64_t now_ms, struct error *err)
{
    bool disabled = before->enabled && !w->enabled;

    w->updated_at = now_ms;
    if (w->enabled)
        w->disabled_reason = STR_NONE;
    if (w->enabled != before->enabled || !str_eq(w->url, before->url))
        w->failing_since = 0;
    if (disabled && !webhook_void(db, w, now_ms, err))
        return false;
    if (!db_exec(db, webhook_update_sql,
                 DB_ARGS(db_int(w->id), db_text(w->url), db_text(w->description), db_int(w->events),
                         db_text(w->event_names), db_int(w->enabled), db_int(w->concurrency),
                         db_text(w->disabled_reason), db_int(w->failing_since), db_int(w->queued_from),
                         db_int(now_ms)),
                 NULL, err))
        return false;
    db_signal(db, TOPIC_LANE, w->id); /* its concurrency may be another now */
    return !disabled || webhook_sweep(db, w->id, now_ms, err);
}

bool
webhook_delete(struct db *db, const struct webhook *w, int64_t now_ms, struct error *err)
{
    return db_exec(db, webhook_delete_sql, DB_ARGS(db_int(w->id)), NULL, err)
        && webhook_sweep(db, w->id, now_ms, err);
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
webhook_disable(struct db *db, int64_t id, struct str reason, int64_t now_ms, struct error *err)
{
    struct webhook w, before;
    struct arena a;
    bool found, ok;

    arena_init(&a);
    ok = webhook_get(db, id, &a, &w, &found, err);
    if (ok && found && w.enabled) {
        before = w;
        w.enabled = false;
        w.disabled_reason = reason;
        ok = webhook_update(db, &w, &before, now_ms, err) && event_webhook_disabled(db, &w, now_ms, err);
    }
    arena_deinit(&a);
    return ok;
}
