/* text.c -- see text.h. */
#include "sandbox/telegram/text.h"

#include <stdlib.h>

#include "base/array.h"

#define RAW_MAX ((size_t)32768) /* bytes of a parameter */

size_t
tg_utf16_len(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        n += (c & 0xC0) != 0x80 ? 1 : 0;
        n += c >= 0xF0 ? 1 : 0;
    }
    return n;
}

/* The byte at which `units` UTF-16 units are over; within a surrogate pair, behind it. */
static size_t
byte_of(struct str s, size_t units)
{
    size_t at = 0;

    for (size_t n = 0; n < units && at < s.len;) {
        size_t len = str_utf8_len(str_from(s, at));

        n += len == 4 ? 2 : 1;
        at += len > 0 ? len : 1;
    }
    return at;
}

void
tg_text_add(struct tg_text *t, const char *type, size_t from, size_t to, struct str more)
{
    if (t->count < TG_ENTITIES_MAX && from < to)
        t->entities[t->count++] = (struct tg_entity){ type, from, to, more };
}

/* ---- cleaning ---- */

/* Bytes of an invisible or harmful character at the start of `s` that the server drops; 0 = keep it. */
static size_t
dropped(struct str s)
{
    unsigned char c = (unsigned char)s.ptr[0], d = s.len > 1 ? (unsigned char)s.ptr[1] : 0,
                  e = s.len > 2 ? (unsigned char)s.ptr[2] : 0;

    if (c == '\r')
        return 1;
    if (c == 0xE2 && d == 0x80 && e >= 0xA8 && e <= 0xAE) /* U+2028..202E: separators and direction overrides */
        return 3;
    if (c == 0xCC && (d == 0xB3 || d == 0xBF || d == 0x8A)) /* combining lines that run over the neighbours */
        return 2;
    return 0;
}

/* Control characters become spaces, except for line ends. */
static bool
clean(struct str raw, struct arena *a, struct str *out, struct error *err)
{
    char  *text;
    size_t len = 0;

    if (!str_is_utf8(raw))
        return error_set(err, 400, "strings must be encoded in UTF-8");
    text = arena_bytes(a, raw.len + 1);
    for (size_t i = 0; i < raw.len;) {
        size_t        drop = dropped(str_from(raw, i));
        unsigned char c = (unsigned char)raw.ptr[i];

        if (drop == 0) {
            text[len++] = c < 0x20 && c != '\n' ? ' ' : (char)c;
            drop = 1;
        }
        i += drop;
    }
    text[len] = '\0';
    *out = (struct str){ text, len };
    return true;
}

/* Spaces and line ends at both ends go; what entities said of them goes too. */
static void
trim(struct tg_text *t)
{
    size_t from = 0, to = t->text.len, kept = 0;

    while (to > 0 && (t->text.ptr[to - 1] == ' ' || t->text.ptr[to - 1] == '\n'))
        to--;
    while (from < to && (t->text.ptr[from] == ' ' || t->text.ptr[from] == '\n'))
        from++;
    t->text = str_slice(t->text, from, to - from);
    for (size_t i = 0; i < t->count; i++) {
        struct tg_entity e = t->entities[i];

        e.to = (e.to < to ? e.to : to);
        e.from = e.from > from ? e.from - from : 0;
        e.to = e.to > from ? e.to - from : 0;
        if (e.from < e.to)
            t->entities[kept++] = e;
    }
    t->count = kept;
}

static int
by_place(const void *one, const void *two)
{
    const struct tg_entity *a = one, *b = two;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to > b->to ? -1 : a->to < b->to ? 1 : 0;
}

/* ---- entities given beside the text ---- */

static const char *const given_types[] = {
    "bold", "italic", "underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre",
    "text_link", "text_mention", "custom_emoji",
};
static const char *const found_types[] = { /* the server finds these itself and ignores what it is told */
    "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number", "date_time",
};

static const char *
type_in(const char *const *types, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(types[i])))
            return types[i];
    return NULL;
}
#define TYPE_IN(types, name) type_in(types, COUNT(types), name)

static struct str
member_text(struct arena *a, const char *name, yyjson_val *val)
{
    struct str text = json_text(a, val);

    return val ? arena_printf(a, "\"%s\":%.*s", name, STR_ARG(text)) : STR_NONE;
}

