/* reactions_test.c -- reactions and archiving: what is asked of the platform, and what is kept. */
#include "api/testing_api.h"

#include "base/testing_str.h"

API_FIXTURE()

/* The message of a person who wrote to a new profile. */
static const char *
message_on(const struct platform *platform)
{
    testing_chat_of(&t, testing_profile(&t, platform, "9001"), "55");
    return "/api/messages/11";
}

static struct str
first_reaction(struct testing_reply r, const char *member)
{
    return json_str(yyjson_arr_get_first(json_arr(api_json(&t, r), "reactions")), member);
}

static size_t
reaction_count(struct testing_reply r)
{
    return yyjson_arr_size(json_arr(api_json(&t, r), "reactions"));
}

/* ---- reactions ---- */

START_TEST(a_reaction_is_sent_and_kept)
{
    const char          *path = text(&t, "%s/react", message_on(&facebook));
    struct testing_reply r;
    struct ask          *ask;

    api_send(&t, &t.client, "POST", path, FORM, "reaction=smile");
    ask = testing_asked(OP_REACT);
    ck_assert_slice(ask->op.message_id, "11");
    ck_assert_slice(ask->op.participant_id, "55");
    ck_assert_slice(ask->op.reaction, "smile");
    ck_assert_slice(ask->op.emoji, "\U0001F606");
    ck_assert_slice(ask->op.account.token, "its-token");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert_uint_eq(reaction_count(r), 1);
    ck_assert_slice(first_reaction(r, "sender_external_id"), "9001");
    ck_assert_slice(first_reaction(r, "reaction"), "smile");
    ck_assert_slice(first_reaction(r, "emoji"), "\U0001F606");

    /* the next one takes its place; clients send the type without a body, too */
    api_send(&t, &t.client, "POST", path, JSON, NULL);
    ask = testing_asked(OP_REACT);
    ck_assert_slice(ask->op.reaction, "love");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert_uint_eq(reaction_count(r), 1);
    ck_assert_slice(first_reaction(r, "reaction"), "love");
    ck_assert_int_eq(testing_api_events(&t, EVENT_REACTION), 2);
}
END_TEST

START_TEST(a_refused_reaction_is_not_kept)
{
    const char          *path = message_on(&instagram);
    struct testing_reply r;

    r = api_ask(&t, "POST", text(&t, "%s/react", path), "{\"reaction\":\"angry\"}", 422);
    ck_assert(str_find(api_text(&t, r, "error"), STR("love")) >= 0);
    api_ask(&t, "POST", text(&t, "%s/react", path), "{\"reaction\":5}", 400);
    api_send(&t, &t.client, "POST", text(&t, "%s/react", path), JSON, "{\"emoji\":\"\u2764\uFE0F\"}");
    testing_refuse(testing_asked(OP_REACT), "(#100) This message can no longer be reacted to");
    ck_assert_error(&t, api_read(&t.client, 422), "(#100) This message can no longer be reacted to");
    ck_assert_uint_eq(reaction_count(api_ask(&t, "GET", path, NULL, 200)), 0);
    ck_assert_int_eq(testing_api_events(&t, EVENT_REACTION), 0);
}
END_TEST

START_TEST(only_ones_own_reaction_is_taken_back)
{
    const char *path = message_on(&instagram);
    struct ask *ask;

    api_ask(&t, "DELETE", text(&t, "%s/unreact", path), NULL, 200); /* there is none, and nobody is asked */
    ck_assert_int_eq(testing_api_events(&t, EVENT_REACTION), 0);
    api_send(&t, &t.client, "POST", text(&t, "%s/react", path), JSON, "{}");
    testing_answer(testing_asked(OP_REACT));
    api_read(&t.client, 200);
    api_send(&t, &t.client, "DELETE", text(&t, "%s/unreact", path), JSON, NULL);
    ask = testing_asked(OP_UNREACT);
    ck_assert_slice(ask->op.message_id, "11");
    testing_answer(ask);
    ck_assert_uint_eq(reaction_count(api_read(&t.client, 200)), 0);
    api_ask(&t, "DELETE", text(&t, "%s/unreact", path), NULL, 200); /* nor is there one any more */
    ck_assert_int_eq(testing_api_events(&t, EVENT_REACTION), 2);
}
END_TEST

