/* connect.c -- see connect.h: an account becomes a profile.
 *
 *     initialize_connection -> OP_CONNECT (whose token is this?) -> choose_profile -> OP_SUBSCRIBE -> store_profile
 *
 * A webhook's address may hold the profile's id, so the id is chosen before there is a profile. An account that
 * is connected already keeps its id and its webhook secret: two calls that connect it at once then tell the
 * platform the same. When two connect a new account at once, the second finds in store_profile that the first
 * was faster, and subscribes again under its id. */
#include "api/connect.h"

#include "api/handlers.h"
#include "api/reply.h"
#include "base/config.h"
#include "base/id.h"
#include "work/account.h"

static bool store_profile(struct db *db, struct call *call, struct error *err);

static bool
refuse_platform(struct str name, struct arena *a, struct error *err)
{
    const struct platform *meant = platform_find(arena_lower(a, name));

    if (meant)
        return error_set(err, 422, "platform is '%s' in small letters, not '%.*s'", meant->name, STR_ARG(name));
    return error_set(err, 422, "Direct messages are not supported on %.*s", STR_ARG(str_utf8_cut(name, 80)));
}

static bool
platform_from_body(struct call *call, const struct platform **out, struct error *err)
{
    struct str name;

    if (!body_text(call->body.json, "platform", BODY_ID_MAX, &name, err) || !body_needs(name, "platform", err))
        return false;
    *out = platform_find(name);
    return *out || refuse_platform(name, call->arena, err);
}

/* Trouble of our own ends the call in any case. */
static bool
give_up(struct call *call, const struct connecting *c, struct error *err)
{
    return err->status < 500 && c->refused && c->refused(call, err);
}

static void
ask_for_messages(struct call *call, const struct connecting *c)
{
    struct account account = c->account;
    struct op     *op;

    account.token = arena_copy(call->arena, account.token); /* it is wiped after the answer */
    account.webhook_secret = arena_copy(call->arena, account.webhook_secret);
    op = call_ask(call, OP_SUBSCRIBE, c->platform, &account);
    op->hook_url = account_hook_url(c->platform, config.public_url, c->profile_id, call->arena);
    if (c->refused)
        call_hear_refusal(call);
    call_then(call, store_profile, WRITES);
}

/* Which profile the account is or will be. */
static bool
choose_id(struct db *db, struct call *call, struct connecting *c, const struct profile *known, struct error *err)
{
    struct account stored = { 0 };

    c->is_known = known != NULL;
    c->profile_id = known ? known->id : id_generate(call->now_ms);
    c->account.webhook_secret = STR_NONE;
    if (known && call->scope.group_id && call->scope.group_id != known->group_id)
        return error_set(err, 422, "This account is connected in another profile group");
    /* Secrets that were sealed with another key are lost, and connecting again is the way out of that. */
    if (known && !profile_account(db, known, call->arena, &stored, err) && err->status != 500)
        return false;
    if (stored.webhook_secret.len > 0)
        c->account.webhook_secret = arena_copy(call->arena, stored.webhook_secret);
    else
        c->account.webhook_secret = account_new_secret(call->arena);
    account_wipe(&stored);
    return true;
}

static bool
choose_profile(struct db *db, struct call *call, struct error *err)
{
    struct connecting *c = call->state;
    struct profile     known;
    bool               found;

    if (!profile_by_account(db, call->scope.workspace_id, c->platform->name, c->account.external_id, call->arena,
                            &known, &found, err))
        return false;
    if (!choose_id(db, call, c, found ? &known : NULL, err))
        return give_up(call, c, err);
    err->status = 0;
    ask_for_messages(call, c);
    return true;
}

/* The platform has said whose the credentials are. */
static bool
know_account(struct db *db, struct call *call, struct error *err)
{
    struct connecting *c = call->state;

    if (call->ask->end.verdict != OP_DONE) {
        call_refused(call->ask, err);
        return c->refused(call, err);
    }
    c->account = call->ask->op.account;
    return choose_profile(db, call, err);
}

void
connect_begin(struct call *call, struct connecting *c)
{
    struct account account = c->account;

    account.token = arena_copy(call->arena, account.token); /* it may be wiped after the answer */
    call_ask(call, OP_CONNECT, c->platform, &account);
    if (c->refused)
        call_hear_refusal(call);
    call_then(call, know_account, WRITES);
}

static bool
still_has_group(struct db *db, struct call *call, const struct connecting *c, struct error *err)
{
    struct group group;
    char         id[ID_TEXT_MAX];

    return group_find(db, &call->scope, str_of(id_format(ID_GROUP, c->group_id, id)), call->arena, &group, err);
}

/* Not every account has a name, and profiles always show one. */
static void
give_name(struct account *account)
{
    if (account->name.len == 0)
        account->name = account->username.len > 0 ? account->username : account->external_id;
}

/* Subscribed. If the profile has come or gone since its id was chosen, the platform now knows the wrong address. The
 * group may have been deleted while the platform was thinking. */
static bool
store_profile(struct db *db, struct call *call, struct error *err)
{
    struct connecting *c = call->state;
    struct profile     profile;
    bool               found;

    if (call->ask->end.verdict != OP_DONE) {
        call_refused(call->ask, err);
        return c->refused(call, err);
    }
    if (!profile_by_account(db, call->scope.workspace_id, c->platform->name, c->account.external_id, call->arena,
                            &profile, &found, err))
        return false;
    if (found ? profile.id != c->profile_id : c->is_known) {
        call_then(call, choose_profile, WRITES);
        return true;
    }
    if (!found && !still_has_group(db, call, c, err))
        return give_up(call, c, err);
    c->account.hook_url = account_hook_url(c->platform, config.public_url, c->profile_id, call->arena);
    give_name(&c->account);
    return profile_connect(db, call->scope.workspace_id, c->group_id, c->profile_id, c->platform, &c->account,
                           call->now_ms, call->arena, &profile, err)
        && account_tend(db, &profile, config.public_url, call->now_ms, err)
        && c->connected(call, &profile, !found, err);
}

static bool
reply_connected(struct call *call, const struct profile *p, bool is_new, struct error *err)
{
    struct json w;
    struct str  name = p->name.len > 0 ? p->name : p->username;
    struct str  advice = connect_next_step(p, config.public_url, call->arena);
    char        id[ID_TEXT_MAX];

    (void)err;
    reply_begin(call, is_new ? 201 : 200, &w);
    json_begin(&w, NULL);
    json_put_bool(&w, "success", true);
    json_begin(&w, "profile");
    json_put_str(&w, "id", str_of(id_format(ID_PROFILE, p->id, id)));
    json_put_str(&w, "network", str_of(p->platform->name));
    json_put_str(&w, "name", name.len > 0 ? name : STR(""));
    json_put_str(&w, "external_username", p->username.len > 0 ? p->username : STR_NONE);
    json_end(&w);
    if (!str_is_none(advice))
        json_put_str(&w, "next_step", advice);
    json_end(&w);
    return true;
}

bool
initialize_connection(struct db *db, struct call *call, struct error *err)
{
    struct connecting *c = arena_new(call->arena, struct connecting);
    struct group       group;
    bool               is_grant;

    call->state = c;
    if (!group_find(db, &call->scope, call_param(call, "id"), call->arena, &group, err)
        || !platform_from_body(call, &c->platform, err)
        || !connect_form_read(call, c->platform, &c->account, &is_grant, err))
        return false;
    if (is_grant)
        return oauth_begin(call, c->platform, group.id, err);
    c->group_id = group.id;
    c->connected = reply_connected;
    connect_begin(call, c);
    return true;
}
