/* login.c -- the page on which somebody allows the app what it asks for; see call.h.
 *
 * `sandbox_approve=1` in its address allows all at once, `sandbox_deny=1` refuses, so that a program can go through it
 * by following redirects. */
#include "base/escape.h"
#include "sandbox/meta/call.h"

#define CODE_MS INT64_C(600000)

static void
redirect(struct fb_call *c, struct str uri, struct str query)
{
    struct str state = fb_params_text(&c->params, "state", c->arena);
    struct buf b;

    buf_init(&b, 16 * KIB);
    buf_append(&b, uri);
    buf_append_char(&b, memchr(uri.ptr, '?', uri.len) ? '&' : '?');
    buf_append(&b, query);
    if (!str_is_none(state)) {
        buf_append(&b, STR("&state="));
        buf_append_url_encoded(&b, state, "");
    }
    buf_append(&b, STR("#_"));
    if (c->host == FB_HOST_FACEBOOK)
        b.len -= 2;
    c->x->reply.status = 302;
    c->raw = true;
    buf_clear(&c->x->reply.body);
    http_reply_header(c->x, STR("Location"), arena_take(c->arena, &b));
}

static bool
is_offered(const struct fb_call *c, const struct fb_account *a)
{
    return fb_is_instagram(a) == (c->host == FB_HOST_INSTAGRAM);
}

/* What was ticked; for Instagram it is one account, the first that logs in itself when none was named. */
static struct fb_token *
grant(struct fb_call *c, struct str uri)
{
    bool             instagram = c->host == FB_HOST_INSTAGRAM;
    struct fb_token *code = fb_token_add(c->fb, instagram ? FB_CODE_INSTAGRAM : FB_CODE, NULL, NULL, CODE_MS);
    int64_t          id;

    code->redirect = own_text(uri);
    for (size_t i = 0; i < c->params.count && code->granted_count < FB_ACCOUNTS_MAX; i++)
        if (str_eq(c->params.items[i].name, STR("grant")) && str_to_i64(c->params.items[i].text, &id))
            code->granted[code->granted_count++] = id;
    if (!instagram)
        return code;
    code->account = code->granted_count > 0 ? fb_account_get(c->fb, code->granted[0]) : NULL;
    for (struct fb_account *a = c->fb->first_account; a && !code->account; a = a->next)
        if (fb_is_instagram(a) && a->has_login)
            code->account = a;
    for (struct fb_account *a = c->fb->first_account; a && !code->account; a = a->next)
        if (fb_is_instagram(a))
            code->account = a;
    return code;
}

/* All that came in the address goes on, but what the form itself sets. */
static void
append_hidden(struct buf *b, const struct fb_call *c)
{
    for (size_t i = 0; i < c->params.count; i++) {
        const struct fb_param *p = &c->params.items[i];

        if (str_eq(p->name, STR("grant")) || str_starts(p->name, STR("sandbox_")))
            continue;
        buf_append(b, STR("<input type=\"hidden\" name=\""));
        buf_append_html_escaped(b, p->name);
        buf_append(b, STR("\" value=\""));
        buf_append_html_escaped(b, p->text);
        buf_append(b, STR("\">\n"));
    }
}

static void
write_page(struct fb_call *c)
{
    struct http_exchange *x = c->x;
    struct buf           *b = &x->reply.body;
    bool                  instagram = c->host == FB_HOST_INSTAGRAM, first = true;

    buf_clear(b);
    buf_printf(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Log in</title>"
                  "<link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body class=\"login\"><main>"
                  "<h1>%s, in the sandbox</h1>\n<p>An app wants to read and send messages. It asks for: ",
        instagram ? "Instagram" : "Facebook");
    buf_append_html_escaped(b, fb_params_text(&c->params, "scope", c->arena));
    buf_append(b, STR("</p>\n<form method=\"get\">\n"));
    append_hidden(b, c);
    for (const struct fb_account *a = c->fb->first_account; a; a = a->next) {
        if (!is_offered(c, a))
            continue;
        buf_printf(b, "<p><label><input type=\"%s\" name=\"grant\" value=\"%lld\"%s> ",
            instagram ? "radio" : "checkbox", (long long)a->id, !instagram || first ? " checked" : "");
        buf_append_html_escaped(b, a->name);
        buf_append(b, STR("</label></p>\n"));
        first = false;
    }
    buf_append(b, STR("<p><button name=\"sandbox_approve\" value=\"1\" class=\"primary\">Allow</button> "
                      "<button name=\"sandbox_deny\" value=\"1\">Cancel</button></p>\n</form></main></body></html>\n"));
    x->reply.status = 200;
    c->raw = true;
    http_reply_header(x, STR("Content-Type"), STR("text/html; charset=utf-8"));
    http_reply_header(x, STR("Content-Security-Policy"), STR("default-src 'none'; style-src 'self'"));
}

bool
fb_dialog(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct str uri = fb_params_text(&c->params, "redirect_uri", c->arena);
    int64_t    app_id = 0;

    (void)w;
    str_to_i64(fb_params_text(&c->params, "client_id", c->arena), &app_id);
    if (app_id != (c->host == FB_HOST_INSTAGRAM ? c->fb->instagram_app_id : c->fb->app_id))
        return fb_fail(err, 101, 0, "Invalid App ID: The provided app ID does not look like a valid app ID.");
    if (!str_starts(uri, STR("http://")) && !str_starts(uri, STR("https://")))
        return fb_fail(err, 191, 0, "Can't load URL: The domain of this URL isn't included in the app's domains.");
    if (fb_params_has(&c->params, "sandbox_deny"))
        redirect(c, uri, STR("error=access_denied&error_reason=user_denied&error_description=Permissions+error"));
    else if (fb_params_has(&c->params, "sandbox_approve"))
        redirect(c, uri, arena_printf(c->arena, "code=%.*s", STR_ARG(grant(c, uri)->text)));
    else
        write_page(c);
    return true;
}
