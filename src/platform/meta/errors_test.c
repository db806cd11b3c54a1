/* The catalogue, row by row, and what each class does to a send. */
#include <stdio.h>

#include "base/testing.h"
#include "platform/meta/testing_meta.h"

static const struct row {
    int             code, subcode;
    enum meta_class class;
} rows[] = {
    { 1, 0, META_UNSURE }, { 1, 99, META_UNSURE }, { 1, 1357046, META_UNSURE }, { 1, 5, META_UNSURE },
    { 2, 0, META_UNSURE }, { 2, 2018344, META_REFUSED }, { 2, 1545133, META_LATER },
    { 3, 0, META_ACCESS },
    { 4, 0, META_LIMIT }, { 4, 2018022, META_LIMIT },
    { 9, 2018352, META_LATER },
    { 10, 2018278, META_WINDOW }, { 10, 2018065, META_WINDOW }, { 10, 2534022, META_WINDOW },
    { 10, 2018108, META_REFUSED }, { 10, 1893063, META_PAUSE }, { 10, 2018300, META_REFUSED },
    { 2018300, 0, META_REFUSED }, { 10, 2534077, META_ACCESS }, { 10, 2018336, META_REFUSED },
    { 10, 0, META_ACCESS }, { 10, 12345, META_ACCESS },
    { 17, 0, META_LIMIT }, { 32, 0, META_LIMIT },
    { 100, 33, META_REFUSED }, { 100, 0, META_REFUSED }, { 100, 2018001, META_REFUSED }, { 100, 2018008, META_ONCE },
    { 100, 2018014, META_REFUSED }, { 100, 2018047, META_REFUSED }, { 100, 2018074, META_REFUSED },
    { 100, 2018109, META_REFUSED }, { 100, 2018164, META_REFUSED }, { 100, 2018294, META_ONCE },
    { 100, 2534013, META_ACCESS }, { 100, 2534014, META_REFUSED }, { 100, 2534015, META_REFUSED },
    { 100, 2534025, META_REFUSED }, { 100, 2534029, META_ACCESS }, { 100, 2534037, META_REFUSED },
    { 190, 458, META_TOKEN }, { 190, 459, META_TOKEN }, { 190, 460, META_TOKEN }, { 190, 463, META_TOKEN },
    { 190, 464, META_TOKEN }, { 190, 467, META_TOKEN }, { 190, 492, META_TOKEN }, { 190, 0, META_TOKEN },
    { 200, 1545041, META_REFUSED }, { 551, 1545041, META_REFUSED }, { 551, 0, META_REFUSED },
    { 200, 2018028, META_ACCESS }, { 200, 2018027, META_ACCESS }, { 200, 2018021, META_ACCESS },
    { 200, 2534041, META_ACCESS }, { 200, 0, META_ACCESS }, { 201, 0, META_ACCESS }, { 283, 0, META_ACCESS },
    { 299, 0, META_ACCESS }, { 300, 0, META_REFUSED }, { 230, 0, META_REFUSED },
    { 368, 0, META_PAUSE },
    { 613, 0, META_LIMIT }, { 613, 2534040, META_LIMIT }, { 613, 2018338, META_SLOW }, { 613, 1893016, META_SLOW },
    { 2022, 0, META_REFUSED }, { 2500, 0, META_REFUSED },
    { 10900, 0, META_REFUSED }, { 10903, 0, META_REFUSED }, { 10904, 0, META_REFUSED },
    { 36000, 0, META_REFUSED }, { 36103, 0, META_ACCESS },
    { 79999, 0, META_REFUSED }, { 80000, 0, META_LIMIT }, { 80001, 0, META_LIMIT }, { 80002, 0, META_LIMIT },
    { 80006, 0, META_LIMIT }, { 80014, 0, META_LIMIT }, { 80015, 0, META_REFUSED },
    { 9000001, 0, META_REFUSED },
    { 2018171, 0, META_REFUSED }, { 100, 2018171, META_REFUSED }, { 2018234, 0, META_REFUSED },
    { 10, 2018234, META_REFUSED }, { 2018218, 0, META_REFUSED }, { 100, 2018218, META_REFUSED },
    { 2018247, 0, META_REFUSED }, { 200, 2018247, META_REFUSED },
    { 2018321, 0, META_LATER }, { 100, 2018321, META_LATER },
    { 2, 2534001, META_REFUSED }, { 100, 2534001, META_REFUSED }, { 10, 2534001, META_REFUSED },
    { 123456, 0, META_REFUSED },
};
#define ROWS COUNT(rows)

enum { TOKEN = 1, MAYBE = 2, WIDE = 4 };

