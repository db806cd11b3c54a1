/* below.c -- trouble from below, for tests: preloaded, it makes the C library's calls fail, cut short or dawdle.
 *
 * PARLEY_BELOW names a file of ORDERS orders, which the test may write while the program runs (tests/lib/below.js). An
 * order is about one function of the list below, and about files whose path has a text in it. */
#undef _FILE_OFFSET_BITS /* each function under the name that programs call it by */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ORDERS = 8 };

struct order {
    char    call[16];  /* "write", "read", "sync", "open", "socket", "accept", "alloc", "clock", "resolve", "" = none */
    char    text[100]; /* part of the path, the host's name, of what is opened; "" = any */
    int32_t error;     /* errno, or getaddrinfo's code; 0 = none: write and read do half, resolve gives 127.0.0.1 */
    int32_t skip;      /* so many calls go well first */
    int32_t count;     /* so many are in trouble then; -1 = all */
    int32_t value;     /* of "clock": by how many seconds it is wrong; of "resolve": how long it takes, in ms */
    int32_t seen;      /* how many calls it was about */
};

static struct order *orders;

__attribute__((constructor)) static void
begin(void)
{
    const char *path = getenv("PARLEY_BELOW");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, ORDERS * sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (map != MAP_FAILED)
        __atomic_store_n(&orders, map, __ATOMIC_RELEASE);
}

/* The order that this call falls to, or NULL. */
static const struct order *
trouble(const char *call, const char *text)
{
    struct order *all = __atomic_load_n(&orders, __ATOMIC_ACQUIRE);

    for (int i = 0; all && i < ORDERS; i++) {
        struct order *o = &all[i];

        if (strcmp(o->call, call) != 0 || (o->text[0] && !(text && strstr(text, o->text))))
            continue;
        __atomic_add_fetch(&o->seen, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&o->count, __ATOMIC_RELAXED) == 0
            || (o->skip > 0 && __atomic_fetch_sub(&o->skip, 1, __ATOMIC_RELAXED) > 0))
            continue;
        if (o->count > 0 && __atomic_fetch_sub(&o->count, 1, __ATOMIC_RELAXED) <= 0)
            continue;
        return o;
    }
    return NULL;
}

static bool
is_about(const char *call)
{
    const struct order *all = __atomic_load_n(&orders, __ATOMIC_ACQUIRE);

    for (int i = 0; all && i < ORDERS; i++)
        if (strcmp(all[i].call, call) == 0)
            return true;
    return false;
}

static const struct order *
trouble_at(const char *call, int fd)
{
    char link[64], path[256];
    int saved = errno;
    ssize_t len;

    if (!is_about(call))
        return NULL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    path[len < 0 ? 0 : len] = '\0';
    errno = saved;
    return trouble(call, path);
}

#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (!real)                                                                                                         \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

static int
fail(const struct order *o)
{
    errno = o->error;
    return -1;
}

/* ---- reading, writing, syncing ---- */

#define HALF(o, n) ((o) && (n) > 1 ? (n) / 2 : (n))

ssize_t
write(int fd, const void *data, size_t n)
{
    const struct order *o = trouble_at("write", fd);

    REAL(write);
    return o && o->error ? fail(o) : real(fd, data, HALF(o, n));
}

ssize_t
pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    const struct order *o = trouble_at("write", fd);

    REAL(pwrite64);
    return o && o->error ? fail(o) : real(fd, data, HALF(o, n), at);
}

ssize_t
read(int fd, void *data, size_t n)
{
    const struct order *o = trouble_at("read", fd);

    REAL(read);
    return o && o->error ? fail(o) : real(fd, data, HALF(o, n));
}

ssize_t
pread64(int fd, void *data, size_t n, off64_t at)
{
    const struct order *o = trouble_at("read", fd);

    REAL(pread64);
    return o && o->error ? fail(o) : real(fd, data, HALF(o, n), at);
}

ssize_t
send(int fd, const void *data, size_t n, int flags)
{
    const struct order *o = trouble_at("write", fd);

    REAL(send);
    return o && o->error ? fail(o) : real(fd, data, HALF(o, n), flags);
}

ssize_t
recv(int fd, void *data, size_t n, int flags)
{
    const struct order *o = trouble_at("read", fd);

    REAL(recv);
    return o && o->error ? fail(o) : real(fd, data, HALF(o, n), flags);
}

ssize_t
writev(int fd, const struct iovec *parts, int n)
{
    const struct order *o = trouble_at("write", fd);
    struct iovec first = parts[0];

    REAL(writev);
    if (!o)
        return real(fd, parts, n);
    first.iov_len = HALF(o, first.iov_len);
    return o->error ? fail(o) : real(fd, &first, 1);
}

int
fsync(int fd)
{
    const struct order *o = trouble_at("sync", fd);

    REAL(fsync);
    return o ? fail(o) : real(fd);
}

int
fdatasync(int fd)
{
    const struct order *o = trouble_at("sync", fd);

    REAL(fdatasync);
    return o ? fail(o) : real(fd);
}

/* ---- descriptors ---- */

int
open64(const char *path, int flags, ...)
{
    const struct order *o = trouble("open", path);
    va_list rest;
    mode_t mode;

    REAL(open64);
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    return o ? fail(o) : real(path, flags, mode);
}

int
socket(int domain, int type, int protocol)
{
    const struct order *o = trouble("socket", NULL);

    REAL(socket);
    return o ? fail(o) : real(domain, type, protocol);
}

int
accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    const struct order *o = trouble("accept", NULL);

    REAL(accept4);
    return o ? fail(o) : real(fd, address, size, flags);
}

/* ---- memory: from glibc itself, because dlsym() allocates ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool
is_denied(void)
{
    if (!trouble("alloc", NULL))
        return false;
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t size)
{
    return is_denied() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    return is_denied() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *old, size_t size)
{
    return is_denied() ? NULL : __libc_realloc(old, size);
}

/* ---- time ---- */

static int64_t
wrong_by_s(void)
{
    const struct order *o = trouble("clock", NULL);

    return o ? o->value : 0;
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
    int result;

    REAL(clock_gettime);
    result = real(id, out);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec += wrong_by_s();
    return result;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int result;

    REAL(gettimeofday);
    result = real(out, zone);
    if (result == 0)
        out->tv_sec += wrong_by_s();
    return result;
}

time_t
time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* ---- names ---- */

int
getaddrinfo(const char *restrict host, const char *restrict port, const struct addrinfo *restrict hints,
            struct addrinfo **restrict out)
{
    const struct order *o = trouble("resolve", host);

    REAL(getaddrinfo);
    if (!o)
        return real(host, port, hints, out);
    usleep((useconds_t)o->value * 1000);
    return o->error ? o->error : real("127.0.0.1", port, hints, out);
}

/* Where the program reads the certificates that it believes, it reads the test's, too. */
FILE *
fopen(const char *restrict path, const char *restrict mode)
{
    const char *instead = getenv("PARLEY_BELOW_CA");

    REAL(fopen);
    return real(instead && strstr(path, "ca-certificates.crt") ? instead : path, mode);
}

FILE *
fopen64(const char *restrict path, const char *restrict mode)
{
    return fopen(path, mode);
}
