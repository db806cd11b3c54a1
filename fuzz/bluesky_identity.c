/* bluesky_identity.c -- a DID and the document somebody serves for it: whatever they say, the server that gets the
 * password is one that may, and every address that is asked is whole.
 *
 * The first line is the DID or handle, the rest the document. */
#include <assert.h>

#include "platform/bluesky/bluesky.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct platform_env env = {
    .bluesky_appview_url = { "http://appview", 14 }, .bluesky_plc_url = { "http://plc", 10 },
};

static void
check_url(struct str url)
{
    assert(str_find(url, STR("..")) < 0 || str_starts(url, STR("http://plc/")));
    for (size_t i = 0; i < url.len; i++)
        assert(url.ptr[i] > ' ' && url.ptr[i] < 127 && !strchr("@#\\", url.ptr[i]));
}

static void
check_where(struct str did, struct arena *a)
{
    struct op      op = { .kind = OP_CONNECT, .arena = a, .env = &env };
    struct op_step step = { 0 };

    op.state = arena_new(a, struct bluesky_talk);
    if (bluesky_get_document(&op, did, &step)) {
        assert(step.verdict == OP_CALL && bluesky_is_did(did));
        assert(str_starts(step.call.url, STR("http://plc/did:plc:")) || step.call.guarded);
        check_url(step.call.url);
    } else {
        assert(step.verdict == OP_FAIL && step.reason.len > 0);
    }
    if (bluesky_is_handle(did)) {
        bluesky_get_did(&op, did, &step);
        check_url(step.call.url);
    }
}

static void
check_document(struct str did, struct str document, struct arena *a)
{
    struct error err;
    yyjson_val  *root;
    struct str   url;

    if (!json_parse(a, document, JSON_DEPTH_MAX, &root, &err))
        return;
    url = bluesky_server_of(a, root, did);
    assert(str_is_none(url) || (bluesky_is_server_url(url) && str_eq(json_str(root, "id"), did)));
    for (size_t i = 0; i < url.len; i++)
        assert(url.ptr[i] > ' ' && url.ptr[i] < 127 && !strchr("@?#\\", url.ptr[i]));
    assert(str_find(str_from(url, 8), STR("/")) < 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str   in = { (const char *)data, size }, did, document;
    struct arena a;

    arena_init(&a);
    str_cut(in, '\n', &did, &document);
    check_where(did, &a);
    check_document(did, document, &a);
    arena_deinit(&a);
    return 0;
}
