/* circle_test.c -- an operation that never ends. */
#include "work/run.h"
#include "work/testing_worker.h"

static void
step_in_circles(struct op *op, const struct net_response *last, struct op_step *out)
{
    (void)last;
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.url = arena_printf(op->arena, "%.*s/%s", STR_ARG(op->env->telegram_url),
                                 op->kind == OP_SEND ? "send/1/a" : "other");
}

const struct platform telegram = { .name = "telegram", .title = "Telegram", .step = step_in_circles };

static struct testing_worker w;

START_TEST(an_operation_that_goes_in_circles_is_ended)
{
    tw_open(&w);
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    ck_assert(str_eq(tw_text(&w, "SELECT error_message FROM message"), STR("The operation did not come to an end")));
    ck_assert_int_eq(tw_calls(&w, "/send/"), RUN_CALLS_MAX);
    tw_close(&w);
}
END_TEST

static TCase *
circles(void)
{
    TCase *c = tcase_create("circles");

    tcase_add_test(c, an_operation_that_goes_in_circles_is_ended);
    return c;
}

TEST_CASES("circles", circles)
