/* storage.c -- files out of the media store.
 *
 * Their names cannot be guessed and never change their content, so anyone who has the address may read and keep
 * them. They came from strangers: nothing a browser could run is shown in a page. */
#include "api/handlers.h"
#include "api/state.h"
#include "base/config.h"

struct stored {
    const char *type;
    int64_t     modified_ms;
    int         fd;
};

static struct media_store *
store_of(const struct call *call)
{
    return call->api->options.media;
}

static void
reply_stored(struct call *call, const struct stored *s)
{
    struct http_exchange *x = call->x;

    http_reply_header(x, STR("Cache-Control"), STR("public, max-age=31536000, immutable"));
    http_reply_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    http_reply_header(x, STR("Content-Security-Policy"), STR("default-src 'none'; sandbox"));
    http_reply_header(x, STR("Cross-Origin-Resource-Policy"), STR("cross-origin"));
    if (!media_is_inline_safe(s->type))
        http_reply_header(x, STR("Content-Disposition"), STR("attachment"));
    http_reply_file(x, s->fd, str_of(s->type),
                    arena_printf(call->arena, "\"%.*s\"", STR_ARG(call_param(call, "object"))), s->modified_ms);
}

static bool
open_stored(struct call *call, struct error *err)
{
    struct stored *s = call->state;

    return media_open(store_of(call), call_param(call, "object"), &s->fd, &s->type, &s->modified_ms, err);
}

/* Whoever asks here has no key, and need not know where the bucket is. */
static bool
fetch_stored(struct call *call, struct error *err)
{
    if (open_stored(call, err))
        return true;
    if (err->status == 404)
        return false;
    log_warn("a stored file could not be read", LOG_CSTR("request", call->x->request.id),
             LOG_CSTR("error", err->message));
    error_set(err, 503, "The file cannot be read at the moment");
    err->retry_after_ms = 5000;
    return false;
}

static bool
show_fetched(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    (void)err;
    reply_stored(call, call->state);
    return true;
}

/* To the bucket, with an address that lives at least as long again as this answer may be kept. */
static void
redirect(struct call *call, struct str url)
{
    int64_t seconds = config.s3_url_ms / 2000;

    call->x->reply.status = 302;
    http_reply_header(call->x, STR("Location"), url);
    http_reply_header(call->x, STR("Cache-Control"),
                      arena_printf(call->arena, "public, max-age=%lld", (long long)seconds));
    http_reply_header(call->x, STR("Cross-Origin-Resource-Policy"), STR("cross-origin"));
}

bool
show_stored(struct db *db, struct call *call, struct error *err)
{
    struct stored *s = arena_new(call->arena, struct stored);
    struct str     url;

    (void)db;
    call->state = s;
    if (media_url(store_of(call), call_param(call, "object"), call->x->request.method == METHOD_HEAD, call->arena,
                  &url)) {
        redirect(call, url);
        return true;
    }
    if (media_is_remote(store_of(call))) {
        call_work(call, fetch_stored);
        call_then(call, show_fetched, PLAIN);
        return true;
    }
    if (!open_stored(call, err))
        return false;
    reply_stored(call, s);
    return true;
}