static struct str
more_of(yyjson_val *given, const char *type, struct arena *a)
{
    static const struct {
        const char *type, *member;
    } members[] = {
        { "text_link", "url" }, { "text_mention", "user" }, { "pre", "language" },
        { "custom_emoji", "custom_emoji_id" },
    };

    for (size_t i = 0; i < COUNT(members); i++)
        if (str_eq(str_of(type), str_of(members[i].type)))
            return member_text(a, members[i].member, json_get(given, members[i].member));
    return STR_NONE;
}

static bool
read_entity(struct tg_text *t, yyjson_val *given, struct arena *a, struct error *err)
{
    int64_t     offset = json_int(given, "offset", -1), length = json_int(given, "length", -1);
    struct str  name = json_str(given, "type");
    const char *type;
    size_t      from;

    if (!yyjson_is_obj(given))
        return error_set(err, 400, "can't parse MessageEntity: expected an Object");
    if (!json_get(given, "offset") || !json_get(given, "length") || str_is_none(name))
        return error_set(err, 400, "can't parse MessageEntity: Can't find field \"%s\"",
            !json_get(given, "offset") ? "offset" : !json_get(given, "length") ? "length" : "type");
    type = TYPE_IN(given_types, name);
    if (!type && !TYPE_IN(found_types, name))
        return error_set(err, 400, "can't parse MessageEntity: Unsupported type specified");
    if (!type || offset < 0 || length <= 0 || offset > (int64_t)t->text.len || length > (int64_t)t->text.len)
        return true;
    from = byte_of(t->text, (size_t)offset);
    tg_text_add(t, type, from, byte_of(t->text, (size_t)(offset + length)), more_of(given, type, a));
    return true;
}

static bool
read_entities(struct tg_text *t, yyjson_val *given, struct arena *a, struct error *err)
{
    yyjson_arr_iter it;
    yyjson_val     *one;

    if (!yyjson_is_arr(given))
        return true;
    it = yyjson_arr_iter_with(given);
    while ((one = yyjson_arr_iter_next(&it)) != NULL)
        if (!read_entity(t, one, a, err))
            return false;
    return true;
}

static bool
take_markup_out(struct tg_text *t, struct str mode, struct arena *a, struct error *err)
{
    if (str_eq_nocase(mode, STR("HTML")))
        return tg_parse_html(t, a, err);
    if (str_eq_nocase(mode, STR("MarkdownV2")))
        return tg_parse_markdown(t, true, a, err);
    if (str_eq_nocase(mode, STR("Markdown")))
        return tg_parse_markdown(t, false, a, err);
    return error_set(err, 400, "unsupported parse_mode");
}

bool
tg_text_read(struct str raw, struct str parse_mode, yyjson_val *entities, struct arena *a, struct tg_text *out,
    struct error *err)
{
    bool has_mode = parse_mode.len > 0 && !str_eq_nocase(parse_mode, STR("none"));

    out->count = 0;
    if (raw.len > RAW_MAX)
        return error_set(err, 400, "text is too long");
    if (!clean(raw, a, &out->text, err))
        return false;
    if (out->text.len == 0)
        return true;
    if (has_mode ? !take_markup_out(out, parse_mode, a, err) : !read_entities(out, entities, a, err))
        return false;
    trim(out);
    tg_detect_entities(out);
    qsort(out->entities, out->count, sizeof(out->entities[0]), by_place);
    return true;
}

bool
tg_text_typed(struct str raw, struct arena *a, struct tg_text *out, struct error *err)
{
    out->count = 0;
    if (!str_is_utf8(raw))
        return error_set(err, 400, "text must be UTF-8");
    out->text = arena_copy(a, raw);
    tg_detect_entities(out);
    qsort(out->entities, out->count, sizeof(out->entities[0]), by_place);
    return true;
}

void
tg_text_write_entities(const struct tg_text *t, struct json *w, const char *name)
{
    if (t->count == 0)
        return;
    json_begin_array(w, name);
    for (size_t i = 0; i < t->count; i++) {
        const struct tg_entity *e = &t->entities[i];

        json_begin(w, NULL);
        json_put_int(w, "offset", (int64_t)tg_utf16_len(str_slice(t->text, 0, e->from)));
        json_put_int(w, "length", (int64_t)tg_utf16_len(str_slice(t->text, e->from, e->to - e->from)));
        json_put_str(w, "type", str_of(e->type));
        if (e->more.len > 0) {
            buf_append_char(w->buf, ',');
            buf_append(w->buf, e->more);
        }
        json_end(w);
    }
    json_end_array(w);
}
