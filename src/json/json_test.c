#include "json/json.h"

#include "base/testing_str.h"

static yyjson_val *
parsed(struct arena *a, const char *text)
{
    struct error err;
    yyjson_val  *val;

    ck_assert_msg(json_parse(a, str_of(text), JSON_DEPTH_MAX, &val, &err), "%s: %s", text, err.message);
    return val;
}

START_TEST(fields_are_read_by_type)
{
    struct arena a = { 0 };
    yyjson_val  *val = parsed(&a, "{\"s\":\"x\",\"i\":-5,\"t\":true,\"f\":false,\"n\":null,"
                                  "\"o\":{\"k\":1},\"a\":[1,2],\"d\":1.0}");

    ck_assert_slice(json_str(val, "s"), "x");
    ck_assert_none(json_str(val, "i"));
    ck_assert_none(json_str(val, "missing"));
    ck_assert_int_eq(json_int(val, "i", 7), -5);
    ck_assert_int_eq(json_int(val, "s", 7), 7);
    ck_assert_int_eq(json_int(val, "d", 7), 7);
    ck_assert(json_true(val, "t"));
    ck_assert(!json_true(val, "f"));
    ck_assert(!json_true(val, "i"));
    ck_assert(!json_true(val, "missing"));
    ck_assert(yyjson_is_null(json_get(val, "n")));
    ck_assert_ptr_null(json_get(val, "missing"));
    ck_assert_int_eq(json_int(json_obj(val, "o"), "k", 7), 1);
    ck_assert_ptr_null(json_obj(val, "a"));
    ck_assert_uint_eq(yyjson_arr_size(json_arr(val, "a")), 2);
    ck_assert_ptr_null(json_arr(val, "o"));
    ck_assert_none(json_val_str(json_get(val, "i")));
    ck_assert_none(json_val_str(NULL));
    arena_deinit(&a);
}
END_TEST

START_TEST(nothing_and_no_object_have_no_fields)
{
    struct arena a = { 0 };

    ck_assert_ptr_null(json_get(NULL, "x"));
    ck_assert_ptr_null(json_get(parsed(&a, "[1]"), "x"));
    ck_assert_none(json_str(parsed(&a, "\"x\""), "x"));
    ck_assert_int_eq(json_int(NULL, "x", 3), 3);
    ck_assert(!json_true(NULL, "x"));
    arena_deinit(&a);
}
END_TEST

START_TEST(integers_are_exact_or_absent)
{
    struct arena a = { 0 };
    yyjson_val  *val = parsed(&a, "{\"max\":9223372036854775807,\"min\":-9223372036854775808,"
                                  "\"over\":9223372036854775808,\"big\":123456789012345678901234567890,"
                                  "\"precise\":9007199254740993}");

    ck_assert_int_eq(json_int(val, "max", 7), INT64_MAX);
    ck_assert_int_eq(json_int(val, "min", 7), INT64_MIN);
    ck_assert_int_eq(json_int(val, "over", 7), 7);
    ck_assert_int_eq(json_int(val, "big", 7), 7);
    ck_assert(yyjson_is_real(json_get(val, "big")));
    ck_assert_int_eq(json_int(val, "precise", 7), 9007199254740993);
    arena_deinit(&a);
}
END_TEST

START_TEST(values_outlive_the_text_and_keep_their_nul)
{
    struct arena a = { 0 };
    char         text[] = "{\"k\":\"a\\u0000b\",\"k\":\"second\",\"u\":\"\\u00e4\\ud83d\\ude00\"}";
    struct error err;
    yyjson_val  *val;

    ck_assert(json_parse(&a, str_of(text), 1, &val, &err));
    memset(text, 'x', sizeof(text));
    ck_assert_slice(json_str(val, "k"), "a\0b"); /* the first of equal keys */
    ck_assert_slice(json_str(val, "u"), "\xC3\xA4\xF0\x9F\x98\x80");
    arena_deinit(&a);
}
END_TEST

/* Without a number where yyjson's versions point at different bytes of the same mistake. */
static const struct {
    struct str  text;
    const char *message;
} refused[] = {
#define ROW(text, message) { { text, sizeof(text) - 1 }, "The body is not valid JSON: " message }
    ROW("", "it is empty"),
    ROW(" \n", "nothing but white space at byte "),
    ROW("{\"a\":\"long text\"x}", "unexpected character at byte 16"),
    ROW("{\"a\":1,}", "unexpected character at byte "),
    ROW("[1,]", "unexpected character at byte "),
    ROW("{\"a\":1", "it ends too early at byte 6"),
    ROW("[", "it ends too early at byte 1"),
    ROW("{} x", "more text behind the value at byte 3"),
    ROW("{}{}", "more text behind the value at byte 2"),
    ROW("{a:1}", "unexpected character at byte 1"),
    ROW("{'a':1}", "unexpected character at byte 1"),
    ROW("// x\n{}", "unexpected character at byte 0"),
    ROW("[01]", "invalid number at byte 1"),
    ROW("[-]", "invalid number at byte 2"),
    ROW("[1.]", "invalid number at byte 3"),
    ROW("[1e999]", "invalid number at byte 1"),
    ROW("[NaN]", "unexpected character at byte 1"),
    ROW("[Infinity]", "unexpected character at byte 1"),
    ROW("[\"\t\"]", "invalid string at byte "),
    ROW("[\"\xFF\"]", "invalid string at byte "),
    ROW("[\"\xED\xA0\x80\"]", "invalid string at byte "),
    ROW("[\"\\x\"]", "invalid string at byte "),
    ROW("[\"\\ud800\"]", "invalid string at byte "),
    ROW("\xEF\xBB\xBF{}", "unexpected character at byte 0"),
    ROW("{}\0", "more text behind the value at byte 2"),
#undef ROW
};

