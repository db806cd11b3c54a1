#include "http/parse.h"

#include <stdio.h>

#include "http/testing_text.h"

/* What came of some input: "GET /path body" and so on for each request, then "!400" if it was refused. */
struct outcome {
    struct http_parser  parser;
    struct http_request request;
    struct arena        arena;
    struct buf          text;
    struct error        err;
    bool                failed;
};

static bool
on_body(void *ctx, struct str piece, struct error *err)
{
    struct outcome *o = ctx;

    (void)err;
    buf_append(&o->text, piece);
    return true;
}

static void
outcome_init(struct outcome *o)
{
    memset(o, 0, sizeof(*o));
    buf_init(&o->text, MIB);
    arena_init(&o->arena);
    http_parser_init(&o->parser, 1024, on_body, o);
    http_parser_start(&o->parser, &o->request, &o->arena);
}

static void
outcome_deinit(struct outcome *o)
{
    http_parser_deinit(&o->parser);
    buf_deinit(&o->text);
    arena_deinit(&o->arena);
}

static void
feed(struct outcome *o, struct str in)
{
    while (!o->failed) {
        switch (http_parser_feed(&o->parser, &in, &o->err)) {
        case HTTP_PARSED_ALL:
            ck_assert_uint_eq(in.len, 0);
            return;
        case HTTP_PARSED_HEAD:
            buf_printf(&o->text, "[%.*s ", STR_ARG(o->request.target));
            break;
        case HTTP_PARSED_END:
            buf_append(&o->text, STR("]"));
            memset(&o->request, 0, sizeof(o->request));
            http_parser_start(&o->parser, &o->request, &o->arena);
            if (in.len == 0)
                return;
            break;
        case HTTP_PARSED_ERROR:
            buf_printf(&o->text, "!%d", o->err.status);
            o->failed = true;
            break;
        }
    }
}

