/* operations.c -- what those who run the server ask it. */
#include "api/handlers.h"
#include "api/openapi.h"
#include "api/reply.h"
#include "api/state.h"
#include "store/workspace.h"

static bool
reply_ok(struct call *call)
{
    struct json w;

    reply_begin(call, 200, &w);
    json_begin(&w, NULL);
    json_put_str(&w, "status", STR("ok"));
    json_end(&w);
    return true;
}

/* The process is alive; whoever needs more asks /readyz. */
bool
show_health(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    (void)err;
    return reply_ok(call);
}

/* Migrations are done before the api is started, so any look-up that is answered says all there is to say. */
bool
show_readiness(struct db *db, struct call *call, struct error *err)
{
    static const uint8_t nobody[SHA256_SIZE];
    struct scope         scope;
    int64_t              key_id;
    bool                 found;

    if (!atomic_load(&call->api->is_ready))
        return error_set(err, 503, "The server is shutting down");
    return key_find(db, nobody, &scope, &key_id, &found, err) && reply_ok(call);
}

bool
show_openapi(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    (void)err;
    http_reply_header(call->x, STR("Cache-Control"), STR("no-cache"));
    return reply_text(call, STR("application/yaml"), openapi_text());
}
