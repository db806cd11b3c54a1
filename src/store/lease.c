/* lease.c -- see lease.h. */
#include "store/lease.h"

#include <stdio.h>

#include "base/id.h"
#include "base/process.h"
#include "base/random.h"
#include "store/job.h"

#define LANES_AT_ONCE 1000
#define PROCESS_LOCK  3 /* db_alone(): whoever holds it is the only one that begins a lease */

static const char lease_clear_sql[] = "DELETE FROM process";
static const char lease_node_sql[] = "SELECT value FROM instance WHERE name = 'node'";
static const char lease_set_node_sql[] =
    "INSERT INTO instance (name, value) VALUES ('node', $1) ON CONFLICT (name) DO UPDATE SET value = $1";
static const char lease_has_node_sql[] = "SELECT 1 FROM process WHERE node = $1";
static const char lease_begin_sql[] = "INSERT INTO process (id, node, until_at, mark) VALUES ($1, $2, $3, $4)";
static const char lease_renew_sql[] = "UPDATE process SET until_at = $3 WHERE id = $1 AND until_at >= $2";
static const char lease_revive_sql[] = "UPDATE process SET until_at = $2 WHERE id = $1";
static const char lease_end_sql[] = "DELETE FROM process WHERE id = $1";
static const char lease_sweep_sql[] = "DELETE FROM process WHERE until_at < $1";
static const char lease_all_sql[] = "SELECT id, mark FROM process";
static const char lease_living_sql[] = "SELECT id, mark FROM process WHERE until_at >= $1";
static const char lease_lanes_sql[] = "SELECT COUNT(*) FROM lane";

static const char lane_free_sql[] =
    "SELECT CASE WHEN l.process_id = $2 THEN 2 WHEN p.id IS NULL THEN 1 ELSE 0 END"
    " FROM lane l LEFT JOIN process p ON p.id = l.process_id AND p.until_at >= $3 WHERE l.id = $1";
static const char lane_take_sql[] =
    "INSERT INTO lane (id, process_id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET process_id = $2";
static const char lane_owner_sql[] = "SELECT process_id FROM lane WHERE id = $1";
static const char lane_let_go_sql[] = "DELETE FROM lane WHERE id = $1 AND process_id = $2";

/* Those who died had, whatever is to be done in them; then those that were let go, or are new. */
static const char lane_list_orphaned_sql[] =
    "SELECT l.id FROM lane l LEFT JOIN process p ON p.id = l.process_id AND p.until_at >= $1"
    " WHERE p.id IS NULL LIMIT $2";
static const char lane_list_due_sql[] =
    "SELECT DISTINCT j.lane_id FROM job j LEFT JOIN lane l ON l.id = j.lane_id"
    " WHERE j.state = 0 AND j.due_at <= $1 AND l.id IS NULL LIMIT $2";

/* ---- processes ---- */

/* The next number after the one given out last, so that one comes up again as late as can be: who was stopped and does
 * not know yet that they are taken for dead may go on making ids for a moment. */
static bool
find_node(struct db *db, int *node, struct error *err)
{
    struct db_rows rows;
    bool taken = true;
    int64_t last = 0, one, number;

    if (!db_query(db, lease_node_sql, DB_NO_ARGS, &rows, err))
        return false;
    if (db_next(&rows))
        (void)str_to_i64(db_col_peek(&rows, 0), &last);
    if (!db_finish(&rows, err))
        return false;
    for (int i = 0; taken && i < ID_NODES; i++) {
        number = (last + i) % ID_NODES + 1;
        if (!db_get_int(db, lease_has_node_sql, DB_ARGS(db_int(number)), &one, &taken, err))
            return false;
        *node = (int)number;
    }
    return !taken || error_set(err, 503, "There are %d processes on this database already", ID_NODES);
}

static bool
keep_node(struct db *db, int node, struct error *err)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", node);
    return db_exec(db, lease_set_node_sql, DB_ARGS(db_blob(str_of(text))), NULL, err);
}

bool
lease_begin(struct db *db, bool alone, int64_t until_ms, int64_t *id, int *node, struct error *err)
{
    char mark[PROCESS_MARK_MAX];

    process_mark(mark);
    random_bytes(id, sizeof(*id));
    *id &= INT64_MAX;
    return db_alone(db, PROCESS_LOCK, err)
        && (!alone || db_exec(db, lease_clear_sql, DB_NO_ARGS, NULL, err))
        && find_node(db, node, err)
        && keep_node(db, *node, err)
        && db_exec(db, lease_begin_sql,
                   DB_ARGS(db_int(*id), db_int(*node), db_int(until_ms), db_text(str_of(mark))), NULL, err);
}

bool
lease_renew(struct db *db, int64_t process_id, int64_t now_ms, int64_t until_ms, enum lease_state *out,
            struct error *err)
{
    int64_t changed;

