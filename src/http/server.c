/* server.c -- threads, start and stop, see http.h. */
#include "base/array.h"
#include "http/conn.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"

#define TICK_MAX_MS 1000
#define TICK_MIN_MS 5
#define HEAD_MAX    (HTTP_REPLY_HEAD_MAX + 4 * KIB) /* and what the server adds */

_Thread_local struct http_loop *http_current_loop;

/* ---- one loop ---- */

static void
on_connection(uv_stream_t *listener, int status)
{
    /* Out of descriptors, libuv gives up its reserve one to accept and close what waits, so nothing spins. */
    if (status == 0)
        http_conn_accept(container_of(listener, struct http_loop, listener));
}

static void
on_tick(uv_timer_t *timer)
{
    struct http_loop *loop = container_of(timer, struct http_loop, tick);

    for (struct http_conn *c = loop->conns; c; c = c->next)
        http_conn_tick(c, (int64_t)uv_now(&loop->uv));
}

static void
on_cut(uv_timer_t *timer)
{
    struct http_loop *loop = container_of(timer, struct http_loop, cut);

    for (struct http_conn *c = loop->conns; c; c = c->next)
        http_conn_close(c);
}

void
http_loop_check(struct http_loop *loop)
{
    if (!loop->stopping || loop->conns || loop->expected > 0 || uv_is_closing((uv_handle_t *)&loop->tick))
        return;
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->cut, NULL);
    mailbox_close(&loop->box);
}

void
http_expect_mail(void)
{
    if (http_current_loop)
        http_current_loop->expected++;
}

void
http_mail_came(void)
{
    struct http_loop *loop = http_current_loop;

    if (!loop)
        return;
    loop->expected--;
    http_loop_check(loop);
}

static void
on_stop(struct mail *m)
{
    struct http_loop *loop = container_of(m, struct http_loop, stop);

    loop->stopping = true;
    uv_close((uv_handle_t *)&loop->listener, NULL);
    uv_timer_start(&loop->cut, on_cut, (uint64_t)loop->server->cut_ms, 0);
    for (struct http_conn *c = loop->conns; c; c = c->next)
        http_conn_drain(c);
    http_loop_check(loop);
}

static void
run_loop(void *arg)
{
    static const int  own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF };
    struct http_loop *loop = arg;
    sigset_t          mask;

    /* Other signals are the main thread's, and a client that went away must not end the process with SIGPIPE. */
    sigfillset(&mask);
    for (size_t i = 0; i < COUNT(own); i++)
        sigdelset(&mask, own[i]);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    http_current_loop = loop;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Often enough that a limit is kept to within a fraction of itself. */
static uint64_t
tick_ms(const struct http_limits *l)
{
    int64_t ms = least(least(l->idle_ms, l->request_ms), l->write_ms) / 8;

    return (uint64_t)(ms > TICK_MAX_MS ? TICK_MAX_MS : ms < TICK_MIN_MS ? TICK_MIN_MS : ms);
}

/* Takes `fd`. */
static bool
loop_init(struct http_loop *loop, struct http_server *s, int index, int fd)
{
    *loop = (struct http_loop){ .server = s, .index = index, .stop.open = on_stop, .date_s = -1 };
    if (uv_loop_init(&loop->uv) != 0)
        out_of_memory();
    mailbox_init(&loop->box, &loop->uv);
    uv_timer_init(&loop->uv, &loop->tick);
    uv_timer_init(&loop->uv, &loop->cut);
    uv_timer_start(&loop->tick, on_tick, tick_ms(&s->options.limits), tick_ms(&s->options.limits));
    loop->input = malloc(HTTP_INPUT_SIZE);
    loop->piece = malloc(HTTP_PIECE_SIZE);
    if (!loop->input || !loop->piece)
        out_of_memory();
    buf_init(&loop->head, HEAD_MAX);
    random_bytes(&loop->id_prefix, sizeof(loop->id_prefix));
    uv_tcp_init(&loop->uv, &loop->listener);
    return uv_tcp_open(&loop->listener, fd) == 0
        && uv_listen((uv_stream_t *)&loop->listener, SOMAXCONN, on_connection) == 0;
}

