/* courier_test.c -- what is asked, byte by byte, and what comes back. */
#include "net/courier.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/testing.h"
#include "net/testing.h"

static bool
same(struct str a, struct str b)
{
    if (str_eq(a, b))
        return true;
    fprintf(stderr, "is '%.*s', should be '%.*s'\n", STR_ARG(a), STR_ARG(b));
    return false;
}

/* Answers with the bytes the test gives; without them, with 200 and "ok". */
static void
answer_given(struct test_peer *p, const struct test_request *r, void *user)
{
    const char *bytes = user;

    (void)r;
    if (bytes)
        test_peer_send(p, str_of(bytes));
    else
        test_peer_answer(p, 200, NULL, STR("ok"));
}

/* Asks a server that gives these bytes, once. */
static struct net_response *
ask_for(struct test_client *c, const char *bytes, struct net_request request)
{
    struct test_server *s = test_server_start(answer_given, (void *)(uintptr_t)bytes);
    struct net_response *r;

    request.url = test_url(c, s, "x");
    r = test_client_ask(c, request);
    test_server_stop(s);
    return r;
}

START_TEST(an_answer_comes_back)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = ask_for(&c, "HTTP/1.1 201 Created\r\nContent-Type: text/plain; charset=utf-8\r\nX-One: 1\r\nX-Two:  two \r\n"
                    "x-one: 3\r\nContent-Length: 5\r\n\r\nhello", (struct net_request){ .body = STR_NONE });
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert_int_eq(r->status, 201);
    ck_assert(same(r->body, STR("hello")));
    ck_assert_int_eq(r->size, 5);
    ck_assert(same(r->content_type, STR("text/plain; charset=utf-8")));
    ck_assert_uint_eq(r->header_count, 5);
    ck_assert(same(net_response_header(r, STR("X-ONE")), STR("1")));
    ck_assert(same(net_response_header(r, STR("x-two")), STR("two")));
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
    r = ask_for(&c, row->answer, (struct net_request){ .body = STR_NONE });
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_eq(r->status, row->status);
    ck_assert(same(r->body, str_of(row->body)));
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
    ck_assert(same(r->body, STR("to the end")));
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
    ck_assert(same(net_response_header(r, STR("X-One")), STR("1")));
    ck_assert(same(net_response_header(r, STR("X-Two")), STR("2 3")));
    ck_assert_uint_eq(r->header_count, 3);
    ck_assert(same(r->body, STR("abc")));
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
        struct net_response *r = ask_for(&c, answers[i], (struct net_request){ .redirects_max = 3 });

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
    r = ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
                (struct net_request){ .method = STR("HEAD") });
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_eq(r->size, 0);
    ck_assert(same(net_response_header(r, STR("content-length")), STR("999999999")));
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
    r = ask_for(&c, answer, (struct net_request){ .body = STR_NONE });
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
    struct test_server *s = test_server_start(answer_given, NULL);
    struct net_request request = row->request;
    struct test_request seen;

    test_client_init(&c, &(struct courier_options){ .user_agent = "Parley/test" });
    request.url = test_url(&c, s, "sendMessage?x=1#fragment");
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_ANSWERED);
    seen = test_server_request(s, 0);
    ck_assert(same(seen.method, str_of(row->method)));
    ck_assert(same(seen.target, STR(TEST_SECRET_PATH "/sendMessage?x=1")));
    ck_assert(same(test_request_header(&seen, "Content-Length"), str_of(row->length)));
    ck_assert(same(test_request_header(&seen, "Content-Type"), str_of(row->type)));
    ck_assert(str_eq(seen.body, row->request.body));
    ck_assert(same(test_request_header(&seen, "User-Agent"), STR("Parley/test")));
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
    struct test_server *s = test_server_start(answer_given, NULL);
    struct test_request seen;

    test_client_init(&c, NULL);
    test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .headers = headers, .header_count = 6 });
    seen = test_server_request(s, 0);
    ck_assert(same(test_request_header(&seen, "Authorization"), STR("Bearer abc")));
    ck_assert(same(test_request_header(&seen, "X-Empty"), STR("")));
    ck_assert(same(test_request_header(&seen, "X-Odd"), STR("a: b;c")));
    ck_assert(same(test_request_header(&seen, "Accept-Encoding"), STR("gzip")));
    ck_assert(same(test_request_header(&seen, "Accept"), STR("text/plain")));
    ck_assert(same(test_request_header(&seen, "Host"), STR("other.example")));
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
    struct test_server *s = test_server_start(answer_given, NULL);
    struct test_request seen;

    test_client_init(&c, NULL);
    request.url = test_url(&c, s, "x");
    test_client_ask(&c, request);
    test_client_get(&c, s, "y");
    seen = test_server_request(s, 1);
    ck_assert_int_eq(seen.connection, 1);
    ck_assert(same(seen.method, STR("GET")));
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