START_TEST(where_there_are_no_reactions_nobody_is_asked)
{
    const char          *chat = testing_chat_of(&t, testing_profile(&t, &facebook, "9001"), "55"), *path;
    struct testing_reply r;

    api_ask(&t, "POST", "/api/messages/msg_1/react", "{}", 404);
    api_ask(&t, "DELETE", "/api/messages/msg_1/unreact", NULL, 404);
    r = api_ask(&t, "POST", text(&t, "/api/chats/%s/messages", chat), "{\"body\":\"hi\"}", 202);
    path = text(&t, "/api/messages/%.*s/react", STR_ARG(api_text(&t, r, "id")));
    ck_assert_error(&t, api_ask(&t, "POST", path, "{}", 422),
                    "Only messages that have reached Facebook can be reacted to");
}
END_TEST

START_TEST(telegram_and_bluesky_have_no_reactions)
{
    const char *path = message_on(_i == 0 ? &telegram : &bluesky);

    ck_assert_error(&t, api_ask(&t, "POST", text(&t, "%s/react", path), "{}", 422),
                    "Reactions are only supported on Facebook and Instagram");
    ck_assert_error(&t, api_ask(&t, "DELETE", text(&t, "%s/unreact", path), NULL, 422),
                    "Reactions are only supported on Facebook and Instagram");
}
END_TEST

/* ---- archiving ---- */

START_TEST(archiving_is_muting)
{
    const char          *chat = testing_chat_of(&t, testing_profile(&t, &bluesky, "did:plc:me"), "did:plc:you");
    const char          *path = text(&t, "/api/chats/%s/archive", chat);
    struct testing_reply r;
    struct ask          *ask;

    api_send(&t, &t.client, "POST", path, JSON, NULL);
    ask = testing_asked(OP_ARCHIVE);
    ck_assert_slice(ask->op.participant_id, "did:plc:you");
    ck_assert_slice(ask->op.conversation_id, "did:plc:you");
    ask->op.out_conversation_id = STR("3labc");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert(json_true(api_json(&t, r), "archived"));
    ck_assert(json_true(json_obj(api_json(&t, r), "metadata"), "muted"));
    ck_assert_slice(api_text(&t, r, "external_conversation_id"), "3labc");

    api_send(&t, &t.client, "DELETE", path, KEY, NULL);
    ask = testing_asked(OP_UNARCHIVE);
    ck_assert_slice(ask->op.conversation_id, "3labc");
    testing_answer(ask);
    r = api_read(&t.client, 200);
    ck_assert(yyjson_is_false(json_get(api_json(&t, r), "archived")));
    ck_assert(yyjson_is_false(json_get(json_obj(api_json(&t, r), "metadata"), "muted")));
}
END_TEST

START_TEST(a_refusal_leaves_the_chat_as_it_was)
{
    const char          *chat = testing_chat_of(&t, testing_profile(&t, &bluesky, "did:plc:me"), "did:plc:you");
    const char          *path = text(&t, "/api/chats/%s/archive", chat);
    struct testing_reply r;

    api_send(&t, &t.client, "POST", path, KEY, NULL);
    testing_refuse(testing_asked(OP_ARCHIVE), "Convo not found");
    ck_assert_error(&t, api_read(&t.client, 422), "Convo not found");
    r = api_ask(&t, "GET", text(&t, "/api/chats/%s", chat), NULL, 200);
    ck_assert(yyjson_is_false(json_get(api_json(&t, r), "archived")));
    ck_assert_error(&t, api_ask(&t, "POST", text(&t, "/api/chats/%s/archive", testing_api_chat(&t, "55")), NULL, 422),
                    "Archiving chats is only supported on Bluesky");
    api_ask(&t, "POST", "/api/chats/chat_1/archive", NULL, 404);
}
END_TEST

