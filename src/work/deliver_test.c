#include "work/deliver.h"

#include "base/config.h"
#include "base/id.h"
#include "base/random.h"
#include "base/testing_str.h"

#define NOW_MS    INT64_C(1780236120500)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* What HMAC-SHA256 gives for these was computed with Python's hmac module. */
#define SECRET   "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OLD      "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define BODY     "{\"id\":\"evt_1JmaxSRwX8K\",\"object\":\"event\",\"type\":\"ping\"," \
                 "\"created_at\":\"2026-05-31T14:02:00.500Z\"," \
                 "\"data\":{\"n\":1,\"object\":{\"n\":1}}}"
#define HEX      "aad2b9aca6124f5c8e40416a13fcb4d11202d440bda44b49e76980d55998e543"
#define OLD_HEX  "80240dc12e0717374a12753f27d4b3df408731ff0636bb3cd39fb097a289ccbc"
#define B64      "/CqW99FyXD90kCMRbg48lESj6/Cd5AtoUzJUXOHjdvI="
#define OLD_B64  "BaFCE3DAi6hZ2U2zMMtTkhtnPk0CPERIJ9XZpmeNkYw="

static struct arena   a;
static struct webhook endpoint;
static struct event   ping;

static void
set_up(void)
{
    const uint8_t secret[KEYRING_KEY_SIZE] = { 1, 2, 3 };

    config = (struct config){ .webhook_retry_ms = { 5000, MINUTE_MS, 5 * MINUTE_MS }, .webhook_retry_count = 3,
                              .webhook_timeout_ms = 12345 };
    keyring_derive(&config.keys, secret);
    id_setup(&config.keys, 0);
    random_seed(7);
    arena_init(&a);
    endpoint = (struct webhook){ .id = 2, .url = STR("https://app.example/hook"), .secret = STR(SECRET) };
    ping = (struct event){ .id = 3, .type = EVENT_PING, .created_at = NOW_MS, .data = STR("{\"n\":1}") };
}

static void
tear_down(void)
{
    arena_deinit(&a);
}

/* ---- the request ---- */

static struct str
header(const struct net_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq(r->headers[i].name, str_of(name)))
            return r->headers[i].value;
    return STR_NONE;
}

START_TEST(an_event_is_signed_in_both_ways)
{
    struct net_request r;

    deliver_request(&endpoint, &ping, STR("dlv_x"), NOW_MS, &a, &r);
    ck_assert_slice(r.url, "https://app.example/hook");
    ck_assert_slice(r.body, BODY);
    ck_assert_slice(header(&r, "Content-Type"), "application/json");
    ck_assert_slice(header(&r, "X-Postproxy-Event"), "ping");
    ck_assert_slice(header(&r, "X-Postproxy-Delivery"), "dlv_x");
    ck_assert_slice(header(&r, "X-Postproxy-Signature"), "t=1780236120,v1=" HEX);
    ck_assert_slice(header(&r, "webhook-id"), "evt_1JmaxSRwX8K");
    ck_assert_slice(header(&r, "webhook-timestamp"), "1780236120");
    ck_assert_slice(header(&r, "webhook-signature"), "v1," B64);
    ck_assert_uint_eq(r.header_count, 7);
    ck_assert_int_eq(r.total_ms, 12345);
    ck_assert(r.guarded);
    ck_assert_int_eq(r.redirects_max, 0);
}
END_TEST

/* Published verifiers of the first header keep its last v1, and who was not told yet has the old secret. */
START_TEST(the_old_secret_signs_last_until_its_time_is_over)
{
    struct net_request r;

    endpoint.old_secret = STR(OLD);
    endpoint.old_secret_until = NOW_MS + 1;
    deliver_request(&endpoint, &ping, STR("dlv_x"), NOW_MS, &a, &r);
    ck_assert_slice(header(&r, "X-Postproxy-Signature"), "t=1780236120,v1=" HEX ",v1=" OLD_HEX);
    ck_assert_slice(header(&r, "webhook-signature"), "v1," B64 " v1," OLD_B64);
    endpoint.old_secret_until = NOW_MS;
    deliver_request(&endpoint, &ping, STR("dlv_x"), NOW_MS, &a, &r);
    ck_assert_slice(header(&r, "X-Postproxy-Signature"), "t=1780236120,v1=" HEX);
    ck_assert_slice(header(&r, "webhook-signature"), "v1," B64);
}
END_TEST

