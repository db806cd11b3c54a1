/* conn.c -- a connection's life: accepting, reading requests one after another, time limits, closing. See conn.h.
 *
 * Time limits are not timers: each connection has one moment at which its time is up, set anew with every step, and
 * the loop looks at all of them a few times a second. Starting and stopping a timer per request cost more. */
#include "http/conn.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

#define KEPT_MAX        HTTP_INPUT_SIZE /* more than that of pipelined requests stays with the client */
#define LINGER_MS       2000            /* without a byte */
#define LINGER_MAX_MS   30000
#define REPLY_BODY_MAX  (64 * MIB)
#define REFUSED_AT_ONCE 256             /* told 503; more are closed without a word */

static const struct http_options *
options(const struct http_conn *c)
{
    return &c->loop->server->options;
}

static const struct http_limits *
limits(const struct http_conn *c)
{
    return &c->loop->server->options.limits;
}

static int64_t
now_ms(const struct http_conn *c)
{
    return (int64_t)uv_now(&c->loop->uv);
}

/* ---- the end of a connection ---- */

void
http_conn_free_if_over(struct http_conn *c)
{
    struct http_loop *loop = c->loop;

    if (!c->tcp_closed || c->out || c->later_posted)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        loop->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    http_parser_deinit(&c->parser);
    http_body_deinit(&c->body);
    buf_deinit(&c->kept);
    buf_deinit(&c->waiting);
    buf_deinit(&c->flying);
    http_reply_clear(&c->x);
    buf_deinit(&c->x.reply.body);
    arena_deinit(&c->x.arena);
    free(c);
    http_loop_check(loop);
}

static void
on_closed(uv_handle_t *handle)
{
    struct http_conn *c = handle->data;

    c->tcp_closed = true;
    http_conn_free_if_over(c);
}

void
http_conn_close(struct http_conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    c->deadline_ms = HTTP_NEVER;
    c->input = STR_NONE;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    http_stream_gone(c);
    if (!c->out)
        http_conn_end_exchange(c);
    atomic_fetch_sub(&c->loop->server->connections, 1);
}

static void read_on(struct http_conn *c);

/* The last reply is out. Closing now would make the kernel answer whatever the client is still sending with a reset,
 * which can overtake the reply; so only our side is closed, and what comes is read and dropped for a while. */
static void
linger(struct http_conn *c)
{
    int fd;

    buf_deinit(&c->kept);
    c->input = STR_NONE;
    if (c->peer_done || uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        http_conn_close(c);
        return;
    }
    c->state = CONN_LINGERING;
    c->deadline_ms = now_ms(c) + LINGER_MS;
    c->linger_until_ms = now_ms(c) + LINGER_MAX_MS;
    read_on(c);
}

static void
linger_on(struct http_conn *c)
{
    int64_t until_ms = now_ms(c) + LINGER_MS;

    if (!c->loop->stopping)
        c->deadline_ms = until_ms < c->linger_until_ms ? until_ms : c->linger_until_ms;
}

/* ---- reading requests ---- */

static void
begin_request(struct http_conn *c)
{
    struct http_exchange *x = &c->x;

    memset(&x->request, 0, sizeof(x->request));
    x->request.received_us = clock_mono_us();
    x->body_max = x->upload_max = 0;
    x->takes_multipart = false;
    x->body_sum = NULL;
    memcpy(x->request.peer, c->peer, sizeof(c->peer));
    http_parser_start(&c->parser, &x->request, &x->arena);
    c->state = CONN_READING;
    c->begun_ms = now_ms(c);
    c->deadline_ms = c->begun_ms + limits(c)->request_ms;
}

static void
head_arrived(struct http_conn *c)
{
    struct http_exchange *x = &c->x;
    bool                  has_body = c->parser.chunked || c->parser.content_length > 0;
    struct error          err;

    if (!x->request.id[0])
        http_request_id_make(c->loop, x->request.id);
    c->closing = !c->parser.keep_alive;
    if (options(c)->on_head && !options(c)->on_head(options(c)->ctx, x)) {
        c->closing = c->closing || has_body; /* it stays unread */
        http_conn_reply(c);
        return;
    }
    if (!http_body_begin(&c->body, c->parser.content_length, &err)) {
        http_conn_refuse(c, &err);
        return;
    }
    if (c->parser.expects_continue && has_body && c->input.len == 0) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

        if (!http_conn_write(c, &(uv_buf_t){ .base = (char *)(uintptr_t)go_on, .len = sizeof(go_on) - 1 }, 1))
            http_conn_close(c); /* not reached: who refuses a write has gone, and then reading said so */
    }
}

