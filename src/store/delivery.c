/* delivery.c -- the log of deliveries (webhook.h). */
#include "store/webhook.h"

#define DELIVERY_COLUMNS                                                                                     \
    "id, webhook_id, event_id, event_type, response_status, attempt_number, success, attempted_at,"          \
    " created_at, next_attempt_at, duration_ms, error, response_body"

static const char delivery_log_sql[] =
    "INSERT INTO delivery (" DELIVERY_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    " ON CONFLICT (id) DO UPDATE SET response_status = $5, attempt_number = $6, success = $7, attempted_at = $8,"
    " next_attempt_at = $10, duration_ms = $11, error = $12, response_body = $13";
static const char delivery_list_sql[] =
    "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE webhook_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3";
static const char delivery_count_sql[] = "SELECT COUNT(*) FROM delivery WHERE webhook_id = $1";

bool
delivery_log(struct db *db, const struct delivery *d, struct error *err)
{
    return db_exec(db, delivery_log_sql,
                   DB_ARGS(db_int(d->id), db_int(d->webhook_id), db_int(d->event_id), db_int(d->event_type),
                           db_int(d->response_status), db_int(d->attempt_number), db_int(d->success),
                           db_int(d->attempted_at), db_int(d->created_at), db_int(d->next_attempt_at),
                           db_int(d->duration_ms), db_text(d->error), db_text(d->response_body)),
                   NULL, err);
}

bool
delivery_list(struct db *db, const struct webhook *w, int64_t page, int64_t per_page, struct arena *a,
              struct delivery **out, size_t *n, int64_t *total, struct error *err)
{
    struct db_rows rows;

    *n = 0;
    *out = arena_array(a, struct delivery, (size_t)per_page);
    if (!db_get_int(db, delivery_count_sql, DB_ARGS(db_int(w->id)), total, NULL, err))
        return false;
    if (page > *total / per_page)
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
            .next_attempt_at = db_col_int(&rows, 9),
            .duration_ms     = db_col_int(&rows, 10),
            .error           = db_col_text(&rows, 11, a),
            .response_body   = db_col_text(&rows, 12, a),
        };
    return db_finish(&rows, err);
}
