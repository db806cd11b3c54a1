/* bluesky.c -- the stand-in for Bluesky, as the sandbox sees it; see stage.h. It ends with the only symbol the
 * sandbox uses.
 *
 * One address plays everyone: the account server with its log-in and its repositories, the chat service it
 * forwards to, the AppView, and the directory of DIDs. state.h holds who and what there is; a call comes through
 * call.c to one of the methods (methods.c has the table); what a person does comes through control.c. Both end
 * in act.c, which keeps the rules and writes the logs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "sandbox/bluesky/call.h"
#include "sandbox/bluesky/control.h"
#include "sandbox/avatar.h"

#define BODY_MAX    (150 * KIB) /* what an account server takes of JSON */
#define CDN         "/bluesky-cdn/img/avatar/plain/"
#define AVATAR_SIDE 200

static void *
open_bluesky(struct stage *stage)
{
    struct bs *bs = own_alloc(sizeof(*bs));

    bs_init(bs, stage);
    return bs;
}

static void
shut_bluesky(void *state)
{
    bs_calls_abandon(state);
    bs_deinit(state);
    free(state);
}

static bool
is_did_path(struct str path)
{
    return str_starts(path, STR("/did:plc:")) || str_starts(path, STR("/did%3Aplc%3A"))
        || str_starts(path, STR("/did%3aplc%3a"));
}

static bool
owns(struct str path)
{
    return str_starts(path, STR("/xrpc/")) || is_did_path(path) || str_starts(path, STR("/bluesky-cdn/"));
}

static bool
on_head(void *state, struct http_exchange *x)
{
    (void)state;
    x->body_max = BODY_MAX;
    return true;
}

/* ---- the directory of DIDs ---- */

static void
serve_did(struct bs *bs, struct http_exchange *x)
{
    const struct bs_account *a = NULL;
    struct json              w = { .buf = &x->reply.body };
    struct str               path, did = STR("");

    if (http_decode(x->request.path, false, &x->arena, &path)) {
        did = str_from(path, 1);
        a = bs_account_by_did(bs, did);
    }
    if (x->request.method & (METHOD_GET | METHOD_HEAD) && a && a->status != BS_DELETED) {
        x->reply.status = 200;
        http_reply_header(x, STR("Content-Type"), STR("application/did+ld+json; charset=utf-8"));
        bs_did_doc_write(a, bs_base_of(x), &w, NULL);
    } else {
        x->reply.status = a ? 410 : 404;
        http_reply_header(x, STR("Content-Type"), STR("application/json; charset=utf-8"));
        json_begin(&w, NULL);
        json_put_str(&w, "message", arena_printf(&x->arena, "DID not %s: %.*s", a ? "available" : "registered",
            STR_ARG(str_slice(did, 0, 200))));
        json_end(&w);
    }
    http_exchange_done(x);
}

/* ---- pictures ---- */

static bool
has_trouble(struct bs *bs, struct http_exchange *x)
{
    struct fault f = { .kind = FAULT_NONE };

    if (bs->stage->faults.first)
        f = faults_take(&bs->stage->faults, &(struct fault_call){ .platform = STR("bluesky"), .on = STR("file") });
    if (f.kind == FAULT_NONE)
        return false;
    if (f.kind == FAULT_CUT_BEFORE || f.kind == FAULT_CUT_AFTER) {
        http_exchange_cut(x);
        return true;
    }
    bs_reply_error(x, f.kind == FAULT_GARBAGE || f.kind == FAULT_DELAY ? 503 : f.status, NULL, f.description);
    http_exchange_done(x);
    return true;
}

static void
serve_picture(struct bs *bs, struct http_exchange *x)
{
    struct str               rest, did, picture;
    const struct bs_account *a = NULL;
    int64_t                  seed = 0;

    if (has_trouble(bs, x))
        return;
    if (http_decode(x->request.path, false, &x->arena, &rest) && str_starts(rest, STR(CDN))
        && str_cut(str_from(rest, sizeof(CDN) - 1), '/', &did, &picture))
        a = bs_account_by_did(bs, did);
    if (!a || !a->has_avatar) {
        bs_reply_error(x, 404, "NotFound", "there is no such picture");
        http_exchange_done(x);
        return;
    }
    for (const char *at = a->did; *at; at++)
        seed = (seed * 31 + *at) & 0xffffff;
    x->reply.status = 200;
    http_reply_header(x, STR("Content-Type"), STR("image/png"));
    avatar_draw(seed, AVATAR_SIDE, &x->reply.body);
    http_exchange_done(x);
}

static void
serve(void *state, struct http_exchange *x)
{
    if (str_starts(x->request.path, STR("/xrpc/")))
        bs_call_serve(state, x);
    else if (is_did_path(x->request.path))
        serve_did(state, x);
    else
        serve_picture(state, x);
}

static void
refuse(struct http_exchange *x, const struct error *err)
{
    bs_reply_error(x, err->status, err->status == 413 ? "PayloadTooLarge" : NULL, err->message);
}

