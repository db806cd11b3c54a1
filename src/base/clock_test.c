#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/random.h"
#include "base/testing_str.h"

START_TEST(the_clock_can_be_set_and_given_back)
{
    struct timespec ts;
    int64_t         before, after;

    clock_set(0);
    ck_assert_int_eq(clock_now_ms(), 0);
    clock_set(1234567890123);
    ck_assert_int_eq(clock_now_ms(), 1234567890123);
    clock_set(-1);
    clock_gettime(CLOCK_REALTIME, &ts);
    before = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    after = clock_now_ms();
    ck_assert_int_ge(after, before);
    ck_assert_int_lt(after, before + 60000);
}
END_TEST

START_TEST(intervals_do_not_run_backwards)
{
    int64_t us = clock_mono_us(), ms = clock_mono_ms();

    ck_assert_int_gt(us, 0);
    ck_assert_int_ge(ms, us / 1000);
    ck_assert_int_ge(clock_mono_us(), us);
}
END_TEST

static const struct {
    const char *text;
    int64_t     ms;
} good[] = {
    { "1970-01-01", 0 },
    { "2026-05-31", 1780185600000 },
    { "2026-05-31T14:02:00.000Z", 1780236120000 },
    { "2026-05-31T14:02:00Z", 1780236120000 },
    { "2026-05-31T14:02Z", 1780236120000 },
    { "2026-05-31T14:02", 1780236120000 },
    { "2026-05-31T14:02:00", 1780236120000 },
    { "2026-05-31t14:02:00z", 1780236120000 },
    { "2026-05-31T14:02:00.1Z", 1780236120100 },
    { "2026-05-31T14:02:00.12Z", 1780236120120 },
    { "2026-05-31T14:02:00,123Z", 1780236120123 },
    { "2026-05-31T14:02:00.123999999999999999999Z", 1780236120123 },
    { "2026-05-31T14:02:00+00:00", 1780236120000 },
    { "2026-05-31T14:02:00+0000", 1780236120000 },
    { "2026-05-31T14:02:00-00:00", 1780236120000 },
    { "2026-05-31T16:02:00+02:00", 1780236120000 },
    { "2026-05-31T16:02:00+0200", 1780236120000 },
    { "2026-05-31T16:02:00 02:00", 1780236120000 },
    { "2026-05-31T16:02:00 0200", 1780236120000 },
    { "2026-05-31T16:02:00.5+02:00", 1780236120500 },
    { "2026-05-31T08:32:00-05:30", 1780236120000 },
    { "2026-06-01T00:02:00+10:00", 1780236120000 },
    { "2024-02-29", 1709164800000 },
    { "2000-02-29", 951782400000 },
    { "1969-12-31T23:59:59.999Z", -1 },
    { "9999-12-31T23:59:59.999Z", 253402300799999 },
    { "0000-01-01T00:00:00Z", -62167219200000 },
};

static const char *const bad[] = {
    "", "2026", "2026-05", "2026-5-31", "26-05-31", "2026/05/31", "20260531", "2026-05-31T", "2026-05-31T14",
    "2026-05-31T14:0", "2026-05-31T1402", "2026-05-31T14:02:", "2026-05-31T14:02:0", "2026-05-31T14:02:00.",
    "2026-05-31T14:02:00.Z", "2026-05-31T14:02.5Z", "2026-05-31 14:02:00", "2026-05-31T14:02:00ZZ",
    "2026-05-31T14:02:00Z ", " 2026-05-31", "2026-05-31Z", "2026-05-31T14:02:00+", "2026-05-31T14:02:00+02",
    "2026-05-31T14:02:00+2:00", "2026-05-31T14:02:00+02:0", "2026-05-31T14:02:00+02:000", "2026-05-31T14:02:00 Z",
    "2026-05-31T14:02:00+24:00", "2026-05-31T14:02:00+02:60", "2026-05-31T24:00:00Z", "2026-05-31T14:60:00Z",
    "2026-05-31T14:02:60Z", "2026-00-10", "2026-13-10", "2026-01-00", "2026-01-32", "2026-04-31", "2026-02-29",
    "1900-02-29", "2100-02-29", "2024-02-30", "+2026-05-31", "-2026-05-31", "12026-05-31", "2026-05-31T-1:00",
    "2026-05-31T14:02:00\342\210\22202:00", "yesterday", "1780236120", "2026-05-31T14:02:00UTC",
};