static void
request_arrived(struct http_conn *c)
{
    struct error err;

    if (!http_body_end(&c->body, &err)) {
        http_conn_refuse(c, &err);
        return;
    }
    c->state = CONN_HANDLING;
    c->deadline_ms = HTTP_NEVER;
    c->out = true;
    c->answering = true;
    options(c)->on_request(options(c)->ctx, &c->x);
}

/* An upload gets a second more for each kilobyte that came, but never a longer pause than the whole began with. */
static void
extend_deadline(struct http_conn *c)
{
    int64_t by_bytes = c->begun_ms + limits(c)->request_ms + c->parser.body_bytes;
    int64_t by_pause = now_ms(c) + limits(c)->request_ms;

    if (c->parser.body_bytes > 0)
        c->deadline_ms = by_bytes < by_pause ? by_bytes : by_pause;
}

/* False when there is nothing more to do before something happens. */
static bool
read_some(struct http_conn *c)
{
    struct error err;

    if (c->state == CONN_IDLE && c->input.len > 0)
        begin_request(c);
    if (c->state != CONN_READING)
        return false;
    switch (http_parser_feed(&c->parser, &c->input, &err)) {
    case HTTP_PARSED_ALL:
        extend_deadline(c);
        return false;
    case HTTP_PARSED_HEAD:
        head_arrived(c);
        return true;
    case HTTP_PARSED_END:
        request_arrived(c);
        return true;
    case HTTP_PARSED_ERROR:
        http_conn_refuse(c, &err);
        return true;
    }
    return false; /* not reached: every case returns */
}

/* Replies that are ready at once come back to http_conn_next() while this runs; it sees the flag and leaves the next
 * request to this loop, so the stack does not grow with the number of pipelined requests. */
static struct str
run(struct http_conn *c, struct str input)
{
    c->input = input;
    c->running = true;
    while (read_some(c))
        ;
    c->running = false;
    input = c->input;
    c->input = STR_NONE;
    return input;
}

static void
received(struct http_conn *c, struct str bytes)
{
    switch (c->state) {
    case CONN_IDLE:
    case CONN_READING:
        bytes = run(c, bytes);
        break;
    case CONN_STREAMING:
        c->closing = true; /* nobody reads it, so we could not tell where the next request begins */
        return;
    case CONN_HANDLING:
    case CONN_REPLYING:
        break;
    case CONN_LINGERING:
        linger_on(c);
        return;
    /* not reached: a closed one is not read from */
    case CONN_CLOSED:
        return;
    }
    if (c->state == CONN_CLOSED || c->state == CONN_LINGERING || c->closing)
        return;
    buf_append(&c->kept, bytes);
    if (c->kept.len >= KEPT_MAX && !c->paused) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        c->paused = true;
    }
}

void
http_conn_next(struct http_conn *c)
{
    struct str left;

    if (c->closing || c->loop->stopping) {
        linger(c);
        return;
    }
    c->state = CONN_IDLE;
    c->deadline_ms = now_ms(c) + limits(c)->idle_ms;
    if (c->running)
        return;
    if (c->kept.len > 0) {
        left = run(c, buf_str(&c->kept));
        if (c->state == CONN_CLOSED || c->state == CONN_LINGERING)
            return;
        buf_drop_front(&c->kept, c->kept.len - left.len);
        if (c->kept.len == 0)
            buf_deinit(&c->kept);
    }
    if (c->peer_done && (c->state == CONN_IDLE || c->state == CONN_READING))
        http_conn_close(c);
    else if (c->kept.len < KEPT_MAX)
        read_on(c);
}

/* ---- the socket ---- */

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *c = handle->data;

    (void)suggested;
    *out = uv_buf_init(c->loop->input, HTTP_INPUT_SIZE);
}

