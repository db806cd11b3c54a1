/* What a connection leaves behind: a session that can be used, and a position to begin polling at. */
#include "base/testing.h"
#include "platform/bluesky/bluesky.h"

#define NOW_MS 1780000000000

static struct op_step step;

static struct op
new_op(struct arena *a, const struct platform_env *env, enum op_kind kind)
{
    return (struct op){
        .kind = kind, .arena = a, .env = env, .now_ms = NOW_MS,
        .account.token = STR("{\"identifier\":\"Desk.example.com\",\"password\":\"abcd-efgh-ijkl-mnop\"}"),
    };
}

static void
answer(struct op *op, const char *text)
{
    struct net_response last = { .status = 200, .body = str_of(text) };

    ck_assert_int_eq(step.verdict, OP_CALL);
    bluesky.step(op, &last, &step);
}

static struct op
connected(struct arena *a, const struct platform_env *env)
{
    struct op op = new_op(a, env, OP_CONNECT);

    bluesky.step(&op, NULL, &step);
    answer(&op, "{\"accessJwt\":\"a1\",\"refreshJwt\":\"r1\",\"did\":\"did:plc:desk\","
                "\"handle\":\"desk.example.com\"}");
    answer(&op, "{\"cursor\":\"2222222222224\",\"logs\":[]}");
    answer(&op, "{\"displayName\":\"Desk\"}");
    ck_assert_int_eq(step.verdict, OP_DONE);
    return op;
}

static const struct platform_env local = {
    .bluesky_service_url = { "http://pds.test/", 16 }, .bluesky_service_only = true, .bluesky_history = 7,
    .bluesky_chat_proxy = { "did:web:chat#c", 14 },
};

START_TEST(a_connection_leaves_a_session_behind)
{
    struct arena         a;
    struct op            op;
    struct bluesky_token token;

    arena_init(&a);
    op = connected(&a, &local);
    ck_assert(bluesky_token_read(&a, op.account.token, &token));
    ck_assert(str_eq(token.identifier, STR("desk.example.com")));
    ck_assert(str_eq(token.password, STR("abcd-efgh-ijkl-mnop")));
    ck_assert(str_eq(token.access, STR("a1")) && str_eq(token.refresh, STR("r1")));
    ck_assert_int_eq(token.renewed_at, NOW_MS);
    ck_assert_int_eq(token.expires_at, 0);
    ck_assert(str_find(op.account.details, token.password) < 0 && str_find(op.account.cursor, token.password) < 0);
    ck_assert(str_eq(op.account.details, STR("{\"service\":\"http://pds.test\",\"pinned\":false}")));
    arena_deinit(&a);
}
END_TEST

START_TEST(polling_begins_where_the_log_stood)
{
    struct platform_env   other = local;
    struct arena          a;
    struct op             op;
    struct bluesky_cursor cursor;

    arena_init(&a);
    op = connected(&a, &local);
    bluesky_cursor_read(&a, op.account.cursor, &cursor);
    ck_assert(str_eq(cursor.log, STR("2222222222224")) && str_eq(cursor.born, cursor.log));
    ck_assert_int_eq(cursor.born_ms, NOW_MS);
    ck_assert(cursor.has_walk && !cursor.walk.is_recovery);

    other.bluesky_history = 0;
    op = connected(&a, &other);
    bluesky_cursor_read(&a, op.account.cursor, &cursor);
    ck_assert(str_eq(cursor.log, STR("2222222222224")) && !cursor.has_walk);
    arena_deinit(&a);
}
END_TEST

/* What one server was set by hand for stays with it, whatever a document says. */
START_TEST(a_server_set_by_hand_gets_every_call)
{
    struct arena a;
    struct op    op;

    arena_init(&a);
    op = new_op(&a, &local, OP_CONNECT);
    op.account.details = STR("{\"service\":\"https://elsewhere.example\"}");
    bluesky.step(&op, NULL, &step);
    ck_assert(str_eq(step.call.url, STR("http://pds.test/xrpc/com.atproto.server.createSession")));
    ck_assert(!step.call.guarded);
    answer(&op, "{\"accessJwt\":\"a1\",\"refreshJwt\":\"r1\",\"did\":\"did:plc:desk\",\"handle\":\"desk.example.com\","
                "\"didDoc\":{\"id\":\"did:plc:desk\",\"service\":[{\"id\":\"#atproto_pds\",\"type\":"
                "\"AtprotoPersonalDataServer\",\"serviceEndpoint\":\"https://elsewhere.example\"}]}}");
    ck_assert(str_eq(step.call.url, STR("http://pds.test/xrpc/chat.bsky.convo.getLog")));
    op.kind = OP_SEND;
    op.participant_id = STR("did:plc:ann");
    bluesky.step(&op, NULL, &step);
    ck_assert(str_starts(step.call.url, STR("http://pds.test/xrpc/")));
    arena_deinit(&a);
}
END_TEST

