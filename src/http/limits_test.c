#include "http/testing_pair.h"

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

START_TEST(a_head_that_takes_too_long_is_a_408)
{
    pair_start(&(struct http_limits){ .request_ms = 50 });
    testing_send(&client, "GET /hello HTTP/1.1\r\nHost:");
    ck_assert_int_eq(testing_read(&client).status, 408);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(a_body_that_takes_too_long_is_a_408)
{
    pair_start(&(struct http_limits){ .request_ms = 50 });
    testing_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123");
    ck_assert_int_eq(testing_read(&client).status, 408);
    ck_assert(testing_is_closed(&client));
}
END_TEST

/* Byte after byte, each within the limit: without an end to it that would hold a connection for ever. */
START_TEST(a_body_that_trickles_is_a_408)
{
    struct pollfd answered = { .events = POLLIN };

    pair_start(&(struct http_limits){ .request_ms = 200 });
    answered.fd = client.fd;
    testing_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 200 && poll(&answered, 1, 20) == 0; i++)
        testing_send(&client, "x");
    ck_assert_int_eq(answered.revents & POLLIN, POLLIN);
    ck_assert_int_eq(testing_read(&client).status, 408);
}
END_TEST

START_TEST(an_upload_that_takes_too_long_leaves_nothing)
{
    pair_start(&(struct http_limits){ .request_ms = 50 });
    testing_send(&client, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                          "Content-Length: 1000\r\n\r\n--b\r\n"
                          "Content-Disposition: form-data; name=f; filename=f\r\n\r\nx");
    ck_assert_int_eq(testing_read(&client).status, 408);
    ck_assert_uint_eq(testing_spooled(&server), 0);
}
END_TEST

START_TEST(a_slow_handler_is_not_the_clients_fault)
{
    struct testing_client other;

    pair_start(&(struct http_limits){ .request_ms = 500, .idle_ms = 500 });
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    testing_held(&server);
    /* Others' time runs out meanwhile, so this one's would have, too. */
    testing_connect(&other, &server);
    ck_assert(testing_is_closed(&other));
    testing_close(&other);
    testing_connect(&other, &server);
    ck_assert(testing_is_closed(&other));
    testing_close(&other);
    testing_release(&server);
    ck_assert_int_eq(testing_read(&client).status, 200);
}
END_TEST

