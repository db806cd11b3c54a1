/* Answers to operations: whatever Telegram, a proxy or an impostor says, each operation comes to an end that
 * the rest of the server can rely on, and no secret gets out. */
#include "talk.h"

#define SECRET    "made-up-token-for-tests"
#define CALLS_MAX 3

enum { HAS_FILE = 1, HAS_BODY = 2, HAS_MARKUP = 4, HAS_HOOK = 8, IS_MEDIA = 16, HAS_REPLY = 32, IS_PHOTO = 64 };

static const struct platform_env env = { .telegram_url = { "http://tg", 9 }, .poll_seconds = 25 };

static struct op
new_op(struct arena *a, unsigned kind, unsigned flags)
{
    return (struct op){
        .kind = kind % OP_KINDS, .arena = a, .env = &env,
        .account = { .token = STR("123456789:" SECRET), .webhook_secret = STR("s3cret"), .cursor = STR("7") },
        .participant_id = STR("7001234567"), .message_id = STR("62"), .tap_id = STR("8"), .media_ref = STR("BAAC"),
        .save_path = STR("/spool/1"), .media_max = 1000,
        .body = STR("Hello"), .has_body = flags & HAS_BODY, .has_markup = flags & HAS_MARKUP,
        .reply_markup = flags & HAS_MARKUP ? STR("{\"inline_keyboard\":[]}") : STR_NONE,
        .reply_to = flags & HAS_REPLY ? STR("52") : STR_NONE, .is_media_message = flags & IS_MEDIA,
        .hook_url = flags & HAS_HOOK ? STR("https://dm.example.org/hook") : STR_NONE, .has_file = flags & HAS_FILE,
        .file = { .path = STR("/data/x"), .size = 5, .content_type = flags & IS_PHOTO ? STR("image/png") : STR("a/b") },
    };
}

static void
check_step(const struct op *op, const struct op_step *step)
{
    assert(str_find(step->reason, STR(SECRET)) < 0 && str_find(op->check_detail, STR(SECRET)) < 0);
    assert(str_is_utf8(step->reason) && str_is_utf8(op->check_detail) && step->reason.len <= 500);
    assert(step->retry_after_ms >= 0);
    switch (step->verdict) {
    case OP_CALL:
        assert(str_starts(step->call.url, STR("http://tg/bot123456789:" SECRET "/"))
            || str_starts(step->call.url, STR("http://tg/file/bot123456789:" SECRET "/")));
        for (size_t i = 0; i < step->call.url.len; i++)
            assert(step->call.url.ptr[i] > ' ' && step->call.url.ptr[i] < 127);
        assert(str_find(step->call.url, STR("/../")) < 0);
        break;
    case OP_DONE:
        assert(op->kind != OP_SEND || op->external_id.len > 0);
        assert(op->kind != OP_CONNECT || op->account.external_id.len > 0);
        assert(op->kind != OP_POLL || !str_is_none(op->poll_body));
        break;
    case OP_RETRY:
        assert(step->reason.len > 0 && !step->token_invalid);
        assert(!step->maybe_done || op->kind == OP_SEND);
        break;
    case OP_FAIL:
        assert(step->reason.len > 0 && !step->maybe_done && !step->account_wide);
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
    talk(&telegram, &op, &in, CALLS_MAX, check_step);
    arena_deinit(&a);
    return 0;
}
