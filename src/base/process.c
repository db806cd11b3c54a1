/* process.c -- see process.h. Linux tells of processes in /proc, and of their end through kill(). */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STAT_MAX = 1024, WORD_MAX = 64 };

static const char *proc = "/proc";

void
process_proc(const char *folder)
{
    proc = folder ? folder : "/proc";
}

/* ---- what /proc tells ---- */

static bool
read_file(const char *name, char *out, size_t size)
{
    char path[PATH_MAX];
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", proc, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, out, size - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool
read_link(const char *name, char *out, size_t size)
{
    char path[PATH_MAX];
    ssize_t n;

    snprintf(path, sizeof(path), "%s/%s", proc, name);
    n = readlink(path, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

struct seen {
    char    state;
    int64_t threads;
    int64_t started; /* in ticks since the boot */
};

/* The name stands in parentheses and may hold any character, so fields are counted behind the last one. */
static bool
read_stat(const char *pid, struct seen *out)
{
    enum { STATE = 3, THREADS = 20, STARTED = 22 };
    char name[WORD_MAX], text[STAT_MAX];
    struct str rest, word;
    const char *end;
    bool ok = true;

    snprintf(name, sizeof(name), "%s/stat", pid);
    if (!read_file(name, text, sizeof(text)) || (end = strrchr(text, ')')) == NULL || end[1] != ' ')
        return false;
    rest = str_of(end + 2);
    for (int field = STATE; field <= STARTED; field++) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (word.len == 0)
            return false;
        if (field == STATE)
            out->state = word.ptr[0];
        else if (field == THREADS)
            ok &= str_to_i64(word, &out->threads);
        else if (field == STARTED)
            ok &= str_to_i64(word, &out->started);
    }
    return ok;
}

/* What two processes must have in common to see the same ones under the same numbers: none when that is not known, or
 * when this is another namespace's /proc. A kernel without time namespaces has no link for one. */
static bool
read_place(char *out, size_t size)
{
    char boot[64], pids[WORD_MAX], times[WORD_MAX], self[WORD_MAX], own[WORD_MAX];

    snprintf(own, sizeof(own), "%ld", (long)getpid());
    if (!read_file("sys/kernel/random/boot_id", boot, sizeof(boot)) || !read_link("self/ns/pid", pids, sizeof(pids))
        || !read_link("self", self, sizeof(self)) || strcmp(self, own) != 0)
        return false;
    if (!read_link("self/ns/time", times, sizeof(times)))
        snprintf(times, sizeof(times), "-");
    boot[strcspn(boot, " \n")] = '\0';
    return (size_t)snprintf(out, size, "%s %s %s", boot, pids, times) < size;
}

/* ---- marks ---- */

void
process_mark(char out[PROCESS_MARK_MAX])
{
    char place[PROCESS_MARK_MAX];
    struct seen self;

    out[0] = '\0';
    if (!read_place(place, sizeof(place)) || !read_stat("self", &self)
        || snprintf(out, PROCESS_MARK_MAX, "%s %ld %lld", place, (long)getpid(), (long long)self.started)
               >= PROCESS_MARK_MAX)
        out[0] = '\0';
}

/* False when it is not of this place. */
static bool
read_mark(struct str mark, int64_t *pid, int64_t *started)
{
    char place[PROCESS_MARK_MAX];
    struct str rest, word;
    size_t len;

    if (mark.len == 0 || !read_place(place, sizeof(place)))
        return false;
    len = strlen(place);
    if (mark.len <= len || memcmp(mark.ptr, place, len) != 0 || mark.ptr[len] != ' ')
        return false;
    rest = str_from(mark, len + 1);
    return str_cut(rest, ' ', &word, &rest)
        && str_to_i64(word, pid) && str_to_i64(rest, started)
        && *pid > 0 && *pid <= INT_MAX && *started >= 0;
}

bool
process_is_near(struct str mark)
{
    int64_t pid, started;

    return read_mark(mark, &pid, &started);
}

/* /proc may hide a living process from us, so that it is not there proves nothing; kill() is told the truth. */
bool
process_is_dead(struct str mark)
{
    int64_t pid, started;
    struct seen seen;
    char name[32];

    if (!read_mark(mark, &pid, &started))
        return false;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return true;
    snprintf(name, sizeof(name), "%lld", (long long)pid);
    return read_stat(name, &seen)
        && (seen.started != started || (seen.state == 'Z' && seen.threads <= 1));
}
