/* hooks_test.c -- updates of Telegram's: whom we believe, what is stored, and what the caches may remember. */
#include "api/testing_api.h"

#include "base/clock.h"
#include "base/testing_str.h"

#define SECRET "X-Telegram-Bot-Api-Secret-Token: hook-secret\r\n"

static struct testing_api t;
static const char        *path;

static void
set_up(void)
{
    testing_api_start(&t);
    path = text(&t, "/webhooks/telegram/%s", t.profile);
}

static void
tear_down(void)
{
    testing_api_stop(&t);
}

static const char *
update(int id)
{
    return text(&t, "{\"update_id\":%d,\"message\":{\"message_id\":%d,\"date\":1789374067,\"text\":\"hi\","
                    "\"from\":{\"id\":55,\"is_bot\":false,\"first_name\":\"Mateo\"},"
                    "\"chat\":{\"id\":55,\"type\":\"private\",\"first_name\":\"Mateo\"}}}", 1000 + id, id);
}

static int64_t
messages(void)
{
    return testing_count(&t, "SELECT COUNT(*) FROM message");
}

START_TEST(an_update_is_stored_once)
{
    struct testing_reply r = api_ask_with(&t, "POST", path, SECRET, update(1), 200);

    ck_assert_slice(r.body, "{}");
    ck_assert_int_eq(messages(), 1);
    api_ask_with(&t, "POST", path, SECRET, update(1), 200);
    api_ask_with(&t, "POST", path, SECRET, update(2), 200);
    ck_assert_int_eq(messages(), 2);
    r = api_ask(&t, "GET", "/api/messages/1", NULL, 200);
    ck_assert_slice(api_text(&t, r, "body"), "hi");
    ck_assert_slice(api_text(&t, r, "external_posted_at"), "2026-09-14T08:21:07.000Z");
}
END_TEST

START_TEST(without_the_secret_nothing_is_written)
{
    struct testing_reply r = api_ask_with(&t, "POST", path, "", update(1), 401);

    ck_assert_error(&t, r, "The secret token does not match");
    api_ask_with(&t, "POST", path, "X-Telegram-Bot-Api-Secret-Token: hook-secres\r\n", update(1), 401);
    api_ask_with(&t, "POST", path, SECRET, update(1), 200);
    api_ask_with(&t, "POST", path, "X-Telegram-Bot-Api-Secret-Token: \r\n", update(2), 401); /* from the cache, too */
    ck_assert_int_eq(messages(), 1);
    r = api_ask_with(&t, "GET", "/metrics", "", NULL, 200);
    ck_assert(str_find(r.body, STR("\nparley_updates_refused_total 3\n")) >= 0);
    ck_assert(str_find(r.body, STR("\nparley_updates_total 1\n")) >= 0);
    ck_assert(str_find(r.body, STR("\nparley_inbound_events_total 1\n")) >= 0);
}
END_TEST

START_TEST(unknown_profiles_are_not_found)
{
    api_ask_with(&t, "POST", "/webhooks/telegram/prof_1", SECRET, update(1), 404);
    api_ask_with(&t, "POST", "/webhooks/telegram/nonsense", SECRET, update(1), 404);
    api_ask_with(&t, "GET", path, SECRET, NULL, 405);
}
END_TEST

START_TEST(a_deleted_profile_receives_no_more)
{
    api_ask_with(&t, "POST", path, SECRET, update(1), 200);
    api_ask(&t, "DELETE", text(&t, "/api/profiles/%s", t.profile), NULL, 200);
    api_ask_with(&t, "POST", path, SECRET, update(2), 404);
    ck_assert_int_eq(messages(), 1);
}
END_TEST

static bool
change_secret(void *arg, struct db *db, struct error *err)
{
    struct account account = { .external_id = STR("100"), .token = STR("100:secret"),
                               .webhook_secret = STR("new-secret") };
    struct profile p;

    (void)arg;
    return profile_connect(db, t.workspace_id, t.group_id, 1, &telegram, &account, clock_now_ms(), &t.arena, &p, err);
}

