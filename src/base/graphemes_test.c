/* What people count as one character. */
#include "base/arena.h"
#include "base/str.h"
#include "base/testing.h"

START_TEST(what_a_person_counts)
{
    static const struct {
        const char *text;
        size_t      expected;
    } tries[] = {
        { "", 0 },
        { "a", 1 },
        { "Hello", 5 },
        { "a\r\nb", 3 },
        { "\n\n", 2 },
        { "e\xCC\x81", 1 },                                        /* e and an accent of its own */
        { "e\xCC\x81\xCC\xA7x", 2 },
        { "\xC3\xA9", 1 },
        { "\xF0\x9F\x98\x80", 1 },
        { "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD", 1 },                 /* a thumb of some colour */
        { "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA", 1 },                 /* a flag */
        { "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA\xF0\x9F\x87\xAB\xF0\x9F\x87\xB7", 2 },
        { "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA\xF0\x9F\x87\xAB", 2 }, /* a flag and half of one */
        { "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7\xE2\x80\x8D\xF0\x9F\x91\xA6", 1 },
        { "\xE2\x9D\xA4\xEF\xB8\x8F", 1 },                         /* a heart, in colour */
        { "1\xEF\xB8\x8F\xE2\x83\xA3", 1 },                        /* a key cap */
        { "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", 1 },             /* a Hangul syllable in its parts */
        { "\xE0\xA4\xA8\xE0\xA4\xBF", 1 },                         /* Devanagari: ni */
        { "\xEF\xBB\xBF", 1 },
    };

    for (size_t i = 0; i < COUNT(tries); i++)
        ck_assert_msg(str_graphemes(str_of(tries[i].text)) == tries[i].expected, "try %zu: %zu", i,
                      str_graphemes(str_of(tries[i].text)));
}
END_TEST

static struct str
repeated(struct arena *a, struct str what, size_t n)
{
    char *text = arena_bytes(a, what.len * n);

    for (size_t i = 0; i < n; i++)
        memcpy(text + i * what.len, what.ptr, what.len);
    return (struct str){ text, what.len * n };
}

START_TEST(a_long_text_is_counted_in_pieces)
{
    struct arena a;

    arena_init(&a);
    ck_assert_uint_eq(str_graphemes(repeated(&a, STR("abc"), 10001)), 30003);
    ck_assert_uint_eq(str_graphemes(repeated(&a, STR("ab e\xCC\x81"), 10001)), 40004);
    ck_assert_uint_eq(str_graphemes(repeated(&a, STR("\xF0\x9F\x98\x80"), 1000)), 1000);

    /* nowhere to cut: at most one more for each piece */
    size_t n = str_graphemes(repeated(&a, STR("e\xCC\x81"), 50000));

    ck_assert_uint_ge(n, 50000);
    ck_assert_uint_le(n, 50010);
    arena_deinit(&a);
}
END_TEST

TESTS("graphemes", what_a_person_counts, a_long_text_is_counted_in_pieces)
