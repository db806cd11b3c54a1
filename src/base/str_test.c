#include "base/testing_str.h"

START_TEST(comparisons_know_length_and_case)
{
    ck_assert(str_eq(STR(""), STR_NONE));
    ck_assert(!str_eq(STR("ab"), STR("abc")));
    ck_assert_int_lt(str_order(STR("ab"), STR("abc")), 0);
    ck_assert_int_gt(str_order(STR("b"), STR("abc")), 0);
    ck_assert_int_gt(str_order(STR("\xC3"), STR("z")), 0);
    ck_assert_int_lt(str_order(STR_NONE, STR("a")), 0);
    ck_assert_int_eq(str_order(STR(""), STR_NONE), 0);
    ck_assert(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
    ck_assert(!str_eq_nocase(STR("\xC3\x84"), STR("\xC3\xA4"))); /* only ASCII folds */
    ck_assert(!str_eq_nocase(STR("@"), STR("`")));               /* neighbours of the letters do not */
    ck_assert(!str_eq_nocase(STR("["), STR("{")));
    ck_assert(str_starts(STR("msg_1"), STR("msg_")));
    ck_assert(!str_starts(STR("ms"), STR("msg_")));
    ck_assert(str_starts(STR_NONE, STR("")));
    ck_assert(str_ends(STR("photo.jpg"), STR(".jpg")));
    ck_assert(!str_ends(STR("jpg"), STR(".jpg")));
}
END_TEST

START_TEST(finding_gives_the_first_place)
{
    ck_assert_int_eq(str_find(STR("abcabc"), STR("ca")), 2);
    ck_assert_int_eq(str_find(STR("abc"), STR("abcd")), -1);
    ck_assert_int_eq(str_find(STR("abc"), STR("")), 0);
    ck_assert_int_eq(str_find(STR_NONE, STR("a")), -1);
    ck_assert_int_eq(str_find((struct str){ "a\0b", 3 }, STR("b")), 2);
    ck_assert_int_eq(str_find_nocase(STR("say HELLO"), STR("hello")), 4);
    ck_assert_int_eq(str_find_nocase(STR("hell"), STR("hello")), -1);
    ck_assert_int_eq(str_find_nocase(STR("abc"), STR("C")), 2);
}
END_TEST

START_TEST(slices_are_clipped)
{
    ck_assert_slice(str_from(STR("hello"), 2), "llo");
    ck_assert_slice(str_from(STR("hello"), 9), "");
    ck_assert_slice(str_slice(STR("hello"), 1, 3), "ell");
    ck_assert_slice(str_slice(STR("hello"), 4, SIZE_MAX), "o");
    ck_assert_none(str_from(STR_NONE, 3));
    ck_assert_none(str_of(NULL));
}
END_TEST

START_TEST(cutting_splits_at_the_first)
{
    struct str head, tail;

    ck_assert(str_cut(STR("a=b=c"), '=', &head, &tail));
    ck_assert_slice(head, "a");
    ck_assert_slice(tail, "b=c");
    ck_assert(str_cut(STR("a="), '=', &head, &tail));
    ck_assert_slice(tail, "");
    ck_assert(!str_cut(STR("abc"), '=', &head, &tail));
    ck_assert_slice(head, "abc");
    ck_assert_none(tail);
    ck_assert(!str_cut(STR_NONE, '=', &head, &tail));
}
END_TEST

START_TEST(trimming_takes_both_ends)
{
    ck_assert_slice(str_trim(STR(" \t\r\n a b \n")), "a b");
    ck_assert_slice(str_trim(STR(" \t ")), "");
    ck_assert_none(str_trim(STR_NONE));
}
END_TEST

START_TEST(integers_are_exact)
{
    static const struct {
        struct str text;
        bool       ok;
        int64_t    number;
    } table[] = {
        { { "0", 1 }, true, 0 },
        { { "-0", 2 }, true, 0 },
        { { "007", 3 }, true, 7 },
        { { "-42", 3 }, true, -42 },
        { { "9223372036854775807", 19 }, true, INT64_MAX },
        { { "9223372036854775808", 19 }, false, 0 },
        { { "-9223372036854775808", 20 }, true, INT64_MIN },
        { { "-9223372036854775809", 20 }, false, 0 },
        { { "99999999999999999999", 20 }, false, 0 },
        { { "", 0 }, false, 0 },
        { { "-", 1 }, false, 0 },
        { { "+1", 2 }, false, 0 },
        { { " 1", 2 }, false, 0 },
        { { "1 ", 2 }, false, 0 },
        { { "1.0", 3 }, false, 0 },
        { { "--1", 3 }, false, 0 },
        { { "0x1", 3 }, false, 0 },
        { { "1\0", 2 }, false, 0 },
        { { NULL, 0 }, false, 0 },
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        int64_t number = 0;

        ck_assert_msg(str_to_i64(table[i].text, &number) == table[i].ok, "row %zu", i);
        ck_assert_int_eq(number, table[i].number);
    }
}
END_TEST

static const struct utf8_row {
    struct str text;
    bool       ok;
} utf8_rows[] = {
#define ROW(literal, ok) { { literal, sizeof(literal) - 1 }, ok }
    ROW("", true),
    ROW("plain", true),
    ROW("\x7F", true),
    ROW("\xC2\x80", true),
    ROW("\xDF\xBF", true),
    ROW("\xE0\xA0\x80", true),
    ROW("\xED\x9F\xBF", true), /* U+D7FF, just below the surrogates */
    ROW("\xEE\x80\x80", true), /* U+E000, just above them */
    ROW("\xEF\xBF\xBF", true),
    ROW("\xF0\x90\x80\x80", true),
    ROW("\xF4\x8F\xBF\xBF", true),
    ROW("\0", true),
    ROW("\x80", false),                 /* continuation alone */
    ROW("\xBF", false),
    ROW("a\xC2", false),                /* cut short */
    ROW("\xE2\x82", false),
    ROW("\xF0\x9F\x98", false),
    ROW("\xC2" "a", false),             /* continuation missing */
    ROW("\xE2\x82" "a", false),
    ROW("\xE2" "a\x82", false),
    ROW("\xF0\x9F\x98" "a", false),
    ROW("\xC2\xC2\x80", false),
    ROW("\xC0\x80", false),             /* overlong */
    ROW("\xC1\xBF", false),
    ROW("\xE0\x80\x80", false),
    ROW("\xE0\x9F\xBF", false),
    ROW("\xF0\x80\x80\x80", false),
    ROW("\xF0\x8F\xBF\xBF", false),
    ROW("\xED\xA0\x80", false),         /* surrogates */
    ROW("\xED\xBF\xBF", false),
    ROW("\xF4\x90\x80\x80", false),     /* above U+10FFFF */
    ROW("\xF5\x80\x80\x80", false),
    ROW("\xF8\x88\x80\x80\x80", false), /* five and six bytes, as once was allowed */
    ROW("\xFC\x84\x80\x80\x80\x80", false),
    ROW("\xFE", false),
    ROW("\xFF", false),
#undef ROW
};

/* Each row also at every place in and around a word, where the quick path begins and ends. */
START_TEST(utf8_is_strict)
{
    const struct utf8_row *row = &utf8_rows[_i];
    char                   text[64];

    ck_assert(str_is_utf8(row->text) == row->ok);
    for (size_t before = 0; before <= 17; before++) {
        for (size_t after = 0; after <= 17; after++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + before, row->text.ptr, row->text.len);
            ck_assert(str_is_utf8((struct str){ text, before + row->text.len + after }) == row->ok);
        }
    }
}
END_TEST

