/* form.c -- percent-encoding, query strings and form bodies, see http.h. */
#include "http/http.h"

static bool
is_plain(struct str in, bool form)
{
    return in.len == 0 || (!memchr(in.ptr, '%', in.len) && !(form && memchr(in.ptr, '+', in.len)));
}

bool
http_decode(struct str in, bool form, struct arena *a, struct str *out)
{
    char  *copy;
    size_t n = 0;

    *out = in;
    if (is_plain(in, form))
        return true;
    copy = arena_bytes(a, in.len + 1);
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];

        if (form && c == '+')
            c = ' ';
        else if (c == '%') {
            int high = i + 2 < in.len ? str_hex_digit(in.ptr[i + 1]) : -1;
            int low = high >= 0 ? str_hex_digit(in.ptr[i + 2]) : -1;

            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        copy[n++] = c;
    }
    copy[n] = '\0';
    *out = (struct str){ copy, n };
    return true;
}

bool
http_form_next(struct str form, size_t *at, struct arena *a, struct str *name, struct str *value, bool *bad)
{
    struct str field, rest;

    *bad = false;
    while (*at < form.len) {
        str_cut(str_from(form, *at), '&', &field, &rest);
        *at += field.len + 1;
        if (field.len == 0)
            continue;
        if (!str_cut(field, '=', name, value))
            *value = STR("");
        *bad = !http_decode(*name, true, a, name) || !http_decode(*value, true, a, value);
        return !*bad;
    }
    return false;
}

struct str
http_query_get(const struct http_request *r, struct str name, struct arena *a)
{
    struct str found = STR_NONE, key, value;
    size_t     at = 0;
    bool       bad;

    while (http_form_next(r->query, &at, a, &key, &value, &bad) || bad)
        if (!bad && str_eq(key, name))
            found = value;
    return found;
}

struct str
http_param_get(const struct http_request *r, struct str name)
{
    for (size_t i = 0; i < r->param_count; i++)
        if (str_eq(r->params[i].name, name))
            return r->params[i].value;
    return STR_NONE;
}

struct str
http_header_get(const struct http_request *r, struct str name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, name))
            return r->headers[i].value;
    return STR_NONE;
}
