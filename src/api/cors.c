#include "api/cors.h"

#define REMEMBER_SECONDS "600"

/* What to answer as the allowed origin; none when it is not let in. */
static struct str
allowed_origin(const struct http_exchange *x, struct str origins)
{
    struct str origin, one;

    if (origins.len == 0)
        return STR_NONE;
    origin = http_header_get(&x->request, STR("Origin"));
    if (origin.len == 0)
        return STR_NONE;
    while (origins.len > 0) {
        str_cut(origins, ',', &one, &origins);
        one = str_trim(one);
        if (str_eq(one, STR("*")) || str_eq_nocase(one, origin))
            return origin;
    }
    return STR_NONE;
}

void
cors_reply(struct http_exchange *x, struct str origins)
{
    struct str origin = allowed_origin(x, origins);

    if (origins.len == 0)
        return;
    http_reply_header(x, STR("Vary"), STR("Origin"));
    if (str_is_none(origin))
        return;
    http_reply_header(x, STR("Access-Control-Allow-Origin"), origin);
    http_reply_header(x, STR("Access-Control-Expose-Headers"), STR("X-Request-Id, Retry-After, Allow"));
}

bool
cors_preflight(struct http_exchange *x, struct str origins, unsigned methods)
{
    struct str wanted;

    if (x->request.method != METHOD_OPTIONS || str_is_none(allowed_origin(x, origins))
        || str_is_none(http_header_get(&x->request, STR("Access-Control-Request-Method"))))
        return false;
    x->reply.status = 204;
    cors_reply(x, origins);
    http_reply_header(x, STR("Access-Control-Allow-Methods"), http_allow_text(methods, &x->arena));
    wanted = http_header_get(&x->request, STR("Access-Control-Request-Headers"));
    if (wanted.len > 0)
        http_reply_header(x, STR("Access-Control-Allow-Headers"), wanted);
    http_reply_header(x, STR("Access-Control-Max-Age"), STR(REMEMBER_SECONDS));
    return true;
}
