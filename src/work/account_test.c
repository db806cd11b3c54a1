/* account_test.c -- accounts whose updates come to an app's webhook, or not at all: what is done for them, and when. */
#include "work/account.h"

#include "work/testing_worker.h"

static const struct platform_app app = { .name = "app" };

SCRIPTED(CAN_PUSH, .app = &app, );

static struct testing_worker w;

static const struct platform own_hook = { .name = "own", .can = CAN_PUSH | CAN_POLL };
static const struct platform only_polled = { .name = "polled", .can = CAN_POLL };

#define HOOK STR("https://parley.example/webhooks/app")
#define UNSUBSCRIBES "/other/" /* of what comes here */

static int64_t
jobs(enum job_kind kind)
{
    return ts_int(&w.store, arena_printf(&w.store.arena, "SELECT COUNT(*) FROM job WHERE kind = %d", (int)kind).ptr);
}

static void
tend(const struct platform *p, struct str hook_url, struct str public_url)
{
    struct profile profile = w.store.profile;

    profile.platform = p;
    profile.hook_url = hook_url;
    ck_assert_msg(account_tend(w.store.db, &profile, public_url, w.store.now, &w.store.err), "%s", w.store.err.message);
}

START_TEST(an_apps_webhook_is_one_for_all)
{
    struct str url = STR("https://parley.example");

    ck_assert(str_eq(account_hook_url(&telegram, url, 5, &w.store.arena), HOOK));
    ck_assert_uint_eq(account_hook_url(&telegram, STR_NONE, 5, &w.store.arena).len, 0);
    ck_assert_uint_eq(account_hook_url(&only_polled, url, 5, &w.store.arena).len, 0);
    ck_assert(str_starts(account_hook_url(&own_hook, url, 5, &w.store.arena),
                              STR("https://parley.example/webhooks/own/")));
    ck_assert(!str_eq(account_hook_url(&own_hook, url, 5, &w.store.arena),
                      account_hook_url(&own_hook, url, 6, &w.store.arena)));
}
END_TEST

START_TEST(where_only_a_webhook_would_do_nothing_is_done_without_one)
{
    tend(&telegram, STR_NONE, STR_NONE);
    tend(&telegram, HOOK, STR_NONE);
    ck_assert_int_eq(ts_int(&w.store, "SELECT COUNT(*) FROM job"), 0);
}
END_TEST

START_TEST(who_can_be_polled_is)
{
    tend(&only_polled, STR_NONE, STR("https://parley.example"));
    ck_assert_int_eq(jobs(JOB_POLL), 1);
    tend(&own_hook, STR_NONE, STR_NONE);
    ck_assert_int_eq(jobs(JOB_POLL), 1);
    ck_assert_int_eq(ts_int(&w.store, "SELECT COUNT(*) FROM job"), 1);
}
END_TEST

START_TEST(a_webhook_that_went_is_given_up)
{
    tend(&own_hook, HOOK, STR_NONE);
    ck_assert_int_eq(jobs(JOB_SUBSCRIBE), 1); /* which makes it ready to be polled */
    ck_assert_int_eq(jobs(JOB_POLL), 0);
}
END_TEST

START_TEST(an_account_of_an_app_is_subscribed_and_then_looked_after)
{
    w.env.public_url = STR("https://parley.example");
    tw_start(&w);
    tw_await_calls(&w, "/check", 1);
    ck_assert_int_eq(tw_calls(&w, "/subscribe"), 1);
    ck_assert(str_eq(tw_text(&w, "SELECT hook_url FROM profile"), HOOK));
    ck_assert_int_eq(tw_calls(&w, "/poll/"), 0);
}
END_TEST

static void
delete_profile(struct profile *p)
{
    p->hook_url = HOOK;
    ck_assert(profile_subscribed(w.store.db, p->id, p->hook_url, STR_NONE, &w.store.err));
    ck_assert(profile_delete(w.store.db, p, w.store.now, &w.store.err));
    tw_start(&w);
    tw_await(&w, arena_printf(&w.store.arena, "SELECT COUNT(*) FROM job WHERE kind = %d", JOB_UNSUBSCRIBE).ptr, 0);
}

START_TEST(an_account_that_goes_is_unsubscribed)
{
    delete_profile(&w.store.profile);
    ck_assert_int_eq(tw_calls(&w, UNSUBSCRIBES), 1);
}
END_TEST

START_TEST(unless_another_workspace_has_it_too)
{
    struct account account = { .external_id = w.store.profile.external_id, .token = STR("t") };
    struct profile other;

    ts_exec(&w.store, "INSERT INTO workspace (id, name, created_at) VALUES (7, 'Other', 1)");
    ck_assert(profile_connect(w.store.db, 7, w.store.group.id, 70, &telegram, &account, w.store.now, &w.store.arena,
                              &other, &w.store.err));
    delete_profile(&w.store.profile);
    ck_assert_int_eq(tw_calls(&w, UNSUBSCRIBES), 0);
}
END_TEST

START_TEST(a_session_of_one_that_is_polled_is_ended)
{
    const struct account account = { .external_id = STR("did:plc:a"), .token = STR("{\"refresh\":\"r\"}") };
    struct profile p;

    w.env.bluesky_service_url = w.env.telegram_url;
    ck_assert(profile_connect(w.store.db, w.store.profile.workspace_id, w.store.group.id, 70, &bluesky, &account,
                              w.store.now, &w.store.arena, &p, &w.store.err));
    ck_assert(profile_delete(w.store.db, &p, w.store.now, &w.store.err));
    tw_start(&w);
    tw_await_calls(&w, "/xrpc/com.atproto.server.deleteSession", 1);
}
END_TEST

WORKER_TESTS("accounts", an_apps_webhook_is_one_for_all,
             where_only_a_webhook_would_do_nothing_is_done_without_one, who_can_be_polled_is,
             a_webhook_that_went_is_given_up, an_account_of_an_app_is_subscribed_and_then_looked_after,
             an_account_that_goes_is_unsubscribed, unless_another_workspace_has_it_too,
             a_session_of_one_that_is_polled_is_ended)
