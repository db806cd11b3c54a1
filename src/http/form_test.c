#include "http/http.h"

#include "http/testing_text.h"

static const struct {
    const char *in;
    bool        form, ok;
    const char *out;
} decodings[] = {
    { "plain", false, true, "plain" },       { "", false, true, "" },
    { "a%20b", false, true, "a b" },         { "a+b", false, true, "a+b" },
    { "a+b", true, true, "a b" },            { "a%2Bb", true, true, "a+b" },
    { "%2f%2F", false, true, "//" },         { "%C3%A4", false, true, "\xc3\xa4" },
    { "100%", false, false, NULL },          { "%", false, false, NULL },
    { "%4", false, false, NULL },            { "%4g", false, false, NULL },
    { "%g4", false, false, NULL },           { "%-1", false, false, NULL },
    { "% 1", false, false, NULL },           { "a%00b", false, false, NULL }, /* would cut C strings */
    { "%%41", false, false, NULL },          { "%2541", false, true, "%41" }, /* decoded once, not until it is done */
    { "m_AbC-_=", false, true, "m_AbC-_=" }, { "at%3A%2F%2Fdid", false, true, "at://did" },
};

START_TEST(percent_escapes_are_decoded)
{
    struct arena a = { 0 };
    struct str   out;

    ck_assert_int_eq(http_decode(str_of(decodings[_i].in), decodings[_i].form, &a, &out), decodings[_i].ok);
    if (decodings[_i].ok)
        ck_assert_text(out, decodings[_i].out);
    arena_deinit(&a);
}
END_TEST

START_TEST(what_needs_no_decoding_is_not_copied)
{
    struct arena a = { 0 };
    const char  *in = "a+b";
    struct str   out;

    ck_assert(http_decode(str_of(in), false, &a, &out));
    ck_assert_ptr_eq(out.ptr, in);
    ck_assert_ptr_null(a.blocks);
}
END_TEST

START_TEST(a_form_is_walked_field_by_field)
{
    struct arena a = { 0 };
    struct str   form = STR("&a=1&b=x+y%26z&&flag&=empty&c=&d=1=2&"), name, value;
    size_t       at = 0;
    bool         bad;
    static const char *const expected[][2] = {
        { "a", "1" }, { "b", "x y&z" }, { "flag", "" }, { "", "empty" }, { "c", "" }, { "d", "1=2" }
    };

    for (size_t i = 0; i < COUNT(expected); i++) {
        ck_assert(http_form_next(form, &at, &a, &name, &value, &bad));
        ck_assert_text(name, expected[i][0]);
        ck_assert_text(value, expected[i][1]);
    }
    ck_assert(!http_form_next(form, &at, &a, &name, &value, &bad));
    ck_assert(!bad);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_bad_escape_ends_the_walk)
{
    struct arena a = { 0 };
    struct str   form = STR("a=1&b=%zz&c=3"), name, value;
    size_t       at = 0;
    bool         bad;

    ck_assert(http_form_next(form, &at, &a, &name, &value, &bad));
    ck_assert(!http_form_next(form, &at, &a, &name, &value, &bad));
    ck_assert(bad);
    ck_assert(!http_form_next(STR("%zz"), &(size_t){ 0 }, &a, &name, &value, &bad));
    ck_assert(bad);
    arena_deinit(&a);
}
END_TEST

START_TEST(the_last_value_of_a_query_parameter_wins)
{
    struct arena        a = { 0 };
    struct http_request r = { .query = STR("page=1&q=a+b%2B&page=2&x=%zz&e=") };

    ck_assert_text(http_query_get(&r, STR("page"), &a), "2");
    ck_assert_text(http_query_get(&r, STR("q"), &a), "a b+");
    ck_assert_text(http_query_get(&r, STR("e"), &a), "");
    ck_assert(str_is_none(http_query_get(&r, STR("x"), &a)));
    ck_assert(str_is_none(http_query_get(&r, STR("pag"), &a)));
    r.query = STR_NONE;
    ck_assert(str_is_none(http_query_get(&r, STR("page"), &a)));
    arena_deinit(&a);
}
END_TEST

static TCase *
forms(void)
{
    TCase *c = tcase_create("forms");

    tcase_add_loop_test(c, percent_escapes_are_decoded, 0, COUNT(decodings));
    tcase_add_test(c, what_needs_no_decoding_is_not_copied);
    tcase_add_test(c, a_form_is_walked_field_by_field);
    tcase_add_test(c, a_bad_escape_ends_the_walk);
    tcase_add_test(c, the_last_value_of_a_query_parameter_wins);
    return c;
}

TEST_CASES("form", forms)
