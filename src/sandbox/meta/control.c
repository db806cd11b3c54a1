/* control.c -- the app, accounts, people, events and calls; see control.h. */
#include "sandbox/meta/control.h"

#include <stdio.h>

#include "sandbox/meta/hook.h"
#include "sandbox/meta/records.h"
#include "sandbox/meta/tell.h"

#define ID_MAX INT64_C(999999999999999999)

bool
fb_control_body(struct http_exchange *x, yyjson_val **out, struct error *err)
{
    if (x->request.body.len == 0)
        x->request.body = STR("{}");
    return stage_read_body(x, out, err);
}

int64_t
fb_control_id(yyjson_val *obj, const char *key)
{
    int64_t id;

    return str_to_i64(json_str(obj, key), &id) ? id : json_int(obj, key, 0);
}

struct fb_account *
fb_control_account(struct fb *fb, const struct http_exchange *x, struct error *err)
{
    int64_t            id = 0;
    bool               is_number = str_to_i64(http_param_get(&x->request, STR("account")), &id);
    struct fb_account *a = is_number ? fb_account_get(fb, id) : NULL;

    if (!a)
        error_set(err, 404, "there is no such account; GET /sandbox/meta/accounts lists them");
    return a;
}

/* ---- the app ---- */

static FB_HANDLER(show_app)
{
    const struct fb *fb = state;

    (void)x;
    (void)err;
    stage_put_id(w, "id", fb->app_id);
    json_put_str(w, "secret", fb->app_secret);
    stage_put_id(w, "instagram_app_id", fb->instagram_app_id);
    json_put_str(w, "instagram_secret", fb->instagram_secret);
    json_begin(w, "callbacks");
    fb_hook_write(fb, FB_PAGE, w, "page");
    fb_hook_write(fb, FB_INSTAGRAM, w, "instagram");
    json_end(w);
    json_put_bool(w, "hold", fb->hold);
    return true;
}

static FB_HANDLER(change_app)
{
    struct fb  *fb = state;
    yyjson_val *body;
    struct str  secret, instagram_secret;

    if (!fb_control_body(x, &body, err))
        return false;
    secret = json_str(body, "secret");
    instagram_secret = json_str(body, "instagram_secret");
    if ((!str_is_none(secret) && secret.len == 0) || (!str_is_none(instagram_secret) && instagram_secret.len == 0))
        return error_set(err, 400, "a secret must not be empty");
    if (secret.len > 0)
        own_set(&fb->app_secret, secret);
    if (instagram_secret.len > 0)
        own_set(&fb->instagram_secret, instagram_secret);
    if (fb_control_id(body, "id") > 0)
        fb->app_id = fb_control_id(body, "id");
    if (fb_control_id(body, "instagram_app_id") > 0)
        fb->instagram_app_id = fb_control_id(body, "instagram_app_id");
    return show_app(state, x, w, err);
}

static FB_HANDLER(set_callback)
{
    struct fb  *fb = state;
    yyjson_val *body;

    (void)w;
    return fb_control_body(x, &body, err) && fb_hook_challenge(fb, x, body, err);
}

static FB_HANDLER(remove_callback)
{
    struct fb     *fb = state;
    struct str     object = http_param_get(&x->request, STR("object"));
    enum fb_object which = str_eq(object, STR("instagram")) ? FB_INSTAGRAM : FB_PAGE;

    if (which == FB_PAGE && !str_eq(object, STR("page")))
        return error_set(err, 404, "there are page and instagram");
    fb_hook_clear(fb, which);
    own_free(&fb->hooks[which].url);
    return show_app(state, x, w, err);
}

/* ---- accounts ---- */

static void
put_account(struct json *w, const struct fb_account *a)
{
    const struct fb_token *t = fb_token_of(a->fb, a);

    stage_put_id(w, "id", a->id);
    json_put_str(w, "kind", fb_is_instagram(a) ? STR("instagram") : STR("page"));
    json_put_str(w, "name", a->name);
    json_put_str(w, "username", a->username);
    if (fb_is_instagram(a)) {
        stage_put_id(w, "app_scoped_id", a->app_scoped_id);
        if (a->page)
            stage_put_id(w, "page", a->page->id);
        else
            json_put_null(w, "page");
        json_put_bool(w, "login", a->has_login);
    }
    json_put_str(w, "token", t ? t->text : STR_NONE);
    json_put_bool(w, "subscribed", a->subscribed);
    fb_fields_write(a->object, a->fields, w, "subscribed_fields");
    json_put_bool(w, "messages_allowed", !a->no_messages);
    json_put_int(w, "thread_owner", a->thread_owner);
}

