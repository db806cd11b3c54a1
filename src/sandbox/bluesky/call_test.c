/* The stand-in from outside: one table of requests and what is answered, then what needs several of them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/testing.h"
#include "json/json.h"
#include "sandbox/bluesky/state.h"
#include "sandbox/sandbox.h"

#define REPLY_MAX ((size_t)512 * 1024)
#define PROXY     "atproto-proxy: did:web:api.bsky.chat#bsky_chat\r\n"
#define JSON      "Content-Type: application/json\r\n"
#define ACCOUNTS  "/sandbox/bluesky/accounts/"
#define CONVO     "/xrpc/chat.bsky.convo."
#define SERVER    "/xrpc/com.atproto.server."
#define LOGIN     "{\"identifier\":\"desk.sandbox.test\",\"password\":\"%s\"}"

static struct arena    arena;
static struct sandbox *sandbox;

struct answer {
    int         status; /* 0 = cut off */
    const char *head, *body;
    yyjson_val *json; /* NULL = is none */
};

static struct answer
ask(const char *method, const char *path, const char *headers, const char *body)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char              *text = arena_alloc(&arena, REPLY_MAX);
    struct answer      got = { .head = text, .body = "" };
    struct error       ignored;
    size_t             len = 0;
    ssize_t            n;
    struct str         request = arena_printf(&arena,
        "%s %s HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
        method, path, headers, strlen(body), body);

    to.sin_port = htons((uint16_t)strtol(strrchr(sandbox_address(sandbox), ':') + 1, NULL, 10));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    ck_assert_int_eq(write(fd, request.ptr, request.len), (ssize_t)request.len);
    while ((n = read(fd, text + len, REPLY_MAX - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    if (len == 0)
        return got;
    got.status = (int)strtol(text + strlen("HTTP/1.1 "), NULL, 10);
    got.body = strstr(text, "\r\n\r\n");
    ck_assert_ptr_nonnull(got.body);
    got.body += 4;
    if (!json_parse(&arena, str_of(got.body), JSON_DEPTH_MAX, &got.json, &ignored))
        got.json = NULL;
    return got;
}

/* Of the answer, as a C string; "" = there is none. */
static const char *
text_of(const struct answer *a, const char *name)
{
    struct str s = json_str(a->json, name);

    return str_is_none(s) ? "" : arena_copy(&arena, s).ptr;
}

static struct answer
control(const char *method, const char *path, const char *body)
{
    struct answer a = ask(method, path, JSON, body);

    ck_assert_msg(a.status < 300, "%s %s: %s", method, path, a.body);
    return a;
}

static struct answer
login(const char *password)
{
    return ask("POST", SERVER "createSession", JSON, arena_printf(&arena, LOGIN, password).ptr);
}

/* The headers of whoever has this token. */
static const char *
with(const char *token, const char *more)
{
    return arena_printf(&arena, "Authorization: Bearer %s\r\n%s", token, more).ptr;
}

static const char *
access_token(const char *password)
{
    struct answer a = login(password);

    ck_assert_int_eq(a.status, 200);
    return text_of(&a, "accessJwt");
}

static void
is_error(const struct answer *a, int status, const char *name, const char *message)
{
    ck_assert_msg(a->status == status && strcmp(text_of(a, "error"), name) == 0
        && strcmp(text_of(a, "message"), message) == 0, "%d %s", a->status, a->body);
}

/* ---- single requests ---- */

enum who { NOBODY, DESK, NO_CHAT, GARBAGE, REFRESH };

static const struct {
    const char *method, *path;
    enum who    who;
    const char *headers, *body;
    int         status;
    const char *error, *message;
} table[] = {
    { "GET", SERVER "createSession", NOBODY, "", "", 400, "InvalidRequest",
        "Incorrect HTTP method (GET) expected POST" },
    { "POST", CONVO "getLog", DESK, PROXY, "", 400, "InvalidRequest", "Incorrect HTTP method (POST) expected GET" },
    { "POST", SERVER "createSession", NOBODY, "", "{}", 400, "InvalidRequest",
        "Request encoding (Content-Type) required but not provided" },
    { "POST", SERVER "createSession", NOBODY, "Content-Type: text/plain\r\n", "{}", 400, "InvalidRequest",
        "Wrong request encoding (Content-Type): text/plain" },
    { "POST", SERVER "createSession", NOBODY, JSON, "{\"identifier\":\"x\"}", 400, "InvalidRequest",
        "Input must have the property \"password\"" },
    { "POST", SERVER "createSession", NOBODY, JSON, "{\"identifier\":\"x\",\"password\":\"y\"}", 401,
        "AuthenticationRequired", "Invalid identifier or password" },
    { "POST", SERVER "createSession", NOBODY, JSON,
        "{\"identifier\":\"@desk.sandbox.test\",\"password\":\"desk-2222-chat-2222\"}", 401, "AuthenticationRequired",
        "Invalid identifier or password" },
    { "POST", SERVER "createSession", NOBODY, JSON,
        "{\"identifier\":\"Desk.Sandbox.Test\",\"password\":\"desk-2222-chat-2222\"}", 200, "", "" },
    { "POST", SERVER "createSession", NOBODY, JSON,
        "{\"identifier\":\"desk@sandbox.test\",\"password\":\"" BS_MAIN_PASSWORD "\"}", 200, "", "" },
    { "POST", SERVER "refreshSession", REFRESH, JSON, "{}", 400, "InvalidRequest",
        "A request body was provided when none was expected" },
    { "POST", SERVER "refreshSession", REFRESH, JSON, "", 200, "", "" },
    { "POST", SERVER "refreshSession", DESK, "", "", 400, "InvalidToken", "Invalid token type" },
    { "POST", SERVER "refreshSession", GARBAGE, "", "", 400, "InvalidToken", "Token could not be verified" },
    { "GET", SERVER "getSession", NOBODY, "", "", 401, "AuthMissing", "Authentication Required" },
    { "GET", SERVER "getSession", REFRESH, "", "", 400, "InvalidToken", "Invalid token type" },
    { "GET", SERVER "getSession", NO_CHAT, "", "", 200, "", "" },
    { "GET", SERVER "getSession", DESK, PROXY, "", 501, "MethodNotImplemented", "Method Not Implemented" },
    { "GET", CONVO "getLog", DESK, PROXY, "", 200, "", "" },
    { "GET", CONVO "getLog?cursor=", DESK, PROXY, "", 200, "", "" },
    { "GET", CONVO "getLog?cursor=2222222222222", DESK, PROXY, "", 400, "InvalidRequest", "Invalid cursor" },
    { "GET", CONVO "getLog?cursor=nonsense", DESK, PROXY, "", 400, "InvalidRequest", "Invalid cursor" },
    { "GET", CONVO "getLog", NO_CHAT, PROXY, "", 400, "InvalidToken", "Bad token method" },
    { "POST", CONVO "acceptConvo", NO_CHAT, PROXY JSON, "{\"convoId\":\"x\"}", 400, "InvalidConvo", "Convo not found" },
    { "GET", CONVO "getLog", DESK, "", "", 404, "XRPCNotSupported", "XRPCNotSupported" },
    { "GET", CONVO "getLog", DESK, "atproto-proxy: did:web:api.bsky.chat\r\n", "", 400, "InvalidRequest",
        "no service id specified in proxy header" },
    { "GET", CONVO "getLog", DESK, "atproto-proxy: did:web:api.bsky.chat#other\r\n", "", 400, "InvalidRequest",
        "could not resolve proxy did service url" },
    { "GET", CONVO "getLog", DESK, "atproto-proxy: did:web:other#bsky_chat\r\n", "", 400, "InvalidRequest",
        "could not resolve proxy did" },
    { "GET", CONVO "listConvos?limit=101", DESK, PROXY, "", 400, "InvalidRequest",
        "Error: Params/limit can not be greater than 100" },
    { "GET", CONVO "getConvo?convoId=2222222222222", DESK, PROXY, "", 400, "InvalidConvo", "Convo not found" },
    { "GET", CONVO "getConvoForMembers", DESK, PROXY, "", 400, "InvalidRequest",
        "Error: Params must have the property \"members\"" },
    { "GET", CONVO "getConvoForMembers?members=did:plc:nobody", DESK, PROXY, "", 400, "RecipientNotFound",
        "recipient does not exist" },
    { "GET", CONVO "getConvoForMembers?members=did%3Aplc%3Ashop22222222222222222222", DESK, PROXY, "", 400,
        "NotFollowedBySender", "recipient requires incoming messages to come from someone they follow" },
    { "GET", CONVO "getConvoAvailability?members=" BS_SHOP_DID, DESK, PROXY, "", 200, "", "" },
    { "GET", CONVO "noSuchMethod", DESK, PROXY, "", 501, "MethodNotImplemented", "Method Not Implemented" },
    { "GET", "/xrpc/chat.bsky.actor.getStatus", DESK, PROXY, "", 200, "", "" },
    { "GET", "/xrpc/com.atproto.identity.resolveHandle?handle=mina.sandbox.test", NOBODY, "", "", 200, "", "" },
    { "GET", "/xrpc/com.atproto.identity.resolveHandle?handle=who.sandbox.test", NOBODY, "", "", 400, "InvalidRequest",
        "Unable to resolve handle" },
    { "GET", "/xrpc/app.bsky.actor.getProfile?actor=who.sandbox.test", NOBODY, "", "", 400, "InvalidRequest",
        "Profile not found" },
    { "GET", "/xrpc/app.bsky.actor.getProfile?actor=" BS_MINA_DID, NOBODY, "", "", 200, "", "" },
    { "GET", "/xrpc/com.atproto.repo.getRecord?repo=" BS_SHOP_DID "&collection=chat.bsky.actor.declaration&rkey=self",
        NOBODY, "", "", 400, "RecordNotFound",
        "Could not locate record: at://" BS_SHOP_DID "/chat.bsky.actor.declaration/self" },
    { "GET", "/did:plc:mina22222222222222222222", NOBODY, "", "", 200, "", "" },
    { "GET", "/did%3Aplc%3Amina22222222222222222222", NOBODY, "", "", 200, "", "" },
    { "GET", "/did:plc:nobody", NOBODY, "", "", 404, "", "DID not registered: did:plc:nobody" },
};

START_TEST(a_request_has_an_answer)
{
    struct answer in, got;
    const char   *headers = table[_i].headers;

    if (table[_i].who == GARBAGE) {
        headers = with("a.b.c", headers);
    } else if (table[_i].who != NOBODY) {
        in = login(table[_i].who == NO_CHAT ? "desk-2222-none-2222" : "desk-2222-chat-2222");
        headers = with(text_of(&in, table[_i].who == REFRESH ? "refreshJwt" : "accessJwt"), headers);
    }
    got = ask(table[_i].method, table[_i].path, headers, table[_i].body);
    is_error(&got, table[_i].status, table[_i].error, table[_i].message);
}
END_TEST

START_TEST(what_is_no_json_is_a_syntax_error)
{
    struct answer a = ask("POST", SERVER "createSession", JSON, "{");

    ck_assert_int_eq(a.status, 400);
    ck_assert_str_eq(text_of(&a, "error"), "SyntaxError");
}
END_TEST

/* ---- sessions ---- */

START_TEST(an_account_that_is_not_active_is_told_so)
{
    const char   *token = access_token("desk-2222-chat-2222");
    struct answer a;

    control("PATCH", ACCOUNTS BS_DESK_DID, "{\"status\":\"deactivated\"}");
    a = login("desk-2222-chat-2222");
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(text_of(&a, "status"), "deactivated");
    ck_assert(yyjson_is_false(json_get(a.json, "active")));
    a = ask("GET", CONVO "getLog", with(token, PROXY), "");
    is_error(&a, 401, "AccountDeactivated", "Account is deactivated");

    control("PATCH", ACCOUNTS BS_DESK_DID, "{\"status\":\"takendown\"}");
    a = login("desk-2222-chat-2222");
    is_error(&a, 401, "AccountTakedown", "Account has been taken down");
    a = ask("GET", SERVER "getSession", with(token, ""), "");
    is_error(&a, 401, "AccountTakedown", "Account has been taken down");

    control("PATCH", ACCOUNTS BS_DESK_DID, "{\"status\":\"deleted\"}");
    a = login("desk-2222-chat-2222");
    is_error(&a, 401, "AuthenticationRequired", "Invalid identifier or password");
    ck_assert_int_eq(ask("GET", "/" BS_DESK_DID, "", "").status, 410);
}
END_TEST

START_TEST(expired_tokens_are_renewed_and_revoked_ones_are_not)
{
    struct answer in = login("desk-2222-chat-2222"), a;
    const char   *access = text_of(&in, "accessJwt"), *refresh = text_of(&in, "refreshJwt");

    control("POST", ACCOUNTS BS_DESK_DID "/sessions/expire", "");
    a = ask("GET", CONVO "getLog", with(access, PROXY), "");
    is_error(&a, 400, "ExpiredToken", "Token has expired");
    a = ask("POST", SERVER "refreshSession", with(refresh, ""), "");
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_ne(text_of(&a, "refreshJwt"), refresh);
    ck_assert_int_eq(ask("GET", CONVO "getLog", with(text_of(&a, "accessJwt"), PROXY), "").status, 200);

    control("DELETE", ACCOUNTS BS_DESK_DID "/app-passwords/chat", "");
    a = ask("POST", SERVER "refreshSession", with(text_of(&a, "refreshJwt"), ""), "");
    is_error(&a, 400, "ExpiredToken", "Token has been revoked");
    a = login("desk-2222-chat-2222");
    is_error(&a, 401, "AuthenticationRequired", "Invalid identifier or password");
}
END_TEST

START_TEST(logging_out_ends_the_session)
{
    struct answer in = login("desk-2222-chat-2222"), a;
    const char   *refresh = text_of(&in, "refreshJwt");

    a = ask("POST", SERVER "deleteSession", with(refresh, ""), "");
    ck_assert_int_eq(a.status, 200);
    ck_assert_str_eq(a.body, "");
    a = ask("POST", SERVER "refreshSession", with(refresh, ""), "");
    is_error(&a, 400, "ExpiredToken", "Token has been revoked");
}
END_TEST

START_TEST(too_many_logins_are_refused)
{
    struct answer a;

    control("POST", "/sandbox/settings", "{\"bluesky\":{\"logins_per_5_minutes\":1}}");
    ck_assert_int_eq(login("desk-2222-chat-2222").status, 200);
    a = login("desk-2222-chat-2222");
    is_error(&a, 429, "RateLimitExceeded", "Rate Limit Exceeded");
    ck_assert_ptr_nonnull(strstr(a.head, "ratelimit-remaining: 0\r\n"));
    control("POST", "/sandbox/clock", "{\"advance_ms\":300000}");
    ck_assert_int_eq(login("desk-2222-chat-2222").status, 200);
}
END_TEST

START_TEST(a_second_factor_is_for_the_main_password_alone)
{
    struct answer a;

    control("PATCH", ACCOUNTS BS_DESK_DID, "{\"two_factor\":true}");
    a = login(BS_MAIN_PASSWORD);
    is_error(&a, 401, "AuthFactorTokenRequired", "A sign in code has been sent to your email address");
    ck_assert_int_eq(login("desk-2222-chat-2222").status, 200);
}
END_TEST

/* ---- conversations ---- */

static struct answer
log_after(const char *token, const char *cursor)
{
    struct answer a = ask("GET", arena_printf(&arena, CONVO "getLog?cursor=%s", cursor).ptr, with(token, PROXY), "");

    ck_assert_msg(a.status == 200, "%s", a.body);
    return a;
}

static const char *
head_of_log(const char *token)
{
    struct answer a = ask("GET", CONVO "getLog", with(token, PROXY), "");

    ck_assert_uint_eq(yyjson_arr_size(json_arr(a.json, "logs")), 0);
    return text_of(&a, "cursor");
}

static struct answer
mina_writes(const char *text)
{
    return control("POST", ACCOUNTS "mina.sandbox.test/messages",
        arena_printf(&arena, "{\"to\":\"" BS_DESK_DID "\",\"text\":\"%s\"}", text).ptr);
}

START_TEST(what_a_person_writes_is_in_the_log_and_an_answer_in_theirs)
{
    const char   *token = access_token("desk-2222-chat-2222"), *cursor = head_of_log(token);
    struct answer wrote = mina_writes("hello"), a = log_after(token, cursor), sent;
    yyjson_val   *logs = json_arr(a.json, "logs");
    const char   *convo = text_of(&wrote, "convo");

    ck_assert_uint_eq(yyjson_arr_size(logs), 2);
    ck_assert(str_eq(json_str(yyjson_arr_get(logs, 0), "$type"), STR("chat.bsky.convo.defs#logBeginConvo")));
    ck_assert(str_eq(json_str(yyjson_arr_get(logs, 1), "convoId"), str_of(convo)));
    ck_assert(str_eq(json_str(json_obj(yyjson_arr_get(logs, 1), "message"), "text"), STR("hello")));

    sent = ask("POST", CONVO "sendMessage", with(token, PROXY JSON),
        arena_printf(&arena, "{\"convoId\":\"%s\",\"message\":{\"text\":\"good day\"}}", convo).ptr);
    ck_assert_int_eq(sent.status, 200);
    ck_assert_ptr_null(json_get(sent.json, "$type"));
    ck_assert_ptr_nonnull(strstr(sent.head, "ratelimit-limit: 3000\r\n"));
    a = control("GET", arena_printf(&arena, ACCOUNTS "mina.sandbox.test/convos/%s/messages", convo).ptr, "");
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "data"), 1), "direction"), STR("in")));
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "data"), 1), "text"), STR("good day")));
}
END_TEST

