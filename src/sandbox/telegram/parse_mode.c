/* parse_mode.c -- HTML, MarkdownV2 and the old Markdown, out of the text and into entities.
 *
 * Errors say what the real server says, because people paste them into search boxes. Places are bytes of
 * the original. */
#include <stdlib.h>

#include "base/array.h"
#include "sandbox/telegram/text.h"

#define DEPTH_MAX 32

/* What has been opened and not yet closed. */
struct open {
    const char *type;
    struct str  tag;  /* HTML: its name; Markdown: the characters that close it */
    size_t      from; /* in the new text */
    size_t      place; /* in the old */
    struct str  more;
};

struct parser {
    struct tg_text *t;
    struct arena   *a;
    struct error   *err;
    struct str      in;
    size_t          at;
    char           *out; /* never longer than `in` */
    size_t          len;
    struct open     open[DEPTH_MAX];
    size_t          depth;
};

static void
begin(struct parser *p, struct tg_text *t, struct arena *a, struct error *err)
{
    *p = (struct parser){ .t = t, .a = a, .err = err, .in = t->text, .out = arena_bytes(a, t->text.len + 1) };
}

static bool
finish(struct parser *p)
{
    p->out[p->len] = '\0';
    p->t->text = (struct str){ p->out, p->len };
    return true;
}

static bool
looking_at(const struct parser *p, const char *text)
{
    return str_starts(str_from(p->in, p->at), str_of(text));
}

static void
emit_char(struct parser *p, char c)
{
    p->out[p->len++] = c;
}

static bool
push(struct parser *p, const char *type, struct str tag, struct str more)
{
    if (p->depth == DEPTH_MAX)
        return error_set(p->err, 400, "can't parse entities: too deeply nested");
    p->open[p->depth++] = (struct open){ type, tag, p->len, p->at, more };
    return true;
}

static void
pop(struct parser *p)
{
    struct open *o = &p->open[--p->depth];

    tg_text_add(p->t, o->type, o->from, p->len, o->more);
}

/* "name":"value", for struct tg_entity; none for an empty value. */
static struct str
member(struct parser *p, const char *name, struct str value)
{
    struct buf  b;
    struct json w = { .buf = &b };

    if (value.len == 0)
        return STR_NONE;
    buf_init(&b, MIB);
    json_put_str(&w, name, value);
    return arena_take(p->a, &b);
}

/* ---- HTML ---- */

static const struct {
    const char *tag, *type;
} tags[] = {
    { "b", "bold" }, { "strong", "bold" }, { "i", "italic" }, { "em", "italic" }, { "u", "underline" },
    { "ins", "underline" }, { "s", "strikethrough" }, { "strike", "strikethrough" }, { "del", "strikethrough" },
    { "code", "code" }, { "pre", "pre" }, { "a", "text_link" }, { "blockquote", "blockquote" },
    { "tg-spoiler", "spoiler" }, { "span", "spoiler" }, { "tg-emoji", "custom_emoji" },
};

static const char *
type_of_tag(struct str name)
{
    for (size_t i = 0; i < COUNT(tags); i++)
        if (str_eq_nocase(name, str_of(tags[i].tag)))
            return tags[i].type;
    return NULL;
}

static void
append_utf8(struct parser *p, uint32_t c)
{
    if (c < 0x80) {
        emit_char(p, (char)c);
    } else if (c < 0x800) {
        emit_char(p, (char)(0xC0 | c >> 6));
        emit_char(p, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        emit_char(p, (char)(0xE0 | c >> 12));
        emit_char(p, (char)(0x80 | (c >> 6 & 0x3F)));
        emit_char(p, (char)(0x80 | (c & 0x3F)));
    } else {
        emit_char(p, (char)(0xF0 | c >> 18));
        emit_char(p, (char)(0x80 | (c >> 12 & 0x3F)));
        emit_char(p, (char)(0x80 | (c >> 6 & 0x3F)));
        emit_char(p, (char)(0x80 | (c & 0x3F)));
    }
}

/* "&lt;", "&#65;", "&#x41;": always longer than what they stand for. False when it is only an ampersand. */
static bool
html_character(struct parser *p)
{
    static const struct {
        const char *name;
        char        c;
    } named[] = { { "&lt;", '<' }, { "&gt;", '>' }, { "&amp;", '&' }, { "&quot;", '"' } };
    bool     hex;
    char    *end;
    unsigned long c;
    size_t   from;

    for (size_t i = 0; i < COUNT(named); i++) {
        if (!looking_at(p, named[i].name))
            continue;
        emit_char(p, named[i].c);
        p->at += strlen(named[i].name);
        return true;
    }
    if (!looking_at(p, "&#"))
        return false;
    hex = looking_at(p, "&#x") || looking_at(p, "&#X");
    from = p->at + (hex ? 3 : 2);
    if (from >= p->in.len || !strchr("0123456789abcdefABCDEF", p->in.ptr[from]) || p->in.ptr[from] == '\0')
        return false;
    c = strtoul(p->in.ptr + from, &end, hex ? 16 : 10); /* the text ends in a NUL */
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || *end != ';')
        return false;
    append_utf8(p, (uint32_t)c);
    p->at = (size_t)(end - p->in.ptr) + 1;
    return true;
}

