/* page.c -- see page.h. */
#include "sandbox/page.h"

#include "base/array.h"

/* Made by tools/embed. */
extern const char     page_index[], page_app[], page_style[], page_icon[], page_bluesky[], page_bluesky_page[],
                      page_meta[], page_meta_page[], page_common[];
extern const uint64_t page_index_size, page_app_size, page_style_size, page_icon_size, page_bluesky_size,
                      page_bluesky_page_size, page_meta_size, page_meta_page_size, page_common_size;

/* Nothing from anywhere else, nothing inline: what a bot sends can only ever be text on this page. */
#define POLICY                                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "                \
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const struct {
    const char     *path, *type, *bytes;
    const uint64_t *size;
} files[] = {
    { "/", "text/html; charset=utf-8", page_index, &page_index_size },
    { "/app.js", "text/javascript; charset=utf-8", page_app, &page_app_size },
    { "/common.js", "text/javascript; charset=utf-8", page_common, &page_common_size },
    { "/style.css", "text/css; charset=utf-8", page_style, &page_style_size },
    { "/icon.svg", "image/svg+xml", page_icon, &page_icon_size },
    { "/meta", "text/html; charset=utf-8", page_meta_page, &page_meta_page_size },
    { "/meta.js", "text/javascript; charset=utf-8", page_meta, &page_meta_size },
    { "/bluesky", "text/html; charset=utf-8", page_bluesky_page, &page_bluesky_page_size },
    { "/bluesky.js", "text/javascript; charset=utf-8", page_bluesky, &page_bluesky_size },
};

bool
page_serve(struct http_exchange *x)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        if (!str_eq(x->request.path, str_of(files[i].path)))
            continue;
        x->reply.status = 200;
        http_reply_header(x, STR("Content-Type"), str_of(files[i].type));
        http_reply_header(x, STR("Content-Security-Policy"), STR(POLICY));
        http_reply_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
        http_reply_header(x, STR("Referrer-Policy"), STR("no-referrer"));
        http_reply_header(x, STR("Cache-Control"), STR("no-cache"));
        buf_append(&x->reply.body, (struct str){ files[i].bytes, (size_t)*files[i].size });
        return true;
    }
    return false;
}