START_TEST(the_log_comes_in_pages_until_it_is_empty)
{
    const char   *token = access_token("desk-2222-chat-2222"), *cursor = head_of_log(token);
    struct answer a;
    size_t        seen = 0, pages = 0, n;

    control("POST", "/sandbox/settings", "{\"bluesky\":{\"log_page_size\":10}}");
    control("POST", ACCOUNTS "mina.sandbox.test/burst", "{\"to\":\"desk.sandbox.test\",\"count\":29}");
    do {
        a = log_after(token, cursor);
        n = yyjson_arr_size(json_arr(a.json, "logs"));
        seen += n;
        pages++;
        cursor = text_of(&a, "cursor");
    } while (n > 0);
    ck_assert_uint_eq(seen, 30);
    ck_assert_uint_eq(pages, 4);

    control("DELETE", ACCOUNTS BS_DESK_DID "/log", "");
    a = ask("GET", arena_printf(&arena, CONVO "getLog?cursor=%s", cursor).ptr, with(token, PROXY), "");
    is_error(&a, 400, "InvalidRequest", "Invalid cursor");
    log_after(token, head_of_log(token));
}
END_TEST

START_TEST(messages_come_newest_first_with_a_cursor_to_older_ones)
{
    const char   *token = access_token("desk-2222-chat-2222");
    struct answer a = control("POST", ACCOUNTS "mina.sandbox.test/burst",
        "{\"to\":\"desk.sandbox.test\",\"count\":5,\"text\":\"no\"}");
    const char   *path = arena_printf(&arena, CONVO "getMessages?convoId=%s&limit=3", text_of(&a, "convo")).ptr;

    a = ask("GET", path, with(token, PROXY), "");
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "messages"), 0), "text"), STR("no 5")));
    a = ask("GET", arena_printf(&arena, "%s&cursor=%s", path, text_of(&a, "cursor")).ptr, with(token, PROXY), "");
    ck_assert_uint_eq(yyjson_arr_size(json_arr(a.json, "messages")), 2);
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "messages"), 1), "text"), STR("no 1")));
    ck_assert_ptr_null(json_get(a.json, "cursor"));
}
END_TEST

