/* sqlite_statement.c -- prepared statements of one connection: finding, binding, stepping, reading. */
#include "db/sqlite.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum { ARGS_MAX = 1000 };

/* A prepared statement. A query that is run again inside the loop over its own rows gets a second one. */
struct statement {
    sqlite3_stmt     *handle;
    struct statement *again; /* the next one of the same SQL */
    bool busy;               /* a query whose rows are being read */
    bool has_row, fresh;     /* there is a row; it has not been handed out yet */
    size_t sql_len;
    size_t args;
    uint16_t arg_at[];       /* which of the arguments each of SQLite's parameters is, from 0 */
};

static void
free_statements(struct statement *s)
{
    struct statement *again;

    for (; s; s = again) {
        again = s->again;
        sqlite3_finalize(s->handle);
        free(s);
    }
}

/* SQLite takes "$1" for a name and numbers names as they appear: "VALUES ($2, $1)" has $2 at 1. */
static bool
map_args(struct statement *s, int params, const char *sql, struct error *err)
{
    for (int i = 0; i < params; i++) {
        const char *name = sqlite3_bind_parameter_name(s->handle, i + 1);
        int64_t number = 0;

        if (!name || name[0] != '$' || !str_to_i64(str_of(name + 1), &number) || number < 1 || number > ARGS_MAX)
            return error_set(err, 500, "A parameter is not $1, $2, ...: %s", sql);
        s->arg_at[i] = (uint16_t)(number - 1);
        if (s->args < (size_t)number)
            s->args = (size_t)number;
    }
    if (s->args != (size_t)params)
        return error_set(err, 500, "Parameters are missing between $1 and $%zu: %s", s->args, sql);
    return true;
}

/* Behind the blanks and semicolons that may end a statement. */
static const char *
skip_end(const char *sql)
{
    while (isspace((unsigned char)*sql) || *sql == ';')
        sql++;
    return sql;
}

static bool
prepare_statement(struct sqlite *c, const char *sql, struct statement **out, struct error *err)
{
    sqlite3_stmt *handle = NULL;
    const char *tail;
    struct statement *s;
    int params, rc;

    rc = sqlite3_prepare_v3(c->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, &tail);
    if (rc != SQLITE_OK)
        return sqlite_explain(c, rc, sql, err);
    if (!handle || *skip_end(tail)) {
        sqlite3_finalize(handle);
        return error_set(err, 500, "Not exactly one statement: %s", sql);
    }
    params = sqlite3_bind_parameter_count(handle);
    s = calloc(1, sizeof(*s) + (size_t)params * sizeof(s->arg_at[0]));
    if (!s)
        out_of_memory();
    s->handle = handle;
    s->sql_len = strlen(sqlite3_sql(handle));
    if (!map_args(s, params, sql, err)) {
        free_statements(s);
        return false;
    }
    *out = s;
    return true;
}

/* An address that comes back with other SQL is a buffer where a constant was promised. */
static bool
is_sql_of(const struct statement *s, const char *sql)
{
    return strncmp(sql, sqlite3_sql(s->handle), s->sql_len) == 0 && *skip_end(sql + s->sql_len) == '\0';
}

/* The statement for `sql`, prepared now or before, and not in use. */
static bool
find_statement(struct sqlite *c, const char *sql, struct statement **out, struct error *err)
{
    int64_t key = (int64_t)(intptr_t)sql;
    struct statement *first = map_get(&c->statements, key), *s;

    for (s = first; s; s = s->again)
        if (!s->busy) {
            if (!is_sql_of(s, sql))
                return error_set(err, 500, "SQL was built where a constant is needed: %s", sql);
            *out = s;
            return true;
        }
    if (!prepare_statement(c, sql, &s, err))
        return false;
    s->again = first;
    map_put(&c->statements, key, s);
    *out = s;
    return true;
}

/* `life` tells whether what the arguments point to outlives the statement's run. */
static bool
bind_args(struct sqlite *c, struct statement *s, const char *sql, const struct db_value *args, size_t n,
     sqlite3_destructor_type life, struct error *err)
{
    int params = sqlite3_bind_parameter_count(s->handle);

    if (n != s->args)
        return error_set(err, 500, "%zu values were given for %zu parameters: %s", n, s->args, sql);
    for (int i = 0; i < params; i++) {
        const struct db_value *v = &args[s->arg_at[i]];
        int rc = SQLITE_OK;

        switch (v->type) {
        case DB_NULL:
            rc = sqlite3_bind_null(s->handle, i + 1);
            break;
        case DB_INT:
            rc = sqlite3_bind_int64(s->handle, i + 1, v->number);
            break;
        case DB_TEXT:
            rc = sqlite3_bind_text64(s->handle, i + 1, v->text.ptr, v->text.len, life, SQLITE_UTF8);
            break;
        case DB_BLOB:
            rc = sqlite3_bind_blob64(s->handle, i + 1, v->text.ptr, v->text.len, life);
            break;
        }
        if (rc != SQLITE_OK)
            return sqlite_explain(c, rc, sql, err);
    }
    return true;
}

