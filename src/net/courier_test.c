/* courier_test.c -- what is asked, byte by byte, and what comes back. */
#include "net/courier.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/testing_str.h"
#include "net/testing.h"

START_TEST(an_answer_comes_back)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask_for(&c, "HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\nX-One: 1\r\n"
                                "X-Two:  two \r\nx-one: 3\r\nContent-Length: 5\r\n\r\nhello",
                            (struct net_request){ .body = STR_NONE });
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert_int_eq(r->status, 201);
    ck_assert_same(r->body, STR("hello"));
    ck_assert_int_eq(r->size, 5);
    ck_assert_same(r->content_type, STR("text/plain; charset=utf-8"));
    ck_assert_uint_eq(r->header_count, 5);
    ck_assert_same(net_response_header(r, STR("X-ONE")), STR("1"));
    ck_assert_same(net_response_header(r, STR("x-two")), STR("two"));
    ck_assert(str_is_none(net_response_header(r, STR("X-Three"))));
    ck_assert_int_eq(r->retry_after_ms, 0);
    ck_assert_int_gt(r->took_us, 0);
    ck_assert_str_eq(r->error, "");
    test_client_deinit(&c);
}
END_TEST

struct framing_row {
    const char *answer;
    int         status;
    const char *body;
};

static const struct framing_row framings[] = {
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, "hello, world" },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, "" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "" },
    { "HTTP/1.1 500 Broken\r\nContent-Length: 3\r\n\r\nbad", 500, "bad" },
    { "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 4\r\n\r\ngone", 302, "gone" },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\nRetry-After: 5\r\n\r\n"
      "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 404, "no" },
    { "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", 200, "old" },
    { "HTTP/1.1 200 OK\nContent-Length: 2\n\nlf", 200, "lf" },
    { "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok" },
};

START_TEST(answers_are_framed_in_every_way)
{
    const struct framing_row *row = &framings[_i];
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask_for(&c, row->answer, (struct net_request){ .body = STR_NONE });
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_eq(r->status, row->status);
    ck_assert_same(r->body, str_of(row->body));
    ck_assert_int_eq(r->size, (int64_t)r->body.len);
    ck_assert_msg(str_is_none(net_response_header(r, STR("X-Hint"))), "a header of a hint is none of the answer's");
    ck_assert_int_eq(r->retry_after_ms, 0);
    test_client_deinit(&c);
}
END_TEST

static void
answer_until_end(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_send(p, STR("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end"));
    test_peer_end(p);
}

START_TEST(an_answer_may_last_until_the_connection_ends)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_until_end, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_get(&c, s, "x");
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert_same(r->body, STR("to the end"));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static void
answer_in_drops(struct test_peer *p, const struct test_request *r, void *user)
{
    static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Yes\r\nX-One: 1\r\nX-Two: 2\r\n 3\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

    (void)r;
    (void)user;
    for (const char *byte = answer; *byte; byte++)
        test_peer_send(p, (struct str){ byte, 1 });
}

START_TEST(an_answer_may_come_in_drops)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_in_drops, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_get(&c, s, "x");
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_eq(r->status, 202);
    ck_assert_same(net_response_header(r, STR("X-One")), STR("1"));
    ck_assert_same(net_response_header(r, STR("X-Two")), STR("2 3"));
    ck_assert_uint_eq(r->header_count, 3);
    ck_assert_same(r->body, STR("abc"));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_redirect_to_nowhere_is_an_answer)
{
    static const char *const answers[] = {
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation:\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
    };
    struct test_client c;

    test_client_init(&c, NULL);
    for (int i = 0; i < 3; i++) {
        struct net_response *r = test_client_ask_for(&c, answers[i], (struct net_request){ .redirects_max = 3 });

        ck_assert_int_eq(r->result, NET_ANSWERED);
        ck_assert_int_eq(r->status, 302);
    }
    test_client_deinit(&c);
}
END_TEST

START_TEST(head_announces_and_sends_nothing)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
                            (struct net_request){ .method = STR("HEAD") });
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_eq(r->size, 0);
    ck_assert_same(net_response_header(r, STR("content-length")), STR("999999999"));
    test_client_deinit(&c);
}
END_TEST

/* 2026-05-31T14:02:00Z */
#define NOW_MS 1780236120000

struct retry_row {
    const char *value;
    int64_t     ms;
};

