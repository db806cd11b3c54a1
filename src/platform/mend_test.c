#include "platform/mend.h"

#include "base/testing.h"

#define DEEP(open, close) \
    open open open open open open open open open open open open open open open open open open open open open open \
    open open open open open open open open open open open open open open open open open open open open open open \
    open open open open open open open open open open open open open open open open open open open open open open \
    close close close close close close close close close close close close close close close close close close \
    close close close close close close close close close close close close close close close close close close \
    close close close close close close close close close close close close close close close close close close \
    close close close close close close close close close close close close

static const struct {
    const char *text, *mended; /* NULL = nobody can read it */
} texts[] = {
    { "{\"a\":1}", "{\"a\":1}" },
    { "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\xF0\x9F\x98\x80\"}" },
    { "{\"a\":\"\\ud83d!\"}", "{\"a\":\"\xEF\xBF\xBD!\"}" },
    { "{\"a\":\"\\ude00\\ud83d\"}", "{\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBD\"}" },
    { "{\"a\":\"\\uD83D\\\\\",\"b\":\"\\\"\"}", "{\"a\":\"\xEF\xBF\xBD\\\\\",\"b\":\"\\\"\"}" },
    { "{\"a\":\"\\ud83d\\u12g4\"}", NULL },
    { "{\"a\":\"\\ud8", NULL },
    { "{\"a\":\"\\ud83d", NULL },
    { "{", NULL },
    { "", NULL },
};

START_TEST(half_a_pair_becomes_the_unknown_character)
{
    struct arena a;
    yyjson_val  *root;

    arena_init(&a);
    ck_assert_int_eq(mend_parse(&a, str_of(texts[_i].text), &root), texts[_i].mended != NULL);
    if (texts[_i].mended)
        ck_assert_msg(str_eq(json_text(&a, root), str_of(texts[_i].mended)), "%s", json_text(&a, root).ptr);
    arena_deinit(&a);
}
END_TEST

START_TEST(what_lies_too_deep_is_left_out)
{
    struct arena a;
    yyjson_val  *root;
    int          depth = 0;

    arena_init(&a);
    ck_assert(mend_parse(&a, STR("{\"deep\":" DEEP("[", "]") ",\"beside\":7}"), &root));
    ck_assert_int_eq(json_int(root, "beside", 0), 7);
    for (yyjson_val *v = json_arr(root, "deep"); v; v = yyjson_arr_get_first(v))
        depth++;
    ck_assert_int_eq(depth, JSON_DEPTH_MAX - 1);
    arena_deinit(&a);
}
END_TEST

static TCase *
mending(void)
{
    TCase *c = tcase_create("mending");

    tcase_add_loop_test(c, half_a_pair_becomes_the_unknown_character, 0, COUNT(texts));
    tcase_add_test(c, what_lies_too_deep_is_left_out);
    return c;
}

TEST_CASES("mend", mending)