START_TEST(an_idle_connection_is_closed_without_a_word)
{
    pair_start(&(struct http_limits){ .idle_ms = 1000 });
    testing_ask(&client, HELLO, 200);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(who_does_not_read_is_given_up)
{
    pair_start(&(struct http_limits){ .write_ms = 50 });
    testing_send(&client, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    testing_await(&server, &server.finished, 1);
    while (testing_receive(&client))
        ;
    ck_assert_uint_lt(client.in.len, BIG_SIZE);
}
END_TEST

/* Time has to pass here, so this test does sleep. The client reads too little within the limit for the server's
 * socket to become writable, but enough that its kernel tells ours now and then. */
START_TEST(who_reads_slowly_is_not_given_up)
{
    pair_start(&(struct http_limits){ .write_ms = 1400 });
    testing_send(&client, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (size_t i = 1; i <= 10; i++) {
        uv_sleep(200);
        while (client.in.len < i * 128 * KIB)
            ck_assert(testing_receive(&client));
    }
    while (testing_receive(&client))
        ;
    ck_assert_uint_gt(client.in.len, BIG_SIZE);
}
END_TEST

START_TEST(a_long_head_is_a_431)
{
    pair_start(&(struct http_limits){ .header_max = 200 });
    testing_send(&client, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 30; i++)
        testing_send(&client, "0123456789");
    ck_assert_int_eq(testing_read(&client).status, 431);
    ck_assert(testing_is_closed(&client));
}
END_TEST

static const struct {
    const char *framing; /* from Content-Length or so to the body's first byte */
    size_t      filler;
    const char *end;
    int         status;
} bodies[] = {
    { "Content-Length: 1001\r\n\r\n", 0, "", 413 }, /* before a byte of it has come */
    { "Content-Length: 999999999999999999\r\n\r\n", 0, "", 413 },
    { "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", 1001, "", 413 },
    { "Transfer-Encoding: chunked\r\n\r\n3e8\r\n", 1000, "\r\n0\r\n\r\n", 200 },
    { "Content-Length: 1000\r\n\r\n", 1000, "", 200 },
};

START_TEST(a_large_body_is_a_413)
{
    static const char filler[2000] = "the rest is zeros";

    pair_start(NULL);
    testing_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\n");
    testing_send(&client, bodies[_i].framing);
    testing_send_bytes(&client, (struct str){ filler, bodies[_i].filler });
    testing_ask(&client, bodies[_i].end, bodies[_i].status);
    if (bodies[_i].status != 200)
        ck_assert(testing_is_closed(&client));
}
END_TEST

/* The client sends all of it before it reads: the answer must not be lost to a reset. */
START_TEST(the_answer_survives_what_the_client_still_sends)
{
    static char lots[4 * 1024 * 1024];

    pair_start(NULL);
    testing_send(&client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
    testing_send_bytes(&client, (struct str){ lots, sizeof(lots) });
    ck_assert_int_eq(testing_read(&client).status, 413);
    ck_assert(testing_is_closed(&client));
    ck_assert(!client.reset);
}
END_TEST

#define CROWD "POST /crowd HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"

static void
send_some(struct testing_client *c, const char *head, size_t bytes)
{
    char text[1000];

    memset(text, 'x', sizeof(text));
    testing_send(c, head);
    testing_send_bytes(c, (struct str){ text, bytes });
}

static void
await_crowd(int64_t bytes)
{
    int64_t until_ms = clock_mono_ms() + TESTING_PATIENCE_MS;

    while (atomic_load(&testing_crowd) != bytes && clock_mono_ms() < until_ms)
        sched_yield();
    ck_assert_int_eq(atomic_load(&testing_crowd), bytes);
}

START_TEST(many_large_bodies_of_strangers_are_a_503)
{
    struct testing_client second;
    struct testing_reply  r;

    pair_start(NULL);
    send_some(&client, CROWD, 900); /* 800 of them count */
    await_crowd(800);
    testing_connect(&second, &server);
    send_some(&second, CROWD, 900);
    r = testing_read(&second);
    ck_assert_int_eq(r.status, 503);
    ck_assert_text(testing_header(&r, "Retry-After"), "5");
    ck_assert(testing_is_closed(&second));
    testing_close(&second);
    await_crowd(800);
    testing_connect(&second, &server);
    send_some(&second, "POST /crowd HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", 100);
    ck_assert_int_eq(testing_read(&second).status, 200); /* a small one has its place */
    send_some(&client, "", 100);
    r = testing_read(&client);
    ck_assert_int_eq(r.status, 200);
    ck_assert_uint_eq(r.body.len, 1000);
    await_crowd(0);
    send_some(&second, CROWD, 900); /* and then it goes */
    await_crowd(800);
    testing_close(&second);
    await_crowd(0);
    testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(one_connection_too_many_is_a_503)
{
    struct testing_client second, third;
    struct testing_reply  r;

    pair_start(&(struct http_limits){ .connections_max = 2 });
    testing_ask(&client, HELLO, 200);
    testing_connect(&second, &server);
    testing_ask(&second, HELLO, 200);
    testing_connect(&third, &server);
    r = testing_read(&third);
    ck_assert_int_eq(r.status, 503);
    ck_assert_text(testing_header(&r, "Retry-After"), "1");
    ck_assert(testing_is_closed(&third));
    testing_close(&third);
    testing_close(&second);
    testing_await_connections(&server, 1);
    testing_connect(&third, &server);
    testing_ask(&third, HELLO, 200);
    testing_close(&third);
}
END_TEST

START_TEST(a_flood_of_connections_is_closed_without_a_word)
{
    enum { MANY = 300 };
    struct testing_client flood[MANY];
    int                   told = 0, closed = 0;

    pair_start(&(struct http_limits){ .connections_max = 1 });
    testing_ask(&client, HELLO, 200);
    for (int i = 0; i < MANY; i++)
        testing_connect(&flood[i], &server);
    for (int i = 0; i < MANY; i++) {
        if (testing_is_closed(&flood[i])) {
            closed++;
            continue;
        }
        ck_assert_int_eq(testing_read(&flood[i]).status, 503);
        told++;
    }
    ck_assert_int_gt(told, 0);
    ck_assert_int_gt(closed, 0);
    testing_ask(&client, HELLO, 200);
    for (int i = 0; i < MANY; i++)
        testing_close(&flood[i]);
}
END_TEST

/* Client and server share the process, so the clients' sockets are made before descriptors run out. */
START_TEST(no_descriptors_left_ends_connections_but_not_the_server)
{
    struct rlimit         limit, before;
    struct testing_client other;
    struct sockaddr_storage addr;
    socklen_t             len = sizeof(addr);
    int                   fds[8], next;
    char                  byte;

    pair_start(NULL);
    testing_ask(&client, HELLO, 200);
    getpeername(client.fd, (struct sockaddr *)&addr, &len);
    for (int i = 0; i < 8; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 8; i++) {
        struct timeval patience = { .tv_sec = 10 };

        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&addr, len), 0);
        ck_assert_int_ne(recv(fds[i], &byte, 1, 0), 1);
    }
    testing_ask(&client, HELLO, 200);
    setrlimit(RLIMIT_NOFILE, &before);
    testing_connect(&other, &server);
    testing_ask(&other, HELLO, 200);
    testing_close(&other);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}
END_TEST

/* ---- stopping ---- */

static void
stop(void *arg)
{
    struct testing_server *t = arg;

    http_stop(t->http, 10000);
}

static void
stop_at_once(void *arg)
{
    struct testing_server *t = arg;

    http_stop(t->http, 0);
}

static void
refused_after(const struct sockaddr_storage *addr, socklen_t len)
{
    int fd;

    for (;;) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)addr, len) != 0)
            break;
        close(fd); /* it came before the server stopped accepting */
    }
    close(fd);
}

