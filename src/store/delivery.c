/* delivery.c -- the log of deliveries (webhook.h). */
#include "base/id.h"
#include "base/map.h"
#include "store/webhook.h"

#define DELIVERY_COLUMNS                                                                                     \
    "id, webhook_id, event_id, event_type, response_status, attempt_number, success, attempted_at,"          \
    " created_at, duration_ms, error, response_body"

static const char delivery_insert_sql[] =
    "INSERT INTO delivery (" DELIVERY_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
static const char delivery_update_sql[] =
    "UPDATE delivery SET response_status = $2, attempt_number = $3, success = $4, attempted_at = $5,"
    " duration_ms = $6, error = $7, response_body = $8 WHERE id = $1";
static const char delivery_count_sql[] =
    "UPDATE webhook SET deliveries_count = deliveries_count + $2,"
    " failing_since = CASE WHEN $3 = 0 THEN 0 WHEN failing_since = 0 THEN $3 ELSE failing_since END"
    " WHERE id = $1";
static const char delivery_state_sql[] = "SELECT enabled, url, failing_since FROM webhook WHERE id = $1";
static const char delivery_list_sql[] =
    "SELECT " DELIVERY_COLUMNS ", (SELECT due_at FROM job WHERE job.id = delivery.id) FROM delivery"
    " WHERE webhook_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3";
static const char delivery_prune_sql[] =
    "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE id < $1 ORDER BY id LIMIT $2)"
    " RETURNING webhook_id";
static const char delivery_forget_sql[] =
    "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE webhook_id = $1 LIMIT $2)";
static const char delivery_uncount_sql[] =
    "UPDATE webhook SET deliveries_count = deliveries_count - $2 WHERE id = $1";

static bool
delivery_write_again(struct db *db, const struct delivery *d, bool *written, struct error *err)
{
    int64_t changed = 0;

    if (d->attempt_number > 1
        && !db_exec(db, delivery_update_sql,
                    DB_ARGS(db_int(d->id), db_int(d->response_status), db_int(d->attempt_number), db_int(d->success),
                            db_int(d->attempted_at), db_int(d->duration_ms), db_text(d->error),
                            db_text(d->response_body)),
                    &changed, err))
        return false;
    *written = changed > 0;
    return true;
}

static bool
delivery_judge(struct db *db, const struct delivery *d, bool counts, int64_t now_ms, struct arena *a,
               struct delivery_state *out, struct error *err)
{
    struct db_rows rows;

    *out = (struct delivery_state){ .found = false };
    if (!db_exec(db, delivery_count_sql,
                 DB_ARGS(db_int(d->webhook_id), db_int(counts), db_int(d->success ? 0 : now_ms)), NULL, err)
        || !db_query(db, delivery_state_sql, DB_ARGS(db_int(d->webhook_id)), &rows, err))
        return false;
    if (db_next(&rows))
        *out = (struct delivery_state){ .found = true, .enabled = db_col_int(&rows, 0) != 0,
                                        .url = db_col_text(&rows, 1, a), .failing_since = db_col_int(&rows, 2) };
    return db_finish(&rows, err);
}

bool
delivery_log(struct db *db, const struct delivery *d, int64_t now_ms, struct arena *a, struct delivery_state *out,
             struct error *err)
{
    bool written;

    if (!delivery_write_again(db, d, &written, err) || !delivery_judge(db, d, !written, now_ms, a, out, err))
        return false;
    if (written || !out->found)
        return true;
    return db_exec(db, delivery_insert_sql,
                   DB_ARGS(db_int(d->id), db_int(d->webhook_id), db_int(d->event_id), db_int(d->event_type),
                           db_int(d->response_status), db_int(d->attempt_number), db_int(d->success),
                           db_int(d->attempted_at), db_int(d->created_at), db_int(d->duration_ms), db_text(d->error),
                           db_text(d->response_body)),
                   NULL, err);
}

bool
delivery_list(struct db *db, const struct webhook *w, int64_t page, int64_t per_page, struct arena *a,
              struct delivery **out, size_t *n, struct error *err)
{
    struct db_rows rows;

    *n = 0;
    *out = arena_array(a, struct delivery, (size_t)per_page);
    if (page > w->deliveries_count / per_page)
        return true;
    if (!db_query(db, delivery_list_sql, DB_ARGS(db_int(w->id), db_int(per_page), db_int(page * per_page)), &rows, err))
        return false;
    while (db_next(&rows))
        (*out)[(*n)++] = (struct delivery){
            .id              = db_col_int(&rows, 0),
            .webhook_id      = db_col_int(&rows, 1),
            .event_id        = db_col_int(&rows, 2),
            .event_type      = (enum event_type)db_col_int(&rows, 3),
            .response_status = (int)db_col_int(&rows, 4),
            .attempt_number  = (int)db_col_int(&rows, 5),
            .success         = db_col_int(&rows, 6) != 0,
            .attempted_at    = db_col_int(&rows, 7),
            .created_at      = db_col_int(&rows, 8),
            .duration_ms     = db_col_int(&rows, 9),
            .error           = db_col_text(&rows, 10, a),
            .response_body   = db_col_text(&rows, 11, a),
            .next_attempt_at = db_col_int(&rows, 12),
        };
    return db_finish(&rows, err);
}

/* ---- forgetting ---- */

static bool
delivery_uncount(struct db *db, const struct map *counts, struct error *err)
{
    size_t at = 0;
    int64_t webhook_id;
    void *count;

    while (map_next(counts, &at, &webhook_id, &count))
        if (!db_exec(db, delivery_uncount_sql, DB_ARGS(db_int(webhook_id), db_int((int64_t)(intptr_t)count)), NULL,
                     err))
            return false;
    return true;
}

bool
delivery_prune(struct db *db, int64_t older_than_ms, int limit, int64_t *removed, struct error *err)
{
    struct map counts = { 0 }; /* by endpoint; the map keeps pointers, and a count fits into one */
    struct db_rows rows;
    bool ok;

    *removed = 0;
    if (!db_query(db, delivery_prune_sql, DB_ARGS(db_int(id_first_at(older_than_ms)), db_int(limit)), &rows, err))
        return false;
    while (db_next(&rows)) {
        int64_t webhook_id = db_col_int(&rows, 0);

        map_put(&counts, webhook_id, (void *)((intptr_t)map_get(&counts, webhook_id) + 1));
        (*removed)++;
    }
    ok = db_finish(&rows, err) && delivery_uncount(db, &counts, err);
    map_deinit(&counts);
    return ok;
}

bool
delivery_forget_some(struct db *db, int64_t webhook_id, int limit, int64_t *removed, struct error *err)
{
    return db_exec(db, delivery_forget_sql, DB_ARGS(db_int(webhook_id), db_int(limit)), removed, err);
}
