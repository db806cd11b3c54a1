/* connection.c -- the connection's half of db.h, what the inside of a transaction works with: statements, and what is
 * gathered for the end of its batch; db.c is the other half. */
#include "db/driver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- statements ---- */

/* A failed statement dooms its transaction on either engine, as PostgreSQL has it anyway: code that goes on
 * as if nothing had happened gets the same error again and never a commit of the half that worked. */
static bool
doom(struct db *db, const struct error *err)
{
    if (db->doom.status == 0)
        db->doom = *err;
    return false;
}

static bool
is_doomed(const struct db *db, struct error *err)
{
    if (db->doom.status == 0)
        return false;
    *err = db->doom;
    return true;
}

bool
db_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows, struct error *err)
{
    rows->statement = NULL;
    rows->db = db;
    rows->columns = 0;
    rows->failed = false;
    rows->err.status = 0;
    if (is_doomed(db, err))
        return false;
    if (!db->driver->query(db, sql, args, n, rows, err))
        return doom(db, err);
    db->open_rows++;
    return true;
}

bool
db_ask_ahead(struct db *db, const char *sql, const struct db_value *args, size_t n)
{
    return db->driver->ask_ahead && db->driver->ask_ahead(db, sql, args, n);
}

bool
db_next(struct db_rows *rows)
{
    bool row = rows->statement && !rows->failed && rows->db->driver->next(rows);

    rows->columns = row ? rows->db->driver->columns(rows) : 0;
    return row;
}

bool
db_finish(struct db_rows *rows, struct error *err)
{
    if (rows->statement) {
        rows->db->driver->finish(rows);
        rows->statement = NULL;
        rows->columns = 0;
        rows->db->open_rows--;
    }
    if (!rows->failed)
        return true;
    *err = rows->err;
    return doom(rows->db, err);
}

/* Asking for a column that is not there is our own mistake; it reads as NULL and db_finish() reports it. */
static bool
has_column(struct db_rows *rows, int col)
{
    if (col >= 0 && col < rows->columns)
        return true;
    if (!rows->failed)
        error_set(&rows->err, 500, "Column %d was read from a row that has %d", col, rows->columns);
    rows->failed = true;
    return false;
}

int64_t
db_col_int(struct db_rows *rows, int col)
{
    return has_column(rows, col) ? rows->db->driver->col_int(rows, col) : 0;
}

struct str
db_col_peek(struct db_rows *rows, int col)
{
    return has_column(rows, col) ? rows->db->driver->col_peek(rows, col) : STR_NONE;
}

struct str
db_col_text(struct db_rows *rows, int col, struct arena *a)
{
    return arena_copy(a, db_col_peek(rows, col));
}

bool
db_col_is_null(struct db_rows *rows, int col)
{
    return !has_column(rows, col) || rows->db->driver->col_is_null(rows, col);
}

bool
db_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed, struct error *err)
{
    if (is_doomed(db, err))
        return false;
    db->has_written = true;
    return db->driver->exec(db, sql, args, n, changed, err) || doom(db, err);
}

bool
db_exec_likely(struct db *db, const char *sql, const struct db_value *args, size_t n, bool *touched, struct error *err)
{
    int64_t changed = 1;

    if (!db->may_guess) {
        if (!db_exec(db, sql, args, n, &changed, err))
            return false;
    } else if (is_doomed(db, err)) {
        return false;
    } else {
        db->has_written = db->has_guessed = true;
        if (!db->driver->exec_likely(db, sql, args, n, err))
            return doom(db, err);
    }
    *touched = changed > 0;
    return true;
}

bool
db_script(struct db *db, const char *sql, struct error *err)
{
    return !is_doomed(db, err) && (db->driver->script(db, sql, err) || doom(db, err));
}

bool
db_get_int(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *out, bool *found,
           struct error *err)
{
    struct db_rows rows;
    bool row;

    if (!db_query(db, sql, args, n, &rows, err))
        return false;
    row = db_next(&rows);
    if (row)
        *out = db_col_int(&rows, 0);
    if (found)
        *found = row;
    return db_finish(&rows, err);
}

/* ---- signals ---- */

void
db_signal(struct db *db, int topic, int64_t key)
{
    const struct db_told *last = db->told_count > 0 ? &db->told[db->told_count - 1] : NULL;

    if (last && last->topic == topic && last->key == key)
        return;
    if (db->told_count == db->told_cap) {
        db->told_cap = db->told_cap ? 2 * db->told_cap : 64;
        db->told = realloc(db->told, db->told_cap * sizeof(db->told[0]));
        if (!db->told)
            out_of_memory();
    }
    db->told[db->told_count++] = (struct db_told){ .topic = topic, .key = key };
}

