/* call.c -- see call.h. What is true of every call is done here once: key, profile group, body, Idempotency-Key,
 * transactions, waiting for platforms, and what becomes of a failure. */
#include "api/call_internal.h"

#include <assert.h>

#include "api/cors.h"
#include "api/idempotent.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/crash.h"
#include "store/idempotency.h"
#include "store/profile.h"
#include "work/account.h"

/* ---- for handlers ---- */

struct str
call_param(const struct call *call, const char *name)
{
    return http_param_get(&call->x->request, str_of(name));
}

struct str
call_query(const struct call *call, const char *name)
{
    return http_query_get(&call->x->request, str_of(name), call->arena);
}

void
call_then(struct call *call, bool (*run)(struct db *db, struct call *call, struct error *err), enum step_mode mode)
{
    call->next = (struct step){ run, mode };
}

bool
call_may_exceed(const struct call *call, size_t max)
{
    const struct http_request *r = &call->x->request;
    int64_t                    length = 0;

    return !str_is_none(http_header_get(r, STR("Transfer-Encoding")))
        || (str_to_i64(http_header_get(r, STR("Content-Length")), &length) && length > (int64_t)max);
}

void
call_stream(struct call *call, void (*begin)(struct call *call))
{
    call->stream = begin;
}

void
call_work(struct call *call, bool (*work)(struct call *call, struct error *err))
{
    call->work = work;
}

/* Whose Idempotency-Keys they are: two keys limited to different groups never meet. */
static int64_t
key_owner(const struct call *call)
{
    return call->key_scope.group_id ? call->key_scope.group_id : call->key_scope.workspace_id;
}

/* ---- the end ---- */

static void
finish(struct call *call)
{
    bool is_write = call->now.mode == WRITES;

    if (call->stored[0] && call->failure.status == 0)
        media_named(call->api->options.media, str_of(call->stored));

    cors_reply(call->x, config.cors_origins);
    http_exchange_done(call->x);
    crash_point_if(is_write, "request: answered");
}

static void
begin_stream(struct call *call)
{
    cors_reply(call->x, config.cors_origins);
    call->streams_after_us = clock_mono_us() - call->x->request.received_us;
    call->stream(call);
}

/* ---- failing: first the database forgets what was begun, then the media store, then the caller hears of it
 * ---- */

/* It was the token of that moment that was refused: an account that has another by now is as good as any. */
static bool
blame_profile(struct db *db, struct call *call, struct error *err)
{
    const struct account *account = &call->blaming->op.account;
    bool                  same;

    if (!profile_has_token(db, account->id, account->token, &same, err))
        return false;
    call->is_outdated = !same;
    return !same
        || ((!call->expires_profile || profile_expire(db, account->id, call->expiry_reason, call->now_ms, err))
            && (!call->refreshes_profile || account_queue_refresh(db, account->id, call->now_ms, err)));
}

static bool
clean_up(struct db_txn *t, struct db *db, struct error *err)
{
    struct call *call = container_of(t, struct call, txn);

    return (!call->is_claimed || idempotency_release(db, key_owner(call), call->idempotency_key, err))
        && (!call->blaming || blame_profile(db, call, err));
}

static void
log_failure(const struct call *call, const struct error *err)
{
    const struct http_request *r = &call->x->request;

    if (err->status == 500)
        log_error("request failed", LOG_CSTR("request", r->id), LOG_STR("path", r->path),
                  LOG_CSTR("error", err->message));
    else if (err->status == 503)
        log_warn("request could not be served", LOG_CSTR("request", r->id), LOG_STR("path", r->path),
                 LOG_CSTR("error", err->message));
}

static void
tell_failure(struct call *call)
{
    log_failure(call, &call->failure);
    reply_error(call->x, &call->failure);
    finish(call);
}

static void
remove_stored(uv_work_t *worked)
{
    struct call *call = container_of(worked, struct call, worked);
    struct error err;

    if (!media_remove(call->api->options.media, str_of(call->stored), &err))
        log_warn("a file nobody needs is left in the media store", LOG_CSTR("object", call->stored),
                 LOG_CSTR("error", err.message));
}

static void
stored_removed(uv_work_t *worked, int status)
{
    (void)status;
    tell_failure(container_of(worked, struct call, worked));
}

static uv_loop_t *
loop_of(const struct call *call)
{
    return http_mailbox(call->api->http, call->x->thread)->wake.loop;
}

static void
forget_stored(struct call *call)
{
    if (!call->stored[0] || uv_queue_work(loop_of(call), &call->worked, remove_stored, stored_removed) != 0)
        tell_failure(call);
}

