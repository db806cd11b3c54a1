#include <stdio.h>

#include "base/crypto.h"
#include "base/testing.h"
#include "sandbox/meta/testing_graph.h"

#define WRITES     "/sandbox/meta/accounts/" PAGE "/chats/1/messages"
#define WRITES_IG  "/sandbox/meta/accounts/" LINKED "/chats/1/messages"
#define SENDS      "/v25.0/me/messages"
#define HI         "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"text\":\"hi\"}}"
#define HI_IG      "{\"recipient\":{\"id\":\"" IGSID "\"},\"message\":{\"text\":\"hi\"}}"
#define DAY_AND_MORE "{\"advance_ms\":86500000}"

static TCase *
with_sandbox(const char *name)
{
    TCase *c = tcase_create(name);

    tcase_add_checked_fixture(c, graph_open, graph_close);
    tcase_set_timeout(c, 60);
    return c;
}

static void
assert_error(yyjson_val *answer, int64_t code, int64_t subcode)
{
    ck_assert_int_eq(json_int(json_obj(answer, "error"), "code", 0), code);
    ck_assert_int_eq(json_int(json_obj(answer, "error"), "error_subcode", 0), subcode);
}

static void
advance(const char *body)
{
    graph_ask("POST", "/sandbox/clock", NULL, body, 200);
}

static void
set(const char *settings)
{
    graph_ask("POST", "/sandbox/settings", NULL, graph_printf("{\"meta\":%s}", settings), 200);
}

/* ---- messages ---- */

START_TEST(what_a_person_writes_is_told_and_signed)
{
    struct graph_told told;

    graph_subscribe();
    graph_ask("POST", WRITES, NULL, "{\"text\":\"ol\xc3\xa1 a/b\"}", 201);
    told = graph_told(200);
    ck_assert_int_ge(str_find(told.head, STR("X-Hub-Signature-256: sha256=")), 0);
    ck_assert_int_ge(str_find(told.head, STR("X-Hub-Signature: sha1=")), 0);
    ck_assert_int_ge(str_find(told.body, STR("ol\\u00e1 a\\/b")), 0);
    ck_assert_str_eq(graph_text(told.json, "object"), "page");
    ck_assert_str_eq(graph_text(told.json, "entry.0.id"), PAGE);
    ck_assert_str_eq(graph_text(told.json, "entry.0.messaging.0.sender.id"), PSID);
    ck_assert_str_eq(graph_text(told.json, "entry.0.messaging.0.message.text"), "ol\xc3\xa1 a/b");
}
END_TEST

START_TEST(a_send_is_answered_and_echoed)
{
    struct graph_told told;
    yyjson_val         *answer;

    graph_subscribe();
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI, 400), 100, 2018001);
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_told(200);
    answer = graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200);
    told = graph_told(200);
    ck_assert_str_eq(graph_text(answer, "recipient_id"), PSID);
    ck_assert_str_eq(graph_text(answer, "message_id"), graph_text(told.json, "entry.0.messaging.0.message.mid"));
    ck_assert_str_eq(graph_text(told.json, "entry.0.messaging.0.sender.id"), PAGE);
    ck_assert(json_true(graph_at(told.json, "entry.0.messaging.0.message"), "is_echo"));
    ck_assert_int_eq(json_int(graph_at(told.json, "entry.0.messaging.0.message"), "app_id", 0), 1000200030004001);
}
END_TEST

START_TEST(the_page_speaks_for_its_instagram_account)
{
    struct graph_told told;

    graph_subscribe();
    graph_ask("POST", WRITES_IG, NULL, "{\"text\":\"hello\"}", 201);
    told = graph_told(200);
    ck_assert_str_eq(graph_text(told.json, "object"), "instagram");
    graph_ask("POST", SENDS, PAGE_TOKEN, HI_IG, 200);
    told = graph_told(200);
    ck_assert_ptr_null(graph_at(told.json, "entry.0.messaging.0.message.app_id"));
    ck_assert_str_eq(graph_text(told.json, "entry.0.messaging.0.recipient.id"), IGSID);
}
END_TEST