static int
compare_told(const void *left, const void *right)
{
    const struct db_told *a = left, *b = right;

    if (a->topic != b->topic)
        return a->topic < b->topic ? -1 : 1;
    return a->key < b->key ? -1 : a->key > b->key;
}

size_t
db_told_once(struct db *db)
{
    size_t n = 0;

    if (db->told_count > 1)
        qsort(db->told, db->told_count, sizeof(db->told[0]), compare_told);
    for (size_t i = 0; i < db->told_count; i++)
        if (n == 0 || compare_told(&db->told[n - 1], &db->told[i]) != 0)
            db->told[n++] = db->told[i];
    db->told_count = n;
    return n;
}

void
db_tell(struct db_engine *e, struct db *db)
{
    size_t n;

    if (e->driver->tell)
        e->driver->tell(e, db);
    n = db_told_once(db);
    for (size_t i = 0; i < n && e->options.on_signal; i++)
        e->options.on_signal(e->options.signal_ctx, db->told[i].topic, db->told[i].key);
    db_forget(db);
}

/* ---- what is left for the end ---- */

void
db_at_commit(struct db *db, bool (*run)(struct db *db, void *arg, struct error *err), void *arg)
{
    if (db->later_count == db->later_cap) {
        db->later_cap = db->later_cap ? 2 * db->later_cap : 64;
        db->later = realloc(db->later, db->later_cap * sizeof(db->later[0]));
        if (!db->later)
            out_of_memory();
    }
    db->later[db->later_count++] = (struct db_later){ .run = run, .arg = arg };
}

bool
db_do_later(struct db *db, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < db->later_count; i++) /* which may add more */
        ok = db->later[i].run(db, db->later[i].arg, err);
    db->later_count = 0;
    return ok;
}

struct arena *
db_memory(struct db *db)
{
    return &db->memory;
}

enum db_grip
db_grip(const struct db *db)
{
    return !db->driver->alone_sql ? DB_GRIP_NEEDLESS : db->in_company && !db->has_written ? DB_GRIP_TRY : DB_GRIP_WAIT;
}

bool
db_busy(struct db *db, struct error *err)
{
    db->is_busy = true;
    error_set(err, 503, "Another change is in the way");
    return doom(db, err);
}

bool
db_hold(struct db *db, const char *sql, const struct db_value *args, size_t n, struct error *err)
{
    return !db->driver->alone_sql || db_exec(db, sql, args, n, NULL, err);
}

bool
db_alone(struct db *db, int64_t key, struct error *err)
{
    return !db->driver->alone_sql || db_exec(db, db->driver->alone_sql, DB_ARGS(db_int(key)), NULL, err);
}

bool
db_try_alone(struct db *db, int64_t key, bool *got, struct error *err)
{
    const char *sql = db->driver->try_alone_sql;
    int64_t one = 1;

    if (sql && !db_get_int(db, sql, DB_ARGS(db_int(key)), &one, NULL, err))
        return false;
    *got = one == 1;
    return true;
}

bool
db_together(struct db *db, int64_t key, struct error *err)
{
    return !db->driver->together_sql || db_exec(db, db->driver->together_sql, DB_ARGS(db_int(key)), NULL, err);
}

void **
db_note(struct db *db, int which)
{
    assert(which >= 0 && which < DB_NOTES);
    return &db->notes[which];
}

void
db_forget(struct db *db)
{
    db->told_count = 0;
    db->later_count = 0;
    memset(db->notes, 0, sizeof(db->notes));
    arena_reset(&db->memory);
}

void
db_free_parts(struct db *db)
{
    free(db->told);
    free(db->later);
    arena_deinit(&db->memory);
}

/* ---- a transaction's part ---- */

void
db_start(struct db *db)
{
    db->doom.status = 0;
    db->lost = db->in_company = db->has_written = db->is_busy = false;
}

bool
db_ended(struct db *db, bool ran, struct error *err)
{
    if (db->open_rows > 0) {
        db->driver->abandon(db);
        db->open_rows = 0;
        if (ran && db->doom.status == 0)
            ran = error_set(err, 500, "A query was left unfinished");
    }
    if (ran && !is_doomed(db, err)) {
        err->status = 0;
        return true;
    }
    if (err->status == 0)
        error_set(err, 500, "The transaction failed without saying why");
    return false;
}
