/* alarms.h -- what is to happen at a certain time, earliest first.
 *
 * The owner asks when the next one is due and rings what is due; so tests can put the clock where they
 * want it. */
#ifndef PARLEY_SANDBOX_ALARMS_H
#define PARLEY_SANDBOX_ALARMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what it is about; a zeroed one is not set. */
struct alarm {
    int64_t at_ms;
    void (*ring)(struct alarm *a);
    size_t place; /* in the heap, from 1; 0 = not set */
};

struct alarms {
    struct alarm **heap; /* heap[0] is unused */
    size_t         count, cap;
};

void alarms_deinit(struct alarms *all); /* a zeroed one is empty; alarms still set are forgotten */

void alarm_set(struct alarms *all, struct alarm *a, int64_t at_ms); /* one that is set already is moved */
void alarm_clear(struct alarms *all, struct alarm *a);              /* also when it is not set */

int64_t alarms_next(const struct alarms *all); /* when the earliest is due; -1 = none is set */

/* Rings what is due, in order of time. An alarm is cleared before it rings, and ringing may set and
 * clear any; one that it sets for now or earlier rings in this call too. */
void alarms_ring(struct alarms *all, int64_t now_ms);

#endif
