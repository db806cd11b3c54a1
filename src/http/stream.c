/* stream.c -- replies without an end in sight, see http.h. */
#include "http/conn.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>

#define KEEPALIVE_S 60

/* What a waiting stream does not need: there may be thousands. */
static void
slim_down(struct http_conn *c)
{
    http_body_deinit(&c->body);
    http_body_init(&c->body, &c->x, c->loop->server->spool_dir);
    c->x.request.body = STR_NONE;
    buf_deinit(&c->x.reply.body);
}

/* A client that vanished without a word would otherwise be noticed when its socket is full, or never. */
static void
watch_peer(struct http_conn *c)
{
    unsigned limit_ms = (unsigned)c->loop->server->options.limits.write_ms;
    int      fd;

    uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
}

/* From the top of the loop, because the caller may be walking through its streams. */
static void
lose(struct http_conn *c)
{
    c->stream_lost = true;
    http_conn_later(c);
}

void
http_stream_begin(struct http_exchange *x, const struct http_stream_events *events)
{
    struct http_conn *c = http_conn_of(x);
    struct str        head;

    assert(c->out && http_current_loop == c->loop);
    c->out = false;
    c->stream = events;
    c->stream_lost = false;
    c->stream_mute = x->request.method == METHOD_HEAD;
    if (c->state != CONN_HANDLING) {
        lose(c);
        return;
    }
    c->state = CONN_STREAMING;
    c->stream_chunked = c->parser.minor > 0;
    c->closing = c->closing || c->loop->stopping || !c->stream_chunked;
    slim_down(c);
    watch_peer(c);
    head = http_reply_head(c, true);
    if (!http_conn_write(c, &(uv_buf_t){ .base = (char *)(uintptr_t)head.ptr, .len = head.len }, 1))
        /* not reached: who refuses a write has gone, and then reading said so */
        lose(c);
    else if (c->stream_mute || c->loop->stopping)
        http_conn_later(c);
}

bool
http_stream_write(struct http_exchange *x, struct str bytes)
{
    struct http_conn *c = http_conn_of(x);
    char              size[20];
    uv_buf_t          bufs[3];
    unsigned          n = 0;

    if (c->stream_lost)
        return false;
    if (c->stream_mute || bytes.len == 0)
        return true;
    if (http_conn_unsent(c) + bytes.len > c->loop->server->options.limits.stream_buffer_max) {
        lose(c);
        return false;
    }
    if (c->stream_chunked)
        bufs[n++] = (uv_buf_t){ .base = size, .len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", bytes.len) };
    bufs[n++] = (uv_buf_t){ .base = (char *)(uintptr_t)bytes.ptr, .len = bytes.len };
    if (c->stream_chunked) {
        static char end[] = "\r\n";

        bufs[n++] = (uv_buf_t){ .base = end, .len = 2 };
    }
    if (http_conn_write(c, bufs, n))
        return true;
    /* not reached: who refuses a write has gone, and then reading said so */
    lose(c);
    return false;
}

size_t
http_stream_unsent(const struct http_exchange *x)
{
    return http_conn_unsent(http_conn_of(x));
}

/* The proper end of the reply; then the connection goes on as after any other. */
static void
finish(struct http_conn *c)
{
    static char last[] = "0\r\n\r\n";

    c->stream = NULL;
    c->state = CONN_REPLYING;
    c->file_left = 0;
    if (c->stream_chunked && !c->stream_mute
        && !http_conn_write(c, &(uv_buf_t){ .base = last, .len = sizeof(last) - 1 }, 1)) {
        /* not reached: who refuses a write has gone, and then reading said so */
        http_conn_close(c);
        return;
    }
    http_conn_reply_more(c);
}

void
http_stream_end(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);

    if (!c->stream_lost) {
        finish(c);
        return;
    }
    c->stream = NULL; /* closed() is not owed any more */
    if (c->state == CONN_CLOSED)
        http_conn_end_exchange(c); /* and on_later() frees the rest */
    else
        http_conn_close(c);
}

void
http_stream_drained(struct http_conn *c)
{
    c->deadline_ms = HTTP_NEVER;
    if (c->stream && c->stream->drained && !c->stream_lost)
        c->stream->drained(&c->x);
}

void
http_stream_gone(struct http_conn *c)
{
    const struct http_stream_events *events = c->stream;

    c->stream = NULL;
    if (events && events->closed)
        events->closed(&c->x);
}

void
http_stream_drain(struct http_conn *c)
{
    http_stream_gone(c);
    if (c->stream_lost)
        http_conn_close(c);
    else
        finish(c);
}
