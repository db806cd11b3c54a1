/* crash.c -- see crash.h. Only in builds with crash points. */
#include "base/crash.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { POINTS_MAX = 1000, NAME_MAX_BYTES = sizeof(((struct crash_order *)NULL)->name) };

extern const struct crash_place *const __start_crash_places[], *const __stop_crash_places[];

static struct crash_order own_order;       /* what the environment says itself */
static struct crash_order *order = &own_order;
static pthread_once_t      once = PTHREAD_ONCE_INIT;

static void
read_own_order(const char *text)
{
    const char *star = strchr(text, '*');
    int         len = star ? (int)(star - text) : (int)strlen(text);

    snprintf(own_order.name, sizeof(own_order.name), "%.*s", len, text);
    own_order.times = star ? (uint32_t)strtoul(star + 1, NULL, 10) : 1;
}

static void
find_order(void)
{
    const char *text = getenv("PARLEY_CRASH_AT");
    void       *map;
    int         fd;

    if (!text || text[0] != '/') {
        read_own_order(text ? text : "");
        return;
    }
    fd = open(text, O_RDWR | O_CLOEXEC);
    map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        perror(text);
        abort();
    }
    close(fd);
    order = map;
}

static void
name_of(const struct crash_place *place, size_t kind, char out[NAME_MAX_BYTES])
{
    if (place->kinds)
        snprintf(out, NAME_MAX_BYTES, "%s %s", place->name, place->kinds[kind]);
    else
        snprintf(out, NAME_MAX_BYTES, "%s", place->name);
}

void
crash_reach(const struct crash_place *place, size_t kind)
{
    char name[NAME_MAX_BYTES];

    pthread_once(&once, find_order);
    if (__atomic_load_n(&order->times, __ATOMIC_ACQUIRE) == 0)
        return;
    name_of(place, kind, name);
    if (strncmp(name, order->name, sizeof(name)) != 0 || __atomic_sub_fetch(&order->times, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    kill(getpid(), SIGKILL);
    for (;;)
        pause(); /* the other threads die at the same time, but not this one first */
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void
crash_print(FILE *to)
{
    static char names[POINTS_MAX][NAME_MAX_BYTES];
    size_t      n = 0;

    for (const struct crash_place *const *at = __start_crash_places; at < __stop_crash_places; at++)
        for (size_t kind = 0; kind < ((*at)->kinds ? (*at)->count : 1) && n < POINTS_MAX; kind++)
            if (!(*at)->kinds || (*at)->kinds[kind])
                name_of(*at, kind, names[n++]);
    qsort(names, n, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i - 1], names[i]) != 0)
            fprintf(to, "%s\n", names[i]);
}
