#include "api/body.h"

#include <stdio.h>

struct field {
    struct str base;  /* "media" of "media[]" */
    struct str key;   /* "name" of "profile_group[name]"; none where there is no key */
    bool       is_list;
    struct str value;
    bool       is_written;
};

struct fields {
    struct field at[BODY_FIELDS_MAX];
    size_t       count;
};

bool
str_is_blank(struct str s)
{
    return str_trim(s).len == 0;
}

/* "media[]" and "media[][]" are elements of a list, "a[b]" is member b of a. */
static bool
add_field(struct fields *f, struct str name, struct str value, struct error *err)
{
    struct field *field = &f->at[f->count];
    struct str    inner = STR_NONE;

    if (f->count == BODY_FIELDS_MAX)
        return error_set(err, 400, "The form has more than %d fields", BODY_FIELDS_MAX);
    if (!str_is_utf8(name) || !str_is_utf8(value))
        return error_set(err, 400, "The form is not valid UTF-8");
    *field = (struct field){ .base = name, .value = value };
    if (str_ends(name, STR("]")) && str_cut(name, '[', &field->base, &inner)) {
        inner = str_slice(inner, 0, inner.len - 1);
        field->is_list = inner.len == 0 || str_eq(inner, STR("]["));
        field->key = field->is_list ? STR_NONE : inner;
    }
    f->count++;
    return true;
}

/* The fields whose value may be an object or a list, written as JSON text. */
static bool
may_be_json(struct str base)
{
    return str_eq(base, STR("reply_markup")) || str_eq(base, STR("media")) || str_eq(base, STR("profile_group"));
}

static bool
put_value(struct json *w, const char *name, const struct field *field, struct arena *a, int depth_max,
          struct error *err)
{
    struct str  text = str_trim(field->value);
    struct error why;
    yyjson_val *val;

    if (text.len == 0 || !may_be_json(field->base) || (text.ptr[0] != '{' && text.ptr[0] != '[')) {
        json_put_str(w, name, field->value);
        return true;
    }
    if (!json_parse(a, text, depth_max, &val, &why))
        return error_set(err, 400, "%.*s is not valid JSON", STR_ARG(str_slice(field->base, 0, 80)));
    json_put_val(w, name, val);
    return true;
}

static bool
is_same(const struct field *a, const struct field *b)
{
    return str_eq(a->base, b->base);
}

/* All elements of a list, in order. `media=x` beside `media[]=y` is one of them. */
static bool
put_list(struct json *w, const char *name, struct fields *f, size_t first, struct arena *a, int depth_max,
         struct error *err)
{
    json_begin_array(w, name);
    for (size_t i = first; i < f->count; i++) {
        if (!is_same(&f->at[i], &f->at[first]))
            continue;
        f->at[i].is_written = true;
        if (!put_value(w, NULL, &f->at[i], a, depth_max, err))
            return false;
    }
    json_end_array(w);
    return true;
}

/* Members are written last first: of equal keys the JSON reader takes the first, and the last given is to count. */
static void
put_members(struct json *w, const char *name, struct fields *f, size_t first, struct arena *a)
{
    json_begin(w, name);
    for (size_t i = f->count; i-- > first;) {
        if (!is_same(&f->at[i], &f->at[first]))
            continue;
        f->at[i].is_written = true;
        if (!str_is_none(f->at[i].key))
            json_put_str(w, arena_copy(a, f->at[i].key).ptr, f->at[i].value);
    }
    json_end(w);
}

static bool
put_field(struct json *w, struct fields *f, size_t first, struct arena *a, int depth_max, struct error *err)
{
    const char         *name = arena_copy(a, f->at[first].base).ptr;
    const struct field *last = &f->at[first];

    for (size_t i = first; i < f->count; i++) {
        if (!is_same(&f->at[i], &f->at[first]))
            continue;
        if (f->at[i].is_list)
            return put_list(w, name, f, first, a, depth_max, err);
        last = &f->at[i];
    }
    if (!str_is_none(last->key)) {
        put_members(w, name, f, first, a);
        return true;
    }
    for (size_t i = first; i < f->count; i++)
        f->at[i].is_written = f->at[i].is_written || is_same(&f->at[i], last);
    return put_value(w, name, last, a, depth_max, err);
}

