/* Updates in, events out: the table is testdata/updates/, see platform/golden.h. What such files cannot
 * show stands here: bytes, sizes and order. */
#include <stdio.h>

#include "base/testing.h"
#include "json/json.h"
#include "platform/golden.h"

#define UPDATES "src/platform/telegram/testdata/updates"

static char **paths;

static const struct account bot = {
    .id = 1,
    .external_id = { "123456789", 9 },
    .token = { "123456789:made-up-token-for-tests", 33 },
};

static struct str
update_with_text(struct arena *a, int64_t update_id, struct str json_text)
{
    return arena_printf(a,
        "{\"update_id\":%lld,\"message\":{\"message_id\":52,"
        "\"from\":{\"id\":7,\"is_bot\":false,\"first_name\":\"Mina\"},"
        "\"chat\":{\"id\":7,\"first_name\":\"Mina\",\"type\":\"private\"},\"date\":1789900000,\"text\":\"%.*s\"}}",
        (long long)update_id, STR_ARG(json_text));
}

static struct str
repeated(struct arena *a, const char *text, size_t n)
{
    size_t len = strlen(text);
    char  *out = arena_bytes(a, len * n);

    for (size_t i = 0; i < n; i++)
        memcpy(out + i * len, text, len);
    return (struct str){ out, len * n };
}

START_TEST(each_payload_gives_its_events)
{
    golden_check_updates(&telegram, &bot, paths[_i]);
}
END_TEST

/* Telegram escapes everything that is not ASCII, beyond the 16th bit as two halves. */
START_TEST(a_text_arrives_to_the_last_byte)
{
    struct arena         a;
    struct inbound_batch batch;

    arena_init(&a);
    telegram.parse(&a, &bot, update_with_text(&a, 1, repeated(&a, "\\ud83d\\ude00", 4096)), &batch);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert(str_eq(batch.events[0].body, repeated(&a, "\xF0\x9F\x98\x80", 4096)));
    telegram.parse(&a, &bot, update_with_text(&a, 2, STR("\xF0\x9F\x98\x80 \\/ \\u0416\\n\\\"")), &batch);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert(str_eq(batch.events[0].body, STR("\xF0\x9F\x98\x80 / \xD0\x96\n\"")));
    arena_deinit(&a);
}
END_TEST

START_TEST(a_payload_cut_anywhere_is_no_event)
{
    struct arena         a;
    struct inbound_batch batch;
    struct str           whole;

    arena_init(&a);
    whole = update_with_text(&a, 1, STR("hello"));
    for (size_t n = 0; n < whole.len; n++) {
        telegram.parse(&a, &bot, str_slice(whole, 0, n), &batch);
        ck_assert(batch.not_understood);
        ck_assert_uint_eq(batch.count, 0);
    }
    arena_deinit(&a);
}
END_TEST

static struct str
poll_answer(struct arena *a, struct str first, struct str second, struct str third)
{
    return arena_printf(a, "{\"ok\":true,\"result\":[%.*s,%.*s,%.*s]}",
        STR_ARG(first), STR_ARG(second), STR_ARG(third));
}

/* Half of a pair of surrogates makes the whole answer unreadable. */
START_TEST(an_unreadable_poll_does_not_come_again_for_ever)
{
    struct arena         a;
    struct inbound_batch batch;

    arena_init(&a);
    telegram.parse_poll(&a, &bot, poll_answer(&a, update_with_text(&a, 41, STR("hello")),
        update_with_text(&a, 42, STR("\\ud83d")), update_with_text(&a, 43, STR("\\\"update_id\\\":99"))), &batch);
    ck_assert(batch.not_understood);
    ck_assert_uint_eq(batch.count, 0);
    ck_assert(str_eq(batch.cursor, STR("44")));
    arena_deinit(&a);
}
END_TEST

START_TEST(a_poll_without_updates_leaves_the_cursor_alone)
{
    struct arena         a;
    struct inbound_batch batch;

    arena_init(&a);
    telegram.parse_poll(&a, &bot, STR("{\"ok\":true,\"result\":[]}"), &batch);
    ck_assert(!batch.not_understood);
    ck_assert(str_is_none(batch.cursor));
    telegram.parse_poll(&a, &bot, STR("<html>"), &batch);
    ck_assert(batch.not_understood);
    ck_assert(str_is_none(batch.cursor));
    arena_deinit(&a);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("updates");

    tcase_add_loop_test(c, each_payload_gives_its_events, 0, (int)golden_files(UPDATES, ".events.json", &paths));
    return c;
}

static TCase *
closer(void)
{
    TCase *c = tcase_create("closer");

    tcase_add_test(c, a_text_arrives_to_the_last_byte);
    tcase_add_test(c, a_payload_cut_anywhere_is_no_event);
    tcase_add_test(c, an_unreadable_poll_does_not_come_again_for_ever);
    tcase_add_test(c, a_poll_without_updates_leaves_the_cursor_alone);
    return c;
}

TEST_CASES("telegram updates", files, closer)
