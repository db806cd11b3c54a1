#include "sandbox/telegram/answer.h"

#include "base/testing.h"

static const struct {
    const char *json, *ascii;
} texts[] = {
    { "", "" },
    { "{\"a\":\"b\\n\"}", "{\"a\":\"b\\n\"}" },
    { "\"\xC3\xA9\"", "\"\\u00e9\"" },
    { "\"\xE2\x82\xAC\"", "\"\\u20ac\"" },
    { "\"\xF0\x9F\x98\x80x\"", "\"\\ud83d\\ude00x\"" },
    { "\"\xF4\x8F\xBF\xBF\"", "\"\\udbff\\udfff\"" },
    { "\xC3\xA9\xC3\xA9", "\\u00e9\\u00e9" },
    { "\"\xFFz\"", "\"\\ufffdz\"" }, /* cannot come from our writer, but must not run wild */
};

START_TEST(json_becomes_ascii)
{
    struct buf b;

    buf_init(&b, KIB);
    buf_append(&b, str_of(texts[_i].json));
    tg_make_ascii(&b);
    ck_assert_msg(str_eq(buf_str(&b), str_of(texts[_i].ascii)), "%.*s", STR_ARG(buf_str(&b)));
    buf_deinit(&b);
}
END_TEST

static const struct {
    struct error err;
    const char  *body;
} errors[] = {
    { { 400, 0, "Message text is empty" },
        "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: message text is empty\"}" },
    { { 400, 0, "MESSAGE_TOO_LONG" },
        "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: MESSAGE_TOO_LONG\"}" },
    { { 400, 0, "X_Y" }, "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: X_Y\"}" },
    { { 401, 0, "" }, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}" },
    { { 403, 0, "bot was blocked by the user" },
        "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was blocked by the user\"}" },
    { { 500, 0, "restart" }, "{\"ok\":false,\"error_code\":500,\"description\":\"Internal Server Error: restart\"}" },
    { { 502, 0, "" }, "{\"ok\":false,\"error_code\":502,\"description\":\"Bad Gateway\"}" },
    { { 429, 1001, "" },
        "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after 2\","
        "\"parameters\":{\"retry_after\":2}}" },
};

START_TEST(an_error_is_worded_as_the_real_server_words_it)
{
    struct http_exchange x = { .reply.file = -1 };

    arena_init(&x.arena);
    buf_init(&x.reply.body, KIB);
    tg_set_error(&x, &errors[_i].err);
    ck_assert_int_eq(x.reply.status, errors[_i].err.status);
    ck_assert_msg(str_eq(buf_str(&x.reply.body), str_of(errors[_i].body)), "%.*s", STR_ARG(buf_str(&x.reply.body)));
    ck_assert_uint_eq(x.reply.header_count, errors[_i].err.status == 429 ? 2 : 1);
    if (errors[_i].err.status == 429)
        ck_assert(str_eq(x.reply.headers[1].name, STR("Retry-After")) && str_eq(x.reply.headers[1].value, STR("2")));
    buf_deinit(&x.reply.body);
    arena_deinit(&x.arena);
}
END_TEST

static TCase *
wire(void)
{
    TCase *c = tcase_create("wire");

    tcase_add_loop_test(c, json_becomes_ascii, 0, COUNT(texts));
    tcase_add_loop_test(c, an_error_is_worded_as_the_real_server_words_it, 0, COUNT(errors));
    return c;
}

TEST_CASES("answer", wire)