START_TEST(what_was_deleted_shows_without_its_text)
{
    const char   *token = access_token("desk-2222-chat-2222"), *cursor = head_of_log(token);
    struct answer wrote = mina_writes("hello"), a;
    const char   *id = arena_copy(&arena, json_str(json_obj(wrote.json, "message"), "id")).ptr;

    a = ask("POST", CONVO "deleteMessageForSelf", with(token, PROXY JSON),
        arena_printf(&arena, "{\"convoId\":\"%s\",\"messageId\":\"%s\"}", text_of(&wrote, "convo"), id).ptr);
    ck_assert_str_eq(text_of(&a, "id"), id);
    ck_assert_ptr_null(json_get(a.json, "text"));
    a = log_after(token, cursor);
    ck_assert(str_eq(json_str(json_obj(yyjson_arr_get(json_arr(a.json, "logs"), 1), "message"), "$type"),
        STR("chat.bsky.convo.defs#deletedMessageView")));
}
END_TEST

START_TEST(refusals_come_in_the_old_form_when_so_set)
{
    const char   *token = access_token("desk-2222-chat-2222");
    struct answer a;

    control("POST", "/sandbox/settings", "{\"bluesky\":{\"named_refusals\":false}}");
    a = ask("GET", CONVO "getConvoForMembers?members=" BS_SHOP_DID, with(token, PROXY), "");
    is_error(&a, 400, "InvalidRequest", "recipient requires incoming messages to come from someone they follow");
    control("POST", ACCOUNTS "shop.sandbox.test/relations/follow", "{\"subject\":\"desk.sandbox.test\"}");
    ck_assert_int_eq(ask("GET", CONVO "getConvoForMembers?members=" BS_SHOP_DID, with(token, PROXY), "").status, 200);
}
END_TEST

