/* What answers mean beside their codes: the state of the line, the headers about usage, and secrets in the words. */
#include <stdio.h>

#include "base/testing.h"
#include "platform/meta/testing_meta.h"

enum { TOKEN = 1, MAYBE = 2, WIDE = 4 };

static const struct row {
    enum op_kind    kind;
    enum net_result result;
    int             status;
    const char     *body;
    enum op_verdict verdict;
    unsigned        flags;
    const char     *reason;
} rows[] = {
#define BARE(status) "Meta answered with HTTP " #status " and no explanation"
    { OP_SEND, NET_ANSWERED, 500, "", OP_RETRY, MAYBE, BARE(500) },
    { OP_SEND, NET_ANSWERED, 502, "<html>", OP_RETRY, MAYBE, BARE(502) },
    { OP_SEND, NET_ANSWERED, 503, "{\"error\":{}}", OP_RETRY, MAYBE, BARE(503) },
    { OP_SEND, NET_ANSWERED, 200, "", OP_RETRY, MAYBE, BARE(200) },
    { OP_SEND, NET_ANSWERED, 200, "[]", OP_RETRY, MAYBE, BARE(200) },
    { OP_SEND, NET_ANSWERED, 200, "{}", OP_RETRY, MAYBE, "Meta said yes and named no message" },
    { OP_SEND, NET_ANSWERED, 302, "", OP_RETRY, 0, BARE(302) },
    { OP_SEND, NET_ANSWERED, 400, "", OP_FAIL, 0, BARE(400) },
    { OP_SEND, NET_ANSWERED, 413, "<html>", OP_FAIL, 0, BARE(413) },
    { OP_SEND, NET_ANSWERED, 429, "", OP_RETRY, WIDE, BARE(429) },
    { OP_SEND, NET_ANSWERED, 401, "", OP_RETRY, 0, BARE(401) }, /* of a proxy: Meta says why */
    { OP_SEND, NET_ANSWERED, 403, "<html>", OP_RETRY, 0, BARE(403) },
    { OP_SEND, NET_ANSWERED, 404, "", OP_RETRY, 0, BARE(404) },
    { OP_SEND, NET_ANSWERED, 401, "{\"error\":{\"message\":\"No\"}}", OP_FAIL, TOKEN, "No" },
    { OP_SEND, NET_UNKNOWN, 0, NULL, OP_RETRY, MAYBE, "Meta did not answer: why" },
    { OP_SEND, NET_TOO_BIG, 0, NULL, OP_RETRY, MAYBE, "Meta's answer is too large: why" },
    { OP_SEND, NET_NOT_SENT, 0, NULL, OP_RETRY, 0, "Meta could not be reached: why" },
    { OP_SEND, NET_LOCAL_FAULT, 0, NULL, OP_RETRY, 0, "The call to Meta failed on our side: why" },
    { OP_SEND, NET_FORBIDDEN, 0, NULL, OP_FAIL, 0, "The address of Meta's server is not allowed: why" },
    { OP_REACT, NET_UNKNOWN, 0, NULL, OP_RETRY, 0, "Meta did not answer: why" },
    { OP_REACT, NET_ANSWERED, 500, "", OP_RETRY, 0, BARE(500) },
    { OP_CHECK, NET_ANSWERED, 500, "", OP_RETRY, 0, BARE(500) },
    /* whatever else the code says, these words are about the window */
    { OP_SEND, NET_ANSWERED, 400, "{\"error\":{\"message\":\"(#10) This message is sent outside of allowed window."
        " Learn more\",\"code\":10}}", OP_FAIL, 0, "(#10) This message is sent outside of allowed window. Learn more" },
    { OP_SEND, NET_ANSWERED, 400, "{\"error\":{\"message\":\"x\",\"error_user_msg\":\"\",\"code\":100}}",
        OP_FAIL, 0, "x" },
    { OP_SEND, NET_ANSWERED, 400, "{\"error\":{\"message\":\"/me?access_token=" TEST_PAGE_TOKEN "&a=" TEST_APP_SECRET
        " " TEST_PAGE_TOKEN "\",\"code\":100}}", OP_FAIL, 0, "/me?access_token=***&a=*** ***" },
};

static const struct platform_env env = { TEST_URLS, TEST_META_APP };

static struct op
new_op(struct arena *a, enum op_kind kind)
{
    return (struct op){ .kind = kind, .arena = a, .env = &env, .account = test_page, .participant_id = STR("7"),
                        .body = STR("x"), .message_id = STR("m_1"), .reaction = STR("love") };
}

START_TEST(each_answer_has_its_meaning)
{
    const struct row   *row = &rows[_i];
    struct net_response last = { .result = row->result, .status = row->status, .body = str_of(row->body) };
    struct arena        a;
    struct op           op;
    struct op_step      step;
    unsigned            flags;

    arena_init(&a);
    op = new_op(&a, row->kind);
    if (row->result != NET_ANSWERED)
        snprintf(last.error, sizeof(last.error), "why");
    facebook.step(&op, NULL, &step);
    ck_assert_int_eq(step.verdict, OP_CALL);
    facebook.step(&op, &last, &step);
    flags = (step.token_invalid ? TOKEN : 0) | (step.maybe_done ? MAYBE : 0) | (step.account_wide ? WIDE : 0);
    ck_assert_msg(step.verdict == row->verdict && flags == row->flags && str_eq(step.reason, str_of(row->reason)),
        "row %d: verdict %d, flags %u, reason '%.*s'", _i, step.verdict, flags, STR_ARG(step.reason));
    arena_deinit(&a);
}
END_TEST

