#include "base/map.h"

#include "base/random.h"
#include "base/testing.h"

START_TEST(an_empty_map_has_nothing)
{
    struct map m = { 0 };
    size_t     at = 0;
    int64_t    key;
    void      *value;

    ck_assert_ptr_null(map_get(&m, 1));
    ck_assert_ptr_null(map_take(&m, 1));
    ck_assert(!map_next(&m, &at, &key, &value));
    map_deinit(&m);
}
END_TEST

START_TEST(put_replaces_and_take_removes)
{
    struct map m = { 0 };
    int        one, two;

    map_put(&m, 0, &one);
    map_put(&m, -1, &two);
    map_put(&m, INT64_MIN, &one);
    ck_assert_ptr_eq(map_get(&m, 0), &one);
    map_put(&m, 0, &two);
    ck_assert_ptr_eq(map_get(&m, 0), &two);
    ck_assert_uint_eq(m.count, 3);
    ck_assert_ptr_eq(map_take(&m, 0), &two);
    ck_assert_ptr_null(map_get(&m, 0));
    ck_assert_ptr_null(map_take(&m, 0));
    ck_assert_ptr_eq(map_get(&m, INT64_MIN), &one);
    ck_assert_uint_eq(m.count, 2);
    map_deinit(&m);
    ck_assert_ptr_null(map_get(&m, -1));
}
END_TEST

/* A table as plain as can be is right; the map must agree with it after any history. */
START_TEST(any_history_ends_like_a_plain_table)
{
    static char model[2000];
    struct map  m = { 0 };
    size_t      at = 0, n = 0, expected = 0;
    int64_t     key;
    void       *value;

    random_seed(5);
    for (int i = 0; i < 200 * 1000; i++) {
        size_t  slot = (size_t)random_below(i < 100 * 1000 ? 2000 : 40);
        int64_t id = (int64_t)slot << 21;

        if (random_below(2) == 0) {
            map_put(&m, id, &model[slot]);
            model[slot] = 1;
        } else {
            ck_assert_ptr_eq(map_take(&m, id), model[slot] ? &model[slot] : NULL);
            model[slot] = 0;
        }
        slot = (size_t)random_below(2000);
        ck_assert_ptr_eq(map_get(&m, (int64_t)slot << 21), model[slot] ? &model[slot] : NULL);
    }
    for (size_t slot = 0; slot < 2000; slot++)
        expected += (size_t)model[slot];
    for (; map_next(&m, &at, &key, &value); n++)
        ck_assert_ptr_eq(value, &model[key >> 21]);
    ck_assert_uint_eq(n, expected);
    ck_assert_uint_eq(m.count, expected);
    map_deinit(&m);
}
END_TEST

TESTS("map", an_empty_map_has_nothing, put_replaces_and_take_removes, any_history_ends_like_a_plain_table)