START_TEST(an_event_nobody_knows_can_be_in_the_log)
{
    const char   *token = access_token("desk-2222-chat-2222"), *cursor = head_of_log(token);
    struct answer a;

    control("POST", ACCOUNTS BS_DESK_DID "/log", "{\"$type\":\"chat.bsky.convo.defs#logNews\",\"n\":1}");
    a = log_after(token, cursor);
    ck_assert_ptr_nonnull(strstr(a.body, "\"$type\":\"chat.bsky.convo.defs#logNews\",\"n\":1}"));
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "logs"), 0), "rev"), str_of(text_of(&a, "cursor"))));
}
END_TEST

START_TEST(who_may_write_is_a_record_of_ones_own)
{
    const char   *token = access_token("desk-2222-none-2222");
    struct answer a = ask("POST", "/xrpc/com.atproto.repo.putRecord", with(token, JSON),
        "{\"repo\":\"" BS_DESK_DID "\",\"collection\":\"chat.bsky.actor.declaration\",\"rkey\":\"self\","
        "\"record\":{\"$type\":\"chat.bsky.actor.declaration\",\"allowIncoming\":\"none\"}}");

    ck_assert_int_eq(a.status, 200);
    a = ask("POST", ACCOUNTS "mina.sandbox.test/messages", JSON, "{\"to\":\"desk.sandbox.test\",\"text\":\"hi\"}");
    ck_assert_int_eq(a.status, 409);
    ck_assert_ptr_nonnull(strstr(a.body, "MessagesDisabled"));
    a = ask("POST", "/xrpc/com.atproto.repo.putRecord", with(token, JSON),
        "{\"repo\":\"" BS_MINA_DID "\",\"collection\":\"chat.bsky.actor.declaration\",\"rkey\":\"self\","
        "\"record\":{}}");
    is_error(&a, 401, "AuthenticationRequired", "Invalid repo");
}
END_TEST

