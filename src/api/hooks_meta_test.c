/* hooks_meta_test.c -- the webhook of all Facebook and Instagram accounts: whom we believe, and what is stored. */
#include "api/testing_api.h"

#include <sched.h>

#include "base/clock.h"
#include "base/testing_str.h"

#define APP_SECRET "s3cr3t-app-key"
#define URL        "/webhooks/meta"

static struct testing_api t;

static void
set_up(void)
{
    testing_api_start(&t);
    t.env.meta_app_secret = STR(APP_SECRET);
    t.env.meta_verify_token = STR("our-token");
    testing_profile(&t, &facebook, "1029384756");
}

static void
tear_down(void)
{
    testing_api_stop(&t);
}

/* The header Meta would send with `body`. */
static const char *
signature(const char *body)
{
    uint8_t     mac[SHA256_SIZE];
    struct buf  hex;
    const char *header;

    hmac_sha256(STR(APP_SECRET), str_of(body), mac);
    buf_init(&hex, KIB);
    hex_encode(&hex, (struct str){ (const char *)mac, sizeof(mac) });
    header = text(&t, "X-Hub-Signature-256: sha256=%.*s\r\nContent-Type: application/json\r\n", (int)hex.len, hex.ptr);
    buf_deinit(&hex);
    return header;
}

static const char *
update(const char *account, const char *mid)
{
    return text(&t, "{\"object\":\"page\",\"entry\":[{\"id\":\"%s\",\"time\":1790000000123,\"messaging\":[{"
                    "\"sender\":{\"id\":\"7001002003004005\"},\"recipient\":{\"id\":\"%s\"},"
                    "\"timestamp\":1790000000100,"
                    "\"message\":{\"mid\":\"%s\",\"text\":\"ol\\u00e1 a\\/b\"}}]}]}", account, account, mid);
}

static struct testing_reply
post(const char *body, int status)
{
    return api_ask_with(&t, "POST", URL, signature(body), body, status);
}

static int64_t
messages(void)
{
    return testing_count(&t, "SELECT COUNT(*) FROM message");
}

static bool
metrics_say(const char *line)
{
    struct testing_reply r = api_ask_with(&t, "GET", "/metrics", "", NULL, 200);

    return str_find(r.body, str_of(line)) >= 0;
}

/* ---- is this address ours? ---- */

START_TEST(meta_may_see_that_the_address_is_ours)
{
    struct testing_reply r = api_ask_with(&t, "GET",
        URL "?hub.mode=subscribe&hub.verify_token=our-token&hub.challenge=1158201444", "", NULL, 200);

    ck_assert_slice(r.body, "1158201444");
    ck_assert_slice(testing_header(&r, "Content-Type"), "text/plain");
    ck_assert_slice(testing_header(&r, "X-Content-Type-Options"), "nosniff");
}
END_TEST

static const char *const strangers[] = {
    "", "?hub.mode=subscribe&hub.challenge=1", "?hub.mode=subscribe&hub.verify_token=our-tokem&hub.challenge=1",
    "?hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "?hub.mode=subscribe&hub.verify_token=our-token",
    "?hub.mode=unsubscribe&hub.verify_token=our-token&hub.challenge=1",
};

START_TEST(others_see_nothing)
{
    struct testing_reply r = api_ask_with(&t, "GET", text(&t, URL "%s", strangers[_i]), "", NULL, 403);

    ck_assert_error(&t, r, "The verify token does not match");
}
END_TEST

