#include "base/random.h"
#include "base/testing_str.h"
#include "json/json.h"

START_TEST(commas_look_after_themselves)
{
    struct buf   out;
    struct json  w = { .buf = &out };
    struct arena a = { 0 };
    yyjson_val  *val;
    struct error err;

    buf_init(&out, 4 * KIB);
    ck_assert(json_parse(&a, STR("{ \"x\": [1, 2.5] }"), 2, &val, &err));
    json_begin(&w, NULL);
    json_put_str(&w, "s", STR("a\"\xFF"));
    json_put_str(&w, "none", STR_NONE);
    json_put_str(&w, "empty", STR(""));
    json_put_int(&w, "i", INT64_MIN);
    json_put_bool(&w, "t", true);
    json_put_bool(&w, "f", false);
    json_put_null(&w, "n");
    json_put_time(&w, "at", 1780236120000);
    json_put_time(&w, "never", 0);
    json_put_raw(&w, "raw", STR("{\"k\":1}"));
    json_put_raw(&w, "no_raw", STR_NONE);
    json_put_val(&w, "val", val);
    json_put_val(&w, "no_val", NULL);
    json_begin_array(&w, "list");
    json_put_int(&w, NULL, 1);
    json_begin(&w, NULL);
    json_end(&w);
    json_begin_array(&w, NULL);
    json_end_array(&w);
    json_put_str(&w, NULL, STR("x"));
    json_end_array(&w);
    json_begin(&w, "o\"");
    json_put_int(&w, "k", 2);
    json_end(&w);
    json_end(&w);
    ck_assert(buf_ok(&out));
    ck_assert_slice(buf_str(&out),
        "{\"s\":\"a\\\"\xEF\xBF\xBD\",\"none\":null,\"empty\":\"\",\"i\":-9223372036854775808,"
        "\"t\":true,\"f\":false,\"n\":null,\"at\":\"2026-05-31T14:02:00.000Z\",\"never\":null,"
        "\"raw\":{\"k\":1},\"no_raw\":null,\"val\":{\"x\":[1,2.5]},\"no_val\":null,"
        "\"list\":[1,{},[],\"x\"],\"o\\\"\":{\"k\":2}}");
    arena_deinit(&a);
    buf_deinit(&out);
}
END_TEST

/* Any bytes at all come out as JSON that yyjson reads, and as the same text where they were text. */
START_TEST(any_string_comes_back)
{
    struct arena a = { 0 };
    struct buf   out;
    char         bytes[40];

    random_seed(11);
    buf_init(&out, 4 * KIB);
    for (int i = 0; i < 20000; i++) {
        struct str   text = { bytes, (size_t)random_below(sizeof(bytes)) };
        struct json  w = { .buf = &out };
        struct error err;
        yyjson_val  *val;

        random_bytes(bytes, sizeof(bytes));
        for (size_t k = 0; k < text.len && i % 2 == 0; k++)
            bytes[k] &= 0x7F;
        buf_clear(&out);
        json_put_str(&w, NULL, text);
        ck_assert(json_parse(&a, buf_str(&out), 0, &val, &err));
        ck_assert(!str_is_utf8(text) || str_eq(json_val_str(val), text));
        arena_reset(&a);
    }
    arena_deinit(&a);
    buf_deinit(&out);
}
END_TEST

START_TEST(a_full_buffer_is_noticed_at_the_end)
{
    struct buf  out;
    struct json w = { .buf = &out };

    buf_init(&out, 16);
    json_begin(&w, NULL);
    json_put_str(&w, "text", STR("longer than that"));
    json_end(&w);
    ck_assert(!buf_ok(&out));
    buf_deinit(&out);
}
END_TEST

TESTS("write", commas_look_after_themselves, any_string_comes_back, a_full_buffer_is_noticed_at_the_end)
