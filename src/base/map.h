/* map.h -- a hash table from 64-bit keys to pointers; open addressing, one thread at a time. */
#ifndef PARLEY_BASE_MAP_H
#define PARLEY_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    int64_t key;
    void   *value; /* NULL = free */
};

struct map {
    struct map_slot *slots;
    size_t           count, cap;
};

void  map_deinit(struct map *m); /* a zeroed map is an empty one */
void *map_get(const struct map *m, int64_t key); /* NULL = not there */
void  map_put(struct map *m, int64_t key, void *value); /* replaces; `value` is not NULL */
void *map_take(struct map *m, int64_t key); /* removes and returns it; NULL = was not there */

/* Walks all entries in no order: start with *at = 0; false at the end. Nothing may be added or taken meanwhile. */
bool map_next(const struct map *m, size_t *at, int64_t *key, void **value);

#endif
