/* hooks_meta.c -- the one webhook of all Facebook and Instagram accounts.
 *
 *     GET  confirm_meta                                                 is this address ours?
 *     POST knock_meta -> receive_meta -> store_updates (WRITES) -> 200
 *
 * Meta signs the whole body, so who sends it is known only when all of it is here; the head must at least claim a
 * signature, and all large bodies together have a bound. Meta repeats what was refused. */
#include "api/hooks.h"

#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"

#define SIGNATURE_HEADER "X-Hub-Signature-256"
#define WARN_EVERY_MS    60000 /* anybody can call us */
#define UNSIGNED_MAX     ((int64_t)64 << 20) /* of all large bodies at once whose signature is not seen yet */

struct meta_hook {
    struct inbound_batch batch;
    struct ingest_counts counts;
};

static void
warn_of_missing(struct api *api, const char *setting)
{
    int64_t now_ms = clock_mono_ms(), last_ms = atomic_load(&api->meta_warned_ms);

    if (last_ms != 0 && now_ms - last_ms < WARN_EVERY_MS)
        return;
    if (atomic_compare_exchange_strong(&api->meta_warned_ms, &last_ms, now_ms))
        log_warn("somebody calls Meta's webhook, which is not set up: configure the missing setting if it is Meta",
                 LOG_CSTR("missing", setting));
}

/* "200 with the challenge and nothing else, 403 otherwise." */
bool
confirm_meta(struct db *db, struct call *call, struct error *err)
{
    struct str expected = call->api->options.env->meta_verify_token;
    struct str token = call_query(call, "hub.verify_token"), challenge = call_query(call, "hub.challenge");

    (void)db;
    if (expected.len == 0) {
        warn_of_missing(call->api, "PARLEY_META_VERIFY_TOKEN");
        return error_set(err, 403, "The verify token does not match");
    }
    if (!str_eq(call_query(call, "hub.mode"), STR("subscribe")) || str_is_none(challenge)
        || !crypto_equal(token, expected))
        return error_set(err, 403, "The verify token does not match");
    http_reply_header(call->x, STR("X-Content-Type-Options"), STR("nosniff"));
    return reply_text(call, STR("text/plain"), challenge);
}

bool
knock_meta(struct call *call, struct error *err)
{
    const struct platform_env *env = call->api->options.env;

    if (env->meta_app_secret.len == 0 && env->instagram_app_secret.len == 0) {
        warn_of_missing(call->api, "PARLEY_META_APP_SECRET");
        return error_set(err, 404, "Nobody receives messages at this address");
    }
    if (str_is_none(http_header_get(&call->x->request, STR(SIGNATURE_HEADER))))
        return hook_refuse(call, "The signature is missing", err);
    call->x->body_max = META_BODY_MAX;
    call->x->body_sum = &call->api->unsigned_bytes;
    call->x->body_sum_max = UNSIGNED_MAX;
    call->x->body_free = KEYLESS_BODY_MAX;
    return true;
}

/* ---- the steps, last first ---- */

static bool
thank(struct db *db, struct call *call, struct error *err)
{
    struct meta_hook *h = call->state;

    (void)db;
    (void)err;
    if (h->counts.not_understood > 0)
        log_warn("Meta sent what was not understood; it is kept", LOG_CSTR("request", call->x->request.id));
    return hook_thank(call, &h->counts);
}

static bool
store_updates(struct db *db, struct call *call, struct error *err)
{
    struct meta_hook *h = call->state;

    h->counts = (struct ingest_counts){ 0 };
    call_then(call, thank, PLAIN);
    return ingest_app(db, &h->batch, call->x->request.body, call->now_ms, call->arena, &h->counts, err);
}

bool
receive_meta(struct db *db, struct call *call, struct error *err)
{
    const struct platform_env *env = call->api->options.env;
    const struct http_request *r = &call->x->request;
    struct meta_hook          *h = arena_new(call->arena, struct meta_hook);

    (void)db;
    call->state = h;
    if (!meta_app.verify(env, hook_headers(call), r->header_count, r->body))
        return hook_refuse(call, "The signature does not match", err);
    meta_app.parse(call->arena, env, r->body, &h->batch);
    call_then(call, store_updates, WRITES);
    return true;
}
