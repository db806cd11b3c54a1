/* courier_failure_test.c -- what is said when no answer comes, and that nothing is sent twice that must not be. */
#include "net/courier.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/testing.h"
#include "net/testing.h"

/* ---- Nothing was sent ---- */

/* A port nobody listens at: bound, so that nobody else gets it. */
static int
dead_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    return ntohs(a.sin_port);
}

START_TEST(nobody_listens)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){
        .url = arena_printf(&c.arena, "http://127.0.0.1:%d" TEST_SECRET_PATH "/x", dead_port()),
        .body = STR("hello") });
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    ck_assert_int_eq(r->status, 0);
    ck_assert_ptr_nonnull(strstr(r->error, "Failed to connect to 127.0.0.1 port"));
    test_client_deinit(&c);
}
END_TEST

START_TEST(what_is_too_late_does_not_leave)
{
    const int64_t now_ms = clock_mono_ms(), later_ms = now_ms + 3600000;
    struct net_request request = { .body = STR("hello"), .not_after_mono_ms = &now_ms };
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    request.url = test_url(&c, s, "x");
    r = test_client_ask(&c, request);
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    ck_assert_str_eq(r->error, "it was too late to send it");
    request.not_after_mono_ms = &later_ms;
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_ANSWERED);
    ck_assert_int_eq(test_server_requests(s), 1);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* Connections beyond the backlog get no answer at all. */
static int
silent_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    for (int i = 0; i < 3; i++)
        (void)connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (struct sockaddr *)&a, sizeof(a));
    return ntohs(a.sin_port);
}

START_TEST(nobody_answers_the_connection)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){
        .url = arena_printf(&c.arena, "http://127.0.0.1:%d/", silent_port()), .body = STR("hello"), .connect_ms = 60 });
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    ck_assert_int_ge(r->took_us, 59000);
    ck_assert_msg(strstr(r->error, "imeout"), "%s", r->error); /* libcurl has two sentences for it */
    r = test_client_ask(&c, (struct net_request){
        .url = arena_printf(&c.arena, "http://127.0.0.1:%d/", silent_port()), .body = STR("hello"), .total_ms = 60 });
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    test_client_deinit(&c);
}
END_TEST

START_TEST(the_other_side_speaks_no_tls)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_request request = { .body = STR("hello") };

    test_client_init(&c, NULL);
    request.url = test_url_at(&c, "https", "127.0.0.1", s, "x");
    test_server_cut_next(s, 1);
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_NOT_SENT);
    request.connect_ms = 60; /* the server waits for the end of what it takes for a head */
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_NOT_SENT);
    ck_assert_int_eq(test_server_requests(s), 0);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- Something was sent ---- */

struct cut_row {
    const char *before; /* what of the answer comes */
    bool        reset;
    int         status;
};

