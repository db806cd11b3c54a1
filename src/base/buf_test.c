#include "base/buf.h"

#include <stdio.h>

#include "base/testing_str.h"

START_TEST(appends_add_up)
{
    struct buf b;

    buf_init(&b, 1 * KIB);
    ck_assert_slice(buf_str(&b), "");
    buf_append(&b, STR("one"));
    buf_append(&b, STR_NONE);
    buf_append_char(&b, ',');
    buf_printf(&b, "%s=%d,", "two", 2);
    buf_append_i64(&b, -3);
    ck_assert(buf_ok(&b));
    ck_assert_slice(buf_str(&b), "one,two=2,-3");
    buf_clear(&b);
    ck_assert_slice(buf_str(&b), "");
    buf_deinit(&b);
    buf_deinit(&b);
    buf_deinit(&(struct buf){ 0 });
}
END_TEST

START_TEST(the_bound_is_exact_and_the_failure_sticks)
{
    struct buf b;

    buf_init(&b, 10);
    buf_append(&b, STR("0123456789"));
    ck_assert(buf_ok(&b));
    buf_append(&b, STR_NONE);
    ck_assert(buf_ok(&b));
    buf_append_char(&b, 'x');
    ck_assert(!buf_ok(&b));
    buf_drop_front(&b, 8);
    buf_append(&b, STR("y"));
    buf_printf(&b, "z");
    ck_assert_ptr_null(buf_room(&b, 1));
    ck_assert_slice(buf_str(&b), "89");
    buf_clear(&b);
    buf_printf(&b, "%010d", 7);
    ck_assert(buf_ok(&b));
    ck_assert_slice(buf_str(&b), "0000000007");
    buf_clear(&b);
    buf_printf(&b, "%011d", 7);
    ck_assert(!buf_ok(&b));
    ck_assert_uint_eq(b.len, 0);
    buf_deinit(&b);
}
END_TEST

START_TEST(a_zeroed_buffer_takes_nothing)
{
    struct buf b = { 0 };

    buf_append_char(&b, 'x');
    ck_assert(!buf_ok(&b));
}
END_TEST

START_TEST(growth_doubles_up_to_the_bound)
{
    struct buf b;
    size_t     caps = 0, cap = 0;

    buf_init(&b, 1 * MIB);
    for (size_t i = 0; i < 1 * MIB; i++) {
        buf_append_char(&b, (char)i);
        caps += b.cap != cap;
        cap = b.cap;
    }
    ck_assert(buf_ok(&b));
    ck_assert_uint_eq(b.cap, 1 * MIB);
    ck_assert_uint_le(caps, 13);
    for (size_t i = 0; i < b.len; i++)
        ck_assert_int_eq(b.ptr[i], (char)i);
    buf_deinit(&b);
}
END_TEST

START_TEST(room_is_filled_and_counted)
{
    struct buf b;
    char      *room;

    buf_init(&b, 100);
    buf_append(&b, STR("abc"));
    room = buf_room(&b, 97);
    memset(room, '.', 97);
    buf_grew(&b, 3);
    ck_assert_slice(buf_str(&b), "abc...");
    ck_assert(buf_ok(&b));
    ck_assert_ptr_null(buf_room(&b, SIZE_MAX));
    ck_assert(!buf_ok(&b));
    buf_deinit(&b);
}
END_TEST

START_TEST(the_front_is_dropped)
{
    struct buf b;

    buf_init(&b, 100);
    buf_drop_front(&b, 5);
    buf_append(&b, STR("abcdef"));
    buf_drop_front(&b, 4);
    ck_assert_slice(buf_str(&b), "ef");
    buf_drop_front(&b, 0);
    ck_assert_slice(buf_str(&b), "ef");
    buf_drop_front(&b, 100);
    ck_assert_slice(buf_str(&b), "");
    buf_deinit(&b);
}
END_TEST

START_TEST(integers_are_written_whole)
{
    static const int64_t numbers[] = { 0, 7, 10, -1, 1234567890123, INT64_MAX, INT64_MIN };
    struct buf           b;
    char                 expected[32];

    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        buf_clear(&b);
        buf_append_i64(&b, numbers[i]);
        snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]);
        ck_assert(str_eq(buf_str(&b), str_of(expected)));
    }
    buf_deinit(&b);
}
END_TEST

TESTS("buf", appends_add_up, the_bound_is_exact_and_the_failure_sticks, a_zeroed_buffer_takes_nothing,
    growth_doubles_up_to_the_bound, room_is_filled_and_counted, the_front_is_dropped, integers_are_written_whole)
