/* page.c -- see page.h. */
#include "sandbox/page.h"

#include "page_files.h"

/* Nothing from anywhere else, nothing inline: what a bot sends can only ever be text on this page. */
#define POLICY                                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "                \
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const struct {
    const char          *path, *type;
    const unsigned char *bytes;
    size_t               len;
} files[] = {
    { "/", "text/html; charset=utf-8", page_index_html, sizeof(page_index_html) },
    { "/app.js", "text/javascript; charset=utf-8", page_app_js, sizeof(page_app_js) },
    { "/style.css", "text/css; charset=utf-8", page_style_css, sizeof(page_style_css) },
    { "/icon.svg", "image/svg+xml", page_icon_svg, sizeof(page_icon_svg) },
};

bool
page_serve(struct http_exchange *x)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!str_eq(x->request.path, str_of(files[i].path)))
            continue;
        x->reply.status = 200;
        http_reply_header(x, STR("Content-Type"), str_of(files[i].type));
        http_reply_header(x, STR("Content-Security-Policy"), STR(POLICY));
        http_reply_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
        http_reply_header(x, STR("Referrer-Policy"), STR("no-referrer"));
        http_reply_header(x, STR("Cache-Control"), STR("no-cache"));
        buf_append(&x->reply.body, (struct str){ (const char *)files[i].bytes, files[i].len });
        return true;
    }
    return false;
}
