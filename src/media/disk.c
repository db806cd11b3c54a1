/* disk.c -- objects in a folder: <folder>/8f/8fKq...Zt.jpg, arriving ones in <folder>/spool.
 *
 * An object appears under its name complete and synced to the disk, or not at all, and is never written to
 * again. The folders of two characters keep any one of them from holding millions of entries. */
#include "media/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"

enum { PLACE_MAX = MEDIA_NAME_MAX + 4 };

struct disk {
    struct media_store store;
    char *folder;
    int   root; /* the folder, open */
};

static struct disk *
of(struct media_store *m)
{
    return (struct disk *)(void *)m;
}

static void
place_of(const char *name, char out[PLACE_MAX])
{
    snprintf(out, PLACE_MAX, "%.2s/%s", name, name);
}

static bool
sync_at(int root, const char *path, int flags)
{
    int fd = openat(root, path, flags | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int failure = errno;

    if (fd >= 0)
        close(fd);
    errno = failure;
    return ok;
}

/* The folder of two characters that `name` belongs into, made and known to the disk. */
static bool
make_folder(const struct disk *d, const char *folder)
{
    int failure;

    if (mkdirat(d->root, folder, 0700) != 0)
        return errno == EEXIST;
    if (fsync(d->root) == 0)
        return true;
    failure = errno;
    unlinkat(d->root, folder, AT_REMOVEDIR); /* or the next would take it for one that is known to the disk */
    errno = failure;
    return false;
}

static bool
disk_put(struct media_store *m, const char *path, const char *name, struct error *err)
{
    const struct disk *d = of(m);
    char folder[3] = { name[0], name[1], '\0' }, place[PLACE_MAX];

    place_of(name, place);
    if (!sync_at(AT_FDCWD, path, 0) || !make_folder(d, folder) || renameat(AT_FDCWD, path, d->root, place) != 0)
        return media_fail(err, "stored", d->folder, errno);
    crash_point("media: has its name, not synced");
    if (sync_at(d->root, folder, O_DIRECTORY))
        return true;
    media_fail(err, "stored", d->folder, errno);
    unlinkat(d->root, place, 0);
    return false;
}

static bool
disk_open(struct media_store *m, const char *name, int *fd, int64_t *modified_ms, struct error *err)
{
    const struct disk *d = of(m);
    char place[PLACE_MAX];
    struct stat st;

    place_of(name, place);
    *fd = openat(d->root, place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0 && (errno == ENOENT || errno == ELOOP))
        return error_set(err, 404, "No such file");
    if (*fd < 0)
        return media_fail(err, "read", name, errno);
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        return true;
    }
    close(*fd);
    *fd = -1;
    return error_set(err, 404, "No such file");
}

static bool
disk_path(struct media_store *m, const char *name, struct arena *a, struct str *out, struct error *err)
{
    const struct disk *d = of(m);
    char place[PLACE_MAX];

    place_of(name, place);
    if (faccessat(d->root, place, R_OK, 0) != 0)
        return errno == ENOENT ? error_set(err, 404, "No such file") : media_fail(err, "read", name, errno);
    *out = arena_printf(a, "%s/%s", d->folder, place);
    return true;
}

static bool
disk_remove(struct media_store *m, const char *name, struct error *err)
{
    const struct disk *d = of(m);
    char place[PLACE_MAX];

    place_of(name, place);
    if (unlinkat(d->root, place, 0) == 0 || errno == ENOENT)
        return true;
    return media_fail(err, "removed", name, errno);
}

static bool
disk_size(struct media_store *m, const char *name, int64_t *out, struct error *err)
{
    const struct disk *d = of(m);
    char place[PLACE_MAX];
    struct stat st;

    place_of(name, place);
    if (fstatat(d->root, place, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? error_set(err, 404, "No such file") : media_fail(err, "looked at", name, errno);
    *out = st.st_size;
    return true;
}

static bool
copy_bytes(int from, int to)
{
    char bytes[16384];
    ssize_t got, put;

    while ((got = read(from, bytes, sizeof(bytes))) != 0) {
        if (got < 0 && errno != EINTR)
            return false;
        for (ssize_t at = 0; at < got; at += put) {
            put = write(to, bytes + at, (size_t)(got - at));
            if (put < 0 && errno != EINTR)
                return false;
            put = put < 0 ? 0 : put;
        }
    }
    return true;
}

/* A second name for the same bytes where that is possible; they never change. */
static bool
disk_fetch(struct media_store *m, const char *name, const char *path, struct error *err)
{
    const struct disk *d = of(m);
    char place[PLACE_MAX];
    int64_t modified_ms;
    int from, to;
    bool ok;

    place_of(name, place);
    if (linkat(d->root, place, AT_FDCWD, path, 0) == 0)
        return true;
    if (!disk_open(m, name, &from, &modified_ms, err))
        return false;
    to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ok = to >= 0 && copy_bytes(from, to);
    if (to >= 0 && close(to) != 0)
        ok = false;
    if (!ok) {
        media_fail(err, "read", path, errno);
        if (to >= 0)
            unlink(path);
    }
    close(from);
    return ok;
}

static void
disk_close(struct media_store *m)
{
    struct disk *d = of(m);

    if (d->root >= 0)
        close(d->root);
    free(d->folder);
    free(d);
}

static const struct media_driver disk = {
    .put = disk_put,
    .path = disk_path,
    .open = disk_open,
    .remove = disk_remove,
    .size = disk_size,
    .fetch = disk_fetch,
    .close = disk_close,
};

bool
media_open_disk(const char *folder, struct media_store **out, struct error *err)
{
    struct disk *d = calloc(1, sizeof(*d));
    char *spool = NULL;
    bool ok;

    *out = NULL;
    if (!d || !(d->folder = strdup(folder)) || asprintf(&spool, "%s/spool", folder) < 0)
        out_of_memory();
    d->store.driver = &disk;
    d->root = -1;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        ok = error_set(err, 503, "The media folder %s cannot be made: %s", folder, strerror(errno));
    else if ((d->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0
             || faccessat(d->root, ".", W_OK | X_OK, AT_EACCESS) != 0)
        ok = error_set(err, 503, "The media folder %s cannot be used: %s", folder, strerror(errno));
    else if (fsync(d->root) != 0) /* folders that one who died then has made */
        ok = error_set(err, 503, "The media folder %s cannot be written: %s", folder, strerror(errno));
    else
        ok = media_spool_open(&d->store, spool, err);
    free(spool);
    if (ok)
        *out = &d->store;
    else
        media_close(&d->store);
    return ok;
}