/* The value of an attribute of a start tag's inside, none when it has no such. */
static struct str
attribute(struct parser *p, struct str inside, const char *name)
{
    struct parser value = { .a = p->a };
    ptrdiff_t     at = str_find_nocase(inside, arena_printf(p->a, " %s=", name));
    struct str    rest;
    char          quote;
    size_t        len = 0;

    if (at < 0)
        return STR_NONE;
    rest = str_from(inside, (size_t)at + strlen(name) + 2);
    quote = rest.len > 0 && (rest.ptr[0] == '"' || rest.ptr[0] == '\'') ? rest.ptr[0] : '\0';
    rest = quote ? str_from(rest, 1) : rest;
    while (len < rest.len && (quote ? rest.ptr[len] != quote : rest.ptr[len] != ' '))
        len++;
    value.in = arena_copy(p->a, str_slice(rest, 0, len));
    value.out = arena_bytes(p->a, len + 1);
    while (value.at < value.in.len)
        if (value.in.ptr[value.at] != '&' || !html_character(&value))
            emit_char(&value, value.in.ptr[value.at++]);
    return (struct str){ value.out, value.len };
}

/* <pre><code class="language-c"> is one entity, which knows the language. */
static bool
start_tag(struct parser *p, struct str name, struct str inside)
{
    const char *type = type_of_tag(name);
    struct str  value, more = STR_NONE;

    if (!type)
        return error_set(p->err, 400, "can't parse entities: Unsupported start tag \"%.*s\" at byte offset %zu",
            STR_ARG(name), p->at);
    if (str_eq_nocase(name, STR("span")) && !str_eq(attribute(p, inside, "class"), STR("tg-spoiler")))
        return error_set(p->err, 400,
            "can't parse entities: Tag \"span\" must have class \"tg-spoiler\" at byte offset %zu", p->at);
    if (str_eq_nocase(name, STR("a"))) {
        value = attribute(p, inside, "href");
        more = member(p, "url", value);
    }
    if (str_eq_nocase(name, STR("tg-emoji")))
        more = member(p, "custom_emoji_id", attribute(p, inside, "emoji-id"));
    if (str_eq_nocase(name, STR("blockquote")) && str_find_nocase(inside, STR(" expandable")) >= 0)
        type = "expandable_blockquote";
    if (str_eq_nocase(name, STR("code")) && p->depth > 0 && p->open[p->depth - 1].from == p->len
        && str_eq(str_of(p->open[p->depth - 1].type), STR("pre"))) {
        value = attribute(p, inside, "class");
        if (str_starts(value, STR("language-")))
            p->open[p->depth - 1].more = member(p, "language", str_from(value, 9));
        type = NULL; /* to be closed, but no entity */
    }
    return push(p, type, name, more);
}

static bool
end_tag(struct parser *p, struct str name)
{
    struct open *o;

    if (p->depth == 0)
        return error_set(p->err, 400, "can't parse entities: Unexpected end tag at byte offset %zu", p->at);
    o = &p->open[p->depth - 1];
    if (name.len > 0 && !str_eq_nocase(name, o->tag))
        return error_set(p->err, 400,
            "can't parse entities: Unmatched end tag at byte offset %zu, expected \"</%.*s>\", found \"</%.*s>\"",
            p->at, STR_ARG(o->tag), STR_ARG(name));
    if (!o->type || (str_eq(str_of(o->type), STR("text_link")) && str_is_none(o->more)))
        p->depth--; /* a link to nowhere is plain text */
    else
        pop(p);
    return true;
}

