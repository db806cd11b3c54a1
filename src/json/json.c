/* json.c -- see json.h; this half reads, write.c writes. */
#include "json/json.h"

#include <stdio.h>

static void *
alloc_in_arena(void *ctx, size_t size)
{
    return arena_bytes(ctx, size);
}

static void *
realloc_in_arena(void *ctx, void *ptr, size_t old_size, size_t size)
{
    return arena_resize(ctx, ptr, old_size, size);
}

static void
free_in_arena(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr;
}

static yyjson_alc
arena_allocator(struct arena *a)
{
    return (yyjson_alc){ alloc_in_arena, realloc_in_arena, free_in_arena, a };
}

/* Whether `c` is there at most `*left` times, which are then used up. */
static bool
is_rare(struct str text, char c, int *left)
{
    const char *at = text.ptr, *end = text.ptr + text.len;

    while ((at = memchr(at, c, (size_t)(end - at))) != NULL) {
        if ((*left)-- == 0)
            return false;
        at++;
    }
    return true;
}

/* yyjson keeps no bound on depth, and everyone who walks a value afterwards recurses; so it is counted before.
 * Wrong brackets are yyjson's to find: here only how many are open at once matters. Most texts have not so many
 * brackets in all, which is quicker to see. */
static bool
is_too_deep(struct str text, int depth_max)
{
    int  depth = 0, left = depth_max;
    bool in_string = false;

    if (is_rare(text, '{', &left) && is_rare(text, '[', &left))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '[') && ++depth > depth_max)
            return true;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return false;
}

/* Bounded by depth_max, which has been checked. */
static bool
has_nul_in_key(yyjson_val *val)
{
    yyjson_arr_iter elements;
    yyjson_obj_iter members;
    yyjson_val     *next;

    if (yyjson_is_arr(val)) {
        elements = yyjson_arr_iter_with(val);
        while ((next = yyjson_arr_iter_next(&elements)) != NULL)
            if (has_nul_in_key(next))
                return true;
    } else if (yyjson_is_obj(val)) {
        members = yyjson_obj_iter_with(val);
        while ((next = yyjson_obj_iter_next(&members)) != NULL)
            if (memchr(yyjson_get_str(next), 0, yyjson_get_len(next)) || has_nul_in_key(yyjson_obj_iter_get_val(next)))
                return true;
    }
    return false;
}

/* No switch: in some versions of yyjson the codes are variables, which no case label may be. */
static const char *
describe(yyjson_read_code code)
{
    if (code == YYJSON_READ_ERROR_EMPTY_CONTENT)
        return "nothing but white space";
    if (code == YYJSON_READ_ERROR_UNEXPECTED_CONTENT)
        return "more text behind the value";
    if (code == YYJSON_READ_ERROR_UNEXPECTED_END)
        return "it ends too early";
    if (code == YYJSON_READ_ERROR_INVALID_NUMBER)
        return "invalid number";
    if (code == YYJSON_READ_ERROR_INVALID_STRING)
        return "invalid string";
    return "unexpected character";
}

bool
json_parse(struct arena *a, struct str text, int depth_max, yyjson_val **out, struct error *err)
{
    yyjson_alc      alc = arena_allocator(a);
    yyjson_read_err why = { 0 };
    yyjson_doc     *doc;
    char           *copy;

    *out = NULL;
    if (text.len == 0)
        return error_set(err, 400, "The body is not valid JSON: it is empty");
    if (is_too_deep(text, depth_max))
        return error_set(err, 400, "The JSON is nested deeper than %d levels", depth_max);
    copy = arena_bytes(a, text.len + YYJSON_PADDING_SIZE);
    memcpy(copy, text.ptr, text.len);
    memset(copy + text.len, 0, YYJSON_PADDING_SIZE);
    doc = yyjson_read_opts(copy, text.len, YYJSON_READ_INSITU, &alc, &why);
    if (!doc)
        return error_set(err, 400, "The body is not valid JSON: %s at byte %zu", describe(why.code), why.pos);
    *out = yyjson_doc_get_root(doc);
    if (str_find(text, STR("\\u0000")) >= 0 && has_nul_in_key(*out)) {
        *out = NULL;
        return error_set(err, 400, "The JSON has a NUL character in a key");
    }
    return true;
}

yyjson_val *
json_get(yyjson_val *obj, const char *key)
{
    return yyjson_obj_get(obj, key);
}

yyjson_val *
json_obj(yyjson_val *obj, const char *key)
{
    yyjson_val *val = json_get(obj, key);

    return yyjson_is_obj(val) ? val : NULL;
}

yyjson_val *
json_arr(yyjson_val *obj, const char *key)
{
    yyjson_val *val = json_get(obj, key);

    return yyjson_is_arr(val) ? val : NULL;
}

struct str
json_str(yyjson_val *obj, const char *key)
{
    return json_val_str(json_get(obj, key));
}

int64_t
json_int(yyjson_val *obj, const char *key, int64_t otherwise)
{
    yyjson_val *val = json_get(obj, key);

    if (yyjson_is_sint(val))
        return yyjson_get_sint(val);
    if (yyjson_is_uint(val) && yyjson_get_uint(val) <= INT64_MAX)
        return (int64_t)yyjson_get_uint(val);
    return otherwise;
}

bool
json_true(yyjson_val *obj, const char *key)
{
    return yyjson_is_true(json_get(obj, key));
}

struct str
json_val_str(yyjson_val *val)
{
    return yyjson_is_str(val) ? (struct str){ yyjson_get_str(val), yyjson_get_len(val) } : STR_NONE;
}

struct str
json_text(struct arena *a, yyjson_val *val)
{
    yyjson_alc alc = arena_allocator(a);
    size_t     len = 0;
    char      *text;

    if (!val)
        return STR_NONE;
    text = yyjson_val_write_opts(val, YYJSON_WRITE_NOFLAG, &alc, &len, NULL);
    return text ? (struct str){ text, len } : STR_NONE;
}
