/* random.c -- see random.h. The seeded sequence is splitmix64: its whole state is one counter, so that
 * any thread may draw from it without a lock. */
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static atomic_bool      is_seeded;
static _Atomic uint64_t seeded_state;

static uint64_t
seeded_next(void)
{
    const uint64_t step = 0x9E3779B97F4A7C15U;
    uint64_t       z = atomic_fetch_add(&seeded_state, step) + step;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static void
seeded_bytes(char *out, size_t n)
{
    while (n > 0) {
        uint64_t word = seeded_next();
        size_t   part = n < sizeof(word) ? n : sizeof(word);

        memcpy(out, &word, part);
        out += part;
        n -= part;
    }
}

void
random_bytes(void *out, size_t n)
{
    char *at = out;

    if (atomic_load(&is_seeded)) {
        seeded_bytes(at, n);
        return;
    }
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            /* Keys from anything weaker would be worse than no service. */
            fprintf(stderr, "getrandom: %s\n", strerror(errno));
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

int64_t
random_below(int64_t n)
{
    uint64_t bound = (uint64_t)n, word, unfair;

    assert(n > 0);
    unfair = (0 - bound) % bound; /* so many of the lowest values would come up once too often */
    do
        random_bytes(&word, sizeof(word));
    while (word < unfair);
    return (int64_t)(word % bound);
}

int64_t
random_jitter(int64_t ms, int percent)
{
    int64_t span;

    assert(percent >= 0 && percent <= 100);
    if (ms <= 0 || ms > INT64_MAX / 4)
        return ms;
    span = ms / 100 * percent + ms % 100 * percent / 100;
    return ms - span + random_below(2 * span + 1);
}

void
random_seed(uint64_t seed)
{
    atomic_store(&seeded_state, seed);
    atomic_store(&is_seeded, seed != 0);
}
