/* ask.c -- the part of a call (call.h) that waits for somebody else: a platform, or any HTTP server. */
#include "api/call_internal.h"

#include "api/limits.h"
#include "api/state.h"
#include "store/profile.h"

#define REFRESH_WAIT_MS 2000 /* how soon new credentials may be expected */

/* An ask and whose it is. */
struct question {
    struct ask   ask;
    struct call *call;
    bool         hears_refusal;
};

/* A plain HTTP call and for whom. */
struct calling {
    struct worker_call http;
    struct call       *call;
};

struct op *
call_ask(struct call *call, enum op_kind kind, const struct platform *platform, const struct account *account)
{
    struct question *question = arena_new(call->arena, struct question);
    struct ask      *ask = &question->ask;

    question->call = call;
    ask->platform = platform;
    ask->op.kind = kind;
    ask->op.arena = call->arena;
    ask->op.env = call->api->options.env;
    ask->op.account = *account;
    call->asking = ask;
    return &ask->op;
}

bool
call_account(struct db *db, struct call *call, int64_t profile_id, struct account *out, struct error *err)
{
    struct profile profile;
    bool           found;

    return profile_get(db, profile_id, call->arena, &profile, &found, err)
        && (found || error_set(err, 404, "The profile is gone"))
        && limit_account(profile.platform, profile.status, profile.status_detail, err)
        && profile_account(db, &profile, call->arena, out, err);
}

void
call_hear_refusal(struct call *call)
{
    container_of(call->asking, struct question, ask)->hears_refusal = true;
}

struct net_request *
call_http(struct call *call)
{
    struct calling *calling = arena_new(call->arena, struct calling);

    calling->call = call;
    calling->http.call.arena = call->arena;
    call->calling = calling;
    return &calling->http.call.request;
}

bool
call_refused(const struct ask *ask, struct error *err)
{
    const struct op_step *end = &ask->end;
    struct str            reason = end->reason.len > 0 ? end->reason : STR("it gave no reason");

    if (end->verdict == OP_FAIL)
        error_set(err, 422, "%s%.*s", end->reason.len > 0 ? "" : "The platform refused it: ", STR_ARG(reason));
    else if (end->token_stale)
        error_set(err, 503, "%s wants the account's access to be renewed, which is being done", ask->platform->title);
    else if (end->code == 0)
        error_set(err, 503, "%.*s", STR_ARG(reason));
    else if (end->code == 429 || end->retry_after_ms > 0)
        error_set(err, 429, "%.*s", STR_ARG(reason));
    else
        error_set(err, 503, "%s cannot do it now: %.*s", ask->platform->title, STR_ARG(reason));
    err->retry_after_ms = end->token_stale ? REFRESH_WAIT_MS : end->retry_after_ms;
    return false;
}

/* What follows for a stored account from being refused. */
static void
note_refusal(struct call *call, struct ask *ask, struct error *err)
{
    if (ask->op.account.id == 0)
        return;
    call->refreshes_profile = ask->end.verdict == OP_RETRY && ask->end.token_stale;
    call->expires_profile = ask->end.verdict == OP_FAIL && ask->end.token_invalid;
    call->blaming = call->refreshes_profile || call->expires_profile ? ask : NULL;
    if (!call->expires_profile)
        return;
    call->expiry_reason = arena_copy(call->arena, str_of(err->message));
    limit_account(ask->platform, PROFILE_EXPIRED, call->expiry_reason, err);
}

/* The credentials that connecting made are what the next step is there for. */
static bool
makes_credentials(const struct ask *ask)
{
    return ask->end.verdict == OP_DONE && ask->op.kind == OP_CONNECT;
}

static void
answered(struct ask *ask)
{
    struct question *question = container_of(ask, struct question, ask);
    struct call     *call = question->call;
    struct error     err;

    if (ask->end.verdict == OP_DONE || question->hears_refusal) {
        if (!makes_credentials(ask))
            account_wipe(&ask->op.account);
        call->ask = ask;
        call_advance(call);
        return;
    }
    call_refused(ask, &err);
    note_refusal(call, ask, &err);
    if (!call->blaming)
        account_wipe(&ask->op.account);
    call_fail(call, &err);
}

void
call_ask_now(struct call *call)
{
    struct ask *ask = call->asking;

    call->asking = NULL;
    ask->done = answered;
    ask->reply_to = http_mailbox(call->api->http, call->x->thread);
    worker_ask(call->api->options.worker, ask);
}

static void
http_answered(struct worker_call *http)
{
    struct call *call = container_of(http, struct calling, http)->call;

    call->answer = &http->call.response;
    call_advance(call);
}

void
call_http_now(struct call *call)
{
    struct worker_call *http = &call->calling->http;

    call->calling = NULL;
    http->done = http_answered;
    http->reply_to = http_mailbox(call->api->http, call->x->thread);
    worker_call(call->api->options.worker, http);
}