START_TEST(the_echo_can_come_before_the_answer)
{
    struct graph_told told;
    yyjson_val         *answer;
    int                 asked;

    graph_subscribe();
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_told(200);
    set("{\"echo_first\":true}");
    asked = graph_begin("POST", SENDS, PAGE_TOKEN, HI);
    ck_assert(graph_waits(asked)); /* as long as the echo is not answered */
    told = graph_told(200);
    answer = graph_end(asked, 200);
    ck_assert_str_eq(graph_text(answer, "message_id"), graph_text(told.json, "entry.0.messaging.0.message.mid"));
    graph_ask("DELETE", "/sandbox/meta/app/callback/page", NULL, NULL, 200);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200); /* nothing to wait for */
}
END_TEST

START_TEST(after_a_day_only_a_human_may_write)
{
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_ask("POST", WRITES_IG, NULL, "{\"text\":\"hello\"}", 201);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200);
    advance(DAY_AND_MORE);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI, 400), 10, 2018278);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI_IG, 400), 10, 2534022);
    graph_ask("POST", SENDS, PAGE_TOKEN, "{\"recipient\":{\"id\":\"" PSID "\"},\"messaging_type\":\"MESSAGE_TAG\","
                                           "\"tag\":\"HUMAN_AGENT\",\"message\":{\"text\":\"hi\"}}", 200);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, "{\"recipient\":{\"id\":\"" PSID "\"},\"messaging_type\":"
                                                        "\"MESSAGE_TAG\",\"tag\":\"ACCOUNT_UPDATE\","
                                                        "\"message\":{\"text\":\"hi\"}}", 400), 100, 0);
    graph_ask("POST", WRITES, NULL, "{\"text\":\"again\"}", 201);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200);
}
END_TEST

/* What is refused, each with its code; all by the Page, to a person who has written. */
static const struct {
    const char *body;
    int         code, subcode;
} refused[] = {
    { "{\"message\":{\"text\":\"hi\"}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\",\"user_ref\":\"x\"},\"message\":{\"text\":\"hi\"}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"7001000001000099\"},\"message\":{\"text\":\"hi\"}}", 100, 2018001 },
    { "{\"recipient\":{\"id\":\"" PSID "\"}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"text\":\"\"}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"text\":\"hi\"},\"sender_action\":\"mark_seen\"}", 100,
        2018014 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"sender_action\":\"dance\"}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"messaging_type\":\"X\",\"message\":{\"text\":\"hi\"}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"reply_to\":{\"mid\":\"m_x\"},\"message\":{\"text\":\"hi\"}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"attachment\":{\"type\":\"like_heart\"}}}", 100, 0 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"attachment\":{\"type\":\"image\",\"payload\":"
      "{\"attachment_id\":\"5\"}}}}", 100, 2018074 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"attachment\":{\"type\":\"image\",\"payload\":"
      "{\"url\":\"http://127.0.0.1:1/x.png\"}}}}", 100, 2018008 },
    { "{\"recipient\":{\"id\":\"" PSID "\"},\"sender_action\":\"react\",\"payload\":{\"message_id\":\"m_x\","
      "\"reaction\":\"x\"}}", 100, 0 },
};

START_TEST(what_breaks_a_rule_is_refused)
{
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, refused[_i].body, 400), refused[_i].code, refused[_i].subcode);
}
END_TEST

