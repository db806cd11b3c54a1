/* Addresses, and what happens when one cannot be had. */
#include "http/testing_client.h"

#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void
answer(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    x->reply.status = 200;
    buf_append(&x->reply.body, str_of(x->request.peer));
    http_exchange_done(x);
}

static struct http_options
options(const char *listen, int threads)
{
    return (struct http_options){ .listen = listen, .threads = threads, .on_request = answer };
}

static const struct {
    const char *listen, *prefix; /* of the address the server then says it has */
} good[] = {
    { "127.0.0.1:0", "127.0.0.1:" },
    { "localhost:0", NULL },
    { "[::1]:0", "[::1]:" },
    { ":0", NULL },
};

static bool
has_ipv6(void)
{
    struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int                 fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool                ok = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

START_TEST(a_server_says_where_it_listens)
{
    struct http_options o = options(good[_i].listen, 3);
    struct http_server *s;
    struct error        err;
    struct str          head, tail;
    int64_t             port;

    if (strchr(good[_i].listen, '[') && !has_ipv6())
        return;
    ck_assert_msg(http_start(&o, &s, &err), "%s", err.message);
    ck_assert_int_gt(http_port(s), 0);
    ck_assert_int_eq(http_thread_count(s), 3);
    if (good[_i].prefix)
        ck_assert(str_starts(str_of(http_address(s)), str_of(good[_i].prefix)));
    tail = str_of(http_address(s));
    while (str_cut(tail, ':', &head, &tail))
        ;
    ck_assert(str_to_i64(head, &port));
    ck_assert_int_eq(port, http_port(s));
    http_stop(s, 0);
}
END_TEST

static const char *const bad[] = {
    "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]", "192.0.2.1:0",
    "no such host:80",
};

START_TEST(an_address_that_is_none_is_refused)
{
    struct http_options o = options(bad[_i], 1);
    struct http_server *s;
    struct error        err;

    ck_assert(!http_start(&o, &s, &err));
    ck_assert(str_find(str_of(err.message), str_of(bad[_i])) >= 0);
}
END_TEST

/* With several threads the sockets share their port, but only with each other. */
START_TEST(a_port_in_use_is_refused)
{
    struct http_options o = options("127.0.0.1:0", 1 + _i);
    struct http_server *first, *second;
    struct error        err;
    char                address[64];

    ck_assert(http_start(&o, &first, &err));
    snprintf(address, sizeof(address), "%s", http_address(first));
    o.listen = address;
    ck_assert(!http_start(&o, &second, &err));
    ck_assert(str_find(str_of(err.message), STR("in use")) >= 0);
    http_stop(first, 0);
    ck_assert_msg(http_start(&o, &second, &err), "%s", err.message);
    http_stop(second, 0);
}
END_TEST

START_TEST(every_thread_gets_connections)
{
    static struct testing_server server;
    struct testing_client        clients[64];
    bool                         seen[2] = { false, false };

    testing_server_start(&server, 2, NULL);
    for (int i = 0; i < 64; i++) {
        testing_connect(&clients[i], &server);
        testing_send(&clients[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        seen[testing_held(&server)->thread] = true;
        testing_release(&server);
        ck_assert_int_eq(testing_read(&clients[i]).status, 200);
    }
    for (int i = 0; i < 64; i++)
        testing_close(&clients[i]);
    ck_assert(seen[0] && seen[1]);
    testing_server_stop(&server);
}
END_TEST

/* Whom the server sees when `family` connects to `port` of this machine. */
static void
peer_of(int family, int port, char *out, size_t size)
{
    static const char   request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                               .sin6_port = htons((uint16_t)port) };
    struct sockaddr_in  v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)port) };
    int                 fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char                reply[1024];
    size_t              len = 0;
    ssize_t             n;
    ptrdiff_t           body;

    ck_assert_int_eq(family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                                       : connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
    ck_assert_int_eq(send(fd, request, sizeof(request) - 1, 0), (ssize_t)sizeof(request) - 1);
    while (len < sizeof(reply) && (n = recv(fd, reply + len, sizeof(reply) - len, 0)) > 0)
        len += (size_t)n;
    close(fd);
    body = str_find((struct str){ reply, len }, STR("\r\n\r\n"));
    ck_assert_int_gt(body, 0);
    snprintf(out, size, "%.*s", STR_ARG(str_from((struct str){ reply, len }, (size_t)body + 4)));
}

START_TEST(the_peer_has_its_address)
{
    struct http_options o = options(has_ipv6() ? "[::]:0" : "0.0.0.0:0", 1);
    struct http_server *s;
    struct error        err;
    char                peer[64];

    ck_assert_msg(http_start(&o, &s, &err), "%s", err.message);
    peer_of(AF_INET, http_port(s), peer, sizeof(peer));
    ck_assert_str_eq(peer, "127.0.0.1");
    if (has_ipv6()) {
        peer_of(AF_INET6, http_port(s), peer, sizeof(peer));
        ck_assert_str_eq(peer, "::1");
    }
    http_stop(s, 0);
}
END_TEST

START_TEST(there_is_a_thread_for_each_processor)
{
    struct http_options o = options("127.0.0.1:0", 0);
    struct http_server *s;
    struct error        err;
    cpu_set_t           set;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
    ck_assert_msg(http_start(&o, &s, &err), "%s", err.message);
    ck_assert_int_eq(http_thread_count(s), CPU_COUNT(&set));
    http_stop(s, 0);
}
END_TEST

START_TEST(no_server_can_be_stopped)
{
    http_stop(NULL, 1000);
}
END_TEST

static TCase *
listening(void)
{
    TCase *c = tcase_create("listening");

    tcase_add_loop_test(c, a_server_says_where_it_listens, 0, COUNT(good));
    tcase_add_loop_test(c, an_address_that_is_none_is_refused, 0, COUNT(bad));
    tcase_add_loop_test(c, a_port_in_use_is_refused, 0, 2);
    tcase_add_test(c, every_thread_gets_connections);
    tcase_add_test(c, the_peer_has_its_address);
    tcase_add_test(c, there_is_a_thread_for_each_processor);
    tcase_add_test(c, no_server_can_be_stopped);
    return c;
}

TEST_CASES("listen", listening)
