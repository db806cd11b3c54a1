#include "http/range.h"

#include "http/testing_text.h"

#define MODIFIED_MS 784111777000 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE        "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER     "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER       "Sun, 06 Nov 1994 08:49:38 GMT"

/* Of a file of 1000 bytes with the tag "v1". */
static const struct {
    const char *range, *name, *value; /* a Range, and one more header */
    int         status;
    int64_t     offset, length;
} rows[] = {
    { NULL, NULL, NULL, 200, 0, 1000 },
    { "bytes=0-99", NULL, NULL, 206, 0, 100 },
    { "bytes=0-0", NULL, NULL, 206, 0, 1 },
    { "bytes=999-999", NULL, NULL, 206, 999, 1 },
    { "bytes=100-", NULL, NULL, 206, 100, 900 },
    { "bytes=-1", NULL, NULL, 206, 999, 1 },
    { "bytes=-1000", NULL, NULL, 206, 0, 1000 },
    { "bytes=-5000", NULL, NULL, 206, 0, 1000 },
    { "bytes=500-5000", NULL, NULL, 206, 500, 500 },
    { "bytes=0-99999999999999999999999", NULL, NULL, 206, 0, 1000 },
    { "BYTES = 1-2", NULL, NULL, 206, 1, 2 },
    { "bytes=1000-", NULL, NULL, 416, 0, 0 },
    { "bytes=1000-1001", NULL, NULL, 416, 0, 0 },
    { "bytes=99999999999999999999999-", NULL, NULL, 416, 0, 0 },
    { "bytes=-0", NULL, NULL, 416, 0, 0 },
    { "bytes=5-4", NULL, NULL, 200, 0, 1000 },
    { "bytes=-", NULL, NULL, 200, 0, 1000 },
    { "bytes=", NULL, NULL, 200, 0, 1000 },
    { "bytes=a-b", NULL, NULL, 200, 0, 1000 },
    { "bytes=--1", NULL, NULL, 200, 0, 1000 },
    { "bytes=1--1", NULL, NULL, 200, 0, 1000 },
    { "bytes=1-2x", NULL, NULL, 200, 0, 1000 },
    { "bytes=x1-2", NULL, NULL, 200, 0, 1000 },
    { "lines=1-2", NULL, NULL, 200, 0, 1000 },
    { "1-2", NULL, NULL, 200, 0, 1000 },
    { "bytes=0-1,5-6", NULL, NULL, 200, 0, 1000 },
    { "bytes=0-99", "If-Range", "\"v1\"", 206, 0, 100 },
    { "bytes=0-99", "If-Range", "\"v2\"", 200, 0, 1000 },
    { "bytes=0-99", "If-Range", "W/\"v1\"", 200, 0, 1000 },
    { "bytes=0-99", "If-Range", DATE, 206, 0, 100 },
    { "bytes=0-99", "If-Range", EARLIER, 200, 0, 1000 },
    { "bytes=0-99", "If-Range", LATER, 200, 0, 1000 },
    { "bytes=2000-", "If-Range", "\"v2\"", 200, 0, 1000 },
    { NULL, "If-None-Match", "\"v1\"", 304, 0, 0 },
    { NULL, "If-None-Match", "W/\"v1\"", 304, 0, 0 },
    { NULL, "If-None-Match", "\"v0\", \"v1\"", 304, 0, 0 },
    { NULL, "If-None-Match", "*", 304, 0, 0 },
    { NULL, "If-None-Match", "\"v2\"", 200, 0, 1000 },
    { NULL, "If-None-Match", "v1", 200, 0, 1000 },
    { "bytes=0-1", "If-None-Match", "\"v1\"", 304, 0, 0 },
    { "bytes=0-1", "If-None-Match", "\"v2\"", 206, 0, 2 },
    { NULL, "If-Modified-Since", DATE, 304, 0, 0 },
    { NULL, "If-Modified-Since", LATER, 304, 0, 0 },
    { NULL, "If-Modified-Since", EARLIER, 200, 0, 1000 },
    { NULL, "If-Modified-Since", "yesterday", 200, 0, 1000 },
};

