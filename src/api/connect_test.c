/* connect_test.c -- what needs the platform's consent before ours: connecting accounts, editing messages. */
#include "api/testing_api.h"

#include "base/config.h"
#include "base/testing_str.h"

#define JSON  "Authorization: Bearer " TESTING_KEY "\r\nContent-Type: application/json\r\n"
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
    ck_assert(testing_nothing_asked());
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
    { "{\"platform\":\"Telegram\"}", 422, "Direct messages are not supported on Telegram" },
    { "{\"platform\":\"facebook\"}", 422, "This version cannot connect facebook accounts yet" },
    { "{\"platform\":\"instagram\",\"redirect_url\":\"https://x\"}", 422,
      "This version cannot connect instagram accounts yet" },
    { "{\"platform\":\"bluesky\"}", 422, "This version cannot connect bluesky accounts yet" },
};

START_TEST(wrong_requests_reach_no_platform)
{
    struct testing_reply r = api_ask(&t, "POST", path, wrong[_i].body, wrong[_i].status);

    ck_assert(str_eq(api_text(&t, r, "error"), str_of(wrong[_i].sentence)));
    api_ask(&t, "POST", "/api/profile_groups/grp_1/initialize_connection", wrong[_i].body, 404);
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

/* ---- editing ---- */

static const char *
published(const char *external_id)
{
    return text(&t, "/api/messages/%s", testing_published(&t, testing_api_chat(&t, "55"), external_id));
}

START_TEST(an_edit_changes_what_it_names)
{
    const char          *message = published("900");
    struct testing_reply r;
    struct ask          *ask;

    api_send(&t, &t.client, "PATCH", message, JSON,
        "{\"body\":\"second\",\"reply_markup\":{\"inline_keyboard\":[[{\"text\":\"A\",\"callback_data\":\"a\"}]]}}");
    ask = testing_asked(OP_EDIT);
    ck_assert_slice(ask->op.message_id, "900");
    ck_assert_slice(ask->op.participant_id, "55");
    ck_assert_slice(ask->op.body, "second");
    ck_assert(ask->op.has_body && ask->op.has_markup && !ask->op.is_media_message);
    ask->op.edited_at = 1789374310000;
    ask->op.out_body = STR("second, as Telegram has it");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert_slice(api_text(&t, r, "body"), "second, as Telegram has it");
    ck_assert_slice(api_text(&t, r, "external_edited_at"), "2026-09-14T08:25:10.000Z");
    ck_assert_ptr_nonnull(json_arr(json_obj(api_json(&t, r), "reply_markup"), "inline_keyboard"));

    /* the text alone: the keyboard goes along, so that it stays */
    api_send(&t, &t.client, "PATCH", message, JSON, "{\"body\":\"third\"}");
    ask = testing_asked(OP_EDIT);
    ck_assert(ask->op.has_body && !ask->op.has_markup);
    ck_assert_slice(ask->op.reply_markup, "{\"inline_keyboard\":[[{\"text\":\"A\",\"callback_data\":\"a\"}]]}");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert_slice(api_text(&t, r, "body"), "third");
    ck_assert_ptr_nonnull(json_obj(api_json(&t, r), "reply_markup"));

    api_send(&t, &t.client, "PATCH", message, JSON, "{\"reply_markup\":{}}");
    ask = testing_asked(OP_EDIT);
    ck_assert(!ask->op.has_body && ask->op.has_markup);
    ck_assert_slice(ask->op.reply_markup, "{}");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert_slice(api_text(&t, r, "body"), "third");
    ck_assert(yyjson_is_null(json_get(api_json(&t, r), "reply_markup")));
    ck_assert_int_eq(testing_api_events(&t, EVENT_MESSAGE_EDITED), 3);
}
END_TEST

START_TEST(an_edit_is_checked_in_order)
{
    const char          *chat = testing_api_chat(&t, "55");
    struct testing_reply r;

    api_ask(&t, "PATCH", "/api/messages/msg_1", "{}", 404);
    r = api_ask(&t, "PATCH", "/api/messages/11", "{}", 422);
    ck_assert_error(&t, r, "Only published outbound messages can be edited");
    r = api_ask(&t, "POST", text(&t, "/api/chats/%s/messages", chat), "{\"body\":\"x\"}", 202);
    r = api_ask(&t, "PATCH", text(&t, "/api/messages/%.*s", STR_ARG(api_text(&t, r, "id"))), "{\"body\":\"y\"}", 422);
    ck_assert_error(&t, r, "Only published outbound messages can be edited");
    testing_published(&t, chat, "900");
    r = api_ask(&t, "PATCH", "/api/messages/900", "{}", 400);
    ck_assert_error(&t, r, "body or reply_markup is required");
    r = api_ask(&t, "PATCH", "/api/messages/900", "{\"body\":\" \",\"reply_markup\":null}", 400);
    ck_assert_error(&t, r, "body or reply_markup is required");
    r = api_ask(&t, "PATCH", "/api/messages/900", "{\"reply_markup\":5}", 422);
    ck_assert_error(&t, r, "reply_markup must be an object");
}
END_TEST

START_TEST(a_refused_edit_changes_nothing)
{
    const char          *message = published("900");
    struct testing_reply r;

    api_send(&t, &t.client, "PATCH", message, JSON, "{\"body\":\"first\"}");
    testing_refuse(testing_asked(OP_EDIT), "Bad Request: message is not modified");
    ck_assert_error(&t, api_read(&t.client, 422), "Bad Request: message is not modified");
    r = api_ask(&t, "GET", message, NULL, 200);
    ck_assert_slice(api_text(&t, r, "body"), "first");
    ck_assert(yyjson_is_null(json_get(api_json(&t, r), "external_edited_at")));
}
END_TEST

static TCase *
connecting(void)
{
    TCase *c = tcase_create("connecting");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_new_account_becomes_a_profile);
    tcase_add_test(c, without_a_public_url_it_is_polled);
    tcase_add_test(c, connecting_again_keeps_id_group_and_secret);
    tcase_add_test(c, two_at_once_make_one_profile);
    tcase_add_test(c, a_profile_deleted_meanwhile_is_connected_anew);
    tcase_add_test(c, refusals_come_in_the_platforms_words);
    tcase_add_loop_test(c, wrong_requests_reach_no_platform, 0, sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_test(c, a_repeat_of_connecting_asks_nobody);
    return c;
}

static TCase *
editing(void)
{
    TCase *c = tcase_create("editing");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_edit_changes_what_it_names);
    tcase_add_test(c, an_edit_is_checked_in_order);
    tcase_add_test(c, a_refused_edit_changes_nothing);
    return c;
}

TEST_CASES("connect", connecting, editing)
