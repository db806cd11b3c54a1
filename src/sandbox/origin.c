/* origin.c -- see origin.h. */
#include "sandbox/origin.h"

/* Whoever owns a domain can let it lead to this machine, and then its pages come from the host they ask. Nobody owns
 * an address, a name without a dot, or anything below localhost. */
static bool
has_owner(struct str host)
{
    static const char address[] = "0123456789.";
    struct str name, port;

    if (host.len == 0 || host.ptr[0] == '[')
        return false;
    str_cut(host, ':', &name, &port);
    if (!memchr(name.ptr, '.', name.len) || str_ends(name, STR(".localhost")))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!memchr(address, name.ptr[i], sizeof(address) - 1))
            return true;
    return false;
}

bool
origin_is_foreign(const struct http_request *r)
{
    struct str origin = http_header_get(r, STR("Origin")), host = http_header_get(r, STR("Host"));
    ptrdiff_t  scheme;

    if (origin.len == 0)
        return false;
    scheme = str_find(origin, STR("://"));
    return scheme < 0 || !str_eq_nocase(str_from(origin, (size_t)scheme + 3), host) || has_owner(host);
}
