/* sqlite.c -- the driver for a database in one file, on SQLite with a write-ahead log.
 *
 * One connection writes, any number read meanwhile, each from its own snapshot. A commit is on the disk when
 * it returns (synchronous=FULL). Other processes (the command line) may use the file at the same time. */
#include "db/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

enum { RETRY_AFTER_MS = 1000 };

/* ---- what went wrong ---- */

bool
sqlite_explain_system(struct error *err, const char *path, int system_errno)
{
    switch (system_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        error_set(err, 503, "The database has no space left on its disk");
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        error_set(err, 503, "The database %s cannot be written: %s. Its file and folder must belong to the user Parley"
                  " runs as", path, strerror(system_errno));
        break;
    default:
        error_set(err, 503, "The database %s cannot be used: %s", path, strerror(system_errno));
    }
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

/* Why the system refused. SQLite notes it when a statement fails in its course, but not when a COMMIT does; so what
 * the last call left in errno goes first if it is a likely reason. */
static int
system_reason(const struct sqlite *c, int last_errno)
{
    if (last_errno == ENOSPC || last_errno == EDQUOT || last_errno == EFBIG || last_errno == EIO)
        return last_errno;
    return c->handle ? sqlite3_system_errno(c->handle) : 0;
}

/* What may be over in a moment, or when somebody has made room: the whole batch ends, and is worth trying again. */
static bool
explain_outage(struct sqlite *c, int rc, int system_errno, const char *said, struct error *err)
{
    c->db.lost = true;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        error_set(err, 503, "The database is locked by another process");
        break;
    case SQLITE_FULL:
        return sqlite_explain_system(err, c->path, ENOSPC);
    case SQLITE_NOMEM:
        error_set(err, 503, "The database had not enough memory");
        break;
    default:
        if (system_errno)
            return sqlite_explain_system(err, c->path, system_errno);
        error_set(err, 503, "The database %s cannot be read or written: %s", c->path, said);
    }
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

bool
sqlite_explain(struct sqlite *c, int rc, const char *sql, struct error *err)
{
    int system_errno = system_reason(c, errno); /* first of all, while it is the one */
    const char *said = c->handle ? sqlite3_errmsg(c->handle) : sqlite3_errstr(rc);

    if (c->handle && sqlite3_get_autocommit(c->handle))
        c->db.lost = true;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return explain_outage(c, rc, system_errno, said, err);
    case SQLITE_READONLY:
        return error_set(err, 500, "The database refused to write: %s (%s)", said, sql);
    case SQLITE_NOTADB:
        return error_set(err, 500, "%s is not a database: name another file, or move this one away", c->path);
    case SQLITE_CORRUPT:
        return error_set(err, 500, "The database %s is damaged: stop Parley and restore a backup", c->path);
    case SQLITE_CONSTRAINT:
        return error_set(err, 500, "The database refused a row: %s", said);
    default:
        return error_set(err, 500, "The database failed: %s (%s)", said, sql);
    }
}

/* ---- transactions ---- */

static bool
sqlite_script(struct db *db, const char *sql, struct error *err)
{
    struct sqlite *c = sqlite_of(db);
    int rc = sqlite3_exec(c->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK || sqlite_explain(c, rc, "script", err);
}

static bool
sqlite_control(struct db *db, enum db_control what, struct error *err)
{
    static const char *const sql[DB_CONTROLS] = {
        [DB_COMMIT] = "COMMIT",
        [DB_ROLLBACK] = "ROLLBACK",
        [DB_SAVEPOINT] = "SAVEPOINT one",
        [DB_RELEASE] = "RELEASE one",
        [DB_ROLLBACK_TO] = "ROLLBACK TO one",
    };
    struct sqlite *c = sqlite_of(db);

    if (what == DB_ROLLBACK && sqlite3_get_autocommit(c->handle))
        return true; /* some errors take the transaction with them */
    return sqlite_exec(db, what == DB_BEGIN ? c->begin_sql : sql[what], DB_NO_ARGS, NULL, err);
}

/* When the sync of a commit fails, what it wrote is in the log of changes all the same, though nobody believes that it
 * is on the disk. Were the process to die now, the next one would take it for committed, while its clients were told
 * otherwise; so another commit, of nothing, is written over its beginning. That one may fail as well: it need not be on
 * the disk to hide the other. (No failed sync is tried again on what was written before: Linux would say that all is
 * well. SQLite writes anew whatever it has not synced, log and database.) */
static void
sqlite_bury(struct db *db)
{
    struct sqlite *c = sqlite_of(db);

    (void)sqlite3_exec(c->handle, "PRAGMA user_version = 0", NULL, NULL, NULL);
}

/* ---- connections ---- */

/* The folder of `path`, made when it is missing (but not its parents: a typo should not grow a tree). */
static bool
prepare_folder(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    struct arena a;
    struct str folder;
    bool ok;

    if (!slash || slash == path)
        return true;
    arena_init(&a);
    folder = arena_copy(&a, (struct str){ path, (size_t)(slash - path) });
    ok = mkdir(folder.ptr, 0700) == 0 || errno == EEXIST
      || error_set(err, 503, "The folder %s cannot be made: %s", folder.ptr, strerror(errno));
    arena_deinit(&a);
    return ok;
}

/* Makes the file, for its owner only, before SQLite would for everybody. A file that is there is never opened
 * here: closing it again would drop the locks that other connections in this process hold on it. */
static bool
sqlite_prepare(const struct db_options *o, struct error *err)
{
    struct stat st;
    int fd;

    if (!o->path || !o->path[0])
        return error_set(err, 500, "No path of a database file was given");
    if (!prepare_folder(o->path, err))
        return false;
    fd = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno != EEXIST)
        return sqlite_explain_system(err, o->path, errno);
    if (stat(o->path, &st) != 0)
        return sqlite_explain_system(err, o->path, errno);
    if (!S_ISREG(st.st_mode))
        return error_set(err, 503, "%s is not a file, so it cannot be the database", o->path);
    return true;
}

