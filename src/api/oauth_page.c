/* oauth_page.c -- see connect.h: the end of granting access, as seen in a browser. The page has no script, loads
 * nothing, and everything a platform said on it is escaped. */
#include "api/connect.h"

#include "api/reply.h"
#include "base/escape.h"
#include "base/id.h"

static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Parley</title>\n"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em}</style>\n"
    "</head>\n<body>\n";

static void
put_result(struct buf *out, const struct oauth_result *r)
{
    buf_append(out, STR("<li><b>"));
    buf_append_html_escaped(out, r->name);
    buf_append(out, STR("</b>: "));
    if (str_is_none(r->failure))
        buf_append(out, STR("connected"));
    else
        buf_append_html_escaped(out, r->failure);
    buf_append(out, STR("</li>\n"));
}

static size_t
count_connected(const struct oauth_result *results, size_t n)
{
    size_t connected = 0;

    for (size_t i = 0; i < n; i++)
        connected += str_is_none(results[i].failure);
    return connected;
}

/* Why nothing, or not everything, was connected; none where all was. */
static struct str
reason_of(const struct oauth_result *results, size_t n, struct str failure)
{
    for (size_t i = 0; i < n && str_is_none(failure); i++)
        failure = results[i].failure;
    return failure;
}

static void
put_page(struct buf *out, const char *title, const struct oauth_result *results, size_t n, struct str failure)
{
    size_t connected = count_connected(results, n);

    buf_append(out, str_of(page_head));
    if (connected > 0 && connected == n)
        buf_printf(out, "<h1>%s is connected</h1>\n", title);
    else
        buf_printf(out, "<h1>%s %s</h1>\n", title, connected > 0 ? "is connected in part" : "was not connected");
    if (!str_is_none(failure)) {
        buf_append(out, STR("<p>"));
        buf_append_html_escaped(out, failure);
        buf_append(out, STR("</p>\n"));
    }
    if (n > 0) {
        buf_append(out, STR("<ul>\n"));
        for (size_t i = 0; i < n; i++)
            put_result(out, &results[i]);
        buf_append(out, STR("</ul>\n"));
    }
    buf_append(out, STR("<p>You can close this page.</p>\n</body>\n</html>\n"));
}

static void
put_profiles(struct buf *out, const struct oauth_result *results, size_t n)
{
    const char *comma = "";
    char        id[ID_TEXT_MAX];

    buf_append(out, STR("&profiles="));
    for (size_t i = 0; i < n; i++) {
        if (!str_is_none(results[i].failure))
            continue;
        buf_printf(out, "%s%s", comma, id_format(ID_PROFILE, results[i].profile_id, id));
        comma = ",";
    }
}

/* redirect_url with the outcome behind its query, in front of its fragment. */
static struct str
address_of(struct str url, const struct oauth_result *results, size_t n, struct str failure, struct arena *a)
{
    struct str base, fragment, reason = reason_of(results, n, failure);
    struct buf text;
    bool       success = count_connected(results, n) > 0;

    buf_init(&text, 32 * KIB);
    if (!str_cut(url, '#', &base, &fragment))
        fragment = STR_NONE;
    buf_append(&text, base);
    buf_printf(&text, "%csuccess=%s", str_find(base, STR("?")) >= 0 ? '&' : '?', success ? "true" : "false");
    if (success)
        put_profiles(&text, results, n);
    if (!str_is_none(reason)) {
        buf_append(&text, STR("&error="));
        buf_append_url_encoded(&text, str_utf8_cut(reason, 500), "");
    }
    if (!str_is_none(fragment)) {
        buf_append_char(&text, '#');
        buf_append(&text, fragment);
    }
    return arena_take(a, &text);
}

bool
oauth_reply(struct call *call, struct str redirect_url, const struct platform *platform,
            const struct oauth_result *results, size_t n, int status, struct str failure)
{
    struct http_exchange *x = call->x;

    http_reply_header(x, STR("Cache-Control"), STR("no-store"));
    http_reply_header(x, STR("Referrer-Policy"), STR("no-referrer")); /* our address holds a code */
    if (redirect_url.len > 0) {
        x->reply.status = 303;
        http_reply_header(x, STR("Location"), address_of(redirect_url, results, n, failure, call->arena));
        return true;
    }
    reply_text(call, STR("text/html; charset=utf-8"), STR(""));
    x->reply.status = n > 0 && count_connected(results, n) == 0 ? 422 : status;
    http_reply_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    http_reply_header(x, STR("Content-Security-Policy"),
                      STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"));
    put_page(&x->reply.body, platform ? platform->title : "The account", results, n, failure);
    return true;
}
