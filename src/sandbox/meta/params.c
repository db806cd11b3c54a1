/* params.c -- see params.h. */
#include "sandbox/meta/params.h"

#include <stdio.h>

#include "base/array.h"

static void
add(struct fb_params *p, struct str name, struct str text, yyjson_val *val)
{
    if (p->count < FB_PARAMS_MAX)
        p->items[p->count++] = (struct fb_param){ name, text, val };
}

static void
read_form(struct fb_params *p, struct str form, struct arena *a)
{
    struct str name, value;
    size_t     at = 0;
    bool       bad = false;

    while (http_form_next(form, &at, a, &name, &value, &bad))
        add(p, name, value, NULL);
    p->broken |= bad;
}

static void
read_json(struct fb_params *p, struct str body, struct arena *a)
{
    yyjson_val     *obj, *key;
    yyjson_obj_iter it;
    struct error    ignored;

    if (!json_parse(a, body, JSON_DEPTH_MAX, &obj, &ignored) || !yyjson_is_obj(obj)) {
        p->broken = true;
        return;
    }
    it = yyjson_obj_iter_with(obj);
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        yyjson_val *val = yyjson_obj_iter_get_val(key);
        struct str  text = json_val_str(val);

        add(p, json_val_str(key), str_is_none(text) ? json_text(a, val) : text, val);
    }
}

void
fb_params_read(struct fb_params *p, const struct http_request *r, struct arena *a)
{
    *p = (struct fb_params){ .count = 0 };
    read_form(p, r->query, a);
    for (size_t i = 0; i < r->part_count; i++) {
        const struct http_part *part = &r->parts[i];

        if (str_is_none(part->path))
            add(p, part->name, part->text, NULL);
        else if (str_eq(part->name, STR("filedata")))
            p->file = part;
    }
    if (r->part_count > 0 || r->body.len == 0)
        return;
    if (str_eq(r->content_type, STR("application/json")))
        read_json(p, r->body, a);
    else
        read_form(p, r->body, a);
}

static const struct fb_param *
find(const struct fb_params *p, const char *name)
{
    for (size_t i = p->count; i > 0; i--)
        if (str_eq(p->items[i - 1].name, str_of(name)))
            return &p->items[i - 1];
    return NULL;
}

bool
fb_params_has(const struct fb_params *p, const char *name)
{
    return find(p, name) != NULL;
}

struct str
fb_params_text(const struct fb_params *p, const char *name, struct arena *a)
{
    const struct fb_param *found = find(p, name);

    return found ? arena_copy(a, found->text) : STR_NONE;
}

yyjson_val *
fb_params_val(const struct fb_params *p, const char *name, struct arena *a)
{
    const struct fb_param *found = find(p, name);
    yyjson_val            *val = found ? found->val : NULL;
    struct error           ignored;

    if (found && (!val || yyjson_is_str(val)) && !json_parse(a, found->text, JSON_DEPTH_MAX, &val, &ignored))
        return NULL;
    return yyjson_is_obj(val) || yyjson_is_arr(val) ? val : NULL;
}

/* ---- fields ---- */

/* The end of the item that begins at `at`: a comma outside of all braces and parentheses, or the end. */
static size_t
item_end(struct str s, size_t at)
{
    int depth = 0;

    for (; at < s.len; at++) {
        if (s.ptr[at] == '{' || s.ptr[at] == '(')
            depth++;
        else if (s.ptr[at] == '}' || s.ptr[at] == ')')
            depth--;
        else if (s.ptr[at] == ',' && depth <= 0)
            break;
    }
    return at;
}

bool
fb_fields_have(struct str fields, const char *name, struct str *inside)
{
    struct str wanted = str_of(name);

    *inside = STR_NONE;
    for (size_t at = 0; at < fields.len;) {
        size_t     end = item_end(fields, at);
        struct str item = str_trim(str_slice(fields, at, end - at)), head, tail;

        at = end + 1;
        if (str_cut(item, '{', &head, &tail) && str_ends(tail, STR("}")))
            *inside = str_slice(tail, 0, tail.len - 1);
        str_cut(head, '.', &head, &tail);
        if (str_eq(str_trim(head), wanted))
            return true;
        *inside = STR_NONE;
    }
    return false;
}

/* ---- for the record ---- */

static bool
is_secret(struct str name)
{
    static const char *const names[] = { "access_token", "client_secret", "appsecret_proof", "fb_exchange_token",
        "code" };

    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

struct str
fb_params_json(const struct fb_params *p, struct arena *a)
{
    struct buf  b;
    struct json w = { .buf = &b };

    buf_init(&b, 8 * MIB);
    json_begin(&w, NULL);
    for (size_t i = 0; i < p->count; i++) {
        const struct fb_param *one = &p->items[i];
        const char            *name = arena_copy(a, one->name).ptr;

        if (is_secret(one->name) || find(p, name) != one)
            continue;
        if (one->val)
            json_put_val(&w, name, one->val);
        else
            json_put_str(&w, name, one->text);
    }
    if (p->file) {
        json_begin(&w, "filedata");
        json_put_str(&w, "file_name", p->file->file_name);
        json_put_str(&w, "content_type", p->file->content_type);
        json_put_int(&w, "size", p->file->size);
        json_end(&w);
    }
    json_end(&w);
    return arena_take(a, &b);
}
