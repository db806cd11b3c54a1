/* Operations in, calls out: the talks are in testdata/talks/, see platform/golden.h. The last part of a file's name
 * says with what account and settings. */
#include <stdio.h>

#include "base/testing.h"
#include "platform/golden.h"
#include "platform/meta/testing_meta.h"

#define TALKS "src/platform/meta/testdata/talks"

static const struct account nobody = { 0 };

static const struct platform_env plain = { TEST_URLS };
static const struct platform_env with_app = { TEST_URLS, TEST_META_APP };
static const struct platform_env with_stories = { TEST_URLS, .meta_keep_stories = true };
static const struct platform_env with_both = { TEST_URLS, TEST_META_APP, TEST_INSTAGRAM_APP };

enum { PAGE, LINKED, LOGIN, STORIES, GRANT_PAGE, GRANT_LINKED, GRANT_LOGIN, SETS };

static const struct set {
    const char                *suffix;
    const struct platform     *platform;
    const struct account      *account;
    const struct platform_env *env;
} sets[SETS] = {
    [PAGE]         = { ".page.json",            &facebook,  &test_page,   &plain },
    [LINKED]       = { ".instagram.json",       &instagram, &test_linked, &plain },
    [LOGIN]        = { ".login.json",           &instagram, &test_login,  &plain },
    [STORIES]      = { ".stories.json",         &instagram, &test_login,  &with_stories },
    [GRANT_PAGE]   = { ".grant-page.json",      &facebook,  &nobody,      &with_app },
    [GRANT_LINKED] = { ".grant-instagram.json", &instagram, &nobody,      &with_app },
    [GRANT_LOGIN]  = { ".grant-login.json",     &instagram, &nobody,      &with_both },
};

static char **paths[SETS];
static int    counts[SETS];

START_TEST(each_talk_goes_as_it_is_written)
{
    int set = 0, i = _i;

    while (i >= counts[set])
        i -= counts[set++];
    golden_check_talks(sets[set].platform, sets[set].account, sets[set].env, paths[set][i]);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("talks");
    int    all = 0;

    for (int set = 0; set < SETS; set++) {
        counts[set] = (int)golden_files(TALKS, sets[set].suffix, &paths[set]);
        all += counts[set];
    }
    tcase_add_loop_test(c, each_talk_goes_as_it_is_written, 0, all);
    return c;
}

/* ---- closer ---- */

static struct op
new_op(struct arena *a, enum op_kind kind, const struct account *account)
{
    return (struct op){ .kind = kind, .arena = a, .env = &plain, .account = *account, .participant_id = STR("7001") };
}

START_TEST(a_text_leaves_to_the_last_byte)
{
    struct arena   a;
    struct op      op;
    struct op_step step;
    struct error   err;
    yyjson_val    *body;
    char           text[2000 * 4];

    for (size_t i = 0; i < sizeof(text); i += 4)
        memcpy(text + i, "\xF0\x9F\x98\x80", 4);
    memcpy(text, "\"\\\n\t", 4);
    arena_init(&a);
    op = new_op(&a, OP_SEND, &test_page);
    op.body = (struct str){ text, sizeof(text) };
    facebook.step(&op, NULL, &step);
    ck_assert(json_parse(&a, step.call.body, 4, &body, &err));
    ck_assert(str_eq(json_str(json_obj(body, "message"), "text"), op.body));
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
    op = new_op(&a, OP_SEND, &test_page);
    op.body = (struct str){ big, MIB };
    facebook.step(&op, NULL, &step);
    ck_assert_int_eq(step.verdict, OP_FAIL);
    ck_assert_int_eq(step.code, 413);
    arena_deinit(&a);
}
END_TEST

static void
ck_end(const struct op_step *step, enum op_verdict verdict, const char *reason)
{
    ck_assert_msg(step->verdict == verdict && str_find(step->reason, str_of(reason)) >= 0, "%d: %.*s", step->verdict,
                  STR_ARG(step->reason));
}

static struct op_step
after(const struct platform *platform, struct op *op, struct str body)
{
    const struct net_response answer = { .status = 200, .body = body };
    struct op_step            step;

    platform->step(op, &answer, &step);
    return step;
}

/* Codes and tokens come through a browser and from a server, so they may be of any length. */
START_TEST(a_code_or_token_without_end_is_refused_here)
{
    struct arena   a;
    struct op      op;
    struct op_step step;
    struct str     big;

    arena_init(&a);
    big = (struct str){ memset(arena_bytes(&a, 100 * KIB), 'x', 100 * KIB), 100 * KIB };
    op = new_op(&a, OP_EXCHANGE, &nobody);
    op.env = &with_both;
    op.code = big;
    instagram.step(&op, NULL, &step);
    ck_end(&step, OP_FAIL, "The code is too long");
    op.code = STR("c");
    op.stage = 0;
    instagram.step(&op, NULL, &step);
    ck_assert_int_eq(step.verdict, OP_CALL);
    step = after(&instagram, &op, arena_printf(&a, "{\"access_token\":\"%.*s\"}", STR_ARG(big)));
    ck_end(&step, OP_RETRY, "no token"); /* that could be one */
    arena_deinit(&a);
}
END_TEST

