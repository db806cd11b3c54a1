/* file.c -- files as replies, see http.h.
 *
 * A file is read by the loop's thread in pieces of 64 KiB, each only after the client has taken the last, so a slow
 * client costs one piece of memory. The page cache has nearly always what is read; sendfile() would save a copy, but
 * libuv offers it on its thread pool only, where a slow client would hold a thread. */
#include "http/conn.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "http/range.h"

#define PIECES_AT_ONCE 16 /* then the other connections have their turn */

static ssize_t
read_piece(int fd, char *out, size_t size, int64_t at)
{
    ssize_t n;

    do
        n = pread(fd, out, size, (off_t)at);
    while (n < 0 && errno == EINTR);
    return n;
}

bool
http_conn_send_file(struct http_conn *c)
{
    char *piece = c->loop->piece;

    for (int i = 0; c->file_left > 0 && http_conn_unsent(c) == 0; i++) {
        size_t  want = c->file_left < (int64_t)HTTP_PIECE_SIZE ? (size_t)c->file_left : HTTP_PIECE_SIZE;
        ssize_t n;

        if (i == PIECES_AT_ONCE) {
            http_conn_later(c);
            return true;
        }
        n = read_piece(c->x.reply.file, piece, want, c->file_at);
        if (n <= 0) {
            log_error("a file got shorter or unreadable while it was sent", LOG_STR("path", c->x.request.path),
                      LOG_CSTR("reason", n < 0 ? strerror(errno) : "end of file"));
            return false;
        }
        c->file_at += n;
        c->file_left -= n;
        if (!http_conn_write(c, &(uv_buf_t){ .base = piece, .len = (size_t)n }, 1))
            return false; /* not reached: who refuses a write has gone, and then reading said so */
    }
    return true;
}

/* Handlers may give the tag with or without its quotes. */
static struct str
quoted(struct http_exchange *x, struct str etag)
{
    if (str_is_none(etag) || str_starts(etag, STR("\"")) || str_starts(etag, STR("W/\"")))
        return etag;
    return arena_printf(&x->arena, "\"%.*s\"", STR_ARG(etag));
}

void
http_reply_file(struct http_exchange *x, int fd, struct str content_type, struct str etag, int64_t modified_ms)
{
    struct http_reply *r = &x->reply;
    struct http_slice  slice;
    struct stat        st;
    char               date[HTTP_DATE_LEN + 1];

    r->file = fd;
    if (fstat(fd, &st) != 0) {
        r->broken = true;
        return;
    }
    etag = quoted(x, etag);
    slice = http_slice_for(&x->request, st.st_size, etag, modified_ms);
    r->status = slice.status;
    r->file_offset = slice.offset;
    r->file_length = slice.length;
    http_reply_header(x, STR("Accept-Ranges"), STR("bytes"));
    if (!str_is_none(etag))
        http_reply_header(x, STR("ETag"), etag);
    if (modified_ms > 0) {
        http_date_format(modified_ms, date);
        http_reply_header(x, STR("Last-Modified"), arena_copy(&x->arena, str_of(date)));
    }
    if (slice.status == 200 || slice.status == 206)
        http_reply_header(x, STR("Content-Type"), content_type);
    if (slice.status == 206)
        http_reply_header(x, STR("Content-Range"),
                          arena_printf(&x->arena, "bytes %lld-%lld/%lld", (long long)slice.offset,
                                       (long long)(slice.offset + slice.length - 1), (long long)st.st_size));
    if (slice.status == 416)
        http_reply_header(x, STR("Content-Range"), arena_printf(&x->arena, "bytes */%lld", (long long)st.st_size));
}