static void
loop_deinit(struct http_loop *loop)
{
    int left = uv_loop_close(&loop->uv);

    assert(left == 0);
    buf_deinit(&loop->head);
    free(loop->input);
    free(loop->piece);
}

/* ---- the server ---- */

static int
processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

static void
fill_limits(struct http_limits *l)
{
    const struct http_limits usual = {
        .header_max = 32 * KIB, .connections_max = 10000, .idle_ms = 75000, .request_ms = 30000, .write_ms = 30000,
        .stream_buffer_max = MIB,
    };

    if (l->header_max == 0)
        l->header_max = usual.header_max;
    if (l->connections_max == 0)
        l->connections_max = usual.connections_max;
    if (l->idle_ms == 0)
        l->idle_ms = usual.idle_ms;
    if (l->request_ms == 0)
        l->request_ms = usual.request_ms;
    if (l->write_ms == 0)
        l->write_ms = usual.write_ms;
    if (l->stream_buffer_max == 0)
        l->stream_buffer_max = usual.stream_buffer_max;
}

bool
http_start(const struct http_options *options, struct http_server **out, struct error *err)
{
    int                 count = options->threads > 0 ? options->threads : processors();
    struct http_server *s = calloc(1, sizeof(*s));
    int                *fds = calloc((size_t)count, sizeof(*fds));

    if (!s || !fds || !(s->loops = calloc((size_t)count, sizeof(*s->loops))))
        out_of_memory();
    s->options = *options;
    if (options->spool_dir && !(s->spool_dir = strdup(options->spool_dir)))
        out_of_memory();
    fill_limits(&s->options.limits);
    if (!http_listen(options->listen, count, fds, s->address, &s->port, err)) {
        free(s->loops);
        free(s->spool_dir);
        free(s);
        free(fds);
        return false;
    }
    s->loop_count = count;
    for (int i = 0; i < count; i++)
        if (!loop_init(&s->loops[i], s, i, fds[i]))
            out_of_memory(); /* the socket listens already, so this is a lack of memory */
    for (int i = 0; i < count; i++)
        if (uv_thread_create(&s->loops[i].thread, run_loop, &s->loops[i]) != 0)
            out_of_memory();
    free(fds);
    *out = s;
    return true;
}

void
http_stop(struct http_server *s, int64_t ms)
{
    if (!s)
        return;
    assert(!http_current_loop);
    s->cut_ms = ms > 0 ? ms : 0;
    for (int i = 0; i < s->loop_count; i++)
        mailbox_post(&s->loops[i].box, &s->loops[i].stop);
    for (int i = 0; i < s->loop_count; i++)
        uv_thread_join(&s->loops[i].thread);
    for (int i = 0; i < s->loop_count; i++)
        loop_deinit(&s->loops[i]);
    free(s->loops);
    free(s->spool_dir);
    free(s);
}

int
http_port(const struct http_server *s)
{
    return s->port;
}

const char *
http_address(const struct http_server *s)
{
    return s->address;
}

int
http_thread_count(const struct http_server *s)
{
    return s->loop_count;
}

struct mailbox *
http_mailbox(struct http_server *s, int thread)
{
    assert(thread >= 0 && thread < s->loop_count);
    return &s->loops[thread].box;
}

int64_t
http_open_connections(const struct http_server *s)
{
    return atomic_load(&s->connections);
}

/* Random where loops and processes must differ, a counter where requests must: no system call for each of them. */
void
http_request_id_make(struct http_loop *loop, char out[HTTP_REQUEST_ID_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t          number = ++loop->ids;
    size_t            n = 0;

    for (int shift = 60; shift >= 0; shift -= 4)
        out[n++] = digits[loop->id_prefix >> shift & 15];
    out[n++] = '-';
    for (int shift = 28; shift >= 0; shift -= 4)
        out[n++] = digits[number >> shift & 15];
    out[n] = '\0';
}
