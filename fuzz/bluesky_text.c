/* bluesky_text.c -- the text of a message as it is counted and searched for links: what is marked is a link, none lies
 * within another, and none cuts a character. */
#include <assert.h>

#include "platform/bluesky/bluesky.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_boundary(struct str text, int64_t at)
{
    return (size_t)at == text.len || ((unsigned char)text.ptr[at] & 0xC0) != 0x80;
}

static void
check_facets(struct str text, struct arena *a)
{
    struct buf      out;
    struct json     w = { .buf = &out };
    struct error    err;
    yyjson_val     *root, *facet;
    yyjson_arr_iter it;
    int64_t         end = 0;

    buf_init(&out, 16 * MIB);
    json_begin(&w, NULL);
    bluesky_put_facets(&w, text);
    json_end(&w);
    assert(json_parse(a, buf_str(&out), 8, &root, &err));
    it = yyjson_arr_iter_with(json_arr(root, "facets"));
    while ((facet = yyjson_arr_iter_next(&it)) != NULL) {
        yyjson_val *index = json_obj(facet, "index");
        int64_t     from = json_int(index, "byteStart", -1), to = json_int(index, "byteEnd", -1);
        struct str  uri = json_str(yyjson_arr_get_first(json_arr(facet, "features")), "uri"), part;

        assert(from >= end && to > from && (size_t)to <= text.len);
        assert(is_boundary(text, from) && is_boundary(text, to));
        part = str_slice(text, (size_t)from, (size_t)(to - from));
        assert(str_ends(uri, part));
        assert(str_find_nocase(uri, STR("http://")) == 0 || str_find_nocase(uri, STR("https://")) == 0);
        end = to;
    }
    buf_deinit(&out);
}

static void
check_counts(struct str text)
{
    size_t characters = str_code_points(text), graphemes = str_graphemes(text);

    assert(graphemes <= characters && characters <= text.len && (graphemes > 0) == (text.len > 0));
    for (size_t max = 0; max <= text.len && max < 100; max++) {
        struct str cut = str_utf8_cut(text, max);

        assert(cut.len <= max && cut.len + 3 >= max && str_is_utf8(cut));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str   in = { (const char *)data, size };
    struct arena a;

    if (size == 0 || size > BLUESKY_TEXT_BYTES || !str_is_utf8(in))
        return 0;
    arena_init(&a);
    check_facets(in, &a);
    check_counts(in);
    arena_deinit(&a);
    return 0;
}