START_TEST(texts_have_a_limit_of_their_platform)
{
    char letters[2002], body[2400];

    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_ask("POST", WRITES_IG, NULL, "{\"text\":\"hello\"}", 201);
    for (size_t n = 2000; n <= 2001; n++) {
        snprintf(letters, sizeof(letters), "%0*d", (int)n, 0);
        snprintf(body, sizeof(body), "{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"text\":\"%s\"}}", letters);
        graph_ask("POST", SENDS, PAGE_TOKEN, body, n == 2000 ? 200 : 400);
    }
    for (size_t n = 998; n <= 999; n++) { /* and one character of two bytes */
        snprintf(letters, sizeof(letters), "%0*d", (int)n, 0);
        snprintf(body, sizeof(body), "{\"recipient\":{\"id\":\"" IGSID "\"},\"message\":{\"text\":\"%s\xc3\xa1\"}}",
            letters);
        graph_ask("POST", SENDS, PAGE_TOKEN, body, n == 998 ? 200 : 400);
    }
}
END_TEST

START_TEST(a_blocked_account_is_told_so)
{
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_ask("POST", "/sandbox/meta/accounts/" PAGE "/chats/" PSID "/block", NULL, "{}", 200);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI, 400), 551, 1545041);
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 409);
    graph_ask("POST", "/sandbox/meta/accounts/" PAGE "/chats/" PSID "/unblock", NULL, "{}", 200);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200);
}
END_TEST

static TCase *
messages(void)
{
    TCase *c = with_sandbox("messages");

    tcase_add_test(c, what_a_person_writes_is_told_and_signed);
    tcase_add_test(c, a_send_is_answered_and_echoed);
    tcase_add_test(c, the_page_speaks_for_its_instagram_account);
    tcase_add_test(c, the_echo_can_come_before_the_answer);
    tcase_add_test(c, after_a_day_only_a_human_may_write);
    tcase_add_loop_test(c, what_breaks_a_rule_is_refused, 0, COUNT(refused));
    tcase_add_test(c, texts_have_a_limit_of_their_platform);
    tcase_add_test(c, a_blocked_account_is_told_so);
    return c;
}

/* ---- comments ---- */

static const char *
comment(const char *account, const char *text)
{
    const char *posts = graph_printf("/sandbox/meta/accounts/%s/posts", account);
    yyjson_val *post = graph_ask("POST", posts, NULL, "{\"text\":\"bread\"}", 201);
    const char *path = graph_printf("%s/%s/comments", posts, graph_text(post, "id"));
    const char *body = graph_printf("{\"user\":1,\"text\":\"%s\"}", text);

    return graph_text(graph_ask("POST", path, NULL, body, 201), "comment.id");
}

static yyjson_val *
private_reply(const char *comment_id, int status)
{
    const char *body = graph_printf("{\"recipient\":{\"comment_id\":\"%s\"},\"message\":{\"text\":\"2\"}}",
        comment_id);

    return graph_ask("POST", SENDS, PAGE_TOKEN, body, status);
}

START_TEST(a_comment_is_answered_in_private_once)
{
    const char         *id;
    struct graph_told told;

    graph_subscribe();
    id = comment(PAGE, "price?");
    told = graph_told(200);
    ck_assert_str_eq(graph_text(told.json, "entry.0.changes.0.field"), "feed");
    ck_assert_str_eq(graph_text(told.json, "entry.0.changes.0.value.comment_id"), id);
    ck_assert_str_eq(graph_text(told.json, "entry.0.changes.0.value.verb"), "add");
    ck_assert_str_eq(graph_text(private_reply(id, 200), "recipient_id"), PSID);
    graph_told(200);
    assert_error(private_reply(id, 400), 10900, 0);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI, 400), 10, 2018278); /* it opens no window */
}
END_TEST

START_TEST(a_private_reply_comes_within_a_week)
{
    const char *id = comment(PAGE, "price?"), *other = comment(LINKED, "price?");

    advance("{\"advance_ms\":604900000}");
    assert_error(private_reply(id, 400), 10903, 0);
    assert_error(private_reply(other, 400), 100, 2534025);
}
END_TEST

