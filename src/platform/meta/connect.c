/* connect.c -- the tie to an account: whose token it is, and which of its events come to us.
 *
 * The address of our webhook is the app's, set once in Meta's dashboard; here an account is only told to use it. A
 * Page and the Instagram account that is linked to it share one subscription, the Page's, and both may be connected
 * here. So both ask for the same fields, for asking replaces what was there; and whoever leaves must not silence the
 * other: a Page with an Instagram account keeps one field that never fires, and the Instagram account changes
 * nothing. What then still comes in belongs to nobody here and is dropped. */
#include "base/array.h"
#include "platform/meta/meta.h"

/* What a Page may be asked for. The first ones are messages as such; if Meta refuses the whole list (a permission for
 * comments is missing, a field is gone), we do with those. The last ones nobody misses. */
static const char *const page_fields[] = {
    "messages", "message_echoes", "message_deliveries", "message_reads", "message_reactions", "messaging_postbacks",
    "messaging_referrals", "message_edits", "feed", "messaging_optins", "messaging_handovers", "standby",
};
#define PAGE_FIELDS        COUNT(page_fields)
#define PAGE_FIELDS_CORE   7
#define PAGE_FIELDS_MISSED 9
#define PAGE_FIELD_QUIET   "messaging_optins"

static const char *const login_fields[] = {
    "messages", "message_reactions", "messaging_seen", "messaging_postbacks", "messaging_referral", "message_edit",
    "messaging_optins", "messaging_handover", "standby", "comments", "live_comments",
};
#define LOGIN_FIELDS      COUNT(login_fields)
#define LOGIN_FIELDS_CORE 4

#define FIRST_REFRESH_MS (META_DAY_MS + META_HOUR_MS) /* a token must be a day old for that, and may be new */

enum { CONNECT_ACCOUNT, CONNECT_PAGE, CONNECT_LOGIN };       /* op->stage */
enum { SUBSCRIBE_ALL, SUBSCRIBE_CORE };
enum { UNSUBSCRIBE_LOOKS, UNSUBSCRIBE_ACTS };

/* ---- whose token it is ---- */

static void
get_fields(struct op *op, struct str path, const char *fields, struct op_step *out)
{
    const struct meta_param params[] = { { "fields", str_of(fields) } };

    meta_call(op, "GET", path, params, 1, out);
}

struct str
meta_page_detail(struct arena *a, struct str page_id)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, 8 * KIB);
    json_begin(&w, NULL);
    json_put_str(&w, "page_id", page_id);
    json_end(&w);
    return arena_take(a, &buf);
}

static void
connect_page(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct account *account = &op->account;
    yyjson_val     *page;
    struct str      id;

    if (!last) {
        get_fields(op, meta_account_path(op, NULL), "id,name,username", out);
        return;
    }
    if (!meta_answered(op, last, &page, out))
        return;
    id = meta_id(op->arena, page, "id");
    if (id.len == 0) {
        meta_retry(op, out, 0, STR("Meta's answer does not say which Page this token is for"));
        return;
    }
    if (account->external_id.len > 0 && !str_eq(id, account->external_id)) {
        meta_fail(op, out, 422, arena_printf(op->arena, "Meta says that this is the id %.*s, not the Page %.*s",
            STR_ARG(id), STR_ARG(account->external_id)));
        return;
    }
    account->external_id = id;
    account->name = meta_name(page, "name");
    account->username = meta_name(page, "username");
    account->details = meta_page_detail(op->arena, id);
    meta_done(out);
}

static void
ask_login(struct op *op, struct op_step *out)
{
    op->stage = CONNECT_LOGIN;
    meta_talk(op)->flavour = META_INSTAGRAM_LOGIN;
    get_fields(op, STR("me"), "id,user_id,username,name", out);
}

/* Webhooks go by `user_id`; `id` is the account's in the eyes of this app alone. */
static void
read_login(struct op *op, yyjson_val *me, struct op_step *out)
{
    struct account *account = &op->account;
    struct str      id = meta_id(op->arena, me, "id"), user_id = meta_id(op->arena, me, "user_id");

    if (user_id.len == 0)
        user_id = id;
    if (user_id.len == 0) {
        meta_retry(op, out, 0, STR("Instagram's answer does not say which account this token is for"));
        return;
    }
    if (account->external_id.len > 0 && !str_eq(account->external_id, user_id) && !str_eq(account->external_id, id)) {
        meta_fail(op, out, 422, arena_printf(op->arena, "This token is for the Instagram account %.*s, not for %.*s",
            STR_ARG(user_id), STR_ARG(account->external_id)));
        return;
    }
    account->external_id = user_id;
    account->alt_external_id = str_eq(id, user_id) ? STR_NONE : id;
    account->username = meta_name(me, "username");
    account->name = meta_name(me, "name");
    account->details = STR("{\"login\":\"instagram\"}");
    if (account->refresh_at == 0)
        account->refresh_at = op->now_ms + FIRST_REFRESH_MS;
    meta_done(out);
}

