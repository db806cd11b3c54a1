/* testing_server.c -- see testing_server.h. */
#include "http/testing_server.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the server's side ---- */

static void
changed(struct testing_server *t)
{
    uv_cond_broadcast(&t->changed);
    uv_mutex_unlock(&t->lock);
}

static void
on_drained(struct http_exchange *x)
{
    struct testing_server *t = x->user;

    uv_mutex_lock(&t->lock);
    t->drained++;
    changed(t);
}

static void
on_closed(struct http_exchange *x)
{
    struct testing_server *t = x->user;

    uv_mutex_lock(&t->lock);
    t->closed++;
    if (t->stream == x)
        t->stream = NULL;
    changed(t);
}

static const struct http_stream_events stream_events = { .drained = on_drained, .closed = on_closed };

char
testing_file_byte(size_t at)
{
    return (char)('a' + at * 7 % 26);
}

_Atomic int64_t testing_crowd;

static bool
on_head(void *ctx, struct http_exchange *x)
{
    struct str path = x->request.path;

    (void)ctx;
    if (!str_eq(path, STR("/hello")))
        x->body_max = 1000;
    if (str_eq(path, STR("/upload")) || str_eq(path, STR("/keep"))) {
        x->takes_multipart = true;
        x->upload_max = 100000;
    }
    if (str_eq(path, STR("/crowd"))) {
        x->body_sum = &testing_crowd;
        x->body_sum_max = 1500;
        x->body_free = 100;
    }
    if (!str_eq(path, STR("/forbidden")))
        return true;
    x->reply.status = 403;
    buf_append(&x->reply.body, STR("no"));
    return false;
}

static void
describe_parts(struct http_exchange *x)
{
    struct buf *out = &x->reply.body;

    for (size_t i = 0; i < x->request.part_count; i++) {
        const struct http_part *p = &x->request.parts[i];
        char                    bytes[64] = "";
        int                     fd = str_is_none(p->path) ? -1 : open(p->path.ptr, O_RDONLY | O_CLOEXEC);
        ssize_t                 n = fd >= 0 ? read(fd, bytes, sizeof(bytes) - 1) : 0;

        if (fd >= 0)
            close(fd);
        buf_printf(out, "%.*s|%.*s|%.*s|%lld|%.*s\n", STR_ARG(p->name), STR_ARG(p->file_name), STR_ARG(p->content_type),
            (long long)p->size, str_is_none(p->path) ? (int)p->text.len : (int)n,
            str_is_none(p->path) ? p->text.ptr : bytes);
    }
}

static void
keep_file(struct testing_server *t, struct http_exchange *x)
{
    char to[128];

    snprintf(to, sizeof(to), "%s/kept", t->spool);
    x->reply.status = x->request.part_count > 0 && rename(x->request.parts[0].path.ptr, to) == 0 ? 200 : 500;
}

static void
hand_over(struct testing_server *t, struct http_exchange *x, struct str path)
{
    uv_mutex_lock(&t->lock);
    if (str_eq(path, STR("/hold")))
        t->held = x;
    else {
        x->user = t->queue;
        t->queue = x;
    }
    changed(t);
}

void
testing_begin_stream(struct testing_server *t, struct http_exchange *x)
{
    x->user = t;
    http_reply_header(x, STR("Content-Type"), STR("text/event-stream"));
    http_stream_begin(x, &stream_events);
    if (x->request.method == METHOD_HEAD)
        http_stream_write(x, STR("nobody sees this"));
    uv_mutex_lock(&t->lock);
    t->stream = x;
    changed(t);
}