START_TEST(who_only_comments_has_no_profile)
{
    comment(LINKED, "price?");
    assert_error(graph_ask("GET", "/v25.0/" IGSID "?fields=name", PAGE_TOKEN, NULL, 400), 230, 0);
    graph_ask("POST", WRITES_IG, NULL, "{\"text\":\"hello\"}", 201);
    ck_assert_str_eq(graph_text(graph_ask("GET", "/v25.0/" IGSID "?fields=name,username", PAGE_TOKEN, NULL, 200),
        "username"), "mina.okafor");
}
END_TEST

static TCase *
comments(void)
{
    TCase *c = with_sandbox("comments");

    tcase_add_test(c, a_comment_is_answered_in_private_once);
    tcase_add_test(c, a_private_reply_comes_within_a_week);
    tcase_add_test(c, who_only_comments_has_no_profile);
    return c;
}

/* ---- deliveries ---- */

START_TEST(what_is_not_answered_well_comes_again)
{
    struct str first;

    graph_subscribe();
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    first = graph_told(500).body;
    ck_assert(str_eq(graph_told(500).body, first)); /* at once */
    graph_settled();
    advance("{\"advance_ms\":6000}");
    ck_assert(str_eq(graph_told(200).body, first));
    graph_settled();
    advance("{\"advance_ms\":3600000}");
    ck_assert(graph_is_quiet());
}
END_TEST

START_TEST(an_hour_of_failures_ends_the_subscription)
{
    graph_subscribe();
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_told(500);
    graph_told(500);
    graph_settled();
    advance("{\"advance_ms\":3600000}");
    graph_told(500);
    graph_settled();
    ck_assert_uint_eq(yyjson_arr_size(graph_at(graph_ask("GET", "/v25.0/me/subscribed_apps", PAGE_TOKEN, NULL, 200),
                          "data")), 0);
    advance("{\"advance_ms\":3600000}");
    ck_assert(graph_is_quiet());
}
END_TEST

START_TEST(held_events_come_in_one)
{
    struct graph_told told;

    graph_subscribe();
    graph_ask("POST", "/sandbox/meta/hold", NULL, "{}", 200);
    for (int i = 0; i < 3; i++)
        graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    ck_assert(graph_is_quiet());
    graph_ask("POST", "/sandbox/meta/release", NULL, "{}", 200);
    told = graph_told(200);
    ck_assert_uint_eq(yyjson_arr_size(graph_at(told.json, "entry")), 3);
}
END_TEST

START_TEST(only_what_was_subscribed_is_told)
{
    graph_subscribe();
    graph_ask("POST", "/v25.0/me/subscribed_apps", PAGE_TOKEN, "{\"subscribed_fields\":[\"feed\"]}", 200);
    ck_assert_int_eq(json_int(graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201), "events", -1), 0);
    assert_error(graph_ask("POST", "/v25.0/me/subscribed_apps", PAGE_TOKEN, "{\"subscribed_fields\":[\"comments\"]}",
        400), 100, 0);
    graph_ask("DELETE", "/v25.0/me/subscribed_apps", PAGE_TOKEN, NULL, 200);
    ck_assert_int_eq(json_int(graph_ask("POST", WRITES_IG, NULL, "{\"text\":\"hello\"}", 201), "events", -1), 0);
}
END_TEST

START_TEST(any_event_goes_as_it_is)
{
    graph_subscribe();
    graph_ask("POST", "/sandbox/meta/events", NULL, "[{\"object\":\"page\",\"entry\":[{\"id\":\"0\"}]}]", 201);
    ck_assert(str_eq(graph_told(200).body, STR("[{\"object\":\"page\",\"entry\":[{\"id\":\"0\"}]}]")));
}
END_TEST

static TCase *
deliveries(void)
{
    TCase *c = with_sandbox("deliveries");

    tcase_add_test(c, what_is_not_answered_well_comes_again);
    tcase_add_test(c, an_hour_of_failures_ends_the_subscription);
    tcase_add_test(c, held_events_come_in_one);
    tcase_add_test(c, only_what_was_subscribed_is_told);
    tcase_add_test(c, any_event_goes_as_it_is);
    return c;
}

/* ---- tokens, faults, files ---- */