static FB_HANDLER(list_accounts)
{
    const struct fb *fb = state;

    (void)x;
    (void)err;
    json_begin_array(w, "data");
    for (const struct fb_account *a = fb->first_account; a; a = a->next) {
        json_begin(w, NULL);
        put_account(w, a);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

static bool
find_page(struct fb *fb, yyjson_val *body, struct fb_account **out, struct error *err)
{
    *out = json_get(body, "page") && !yyjson_is_null(json_get(body, "page"))
        ? fb_account_get(fb, fb_control_id(body, "page")) : NULL;
    if (json_get(body, "page") && !yyjson_is_null(json_get(body, "page")) && (!*out || fb_is_instagram(*out)))
        return error_set(err, 400, "page must be the id of a Page");
    return true;
}

static bool
read_account(struct fb *fb, yyjson_val *body, struct fb_account **page, int64_t *id, struct error *err)
{
    struct str kind = json_str(body, "kind"), name = json_str(body, "name");
    bool       instagram = str_eq(kind, STR("instagram"));

    if (!instagram && !str_eq(kind, STR("page")))
        return error_set(err, 400, "kind must be \"page\" or \"instagram\"");
    if (name.len == 0 || name.len > 256 || json_str(body, "username").len > 256)
        return error_set(err, 400, "name must be text of 1 to 256 bytes");
    if (fb->last_account && fb->last_account->number >= FB_ACCOUNTS_MAX)
        return error_set(err, 409, "there are %d accounts already", FB_ACCOUNTS_MAX);
    *id = json_get(body, "id") ? fb_control_id(body, "id")
        : (instagram ? INT64_C(17841400000000000) : INT64_C(100200300400500))
            + (fb->last_account ? fb->last_account->number : 0) + 1;
    if (*id <= 0 || *id > ID_MAX)
        return error_set(err, 400, "id must be digits");
    if (fb_account_get(fb, *id))
        return error_set(err, 409, "the id %lld is taken", (long long)*id);
    return find_page(fb, body, page, err);
}

static FB_HANDLER(make_account)
{
    struct fb         *fb = state;
    yyjson_val        *body;
    struct fb_account *a, *page;
    int64_t            id = 0;
    bool               instagram;

    if (!fb_control_body(x, &body, err) || !read_account(fb, body, &page, &id, err))
        return false;
    instagram = str_eq(json_str(body, "kind"), STR("instagram"));
    a = fb_account_add(fb, instagram ? FB_INSTAGRAM : FB_PAGE, id, json_str(body, "name"),
        json_str(body, "username").ptr ? json_str(body, "username") : STR(""));
    a->page = instagram ? page : NULL;
    a->has_login = instagram && (json_true(body, "login") || !page);
    if (!instagram)
        fb_token_add(fb, FB_TOKEN_PAGE, a, NULL, 0);
    else if (a->has_login)
        fb_token_add(fb, FB_TOKEN_INSTAGRAM, a, NULL, 60 * FB_DAY_MS);
    x->reply.status = 201;
    put_account(w, a);
    fb_show(fb, "accounts");
    return true;
}

static FB_HANDLER(change_account)
{
    struct fb         *fb = state;
    struct fb_account *a = fb_control_account(fb, x, err), *page;
    yyjson_val        *body;

    if (!a || !fb_control_body(x, &body, err) || !find_page(fb, body, &page, err))
        return false;
    if (json_get(body, "page") && fb_is_instagram(a))
        a->page = page;
    if (yyjson_is_bool(json_get(body, "login")) && fb_is_instagram(a))
        a->has_login = json_true(body, "login");
    if (yyjson_is_bool(json_get(body, "messages_allowed")))
        a->no_messages = !json_true(body, "messages_allowed");
    if (yyjson_is_bool(json_get(body, "subscribed")))
        a->subscribed = json_true(body, "subscribed");
    if (json_get(body, "thread_owner"))
        a->thread_owner = fb_control_id(body, "thread_owner");
    put_account(w, a);
    fb_show(fb, "accounts");
    return true;
}

/* Of the account, and of all users, whose logins its token came from. */
static FB_HANDLER(revoke_tokens)
{
    struct fb         *fb = state;
    struct fb_account *a = fb_control_account(fb, x, err);
    yyjson_val        *body;
    int64_t            subcode;

    if (!a || !fb_control_body(x, &body, err))
        return false;
    subcode = json_int(body, "subcode", 460);
    if (subcode <= 0 || subcode > INT32_MAX)
        return error_set(err, 400, "subcode must be a number, like 460 for a changed password");
    for (struct fb_token *t = fb->first_token; t; t = t->next)
        if (t->account == a && t->kind < FB_CODE)
            t->dead = (int)subcode;
    put_account(w, a);
    fb_show(fb, "accounts");
    return true;
}

static FB_HANDLER(expire_tokens)
{
    struct fb         *fb = state;
    struct fb_account *a = fb_control_account(fb, x, err);

    if (!a)
        return false;
    for (struct fb_token *t = fb->first_token; t; t = t->next)
        if (t->account == a && t->kind < FB_CODE)
            t->expires_ms = fb_now_ms(fb);
    put_account(w, a);
    fb_show(fb, "accounts");
    return true;
}

static FB_HANDLER(make_token)
{
    struct fb         *fb = state;
    struct fb_account *a = fb_control_account(fb, x, err);

    if (!a)
        return false;
    if (fb_is_instagram(a) && !a->has_login)
        return error_set(err, 409, "this account has no login of its own: its Page's token speaks for it");
    fb_token_add(fb, fb_is_instagram(a) ? FB_TOKEN_INSTAGRAM : FB_TOKEN_PAGE, a, NULL,
        fb_is_instagram(a) ? 60 * FB_DAY_MS : 0);
    x->reply.status = 201;
    put_account(w, a);
    fb_show(fb, "accounts");
    return true;
}

/* ---- people ---- */

static void
put_person(struct json *w, const struct fb *fb, const struct fb_person *p)
{
    char account[24];

    json_put_int(w, "id", p->number);
    json_put_str(w, "name", p->name);
    json_put_str(w, "first_name", p->first_name);
    json_put_str(w, "last_name", p->last_name);
    json_put_str(w, "username", p->username);
    json_begin(w, "scoped_ids");
    for (const struct fb_account *a = fb->first_account; a; a = a->next) {
        snprintf(account, sizeof(account), "%lld", (long long)a->id);
        stage_put_id(w, account, fb_scoped_id(a, p));
    }
    json_end(w);
}

static FB_HANDLER(list_people)
{
    const struct fb *fb = state;

    (void)x;
    (void)err;
    json_begin_array(w, "data");
    for (const struct fb_person *p = fb->first_person; p; p = p->next) {
        json_begin(w, NULL);
        put_person(w, fb, p);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

static FB_HANDLER(make_person)
{
    struct fb        *fb = state;
    yyjson_val       *body;
    struct str        first, last, username;
    struct fb_person *p;

    if (!fb_control_body(x, &body, err))
        return false;
    first = json_str(body, "first_name");
    last = json_str(body, "last_name");
    username = json_str(body, "username");
    if (first.len == 0 || first.len + last.len + username.len > 1024)
        return error_set(err, 400, "first_name must be text, and all names together at most 1024 bytes");
    p = fb_person_add(fb, first, last.ptr ? last : STR(""), username.ptr ? username : STR(""));
    if (!p)
        return error_set(err, 409, "there are too many people already");
    x->reply.status = 201;
    put_person(w, fb, p);
    fb_show(fb, "people");
    return true;
}

/* ---- events as they are ---- */

static FB_HANDLER(deliver_events)
{
    struct fb     *fb = state;
    yyjson_val    *body;
    struct str     object;
    enum fb_object which;

    if (!json_parse(&x->arena, x->request.body, JSON_DEPTH_MAX, &body, err))
        return false;
    object = json_str(yyjson_is_arr(body) ? yyjson_arr_get_first(body) : body, "object");
    which = str_eq(object, STR("instagram")) ? FB_INSTAGRAM : FB_PAGE;
    if (fb->hooks[which].url.len == 0)
        return error_set(err, 409, "there is no callback for this object; POST /sandbox/meta/app/callback sets one");
    if (!fb_hook_push_raw(fb, which, json_text(&x->arena, body),
            str_eq(http_query_get(&x->request, STR("secret"), &x->arena), STR("instagram"))))
        return error_set(err, 409, "too many wait already");
    x->reply.status = 201;
    json_put_int(w, "events", 1);
    return true;
}

static FB_HANDLER(hold)
{
    struct fb *fb = state;

    fb->hold = true;
    return show_app(state, x, w, err);
}

static FB_HANDLER(release)
{
    fb_hook_release(state);
    return show_app(state, x, w, err);
}

/* ---- calls ---- */

static FB_HANDLER(list_calls)
{
    const struct fb *fb = state;
    int64_t          after = 0, account = 0;

    (void)err;
    str_to_i64(http_query_get(&x->request, STR("after"), &x->arena), &after);
    str_to_i64(http_query_get(&x->request, STR("account"), &x->arena), &account);
    fb_records_write(&fb->records, after, http_query_get(&x->request, STR("operation"), &x->arena), account, w, "data");
    return true;
}

static FB_HANDLER(forget_calls)
{
    struct fb *fb = state;

    (void)x;
    (void)err;
    fb_records_clear(&fb->records);
    json_begin_array(w, "data");
    json_end_array(w);
    return true;
}

#define ACCOUNT "/sandbox/meta/accounts/:account"
#define CHAT    ACCOUNT "/chats/:user"
#define MESSAGE CHAT "/messages/:mid"

const struct stage_route fb_control_routes[FB_CONTROL_ROUTES] = {
    { { METHOD_GET, "/sandbox/meta/app" }, show_app },
    { { METHOD_POST, "/sandbox/meta/app" }, change_app },
    { { METHOD_POST, "/sandbox/meta/app/callback" }, set_callback, .later = true },
    { { METHOD_DELETE, "/sandbox/meta/app/callback/:object" }, remove_callback },
    { { METHOD_GET, "/sandbox/meta/accounts" }, list_accounts },
    { { METHOD_POST, "/sandbox/meta/accounts" }, make_account },
    { { METHOD_PATCH, ACCOUNT }, change_account },
    { { METHOD_POST, ACCOUNT "/revoke" }, revoke_tokens },
    { { METHOD_POST, ACCOUNT "/expire" }, expire_tokens },
    { { METHOD_POST, ACCOUNT "/tokens" }, make_token },
    { { METHOD_GET, "/sandbox/meta/people" }, list_people },
    { { METHOD_POST, "/sandbox/meta/people" }, make_person },
    { { METHOD_GET, ACCOUNT "/chats" }, fb_control_chats },
    { { METHOD_GET, CHAT "/messages" }, fb_control_messages },
    { { METHOD_POST, CHAT "/messages" }, fb_control_write, .takes_files = true },
    { { METHOD_POST, CHAT "/inbox" }, fb_control_inbox, .takes_files = true },
    { { METHOD_PATCH, MESSAGE }, fb_control_edit },
    { { METHOD_DELETE, MESSAGE }, fb_control_unsend },
    { { METHOD_POST, MESSAGE "/react" }, fb_control_react },
    { { METHOD_POST, MESSAGE "/tap" }, fb_control_tap },
    { { METHOD_POST, CHAT "/postback" }, fb_control_postback },
    { { METHOD_POST, CHAT "/referral" }, fb_control_referral },
    { { METHOD_POST, CHAT "/read" }, fb_control_read },
    { { METHOD_POST, CHAT "/block" }, fb_control_block },
    { { METHOD_POST, CHAT "/unblock" }, fb_control_unblock },
    { { METHOD_GET, ACCOUNT "/posts" }, fb_control_posts },
    { { METHOD_POST, ACCOUNT "/posts" }, fb_control_post },
    { { METHOD_GET, ACCOUNT "/posts/:post/comments" }, fb_control_comments },
    { { METHOD_POST, ACCOUNT "/posts/:post/comments" }, fb_control_comment },
    { { METHOD_PATCH, ACCOUNT "/comments/:comment" }, fb_control_change_comment },
    { { METHOD_DELETE, ACCOUNT "/comments/:comment" }, fb_control_remove_comment },
    { { METHOD_POST, "/sandbox/meta/events" }, deliver_events },
    { { METHOD_POST, "/sandbox/meta/hold" }, hold },
    { { METHOD_POST, "/sandbox/meta/release" }, release },
    { { METHOD_GET, "/sandbox/meta/calls" }, list_calls },
    { { METHOD_DELETE, "/sandbox/meta/calls" }, forget_calls },
};