static void
on_request(void *ctx, struct http_exchange *x)
{
    struct testing_server *t = ctx;
    struct str             path = x->request.path;
    int64_t                status;

    x->reply.status = 200;
    if (str_eq(path, STR("/hello")) || str_eq(path, STR("/elsewhere")) || str_eq(path, STR("/hold")))
        buf_append(&x->reply.body, STR("hello"));
    else if (str_eq(path, STR("/echo")) || str_eq(path, STR("/crowd")))
        buf_append(&x->reply.body, x->request.body);
    else if (str_eq(path, STR("/none")))
        x->reply.status = 204, buf_append(&x->reply.body, STR("nobody sees this"));
    else if (str_eq(path, STR("/upload")))
        describe_parts(x);
    else if (str_eq(path, STR("/keep")))
        keep_file(t, x);
    else if (str_eq(path, STR("/broken")))
        http_reply_header(x, STR("X-Split"), STR("a\r\nSet-Cookie: b"));
    else if (str_eq(path, STR("/long-head")))
        for (int i = 0; i < 4; i++)
            http_reply_header(x, STR("X-Long"), arena_printf(&x->arena, "%020000d", i));
    else if (str_eq(path, STR("/big")))
        memset(buf_room(&x->reply.body, BIG_SIZE), 'x', BIG_SIZE), buf_grew(&x->reply.body, BIG_SIZE);
    else if (str_eq(path, STR("/status")) && str_to_i64(x->request.query, &status))
        x->reply.status = (int)status;
    else if (str_eq(path, STR("/file")))
        http_reply_file(x, open(t->file, O_RDONLY | O_CLOEXEC), STR("text/plain"), STR("v1"), 784111777000);
    else if (!str_eq(path, STR("/stream")))
        x->reply.status = 404;

    if (str_eq(path, STR("/stream")))
        testing_begin_stream(t, x);
    else if (str_eq(path, STR("/cut")))
        http_exchange_cut(x);
    else if (str_eq(path, STR("/hold")) || str_eq(path, STR("/elsewhere")))
        hand_over(t, x, path);
    else
        http_exchange_done(x);
}

static void
on_finished(void *ctx, const struct http_exchange *x, int64_t took_us)
{
    struct testing_server *t = ctx;

    uv_mutex_lock(&t->lock);
    t->finished++;
    t->last_status = x->reply.status;
    t->last_took_us = took_us;
    changed(t);
}

static void
write_error(void *ctx, struct http_exchange *x, const struct error *err)
{
    (void)ctx;
    http_reply_header(x, STR("Content-Type"), STR("text/plain"));
    buf_printf(&x->reply.body, "error: %s", err->message);
}

static void
work(void *arg)
{
    struct testing_server *t = arg;
    struct http_exchange  *x;

    uv_mutex_lock(&t->lock);
    while (!t->over) {
        x = t->queue;
        if (!x) {
            uv_cond_wait(&t->changed, &t->lock);
            continue;
        }
        t->queue = x->user;
        uv_mutex_unlock(&t->lock);
        http_exchange_done(x);
        uv_mutex_lock(&t->lock);
    }
    uv_mutex_unlock(&t->lock);
}