START_TEST(endpoints_of_one_host_stand_in_lines_of_their_own)
{
    struct net_request one, other;
    struct webhook     second = endpoint;

    second.id = 4;
    deliver_request(&endpoint, &ping, STR("dlv_x"), NOW_MS, &a, &one);
    deliver_request(&second, &ping, STR("dlv_y"), NOW_MS, &a, &other);
    ck_assert(one.line.len > 0 && !str_eq(one.line, other.line));
}
END_TEST

static TCase *
requests(void)
{
    TCase *c = tcase_create("requests");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_event_is_signed_in_both_ways);
    tcase_add_test(c, the_old_secret_signs_last_until_its_time_is_over);
    tcase_add_test(c, endpoints_of_one_host_stand_in_lines_of_their_own);
    return c;
}

/* ---- the answer ---- */

static const struct {
    struct net_response response;
    bool                success;
    const char         *error; /* NULL = none */
} outcomes[] = {
    { { .result = NET_ANSWERED, .status = 200 }, true, NULL },
    { { .result = NET_ANSWERED, .status = 204 }, true, NULL },
    { { .result = NET_ANSWERED, .status = 299 }, true, NULL },
    { { .result = NET_TOO_BIG, .status = 200, .error = "the answer is larger than allowed" }, true, NULL },
    { { .result = NET_ANSWERED, .status = 301 }, false, "The endpoint answered 301" },
    { { .result = NET_ANSWERED, .status = 404 }, false, "The endpoint answered 404" },
    { { .result = NET_ANSWERED, .status = 500 }, false, "The endpoint answered 500" },
    { { .result = NET_TOO_BIG, .status = 500, .error = "the answer is larger than allowed" }, false,
      "The endpoint answered 500" },
    { { .result = NET_NOT_SENT, .error = "no route to app.example" }, false, "no route to app.example" },
    { { .result = NET_UNKNOWN, .error = "app.example did not answer in time" }, false,
      "app.example did not answer in time" },
    { { .result = NET_UNKNOWN, .status = 200, .error = "the answer was cut off" }, false, "the answer was cut off" },
    { { .result = NET_FORBIDDEN, .error = "the host has a private or reserved address (10.0.0.1)" }, false,
      "the host has a private or reserved address (10.0.0.1)" },
};

START_TEST(only_a_2xx_is_a_success)
{
    struct delivery d = { .id = 1 };

    deliver_outcome(&outcomes[_i].response, &a, &d);
    ck_assert_int_eq(d.success, outcomes[_i].success);
    ck_assert_int_eq(d.response_status, outcomes[_i].response.status);
    if (outcomes[_i].error)
        ck_assert(str_eq(d.error, str_of(outcomes[_i].error)));
    else
        ck_assert_none(d.error);
    ck_assert_none(d.response_body);
    ck_assert_int_eq(d.id, 1);
}
END_TEST

START_TEST(a_kilobyte_of_what_it_said_is_kept)
{
    struct net_response r = { .result = NET_ANSWERED, .status = 200, .took_us = 1999 };
    char                text[DELIVER_KEPT_MAX + 10];
    struct delivery     d;

    memset(text, 'x', sizeof(text));
    memcpy(text + DELIVER_KEPT_MAX - 1, "\xc3\xa4", 2); /* a letter across the bound */
    r.body = (struct str){ text, sizeof(text) };
    deliver_outcome(&r, &a, &d);
    ck_assert_uint_eq(d.response_body.len, DELIVER_KEPT_MAX - 1);
    ck_assert_int_eq(d.duration_ms, 1);
    r.body = STR("\xff\xfe binary");
    deliver_outcome(&r, &a, &d);
    ck_assert_slice(d.response_body, "(not text)");
    r.body = STR("with\0zero");
    deliver_outcome(&r, &a, &d);
    ck_assert_slice(d.response_body, "(not text)");
}
END_TEST

static TCase *
answers(void)
{
    TCase *c = tcase_create("answers");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, only_a_2xx_is_a_success, 0, COUNT(outcomes));
    tcase_add_test(c, a_kilobyte_of_what_it_said_is_kept);
    return c;
}

/* ---- what follows ---- */