static const struct retry_row retries[] = {
    { "7", 7000 },
    { "0", 0 },
    { "-3", 0 },
    { "1.5", 0 },
    { "soon", 0 },
    { "999999999999", (int64_t)365 * 24 * 3600 * 1000 },
    { "99999999999999999999999", 0 },
    { "Sun, 31 May 2026 14:02:30 GMT", 30000 },
    { "Sunday, 31-May-26 14:03:00 GMT", 60000 },
    { "Sun May 31 14:02:01 2026", 1000 },
    { "Sun, 31 May 2026 14:01:59 GMT", 0 },
    { "Mon, 31 May 2100 14:01:59 GMT", (int64_t)365 * 24 * 3600 * 1000 },
};

START_TEST(retry_after_is_read)
{
    const struct retry_row *row = &retries[_i];
    struct test_client c;
    struct net_response *r;
    char answer[256];

    clock_set(NOW_MS);
    snprintf(answer, sizeof(answer), "HTTP/1.1 429 Slow\r\nretry-after: %s\r\nContent-Length: 0\r\n\r\n", row->value);
    test_client_init(&c, NULL);
    r = test_client_ask_for(&c, answer, (struct net_request){ .body = STR_NONE });
    ck_assert_int_eq(r->status, 429);
    ck_assert_int_eq(r->retry_after_ms, row->ms);
    test_client_deinit(&c);
}
END_TEST

/* What of a request is pinned: its line, that these headers are there, and that those are not. */
struct request_row {
    struct net_request request;
    const char        *method;
    const char        *length; /* Content-Length; NULL = none */
    const char        *type;   /* Content-Type; NULL = none */
};

static struct net_header json_type[] = { { STR("content-type"), STR("application/json") } };

static const struct request_row requests[] = {
    { { .body = { NULL, 0 } }, "GET", NULL, NULL },
    { { .body = { "{}", 2 } }, "POST", "2", NULL },
    { { .body = { "{}", 2 }, .headers = json_type, .header_count = 1 }, "POST", "2", "application/json" },
    { { .body = { "", 0 } }, "POST", "0", NULL },
    { { .method = { "POST", 4 } }, "POST", "0", NULL },
    { { .method = { "GET", 3 } }, "GET", NULL, NULL },
    { { .method = { "GET", 3 }, .body = { "q", 1 } }, "GET", "1", NULL },
    { { .method = { "PUT", 3 }, .body = { "abc", 3 } }, "PUT", "3", NULL },
    { { .method = { "PUT", 3 } }, "PUT", "0", NULL },
    { { .method = { "PATCH", 5 }, .body = { "abc", 3 } }, "PATCH", "3", NULL },
    { { .method = { "DELETE", 6 } }, "DELETE", NULL, NULL },
    { { .method = { "DELETE", 6 }, .body = { "why", 3 } }, "DELETE", "3", NULL },
    { { .method = { "OPTIONS", 7 } }, "OPTIONS", NULL, NULL },
    { { .body = { "a\0b", 3 } }, "POST", "3", NULL },
};

