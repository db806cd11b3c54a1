/* Answers and texts that nobody expects: each operation still ends, with a sentence. */
#include "base/testing.h"
#include "platform/bluesky/bluesky.h"

#define NOW_MS  1780000000000
#define DESK    "did:plc:desk"
#define SESSION "{\"accessJwt\":\"a1\",\"refreshJwt\":\"r1\",\"did\":\"" DESK "\",\"handle\":\"desk.example.com\"}"
#define KNOWN \
    "{\"identifier\":\"desk.example.com\",\"password\":\"pass-word\",\"access\":\"access-1\",\"refresh\":\"refresh-1\"}"

static const struct platform_env env = {
    .bluesky_service_url = { "https://bsky.social", 19 }, .bluesky_appview_url = { "https://view", 12 },
    .bluesky_plc_url = { "https://plc", 11 }, .bluesky_chat_proxy = { "did:web:chat#c", 14 }, .bluesky_history = 7,
};
static const struct platform_env pinned = {
    .bluesky_service_url = { "https://bsky.social", 19 }, .bluesky_service_only = true,
    .bluesky_chat_proxy = { "did:web:chat#c", 14 },
};

static const struct {
    const char                *name;
    const struct platform_env *env;
    enum op_kind               kind;
    const char                *token, *details, *cursor;
    struct {
        int         status; /* 0 = the server cannot be reached */
        const char *body;
    } answers[4];
    enum op_verdict verdict;
    const char     *reason; /* a part of it; NULL = none */
} edges[] = {
    { "the directory of identities is in trouble", &env, OP_CONNECT,
      "{\"identifier\":\"" DESK "\",\"password\":\"pw\"}", NULL, NULL,
      { { 500, "oops" } }, OP_RETRY, "500" },
    { "a server named by the user, and an identity that names none", &env, OP_CONNECT,
      "{\"identifier\":\"" DESK "\",\"password\":\"pw\"}", "{\"service\":\"https://mine.example\",\"pinned\":true}",
      NULL,
      { { 200, SESSION }, { 200, "{\"id\":\"" DESK "\"}" } }, OP_FAIL, "its identity names no server" },
    { "no server, and no password to look for another with", &env, OP_REFRESH,
      "{\"identifier\":\"desk.example.com\",\"access\":\"a\",\"refresh\":\"r\"}", NULL, NULL,
      { { 0, "" } }, OP_RETRY, "why" },
    { "no server, and none but that one may be asked", &pinned, OP_REFRESH, KNOWN, NULL, NULL,
      { { 0, "" } }, OP_RETRY, "why" },
    { "who is in a conversation has no id", &env, OP_POLL, KNOWN, NULL, "{\"log\":\"2222222222222\"}",
      { { 200, "{\"cursor\":\"2222222222223\",\"logs\":[{\"$type\":\"chat.bsky.convo.defs#logCreateMessage\","
               "\"rev\":\"2222222222223\",\"convoId\":\"c1\",\"message\":{\"id\":\"m\"}}]}" },
        { 200, "{\"convo\":{\"id\":\"c1\",\"members\":[{\"did\":\"" DESK "\"},{\"did\":\"nobody\"}]}}" } },
      OP_DONE, NULL },
    { "history is no longer wanted", &pinned, OP_POLL, KNOWN, NULL,
      "{\"log\":\"2222222222222\",\"walk\":{\"todo\":[{\"id\":\"c1\",\"peer\":\"did:plc:ann\"}]}}",
      { { 200, "{\"logs\":[]}" } }, OP_DONE, NULL },
    { "the list of conversations is refused", &env, OP_POLL, KNOWN, NULL, "{\"log\":\"2222222222222\",\"walk\":{}}",
      { { 400, "{\"error\":\"InvalidRequest\",\"message\":\"no\"}" }, { 200, "{\"logs\":[]}" } }, OP_DONE, NULL },
};

static struct str
or_else(const char *text, const char *otherwise)
{
    return str_of(text ? text : otherwise);
}

START_TEST(what_nobody_expects_ends)
{
    struct arena   a;
    struct op_step step;
    struct op      op = { .kind = edges[_i].kind, .env = edges[_i].env, .arena = &a, .now_ms = NOW_MS };
    size_t         n = 0;

    arena_init(&a);
    op.account.external_id = op.kind == OP_CONNECT ? STR_NONE : STR(DESK);
    op.account.token = str_of(edges[_i].token);
    op.account.details = or_else(edges[_i].details,
                                 op.kind == OP_CONNECT ? "" : "{\"service\":\"https://pds.example\"}");
    op.account.cursor = or_else(edges[_i].cursor, "");
    bluesky.step(&op, NULL, &step);
    for (; step.verdict == OP_CALL && n < 4 && edges[_i].answers[n].body; n++) {
        struct net_response answer = { .status = edges[_i].answers[n].status,
                                       .body = str_of(edges[_i].answers[n].body) };

        answer.result = answer.status ? NET_ANSWERED : NET_NOT_SENT;
        if (!answer.status)
            memcpy(answer.error, "why", 4);
        bluesky.step(&op, &answer, &step);
    }
    ck_assert_msg(step.verdict == edges[_i].verdict, "%s: %d after %zu answers: %.*s", edges[_i].name, step.verdict, n,
                  STR_ARG(step.verdict == OP_CALL ? step.call.url : step.reason));
    if (edges[_i].reason)
        ck_assert_msg(str_find(step.reason, str_of(edges[_i].reason)) >= 0, "%.*s", STR_ARG(step.reason));
    arena_deinit(&a);
}
END_TEST

