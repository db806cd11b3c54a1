/* s3_copies.c -- a folder of copies of what was asked for, within a limit; processes of one machine may share it.
 *
 * Objects never change, so a copy is as good as the object while there is one. Another machine may have removed that,
 * so after an hour the bucket is asked again. A copy's modification time is the object's, its access time (which we set
 * ourselves) that of the last such look, and to make room those go first that were not asked for since the longest. */
#include "media/s3.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_AGAIN_S = 60 * 60, OPEN_TRIES = 3 };

/* ---- making room ---- */

struct copy {
    char    name[MEDIA_NAME_MAX];
    int64_t used_at, size;
};

static int
by_use(const void *left, const void *right)
{
    const struct copy *a = left, *b = right;

    return a->used_at < b->used_at ? -1 : a->used_at > b->used_at;
}

/* The copies, and how much they are together. The caller frees. */
static size_t
list_copies(DIR *dir, struct copy **out, int64_t *total)
{
    const struct dirent *entry;
    size_t n = 0, cap = 0;
    struct stat st;

    *out = NULL;
    *total = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 64;
            *out = realloc(*out, cap * sizeof(**out));
            if (!*out)
                out_of_memory();
        }
        (*out)[n] = (struct copy){ .used_at = st.st_atim.tv_sec, .size = st.st_size };
        snprintf((*out)[n].name, sizeof((*out)[n].name), "%.*s", MEDIA_NAME_MAX - 1, entry->d_name);
        *total += (*out)[n++].size;
    }
    return n;
}

/* Down to three quarters of what is allowed, but for the one that was just made. A file that is open somewhere stays
 * readable there. */
static void
make_room(const struct s3 *s, const char *newest)
{
    DIR *dir = opendir(s->copies);
    struct copy *copies = NULL;
    int64_t total;
    size_t n;

    if (!dir)
        return;
    n = list_copies(dir, &copies, &total);
    if (total > s->copies_max) {
        qsort(copies, n, sizeof(copies[0]), by_use);
        for (size_t i = 0; i < n && total > s->copies_max / 4 * 3; i++)
            if (strcmp(copies[i].name, newest) != 0 && unlinkat(dirfd(dir), copies[i].name, 0) == 0)
                total -= copies[i].size;
    }
    closedir(dir);
    free(copies);
}

/* Looking at all of them each time would be too much; the limit is passed by a sixteenth instead. */
static void
count_copy(struct s3 *s, const char *name, const char *path)
{
    struct stat st;
    int64_t added;

    if (stat(path, &st) != 0)
        return;
    added = atomic_fetch_add(&s->copies_added, st.st_size) + st.st_size;
    if (added <= s->copies_max / 16)
        return;
    atomic_store(&s->copies_added, 0);
    make_room(s, name);
}

/* ---- having them ---- */

static void
note_use(const char *path)
{
    int64_t now_ms = clock_now_ms();
    struct timespec times[2] = { { .tv_sec = now_ms / 1000 }, { .tv_nsec = UTIME_OMIT } };

    (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

/* Whether there is a copy to use. An object that was removed takes its copy along (err is a 404); while the bucket
 * cannot be asked, the copy is good. */
static bool
look(struct s3 *s, const char *name, const char *path, bool *found, struct error *err)
{
    int64_t now_s = clock_now_ms() / 1000, size;
    struct error trouble;
    struct stat st;

    *found = stat(path, &st) == 0;
    if (!*found || llabs(now_s - st.st_atim.tv_sec) < LOOK_AGAIN_S)
        return true;
    if (s3_size(&s->store, name, &size, &trouble)) {
        note_use(path);
    } else if (trouble.status == 404) {
        unlink(path);
        *err = trouble;
        return false;
    }
    return true;
}

/* A copy that a power failure cut short would be served for ever, so it is on the disk before it has its name. */
static bool
keep_copy(const char *arriving, const char *path, struct error *err)
{
    int fd = open(arriving, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && fdatasync(fd) == 0;

    note_use(arriving);
    ok = ok && rename(arriving, path) == 0;
    if (!ok)
        media_fail(err, "read", path, errno);
    if (fd >= 0)
        close(fd);
    if (!ok)
        unlink(arriving);
    return ok;
}

/* What was put is often asked for at once: by who wrote it, or to be sent. */
void
s3_keep_copy(struct s3 *s, const char *path, const char *name)
{
    struct error ignored;
    struct arena a;
    struct str copy;

    arena_init(&a);
    copy = arena_printf(&a, "%s/%s", s->copies, name);
    if (keep_copy(path, copy.ptr, &ignored))
        count_copy(s, name, copy.ptr);
    arena_deinit(&a);
}

/* Two who make the same copy at once both make a whole one. */
bool
s3_path(struct media_store *m, const char *name, struct arena *a, struct str *out, struct error *err)
{
    struct s3 *s = s3_of(m);
    struct str arriving;
    bool found;

    *out = arena_printf(a, "%s/%s", s->copies, name);
    if (!look(s, name, out->ptr, &found, err))
        return false;
    if (found)
        return true;
    arriving = media_spool_path(m, a);
    if (!s3_fetch(m, name, arriving.ptr, err) || !keep_copy(arriving.ptr, out->ptr, err))
        return false;
    count_copy(s, name, out->ptr);
    return true;
}

bool
s3_open(struct media_store *m, const char *name, int *fd, int64_t *modified_ms, struct error *err)
{
    struct arena a;
    struct stat st;
    struct str path;
    bool ok = true;

    *fd = -1;
    arena_init(&a);
    for (int i = 0; i < OPEN_TRIES && ok && *fd < 0; i++) { /* it may be thrown away before it is opened */
        ok = s3_path(m, name, &a, &path, err);
        if (ok)
            *fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (ok && *fd < 0)
        ok = media_fail(err, "read", name, errno);
    arena_deinit(&a);
    if (ok)
        *modified_ms = fstat(*fd, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000 : clock_now_ms();
    return ok;
}

void
s3_forget_copy(const struct s3 *s, const char *name)
{
    struct arena a;

    arena_init(&a);
    (void)unlink(arena_printf(&a, "%s/%s", s->copies, name).ptr);
    arena_deinit(&a);
}
