/* job.c -- see job.h. */
#include "store/job.h"

#include <assert.h>

#include "base/id.h"
#include "store/tail.h"

#define JOB_COLUMNS "id, kind, lane_id, queue_id, state, due_at, attempts, record_id, payload, created_at"

const char *const job_kind_names[JOB_KINDS] = {
    [JOB_NONE] = "none",
    [JOB_SEND] = "send",
    [JOB_MIRROR] = "mirror",
    [JOB_PARTICIPANT] = "participant",
    [JOB_ANSWER_TAP] = "answer_tap",
    [JOB_SUBSCRIBE] = "subscribe",
    [JOB_UNSUBSCRIBE] = "unsubscribe",
    [JOB_ERASE] = "erase",
    [JOB_POLL] = "poll",
    [JOB_CHECK] = "check",
    [JOB_DELIVER] = "deliver",
    [JOB_REPLAY] = "replay",
    [JOB_SWEEP] = "sweep",
    [JOB_REFRESH] = "refresh",
    [JOB_HINT] = "hint",
    [JOB_FORGET_MEDIA] = "forget_media",
    [JOB_REDACT] = "redact",
};

/* `queue_id <> 0` is what lets SQLite use the index on queues, which leaves out the 0; without it
 * all jobs are looked at. */
static const char job_queue_last_sql[] =
    "SELECT id FROM job WHERE queue_id = $1 AND queue_id <> 0 ORDER BY id DESC LIMIT 1";
static const char job_insert_sql[] =
    "INSERT INTO job (" JOB_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
static const char job_exists_sql[] = "SELECT 1 FROM job WHERE lane_id = $1 AND kind = $2 AND record_id = $3 LIMIT 1";
/* Only a statement that names the kind can use the index job_participant. */
static const char job_participant_exists_sql[] =
    "SELECT 1 FROM job WHERE lane_id = $1 AND record_id = $2 AND kind = 3 LIMIT 1";
static const char job_named_sql[] = "SELECT 1 FROM job WHERE lane_id = $1 AND kind = $2 AND payload = $3 LIMIT 1";
static const char job_set_due_sql[] =
    "UPDATE job SET due_at = $4, attempts = 0 WHERE lane_id = $1 AND kind = $2 AND record_id = $3 AND state = 0";
static const char job_head_sql[] =
    "SELECT " JOB_COLUMNS " FROM job WHERE queue_id = $1 AND queue_id <> 0 ORDER BY id LIMIT 1";
static const char job_due_sql[] =
    "SELECT id, kind, queue_id FROM job WHERE lane_id = $1 AND state = 0 AND due_at <= $2"
    " ORDER BY due_at, id LIMIT $3"; /* the index has all of it */
static const char job_next_due_sql[] =
    "SELECT due_at FROM job WHERE lane_id = $1 AND state = 0 AND due_at > $2 ORDER BY due_at LIMIT 1";
static const char job_get_sql[] = "SELECT " JOB_COLUMNS " FROM job WHERE id = $1";
static const char job_next_sql[] =
    "SELECT " JOB_COLUMNS " FROM job WHERE lane_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT 1";
static const char job_mark_sql[] = "UPDATE job SET state = 2 WHERE id = $1 AND state = 0";
static const char job_delete_sql[] = "DELETE FROM job WHERE id = $1";
static const char job_promote_sql[] =
    "UPDATE job SET state = 0, due_at = CASE WHEN due_at < $2 THEN $2 ELSE due_at END"
    " WHERE id = (SELECT id FROM job WHERE queue_id = $1 AND queue_id <> 0 ORDER BY id LIMIT 1) AND state = 1";
static const char job_unqueue_sql[] = "UPDATE job SET queue_id = 0 WHERE id = $1";
static const char job_retry_sql[] =
    "UPDATE job SET state = 0, due_at = $2, attempts = $3, payload = $4 WHERE id = $1";
static const char job_hurry_sql[] =
    "UPDATE job SET due_at = $2 WHERE lane_id = $1 AND state = 0 AND due_at > $2";
/* What is to be forgotten is nobody's any more, so nothing else would remember it. */
static const char job_drop_sql[] = "DELETE FROM job WHERE lane_id = $1 AND kind <> 15";
static const char job_shift_sql[] =
    "UPDATE job SET due_at = due_at - $2 WHERE state <> 2 AND due_at > $1 AND due_at < $4"
    " AND lane_id IN (SELECT id FROM lane WHERE process_id = $3)";
static const char job_lanes_sql[] = "SELECT DISTINCT lane_id FROM job";
static const char job_lanes_due_sql[] = "SELECT DISTINCT lane_id FROM job WHERE state = 0 AND due_at <= $1";
static const char job_in_flight_sql[] = "SELECT " JOB_COLUMNS " FROM job WHERE lane_id = $1 AND state = 2 ORDER BY id";
static const char job_count_sql[] = "SELECT kind, COUNT(*) FROM job GROUP BY kind";
static const char job_oldest_sql[] = "SELECT MIN(due_at) FROM job WHERE state = 0";

