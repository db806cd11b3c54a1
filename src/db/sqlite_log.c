/* sqlite_log.c -- SQLite's log of changes, written in large pieces.
 *
 * SQLite writes each changed page in two system calls, its header of 24 bytes and the page: a commit that a hundred
 * share is five hundred of them, a sixth of all the writer's time. Here they gather until the sync that ends a commit,
 * or until the same connection reads them. Nobody else does before that: other connections go by an index in memory,
 * which SQLite only brings up to date after the sync. A piece that cannot be written fails the sync, and with it the
 * commit, as it would have failed the write.
 *
 * Everything but the log goes to the system's own file functions untouched. */
#include "db/sqlite.h"

#include <pthread.h>
#include <stdlib.h>

/* The system's functions take no more than 128 KiB less one byte at once. */
enum { PIECE_MAX = 31 * (4096 + 24) };

struct log_file {
    sqlite3_file  file; /* what SQLite sees */
    sqlite3_file *below;
    char         *piece; /* not written yet: `len` bytes that belong at `at` */
    int           len;
    sqlite3_int64 at;
};

static struct log_file *
log_of(sqlite3_file *file)
{
    return (struct log_file *)(void *)file;
}

static int
log_flush(struct log_file *log)
{
    int len = log->len;

    log->len = 0; /* what failed is of no use any more: its transaction ends */
    return len > 0 ? log->below->pMethods->xWrite(log->below, log->piece, len, log->at) : SQLITE_OK;
}

static int
log_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    int rc = SQLITE_OK;

    if (log->len > 0 && (at != log->at + log->len || n > PIECE_MAX - log->len))
        rc = log_flush(log);
    if (rc != SQLITE_OK || n > PIECE_MAX)
        return rc != SQLITE_OK ? rc : log->below->pMethods->xWrite(log->below, bytes, n, at);
    if (!log->piece && !(log->piece = malloc(PIECE_MAX)))
        return SQLITE_IOERR_NOMEM;
    if (log->len == 0)
        log->at = at;
    memcpy(log->piece + log->len, bytes, (size_t)n);
    log->len += n;
    return SQLITE_OK;
}

static int
log_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    int rc = log_flush(log);

    return rc != SQLITE_OK ? rc : log->below->pMethods->xRead(log->below, bytes, n, at);
}

static int
log_sync(sqlite3_file *file, int flags)
{
    struct log_file *log = log_of(file);
    int rc = log_flush(log);

    return rc != SQLITE_OK ? rc : log->below->pMethods->xSync(log->below, flags);
}

static int
log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct log_file *log = log_of(file);
    int rc = log_flush(log);

    return rc != SQLITE_OK ? rc : log->below->pMethods->xTruncate(log->below, size);
}

static int
log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct log_file *log = log_of(file);
    int rc = log_flush(log);

    return rc != SQLITE_OK ? rc : log->below->pMethods->xFileSize(log->below, size);
}

static int
log_close(sqlite3_file *file)
{
    struct log_file *log = log_of(file);

    free(log->piece); /* of a transaction that was not committed */
    return log->below->pMethods->xClose(log->below);
}

static int
log_lock(sqlite3_file *file, int level)
{
    return log_of(file)->below->pMethods->xLock(log_of(file)->below, level);
}

static int
log_unlock(sqlite3_file *file, int level)
{
    return log_of(file)->below->pMethods->xUnlock(log_of(file)->below, level);
}

static int
log_is_reserved(sqlite3_file *file, int *out)
{
    return log_of(file)->below->pMethods->xCheckReservedLock(log_of(file)->below, out);
}

static int
log_control(sqlite3_file *file, int op, void *arg)
{
    return log_of(file)->below->pMethods->xFileControl(log_of(file)->below, op, arg);
}

static int
log_sector_size(sqlite3_file *file)
{
    return log_of(file)->below->pMethods->xSectorSize(log_of(file)->below);
}

static int
log_traits(sqlite3_file *file)
{
    return log_of(file)->below->pMethods->xDeviceCharacteristics(log_of(file)->below);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_is_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_traits,
};

/* ---- opening ---- */

static sqlite3_vfs *system_vfs, log_vfs;
static pthread_once_t log_once = PTHREAD_ONCE_INIT;

static int
log_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
    struct log_file *log = log_of(file);
    int rc;

    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return system_vfs->xOpen(system_vfs, name, file, flags, flags_out);
    *log = (struct log_file){ .below = (sqlite3_file *)(void *)(log + 1) };
    log->below->pMethods = NULL;
    rc = system_vfs->xOpen(system_vfs, name, log->below, flags, flags_out);
    log->file.pMethods = log->below->pMethods ? &log_methods : NULL; /* set: it is to be closed, also after a failure */
    return rc;
}

static void
log_register(void)
{
    system_vfs = sqlite3_vfs_find(NULL);
    log_vfs = *system_vfs;
    log_vfs.pNext = NULL;
    log_vfs.zName = "parley";
    log_vfs.szOsFile = (int)sizeof(struct log_file) + system_vfs->szOsFile;
    log_vfs.xOpen = log_open;
    if (sqlite3_vfs_register(&log_vfs, 0) != SQLITE_OK)
        abort();
}

const char *
sqlite_log_vfs(void)
{
    pthread_once(&log_once, log_register);
    return log_vfs.zName;
}