/* Where the tag's ">" is; one inside quotes does not count. 0 = nowhere. */
static size_t
tag_end(struct str tag)
{
    char quote = '\0';

    for (size_t i = 1; i < tag.len; i++) {
        if (quote ? tag.ptr[i] == quote : tag.ptr[i] == '"' || tag.ptr[i] == '\'')
            quote = quote ? '\0' : tag.ptr[i];
        else if (!quote && tag.ptr[i] == '>')
            return i;
    }
    return 0;
}

static bool
html_tag(struct parser *p)
{
    struct str rest = str_from(p->in, p->at), inside, name = { 0 };
    size_t     end = tag_end(rest);
    bool       closes = rest.len > 1 && rest.ptr[1] == '/';

    if (end == 0)
        return error_set(p->err, 400, "can't parse entities: Unclosed %s tag at byte offset %zu",
            closes ? "end" : "start", p->at);
    inside = str_slice(rest, closes ? 2 : 1, end - (closes ? 2 : 1));
    if (!str_cut(inside, ' ', &name, &(struct str){ 0 }))
        name = inside;
    if (closes ? !end_tag(p, str_trim(inside)) : !start_tag(p, name, inside))
        return false;
    p->at += end + 1;
    return true;
}

bool
tg_parse_html(struct tg_text *t, struct arena *a, struct error *err)
{
    struct parser p;

    begin(&p, t, a, err);
    while (p.at < p.in.len) {
        if (p.in.ptr[p.at] == '<') {
            if (!html_tag(&p))
                return false;
        } else if (p.in.ptr[p.at] != '&' || !html_character(&p)) {
            emit_char(&p, p.in.ptr[p.at++]);
        }
    }
    if (p.depth > 0)
        return error_set(err, 400, "can't parse entities: Can't find end tag corresponding to start tag \"%.*s\"",
            STR_ARG(p.open[p.depth - 1].tag));
    return finish(&p);
}

/* ---- Markdown ---- */

/* The address behind "](" up to the parenthesis; false when there is none, and then the brackets are
 * plain text. */
static bool
link_target(struct parser *p, bool version2, struct str *out)
{
    char  *url;
    size_t len = 0, at = p->at + 1; /* behind "]" */

    if (at >= p->in.len || p->in.ptr[at] != '(')
        return false;
    url = arena_bytes(p->a, p->in.len - at + 1);
    for (at++; at < p->in.len && p->in.ptr[at] != ')'; at++) {
        if (version2 && p->in.ptr[at] == '\\' && at + 1 < p->in.len)
            at++;
        url[len++] = p->in.ptr[at];
    }
    if (at >= p->in.len)
        return false;
    p->at = at + 1;
    *out = (struct str){ url, len };
    return true;
}

/* Code is taken to its end at once: nothing inside it means anything. */
static bool
code(struct parser *p, bool version2)
{
    bool       pre = looking_at(p, "```");
    struct str fence = pre ? STR("```") : STR("`"), language = STR_NONE;
    size_t     place = p->at, from = p->len, name;

    p->at += fence.len;
    if (pre) {
        for (name = p->at; name < p->in.len && !strchr(" \n`", p->in.ptr[name]); name++)
            ;
        if (name < p->in.len && p->in.ptr[name] == '\n') {
            language = str_slice(p->in, p->at, name - p->at);
            p->at = name + 1;
        }
    }
    while (p->at < p->in.len && !looking_at(p, fence.ptr)) {
        if (version2 && p->in.ptr[p->at] == '\\' && p->at + 1 < p->in.len && strchr("`\\", p->in.ptr[p->at + 1]))
            p->at++;
        emit_char(p, p->in.ptr[p->at++]);
    }
    if (p->at >= p->in.len)
        return version2 ? error_set(p->err, 400, "can't parse entities: Can't find end of %s entity at byte offset %zu",
                              pre ? (language.len > 0 ? "PreCode" : "Pre") : "Code", place)
                        : error_set(p->err, 400,
                              "can't parse entities: Can't find end of the entity starting at byte offset %zu", place);
    p->at += fence.len;
    tg_text_add(p->t, pre ? "pre" : "code", from, p->len, member(p, "language", language));
    return true;
}

static const struct {
    const char *mark, *type, *name;
} marks[] = { /* longer ones first */
    { "||", "spoiler", "Spoiler" }, { "__", "underline", "Underline" }, { "_", "italic", "Italic" },
    { "*", "bold", "Bold" }, { "~", "strikethrough", "Strikethrough" }, { "[", "text_link", "TextUrl" },
};
#define MARKS COUNT(marks)

