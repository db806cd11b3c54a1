#include "http/testing_pair.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void
set_up(void)
{
    testing_server_start(&server, 0, NULL);
    testing_connect(&client, &server);
}

START_TEST(a_reply_has_what_every_reply_has)
{
    struct testing_reply r = testing_ask(&client, HELLO, 200);
    struct str           first;
    char                 id[HTTP_REQUEST_ID_MAX];

    ck_assert_text(r.body, "hello");
    ck_assert_text(testing_header(&r, "Content-Length"), "5");
    ck_assert_uint_eq(testing_header(&r, "Date").len, 29);
    ck_assert(str_is_none(testing_header(&r, "Connection")));
    first = testing_header(&r, "X-Request-Id");
    ck_assert_uint_gt(first.len, 16);
    snprintf(id, sizeof(id), "%.*s", STR_ARG(first));
    r = testing_ask(&client, HELLO, 200); /* on the same connection, with another id */
    ck_assert(!str_eq(testing_header(&r, "X-Request-Id"), str_of(id)));
    r = testing_ask(&client, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\n\r\n", 200);
    ck_assert_text(testing_header(&r, "X-Request-Id"), "mine-1");
}
END_TEST

START_TEST(a_request_may_come_byte_by_byte)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab\r\ncd" HELLO;
    struct testing_reply r;

    for (size_t i = 0; i < sizeof(request) - 1; i++)
        testing_send_bytes(&client, (struct str){ request + i, 1 });
    r = testing_read(&client);
    ck_assert_text(r.body, "ab\r\ncd");
    r = testing_read(&client);
    ck_assert_text(r.body, "hello");
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    char   request[128], body[16];
    struct testing_reply r;

    for (int i = 0; i < 100; i++) {
        /* Some are answered at once, some by another thread. */
        int n = snprintf(body, sizeof(body), "n%d", i);

        if (i % 3 == 0)
            testing_send(&client, "GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n");
        snprintf(request, sizeof(request), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, body);
        testing_send(&client, request);
    }
    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0) {
            r = testing_read(&client);
            ck_assert_text(r.body, "hello");
        }
        snprintf(body, sizeof(body), "n%d", i);
        r = testing_read(&client);
        ck_assert_text(r.body, body);
    }
}
END_TEST

