/* What a poll brought, as parse_poll() reads it back: whatever stands there, what goes on to the ingester is in order,
 * and the cursor that comes of it is one that is read as it was written. */
#include <assert.h>

#include "json/json.h"
#include "platform/bluesky/bluesky.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_event(struct arena *a, const struct inbound_event *e)
{
    struct error err;
    yyjson_val  *val;

    assert(e->from.external_id.len > 0 && e->conversation_id.len > 0 && e->at_ms >= 0);
    assert(str_is_utf8(e->body) && str_is_utf8(e->from.name) && str_is_utf8(e->from.username));
    assert(str_is_none(e->platform_data)
        || (json_parse(a, e->platform_data, 4, &val, &err) && yyjson_is_obj(val)));
    switch (e->kind) {
    case INBOUND_MESSAGE:
        assert(e->external_id.len > 0);
        assert(e->body.len > 0 || e->is_unsupported || !str_is_none(e->platform_data));
        break;
    case INBOUND_DELETION:
        assert(e->external_id.len > 0 && str_is_none(e->body));
        break;
    case INBOUND_MUTE:
    case INBOUND_UNMUTE:
        assert(str_is_none(e->external_id) && str_is_none(e->body));
        break;
    case INBOUND_EDIT:
    case INBOUND_REACTION:
    case INBOUND_DELIVERY:
    case INBOUND_READ:
    case INBOUND_REFERRAL:
    case INBOUND_COMMENT:
    case INBOUND_BLOCK:
    case INBOUND_UNBLOCK:
    case INBOUND_HINT:
    case INBOUND_KINDS:
        assert(false); /* Bluesky has no such events */
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct account  account = { .external_id = STR("did:plc:deskdeskdeskdeskdeskdesk") };
    struct str            payload = { (const char *)data, size };
    struct inbound_batch  batch;
    struct bluesky_cursor cursor;
    struct arena          a;

    arena_init(&a);
    bluesky.parse_poll(&a, &account, payload, &batch);
    for (size_t i = 0; i < batch.count; i++)
        check_event(&a, &batch.events[i]);
    if (batch.cursor.len > 0) {
        bluesky_cursor_read(&a, batch.cursor, &cursor);
        assert(cursor.known_count <= BLUESKY_KNOWN_MAX);
        assert(str_eq(bluesky_cursor_write(&a, &cursor), batch.cursor));
    } else {
        assert(batch.not_understood && batch.count == 0);
    }
    arena_deinit(&a);
    return 0;
}
