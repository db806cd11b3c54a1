/* Answers to operations: whatever Meta, a proxy or an impostor says, each operation comes to an end that the rest of
 * the server can rely on, and no secret gets out. */
#include "base/array.h"
#include "talk.h"

#define PAGE_TOKEN   "EAAtestPageToken123"
#define LOGIN_TOKEN  "IGAAtestToken456"
#define APP_SECRET   "made-up-secret-of-the-app"
#define LOGIN_SECRET "made-up-secret-of-instagram"
#define CALLS_MAX    15

enum { IS_INSTAGRAM = 1, BY_LOGIN = 2, HAS_FILE = 4, HAS_COMMENT = 8, HAS_APP = 16, HAS_PAGE = 32, IS_OTHER = 64 };

#define TEXT(lit) { "" lit, sizeof(lit) - 1 }
#define URLS \
    .meta_graph_url = TEXT("http://graph/"), .instagram_graph_url = TEXT("http://insta"), .meta_version = TEXT("v1"), \
    .instagram_token_url = TEXT("http://token")

static const struct platform_env plain = { URLS };
static const struct platform_env with_apps = {
    URLS, .meta_app_id = TEXT("55"), .meta_app_secret = TEXT(APP_SECRET), .instagram_app_id = TEXT("66"),
    .instagram_app_secret = TEXT(LOGIN_SECRET),
};

static struct account
new_account(unsigned flags)
{
    struct account account = { .external_id = TEXT("17841"), .token = TEXT(PAGE_TOKEN) };

    if (flags & BY_LOGIN) {
        account.token = STR(LOGIN_TOKEN);
        account.details = STR("{\"login\":\"instagram\"}");
    } else if (flags & HAS_PAGE) {
        account.details = STR("{\"page_id\":\"1029\"}");
    }
    if (flags & IS_OTHER)
        account.token = STR("other-token-of-no-kind");
    return account;
}

static struct op
new_op(struct arena *a, unsigned kind, unsigned flags)
{
    return (struct op){
        .kind = kind % OP_KINDS, .arena = a, .env = flags & HAS_APP ? &with_apps : &plain,
        .account = new_account(flags), .now_ms = 1790000000000, .since_ms = 1790000000000,
        .participant_id = STR("7001"), .message_id = STR("m_1"), .body = STR("Hello"), .client_ref = STR("msg_1"),
        .comment_id = flags & HAS_COMMENT ? STR("5_6") : STR_NONE, .reaction = STR("love"), .emoji = STR("\u2764"),
        .media_ref = STR("https://scontent.xx.fbcdn.net/1.png?oh=1"), .save_path = STR("/spool/1"), .media_max = 1000,
        .media_index = flags & HAS_FILE ? 1 : 0, .media_count = flags & HAS_FILE ? 2 : 1,
        .code = STR("AQcode-to-exchange"), .redirect_uri = STR("https://dm.example.org/callback"),
        .hook_url = STR("https://dm.example.org/hook"), .has_file = flags & HAS_FILE,
        .file = { .path = STR("/data/x"), .size = 5, .content_type = STR("image/png"), .url = STR("https://x/1.png") },
    };
}

static bool
has_secret(const struct op *op, struct str text)
{
    const struct str secrets[] = {
        op->account.token, op->code, op->env->meta_app_secret, op->env->instagram_app_secret,
    };

    for (size_t i = 0; i < COUNT(secrets); i++)
        if (secrets[i].len > 0 && str_find(text, secrets[i]) >= 0)
            return true;
    return false;
}

/* What may be a sandbox's, by its host alone. */
static bool
is_trusted(struct str url)
{
    struct str host = str_slice(url, 0, strlen("http://graph"));

    return str_eq_nocase(host, STR("http://graph")) || str_eq_nocase(host, STR("http://insta"));
}

static void
check_call(const struct op *op, const struct net_request *call)
{
    bool is_link = op->kind == OP_MEDIA && !str_is_none(call->save_path); /* as Meta gave it; nothing goes along */
    bool is_ours = str_starts(call->url, STR("http://graph/")) || str_starts(call->url, STR("http://insta/"))
        || str_starts(call->url, STR("http://token/"));

    assert(is_link ? call->header_count == 0 && (call->guarded || is_trusted(call->url)) : is_ours);
    for (size_t i = 0; i < call->url.len; i++)
        assert(call->url.ptr[i] > ' ' && call->url.ptr[i] < 127);
    assert(is_link || (str_find(call->url, STR("/../")) < 0 && str_find(call->url, STR("/./")) < 0));
    if (op->kind != OP_EXCHANGE && op->kind != OP_REFRESH && !is_link)
        assert(!has_secret(op, call->url));
    for (size_t i = 0; i < call->header_count; i++)
        for (size_t k = 0; k < call->headers[i].value.len; k++)
            assert(call->headers[i].value.ptr[k] >= ' ' && call->headers[i].value.ptr[k] < 127);
}

static void
check_done(const struct op *op)
{
    assert(op->kind != OP_SEND || op->external_id.len > 0);
    assert(op->kind != OP_CONNECT || (op->account.external_id.len > 0 && op->account.details.len > 0));
    assert(op->kind != OP_MESSAGE || !str_is_none(op->poll_body));
    assert(op->kind != OP_REFRESH || op->account.token.len > 0);
    assert(op->kind != OP_EXCHANGE || op->account_count > 0);
    for (size_t i = 0; i < op->account_count; i++)
        assert(op->accounts[i].token.len > 0 && op->accounts[i].details.len > 0);
    for (size_t i = 0; op->kind == OP_FIND_SENT && i < op->found_count; i++)
        assert(op->found[i].external_id.len > 0);
}

static void
check_step(const struct op *op, const struct op_step *step)
{
    if (op->kind != OP_REFRESH || step->verdict != OP_DONE) /* then it is another token */
        assert(!has_secret(op, step->reason) && !has_secret(op, op->check_detail));
    assert(str_is_utf8(step->reason) && str_is_utf8(op->check_detail) && step->reason.len <= 500);
    assert(step->retry_after_ms >= 0 && step->retry_after_ms <= (int64_t)24 * 3600 * 1000);
    switch (step->verdict) {
    case OP_CALL:
        check_call(op, &step->call);
        break;
    case OP_DONE:
        check_done(op);
        break;
    case OP_RETRY:
        assert(step->reason.len > 0 && !step->token_invalid);
        assert(!step->maybe_done || op->kind == OP_SEND);
        break;
    case OP_FAIL:
        assert(step->reason.len > 0 && !step->maybe_done);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str   in = { (const char *)data, size };
    unsigned     kind = talk_number(&in, 1), flags = talk_number(&in, 1);
    struct arena a;
    struct op    op;

    arena_init(&a);
    op = new_op(&a, kind, flags);
    talk(flags & (IS_INSTAGRAM | BY_LOGIN) ? &instagram : &facebook, &op, &in, CALLS_MAX, check_step);
    arena_deinit(&a);
    return 0;
}
