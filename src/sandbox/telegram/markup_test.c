#include "sandbox/telegram/markup.h"

#include "base/testing.h"

static struct arena arena;

static void
tear_down(void)
{
    arena_deinit(&arena);
}

static bool
read_markup(const char *json, struct tg_markup *out, struct error *err)
{
    struct tg_param  one = { .name = STR("reply_markup"), .value = str_of(json) };
    struct tg_params p = { .items = &one, .count = 1 };

    return tg_markup_read(&p, &arena, out, err);
}

#define BUTTON(members) "{\"inline_keyboard\":[[{" members "}]]}"

static const struct {
    const char         *json;
    enum tg_markup_kind kind;
    const char         *shown; /* NULL = as it came */
} good[] = {
    { "", MARKUP_NONE, NULL },
    { "{}", MARKUP_NONE, NULL },
    { "{\"keyboard\":[]}", MARKUP_NONE, NULL },
    { "{\"inline_keyboard\":[]}", MARKUP_NONE, NULL },
    { "{\"inline_keyboard\":[[],[]]}", MARKUP_NONE, NULL },
    { "{\"remove_keyboard\":false}", MARKUP_NONE, NULL },
    { "{\"remove_keyboard\":true}", MARKUP_REMOVE, NULL },
    { "{\"hide_keyboard\":true}", MARKUP_REMOVE, NULL },
    { "{\"force_reply\":true,\"input_field_placeholder\":\"x\"}", MARKUP_FORCE_REPLY, NULL },
    { "{\"keyboard\":[[\"a\",{\"text\":\"b\",\"request_contact\":true}]]}", MARKUP_KEYBOARD, NULL },
    { BUTTON("\"text\":\"a\",\"callback_data\":\"b\""), MARKUP_INLINE, NULL },
    { BUTTON("\"text\":1,\"callback_data\":2"), MARKUP_INLINE, BUTTON("\"text\":\"1\",\"callback_data\":\"2\"") },
    { BUTTON("\"text\":\"a\",\"url\":\"a.example\""), MARKUP_INLINE,
        BUTTON("\"text\":\"a\",\"url\":\"http://a.example/\"") },
    { BUTTON("\"text\":\"a\",\"url\":\"https://a.example/b?c\""), MARKUP_INLINE, NULL },
    { BUTTON("\"text\":\"a\",\"url\":\"https://a.example?c\""), MARKUP_INLINE,
        BUTTON("\"text\":\"a\",\"url\":\"https://a.example/?c\"") },
    { BUTTON("\"text\":\"a\",\"url\":\"tg://user?id=1\""), MARKUP_INLINE, NULL },
    { BUTTON("\"text\":\"a\",\"copy_text\":{\"text\":\"x\"}"), MARKUP_INLINE, NULL },
    { BUTTON("\"text\":\"a\",\"switch_inline_query\":\"\""), MARKUP_INLINE, NULL },
    { BUTTON("\"text\":\"a\",\"callback_data\":\"b\",\"style\":\"danger\",\"unknown\":1"), MARKUP_INLINE,
        BUTTON("\"text\":\"a\",\"callback_data\":\"b\",\"style\":\"danger\"") },
    { "{\"inline_keyboard\":[[],[{\"text\":\"a\",\"callback_data\":\"b\"}]]}", MARKUP_INLINE,
        BUTTON("\"text\":\"a\",\"callback_data\":\"b\"") },
    /* several keys: keyboard before inline_keyboard before remove_keyboard before force_reply */
    { "{\"force_reply\":true,\"remove_keyboard\":true}", MARKUP_REMOVE, NULL },
    { "{\"remove_keyboard\":true,\"inline_keyboard\":[[{\"text\":\"a\",\"callback_data\":\"b\"}]]}", MARKUP_INLINE,
        BUTTON("\"text\":\"a\",\"callback_data\":\"b\"") },
    { "{\"keyboard\":[[\"a\"]],\"inline_keyboard\":[[{\"text\":\"a\",\"callback_data\":\"b\"}]]}", MARKUP_KEYBOARD,
        NULL },
};

START_TEST(a_markup_is_taken_and_shown)
{
    struct tg_markup m;
    struct error     err = { 0 };
    const char      *shown = good[_i].shown ? good[_i].shown : good[_i].json;

    ck_assert_msg(read_markup(good[_i].json, &m, &err), "%s", err.message);
    ck_assert_msg(tg_markup_check(&m, &err), "%s", err.message);
    ck_assert_int_eq(m.kind, good[_i].kind);
    if (m.kind == MARKUP_NONE)
        ck_assert(str_is_none(m.json));
    else
        ck_assert_msg(str_eq(m.json, str_of(shown)), "%.*s", STR_ARG(m.json));
}
END_TEST