START_TEST(an_account_must_be_the_one_that_was_named)
{
    struct arena   a;
    struct op      op;
    struct op_step step;

    arena_init(&a);
    op = new_op(&a, OP_CONNECT, &test_linked);
    instagram.step(&op, NULL, &step);
    step = after(&instagram, &op, STR("{\"id\":\"17841400000000009\"}"));
    ck_end(&step, OP_FAIL, "does not know 17841400000000001");
    op = new_op(&a, OP_CONNECT, &test_linked);
    instagram.step(&op, NULL, &step);
    step = after(&instagram, &op, STR("{\"id\":\"17841400000000001\"}"));
    ck_assert_int_eq(step.verdict, OP_CALL);
    step = after(&instagram, &op, STR("{\"name\":\"Shop\"}"));
    ck_end(&step, OP_RETRY, "which Page this token is for");
    arena_deinit(&a);
}
END_TEST

START_TEST(without_a_version_it_is_the_apps_own)
{
    const struct platform_env unversioned = { .meta_graph_url = TEXT("https://graph.facebook.com/") };
    struct arena              a;
    struct op                 op;
    struct op_step            step;

    arena_init(&a);
    op = new_op(&a, OP_SEND, &test_page);
    op.env = &unversioned;
    op.body = STR("Hello");
    facebook.step(&op, NULL, &step);
    ck_assert_msg(str_eq(step.call.url, STR("https://graph.facebook.com/1029384756/messages")), "%.*s",
                  STR_ARG(step.call.url));
    arena_deinit(&a);
}
END_TEST

/* Pages of accounts lead to more of them for as long as Meta likes, but not for as long as we do. */
START_TEST(a_list_without_end_ends)
{
    struct net_response token = { .status = 200, .body = STR("{\"access_token\":\"EAA1\"}") };
    struct net_response page = { .status = 200, .body = STR("{\"data\":[{\"id\":\"1\",\"access_token\":\"EAA2\"}],"
        "\"paging\":{\"cursors\":{\"after\":\"A\"},\"next\":\"https://x\"}}") };
    struct arena        a;
    struct op           op;
    struct op_step      step;
    int                 calls = 2;

    arena_init(&a);
    op = new_op(&a, OP_EXCHANGE, &nobody);
    op.env = &with_app;
    op.code = STR("c");
    facebook.step(&op, NULL, &step);
    facebook.step(&op, &token, &step);
    facebook.step(&op, &token, &step);
    while (step.verdict == OP_CALL && calls < 100) {
        calls++;
        facebook.step(&op, &page, &step);
    }
    ck_assert_int_eq(step.verdict, OP_DONE);
    ck_assert_int_le(calls, 15); /* the worker stops at 16 */
    ck_assert_uint_eq(op.account_count, (size_t)calls - 2);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_flavour_is_told_from_the_details)
{
    struct account odd = test_linked;

    ck_assert_int_eq(meta_flavour(&facebook, &test_page), META_PAGE);
    ck_assert_int_eq(meta_flavour(&facebook, &test_login), META_PAGE);
    ck_assert_int_eq(meta_flavour(&instagram, &test_linked), META_INSTAGRAM_PAGE);
    ck_assert_int_eq(meta_flavour(&instagram, &test_login), META_INSTAGRAM_LOGIN);
    odd.details = STR("{\"login\":");
    ck_assert_int_eq(meta_flavour(&instagram, &odd), META_INSTAGRAM_PAGE);
    odd.details = STR_NONE;
    ck_assert_int_eq(meta_flavour(&instagram, &odd), META_INSTAGRAM_PAGE);
}
END_TEST

static TCase *
closer(void)
{
    TCase *c = tcase_create("closer");

    tcase_add_test(c, a_text_leaves_to_the_last_byte);
    tcase_add_test(c, what_no_request_can_hold_is_refused_here);
    tcase_add_test(c, a_code_or_token_without_end_is_refused_here);
    tcase_add_test(c, an_account_must_be_the_one_that_was_named);
    tcase_add_test(c, without_a_version_it_is_the_apps_own);
    tcase_add_test(c, a_list_without_end_ends);
    tcase_add_test(c, a_flavour_is_told_from_the_details);
    return c;
}

TEST_CASES("meta operations", files, closer)
