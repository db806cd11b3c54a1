#include "sandbox/telegram/params.h"

#include "base/testing.h"

static struct arena     arena;
static struct tg_params params;

static void
tear_down(void)
{
    params = (struct tg_params){ .items = NULL };
    arena_deinit(&arena);
}

/* All parameters as "name=value;", with a ! behind those that were JSON values. */
static const char *
listed(void)
{
    struct str all = STR("");

    for (size_t i = 0; i < params.count; i++)
        all = arena_printf(&arena, "%.*s%.*s=%.*s%s;", STR_ARG(all), STR_ARG(params.items[i].name),
            STR_ARG(params.items[i].value), params.items[i].is_json ? "!" : "");
    return all.len > 0 ? all.ptr : "";
}

static const struct {
    const char *body, *params;
} bodies[] = {
    { "{}", "" },
    { " { \"a\" : \"b\" , \"c\" : 1 } ", "a=b;c=1!;" },
    { "{\"a\":\"x\\\"y\\u00e9\\n\"}", "a=x\"y\xC3\xA9\n;" },
    { "{\"a\":{\"b\":[1,\"}\"]},\"c\":[ ]}", "a={\"b\":[1,\"}\"]}!;c=[ ]!;" },
    { "{\"a\":null,\"b\":true,\"c\":-1.5e3}", "a=null!;b=true!;c=-1.5e3!;" },
    { "{\"a\":1,\"a\":2}", "a=1!;a=2!;" },
    /* what was read before a mistake is kept */
    { "{\"a\":1,\"b\":}", "a=1!;" },
    { "{\"a\":1,\"b\":nul}", "a=1!;" },
    { "{\"a\":1,\"b\":{\"c\":},\"d\":4}", "a=1!;" },
    { "{\"a\":1,\"b\":{\"c\":1", "a=1!;" },
    { "{\"a\":1,\"b\":\"open", "a=1!;" },
    { "{\"a\":1,\"b\":\"\\ud800\"}", "a=1!;" },
    { "{\"a\":1 \"b\":2}", "a=1!;" },
    { "{\"a\":1,}", "a=1!;" },
    { "{\"a\":1", "a=1!;" },
    { "{\"a\"", "" },
    { "{\"a", "" },
    { "{a:1}", "" },
    { "[1]", "" },
    { "", "" },
    { "{", "" },
    { "\"{", "" },
    { "{\"a\":1}garbage", "a=1!;" },
    { "{\"\\", "" },
};

START_TEST(a_json_body_is_read_as_far_as_it_goes)
{
    tg_params_read_json(&params, str_of(bodies[_i].body), &arena);
    ck_assert_str_eq(listed(), bodies[_i].params);
}
END_TEST

START_TEST(no_cut_of_a_body_is_read_beyond_its_end)
{
    struct str body = STR("{\"a\":\"\\u00e9\\\\\",\"b\":{\"c\":[true,{\"d\":\"}\"}]},\"e\":-12.5e1,\"f\":null}");

    for (size_t len = 0; len <= body.len; len++) {
        char *exact = malloc(len + 1); /* one more, or ASan has nothing to guard at length 0 */

        memcpy(exact + 1, body.ptr, len);
        params = (struct tg_params){ .items = NULL };
        tg_params_read_json(&params, (struct str){ exact + 1, len }, &arena);
        ck_assert_uint_le(params.count, 4);
        free(exact);
    }
    ck_assert_uint_eq(params.count, 4);
}
END_TEST

START_TEST(the_first_of_several_counts)
{
    tg_params_read_form(&params, STR("a=1&b=x+y%21&a=2&c"), &arena);
    ck_assert_str_eq(listed(), "a=1;b=x y!;a=2;c=;");
    ck_assert(str_eq(tg_params_text(&params, "a"), STR("1")));
    ck_assert(tg_params_has(&params, "c"));
    ck_assert(!tg_params_has(&params, "d"));
    ck_assert(str_eq(tg_params_text(&params, "d"), STR("")));
}
END_TEST

START_TEST(there_is_a_limit_to_their_number)
{
    struct buf form;

    buf_init(&form, MIB);
    for (int i = 0; i < 3000; i++)
        buf_printf(&form, "p%d=%d&", i, i);
    tg_params_read_form(&params, buf_str(&form), &arena);
    ck_assert_uint_eq(params.count, 1000);
    ck_assert_int_eq(tg_params_int(&params, "p999", 0, 0, 5000), 999);
    ck_assert(!tg_params_has(&params, "p1000"));
    buf_deinit(&form);
}
END_TEST

static const struct {
    const char *text;
    int64_t     number; /* within -100..100, and 7 where the text is no answer at all */
    bool        truth;
} values[] = {
    { "1", 1, true },    { "0", 0, false },       { "true", 0, true }, { "Yes", 0, true },  { " TRUE ", 0, true },
    { "", 7, false },    { "12abc", 12, false },  { "abc", 0, false }, { "-5", -5, false }, { "--5", 0, false },
    { "1e3", 1, false }, { "false", 0, false },   { "99999999999999999999999", 100, false }, { "-99999", -100, false },
};

START_TEST(numbers_and_booleans_are_what_can_be_made_of_the_text)
{
    struct tg_param  one = { .name = STR("p"), .value = str_of(values[_i].text) };
    struct tg_params p = { .items = &one, .count = 1 };

    ck_assert_int_eq(tg_params_int(&p, "p", 7, -100, 100), values[_i].number);
    ck_assert_int_eq(tg_params_true(&p, "p"), values[_i].truth);
    ck_assert_int_eq(tg_params_int(&p, "absent", 7, -100, 100), 7);
}
END_TEST

static TCase *
reading(void)
{
    TCase *c = tcase_create("reading");

    tcase_add_checked_fixture(c, NULL, tear_down);
    tcase_add_loop_test(c, a_json_body_is_read_as_far_as_it_goes, 0, COUNT(bodies));
    tcase_add_test(c, no_cut_of_a_body_is_read_beyond_its_end);
    tcase_add_test(c, the_first_of_several_counts);
    tcase_add_test(c, there_is_a_limit_to_their_number);
    tcase_add_loop_test(c, numbers_and_booleans_are_what_can_be_made_of_the_text, 0,
        COUNT(values));
    return c;
}

TEST_CASES("params", reading)
