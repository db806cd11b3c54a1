/* Updates as a webhook and a poll bring them: whatever comes, what goes on to the ingester is in order. */
#include <assert.h>

#include "json/json.h"
#include "platform/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_json(struct arena *a, struct str text)
{
    struct error err;
    yyjson_val  *val;

    /* Two levels more than a payload may have: what is quoted in platform_data lies deeper there. */
    assert(str_is_none(text) || (json_parse(a, text, JSON_DEPTH_MAX + 2, &val, &err) && yyjson_is_obj(val)));
}

static void
check_event(struct arena *a, const struct inbound_event *e)
{
    assert(e->from.external_id.len > 0 && e->conversation_id.len > 0);
    assert(str_is_utf8(e->body) && str_is_utf8(e->from.name));
    assert(e->at_ms >= 0 && e->posted_ms >= 0);
    check_json(a, e->platform_data);
    check_json(a, e->reply_markup);
    switch (e->kind) {
    case INBOUND_MESSAGE:
    case INBOUND_EDIT:
        assert(e->external_id.len > 0);
        assert(e->body.ptr || e->media_count > 0 || !str_is_none(e->platform_data));
        break;
    case INBOUND_BLOCK:
    case INBOUND_UNBLOCK:
        assert(e->media_count == 0 && str_is_none(e->body));
        break;
    case INBOUND_DELETION:
    case INBOUND_REACTION:
    case INBOUND_DELIVERY:
    case INBOUND_READ:
    case INBOUND_REFERRAL:
    case INBOUND_COMMENT:
    case INBOUND_MUTE:
    case INBOUND_UNMUTE:
    case INBOUND_HINT:
    case INBOUND_KINDS:
        assert(false); /* Telegram has no such events */
    }
    for (size_t i = 0; i < e->media_count; i++) {
        assert(e->media[i].ref.len > 0 || !str_is_none(e->media[i].ref));
        assert(e->media[i].type < ATTACH_TYPES && e->media[i].size >= 0);
        assert(e->media[i].width >= 0 && e->media[i].height >= 0);
    }
}

static void
check_batch(struct arena *a, const struct inbound_batch *batch)
{
    int64_t cursor;

    for (size_t i = 0; i < batch->count; i++)
        check_event(a, &batch->events[i]);
    assert(str_is_none(batch->cursor) || (str_to_i64(batch->cursor, &cursor) && cursor > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct account account = { .external_id = STR("123456789") };
    struct str           payload = { (const char *)data, size };
    struct inbound_batch batch;
    struct arena         a;

    arena_init(&a);
    telegram.parse(&a, &account, payload, &batch);
    assert(batch.count + batch.ignored + batch.not_understood == 1);
    check_batch(&a, &batch);
    telegram.parse_poll(&a, &account, payload, &batch);
    check_batch(&a, &batch);
    arena_deinit(&a);
    return 0;
}