static void
job_from_row(struct db_rows *rows, struct arena *a, struct job *out)
{
    *out = (struct job){
        .id         = db_col_int(rows, 0),
        .kind       = (enum job_kind)db_col_int(rows, 1),
        .lane_id    = db_col_int(rows, 2),
        .queue_id   = db_col_int(rows, 3),
        .state      = (enum job_state)db_col_int(rows, 4),
        .due_at     = db_col_int(rows, 5),
        .attempts   = (int)db_col_int(rows, 6),
        .record_id  = db_col_int(rows, 7),
        .payload    = db_col_text(rows, 8, a),
        .created_at = db_col_int(rows, 9),
    };
}

/* Reads all rows there are into a growing array in the arena. */
static bool
job_read_all(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
             struct job **out, size_t *n, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *out = NULL;
    *n = 0;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        job_from_row(&rows, a, &(*out)[(*n)++]);
    }
    return db_finish(&rows, err);
}

/* The order of ids is that of the queue, also when the last of it came from another process, whose clock is ahead. */
bool
job_append(struct db *db, struct job *job, int64_t last, int64_t now_ms, struct error *err)
{
    if (last > id_first_at(now_ms))
        id_stay_above(last);
    job->id = id_generate(now_ms);
    job->created_at = now_ms;
    job->state = last ? JOB_QUEUED : JOB_READY;
    if (!db_exec(db, job_insert_sql,
                 DB_ARGS(db_int(job->id), db_int(job->kind), db_int(job->lane_id), db_int(job->queue_id),
                         db_int(job->state), db_int(job->due_at), db_int(job->attempts), db_int(job->record_id),
                         db_text(job->payload), db_int(now_ms)),
                 NULL, err))
        return false;
    if (job->state == JOB_READY)
        db_signal(db, TOPIC_LANE, job->lane_id);
    return true;
}

/* Asking first and inserting then takes half the time of INSERT ... RETURNING, for which SQLite fills a table. */
bool
job_add(struct db *db, struct job *job, int64_t now_ms, struct error *err)
{
    int64_t last = 0;

    assert(job->queue_id >= 0);
    return (job->queue_id == 0
            || db_get_int(db, job_queue_last_sql, DB_ARGS(db_int(job->queue_id)), &last, NULL, err))
        && job_append(db, job, last, now_ms, err);
}

bool
job_add_once(struct db *db, struct job *job, int64_t now_ms, struct error *err)
{
    int64_t one = 0;
    bool found, ok;

    if (job->kind == JOB_PARTICIPANT)
        ok = db_get_int(db, job_participant_exists_sql, DB_ARGS(db_int(job->lane_id), db_int(job->record_id)), &one,
                        &found, err);
    else
        ok = db_get_int(db, job_exists_sql, DB_ARGS(db_int(job->lane_id), db_int(job->kind), db_int(job->record_id)),
                        &one, &found, err);
    return ok && (found || job_add(db, job, now_ms, err));
}

bool
job_add_named(struct db *db, struct job *job, int64_t now_ms, struct error *err)
{
    int64_t one = 0;
    bool found;

    if (!db_get_int(db, job_named_sql, DB_ARGS(db_int(job->lane_id), db_int(job->kind), db_text(job->payload)), &one,
                    &found, err))
        return false;
    return found || job_add(db, job, now_ms, err);
}

bool
job_schedule(struct db *db, struct job *job, int64_t now_ms, struct error *err)
{
    int64_t changed;

    if (!db_exec(db, job_set_due_sql,
                 DB_ARGS(db_int(job->lane_id), db_int(job->kind), db_int(job->record_id), db_int(job->due_at)),
                 &changed, err))
        return false;
    if (changed == 0)
        return job_add_once(db, job, now_ms, err);
    db_signal(db, TOPIC_LANE, job->lane_id);
    return true;
}

bool
job_due(struct db *db, int64_t lane_id, int64_t now_ms, int limit, struct arena *a, struct job **out, size_t *n,
        int64_t *next_due_at, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    *next_due_at = 0;
    if (!db_query(db, job_due_sql, DB_ARGS(db_int(lane_id), db_int(now_ms), db_int(limit)), &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        (*out)[(*n)++] = (struct job){ .id = db_col_int(&rows, 0), .kind = (enum job_kind)db_col_int(&rows, 1),
                                       .lane_id = lane_id, .queue_id = db_col_int(&rows, 2) };
    }
    return db_finish(&rows, err)
        && db_get_int(db, job_next_due_sql, DB_ARGS(db_int(lane_id), db_int(now_ms)), next_due_at, NULL, err);
}

static bool
job_read_one(struct db *db, const char *sql, const struct db_value *args, size_t n, struct arena *a, struct job *out,
             bool *found, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, sql, args, n, &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found)
        job_from_row(&rows, a, out);
    return db_finish(&rows, err);
}

bool
job_get(struct db *db, int64_t id, struct arena *a, struct job *out, bool *found, struct error *err)
{
    return job_read_one(db, job_get_sql, DB_ARGS(db_int(id)), a, out, found, err);
}

