/* check.c -- may a call go, and where to: see transfer.h. What is refused here has not left, and never will. */
#include "net/transfer.h"

static bool
forbid(struct transfer *t, const char *why)
{
    t->call->response.result = NET_FORBIDDEN;
    transfer_explain(t, why);
    return false;
}

static bool
is_token(struct str s)
{
    static const char other[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            && (c == '\0' || !strchr(other, c)))
            return false;
    }
    return s.len > 0;
}

static bool
is_header_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
            return false;
    return true;
}

bool
transfer_set_url(struct transfer *t, const char *url, const char *what, struct error *err)
{
    struct address *to = address_take(t->common->addresses, t->common->guard, t->call->request.guarded, url, what, err);

    if (!to)
        return false;
    address_give_back(t->common->addresses, t->to);
    t->to = to;
    return true;
}

bool
transfer_check(struct transfer *t)
{
    const struct net_request *r = &t->call->request;
    struct error err = { .status = 0 };

    if (!str_is_none(r->method) && !is_token(r->method))
        return forbid(t, "the method is not well formed");
    for (size_t i = 0; i < r->header_count; i++)
        if (!is_token(r->headers[i].name) || !is_header_value(r->headers[i].value))
            return forbid(t, "a header is not well formed");
    if (str_is_none(r->url) || memchr(r->url.ptr, '\0', r->url.len))
        return forbid(t, "the URL is not a valid http or https URL");
    if (!transfer_set_url(t, arena_copy(t->call->arena, r->url).ptr, "the URL", &err))
        return forbid(t, err.message);
    return true;
}