static void
ck_refused(struct op *op, int code, const char *reason)
{
    struct op_step step;

    bluesky.step(op, NULL, &step);
    ck_assert_int_eq(step.verdict, OP_FAIL);
    ck_assert_int_eq(step.code, code);
    ck_assert_msg(str_find(step.reason, str_of(reason)) >= 0, "%.*s", STR_ARG(step.reason));
}

START_TEST(what_no_request_can_hold_is_refused_here)
{
    struct arena a;
    struct op    op = { .arena = &a, .env = &env, .now_ms = NOW_MS };
    struct str   big;

    arena_init(&a);
    big = (struct str){ memset(arena_bytes(&a, 256 * KIB), 'x', 256 * KIB), 256 * KIB };
    op.account.external_id = STR(DESK);
    op.account.details = STR("{\"service\":\"https://pds.example\"}");
    op.account.token = STR(KNOWN);
    op.kind = OP_PARTICIPANT;
    op.participant_id = big;
    ck_refused(&op, 414, "longer than any of Bluesky's");
    op.kind = OP_SEND;
    op.participant_id = STR("did:plc:ann");
    op.conversation_id = STR("c1");
    op.body = big;
    ck_refused(&op, 413, "at most 10000 bytes");
    op = (struct op){ .kind = OP_CONNECT, .arena = &a, .env = &pinned, .now_ms = NOW_MS };
    op.account.token = arena_printf(&a, "{\"identifier\":\"" DESK "\",\"password\":\"%.*s\"}",
                                    STR_ARG(str_slice(big, 0, 32 * KIB)));
    ck_refused(&op, 422, "the password is too long");
    arena_deinit(&a);
}
END_TEST

/* A conversation whose id no address can hold is none of ours, and no others wait for it. */
START_TEST(an_endless_conversation_id_is_passed_over)
{
    struct arena        a;
    struct op_step      step;
    struct op           op = { .kind = OP_POLL, .arena = &a, .env = &pinned, .now_ms = NOW_MS };
    struct net_response answer = { .status = 200 };

    arena_init(&a);
    op.account.external_id = STR(DESK);
    op.account.details = STR("{\"service\":\"https://pds.example\"}");
    op.account.token = STR(KNOWN);
    op.account.cursor = STR("{\"log\":\"2222222222222\"}");
    answer.body = arena_printf(&a, "{\"cursor\":\"2222222222223\",\"logs\":[{\"$type\":"
                               "\"chat.bsky.convo.defs#logCreateMessage\",\"rev\":\"2222222222223\","
                               "\"convoId\":\"%.*s\",\"message\":{\"id\":\"m\"}}]}", 17000,
                               (char *)memset(arena_bytes(&a, 17000), 'c', 17000));
    bluesky.step(&op, NULL, &step);
    ck_assert_int_eq(step.verdict, OP_CALL);
    bluesky.step(&op, &answer, &step);
    ck_assert_int_eq(step.verdict, OP_DONE);
    ck_assert(str_find(op.poll_body, STR("\"log\":\"2222222222223\"")) >= 0);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_did_may_name_no_place)
{
    static const char *const dids[] = { "did:key:z6Mk", "did:web:localhost%3Ax", "did:web:other%3A80",
                                        "did:web:localhost%3A70000", "did:web:a:b", "did:plc:a%20b", "desk" };
    struct arena   a;
    struct op      op = { .kind = OP_CONNECT, .arena = &a, .env = &env };
    struct op_step step;

    arena_init(&a);
    op.state = arena_new(&a, struct bluesky_talk);
    for (size_t i = 0; i < COUNT(dids); i++) {
        ck_assert_msg(!bluesky_get_document(&op, str_of(dids[i]), &step), "%s", dids[i]);
        ck_assert_int_eq(step.verdict, OP_FAIL);
    }
    arena_deinit(&a);
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("edges");

    tcase_add_loop_test(c, what_nobody_expects_ends, 0, COUNT(edges));
    tcase_add_test(c, what_no_request_can_hold_is_refused_here);
    tcase_add_test(c, an_endless_conversation_id_is_passed_over);
    tcase_add_test(c, a_did_may_name_no_place);
    return c;
}

TEST_CASES("bluesky edges", all)