START_TEST(reading_pauses_while_too_much_waits)
{
    enum { ONE = 8000, MANY = 10 };
    static char flood[ONE * MANY + 1];
    size_t      sent = 0;
    ssize_t     n;

    /* The first request is held, so what follows must stay with the client once all buffers are full. */
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    testing_held(&server);
    for (size_t i = 0; i < MANY; i++)
        snprintf(&flood[i * ONE], ONE + 1, "GET /hello HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n", ONE - 37, 0);
    do {
        size_t at = sent % (sizeof(flood) - 1);

        n = send(client.fd, flood + at, sizeof(flood) - 1 - at, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        ck_assert_uint_lt(sent, 64 * MIB);
    } while (n > 0);
    testing_release(&server);
    ck_assert_int_eq(testing_read(&client).status, 200);
    for (size_t i = 0; i < sent / ONE; i++)
        ck_assert_int_eq(testing_read(&client).status, 200);
}
END_TEST

START_TEST(another_thread_may_answer)
{
    struct testing_reply r = testing_ask(&client, "GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n", 200);

    ck_assert_text(r.body, "hello");
    testing_await(&server, &server.finished, 1);
    ck_assert_int_eq(server.last_status, 200);
    ck_assert_int_ge(server.last_took_us, 0);
}
END_TEST

START_TEST(head_has_no_body_but_its_length)
{
    struct testing_reply r;

    testing_send(&client, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    r = testing_read_head(&client);
    ck_assert_int_eq(r.status, 200);
    ck_assert_text(testing_header(&r, "Content-Length"), "5");
    testing_send(&client, "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n");
    r = testing_read_head(&client);
    ck_assert_text(testing_header(&r, "Content-Length"), "1000");
    testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(no_content_has_no_length)
{
    struct testing_reply r;

    testing_send(&client, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    r = testing_read_head(&client);
    ck_assert_int_eq(r.status, 204);
    ck_assert(str_is_none(testing_header(&r, "Content-Length")));
    testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(a_chunked_body_is_put_together)
{
    struct testing_reply r = testing_ask(&client,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n", 200);

    ck_assert_text(r.body, "hello, world");
    testing_ask(&client, HELLO, 200);
}
END_TEST

#define EXPECT(path, length) \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\nExpect: 100-continue\r\n\r\n"

START_TEST(the_body_is_asked_for_when_the_head_is_accepted)
{
    struct testing_reply r;

    testing_send(&client, EXPECT("/echo", "2"));
    ck_assert_int_eq(testing_read_head(&client).status, 100);
    testing_send(&client, "ok");
    r = testing_read(&client);
    ck_assert_text(r.body, "ok");
    /* A client that did not wait needs no encouragement. */
    r = testing_ask(&client, EXPECT("/echo", "2") "ok", 200);
    ck_assert_text(r.body, "ok");
    testing_ask(&client, EXPECT("/forbidden", "2"), 403);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(the_body_is_not_asked_for_when_it_is_too_large)
{
    testing_ask(&client, EXPECT("/echo", "1001"), 413);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(a_refused_head_keeps_the_connection_when_no_body_follows)
{
    struct testing_reply r = testing_ask(&client, "GET /forbidden HTTP/1.1\r\nHost: a\r\n\r\n", 403);

    ck_assert_text(r.body, "no");
    testing_ask(&client, HELLO, 200);
    r = testing_ask(&client, "POST /forbidden HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 403);
    ck_assert_text(testing_header(&r, "Connection"), "close");
    ck_assert(testing_is_closed(&client));
}
END_TEST

static const struct {
    const char *request;
    const char *connection; /* the reply's header; NULL: none */
} closings[] = {
    { "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", NULL },
    { "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close" },
    { "GET /hello HTTP/1.0\r\n\r\n", "close" },
    { "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive" },
};

START_TEST(connections_close_when_the_client_wants_it)
{
    struct testing_reply r = testing_ask(&client, closings[_i].request, 200);
    const char          *connection = closings[_i].connection;

    ck_assert_text(r.body, "hello");
    if (connection)
        ck_assert_text(testing_header(&r, "Connection"), connection);
    else
        ck_assert(str_is_none(testing_header(&r, "Connection")));
    if (connection && strcmp(connection, "close") == 0)
        ck_assert(testing_is_closed(&client));
    else
        testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(a_client_that_closed_its_side_still_gets_its_answers)
{
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" HELLO);
    shutdown(client.fd, SHUT_WR);
    testing_held(&server);
    testing_release(&server);
    ck_assert_int_eq(testing_read(&client).status, 200);
    ck_assert_int_eq(testing_read(&client).status, 200);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(an_exchange_outlives_its_client)
{
    struct http_exchange *x;

    testing_send(&client, "POST /hold?q HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    x = testing_held(&server);
    /* A reset, so that the server learns at once that nobody waits any more. */
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
    shutdown(client.fd, SHUT_RDWR);
    testing_close(&client);
    testing_connect(&client, &server);
    testing_ask(&client, HELLO, 200);
    ck_assert_text(x->request.body, "body");
    ck_assert_text(x->request.query, "q");
    testing_release(&server);
    testing_await(&server, &server.finished, 2);
}
END_TEST

START_TEST(a_large_reply_arrives_whole)
{
    struct testing_reply r = testing_ask(&client, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n" HELLO, 200);

    ck_assert_uint_eq(r.body.len, BIG_SIZE);
    for (size_t i = 0; i < r.body.len; i += 997)
        ck_assert_int_eq(r.body.ptr[i], 'x');
    ck_assert_int_eq(testing_read(&client).status, 200);
}
END_TEST

START_TEST(a_reply_that_would_split_is_not_sent)
{
    struct testing_reply r = testing_ask(&client, "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n", 500);

    ck_assert(str_is_none(testing_header(&r, "Set-Cookie")));
    ck_assert(str_is_none(testing_header(&r, "X-Split")));
    testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(a_head_too_long_for_the_server_is_not_sent_by_halves)
{
    struct testing_reply r = testing_ask(&client, "GET /long-head HTTP/1.1\r\nHost: a\r\n\r\n", 500);

    ck_assert(str_is_none(testing_header(&r, "X-Long")));
    testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(a_connection_can_be_cut_without_a_reply)
{
    testing_send(&client, "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert(testing_is_closed(&client));
    testing_await(&server, &server.finished, 1);
}
END_TEST

static void
cut_held(struct testing_server *t, void *arg)
{
    (void)arg;
    http_exchange_cut(t->held);
    t->held = NULL;
}

START_TEST(who_has_gone_already_can_be_cut_off)
{
    int thread;

    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    thread = testing_held(&server)->thread;
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
    testing_close(&client);
    testing_await_connections(&server, 0);
    testing_on_loop(&server, thread, cut_held, NULL);
    testing_await(&server, &server.finished, 1);
}
END_TEST

static const struct {
    int         status;
    const char *line;
} lines[] = {
    { 200, "HTTP/1.1 200 OK\r\n" }, { 404, "HTTP/1.1 404 Not Found\r\n" },
    { 503, "HTTP/1.1 503 Service Unavailable\r\n" }, { 599, "HTTP/1.1 599 Other\r\n" },
};

START_TEST(every_status_has_its_line)
{
    char request[64], begin[32];

    for (int status = 200; status < 600; status++) {
        struct testing_reply r;

        snprintf(request, sizeof(request), "GET /status?%d HTTP/1.1\r\nHost: a\r\n\r\n", status);
        testing_send(&client, request);
        r = status == 204 || status == 304 ? testing_read_head(&client) : testing_read(&client);
        snprintf(begin, sizeof(begin), "HTTP/1.1 %d ", status);
        ck_assert_msg(str_starts(r.head, str_of(begin)) && r.head.ptr[strlen(begin)] >= 'A', "%.*s", STR_ARG(r.head));
        for (size_t i = 0; i < COUNT(lines); i++)
            ck_assert(lines[i].status != status || str_starts(r.head, str_of(lines[i].line)));
    }
}
END_TEST

static const struct {
    const char *header, *range; /* the reply's Content-Range */
    int         status;
    size_t      from, length;
} files[] = {
    { "", NULL, 200, 0, 1000 },
    { "Range: bytes=10-19\r\n", "bytes 10-19/1000", 206, 10, 10 },
    { "Range: bytes=-10\r\n", "bytes 990-999/1000", 206, 990, 10 },
    { "Range: bytes=990-\r\nIf-Range: \"v1\"\r\n", "bytes 990-999/1000", 206, 990, 10 },
    { "Range: bytes=990-\r\nIf-Range: \"v2\"\r\n", NULL, 200, 0, 1000 },
    { "Range: bytes=0-1,5-6\r\n", NULL, 200, 0, 1000 },
    { "Range: bytes=1000-\r\n", "bytes */1000", 416, 0, 0 },
    { "If-None-Match: \"v1\"\r\n", NULL, 304, 0, 0 },
    { "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", NULL, 304, 0, 0 },
};

START_TEST(a_file_is_sent_in_part_or_whole)
{
    struct testing_reply r;
    char                 request[256];

    snprintf(request, sizeof(request), "GET /file HTTP/1.1\r\nHost: a\r\n%s\r\n", files[_i].header);
    testing_send(&client, request);
    r = files[_i].status == 304 ? testing_read_head(&client) : testing_read(&client);
    ck_assert_int_eq(r.status, files[_i].status);
    ck_assert_text(testing_header(&r, "ETag"), "\"v1\"");
    ck_assert_text(testing_header(&r, "Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    if (files[_i].range)
        ck_assert_text(testing_header(&r, "Content-Range"), files[_i].range);
    else
        ck_assert(str_is_none(testing_header(&r, "Content-Range")));
    if (files[_i].length > 0) {
        ck_assert_uint_eq(r.body.len, files[_i].length);
        for (size_t i = 0; i < r.body.len; i++)
            ck_assert_int_eq(r.body.ptr[i], testing_file_byte(files[_i].from + i));
    }
    testing_ask(&client, HELLO, 200);
}
END_TEST

START_TEST(a_large_file_is_sent_in_pieces)
{
    struct testing_reply r;
    const size_t         size = 20 * MIB + 1;

    testing_grow_file(&server, size);
    r = testing_ask(&client, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n" HELLO, 200);
    ck_assert_uint_eq(r.body.len, size);
    for (size_t i = 0; i < size; i += 999)
        ck_assert_int_eq(r.body.ptr[i], testing_file_byte(i));
    ck_assert_int_eq(testing_read(&client).status, 200);
}
END_TEST

START_TEST(a_file_that_got_shorter_ends_the_connection)
{
    struct testing_reply r;

    testing_grow_file(&server, 20 * MIB);
    testing_send(&client, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
    r = testing_read_head(&client);
    ck_assert_text(testing_header(&r, "Content-Length"), "20971520");
    ck_assert_int_eq(truncate(server.file, 1000), 0); /* the socket holds less than the file was */
    while (testing_receive(&client))
        ;
    ck_assert_uint_lt(client.in.len, 20 * MIB);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_a_500)
{
    ck_assert_int_eq(unlink(server.file), 0);
    testing_ask(&client, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n", 500);
    testing_ask(&client, HELLO, 200);
}
END_TEST

static const char *const splitting[] = { "a\rb", "a\nb", "\r\n", "a\n" };

START_TEST(a_header_cannot_hold_a_line_end)
{
    struct http_exchange x = { .reply.file = -1 };

    http_reply_header(&x, STR("A"), STR("b c"));
    ck_assert(!x.reply.broken);
    http_reply_header(&x, STR("A"), str_of(splitting[_i]));
    ck_assert(x.reply.broken);
    ck_assert_uint_eq(x.reply.header_count, 1);
}
END_TEST

START_TEST(a_header_cannot_hold_a_null_byte)
{
    struct http_exchange x = { .reply.file = -1 };

    http_reply_header(&x, STR("A"), STR("a\0b"));
    ck_assert(x.reply.broken);
}
END_TEST

static TCase *
replies(void)
{
    TCase *c = tcase_create("replies");

    tcase_add_checked_fixture(c, set_up, pair_tear_down);
    tcase_add_test(c, a_reply_has_what_every_reply_has);
    tcase_add_test(c, a_request_may_come_byte_by_byte);
    tcase_add_test(c, pipelined_requests_are_answered_in_order);
    tcase_add_test(c, reading_pauses_while_too_much_waits);
    tcase_add_test(c, another_thread_may_answer);
    tcase_add_test(c, head_has_no_body_but_its_length);
    tcase_add_test(c, no_content_has_no_length);
    tcase_add_test(c, a_chunked_body_is_put_together);
    tcase_add_test(c, the_body_is_asked_for_when_the_head_is_accepted);
    tcase_add_test(c, the_body_is_not_asked_for_when_it_is_too_large);
    tcase_add_test(c, a_refused_head_keeps_the_connection_when_no_body_follows);
    tcase_add_loop_test(c, connections_close_when_the_client_wants_it, 0, COUNT(closings));
    tcase_add_test(c, a_client_that_closed_its_side_still_gets_its_answers);
    tcase_add_test(c, an_exchange_outlives_its_client);
    tcase_add_test(c, a_large_reply_arrives_whole);
    tcase_add_test(c, a_reply_that_would_split_is_not_sent);
    tcase_add_test(c, a_head_too_long_for_the_server_is_not_sent_by_halves);
    tcase_add_test(c, a_connection_can_be_cut_without_a_reply);
    tcase_add_test(c, who_has_gone_already_can_be_cut_off);
    tcase_add_test(c, every_status_has_its_line);
    return c;
}

static TCase *
file_replies(void)
{
    TCase *c = tcase_create("files");

    tcase_add_checked_fixture(c, set_up, pair_tear_down);
    tcase_add_loop_test(c, a_file_is_sent_in_part_or_whole, 0, COUNT(files));
    tcase_add_test(c, a_large_file_is_sent_in_pieces);
    tcase_add_test(c, a_file_that_cannot_be_opened_is_a_500);
    tcase_add_test(c, a_file_that_got_shorter_ends_the_connection);
    return c;
}

static TCase *
reply_headers(void)
{
    TCase *c = tcase_create("headers");

    tcase_add_loop_test(c, a_header_cannot_hold_a_line_end, 0, COUNT(splitting));
    tcase_add_test(c, a_header_cannot_hold_a_null_byte);
    return c;
}

TEST_CASES("server", replies, file_replies, reply_headers)
