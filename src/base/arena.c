/* arena.c -- see arena.h. Small things share blocks that double in size; a big one gets a block to itself. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN ((size_t)4 * 1024)
#define BLOCK_MAX ((size_t)256 * 1024)
#define KEEP_MAX  ((size_t)64 * 1024) /* one large request must not make an arena large for ever */

struct arena_block {
    struct arena_block *older;
    size_t              size;
    alignas(max_align_t) char bytes[];
};

static struct arena_block *
block_new(size_t size)
{
    struct arena_block *block = NULL;

    if (size <= SIZE_MAX / 2)
        block = malloc(sizeof(*block) + size);
    if (!block) {
        fprintf(stderr, "out of memory: %zu bytes for an arena\n", size);
        abort();
    }
    block->size = size;
    return block;
}

static void
use(struct arena *a, struct arena_block *block)
{
    a->next = block->bytes;
    a->end = block->bytes + block->size;
}

void
arena_init(struct arena *a)
{
    *a = (struct arena){ .blocks = NULL };
}

void
arena_deinit(struct arena *a)
{
    struct arena_block *older;

    for (struct arena_block *block = a->blocks; block; block = older) {
        older = block->older;
        free(block);
    }
    arena_init(a);
}

void
arena_reset(struct arena *a)
{
    struct arena_block *kept = a->blocks;

    if (!kept)
        return;
    if (kept->size > KEEP_MAX) {
        arena_deinit(a);
        return;
    }
    a->blocks = kept->older;
    arena_deinit(a);
    kept->older = NULL;
    a->blocks = kept;
    use(a, kept);
}

void *
arena_bytes(struct arena *a, size_t size)
{
    const size_t        align = alignof(max_align_t);
    struct arena_block *block;
    size_t              next_size;
    void               *out;

    if (size > SIZE_MAX / 4)
        block_new(size); /* ends the process */
    size = size == 0 ? align : (size + align - 1) / align * align;
    if (size > (size_t)(a->end - a->next)) {
        next_size = a->blocks ? a->blocks->size * 2 : BLOCK_MIN;
        if (next_size > BLOCK_MAX)
            next_size = BLOCK_MAX;
        if (size > next_size / 2 && a->blocks) {
            /* Behind the newest block, whose free room stays in use. */
            block = block_new(size);
            block->older = a->blocks->older;
            a->blocks->older = block;
            return block->bytes;
        }
        block = block_new(size > next_size ? size : next_size);
        block->older = a->blocks;
        a->blocks = block;
        use(a, block);
    }
    out = a->next;
    a->next += size;
    return out;
}

void *
arena_alloc(struct arena *a, size_t size)
{
    return memset(arena_bytes(a, size), 0, size);
}

void *
arena_alloc_array(struct arena *a, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        total = SIZE_MAX;
    return arena_alloc(a, total);
}

struct str
arena_copy(struct arena *a, struct str s)
{
    char *copy;

    if (str_is_none(s))
        return s;
    copy = arena_bytes(a, s.len + 1);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct str){ copy, s.len };
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char   *text;
    int     len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        return STR("");
    text = arena_bytes(a, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return (struct str){ text, (size_t)len };
}
