/* tokens.c -- codes for tokens, short tokens for long ones; see call.h. */
#include "sandbox/meta/call.h"

#define LONG_MS  (60 * FB_DAY_MS)
#define SHORT_MS FB_HOUR_MS
#define USER_MS  (2 * FB_HOUR_MS)

static void
put_token(const struct fb_call *c, const struct fb_token *t, struct json *w)
{
    json_put_str(w, "access_token", t->text);
    json_put_str(w, "token_type", STR("bearer"));
    json_put_int(w, "expires_in", (t->expires_ms - fb_now_ms(c->fb)) / 1000);
}

static bool
check_client(struct fb_call *c, int64_t app_id, struct str secret, bool with_id, struct fb_error *err)
{
    int64_t given = 0;

    if (with_id && (!str_to_i64(fb_params_text(&c->params, "client_id", c->arena), &given) || given != app_id))
        return fb_fail(err, 101, 0, "Error validating application. Cannot get application info due to a system error.");
    if (!str_eq(fb_params_text(&c->params, "client_secret", c->arena), secret))
        return fb_fail(err, 101, 0, "Error validating client secret.");
    return true;
}

static struct fb_token *
find_code(struct fb_call *c, enum fb_token_kind kind, struct fb_error *err)
{
    struct str       text = fb_params_text(&c->params, "code", c->arena);
    struct fb_token *code;

    if (str_ends(text, STR("#_")))
        text.len -= 2;
    code = text.len > 0 ? fb_token_find(c->fb, text) : NULL;
    if (!code || code->kind != kind)
        fb_fail(err, 100, 36009, "This authorization code has been used.");
    else if (code->expires_ms <= fb_now_ms(c->fb))
        fb_fail(err, 100, 36007, "This authorization code has expired.");
    else if (!str_eq(code->redirect, fb_params_text(&c->params, "redirect_uri", c->arena)))
        fb_fail(err, 100, 36008, "Error validating verification code. Please make sure your redirect_uri is identical"
                                 " to the one you used in the OAuth dialog request");
    else
        return code;
    return NULL;
}

static struct fb_token *
user_token(struct fb_call *c, const struct fb_token *like, int64_t lives_ms)
{
    struct fb_token *t = fb_token_add(c->fb, FB_TOKEN_USER, NULL, NULL, lives_ms);

    t->granted_count = like->granted_count;
    for (size_t i = 0; i < like->granted_count; i++)
        t->granted[i] = like->granted[i];
    return t;
}

static bool
lengthen(struct fb_call *c, struct json *w, struct fb_error *err)
{
    const struct fb_token *t = fb_token_find(c->fb, fb_params_text(&c->params, "fb_exchange_token", c->arena));

    if (!t || t->kind != FB_TOKEN_USER || t->dead != 0)
        return fb_fail(err, 190, t ? t->dead : 0, "Error validating access token");
    put_token(c, user_token(c, t, LONG_MS), w);
    return true;
}

bool
fb_exchange(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct str       grant = fb_params_text(&c->params, "grant_type", c->arena);
    struct fb_token *code;

    if (!check_client(c, c->fb->app_id, c->fb->app_secret, true, err))
        return false;
    if (str_eq(grant, STR("fb_exchange_token")))
        return lengthen(c, w, err);
    if (str_eq(grant, STR("client_credentials")))
        return fb_fail(err, 3, 0, "(#3) Application does not have the capability to make this API call.");
    code = find_code(c, FB_CODE, err);
    if (!code)
        return false;
    put_token(c, user_token(c, code, USER_MS), w);
    fb_token_spend(c->fb, code);
    return true;
}

bool
fb_instagram_exchange(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct fb_token   *code, *t;
    struct fb_account *a;

    if (!check_client(c, c->fb->instagram_app_id, c->fb->instagram_secret, true, err))
        return false;
    if (!str_eq(fb_params_text(&c->params, "grant_type", c->arena), STR("authorization_code")))
        return fb_fail(err, 100, 0, "Invalid grant_type");
    code = find_code(c, FB_CODE_INSTAGRAM, err);
    if (!code)
        return false;
    a = code->account;
    a->has_login = true;
    t = fb_token_add(c->fb, FB_TOKEN_INSTAGRAM, a, NULL, SHORT_MS);
    fb_token_spend(c->fb, code);
    json_put_str(w, "access_token", t->text);
    json_put_int(w, "user_id", a->app_scoped_id);
    json_put_raw(w, "permissions", STR("[\"instagram_business_basic\",\"instagram_business_manage_messages\","
                                       "\"instagram_business_manage_comments\"]"));
    return true;
}

static struct fb_token *
instagram_token(struct fb_call *c, const char *grant, struct fb_error *err)
{
    struct fb_token *t = c->token;

    if (!str_eq(fb_params_text(&c->params, "grant_type", c->arena), str_of(grant)))
        fb_fail(err, 100, 0, "Unsupported grant_type");
    else if (!t || t->kind != FB_TOKEN_INSTAGRAM || t->dead != 0)
        fb_fail(err, 190, t ? t->dead : 0, "Invalid OAuth access token - Cannot parse access token");
    else if (t->expires_ms <= fb_now_ms(c->fb))
        fb_fail(err, 190, 463, "Error validating access token: Session has expired");
    else
        return t;
    return NULL;
}

bool
fb_instagram_long(struct fb_call *c, struct json *w, struct fb_error *err)
{
    const struct fb_token *t;

    if (!check_client(c, 0, c->fb->instagram_secret, false, err))
        return false;
    t = instagram_token(c, "ig_exchange_token", err);
    if (!t)
        return false;
    put_token(c, fb_token_add(c->fb, FB_TOKEN_INSTAGRAM, t->account, NULL, LONG_MS), w);
    return true;
}

bool
fb_instagram_refresh(struct fb_call *c, struct json *w, struct fb_error *err)
{
    const struct fb_token *t = instagram_token(c, "ig_refresh_token", err);

    if (!t)
        return false;
    if (fb_now_ms(c->fb) - t->made_ms < FB_DAY_MS)
        return fb_fail(err, 190, 0, "The access token must be at least 24 hours old to be refreshed");
    put_token(c, fb_token_add(c->fb, FB_TOKEN_INSTAGRAM, t->account, NULL, LONG_MS), w);
    return true;
}