    if (!db_exec(db, lease_renew_sql, DB_ARGS(db_int(process_id), db_int(now_ms), db_int(until_ms)), &changed, err))
        return false;
    *out = LEASE_HELD;
    if (changed > 0)
        return true;
    if (!db_exec(db, lease_revive_sql, DB_ARGS(db_int(process_id), db_int(until_ms)), &changed, err))
        return false;
    *out = changed > 0 ? LEASE_LAPSED : LEASE_GONE;
    return true;
}

bool
lease_end(struct db *db, int64_t process_id, struct error *err)
{
    if (!db_exec(db, lease_end_sql, DB_ARGS(db_int(process_id)), NULL, err))
        return false;
    db_signal(db, TOPIC_LEASES, 0);
    return true;
}

bool
lease_bury(struct db *db, struct error *err)
{
    int64_t dead[ID_NODES];
    struct db_rows rows;
    size_t n = 0;

    if (!db_query(db, lease_all_sql, DB_NO_ARGS, &rows, err))
        return false;
    while (n < ID_NODES && db_next(&rows))
        if (process_is_dead(db_col_peek(&rows, 1)))
            dead[n++] = db_col_int(&rows, 0);
    if (!db_finish(&rows, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!lease_end(db, dead[i], err))
            return false;
    return true;
}

bool
lease_sweep(struct db *db, int64_t before_ms, struct error *err)
{
    return db_exec(db, lease_sweep_sql, DB_ARGS(db_int(before_ms)), NULL, err);
}

bool
lease_count(struct db *db, int64_t now_ms, struct arena *a, struct lease_census *out, struct error *err)
{
    struct db_rows rows;

    *out = (struct lease_census){ 0 };
    if (!db_query(db, lease_living_sql, DB_ARGS(db_int(now_ms)), &rows, err))
        return false;
    while (db_next(&rows)) {
        out->fingerprint += (uint64_t)db_col_int(&rows, 0);
        out->processes++;
        if (!process_is_near(db_col_peek(&rows, 1)))
            continue;
        out->near = arena_more(a, out->near, out->near_count, &out->near_cap, sizeof(*out->near));
        out->near[out->near_count++] = db_col_text(&rows, 1, a);
    }
    return db_finish(&rows, err)
        && db_get_int(db, lease_lanes_sql, DB_NO_ARGS, &out->lanes, NULL, err);
}

/* ---- lanes ---- */

/* Those at work on a lane hold its number together (lane_is_ours), so who gets it alone finds nobody half way. It is
 * only tried: whoever waits for lanes in one order meets one who waits in another. */
bool
lane_take(struct db *db, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours, struct error *err)
{
    enum { HELD, FREE, OURS };
    int64_t state = FREE;
    bool got;

    *ours = false;
    if (!db_get_int(db, lane_free_sql, DB_ARGS(db_int(lane_id), db_int(process_id), db_int(now_ms)), &state, NULL, err))
        return false;
    if (state == HELD)
        return true;
    if (!db_try_alone(db, lane_id, &got, err))
        return false; /* not reached on SQLite: who writes is alone there */
    if (!got)
        return true;
    if (!db_get_int(db, lane_free_sql, DB_ARGS(db_int(lane_id), db_int(process_id), db_int(now_ms)), &state, NULL, err))
        return false; /* it may have been taken before we were alone */
    *ours = state != HELD;
    return state != FREE || db_exec(db, lane_take_sql, DB_ARGS(db_int(lane_id), db_int(process_id)), NULL, err);
}

bool
lane_is_ours(struct db *db, int64_t lane_id, int64_t process_id, bool *ours, struct error *err)
{
    int64_t owner = 0;

    if (!db_together(db, lane_id, err)
        || !db_get_int(db, lane_owner_sql, DB_ARGS(db_int(lane_id)), &owner, NULL, err))
        return false;
    *ours = owner == process_id;
    return true;
}

bool
lane_let_go(struct db *db, int64_t lane_id, int64_t process_id, struct error *err)
{
    if (!db_exec(db, lane_let_go_sql, DB_ARGS(db_int(lane_id), db_int(process_id)), NULL, err))
        return false;
    db_signal(db, TOPIC_FREE, lane_id);
    return true;
}

static bool
list_lanes(struct db *db, const char *sql, int64_t time_ms, struct lane_list *out, struct arena *a, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, sql, DB_ARGS(db_int(time_ms), db_int(LANES_AT_ONCE)), &rows, err))
        return false;
    while (db_next(&rows)) {
        out->ids = arena_more(a, out->ids, out->count, &out->cap, sizeof(*out->ids));
        out->ids[out->count++] = db_col_int(&rows, 0);
    }
    return db_finish(&rows, err);
}

bool
lane_list_free(struct db *db, int64_t now_ms, int64_t due_before_ms, struct arena *a, struct lane_list *out,
               struct error *err)
{
    *out = (struct lane_list){ 0 };
    if (!list_lanes(db, lane_list_orphaned_sql, now_ms, out, a, err))
        return false;
    out->orphans = out->count;
    return list_lanes(db, lane_list_due_sql, due_before_ms, out, a, err);
}