/* The Page whose token it is, or the one that was named, must be the one the account is linked to. */
static void
read_linked_page(struct op *op, yyjson_val *page, struct op_step *out)
{
    struct account *account = &op->account;
    struct str      id = meta_id(op->arena, page, "id"), name = json_str(page, "name");
    struct str      linked = meta_id(op->arena, json_obj(page, "instagram_business_account"), "id");

    if (id.len == 0)
        meta_retry(op, out, 0, STR("Meta's answer does not say which Page this token is for"));
    else if (linked.len == 0)
        meta_fail(op, out, 422, arena_printf(op->arena, "%.*s (%.*s) is not a Page with a linked Instagram account: use"
            " the token of the Page that %.*s is linked to", STR_ARG(str_utf8_cut(name, 100)), STR_ARG(id),
            STR_ARG(account->external_id)));
    else if (!str_eq(linked, account->external_id))
        meta_fail(op, out, 422, arena_printf(op->arena, "The Page %.*s (%.*s) is linked to the Instagram account %.*s,"
            " not to %.*s", STR_ARG(str_utf8_cut(name, 100)), STR_ARG(id), STR_ARG(linked),
            STR_ARG(account->external_id)));
    else {
        account->details = meta_page_detail(op->arena, id);
        account->expires_at = account->refresh_at = 0;
        meta_done(out);
    }
}

static void
begin_instagram(struct op *op, struct op_step *out)
{
    struct meta_talk *talk = meta_talk(op);

    if (talk->flavour == META_INSTAGRAM_LOGIN || (talk->page_id.len == 0 && str_starts(talk->token, STR("IG"))))
        ask_login(op, out);
    else if (op->account.external_id.len == 0)
        meta_fail(op, out, 400, STR("account_id is missing"));
    else {
        op->stage = CONNECT_ACCOUNT;
        get_fields(op, meta_path(op, op->account.external_id, NULL), "id,username,name", out);
    }
}

static void
connect_instagram(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct meta_talk *talk = meta_talk(op);
    yyjson_val       *answer;

    if (!last) {
        begin_instagram(op, out);
        return;
    }
    if (!meta_answered(op, last, &answer, out)) {
        /* Pages' tokens begin with EAA. Of others only Instagram itself can say whether they are good. */
        if (op->stage == CONNECT_ACCOUNT && talk->error == META_TOKEN && talk->page_id.len == 0
            && !str_starts(talk->token, STR("EAA")))
            ask_login(op, out);
        return;
    }
    switch (op->stage) {
    case CONNECT_LOGIN:
        read_login(op, answer, out);
        return;
    case CONNECT_PAGE:
        read_linked_page(op, answer, out);
        return;
    }
    if (!str_eq(meta_id(op->arena, answer, "id"), op->account.external_id)) {
        meta_fail(op, out, 422, arena_printf(op->arena, "Meta does not know %.*s as an Instagram account's id",
            STR_ARG(op->account.external_id)));
        return;
    }
    op->account.username = meta_name(answer, "username");
    op->account.name = meta_name(answer, "name");
    op->stage = CONNECT_PAGE;
    get_fields(op, meta_account_path(op, NULL), "id,name,instagram_business_account", out);
}

void
meta_connect(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (meta_talk(op)->flavour == META_PAGE)
        connect_page(op, last, out);
    else
        connect_instagram(op, last, out);
}

/* ---- which events come to us ---- */

static void
wanted_fields(struct op *op, const char *const **fields, size_t *all, size_t *core)
{
    bool is_login = meta_talk(op)->flavour == META_INSTAGRAM_LOGIN;

    *fields = is_login ? login_fields : page_fields;
    *all = is_login ? LOGIN_FIELDS : PAGE_FIELDS;
    *core = is_login ? LOGIN_FIELDS_CORE : PAGE_FIELDS_CORE;
}

static struct str
join(struct arena *a, const char *const *fields, size_t n)
{
    struct buf buf;

    buf_init(&buf, 4 * KIB);
    for (size_t i = 0; i < n; i++)
        buf_printf(&buf, "%s%s", i > 0 ? "," : "", fields[i]);
    return arena_take(a, &buf);
}

static void
post_fields(struct op *op, struct str fields, struct op_step *out)
{
    const struct meta_param params[] = { { "subscribed_fields", fields } };

    meta_call(op, "POST", meta_account_path(op, "subscribed_apps"), params, 1, out);
}

/* One of Meta's samples has the word in quotes. */
static bool
says_success(yyjson_val *answer)
{
    return json_true(answer, "success") || str_eq(json_str(answer, "success"), STR("true"));
}

static void
finish_change(struct op *op, const struct net_response *last, yyjson_val *answer, struct op_step *out)
{
    if (says_success(answer))
        meta_done(out);
    else
        meta_retry(op, out, last->status, STR("Meta did not change the subscription, and did not say why"));
}