static const char *
many(struct arena *a, const char *what, int times)
{
    struct buf  buf;
    const char *out;

    buf_init(&buf, MIB);
    for (int i = 0; i < times; i++)
        buf_append(&buf, str_of(what));
    out = arena_copy(a, buf_str(&buf)).ptr;
    buf_deinit(&buf);
    return out;
}

static struct str
session_of(struct arena *a, const char *access, const char *handle)
{
    return arena_printf(a, "{\"accessJwt\":\"%s\",\"refreshJwt\":\"r1\",\"did\":\"did:plc:desk\",\"handle\":\"%s\"}",
        access, handle);
}

/* An account's server may be anybody's. */
START_TEST(names_without_end_are_cut)
{
    struct arena a;
    struct op    op;

    arena_init(&a);
    op = new_op(&a, &local, OP_CONNECT);
    bluesky.step(&op, NULL, &step);
    answer(&op, session_of(&a, "a1", many(&a, "long.", 1000)).ptr);
    answer(&op, "{\"cursor\":\"2222222222224\",\"logs\":[]}");
    answer(&op, arena_printf(&a, "{\"displayName\":\"%s\"}", many(&a, "\xC3\xA9!", 1000)).ptr);
    ck_assert_int_eq(step.verdict, OP_DONE);
    ck_assert_uint_eq(op.account.username.len, 0);
    ck_assert_uint_eq(op.account.name.len, 639); /* 640 would be half a character more */
    ck_assert(str_is_utf8(op.account.name));
    arena_deinit(&a);
}
END_TEST

START_TEST(messages_without_end_are_cut)
{
    struct arena         a;
    struct inbound_event event = { 0 };
    struct error         err;
    yyjson_val          *message;

    arena_init(&a);
    ck_assert(json_parse(&a, arena_printf(&a, "{\"text\":\"%s\",\"replyTo\":{\"id\":\"%s\"}}",
        many(&a, "12345678", 20000), many(&a, "i", 513)), 8, &message, &err));
    bluesky_read_content(&a, message, &event);
    ck_assert_uint_eq(event.body.len, 64 * KIB);
    ck_assert_uint_eq(event.reply_to.len, 0);
    arena_deinit(&a);
}
END_TEST

START_TEST(an_id_without_end_is_none)
{
    struct arena         a;
    struct op            op;
    struct bluesky_token token = { .access = STR("a1"), .refresh = STR("r1"), .renewed_at = NOW_MS };

    arena_init(&a);
    op = new_op(&a, &local, OP_SEND);
    op.account.token = bluesky_token_write(&a, &token);
    op.conversation_id = STR("c1");
    op.body = STR("Hello");
    bluesky.step(&op, NULL, &step);
    answer(&op, arena_printf(&a, "{\"id\":\"%s\"}", many(&a, "i", 513)).ptr);
    ck_assert(step.verdict == OP_RETRY && step.maybe_done && op.external_id.len == 0);
    bluesky.step(&op, NULL, &step);
    answer(&op, arena_printf(&a, "{\"id\":\"%s\"}", many(&a, "i", 512)).ptr);
    ck_assert(step.verdict == OP_DONE && op.external_id.len == 512);
    arena_deinit(&a);
}
END_TEST

/* Wherever it stands, and however long it is. */
START_TEST(no_reason_holds_a_part_of_a_secret)
{
    struct arena        a;
    struct op           op;
    struct net_response last = { .status = 400 };
    const char         *token;

    arena_init(&a);
    op = new_op(&a, &local, OP_CONNECT);
    token = many(&a, "S3cr3t", 500);
    bluesky.step(&op, NULL, &step);
    answer(&op, session_of(&a, token, "desk.example.com").ptr);
    last.body = arena_printf(&a, "{\"error\":\"Odd\",\"message\":\"%s%s\"}", many(&a, "m", 300), token);
    bluesky.step(&op, &last, &step);
    ck_assert_int_eq(step.verdict, OP_FAIL);
    ck_assert(str_find(step.reason, STR("S3cr3t")) < 0);
    ck_assert(str_ends(step.reason, STR("m***")));
    arena_deinit(&a);
}
END_TEST

START_TEST(the_tokens_of_before_are_secrets_still)
{
    struct arena        a;
    struct op           op;
    struct net_response last = { .status = 401, .body = STR("{\"error\":\"No\",\"message\":\"not 0ld-a, 0ld-r\"}") };

    arena_init(&a);
    op = new_op(&a, &local, OP_CONNECT);
    op.account.token = STR("{\"identifier\":\"desk.example.com\",\"password\":\"abcd\",\"access\":\"0ld-a\","
                           "\"refresh\":\"0ld-r\"}");
    bluesky.step(&op, NULL, &step);
    bluesky.step(&op, &last, &step);
    ck_assert_int_eq(step.verdict, OP_FAIL);
    ck_assert_msg(str_find(step.reason, STR("not ***, ***")) >= 0, "%.*s", STR_ARG(step.reason));
    arena_deinit(&a);
}
END_TEST

