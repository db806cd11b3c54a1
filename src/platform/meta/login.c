/* login.c -- OAuth: where a person grants access, what the code they come back with is worth, and how a token stays
 * alive.
 *
 * Secrets stand in bodies wherever Meta takes them there. For Instagram's ig_exchange_token and ig_refresh_token it
 * documents the query alone, so there the token, and once the secret, are a part of the URL, which nothing logs. */
#include "platform/meta/meta.h"

#define REFRESH_BEFORE_MS (10 * META_DAY_MS)               /* of sixty */
#define REFRESH_AGE_MS    (META_DAY_MS + META_HOUR_MS)      /* a token must be a day old */
#define EXPIRES_MAX_S     ((int64_t)10 * 365 * 24 * 3600)
#define PAGE_SIZE         "100"
#define PAGES_MAX         10

#define PAGE_SCOPES "pages_show_list,pages_messaging,pages_manage_metadata,pages_read_engagement,business_management"
#define FACEBOOK_SCOPES  PAGE_SCOPES ",pages_manage_engagement"
#define INSTAGRAM_SCOPES PAGE_SCOPES ",instagram_basic,instagram_manage_messages,instagram_manage_comments"
#define LOGIN_SCOPES "instagram_business_basic,instagram_business_manage_messages,instagram_business_manage_comments"

enum { EXCHANGE_CODE, EXCHANGE_LONG, EXCHANGE_ACCOUNTS };  /* op->stage; then one more for each page of them */

static struct str
versioned(struct arena *a, const struct platform_env *env, const char *path)
{
    return arena_printf(a, "%.*s%s%s", STR_ARG(env->meta_version), env->meta_version.len > 0 ? "/" : "", path);
}

/* ---- where access is granted ---- */

static bool
has_instagram_login(const struct platform_env *env)
{
    return env->instagram_app_id.len > 0;
}

static bool
is_configured(struct str id, struct str secret, const char *names, struct error *err)
{
    if (id.len > 0 && secret.len > 0)
        return true;
    return error_set(err, 422, "Connecting by OAuth needs an app of Meta's: set %s", names);
}

static void
put_login_url(struct arena *a, struct str page, struct str client_id, const char *scopes, struct str redirect_uri,
    struct str state, struct str *out)
{
    const struct meta_param params[] = {
        { "client_id", client_id }, { "redirect_uri", redirect_uri }, { "state", state },
        { "response_type", STR("code") }, { "scope", str_of(scopes) },
    };

    *out = meta_query(a, page, params, 5);
}

static bool
dialog_url(const struct platform_env *env, const char *scopes, struct str redirect_uri, struct str state,
    struct arena *a, struct str *out, struct error *err)
{
    struct str path = versioned(a, env, "dialog/oauth");

    if (!is_configured(env->meta_app_id, env->meta_app_secret, "PARLEY_META_APP_ID and PARLEY_META_APP_SECRET", err))
        return false;
    put_login_url(a, meta_url(a, env->meta_login_url, path.ptr), env->meta_app_id, scopes, redirect_uri, state, out);
    return true;
}

bool
facebook_login_url(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
    struct str *out, struct error *err)
{
    return dialog_url(env, FACEBOOK_SCOPES, redirect_uri, state, a, out, err);
}

bool
instagram_login_url(const struct platform_env *env, struct str redirect_uri, struct str state, struct arena *a,
    struct str *out, struct error *err)
{
    if (!has_instagram_login(env) && env->meta_app_id.len > 0)
        return dialog_url(env, INSTAGRAM_SCOPES, redirect_uri, state, a, out, err);
    if (!is_configured(env->instagram_app_id, env->instagram_app_secret, "PARLEY_INSTAGRAM_APP_ID and"
        " PARLEY_INSTAGRAM_APP_SECRET, or PARLEY_META_APP_ID and PARLEY_META_APP_SECRET", err))
        return false;
    put_login_url(a, meta_url(a, env->instagram_login_url, "oauth/authorize"), env->instagram_app_id, LOGIN_SCOPES,
        redirect_uri, state, out);
    return true;
}

/* ---- tokens ---- */

/* Keeps the token of an answer. False, with a verdict, when there is none. */
static bool
take_token(struct op *op, yyjson_val *answer, struct op_step *out)
{
    struct str token = json_str(answer, "access_token");

    if (!meta_token_fits(token)) {
        meta_retry(op, out, 0, STR("Meta's answer has no token"));
        return false;
    }
    meta_talk(op)->token = token;
    return true;
}