void
testing_grow_file(struct testing_server *t, size_t size)
{
    struct buf bytes;
    int        fd = open(t->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    buf_init(&bytes, size);
    while (bytes.len < size)
        buf_append_char(&bytes, testing_file_byte(bytes.len));
    ck_assert_int_eq(write(fd, bytes.ptr, size), (ssize_t)size);
    close(fd);
    buf_deinit(&bytes);
}

void
testing_server_start(struct testing_server *t, int threads, const struct http_limits *limits)
{
    struct http_options o = {
        .listen = "127.0.0.1:0", .threads = threads > 0 ? threads : 2, .spool_dir = t->spool, .ctx = t,
        .on_head = on_head, .on_request = on_request, .on_finished = on_finished, .write_error = write_error,
    };
    struct error err;

    memset(t, 0, sizeof(*t));
    if (limits)
        o.limits = *limits;
    uv_mutex_init(&t->lock);
    uv_cond_init(&t->changed);
    snprintf(t->spool, sizeof(t->spool), "/tmp/parley-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t->spool));
    snprintf(t->file, sizeof(t->file), "%s.file", t->spool);
    testing_grow_file(t, 1000);
    ck_assert_msg(http_start(&o, &t->http, &err), "%s", err.message);
    uv_thread_create(&t->worker, work, t);
}

void
testing_server_stop(struct testing_server *t)
{
    char path[128];

    http_stop(t->http, 10);
    uv_mutex_lock(&t->lock);
    t->over = true;
    changed(t);
    uv_thread_join(&t->worker);
    snprintf(path, sizeof(path), "%s/kept", t->spool);
    unlink(path);
    unlink(t->file);
    ck_assert_msg(rmdir(t->spool) == 0, "files were left in the spool folder");
    uv_cond_destroy(&t->changed);
    uv_mutex_destroy(&t->lock);
}

/* ---- waiting ---- */

/* Under the lock; fails the test when nothing happens for too long. */
static void
wait_a_little(struct testing_server *t)
{
    int result = uv_cond_timedwait(&t->changed, &t->lock, (uint64_t)TESTING_PATIENCE_MS * 1000000);

    ck_assert_msg(result == 0, "what was awaited did not happen");
}

static struct http_exchange *
await_exchange(struct testing_server *t, struct http_exchange **place)
{
    struct http_exchange *x;

    uv_mutex_lock(&t->lock);
    while (!*place)
        wait_a_little(t);
    x = *place;
    uv_mutex_unlock(&t->lock);
    return x;
}

struct http_exchange *
testing_held(struct testing_server *t)
{
    return await_exchange(t, &t->held);
}

struct http_exchange *
testing_stream(struct testing_server *t)
{
    return await_exchange(t, &t->stream);
}

void
testing_await(struct testing_server *t, const int *counter, int at_least)
{
    uv_mutex_lock(&t->lock);
    while (*counter < at_least)
        wait_a_little(t);
    uv_mutex_unlock(&t->lock);
}

void
testing_release(struct testing_server *t)
{
    struct http_exchange *x = testing_held(t);

    uv_mutex_lock(&t->lock);
    t->held = NULL;
    uv_mutex_unlock(&t->lock);
    http_exchange_done(x);
}

struct errand {
    struct mail            mail;
    struct testing_server *t;
    void (*run)(struct testing_server *t, void *arg);
    void *arg;
    bool  done;
};

static void
run_errand(struct mail *m)
{
    struct errand *e = container_of(m, struct errand, mail);

    e->run(e->t, e->arg);
    uv_mutex_lock(&e->t->lock);
    e->done = true;
    changed(e->t);
}

void
testing_on_loop(struct testing_server *t, int thread, void (*run)(struct testing_server *t, void *arg), void *arg)
{
    struct errand e = { .mail.open = run_errand, .t = t, .run = run, .arg = arg };

    mailbox_post(http_mailbox(t->http, thread), &e.mail);
    uv_mutex_lock(&t->lock);
    while (!e.done)
        wait_a_little(t);
    uv_mutex_unlock(&t->lock);
}

static void
do_nothing(struct testing_server *t, void *arg)
{
    (void)t;
    (void)arg;
}

/* A connection's end is nobody's event, but with each errand the loops have looked at their sockets once more. */
void
testing_await_connections(struct testing_server *t, int64_t count)
{
    uint64_t limit_ns = uv_hrtime() + (uint64_t)TESTING_PATIENCE_MS * 1000000;

    while (http_open_connections(t->http) != count) {
        ck_assert_msg(uv_hrtime() < limit_ns, "%lld connections are open", (long long)http_open_connections(t->http));
        for (int i = 0; i < http_thread_count(t->http); i++)
            testing_on_loop(t, i, do_nothing, NULL);
    }
}

size_t
testing_spooled(const struct testing_server *t)
{
    DIR   *folder = opendir(t->spool);
    size_t count = 0;

    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}
