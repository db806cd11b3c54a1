/* connect_form.c -- what an account of each platform is connected with. All that is said here of a platform is what
 * its credentials are called; whether they are any good is for the platform to say. */
#include "api/connect.h"

#include "api/state.h"
#include "base/array.h"
#include "json/json.h"

#define TOKEN_MAX_BYTES 4096

/* A credential: without the line end it may have been copied with. */
static bool
read_secret(struct call *call, const char *name, struct str *out, struct error *err)
{
    if (!body_text(call->body.json, name, TOKEN_MAX_BYTES, out, err))
        return false;
    if (!str_is_none(*out))
        *out = arena_copy(call->arena, str_trim(*out)); /* it may be wiped */
    return true;
}

static bool
read_needed(struct call *call, const char *name, struct str *out, struct error *err)
{
    return read_secret(call, name, out, err) && body_needs(*out, name, err);
}

/* {"name":value, "other":value}; what is none is left out. */
static struct str
object_of(struct arena *a, const char *name, struct str value, const char *other, struct str other_value)
{
    struct buf  text;
    struct json w = { .buf = &text };
    struct str  out;

    buf_init(&text, 64 * KIB);
    json_begin(&w, NULL);
    if (!str_is_none(value))
        json_put_str(&w, name, value);
    if (!str_is_none(other_value))
        json_put_str(&w, other, other_value);
    json_end(&w);
    out = arena_copy(a, buf_str(&text));
    explicit_bzero(text.ptr, text.cap);
    buf_deinit(&text);
    return out;
}

static bool
read_telegram(struct call *call, struct account *out, struct error *err)
{
    return read_needed(call, "bot_token", &out->token, err);
}

static bool
read_bluesky(struct call *call, struct account *out, struct error *err)
{
    struct str identifier, password, service;

    if (!read_needed(call, "identifier", &identifier, err) || !read_needed(call, "app_password", &password, err)
        || !body_text(call->body.json, "service", NET_URL_MAX, &service, err))
        return false;
    service = str_trim(service);
    if (service.len > 0 && !net_url_check(call->api->options.guard, service, "service", err))
        return false;
    out->token = object_of(call->arena, "identifier", identifier, "password", password);
    if (service.len > 0)
        out->details = object_of(call->arena, "service", service, NULL, STR_NONE);
    return true;
}

/* Of Meta's two: the account's own id, and the id of the Page it may be reached through. Nothing at all asks for the
 * way over Meta's pages. */
static bool
read_meta(struct call *call, const char *id_name, struct str page_id, struct account *out, struct error *err)
{
    if (!body_id(call->body.json, id_name, call->arena, &out->external_id, err)
        || !read_secret(call, "access_token", &out->token, err))
        return false;
    if (str_is_none(out->external_id) && str_is_none(out->token) && str_is_none(page_id))
        return true;
    if (!str_is_none(page_id))
        out->details = object_of(call->arena, "page_id", page_id, NULL, STR_NONE);
    return body_needs(out->external_id, id_name, err) && body_needs(out->token, "access_token", err);
}

static bool
read_facebook(struct call *call, struct account *out, struct error *err)
{
    return read_meta(call, "page_id", STR_NONE, out, err);
}

static bool
read_instagram(struct call *call, struct account *out, struct error *err)
{
    struct str page_id;

    return body_id(call->body.json, "page_id", call->arena, &page_id, err)
        && read_meta(call, "account_id", page_id, out, err);
}

static const struct form {
    const char *platform;
    bool (*read)(struct call *call, struct account *out, struct error *err);
} forms[] = {
    { "telegram", read_telegram },
    { "facebook", read_facebook },
    { "instagram", read_instagram },
    { "bluesky", read_bluesky },
};

bool
connect_form_read(struct call *call, const struct platform *platform, struct account *out, bool *is_grant,
                  struct error *err)
{
    *out = (struct account){ 0 };
    *is_grant = false;
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (strcmp(forms[i].platform, platform->name) != 0)
            continue;
        if (!forms[i].read(call, out, err))
            return false;
        *is_grant = str_is_none(out->token);
        return true;
    }
    return error_set(err, 422, "%s accounts cannot be connected here", platform->title);
}

/* ---- afterwards ---- */

static struct str
telegram_next_step(const struct profile *p, struct arena *a)
{
    if (p->username.len == 0)
        return STR("Ask people to write to the bot first; a bot cannot begin a conversation.");
    return arena_printf(a, "Ask people to write to https://t.me/%.*s first; a bot cannot begin a conversation.",
                        STR_ARG(p->username));
}

/* Where an app has one webhook, it is entered on the platform's pages, by hand. */
static struct str
app_next_step(const struct platform_app *app, struct str public_url, struct arena *a)
{
    if (public_url.len == 0)
        return STR("This server has no public URL, so it can send messages but receives none.");
    return arena_printf(a, "See that your app names %.*s/webhooks/%s as its webhook.", STR_ARG(public_url), app->name);
}

struct str
connect_next_step(const struct profile *p, struct str public_url, struct arena *a)
{
    if (p->platform == &telegram)
        return telegram_next_step(p, a);
    return p->platform->app ? app_next_step(p->platform->app, public_url, a) : STR_NONE;
}