/* Ten days before it ends, and not before it is a day old. */
static void
set_expiry(struct op *op, yyjson_val *answer, struct account *account)
{
    int64_t seconds = json_int(answer, "expires_in", 0), lives_ms, wait_ms;

    account->expires_at = 0;
    account->refresh_at = op->now_ms + REFRESH_AGE_MS;
    if (seconds <= 0 || seconds > EXPIRES_MAX_S)
        return;
    lives_ms = seconds * 1000;
    wait_ms = lives_ms - REFRESH_BEFORE_MS > REFRESH_AGE_MS ? lives_ms - REFRESH_BEFORE_MS : REFRESH_AGE_MS;
    account->expires_at = op->now_ms + lives_ms;
    account->refresh_at = op->now_ms + (wait_ms < lives_ms ? wait_ms : lives_ms / 2);
}

static struct account *
add_account(struct op *op)
{
    struct account *account;

    op->accounts = arena_more(op->arena, op->accounts, op->account_count, &meta_talk(op)->cap, sizeof(*op->accounts));
    account = &op->accounts[op->account_count++];
    *account = (struct account){ 0 };
    return account;
}

/* ---- Instagram Login ---- */

static void
exchange_instagram_code(struct op *op, struct op_step *out)
{
    const struct platform_env *env = op->env;
    struct str                 code = op->code;
    const struct meta_param    params[] = {
        { "client_id", env->instagram_app_id }, { "client_secret", env->instagram_app_secret },
        { "grant_type", STR("authorization_code") }, { "redirect_uri", op->redirect_uri },
        { "code", str_ends(code, STR("#_")) ? str_slice(code, 0, code.len - 2) : code },
    };

    meta_call_form(op, meta_url(op->arena, env->instagram_token_url, "oauth/access_token"), params, 5, out);
}

static void
exchange_instagram_long(struct op *op, struct op_step *out)
{
    const struct meta_param params[] = {
        { "grant_type", STR("ig_exchange_token") }, { "client_secret", op->env->instagram_app_secret },
        { "access_token", meta_talk(op)->token },
    };

    op->stage = EXCHANGE_LONG;
    meta_call_url(op, meta_query(op->arena, meta_graph_url(op, "access_token"), params, 3), out);
}

static void
exchange_instagram(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val     *answer, *granted;
    struct account *account;

    if (!last) {
        meta_talk(op)->flavour = META_INSTAGRAM_LOGIN;
        exchange_instagram_code(op, out);
        return;
    }
    if (!meta_answered(op, last, &answer, out))
        return;
    granted = yyjson_arr_get_first(json_arr(answer, "data")); /* its newer form */
    if (!take_token(op, granted ? granted : answer, out))
        return;
    if (op->stage == EXCHANGE_CODE) {
        exchange_instagram_long(op, out);
        return;
    }
    account = add_account(op);
    account->token = meta_talk(op)->token;
    account->details = STR("{\"login\":\"instagram\"}");
    set_expiry(op, answer, account);
    meta_done(out);
}

/* ---- Facebook Login ---- */

static struct str
token_url(struct op *op)
{
    return meta_graph_url(op, versioned(op->arena, op->env, "oauth/access_token").ptr);
}

static void
exchange_facebook_code(struct op *op, struct op_step *out)
{
    const struct meta_param params[] = {
        { "client_id", op->env->meta_app_id }, { "client_secret", op->env->meta_app_secret },
        { "redirect_uri", op->redirect_uri }, { "code", op->code },
    };

    meta_call_form(op, token_url(op), params, 4, out);
}

/* Pages' tokens last only where the person's does. */
static void
exchange_facebook_long(struct op *op, struct op_step *out)
{
    const struct meta_param params[] = {
        { "grant_type", STR("fb_exchange_token") }, { "client_id", op->env->meta_app_id },
        { "client_secret", op->env->meta_app_secret }, { "fb_exchange_token", meta_talk(op)->token },
    };

    op->stage = EXCHANGE_LONG;
    meta_call_form(op, token_url(op), params, 4, out);
}

