#include "api/hooks.h"

#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/id.h"
#include "inbound/inbound.h"

#define WRONG_SECRET "The secret token does not match"

/* What the steps of one call hand on. */
struct hook {
    int64_t                profile_id;
    const struct platform *platform;
    struct account         account;
    unsigned               seen;
    bool                   is_fresh; /* read from the database just now */
    struct inbound_batch   batch;
    struct ingest_counts   counts;
};

static struct hook_entry *
slot_of(struct hook_cache *c, int64_t profile_id)
{
    return &c->slots[(uint64_t)profile_id * 0x9E3779B97F4A7C15u >> 56];
}

static void
entry_clear(struct hook_entry *e)
{
    account_wipe(&e->account);
    arena_deinit(&e->arena);
    *e = (struct hook_entry){ 0 };
}

void
hook_cache_deinit(struct hook_cache *c)
{
    for (size_t i = 0; i < HOOK_CACHE_SLOTS; i++)
        entry_clear(&c->slots[i]);
}

static void
hook_cache_put(struct hook_cache *c, const struct hook *h)
{
    struct hook_entry *e = slot_of(c, h->profile_id);

    entry_clear(e);
    arena_init(&e->arena);
    e->platform = h->platform;
    e->seen = h->seen;
    e->until_ms = clock_mono_ms() + HOOK_CACHE_KEEP_MS;
    e->account = (struct account){
        .id             = h->account.id,
        .external_id    = arena_copy(&e->arena, h->account.external_id),
        .name           = arena_copy(&e->arena, h->account.name),
        .username       = arena_copy(&e->arena, h->account.username),
        .webhook_secret = arena_copy(&e->arena, h->account.webhook_secret),
    };
}

/* The secret stays in the cache: it is only needed on this loop, before anyone could replace the entry. */
static bool
hook_cache_get(struct hook_cache *c, struct hook *h, struct arena *a)
{
    struct hook_entry *e = slot_of(c, h->profile_id);

    if (e->until_ms <= clock_mono_ms() || e->account.id != h->profile_id || e->seen != h->seen)
        return false;
    h->platform = e->platform;
    h->account = (struct account){
        .id             = e->account.id,
        .external_id    = arena_copy(a, e->account.external_id),
        .name           = arena_copy(a, e->account.name),
        .username       = arena_copy(a, e->account.username),
        .webhook_secret = e->account.webhook_secret,
    };
    return true;
}

static bool
no_such_hook(struct error *err)
{
    return error_set(err, 404, "Nobody receives messages at this address");
}

const struct net_header *
hook_headers(const struct call *call)
{
    const struct http_request *r = &call->x->request;
    struct net_header         *headers = arena_array(call->arena, struct net_header, r->header_count);

    for (size_t i = 0; i < r->header_count; i++)
        headers[i] = (struct net_header){ .name = r->headers[i].name, .value = r->headers[i].value };
    return headers;
}

static bool
is_genuine(const struct call *call, const struct hook *h)
{
    const struct http_request *r = &call->x->request;

    return h->platform->verify && h->platform->verify(&h->account, hook_headers(call), r->header_count, r->body);
}

/* ---- the steps, last first ---- */

