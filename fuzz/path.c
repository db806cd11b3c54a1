/* path.c -- targets: splitting, percent-decoding, routes, query strings. */
#include <assert.h>

#include "base/array.h"
#include "http/head.h"
#include "http/http.h"

static const struct http_route routes[] = {
    { METHOD_GET, "/" },
    { METHOD_GET, "/api/chats" },
    { METHOD_GET, "/api/chats/:id" },
    { METHOD_POST, "/api/chats/:id/messages/:message" },
    { METHOD_GET, "/media/*name" },
};

static void
check_route(struct http_request *r, struct arena *a)
{
    unsigned    allowed;
    bool        bad;
    const void *found =
        http_route_find(routes, COUNT(routes), sizeof(routes[0]), r, a, &allowed, &bad);
    struct str  name = http_param_get(r, STR("name"));

    assert(!found || !bad);
    for (size_t i = 0; i < r->param_count; i++)
        assert(r->params[i].value.len == 0 || !memchr(r->params[i].value.ptr, '\0', r->params[i].value.len));
    if (!str_is_none(name)) {
        assert(!str_starts(name, STR("/")) && !str_starts(name, STR("../")) && !str_eq(name, STR("..")));
        assert(str_find(name, STR("/../")) < 0 && !str_ends(name, STR("/..")));
    }
}

/* Decoding never grows, and what it made decodes no longer differently without its escapes. */
static void
check_decode(struct str in, bool form, struct arena *a)
{
    struct str out;

    if (!http_decode(in, form, a, &out))
        return;
    assert(out.len <= in.len);
    if (in.len == 0 || !memchr(in.ptr, '\0', in.len))
        assert(out.len == 0 || !memchr(out.ptr, '\0', out.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str          in = { (const char *)data, size }, name, value;
    struct http_request r = { .method = METHOD_GET };
    struct arena        a = { 0 };
    struct error        err;
    size_t              at = 0;
    bool                bad;

    check_decode(in, false, &a);
    check_decode(in, true, &a);
    while (http_form_next(in, &at, &a, &name, &value, &bad))
        assert(at > 0);
    if (size > 0 && !memchr(data, '\0', size) && head_parse_target(STR("GET"), in, &r.path, &r.query, &err)) {
        check_route(&r, &a);
        http_query_get(&r, STR("page"), &a);
    }
    arena_deinit(&a);
    return 0;
}
