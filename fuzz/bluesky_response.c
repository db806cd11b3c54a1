/* Answers to operations: whatever an account's server, a proxy or an impostor says, each operation comes to an end
 * that the rest of the server can rely on, no secret gets out, and none goes to where it does not belong. */
#include "talk.h"
#include "platform/bluesky/bluesky.h"

#define PASSWORD  "pass-word-made-up-x"
#define ACCESS    "access-made-up"
#define REFRESH   "refresh-made-up"
#define CALLS_MAX 16 /* the worker's own limit */

enum { KNOWS_CONVO = 1, IS_FRESH = 2, IS_PINNED = 4, HAS_WALK = 8, RECOVERS = 16, HAS_LOG = 32, BY_HANDLE = 64 };

static const struct platform_env env = {
    .bluesky_service_url = { "http://social", 13 }, .bluesky_appview_url = { "http://appview", 14 },
    .bluesky_plc_url = { "http://plc", 10 }, .bluesky_chat_proxy = { "did:web:chat#c", 14 }, .bluesky_history = 150,
};

static struct op
new_op(struct arena *a, unsigned kind, unsigned flags)
{
    struct op op = {
        .kind = kind % OP_KINDS, .arena = a, .env = &env, .now_ms = 1780000000000, .since_ms = 1780000000000,
        .participant_id = STR("did:plc:ann"), .conversation_id = flags & KNOWS_CONVO ? STR("3kconv") : STR_NONE,
        .body = STR("Hello www.example.com"), .media_ref = STR("https://cdn.example.com/1"),
        .save_path = STR("/spool/1"), .media_max = 1000,
    };

    op.account.external_id = op.kind == OP_CONNECT ? STR_NONE : STR("did:plc:desk");
    op.account.details = flags & IS_PINNED ? STR("{\"service\":\"https://pds\",\"pinned\":true}")
                                           : STR("{\"service\":\"https://pds\",\"pinned\":false}");
    op.account.token = arena_printf(a, "{\"identifier\":\"%s\",\"password\":\"" PASSWORD "\",\"access\":\"" ACCESS
        "\",\"refresh\":\"" REFRESH "\",\"in_a_row\":3,\"renewed_at\":%s}",
        flags & BY_HANDLE ? "desk.example.com" : "did:web:desk.example", flags & IS_FRESH ? "1779999990000" : "1");
    op.account.cursor = arena_printf(a, "{%s\"born_ms\":1,\"seen_ms\":1%s}",
        flags & HAS_LOG ? "\"log\":\"2222222222222\"," : "",
        flags & HAS_WALK ? flags & RECOVERS ? ",\"walk\":{\"recovery\":true,\"since\":\"2222222222222\"}"
                                            : ",\"walk\":{\"todo\":[{\"id\":\"a\",\"peer\":\"did:plc:ann\"}]}"
                         : "");
    return op;
}

static bool
tells(struct str text)
{
    return str_find(text, STR(PASSWORD)) >= 0 || str_find(text, STR(ACCESS)) >= 0 || str_find(text, STR(REFRESH)) >= 0;
}

/* The account's server knows the secrets. One that tells them, as the id of a conversation, hears them in addresses. */
static bool is_told;

/* Secrets are in headers and bodies, never in addresses; and only the account's server gets them. */
static void
check_call(const struct net_request *call)
{
    bool is_xrpc = str_find(call->url, STR("/xrpc/")) > 0;

    assert(call->url.len > 0 && (is_told || !tells(call->url)));
    for (size_t i = 0; i < call->url.len; i++)
        assert(call->url.ptr[i] > ' ' && call->url.ptr[i] < 127);
    assert(call->guarded || str_starts(call->url, STR("http://social/"))
        || str_starts(call->url, STR("http://appview/")) || str_starts(call->url, STR("http://plc/did:")));
    for (size_t i = 0; i < call->header_count; i++)
        for (size_t c = 0; c < call->headers[i].value.len; c++)
            assert(call->headers[i].value.ptr[c] >= ' ' && call->headers[i].value.ptr[c] < 127);
    assert(is_xrpc || (call->header_count == 0 && str_is_none(call->body)));
    assert(!str_starts(call->url, STR("http://appview/")) || call->header_count == 0);
    assert(str_find(call->url, STR("/xrpc/chat.")) < 0 || call->header_count >= 2);
}

static void
check_step(const struct op *op, const struct op_step *step)
{
    assert(!tells(step->reason) && !tells(op->check_detail) && !tells(op->account.details)
        && !tells(op->account.cursor));
    assert(str_is_utf8(step->reason) && str_is_utf8(op->check_detail) && step->reason.len <= 500);
    assert(step->retry_after_ms >= 0);
    switch (step->verdict) {
    case OP_CALL:
        check_call(&step->call);
        break;
    case OP_DONE:
        assert(op->kind != OP_SEND || op->external_id.len > 0);
        assert(op->kind != OP_CONNECT || (op->account.external_id.len > 0 && op->account.cursor.len > 0));
        assert((op->kind != OP_CONNECT && op->kind != OP_REFRESH) || op->account.refresh_at > 0);
        assert(op->kind != OP_POLL || op->poll_body.len > 0);
        break;
    case OP_RETRY:
        assert(step->reason.len > 0 && !step->token_invalid);
        assert(!step->maybe_done || op->kind == OP_SEND);
        assert(!step->token_stale || (op->kind != OP_REFRESH && op->kind != OP_CONNECT && !step->maybe_done));
        break;
    case OP_FAIL:
        assert(step->reason.len > 0 && !step->maybe_done && !step->account_wide && !step->token_stale);
        break;
    }
}

/* What a poll hands on must be readable, or the account would never get past it. */
static void
check_poll(struct op *op)
{
    struct inbound_batch batch;

    bluesky.parse_poll(op->arena, &op->account, op->poll_body, &batch);
    assert(batch.cursor.len > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str     in = { (const char *)data, size };
    unsigned       kind = talk_number(&in, 1), flags = talk_number(&in, 1);
    struct op_step step;
    struct arena   a;
    struct op      op;

    is_told = tells(in);
    arena_init(&a);
    op = new_op(&a, kind, flags);
    step = talk(&bluesky, &op, &in, CALLS_MAX, check_step);
    if (op.kind == OP_POLL && step.verdict == OP_DONE)
        check_poll(&op);
    arena_deinit(&a);
    return 0;
}
