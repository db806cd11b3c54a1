/* testing.c -- see testing.h. */
#include "net/testing.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct test_peer {
    struct test_peer   *next;
    struct test_server *server;
    pthread_t           thread;
    int                 fd, number;
    bool                ended;
    struct buf          in;
};

struct test_server {
    test_answer        *answer;
    void               *user;
    int                 fd, port;
    pthread_t           thread;
    pthread_mutex_t     lock;
    pthread_cond_t      changed;
    bool                stopping;
    struct test_peer   *peers; /* all there ever were */
    int                 unread; /* so many connections more are closed at once */
    int                 connections, ended, answering, most_at_once;
    struct test_request *requests;
    int                 request_count, request_room;
};

static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "test server: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- Requests ---- */

struct str
test_request_header(const struct test_request *r, const char *name)
{
    struct str rest = r->head, line, key, value;

    while (!str_is_none(rest)) {
        str_cut(rest, '\n', &line, &rest);
        if (str_cut(line, ':', &key, &value) && str_eq_nocase(key, str_of(name)))
            return str_trim(value);
    }
    return STR_NONE;
}

/* Bytes of the request at the front of `in`, or 0 while it is not whole. */
static size_t
request_size(struct str in, struct test_request *r)
{
    ptrdiff_t end = str_find(in, STR("\r\n\r\n"));
    struct str line, rest, length;
    int64_t n = 0;

    if (end < 0)
        return 0;
    *r = (struct test_request){ .head = str_slice(in, 0, (size_t)end + 2) };
    str_cut(r->head, '\r', &line, &rest);
    str_cut(line, ' ', &r->method, &rest);
    str_cut(rest, ' ', &r->target, &rest);
    length = test_request_header(r, "Content-Length");
    if (!str_is_none(length))
        must(str_to_i64(length, &n) && n >= 0, "Content-Length");
    if (in.len < (size_t)end + 4 + (size_t)n)
        return 0;
    r->body = str_slice(in, (size_t)end + 4, (size_t)n);
    r->text = str_slice(in, 0, (size_t)end + 4 + (size_t)n);
    return r->text.len;
}

/* Keeps a copy for the test to look at, and gives it. */
static struct test_request
keep(struct test_server *s, const struct test_request *r)
{
    struct test_request copy = { .method = STR_NONE };
    char *bytes = malloc(r->text.len + 1);

    must(bytes != NULL, "memory");
    memcpy(bytes, r->text.ptr, r->text.len);
    request_size((struct str){ bytes, r->text.len }, &copy);
    copy.connection = r->connection;
    copy.number     = r->number;

    pthread_mutex_lock(&s->lock);
    if (s->request_count == s->request_room) {
        s->request_room = s->request_room * 2 + 64;
        s->requests = realloc(s->requests, (size_t)s->request_room * sizeof(s->requests[0]));
        must(s->requests != NULL, "memory");
    }
    s->requests[s->request_count++] = copy;
    if (++s->answering > s->most_at_once)
        s->most_at_once = s->answering;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return copy;
}

/* ---- Connections ---- */

void
test_peer_send(struct test_peer *p, struct str bytes)
{
    while (bytes.len > 0 && !p->ended) {
        ssize_t n = send(p->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n > 0)
            bytes = str_from(bytes, (size_t)n);
        else if (n < 0 && errno != EINTR)
            return; /* the client has gone */
    }
}

void
test_peer_answer(struct test_peer *p, int status, const char *headers, struct str body)
{
    struct buf b;

    buf_init(&b, body.len + 4 * KIB);
    buf_printf(&b, "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n%s\r\n", status, body.len, headers ? headers : "");
    buf_append(&b, body);
    test_peer_send(p, buf_str(&b));
    buf_deinit(&b);
}

void
test_peer_end(struct test_peer *p)
{
    p->ended = true;
    shutdown(p->fd, SHUT_WR);
}

