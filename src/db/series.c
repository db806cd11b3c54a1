/* series.c -- numbers in order, given out to many who write at once, and how far readers may rely on that order.
 *
 * Whoever takes a number shares a lock until its commit. A reader that finds one missing waits until it is there; when
 * that takes long it notes who holds the lock, and once all of those are gone, nothing more can come. So what was
 * rolled back, and left a hole for ever, holds nobody up, and nobody who commits late is overtaken. */
#include "db/driver.h"

#include <stdlib.h>

#include "base/clock.h"

#define NUMBERS_LOCK INT64_C(7021865102364282) /* any number that nobody else uses */

enum { LOOK = 1000, GAP_MS = 20, RETRY_AFTER_MS = 1000 };

/* ---- giving out ---- */

static bool
count_alone(struct db *db, const struct db_series *s, int64_t *numbers, size_t n, struct error *err)
{
    int64_t newest = 0;

    if (!db_get_int(db, s->newest_sql, DB_NO_ARGS, &newest, NULL, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (numbers[i] <= newest)
            numbers[i] = newest + 1;
        newest = numbers[i];
    }
    return true;
}

bool
db_numbers(struct db *db, const struct db_series *s, int64_t *numbers, size_t n, struct error *err)
{
    struct db_rows rows;
    size_t got = 0;

    if (!db->driver->numbers_sql)
        return count_alone(db, s, numbers, n, err);
    if (!db_together(db, NUMBERS_LOCK, err)
        || !db_query(db, db->driver->numbers_sql, DB_ARGS(db_int((int64_t)n)), &rows, err))
        return false;
    while (got < n && db_next(&rows))
        numbers[got++] = db_col_int(&rows, 0);
    return db_finish(&rows, err) && (got == n || error_set(err, 500, "The database gave too few numbers"));
}

bool
db_numbers_go_on(struct db *db, const struct db_series *s, struct error *err)
{
    int64_t newest = 0;

    return !db->driver->numbers_sql
        || (db_get_int(db, s->newest_sql, DB_NO_ARGS, &newest, NULL, err)
            && (newest == 0 || db_exec(db, db->driver->numbers_from_sql, DB_ARGS(db_int(newest)), NULL, err)));
}

/* ---- reading ---- */

void
db_tide_init(struct db_tide *t)
{
    pthread_mutex_init(&t->lock, NULL);
}

void
db_tide_deinit(struct db_tide *t)
{
    free(t->holders);
    pthread_mutex_destroy(&t->lock);
}

/* Before the first statement: what is known by then, all that this transaction reads has seen. */
void
db_tide_begin(struct db *db, struct db_tide *t)
{
    db->tide = t;
    pthread_mutex_lock(&t->lock);
    db->knows_settled = t->is_known;
    db->settled = t->settled;
    pthread_mutex_unlock(&t->lock);
}

static void
drop_fence(struct db_tide *t)
{
    free(t->holders);
    t->holders = NULL;
}

static void
raise_tide(struct db_tide *t, int64_t settled)
{
    pthread_mutex_lock(&t->lock);
    if (settled > t->settled || !t->is_known) {
        t->settled = settled;
        t->is_known = true;
        t->gap_since_ms = 0;
    }
    if (t->holders && t->fence <= t->settled)
        drop_fence(t);
    pthread_mutex_unlock(&t->lock);
}

/* From the last number that is settled on as far as none is missing; *held: there are some behind that. */
static bool
walk(struct db *db, const struct db_series *s, bool *held, struct error *err)
{
    struct db_rows rows;
    int n = 0;

    if (!db_query(db, s->after_sql, DB_ARGS(db_int(db->settled), db_int(LOOK)), &rows, err))
        return false;
    for (; !*held && db_next(&rows); n++) {
        *held = db_col_int(&rows, 0) != db->settled + 1;
        db->settled += !*held;
    }
    *held = *held || n == LOOK;
    return db_finish(&rows, err);
}

/* Who may still bring one of the numbers up to the newest there is. */
static bool
set_fence(struct db *db, const struct db_series *s, struct error *err)
{
    struct db_tide *t = db->tide;
    struct db_rows rows;
    int64_t newest = 0;
    char *holders = NULL;

    if (!db_get_int(db, s->newest_sql, DB_NO_ARGS, &newest, NULL, err)
        || !db_query(db, db->driver->numbering_sql, DB_ARGS(db_int(NUMBERS_LOCK)), &rows, err))
        return false;
    if (db_next(&rows)) {
        struct str text = db_col_peek(&rows, 0);

        holders = strndup(text.ptr ? text.ptr : "", text.len);
        if (!holders)
            out_of_memory();
    }
    if (!db_finish(&rows, err)) {
        free(holders);
        return false;
    }
    pthread_mutex_lock(&t->lock);
    if (holders && !t->holders) {
        t->holders = holders;
        t->fence = newest;
        holders = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    free(holders);
    return true;
}

/* Whoever begins to read after the last of them has gone sees all they left behind. */
static bool
try_fence(struct db *db, int64_t fence, const char *holders, struct error *err)
{
    int64_t left = 1;

    if (!db_get_int(db, db->driver->numbering_still_sql,
                    DB_ARGS(db_int(NUMBERS_LOCK), db_text(str_of(holders))), &left, NULL, err))
        return false;
    if (left == 0)
        raise_tide(db->tide, fence);
    return true;
}

/* Usually a moment is enough, and costs nothing. */
static bool
look_into_gap(struct db *db, const struct db_series *s, bool hurry, struct error *err)
{
    struct db_tide *t = db->tide;
    int64_t now_ms = clock_mono_ms(), fence;
    char *holders = NULL;
    bool is_old, ok;

    pthread_mutex_lock(&t->lock);
    if (t->gap_since_ms == 0)
        t->gap_since_ms = now_ms;
    is_old = hurry || !t->is_known || now_ms - t->gap_since_ms >= GAP_MS;
    fence = t->fence;
    if (is_old && t->holders)
        holders = strdup(t->holders);
    pthread_mutex_unlock(&t->lock);
    if (!is_old)
        return true;
    ok = holders ? try_fence(db, fence, holders, err) : set_fence(db, s, err);
    free(holders);
    return ok;
}

bool
db_settled(struct db *db, const struct db_series *s, int64_t wanted, int64_t *out, bool *held, struct error *err)
{
    *held = false;
    *out = INT64_MAX;
    if (!db->driver->numbers_sql || !db->tide)
        return true;
    if (db->knows_settled) {
        if (!walk(db, s, held, err))
            return false;
        raise_tide(db->tide, db->settled);
    } else {
        *held = true;
    }
    if (*held && !look_into_gap(db, s, wanted > db->settled, err))
        return false;
    *out = db->settled;
    if (db->knows_settled)
        return true;
    error_set(err, 503, "It is not known yet how far the events are complete; try again");
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}
