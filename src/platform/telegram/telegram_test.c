/* Who may call the webhook, and what a draft may hold. */
#include <stdio.h>

#include "base/testing.h"
#include "json/json.h"
#include "platform/telegram/telegram.h"

START_TEST(only_the_secret_opens_the_webhook)
{
    static const struct {
        const char *secret, *name, *value;
        bool        expected;
    } tries[] = {
        { "s3cret_for-hooks", "X-Telegram-Bot-Api-Secret-Token", "s3cret_for-hooks", true },
        { "s3cret_for-hooks", "x-telegram-bot-api-secret-token", "s3cret_for-hooks", true },
        { "s3cret_for-hooks", "X-Telegram-Bot-Api-Secret-Token", "S3cret_for-hooks", false },
        { "s3cret_for-hooks", "X-Telegram-Bot-Api-Secret-Token", "s3cret_for-hook", false },
        { "s3cret_for-hooks", "X-Telegram-Bot-Api-Secret-Token", "s3cret_for-hooks2", false },
        { "s3cret_for-hooks", "X-Telegram-Bot-Api-Secret-Token", "", false },
        { "s3cret_for-hooks", "X-Another-Header", "s3cret_for-hooks", false },
        { "", "X-Telegram-Bot-Api-Secret-Token", "", false },
        { "", "X-Another-Header", "", false },
        { NULL, "X-Telegram-Bot-Api-Secret-Token", "", false },
        { NULL, "X-Telegram-Bot-Api-Secret-Token", "s3cret_for-hooks", false },
    };

    for (size_t i = 0; i < COUNT(tries); i++) {
        struct account    account = { .webhook_secret = str_of(tries[i].secret) };
        struct net_header headers[2] = {
            { STR("Content-Type"), STR("application/json") },
            { str_of(tries[i].name), str_of(tries[i].value) },
        };

        ck_assert_msg(telegram.verify(&account, headers, 2, STR("{}")) == tries[i].expected, "try %zu", i);
        ck_assert(!telegram.verify(&account, headers, 1, STR("{}")));
        ck_assert(!telegram.verify(&account, NULL, 0, STR("{}")));
    }
}
END_TEST

static bool
markup_fits(struct arena *a, struct str text, struct error *err)
{
    yyjson_val *markup;

    ck_assert(json_parse(a, text, JSON_DEPTH_MAX, &markup, err));
    return telegram.check_markup(markup, err);
}

START_TEST(a_keyboard_is_refused_only_when_it_cannot_go_through)
{
    struct arena a;
    struct error err = { 0 };
    struct str   padding, quoted;

    arena_init(&a);
    ck_assert(markup_fits(&a, STR("{}"), &err));
    ck_assert(markup_fits(&a, STR("{\"inline_keyboard\":null}"), &err)); /* wrong, and Telegram says so best */
    ck_assert(!markup_fits(&a, STR("[]"), &err));
    ck_assert_int_eq(err.status, 422);
    padding = (struct str){ arena_alloc(&a, 1000000), 1000000 };
    memset((char *)padding.ptr, 'x', padding.len);
    quoted = arena_printf(&a, "{\"x\":\"%.*s\"}", STR_ARG(padding));
    ck_assert(!markup_fits(&a, quoted, &err));
    ck_assert_int_eq(err.status, 422);
    quoted = arena_printf(&a, "{\"x\":\"%.*s\"}", 900000, padding.ptr);
    ck_assert(markup_fits(&a, quoted, &err));
    arena_deinit(&a);
}
END_TEST

START_TEST(a_file_is_neither_empty_nor_too_large)
{
    struct error   err = { 0 };
    struct op_file file = { .size = 1 };

    ck_assert(telegram.check_file(&file, &err));
    file.size = 50000000;
    ck_assert(telegram.check_file(&file, &err));
    file.size = 50000001;
    ck_assert(!telegram.check_file(&file, &err));
    ck_assert_int_eq(err.status, 422);
    ck_assert_str_eq(err.message, "Telegram takes files of up to 50000000 bytes from a bot; this one has 50000001");
    file.size = 0;
    ck_assert(!telegram.check_file(&file, &err));
    ck_assert_str_eq(err.message, "Telegram takes no empty files");
}
END_TEST

START_TEST(platforms_are_found_by_their_name)
{
    ck_assert_ptr_eq(platform_find(STR("telegram")), &telegram);
    ck_assert_ptr_null(platform_find(STR("Telegram")));
    ck_assert_ptr_null(platform_find(STR("tele")));
    ck_assert_ptr_null(platform_find(STR_NONE));
    ck_assert_ptr_eq(platform_find(STR("facebook")), &facebook);
    ck_assert_ptr_eq(platform_find(STR("instagram")), &instagram);
    ck_assert_ptr_eq(platform_find(STR("bluesky")), &bluesky);
}
END_TEST

TESTS("telegram", only_the_secret_opens_the_webhook, a_keyboard_is_refused_only_when_it_cannot_go_through,
    a_file_is_neither_empty_nor_too_large, platforms_are_found_by_their_name)
