/* route.c -- see http.h. Tables have some dozens of entries and most patterns part ways in the first segment that
 * differs, so they are simply tried in order. */
#include "base/array.h"
#include "http/http.h"

#include <assert.h>

#define SEGMENTS_MAX 32

struct segments {
    struct str at[SEGMENTS_MAX]; /* decoded */
    size_t     count;
};

/* "/a/b%20c/" -> "a", "b c". False when there are too many of them; a bad escape also sets *bad. */
static bool
split_path(struct str path, struct arena *a, struct segments *out, bool *bad)
{
    struct str segment;

    out->count = 0;
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    path = str_from(path, 1);
    while (path.len > 0) {
        str_cut(path, '/', &segment, &path);
        if (out->count == SEGMENTS_MAX)
            return false;
        if (!http_decode(segment, false, a, &out->at[out->count++])) {
            *bad = true;
            return false;
        }
    }
    return true;
}

static bool
is_ordinary(struct str segment)
{
    return segment.len > 0 && !str_eq(segment, STR(".")) && !str_eq(segment, STR(".."))
        && !memchr(segment.ptr, '/', segment.len);
}

/* The rest of the path for "*name". It may become a file's name, so nothing in it leads elsewhere. */
static bool
join_rest(const struct segments *path, size_t from, struct arena *a, struct str *out)
{
    struct str rest = STR("");

    for (size_t i = from; i < path->count; i++) {
        if (!is_ordinary(path->at[i]))
            return false;
        rest = i == from ? path->at[i] : arena_printf(a, "%.*s/%.*s", STR_ARG(rest), STR_ARG(path->at[i]));
    }
    *out = rest;
    return true;
}

static void
add_param(struct http_request *r, struct str name, struct str value)
{
    assert(r->param_count < HTTP_PARAMS_MAX);
    r->params[r->param_count++] = (struct http_param){ .name = name, .value = value };
}

static bool
matches(const char *pattern, const struct segments *path, struct http_request *r, struct arena *a)
{
    size_t     i = 0;
    struct str segment, rest;

    r->param_count = 0;
    for (const char *p = pattern; p[0] == '/' && p[1]; p = segment.ptr + segment.len) {
        segment = (struct str){ p + 1, (size_t)(strchrnul(p + 1, '/') - (p + 1)) };
        if (segment.ptr[0] == '*') {
            if (!join_rest(path, i, a, &rest))
                return false;
            add_param(r, str_from(segment, 1), rest);
            return true;
        }
        if (i == path->count)
            return false;
        if (segment.ptr[0] == ':') {
            if (path->at[i].len == 0)
                return false;
            add_param(r, str_from(segment, 1), path->at[i]);
        } else if (!str_eq(segment, path->at[i]))
            return false;
        i++;
    }
    return i == path->count;
}

static bool
takes(enum http_method offered, enum http_method wanted)
{
    return (offered & wanted) != 0 || (wanted == METHOD_HEAD && (offered & METHOD_GET) != 0);
}

const void *
http_route_find(const void *routes, size_t count, size_t stride, struct http_request *r, struct arena *a,
                unsigned *allowed, bool *bad_path)
{
    struct segments path;

    *allowed = 0;
    *bad_path = false;
    r->param_count = 0;
    if (!split_path(r->path, a, &path, bad_path))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const void              *entry = (const char *)routes + i * stride;
        const struct http_route *route = entry;

        if (!matches(route->pattern, &path, r, a))
            continue;
        if (takes(route->method, r->method))
            return entry;
        *allowed |= route->method;
    }
    r->param_count = 0;
    return NULL;
}

static const struct {
    enum http_method method;
    const char      *name;
} methods[] = {
    { METHOD_GET, "GET" },       { METHOD_HEAD, "HEAD" },     { METHOD_POST, "POST" },      { METHOD_PUT, "PUT" },
    { METHOD_PATCH, "PATCH" },   { METHOD_DELETE, "DELETE" }, { METHOD_OPTIONS, "OPTIONS" },
};
#define METHODS COUNT(methods)

const char *
http_method_name(enum http_method method)
{
    for (size_t i = 0; i < METHODS; i++)
        if (methods[i].method == method)
            return methods[i].name;
    return NULL;
}

struct str
http_allow_text(unsigned allowed, struct arena *a)
{
    struct str text = STR("");

    if (allowed & METHOD_GET)
        allowed |= METHOD_HEAD;
    for (size_t i = 0; i < METHODS; i++)
        if (allowed & methods[i].method)
            text = arena_printf(a, "%.*s%s%s", STR_ARG(text), text.len > 0 ? ", " : "", methods[i].name);
    return text;
}
