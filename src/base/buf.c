/* buf.c -- see buf.h. One byte more than `cap` is allocated, because vsnprintf() wants to write its NUL. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

#define CAP_MIN ((size_t)256)

void
buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){ .max = max };
}

void
buf_deinit(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){ .max = b->max };
}

void
buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static void
grow(struct buf *b, size_t need)
{
    size_t cap = b->cap > CAP_MIN ? b->cap : CAP_MIN;
    char  *ptr;

    while (cap < need)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max)
        cap = b->max;
    ptr = realloc(b->ptr, cap + 1);
    if (!ptr)
        out_of_memory();
    b->ptr = ptr;
    b->cap = cap;
}

char *
buf_room(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    if (!b->ptr || n > b->cap - b->len)
        grow(b, b->len + n);
    return b->ptr + b->len;
}

void
buf_grew(struct buf *b, size_t n)
{
    assert(n <= b->cap - b->len);
    b->len += n;
}

void
buf_append_slowly(struct buf *b, struct str s)
{
    char *room = s.len > 0 ? buf_room(b, s.len) : NULL;

    if (!room)
        return;
    memcpy(room, s.ptr, s.len);
    b->len += s.len;
}

void
buf_append_i64(struct buf *b, int64_t n)
{
    char     digits[20];
    size_t   at = sizeof(digits);
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0)
        digits[--at] = '-';
    buf_append(b, (struct str){ digits + at, sizeof(digits) - at });
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    char   *room = buf_room(b, 0);
    int     len;

    if (!room)
        return;
    va_start(args, fmt);
    len = vsnprintf(room, b->cap - b->len + 1, fmt, args);
    va_end(args);
    if (len < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)len > b->cap - b->len) {
        room = buf_room(b, (size_t)len);
        if (!room)
            return;
        va_start(args, fmt);
        vsnprintf(room, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    b->len += (size_t)len;
}

void
buf_drop_front(struct buf *b, size_t n)
{
    if (n > b->len)
        n = b->len;
    if (n > 0 && n < b->len)
        memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}
