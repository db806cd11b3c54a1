/* connect_test.c -- connecting accounts with their credentials. */
#include "api/testing_api.h"

#include "base/config.h"
#include "base/testing_str.h"

#define TOKEN "{\"platform\":\"telegram\",\"bot_token\":\" 200:AAnew \"}"

static struct testing_api t;
static const char        *path;

static void
set_up(void)
{
    testing_api_start(&t);
    path = text(&t, "/api/profile_groups/%s/initialize_connection", t.group);
}

static void
tear_down(void)
{
    testing_api_stop(&t);
}

/* The platform takes the token for that of bot `id`. */
static void
answer_connect(const char *id, const char *username)
{
    struct ask *ask = testing_asked(OP_CONNECT);

    ck_assert_slice(ask->op.account.token, "200:AAnew");
    ck_assert_int_eq(ask->op.account.id, 0);
    ask->op.account.external_id = str_of(id);
    ask->op.account.name = STR("New Desk");
    ask->op.account.username = str_of(username);
    testing_answer(ask);
}

static struct ask *
subscribing(void)
{
    struct ask *ask = testing_asked(OP_SUBSCRIBE);

    ck_assert_slice(ask->op.account.token, "200:AAnew");
    return ask;
}

START_TEST(a_new_account_becomes_a_profile)
{
    struct testing_reply r;
    struct ask          *ask;
    struct str           url;

    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    answer_connect("200", "new_bot");
    ask = subscribing();
    url = arena_copy(&t.arena, ask->op.hook_url);
    ck_assert_uint_ge(ask->op.account.webhook_secret.len, 5);
    testing_answer(ask);
    r = api_read(&t.client, 201);
    ck_assert(json_true(api_json(&t, r), "success"));
    ck_assert_slice(api_text(&t, r, "profile.network"), "telegram");
    ck_assert_slice(api_text(&t, r, "profile.name"), "New Desk");
    ck_assert_slice(api_text(&t, r, "profile.external_username"), "new_bot");
    ck_assert(str_find(api_text(&t, r, "next_step"), STR("https://t.me/new_bot")) >= 0);
    ck_assert(str_eq(url, str_of(text(&t, "https://dm.example.org/hook/%.*s",
        STR_ARG(api_text(&t, r, "profile.id"))))));
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%.*s", STR_ARG(api_text(&t, r, "profile.id"))), NULL, 200);
    ck_assert_slice(api_text(&t, r, "external_id"), "200");
    ck_assert_int_eq(testing_jobs(&t, JOB_CHECK), 1);
}
END_TEST

START_TEST(an_account_without_a_name_is_called_by_what_it_has)
{
    static const char *const usernames[] = { "new_bot", NULL }, *const names[] = { "new_bot", "200" };

    for (int i = 0; i < 2; i++) {
        struct testing_reply r;
        struct ask          *ask;

        api_send(&t, &t.client, "POST", path, JSON, TOKEN);
        ask = testing_asked(OP_CONNECT);
        ask->op.account.external_id = STR("200");
        ask->op.account.username = str_of(usernames[i]);
        testing_answer(ask);
        testing_answer(subscribing());
        r = api_read(&t.client, i == 0 ? 201 : 200);
        ck_assert(str_eq(api_text(&t, r, "profile.name"), str_of(names[i])));
    }
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile WHERE external_id = '200' AND name = '200'"), 1);
}
END_TEST

START_TEST(without_a_public_url_it_is_polled)
{
    struct ask *ask;

    config.public_url = STR_NONE;
    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    answer_connect("200", NULL);
    ask = subscribing();
    ck_assert_none(ask->op.hook_url);
    testing_answer(ask);
    ck_assert_slice(api_text(&t, api_read(&t.client, 201), "next_step"),
        "Ask people to write to the bot first; a bot cannot begin a conversation.");
}
END_TEST

