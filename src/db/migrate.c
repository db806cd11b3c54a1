/* migrate.c -- numbered migrations, each in a transaction of its own, and the table that remembers them. */
#include "db/driver.h"

#include <assert.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"

#define SCHEMA_LOCK INT64_C(7021865102364281) /* any number that nobody else uses */

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_version ("
    " number BIGINT NOT NULL UNIQUE, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
static const char version_sql[] = "SELECT max(number) FROM schema_version";
static const char applied_sql[] = "INSERT INTO schema_version (number, name, applied_at) VALUES ($1, $2, $3)";

static bool
read_version(void *arg, struct db *db, struct error *err)
{
    int64_t tables = 0, version = 0;
    bool found;

    if (!db_get_int(db, db->driver->table_exists_sql, DB_ARGS(db_text(STR("schema_version"))), &tables, &found, err)
        || (tables > 0 && !db_get_int(db, version_sql, DB_NO_ARGS, &version, &found, err)))
        return false;
    *(int *)arg = (int)version;
    return true;
}

bool
db_version(struct db_engine *e, int *out, struct error *err)
{
    return db_run(e, DB_READ, read_version, out, err);
}

/* Puts the engine's words for $KEY, $BLOB and $SERIES in. */
static void
translate(const struct db_driver *driver, struct str sql, struct buf *out)
{
    static const struct str key = STR("$KEY"), blob = STR("$BLOB"), series = STR("$SERIES");
    struct str head, tail;

    while (str_cut(sql, '$', &head, &tail)) {
        struct str word = str_from(sql, head.len);

        buf_append(out, head);
        if (str_starts(word, key)) {
            buf_append(out, str_of(driver->key_type));
            sql = str_from(word, key.len);
        } else if (str_starts(word, blob)) {
            buf_append(out, str_of(driver->blob_type));
            sql = str_from(word, blob.len);
        } else if (str_starts(word, series)) {
            buf_append(out, str_of(driver->series_sql ? driver->series_sql : ""));
            sql = str_from(word, series.len);
        } else {
            buf_append_char(out, '$');
            sql = tail;
        }
    }
    buf_append(out, sql);
    buf_append_char(out, '\0');
}

/* Looks again at the version, now that nobody else can write: two processes may have started at once. */
static bool
apply(void *arg, struct db *db, struct error *err)
{
    const struct db_migration *m = arg;
    struct buf sql;
    int version = 0;
    bool ok;

    if ((db->driver->be_patient && !db->driver->be_patient(db, err))
        || !db_alone(db, SCHEMA_LOCK, err)
        || !db_exec(db, create_sql, DB_NO_ARGS, NULL, err)
        || !read_version(&version, db, err))
        return false;
    if (version >= m->number)
        return true;
    buf_init(&sql, MIB);
    translate(db->driver, str_of(m->sql), &sql);
    assert(buf_ok(&sql));
    ok = db_script(db, sql.ptr, err);
    crash_point("migration: carried out, not noted");
    ok = ok
      && db_exec(db, applied_sql, DB_ARGS(db_int(m->number), db_text(str_of(m->name)), db_int(clock_now_ms())), NULL,
                 err);
    buf_deinit(&sql);
    return ok || error_prefix(err, "Migration %d (%s)", m->number, m->name);
}

bool
db_migrate(struct db_engine *e, const struct db_migration *list, size_t n, struct error *err)
{
    int version;

    for (size_t i = 0; i < n; i++)
        assert(list[i].number == (int)i + 1);
    if (!db_version(e, &version, err))
        return false;
    if (version > (int)n)
        return error_set(err, 500, "This database was written by a newer Parley (schema %d, this one knows %d)."
                         " Start that version, or restore a backup made with this one.", version, (int)n);
    for (size_t i = (size_t)version; i < n; i++) {
        struct db_migration m = list[i];

        if (!db_run(e, DB_WRITE, apply, &m, err))
            return false;
        crash_point("migration: committed");
        log_info("schema migrated", LOG_INT("version", m.number), LOG_CSTR("name", m.name));
    }
    return true;
}