/* `after` none = from the first. The `next` link of an answer holds the token, so it is not followed. */
static void
list_accounts(struct op *op, struct str after, struct op_step *out)
{
    const struct meta_param params[] = {
        { "fields", STR("id,name,access_token,tasks,instagram_business_account{id,username,name}") },
        { "limit", STR(PAGE_SIZE) },
        { "after", after },
    };

    op->stage++;
    meta_call(op, "GET", STR("me/accounts"), params, after.len > 0 ? 3 : 2, out);
}

static void
add_page(struct op *op, yyjson_val *page)
{
    bool            is_page = meta_talk(op)->flavour == META_PAGE;
    yyjson_val     *linked = json_obj(page, "instagram_business_account");
    struct str      page_id = meta_id(op->arena, page, "id"), token = json_str(page, "access_token");
    struct str      id = is_page ? page_id : meta_id(op->arena, linked, "id");
    struct account *account;

    if (!meta_is_id(page_id) || !meta_is_id(id) || !meta_token_fits(token))
        return;
    account = add_account(op);
    account->external_id = id;
    account->name = meta_name(is_page ? page : linked, "name");
    account->username = is_page ? STR_NONE : meta_name(linked, "username");
    account->token = token;
    account->details = meta_page_detail(op->arena, page_id);
}

static void
read_accounts(struct op *op, yyjson_val *answer, struct op_step *out)
{
    yyjson_val     *paging = json_obj(answer, "paging"), *page;
    struct str      after = json_str(json_obj(paging, "cursors"), "after");
    yyjson_arr_iter it = yyjson_arr_iter_with(json_arr(answer, "data"));

    while ((page = yyjson_arr_iter_next(&it)) != NULL)
        add_page(op, page);
    if (json_str(paging, "next").len > 0 && after.len > 0 && op->stage < EXCHANGE_ACCOUNTS + PAGES_MAX - 1)
        list_accounts(op, after, out);
    else if (op->account_count > 0)
        meta_done(out);
    else if (meta_talk(op)->flavour == META_PAGE)
        meta_fail(op, out, 422, STR("Access was granted to no Page"));
    else
        meta_fail(op, out, 422, STR("Access was granted to no Page that an Instagram account is linked to"));
}

static void
exchange_facebook(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *answer;

    if (!last) {
        exchange_facebook_code(op, out);
        return;
    }
    if (!meta_answered(op, last, &answer, out))
        return;
    if (op->stage >= EXCHANGE_ACCOUNTS) {
        read_accounts(op, answer, out);
        return;
    }
    if (!take_token(op, answer, out))
        return;
    if (op->stage == EXCHANGE_CODE)
        exchange_facebook_long(op, out);
    else
        list_accounts(op, STR_NONE, out);
}

void
meta_exchange(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (meta_talk(op)->flavour != META_PAGE && has_instagram_login(op->env))
        exchange_instagram(op, last, out);
    else
        exchange_facebook(op, last, out);
}

/* ---- keeping one alive ---- */

static void
ask_for_refresh(struct op *op, struct op_step *out)
{
    const struct meta_param params[] = {
        { "grant_type", STR("ig_refresh_token") }, { "access_token", op->account.token },
    };

    meta_call_url(op, meta_query(op->arena, meta_graph_url(op, "refresh_access_token"), params, 2), out);
}

/* A token that is too young is refused like one that cannot be refreshed at all; the one it has may be good for
 * weeks, and whether it still is the next call will tell. */
static void
refresh_refused(struct op *op, struct op_step *out)
{
    bool is_over = op->account.expires_at > 0 && op->account.expires_at <= op->now_ms;

    if (is_over || (out->token_invalid && str_find_nocase(out->reason, STR("24 hours")) < 0)) {
        out->token_invalid = true;
        return;
    }
    op->account.refresh_at = op->now_ms + META_DAY_MS;
    meta_done(out);
}

void
meta_refresh(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *answer;

    if (meta_talk(op)->flavour != META_INSTAGRAM_LOGIN) { /* a Page's token has no clock */
        op->account.refresh_at = 0;
        meta_done(out);
    } else if (!last) {
        ask_for_refresh(op, out);
    } else if (!meta_answered(op, last, &answer, out)) {
        if (out->verdict == OP_FAIL)
            refresh_refused(op, out);
    } else if (take_token(op, answer, out)) {
        op->account.token = meta_talk(op)->token;
        set_expiry(op, answer, &op->account);
        meta_done(out);
    }
}