START_TEST(every_code_point_round_trips)
{
    for (uint32_t c = 0; c <= 0x110FFF; c++) {
        char   text[4];
        size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        bool   ok = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);

        if (len == 1)
            text[0] = (char)c;
        else
            text[0] = (char)((0xF00U >> len & 0xFF) | c >> 6 * (len - 1));
        for (size_t i = 1; i < len; i++)
            text[i] = (char)(0x80 | (c >> 6 * (len - 1 - i) & 0x3F));
        ck_assert_msg(str_is_utf8((struct str){ text, len }) == ok, "U+%04X", c);
        ck_assert_uint_eq(str_utf8_len((struct str){ text, len }), ok ? len : 0);
    }
}
END_TEST

START_TEST(code_points_are_counted_and_cut_whole)
{
    struct str text = STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z");

    ck_assert_uint_eq(str_code_points(text), 5);
    ck_assert_uint_eq(str_code_points(STR("")), 0);
    ck_assert_uint_eq(str_utf8_cut(text, 100).len, text.len);
    ck_assert_uint_eq(str_utf8_cut(text, 10).len, 10);
    ck_assert_uint_eq(str_utf8_cut(text, 9).len, 6);
    ck_assert_uint_eq(str_utf8_cut(text, 5).len, 3);
    ck_assert_uint_eq(str_utf8_cut(text, 2).len, 1);
    ck_assert_uint_eq(str_utf8_cut(text, 0).len, 0);
}
END_TEST

START_TEST(hashes_are_those_of_fnv)
{
    ck_assert(str_hash(STR_NONE) == (int64_t)UINT64_C(0xcbf29ce484222325));
    ck_assert(str_hash(STR("a")) == (int64_t)UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert(str_hash(STR("foobar")) == (int64_t)UINT64_C(0x85944171f73967e8));
}
END_TEST

START_TEST(hex_digits_are_of_either_case)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    for (int c = 0; c < 256; c++) {
        const char *at = c ? strchr(digits, c) : NULL;
        int         value = at ? (int)(at - digits) : -1;

        ck_assert_int_eq(str_hex_digit((char)c), value > 15 ? value - 6 : value);
    }
}
END_TEST

static TCase *
slices(void)
{
    TCase *c = tcase_create("slices");

    tcase_add_test(c, comparisons_know_length_and_case);
    tcase_add_test(c, finding_gives_the_first_place);
    tcase_add_test(c, slices_are_clipped);
    tcase_add_test(c, cutting_splits_at_the_first);
    tcase_add_test(c, trimming_takes_both_ends);
    tcase_add_test(c, integers_are_exact);
    tcase_add_test(c, hashes_are_those_of_fnv);
    tcase_add_test(c, hex_digits_are_of_either_case);
    return c;
}

static TCase *
utf8(void)
{
    TCase *c = tcase_create("utf8");

    tcase_add_loop_test(c, utf8_is_strict, 0, COUNT(utf8_rows));
    tcase_add_test(c, every_code_point_round_trips);
    tcase_add_test(c, code_points_are_counted_and_cut_whole);
    return c;
}

TEST_CASES("str", slices, utf8)