START_TEST(usage_is_read_from_every_header)
{
    static const struct {
        const char *name, *value;
        bool        refused;
        int64_t     rest_ms;
    } usages[] = {
        { "x-app-usage", "{\"call_count\":2,\"total_cputime\":2,\"total_time\":2}", false, 0 },
        { "x-app-usage", "{\"call_count\":89,\"total_cputime\":2,\"total_time\":2}", false, 0 },
        { "X-App-Usage", "{\"call_count\":90,\"total_cputime\":2,\"total_time\":2}", false, 5000 },
        { "x-app-usage", "{\"call_count\":2,\"total_cputime\":99.9,\"total_time\":2}", false, 5000 },
        { "x-page-usage", "{\"call_count\":2,\"total_cputime\":2,\"total_time\":100}", false, 60000 },
        { "x-page-usage", "{\"call_count\":1e300}", false, 60000 },
        { "x-page-usage", "{\"call_count\":-5,\"total_time\":\"100\"}", false, 0 },
        { "x-business-use-case-usage", "{\"1\":[{\"type\":\"pages\",\"call_count\":100}]}", false, 0 },
        { "x-business-use-case-usage", "{\"1\":[{\"type\":\"pages\",\"call_count\":100}]}", true, 60000 },
        { "x-business-use-case-usage", "{\"1\":[{\"type\":\"pages\"},{\"type\":\"messenger\",\"total_time\":95}]}",
            false, 5000 },
        { "x-business-use-case-usage",
            "{\"1\":[],\"2\":[{\"type\":\"instagram\",\"estimated_time_to_regain_access\":3}]}", false, 180000 },
        { "x-business-use-case-usage",
            "{\"1\":[{\"type\":\"instagram\",\"estimated_time_to_regain_access\":9223372036854775807}]}", false,
            86400000 },
        { "x-business-use-case-usage", "[]", false, 0 },
        { "x-business-use-case-usage", "{\"1\":7}", false, 0 },
        { "x-business-use-case-usage", "nonsense", true, 0 },
        { "x-other", "{\"call_count\":100}", true, 0 },
    };
    struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < COUNT(usages); i++) {
        struct net_header   header = { str_of(usages[i].name), str_of(usages[i].value) };
        struct net_response last = { .status = 200, .headers = &header, .header_count = 1 };

        ck_assert_msg(meta_rest_ms(&a, &last, usages[i].refused) == usages[i].rest_ms, "row %zu: %lld", i,
            (long long)meta_rest_ms(&a, &last, usages[i].refused));
    }
    arena_deinit(&a);
}
END_TEST

/* A limit that is near must not take the place of the backoff of a call that failed for another reason. */
START_TEST(a_limit_that_is_near_slows_down_success_alone)
{
    struct net_header   header = { STR("x-app-usage"), STR("{\"call_count\":95}") };
    struct net_response last = { .status = 500, .headers = &header, .header_count = 1 };
    struct arena        a;
    struct op           op;
    struct op_step      step;

    arena_init(&a);
    op = new_op(&a, OP_SEND);
    facebook.step(&op, NULL, &step);
    facebook.step(&op, &last, &step);
    ck_assert(step.verdict == OP_RETRY && step.retry_after_ms == 0 && !step.account_wide);
    facebook.step(&op, NULL, &step);
    last.status = 200;
    last.body = STR("{\"message_id\":\"m_1\"}");
    facebook.step(&op, &last, &step);
    ck_assert(step.verdict == OP_DONE && step.retry_after_ms == 5000 && step.account_wide);
    arena_deinit(&a);
}
END_TEST

/* A proxy's header must not silence an account for years. */
START_TEST(nobody_makes_an_account_wait_for_more_than_a_day)
{
    struct net_response last = { .status = 429, .retry_after_ms = (int64_t)365 * 86400000,
                                 .body = STR("{\"error\":{\"message\":\"slow\",\"code\":4}}") };
    struct arena        a;
    struct op           op;
    struct op_step      step;

    arena_init(&a);
    op = new_op(&a, OP_SEND);
    facebook.step(&op, NULL, &step);
    facebook.step(&op, &last, &step);
    ck_assert(step.verdict == OP_RETRY && step.account_wide);
    ck_assert_int_eq(step.retry_after_ms, 86400000);
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
    memcpy(words, "!..", 3);
    words[3] = '.';
    words[2000] = 0;
    arena_init(&a);
    op = new_op(&a, OP_SEND);
    last.body = arena_printf(&a, "{\"error\":{\"message\":\"%s\",\"code\":100}}", words);
    facebook.step(&op, NULL, &step);
    facebook.step(&op, &last, &step);
    ck_assert_uint_le(step.reason.len, 400);
    ck_assert_uint_gt(step.reason.len, 390);
    ck_assert(str_is_utf8(step.reason));
    arena_deinit(&a);
}
END_TEST

static TCase *
table(void)
{
    TCase *c = tcase_create("table");

    tcase_add_loop_test(c, each_answer_has_its_meaning, 0, (int)COUNT(rows));
    tcase_add_test(c, usage_is_read_from_every_header);
    tcase_add_test(c, a_limit_that_is_near_slows_down_success_alone);
    tcase_add_test(c, nobody_makes_an_account_wait_for_more_than_a_day);
    tcase_add_test(c, a_reason_fits_and_ends_with_a_whole_character);
    return c;
}

TEST_CASES("meta answers", table)