void
test_peer_reset(struct test_peer *p)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    p->ended = true;
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static bool
read_more(struct test_peer *p)
{
    char *room = buf_room(&p->in, 64 * KIB);
    ssize_t n;

    must(room != NULL, "a request too large");
    do
        n = recv(p->fd, room, 64 * KIB, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        buf_grew(&p->in, (size_t)n);
    return n > 0;
}

void
test_answer_bytes(struct test_peer *p, const struct test_request *request, void *user)
{
    const char *bytes = user;

    (void)request;
    if (bytes)
        test_peer_send(p, str_of(bytes));
    else
        test_peer_answer(p, 200, NULL, STR("ok"));
}

void
test_peer_hold(struct test_peer *p)
{
    while (read_more(p)) {}
    p->ended = true;
}

static void *
peer_main(void *arg)
{
    struct test_peer *p = arg;
    struct test_server *s = p->server;
    struct test_request r = { .method = STR_NONE };
    int fd = p->fd, number = 0;

    pthread_mutex_lock(&s->lock);
    if (s->unread > 0) {
        s->unread--;
        test_peer_reset(p);
    }
    pthread_mutex_unlock(&s->lock);
    while (!p->ended) {
        size_t n = request_size(buf_str(&p->in), &r);

        if (n == 0 && !read_more(p))
            break;
        if (n == 0)
            continue;
        r.connection = p->number;
        r.number     = ++number;
        r = keep(s, &r);
        s->answer(p, &r, s->user);
        buf_drop_front(&p->in, n);
        pthread_mutex_lock(&s->lock);
        s->answering--;
        pthread_mutex_unlock(&s->lock);
    }

    pthread_mutex_lock(&s->lock);
    p->fd = -1;
    close(fd);
    s->ended++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *
server_main(void *arg)
{
    struct test_server *s = arg;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * KIB);
    for (;;) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        struct test_peer *p;

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            break; /* stopped */
        p = calloc(1, sizeof(*p));
        must(p != NULL, "memory");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        buf_init(&p->in, 64 * MIB);
        p->server = s;
        p->fd     = fd;
        pthread_mutex_lock(&s->lock);
        p->number = ++s->connections;
        p->next   = s->peers;
        s->peers  = p;
        pthread_cond_broadcast(&s->changed);
        must(pthread_create(&p->thread, &attr, peer_main, p) == 0, "thread");
        pthread_mutex_unlock(&s->lock);
    }
    pthread_attr_destroy(&attr);
    return NULL;
}

/* ---- The server ---- */

struct test_server *
test_server_start(test_answer *answer, void *user)
{
    return test_server_start_at("0.0.0.0", answer, user);
}

