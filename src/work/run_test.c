/* run_test.c -- how refusals are counted; what an operation does is tested with the worker and the platforms. */
#include "work/run.h"

#include "base/testing.h"

static void
refuse(struct op *op, const struct net_response *last, struct op_step *out)
{
    (void)last;
    *out = (struct op_step){ .verdict = OP_FAIL, .code = (int)op->media_max, .reason = STR("No") };
}

static const struct platform refusing = { .name = "refusing", .step = refuse };

static void
ended(struct run *r)
{
    (void)r;
}

static void
fail_with(struct run_errors *errors, int code)
{
    struct run r = { .platform = &refusing, .errors = errors, .done = ended, .op.media_max = code };

    run_start(&r);
    ck_assert_int_eq(r.end.verdict, OP_FAIL);
}

struct counted {
    int64_t all, rest, of_seven;
    int     places;
};

static void
count(void *ctx, const char *platform, int code, int64_t n)
{
    struct counted *c = ctx;

    c->all += n;
    c->places++;
    if (code == 7)
        c->of_seven = n;
    if (code == -1)
        c->rest += n;
    ck_assert_str_eq(platform, code == -1 ? "any" : "refusing");
}

START_TEST(refusals_are_counted_by_code)
{
    struct run_errors *errors = run_errors_new();
    struct counted     c = { 0 };

    fail_with(errors, 7);
    fail_with(errors, 429);
    fail_with(errors, 7);
    run_errors_each(errors, count, &c);
    ck_assert_int_eq(c.places, 2);
    ck_assert_int_eq(c.of_seven, 2);
    ck_assert_int_eq(c.all, 3);
    run_errors_free(errors);
}
END_TEST

/* A platform may make up as many codes as it likes: there are not more places, and none says what is not so. */
START_TEST(many_codes_share_a_place)
{
    struct run_errors *errors = run_errors_new();
    struct counted     c = { 0 };

    for (int code = 1; code <= 300; code++)
        fail_with(errors, code);
    fail_with(errors, 7);
    fail_with(errors, 300);
    run_errors_each(errors, count, &c);
    ck_assert_int_eq(c.all, 302);
    ck_assert_int_eq(c.of_seven, 2);
    ck_assert_int_le(c.places, 128);
    ck_assert_int_eq(c.rest, c.all - (c.places - 1) - 1);
    run_errors_free(errors);
}
END_TEST

static TCase *
errors(void)
{
    TCase *c = tcase_create("errors");

    tcase_add_test(c, refusals_are_counted_by_code);
    tcase_add_test(c, many_codes_share_a_place);
    return c;
}

TEST_CASES("run", errors)
