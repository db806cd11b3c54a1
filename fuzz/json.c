/* json.c -- reading JSON, mending what nobody can read, and writing: what was read is written so that it reads the
 * same, and any bytes at all can be put into a string. */
#include <assert.h>

#include "json/json.h"
#include "platform/mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Our writer and yyjson's spell escapes differently, but what either wrote is read. */
static struct str
again(struct arena *a, struct str text)
{
    yyjson_val  *val;
    struct error err;

    assert(str_is_utf8(text));
    assert(json_parse(a, text, JSON_DEPTH_MAX, &val, &err));
    return json_text(a, val);
}

static void
check_again(struct arena *a, struct str text)
{
    assert(str_eq(again(a, text), text));
}

/* Member by member, as objects are written again with one of them changed. */
static void
check_others(struct arena *a, yyjson_val *obj)
{
    struct buf  out;
    struct json w = { .buf = &out };

    buf_init(&out, 16 * MIB);
    json_begin(&w, NULL);
    json_put_others(&w, obj, "a");
    json_put_val(&w, "a", json_get(obj, "a"));
    json_put_int(&w, "b", json_int(obj, "b", -1));
    json_put_bool(&w, "c", json_true(obj, "c"));
    json_put_str(&w, "d", json_str(obj, "d"));
    json_end(&w);
    assert(buf_ok(&out));
    check_again(a, again(a, buf_str(&out)));
    buf_deinit(&out);
}

static void
check_string(struct arena *a, struct str bytes)
{
    struct buf   out;
    struct json  w = { .buf = &out };
    yyjson_val  *val;
    struct error err;

    buf_init(&out, 16 * MIB);
    json_put_str(&w, NULL, bytes);
    assert(json_parse(a, buf_str(&out), 1, &val, &err));
    assert(!str_is_utf8(bytes) || str_eq(json_val_str(val), bytes));
    buf_deinit(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str   in = { (const char *)data, size };
    struct error err = { 0 };
    yyjson_val  *val, *mended;
    struct arena a;
    bool         is_whole;

    arena_init(&a);
    is_whole = json_parse(&a, in, JSON_DEPTH_MAX, &val, &err);
    if (is_whole) {
        check_again(&a, json_text(&a, val));
        check_others(&a, val);
    } else {
        assert(err.status == 400 && err.message[0]);
    }
    if (mend_parse(&a, in, &mended))
        check_again(&a, json_text(&a, mended));
    else
        assert(!is_whole);
    check_string(&a, in.ptr ? in : STR(""));
    arena_deinit(&a);
    return 0;
}
