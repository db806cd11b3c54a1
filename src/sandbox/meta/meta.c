/* meta.c -- the stand-in for Meta's Graph API (Messenger and Instagram), as the sandbox sees it; see stage.h. It ends
 * with the only symbol the sandbox uses.
 *
 * state.h holds who and what there is. The app's call comes through call.c and route.c to one of the operations; what
 * people do comes through control*.c. Both end in tell.c, which makes events of it; hook.c takes them to the app. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "sandbox/meta/call.h"
#include "sandbox/meta/control.h"
#include "sandbox/meta/hook.h"
#include "sandbox/meta/records.h"

#define PARAMS_MAX (MIB)
#define UPLOAD_MAX ((size_t)30 * MIB) /* 25 MB of file and what is around it */

static void *
open_meta(struct stage *stage)
{
    struct fb *fb = own_alloc(sizeof(*fb));

    fb_init(fb, stage);
    return fb;
}

static void
shut_meta(void *state)
{
    struct fb *fb = state;

    fb_calls_abandon(fb);
    fb_hook_abandon_challenges(fb);
    fb_deinit(fb);
    fb_records_clear(&fb->records);
    free(fb);
}

/* "/v25.0/...", and what has no version. */
static bool
owns(struct str path)
{
    static const char *const others[] = { "/oauth/access_token", "/dialog/oauth", "/access_token",
        "/refresh_access_token" };

    if (str_starts(path, STR("/meta-cdn/")) || str_starts(path, STR("/instagram/")))
        return true;
    for (size_t i = 0; i < COUNT(others); i++)
        if (str_eq(path, str_of(others[i])))
            return true;
    return path.len > 2 && path.ptr[1] == 'v' && path.ptr[2] >= '0' && path.ptr[2] <= '9';
}

static bool
on_head(void *state, struct http_exchange *x)
{
    (void)state;
    x->body_max = PARAMS_MAX;
    x->takes_multipart = true;
    x->upload_max = UPLOAD_MAX;
    if ((x->request.method & (METHOD_GET | METHOD_POST | METHOD_DELETE)) == 0)
        x->reply.status = 405;
    return x->reply.status == 0;
}

static void
serve(void *state, struct http_exchange *x)
{
    fb_call_serve(state, x);
}

static void
refuse(struct http_exchange *x, const struct error *err)
{
    buf_printf(&x->reply.body, "{\"error\":{\"message\":\"(#100) The request was refused\",\"type\":\"OAuthException\","
                               "\"code\":100,\"fbtrace_id\":\"A%d\"}}", err->status);
    http_reply_header(x, STR("Content-Type"), STR("application/json; charset=UTF-8"));
}

/* ---- settings ---- */

static const struct {
    const char *name;
    size_t      at;
    double      min, max;
} numbers[] = {
    { "sends_per_second", offsetof(struct fb_settings, sends_per_second), 0, 1e9 },
    { "reads_per_second", offsetof(struct fb_settings, reads_per_second), 0, 1e9 },
    { "burst", offsetof(struct fb_settings, burst), 1, 1e9 },
};

static const struct {
    const char *name;
    size_t      at;
    int64_t     min, max;
} counts[] = {
    { "usage", offsetof(struct fb_settings, usage), -1, 100 },
    { "batch", offsetof(struct fb_settings, batch), 1, 1000 },
    { "media_link_s", offsetof(struct fb_settings, media_link_s), 0, 1000000000 },
};

static const struct {
    const char *name;
    size_t      at;
} switches[] = {
    { "echo_first", offsetof(struct fb_settings, echo_first) },
    { "deliveries", offsetof(struct fb_settings, deliveries) },
    { "require_proof", offsetof(struct fb_settings, require_proof) },
    { "human_agent", offsetof(struct fb_settings, human_agent) },
    { "edit_oddity", offsetof(struct fb_settings, edit_oddity) },
    { "other_comment_ids", offsetof(struct fb_settings, other_comment_ids) },
    { "one_secret", offsetof(struct fb_settings, one_secret) },
};

static bool
read_settings(struct fb_settings *s, yyjson_val *from, struct error *err)
{
    yyjson_val *val;
    int64_t     n;

    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (!(val = json_get(from, numbers[i].name)))
            continue;
        if (!yyjson_is_num(val) || yyjson_get_num(val) < numbers[i].min || yyjson_get_num(val) > numbers[i].max)
            return error_set(err, 400, "meta.%s must be a number from %g", numbers[i].name, numbers[i].min);
        *(double *)(void *)((char *)s + numbers[i].at) = yyjson_get_num(val);
    }
    for (size_t i = 0; i < COUNT(counts); i++) {
        if (!json_get(from, counts[i].name))
            continue;
        n = json_int(from, counts[i].name, INT64_MIN);
        if (n < counts[i].min || n > counts[i].max)
            return error_set(err, 400, "meta.%s must be a whole number from %lld to %lld", counts[i].name,
                (long long)counts[i].min, (long long)counts[i].max);
        *(int64_t *)(void *)((char *)s + counts[i].at) = n;
    }
    for (size_t i = 0; i < COUNT(switches); i++) {
        if (!(val = json_get(from, switches[i].name)))
            continue;
        if (!yyjson_is_bool(val))
            return error_set(err, 400, "meta.%s must be true or false", switches[i].name);
        *((bool *)(void *)((char *)s + switches[i].at)) = yyjson_get_bool(val);
    }
    return true;
}

static bool
set(void *state, yyjson_val *settings, struct error *err)
{
    struct fb         *fb = state;
    struct fb_settings changed = fb->settings;

    if (!read_settings(&changed, settings, err))
        return false;
    fb->settings = changed;
    fb->files.expires_ms = changed.media_link_s * 1000;
    fb_hook_pump(fb);
    return true;
}

static void
write_settings(void *state, struct json *w, const char *name)
{
    const struct fb *fb = state;
    const char      *s = (const char *)&fb->settings;
    char             text[40];
    int              len;

    json_begin(w, name);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        len = snprintf(text, sizeof(text), "%.17g", *(const double *)(const void *)(s + numbers[i].at));
        json_put_raw(w, numbers[i].name, (struct str){ text, (size_t)len });
    }
    for (size_t i = 0; i < COUNT(counts); i++)
        json_put_int(w, counts[i].name, *(const int64_t *)(const void *)(s + counts[i].at));
    for (size_t i = 0; i < COUNT(switches); i++)
        json_put_bool(w, switches[i].name, *(const bool *)(const void *)(s + switches[i].at));
    json_end(w);
}

const struct stand_in meta_stand_in = {
    .name = "meta",
    .open = open_meta,
    .shut = shut_meta,
    .owns = owns,
    .head = on_head,
    .serve = serve,
    .refuse = refuse,
    .routes = fb_control_routes,
    .route_count = FB_CONTROL_ROUTES,
    .set = set,
    .write_settings = write_settings,
};