/* ---- Bodies ---- */

static struct str
pattern(struct test_client *c, size_t n)
{
    char *p = arena_bytes(&c->arena, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 31 + i / 251);
    return (struct str){ p, n };
}

static const char *
write_file(struct test_client *c, struct str bytes)
{
    struct str path = arena_copy(&c->arena, STR("/tmp/courier-test-XXXXXX"));
    int fd = mkstemp((char *)(uintptr_t)path.ptr);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    close(fd);
    return path.ptr;
}

START_TEST(a_large_body_arrives_whole)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_given, NULL);
    struct net_response *r;
    struct str body;
    struct test_request seen;

    test_client_init(&c, NULL);
    body = pattern(&c, 3 * MIB + 7);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body = body });
    ck_assert_int_eq(r->result, NET_ANSWERED);
    seen = test_server_request(s, 0);
    ck_assert(str_is_none(test_request_header(&seen, "Expect")));
    ck_assert(str_eq(seen.body, body));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_body_comes_from_a_file)
{
    static const char *const methods[] = { NULL, "PUT", "PATCH" };
    struct test_client c;
    struct test_server *s = test_server_start(answer_given, NULL);
    struct str body;
    const char *path;

    test_client_init(&c, NULL);
    body = pattern(&c, 2 * MIB + 3);
    path = write_file(&c, body);
    for (int i = 0; i < 3; i++) {
        struct net_request r = { .url = test_url(&c, s, "x"), .method = str_of(methods[i]), .body_path = str_of(path),
                                 .headers = json_type, .header_count = 1 };
        struct test_request seen;

        ck_assert_int_eq(test_client_ask(&c, r)->result, NET_ANSWERED);
        seen = test_server_request(s, i);
        ck_assert(same(seen.method, methods[i] ? str_of(methods[i]) : STR("POST")));
        ck_assert(str_is_none(test_request_header(&seen, "Expect")));
        ck_assert(same(test_request_header(&seen, "Content-Type"), STR("application/json")));
        ck_assert(str_eq(seen.body, body));
    }
    unlink(path);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_our_fault)
{
    struct net_part part = { .name = STR("f"), .path = STR("/nowhere/x") };
    struct test_client c;
    struct test_server *s = test_server_start(answer_given, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body_path = STR("/nowhere/x") });
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot read the file to send: No such file or directory");
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .parts = &part, .part_count = 1 });
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_int_eq(test_server_connections(s), 0);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body_path = STR("/tmp") });
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot read the file to send: Is a directory");
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* The next part of a multipart body, without the line end before the boundary. */
static struct str
next_part(struct str *rest, struct str boundary)
{
    ptrdiff_t end;
    struct str part;

    ck_assert(str_starts(*rest, boundary));
    *rest = str_from(*rest, boundary.len);
    end = str_find(*rest, boundary);
    if (end < 0)
        return STR_NONE;
    part  = str_slice(*rest, 2, (size_t)end - 4);
    *rest = str_from(*rest, (size_t)end);
    return part;
}