START_TEST(a_revoked_token_is_refused)
{
    graph_ask("GET", "/v25.0/me", PAGE_TOKEN, NULL, 200);
    graph_ask("POST", "/sandbox/meta/accounts/" PAGE "/revoke", NULL, "{}", 200);
    assert_error(graph_ask("GET", "/v25.0/me", PAGE_TOKEN, NULL, 400), 190, 460);
    assert_error(graph_ask("GET", "/v25.0/me", "EAAnone", NULL, 400), 190, 0);
}
END_TEST

START_TEST(a_proof_can_be_required)
{
    uint8_t    hash[SHA256_SIZE];
    struct buf hex;

    hmac_sha256(STR("s3cr3t"), STR(PAGE_TOKEN), hash);
    buf_init(&hex, 128);
    hex_encode(&hex, (struct str){ (const char *)hash, sizeof(hash) });
    set("{\"require_proof\":true}");
    graph_ask("POST", "/sandbox/meta/app", NULL, "{\"secret\":\"s3cr3t\"}", 200);
    assert_error(graph_ask("GET", "/v25.0/me", PAGE_TOKEN, NULL, 400), 100, 0);
    assert_error(graph_ask("GET", "/v25.0/me?appsecret_proof=00", PAGE_TOKEN, NULL, 400), 100, 0);
    graph_ask("GET", graph_printf("/v25.0/me?appsecret_proof=%.*s", STR_ARG(buf_str(&hex))), PAGE_TOKEN, NULL, 200);
    graph_ask("GET", "/instagram/v25.0/me", IG_TOKEN, NULL, 200); /* not there */
    buf_deinit(&hex);
}
END_TEST

START_TEST(a_login_ends_in_a_token)
{
    struct str  reply = graph_reply("GET", "/v25.0/dialog/oauth?client_id=1000200030004001&redirect_uri=http%3A%2F%2F"
                                             "x%2Fcb&state=s%261&sandbox_approve=1", NULL, NULL, 302);
    ptrdiff_t   at = str_find(reply, STR("Location: http://x/cb?code="));
    struct str  code, rest;
    const char *path, *token;
    yyjson_val *list;

    ck_assert_int_ge(at, 0);
    str_cut(str_from(reply, (size_t)at + 27), '&', &code, &rest);
    ck_assert(str_starts(rest, STR("state=s%261\r\n")));
    path = graph_printf("/v25.0/oauth/access_token?client_id=1000200030004001&client_secret=sandbox-app-secret-"
                          "0123456789abcdef&redirect_uri=http%%3A%%2F%%2Fx%%2Fcb&code=%.*s", STR_ARG(code));
    token = graph_text(graph_ask("GET", path, NULL, NULL, 200), "access_token");
    list = graph_ask("GET", "/v25.0/me/accounts", token, NULL, 200);
    ck_assert_str_eq(graph_text(list, "data.0.access_token"), PAGE_TOKEN);
    graph_ask("GET", path, NULL, NULL, 400); /* it was for once */
}
END_TEST

START_TEST(ordered_trouble_comes_with_its_code)
{
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_ask("POST", "/sandbox/faults", NULL,
        "{\"platform\":\"meta\",\"on\":\"messages\",\"kind\":\"status\",\"code\":368,\"subcode\":7}", 201);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI, 400), 368, 7);
    graph_ask("POST", "/sandbox/faults", NULL, "{\"on\":\"messages\",\"kind\":\"cut_after\",\"code\":1,"
                                                 "\"subcode\":1357046}", 201);
    assert_error(graph_ask("POST", SENDS, PAGE_TOKEN, HI, 500), 1, 1357046);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200);
    ck_assert_uint_eq(yyjson_arr_size(graph_at(graph_ask("GET", WRITES, NULL, NULL, 200), "data")), 3);
}
END_TEST

