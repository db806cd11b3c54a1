/* testing_fail.c -- see testing_fail.h: the driver's table with two entries of ours in front. */
#include "db/testing_fail.h"

#include "db/driver.h"

static _Thread_local const struct db_driver *inner;
static _Thread_local struct db_driver failing;
static _Thread_local int left;
static _Thread_local bool happened;
static _Thread_local const struct db_rows *unread; /* of the query that was made last */

static bool
is_to_fail(struct error *err)
{
    if (left == 0 || --left > 0)
        return false;
    happened = true;
    error_set(err, 503, FAIL_MESSAGE);
    return true;
}

static bool
failing_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
             struct error *err)
{
    return !is_to_fail(err) && inner->exec(db, sql, args, n, changed, err);
}

static bool
failing_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
              struct error *err)
{
    unread = rows;
    return !is_to_fail(err) && inner->query(db, sql, args, n, rows, err);
}

/* Where the statement went well, its rows may still not come. */
static bool
failing_next(struct db_rows *rows)
{
    bool first = unread == rows;

    unread = NULL;
    if (!first || !is_to_fail(&rows->err))
        return inner->next(rows);
    rows->failed = true;
    return false;
}

void
fail_watch(struct db *db)
{
    inner = db->driver;
    failing = *inner;
    failing.exec = failing_exec;
    failing.query = failing_query;
    failing.next = failing_next;
    db->driver = &failing;
}

void
fail_watch_no_more(struct db *db)
{
    db->driver = inner;
}

void
fail_at(int n)
{
    left = n;
    happened = false;
}

bool
fail_happened(void)
{
    return happened;
}
