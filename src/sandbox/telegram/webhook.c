/* webhook.c -- see webhook.h. Which update is next and when is updates.c's; here it goes out, and the
 * answer is understood. */
#include "sandbox/telegram/webhook.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "sandbox/telegram/answer.h"
#include "sandbox/telegram/notify.h"
#include "sandbox/telegram/poll.h"

#define DELIVERY_MS       60000
#define CONNECTIONS_USUAL 40
#define CONNECTIONS_MAX   100
#define SECRET_MAX        256
#define URL_MAX           2048
#define CHANGE_MS         1000
#define GONE_MS           INT64_C(82800000) /* 23 h of 410 and the webhook is deleted */
#define HEALTHY_MS        10000

/* One request under way. Two of them may carry the same update: then the first good answer counts. */
struct tg_delivery {
    struct net_call     call;
    struct net_header   headers[2];
    struct arena        arena;
    struct tg_bot      *bot;
    struct tg_update   *update; /* NULL: nobody waits for this answer */
    struct tg_delivery *twin;
    struct fault        fault;
    struct alarm        alarm;  /* for an ordered delay */
    struct tg_delivery *next, *previous;
};

static void pause_over(struct alarm *a);

void
tg_webhook_init(struct tg_bot *bot)
{
    bot->webhook.pause.ring = pause_over;
    bot->webhook.max_connections = CONNECTIONS_USUAL;
    tg_allow_default(bot);
}

/* ---- one delivery ---- */

static void
end_delivery(struct tg_delivery *d)
{
    struct tg_webhook *hook = &d->bot->webhook;

    if (d->previous)
        d->previous->next = d->next;
    else
        hook->flying = d->next;
    if (d->next)
        d->next->previous = d->previous;
    if (d->twin)
        d->twin->twin = NULL;
    hook->flying_count--;
    arena_deinit(&d->arena);
    free(d);
}

static void
cancel_all(struct tg_bot *bot)
{
    struct tg_webhook *hook = &bot->webhook;

    while (hook->flying) {
        struct tg_delivery *d = hook->flying;

        if (d->alarm.place > 0)
            alarm_clear(&bot->tg->stage->alarms, &d->alarm);
        else
            courier_cancel(bot->tg->stage->courier, &d->call);
        if (d->update && !(d->twin && d->twin->update))
            tg_updates_return(&bot->updates, d->update);
        end_delivery(d);
    }
}

static void
note_error(struct tg_bot *bot, const char *text)
{
    struct tg_webhook *hook = &bot->webhook;
    struct buf         b;
    struct json        w = { .buf = &b };

    snprintf(hook->last_error, sizeof(hook->last_error), "%s", text);
    hook->last_error_s = stage_now_ms(bot->tg->stage) / 1000;
    buf_init(&b, 8 * KIB);
    json_put_str(&w, "error", str_of(text));
    tg_tell_bot(bot, "webhook_error", buf_str(&b));
    buf_deinit(&b);
}

