/* idempotency.c -- see idempotency.h. */
#include "store/idempotency.h"

static const char claim_sql[] =
    "INSERT INTO idempotency (owner_id, key, request_hash, status, created_at, process_id)"
    " VALUES ($1, $2, $3, 0, $4, $5)"
    " ON CONFLICT (owner_id, key) DO NOTHING";
static const char find_sql[] =
    "SELECT request_hash, status, body, created_at FROM idempotency WHERE owner_id = $1 AND key = $2";
static const char remember_sql[] =
    "UPDATE idempotency SET status = $3, body = $4 WHERE owner_id = $1 AND key = $2";
static const char release_sql[] = "DELETE FROM idempotency WHERE owner_id = $1 AND key = $2";
/* Nobody's (0), and with a status, as nothing that is still running. */
static const char use_up_sql[] =
    "INSERT INTO idempotency (owner_id, key, request_hash, status, created_at, process_id)"
    " VALUES (0, $1, $2, 1, $3, 0) ON CONFLICT (owner_id, key) DO NOTHING";
/* By age, because that has an index; what is older has gone stale without help. */
static const char abandon_sql[] =
    "DELETE FROM idempotency WHERE created_at >= $1 AND status = 0"
    " AND process_id NOT IN (SELECT id FROM process WHERE until_at >= $2)";
static const char prune_sql[] =
    "DELETE FROM idempotency WHERE created_at < $1 AND (owner_id, key) IN"
    " (SELECT owner_id, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

bool
idempotency_claim(struct db *db, int64_t owner_id, struct str key, const uint8_t request_hash[SHA256_SIZE],
                  int64_t process_id, int64_t now_ms, struct arena *a, bool *replay, int *status, struct str *body,
                  struct error *err)
{
    struct str hash = { (const char *)request_hash, SHA256_SIZE };
    struct db_rows rows;
    int64_t changed, created_at;
    bool same;

    *replay = false;
    for (int round = 0; round < 2; round++) {
        same = false;
        created_at = 0; /* too old to count, should the row be gone between the two statements */
        *status = 0;
        if (!db_exec(db, claim_sql,
                     DB_ARGS(db_int(owner_id), db_text(key), db_blob(hash), db_int(now_ms), db_int(process_id)),
                     &changed, err))
            return false;
        if (changed > 0)
            return true;
        if (!db_query(db, find_sql, DB_ARGS(db_int(owner_id), db_text(key)), &rows, err))
            return false;
        if (db_next(&rows)) {
            same = str_eq(db_col_peek(&rows, 0), hash);
            *status = (int)db_col_int(&rows, 1);
            *body = db_col_text(&rows, 2, a);
            created_at = db_col_int(&rows, 3);
        }
        if (!db_finish(&rows, err))
            return false;
        if (now_ms - created_at <= (*status == 0 ? IDEMPOTENCY_STALE_MS : IDEMPOTENCY_KEEP_MS))
            break;
        if (!idempotency_release(db, owner_id, key, err)) /* too old to count */
            return false;
    }
    if (!same)
        return error_set(err, 422, "The Idempotency-Key '%.*s' was used for another request",
                         STR_ARG(str_slice(key, 0, 80)));
    if (*status == 0)
        return error_set(err, 409, "The request with Idempotency-Key '%.*s' is still running",
                         STR_ARG(str_slice(key, 0, 80)));
    *replay = true;
    return true;
}

bool
idempotency_remember(struct db *db, int64_t owner_id, struct str key, int status, struct str body,
                     struct error *err)
{
    return db_exec(db, remember_sql, DB_ARGS(db_int(owner_id), db_text(key), db_int(status), db_text(body)), NULL,
                   err);
}

bool
idempotency_release(struct db *db, int64_t owner_id, struct str key, struct error *err)
{
    return db_exec(db, release_sql, DB_ARGS(db_int(owner_id), db_text(key)), NULL, err);
}

bool
idempotency_abandon(struct db *db, int64_t now_ms, struct error *err)
{
    return db_exec(db, abandon_sql, DB_ARGS(db_int(now_ms - IDEMPOTENCY_STALE_MS), db_int(now_ms)), NULL,
                   err);
}

bool
idempotency_use_up(struct db *db, struct str name, int64_t now_ms, bool *first, struct error *err)
{
    int64_t changed;

    if (!db_exec(db, use_up_sql, DB_ARGS(db_text(name), db_blob(STR("")), db_int(now_ms)), &changed, err))
        return false;
    *first = changed > 0;
    return true;
}

bool
idempotency_prune(struct db *db, int64_t now_ms, int limit, int64_t *removed, struct error *err)
{
    return db_exec(db, prune_sql, DB_ARGS(db_int(now_ms - IDEMPOTENCY_KEEP_MS), db_int(limit)), removed, err);
}