static struct answer
send_two(const char *token, const char *one, const char *other)
{
    struct str body = arena_printf(&arena,
        "{\"items\":[{\"convoId\":\"%s\",\"message\":{\"text\":\"1\"}},"
        "{\"convoId\":\"%s\",\"message\":{\"text\":\"2\"}}]}", one, other);

    return ask("POST", CONVO "sendMessageBatch", with(token, PROXY JSON), body.ptr);
}

START_TEST(a_batch_is_sent_wholly_or_not_at_all)
{
    const char   *token = access_token("desk-2222-chat-2222");
    struct answer wrote = mina_writes("hello"), a;
    const char   *convo = text_of(&wrote, "convo");

    a = send_two(token, convo, "x");
    is_error(&a, 400, "InvalidConvo", "Convo not found");
    a = send_two(token, convo, convo);
    ck_assert_uint_eq(yyjson_arr_size(json_arr(a.json, "items")), 2);
    a = ask("GET", arena_printf(&arena, CONVO "getMessages?convoId=%s", convo).ptr, with(token, PROXY), "");
    ck_assert_uint_eq(yyjson_arr_size(json_arr(a.json, "messages")), 3);
}
END_TEST

/* ---- trouble ---- */

static struct answer
with_fault(const char *fault)
{
    const char *token = access_token("desk-2222-chat-2222");

    control("POST", "/sandbox/faults", fault);
    return ask("GET", CONVO "getLog", with(token, PROXY), "");
}