static const struct cut_row cuts[] = {
    { "", false, 0 },
    { "", true, 0 },
    { "HTTP/1.1 20", false, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Le", false, 200 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false, 200 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, 200 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, 200 },
    { "HTTP/1.1 100 Continue\r\n\r\n", false, 0 },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes", false, 0 },
    { "SSH-2.0-OpenSSH_9.2\r\n", false, 0 },
    { "\x16\x03\x01", false, 0 },
    { "HTTP/3.9 200 OK\r\n\r\n", false, 0 },
};

static void
answer_and_cut(struct test_peer *p, const struct test_request *r, void *user)
{
    const struct cut_row *row = user;

    (void)r;
    test_peer_send(p, str_of(row->before));
    if (row->reset)
        test_peer_reset(p);
    else
        test_peer_end(p);
}

START_TEST(an_answer_that_is_cut_is_unknown)
{
    const struct cut_row *row = &cuts[_i];
    struct test_client c;
    struct test_server *s = test_server_start(answer_and_cut, (void *)(uintptr_t)row);
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_post(&c, s, "x");
    ck_assert_msg(r->result == NET_UNKNOWN, "%d %s", (int)r->result, r->error);
    ck_assert_int_eq(r->status, row->status);
    ck_assert_int_eq(test_server_requests(s), 1);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_connection_cut_unread_is_unknown)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    test_server_cut_next(s, 1);
    r = test_client_post(&c, s, "x");
    /* Whether the cut comes before or after we write is chance. */
    ck_assert(r->result == NET_UNKNOWN || r->result == NET_NOT_SENT);
    ck_assert_int_eq(test_server_requests(s), 0);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static void
answer_slowly(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    test_peer_send(p, str_of(user));
    test_peer_hold(p);
}

START_TEST(an_answer_may_take_too_long)
{
    static const char *const before[] = {
        "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    };
    struct net_request request = { .body = STR("hello"), .total_ms = 1000 };
    struct test_server *servers[3];
    struct net_call *calls[3];
    struct test_client c;

    test_client_init(&c, NULL);
    for (int i = 0; i < 3; i++) {
        servers[i] = test_server_start(answer_slowly, (void *)(uintptr_t)before[i]);
        request.url = test_url(&c, servers[i], "x");
        calls[i] = test_client_call(&c, request);
        test_client_send(&c, calls[i]);
    }
    test_client_run(&c);
    for (int i = 0; i < 3; i++) {
        const struct net_response *r = &calls[i]->response;

        ck_assert_int_eq(r->result, NET_UNKNOWN);
        ck_assert_int_ge(r->took_us, 999000);
        ck_assert_int_lt(r->took_us, 20000000);
        ck_assert_msg(strstr(r->error, "timed out") || strstr(r->error, "imeout"), "%s", r->error);
        ck_assert_int_eq(r->status, i == 0 ? 0 : 200);
        test_server_stop(servers[i]);
    }
    test_client_deinit(&c);
}
END_TEST

/* An early answer to a request that is still being sent counts. */
static void
answer_early(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_answer(p, 413, "Connection: close\r\n", STR("too large"));
    test_peer_hold(p);
}

START_TEST(a_refusal_before_the_end_of_the_body_is_an_answer)
{
    struct net_header chunk = { STR("Content-Length"), STR("0") }; /* the server answers at the end of the head */
    struct test_client c;
    struct test_server *s = test_server_start(answer_early, NULL);
    struct net_response *r;
    char *body;

    test_client_init(&c, NULL);
    body = arena_alloc(&c.arena, 20 * MIB);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body = { body, 20 * MIB },
                                                  .headers = &chunk, .header_count = 1 });
    ck_assert_msg(r->result == NET_ANSWERED, "%d %s", (int)r->result, r->error);
    ck_assert_int_eq(r->status, 413);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- Nothing is repeated that must not be ---- */

enum cut_how { CUT_END, CUT_RESET };

struct repeat_row {
    struct net_request request;
    enum cut_how       how;
    bool               repeated;
};

static struct net_part one_part = { .name = STR("a"), .value = STR("b") };

#define FILE_ROW { "file", 4 } /* stands for the path of a file made in the test */

static const struct repeat_row repeats[] = {
    { { .body = { "hello", 5 } }, CUT_END, false },
    { { .body = { "hello", 5 } }, CUT_RESET, false },
    { { .body = { "", 0 } }, CUT_END, false },
    { { .method = { "POST", 4 } }, CUT_END, false },
    { { .method = { "POST", 4 } }, CUT_RESET, false },
    { { .parts = &one_part, .part_count = 1 }, CUT_END, false },
    { { .parts = &one_part, .part_count = 1 }, CUT_RESET, false },
    { { .body_path = FILE_ROW }, CUT_END, false },
    { { .method = { "PUT", 3 }, .body_path = FILE_ROW }, CUT_RESET, false },
    { { .method = { "PUT", 3 }, .body = { "x", 1 } }, CUT_END, false },
    { { .method = { "DELETE", 6 } }, CUT_END, false },
    { { .method = { "DELETE", 6 } }, CUT_RESET, false },
    { { .method = { "GET", 3 }, .body = { "x", 1 } }, CUT_END, false },
    { { .method = { "get", 3 } }, CUT_END, false }, /* not the method GET */
    { { .body = { NULL, 0 } }, CUT_END, true },
    { { .body = { NULL, 0 } }, CUT_RESET, true },
    { { .method = { "HEAD", 4 } }, CUT_END, true },
};

/* The second request of a connection is read and not answered. */
static void
cut_second(struct test_peer *p, const struct test_request *r, void *user)
{
    const struct repeat_row *row = user;

    if (r->number == 1)
        test_peer_answer(p, 200, NULL, str_eq(r->method, STR("HEAD")) ? STR("") : STR("ok"));
    else if (row->how == CUT_RESET)
        test_peer_reset(p);
    else
        test_peer_end(p);
}

START_TEST(a_request_read_on_a_kept_connection_is_not_sent_again)
{
    const struct repeat_row *row = &repeats[_i];
    struct net_request request = row->request;
    struct test_client c;
    struct test_server *s = test_server_start(cut_second, (void *)(uintptr_t)row);
    struct net_response *r;
    struct str path;

    test_client_init(&c, NULL);
    path = arena_copy(&c.arena, STR("/tmp/courier-test-XXXXXX"));
    close(mkstemp((char *)(uintptr_t)path.ptr));
    if (!str_is_none(request.body_path))
        request.body_path = path;
    request.url = test_url(&c, s, "x");

    test_client_ask(&c, (struct net_request){ .url = request.url });
    r = test_client_ask(&c, request);
    ck_assert_int_eq(test_server_request(s, 1).connection, 1);
    if (row->repeated) {
        ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
        ck_assert_int_eq(test_server_requests(s), 3);
    } else {
        ck_assert_msg(r->result == NET_UNKNOWN, "%d %s", (int)r->result, r->error);
        ck_assert_int_eq(test_server_requests(s), 2);
        ck_assert_msg(test_server_connections(s) == 1, "a connection was made to send it again");
        ck_assert_str_eq(r->error, "the connection was closed before an answer came");
    }
    /* And the next one is not hindered. */
    r = test_client_ask(&c, (struct net_request){ .url = request.url, .body = STR("next") });
    ck_assert_int_eq(r->result, row->repeated ? NET_UNKNOWN : NET_ANSWERED);
    unlink(path.ptr);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* Several kept connections: libcurl would take the next of them, without opening one. */
START_TEST(nor_is_it_on_another_kept_connection)
{
    static const struct repeat_row row = { .how = CUT_END };
    struct test_client c;
    struct test_server *s = test_server_start(cut_second, (void *)(uintptr_t)&row);
    struct net_call *calls[4];
    int seen = 0;

    test_client_init(&c, NULL);
    for (int i = 0; i < 4; i++) {
        calls[i] = test_client_call(&c, (struct net_request){ .url = test_url(&c, s, "x") });
        test_client_send(&c, calls[i]);
    }
    test_client_run(&c);
    ck_assert_int_gt(test_server_connections(s), 1);
    ck_assert_int_eq(test_client_post(&c, s, "x")->result, NET_UNKNOWN);
    for (int i = 0; i < test_server_requests(s); i++)
        seen += str_eq(test_server_request(s, i).body, STR("hello"));
    ck_assert_int_eq(seen, 1);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static void
answer_and_end(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_answer(p, 200, NULL, STR("ok")); /* without a word about closing */
    test_peer_end(p);
}

START_TEST(a_kept_connection_that_ended_meanwhile_is_not_used)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_and_end, NULL);

    test_client_init(&c, NULL);
    for (int i = 1; i <= 5; i++) {
        struct net_response *r = test_client_post(&c, s, "x");

        ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
        test_server_await_ended(s, i);
    }
    ck_assert_int_eq(test_server_requests(s), 5);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* A large body is cut in the middle, on a new connection and on a kept one: some of it was written. */
static void
cut_in_body(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)user;
    if (r->number == 1 && str_eq(r->method, STR("GET")))
        test_peer_answer(p, 200, NULL, STR("ok"));
    else
        test_peer_reset(p);
}

START_TEST(a_body_cut_on_its_way_is_unknown)
{
    struct net_header none = { STR("Content-Length"), STR("0") }; /* so that the server acts at the end of the head */
    struct test_client c;
    struct test_server *s = test_server_start(cut_in_body, NULL);
    char *body;

    test_client_init(&c, NULL);
    body = arena_alloc(&c.arena, 20 * MIB);
    for (int kept = 0; kept < 2; kept++) {
        struct net_response *r;
        int before;

        if (kept)
            test_client_get(&c, s, "x");
        before = test_server_requests(s);
        r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body = { body, 20 * MIB },
                                                      .headers = &none, .header_count = 1 });
        ck_assert_msg(r->result == NET_UNKNOWN, "%d %s", (int)r->result, r->error);
        ck_assert_int_eq(test_server_requests(s), before + 1);
    }
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, an_answer_that_is_cut_is_unknown, 0, COUNT(cuts));
    tcase_add_loop_test(c, a_request_read_on_a_kept_connection_is_not_sent_again, 0, COUNT(repeats));
    return c;
}

static TCase *
rest(void)
{
    TCase *c = tcase_create("rest");

    tcase_add_test(c, nobody_listens);
    tcase_add_test(c, what_is_too_late_does_not_leave);
    tcase_add_test(c, nobody_answers_the_connection);
    tcase_add_test(c, the_other_side_speaks_no_tls);
    tcase_add_test(c, a_connection_cut_unread_is_unknown);
    tcase_add_test(c, an_answer_may_take_too_long);
    tcase_add_test(c, a_refusal_before_the_end_of_the_body_is_an_answer);
    tcase_add_test(c, nor_is_it_on_another_kept_connection);
    tcase_add_test(c, a_kept_connection_that_ended_meanwhile_is_not_used);
    tcase_add_test(c, a_body_cut_on_its_way_is_unknown);
    return c;
}

TEST_CASES("courier failures", tables, rest)
