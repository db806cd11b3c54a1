#include "store/lease.h"

static const char lease_begin_sql[] = "INSERT INTO process (id, until_at) VALUES ($1, $2)";
static const char lease_renew_sql[] = "UPDATE process SET until_at = $3 WHERE id = $1 AND until_at >= $2";
static const char lease_end_sql[] = "DELETE FROM process WHERE id = $1";
static const char lease_sweep_sql[] = "DELETE FROM process WHERE until_at < $1";

/* Of two who take a free lane at once the second finds that the first holds it. */
static const char lane_take_sql[] =
    "INSERT INTO lane (id, process_id) VALUES ($1, $2)"
    " ON CONFLICT (id) DO UPDATE SET process_id = $2"
    " WHERE lane.process_id = $2"
    " OR NOT EXISTS (SELECT 1 FROM process WHERE process.id = lane.process_id AND process.until_at >= $3)";

/* Touching the row holds it until the commit: who would take the lane waits, and then finds what was done. */
static const char lane_hold_sql[] =
    "UPDATE lane SET process_id = $2 WHERE id = $1 AND process_id = $2"
    " AND EXISTS (SELECT 1 FROM process WHERE process.id = $2 AND process.until_at >= $3)";

static const char lane_list_free_sql[] =
    "SELECT DISTINCT j.lane_id FROM job j WHERE j.state = 0 AND j.due_at <= $2"
    " AND NOT EXISTS (SELECT 1 FROM lane l JOIN process p ON p.id = l.process_id"
    " WHERE l.id = j.lane_id AND p.until_at >= $1) LIMIT $3";

bool
lease_begin(struct db *db, int64_t process_id, int64_t until_ms, struct error *err)
{
    return db_exec(db, lease_begin_sql, DB_ARGS(db_int(process_id), db_int(until_ms)), NULL, err);
}

bool
lease_renew(struct db *db, int64_t process_id, int64_t now_ms, int64_t until_ms, bool *held, struct error *err)
{
    int64_t changed;

    if (!db_exec(db, lease_renew_sql, DB_ARGS(db_int(process_id), db_int(now_ms), db_int(until_ms)), &changed, err))
        return false;
    *held = changed > 0;
    return true;
}

bool
lease_end(struct db *db, int64_t process_id, struct error *err)
{
    return db_exec(db, lease_end_sql, DB_ARGS(db_int(process_id)), NULL, err);
}

bool
lease_sweep(struct db *db, int64_t now_ms, bool *ended, struct error *err)
{
    int64_t changed;

    if (!db_exec(db, lease_sweep_sql, DB_ARGS(db_int(now_ms)), &changed, err))
        return false;
    *ended = changed > 0;
    return true;
}

static bool
change_lane(struct db *db, const char *sql, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours,
            struct error *err)
{
    int64_t changed;

    if (!db_exec(db, sql, DB_ARGS(db_int(lane_id), db_int(process_id), db_int(now_ms)), &changed, err))
        return false;
    *ours = changed > 0;
    return true;
}

bool
lane_take(struct db *db, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours, struct error *err)
{
    return change_lane(db, lane_take_sql, lane_id, process_id, now_ms, ours, err);
}

bool
lane_is_ours(struct db *db, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours, struct error *err)
{
    return change_lane(db, lane_hold_sql, lane_id, process_id, now_ms, ours, err);
}

bool
lane_list_free(struct db *db, int64_t now_ms, int64_t due_before_ms, int limit, struct arena *a, int64_t **out,
               size_t *n, struct error *err)
{
    struct db_rows rows;

    *n = 0;
    *out = arena_array(a, int64_t, (size_t)limit);
    if (!db_query(db, lane_list_free_sql, DB_ARGS(db_int(now_ms), db_int(due_before_ms), db_int(limit)), &rows, err))
        return false;
    while (*n < (size_t)limit && db_next(&rows))
        (*out)[(*n)++] = db_col_int(&rows, 0);
    return db_finish(&rows, err);
}