START_TEST(an_error_500_of_the_chat_service_is_a_502_here)
{
    struct answer a = with_fault("{\"on\":\"getLog\",\"kind\":\"status\",\"status\":500,\"description\":\"oops\"}");

    is_error(&a, 502, "InternalServerError", "oops");
}
END_TEST

START_TEST(an_ordered_error_can_have_a_name)
{
    struct answer a = with_fault(
        "{\"on\":\"chat.bsky.convo.getLog\",\"kind\":\"status\",\"status\":400,\"description\":\"ConvoLocked: no\"}");

    is_error(&a, 400, "ConvoLocked", "no");
}
END_TEST

START_TEST(the_chat_services_429_tells_nothing)
{
    struct answer a = with_fault("{\"kind\":\"rate_limit\",\"retry_after\":30,\"account\":\"" BS_DESK_DID "\"}");

    is_error(&a, 429, "RateLimitExceeded", "Too Many Requests");
    ck_assert_ptr_null(strcasestr(a.head, "retry-after"));
    ck_assert_ptr_nonnull(strstr(a.head, "ratelimit-remaining: 29"));
}
END_TEST

START_TEST(pages_garbage_and_broken_connections)
{
    struct answer a = with_fault("{\"kind\":\"html\"}");

    ck_assert_int_eq(a.status, 502);
    ck_assert_ptr_nonnull(strstr(a.head, "Content-Type: text/html\r\n"));
    a = with_fault("{\"kind\":\"garbage\"}");
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_null(a.json);
    ck_assert_int_eq(with_fault("{\"kind\":\"cut_before\"}").status, 0);
    ck_assert_int_eq(with_fault("{\"kind\":\"delay\",\"delay_ms\":1}").status, 200);
}
END_TEST