/* One step; after a failure or the last row the statement is ready for its next use. */
static bool
step(struct sqlite *c, struct statement *s, struct error *err)
{
    int rc;

    errno = 0;
    rc = sqlite3_step(s->handle);
    s->has_row = rc == SQLITE_ROW;
    if (s->has_row)
        return true;
    if (rc != SQLITE_DONE)
        sqlite_explain(c, rc, sqlite3_sql(s->handle), err);
    sqlite3_reset(s->handle);
    return rc == SQLITE_DONE;
}

bool
sqlite_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed, struct error *err)
{
    struct sqlite *c = sqlite_of(db);
    struct statement *s;

    if (!find_statement(c, sql, &s, err) || !bind_args(c, s, sql, args, n, SQLITE_STATIC, err))
        return false;
    do {
        if (!step(c, s, err))
            return false;
    } while (s->has_row);
    if (changed)
        *changed = sqlite3_stmt_readonly(s->handle) ? 0 : sqlite3_changes(c->handle);
    return true;
}

void
sqlite_forget_statements(struct sqlite *c)
{
    size_t at = 0;
    int64_t key;
    void *first;

    while (map_next(&c->statements, &at, &key, &first))
        free_statements(first);
    map_deinit(&c->statements);
}

/* ---- rows ---- */

/* The arguments are copied: a caller's text may be gone before the last row is read. */
bool
sqlite_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
             struct error *err)
{
    struct sqlite *c = sqlite_of(db);
    struct statement *s;

    if (!find_statement(c, sql, &s, err) || !bind_args(c, s, sql, args, n, SQLITE_TRANSIENT, err) || !step(c, s, err))
        return false;
    s->fresh = s->has_row;
    s->busy = true;
    rows->statement = s;
    return true;
}

bool
sqlite_next(struct db_rows *rows)
{
    struct statement *s = rows->statement;

    if (s->fresh) {
        s->fresh = false;
        return true;
    }
    if (s->has_row && !step(sqlite_of(rows->db), s, &rows->err))
        rows->failed = true;
    return s->has_row;
}

static void
release(struct statement *s)
{
    if (s->has_row)
        sqlite3_reset(s->handle);
    sqlite3_clear_bindings(s->handle); /* frees the copies */
    s->has_row = s->fresh = s->busy = false;
}

void
sqlite_finish(struct db_rows *rows)
{
    release(rows->statement);
}

void
sqlite_abandon(struct db *db)
{
    size_t at = 0;
    int64_t key;
    void *first;

    while (map_next(&sqlite_of(db)->statements, &at, &key, &first))
        for (struct statement *s = first; s; s = s->again)
            if (s->busy)
                release(s);
}

int
sqlite_columns(struct db_rows *rows)
{
    return sqlite3_data_count(((struct statement *)rows->statement)->handle);
}

int64_t
sqlite_col_int(struct db_rows *rows, int col)
{
    return sqlite3_column_int64(((struct statement *)rows->statement)->handle, col);
}

/* The value is fetched once and then asked three things, which is half the work of asking the statement. That is in
 * order because the connection has no mutex (SQLITE_OPEN_NOMUTEX) for the value to be protected by. */
struct str
sqlite_col_peek(struct db_rows *rows, int col)
{
    sqlite3_value *value = sqlite3_column_value(((struct statement *)rows->statement)->handle, col);
    int type = sqlite3_value_type(value);
    const void *ptr;

    if (type == SQLITE_NULL)
        return STR_NONE;
    ptr = type == SQLITE_BLOB ? sqlite3_value_blob(value) : (const void *)sqlite3_value_text(value);
    return (struct str){ ptr ? ptr : "", (size_t)sqlite3_value_bytes(value) }; /* an empty blob has no address */
}

bool
sqlite_col_is_null(struct db_rows *rows, int col)
{
    return sqlite3_column_type(((struct statement *)rows->statement)->handle, col) == SQLITE_NULL;
}
