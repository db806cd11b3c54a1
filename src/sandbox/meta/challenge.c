/* challenge.c -- callbacks as the control API shows them, and setting one, which must answer a challenge first; see
 * hook.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/random.h"
#include "sandbox/meta/hook.h"

#define ANSWER_MS 10000

struct fb_challenge {
    struct net_call       call;
    struct arena          arena;
    struct fb            *fb;
    struct http_exchange *x;
    enum fb_object        object;
    uint64_t              fields;
    struct str            url, verify_token, challenge; /* in the arena */
    struct fb_challenge  *next;
};

void
fb_hook_write(const struct fb *fb, enum fb_object object, struct json *w, const char *name)
{
    const struct fb_hook *hook = &fb->hooks[object];

    json_begin(w, name);
    json_put_str(w, "url", hook->url.len > 0 ? hook->url : STR(""));
    fb_fields_write(object, hook->fields, w, "fields");
    json_put_int(w, "waiting", (int64_t)hook->waiting);
    json_put_int(w, "under_way", (int64_t)hook->flying_count);
    json_put_int(w, "delivered", hook->delivered);
    json_put_int(w, "lost", hook->lost);
    json_put_str(w, "last_error", hook->last_error);
    json_end(w);
}

static void
unlink_challenge(struct fb_challenge *c)
{
    struct fb_challenge **at = &c->fb->challenges;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

static void
answer(struct fb_challenge *c, int status, const char *error)
{
    struct http_exchange *x = c->x;
    struct json           w = { .buf = &x->reply.body };

    buf_clear(&x->reply.body);
    json_begin(&w, NULL);
    if (error)
        json_put_str(&w, "error", str_of(error));
    else
        fb_hook_write(c->fb, c->object, &w, "callback");
    json_end(&w);
    x->reply.status = status;
    http_reply_header(x, STR("Content-Type"), STR("application/json"));
    unlink_challenge(c);
    arena_deinit(&c->arena);
    free(c);
    http_exchange_done(x);
}

static void
on_answer(struct net_call *call)
{
    struct fb_challenge       *c = call->user;
    const struct net_response *r = &call->response;
    struct fb_hook            *hook = &c->fb->hooks[c->object];
    char                       text[400];

    if (r->result != NET_ANSWERED)
        snprintf(text, sizeof(text), "the callback could not be validated: %s", r->error);
    else if (r->status != 200)
        snprintf(text, sizeof(text), "the callback could not be validated: it answered %d", r->status);
    else
        snprintf(text, sizeof(text), "the callback could not be validated: it did not answer with the challenge alone");
    if (r->result != NET_ANSWERED || r->status != 200 || !str_eq(r->body, c->challenge)) {
        answer(c, 400, text);
        return;
    }
    own_set(&hook->url, c->url);
    own_set(&hook->verify_token, c->verify_token);
    own_free(&hook->last_error);
    hook->fields = c->fields;
    fb_hook_pump(c->fb);
    answer(c, 200, NULL);
}

static bool
read_order(struct fb_challenge *c, yyjson_val *body, struct error *err)
{
    struct str  object = json_str(body, "object"), bad;
    yyjson_val *fields = json_get(body, "fields");
    size_t      place;

    c->object = str_eq(object, STR("instagram")) ? FB_INSTAGRAM : FB_PAGE;
    if (c->object == FB_PAGE && !str_eq(object, STR("page")))
        return error_set(err, 400, "object must be \"page\" or \"instagram\"");
    c->fields = FB_FIELDS_ALL;
    if (fields && !yyjson_is_arr(fields))
        return error_set(err, 400, "fields must be an array of names");
    if (fields && !fb_fields_read(c->object, STR(""), fields, &c->fields, &bad, &place, &c->arena))
        return error_set(err, 400, "fields has one that is none of this object's: %.*s", STR_ARG(bad));
    c->url = arena_copy(&c->arena, json_str(body, "url"));
    c->verify_token = arena_copy(&c->arena, json_str(body, "verify_token"));
    if (!str_starts(c->url, STR("http://")) && !str_starts(c->url, STR("https://")))
        return error_set(err, 400, "url must be where the app is told: http://..., or \"\" for nowhere");
    return c->verify_token.len > 0 || error_set(err, 400, "verify_token must be text");
}

bool
fb_hook_challenge(struct fb *fb, struct http_exchange *x, yyjson_val *body, struct error *err)
{
    struct fb_challenge *c = own_alloc(sizeof(*c));
    struct buf           url;

    c->fb = fb;
    c->x = x;
    arena_init(&c->arena);
    if (!read_order(c, body, err)) {
        arena_deinit(&c->arena);
        free(c);
        return false;
    }
    c->challenge = arena_printf(&c->arena, "%lld", 1000000000LL + random_below(1000000000));
    buf_init(&url, 16 * KIB);
    buf_append(&url, c->url);
    buf_append_char(&url, memchr(c->url.ptr, '?', c->url.len) ? '&' : '?');
    buf_printf(&url, "hub.mode=subscribe&hub.challenge=%.*s&hub.verify_token=", STR_ARG(c->challenge));
    buf_append_url_encoded(&url, c->verify_token, "");
    c->call.request = (struct net_request){ .method = STR("GET"), .total_ms = ANSWER_MS,
        .url = arena_take(&c->arena, &url) };
    c->call.arena = &c->arena;
    c->call.done = on_answer;
    c->call.user = c;
    c->next = fb->challenges;
    fb->challenges = c;
    courier_send(fb->stage->courier, &c->call);
    return true;
}

void
fb_hook_abandon_challenges(struct fb *fb)
{
    while (fb->challenges) {
        courier_cancel(fb->stage->courier, &fb->challenges->call);
        answer(fb->challenges, 503, "the sandbox starts afresh");
    }
}
