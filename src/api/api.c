/* api.c -- see api.h: what the HTTP server asks of us, and starting and stopping it. */
#include "api/api.h"

#include <stdlib.h>

#include "api/call.h"
#include "api/cors.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/config.h"
#include "store/job.h"

#define SMALL_BODY_MAX   MIB        /* of requests that carry no file */
#define INLINE_MEDIA_MAX (16 * MIB) /* of a file as base64; it is held in memory, so larger ones must come as uploads */

/* A loop may have its first request before http_start() has told us which server that is. */
static void
await_start(struct api *api)
{
    if (atomic_load_explicit(&api->is_started, memory_order_acquire))
        return;
    pthread_mutex_lock(&api->starting);
    pthread_mutex_unlock(&api->starting);
}

static const char *
method_text(enum http_method method)
{
    const char *name = http_method_name(method);

    return name ? name : "that was asked for";
}

static bool
params_are_text(const struct http_request *r)
{
    for (size_t i = 0; i < r->param_count; i++)
        if (!str_is_utf8(r->params[i].value) || memchr(r->params[i].value.ptr, 0, r->params[i].value.len))
            return false;
    return true;
}

/* Whether the request is worth reading to its end. */
static bool
route_fits(struct call *call, unsigned allowed, bool bad_path, struct error *err)
{
    const struct http_request *r = &call->x->request;

    if (bad_path)
        return error_set(err, 400, "The path has a percent sign that is no escape");
    if (!call->route && allowed)
        return error_set(err, 405, "This path does not have the method %s", method_text(r->method));
    if (!call->route)
        return error_set(err, 404, "There is nothing at this path");
    if (!params_are_text(r))
        return error_set(err, 400, "The path is not valid UTF-8");
    if (!(call->route->flags & OPEN) && str_is_none(key_of_request(r)))
        return key_refused(err);
    return true;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void
set_limits(struct http_exchange *x, const struct route *route)
{
    bool uploads = route->flags & UPLOAD;

    x->body_max = smaller(config.body_max, SMALL_BODY_MAX);
    x->takes_multipart = route->flags & BODY;
    x->upload_max = smaller(config.upload_max, SMALL_BODY_MAX);
    if ((route->flags & OPEN) && x->request.method != METHOD_POST)
        x->body_max = smaller(x->body_max, KEYLESS_BODY_MAX);
    if (uploads) {
        x->body_max = config.body_max + smaller(config.upload_max / 3 * 4, INLINE_MEDIA_MAX);
        x->upload_max = config.upload_max;
    }
}

struct knocking {
    uint8_t      hash[SHA256_SIZE];
    struct scope scope;
    bool         found;
};

static bool
look_for_key(void *arg, struct db *db, struct error *err)
{
    struct knocking *k = arg;
    int64_t          key_id;

    return key_find(db, k->hash, &k->scope, &key_id, &k->found, err);
}

/* Thousands of connections could fill our memory and disk without a key. So here, before a body of some size and
 * nowhere else, a loop waits for the database, and only when the key is not in its cache. */
static bool
may_go_on(struct call *call, struct error *err)
{
    struct api     *api = call->api;
    struct knocking k = { .found = false };

    if (call->route->flags & HOOK)
        return hook_knock(call, err);
    if ((call->route->flags & OPEN) || !call_may_exceed(call, KEYLESS_BODY_MAX))
        return true;
    sha256(key_of_request(&call->x->request), k.hash);
    if (key_cache_get(&api->threads[call->x->thread].keys, k.hash, atomic_load(&api->keys_changed), clock_mono_ms(),
                      &k.scope))
        return true;
    return db_run(api->options.engine, DB_READ, look_for_key, &k, err) && (k.found || key_refused(err));
}

static bool
on_head(void *ctx, struct http_exchange *x)
{
    struct api  *api = ctx;
    struct call *call = arena_new(&x->arena, struct call);
    struct error err;
    unsigned     allowed;
    bool         bad_path;

    await_start(api);
    x->user = call;
    call_init(call, api, x);
    call->route = http_route_find(routes, route_count, sizeof(routes[0]), &x->request, &x->arena, &allowed, &bad_path);
    if (!call->route && cors_preflight(x, config.cors_origins, allowed))
        return false;
    if (call->route)
        set_limits(x, call->route);
    if (!route_fits(call, allowed, bad_path, &err) || !may_go_on(call, &err)) {
        reply_error(x, &err);
        if (err.status == 405)
            http_reply_header(x, STR("Allow"), http_allow_text(allowed, &x->arena));
        cors_reply(x, config.cors_origins);
        return false;
    }
    return true;
}

static void
on_request(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    call_begin(x->user);
}

static void
on_finished(void *ctx, const struct http_exchange *x, int64_t took_us)
{
    struct api                *api = ctx;
    const struct call         *call = x->user;
    const struct http_request *r = &x->request;

    await_start(api);
    if (call && call->stream)
        took_us = call->streams_after_us; /* how long somebody listened is no time we needed */
    counters_add(&api->threads[x->thread].counters, call ? call->route : NULL, x->reply.status, took_us);
    if (log_is_on(LOG_LEVEL_DEBUG))
        log_debug("request", LOG_CSTR("id", r->id), LOG_CSTR("method", method_text(r->method)),
                  LOG_STR("path", r->path), LOG_INT("status", x->reply.status), LOG_INT("us", took_us),
                  LOG_CSTR("peer", r->peer));
}

static void
write_error(void *ctx, struct http_exchange *x, const struct error *err)
{
    (void)ctx;
    reply_error_body(x, err);
    if (err->status == 503 && err->retry_after_ms == 0) /* a time that is known the server writes itself */
        http_reply_header(x, STR("Retry-After"), STR("5"));
    cors_reply(x, config.cors_origins);
}

bool
api_start(const struct api_options *options, struct api **out, struct error *err)
{
    struct api         *api = calloc(1, sizeof(*api));
    struct http_options http = {
        .listen      = options->listen,
        .threads     = options->threads,
        .limits      = { .header_max = config.header_max, .connections_max = config.connections_max,
                         .idle_ms = config.idle_ms, .request_ms = config.request_ms },
        .spool_dir   = media_spool_dir(options->media),
        .ctx         = api,
        .on_head     = on_head,
        .on_request  = on_request,
        .on_finished = on_finished,
        .write_error = write_error,
    };
    bool ok;

    if (!api || !(api->threads = calloc((size_t)options->threads, sizeof(*api->threads))))
        out_of_memory();
    for (int i = 0; i < options->threads; i++)
        api->threads[i].hub = hub_new(options->engine);
    api->options = *options;
    api->started_mono_ms = clock_mono_ms();
    atomic_store(&api->is_ready, true);
    pthread_mutex_init(&api->starting, NULL);
    pthread_mutex_lock(&api->starting);
    ok = http_start(&http, &api->http, err);
    atomic_store_explicit(&api->is_started, true, memory_order_release);
    pthread_mutex_unlock(&api->starting);
    *out = ok ? api : NULL;
    if (!ok)
        api_stop(api, 0);
    return ok;
}

const char *
api_address(const struct api *api)
{
    return http_address(api->http);
}

void
api_set_ready(struct api *api, bool ready)
{
    atomic_store(&api->is_ready, ready);
}

/* Keys and profiles change rarely, and their caches are small: all of them is looked up again. */
void
api_signal(struct api *api, int topic, int64_t key)
{
    if (!api)
        return;
    if (topic == TOPIC_KEYS || topic == DB_MISSED)
        atomic_fetch_add(&api->keys_changed, 1);
    if (topic == TOPIC_PROFILE || topic == DB_MISSED)
        atomic_fetch_add(&api->profiles_changed, 1);
    for (int i = 0; i < api->options.threads; i++) {
        struct hub *hub = api->threads[i].hub;

        if (topic == TOPIC_EVENTS)
            hub_wake(hub, key);
        else if (topic == DB_MISSED)
            hub_wake_all(hub);
        if (topic == TOPIC_KEYS || topic == DB_MISSED)
            hub_wake_keys(hub);
    }
}

void
api_stop(struct api *api, int64_t drain_ms)
{
    if (!api)
        return;
    api_set_ready(api, false);
    http_stop(api->http, drain_ms);
    for (int i = 0; i < api->options.threads; i++) {
        hook_cache_deinit(&api->threads[i].hooks);
        hub_free(api->threads[i].hub);
    }
    pthread_mutex_destroy(&api->starting);
    free(api->threads);
    free(api);
}
