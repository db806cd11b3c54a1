/* edit_test.c -- editing messages, which needs the platform's consent before ours. */
#include "api/testing_api.h"

#include "base/testing_str.h"

API_FIXTURE()

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
editing(void)
{
    TCase *c = tcase_create("editing");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_edit_changes_what_it_names);
    tcase_add_test(c, an_edit_is_checked_in_order);
    tcase_add_test(c, a_refused_edit_changes_nothing);
    return c;
}

TEST_CASES("edit", editing)
