/* multipart.c -- a multipart body: any bytes, cut anywhere, must be the same parts. The boundary is "b".
 *
 * The first byte says how the rest is cut. */
#include "http/multipart.h"

#include <assert.h>

struct transcript {
    struct buf text;
    bool       in_part;
};

static bool
on_begin(void *ctx, const struct multipart_head *h, struct error *err)
{
    struct transcript *t = ctx;

    (void)err;
    assert(!t->in_part && !str_is_none(h->name) && str_is_utf8(h->name));
    assert(!h->file_name.len || !memchr(h->file_name.ptr, '/', h->file_name.len));
    t->in_part = true;
    buf_printf(&t->text, "\n<%.*s|%.*s|%.*s>", STR_ARG(h->name), STR_ARG(h->file_name), STR_ARG(h->content_type));
    return true;
}

static bool
on_data(void *ctx, struct str bytes, struct error *err)
{
    struct transcript *t = ctx;

    (void)err;
    assert(t->in_part && bytes.len > 0);
    buf_append(&t->text, bytes);
    return true;
}

static bool
on_end(void *ctx, struct error *err)
{
    struct transcript *t = ctx;

    (void)err;
    assert(t->in_part);
    assert(str_find(buf_str(&t->text), STR("\r\n--b")) < 0);
    t->in_part = false;
    buf_append(&t->text, STR("</>"));
    return true;
}

static const struct multipart_events events = { .begin = on_begin, .data = on_data, .end = on_end };

static void
parse(struct str in, size_t step, struct transcript *t)
{
    struct arena     a = { 0 };
    struct multipart m;
    struct error     err;
    bool             ok = true;

    t->in_part = false;
    buf_init(&t->text, 16 * MIB);
    multipart_init(&m, STR("b"), &events, t, &a);
    for (size_t at = 0; ok && at < in.len; at += step)
        ok = multipart_feed(&m, str_slice(in, at, step), &err);
    if (!ok || !multipart_finish(&m, &err))
        buf_printf(&t->text, "\n!%d", err.status);
    multipart_deinit(&m);
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str        in = { (const char *)data + 1, size - 1 };
    struct transcript whole, cut;

    if (size < 2)
        return 0;
    parse(in, in.len, &whole);
    parse(in, data[0] % 64 + (size_t)1, &cut);
    assert(str_eq(buf_str(&whole.text), buf_str(&cut.text)));
    buf_deinit(&whole.text);
    buf_deinit(&cut.text);
    return 0;
}