#define HOST    "Host: a\r\n"
#define GET     "GET / HTTP/1.1\r\n" HOST
#define POST    "POST /p HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    const char *in, *out;
} inputs[] = {
    { GET "\r\n", "[/ ]" },
    { GET "\r\n" GET "\r\n", "[/ ][/ ]" },
    { "\r\n\r\n" GET "\r\n", "[/ ]" },
    { GET "A:\r\nB: x \t\r\n\r\n", "[/ ]" },
    { "GET / HTTP/1.0\r\n\r\n", "[/ ]" },
    { POST "Content-Length: 5\r\n\r\nhello" GET "\r\n", "[/p hello][/ ]" },
    { POST "Content-Length: 0\r\n\r\n" GET "\r\n", "[/p ][/ ]" },
    { POST "Content-Length: 05\r\n\r\nhello", "[/p hello]" },
    /* a body is no head */
    { POST "Content-Length: 9\r\n\r\n\n\r\n\r \x01:\n " GET "\r\n", "[/p \n\r\n\r \x01:\n ][/ ]" },
    { CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" GET "\r\n", "[/p hello world][/ ]" },
    { CHUNKED "0005;name=value\r\nhello\r\n0\r\n\r\n", "[/p hello]" },
    { CHUNKED "A\r\n0123456789\r\n0\r\n\r\n", "[/p 0123456789]" },
    { GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n" GET "\r\n", "[/ ][/ ]" },
    { "GET http://a/b HTTP/1.1\r\n" HOST "\r\n", "[http://a/b ]" },
    { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "[* ]" },
    /* line ends, blanks and control characters */
    { "GET / HTTP/1.1\n" HOST "\r\n", "!400" },
    { "GET / HTTP/1.1\r\nHost: a\n\r\n", "!400" },
    { GET "A: b\n\r\n", "!400" },
    { GET "A: b\rc\r\n\r\n", "!400" },
    { GET "A: b\r\r\n\r\n", "!400" },
    { GET "\n", "!400" },
    { GET "A: b\r\n\n", "!400" },
    { "\n" GET "\r\n", "!400" },
    { "\rGET / HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { GET "A: b\r\n c\r\n\r\n", "!400" },
    { GET "A: b\r\n\tc\r\n\r\n", "!400" },
    { "GET / HTTP/1.1\r\n " HOST "\r\n", "!400" },
    { GET "A : b\r\n\r\n", "!400" },
    { GET "A\t: b\r\n\r\n", "!400" },
    { GET "A\r\n\r\n", "!400" },
    { GET ": b\r\n\r\n", "!400" },
    { GET "A\x01: b\r\n\r\n", "!400" },
    { GET "A(b): c\r\n\r\n", "!400" },
    { GET "A\xff: c\r\n\r\n", "!400" },
    { GET "A: \x01\r\n\r\n", "!400" },
    { GET "A: \x7f\r\n\r\n", "!400" },
    { "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET /\t HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET /#f HTTP/1.1\r\n" HOST "\r\n", "!400" },
    /* request lines */
    { "GET  / HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET /  HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET / HTTP/1.1 \r\n" HOST "\r\n", "!400" },
    { "GET / a HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { " GET / HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET /\r\n\r\n", "!400" },
    { "GET / http/1.1\r\n" HOST "\r\n", "!400" },
    { "GET / RTSP/1.0\r\n" HOST "\r\n", "!400" },
    { "GET / HTTP/1.1.\r\n" HOST "\r\n", "!400" },
    { "GET / HTTP/0.9\r\n\r\n", "!505" },
    { "GET / HTTP/1.2\r\n" HOST "\r\n", "!505" },
    { "GET / HTTP/2.0\r\n" HOST "\r\n", "!505" },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505" },
    { "BREW / HTTP/1.1\r\n" HOST "\r\n", "!501" },
    { "get / HTTP/1.1\r\n" HOST "\r\n", "!501" },
    { "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", "!501" },
    { "GET * HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET a HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET ftp://a/b HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "GET http:///b HTTP/1.1\r\n" HOST "\r\n", "!400" },
    { "\x16\x03\x01\x02", "!400" }, /* TLS on the wrong port */
    /* Host */
    { "GET / HTTP/1.1\r\n\r\n", "!400" },
    { GET HOST "\r\n", "!400" },
    { "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "!400" },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400" },
    { "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "!400" },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!400" },
    { "GET / HTTP/1.1\r\nHost: \r\n\r\n", "[/ ]" },
    { "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "[/ ]" },
    /* lengths */
    { POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!400" },
    { POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "!400" },
    { POST "Content-Length: 5, 5\r\n\r\nhello", "!400" },
    { POST "Content-Length: +5\r\n\r\nhello", "!400" },
    { POST "Content-Length: -5\r\n\r\nhello", "!400" },
    { POST "Content-Length: 0x5\r\n\r\nhello", "!400" },
    { POST "Content-Length: 5 5\r\n\r\nhello", "!400" },
    { POST "Content-Length: 5.0\r\n\r\nhello", "!400" },
    { POST "Content-Length: \r\n\r\nhello", "!400" },
    { POST "Content-Length:\r\n\r\nhello", "!400" },
    { POST "Content-Length: 99999999999999999999\r\n\r\nhello", "!400" },
    { POST "Content-Length: 18446744073709551621\r\n\r\nhello", "!400" },
    { POST "Content-Length:  5  \r\n\r\nhello", "[/p hello]" }, /* blanks around a value belong to no value */
    { POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: identity\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", "[/p ]" },
    { "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400" },
    { POST "Expect: 200-ok\r\n\r\n", "!417" },
    /* chunks */
    { CHUNKED "5\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "5\r\nhello\n0\r\n\r\n", "[/p hello!400" },
    { CHUNKED "5\r\nhello0\r\n\r\n", "[/p hello!400" },
    { CHUNKED "5\r\nhello\r\n0\r\n\n", "[/p hello!400" },
    { CHUNKED "5\r\nhello\r\n0\n\r\n", "[/p hello!400" },
    { CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "+5\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "-1\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED " 5\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "5 \r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "g\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "5;a\rb\r\nhello\r\n0\r\n\r\n", "[/p !400" },
    { CHUNKED "5\r\nhello\r\n0\r\nHost: b\r\n\r\n", "[/p hello!400" }, /* trailers */
};

static void
assert_text(const struct outcome *o, const char *expected, const char *what)
{
    struct str text = buf_str(&o->text);

    ck_assert_msg(str_eq(text, str_of(expected)), "%s: '%.*s' instead of '%s' (%s)", what, STR_ARG(text), expected,
                  o->failed ? o->err.message : "");
}

START_TEST(input_reads_the_same_however_it_is_cut)
{
    struct str     in = str_of(inputs[_i].in);
    struct outcome o;
    char           what[64];

    outcome_init(&o);
    feed(&o, in);
    assert_text(&o, inputs[_i].out, "whole");
    outcome_deinit(&o);
    for (size_t cut = 0; cut <= in.len; cut++) {
        snprintf(what, sizeof(what), "cut at %zu", cut);
        outcome_init(&o);
        feed(&o, str_slice(in, 0, cut));
        feed(&o, str_from(in, cut));
        assert_text(&o, inputs[_i].out, what);
        outcome_deinit(&o);
    }
    outcome_init(&o);
    for (size_t i = 0; i < in.len; i++)
        feed(&o, str_slice(in, i, 1));
    assert_text(&o, inputs[_i].out, "byte by byte");
    outcome_deinit(&o);
}
END_TEST

START_TEST(a_null_byte_is_refused_wherever_it_stands)
{
    static const char request[] = "GET /path?query HTTP/1.1\r\nHost: a\r\nName: value\r\n\r\n";
    char              copy[sizeof(request)];
    struct outcome    o;

    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        memcpy(copy, request, sizeof(request));
        copy[i] = '\0';
        outcome_init(&o);
        feed(&o, (struct str){ copy, sizeof(request) - 1 });
        assert_text(&o, "!400", "NUL");
        outcome_deinit(&o);
    }
}
END_TEST

static enum http_parsed
read_head(struct outcome *o, const char *head)
{
    struct str in = str_of(head);

    return http_parser_feed(&o->parser, &in, &o->err);
}

START_TEST(a_head_is_taken_apart)
{
    struct outcome             o;
    const struct http_request *r = &o.request;

    outcome_init(&o);
    ck_assert_int_eq(read_head(&o, "PATCH /a%20b/c?d=e?f HTTP/1.1\r\nHost: h\r\nContent-Type: Text/JSON ; charset=x\r\n"
                                   "Content-Length: 12\r\nX-Empty:\r\nX-Text: \t a b \t\r\nExpect: 100-Continue\r\n"
                                   "x-request-id: abc-1\r\n\r\n"), HTTP_PARSED_HEAD);
    ck_assert_int_eq(r->method, METHOD_PATCH);
    ck_assert_text(r->target, "/a%20b/c?d=e?f");
    ck_assert_text(r->path, "/a%20b/c");
    ck_assert_text(r->query, "d=e?f");
    ck_assert_text(r->content_type, "text/json");
    ck_assert_text(http_header_get(r, STR("HOST")), "h");
    ck_assert_text(http_header_get(r, STR("x-empty")), "");
    ck_assert_text(http_header_get(r, STR("X-Text")), "a b");
    ck_assert(str_is_none(http_header_get(r, STR("X-Tex"))));
    ck_assert_uint_eq(r->header_count, 7);
    ck_assert_str_eq(r->id, "abc-1");
    ck_assert_int_eq(o.parser.content_length, 12);
    ck_assert(o.parser.keep_alive && o.parser.expects_continue && !o.parser.chunked);
    ck_assert_int_eq(o.parser.minor, 1);
    outcome_deinit(&o);
}
END_TEST

START_TEST(a_method_of_no_use_here_is_another)
{
    struct outcome o;

    outcome_init(&o);
    ck_assert_int_eq(read_head(&o, "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n"), HTTP_PARSED_HEAD);
    ck_assert_int_eq(o.request.method, METHOD_OTHER);
    outcome_deinit(&o);
}
END_TEST

static const struct {
    const char *line;
    int         status; /* 0 = it is one */
} request_lines[] = {
    { "GET / HTTP/1.1", 0 },    { "g-E~T /a?b HTTP/1.0", 0 }, { "GET / HTTP/2.0", 505 },   { "GET / HTTP/1.x", 400 },
    { "GET / HTTPS/1.1", 400 }, { "GET / HTTP/1.1 ", 400 },   { "GET /", 400 },            { "GET", 400 },
    { "GET  HTTP/1.1", 400 },   { " / HTTP/1.1", 400 },       { "G@T / HTTP/1.1", 400 },
};

START_TEST(a_request_line_has_three_words)
{
    struct error     err = { 0 };
    struct head_line out;
    int              status = request_lines[_i].status;

    ck_assert_int_eq(head_parse_line(str_of(request_lines[_i].line), &out, &err), status == 0);
    ck_assert_int_eq(err.status, status);
}
END_TEST

static const struct {
    const char *target, *path, *query;
} targets[] = {
    { "/", "/", "-" },
    { "/?", "/", "" },
    { "/a?b?c", "/a", "b?c" },
    { "//a/b", "//a/b", "-" },
    { "http://h:1/a?b", "/a", "b" },
    { "HTTPS://h", "/", "-" },
    { "http://h?q", "/", "q" },
};

START_TEST(a_target_has_a_path_and_a_query)
{
    struct outcome o;
    char           head[128];

    outcome_init(&o);
    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[_i].target);
    ck_assert_int_eq(read_head(&o, head), HTTP_PARSED_HEAD);
    ck_assert_text(o.request.target, targets[_i].target);
    ck_assert_text(o.request.path, targets[_i].path);
    ck_assert_text(str_is_none(o.request.query) ? STR("-") : o.request.query, targets[_i].query);
    outcome_deinit(&o);
}
END_TEST

static const struct {
    const char *head;
    bool        keep_alive;
} connections[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false },
    { "GET / HTTP/1.0\r\n\r\n", false },
    { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
};

START_TEST(a_connection_is_kept_as_the_client_says)
{
    struct outcome o;

    outcome_init(&o);
    ck_assert_int_eq(read_head(&o, connections[_i].head), HTTP_PARSED_HEAD);
    ck_assert_int_eq(o.parser.keep_alive, connections[_i].keep_alive);
    outcome_deinit(&o);
}
END_TEST

static const struct {
    const char *id;
    bool        taken;
} ids[] = {
    { "a", true },
    { "01234567-89ab-cdef-0123-456789abcdef", true },
    { "A.b_c-D9", true },
    { "01234567-89ab-cdef-0123-456789abcdef0", false },
    { "", false },
    { "a b", false },
    { "a/b", false },
    { "a\xc3\xa4", false },
    { "a\"", false },
};

START_TEST(a_plain_request_id_is_taken_over)
{
    struct outcome o;
    char           head[128];

    outcome_init(&o);
    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\n\r\n", ids[_i].id);
    ck_assert_int_eq(read_head(&o, head), HTTP_PARSED_HEAD);
    ck_assert_str_eq(o.request.id, ids[_i].taken ? ids[_i].id : "");
    outcome_deinit(&o);
}
END_TEST

START_TEST(a_head_has_a_bounded_size)
{
    struct outcome o;

    for (size_t piece = 1; piece < 5000; piece += 1000) {
        outcome_init(&o);
        feed(&o, STR(GET "A: "));
        for (size_t n = 0; n < 5000; n += piece)
            feed(&o, arena_printf(&o.arena, "%0*d", (int)piece, 0));
        assert_text(&o, "!431", "long value");
        outcome_deinit(&o);
    }
    outcome_init(&o);
    for (int i = 0; i < 1000; i++)
        feed(&o, STR("\r\n"));
    assert_text(&o, "!431", "empty lines");
    outcome_deinit(&o);
}
END_TEST

START_TEST(a_head_has_a_bounded_number_of_fields)
{
    struct outcome o;

    outcome_init(&o);
    feed(&o, STR(GET));
    for (int i = 1; i < HTTP_FIELDS_MAX; i++)
        feed(&o, STR("A:b\r\n"));
    feed(&o, STR("\r\n" GET));
    for (int i = 0; i < HTTP_FIELDS_MAX; i++)
        feed(&o, STR("A:b\r\n"));
    feed(&o, STR("\r\n"));
    assert_text(&o, "[/ ]!431", "fields");
    outcome_deinit(&o);
}
END_TEST

START_TEST(chunk_framing_is_bounded)
{
    struct outcome o;

    outcome_init(&o);
    feed(&o, STR(CHUNKED));
    for (int i = 0; i < 3000; i++) /* one byte a chunk is bad style, but everybody may have it */
        feed(&o, STR("1\r\nx\r\n"));
    ck_assert(!o.failed);
    for (int i = 0; i < 100000 && !o.failed; i++)
        feed(&o, STR("0"));
    ck_assert(o.failed);
    ck_assert_int_eq(o.err.status, 400);
    outcome_deinit(&o);
}
END_TEST

static TCase *
parsing(void)
{
    TCase *c = tcase_create("parsing");

    tcase_add_loop_test(c, input_reads_the_same_however_it_is_cut, 0, COUNT(inputs));
    tcase_add_test(c, a_null_byte_is_refused_wherever_it_stands);
    tcase_add_test(c, a_head_is_taken_apart);
    tcase_add_test(c, a_method_of_no_use_here_is_another);
    tcase_add_loop_test(c, a_request_line_has_three_words, 0, COUNT(request_lines));
    tcase_add_loop_test(c, a_target_has_a_path_and_a_query, 0, COUNT(targets));
    tcase_add_loop_test(c, a_connection_is_kept_as_the_client_says, 0, COUNT(connections));
    tcase_add_loop_test(c, a_plain_request_id_is_taken_over, 0, COUNT(ids));
    tcase_add_test(c, a_head_has_a_bounded_size);
    tcase_add_test(c, a_head_has_a_bounded_number_of_fields);
    tcase_add_test(c, chunk_framing_is_bounded);
    return c;
}

TEST_CASES("parse", parsing)