START_TEST(without_a_token_of_ours_none_matches)
{
    t.env.meta_verify_token = STR_NONE;
    api_ask_with(&t, "GET", URL "?hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "", NULL, 403);
    api_ask_with(&t, "GET", URL "?hub.mode=subscribe&hub.challenge=1", "", NULL, 403);
}
END_TEST

/* ---- what it tells ---- */

START_TEST(an_update_is_stored_once)
{
    struct testing_reply r = post(update("1029384756", "m_1"), 200);

    ck_assert_slice(r.body, "{}");
    post(update("1029384756", "m_1"), 200);
    ck_assert_int_eq(messages(), 1);
    r = api_ask(&t, "GET", "/api/messages/m_1", NULL, 200);
    ck_assert_slice(api_text(&t, r, "body"), "ol\u00e1 a/b");
    ck_assert(metrics_say("\nparley_updates_total 2\n"));
    ck_assert(metrics_say("\nparley_inbound_events_total 1\n"));
    ck_assert(metrics_say("\nparley_inbound_told_total{kind=\"message\"} 2\n"));
}
END_TEST

/* Thanked for and dropped: Meta would end the subscription of all the others. */
START_TEST(an_account_of_nobody_here_changes_nothing)
{
    post(update("5550001", "m_2"), 200);
    ck_assert_int_eq(messages(), 0);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM raw_payload"), 0);
    ck_assert(metrics_say("\nparley_inbound_unrouted_total 1\n"));
}
END_TEST

START_TEST(without_the_signature_nothing_is_written)
{
    const char          *body = update("1029384756", "m_1");
    struct testing_reply r;

    r = api_ask_with(&t, "POST", URL, signature(update("1029384756", "m_2")), body, 401);
    ck_assert_error(&t, r, "The signature does not match");
    api_ask_with(&t, "POST", URL, "X-Hub-Signature-256: sha256=\r\n", body, 401);
    api_ask_with(&t, "POST", URL, "X-Hub-Signature-256: \r\n", body, 401);
    testing_close(&t.client); /* refused at the head, so the connection ends there */
    testing_connect(&t.client, &t.server);
    r = api_ask_with(&t, "POST", URL, "Content-Type: application/json\r\n", body, 401);
    ck_assert_error(&t, r, "The signature is missing");
    testing_close(&t.client);
    testing_connect(&t.client, &t.server);
    ck_assert_int_eq(messages(), 0);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM raw_payload"), 0);
    ck_assert(metrics_say("\nparley_updates_refused_total 4\n"));
}
END_TEST

START_TEST(what_is_signed_and_not_understood_is_kept)
{
    post("no json", 200);
    post("{\"object\":\"page\",\"entry\":5}", 200);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM raw_payload"), 2);
    ck_assert(metrics_say("\nparley_updates_not_understood_total 2\n"));
}
END_TEST

START_TEST(a_thousand_updates_fit_into_one_body)
{
    char *body = arena_alloc(&t.arena, 5 * MIB);

    memset(body, ' ', 3 * MIB);
    memcpy(body, "{\"object\":\"page\",\"entry\":[]}", 28);
    post(body, 200);
    memset(body + 28, ' ', 4 * MIB);
    post(body, 413);
}
END_TEST

static void
await_unsigned(int64_t bytes)
{
    int64_t until_ms = clock_mono_ms() + TESTING_PATIENCE_MS;

    while (atomic_load(&t.api->unsigned_bytes) != bytes && clock_mono_ms() < until_ms)
        sched_yield();
    ck_assert_int_eq(atomic_load(&t.api->unsigned_bytes), bytes);
}

/* Who signs is known only when a body is whole, so those that never are must not fill the memory. */
START_TEST(many_bodies_that_do_not_end_are_not_all_held)
{
    const char           *head = text(&t, "%sContent-Length: %zu\r\n", signature("another"), 4 * MIB);
    char                 *part = arena_alloc(&t.arena, 4 * MIB - 1);
    struct testing_client crowd[17];

    memset(part, ' ', 4 * MIB - 1);
    for (int i = 0; i < 17; i++) {
        testing_connect(&crowd[i], &t.server);
        api_send(&t, &crowd[i], "POST", URL, head, NULL);
        testing_send_bytes(&crowd[i], (struct str){ part, 4 * MIB - 1 });
        if (i < 16)
            await_unsigned((i + 1) * (int64_t)(4 * MIB - 1 - KEYLESS_BODY_MAX));
    }
    api_read(&crowd[16], 503);
    post(update("1029384756", "m_1"), 200); /* a small one is taken */
    for (int i = 0; i < 17; i++)
        testing_close(&crowd[i]);
    await_unsigned(0);
}
END_TEST

START_TEST(without_a_secret_nobody_can_be_believed)
{
    const char *body = update("1029384756", "m_1");

    t.env.meta_app_secret = STR_NONE;
    api_ask_with(&t, "POST", URL, signature(body), body, 404);
    ck_assert_int_eq(messages(), 0);
}
END_TEST

static TCase *
confirming(void)
{
    TCase *c = tcase_create("confirming");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, meta_may_see_that_the_address_is_ours);
    tcase_add_loop_test(c, others_see_nothing, 0, COUNT(strangers));
    tcase_add_test(c, without_a_token_of_ours_none_matches);
    return c;
}

static TCase *
receiving(void)
{
    TCase *c = tcase_create("receiving");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_update_is_stored_once);
    tcase_add_test(c, an_account_of_nobody_here_changes_nothing);
    tcase_add_test(c, without_the_signature_nothing_is_written);
    tcase_add_test(c, what_is_signed_and_not_understood_is_kept);
    tcase_add_test(c, a_thousand_updates_fit_into_one_body);
    tcase_add_test(c, many_bodies_that_do_not_end_are_not_all_held);
    tcase_add_test(c, without_a_secret_nobody_can_be_believed);
    return c;
}

TEST_CASES("hooks_meta", confirming, receiving)
