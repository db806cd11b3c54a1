/* range.c -- see range.h. */
#include "http/range.h"

#include "http/date.h"

/* The opaque part: W/"x" and "x" are the same where a weak comparison will do. */
static struct str
weak(struct str tag)
{
    return str_starts(tag, STR("W/")) ? str_from(tag, 2) : tag;
}

static bool
lists_tag(struct str list, struct str etag)
{
    struct str tag;

    if (str_eq(list, STR("*")))
        return true;
    if (str_is_none(etag))
        return false;
    while (list.len > 0) {
        str_cut(list, ',', &tag, &list);
        if (str_eq(weak(str_trim(tag)), weak(etag)))
            return true;
    }
    return false;
}

static bool
is_unchanged(const struct http_request *r, struct str etag, int64_t modified_ms)
{
    struct str tags = http_header_get(r, STR("If-None-Match"));
    int64_t    since_ms;

    if (!str_is_none(tags))
        return lists_tag(tags, etag); /* then the date is not to be looked at */
    return modified_ms > 0 && http_date_parse(http_header_get(r, STR("If-Modified-Since")), &since_ms)
        && modified_ms / 1000 <= since_ms / 1000;
}

/* Whether the file is still the one that the client has the rest of. */
static bool
range_applies(const struct http_request *r, struct str etag, int64_t modified_ms)
{
    struct str condition = http_header_get(r, STR("If-Range"));
    int64_t    date_ms;

    if (str_is_none(condition))
        return true;
    if (http_date_parse(condition, &date_ms))
        return modified_ms > 0 && modified_ms / 1000 == date_ms / 1000;
    return !str_is_none(etag) && !str_starts(etag, STR("W/")) && str_eq(condition, etag);
}

static bool
read_position(struct str text, int64_t *out)
{
    if (text.len == 0 || text.ptr[0] == '-')
        return false;
    if (!str_to_i64(text, out))
        *out = INT64_MAX; /* beyond every file, if it was digits at all */
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

/* "bytes=0-99", "bytes=100-", "bytes=-50" */
static struct http_slice
slice_of(struct str range, int64_t size)
{
    const struct http_slice whole = { .status = 200, .length = size }, none = { .status = 416 };
    struct str              unit, spec, first, last;
    int64_t                 from, to = INT64_MAX;

    if (!str_cut(range, '=', &unit, &spec) || !str_eq_nocase(str_trim(unit), STR("bytes"))
        || !str_cut(str_trim(spec), '-', &first, &last))
        return whole;
    if (first.len == 0) {
        if (!read_position(last, &to))
            return whole;
        if (to == 0)
            return none;
        if (size == 0)
            return whole; /* there is no way to write a range of an empty file */
        from = to < size ? size - to : 0;
        return (struct http_slice){ .status = 206, .offset = from, .length = size - from };
    }
    if (!read_position(first, &from) || (last.len > 0 && !read_position(last, &to)) || to < from)
        return whole;
    if (from >= size)
        return none;
    if (to >= size)
        to = size - 1;
    return (struct http_slice){ .status = 206, .offset = from, .length = to - from + 1 };
}

struct http_slice
http_slice_for(const struct http_request *r, int64_t size, struct str etag, int64_t modified_ms)
{
    struct http_slice whole = { .status = 200, .length = size };
    struct str        range = http_header_get(r, STR("Range"));

    if (r->method != METHOD_GET && r->method != METHOD_HEAD)
        return whole;
    if (is_unchanged(r, etag, modified_ms))
        return (struct http_slice){ .status = 304 };
    if (r->method != METHOD_GET || str_is_none(range) || memchr(range.ptr, ',', range.len)
        || !range_applies(r, etag, modified_ms))
        return whole;
    return slice_of(range, size);
}