struct test_server *
test_server_start_at(const char *ip, test_answer *answer, void *user)
{
    struct test_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);

    must(s != NULL, "memory");
    must(inet_pton(AF_INET, ip, &address.sin_addr) == 1, ip);
    s->answer = answer;
    s->user   = user;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0, "socket");
    must(bind(s->fd, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    must(listen(s->fd, 4096) == 0, "listen");
    must(getsockname(s->fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
    s->port = ntohs(address.sin_port);
    must(pthread_create(&s->thread, NULL, server_main, s) == 0, "thread");
    return s;
}

void
test_server_stop(struct test_server *s)
{
    struct test_peer *p;

    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_lock(&s->lock);
    for (p = s->peers; p; p = p->next)
        if (p->fd >= 0)
            shutdown(p->fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    while ((p = s->peers) != NULL) {
        s->peers = p->next;
        pthread_join(p->thread, NULL);
        buf_deinit(&p->in);
        free(p);
    }
    for (int i = 0; i < s->request_count; i++)
        free((void *)(uintptr_t)s->requests[i].text.ptr);
    free(s->requests);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int
test_server_port(const struct test_server *s)
{
    return s->port;
}

static int
read_count(struct test_server *s, const int *count)
{
    int n;

    pthread_mutex_lock(&s->lock);
    n = *count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int
test_server_connections(struct test_server *s)
{
    return read_count(s, &s->connections);
}

int
test_server_requests(struct test_server *s)
{
    return read_count(s, &s->request_count);
}

int
test_server_most_at_once(struct test_server *s)
{
    return read_count(s, &s->most_at_once);
}

struct test_request
test_server_request(struct test_server *s, int i)
{
    struct test_request r;

    pthread_mutex_lock(&s->lock);
    ck_assert_int_lt(i, s->request_count);
    r = s->requests[i];
    pthread_mutex_unlock(&s->lock);
    return r;
}

void
test_server_cut_next(struct test_server *s, int connections)
{
    pthread_mutex_lock(&s->lock);
    s->unread = connections;
    pthread_mutex_unlock(&s->lock);
}

void
test_server_await_ended(struct test_server *s, int connections)
{
    pthread_mutex_lock(&s->lock);
    while (s->ended < connections)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* ---- The client ---- */

void
test_client_init(struct test_client *c, const struct courier_options *options)
{
    struct courier_options all = options ? *options : (struct courier_options){ .loop = NULL };
    struct error err = { .status = 0 };

    *c = (struct test_client){ .pending = 0 };
    ck_assert_int_eq(uv_loop_init(&c->loop), 0);
    arena_init(&c->arena);
    all.loop = &c->loop;
    ck_assert_msg(courier_new(&all, &c->courier, &err), "%s", err.message);
}

void
test_client_deinit(struct test_client *c)
{
    courier_free(c->courier);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&c->loop), 0);
    arena_deinit(&c->arena);
}

static void
count_down(struct net_call *call)
{
    struct test_client *c = call->user;

    c->pending--;
    ck_assert_msg(!strstr(call->response.error, "AAHdq"), "%s", call->response.error);
    if (call->response.result == NET_ANSWERED)
        ck_assert_str_eq(call->response.error, "");
    else
        ck_assert_str_ne(call->response.error, "");
}

struct net_call *
test_client_call(struct test_client *c, struct net_request request)
{
    struct net_call *call = arena_new(&c->arena, struct net_call);

    call->request = request;
    call->arena   = &c->arena;
    call->user    = c;
    call->done    = count_down;
    return call;
}

void
test_client_send(struct test_client *c, struct net_call *call)
{
    c->pending += call->done == count_down;
    courier_send(c->courier, call);
}

void
test_client_run(struct test_client *c)
{
    while (c->pending > 0)
        ck_assert_msg(uv_run(&c->loop, UV_RUN_ONCE) != 0 || c->pending == 0, "the loop ended before the calls");
}

struct net_response *
test_client_ask(struct test_client *c, struct net_request request)
{
    struct net_call *call = test_client_call(c, request);

    test_client_send(c, call);
    test_client_run(c);
    return &call->response;
}

struct str
test_url_at(struct test_client *c, const char *scheme, const char *host, const struct test_server *s,
            const char *path)
{
    return arena_printf(&c->arena, "%s://%s:%d" TEST_SECRET_PATH "/%s", scheme, host, test_server_port(s), path);
}

struct str
test_url(struct test_client *c, const struct test_server *s, const char *path)
{
    return test_url_at(c, "http", "127.0.0.1", s, path);
}

struct net_response *
test_client_get(struct test_client *c, const struct test_server *s, const char *path)
{
    return test_client_ask(c, (struct net_request){ .url = test_url(c, s, path) });
}

struct net_response *
test_client_post(struct test_client *c, const struct test_server *s, const char *path)
{
    return test_client_ask(c, (struct net_request){ .url = test_url(c, s, path), .body = STR("hello") });
}

struct net_response *
test_client_ask_for(struct test_client *c, const char *bytes, struct net_request request)
{
    struct test_server *s = test_server_start(test_answer_bytes, (void *)(uintptr_t)bytes);
    struct net_response *r;

    request.url = test_url(c, s, "x");
    r = test_client_ask(c, request);
    test_server_stop(s);
    return r;
}
