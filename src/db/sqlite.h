/* sqlite.h -- what the files of the SQLite driver share; nobody outside of them includes it. */
#ifndef PARLEY_DB_SQLITE_H
#define PARLEY_DB_SQLITE_H

#include <sqlite3.h>

#include "base/map.h"
#include "db/driver.h"

struct sqlite {
    struct db   db;
    sqlite3    *handle;
    char       *path;
    const char *begin_sql;
    struct map  statements; /* by the address of their SQL */
};

static inline struct sqlite *
sqlite_of(struct db *db)
{
    return container_of(db, struct sqlite, db);
}

/* ---- sqlite.c ---- */

/* Turns SQLite's result code, right after the call that gave it, into the sentence, and notes when the
 * transaction is over for everybody in it. Always false. */
bool sqlite_explain(struct sqlite *c, int rc, const char *sql, struct error *err);

/* The sentence for a failed system call on the file at `path`: no room, no right, or whatever it was. Always
 * false. */
bool sqlite_explain_system(struct error *err, const char *path, int system_errno);

/* ---- sqlite_statement.c: these fill the table of the driver ---- */

bool sqlite_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
                 struct error *err);
bool sqlite_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
                  struct error *err);
bool sqlite_next(struct db_rows *rows);
void sqlite_finish(struct db_rows *rows);
void sqlite_abandon(struct db *db);
int  sqlite_columns(struct db_rows *rows);
int64_t    sqlite_col_int(struct db_rows *rows, int col);
struct str sqlite_col_peek(struct db_rows *rows, int col);
bool       sqlite_col_is_null(struct db_rows *rows, int col);

void sqlite_forget_statements(struct sqlite *c);

/* ---- sqlite_log.c ---- */

/* The name by which a connection that writes opens its files. */
const char *sqlite_log_vfs(void);

/* ---- backup.c ---- */

/* Writes the database as it is at one moment to a new file at `path`, while others write. */
bool sqlite_backup(const struct db_options *o, const char *path, struct error *err);

#endif
