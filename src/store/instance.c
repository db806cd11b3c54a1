/* instance.c -- see instance.h. */
#include "store/instance.h"

#include "base/config.h"

static const char instance_find_sql[] = "SELECT value FROM instance WHERE name = 'key'";
static const char instance_importing_sql[] = "SELECT COUNT(*) FROM instance WHERE name = 'import'";
static const char instance_insert_sql[] = "INSERT INTO instance (name, value) VALUES ('key', $1)";

static const char key_context[] = "instance.key"; /* a known text, sealed: only the right key opens it */

static bool
instance_settle_key(struct db *db, struct error *err)
{
    struct buf sealed;
    bool ok;

    buf_init(&sealed, KIB);
    seal(&config.keys, str_of(key_context), str_of(key_context), &sealed);
    ok = db_exec(db, instance_insert_sql, DB_ARGS(db_blob(buf_str(&sealed))), NULL, err);
    buf_deinit(&sealed);
    return ok;
}

bool
instance_check_key(struct db *db, bool may_settle, struct error *err)
{
    struct secret opened = { 0 };
    struct db_rows rows;
    int64_t importing = 0;
    bool found, fits = false;

    if (!db_get_int(db, instance_importing_sql, DB_NO_ARGS, &importing, NULL, err))
        return false;
    if (importing)
        return error_set(err, 500, "An import into this database is not complete. Run the same `parley import` again");
    if (!db_query(db, instance_find_sql, DB_NO_ARGS, &rows, err))
        return false;
    found = db_next(&rows);
    if (found)
        fits = unseal(&config.keys, str_of(key_context), db_col_peek(&rows, 0), &opened);
    secret_wipe(&opened);
    if (!db_finish(&rows, err))
        return false;
    if (!found)
        return !may_settle || instance_settle_key(db, err);
    return fits
        || error_set(err, 500,
                     "This data was written with another secret key. Start with the one it was written with: "
                     "PARLEY_SECRET_KEY, or the file secret.key of its data folder");
}
