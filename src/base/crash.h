/* crash.h -- places where the process can be made to die, for the test of what a crash leaves behind.
 *
 * A point stands wherever state changes hands: a commit, a write to a socket, a file that gets its name. In ordinary
 * builds it is nothing. With the option crash_points of the build, PARLEY_CRASH_AT says at which one the process kills
 * itself: "commit: not yet", or "commit: not yet*3" for the third time it is reached. When it begins with a slash it
 * names a file that holds a struct crash_order, which may be written while the process runs. `parley crash-points`
 * lists all there are, so that a test can visit every one of them.
 *
 * Breakpoints of a debugger were the other way; they need the debugger, and names that survive inlining. */
#ifndef PARLEY_BASE_CRASH_H
#define PARLEY_BASE_CRASH_H

#ifdef PARLEY_CRASH_POINTS

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct crash_order {
    char     name[124]; /* of the point, with a NUL; "" = none */
    uint32_t times;     /* to be reached until it counts; 0 = never */
};

/* One place in the source, which may be several points: "NAME KIND" for each of `kinds`. */
struct crash_place {
    const char        *name;
    const char *const *kinds; /* NULL = it is one point */
    size_t             count; /* of kinds; those that are NULL are none */
};

void crash_reach(const struct crash_place *place, size_t kind);

/* One a line, sorted, each once. */
void crash_print(FILE *to);

/* The linker collects the places of the whole program in a section; crash.c reads it from end to end. */
#define CRASH_PLACE(kind, ...)                                                                                         \
    do {                                                                                                               \
        static const struct crash_place crash_here = { __VA_ARGS__ };                                                  \
        static const struct crash_place *const crash_listed __attribute__((used, section("crash_places"))) =           \
            &crash_here;                                                                                               \
        crash_reach(crash_listed, kind);                                                                               \
    } while (0)

#define crash_point(name)                             CRASH_PLACE(0, name, NULL, 0)
#define crash_point_of(name, kinds, count, kind)      CRASH_PLACE((size_t)(kind), name, kinds, count)
#define crash_point_if(condition, name)                                                                                \
    do {                                                                                                               \
        if (condition)                                                                                                 \
            crash_point(name);                                                                                         \
    } while (0)

#else

#define crash_point(name)                        ((void)0)
#define crash_point_of(name, kinds, count, kind) ((void)0)
#define crash_point_if(condition, name)          ((void)(condition))

#endif
#endif