START_TEST(what_is_no_json_is_refused)
{
    struct arena a = { 0 };
    struct error err = { 0 };
    yyjson_val  *val;

    ck_assert_msg(!json_parse(&a, refused[_i].text, JSON_DEPTH_MAX, &val, &err), "%s", refused[_i].text.ptr);
    ck_assert_int_eq(err.status, 400);
    ck_assert_msg(str_starts(str_of(err.message), str_of(refused[_i].message)), "%s", err.message);
    ck_assert_ptr_null(val);
    arena_deinit(&a);
}
END_TEST

START_TEST(keys_hold_no_nul)
{
    static const char *const bad[] = { "{\"a\\u0000\":1}", "[[{\"x\":{\"\\u0000\":1}}]]" };
    struct arena a = { 0 };
    struct error err;
    yyjson_val  *val;

    for (size_t i = 0; i < 2; i++) {
        ck_assert(!json_parse(&a, str_of(bad[i]), JSON_DEPTH_MAX, &val, &err));
        ck_assert_str_eq(err.message, "The JSON has a NUL character in a key");
    }
    parsed(&a, "{\"a\\\\u0000\":[\"\\u0000\"]}"); /* an escaped backslash and a value: both fine */
    arena_deinit(&a);
}
END_TEST

START_TEST(depth_is_bounded_exactly)
{
    struct arena a = { 0 };
    struct error err;
    yyjson_val  *val;

    ck_assert(json_parse(&a, STR("[{\"a\":[1,[],[]]},{}]"), 4, &val, &err));
    ck_assert(!json_parse(&a, STR("[{\"a\":[1,[],[]]},{}]"), 3, &val, &err));
    ck_assert_int_eq(err.status, 400);
    ck_assert_str_eq(err.message, "The JSON is nested deeper than 3 levels");
    ck_assert(json_parse(&a, STR("[\"[[[[{{{{\\\"[[[[\"]"), 1, &val, &err)); /* brackets in strings do not count */
    ck_assert(!json_parse(&a, STR("[\"\\\\\",[]]"), 1, &val, &err));          /* an escaped backslash ends no string */
    ck_assert(!json_parse(&a, STR("]]]][[[["), 3, &val, &err));
    arena_deinit(&a);
}
END_TEST

/* A million brackets: neither a crash nor a wait. */
START_TEST(a_tower_of_brackets_is_refused_at_once)
{
    struct arena a = { 0 };
    struct error err;
    yyjson_val  *val;
    const size_t height = 1 * MIB;
    char        *tower = arena_alloc(&a, height);

    memset(tower, '[', height);
    ck_assert(!json_parse(&a, (struct str){ tower, height }, JSON_DEPTH_MAX, &val, &err));
    ck_assert_str_eq(err.message, "The JSON is nested deeper than 64 levels");
    arena_deinit(&a);
}
END_TEST

START_TEST(text_is_compact)
{
    struct arena a = { 0 };

    ck_assert_slice(json_text(&a, parsed(&a, " { \"a\" : [ 1 , -2.5 , \"\\u00e4\\n\" , null ] } ")),
        "{\"a\":[1,-2.5,\"\xC3\xA4\\n\",null]}");
    ck_assert_slice(json_text(&a, parsed(&a, "\"x\"")), "\"x\"");
    ck_assert_none(json_text(&a, NULL));
    arena_deinit(&a);
}
END_TEST

/* The densest text there is makes a value of 16 bytes out of two. yyjson grows its memory by half each time, and
 * what it has grown out of must not stay. */
START_TEST(memory_stays_in_proportion)
{
    struct arena a = { 0 };
    struct buf   text;
    yyjson_val  *val;
    struct error err;

    buf_init(&text, 2 * MIB);
    buf_append(&text, STR("[1"));
    while (text.len < 1 * MIB)
        buf_append(&text, STR(",1"));
    buf_append_char(&text, ']');
    ck_assert(json_parse(&a, buf_str(&text), 1, &val, &err));
    ck_assert_uint_eq(yyjson_arr_size(val), MIB / 2);
    ck_assert_uint_lt(arena_size(&a), 15 * MIB);
    arena_deinit(&a);
    buf_deinit(&text);
}
END_TEST

static TCase *
reading(void)
{
    TCase *c = tcase_create("reading");

    tcase_add_test(c, fields_are_read_by_type);
    tcase_add_test(c, nothing_and_no_object_have_no_fields);
    tcase_add_test(c, integers_are_exact_or_absent);
    tcase_add_test(c, values_outlive_the_text_and_keep_their_nul);
    tcase_add_loop_test(c, what_is_no_json_is_refused, 0, COUNT(refused));
    tcase_add_test(c, keys_hold_no_nul);
    tcase_add_test(c, depth_is_bounded_exactly);
    tcase_add_test(c, a_tower_of_brackets_is_refused_at_once);
    tcase_add_test(c, text_is_compact);
    tcase_add_test(c, memory_stays_in_proportion);
    return c;
}

TEST_CASES("json", reading)