START_TEST(a_multipart_body_is_these_bytes)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_given, NULL);
    struct str photo, type, boundary, rest, part, head;
    struct net_part parts[4];
    struct net_response *r;
    struct test_request seen;
    ptrdiff_t at;

    test_client_init(&c, NULL);
    photo    = pattern(&c, 300 * KIB + 1);
    parts[0] = (struct net_part){ .name = STR("chat_id"), .value = STR("42") };
    parts[1] = (struct net_part){ .name = STR("caption"), .value = STR("gr\xc3\xbc\xc3\x9f\r\nGott") };
    parts[2] = (struct net_part){ .name = STR("photo"), .path = str_of(write_file(&c, photo)),
                                  .file_name = STR("my \"photo\".jpg"), .content_type = STR("image/jpeg") };
    parts[3] = (struct net_part){ .name = STR("empty"), .value = STR("") };
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .parts = parts, .part_count = 4 });
    ck_assert_int_eq(r->result, NET_ANSWERED);
    seen = test_server_request(s, 0);
    ck_assert(same(seen.method, STR("POST")));
    ck_assert(str_is_none(test_request_header(&seen, "Expect")));
    type = test_request_header(&seen, "Content-Type");
    ck_assert(str_starts(type, STR("multipart/form-data; boundary=")));
    boundary = arena_printf(&c.arena, "--%.*s", STR_ARG(str_from(type, 30)));

    rest = seen.body;
    ck_assert(same(next_part(&rest, boundary), STR("Content-Disposition: form-data; name=\"chat_id\"\r\n\r\n42")));
    ck_assert(same(next_part(&rest, boundary),
                   STR("Content-Disposition: form-data; name=\"caption\"\r\n\r\ngr\xc3\xbc\xc3\x9f\r\nGott")));
    part = next_part(&rest, boundary);
    at   = str_find(part, STR("\r\n\r\n"));
    ck_assert_int_gt(at, 0);
    head = str_slice(part, 0, (size_t)at);
    ck_assert(same(head, STR("Content-Disposition: form-data; name=\"photo\"; filename=\"my %22photo%22.jpg\"\r\n"
                             "Content-Type: image/jpeg")));
    ck_assert(str_eq(str_from(part, (size_t)at + 4), photo));
    ck_assert(same(next_part(&rest, boundary), STR("Content-Disposition: form-data; name=\"empty\"\r\n\r\n")));
    ck_assert(str_is_none(next_part(&rest, boundary)));
    ck_assert(same(rest, STR("--\r\n")));
    unlink(parts[2].path.ptr);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- Limits and files ---- */

struct size_row {
    const char     *answer;
    enum net_result result;
    int             status;
};

static const struct size_row sizes[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", NET_ANSWERED, 200 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", NET_ANSWERED, 200 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", NET_TOO_BIG, 200 }, /* refused before a byte of it came */
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n", NET_TOO_BIG, 200 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n012345678\r\n2\r\n9a\r\n", NET_TOO_BIG, 200 },
    { "HTTP/1.1 200 OK\r\n\r\n0123456789abcdef", NET_TOO_BIG, 200 },
    { "HTTP/1.1 503 No\r\nContent-Length: 11\r\n\r\n", NET_TOO_BIG, 503 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", NET_TOO_BIG, 200 },
};

START_TEST(an_answer_has_a_largest_size)
{
    const struct size_row *row = &sizes[_i];
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = ask_for(&c, row->answer, (struct net_request){ .response_max = 10 });
    ck_assert_msg(r->result == row->result, "%d: %s", (int)r->result, r->error);
    ck_assert_int_eq(r->status, row->status);
    test_client_deinit(&c);
}
END_TEST

START_TEST(a_megabyte_is_the_usual_limit)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", (struct net_request){ .body = STR_NONE });
    ck_assert_int_eq(r->result, NET_TOO_BIG);
    test_client_deinit(&c);
}
END_TEST

static struct str
free_path(struct test_client *c)
{
    const char *path = write_file(c, STR(""));

    unlink(path);
    return str_of(path);
}