START_TEST(what_was_cut_off_afterwards_has_happened)
{
    const char   *token = access_token("desk-2222-chat-2222");
    struct answer wrote = mina_writes("hello"), a;
    const char   *convo = text_of(&wrote, "convo");

    control("POST", "/sandbox/faults", "{\"platform\":\"bluesky\",\"on\":\"sendMessage\",\"kind\":\"cut_after\"}");
    a = ask("POST", CONVO "sendMessage", with(token, PROXY JSON),
        arena_printf(&arena, "{\"convoId\":\"%s\",\"message\":{\"text\":\"there\"}}", convo).ptr);
    ck_assert_int_eq(a.status, 0);
    a = ask("GET", arena_printf(&arena, CONVO "getMessages?convoId=%s", convo).ptr, with(token, PROXY), "");
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "messages"), 0), "text"), STR("there")));
    a = control("GET", "/sandbox/bluesky/calls?method=sendMessage&account=desk.sandbox.test", "");
    ck_assert(str_eq(json_str(yyjson_arr_get(json_arr(a.json, "data"), 0), "outcome"), STR("cut_after")));
}
END_TEST

START_TEST(calls_are_recorded_and_counted_without_passwords)
{
    const char   *token = access_token("desk-2222-chat-2222");
    struct answer a;

    head_of_log(token);
    head_of_log(token);
    a = control("GET", "/sandbox/bluesky/calls", "");
    ck_assert_uint_eq(yyjson_arr_size(json_arr(a.json, "data")), 3);
    ck_assert_ptr_nonnull(strstr(a.body, "\"password\":\"***\""));
    a = control("GET", ACCOUNTS BS_DESK_DID "/counts", "");
    ck_assert_int_eq(json_int(json_obj(a.json, "data"), "chat.bsky.convo.getLog", 0), 2);
    control("DELETE", "/sandbox/bluesky/calls", "");
    a = control("GET", "/sandbox/bluesky/calls", "");
    ck_assert_uint_eq(yyjson_arr_size(json_arr(a.json, "data")), 0);
}
END_TEST

/* ---- the control API ---- */