/* A call that was delayed, one whose echo is not answered, one that waits for a file. */
START_TEST(a_fresh_start_answers_all_who_wait)
{
    const char *picture = graph_printf("{\"recipient\":{\"id\":\"" PSID "\"},\"message\":{\"attachment\":{\"type\":"
                                         "\"image\",\"payload\":{\"url\":\"%s\"}}}}", graph_app_url());
    int asked[3];

    graph_subscribe();
    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_told(200);
    set("{\"echo_first\":true}");
    graph_ask("POST", "/sandbox/faults", NULL, "{\"on\":\"messages\",\"kind\":\"delay\",\"delay_ms\":60000}", 201);
    asked[0] = graph_begin("POST", SENDS, PAGE_TOKEN, HI);
    ck_assert(graph_waits(asked[0]));
    asked[1] = graph_begin("POST", SENDS, PAGE_TOKEN, HI);
    asked[2] = graph_begin("POST", SENDS, PAGE_TOKEN, picture);
    ck_assert(graph_waits(asked[1]) && graph_waits(asked[2]));
    graph_ask("POST", "/sandbox/reset", NULL, "{}", 200);
    for (int i = 0; i < 3; i++)
        assert_error(graph_end(asked[i], 500), 2, 0);
    graph_ask("GET", "/v25.0/me", PAGE_TOKEN, NULL, 200);
}
END_TEST

START_TEST(media_addresses_run_out)
{
    yyjson_val *said = graph_ask("POST", WRITES, NULL, "{\"attachments\":[{\"type\":\"image\"}]}", 201);
    const char *path = strstr(graph_text(said, "message.attachments.0.payload.url"), "/meta-cdn/");

    ck_assert_int_ge(str_find(graph_reply("GET", path, NULL, NULL, 200), STR("image/png")), 0);
    graph_reply("GET", graph_printf("%s0", path), NULL, NULL, 403);
    advance("{\"advance_ms\":700000000}");
    graph_reply("GET", path, NULL, NULL, 410);
}
END_TEST

/* A file's link works as long as the setting said when it was made; whoever asks for the message gets another. */
START_TEST(a_message_gives_new_addresses_of_its_files)
{
    yyjson_val *said, *now;
    const char *mid, *path;

    set("{\"media_link_s\":0}");
    said = graph_ask("POST", WRITES, NULL, "{\"attachments\":[{\"type\":\"image\"},{\"type\":\"file\"}]}", 201);
    mid = graph_text(said, "message.mid");
    graph_reply("GET", strstr(graph_text(said, "message.attachments.1.payload.url"), "/meta-cdn/"), NULL, NULL, 410);
    set("{\"media_link_s\":60}");
    now = graph_ask("GET", graph_printf("/v25.0/%s?fields=attachments", mid), PAGE_TOKEN, NULL, 200);
    ck_assert_ptr_null(graph_at(now, "from"));
    ck_assert_ptr_nonnull(graph_at(now, "attachments.data.0.image_data.url"));
    path = strstr(graph_text(now, "attachments.data.1.file_url"), "/meta-cdn/");
    graph_reply("GET", path, NULL, NULL, 200);
    graph_ask("DELETE", graph_printf(WRITES "/%s", mid), NULL, NULL, 200);
    graph_reply("GET", path, NULL, NULL, 410);
    now = graph_ask("GET", graph_printf("/v25.0/%s?fields=attachments", mid), PAGE_TOKEN, NULL, 400);
    assert_error(now, 9000001, 0);
}
END_TEST

static yyjson_val *
carried(const char *chat, const char *body)
{
    const char *mid = graph_text(graph_ask("POST", chat, NULL, body, 201), "message.mid");

    return graph_ask("GET", graph_printf("/v25.0/%s?fields=attachments,shares,%s", mid,
                                strcmp(chat, WRITES) == 0 ? "sticker" : "story"), PAGE_TOKEN, NULL, 200);
}

