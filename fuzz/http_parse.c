/* http_parse.c -- the front of a connection: any bytes, cut anywhere, must lead to the same requests.
 *
 * The first byte says how the rest is cut. */
#include <assert.h>
#include <stdlib.h>

#include "http/parse.h"

struct transcript {
    struct buf text;
    bool       failed;
};

static bool
on_body(void *ctx, struct str piece, struct error *err)
{
    struct transcript *t = ctx;

    (void)err;
    buf_append(&t->text, piece);
    return true;
}

static void
note_head(struct transcript *t, const struct http_parser *p, const struct http_request *r)
{
    buf_printf(&t->text, "\n%d %.*s %.*s?%.*s %.*s %s %d%d%d%d %lld\n", r->method, STR_ARG(r->target), STR_ARG(r->path),
        STR_ARG(r->query), STR_ARG(r->content_type), r->id, p->minor, p->keep_alive, p->chunked, p->expects_continue,
        (long long)p->content_length);
    for (size_t i = 0; i < r->header_count; i++) {
        assert(head_is_token(r->headers[i].name));
        assert(!memchr(r->headers[i].value.ptr, '\r', r->headers[i].value.len));
        assert(!memchr(r->headers[i].value.ptr, '\n', r->headers[i].value.len));
        assert(!memchr(r->headers[i].value.ptr, '\0', r->headers[i].value.len));
        buf_printf(&t->text, "%.*s=%.*s\n", STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value));
    }
    assert(r->path.len > 0 && (r->path.ptr[0] == '/' || r->path.ptr[0] == '*'));
}

static void
feed(struct http_parser *p, struct http_request *r, struct arena *a, struct str in, struct transcript *t)
{
    struct error err;

    while (!t->failed) {
        switch (http_parser_feed(p, &in, &err)) {
        case HTTP_PARSED_ALL:
            assert(in.len == 0);
            return;
        case HTTP_PARSED_HEAD:
            note_head(t, p, r);
            break;
        case HTTP_PARSED_END:
            assert(p->chunked || p->body_bytes == p->content_length);
            buf_append(&t->text, STR("\nend"));
            memset(r, 0, sizeof(*r));
            http_parser_start(p, r, a);
            break;
        case HTTP_PARSED_ERROR:
            assert(err.status >= 400 && err.status < 600);
            buf_printf(&t->text, "\n!%d", err.status);
            t->failed = true;
            break;
        }
    }
}

/* Pieces of `step` bytes; 0: all at once. */
static void
parse(struct str in, size_t step, struct transcript *t)
{
    struct arena        a = { 0 };
    struct http_request r = { 0 };
    struct http_parser  p;

    t->failed = false;
    buf_init(&t->text, 16 * MIB);
    http_parser_init(&p, 1024, on_body, t);
    http_parser_start(&p, &r, &a);
    for (size_t at = 0; at < in.len; at += step ? step : in.len)
        feed(&p, &r, &a, str_slice(in, at, step ? step : in.len), t);
    http_parser_deinit(&p);
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str        in = { (const char *)data + 1, size - 1 };
    struct transcript whole, cut;

    if (size < 2 || size > 8 * KIB) /* beyond that the bound on framing may strike at different places */
        return 0;
    parse(in, 0, &whole);
    parse(in, data[0] % 64 + (size_t)1, &cut);
    assert(str_eq(buf_str(&whole.text), buf_str(&cut.text)));
    buf_deinit(&whole.text);
    buf_deinit(&cut.text);
    return 0;
}