/* The client may have closed its side only and still wait for answers. */
static void
peer_finished(struct http_conn *c)
{
    c->peer_done = true;
    switch (c->state) {
    case CONN_HANDLING:
    case CONN_REPLYING:
        break;
    case CONN_IDLE:
    case CONN_READING:
    case CONN_STREAMING:
    case CONN_LINGERING:
    case CONN_CLOSED:
        http_conn_close(c);
        break;
    }
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_conn *c = stream->data;

    if (n > 0)
        received(c, (struct str){ buf->base, (size_t)n });
    else if (n == UV_EOF)
        peer_finished(c);
    else if (n < 0)
        http_conn_close(c);
}

static void
read_on(struct http_conn *c)
{
    if (c->paused && !c->peer_done && uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0)
        c->paused = false;
}

static struct http_conn *
conn_new(struct http_loop *loop)
{
    struct http_conn *c = calloc(1, sizeof(*c));

    if (!c)
        out_of_memory();
    c->loop = loop;
    c->x.thread = loop->index;
    c->x.reply.file = -1;
    c->deadline_ms = HTTP_NEVER;
    c->paused = true;
    arena_init(&c->x.arena);
    buf_init(&c->x.reply.body, REPLY_BODY_MAX);
    buf_init(&c->kept, 2 * KEPT_MAX);
    buf_init(&c->waiting, SIZE_MAX); /* bounded by what is asked of it: one reply, or a stream's bound */
    buf_init(&c->flying, SIZE_MAX);
    http_body_init(&c->body, &c->x, loop->server->spool_dir);
    http_parser_init(&c->parser, loop->server->options.limits.header_max, http_body_add, &c->body);
    c->next = loop->conns;
    if (c->next)
        c->next->prev = c;
    loop->conns = c;
    uv_tcp_init(&loop->uv, &c->tcp);
    c->tcp.data = c;
    return c;
}

static void
turn_away(struct http_conn *c)
{
    struct error err;

    error_set(&err, 503, "too many connections are open");
    err.retry_after_ms = 1000;
    begin_request(c);
    http_conn_refuse(c, &err);
}

void
http_conn_accept(struct http_loop *loop)
{
    struct http_conn *c = conn_new(loop);
    int64_t           open = atomic_fetch_add(&loop->server->connections, 1) + 1;

    if (uv_accept((uv_stream_t *)&loop->listener, (uv_stream_t *)&c->tcp) != 0
        || open > limits(c)->connections_max + REFUSED_AT_ONCE) {
        http_conn_close(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    http_peer_text(&c->tcp, c->peer, sizeof(c->peer));
    c->deadline_ms = now_ms(c) + limits(c)->idle_ms;
    read_on(c);
    if (open > limits(c)->connections_max)
        turn_away(c);
}

/* ---- time ---- */

static void
request_too_slow(struct http_conn *c)
{
    struct error err;

    error_set(&err, 408, "the request did not arrive in time");
    http_conn_refuse(c, &err);
}

void
http_conn_tick(struct http_conn *c, int64_t at_ms)
{
    bool writing = (c->state == CONN_REPLYING || c->state == CONN_STREAMING) && http_conn_unsent(c) > 0;

    if (writing && http_conn_progressed(c))
        c->deadline_ms = at_ms + limits(c)->write_ms;
    if (at_ms < c->deadline_ms)
        return;
    switch (c->state) {
    case CONN_READING:
        request_too_slow(c);
        break;
    case CONN_IDLE:
    case CONN_REPLYING:
    case CONN_STREAMING:
    case CONN_LINGERING:
        http_conn_close(c);
        break;
    /* not reached: these have no deadline */
    case CONN_HANDLING:
    case CONN_CLOSED:
        break;
    }
}

void
http_conn_drain(struct http_conn *c)
{
    switch (c->state) {
    case CONN_IDLE:
        http_conn_close(c);
        break;
    case CONN_STREAMING:
        http_stream_drain(c);
        break;
    case CONN_READING:
    case CONN_HANDLING:
    case CONN_REPLYING: /* http_conn_next() will see that the server stops */
    case CONN_LINGERING:
    case CONN_CLOSED:
        break;
    }
}
