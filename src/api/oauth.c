/* oauth.c -- see connect.h: access granted on the platform's own pages.
 *
 *     oauth_begin -> (the person, on the platform's pages) -> finish_granting -> use_state (WRITES) -> OP_EXCHANGE
 *         -> exchanged
 *         -> for each account: connect_begin() -> ... -> account_connected or account_refused -> next_account
 *         -> oauth_reply
 *
 * Accounts are connected one after another, and one that is refused does not keep the others from it. */
#include "api/connect.h"

#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/array.h"
#include "base/config.h"
#include "store/idempotency.h"

#define REDIRECT_URL_MAX 1000 /* it goes along sealed in an address, and those have an end */

struct granting {
    struct connecting    connecting; /* first: connect.c finds it there */
    struct str           redirect_url;
    struct str           code, state_name;
    struct account      *accounts;
    struct oauth_result *results;
    size_t               count, at;
};

static struct str
callback_url(struct arena *a)
{
    return arena_printf(a, "%.*s/connect/meta/callback", STR_ARG(config.public_url));
}

/* ---- leaving ---- */

/* It is the person's browser that goes there, so it may be any address that browser knows. */
static bool
redirect_from_body(struct call *call, struct str *out, struct error *err)
{
    return body_text(call->body.json, "redirect_url", REDIRECT_URL_MAX, out, err)
        && (str_is_none(*out) || net_url_check(NULL, *out, "redirect_url", err));
}

bool
oauth_begin(struct call *call, const struct platform *platform, int64_t group_id, struct error *err)
{
    struct oauth_state s = { .workspace_id = call->scope.workspace_id, .group_id = group_id,
                             .scope_group_id = call->scope.group_id, .platform = platform };
    struct str         url;
    struct json        w;

    if (!redirect_from_body(call, &s.redirect_url, err))
        return false;
    if (!platform->login_url)
        return error_set(err, 422, "%s accounts are connected with their credentials", platform->title);
    if (config.public_url.len == 0)
        return error_set(err, 422, "Granting access on %s needs a public URL to come back to (PARLEY_PUBLIC_URL)",
                         platform->title);
    if (!platform->login_url(call->api->options.env, callback_url(call->arena),
                             oauth_state_seal(&s, call->now_ms, call->arena), call->arena, &url, err))
        return false;
    reply_begin(call, 200, &w);
    json_begin(&w, NULL);
    json_put_bool(&w, "success", true);
    json_put_str(&w, "url", url);
    json_end(&w);
    return true;
}

/* ---- coming back ---- */

/* Never empty, so that it can be told from none. */
static struct str
shown_name(struct str name, struct str username, struct str external_id)
{
    if (name.len > 0)
        return name;
    if (username.len > 0)
        return username;
    return external_id.len > 0 ? external_id : STR("An account");
}

static bool
end_with(struct call *call, struct granting *g, int status, struct str failure)
{
    return oauth_reply(call, g->redirect_url, g->connecting.platform, g->results, g->count, status, failure);
}

static bool
begin_account(struct call *call, struct granting *g)
{
    if (g->at == g->count)
        return end_with(call, g, 200, STR_NONE);
    g->connecting.account = g->accounts[g->at];
    connect_begin(call, &g->connecting);
    return true;
}

static bool
next_account(struct db *db, struct call *call, struct error *err)
{
    struct granting *g = call->state;

    (void)db;
    (void)err;
    account_wipe(&g->accounts[g->at]);
    g->at++;
    return begin_account(call, g);
}

/* Set, not added: these two are called in transactions, which may be run twice. */
static bool
account_connected(struct call *call, const struct profile *p, bool is_new, struct error *err)
{
    struct granting *g = call->state;

    (void)is_new;
    (void)err;
    g->results[g->at] = (struct oauth_result){ .name = shown_name(p->name, p->username, p->external_id),
                                               .profile_id = p->id };
    call_then(call, next_account, PLAIN);
    return true;
}

static bool
account_refused(struct call *call, struct error *err)
{
    struct granting *g = call->state;

    g->results[g->at].failure = arena_copy(call->arena, str_of(err->message));
    err->status = 0;
    call_then(call, next_account, PLAIN);
    return true;
}

/* The platform has said what was granted, or that nothing was. */
static bool
exchanged(struct db *db, struct call *call, struct error *err)
{
    struct granting *g = call->state;
    const struct op *op = &call->ask->op;
    struct error     why;

    (void)db;
    (void)err;
    if (call->ask->end.verdict != OP_DONE) {
        call_refused(call->ask, &why);
        return end_with(call, g, why.status, arena_copy(call->arena, str_of(why.message)));
    }
    if (op->account_count == 0)
        return end_with(call, g, 422, STR("No account was granted that could be connected"));
    g->accounts = op->accounts;
    g->count = op->account_count;
    g->results = arena_array(call->arena, struct oauth_result, g->count);
    for (size_t i = 0; i < g->count; i++)
        g->results[i].name = shown_name(g->accounts[i].name, g->accounts[i].username, g->accounts[i].external_id);
    return begin_account(call, g);
}

/* What the platform says of a person who did not grant anything. */
static struct str
denial(struct call *call)
{
    static const char *const names[] = { "error_description", "error_message", "error_reason", "error" };

    for (size_t i = 0; i < COUNT(names); i++) {
        struct str said = call_query(call, names[i]);

        if (said.len > 0 && str_is_utf8(said))
            return said;
    }
    return STR_NONE;
}

/* Whoever sees the address later, in a browser's history or a proxy's log, can do nothing with it. */
static bool
use_state(struct db *db, struct call *call, struct error *err)
{
    struct granting *g = call->state;
    struct op       *op;
    bool             first;

    if (!idempotency_use_up(db, g->state_name, call->now_ms, &first, err))
        return false;
    if (!first)
        return end_with(call, g, 400, STR("This address was used already; begin connecting the account again if it "
                                          "is not there"));
    op = call_ask(call, OP_EXCHANGE, g->connecting.platform, &(struct account){ 0 });
    op->code = g->code;
    op->redirect_uri = callback_url(call->arena);
    call_hear_refusal(call);
    call_then(call, exchanged, PLAIN);
    return true;
}

/* GET /connect/meta/callback. The state says for whom; from here on the call acts for that workspace. A HEAD is from
 * somebody who only looks whether there is anything here. */
bool
finish_granting(struct db *db, struct call *call, struct error *err)
{
    struct granting   *g = arena_new(call->arena, struct granting);
    struct str         denied = denial(call);
    struct oauth_state s = { 0 };
    struct error       why;

    (void)db;
    (void)err;
    if (call->x->request.method == METHOD_HEAD)
        return reply_text(call, STR("text/html; charset=utf-8"), STR(""));
    call->state = g;
    g->code = call_query(call, "code");
    if (!oauth_state_open(call_query(call, "state"), call->now_ms, call->arena, &s, &why))
        return end_with(call, g, 400, arena_copy(call->arena, str_of(why.message)));
    g->redirect_url = s.redirect_url;
    g->state_name = s.name;
    g->connecting = (struct connecting){ .platform = s.platform, .group_id = s.group_id,
                                         .connected = account_connected, .refused = account_refused };
    call->key_scope = (struct scope){ .workspace_id = s.workspace_id, .group_id = s.scope_group_id };
    if (!str_is_none(denied))
        return end_with(call, g, 200, denied);
    if (g->code.len == 0)
        return end_with(call, g, 400, STR("The address has no code; begin connecting the account again"));
    call_then(call, use_state, WRITES);
    return true;
}
