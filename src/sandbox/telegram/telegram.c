/* telegram.c -- the stand-in for Telegram's Bot API, as the sandbox sees it; see stage.h. It ends with
 * the only symbol the sandbox uses.
 *
 * state.h holds who and what there is. A bot's call comes through call.c to one of the methods
 * (methods.c has the table); what a person does comes through control.c to person.c. Both end in
 * notify.c, which puts updates into updates.c, from where poll.c (getUpdates) or webhook.c takes them to
 * the bot. */
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/telegram/call.h"
#include "sandbox/telegram/control.h"

#define PARAMS_MAX (MIB)
#define UPLOAD_MAX ((size_t)52 * MIB) /* 50 MB of file and what is around it */

static void *
open_telegram(struct stage *stage)
{
    struct tg *tg = own_alloc(sizeof(*tg));

    tg_init(tg, stage);
    return tg;
}

static void
shut_telegram(void *state)
{
    tg_calls_abandon(state);
    tg_deinit(state);
    free(state);
}

static bool
owns(struct str path)
{
    return str_starts(path, STR("/bot")) || str_starts(path, STR("/file/bot"));
}

/* Refused before the body is read, with an empty body, as the real server does. */
static bool
on_head(void *state, struct http_exchange *x)
{
    struct str encoding = http_header_get(&x->request, STR("Content-Encoding"));

    (void)state;
    x->body_max = PARAMS_MAX;
    x->takes_multipart = true;
    x->upload_max = UPLOAD_MAX;
    if ((x->request.method & (METHOD_GET | METHOD_POST)) == 0)
        x->reply.status = 501;
    else if (encoding.len > 0 && !str_eq_nocase(encoding, STR("identity")))
        x->reply.status = 415;
    return x->reply.status == 0;
}

static void
serve(void *state, struct http_exchange *x)
{
    if (str_starts(x->request.path, STR("/bot")))
        tg_call_serve(state, x);
    else
        tg_file_serve(state, x);
}

/* What the HTTP server refuses: only 413 has a body in the real one. */
static void
refuse(struct http_exchange *x, const struct error *err)
{
    if (err->status != 413)
        return;
    buf_append(&x->reply.body, STR("{\"ok\":false,\"error_code\":413,\"description\":\"Request Entity Too Large\"}"));
    http_reply_header(x, STR("Content-Type"), STR("application/json"));
}

/* ---- settings ---- */

static bool
read_rate(yyjson_val *settings, const char *name, double min, double *out, struct error *err)
{
    yyjson_val *val = json_get(settings, name);

    if (!val)
        return true;
    if (!yyjson_is_num(val) || yyjson_get_num(val) < min || yyjson_get_num(val) > 1e9)
        return error_set(err, 400, "telegram.%s must be a number from %g", name, min);
    *out = yyjson_get_num(val);
    return true;
}

static bool
set(void *state, yyjson_val *settings, struct error *err)
{
    struct tg *tg = state;
    double     per_chat = tg->per_chat_per_second, per_bot = tg->per_bot_per_second, burst = tg->burst;

    if (!read_rate(settings, "per_chat_per_second", 0, &per_chat, err)
        || !read_rate(settings, "per_bot_per_second", 0, &per_bot, err)
        || !read_rate(settings, "burst", 1, &burst, err))
        return false;
    tg->per_chat_per_second = per_chat;
    tg->per_bot_per_second = per_bot;
    tg->burst = burst;
    return true;
}

static void
put_rate(struct json *w, const char *name, double value)
{
    char text[40];
    int  len = snprintf(text, sizeof(text), "%.17g", value);

    json_put_raw(w, name, (struct str){ text, (size_t)len });
}

static void
write_settings(void *state, struct json *w, const char *name)
{
    const struct tg *tg = state;

    json_begin(w, name);
    put_rate(w, "per_chat_per_second", tg->per_chat_per_second);
    put_rate(w, "per_bot_per_second", tg->per_bot_per_second);
    put_rate(w, "burst", tg->burst);
    json_end(w);
}

const struct stand_in telegram_stand_in = {
    .name = "telegram",
    .open = open_telegram,
    .shut = shut_telegram,
    .owns = owns,
    .head = on_head,
    .serve = serve,
    .refuse = refuse,
    .routes = tg_control_routes,
    .route_count = TG_CONTROL_ROUTES,
    .set = set,
    .write_settings = write_settings,
};
