/* sort.h -- lists of numbers in order. */
#ifndef PARLEY_BASE_SORT_H
#define PARLEY_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* The smallest first, and each once. Returns how many are left. */
size_t sort_distinct(int64_t *numbers, size_t n);

#endif