START_TEST(stopping_finishes_what_was_begun)
{
    struct testing_client   idle, reading;
    struct testing_reply    r;
    struct sockaddr_storage addr;
    socklen_t               len = sizeof(addr);
    uv_thread_t             stopper;

    pair_start(NULL);
    testing_connect(&idle, &server);
    testing_ask(&idle, HELLO, 200);
    testing_connect(&reading, &server);
    testing_send(&reading, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    testing_read_head(&reading);
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" HELLO);
    testing_held(&server);
    getpeername(client.fd, (struct sockaddr *)&addr, &len);

    uv_thread_create(&stopper, stop, &server);
    ck_assert(testing_is_closed(&idle));
    refused_after(&addr, len);
    testing_send(&reading, "done");
    r = testing_read(&reading);
    ck_assert_text(r.body, "done");
    ck_assert_text(testing_header(&r, "Connection"), "close");
    ck_assert(testing_is_closed(&reading));
    testing_release(&server);
    r = testing_read(&client);
    ck_assert_int_eq(r.status, 200);
    ck_assert_text(testing_header(&r, "Connection"), "close");
    ck_assert(testing_is_closed(&client)); /* the second request is the client's to repeat elsewhere */
    testing_close(&idle);
    testing_close(&reading);
    testing_close(&client);
    uv_thread_join(&stopper);
    server.http = NULL;
}
END_TEST

START_TEST(stopping_cuts_who_takes_too_long)
{
    int64_t from_ms = clock_mono_ms();

    pair_start(NULL);
    testing_ask(&client, HELLO "GET /hel", 200);
    http_stop(server.http, 10);
    server.http = NULL;
    /* and no 30 s for the rest of that request */
    ck_assert_int_lt(clock_mono_ms() - from_ms, TESTING_PATIENCE_MS);
    ck_assert(testing_is_closed(&client));
}
END_TEST

/* Nobody else can give its exchange back, so stopping waits for the handler, whatever the limit. */
START_TEST(stopping_waits_for_handlers)
{
    uv_thread_t stopper;

    pair_start(NULL);
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    testing_held(&server);
    uv_thread_create(&stopper, stop_at_once, &server);
    ck_assert(testing_is_closed(&client));
    testing_release(&server);
    uv_thread_join(&stopper);
    server.http = NULL;
    ck_assert_int_eq(server.finished, 1);
}
END_TEST

static TCase *
limits(void)
{
    TCase *c = tcase_create("limits");

    tcase_add_checked_fixture(c, NULL, pair_tear_down);
    tcase_add_test(c, a_head_that_takes_too_long_is_a_408);
    tcase_add_test(c, a_body_that_takes_too_long_is_a_408);
    tcase_add_test(c, a_body_that_trickles_is_a_408);
    tcase_add_test(c, an_upload_that_takes_too_long_leaves_nothing);
    tcase_add_test(c, a_slow_handler_is_not_the_clients_fault);
    tcase_add_test(c, an_idle_connection_is_closed_without_a_word);
    tcase_add_test(c, who_does_not_read_is_given_up);
    tcase_add_test(c, who_reads_slowly_is_not_given_up);
    tcase_add_test(c, a_long_head_is_a_431);
    tcase_add_loop_test(c, a_large_body_is_a_413, 0, COUNT(bodies));
    tcase_add_test(c, the_answer_survives_what_the_client_still_sends);
    tcase_add_test(c, many_large_bodies_of_strangers_are_a_503);
    tcase_add_test(c, one_connection_too_many_is_a_503);
    tcase_add_test(c, a_flood_of_connections_is_closed_without_a_word);
    tcase_add_test(c, no_descriptors_left_ends_connections_but_not_the_server);
    return c;
}

static TCase *
stopping(void)
{
    TCase *c = tcase_create("stopping");

    tcase_add_checked_fixture(c, NULL, pair_tear_down);
    tcase_add_test(c, stopping_finishes_what_was_begun);
    tcase_add_test(c, stopping_cuts_who_takes_too_long);
    tcase_add_test(c, stopping_waits_for_handlers);
    return c;
}

TEST_CASES("limits", limits, stopping)