static void
count(_Atomic int64_t *counter, int64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

bool
hook_refuse(struct call *call, const char *why, struct error *err)
{
    count(&call->api->updates_refused, 1);
    return error_set(err, 401, "%s", why);
}

/* Telegram reads the body of a 200 as a call to make; this one makes none. */
bool
hook_thank(struct call *call, const struct ingest_counts *counts)
{
    struct api *api = call->api;
    struct json w;

    count(&api->updates, 1);
    count(&api->updates_not_understood, counts->not_understood);
    count(&api->events_stored, counts->stored);
    count(&api->events_ignored, counts->ignored);
    count(&api->events_unrouted, counts->unrouted);
    for (int kind = 0; kind < INBOUND_KINDS; kind++)
        count(&api->events_by_kind[kind], counts->kinds[kind]);
    reply_begin(call, 200, &w);
    json_begin(&w, NULL);
    json_end(&w);
    crash_point("update: committed, not answered");
    return true;
}

static bool
thank(struct db *db, struct call *call, struct error *err)
{
    struct hook *h = call->state;

    (void)db;
    (void)err;
    return hook_thank(call, &h->counts);
}

static bool
store_update(struct db *db, struct call *call, struct error *err)
{
    struct hook   *h = call->state;
    struct profile profile;
    bool           found;

    h->counts = (struct ingest_counts){ 0 };
    call_then(call, thank, PLAIN);
    return profile_get_shared(db, h->profile_id, call->arena, &profile, &found, err)
        && (found || no_such_hook(err))
        && ingest(db, &profile, &h->batch, call->x->request.body, call->now_ms, call->arena, &h->counts, err);
}

static bool
look_ahead(struct db_txn *t, struct db *db)
{
    const struct hook *h = container_of(t, struct call, txn)->state;

    return ingest_ahead(db, h->profile_id, &h->batch);
}

static bool read_hook(struct db *db, struct call *call, struct error *err);

/* A secret from the cache may have been replaced by another process a moment ago, so before anyone is turned away
 * the database is asked. */
static bool
verify(struct db *db, struct call *call, struct error *err)
{
    struct hook *h = call->state;
    bool         genuine = is_genuine(call, h);

    (void)db;
    if (h->is_fresh) {
        hook_cache_put(&call->api->threads[call->x->thread].hooks, h);
        account_wipe(&h->account);
    }
    h->account.webhook_secret = h->account.token = STR_NONE;
    if (genuine) {
        h->platform->parse(call->arena, &h->account, call->x->request.body, &h->batch);
        call_then(call, store_update, WRITES);
        call_ahead(call, look_ahead);
        return true;
    }
    if (!h->is_fresh) {
        call_then(call, read_hook, READS);
        return true;
    }
    return hook_refuse(call, WRONG_SECRET, err);
}

static bool
load_hook(struct db *db, struct call *call, struct hook *h, struct error *err)
{
    struct profile profile;
    bool           found;

    h->seen = atomic_load(&call->api->profiles_changed);
    if (!profile_get(db, h->profile_id, call->arena, &profile, &found, err))
        return false;
    if (!found || profile.platform != h->platform)
        return no_such_hook(err);
    return profile_account(db, &profile, call->arena, &h->account, err);
}

static bool
read_hook(struct db *db, struct call *call, struct error *err)
{
    struct hook *h = call->state;

    if (!load_hook(db, call, h, err))
        return false;
    h->is_fresh = true;
    call_then(call, verify, PLAIN);
    return true;
}

struct knocking {
    struct call *call;
    struct hook  hook;
};

static bool
load_knocker(void *arg, struct db *db, struct error *err)
{
    struct knocking *k = arg;

    return load_hook(db, k->call, &k->hook, err);
}

/* Anybody can fill our memory with bodies until they are looked at, so one of some size is only read of somebody who
 * knows the secret; the loop waits for the database where its cache does not hold it. */
static bool
knock_telegram(struct call *call, struct error *err)
{
    struct hook_cache *cache = &call->api->threads[call->x->thread].hooks;
    struct knocking    k = { .call = call };
    bool               genuine;

    if (!call_may_exceed(call, KEYLESS_BODY_MAX))
        return true;
    k.hook.platform = &telegram;
    k.hook.seen = atomic_load(&call->api->profiles_changed);
    if (!id_parse(ID_PROFILE, call_param(call, "profile_id"), &k.hook.profile_id))
        return no_such_hook(err);
    if (hook_cache_get(cache, &k.hook, call->arena) && is_genuine(call, &k.hook))
        return true;
    if (!db_run(call->api->options.engine, DB_READ, load_knocker, &k, err))
        return false;
    genuine = is_genuine(call, &k.hook);
    hook_cache_put(cache, &k.hook);
    account_wipe(&k.hook.account);
    return genuine || hook_refuse(call, WRONG_SECRET, err);
}

static bool
receive(struct call *call, const struct platform *platform, struct error *err)
{
    struct hook *h = arena_new(call->arena, struct hook);

    call->state = h;
    h->platform = platform;
    h->seen = atomic_load(&call->api->profiles_changed);
    if (!id_parse(ID_PROFILE, call_param(call, "profile_id"), &h->profile_id))
        return no_such_hook(err);
    if (!hook_cache_get(&call->api->threads[call->x->thread].hooks, h, call->arena)) {
        call_then(call, read_hook, READS);
        return true;
    }
    return h->platform == platform ? verify(NULL, call, err) : no_such_hook(err);
}

bool
receive_telegram(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    return receive(call, &telegram, err);
}

bool
hook_knock(struct call *call, struct error *err)
{
    return call->route->step.run == receive_meta ? knock_meta(call, err) : knock_telegram(call, err);
}
