/* Meta's webhooks, and messages that were asked for: whatever comes, what goes on to the ingester is in order. */
#include <assert.h>

#include "json/json.h"
#include "platform/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_json(struct arena *a, struct str text)
{
    struct error err;
    yyjson_val  *val;

    assert(str_is_none(text) || (json_parse(a, text, JSON_DEPTH_MAX, &val, &err) && yyjson_is_obj(val)));
}

static void
check_id(struct str id)
{
    assert(id.len > 0 && id.len <= 1024 && str_is_utf8(id));
    for (size_t i = 0; i < id.len; i++)
        assert((unsigned char)id.ptr[i] > ' ');
}

static void
check_media(const struct inbound_event *e)
{
    for (size_t i = 0; i < e->media_count; i++) {
        const struct inbound_media *m = &e->media[i];

        assert(m->type < ATTACH_TYPES && m->size >= 0 && m->width >= 0 && m->height >= 0);
        assert(str_starts(m->source_url, STR("https://")) || str_starts(m->source_url, STR("http://")));
        assert(str_eq(m->ref, m->source_url) && !memchr(m->ref.ptr, '\0', m->ref.len));
    }
}

static void
check_message(const struct inbound_event *e)
{
    check_id(e->external_id);
    assert(str_is_none(e->body) || e->body.len > 0);
    assert(e->kind != INBOUND_EDIT || (e->text_only && e->sequence > 0 && e->body.len > 0));
    if (e->kind == INBOUND_MESSAGE)
        assert(e->body.ptr || e->media_count > 0 || !str_is_none(e->platform_data));
}

static void
check_comment(struct arena *a, const struct inbound_event *e)
{
    const struct inbound_comment *c = e->comment;

    assert(c && str_is_none(e->from.external_id));
    check_id(c->external_id);
    check_json(a, c->platform_data);
    assert(str_is_utf8(c->body) && str_is_utf8(c->author_name) && c->posted_ms >= 0);
    assert(!str_eq(c->parent_id, c->post_id) || str_is_none(c->parent_id));
}

static void
check_event(struct arena *a, const struct inbound_event *e)
{
    assert(str_is_utf8(e->body) && e->at_ms >= 0 && e->watermark_ms >= 0);
    check_json(a, e->platform_data);
    check_json(a, e->referral);
    check_media(e);
    switch (e->kind) {
    case INBOUND_MESSAGE:
    case INBOUND_EDIT:
        check_message(e);
        break;
    case INBOUND_DELETION:
        check_id(e->external_id);
        break;
    case INBOUND_REACTION:
        check_id(e->external_id);
        assert(e->is_removed || e->reaction.len > 0 || e->emoji.len > 0);
        break;
    case INBOUND_DELIVERY:
    case INBOUND_READ:
        assert(!e->outbound && (e->watermark_ms > 0) != (e->external_id.len > 0));
        break;
    case INBOUND_REFERRAL:
        assert(!str_is_none(e->referral));
        break;
    case INBOUND_COMMENT:
        check_comment(a, e);
        return;
    case INBOUND_HINT:
        check_id(e->external_id);
        return; /* it may be from nobody */
    case INBOUND_BLOCK:
    case INBOUND_UNBLOCK:
    case INBOUND_MUTE:
    case INBOUND_UNMUTE:
    case INBOUND_KINDS:
        assert(false); /* Meta has no such events */
    }
    check_id(e->from.external_id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct platform_env env = { .meta_graph_url = STR("http://127.0.0.1:9000/graph") };
    const struct account      account = { .external_id = STR("17841400000000001"), .username = STR("the.shop") };
    struct str                payload = { (const char *)data, size };
    struct inbound_batch      batch;
    struct arena              a;

    arena_init(&a);
    meta_app.parse(&a, &env, payload, &batch);
    for (size_t i = 0; i < batch.count; i++) {
        check_id(batch.events[i].account_id);
        check_event(&a, &batch.events[i]);
    }
    assert(batch.count == 0 || batch.platform);
    instagram.parse_poll(&a, &account, payload, &batch);
    assert(batch.count + batch.not_understood <= 1);
    for (size_t i = 0; i < batch.count; i++)
        check_event(&a, &batch.events[i]);
    arena_deinit(&a);
    return 0;
}
