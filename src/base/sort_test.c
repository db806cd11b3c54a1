#include "base/sort.h"

#include "base/testing.h"

START_TEST(numbers_are_in_order_and_each_is_there_once)
{
    int64_t       list[] = { 7, INT64_MIN, 7, -1, INT64_MAX, 0, INT64_MIN, 7 };
    const int64_t wanted[] = { INT64_MIN, -1, 0, 7, INT64_MAX };

    ck_assert_uint_eq(sort_distinct(list, COUNT(list)), COUNT(wanted));
    ck_assert_mem_eq(list, wanted, sizeof(wanted));
}
END_TEST

START_TEST(nothing_is_in_order)
{
    ck_assert_uint_eq(sort_distinct(NULL, 0), 0);
}
END_TEST

TESTS("sort", numbers_are_in_order_and_each_is_there_once, nothing_is_in_order)
