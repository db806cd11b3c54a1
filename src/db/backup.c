/* backup.c -- a consistent copy of a SQLite database while it is being written to.
 *
 * The copy is made from inside one read transaction, so it shows one moment however long it takes, and it takes
 * nothing from the writer. (Without that transaction SQLite starts again whenever somebody commits.) */
#include "db/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGES_PER_STEP = 256 };

static bool
open_source(const struct db_options *o, sqlite3 **out, struct error *err)
{
    if (sqlite3_open_v2(o->path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(*out, o->busy_timeout_ms);
        if (sqlite3_exec(*out, "BEGIN; SELECT count(*) FROM sqlite_master", NULL, NULL, NULL) == SQLITE_OK)
            return true;
    }
    return error_set(err, 503, "The database %s cannot be read for a backup: %s", o->path, sqlite3_errmsg(*out));
}

/* The copy needs no journal of its own: it gets its name only when it is complete. */
static bool
open_target(const char *path, sqlite3 **out, struct error *err)
{
    int fd;

    if (unlink(path) != 0 && errno != ENOENT)
        return sqlite_explain_system(err, path, errno);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return sqlite_explain_system(err, path, errno);
    close(fd);
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK
        && sqlite3_exec(*out, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return error_set(err, 503, "The backup %s cannot be written: %s", path, sqlite3_errmsg(*out));
}

static bool
copy_pages(sqlite3 *source, sqlite3 *target, const char *path, struct error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(target, "main", source, "main");
    int rc = SQLITE_OK;

    while (b && rc == SQLITE_OK)
        rc = sqlite3_backup_step(b, PAGES_PER_STEP);
    if (b && sqlite3_backup_finish(b) == SQLITE_OK && rc == SQLITE_DONE)
        return true;
    if (rc == SQLITE_FULL)
        return sqlite_explain_system(err, path, ENOSPC);
    return error_set(err, 503, "The backup %s cannot be written: %s", path, sqlite3_errmsg(target));
}

static bool
sync_path(const char *path, int flags, struct error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok)
        error_set(err, 503, "The backup %s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Gives the complete copy its name, unless something has taken it meanwhile. */
static bool
publish(const char *from, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    bool ok;

    if (!folder)
        out_of_memory();
    ok = sync_path(from, O_RDONLY, err)
      && (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0
          || error_set(err, 503, "The backup %s cannot get its name: %s", path, strerror(errno)))
      && sync_path(folder, O_RDONLY | O_DIRECTORY, err);
    free(folder);
    return ok;
}

bool
sqlite_backup(const struct db_options *o, const char *path, struct error *err)
{
    sqlite3 *source = NULL, *target = NULL;
    char *partial = NULL;
    bool ok;

    if (access(path, F_OK) == 0)
        return error_set(err, 409, "%s exists already, and a backup overwrites nothing", path);
    if (asprintf(&partial, "%s.partial", path) < 0)
        out_of_memory();
    ok = open_source(o, &source, err) && open_target(partial, &target, err)
      && copy_pages(source, target, path, err);
    sqlite3_close(source);
    sqlite3_close(target); /* before the copy is moved away under it */
    ok = ok && publish(partial, path, err);
    if (!ok)
        unlink(partial);
    free(partial);
    return ok;
}