static void
sqlite_disconnect(struct db *db)
{
    struct sqlite *c;

    if (!db)
        return;
    c = sqlite_of(db);
    sqlite_forget_statements(c);
    sqlite3_close(c->handle);
    free(c->path);
    db_free_parts(&c->db);
    free(c);
}

/* journal_mode answers with the mode it could set: no shared memory (a network share, say), no log. */
static bool
use_log(struct sqlite *c, struct error *err)
{
    static const char sql[] = "PRAGMA journal_mode = WAL";
    struct db_rows rows = { .db = &c->db };
    bool is_on;

    if (!sqlite_query(&c->db, sql, DB_NO_ARGS, &rows, err))
        return false;
    is_on = sqlite_next(&rows) && str_eq(sqlite_col_peek(&rows, 0), STR("wal"));
    sqlite_finish(&rows);
    return is_on
        || error_set(err, 503, "The file system of %s has no shared memory: use a local disk", c->path);
}

/* No memory map: a disk that fails under one kills the process instead of failing a statement. The log is never cut
 * short (no journal_size_limit) because writing over it is much cheaper than growing it. */
static const char write_settings[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA wal_autocheckpoint = 10000;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -16384;";

static const char read_settings[] =
    "PRAGMA query_only = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -2048;";

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Nobody asks how much memory SQLite has, and keeping count means two locks, the same for all threads, for each piece
 * it takes and gives back: a tenth of its work. */
static void
configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static bool
set_up(struct sqlite *c, enum db_mode mode, int busy_timeout_ms, struct error *err)
{
    const char *vfs = mode == DB_WRITE ? sqlite_log_vfs() : NULL;
    int rc = sqlite3_open_v2(c->path, &c->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);

    if (rc != SQLITE_OK)
        return sqlite_explain(c, rc, "open", err);
    sqlite3_extended_result_codes(c->handle, 1);
    sqlite3_busy_timeout(c->handle, busy_timeout_ms);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* "x" is a column, as PostgreSQL has it */
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (sqlite3_db_readonly(c->handle, "main") == 1)
        return sqlite_explain_system(err, c->path, EACCES);
    if (mode == DB_READ)
        return sqlite_script(&c->db, read_settings, err);
    return use_log(c, err) && sqlite_script(&c->db, write_settings, err);
}

static bool
sqlite_connect(const struct db_options *o, enum db_mode mode, struct db **out, struct error *err)
{
    struct sqlite *c = calloc(1, sizeof(*c));

    if (!c || !(c->path = strdup(o->path)))
        out_of_memory();
    pthread_once(&configured, configure);
    c->db.driver = &db_sqlite;
    c->begin_sql = mode == DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN";
    *out = NULL;
    if (!set_up(c, mode, o->busy_timeout_ms, err)) {
        sqlite_disconnect(&c->db);
        return false;
    }
    *out = &c->db;
    return true;
}

/* ---- care ---- */

static bool
sqlite_check(struct db *db, struct error *err)
{
    static const char integrity_sql[] = "PRAGMA integrity_check(1)";
    static const char references_sql[] = "PRAGMA foreign_key_check";
    struct sqlite *c = sqlite_of(db);
    struct db_rows rows = { .db = db };
    struct str found;

    if (!sqlite_query(db, integrity_sql, DB_NO_ARGS, &rows, err))
        return false;
    found = sqlite_next(&rows) ? sqlite_col_peek(&rows, 0) : STR_NONE;
    if (!str_eq(found, STR("ok")))
        error_set(err, 500, "The database %s is damaged: %.*s. Restore a backup", c->path, STR_ARG(found));
    else
        err->status = 0;
    sqlite_finish(&rows);
    if (err->status || !sqlite_query(db, references_sql, DB_NO_ARGS, &rows, err))
        return false;
    if (sqlite_next(&rows)) {
        found = sqlite_col_peek(&rows, 0);
        error_set(err, 500, "The database %s is damaged: row %lld of table %.*s refers to a row that is not there."
                  " Restore a backup", c->path, (long long)sqlite_col_int(&rows, 1), STR_ARG(found));
    }
    sqlite_finish(&rows);
    return err->status == 0;
}

static void
sqlite_tidy(struct db *db)
{
    sqlite3_db_release_memory(sqlite_of(db)->handle);
}

const struct db_driver db_sqlite = {
    .name = "sqlite",
    .key_type = "INTEGER PRIMARY KEY",
    .blob_type = "BLOB",
    .table_exists_sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
    .prepare = sqlite_prepare,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .tidy = sqlite_tidy,
    .control = sqlite_control,
    .bury = sqlite_bury,
    .exec = sqlite_exec,
    .script = sqlite_script,
    .query = sqlite_query,
    .next = sqlite_next,
    .finish = sqlite_finish,
    .abandon = sqlite_abandon,
    .columns = sqlite_columns,
    .col_int = sqlite_col_int,
    .col_peek = sqlite_col_peek,
    .col_is_null = sqlite_col_is_null,
    .backup = sqlite_backup,
    .check = sqlite_check,
};
