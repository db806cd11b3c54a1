/* arena.c -- see arena.h. Small things share blocks that double in size; a big one gets a block to itself. */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"

#define BLOCK_MIN ((size_t)4 * 1024)
#define BLOCK_MAX ((size_t)256 * 1024)
#define KEEP_MAX  ((size_t)64 * 1024) /* one large request must not make an arena large for ever */

/* Under AddressSanitizer a piece is followed by bytes nobody may touch, as behind malloc(). */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define RED_ZONE alignof(max_align_t)
#else
#define RED_ZONE                           ((size_t)0)
#define ASAN_POISON_MEMORY_REGION(at, n)   ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

struct arena_block {
    struct arena_block *older;
    size_t              size;
    alignas(max_align_t) char bytes[];
};

/* `old` NULL makes a new one. Ends the process when there is no memory. */
static struct arena_block *
block_resize(struct arena_block *old, size_t size)
{
    struct arena_block *block = NULL;

    if (size <= SIZE_MAX / 2)
        block = realloc(old, sizeof(*block) + size);
    if (!block)
        out_of_memory();
    block->size = size;
    return block;
}

/* What a piece takes up. */
static size_t
rounded(size_t size)
{
    const size_t align = alignof(max_align_t);

    if (size > SIZE_MAX / 4)
        out_of_memory();
    return (size == 0 ? align : (size + align - 1) / align * align) + RED_ZONE;
}

static void
use(struct arena *a, struct arena_block *block)
{
    a->next = block->bytes;
    a->end = block->bytes + block->size;
    ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
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
    struct arena_block *block;
    size_t              full = rounded(size), next_size;
    void               *out;

    if (full > (size_t)(a->end - a->next)) {
        next_size = a->blocks ? a->blocks->size * 2 : BLOCK_MIN;
        if (next_size > BLOCK_MAX)
            next_size = BLOCK_MAX;
        if (full > next_size / 2 && a->blocks) {
            /* Behind the newest block, whose free room stays in use. */
            block = block_resize(NULL, full);
            block->older = a->blocks->older;
            a->blocks->older = block;
            ASAN_POISON_MEMORY_REGION(block->bytes + size, full - size);
            return block->bytes;
        }
        block = block_resize(NULL, full > next_size ? full : next_size);
        block->older = a->blocks;
        a->blocks = block;
        use(a, block);
    }
    out = a->next;
    a->next += full;
    ASAN_UNPOISON_MEMORY_REGION(out, size);
    return out;
}

/* The JSON parser grows its array of values again and again; without the two short ways below, all the earlier ones
 * would stay in the arena. They serve a piece that has the block behind the newest to itself, and the newest piece. */
void *
arena_resize(struct arena *a, void *ptr, size_t old_size, size_t size)
{
    struct arena_block *big = a->blocks ? a->blocks->older : NULL;
    size_t              old_full = rounded(old_size), full = rounded(size);
    void               *moved;

    if (big && ptr == big->bytes && big->size == old_full) {
        ASAN_UNPOISON_MEMORY_REGION(big->bytes, big->size);
        big = block_resize(big, full);
        a->blocks->older = big;
        ASAN_POISON_MEMORY_REGION(big->bytes + size, full - size);
        return big->bytes;
    }
    if (ptr && (char *)ptr + old_full == a->next && full <= (size_t)(a->end - (char *)ptr)) {
        a->next = (char *)ptr + full;
        ASAN_POISON_MEMORY_REGION(ptr, (size_t)(a->end - (char *)ptr));
        ASAN_UNPOISON_MEMORY_REGION(ptr, size);
        return ptr;
    }
    moved = arena_bytes(a, size);
    if (ptr)
        memcpy(moved, ptr, old_size < size ? old_size : size);
    return moved;
}

size_t
arena_size(const struct arena *a)
{
    size_t size = 0;

    for (const struct arena_block *block = a->blocks; block; block = block->older)
        size += sizeof(*block) + block->size;
    return size;
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
arena_lower(struct arena *a, struct str s)
{
    char *copy;

    if (str_is_none(s))
        return s;
    copy = arena_bytes(a, s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        copy[i] = char_lower(s.ptr[i]);
    copy[s.len] = '\0';
    return (struct str){ copy, s.len };
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
    char    small[256]; /* what most texts fit in, and need not be formatted twice then */
    va_list args;
    char   *text;
    int     len;

    assert(fmt);
    va_start(args, fmt);
    len = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (len < 0)
        return STR("");
    if ((size_t)len < sizeof(small))
        return arena_copy(a, (struct str){ small, (size_t)len });
    text = arena_bytes(a, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return (struct str){ text, (size_t)len };
}

void *
arena_more(struct arena *a, void *array, size_t n, size_t *cap, size_t size)
{
    void *larger;

    if (n < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 16;
    larger = arena_alloc_array(a, *cap, size);
    if (n > 0)
        memcpy(larger, array, n * size);
    return larger;
}

struct str
arena_take(struct arena *a, struct buf *b)
{
    struct str text = buf_ok(b) ? arena_copy(a, buf_str(b)) : STR_NONE;

    buf_deinit(b);
    return text;
}
