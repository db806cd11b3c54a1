#include "api/query.h"

#include "base/clock.h"

#define SHOWN_MAX 80 /* bytes */

struct str
query_shown(struct str value)
{
    return str_utf8_cut(value, SHOWN_MAX);
}

bool
query_page(const struct http_request *r, struct arena *a, int64_t *page, int64_t *per_page, struct error *err)
{
    struct str text = http_query_get(r, STR("page"), a);

    *page = 0;
    *per_page = PER_PAGE_DEFAULT;
    if (!str_is_none(text) && (!str_to_i64(text, page) || *page < 0))
        return error_set(err, 400, "page must be a number from 0, not '%.*s'", STR_ARG(query_shown(text)));
    text = http_query_get(r, STR("per_page"), a);
    if (!str_is_none(text) && (!str_to_i64(text, per_page) || *per_page < 1 || *per_page > PER_PAGE_MAX))
        return error_set(err, 400, "per_page must be a number from 1 to %d, not '%.*s'", PER_PAGE_MAX,
                         STR_ARG(query_shown(text)));
    return true;
}

bool
query_read_time(struct str text, const char *name, int64_t *out_ms, struct error *err)
{
    return time_parse(text, out_ms)
        || error_set(err, 400, "%s must be an ISO 8601 time such as 2026-05-31T14:02:00Z, not '%.*s'", name,
                     STR_ARG(query_shown(text)));
}

bool
query_time(const struct http_request *r, const char *name, struct arena *a, int64_t *out_ms, struct error *err)
{
    struct str text = http_query_get(r, str_of(name), a);

    *out_ms = 0;
    if (str_is_none(text))
        return true;
    if (!query_read_time(text, name, out_ms, err))
        return false;
    if (*out_ms == 0)
        *out_ms = -1;
    return true;
}

/* "inbound or outbound", "a, b or c" */
static struct str
choices(const char *const *names, size_t n, struct arena *a)
{
    struct str text = STR(""), last = STR_NONE;

    for (size_t i = 0; i < n; i++) {
        if (!names[i])
            continue;
        if (!str_is_none(last))
            text = arena_printf(a, "%.*s%s%.*s", STR_ARG(text), text.len > 0 ? ", " : "", STR_ARG(last));
        last = str_of(names[i]);
    }
    return text.len > 0 ? arena_printf(a, "%.*s or %.*s", STR_ARG(text), STR_ARG(last)) : last;
}

bool
query_choice(const struct http_request *r, const char *name, const char *const *names, size_t n, struct arena *a,
             int *out, struct error *err)
{
    struct str text = http_query_get(r, str_of(name), a), all;

    *out = 0;
    if (str_is_none(text))
        return true;
    for (size_t i = 0; i < n; i++)
        if (names[i] && str_eq(text, str_of(names[i]))) {
            *out = (int)i;
            return true;
        }
    all = choices(names, n, a);
    return error_set(err, 400, "%s must be %.*s, not '%.*s'", name, STR_ARG(all), STR_ARG(query_shown(text)));
}
