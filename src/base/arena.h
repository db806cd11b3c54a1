/* arena.h -- memory that lives as long as one request, job or message being parsed.
 *
 * Nothing in an arena is freed piece by piece; the arena goes as a whole. Running out of memory ends
 * the process: what a stranger can make us keep is bounded before it gets here. One thread at a time. */
#ifndef PARLEY_BASE_ARENA_H
#define PARLEY_BASE_ARENA_H

#include "base/str.h"

struct arena_block;
struct buf;

struct arena {
    struct arena_block *blocks;      /* newest first */
    char               *next, *end;  /* free room in the newest block */
};

void arena_init(struct arena *a);   /* allocates nothing yet */
void arena_deinit(struct arena *a); /* safe on a zeroed arena */
void arena_reset(struct arena *a);  /* forgets everything, keeps one block for the next use */

/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(struct arena *a, size_t size);

/* The same without the zeroing, for what is overwritten at once. */
void *arena_bytes(struct arena *a, size_t size);

/* Makes a piece of `old_size` bytes larger or smaller, where it is when that is possible; `ptr` NULL makes a new one.
 * What is added is not zeroed. */
void *arena_resize(struct arena *a, void *ptr, size_t old_size, size_t size);

size_t arena_size(const struct arena *a); /* bytes it has from the system */

#define arena_new(a, type)       ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n)  ((type *)arena_alloc_array((a), (n), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t n, size_t size); /* ends the process on overflow */

/* The array with room for one more behind its `n` entries: itself, or, when *cap is reached, a copy
 * twice as large. Start with NULL and a cap of 0. */
void *arena_more(struct arena *a, void *array, size_t n, size_t *cap, size_t size);

/* Copies are NUL-terminated behind their length, so `.ptr` may be handed to a C library. A none stays none. */
struct str arena_copy(struct arena *a, struct str s);
struct str arena_lower(struct arena *a, struct str s); /* a copy with the letters of ASCII in lower case */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A copy of what was written to `b`, and none if that passed its bound. Frees the buffer either way. */
struct str arena_take(struct arena *a, struct buf *b);

#endif