/* Forms are small and rare, so they are written as JSON text and read back: one way in, one set of checks. */
static bool
object_of_fields(struct fields *f, struct arena *a, int depth_max, yyjson_val **out, struct error *err)
{
    struct buf  text;
    struct json w = { .buf = &text };
    bool        ok = true;

    buf_init(&text, 512 * MIB); /* what came in is bounded already */
    json_begin(&w, NULL);
    for (size_t i = 0; i < f->count && ok; i++)
        if (!f->at[i].is_written)
            ok = put_field(&w, f, i, a, depth_max, err);
    json_end(&w);
    if (ok && !buf_ok(&text))
        ok = error_set(err, 413, "The form is too large");
    ok = ok && json_parse(a, buf_str(&text), depth_max, out, err);
    buf_deinit(&text);
    return ok;
}

static bool
read_form(const struct http_request *r, struct arena *a, int depth_max, struct body *out, struct error *err)
{
    struct fields *f = arena_new(a, struct fields);
    struct str     name, value;
    size_t         at = 0;
    bool           bad = false;

    while (http_form_next(r->body, &at, a, &name, &value, &bad))
        if (!add_field(f, name, value, err))
            return false;
    if (bad)
        return error_set(err, 400, "The form has a percent sign that is no escape");
    return object_of_fields(f, a, depth_max, &out->json, err);
}

static bool
is_media(struct str name)
{
    return str_eq(name, STR("media")) || str_eq(name, STR("media[]")) || str_eq(name, STR("media[][]"));
}

/* A file field that was left empty in a browser comes as a file without name and content. */
static bool
is_file(const struct http_part *part)
{
    return !str_is_none(part->path) && (part->size > 0 || part->file_name.len > 0);
}

static bool
read_multipart(const struct http_request *r, struct arena *a, int depth_max, struct body *out, struct error *err)
{
    struct fields *f = arena_new(a, struct fields);

    out->files = arena_array(a, const struct http_part *, r->part_count);
    for (size_t i = 0; i < r->part_count; i++) {
        const struct http_part *part = &r->parts[i];

        if (is_file(part) && is_media(part->name))
            out->files[out->file_count++] = part;
        else if (str_is_none(part->path) && !add_field(f, part->name, part->text, err))
            return false;
    }
    return object_of_fields(f, a, depth_max, &out->json, err);
}

static bool
read_json(struct str text, struct arena *a, int depth_max, struct body *out, struct error *err)
{
    return json_parse(a, text, depth_max, &out->json, err)
        && (yyjson_is_obj(out->json) || error_set(err, 400, "The body must be a JSON object"));
}

bool
body_read(const struct http_request *r, struct arena *a, int depth_max, struct body *out, struct error *err)
{
    *out = (struct body){ 0 };
    if (r->part_count > 0)
        return read_multipart(r, a, depth_max, out, err);
    if (str_is_blank(r->body))
        return read_json(STR("{}"), a, depth_max, out, err);
    if (r->content_type.len == 0 || str_eq(r->content_type, STR("application/json"))
        || str_ends(r->content_type, STR("+json")))
        return read_json(r->body, a, depth_max, out, err);
    if (str_eq(r->content_type, STR("application/x-www-form-urlencoded")))
        return read_form(r, a, depth_max, out, err);
    return error_set(err, 415, "The content type %.*s is not supported; send JSON, a form or multipart",
                     STR_ARG(str_slice(r->content_type, 0, 100)));
}

static bool
check_text(struct str text, const char *name, size_t max, struct error *err)
{
    if (text.len > 0 && memchr(text.ptr, 0, text.len))
        return error_set(err, 400, "%s must not hold NUL characters", name);
    if (text.len > max)
        return error_set(err, 400, "%s may have at most %zu bytes, not %zu", name, max, text.len);
    return true;
}

bool
body_is_blank(yyjson_val *val)
{
    return !val || yyjson_is_null(val) || (yyjson_is_str(val) && str_is_blank(json_val_str(val)));
}

bool
body_text(yyjson_val *obj, const char *name, size_t max, struct str *out, struct error *err)
{
    yyjson_val *val = json_get(obj, name);

    *out = STR_NONE;
    if (body_is_blank(val))
        return true;
    if (!yyjson_is_str(val))
        return error_set(err, 400, "%s must be a string", name);
    *out = json_val_str(val);
    return check_text(*out, name, max, err);
}

bool
body_id(yyjson_val *obj, const char *name, struct arena *a, struct str *out, struct error *err)
{
    yyjson_val *val = json_get(obj, name);

    if (yyjson_is_int(val)) {
        *out = yyjson_is_sint(val) ? arena_printf(a, "%lld", (long long)yyjson_get_sint(val))
                                   : arena_printf(a, "%llu", (unsigned long long)yyjson_get_uint(val));
        return true;
    }
    return body_text(obj, name, BODY_ID_MAX, out, err);
}

bool
body_needs(struct str value, const char *name, struct error *err)
{
    return !str_is_none(value) || error_set(err, 400, "%s is required", name);
}