static const char *
reason_of(int status)
{
    static const struct {
        int         status;
        const char *reason;
    } reasons[] = {
        { 301, "Moved Permanently" }, { 302, "Found" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
        { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" }, { 410, "Gone" },
        { 413, "Request Entity Too Large" }, { 429, "Too Many Requests" }, { 500, "Internal Server Error" },
        { 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
    };

    for (size_t i = 0; i < COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

/* ---- what the answer means ---- */

/* A webhook that says for a day that it is gone, is. */
static bool
is_gone_for_good(struct tg_webhook *hook, int status, int64_t now_ms)
{
    if (status != 410)
        hook->first_410_ms = 0;
    else if (hook->first_410_ms == 0)
        hook->first_410_ms = now_ms;
    return status == 410 && now_ms > hook->first_410_ms + GONE_MS;
}

static void
refused(struct tg_bot *bot, struct tg_update *update, const struct net_response *r)
{
    struct tg_webhook *hook = &bot->webhook;
    int64_t            now_ms = stage_now_ms(bot->tg->stage);
    char               text[64];
    bool               gone = is_gone_for_good(hook, r->status, now_ms);

    snprintf(text, sizeof(text), "Wrong response from the webhook: %d %s", r->status, reason_of(r->status));
    note_error(bot, text);
    tg_updates_failed(&bot->updates, update, now_ms, r->retry_after_ms / 1000);
    if (gone)
        tg_webhook_remove(bot);
}

static void
unanswered(struct tg_bot *bot, struct tg_update *update, const struct net_response *r)
{
    bool timed_out = r->took_us >= (int64_t)DELIVERY_MS * 990;

    note_error(bot, timed_out ? "Read timeout expired" : "Webhook connection closed");
    tg_updates_failed(&bot->updates, update, stage_now_ms(bot->tg->stage), 0);
}

/* No connection is no failure of the update, but new connections are made sparingly. */
static void
not_connected(struct tg_bot *bot, struct tg_update *update, const struct net_response *r)
{
    struct tg_webhook *hook = &bot->webhook;
    int64_t            now_ms = stage_now_ms(bot->tg->stage);
    bool               healthy = hook->last_success_ms > 0 && now_ms < hook->last_success_ms + HEALTHY_MS;

    note_error(bot, str_find_nocase(str_of(r->error), STR("connect")) >= 0 ? "Connection refused" : r->error);
    tg_updates_return(&bot->updates, update);
    hook->unreachable = true;
    alarm_set(&bot->tg->stage->alarms, &hook->pause, now_ms + (healthy ? 1000 : 2000));
}

static void
pause_over(struct alarm *a)
{
    tg_webhook_pump(container_of(container_of(a, struct tg_webhook, pause), struct tg_bot, webhook));
}

static void
acknowledged(struct tg_bot *bot, struct tg_update *update)
{
    bot->webhook.unreachable = false;
    bot->webhook.first_410_ms = 0;
    bot->webhook.last_success_ms = stage_now_ms(bot->tg->stage);
    tg_updates_done(&bot->updates, update);
}

/* The update this answer decides about; NULL when the twin's has decided already, or still may do better. */
static struct tg_update *
decides(struct tg_delivery *d, bool good)
{
    struct tg_update *update = d->update;

    if (!update || !d->twin || !d->twin->update)
        return update;
    if (!good)
        return NULL;
    d->twin->update = NULL;
    return update;
}

static void
on_answer(struct net_call *call)
{
    struct tg_delivery *d = call->user;
    struct tg_bot      *bot = d->bot;
    struct net_response r = call->response;
    struct arena        kept = d->arena; /* the answer's text is in there */
    bool                lost = d->fault.kind == FAULT_CUT_AFTER;
    bool                answered = !lost && (r.result == NET_ANSWERED || r.result == NET_TOO_BIG);
    bool                good = answered && r.status >= 200 && r.status <= 299;
    bool                not_sent = r.result == NET_NOT_SENT || r.result == NET_FORBIDDEN || r.result == NET_LOCAL_FAULT;
    struct tg_update   *update = decides(d, good);

    d->arena = (struct arena){ .blocks = NULL };
    end_delivery(d);
    if (update && good) {
        acknowledged(bot, update);
        tg_call_run_inline(bot, r.body, r.content_type);
    } else if (update && answered) {
        refused(bot, update, &r);
    } else if (update && not_sent) {
        not_connected(bot, update, &r);
    } else if (update) {
        unanswered(bot, update, &r);
    }
    arena_deinit(&kept);
    tg_webhook_pump(bot);
}

/* ---- sending ---- */

static struct str
make_body(const struct tg_update *update, bool garbage, struct arena *a)
{
    struct buf b;

    if (garbage)
        return STR("{\"update_id\":");
    buf_init(&b, 8 * MIB);
    buf_printf(&b, "{\"update_id\":%lld,\n", (long long)update->id);
    tg_append_ascii(&b, update->json);
    buf_append_char(&b, '}');
    return arena_take(a, &b);
}

static struct tg_delivery *
delivery_new(struct tg_bot *bot, struct tg_update *update, const struct fault *fault)
{
    struct tg_webhook  *hook = &bot->webhook;
    struct tg_delivery *d = own_alloc(sizeof(*d));

    arena_init(&d->arena);
    d->bot = bot;
    d->update = update;
    d->fault = *fault;
    d->headers[0] = (struct net_header){ STR("Content-Type"), STR("application/json") };
    d->headers[1] = (struct net_header){ STR("X-Telegram-Bot-Api-Secret-Token"), arena_copy(&d->arena, hook->secret) };
    d->call.request = (struct net_request){
        .method = STR("POST"),
        .url = arena_copy(&d->arena, hook->url),
        .headers = d->headers,
        .header_count = hook->secret.len > 0 ? 2 : 1,
        .body = make_body(update, fault->kind == FAULT_GARBAGE, &d->arena),
        .connect_ms = 10000,
        .total_ms = DELIVERY_MS,
    };
    d->call.arena = &d->arena;
    d->call.done = on_answer;
    d->call.user = d;
    d->next = hook->flying;
    if (hook->flying)
        hook->flying->previous = d;
    hook->flying = d;
    hook->flying_count++;
    return d;
}

static void
send_delivery(struct tg_delivery *d)
{
    courier_send(d->bot->tg->stage->courier, &d->call);
}

static void
delay_over(struct alarm *a)
{
    send_delivery(container_of(a, struct tg_delivery, alarm));
}

static void
deliver(struct tg_bot *bot, struct tg_update *update)
{
    struct stage       *stage = bot->tg->stage;
    struct fault        fault = { .kind = FAULT_NONE };
    struct tg_delivery *d, *twin;

    if (stage->faults.first)
        fault = faults_take(&stage->faults, &(struct fault_call){ STR("telegram"), STR("webhook"), bot->id,
                                                    tg_update_person(update) });
    if (fault.kind == FAULT_CUT_BEFORE) {
        note_error(bot, "Webhook connection closed");
        tg_updates_failed(&bot->updates, update, stage_now_ms(stage), 0);
        return;
    }
    d = delivery_new(bot, update, &fault);
    if (fault.kind == FAULT_DELAY) {
        d->alarm.ring = delay_over;
        alarm_set(&stage->alarms, &d->alarm, stage_now_ms(stage) + fault.delay_ms);
        return;
    }
    if (fault.kind == FAULT_DUPLICATE) {
        twin = delivery_new(bot, update, &fault);
        d->twin = twin;
        twin->twin = d;
        send_delivery(twin);
    }
    send_delivery(d);
}

void
tg_webhook_pump(struct tg_bot *bot)
{
    struct tg_webhook *hook = &bot->webhook;
    struct tg_update  *update;

    while (hook->url.len > 0 && hook->pause.place == 0
        && hook->flying_count < (hook->unreachable ? 1 : hook->max_connections)
        && (update = tg_updates_take(&bot->updates, stage_now_ms(bot->tg->stage))) != NULL)
        deliver(bot, update);
}

/* ---- setting and removing ---- */

void
tg_webhook_remove(struct tg_bot *bot)
{
    struct tg_webhook *hook = &bot->webhook;

    cancel_all(bot);
    alarm_clear(&bot->tg->stage->alarms, &hook->pause);
    own_free(&hook->url);
    own_free(&hook->secret);
    own_free(&hook->ip_address);
    hook->has_certificate = hook->unreachable = false;
    hook->last_error_s = hook->first_410_ms = hook->last_success_ms = 0;
    hook->max_connections = CONNECTIONS_USUAL;
}

void
tg_webhook_deinit(struct tg_bot *bot)
{
    tg_webhook_remove(bot);
}

static bool
check_url(struct str url, struct error *err)
{
    struct str rest;

    if (str_starts(url, STR("https://")))
        rest = str_from(url, 8);
    else if (str_starts(url, STR("http://"))) /* as the self-hosted server allows */
        rest = str_from(url, 7);
    else
        rest = STR("");
    if (rest.len == 0 || url.len > URL_MAX || strchr("/?#:", rest.ptr[0]))
        return error_set(err, 400, "invalid webhook URL specified");
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7F)
            return error_set(err, 400, "invalid webhook URL specified");
    return true;
}

static bool
check_secret(struct str secret, struct error *err)
{
    if (secret.len > SECRET_MAX)
        return error_set(err, 400, "secret token is too long");
    for (size_t i = 0; i < secret.len; i++) {
        char c = secret.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return error_set(err, 400, "secret token contains unallowed characters");
    }
    return true;
}

/* Changing it more than once a second is refused, as the real server does. */
static bool
may_change(struct tg_call *c, struct error *err)
{
    struct tg_webhook *hook = &c->bot->webhook;
    int64_t            now_ms = stage_now_ms(c->tg->stage);

    if (hook->changed_ms > 0 && now_ms < hook->changed_ms + CHANGE_MS) {
        err->status = 429;
        err->retry_after_ms = 1000;
        return false;
    }
    hook->changed_ms = now_ms;
    return true;
}

bool
tg_delete_webhook(struct tg_call *c, struct json *w, struct error *err)
{
    bool was_set = c->bot->webhook.url.len > 0;

    if (was_set && !may_change(c, err))
        return false;
    tg_webhook_remove(c->bot);
    if (tg_params_true(&c->params, "drop_pending_updates"))
        tg_updates_clear(&c->bot->updates);
    c->description = was_set ? STR("Webhook was deleted") : STR("Webhook is already deleted");
    json_put_bool(w, "result", true);
    return true;
}

bool
tg_set_webhook(struct tg_call *c, struct json *w, struct error *err)
{
    const struct tg_params *p = &c->params;
    struct tg_webhook      *hook = &c->bot->webhook;
    struct str              url = str_trim(tg_params_text(p, "url"));
    struct str              secret = tg_params_text(p, "secret_token");
    struct str              ip_address = tg_params_text(p, "ip_address");
    int                     connections;
    const struct http_part *certificate = tg_params_file(p, STR("certificate"));
    yyjson_val             *allowed;
    bool                    same;

    if (url.len == 0)
        return tg_delete_webhook(c, w, err);
    connections = (int)tg_params_int(p, "max_connections", CONNECTIONS_USUAL, 1, CONNECTIONS_MAX);
    if (!check_url(url, err) || !check_secret(secret, err))
        return false;
    if (certificate && certificate->size > (int64_t)(3 * MIB))
        return error_set(err, 400, "certificate size is too big (%lld bytes)", (long long)certificate->size);
    same = str_eq(url, hook->url) && str_eq(secret, hook->secret) && connections == hook->max_connections
        && str_eq(ip_address, hook->ip_address) && !certificate && !hook->has_certificate;
    if (!same && !may_change(c, err))
        return false;
    if (tg_params_json(&c->params, "allowed_updates", c->arena, &allowed))
        tg_allow_updates(c->bot, allowed);
    tg_poll_end(c->bot, "terminated by setWebhook request");
    if (!same) {
        tg_webhook_remove(c->bot);
        hook->url = own_text(url);
        hook->secret = own_text(secret);
        hook->ip_address = own_text(ip_address);
        hook->max_connections = connections;
        hook->has_certificate = certificate != NULL;
        tg_updates_hurry(&c->bot->updates);
    }
    if (tg_params_true(&c->params, "drop_pending_updates")) {
        cancel_all(c->bot);
        tg_updates_clear(&c->bot->updates);
    }
    c->description = same ? STR("Webhook is already set") : STR("Webhook was set");
    json_put_bool(w, "result", true);
    tg_tell(c->tg, "bots");
    tg_webhook_pump(c->bot);
    return true;
}

bool
tg_get_webhook_info(struct tg_call *c, struct json *w, struct error *err)
{
    const struct tg_bot     *bot = c->bot;
    const struct tg_webhook *hook = &bot->webhook;

    (void)err;
    tg_updates_expire(&c->bot->updates, stage_now_ms(c->tg->stage));
    json_begin(w, "result");
    json_put_str(w, "url", hook->url.len > 0 ? hook->url : STR(""));
    json_put_bool(w, "has_custom_certificate", hook->has_certificate);
    json_put_int(w, "pending_update_count", (int64_t)bot->updates.count);
    if (hook->last_error_s > 0) {
        json_put_int(w, "last_error_date", hook->last_error_s);
        json_put_str(w, "last_error_message", str_of(hook->last_error));
    }
    if (hook->url.len > 0)
        json_put_int(w, "max_connections", hook->max_connections);
    if (hook->ip_address.len > 0)
        json_put_str(w, "ip_address", hook->ip_address);
    if (bot->allowed_json.len > 0)
        json_put_raw(w, "allowed_updates", bot->allowed_json);
    json_end(w);
    return true;
}