START_TEST(accounts_are_made_and_changed)
{
    struct answer a = control("POST", "/sandbox/bluesky/accounts",
        "{\"handle\":\"ann.sandbox.test\",\"display_name\":\"Ann\"}");
    const char   *path = arena_printf(&arena, ACCOUNTS "%s", text_of(&a, "did")).ptr;

    ck_assert_int_eq(a.status, 201);
    ck_assert_uint_eq(strlen(text_of(&a, "did")), 32);
    ck_assert_int_eq(ask("POST", "/sandbox/bluesky/accounts", JSON, "{\"handle\":\"ann.sandbox.test\"}").status, 409);
    ck_assert_int_eq(ask("POST", "/sandbox/bluesky/accounts", JSON, "{\"handle\":\"A b\"}").status, 400);
    a = control("PATCH", path,
        "{\"handle\":\"anna.sandbox.test\",\"allow_incoming\":\"all\",\"pds\":\"http://elsewhere\"}");
    ck_assert_str_eq(text_of(&a, "allow_incoming"), "all");
    a = control("POST", arena_printf(&arena, "%s/app-passwords", path).ptr, "{\"name\":\"x\",\"privileged\":false}");
    ck_assert_uint_eq(strlen(text_of(&a, "password")), 19);
    a = ask("GET", strstr(path, "/did:"), "", "");
    ck_assert_ptr_nonnull(strstr(a.body, "\"serviceEndpoint\":\"http://elsewhere\""));
    ck_assert_ptr_nonnull(strstr(a.body, "at://anna.sandbox.test"));
}
END_TEST

START_TEST(settings_are_checked)
{
    struct answer a = ask("POST", "/sandbox/settings", JSON, "{\"bluesky\":{\"log_page_size\":0}}");

    ck_assert_int_eq(a.status, 400);
    ck_assert_str_eq(text_of(&a, "error"), "bluesky.log_page_size must be a number from 1 to 10000");
    a = ask("POST", "/sandbox/settings", JSON, "{\"bluesky\":{\"convo_kinds\":1}}");
    ck_assert_str_eq(text_of(&a, "error"), "bluesky.convo_kinds must be true or false");
    a = control("POST", "/sandbox/settings", "{\"bluesky\":{\"proxy\":\"did:web:localhost%3A1#bsky_chat\"}}");
    ck_assert(str_eq(json_str(json_obj(a.json, "bluesky"), "proxy"), STR("did:web:localhost%3A1#bsky_chat")));
}
END_TEST

static void
set_up(void)
{
    struct sandbox_options options = { .listen = "127.0.0.1:0" };
    struct error           err;

    ck_assert_msg(sandbox_start(&options, &sandbox, &err), "%s", err.message);
}

static void
tear_down(void)
{
    sandbox_stop(sandbox);
    arena_deinit(&arena);
}

static TCase *
requests(void)
{
    TCase *c = tcase_create("requests");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, a_request_has_an_answer, 0, COUNT(table));
    tcase_add_test(c, what_is_no_json_is_a_syntax_error);
    return c;
}

static TCase *
sessions(void)
{
    TCase *c = tcase_create("sessions");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_account_that_is_not_active_is_told_so);
    tcase_add_test(c, expired_tokens_are_renewed_and_revoked_ones_are_not);
    tcase_add_test(c, logging_out_ends_the_session);
    tcase_add_test(c, too_many_logins_are_refused);
    tcase_add_test(c, a_second_factor_is_for_the_main_password_alone);
    return c;
}

static TCase *
conversations(void)
{
    TCase *c = tcase_create("conversations");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, what_a_person_writes_is_in_the_log_and_an_answer_in_theirs);
    tcase_add_test(c, the_log_comes_in_pages_until_it_is_empty);
    tcase_add_test(c, messages_come_newest_first_with_a_cursor_to_older_ones);
    tcase_add_test(c, what_was_deleted_shows_without_its_text);
    tcase_add_test(c, refusals_come_in_the_old_form_when_so_set);
    tcase_add_test(c, an_event_nobody_knows_can_be_in_the_log);
    tcase_add_test(c, who_may_write_is_a_record_of_ones_own);
    tcase_add_test(c, a_batch_is_sent_wholly_or_not_at_all);
    return c;
}

static TCase *
trouble(void)
{
    TCase *c = tcase_create("trouble");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_error_500_of_the_chat_service_is_a_502_here);
    tcase_add_test(c, an_ordered_error_can_have_a_name);
    tcase_add_test(c, the_chat_services_429_tells_nothing);
    tcase_add_test(c, pages_garbage_and_broken_connections);
    tcase_add_test(c, what_was_cut_off_afterwards_has_happened);
    tcase_add_test(c, calls_are_recorded_and_counted_without_passwords);
    return c;
}

static TCase *
controls(void)
{
    TCase *c = tcase_create("controls");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, accounts_are_made_and_changed);
    tcase_add_test(c, settings_are_checked);
    return c;
}

TEST_CASES("bluesky", requests, sessions, conversations, trouble, controls)
