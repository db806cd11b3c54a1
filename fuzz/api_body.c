/* api_body.c -- bodies of API requests: JSON, forms and multipart fields, and the attachments they name.
 *
 * The first byte chooses the form. Whatever comes is an object or a refusal, and of an object only text that can be
 * stored gets through. */
#include <assert.h>

#include "api/body.h"
#include "api/media.h"
#include "base/array.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "name=value" lines as the text parts of an upload; a line without '=' is a file. */
static void
parts_of(struct str text, struct http_request *r, struct arena *a)
{
    struct str line;

    r->parts = arena_array(a, struct http_part, 64);
    while (text.len > 0 && r->part_count < 64) {
        struct http_part *part = &r->parts[r->part_count++];

        str_cut(text, '\n', &line, &text);
        if (str_cut(line, '=', &part->name, &part->text))
            continue;
        part->name = STR("media[]");
        part->file_name = line;
        part->path = STR("/spool/1");
        part->size = 1;
    }
}

static void
check_fields(const struct body *b, struct arena *a)
{
    static const struct net_guard strict;
    static const char *const      names[] = { "body", "name", "text", "media", "reply_markup", "participant_name" };
    struct media_item             item;
    struct attachment             at;
    struct error                  err = { 0 };
    struct str                    text;

    assert(yyjson_is_obj(b->json));
    for (size_t i = 0; i < COUNT(names); i++) {
        if (body_text(b->json, names[i], 1000, &text, &err))
            assert(text.len <= 1000 && str_is_utf8(text) && (text.len == 0 || !memchr(text.ptr, 0, text.len)));
        if (body_id(b->json, names[i], a, &text, &err))
            assert(text.len <= BODY_ID_MAX);
    }
    if (media_count(b) == 0)
        return;
    if (!media_first(b, &strict, a, &item, &err)) {
        assert(err.status == 422);
        return;
    }
    assert(str_is_none(item.file_name) || (item.file_name.len > 0 && str_is_utf8(item.file_name)
        && !memchr(item.file_name.ptr, '/', item.file_name.len)));
    if (item.form == MEDIA_URL)
        media_of_url(&item, &at);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str types[] = { STR("application/json"), STR("application/x-www-form-urlencoded"), STR("") };
    struct http_request     r = { 0 };
    struct arena            a = { 0 };
    struct error            err = { 0 };
    struct body             b;

    if (size == 0)
        return 0;
    r.body = (struct str){ (const char *)data + 1, size - 1 };
    r.content_type = types[data[0] % 3];
    if (data[0] % 3 == 2)
        parts_of(r.body, &r, &a);
    if (body_read(&r, &a, 16, &b, &err))
        check_fields(&b, &a);
    else
        assert(err.status == 400 || err.status == 413 || err.status == 415);
    arena_deinit(&a);
    return 0;
}