START_TEST(connecting_again_keeps_id_group_and_secret)
{
    struct testing_reply r = api_ask(&t, "POST", "/api/profile_groups", "{\"name\":\"Other\"}", 201);
    struct ask          *ask;

    path = text(&t, "/api/profile_groups/%.*s/initialize_connection", STR_ARG(api_text(&t, r, "id")));
    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    answer_connect("100", "desk_bot"); /* the profile there is */
    ask = subscribing();
    ck_assert_slice(ask->op.account.webhook_secret, "hook-secret");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert(str_eq(api_text(&t, r, "profile.id"), str_of(t.profile)));
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%s", t.profile), NULL, 200);
    ck_assert_slice(api_text(&t, r, "name"), "New Desk");
    ck_assert(str_eq(api_text(&t, r, "profile_group_id"), str_of(t.group)));
}
END_TEST

START_TEST(two_at_once_make_one_profile)
{
    struct testing_client other;
    struct testing_reply  r;
    struct ask           *first, *second, *again;
    struct str            id, secret;

    testing_connect(&other, &t.server);
    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    answer_connect("200", "new_bot");
    first = subscribing();
    secret = arena_copy(&t.arena, first->op.account.webhook_secret);
    api_send(&t, &other, "POST", path, JSON, TOKEN);
    answer_connect("200", "new_bot");
    second = subscribing();
    ck_assert(!str_eq(first->op.hook_url, second->op.hook_url));
    testing_answer(first);
    r = api_read(&t.client, 201);
    id = arena_copy(&t.arena, api_text(&t, r, "profile.id"));
    testing_answer(second);
    again = subscribing(); /* under the id and secret of the first */
    ck_assert(str_ends(again->op.hook_url, id));
    ck_assert(str_eq(again->op.account.webhook_secret, secret));
    testing_answer(again);
    r = api_read(&other, 200);
    ck_assert(str_eq(api_text(&t, r, "profile.id"), id));
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile"), 2);
    testing_close(&other);
}
END_TEST

START_TEST(a_profile_deleted_meanwhile_is_connected_anew)
{
    struct testing_client other;
    struct testing_reply  r;
    struct ask           *ask;

    testing_connect(&other, &t.server);
    api_send(&t, &other, "POST", path, JSON, TOKEN);
    answer_connect("100", "desk_bot");
    ask = subscribing();
    api_ask(&t, "DELETE", text(&t, "/api/profiles/%s", t.profile), NULL, 200);
    testing_answer(ask);
    testing_answer(subscribing());
    r = api_read(&other, 201);
    ck_assert(!str_eq(api_text(&t, r, "profile.id"), str_of(t.profile)));
    testing_close(&other);
}
END_TEST

START_TEST(refusals_come_in_the_platforms_words)
{
    struct testing_reply r;

    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    testing_refuse_token(testing_asked(OP_CONNECT), "Unauthorized");
    ck_assert_error(&t, api_read(&t.client, 422), "Unauthorized");

    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    answer_connect("200", "new_bot");
    testing_refuse(subscribing(), "Bad Request: bad webhook: Failed to resolve host");
    ck_assert_error(&t, api_read(&t.client, 422), "Bad Request: bad webhook: Failed to resolve host");

    api_send(&t, &t.client, "POST", path, JSON, TOKEN);
    answer_connect("200", "new_bot");
    testing_postpone(subscribing(), 429, 1000, "Too Many Requests: retry after 1");
    r = api_read(&t.client, 429);
    ck_assert_slice(testing_header(&r, "Retry-After"), "1");
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile"), 1);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile WHERE status = 1"), 1);
}
END_TEST