START_TEST(a_request_is_what_was_asked)
{
    const struct request_row *row = &requests[_i];
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_request request = row->request;
    struct test_request seen;

    test_client_init(&c, &(struct courier_options){ .user_agent = "Parley/test" });
    request.url = test_url(&c, s, "sendMessage?x=1#fragment");
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_ANSWERED);
    seen = test_server_request(s, 0);
    ck_assert_same(seen.method, str_of(row->method));
    ck_assert_same(seen.target, STR(TEST_SECRET_PATH "/sendMessage?x=1"));
    ck_assert_same(test_request_header(&seen, "Content-Length"), str_of(row->length));
    ck_assert_same(test_request_header(&seen, "Content-Type"), str_of(row->type));
    ck_assert(str_eq(seen.body, row->request.body));
    ck_assert_same(test_request_header(&seen, "User-Agent"), STR("Parley/test"));
    ck_assert(str_is_none(test_request_header(&seen, "Expect")));
    ck_assert(str_is_none(test_request_header(&seen, "Accept-Encoding")));
    ck_assert(str_is_none(test_request_header(&seen, "Transfer-Encoding")));
    ck_assert(str_is_none(test_request_header(&seen, "Authorization")));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(headers_go_out_as_given)
{
    struct net_header headers[] = {
        { STR("Authorization"), STR("Bearer abc") }, { STR("X-Empty"), STR("") },
        { STR("X-Odd"), STR("a: b;c ") },            { STR("Accept-Encoding"), STR("gzip") },
        { STR("Accept"), STR("text/plain") },        { STR("Host"), STR("other.example") },
    };
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct test_request seen;

    test_client_init(&c, NULL);
    test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .headers = headers, .header_count = 6 });
    seen = test_server_request(s, 0);
    ck_assert_same(test_request_header(&seen, "Authorization"), STR("Bearer abc"));
    ck_assert_same(test_request_header(&seen, "X-Empty"), STR(""));
    ck_assert_same(test_request_header(&seen, "X-Odd"), STR("a: b;c"));
    ck_assert_same(test_request_header(&seen, "Accept-Encoding"), STR("gzip"));
    ck_assert_same(test_request_header(&seen, "Accept"), STR("text/plain"));
    ck_assert_same(test_request_header(&seen, "Host"), STR("other.example"));
    ck_assert(str_starts(test_request_header(&seen, "User-Agent"), STR("Parley/")));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(one_request_leaves_nothing_to_the_next)
{
    struct net_header secret = { STR("Authorization"), STR("Bearer abc") };
    struct net_request request = { .method = STR("PATCH"), .body = STR("body"), .headers = &secret, .header_count = 1 };
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct test_request seen;

    test_client_init(&c, NULL);
    request.url = test_url(&c, s, "x");
    test_client_ask(&c, request);
    test_client_get(&c, s, "y");
    seen = test_server_request(s, 1);
    ck_assert_int_eq(seen.connection, 1);
    ck_assert_same(seen.method, STR("GET"));
    ck_assert(str_is_none(test_request_header(&seen, "Authorization")));
    ck_assert(str_is_none(test_request_header(&seen, "Content-Length")));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static struct net_header bad_headers[] = {
    { STR("X-A"), STR("b\r\nX-C: d") }, { STR("X-A"), STR("b\nc") }, { STR("X-A: b\r\nX-C"), STR("d") },
    { STR(""), STR("d") },              { STR("X A"), STR("d") },    { STR("X-A"), STR("a\0b") },
};

#define GOOD_URL { "http://127.0.0.1:1/", 19 }

static const struct net_request bad_requests[] = {
    { .url = { NULL, 0 } },
    { .url = { "", 0 } },
    { .url = { "127.0.0.1/", 10 } },
    { .url = { "file:///etc/passwd", 18 } },
    { .url = { "ftp://127.0.0.1/", 16 } },
    { .url = { "http://127.0.0.1:1/a b", 22 } },
    { .url = { "http://127.0.0.1:1/\r\nX: y", 25 } },
    { .url = { "http://127.0.0.1:1/\0x", 21 } },
    { .url = GOOD_URL, .method = { "GET /x", 6 } },
    { .url = GOOD_URL, .method = { "", 0 } },
    { .url = GOOD_URL, .method = { "GET\r\n", 5 } },
    { .url = GOOD_URL, .headers = &bad_headers[0], .header_count = 1 },
    { .url = GOOD_URL, .headers = &bad_headers[1], .header_count = 1 },
    { .url = GOOD_URL, .headers = &bad_headers[2], .header_count = 1 },
    { .url = GOOD_URL, .headers = &bad_headers[3], .header_count = 1 },
    { .url = GOOD_URL, .headers = &bad_headers[4], .header_count = 1 },
    { .url = GOOD_URL, .headers = &bad_headers[5], .header_count = 1 },
};

START_TEST(what_is_not_well_formed_is_forbidden)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, bad_requests[_i]);
    ck_assert_int_eq(r->result, NET_FORBIDDEN);
    ck_assert_str_ne(r->error, "");
    test_client_deinit(&c);
}
END_TEST

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, answers_are_framed_in_every_way, 0, COUNT(framings));
    tcase_add_loop_test(c, retry_after_is_read, 0, COUNT(retries));
    tcase_add_loop_test(c, a_request_is_what_was_asked, 0, COUNT(requests));
    tcase_add_loop_test(c, what_is_not_well_formed_is_forbidden, 0, COUNT(bad_requests));
    return c;
}

static TCase *
rest_of_it(void)
{
    TCase *c = tcase_create("rest");

    tcase_add_test(c, an_answer_comes_back);
    tcase_add_test(c, an_answer_may_last_until_the_connection_ends);
    tcase_add_test(c, an_answer_may_come_in_drops);
    tcase_add_test(c, a_redirect_to_nowhere_is_an_answer);
    tcase_add_test(c, head_announces_and_sends_nothing);
    tcase_add_test(c, headers_go_out_as_given);
    tcase_add_test(c, one_request_leaves_nothing_to_the_next);
    return c;
}

TEST_CASES("courier", tables, rest_of_it)