static struct http_slice
ask(const struct http_header *headers, size_t count, enum http_method method, int64_t size)
{
    struct http_header  copy[3];
    struct http_request r = { .method = method, .headers = copy, .header_count = count };

    memcpy(copy, headers, count * sizeof(*headers));
    return http_slice_for(&r, size, STR("\"v1\""), MODIFIED_MS + 500);
}

START_TEST(headers_choose_the_slice)
{
    struct http_header headers[2];
    size_t             count = 0;
    struct http_slice  slice;

    if (rows[_i].range)
        headers[count++] = (struct http_header){ STR("range"), str_of(rows[_i].range) };
    if (rows[_i].name)
        headers[count++] = (struct http_header){ str_of(rows[_i].name), str_of(rows[_i].value) };
    slice = ask(headers, count, METHOD_GET, 1000);
    ck_assert_int_eq(slice.status, rows[_i].status);
    ck_assert_int_eq(slice.offset, rows[_i].offset);
    ck_assert_int_eq(slice.length, rows[_i].length);
}
END_TEST

START_TEST(a_tag_is_looked_at_before_a_date)
{
    const struct http_header headers[] = {
        { STR("If-None-Match"), STR("\"v2\"") },
        { STR("If-Modified-Since"), STR(LATER) },
    };

    ck_assert_int_eq(ask(headers, 2, METHOD_GET, 1000).status, 200);
}
END_TEST

/* Byte ranges need the same bytes, which a weak tag does not promise. */
START_TEST(a_weak_tag_is_no_condition_for_a_range)
{
    struct http_header  headers[] = { { STR("Range"), STR("bytes=0-1") }, { STR("If-Range"), STR("W/\"v1\"") } };
    struct http_request r = { .method = METHOD_GET, .headers = headers, .header_count = 2 };

    ck_assert_int_eq(http_slice_for(&r, 10, STR("W/\"v1\""), 0).status, 200);
}
END_TEST

START_TEST(only_get_has_ranges_and_only_reading_has_conditions)
{
    const struct http_header range = { STR("Range"), STR("bytes=0-1") };
    const struct http_header match = { STR("If-None-Match"), STR("\"v1\"") };

    ck_assert_int_eq(ask(&range, 1, METHOD_HEAD, 1000).status, 200);
    ck_assert_int_eq(ask(&range, 1, METHOD_POST, 1000).status, 200);
    ck_assert_int_eq(ask(&match, 1, METHOD_HEAD, 1000).status, 304);
    ck_assert_int_eq(ask(&match, 1, METHOD_POST, 1000).status, 200);
}
END_TEST

START_TEST(an_empty_file_has_no_ranges)
{
    const struct http_header first = { STR("Range"), STR("bytes=0-0") };
    const struct http_header last = { STR("Range"), STR("bytes=-1") };

    ck_assert_int_eq(ask(&first, 1, METHOD_GET, 0).status, 416);
    ck_assert_int_eq(ask(&last, 1, METHOD_GET, 0).status, 200);
}
END_TEST

START_TEST(a_file_may_have_neither_tag_nor_date)
{
    struct http_header  header = { STR("If-None-Match"), STR("*") };
    struct http_request r = { .method = METHOD_GET, .headers = &header, .header_count = 1 };

    ck_assert_int_eq(http_slice_for(&r, 10, STR_NONE, 0).status, 304);
    header = (struct http_header){ STR("If-None-Match"), STR("\"\"") };
    ck_assert_int_eq(http_slice_for(&r, 10, STR_NONE, 0).status, 200);
    header = (struct http_header){ STR("If-Modified-Since"), STR(LATER) };
    ck_assert_int_eq(http_slice_for(&r, 10, STR_NONE, 0).status, 200);
}
END_TEST

static TCase *
slices(void)
{
    TCase *c = tcase_create("slices");

    tcase_add_loop_test(c, headers_choose_the_slice, 0, COUNT(rows));
    tcase_add_test(c, a_tag_is_looked_at_before_a_date);
    tcase_add_test(c, a_weak_tag_is_no_condition_for_a_range);
    tcase_add_test(c, only_get_has_ranges_and_only_reading_has_conditions);
    tcase_add_test(c, an_empty_file_has_no_ranges);
    tcase_add_test(c, a_file_may_have_neither_tag_nor_date);
    return c;
}

TEST_CASES("range", slices)