START_TEST(a_new_secret_counts_at_once)
{
    struct error err = { 0 };

    api_ask_with(&t, "POST", path, SECRET, update(1), 200);
    ck_assert_msg(db_run(t.engine, DB_WRITE, change_secret, NULL, &err), "%s", err.message);
    api_ask_with(&t, "POST", path, SECRET, update(2), 401);
    api_ask_with(&t, "POST", path, "X-Telegram-Bot-Api-Secret-Token: new-secret\r\n", update(2), 200);
}
END_TEST

/* Another process changed it: no signal reaches this one, and still nobody genuine is turned away. */
START_TEST(a_secret_changed_elsewhere_is_looked_up)
{
    struct error err = { 0 };
    unsigned     seen;

    api_ask_with(&t, "POST", path, SECRET, update(1), 200);
    seen = atomic_load(&t.api->profiles_changed);
    ck_assert_msg(db_run(t.engine, DB_WRITE, change_secret, NULL, &err), "%s", err.message);
    atomic_store(&t.api->profiles_changed, seen);
    api_ask_with(&t, "POST", path, "X-Telegram-Bot-Api-Secret-Token: new-secret\r\n", update(2), 200);
    ck_assert_int_eq(messages(), 2);
}
END_TEST

START_TEST(what_is_not_understood_is_kept)
{
    struct testing_reply r;

    api_ask_with(&t, "POST", path, SECRET, "{\"no\":\"update\"}", 200);
    api_ask_with(&t, "POST", path, SECRET, "no json", 200);
    api_ask_with(&t, "POST", path, SECRET, "", 200);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM raw_payload"), 3);
    r = api_ask_with(&t, "GET", "/metrics", "", NULL, 200);
    ck_assert(str_find(r.body, STR("\nparley_updates_not_understood_total 3\n")) >= 0);
}
END_TEST

/* Of some size it is not even read of a stranger: the answer comes at the head. */
START_TEST(a_large_body_is_read_of_telegram_alone)
{
    const char           *length = "Content-Length: 100000\r\n";
    char                 *body = arena_alloc(&t.arena, 100001);
    struct testing_client other;

    for (int i = 0; i < 2; i++) { /* the second time from the cache */
        testing_connect(&other, &t.server);
        api_send(&t, &other, "POST", path, text(&t, "X-Telegram-Bot-Api-Secret-Token: wrong\r\n%s", length), NULL);
        api_read(&other, 401);
        testing_close(&other);
        memset(body, ' ', 100000);
        memcpy(body, update(i + 1), strlen(update(i + 1)));
        api_ask_with(&t, "POST", path, SECRET, body, 200);
    }
    testing_connect(&other, &t.server);
    api_send(&t, &other, "POST", "/webhooks/telegram/prof_1", text(&t, SECRET "%s", length), NULL);
    api_read(&other, 404);
    testing_close(&other);
    ck_assert_int_eq(messages(), 2);
    ck_assert_int_eq(atomic_load(&t.api->updates_refused), 2);
}
END_TEST

START_TEST(a_body_has_a_bound)
{
    char *body = arena_alloc(&t.arena, 2 * MIB);

    memset(body, ' ', MIB + 1);
    api_ask_with(&t, "POST", path, SECRET, body, 413);
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("hooks");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_update_is_stored_once);
    tcase_add_test(c, without_the_secret_nothing_is_written);
    tcase_add_test(c, unknown_profiles_are_not_found);
    tcase_add_test(c, a_deleted_profile_receives_no_more);
    tcase_add_test(c, a_new_secret_counts_at_once);
    tcase_add_test(c, a_secret_changed_elsewhere_is_looked_up);
    tcase_add_test(c, what_is_not_understood_is_kept);
    tcase_add_test(c, a_large_body_is_read_of_telegram_alone);
    tcase_add_test(c, a_body_has_a_bound);
    return c;
}

TEST_CASES("hooks", all)
