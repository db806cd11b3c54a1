/* sandbox_text.c -- texts that bots send to the stand-in for Telegram: markup, entities, and what is found in them.
 *
 * The first byte chooses the parse mode; without one, what follows a NUL are entities. */
#include <assert.h>

#include "sandbox/telegram/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_boundary(struct str text, size_t at)
{
    return at == text.len || ((unsigned char)text.ptr[at] & 0xC0) != 0x80;
}

static void
check_text(const struct tg_text *t, struct arena *a)
{
    struct buf   out;
    struct json  w = { .buf = &out };
    struct error err;
    yyjson_val  *val;

    assert(str_is_utf8(t->text) && t->count <= TG_ENTITIES_MAX);
    for (size_t i = 0; i < t->count; i++) {
        const struct tg_entity *e = &t->entities[i];

        assert(e->from < e->to && e->to <= t->text.len);
        assert(is_boundary(t->text, e->from) && is_boundary(t->text, e->to));
    }
    buf_init(&out, 16 * MIB);
    json_begin(&w, NULL);
    tg_text_write_entities(t, &w, "entities");
    json_end(&w);
    assert(json_parse(a, buf_str(&out), JSON_DEPTH_MAX, &val, &err));
    buf_deinit(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const modes[] = { "", "HTML", "Markdown", "MarkdownV2" };
    struct str               in = { (const char *)data, size }, raw, json = STR_NONE;
    struct error             err = { 0 };
    yyjson_val              *entities = NULL;
    struct tg_text           t;
    struct arena             a;

    if (size == 0)
        return 0;
    arena_init(&a);
    raw = str_from(in, 1);
    if (data[0] % 4 == 0)
        str_cut(str_from(in, 1), '\0', &raw, &json);
    if (json.len > 0)
        json_parse(&a, json, JSON_DEPTH_MAX, &entities, &err);
    if (tg_text_read(raw, str_of(modes[data[0] % 4]), entities, &a, &t, &err))
        check_text(&t, &a);
    else
        assert(err.status == 400 && err.message[0]);
    if (tg_text_typed(raw, &a, &t, &err))
        check_text(&t, &a);
    arena_deinit(&a);
    return 0;
}
