/* storage.c -- files out of the media store.
 *
 * Their names cannot be guessed and never change their content, so anyone who has the address may read and keep
 * them. They came from strangers: nothing a browser could run is shown in a page. */
#include "api/handlers.h"
#include "api/state.h"

bool
show_stored(struct db *db, struct call *call, struct error *err)
{
    struct http_exchange *x = call->x;
    struct str            name = call_param(call, "object");
    const char           *type;
    int64_t               modified_ms;
    int                   fd;

    (void)db;
    if (!media_open(call->api->options.media, name, &fd, &type, &modified_ms, err))
        return false;
    http_reply_header(x, STR("Cache-Control"), STR("public, max-age=31536000, immutable"));
    http_reply_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    http_reply_header(x, STR("Content-Security-Policy"), STR("default-src 'none'; sandbox"));
    http_reply_header(x, STR("Cross-Origin-Resource-Policy"), STR("cross-origin"));
    if (!media_is_inline_safe(type))
        http_reply_header(x, STR("Content-Disposition"), STR("attachment"));
    http_reply_file(x, fd, str_of(type), arena_printf(call->arena, "\"%.*s\"", STR_ARG(name)), modified_ms);
    return true;
}
