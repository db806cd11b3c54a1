/* webhooks_test.c -- what an endpoint may look like, and asking it whether it is there. */
#include "api/testing_api.h"

#include "base/testing_str.h"

#define URL  "\"url\":\"https://app.example/hook\""
#define LONG "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

API_FIXTURE()

/* The path of a new one. */
static const char *
make(const char *body)
{
    struct testing_reply r = api_ask(&t, "POST", "/api/webhooks", body, 201);
    struct str           id = api_text(&t, r, "id");

    return text(&t, "/api/webhooks/%.*s", STR_ARG(id));
}

#define EVENTS(name)                                                                                              \
    "events: there is no event '" name "'; there are message.received, message.sent, message.delivered,"         \
    " message.read, message.edited, message.deleted, message.failed_waiting_for_retry, message.failed,"          \
    " reaction.received, comment.created, profile.connected, profile.disconnected, referral.received,"           \
    " webhook.disabled"

static const struct {
    const char *body;
    int         status;
    const char *sentence;
} refusals[] = {
    { "{\"events\":[\"*\"]}", 400, "url is required" },
    { "{" URL "}", 400, "events is required" },
    { "{" URL ",\"events\":null}", 400, "events is required" },
    { "{\"url\":\" \",\"events\":[\"*\"]}", 400, "url is required" },
    { "{\"url\":\"app.example\",\"events\":[\"*\"]}", 422, "url is not a valid http or https URL" },
    { "{\"url\":\"ftp://app.example/\",\"events\":[\"*\"]}", 422, "url must begin with http:// or https://" },
    { "{\"url\":\"https://a:b@app.example/\",\"events\":[\"*\"]}", 422, "url must not hold a user name or password" },
    { "{\"url\":\"http://127.0.0.1:80/\",\"events\":[\"*\"]}", 422,
      "url leads to a private or reserved address (127.0.0.1)" },
    { "{\"url\":\"http://localhost/\",\"events\":[\"*\"]}", 422,
      "url leads to a private or reserved address (127.0.0.1)" },
    { "{" URL ",\"events\":\"*\"}", 400, "events must be a list of event names" },
    { "{" URL ",\"events\":{}}", 400, "events must be a list of event names" },
    { "{" URL ",\"events\":[null]}", 400, "events must be a list of event names" },
    { "{" URL ",\"events\":[]}", 422, "events must name at least one event, or be [\"*\"]" },
    { "{" URL ",\"events\":[\"message.seen\"]}", 422, EVENTS("message.seen") },
    { "{" URL ",\"events\":[\"\"]}", 422, EVENTS("") },
    { "{" URL ",\"events\":[\"message.read\",\"message.read\"]}", 422, "events names message.read twice" },
    { "{" URL ",\"events\":[\"*\",\"message.read\"]}", 422,
      "In events, '*' stands alone: it means all events clients know" },
    { "{" URL ",\"events\":[\"*\"],\"description\":[]}", 400, NULL },
    { "{" URL ",\"events\":[\"*\"],\"description\":\"x" LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG "\"}", 422,
      "description may have at most 1000 characters; this one has 1001" },
    { "{" URL ",\"events\":[\"*\"],\"enabled\":\"maybe\"}", 400, "enabled must be true or false" },
    { "{" URL ",\"events\":[\"*\"],\"concurrency\":0}", 422, "concurrency must lie between 1 and 256" },
    { "{" URL ",\"events\":[\"*\"],\"concurrency\":257}", 422, "concurrency must lie between 1 and 256" },
    { "{" URL ",\"events\":[\"*\"],\"concurrency\":-5}", 422, "concurrency must lie between 1 and 256" },
    { "{" URL ",\"events\":[\"*\"],\"concurrency\":18446744073709551615}", 422,
      "concurrency must lie between 1 and 256" },
    { "{" URL ",\"events\":[\"*\"],\"concurrency\":2.5}", 400, "concurrency must be a whole number" },
};

