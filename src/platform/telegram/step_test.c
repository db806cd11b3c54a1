/* Operations in, calls out: the talks are in testdata/talks/, see platform/golden.h. Here is what counts
 * byte by byte, and what is not one talk but many. */
#include <stdio.h>

#include "base/testing.h"
#include "json/json.h"
#include "platform/golden.h"

#define TALKS "src/platform/telegram/testdata/talks"

static char **paths;

static const struct account bot = {
    .id = 1,
    .external_id = { "123456789", 9 },
    .token = { "123456789:made-up-token-for-tests", 33 },
    .webhook_secret = { "s3cret_for-hooks", 16 },
};

static const struct platform_env env = {
    .telegram_url = { "https://api.telegram.org/", 25 },
    .poll_seconds = 25,
};

static struct op
new_op(struct arena *a, enum op_kind kind)
{
    return (struct op){ .kind = kind, .arena = a, .env = &env, .account = bot, .participant_id = STR("7001234567") };
}

START_TEST(each_talk_goes_as_it_is_written)
{
    golden_check_talks(&telegram, &bot, &env, paths[_i]);
}
END_TEST

/* Clients sign and compare what they send, so their keyboard is not ours to write anew. */
START_TEST(a_keyboard_passes_byte_for_byte)
{
    const struct str markup = STR("{\"inline_keyboard\" : [[ {\"text\":\"\\u00e9\\/\", \"callback_data\":\"1\"} ]],"
        " \"x\":1.50}");
    struct arena   a;
    struct op      op;
    struct op_step step;

    arena_init(&a);
    op = new_op(&a, OP_SEND);
    op.body = STR("x");
    op.reply_markup = markup;
    telegram.step(&op, NULL, &step);
    ck_assert(str_find(step.call.body, markup) > 0);
    op.has_file = true;
    op.file.path = STR("/data/x");
    telegram.step(&op, NULL, &step);
    ck_assert_uint_eq(step.call.part_count, 4);
    ck_assert(str_eq(step.call.parts[2].value, markup));
    op = new_op(&a, OP_EDIT);
    op.message_id = STR("62");
    op.has_markup = true;
    op.reply_markup = markup;
    telegram.step(&op, NULL, &step);
    ck_assert(str_find(step.call.body, markup) > 0);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_text_leaves_to_the_last_byte)
{
    struct arena   a;
    struct op      op;
    struct op_step step;
    struct error   err;
    yyjson_val    *body;
    char           text[4096 * 4];

    for (size_t i = 0; i < sizeof(text); i += 4)
        memcpy(text + i, "\xF0\x9F\x98\x80", 4);
    memcpy(text, "\"\\\n\t", 4);
    arena_init(&a);
    op = new_op(&a, OP_SEND);
    op.body = (struct str){ text, sizeof(text) };
    telegram.step(&op, NULL, &step);
    ck_assert(json_parse(&a, step.call.body, 4, &body, &err));
    ck_assert(str_eq(json_str(body, "text"), op.body));
    arena_deinit(&a);
}
END_TEST

START_TEST(what_no_request_can_hold_is_refused_here)
{
    struct arena   a;
    struct op      op;
    struct op_step step;
    char          *big;

    arena_init(&a);
    big = arena_bytes(&a, MIB);
    memset(big, 'x', MIB);
    op = new_op(&a, OP_SEND);
    op.body = (struct str){ big, MIB };
    telegram.step(&op, NULL, &step);
    ck_assert_int_eq(step.verdict, OP_FAIL);
    ck_assert_int_eq(step.code, 413);
    arena_deinit(&a);
}
END_TEST

/* Telegram refuses some files in the form they are sent in, and takes them as documents; other refusals stand. */
START_TEST(only_what_is_about_its_form_goes_as_a_document)
{
    const struct net_response about_form = { .status = 400,
        .body = STR("{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: PHOTO_INVALID_DIMENSIONS\"}") };
    const struct net_response other = { .status = 400,
        .body = STR("{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: chat not found\"}") };
    struct arena   a;
    struct op      op;
    struct op_step step;

    arena_init(&a);
    op = new_op(&a, OP_SEND);
    op.has_file = true;
    op.file = (struct op_file){ .path = STR("/data/x"), .size = 5, .content_type = STR("image/png") };
    telegram.step(&op, NULL, &step);
    ck_assert(str_ends(step.call.url, STR("/sendPhoto")));
    telegram.step(&op, &about_form, &step);
    ck_assert_int_eq(step.verdict, OP_CALL);
    ck_assert(str_ends(step.call.url, STR("/sendDocument")));
    op.stage = 0;
    telegram.step(&op, NULL, &step);
    telegram.step(&op, &other, &step);
    ck_assert_int_eq(step.verdict, OP_FAIL);
    ck_assert(str_find(step.reason, STR("chat not found")) >= 0);
    arena_deinit(&a);
}
END_TEST

static int64_t
poll_timeout(struct arena *a, int64_t poll_seconds, int64_t *total_ms)
{
    struct platform_env other = env;
    struct op           op = new_op(a, OP_POLL);
    struct op_step      step;
    struct error        err;
    yyjson_val         *body;

    other.poll_seconds = poll_seconds;
    op.env = &other;
    telegram.step(&op, NULL, &step);
    ck_assert(json_parse(a, step.call.body, 4, &body, &err));
    *total_ms = step.call.total_ms;
    return json_int(body, "timeout", -1);
}

START_TEST(a_poll_waits_no_longer_than_telegram_does)
{
    struct arena a;
    int64_t      total_ms;

    arena_init(&a);
    ck_assert_int_eq(poll_timeout(&a, 0, &total_ms), 0);
    ck_assert_int_eq(total_ms, 15000);
    ck_assert_int_eq(poll_timeout(&a, 50, &total_ms), 50);
    ck_assert_int_eq(poll_timeout(&a, 3600, &total_ms), 50);
    ck_assert_int_eq(total_ms, 65000);
    ck_assert_int_eq(poll_timeout(&a, -1, &total_ms), 0);
    arena_deinit(&a);
}
END_TEST

/* Half of a pair of surrogates: no JSON, but an answer, and one that would come again. */
START_TEST(updates_that_cannot_be_parsed_are_handed_on)
{
    static const char broken[] = "{\"ok\":true,\"result\":[{\"update_id\":7,\"message\":{\"text\":\"\\ud83d\"}}]}";
    struct arena        a;
    struct net_response answer = { .status = 200, .body = str_of(broken) };
    struct op           op;
    struct op_step      step;

    arena_init(&a);
    op = new_op(&a, OP_POLL);
    telegram.step(&op, NULL, &step);
    telegram.step(&op, &answer, &step);
    ck_assert_int_eq(step.verdict, OP_DONE);
    ck_assert(str_eq(op.poll_body, answer.body));
    arena_deinit(&a);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("talks");

    tcase_add_loop_test(c, each_talk_goes_as_it_is_written, 0, (int)golden_files(TALKS, ".json", &paths));
    return c;
}

static TCase *
closer(void)
{
    TCase *c = tcase_create("closer");

    tcase_add_test(c, a_keyboard_passes_byte_for_byte);
    tcase_add_test(c, a_text_leaves_to_the_last_byte);
    tcase_add_test(c, what_no_request_can_hold_is_refused_here);
    tcase_add_test(c, only_what_is_about_its_form_goes_as_a_document);
    tcase_add_test(c, a_poll_waits_no_longer_than_telegram_does);
    tcase_add_test(c, updates_that_cannot_be_parsed_are_handed_on);
    return c;
}

TEST_CASES("telegram operations", files, closer)
