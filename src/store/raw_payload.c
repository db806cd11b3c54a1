/* raw_payload.c -- see raw_payload.h. */
#include "store/raw_payload.h"

#include "base/id.h"

#define RAW_SIZE_MIN 4096 /* what a small one counts as, so that there are never too many to add up */

static const char keep_sql[] =
    "INSERT INTO raw_payload (id, profile_id, body, created_at, size) VALUES ($1, $2, $3, $4, $5)";
/* The index has all of it. */
static const char size_sql[] =
    "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM raw_payload WHERE profile_id = $1";
static const char next_sql[] = "SELECT id, profile_id, body FROM raw_payload WHERE id > $1 ORDER BY id LIMIT 1";
static const char remove_sql[] = "DELETE FROM raw_payload WHERE id = $1";

bool
raw_payload_keep(struct db *db, int64_t profile_id, struct str body, int64_t now_ms, struct error *err)
{
    int64_t size = (int64_t)(body.len < RAW_SIZE_MIN ? RAW_SIZE_MIN : body.len);

    return db_exec(db, keep_sql,
                   DB_ARGS(db_int(id_generate(now_ms)), db_int(profile_id), db_text(body), db_int(now_ms),
                           db_int(size)),
                   NULL, err);
}

bool
raw_payload_size(struct db *db, int64_t profile_id, int64_t *out, struct error *err)
{
    struct db_rows rows;

    *out = 0;
    if (!db_query(db, size_sql, DB_ARGS(db_int(profile_id)), &rows, err))
        return false;
    if (db_next(&rows))
        *out = db_col_int(&rows, 0);
    return db_finish(&rows, err);
}

bool
raw_payload_next(struct db *db, int64_t after, struct arena *a, int64_t *id, int64_t *profile_id, struct str *body,
                 bool *found, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, next_sql, DB_ARGS(db_int(after)), &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found) {
        *id = db_col_int(&rows, 0);
        *profile_id = db_col_int(&rows, 1);
        *body = db_col_text(&rows, 2, a);
    }
    return db_finish(&rows, err);
}

bool
raw_payload_remove(struct db *db, int64_t id, struct error *err)
{
    return db_exec(db, remove_sql, DB_ARGS(db_int(id)), NULL, err);
}