/* The session has run out: a new one is asked for, and the client comes back in a moment. */
START_TEST(a_stale_token_is_renewed)
{
    const char          *chat = testing_chat_of(&t, testing_profile(&t, &bluesky, "did:plc:me"), "did:plc:you");
    const char          *path = text(&t, "/api/chats/%s/archive", chat);
    struct testing_reply r;

    api_send(&t, &t.client, "POST", path, KEY "Idempotency-Key: k\r\n", NULL);
    testing_refuse_stale(testing_asked(OP_ARCHIVE));
    r = api_read(&t.client, 503);
    ck_assert_error(&t, r, "Bluesky wants the account's access to be renewed, which is being done");
    ck_assert_slice(testing_header(&r, "Retry-After"), "2");
    ck_assert_int_eq(testing_jobs(&t, JOB_REFRESH), 1);
    api_send(&t, &t.client, "POST", path, KEY "Idempotency-Key: k\r\n", NULL); /* the key is free again */
    testing_answer(testing_asked(OP_ARCHIVE));
    api_read(&t.client, 200);
}
END_TEST

START_TEST(an_account_that_lost_its_access_expires)
{
    const char          *profile = testing_profile(&t, &bluesky, "did:plc:me");
    const char          *path = text(&t, "/api/chats/%s/archive", testing_chat_of(&t, profile, "did:plc:you"));
    struct testing_reply r;

    api_send(&t, &t.client, "POST", path, KEY, NULL);
    testing_refuse_token(testing_asked(OP_ARCHIVE), "Invalid identifier or password");
    api_read(&t.client, 422);
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%s", profile), NULL, 200);
    ck_assert_slice(api_text(&t, r, "status"), "expired");
    api_ask(&t, "POST", path, NULL, 422); /* and is not asked again */
}
END_TEST

/* What an old token was told is nothing against the one that the account has got since. */
START_TEST(a_refusal_of_an_older_token_expires_nothing)
{
    const char          *profile = testing_profile(&t, &bluesky, "did:plc:me");
    const char          *path = text(&t, "/api/chats/%s/archive", testing_chat_of(&t, profile, "did:plc:you"));
    struct testing_reply r;
    struct ask          *ask;

    api_send(&t, &t.client, "POST", path, KEY "Idempotency-Key: k\r\n", NULL);
    ask = testing_asked(OP_ARCHIVE);
    testing_reconnect(&t, &bluesky, "did:plc:me");
    if (_i == 0)
        testing_refuse_token(ask, "Invalid identifier or password");
    else
        testing_refuse_stale(ask);
    r = api_read(&t.client, 503);
    ck_assert_error(&t, r, "The account's credentials were replaced while Bluesky was being asked; send it again");
    ck_assert_slice(testing_header(&r, "Retry-After"), "1");
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%s", profile), NULL, 200);
    ck_assert_slice(api_text(&t, r, "status"), "active");
    ck_assert_int_eq(testing_api_events(&t, EVENT_PROFILE_DISCONNECTED), 0);
    ck_assert_int_eq(testing_jobs(&t, JOB_REFRESH), 0);
    api_send(&t, &t.client, "POST", path, KEY "Idempotency-Key: k\r\n", NULL);
    testing_answer(testing_asked(OP_ARCHIVE));
    api_read(&t.client, 200);
}
END_TEST

static TCase *
reacting(void)
{
    TCase *c = tcase_create("reacting");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_reaction_is_sent_and_kept);
    tcase_add_test(c, a_refused_reaction_is_not_kept);
    tcase_add_test(c, only_ones_own_reaction_is_taken_back);
    tcase_add_test(c, where_there_are_no_reactions_nobody_is_asked);
    tcase_add_loop_test(c, telegram_and_bluesky_have_no_reactions, 0, 2);
    return c;
}

static TCase *
archiving(void)
{
    TCase *c = tcase_create("archiving");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, archiving_is_muting);
    tcase_add_test(c, a_refusal_leaves_the_chat_as_it_was);
    tcase_add_test(c, a_stale_token_is_renewed);
    tcase_add_test(c, an_account_that_lost_its_access_expires);
    tcase_add_loop_test(c, a_refusal_of_an_older_token_expires_nothing, 0, 2);
    return c;
}

TEST_CASES("reactions", reacting, archiving)
