/* testing_str.h -- comparing slices in tests: ck_assert_slice(str_trim(s), "expected"). */
#ifndef PARLEY_BASE_TESTING_STR_H
#define PARLEY_BASE_TESTING_STR_H

#include "base/str.h"
#include "base/testing.h"

#define ck_assert_slice(actual, expected)                                                                  \
    do {                                                                                                   \
        const struct str slice_a = (actual), slice_e = { (expected), sizeof(expected) - 1 };               \
                                                                                                           \
        ck_assert_msg(!str_is_none(slice_a) && str_eq(slice_a, slice_e), "%s is \"%.*s\", not \"%.*s\"",   \
            #actual, STR_ARG(slice_a), STR_ARG(slice_e));                                                  \
    } while (0)

/* Both are slices. */
#define ck_assert_same(actual, expected)                                                                   \
    do {                                                                                                   \
        const struct str same_a = (actual), same_e = (expected);                                           \
                                                                                                           \
        ck_assert_msg(str_eq(same_a, same_e), "%s is \"%.*s\", not \"%.*s\"", #actual, STR_ARG(same_a),    \
            STR_ARG(same_e));                                                                              \
    } while (0)

#define ck_assert_none(actual) ck_assert_msg(str_is_none(actual), "%s is there", #actual)

#endif
