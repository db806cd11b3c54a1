/* buf.h -- bytes that grow up to a bound given when the buffer is made.
 *
 * The first append that would pass the bound fails and makes every later one do nothing, so writing
 * a reply is a run of plain appends and one buf_ok() at the end. */
#ifndef PARLEY_BASE_BUF_H
#define PARLEY_BASE_BUF_H

#include "base/str.h"

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * KIB)

struct buf {
    char  *ptr;
    size_t len, cap, max;
    bool   failed;
};

void buf_init(struct buf *b, size_t max);
void buf_deinit(struct buf *b); /* safe on a zeroed buffer */
void buf_clear(struct buf *b);  /* keeps the memory, forgets the failure */

void buf_append_i64(struct buf *b, int64_t n); /* in decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for `n` more bytes at the end, to be filled and then counted with buf_grew(); NULL past the bound. */
char *buf_room(struct buf *b, size_t n);
void  buf_grew(struct buf *b, size_t n);

void buf_drop_front(struct buf *b, size_t n); /* moves the rest to the front */

/* What does not fit where it is: grows, or fails at the bound. */
void buf_append_slowly(struct buf *b, struct str s);

/* Replies are written in thousands of small pieces, so the common case is a copy in place. */
static inline void
buf_append(struct buf *b, struct str s)
{
    if (s.len > b->cap - b->len || b->failed) {
        buf_append_slowly(b, s);
        return;
    }
    if (s.len > 0)
        memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
}

static inline void
buf_append_char(struct buf *b, char c)
{
    if (b->len == b->cap || b->failed) {
        buf_append_slowly(b, (struct str){ &c, 1 });
        return;
    }
    b->ptr[b->len++] = c;
}

static inline bool
buf_ok(const struct buf *b)
{
    return !b->failed;
}

static inline struct str
buf_str(const struct buf *b)
{
    return (struct str){ b->ptr ? b->ptr : "", b->len };
}

#endif