START_TEST(times_are_read)
{
    int64_t ms = 77;

    ck_assert_msg(time_parse(str_of(good[_i].text), &ms), "%s", good[_i].text);
    ck_assert_int_eq(ms, good[_i].ms);
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    int64_t ms = 77;

    ck_assert_msg(!time_parse(str_of(bad[_i]), &ms), "%s", bad[_i]);
    ck_assert_int_eq(ms, 77);
}
END_TEST

START_TEST(a_nul_is_no_separator)
{
    int64_t ms;

    ck_assert(!time_parse((struct str){ "2026-05-31\0" "14:02:00Z", 20 }, &ms));
    ck_assert(!time_parse((struct str){ "2026-05-31T14:02:00\0", 20 }, &ms));
    ck_assert(!time_parse(STR_NONE, &ms));
}
END_TEST

/* The C library's calendar agrees, on every day of 10,000 years and on random moments of them. */
START_TEST(the_calendar_is_the_c_library_s)
{
    const int64_t min = -62167219200000, max = 253402300799999;
    char          ours[TIME_TEXT_MAX], theirs[64];
    int64_t       ms = min, back;

    random_seed(1);
    for (int i = 0; i < 500 * 1000; i++) {
        struct tm tm;
        time_t    seconds = (time_t)((ms - ((ms % 1000 + 1000) % 1000)) / 1000);
        size_t    len;

        ck_assert_ptr_nonnull(gmtime_r(&seconds, &tm));
        len = (size_t)snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
            tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)((ms % 1000 + 1000) % 1000));
        ck_assert_str_eq(time_format(ms, ours), theirs);
        ck_assert(time_parse((struct str){ theirs, len }, &back));
        ck_assert_int_eq(back, ms);
        ck_assert_int_eq(timegm(&tm), seconds);
        ms = i < 400 * 1000 && ms < max - 86400000 ? ms + 86399999 : min + random_below(max - min + 1);
    }
}
END_TEST

START_TEST(times_without_four_digits_of_year_are_clamped)
{
    char out[TIME_TEXT_MAX];

    ck_assert_str_eq(time_format(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
    ck_assert_str_eq(time_format(INT64_MIN, out), "0000-01-01T00:00:00.000Z");
    ck_assert_str_eq(time_format(0, out), "1970-01-01T00:00:00.000Z");
    ck_assert_str_eq(time_format(-1, out), "1969-12-31T23:59:59.999Z");
}
END_TEST

START_TEST(no_clock_is_days_ahead)
{
    const int64_t now_ms = 1780000000000, day_ms = 86400000;

    ck_assert_int_eq(clock_sane(0, now_ms), 0);
    ck_assert_int_eq(clock_sane(-5, now_ms), -5);
    ck_assert_int_eq(clock_sane(now_ms + day_ms, now_ms), now_ms + day_ms);
    ck_assert_int_eq(clock_sane(now_ms + day_ms + 1, now_ms), now_ms);
    ck_assert_int_eq(clock_sane(INT64_MAX, now_ms), now_ms);
}
END_TEST

static TCase *
clocks(void)
{
    TCase *c = tcase_create("clocks");

    tcase_add_test(c, the_clock_can_be_set_and_given_back);
    tcase_add_test(c, intervals_do_not_run_backwards);
    tcase_add_test(c, no_clock_is_days_ahead);
    return c;
}

static TCase *
texts(void)
{
    TCase *c = tcase_create("texts");

    tcase_add_loop_test(c, times_are_read, 0, COUNT(good));
    tcase_add_loop_test(c, what_is_no_time_is_refused, 0, COUNT(bad));
    tcase_add_test(c, a_nul_is_no_separator);
    tcase_add_test(c, the_calendar_is_the_c_library_s);
    tcase_add_test(c, times_without_four_digits_of_year_are_clamped);
    return c;
}

TEST_CASES("clock", clocks, texts)
