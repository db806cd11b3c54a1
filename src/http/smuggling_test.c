/* Requests that two parsers might read differently: each is refused, and the connection with it, so that what was
 * hidden behind it is never read. parse_test.c has many more of them. */
#include "http/testing_pair.h"

#include <stdio.h>

#define POST    "POST /echo HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *request;
    int         status;
} requests[] = {
    { POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400 },
    { POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", 400 },
    { POST "Content-Length: 0\r\nContent-Length: 44\r\n\r\n", 400 },
    { POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400 },
    { POST "Content-Length: 3, 3\r\n\r\nabc", 400 },
    { POST "Content-Length: +3\r\n\r\nabc", 400 },
    { POST "Content-Length: 3 \x0b\r\n\r\nabc", 400 },
    { POST "Content-Length: 0x3\r\n\r\nabc", 400 },
    { POST "Content-Length: 99999999999999999999\r\n\r\n", 400 },
    { POST "Content-Length: 9999999999999999999\r\n\r\n", 400 },
    { POST "Content-Length : 3\r\n\r\nabc", 400 },
    { POST "Content-Length:\r\n 3\r\n\r\nabc", 400 },
    { POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "Transfer-Encoding: identity\r\n\r\n", 400 },
    { POST "Transfer-Encoding: chunked, identity\r\n\r\n", 400 },
    { POST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "Transfer-Encoding:\x0b" "chunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400 },
    { POST "Transfer-Encoding\r\n: chunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { POST "X: a\n\r\n", 400 },
    { POST "X: a\r\n\n", 400 },
    { "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
    { "GET /hello HTTP/1.1\r\n\r\n", 400 },
    { "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
    { "GET /hello HTTP/1.1\r\nHost: a/../b\r\n\r\n", 400 },
    { "GET /hello\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
    { "GET /hello HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
    { "GET /hello HTTP/1.1\nHost: a\n\n", 400 },
    { "GET /hello\r\n\r\n", 400 },
    { "GET /hello HTTP/3.0\r\nHost: a\r\n\r\n", 505 },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
    { "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
    { CHUNKED "0\r\nX: y\r\n\r\n", 400 },
    { CHUNKED "0\r\n\n", 400 },
    { CHUNKED "1\nx\r\n0\r\n\r\n", 400 },
    { CHUNKED "1\r\nxx\r\n0\r\n\r\n", 400 },
    { CHUNKED "-1\r\nx\r\n0\r\n\r\n", 400 },
    { CHUNKED "1;\nx\r\n0\r\n\r\n", 400 },
    { CHUNKED "ffffffffffffffffff\r\nx\r\n0\r\n\r\n", 400 },
};

START_TEST(doubt_ends_the_connection)
{
    struct testing_reply r;

    testing_send(&client, requests[_i].request);
    testing_send(&client, HELLO HELLO);
    r = testing_read(&client);
    ck_assert_int_eq(r.status, requests[_i].status);
    ck_assert_text(testing_header(&r, "Connection"), "close");
    ck_assert(str_starts(r.body, STR("error: ")));
    ck_assert_uint_gt(testing_header(&r, "X-Request-Id").len, 0);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(a_null_byte_ends_the_connection)
{
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n" HELLO;

    testing_send_bytes(&client, (struct str){ request, sizeof(request) - 1 });
    ck_assert_int_eq(testing_read(&client).status, 400);
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(what_a_request_asks_for_comes_before_the_doubt)
{
    testing_send(&client, HELLO "GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n" POST "Content-Length: x\r\n\r\n" HELLO);
    ck_assert_int_eq(testing_read(&client).status, 200);
    ck_assert_int_eq(testing_read(&client).status, 200);
    ck_assert_int_eq(testing_read(&client).status, 400);
    ck_assert(testing_is_closed(&client));
}
END_TEST

/* A body that looks like a request is a body. */
START_TEST(a_body_is_never_read_as_a_head)
{
    char                 request[512];
    struct testing_reply r;

    snprintf(request, sizeof(request), POST "Content-Length: %zu\r\n\r\n" HELLO, sizeof(HELLO) - 1);
    r = testing_ask(&client, request, 200);
    ck_assert_text(r.body, HELLO);
    r = testing_ask(&client, POST "Content-Length: 6\r\n\r\n\n\r\x01 : " HELLO, 200);
    ck_assert_text(r.body, "\n\r\x01 : ");
    ck_assert_int_eq(testing_read(&client).status, 200);
}
END_TEST

static TCase *
smuggling(void)
{
    TCase *c = tcase_create("smuggling");

    tcase_add_checked_fixture(c, pair_set_up, pair_tear_down);
    tcase_add_loop_test(c, doubt_ends_the_connection, 0, COUNT(requests));
    tcase_add_test(c, a_null_byte_ends_the_connection);
    tcase_add_test(c, what_a_request_asks_for_comes_before_the_doubt);
    tcase_add_test(c, a_body_is_never_read_as_a_head);
    return c;
}

TEST_CASES("smuggling", smuggling)