static const struct {
    const char *body;
    int         status;
    const char *sentence;
} wrong[] = {
    { "{}", 400, "platform is required" },
    { "{\"platform\":\"telegram\"}", 400, "bot_token is required" },
    { "{\"platform\":\"telegram\",\"bot_token\":\"  \"}", 400, "bot_token is required" },
    { "{\"platform\":\"telegram\",\"bot_token\":5}", 400, "bot_token must be a string" },
    { "{\"platform\":\"tiktok\"}", 422, "Direct messages are not supported on tiktok" },
    { "{\"platform\":\"Telegram\"}", 422, "platform is 'telegram' in small letters, not 'Telegram'" },
    { "{\"platform\":\"facebook\",\"page_id\":\"1\"}", 400, "access_token is required" },
    { "{\"platform\":\"facebook\",\"access_token\":\"EAA\"}", 400, "page_id is required" },
    { "{\"platform\":\"facebook\",\"page_id\":{},\"access_token\":\"EAA\"}", 400, "page_id must be a string" },
    { "{\"platform\":\"instagram\",\"account_id\":\"1\"}", 400, "access_token is required" },
    { "{\"platform\":\"instagram\",\"page_id\":\"1\"}", 400, "account_id is required" },
    { "{\"platform\":\"instagram\",\"redirect_url\":\"ftp://x\"}", 422,
      "redirect_url must begin with http:// or https://" },
    { "{\"platform\":\"bluesky\"}", 400, "identifier is required" },
    { "{\"platform\":\"bluesky\",\"identifier\":\"a.example\"}", 400, "app_password is required" },
    { "{\"platform\":\"bluesky\",\"identifier\":\"a.example\",\"app_password\":\"p\",\"service\":\"gopher://x\"}", 422,
      "service must begin with http:// or https://" },
    { "{\"platform\":\"bluesky\",\"identifier\":\"a.example\",\"app_password\":\"p\","
      "\"service\":\"http://127.0.0.1:2583\"}", 422, "service leads to a private or reserved address (127.0.0.1)" },
};

START_TEST(wrong_requests_reach_no_platform)
{
    struct testing_reply r = api_ask(&t, "POST", path, wrong[_i].body, wrong[_i].status);

    ck_assert(str_eq(api_text(&t, r, "error"), str_of(wrong[_i].sentence)));
    api_ask(&t, "POST", "/api/profile_groups/grp_1/initialize_connection", wrong[_i].body, 404);
}
END_TEST

/* ---- what each platform's accounts are connected with ---- */

static void
connects(const char *body, const char *token, const char *external_id, const char *details)
{
    struct ask *ask;

    api_send(&t, &t.client, "POST", path, JSON, body);
    ask = testing_asked(OP_CONNECT);
    ck_assert(str_eq(ask->op.account.token, str_of(token)));
    ck_assert(str_eq(ask->op.account.external_id, str_of(external_id)));
    ck_assert(str_eq(ask->op.account.details, str_of(details)));
    testing_refuse(ask, "Not today");
    ck_assert_error(&t, api_read(&t.client, 422), "Not today");
}

START_TEST(every_platform_has_its_own_credentials)
{
    connects("{\"platform\":\"bluesky\",\"identifier\":\" lindgren.example \",\"app_password\":\"a\\\"b\\n\"}",
             "{\"identifier\":\"lindgren.example\",\"password\":\"a\\\"b\"}", NULL, NULL);
    connects("{\"platform\":\"bluesky\",\"identifier\":\"a.example\",\"app_password\":\"p\","
             "\"service\":\"https://pds.example\"}",
             "{\"identifier\":\"a.example\",\"password\":\"p\"}", NULL, "{\"service\":\"https://pds.example\"}");
    connects("{\"platform\":\"facebook\",\"page_id\":102938475610293,\"access_token\":\" EAA\\n\"}", "EAA",
             "102938475610293", NULL);
    connects("{\"platform\":\"instagram\",\"account_id\":\"17841\",\"access_token\":\"IGAA\"}", "IGAA", "17841", NULL);
    connects("{\"platform\":\"instagram\",\"account_id\":\"17841\",\"access_token\":\"EAA\",\"page_id\":\"1029\"}",
             "EAA", "17841", "{\"page_id\":\"1029\"}");
}
END_TEST