static void
say_outdated(struct call *call)
{
    error_set(&call->failure, 503, "The account's credentials were replaced while %s was being asked; send it again",
              call->blaming->platform->title);
    call->failure.retry_after_ms = 1000;
}

static void
cleaned_up(struct db_txn *t)
{
    struct call *call = container_of(t, struct call, txn);

    if (t->err.status)
        log_failure(call, &t->err);
    else if (call->is_outdated)
        say_outdated(call);
    if (call->blaming)
        account_wipe(&call->blaming->op.account);
    forget_stored(call);
}

void
call_fail(struct call *call, const struct error *err)
{
    call->failure = *err;
    if (!call->is_claimed && !call->blaming) {
        forget_stored(call);
        return;
    }
    call->txn.run = clean_up;
    call->txn.ahead = NULL;
    call->txn.done = cleaned_up;
    db_submit(call->api->options.engine, DB_WRITE, &call->txn);
}

/* ---- work that blocks ---- */

static void
do_work(uv_work_t *worked)
{
    struct call *call = container_of(worked, struct call, worked);

    call->failure.status = 0;
    if (!call->work(call, &call->failure) && call->failure.status == 0)
        error_set(&call->failure, 500, "The work failed without saying why");
}

static void
work_done(uv_work_t *worked, int status)
{
    struct call *call = container_of(worked, struct call, worked);

    (void)status; /* nobody cancels it */
    call->work = NULL;
    if (call->failure.status)
        call_fail(call, &call->failure);
    else
        call_advance(call);
}

static void
begin_work(struct call *call)
{
    struct error err;

    if (uv_queue_work(loop_of(call), &call->worked, do_work, work_done) == 0)
        return;
    error_set(&err, 503, "The server is busy");
    call_fail(call, &err);
}

/* ---- steps ---- */

/* What is told and what follows comes from this run alone. */
static void
forget_run(struct call *call)
{
    reply_clear(call->x);
    call->next.run = NULL;
    call->asking = NULL;
    call->calling = NULL;
    call->stream = NULL;
    call->work = NULL;
}

static void
go_on(struct call *call, const struct error *err)
{
    struct error full;

    if (err->status) {
        call_fail(call, err);
    } else if (call->asking) {
        call_ask_now(call);
    } else if (call->calling) {
        call_http_now(call);
    } else if (call->stream) {
        begin_stream(call);
    } else if (call->work) {
        begin_work(call);
    } else if (call->next.run) {
        call_advance(call);
    } else if (!buf_ok(&call->x->reply.body)) {
        error_set(&full, 500, "The reply is larger than a reply may be");
        call_fail(call, &full);
    } else {
        finish(call);
    }
}

static void
run_plain(struct call *call)
{
    struct error err = { 0 };

    forget_run(call);
    if (!call->now.run(NULL, call, &err) && err.status == 0)
        error_set(&err, 500, "The step failed without saying why");
    go_on(call, &err);
}

/* Within the key's scope; a group that lies outside is not found. */
static bool
narrow_scope(struct db *db, struct call *call, struct error *err)
{
    struct group group;

    call->scope = call->key_scope;
    if (call->group_text.len == 0)
        return true;
    if (!group_find(db, &call->key_scope, call->group_text, call->arena, &group, err))
        return false;
    call->scope.group_id = group.id;
    return true;
}

/* The first transaction of a write takes its Idempotency-Key, unless the answer is known already. */
static bool
claim_key(struct db *db, struct call *call, bool *replay, struct error *err)
{
    struct json w;
    struct str  body;
    int         status;

    *replay = false;
    if (str_is_none(call->idempotency_key) || call->is_claimed)
        return true;
    if (!idempotency_claim(db, key_owner(call), call->idempotency_key, call->request_hash,
                           worker_process_id(call->api->options.worker), call->now_ms, call->arena, replay, &status,
                           &body, err))
        return false;
    if (*replay) {
        reply_begin(call, status, &w);
        buf_append(w.buf, body);
    }
    return true;
}

/* The transaction that ends the call keeps its answer. */
static bool
remember_reply(struct db *db, struct call *call, struct error *err)
{
    if (str_is_none(call->idempotency_key) || call->next.run)
        return true;
    return idempotency_remember(db, key_owner(call), call->idempotency_key, call->x->reply.status,
                                buf_str(&call->x->reply.body), err);
}