/* Waits without their jitter of 20 %. */
static const struct {
    struct delivery tried;
    int64_t         retry_after_ms, least_ms, most_ms; /* -1 = no more */
} waits[] = {
    { { .attempt_number = 1, .response_status = 500 }, 0, 4000, 6000 },
    { { .attempt_number = 2, .response_status = 500 }, 0, 48000, 72000 },
    { { .attempt_number = 3, .response_status = 0 }, 0, 4 * MINUTE_MS, 6 * MINUTE_MS },
    { { .attempt_number = 4, .response_status = 500 }, 0, -1, -1 },
    { { .attempt_number = 9, .response_status = 429 }, HOUR_MS, -1, -1 },
    { { .attempt_number = 1, .response_status = 200, .success = true }, 0, -1, -1 },
    /* asked to wait */
    { { .attempt_number = 1, .response_status = 429 }, HOUR_MS, HOUR_MS, HOUR_MS },
    { { .attempt_number = 1, .response_status = 503 }, HOUR_MS, HOUR_MS, HOUR_MS },
    { { .attempt_number = 3, .response_status = 503 }, 1000, 4 * MINUTE_MS, 6 * MINUTE_MS },
    { { .attempt_number = 1, .response_status = 503 }, 40 * DAY_MS, DAY_MS, DAY_MS },
    { { .attempt_number = 1, .response_status = 500 }, HOUR_MS, 4000, 6000 }, /* it means nothing there */
    { { .attempt_number = 1, .response_status = 301 }, HOUR_MS, 4000, 6000 },
};

START_TEST(the_next_try_waits)
{
    for (int i = 0; i < 100; i++) {
        int64_t wait_ms = deliver_wait_ms(&waits[_i].tried, waits[_i].retry_after_ms);

        ck_assert_int_ge(wait_ms, waits[_i].least_ms);
        ck_assert_int_le(wait_ms, waits[_i].most_ms);
    }
}
END_TEST

#define HERE { "https://a.example/", 18 }

static const struct {
    struct delivery       tried;
    struct delivery_state now;
    bool                  disables;
} verdicts[] = {
    { { .response_status = 410, .attempt_number = 1 },
      { .enabled = true, .url = HERE, .failing_since = NOW_MS }, true },
    { { .response_status = 404, .attempt_number = 1 },
      { .enabled = true, .url = HERE, .failing_since = NOW_MS }, false },
    /* it was disabled or moved while it was called */
    { { .response_status = 410, .attempt_number = 1 },
      { .enabled = false, .url = HERE, .failing_since = NOW_MS }, false },
    { { .response_status = 410, .attempt_number = 1 },
      { .enabled = true, .url = { "https://b.example/", 18 }, .failing_since = NOW_MS }, false },
    /* five days */
    { { .response_status = 500, .attempt_number = 4 },
      { .enabled = true, .url = HERE, .failing_since = NOW_MS - 5 * DAY_MS - 1 }, true },
    { { .response_status = 0, .attempt_number = 9 },
      { .enabled = true, .url = HERE, .failing_since = NOW_MS - 9 * DAY_MS }, true },
    { { .response_status = 500, .attempt_number = 4 },
      { .enabled = true, .url = HERE, .failing_since = NOW_MS - 5 * DAY_MS }, false },
    { { .response_status = 500, .attempt_number = 4 },
      { .enabled = true, .url = { "https://b.example/", 18 }, .failing_since = NOW_MS - 9 * DAY_MS }, false },
    /* a quiet endpoint that was down long ago gets a few tries first */
    { { .response_status = 500, .attempt_number = 3 },
      { .enabled = true, .url = HERE, .failing_since = NOW_MS - 9 * DAY_MS }, false },
    { { .response_status = 200, .attempt_number = 4, .success = true }, { .enabled = true, .url = HERE }, false },
};

START_TEST(an_endpoint_is_disabled_for_a_reason)
{
    struct str reason =
        deliver_reason_to_disable(&verdicts[_i].tried, STR("https://a.example/"), &verdicts[_i].now, NOW_MS);

    ck_assert_int_eq(reason.len > 0, verdicts[_i].disables);
}
END_TEST

static TCase *
decisions(void)
{
    TCase *c = tcase_create("decisions");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, the_next_try_waits, 0, COUNT(waits));
    tcase_add_loop_test(c, an_endpoint_is_disabled_for_a_reason, 0, COUNT(verdicts));
    return c;
}

TEST_CASES("deliver", requests, answers, decisions)
