/* What answers mean: one table for the operation where it matters most, a send, and one for what differs elsewhere. */
#include <stdio.h>

#include "base/testing.h"
#include "json/json.h"
#include "platform/golden.h"

#define SECRET "made-up-token-for-tests"

enum { TOKEN = 1, MAYBE = 2, WIDE = 4 };

/* `words` go into Telegram's envelope; `raw` is a body as it is, and stands for the words where there is one. */
static const struct row {
    enum op_kind    kind;
    enum net_result result;
    int             status;
    const char     *words, *raw;
    enum op_verdict verdict;
    unsigned        flags;
    const char     *reason; /* NULL = the words */
} rows[] = {
#define JSON_ANSWER(status, words) NET_ANSWERED, status, words, NULL
#define RAW_ANSWER(status, raw)    NET_ANSWERED, status, NULL, raw
#define BARE(status)               "Telegram answered with HTTP " #status " and no explanation"
    /* for ever: the request, the person */
    { OP_SEND, JSON_ANSWER(400, "Bad Request: chat not found"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(400, "Bad Request: private chat not found"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(400, "Bad Request: PEER_ID_INVALID"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(400, "Bad Request: message is too long"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(400, "Bad Request: can't parse reply keyboard markup JSON object"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(400, "Bad Request: BUTTON_DATA_INVALID"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(400, "Bad Request: FROZEN_METHOD_INVALID"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(403, "Forbidden: bot was blocked by the user"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(403, "Forbidden: user is deactivated"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(403, "Forbidden: bot can't initiate conversation with a user"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(403, "Forbidden: the bot can't send messages to the bot"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(404, "Not Found: method not found"), OP_FAIL, 0, NULL },
    { OP_SEND, JSON_ANSWER(413, "Request Entity Too Large"), OP_FAIL, 0, NULL },
    { OP_SEND, RAW_ANSWER(413, "<html>413 Request Entity Too Large</html>"), OP_FAIL, 0, BARE(413) },
    { OP_SEND, RAW_ANSWER(415, ""), OP_FAIL, 0, BARE(415) },
    { OP_SEND, JSON_ANSWER(421, "Misdirected Request: unallowed token specified"), OP_FAIL, 0, NULL },
    { OP_SEND, RAW_ANSWER(431, ""), OP_FAIL, 0, BARE(431) },
    { OP_SEND, RAW_ANSWER(501, ""), OP_FAIL, 0, BARE(501) },
    { OP_SEND, RAW_ANSWER(505, ""), OP_FAIL, 0, BARE(505) },

    /* for ever: the credentials */
    { OP_SEND, JSON_ANSWER(401, "Unauthorized"), OP_FAIL, TOKEN, NULL },
    { OP_SEND, JSON_ANSWER(401, "Unauthorized: invalid token specified"), OP_FAIL, TOKEN, NULL },
    { OP_SEND, RAW_ANSWER(401, ""), OP_FAIL, TOKEN, BARE(401) },
    { OP_SEND, JSON_ANSWER(404, "Not Found"), OP_FAIL, TOKEN, NULL },
    { OP_SEND, JSON_ANSWER(400, "Logged out"), OP_FAIL, TOKEN, NULL },
    { OP_EDIT, JSON_ANSWER(401, "Unauthorized"), OP_FAIL, TOKEN, NULL },
    { OP_PARTICIPANT, JSON_ANSWER(404, "Not Found"), OP_FAIL, TOKEN, NULL },

    /* later: a proxy that has lost its way is no reason to give an account up */
    { OP_SEND, RAW_ANSWER(404, "<html>404 Not Found</html>"), OP_RETRY, 0, BARE(404) },
    { OP_SEND, RAW_ANSWER(301, ""), OP_RETRY, 0, BARE(301) },
    { OP_SEND, RAW_ANSWER(408, ""), OP_RETRY, 0, BARE(408) },
    { OP_SEND, JSON_ANSWER(409, "Conflict: something new"), OP_RETRY, WIDE, NULL },

    /* later, and perhaps it has happened */
    { OP_SEND, JSON_ANSWER(500, "Internal Server Error: restart"), OP_RETRY, MAYBE, NULL },
    { OP_SEND, JSON_ANSWER(500, "Internal Server Error: sent message was immediately deleted and can't be returned"),
        OP_RETRY, MAYBE, NULL },
    { OP_SEND, JSON_ANSWER(502, "Bad Gateway"), OP_RETRY, MAYBE, NULL },
    { OP_SEND, RAW_ANSWER(502, "<html><title>502 Bad Gateway</title></html>"), OP_RETRY, MAYBE, BARE(502) },
    { OP_SEND, RAW_ANSWER(503, ""), OP_RETRY, MAYBE, BARE(503) },
    { OP_SEND, RAW_ANSWER(504, "{\"ok\":false"), OP_RETRY, MAYBE, BARE(504) },
    { OP_SEND, RAW_ANSWER(200, ""), OP_RETRY, MAYBE, BARE(200) },
    { OP_SEND, RAW_ANSWER(200, "<html>Welcome to our hotel</html>"), OP_RETRY, MAYBE, BARE(200) },
    { OP_SEND, RAW_ANSWER(200, "[]"), OP_RETRY, MAYBE, BARE(200) },
    { OP_SEND, RAW_ANSWER(200, "{\"ok\":true}"), OP_RETRY, MAYBE, "Telegram said yes and named no message" },
    { OP_SEND, NET_UNKNOWN, 0, NULL, NULL, OP_RETRY, MAYBE, "Telegram did not answer: why" },
    { OP_SEND, NET_TOO_BIG, 0, NULL, NULL, OP_RETRY, MAYBE, "Telegram's answer is too large: why" },

    /* later, and surely nothing has happened */
    { OP_SEND, NET_NOT_SENT, 0, NULL, NULL, OP_RETRY, 0, "Telegram could not be reached: why" },
    { OP_SEND, NET_LOCAL_FAULT, 0, NULL, NULL, OP_RETRY, 0, "The call to Telegram failed on our side: why" },
    { OP_SEND, NET_FORBIDDEN, 0, NULL, NULL, OP_FAIL, 0, "The address of Telegram's server is not allowed: why" },

    /* what happens twice is no harm elsewhere */
    { OP_EDIT, RAW_ANSWER(502, ""), OP_RETRY, 0, BARE(502) },
    { OP_EDIT, NET_UNKNOWN, 0, NULL, NULL, OP_RETRY, 0, "Telegram did not answer: why" },
    { OP_ANSWER_TAP, RAW_ANSWER(500, ""), OP_RETRY, 0, BARE(500) },
    { OP_POLL, RAW_ANSWER(502, "<html>"), OP_RETRY, 0, BARE(502) },
    { OP_MEDIA, RAW_ANSWER(502, "<html>"), OP_RETRY, 0, BARE(502) },

    /* fakes and older servers say it with 200 */
    { OP_SEND, RAW_ANSWER(200, "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: something\"}"),
        OP_FAIL, 0, "Forbidden: something" },

    /* a secret in the answer goes no further */
    { OP_SEND, JSON_ANSWER(400, "Bad Request: /bot123456789:" SECRET "/sendMessage and " SECRET), OP_FAIL, 0,
        "Bad Request: /bot123456789:***/sendMessage and ***" },
};

static const struct account bot = {
    .external_id = { "123456789", 9 },
    .token = { "123456789:" SECRET, 33 },
};

static const struct platform_env env = { .telegram_url = { "https://api.telegram.org", 24 } };

static struct op
new_op(struct arena *a, enum op_kind kind)
{
    return (struct op){
        .kind = kind, .arena = a, .env = &env, .account = bot, .participant_id = STR("7"), .body = STR("x"),
        .has_body = true, .message_id = STR("1"), .tap_id = STR("2"), .media_ref = STR("f"),
    };
}

static struct str
envelope(struct arena *a, int status, const char *words)
{
    return arena_printf(a, "{\"ok\":false,\"error_code\":%d,\"description\":\"%s\"}", status, words);
}

static void
answer(struct op *op, struct net_response *last, struct op_step *step)
{
    telegram.step(op, NULL, step);
    ck_assert_int_eq(step->verdict, OP_CALL);
    telegram.step(op, last, step);
}

START_TEST(each_answer_has_its_meaning)
{
    const struct row   *row = &rows[_i];
    struct arena        a;
    struct op           op;
    struct op_step      step;
    struct net_response last = { .result = row->result, .status = row->status };
    const char         *reason = row->reason ? row->reason : row->words;
    unsigned            flags;

    arena_init(&a);
    op = new_op(&a, row->kind);
    last.body = row->raw ? str_of(row->raw) : row->words ? envelope(&a, row->status, row->words) : STR_NONE;
    if (row->result != NET_ANSWERED)
        snprintf(last.error, sizeof(last.error), "why");
    answer(&op, &last, &step);
    flags = (step.token_invalid ? TOKEN : 0) | (step.maybe_done ? MAYBE : 0) | (step.account_wide ? WIDE : 0);
    ck_assert_msg(step.verdict == row->verdict && flags == row->flags && str_eq(step.reason, str_of(reason)),
        "row %d (%s): verdict %d, flags %u, reason '%.*s'", _i, reason, step.verdict, flags, STR_ARG(step.reason));
    arena_deinit(&a);
}
END_TEST

/* Seconds in the body, else those of the header. */
START_TEST(a_wait_is_as_long_as_telegram_says)
{
    static const struct {
        const char *body;
        int64_t     header_ms, expected_ms;
    } waits[] = {
        { "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":14}}", 9000, 14000 },
        { "{\"ok\":false,\"error_code\":429}", 9000, 9000 },
        { "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":\"14\"}}", 0, 0 },
        { "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":-1}}", 5000, 5000 },
        { "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":9223372036854775807}}", 0, 86400000 },
        { "{\"ok\":false,\"error_code\":429}", (int64_t)31536000 * 1000, 86400000 },
        { "<html>429</html>", 3000, 3000 },
        { "", 0, 0 },
    };
    struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < COUNT(waits); i++) {
        struct op           op = new_op(&a, OP_SEND);
        struct net_response last = { .status = 429, .retry_after_ms = waits[i].header_ms };
        struct op_step      step;

        last.body = str_of(waits[i].body);
        answer(&op, &last, &step);
        ck_assert_int_eq(step.verdict, OP_RETRY);
        ck_assert_int_eq(step.retry_after_ms, waits[i].expected_ms);
        ck_assert(!step.account_wide && !step.maybe_done);
        ck_assert_int_eq(step.code, 429);
    }
    arena_deinit(&a);
}
END_TEST

START_TEST(nobody_makes_a_bot_wait_for_longer_than_a_day)
{
    static const int statuses[] = { 429, 500, 503 };
    struct arena     a;

    arena_init(&a);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct op           op = new_op(&a, OP_SEND);
        struct net_response last = { .status = statuses[i], .retry_after_ms = (int64_t)365 * 24 * 3600 * 1000 };
        struct op_step      step;

        answer(&op, &last, &step);
        ck_assert_int_eq(step.verdict, OP_RETRY);
        ck_assert_int_eq(step.retry_after_ms, 86400000);
    }
    arena_deinit(&a);
}
END_TEST

START_TEST(a_reason_fits_and_ends_with_a_whole_character)
{
    struct arena        a;
    struct op           op;
    struct op_step      step;
    struct net_response last = { .status = 400 };
    char                words[2001];

    for (size_t i = 0; i < 2000; i += 4)
        memcpy(words + i, "\xF0\x9F\x98\x80", 4);
    words[0] = '!';
    words[1] = words[2] = words[3] = '.';
    words[2000] = 0;
    arena_init(&a);
    op = new_op(&a, OP_SEND);
    last.body = envelope(&a, 400, words);
    answer(&op, &last, &step);
    ck_assert_uint_le(step.reason.len, 400);
    ck_assert_uint_gt(step.reason.len, 390);
    ck_assert(str_is_utf8(step.reason));
    arena_deinit(&a);
}
END_TEST

/* Cut in the middle of it, the secret would no longer be known for one. */
START_TEST(a_reason_ends_in_no_part_of_the_secret)
{
    struct arena        a;
    struct op           op;
    struct op_step      step;
    struct net_response last = { .status = 400 };
    struct buf          words;

    arena_init(&a);
    buf_init(&words, KIB);
    for (size_t before = 380; before < 400; before++) {
        buf_clear(&words);
        while (words.len < before)
            buf_append_char(&words, '.');
        buf_append(&words, STR(SECRET));
        op = new_op(&a, OP_SEND);
        last.body = envelope(&a, 400, arena_copy(&a, buf_str(&words)).ptr);
        answer(&op, &last, &step);
        ck_assert(str_find(step.reason, str_slice(STR(SECRET), 0, 1)) < 0);
    }
    buf_deinit(&words);
    arena_deinit(&a);
}
END_TEST

static TCase *
table(void)
{
    TCase *c = tcase_create("table");

    tcase_add_loop_test(c, each_answer_has_its_meaning, 0, (int)COUNT(rows));
    tcase_add_test(c, a_wait_is_as_long_as_telegram_says);
    tcase_add_test(c, nobody_makes_a_bot_wait_for_longer_than_a_day);
    tcase_add_test(c, a_reason_fits_and_ends_with_a_whole_character);
    tcase_add_test(c, a_reason_ends_in_no_part_of_the_secret);
    return c;
}

TEST_CASES("telegram answers", table)
