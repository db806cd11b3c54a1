/* alarms.c -- see alarms.h. A binary heap that knows where each alarm is, so that any can be taken out. */
#include "sandbox/alarms.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

#define CAP_MIN 64

static void
put(struct alarms *all, size_t place, struct alarm *a)
{
    all->heap[place] = a;
    a->place = place;
}

/* Lets the alarm find its place, first towards the top, then towards the bottom. */
static void
settle(struct alarms *all, struct alarm *a)
{
    size_t at = a->place, next;

    while (at > 1 && all->heap[at / 2]->at_ms > a->at_ms) {
        put(all, at, all->heap[at / 2]);
        at /= 2;
    }
    while ((next = at * 2) <= all->count) {
        if (next < all->count && all->heap[next + 1]->at_ms < all->heap[next]->at_ms)
            next++;
        if (all->heap[next]->at_ms >= a->at_ms)
            break;
        put(all, at, all->heap[next]);
        at = next;
    }
    put(all, at, a);
}

static void
grow(struct alarms *all)
{
    size_t         cap = all->cap > 0 ? all->cap * 2 : CAP_MIN;
    struct alarm **heap = realloc(all->heap, (cap + 1) * sizeof(struct alarm *));

    if (!heap)
        out_of_memory();
    all->heap = heap;
    all->cap = cap;
}

void
alarms_deinit(struct alarms *all)
{
    free(all->heap);
    *all = (struct alarms){ .heap = NULL };
}

void
alarm_set(struct alarms *all, struct alarm *a, int64_t at_ms)
{
    assert(a->ring);
    a->at_ms = at_ms;
    if (a->place == 0) {
        if (all->count == all->cap)
            grow(all);
        put(all, ++all->count, a);
    }
    settle(all, a);
}

void
alarm_clear(struct alarms *all, struct alarm *a)
{
    struct alarm *last;

    if (a->place == 0)
        return;
    last = all->heap[all->count--];
    if (last != a) {
        put(all, a->place, last);
        settle(all, last);
    }
    a->place = 0;
}

int64_t
alarms_next(const struct alarms *all)
{
    return all->count > 0 ? all->heap[1]->at_ms : -1;
}

void
alarms_ring(struct alarms *all, int64_t now_ms)
{
    while (all->count > 0 && all->heap[1]->at_ms <= now_ms) {
        struct alarm *a = all->heap[1];

        alarm_clear(all, a);
        a->ring(a);
    }
}
