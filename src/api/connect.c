/* connect.c -- POST /api/profile_groups/:id/initialize_connection: an account becomes a profile.
 *
 *     initialize_connection -> OP_CONNECT (whose token is this?) -> choose_profile -> OP_SUBSCRIBE -> store_profile
 *
 * The webhook's address holds the profile's id, so the id is chosen before there is a profile. An account that
 * is connected already keeps its id and its webhook secret: two calls that connect it at once then tell the
 * platform the same. When two connect a new account at once, the second finds in store_profile that the first
 * was faster, and subscribes again under its id. */
#include "api/handlers.h"
#include "api/reply.h"
#include "base/config.h"
#include "base/id.h"
#include "store/view.h"
#include "work/account.h"

#define TOKEN_MAX_BYTES 4096

struct connecting {
    const struct platform *platform;
    int64_t                group_id;
    struct account         account; /* as the platform knows it; webhook_secret is ours */
    int64_t                profile_id;
    bool                   is_known; /* the profile was there when its id was chosen */
};

static bool store_profile(struct db *db, struct call *call, struct error *err);

static bool
platform_from_body(struct call *call, const struct platform **out, struct error *err)
{
    static const char *const announced[] = { "facebook", "instagram", "bluesky" };
    struct str               name;

    if (!body_text(call->body.json, "platform", BODY_ID_MAX, &name, err) || !body_needs(name, "platform", err))
        return false;
    *out = platform_find(name);
    if (*out)
        return true;
    for (size_t i = 0; i < sizeof(announced) / sizeof(announced[0]); i++)
        if (str_eq(name, str_of(announced[i])))
            return error_set(err, 422, "This version cannot connect %s accounts yet", announced[i]);
    return error_set(err, 422, "Direct messages are not supported on %.*s", STR_ARG(str_utf8_cut(name, 80)));
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
    const struct op   *op = &call->ask->op;
    struct profile     known;
    bool               found;

    if (op->kind == OP_CONNECT) {
        c->account.external_id = op->account.external_id;
        c->account.name = op->account.name;
        c->account.username = op->account.username;
    }
    if (!profile_by_account(db, call->scope.workspace_id, c->platform->name, c->account.external_id, call->arena,
                            &known, &found, err)
        || !choose_id(db, call, c, found ? &known : NULL, err))
        return false;
    ask_for_messages(call, c);
    return true;
}

static struct str
next_step(const struct profile *p, struct arena *a)
{
    if (p->username.len == 0)
        return STR("Ask people to write to the bot first; a bot cannot begin a conversation.");
    return arena_printf(a, "Ask people to write to https://t.me/%.*s first; a bot cannot begin a conversation.",
                        STR_ARG(p->username));
}

static bool
reply_connected(struct call *call, int status, const struct profile *p)
{
    struct json w;
    struct str  name = p->name.len > 0 ? p->name : p->username;
    char        id[ID_TEXT_MAX];

    reply_begin(call, status, &w);
    json_begin(&w, NULL);
    json_put_bool(&w, "success", true);
    json_begin(&w, "profile");
    json_put_str(&w, "id", str_of(id_format(ID_PROFILE, p->id, id)));
    json_put_str(&w, "network", str_of(p->platform->name));
    json_put_str(&w, "name", name.len > 0 ? name : STR(""));
    json_put_str(&w, "external_username", p->username.len > 0 ? p->username : STR_NONE);
    json_end(&w);
    if (p->platform == &telegram)
        json_put_str(&w, "next_step", next_step(p, call->arena));
    json_end(&w);
    return true;
}

/* Subscribed. If the profile has come or gone since its id was chosen, the platform now knows the wrong address. */
static bool
store_profile(struct db *db, struct call *call, struct error *err)
{
    struct connecting *c = call->state;
    struct profile     profile;
    struct group       group;
    char               group_text[ID_TEXT_MAX];
    bool               found;

    if (!profile_by_account(db, call->scope.workspace_id, c->platform->name, c->account.external_id, call->arena,
                            &profile, &found, err))
        return false;
    if (found ? profile.id != c->profile_id : c->is_known) {
        call_then(call, choose_profile, WRITES);
        return true;
    }
    /* The group may have been deleted while the platform was thinking. */
    id_format(ID_GROUP, c->group_id, group_text);
    if (!found && !group_find(db, &call->scope, str_of(group_text), call->arena, &group, err))
        return false;
    c->account.hook_url = account_hook_url(c->platform, config.public_url, c->profile_id, call->arena);
    return profile_connect(db, call->scope.workspace_id, c->group_id, c->profile_id, c->platform, &c->account,
                           call->now_ms, call->arena, &profile, err)
        && account_tend(db, &profile, config.public_url, call->now_ms, err)
        && reply_connected(call, found ? 200 : 201, &profile);
}

bool
initialize_connection(struct db *db, struct call *call, struct error *err)
{
    struct connecting *c = arena_new(call->arena, struct connecting);
    struct group       group;
    struct account     account = { 0 };

    call->state = c;
    if (!group_find(db, &call->scope, call_param(call, "id"), call->arena, &group, err)
        || !platform_from_body(call, &c->platform, err)
        || !body_text(call->body.json, "bot_token", TOKEN_MAX_BYTES, &c->account.token, err)
        || !body_needs(c->account.token, "bot_token", err))
        return false;
    c->group_id = group.id;
    c->account.token = str_trim(c->account.token);
    account.token = arena_copy(call->arena, c->account.token);
    call_ask(call, OP_CONNECT, c->platform, &account);
    call_then(call, choose_profile, WRITES);
    return true;
}
