/* params.c -- see params.h. */
#include "sandbox/telegram/params.h"

#include <string.h>

#define PARAMS_MAX 1000

static struct tg_param *
add(struct tg_params *p, struct str name, struct str value, struct arena *a)
{
    struct tg_param *items;

    if (p->count == PARAMS_MAX)
        return &p->items[PARAMS_MAX]; /* the spare one, which nobody reads */
    if (p->count == p->cap) {
        size_t cap = p->cap > 0 ? p->cap * 4 : 16;

        cap = cap > PARAMS_MAX ? PARAMS_MAX : cap;
        items = arena_array(a, struct tg_param, cap + 1);
        if (p->count > 0)
            memcpy(items, p->items, p->count * sizeof(*items));
        p->items = items;
        p->cap = cap;
    }
    p->items[p->count] = (struct tg_param){ .name = name, .value = value };
    return &p->items[p->count++];
}

/* ---- JSON: one member after another, so that those before a mistake are kept ---- */

static size_t
skip_space(struct str s, size_t at)
{
    while (at < s.len && memchr(" \t\r\n", s.ptr[at], 4))
        at++;
    return at;
}

static size_t
string_end(struct str s, size_t at)
{
    for (at++; at < s.len; at++) {
        if (s.ptr[at] == '\\')
            at++;
        else if (s.ptr[at] == '"')
            return at + 1;
    }
    return s.len;
}

/* Where the value that begins at `at` ends, if it is one. */
static size_t
value_end(struct str s, size_t at)
{
    size_t depth = 0;

    if (at < s.len && s.ptr[at] == '"')
        return string_end(s, at);
    if (at >= s.len || (s.ptr[at] != '{' && s.ptr[at] != '[')) {
        while (at < s.len && !memchr(",}] \t\r\n", s.ptr[at], 7))
            at++;
        return at;
    }
    while (at < s.len) {
        char c = s.ptr[at];

        if (c == '"') {
            at = string_end(s, at);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            break;
    }
    return at;
}

/* A JSON string without its quotes and escapes. Plain ones, nearly all, are taken as they lie. */
static bool
take_string(struct str quoted, struct arena *a, struct str *out)
{
    struct error ignored;
    yyjson_val  *val;

    if (quoted.len < 2 || quoted.ptr[0] != '"')
        return false;
    *out = str_slice(quoted, 1, quoted.len - 2);
    if (quoted.ptr[quoted.len - 1] == '"' && !memchr(out->ptr, '\\', out->len))
        return true;
    if (!json_parse(a, quoted, 1, &val, &ignored))
        return false;
    *out = json_val_str(val);
    return true;
}

static bool
take_member(struct tg_params *p, struct str body, size_t *at, struct arena *a)
{
    size_t       from = skip_space(body, *at), to = string_end(body, from);
    struct str   name, value;
    struct error ignored;
    yyjson_val  *val;
    bool         is_string;

    if (from >= body.len || !take_string(str_slice(body, from, to - from), a, &name))
        return false;
    from = skip_space(body, to);
    if (from >= body.len || body.ptr[from] != ':')
        return false;
    from = skip_space(body, from + 1);
    to = value_end(body, from);
    value = str_slice(body, from, to - from);
    is_string = value.len > 0 && value.ptr[0] == '"';
    if (is_string ? !take_string(value, a, &value) : !json_parse(a, value, JSON_DEPTH_MAX, &val, &ignored))
        return false;
    add(p, name, value, a)->is_json = !is_string;
    *at = skip_space(body, to);
    return true;
}

void
tg_params_read_json(struct tg_params *p, struct str body, struct arena *a)
{
    size_t at = skip_space(body, 0);

    if (at >= body.len || body.ptr[at] != '{')
        return;
    do
        at++;
    while (take_member(p, body, &at, a) && at < body.len && body.ptr[at] == ',');
}

/* ---- the other ways ---- */

void
tg_params_read_form(struct tg_params *p, struct str form, struct arena *a)
{
    struct str name, value;
    size_t     at = 0;
    bool       bad = false;

    while (http_form_next(form, &at, a, &name, &value, &bad))
        add(p, name, value, a);
}

static void
read_parts(struct tg_params *p, const struct http_request *r, struct arena *a)
{
    for (size_t i = 0; i < r->part_count; i++) {
        const struct http_part *part = &r->parts[i];

        if (str_is_none(part->path))
            add(p, part->name, part->text, a);
        else
            add(p, part->name, STR_NONE, a)->file = part;
    }
}

void
tg_params_read(struct tg_params *p, const struct http_request *r, struct arena *a)
{
    tg_params_read_form(p, r->query, a);
    if (r->part_count > 0)
        read_parts(p, r, a);
    else if (str_eq(r->content_type, STR("application/json")))
        tg_params_read_json(p, r->body, a);
    else if (str_eq(r->content_type, STR("application/x-www-form-urlencoded")))
        tg_params_read_form(p, r->body, a);
}

/* ---- asking ---- */

static const struct tg_param *
find(const struct tg_params *p, struct str name, bool file)
{
    for (size_t i = 0; i < p->count; i++)
        if ((p->items[i].file != NULL) == file && str_eq(p->items[i].name, name))
            return &p->items[i];
    return NULL;
}

bool
tg_params_has(const struct tg_params *p, const char *name)
{
    return find(p, str_of(name), false) != NULL;
}

struct str
tg_params_text(const struct tg_params *p, const char *name)
{
    const struct tg_param *param = find(p, str_of(name), false);

    return param && param->value.ptr ? param->value : STR("");
}

bool
tg_params_true(const struct tg_params *p, const char *name)
{
    struct str text = str_trim(tg_params_text(p, name));

    return str_eq_nocase(text, STR("true")) || str_eq_nocase(text, STR("yes")) || str_eq(text, STR("1"));
}

int64_t
tg_int_of(struct str text)
{
    bool    minus = text.len > 0 && text.ptr[0] == '-';
    int64_t n = 0;

    for (size_t i = minus ? 1 : 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        n = n > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : n * 10 + (text.ptr[i] - '0');
    return minus ? -n : n;
}

int64_t
tg_params_int(const struct tg_params *p, const char *name, int64_t otherwise, int64_t min, int64_t max)
{
    struct str text = tg_params_text(p, name);
    int64_t    n = text.len > 0 ? tg_int_of(text) : otherwise;

    return n < min ? min : n > max ? max : n;
}

bool
tg_params_json(const struct tg_params *p, const char *name, struct arena *a, yyjson_val **out)
{
    struct str   text = tg_params_text(p, name);
    struct error ignored;

    *out = NULL;
    return text.len == 0 || json_parse(a, text, JSON_DEPTH_MAX, out, &ignored);
}

const struct http_part *
tg_params_file(const struct tg_params *p, struct str name)
{
    const struct tg_param *param = find(p, name, true);

    return param ? param->file : NULL;
}