START_TEST(a_bad_endpoint_is_refused_with_a_reason)
{
    struct testing_reply r = api_ask(&t, "POST", "/api/webhooks", refusals[_i].body, refusals[_i].status);

    if (refusals[_i].sentence)
        ck_assert_msg(str_eq(api_text(&t, r, "error"), str_of(refusals[_i].sentence)), "%.*s", STR_ARG(r.body));
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM webhook"), 0);
}
END_TEST

START_TEST(what_is_not_given_stays)
{
    const char          *path = make("{" URL ",\"events\":[\"message.sent\",\"message.read\"],"
                                     "\"description\":\" d \"}");
    struct testing_reply r = api_ask(&t, "PATCH", path, "{\"concurrency\":\"9\",\"enabled\":null,\"url\":null}", 200);

    ck_assert_slice(api_text(&t, r, "url"), "https://app.example/hook");
    ck_assert_int_eq(api_number(&t, r, "concurrency"), 9);
    ck_assert(yyjson_is_true(json_get(api_json(&t, r), "enabled")));
    ck_assert_uint_eq(yyjson_arr_size(json_arr(api_json(&t, r), "events")), 2);
    r = api_ask(&t, "PATCH", path, "{\"description\":\"\",\"events\":[\"*\"]}", 200);
    ck_assert(yyjson_is_null(json_get(api_json(&t, r), "description")));
    ck_assert_int_eq(testing_count(&t, "SELECT events FROM webhook"), EVENTS_BY_STAR);
    api_ask(&t, "PATCH", path, "{\"events\":[\"message.seen\"]}", 422);
    ck_assert_int_eq(testing_count(&t, "SELECT events FROM webhook"), EVENTS_BY_STAR);
}
END_TEST

static struct str
header(const struct net_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq(r->headers[i].name, str_of(name)))
            return r->headers[i].value;
    return STR_NONE;
}

START_TEST(a_ping_is_sent_and_its_answer_told)
{
    const char          *path = make("{" URL ",\"events\":[\"*\"]}");
    struct testing_reply r;
    struct worker_call  *c;

    api_send(&t, &t.client, "POST", text(&t, "%s/test", path), JSON, "{}");
    c = testing_called();
    ck_assert_slice(c->call.request.url, "https://app.example/hook");
    ck_assert_slice(header(&c->call.request, "X-Postproxy-Event"), "ping");
    ck_assert(c->call.request.guarded);
    testing_respond(c, (struct net_response){ .result = NET_ANSWERED, .status = 500, .body = STR("oh"),
                                              .took_us = 7000 });
    r = api_read(&t.client, 200);
    ck_assert_slice(api_text(&t, r, "error"), "The endpoint answered 500");
    ck_assert_slice(api_text(&t, r, "response_body"), "oh");
    ck_assert_int_eq(api_number(&t, r, "response_status"), 500);
    ck_assert_int_eq(api_number(&t, r, "duration_ms"), 7);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM delivery"), 0);
    ck_assert_int_eq(testing_api_events(&t, EVENT_PING), 0);
}
END_TEST

/* The client is gone before the endpoint has answered. */
START_TEST(a_ping_nobody_waits_for_does_no_harm)
{
    const char           *path = make("{" URL ",\"events\":[\"*\"]}");
    struct testing_client c;
    struct worker_call   *call;

    testing_connect(&c, &t.server);
    api_send(&t, &c, "POST", text(&t, "%s/test", path), JSON, "{}");
    call = testing_called();
    testing_close(&c);
    testing_respond(call, (struct net_response){ .result = NET_NOT_SENT, .error = "no route to app.example" });
    api_ask(&t, "GET", path, NULL, 200);
}
END_TEST

static TCase *
webhooks(void)
{
    TCase *c = tcase_create("webhooks");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, a_bad_endpoint_is_refused_with_a_reason, 0, COUNT(refusals));
    tcase_add_test(c, what_is_not_given_stays);
    tcase_add_test(c, a_ping_is_sent_and_its_answer_told);
    tcase_add_test(c, a_ping_nobody_waits_for_does_no_harm);
    return c;
}

TEST_CASES("webhooks", webhooks)