static const struct {
    const char *json, *description;
} bad[] = {
    { "nonsense", "Can't parse reply keyboard markup JSON object" },
    { "null", "Object expected as reply markup" },
    { "{\"keyboard\":null}", "Field \"keyboard\" must be of type Array" },
    { "{\"keyboard\":[\"a\"]}", "Field \"keyboard\" must be an Array of Arrays" },
    { "{\"keyboard\":[[{}]]}", "Can't parse keyboard button: Can't find field \"text\"" },
    { "{\"keyboard\":[[{\"text\":\"a\",\"request_contact\":1}]]}",
        "Can't parse keyboard button: Field \"request_contact\" must be of type Boolean" },
    { "{\"inline_keyboard\":{}}", "Field \"inline_keyboard\" must be of type Array" },
    { BUTTON(""), "Can't parse inline keyboard button: Can't find field \"text\"" },
    { BUTTON("\"text\":[]"), "Can't parse inline keyboard button: Field \"text\" must be of type String" },
    { BUTTON("\"text\":\"a\",\"url\":\"\""),
        "Can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard" },
    { BUTTON("\"text\":\"a\",\"web_app\":\"x\""),
        "Can't parse inline keyboard button: Field \"web_app\" must be of type Object" },
    { BUTTON("\"text\":\"a\",\"switch_inline_query\":null"),
        "Can't parse inline keyboard button: Field \"switch_inline_query\" must be of type String" },
    { "{\"force_reply\":\"true\"}", "Field \"force_reply\" must be of type Boolean" },
};

START_TEST(a_wrong_markup_is_told_in_the_real_words)
{
    struct tg_markup m;
    struct error     err = { 0 };

    ck_assert(!read_markup(bad[_i].json, &m, &err));
    ck_assert_int_eq(err.status, 400);
    ck_assert_str_eq(err.message, bad[_i].description);
}
END_TEST

static const struct {
    const char *json, *description;
} refused[] = {
    { BUTTON("\"text\":\"a\",\"url\":\"http://localhost:80/\""),
        "Inline keyboard button URL 'http://localhost:80/' is invalid: Wrong HTTP URL" },
    { BUTTON("\"text\":\"a\",\"url\":\"https://\""),
        "Inline keyboard button URL 'https://' is invalid: Wrong HTTP URL" },
    { BUTTON("\"text\":\"a\",\"url\":\"https://a .example\""),
        "Inline keyboard button URL 'https://a .example' is invalid: Wrong HTTP URL" },
    { BUTTON("\"text\":\"a\",\"url\":\"javascript://x.y\""),
        "Inline keyboard button URL 'javascript://x.y' is invalid: Unsupported URL protocol" },
    { BUTTON("\"text\":\"a\",\"callback_data\":"
             "\"0123456789012345678901234567890123456789012345678901234567890123\xC3\xA9\""),
        "BUTTON_DATA_INVALID" },
};

START_TEST(what_only_the_servers_behind_refuse_is_refused_later)
{
    struct tg_markup m;
    struct error     err = { 0 };

    ck_assert_msg(read_markup(refused[_i].json, &m, &err), "%s", err.message);
    ck_assert(!tg_markup_check(&m, &err));
    ck_assert_str_eq(err.message, refused[_i].description);
}
END_TEST

START_TEST(too_many_buttons_are_cut_silently)
{
    struct buf       b;
    struct tg_markup m;
    struct error     err = { 0 };
    yyjson_val      *shown;
    size_t           total = 0;

    buf_init(&b, MIB);
    buf_append(&b, STR("{\"inline_keyboard\":["));
    for (int row = 0; row < 40; row++) {
        buf_append(&b, row > 0 ? STR(",[") : STR("["));
        for (int i = 0; i < 14; i++)
            buf_printf(&b, "%s{\"text\":\"\",\"pay\":true}", i > 0 ? "," : "");
        buf_append_char(&b, ']');
    }
    buf_append(&b, STR("]}"));
    ck_assert(read_markup(arena_copy(&arena, buf_str(&b)).ptr, &m, &err));
    ck_assert(json_parse(&arena, m.json, 8, &shown, &err));
    shown = json_arr(shown, "inline_keyboard");
    for (size_t i = 0; i < yyjson_arr_size(shown); i++) {
        ck_assert_uint_eq(yyjson_arr_size(yyjson_arr_get(shown, i)), 12);
        total += 12;
    }
    ck_assert_uint_eq(total, 300);
    buf_deinit(&b);
}
END_TEST

static TCase *
markups(void)
{
    TCase *c = tcase_create("markups");

    tcase_add_checked_fixture(c, NULL, tear_down);
    tcase_add_loop_test(c, a_markup_is_taken_and_shown, 0, COUNT(good));
    tcase_add_loop_test(c, a_wrong_markup_is_told_in_the_real_words, 0, COUNT(bad));
    tcase_add_loop_test(c, what_only_the_servers_behind_refuse_is_refused_later, 0,
        COUNT(refused));
    tcase_add_test(c, too_many_buttons_are_cut_silently);
    return c;
}

TEST_CASES("markup", markups)
