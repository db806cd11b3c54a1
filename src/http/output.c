/* output.c -- writing to a connection's socket, see conn.h. The usual reply leaves with one system call and no copy. */
#include "http/conn.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/crash.h"

static void on_written(uv_write_t *write, int status);

/* Hands what waits to libuv. */
static bool
take_off(struct http_conn *c)
{
    struct buf bufs = c->flying;
    uv_buf_t   all;

    c->flying = c->waiting;
    c->waiting = bufs;
    all = (uv_buf_t){ .base = c->flying.ptr, .len = c->flying.len };
    return uv_write(&c->write, (uv_stream_t *)&c->tcp, &all, 1, on_written) == 0;
}

static void
on_written(uv_write_t *write, int status)
{
    struct http_conn *c = container_of(write, struct http_conn, write);

    buf_deinit(&c->flying);
    if (c->state == CONN_CLOSED)
        return;
    if (status != 0 || (c->waiting.len > 0 && !take_off(c))) {
        /* not reached: who refuses a write has gone, and then reading said so */
        buf_clear(&c->flying);
        http_conn_close(c);
        return;
    }
    if (c->flying.len > 0)
        return;
    if (c->state == CONN_REPLYING)
        http_conn_reply_more(c);
    else if (c->state == CONN_STREAMING)
        http_stream_drained(c);
}

/* Keeps what did not fit into the socket. */
static void
keep(struct http_conn *c, const uv_buf_t *bufs, unsigned n, size_t written)
{
    for (unsigned i = 0; i < n; i++) {
        struct str bytes = { bufs[i].base, bufs[i].len };
        size_t     skip = written < bytes.len ? written : bytes.len;

        written -= skip;
        buf_append(&c->waiting, str_from(bytes, skip));
    }
}

bool
http_conn_write(struct http_conn *c, const uv_buf_t *bufs, unsigned n)
{
    size_t written = 0;
    int    result;

    if (c->flying.len > 0) {
        keep(c, bufs, n, 0);
        return true;
    }
    crash_point("answer: not written yet");
    result = uv_try_write((uv_stream_t *)&c->tcp, bufs, n);
    crash_point("answer: written");
    if (result >= 0)
        written = (size_t)result;
    else if (result != UV_EAGAIN)
        return false;
    keep(c, bufs, n, written);
    if (c->waiting.len == 0)
        return true;
    if (!take_off(c))
        return false; /* not reached: what goes wrong libuv tells on_written() */
    if (c->state == CONN_REPLYING || c->state == CONN_STREAMING) {
        http_conn_progressed(c);
        c->deadline_ms = (int64_t)uv_now(&c->loop->uv) + c->loop->server->options.limits.write_ms;
    }
    return true;
}

size_t
http_conn_unsent(const struct http_conn *c)
{
    return c->waiting.len + (c->flying.len > 0 ? c->tcp.write_queue_size : 0);
}

/* What the kernel still holds counts as well: it may have taken megabytes, and a slow client reads them slowly. */
bool
http_conn_progressed(struct http_conn *c)
{
    size_t unsent = c->tcp.write_queue_size, before = c->unsent_seen;
    int    fd, in_kernel;

    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 && ioctl(fd, SIOCOUTQ, &in_kernel) == 0)
        unsent += (size_t)in_kernel;
    c->unsent_seen = unsent;
    return unsent != before;
}