/* All that connecting finds out is kept, also credentials of another form than the ones that were given. */
START_TEST(what_the_platform_says_is_stored)
{
    struct testing_reply r;
    struct ask          *ask;

    api_send(&t, &t.client, "POST", path, JSON,
             "{\"platform\":\"instagram\",\"account_id\":\"17841\",\"access_token\":\"short\"}");
    ask = testing_asked(OP_CONNECT);
    ask->op.account.external_id = STR("17841");
    ask->op.account.alt_external_id = STR("5550");
    ask->op.account.username = STR("lindgren");
    ask->op.account.token = arena_copy(&t.arena, STR("long-lived"));
    ask->op.account.details = STR("{\"login\":true}");
    ask->op.account.expires_at = 1789374310000;
    ask->op.account.refresh_at = 1789374000000;
    testing_answer(ask);
    ask = testing_asked(OP_SUBSCRIBE);
    ck_assert_slice(ask->op.account.token, "long-lived");
    ck_assert_slice(ask->op.account.details, "{\"login\":true}");
    ck_assert_slice(ask->op.hook_url, "https://dm.example.org/webhooks/meta");
    testing_answer(ask);
    r = api_read(&t.client, 201);
    ck_assert_slice(api_text(&t, r, "profile.network"), "instagram");
    ck_assert_slice(api_text(&t, r, "profile.name"), "lindgren");
    ck_assert_slice(api_text(&t, r, "next_step"),
                    "See that your app names https://dm.example.org/webhooks/meta as its webhook.");
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%.*s", STR_ARG(api_text(&t, r, "profile.id"))), NULL, 200);
    ck_assert_slice(api_text(&t, r, "expires_at"), "2026-09-14T08:25:10.000Z");
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile WHERE alt_external_id = '5550'"), 1);
    ck_assert_int_eq(testing_jobs(&t, JOB_REFRESH), 1);
}
END_TEST

START_TEST(without_a_public_url_meta_cannot_tell_us_anything)
{
    struct ask *ask;

    config.public_url = STR_NONE;
    api_send(&t, &t.client, "POST", path, JSON,
             "{\"platform\":\"facebook\",\"page_id\":\"1029\",\"access_token\":\"EAA\"}");
    ask = testing_asked(OP_CONNECT);
    testing_answer(ask);
    ask = testing_asked(OP_SUBSCRIBE);
    ck_assert_none(ask->op.hook_url);
    testing_answer(ask);
    ck_assert_slice(api_text(&t, api_read(&t.client, 201), "next_step"),
                    "This server has no public URL, so it can send messages but receives none.");
}
END_TEST

START_TEST(a_repeat_of_connecting_asks_nobody)
{
    struct testing_reply r;
    struct str           first;

    api_send(&t, &t.client, "POST", path, JSON "Idempotency-Key: k\r\n", TOKEN);
    answer_connect("200", "new_bot");
    testing_answer(subscribing());
    r = api_read(&t.client, 201);
    first = arena_copy(&t.arena, r.body);
    r = api_ask_with(&t, "POST", path, JSON "Idempotency-Key: k\r\n", TOKEN, 201);
    ck_assert(str_eq(r.body, first));
}
END_TEST

static TCase *
connecting(void)
{
    TCase *c = tcase_create("connecting");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_new_account_becomes_a_profile);
    tcase_add_test(c, an_account_without_a_name_is_called_by_what_it_has);
    tcase_add_test(c, without_a_public_url_it_is_polled);
    tcase_add_test(c, connecting_again_keeps_id_group_and_secret);
    tcase_add_test(c, two_at_once_make_one_profile);
    tcase_add_test(c, a_profile_deleted_meanwhile_is_connected_anew);
    tcase_add_test(c, refusals_come_in_the_platforms_words);
    tcase_add_loop_test(c, wrong_requests_reach_no_platform, 0, COUNT(wrong));
    tcase_add_test(c, every_platform_has_its_own_credentials);
    tcase_add_test(c, what_the_platform_says_is_stored);
    tcase_add_test(c, without_a_public_url_meta_cannot_tell_us_anything);
    tcase_add_test(c, a_repeat_of_connecting_asks_nobody);
    return c;
}

TEST_CASES("connect", connecting)