static bool
run_in_transaction(struct db_txn *t, struct db *db, struct error *err)
{
    struct call *call = container_of(t, struct call, txn);
    bool         is_write = call->now.mode == WRITES, replay = false;

    forget_run(call);
    if (!call->is_admitted)
        return call->now.run(db, call, err);
    if (!narrow_scope(db, call, err)
        || (is_write && !claim_key(db, call, &replay, err))
        || (!replay && (!call->now.run(db, call, err) || (is_write && !remember_reply(db, call, err)))))
        return false;
    crash_point_if(is_write, "request: carried out, not committed");
    return true;
}

static void
transaction_done(struct db_txn *t)
{
    struct call *call = container_of(t, struct call, txn);
    bool         goes_on = t->err.status == 0 && call->next.run != NULL;

    if (goes_on && call->now.mode == WRITES && !str_is_none(call->idempotency_key))
        call->is_claimed = true; /* and committed: from now on failing must free it */
    crash_point_if(call->is_claimed && goes_on, "request: key claimed");
    crash_point_if(call->now.mode == WRITES && t->err.status == 0 && !goes_on, "request: committed, not answered");
    go_on(call, &t->err);
}

static void
submit(struct call *call)
{
    call->txn.run = run_in_transaction;
    call->txn.ahead = call->now.ahead;
    call->txn.done = transaction_done;
    db_submit(call->api->options.engine, call->now.mode == READS ? DB_READ : DB_WRITE, &call->txn);
}

void
call_advance(struct call *call)
{
    assert(call->next.run);
    call->now = call->next;
    if (call->now.mode == PLAIN)
        run_plain(call);
    else
        submit(call);
}

/* ---- the steps before the route's own ---- */

static bool
run_route(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    (void)err;
    call->is_admitted = true;
    call->next = call->route->step;
    return true;
}

static bool
hash_request(struct call *call, struct error *err)
{
    return idempotent_hash(&call->x->request, call->key_scope.group_id, call->request_hash, err);
}

/* A parameter that cannot be decoded would look like one that is absent. */
static bool
query_is_whole(struct call *call, struct error *err)
{
    struct str query = call->x->request.query, name, value;
    size_t     at = 0;
    bool       bad = false;

    if (str_find(query, STR("%")) < 0)
        return true;
    while (http_form_next(query, &at, call->arena, &name, &value, &bad))
        ;
    return !bad || error_set(err, 400, "The query has a malformed escape: every %% must begin a byte such as %%20");
}

/* Uploads are hashed where it may take its time. */
static bool
read_request(struct db *db, struct call *call, struct error *err)
{
    const struct http_request *r = &call->x->request;

    (void)db;
    if (!query_is_whole(call, err))
        return false;
    call->group_text = call->route->flags & OPEN ? STR_NONE : call_query(call, "profile_group_id");
    if (call->route->flags & BODY && !body_read(r, call->arena, config.json_depth_max, &call->body, err))
        return false;
    call_then(call, run_route, PLAIN);
    if (call->route->step.mode != WRITES || call->route->flags & OPEN)
        return true;
    if (!idempotent_key(r, &call->idempotency_key, err))
        return false;
    if (str_is_none(call->idempotency_key))
        return true;
    if (r->part_count == 0)
        return hash_request(call, err);
    call_work(call, hash_request);
    return true;
}

static bool
keep_key(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    if (!call->key_is_found)
        return key_refused(err);
    key_cache_put(&call->api->threads[call->x->thread].keys, call->key_hash, call->keys_seen, clock_mono_ms(),
                  &call->key_scope);
    call_then(call, read_request, PLAIN);
    return true;
}

static bool
find_key(struct db *db, struct call *call, struct error *err)
{
    int64_t key_id;

    call_then(call, keep_key, PLAIN);
    return key_find(db, call->key_hash, &call->key_scope, &key_id, &call->key_is_found, err);
}

static bool
authenticate(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    (void)err;
    call_then(call, read_request, PLAIN);
    if (call->route->flags & OPEN)
        return true;
    sha256(key_of_request(&call->x->request), call->key_hash);
    call->keys_seen = atomic_load(&call->api->keys_changed);
    if (!key_cache_get(&call->api->threads[call->x->thread].keys, call->key_hash, call->keys_seen, clock_mono_ms(),
                       &call->key_scope))
        call_then(call, find_key, READS);
    return true;
}

void
call_init(struct call *call, struct api *api, struct http_exchange *x)
{
    call->api = api;
    call->x = x;
    call->arena = &x->arena;
}

void
call_begin(struct call *call)
{
    call->now_ms = clock_now_ms();
    call->txn.reply_to = http_mailbox(call->api->http, call->x->thread);
    call_then(call, authenticate, PLAIN);
    call_advance(call);
}
