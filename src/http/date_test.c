#include "http/date.h"

#include "http/testing_text.h"

START_TEST(dates_are_written_as_http_wants_them)
{
    char text[HTTP_DATE_LEN + 1];

    http_date_format(784111777000, text);
    ck_assert_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date_format(1709210096999, text);
    ck_assert_str_eq(text, "Thu, 29 Feb 2024 12:34:56 GMT");
    http_date_format(INT64_MIN, text);
    ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date_format(INT64_MAX, text);
    ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}
END_TEST

START_TEST(every_date_is_read_back)
{
    char    text[HTTP_DATE_LEN + 1];
    int64_t back;

    for (int64_t ms = 0; ms < 7300LL * 86400000; ms += 86400000LL + 3661000) {
        http_date_format(ms, text);
        ck_assert(http_date_parse(str_of(text), &back));
        ck_assert_int_eq(back, ms);
    }
}
END_TEST

static const char *const wrong[] = {
    "",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Mon, 06 Nov 1994 08:49:37 GMT", /* it was a Sunday */
    "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 06 anF 1994 08:49:37 GMT",
    "Sun, 31 Nov 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:-7 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT ",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
};

START_TEST(what_is_no_date_is_refused)
{
    int64_t ms;

    ck_assert(!http_date_parse(str_of(wrong[_i]), &ms));
}
END_TEST

START_TEST(no_text_is_no_date)
{
    int64_t ms;

    ck_assert(!http_date_parse(STR_NONE, &ms));
}
END_TEST

static TCase *
dates(void)
{
    TCase *c = tcase_create("dates");

    tcase_add_test(c, dates_are_written_as_http_wants_them);
    tcase_add_test(c, every_date_is_read_back);
    tcase_add_loop_test(c, what_is_no_date_is_refused, 0, COUNT(wrong));
    tcase_add_test(c, no_text_is_no_date);
    return c;
}

TEST_CASES("date", dates)