/* ---- settings ---- */

#define AT(field) offsetof(struct bs_settings, field)

static const struct {
    const char *name;
    size_t      at;
    int64_t     min, max;
} numbers[] = {
    { "access_token_s", AT(access_s), 1, 86400 },
    { "refresh_token_s", AT(refresh_s), 1, INT64_C(31536000) },
    { "refresh_grace_s", AT(grace_s), 0, 86400 },
    { "logins_per_5_minutes", AT(logins_per_5_minutes), 0, 500 },
    { "logins_per_day", AT(logins_per_day), 0, 500 },
    { "requests_per_5_minutes", AT(requests_per_5_minutes), 0, 1000000 },
    { "sends_per_minute", AT(sends_per_minute), 0, 500 },
    { "log_page_size", AT(log_page), 1, 10000 },
};
#define NUMBERS COUNT(numbers)

static const struct {
    const char *name;
    size_t      at;
} flags[] = {
    { "named_refusals", AT(named_refusals) },
    { "convo_kinds", AT(convo_kinds) },
    { "session_did_doc", AT(session_did_doc) },
    { "log_cursor", AT(log_cursor) },
    { "retry_after", AT(retry_after) },
    { "check_replies", AT(check_replies) },
    { "types_in_answers", AT(types_in_answers) },
};
#define FLAGS COUNT(flags)

static const struct {
    const char *name;
    size_t      at, size;
} texts[] = {
    { "proxy", AT(proxy), sizeof(((struct bs_settings *)0)->proxy) },
    { "bad_token", AT(bad_token), sizeof(((struct bs_settings *)0)->bad_token) },
};
#define TEXTS COUNT(texts)

static int64_t *
number_at(struct bs_settings *s, size_t i)
{
    return (int64_t *)(void *)((char *)s + numbers[i].at);
}

static bool *
flag_at(struct bs_settings *s, size_t i)
{
    return (bool *)(void *)((char *)s + flags[i].at);
}

static bool
read_numbers(yyjson_val *settings, struct bs_settings *out, struct error *err)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        int64_t n;

        if (!json_get(settings, numbers[i].name))
            continue;
        n = json_int(settings, numbers[i].name, -1);
        if (n < numbers[i].min || n > numbers[i].max)
            return error_set(err, 400, "bluesky.%s must be a number from %lld to %lld", numbers[i].name,
                (long long)numbers[i].min, (long long)numbers[i].max);
        *number_at(out, i) = n;
    }
    return true;
}

static bool
read_flags(yyjson_val *settings, struct bs_settings *out, struct error *err)
{
    for (size_t i = 0; i < FLAGS; i++) {
        yyjson_val *val = json_get(settings, flags[i].name);

        if (val && !yyjson_is_bool(val))
            return error_set(err, 400, "bluesky.%s must be true or false", flags[i].name);
        if (val)
            *flag_at(out, i) = yyjson_get_bool(val);
    }
    return true;
}

static bool
read_texts(yyjson_val *settings, struct bs_settings *out, struct error *err)
{
    for (size_t i = 0; i < TEXTS; i++) {
        struct str text = json_str(settings, texts[i].name);

        if (!json_get(settings, texts[i].name))
            continue;
        if (text.len == 0 || text.len >= texts[i].size)
            return error_set(err, 400, "bluesky.%s must be text of 1 to %zu bytes", texts[i].name, texts[i].size - 1);
        snprintf((char *)out + texts[i].at, texts[i].size, "%.*s", STR_ARG(text));
    }
    return true;
}

/* All of them or none. */
static bool
set(void *state, yyjson_val *settings, struct error *err)
{
    struct bs         *bs = state;
    struct bs_settings changed = bs->settings;

    if (!read_numbers(settings, &changed, err) || !read_flags(settings, &changed, err)
        || !read_texts(settings, &changed, err))
        return false;
    bs->settings = changed;
    return true;
}

static void
write_settings(void *state, struct json *w, const char *name)
{
    struct bs *bs = state;

    json_begin(w, name);
    for (size_t i = 0; i < NUMBERS; i++)
        json_put_int(w, numbers[i].name, *number_at(&bs->settings, i));
    for (size_t i = 0; i < FLAGS; i++)
        json_put_bool(w, flags[i].name, *flag_at(&bs->settings, i));
    for (size_t i = 0; i < TEXTS; i++)
        json_put_str(w, texts[i].name, str_of((const char *)&bs->settings + texts[i].at));
    json_end(w);
}

const struct stand_in bluesky_stand_in = {
    .name = "bluesky",
    .open = open_bluesky,
    .shut = shut_bluesky,
    .owns = owns,
    .head = on_head,
    .serve = serve,
    .refuse = refuse,
    .routes = bs_control_routes,
    .route_count = BS_CONTROL_ROUTES,
    .set = set,
    .write_settings = write_settings,
};
