/* map.c -- see map.h. Linear probing; taking an entry moves its followers back, so there are no tombstones. */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"

#define CAP_MIN 16 /* capacities are powers of two */

/* Keys are times in their high bits and counters in their low ones: stirred, they spread. */
static size_t
home(const struct map *m, int64_t key)
{
    uint64_t h = (uint64_t)key;

    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93U;
    h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93U;
    return (size_t)(h ^ (h >> 32)) & (m->cap - 1);
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct map_slot *
slot_of(const struct map *m, int64_t key)
{
    size_t i = home(m, key);

    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static void
grow(struct map *m)
{
    struct map bigger = { .count = m->count, .cap = m->cap > 0 ? m->cap * 2 : CAP_MIN };

    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots)
        out_of_memory();
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            *slot_of(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
}

void
map_deinit(struct map *m)
{
    free(m->slots);
    *m = (struct map){ .slots = NULL };
}

void *
map_get(const struct map *m, int64_t key)
{
    return m->count > 0 ? slot_of(m, key)->value : NULL;
}

void
map_put(struct map *m, int64_t key, void *value)
{
    struct map_slot *slot;

    assert(value);
    if ((m->count + 1) * 4 > m->cap * 3)
        grow(m);
    slot = slot_of(m, key);
    if (!slot->value)
        m->count++;
    *slot = (struct map_slot){ .key = key, .value = value };
}

void *
map_take(struct map *m, int64_t key)
{
    size_t mask = m->cap - 1, hole, i;
    void  *value;

    if (m->count == 0)
        return NULL;
    hole = (size_t)(slot_of(m, key) - m->slots);
    value = m->slots[hole].value;
    if (!value)
        return NULL;
    /* A follower may fill the hole when that does not put it before its home. */
    for (i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        if (((i - home(m, m->slots[i].key)) & mask) < ((i - hole) & mask))
            continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole].value = NULL;
    m->count--;
    return value;
}

bool
map_next(const struct map *m, size_t *at, int64_t *key, void **value)
{
    while (*at < m->cap) {
        const struct map_slot *slot = &m->slots[(*at)++];

        if (!slot->value)
            continue;
        *key = slot->key;
        *value = slot->value;
        return true;
    }
    return false;
}
