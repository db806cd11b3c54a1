#include "db/testing_fail.h"

#include "db/driver.h"

static _Thread_local const struct db_driver *inner;
static _Thread_local struct db_driver failing;
static _Thread_local int left;
static _Thread_local bool happened;

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
    return !is_to_fail(err) && inner->query(db, sql, args, n, rows, err);
}

void
fail_watch(struct db *db)
{
    inner = db->driver;
    failing = *inner;
    failing.exec = failing_exec;
    failing.query = failing_query;
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
