/* media.c -- the front of media.h: names, the spool, and what a file is. */
#include "media/driver.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/random.h"
#include "media/image_size.h"
#include "media/sniff.h"

enum { RANDOM_SIZE = 16, STEM_MIN = 16, STEM_MAX = 22 }; /* base58 of 16 bytes */
enum { SPOOL_AGE_S = 24 * 60 * 60, FULL_RETRY_MS = 30000 };

bool
media_fail(struct error *err, const char *doing, const char *what, int system_errno)
{
    if (system_errno != ENOSPC && system_errno != EDQUOT && system_errno != EFBIG)
        return error_set(err, 503, "A media file could not be %s: %s: %s", doing, what, strerror(system_errno));
    error_set(err, 503, "A media file could not be %s: no space is left on the disk for media", doing);
    err->retry_after_ms = FULL_RETRY_MS;
    return false;
}

/* ---- names ---- */

static void
random_name(const char *suffix, char out[MEDIA_NAME_MAX])
{
    char bytes[RANDOM_SIZE];
    struct buf stem;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&stem, STEM_MAX);
    base58_encode(&stem, (struct str){ bytes, sizeof(bytes) });
    assert(buf_ok(&stem));
    snprintf(out, MEDIA_NAME_MAX, "%.*s%s", STR_ARG(stem), suffix);
    buf_deinit(&stem);
}

/* NULL for every text that random_name() cannot have made with an extension: no slash, no dot but one. */
static const struct media_type *
check_name(struct str name)
{
    static const struct str base58 = STR("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");
    struct str stem, extension;

    if (str_is_none(name) || !str_cut(name, '.', &stem, &extension) || stem.len < STEM_MIN || stem.len > STEM_MAX)
        return NULL;
    for (size_t i = 0; i < stem.len; i++)
        if (!memchr(base58.ptr, stem.ptr[i], base58.len))
            return NULL;
    return media_type_by_extension(extension);
}

/* `name` as the stores want it, when it is one of ours. */
static const struct media_type *
take_name(struct str name, char out[MEDIA_NAME_MAX], struct error *err)
{
    const struct media_type *type = check_name(name);

    if (!type)
        error_set(err, 404, "No such file");
    else
        snprintf(out, MEDIA_NAME_MAX, "%.*s", STR_ARG(name));
    return type;
}

/* ---- spool ---- */

/* A mark is an empty file in the spool, which stays there until it is found. */
static bool
is_mark(const char *entry)
{
    return check_name(str_of(entry)) != NULL;
}