bool
job_next_of_kind(struct db *db, int64_t lane_id, enum job_kind kind, int64_t after, struct arena *a, struct job *out,
                 bool *found, struct error *err)
{
    return job_read_one(db, job_next_sql, DB_ARGS(db_int(lane_id), db_int(kind), db_int(after)), a, out, found, err);
}

bool
job_head_of_queue(struct db *db, int64_t queue_id, struct arena *a, struct job *out, bool *found, struct error *err)
{
    return job_read_one(db, job_head_sql, DB_ARGS(db_int(queue_id)), a, out, found, err);
}

bool
job_mark_in_flight(struct db *db, int64_t id, bool *taken, struct error *err)
{
    int64_t changed;

    if (!db_exec(db, job_mark_sql, DB_ARGS(db_int(id)), &changed, err))
        return false;
    *taken = changed > 0;
    return true;
}

static bool
job_promote_now(struct db *db, const struct job *job, int64_t now_ms, struct error *err)
{
    int64_t promoted = 0;

    if (!db_exec(db, job_promote_sql, DB_ARGS(db_int(job->queue_id), db_int(now_ms)), &promoted, err))
        return false;
    if (promoted > 0)
        db_signal(db, TOPIC_LANE, job->lane_id);
    return true;
}

/* To a chat's sends nobody adds while this transaction has touched the chat. To deliveries, whose queues are negative,
 * somebody may at any time but the very end. */
static bool
job_promote(struct db *db, const struct job *job, int64_t now_ms, struct error *err)
{
    if (job->queue_id >= 0)
        return job->queue_id == 0 || job_promote_now(db, job, now_ms, err);
    tail_promote(db, job, now_ms);
    return true;
}

bool
job_finish(struct db *db, const struct job *job, int64_t now_ms, struct error *err)
{
    return db_exec(db, job_delete_sql, DB_ARGS(db_int(job->id)), NULL, err) && job_promote(db, job, now_ms, err);
}

bool
job_leave_queue(struct db *db, struct job *job, int64_t now_ms, struct error *err)
{
    if (job->queue_id == 0)
        return true;
    if (!db_exec(db, job_unqueue_sql, DB_ARGS(db_int(job->id)), NULL, err) || !job_promote(db, job, now_ms, err))
        return false;
    job->queue_id = 0;
    return true;
}

bool
job_retry(struct db *db, const struct job *job, int64_t due_at, int attempts, struct str payload, struct error *err)
{
    if (!db_exec(db, job_retry_sql, DB_ARGS(db_int(job->id), db_int(due_at), db_int(attempts), db_text(payload)), NULL,
                 err))
        return false;
    db_signal(db, TOPIC_LANE, job->lane_id);
    return true;
}

bool
job_hurry_lane(struct db *db, int64_t lane_id, int64_t now_ms, struct error *err)
{
    if (!db_exec(db, job_hurry_sql, DB_ARGS(db_int(lane_id), db_int(now_ms)), NULL, err))
        return false;
    db_signal(db, TOPIC_LANE, lane_id);
    return true;
}

bool
job_hurry_by(struct db *db, int64_t process_id, int64_t by_ms, int64_t now_ms, struct error *err)
{
    return db_exec(db, job_shift_sql,
                   DB_ARGS(db_int(now_ms), db_int(by_ms), db_int(process_id), db_int(JOB_HELD_UNTIL)), NULL, err);
}

bool
job_drop_lane(struct db *db, int64_t lane_id, struct error *err)
{
    return db_exec(db, job_drop_sql, DB_ARGS(db_int(lane_id)), NULL, err);
}

static bool
job_read_lanes(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
               int64_t **out, size_t *n, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        (*out)[(*n)++] = db_col_int(&rows, 0);
    }
    return db_finish(&rows, err);
}

bool
job_lanes(struct db *db, struct arena *a, int64_t **out, size_t *n, struct error *err)
{
    return job_read_lanes(db, job_lanes_sql, DB_NO_ARGS, a, out, n, err);
}

bool
job_lanes_due(struct db *db, int64_t due_before_ms, struct arena *a, int64_t **out, size_t *n, struct error *err)
{
    return job_read_lanes(db, job_lanes_due_sql, DB_ARGS(db_int(due_before_ms)), a, out, n, err);
}

bool
job_in_flight(struct db *db, int64_t lane_id, struct arena *a, struct job **out, size_t *n, struct error *err)
{
    return job_read_all(db, job_in_flight_sql, DB_ARGS(db_int(lane_id)), a, out, n, err);
}

bool
job_stats(struct db *db, int64_t counts[JOB_KINDS], int64_t *oldest_due_at, struct error *err)
{
    struct db_rows rows;

    memset(counts, 0, JOB_KINDS * sizeof(counts[0]));
    if (!db_query(db, job_count_sql, DB_NO_ARGS, &rows, err))
        return false;
    while (db_next(&rows)) {
        int64_t kind = db_col_int(&rows, 0);

        if (kind > JOB_NONE && kind < JOB_KINDS)
            counts[kind] = db_col_int(&rows, 1);
    }
    *oldest_due_at = 0;
    return db_finish(&rows, err) && db_get_int(db, job_oldest_sql, DB_NO_ARGS, oldest_due_at, NULL, err);
}
