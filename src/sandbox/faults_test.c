#include "sandbox/faults.h"

#include "base/testing.h"

static struct faults all;
static struct arena  arena;

static void
order(const char *text)
{
    struct error err = { 0 };
    yyjson_val  *val;

    ck_assert_msg(json_parse(&arena, str_of(text), 8, &val, &err), "%s", err.message);
    ck_assert_msg(faults_add(&all, val, &err), "%s", err.message);
}

static struct fault
call(const char *on, int64_t bot, int64_t chat)
{
    return faults_take(&all, &(struct fault_call){ STR("telegram"), str_of(on), bot, chat });
}

START_TEST(the_first_order_that_fits_is_used_up)
{
    order("{\"on\":\"sendMessage\",\"kind\":\"rate_limit\",\"retry_after\":7}");
    order("{\"kind\":\"cut_after\",\"count\":2}");
    ck_assert_int_eq(call("getMe", 1, 0).kind, FAULT_CUT_AFTER);
    ck_assert_int_eq(call("SENDMESSAGE", 1, 2).retry_after, 7);
    ck_assert_int_eq(call("sendMessage", 1, 2).kind, FAULT_CUT_AFTER);
    ck_assert_int_eq(call("sendMessage", 1, 2).kind, FAULT_NONE);
    ck_assert_uint_eq(all.count, 0);
    order("{\"kind\":\"garbage\"}"); /* the list is still in order after its end was taken */
    ck_assert_int_eq(call("x", 1, 2).kind, FAULT_GARBAGE);
}
END_TEST

START_TEST(orders_are_for_whom_they_name)
{
    order("{\"kind\":\"status\",\"bot\":\"5\",\"chat\":6}");
    ck_assert_int_eq(call("sendMessage", 4, 6).kind, FAULT_NONE);
    ck_assert_int_eq(call("sendMessage", 5, 7).kind, FAULT_NONE);
    ck_assert_int_eq(call("sendMessage", 5, 6).status, 500);
    order("{\"kind\":\"status\",\"code\":368,\"subcode\":7}");
    ck_assert_int_eq(call("messages", 5, 6).code, 368);
    order("{\"kind\":\"delay\",\"delay_ms\":5,\"platform\":\"messenger\"}");
    ck_assert_int_eq(call("sendMessage", 5, 6).kind, FAULT_NONE);
}
END_TEST

START_TEST(an_order_may_name_an_account_and_a_method_by_its_full_name)
{
    struct fault_call call = { .platform = STR("bluesky"), .on = STR("getLog"),
        .full_name = STR("chat.bsky.convo.getLog"), .account = STR("did:plc:a") };

    order("{\"kind\":\"status\",\"on\":\"chat.bsky.convo.getLog\",\"account\":\"did:plc:a\",\"every\":2}");
    ck_assert_int_eq(faults_take(&all, &call).kind, FAULT_NONE);
    call.account = STR_NONE;
    ck_assert_int_eq(faults_take(&all, &call).kind, FAULT_NONE);
    call.account = STR("did:plc:b");
    ck_assert_int_eq(faults_take(&all, &call).kind, FAULT_NONE);
    call.account = STR("did:plc:a");
    ck_assert_int_eq(faults_take(&all, &call).kind, FAULT_STATUS);
}
END_TEST

START_TEST(any_means_any_method)
{
    order("{\"kind\":\"garbage\"}");
    ck_assert_int_eq(call("webhook", 1, 1).kind, FAULT_NONE);
    ck_assert_int_eq(call("file", 1, 1).kind, FAULT_NONE);
    order("{\"kind\":\"duplicate\",\"on\":\"webhook\"}");
    ck_assert_int_eq(call("webhook", 1, 1).kind, FAULT_DUPLICATE);
}
END_TEST

START_TEST(every_third_until_cleared)
{
    order("{\"kind\":\"html\",\"count\":-1,\"every\":3}");
    for (int i = 1; i <= 9; i++)
        ck_assert_int_eq(call("sendMessage", 1, 1).kind, i % 3 == 0 ? FAULT_HTML : FAULT_NONE);
    faults_clear(&all);
    for (int i = 1; i <= 9; i++)
        ck_assert_int_eq(call("sendMessage", 1, 1).kind, FAULT_NONE);
}
END_TEST

static const struct {
    const char *order, *says;
} wrong[] = {
    { "[]", "an order is an object" },
    { "{}", "kind must be" },
    { "{\"kind\":\"explode\"}", "kind must be" },
    { "{\"kind\":\"status\",\"status\":200}", "status must be a whole number from 400 to 599" },
    { "{\"kind\":\"delay\",\"delay_ms\":\"soon\"}", "delay_ms must be" },
    { "{\"kind\":\"status\",\"on\":7}", "on must be text" },
    { "{\"kind\":\"status\",\"on\":\"webhook\"}", "answer it that way yourself" },
    { "{\"kind\":\"duplicate\"}", "duplicate is for webhook" },
    { "{\"kind\":\"status\",\"count\":-2}", "count must be" },
    { "{\"kind\":\"status\",\"every\":0}", "every must be" },
};

START_TEST(a_wrong_order_is_refused)
{
    struct error err = { 0 };
    yyjson_val  *val;

    ck_assert(json_parse(&arena, str_of(wrong[_i].order), 8, &val, &err));
    ck_assert(!faults_add(&all, val, &err));
    ck_assert_int_eq(err.status, 400);
    ck_assert_msg(strstr(err.message, wrong[_i].says) != NULL, "%s", err.message);
    ck_assert_uint_eq(all.count, 0);
}
END_TEST

static void
tear_down(void)
{
    faults_clear(&all);
    arena_deinit(&arena);
}

static TCase *
orders(void)
{
    TCase *c = tcase_create("orders");

    tcase_add_checked_fixture(c, NULL, tear_down);
    tcase_add_test(c, the_first_order_that_fits_is_used_up);
    tcase_add_test(c, orders_are_for_whom_they_name);
    tcase_add_test(c, an_order_may_name_an_account_and_a_method_by_its_full_name);
    tcase_add_test(c, any_means_any_method);
    tcase_add_test(c, every_third_until_cleared);
    tcase_add_loop_test(c, a_wrong_order_is_refused, 0, COUNT(wrong));
    return c;
}

TEST_CASES("faults", orders)
