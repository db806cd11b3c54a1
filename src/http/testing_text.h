/* testing_text.h -- comparing slices with the text of a table's row: ck_assert_text(slice, rows[i].expected). */
#ifndef PARLEY_HTTP_TESTING_TEXT_H
#define PARLEY_HTTP_TESTING_TEXT_H

#include "base/str.h"
#include "base/testing.h"

#define ck_assert_text(actual, expected)                                                           \
    do {                                                                                           \
        const struct str text_a = (actual), text_e = str_of(expected);                             \
                                                                                                   \
        ck_assert_msg(!str_is_none(text_a) && str_eq(text_a, text_e), "%s is \"%.*s\", not \"%s\"", \
            #actual, STR_ARG(text_a), text_e.ptr);                                                 \
    } while (0)

#endif