static bool
is_closing(const struct parser *p)
{
    return p->depth > 0 && looking_at(p, p->open[p->depth - 1].tag.ptr);
}

static bool
close_link(struct parser *p, bool version2)
{
    struct open *o = &p->open[p->depth - 1];
    struct str   url = STR_NONE;

    if (!link_target(p, version2, &url))
        p->at++;
    o->more = member(p, "url", url);
    if (o->more.len > 0)
        pop(p);
    else
        p->depth--;
    return true;
}

/* One mark, opened or closed; *taken tells whether there was one. */
static bool
mark(struct parser *p, bool version2, bool *taken)
{
    *taken = true;
    if (is_closing(p)) {
        if (str_eq(p->open[p->depth - 1].tag, STR("]")))
            return close_link(p, version2);
        p->at += p->open[p->depth - 1].tag.len;
        pop(p);
        return true;
    }
    if (!version2 && p->depth > 0)
        *taken = false; /* the old Markdown knows no nesting */
    for (size_t i = 0; *taken && i < MARKS; i++) {
        struct str m = str_of(marks[i].mark);

        if (!looking_at(p, marks[i].mark) || (!version2 && (!strchr("_*[", m.ptr[0]) || m.len > 1)))
            continue;
        if (!push(p, marks[i].type, str_eq(m, STR("[")) ? STR("]") : m, STR_NONE))
            return false;
        p->at += m.len;
        return true;
    }
    *taken = false;
    return true;
}

static bool
unfinished(struct parser *p, bool version2)
{
    const struct open *o = &p->open[p->depth - 1];

    if (!version2)
        return error_set(p->err, 400, "can't parse entities: Can't find end of the entity starting at byte offset %zu",
            o->place);
    for (size_t i = 0; i < MARKS; i++)
        if (str_eq(str_of(o->type), str_of(marks[i].type)))
            return error_set(p->err, 400, "can't parse entities: Can't find end of %s entity at byte offset %zu",
                marks[i].name, o->place);
    return error_set(p->err, 400, "can't parse entities: Can't find end of the entity at byte offset %zu", o->place);
}

/* ">" at the start of a line quotes it; neighbouring lines are one quotation. */
static bool
quotation(struct parser *p)
{
    bool line_start = p->at == 0 || p->in.ptr[p->at - 1] == '\n';

    if (!line_start || p->in.ptr[p->at] != '>' || p->depth > 0)
        return false;
    p->at++;
    if (p->t->count > 0) {
        struct tg_entity *last = &p->t->entities[p->t->count - 1];

        if (str_eq(str_of(last->type), STR("blockquote")) && last->to + 1 == p->len) {
            p->t->count--;
            p->open[p->depth++] = (struct open){ "blockquote", STR("\n"), last->from, p->at, STR_NONE };
            return true;
        }
    }
    return push(p, "blockquote", STR("\n"), STR_NONE);
}

static bool
in_quotation(const struct parser *p)
{
    return p->depth == 1 && str_eq(str_of(p->open[0].type), STR("blockquote"));
}

static bool
markdown_step(struct parser *p, bool version2)
{
    char c = p->in.ptr[p->at];
    bool taken;

    if (c == '\\' && p->at + 1 < p->in.len && (unsigned char)p->in.ptr[p->at + 1] < 0x7F
        && (version2 || strchr("_*`[", p->in.ptr[p->at + 1]))) {
        emit_char(p, p->in.ptr[p->at + 1]);
        p->at += 2;
        return true;
    }
    if (c == '\n' && in_quotation(p)) {
        pop(p);
        emit_char(p, c);
        p->at++;
        return true;
    }
    if (c == '`' && (version2 || p->depth == 0))
        return code(p, version2);
    if (version2 && quotation(p))
        return true;
    if (!mark(p, version2, &taken))
        return false;
    if (taken)
        return true;
    if (version2 && strchr("_*[]()~`>#+-=|{}.!", c))
        return error_set(p->err, 400,
            "can't parse entities: Character '%c' is reserved and must be escaped with the preceding '\\'", c);
    emit_char(p, c);
    p->at++;
    return true;
}

bool
tg_parse_markdown(struct tg_text *t, bool version2, struct arena *a, struct error *err)
{
    struct parser p;

    begin(&p, t, a, err);
    while (p.at < p.in.len)
        if (!markdown_step(&p, version2))
            return false;
    if (in_quotation(&p))
        pop(&p);
    if (p.depth > 0)
        return unfinished(&p, version2);
    return finish(&p);
}