static void
remove_old(const char *folder)
{
    int64_t now_s = clock_now_ms() / 1000;
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
            && now_s - st.st_mtim.tv_sec > SPOOL_AGE_S && !is_mark(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

bool
media_spool_open(struct media_store *m, const char *folder, struct error *err)
{
    m->spool = strdup(folder);
    if (!m->spool)
        out_of_memory();
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return media_fail(err, "received", folder, errno);
    if (faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        return media_fail(err, "received", folder, errno);
    remove_old(folder);
    return true;
}

const char *
media_spool_dir(struct media_store *m)
{
    return m->spool;
}

struct str
media_spool_path(struct media_store *m, struct arena *a)
{
    char name[MEDIA_NAME_MAX];

    random_name("", name);
    return arena_printf(a, "%s/%s", m->spool, name);
}

/* ---- looking into files ---- */

/* As much as there is, up to `max`. */
static ssize_t
read_head(int fd, char *out, size_t max)
{
    size_t len = 0;
    ssize_t got = 1;

    while (len < max && got > 0) {
        got = pread(fd, out + len, max - len, (off_t)len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    return got < 0 ? -1 : (ssize_t)len;
}

static bool
inspect_open(int fd, const char *path, struct str claimed, const struct media_type **type, struct media_info *out,
             struct error *err)
{
    struct stat st;
    char *head;
    ssize_t len;
    bool ok;

    if (fstat(fd, &st) != 0)
        return media_fail(err, "read", path, errno);
    if (!S_ISREG(st.st_mode))
        return media_fail(err, "read", path, EINVAL);
    head = malloc(SNIFF_HEAD);
    if (!head)
        out_of_memory();
    len = read_head(fd, head, SNIFF_HEAD);
    if (len < 0)
        ok = media_fail(err, "read", path, errno);
    else
        ok = sniff((struct str){ head, (size_t)len }, fd, claimed, type, err);
    if (ok) {
        *out = (struct media_info){ .content_type = (*type)->content_type, .kind = (*type)->kind, .size = st.st_size };
        if (!image_size((struct str){ head, (size_t)len }, &out->width, &out->height))
            out->width = out->height = 0;
    }
    free(head);
    return ok;
}

static bool
inspect(const char *path, struct str claimed, const struct media_type **type, struct media_info *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok;

    if (fd < 0)
        return media_fail(err, "read", path, errno);
    ok = inspect_open(fd, path, claimed, type, out, err);
    close(fd);
    return ok;
}

bool
media_inspect(const char *path, struct str claimed_type, struct media_info *out, struct error *err)
{
    const struct media_type *type;

    return inspect(path, claimed_type, &type, out, err);
}

/* ---- marks ---- */

static void
mark_path(const struct media_store *m, const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", m->spool, name);
}

/* Not synced: on a file system with a journal it is on the disk before the object that is named after it. */
static bool
mark(struct media_store *m, const char *name, struct error *err)
{
    char path[PATH_MAX];
    int fd;

    mark_path(m, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return media_fail(err, "stored", path, errno);
    close(fd);
    return true;
}

static void
unmark(struct media_store *m, const char *name)
{
    char path[PATH_MAX];

    mark_path(m, name, path);
    (void)unlink(path);
}

/* ---- the store ---- */

void
media_hurry(struct media_store *m)
{
    if (m && m->driver->hurry)
        m->driver->hurry(m);
}

void
media_close(struct media_store *m)
{
    if (!m)
        return;
    free(m->spool);
    m->driver->close(m);
}

bool
media_add(struct media_store *m, const char *path, struct str claimed_type, struct media_info *out, struct error *err)
{
    const struct media_type *type;
    bool ok = inspect(path, claimed_type, &type, out, err);

    if (ok) {
        random_name(type->suffix, out->name);
        ok = mark(m, out->name, err);
        if (ok && !m->driver->put(m, path, out->name, err)) {
            ok = false;
            if (!m->driver->is_remote) /* a bucket may have it all the same */
                unmark(m, out->name);
        }
    }
    if (!ok)
        unlink(path);
    return ok;
}

void
media_named(struct media_store *m, struct str name)
{
    struct error ignored;
    char ours[MEDIA_NAME_MAX];

    if (take_name(name, ours, &ignored))
        unmark(m, ours);
}

void
media_marked(struct media_store *m, int64_t before_ms, struct arena *a, struct str **out, size_t *n)
{
    DIR *dir = opendir(m->spool);
    const struct dirent *entry;
    struct stat st;
    size_t cap = 0;

    *out = NULL;
    *n = 0;
    while (dir && (entry = readdir(dir)) != NULL)
        if (is_mark(entry->d_name) && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
            && (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < before_ms) {
            *out = arena_more(a, *out, *n, &cap, sizeof(**out));
            (*out)[(*n)++] = arena_copy(a, str_of(entry->d_name));
        }
    if (dir)
        closedir(dir);
}

bool
media_path(struct media_store *m, struct str name, struct arena *a, struct str *out, struct error *err)
{
    char ours[MEDIA_NAME_MAX];

    return take_name(name, ours, err) && m->driver->path(m, ours, a, out, err);
}

bool
media_open(struct media_store *m, struct str name, int *fd, const char **content_type, int64_t *modified_ms,
           struct error *err)
{
    char ours[MEDIA_NAME_MAX];
    const struct media_type *type = take_name(name, ours, err);

    if (!type)
        return false;
    *content_type = type->content_type;
    return m->driver->open(m, ours, fd, modified_ms, err);
}

bool
media_remove(struct media_store *m, struct str name, struct error *err)
{
    char ours[MEDIA_NAME_MAX];

    if (!take_name(name, ours, err) || !m->driver->remove(m, ours, err))
        return false;
    unmark(m, ours);
    return true;
}

bool
media_size(struct media_store *m, struct str name, int64_t *out, struct error *err)
{
    char ours[MEDIA_NAME_MAX];

    return take_name(name, ours, err) && m->driver->size(m, ours, out, err);
}

bool
media_fetch(struct media_store *m, struct str name, const char *path, struct error *err)
{
    char ours[MEDIA_NAME_MAX];

    return take_name(name, ours, err) && m->driver->fetch(m, ours, path, err);
}

bool
media_put(struct media_store *m, const char *path, struct str name, struct error *err)
{
    char ours[MEDIA_NAME_MAX];
    bool ok = take_name(name, ours, err) && m->driver->put(m, path, ours, err);

    if (!ok)
        unlink(path);
    return ok;
}

bool
media_url(struct media_store *m, struct str name, bool with_head, struct arena *a, struct str *out)
{
    struct error ignored;
    char ours[MEDIA_NAME_MAX];

    return m->driver->url && take_name(name, ours, &ignored) && m->driver->url(m, ours, with_head, a, out);
}

bool
media_is_remote(const struct media_store *m)
{
    return m->driver->is_remote;
}
