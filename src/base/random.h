/* random.h -- randomness, from the operating system, or from a seed when a test wants to know it beforehand. */
#ifndef PARLEY_BASE_RANDOM_H
#define PARLEY_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t n); /* fit for keys */

int64_t random_below(int64_t n); /* 0 .. n-1, evenly; n > 0 */

/* `ms` moved evenly by up to `percent` up or down: spreads retries that failed together. */
int64_t random_jitter(int64_t ms, int percent);

/* For tests: from now on everything above is a fixed sequence of this seed; 0 gives the real source back. */
void random_seed(uint64_t seed);

#endif