static const struct {
    enum op_verdict verdict;
    unsigned        flags;
    int64_t         rest_ms;
} verdicts[META_CLASSES] = {
    [META_REFUSED] = { OP_FAIL, 0, 0 },
    [META_WINDOW]  = { OP_FAIL, 0, 0 },
    [META_LATER]   = { OP_RETRY, 0, 0 },
    [META_ONCE]    = { OP_FAIL, 0, 0 },
    [META_UNSURE]  = { OP_RETRY, MAYBE, 0 },
    [META_LIMIT]   = { OP_RETRY, WIDE, 0 },
    [META_SLOW]    = { OP_FAIL, WIDE, 60000 },
    [META_PAUSE]   = { OP_FAIL, WIDE, 3600000 },
    [META_ACCESS]  = { OP_FAIL, TOKEN, 0 },
    [META_TOKEN]   = { OP_FAIL, TOKEN, 0 },
};

static const struct platform_env env = { TEST_URLS };

START_TEST(each_error_has_its_class)
{
    const struct row *row = &rows[_i];

    ck_assert_msg(meta_classify(row->code, row->subcode, false, 400) == row->class, "%d/%d is of class %d", row->code,
        row->subcode, (int)meta_classify(row->code, row->subcode, false, 400));
}
END_TEST

/* The same rows as a send sees them, on each kind of connection. */
START_TEST(each_error_decides_over_a_send)
{
    const struct row     *row = &rows[_i];
    const struct account *accounts[] = { &test_page, &test_linked, &test_login };
    struct arena          a;
    struct net_response   last = { .status = 400 };

    arena_init(&a);
    last.body = arena_printf(&a, "{\"error\":{\"message\":\"(#%d) Words\",\"type\":\"OAuthException\",\"code\":%d,"
        "\"error_subcode\":%d,\"fbtrace_id\":\"A\"}}", row->code, row->code, row->subcode);
    for (size_t i = 0; i < 3; i++) {
        const struct platform *platform = i == 0 ? &facebook : &instagram;
        struct op              op = { .kind = OP_SEND, .arena = &a, .env = &env, .account = *accounts[i],
                                      .participant_id = STR("7"), .body = STR("x") };
        struct op_step         step;
        unsigned               flags;

        platform->step(&op, NULL, &step);
        platform->step(&op, &last, &step);
        if (row->class == META_ONCE) {
            ck_assert_int_eq(step.verdict, OP_CALL);
            platform->step(&op, &last, &step);
        }
        flags = (step.token_invalid ? TOKEN : 0) | (step.maybe_done ? MAYBE : 0) | (step.account_wide ? WIDE : 0);
        ck_assert_msg(step.verdict == verdicts[row->class].verdict && flags == verdicts[row->class].flags
            && step.retry_after_ms == verdicts[row->class].rest_ms && step.code == row->code,
            "%d/%d: verdict %d, flags %u", row->code, row->subcode, step.verdict, flags);
        ck_assert(str_eq(step.reason, arena_printf(&a, "(#%d) Words", row->code)));
    }
    arena_deinit(&a);
}
END_TEST

START_TEST(what_is_not_in_the_catalogue_is_told_by_the_rest)
{
    static const struct {
        int             code, subcode;
        bool            is_transient;
        int             status;
        enum meta_class class;
    } others[] = {
        { 0, 0, false, 400, META_REFUSED }, { 0, 0, false, 401, META_TOKEN },   { 0, 0, false, 403, META_REFUSED },
        { 0, 0, false, 408, META_LATER },   { 0, 0, false, 429, META_LIMIT },   { 0, 0, false, 500, META_UNSURE },
        { 0, 0, false, 501, META_REFUSED }, { 0, 0, false, 502, META_UNSURE },  { 0, 0, false, 505, META_REFUSED },
        { 0, 0, false, 302, META_LATER },   { 0, 0, true, 400, META_LATER },    { 0, 0, true, 500, META_UNSURE },
        { 99999, 0, false, 500, META_UNSURE }, { 99999, 0, true, 400, META_LATER }, { 100, 7, true, 400, META_LATER },
        { 10, 0, true, 400, META_LATER },
        /* where the code decides, nothing else does */
        { 10, 2018278, true, 500, META_WINDOW }, { 190, 463, true, 500, META_TOKEN }, { 190, 0, true, 500, META_TOKEN },
        { 4, 0, true, 500, META_LIMIT },         { 2, 0, true, 400, META_UNSURE },
        { 100, 0, false, 500, META_REFUSED },    { 368, 0, true, 400, META_PAUSE },
        { 1, 1357046, true, 200, META_UNSURE },
    };

    for (size_t i = 0; i < COUNT(others); i++) {
        enum meta_class class =
            meta_classify(others[i].code, others[i].subcode, others[i].is_transient, others[i].status);

        ck_assert_msg(class == others[i].class, "row %zu: class %d", i, (int)class);
    }
}
END_TEST

static TCase *
table(void)
{
    TCase *c = tcase_create("table");

    tcase_add_loop_test(c, each_error_has_its_class, 0, (int)ROWS);
    tcase_add_loop_test(c, each_error_decides_over_a_send, 0, (int)ROWS);
    tcase_add_test(c, what_is_not_in_the_catalogue_is_told_by_the_rest);
    return c;
}

TEST_CASES("meta errors", table)