START_TEST(what_is_no_file_has_a_member_of_its_own)
{
    yyjson_val *now = carried(WRITES, "{\"text\":\"hi\",\"attachments\":[{\"type\":\"post\",\"payload\":{\"url\":"
                                      "\"https://x.example/1\"}},{\"type\":\"sticker\"},{\"type\":\"template\"}]}");

    ck_assert_str_eq(graph_text(now, "shares.data.0.link"), "https://x.example/1");
    ck_assert_ptr_null(graph_at(now, "shares.data.1"));
    ck_assert_ptr_nonnull(strstr(graph_text(now, "sticker"), "/meta-cdn/"));
    ck_assert_str_eq(graph_text(now, "attachments.data.0.name"), "template");
    ck_assert_ptr_null(graph_at(now, "attachments.data.1"));
    ck_assert_ptr_null(graph_at(carried(WRITES, "{\"text\":\"hi\"}"), "attachments"));
    now = carried(WRITES_IG, "{\"attachments\":[{\"type\":\"story_mention\"}]}");
    ck_assert_ptr_nonnull(strstr(graph_text(now, "story.mention.link"), "/meta-cdn/"));
    ck_assert_ptr_null(graph_at(now, "attachments"));
    now = carried(WRITES_IG, "{\"text\":\"hi\",\"reply_to\":{\"story\":{\"url\":\"https://x.example/2\","
                             "\"id\":\"17\"}}}");
    ck_assert_str_eq(graph_text(now, "story.reply_to.link"), "https://x.example/2");
    ck_assert_str_eq(graph_text(now, "story.reply_to.id"), "17");
}
END_TEST

START_TEST(calls_are_recorded)
{
    yyjson_val *calls;

    graph_ask("GET", "/v25.0/me?fields=id", PAGE_TOKEN, NULL, 200);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 400);
    calls = graph_ask("GET", "/sandbox/meta/calls?operation=messages", NULL, NULL, 200);
    ck_assert_uint_eq(yyjson_arr_size(graph_at(calls, "data")), 1);
    ck_assert_str_eq(graph_text(calls, "data.0.params.recipient.id"), PSID);
    ck_assert_int_eq(json_int(graph_at(calls, "data.0"), "status", 0), 400);
    ck_assert_str_eq(graph_text(calls, "data.0.account"), PAGE);
}
END_TEST

START_TEST(a_conversation_can_be_read_again)
{
    yyjson_val *list;

    graph_ask("POST", WRITES, NULL, "{\"text\":\"hello\"}", 201);
    graph_ask("POST", SENDS, PAGE_TOKEN, HI, 200);
    list = graph_ask("GET", "/v25.0/me/conversations?platform=messenger&user_id=" PSID
                              "&fields=messages%7Bid,from,message%7D", PAGE_TOKEN, NULL, 200);
    ck_assert_str_eq(graph_text(list, "data.0.messages.data.0.message"), "hi");
    ck_assert_str_eq(graph_text(list, "data.0.messages.data.1.from.id"), PSID);
    ck_assert_str_eq(graph_text(graph_ask("GET", graph_printf("/v25.0/%s?fields=message",
        graph_text(list, "data.0.messages.data.1.id")), PAGE_TOKEN, NULL, 200), "message"), "hello");
}
END_TEST

static TCase *
others(void)
{
    TCase *c = with_sandbox("others");

    tcase_add_test(c, a_revoked_token_is_refused);
    tcase_add_test(c, a_proof_can_be_required);
    tcase_add_test(c, a_login_ends_in_a_token);
    tcase_add_test(c, ordered_trouble_comes_with_its_code);
    tcase_add_test(c, a_fresh_start_answers_all_who_wait);
    tcase_add_test(c, media_addresses_run_out);
    tcase_add_test(c, a_message_gives_new_addresses_of_its_files);
    tcase_add_test(c, what_is_no_file_has_a_member_of_its_own);
    tcase_add_test(c, calls_are_recorded);
    tcase_add_test(c, a_conversation_can_be_read_again);
    return c;
}

TEST_CASES("meta", messages, comments, deliveries, others)