void
meta_subscribe(struct op *op, const struct net_response *last, struct op_step *out)
{
    const char *const *fields;
    size_t             all, core;
    yyjson_val        *answer;

    wanted_fields(op, &fields, &all, &core);
    if (!last) {
        op->stage = SUBSCRIBE_ALL;
        post_fields(op, join(op->arena, fields, all), out);
    } else if (meta_answered(op, last, &answer, out)) {
        finish_change(op, last, answer, out);
    } else if (op->stage == SUBSCRIBE_ALL && (out->code == 100 || out->code == 200)) {
        op->stage = SUBSCRIBE_CORE;
        post_fields(op, join(op->arena, fields, core), out);
    }
}

static void
unsubscribe_page(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *answer;

    if (!last) {
        op->stage = UNSUBSCRIBE_LOOKS;
        get_fields(op, meta_account_path(op, NULL), "id,instagram_business_account", out);
        return;
    }
    if (!meta_answered(op, last, &answer, out))
        return;
    if (op->stage == UNSUBSCRIBE_ACTS) {
        finish_change(op, last, answer, out);
        return;
    }
    op->stage = UNSUBSCRIBE_ACTS;
    if (json_obj(answer, "instagram_business_account"))
        post_fields(op, STR(PAGE_FIELD_QUIET), out);
    else
        meta_call(op, "DELETE", meta_account_path(op, "subscribed_apps"), NULL, 0, out);
}

static void
unsubscribe_login(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *answer;

    if (!last)
        meta_call(op, "DELETE", meta_account_path(op, "subscribed_apps"), NULL, 0, out);
    else if (meta_answered(op, last, &answer, out))
        finish_change(op, last, answer, out);
}

void
meta_unsubscribe(struct op *op, const struct net_response *last, struct op_step *out)
{
    switch (meta_talk(op)->flavour) {
    case META_PAGE:
        unsubscribe_page(op, last, out);
        return;
    case META_INSTAGRAM_LOGIN:
        unsubscribe_login(op, last, out);
        return;
    case META_INSTAGRAM_PAGE: /* the subscription is the Page's */
        meta_done(out);
        return;
    }
}

/* ---- whether they still do ---- */

static bool
lists(yyjson_val *names, const char *name)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(names);
    yyjson_val     *val;

    while ((val = yyjson_arr_iter_next(&it)) != NULL)
        if (str_eq(json_val_str(val), str_of(name)))
            return true;
    return false;
}

/* The entry of our app; of any, where we do not know ours. An account of its own lists only the app whose token it is,
 * and under which of its two ids is not documented. */
static yyjson_val *
our_app(struct op *op, yyjson_val *apps)
{
    struct str      id = meta_talk(op)->flavour == META_INSTAGRAM_LOGIN ? STR_NONE : op->env->meta_app_id;
    yyjson_arr_iter it = yyjson_arr_iter_with(apps);
    yyjson_val     *app;

    while ((app = yyjson_arr_iter_next(&it)) != NULL)
        if (id.len == 0 || str_eq(meta_id(op->arena, app, "id"), id))
            return app;
    return NULL;
}

/* An Instagram account's events are chosen in the dashboard: the Page needs any field at all. */
static struct str
missing_fields(struct op *op, yyjson_val *app)
{
    const char *missing[PAGE_FIELDS_MISSED];
    size_t      n = 0;
    yyjson_val *subscribed = json_arr(app, "subscribed_fields");

    if (meta_talk(op)->flavour != META_PAGE || !subscribed)
        return STR_NONE;
    for (size_t i = 0; i < PAGE_FIELDS_MISSED; i++)
        if (!lists(subscribed, page_fields[i]))
            missing[n++] = page_fields[i];
    return n > 0 ? join(op->arena, missing, n) : STR_NONE;
}

/* Meta ends a subscription by itself where our webhook did not answer for an hour, and never takes it up again. */
static void
subscribe_again(struct op *op, const struct net_response *last, struct op_step *out)
{
    meta_talk(op)->renews = true;
    meta_subscribe(op, last, out);
    if (out->verdict == OP_CALL || out->token_invalid)
        return;
    op->check_lost = out->verdict != OP_DONE;
    if (op->check_lost)
        op->check_detail = arena_printf(op->arena, "Meta no longer sends us this account's messages: our app is not"
            " subscribed to it any more, and could not be again: %.*s", STR_ARG(out->reason));
    else
        op->check_detail = STR("Meta had stopped sending us this account's messages, and does so again. What was"
            " written meanwhile may be missing");
    meta_done(out);
}

void
meta_check(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *answer, *app;
    struct str  missing;

    if (meta_talk(op)->renews) {
        subscribe_again(op, last, out);
        return;
    }
    if (!last) {
        meta_call(op, "GET", meta_account_path(op, "subscribed_apps"), NULL, 0, out);
        return;
    }
    if (!meta_answered(op, last, &answer, out))
        return;
    app = our_app(op, json_arr(answer, "data"));
    if (!app) {
        subscribe_again(op, NULL, out);
        return;
    }
    missing = missing_fields(op, app);
    if (missing.len > 0)
        op->check_detail = arena_printf(op->arena, "Our app is not subscribed to %.*s of this Page. Connect it again,"
            " with a token that has all permissions", STR_ARG(missing));
    meta_done(out);
}