START_TEST(no_server_is_waited_for_longer_than_a_day)
{
    struct arena        a;
    struct op           op;
    struct net_response last = { .status = 429, .retry_after_ms = (int64_t)365 * 86400000 };

    arena_init(&a);
    op = new_op(&a, &local, OP_CONNECT);
    bluesky.step(&op, NULL, &step);
    bluesky.step(&op, &last, &step);
    ck_assert_int_eq(step.verdict, OP_RETRY);
    ck_assert_int_eq(step.retry_after_ms, 86400000);
    arena_deinit(&a);
}
END_TEST

START_TEST(renewals_are_a_minute_apart)
{
    static const struct {
        int64_t lifetime_ms, wait_ms;
    } tokens[] = {
        { 1, 60000 }, { 1000, 60000 }, { -5000, 60000 }, { 80000, 60000 }, { 120000, 90000 },
        { 7200000, 6600000 },
    };
    struct bluesky_token token = { 0 };

    for (size_t i = 0; i < COUNT(tokens); i++) {
        token.expires_at = NOW_MS + tokens[i].lifetime_ms;
        ck_assert_int_eq(bluesky_refresh_at(&token, NOW_MS), NOW_MS + tokens[i].wait_ms);
    }
}
END_TEST

START_TEST(who_may_stand_in_an_address)
{
    static const struct {
        const char *text;
        bool        is_did, is_handle;
    } tries[] = {
        { "did:plc:aaaabbbbccccddddeeeeffff", true, false },
        { "did:web:example.com", true, false },
        { "did:web:localhost%3A2583", true, false },
        { "did:plc:", false, false },
        { "did:PLC:abc", false, false },
        { "did:plc:a/../b", false, false },
        { "did:plc:a?b", false, false },
        { "did:plc:abc:", false, false },
        { "did:plc:abc%", false, false },
        { "plc:abc", false, false },
        { "desk.example.com", false, true },
        { "Desk.Example.COM", false, true },
        { "a.b", false, true },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com", false, true },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com", false, false },
        { "desk", false, false },
        { "desk.example.1com", false, false },
        { "-desk.example.com", false, false },
        { "desk-.example.com", false, false },
        { "desk..example.com", false, false },
        { ".example.com", false, false },
        { "desk.example.com.", false, false },
        { "desk.example.com/x", false, false },
        { "d\xC3\xA9sk.example.com", false, false },
        { "", false, false },
    };
    struct error err;

    for (size_t i = 0; i < COUNT(tries); i++) {
        ck_assert_int_eq(bluesky.check_participant(str_of(tries[i].text), &err), tries[i].is_did);
        ck_assert_msg(bluesky_is_did(str_of(tries[i].text)) == tries[i].is_did, "did %s", tries[i].text);
        ck_assert_msg(bluesky_is_handle(str_of(tries[i].text)) == tries[i].is_handle, "handle %s", tries[i].text);
    }
}
END_TEST

START_TEST(conversations_used_last_are_remembered)
{
    struct bluesky_cursor cursor = { 0 };
    struct arena          a;

    arena_init(&a);
    for (int i = 0; i < 200; i++) {
        bluesky_known_put(&a, &cursor, arena_printf(&a, "c%d", i % 130), arena_printf(&a, "p%d", i % 130));
        bluesky_known_put(&a, &cursor, STR("used"), STR_NONE);
        if (i % 50 == 49)
            bluesky_known_trim(&cursor);
    }
    bluesky_known_trim(&cursor);
    ck_assert_uint_eq(cursor.known_count, BLUESKY_KNOWN_MAX);
    ck_assert(str_is_none(bluesky_known_find(&cursor, STR("used"))->peer));
    ck_assert(str_eq(bluesky_known_find(&cursor, STR("c69"))->peer, STR("p69")));
    ck_assert_ptr_null(bluesky_known_find(&cursor, STR("c100")));
    arena_deinit(&a);
}
END_TEST

START_TEST(a_poll_is_paced_by_the_settings)
{
    int64_t quiet_ms, active_ms;

    bluesky.poll_pace(&(struct platform_env){ .bluesky_poll_ms = 300000, .bluesky_active_ms = 5000 }, &quiet_ms,
        &active_ms);
    ck_assert_int_eq(quiet_ms, 300000);
    ck_assert_int_eq(active_ms, 5000);
    bluesky.poll_pace(&(struct platform_env){ .bluesky_poll_ms = 300000 }, &quiet_ms, &active_ms);
    ck_assert_int_eq(active_ms, 300000);
}
END_TEST

TESTS("bluesky sessions", a_connection_leaves_a_session_behind, polling_begins_where_the_log_stood,
    a_server_set_by_hand_gets_every_call, names_without_end_are_cut, messages_without_end_are_cut,
    an_id_without_end_is_none, no_reason_holds_a_part_of_a_secret, the_tokens_of_before_are_secrets_still,
    no_server_is_waited_for_longer_than_a_day,
    renewals_are_a_minute_apart, who_may_stand_in_an_address, conversations_used_last_are_remembered,
    a_poll_is_paced_by_the_settings)
