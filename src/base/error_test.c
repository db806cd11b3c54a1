#include "base/error.h"

#include "base/testing_str.h"

START_TEST(an_error_is_false_and_complete)
{
    struct error err = { .retry_after_ms = 5 };

    ck_assert(!error_set(&err, 400, "page must be a number, not '%.*s'", STR_ARG(STR("x"))));
    ck_assert_int_eq(err.status, 400);
    ck_assert_int_eq(err.retry_after_ms, 0);
    ck_assert_str_eq(err.message, "page must be a number, not 'x'");
    ck_assert(!error_prefix(&err, "query %d", 1));
    ck_assert_str_eq(err.message, "query 1: page must be a number, not 'x'");
    ck_assert_int_eq(err.status, 400);
}
END_TEST

START_TEST(a_message_may_hold_the_one_before)
{
    struct error err;

    error_set(&err, 502, "timed out");
    error_set(&err, 503, "Telegram: %s", err.message);
    ck_assert_str_eq(err.message, "Telegram: timed out");
}
END_TEST

/* However much ASCII is in front, the cut never leaves half a character. */
START_TEST(a_long_message_is_cut_at_a_whole_character)
{
    char         text[1200] = "";
    struct error err;

    for (size_t before = 0; before < 4; before++) {
        memset(text, 'a', before);
        for (size_t at = before; at + 4 < sizeof(text); at += 4)
            memcpy(text + at, "\xF0\x9F\x98\x80", 5);
        error_set(&err, 400, "%s", text);
        ck_assert(str_is_utf8(str_of(err.message)));
        ck_assert_uint_eq(strlen(err.message), before + (sizeof(err.message) - 1 - before) / 4 * 4);
        error_prefix(&err, "%s", "four");
        ck_assert(str_is_utf8(str_of(err.message)));
        ck_assert_uint_gt(strlen(err.message), sizeof(err.message) - 5);
        ck_assert_ptr_eq(strstr(err.message, "four: "), err.message);
    }
}
END_TEST

START_TEST(bytes_that_are_no_text_are_replaced)
{
    struct error err;

    error_set(&err, 400, "no such file: \xFF\xFE.txt \xE2\x82");
    ck_assert_str_eq(err.message, "no such file: ??.txt ??");
}
END_TEST

TESTS("error", an_error_is_false_and_complete, a_message_may_hold_the_one_before,
    a_long_message_is_cut_at_a_whole_character, bytes_that_are_no_text_are_replaced)