static struct str
read_file(struct test_client *c, struct str path)
{
    char *bytes = arena_bytes(&c->arena, 2 * MIB);
    int fd = open(path.ptr, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return STR_NONE;
    n = read(fd, bytes, 2 * MIB);
    close(fd);
    return (struct str){ bytes, (size_t)n };
}

START_TEST(an_answer_goes_to_a_file)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;
    struct stat info;

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    umask(0);
    r = ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", request);
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert_int_eq(r->size, 6);
    ck_assert_uint_eq(r->body.len, 0);
    ck_assert(same(r->content_type, STR("image/png")));
    ck_assert(same(read_file(&c, request.save_path), STR("hello!")));
    ck_assert_int_eq(stat(request.save_path.ptr, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    unlink(request.save_path.ptr);
    test_client_deinit(&c);
}
END_TEST

START_TEST(an_empty_answer_is_an_empty_file)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    ck_assert_int_eq(ask_for(&c, "HTTP/1.1 204 OK\r\n\r\n", request)->result, NET_ANSWERED);
    ck_assert(same(read_file(&c, request.save_path), STR("")));
    unlink(request.save_path.ptr);
    test_client_deinit(&c);
}
END_TEST

START_TEST(only_a_2xx_goes_to_a_file)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    r = ask_for(&c, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", request);
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert(same(r->body, STR("no")));
    ck_assert(str_is_none(read_file(&c, request.save_path)));
    test_client_deinit(&c);
}
END_TEST

static void
answer_half(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_send(p, STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
    test_peer_end(p);
}

START_TEST(a_file_that_is_not_whole_is_removed)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_half, NULL);
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    request.url       = test_url(&c, s, "x");
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_UNKNOWN);
    ck_assert(str_is_none(read_file(&c, request.save_path)));

    request.response_max = 5;
    r = ask_for(&c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n4\r\n4567\r\n", request);
    ck_assert_int_eq(r->result, NET_TOO_BIG);
    ck_assert(str_is_none(read_file(&c, request.save_path)));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_file_that_is_there_is_left_alone)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;

    test_client_init(&c, NULL);
    request.save_path = str_of(write_file(&c, STR("mine")));
    r = ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntheirs", request);
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot create the file for the answer: File exists");
    ck_assert(same(read_file(&c, request.save_path), STR("mine")));
    unlink(request.save_path.ptr);

    ck_assert_int_eq(symlink("/nowhere/else", request.save_path.ptr), 0);
    ck_assert_int_eq(ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", request)->result, NET_LOCAL_FAULT);
    unlink(request.save_path.ptr);
    test_client_deinit(&c);
}
END_TEST

START_TEST(a_full_disk_is_our_fault)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;
    struct rlimit limit = { .rlim_cur = 4, .rlim_max = 4 };

    signal(SIGXFSZ, SIG_IGN);
    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    r = ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntheirs", request);
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot write the answer to disk: File too large");
    ck_assert(str_is_none(read_file(&c, request.save_path)));
    test_client_deinit(&c);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, answers_are_framed_in_every_way, 0, COUNT(framings));
    tcase_add_loop_test(c, retry_after_is_read, 0, COUNT(retries));
    tcase_add_loop_test(c, a_request_is_what_was_asked, 0, COUNT(requests));
    tcase_add_loop_test(c, what_is_not_well_formed_is_forbidden, 0, COUNT(bad_requests));
    tcase_add_loop_test(c, an_answer_has_a_largest_size, 0, COUNT(sizes));
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
    tcase_add_test(c, a_large_body_arrives_whole);
    tcase_add_test(c, a_body_comes_from_a_file);
    tcase_add_test(c, a_file_that_is_not_there_is_our_fault);
    tcase_add_test(c, a_multipart_body_is_these_bytes);
    tcase_add_test(c, a_megabyte_is_the_usual_limit);
    tcase_add_test(c, an_answer_goes_to_a_file);
    tcase_add_test(c, an_empty_answer_is_an_empty_file);
    tcase_add_test(c, only_a_2xx_goes_to_a_file);
    tcase_add_test(c, a_file_that_is_not_whole_is_removed);
    tcase_add_test(c, a_file_that_is_there_is_left_alone);
    tcase_add_test(c, a_full_disk_is_our_fault);
    return c;
}

TEST_CASES("courier", tables, rest_of_it)
