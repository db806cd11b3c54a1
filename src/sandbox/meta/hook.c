/* hook.c -- see hook.h. */
#include "sandbox/meta/hook.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "sandbox/meta/call.h"

#define ANSWER_MS    5000 /* Meta's limit for Messenger */
#define FLYING_MAX   32
#define BATCH_MAX    1000
#define LOOK_MAX     256  /* how far to look for one whose chat is not busy */
#define PAGE_GONE_MS FB_HOUR_MS
#define KEPT_MS      (36 * FB_HOUR_MS)

struct fb_event {
    struct fb_account *account; /* NULL: of none, a raw one */
    struct str         entry;   /* owned; or a whole body */
    int64_t            chat, made_ms, due_ms;
    int                fails;
    bool               whole, instagram_secret;
    struct fb_call    *waiter;
    struct fb_event   *next;
};

struct fb_delivery {
    struct net_call     call;
    struct net_header   headers[3];
    struct arena        arena;
    struct fb          *fb;
    struct fb_hook     *hook;
    struct fb_event    *events; /* NULL: a second copy, whose answer means nothing */
    struct fault        fault;
    struct alarm        alarm;
    struct fb_delivery *next, *previous;
};

static void
free_event(struct fb_hook *hook, struct fb_event *e)
{
    hook->waiting--;
    hook->bytes -= e->entry.len;
    own_free(&e->entry);
    free(e);
}

static void
tell_waiter(struct fb_event *e)
{
    struct fb_call *waiter = e->waiter;

    e->waiter = NULL;
    if (waiter)
        waiter->resume(waiter);
}

static void
append_ready(struct fb_hook *hook, struct fb_event *e)
{
    e->next = NULL;
    if (hook->last)
        hook->last->next = e;
    else
        hook->first = e;
    hook->last = e;
}

/* ---- what becomes of an event ---- */

/* An hour without success and the Page is no longer subscribed; others are kept for 36 hours. */
static bool
is_given_up(struct fb_hook *hook, struct fb_event *e, int64_t now_ms)
{
    struct fb_account *a = e->account;

    if (a && a->object == FB_PAGE && a->failing_ms > 0 && now_ms - a->failing_ms >= PAGE_GONE_MS) {
        a->subscribed = false;
        a->fields = 0;
        own_set(&hook->last_error, STR("Webhooks disabled after an hour; the Page must subscribe anew"));
        return true;
    }
    return now_ms - e->made_ms >= KEPT_MS;
}

static void
set_retry(struct fb *fb, struct fb_hook *hook)
{
    int64_t at_ms = INT64_MAX;

    for (const struct fb_event *e = hook->later; e; e = e->next)
        if (e->due_ms < at_ms)
            at_ms = e->due_ms;
    if (hook->later)
        alarm_set(&fb->stage->alarms, &hook->retry, at_ms);
    else
        alarm_clear(&fb->stage->alarms, &hook->retry);
}

static void
on_retry(struct alarm *a)
{
    struct fb_hook *hook = container_of(a, struct fb_hook, retry);
    struct fb      *fb = hook->fb;
    int64_t         now_ms = fb_now_ms(fb);

    for (struct fb_event **at = &hook->later, *e; (e = *at) != NULL;) {
        if (e->due_ms > now_ms) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        append_ready(hook, e);
    }
    set_retry(fb, hook);
    fb_hook_pump(fb);
}

static void
event_failed(struct fb *fb, struct fb_hook *hook, struct fb_event *e)
{
    static const int64_t delays_s[] = { 0, 5, 15, 60, 300, 600, 900, 1800, 3600 };
    size_t               last = COUNT(delays_s) - 1, at = (size_t)e->fails++;
    int64_t              now_ms = fb_now_ms(fb);

    if (e->account && e->account->failing_ms == 0)
        e->account->failing_ms = now_ms;
    tell_waiter(e);
    if (is_given_up(hook, e, now_ms)) {
        hook->lost++;
        free_event(hook, e);
        return;
    }
    e->due_ms = now_ms + delays_s[at < last ? at : last] * 1000;
    e->next = hook->later;
    hook->later = e;
}

static void
event_done(struct fb_hook *hook, struct fb_event *e)
{
    if (e->account)
        e->account->failing_ms = 0;
    hook->delivered++;
    tell_waiter(e);
    free_event(hook, e);
}

static void
all_done(struct fb *fb, struct fb_hook *hook, struct fb_event *events, bool good)
{
    struct fb_event *next;

    for (struct fb_event *e = events; e; e = next) {
        next = e->next;
        if (good)
            event_done(hook, e);
        else
            event_failed(fb, hook, e);
    }
    set_retry(fb, hook);
}

/* ---- one delivery ---- */

static void
end_delivery(struct fb_delivery *d)
{
    struct fb_hook *hook = d->hook;

    *(d->previous ? &d->previous->next : &hook->flying) = d->next;
    if (d->next)
        d->next->previous = d->previous;
    hook->flying_count--;
    arena_deinit(&d->arena);
    free(d);
}

static void
on_answer(struct net_call *call)
{
    struct fb_delivery *d = call->user;
    struct fb          *fb = d->fb;
    struct fb_hook     *hook = d->hook;
    struct fb_event    *events = d->events;
    bool                answered = call->response.result == NET_ANSWERED || call->response.result == NET_TOO_BIG;
    bool                good = answered && call->response.status == 200 && d->fault.kind != FAULT_CUT_AFTER;
    char                text[320];

    if (answered)
        snprintf(text, sizeof(text), "answered with %d", call->response.status);
    else
        snprintf(text, sizeof(text), "%s", call->response.error);
    if (!good)
        own_set(&hook->last_error, d->fault.kind == FAULT_CUT_AFTER ? STR("the answer was lost") : str_of(text));
    end_delivery(d);
    all_done(fb, hook, events, good);
    fb_hook_pump(fb);
}

static struct str
make_body(const struct fb_hook *hook, const struct fb_event *events, struct arena *a)
{
    struct buf b;

    buf_init(&b, 64 * MIB);
    if (events->whole) {
        fb_append_escaped(&b, events->entry);
    } else {
        buf_printf(&b, "{\"object\":\"%s\",\"entry\":[", hook == &hook->fb->hooks[FB_PAGE] ? "page" : "instagram");
        for (const struct fb_event *e = events; e; e = e->next) {
            fb_append_escaped(&b, e->entry);
            if (e->next)
                buf_append_char(&b, ',');
        }
        buf_append(&b, STR("]}"));
    }
    return arena_take(a, &b);
}

static struct fb_delivery *
delivery_new(struct fb_hook *hook, struct str body, bool instagram_secret, const struct fault *fault)
{
    struct fb          *fb = hook->fb;
    struct fb_delivery *d = own_alloc(sizeof(*d));
    struct str          secret = instagram_secret ? fb->instagram_secret : fb->app_secret;

    d->fb = fb;
    d->hook = hook;
    d->fault = *fault;
    arena_init(&d->arena);
    body = fault->kind == FAULT_GARBAGE ? STR("{\"object\":") : arena_copy(&d->arena, body);
    d->headers[0] = (struct net_header){ STR("Content-Type"), STR("application/json") };
    d->headers[1] = (struct net_header){ STR("X-Hub-Signature"), fb_signature(secret, body, true, &d->arena) };
    d->headers[2] = (struct net_header){ STR("X-Hub-Signature-256"), fb_signature(secret, body, false, &d->arena) };
    d->call.request = (struct net_request){ .method = STR("POST"), .url = arena_copy(&d->arena, hook->url),
        .headers = d->headers, .header_count = 3, .body = body, .total_ms = ANSWER_MS };
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
delay_over(struct alarm *a)
{
    struct fb_delivery *d = container_of(a, struct fb_delivery, alarm);

    courier_send(d->fb->stage->courier, &d->call);
}

static void
deliver(struct fb_hook *hook, struct fb_event *events)
{
    struct fb          *fb = hook->fb;
    struct fault        fault = { .kind = FAULT_NONE };
    struct fb_delivery *d, *again;
    struct arena        arena;
    struct str          body;

    if (fb->stage->faults.first)
        fault = faults_take(&fb->stage->faults, &(struct fault_call){ STR("meta"), STR("webhook"),
                                                    events->account ? events->account->id : 0, events->chat });
    if (fault.kind == FAULT_CUT_BEFORE) {
        own_set(&hook->last_error, STR("the connection was closed"));
        all_done(fb, hook, events, false);
        return;
    }
    arena_init(&arena);
    body = make_body(hook, events, &arena);
    if (fault.kind == FAULT_DUPLICATE) {
        again = delivery_new(hook, body, events->instagram_secret, &fault);
        courier_send(fb->stage->courier, &again->call);
    }
    d = delivery_new(hook, body, events->instagram_secret, &fault);
    d->events = events;
    arena_deinit(&arena);
    d->alarm.ring = delay_over;
    if (fault.kind == FAULT_DELAY)
        alarm_set(&fb->stage->alarms, &d->alarm, fb_now_ms(fb) + fault.delay_ms);
    else
        courier_send(fb->stage->courier, &d->call);
}

/* ---- what goes next ---- */

static bool
is_busy(const struct fb_hook *hook, const struct fb_event *e)
{
    for (const struct fb_delivery *d = hook->flying; d && e->chat != 0; d = d->next)
        for (const struct fb_event *other = d->events; other; other = other->next)
            if (other->chat == e->chat)
                return true;
    return false;
}

/* Takes up to `most` that can go in one POST; NULL when there is none. */
static struct fb_event *
take(struct fb_hook *hook, int64_t most)
{
    struct fb_event *taken = NULL, **end = &taken, *before = NULL, *e, *next;
    int64_t          n = 0;
    int              looked = 0;

    for (e = hook->first; e && n < most && looked < LOOK_MAX + most; e = next, looked++) {
        next = e->next;
        if (is_busy(hook, e)
            || (taken && (taken->whole || e->whole || taken->instagram_secret != e->instagram_secret))) {
            before = e;
            continue;
        }
        *(before ? &before->next : &hook->first) = next;
        if (hook->last == e)
            hook->last = before;
        e->next = NULL;
        *end = e;
        end = &e->next;
        n++;
    }
    return taken;
}

static void
pump(struct fb_hook *hook, bool flush)
{
    struct fb       *fb = hook->fb;
    int64_t          batch = fb->settings.batch;
    struct fb_event *events;

    if (fb->hold || hook->url.len == 0 || (batch > 1 && !flush && (int64_t)hook->waiting < batch))
        return;
    while (hook->flying_count < FLYING_MAX && (events = take(hook, flush ? BATCH_MAX : batch)) != NULL)
        deliver(hook, events);
}

void
fb_hook_pump(struct fb *fb)
{
    for (int i = 0; i < FB_OBJECTS; i++)
        pump(&fb->hooks[i], false);
}

void
fb_hook_release(struct fb *fb)
{
    fb->hold = false;
    for (int i = 0; i < FB_OBJECTS; i++)
        pump(&fb->hooks[i], true);
}

/* ---- putting in ---- */

static bool
push(struct fb_hook *hook, const struct fb_event *what)
{
    struct fb_event *e;

    if (hook->waiting >= FB_EVENTS_MAX || hook->bytes + what->entry.len > FB_EVENTS_BYTES_MAX) {
        hook->lost++;
        return false;
    }
    e = own_alloc(sizeof(*e));
    *e = *what;
    e->entry = own_text(e->entry);
    e->made_ms = fb_now_ms(hook->fb);
    hook->waiting++;
    hook->bytes += e->entry.len;
    append_ready(hook, e);
    return true;
}

/* A linked Instagram account's events come when its Page is subscribed to anything; those of one with a login of its
 * own when it is itself, whatever it chose. */
int
fb_hook_push(struct fb_account *a, enum fb_field field, struct str entry, int64_t chat, struct fb_call *waiter)
{
    struct fb_hook *hook = &a->fb->hooks[a->object];
    struct fb_event e = { .account = a, .entry = entry, .chat = chat, .waiter = waiter };
    int             pushed = 0;

    if (hook->url.len == 0 || !(hook->fields & fb_field_set(field)) || a->no_messages)
        return 0;
    if (!fb_is_instagram(a)) {
        pushed += a->subscribed && (a->fields & fb_field_set(field)) && push(hook, &e);
    } else {
        pushed += a->page && a->page->subscribed && a->page->fields != 0 && push(hook, &e);
        e.instagram_secret = !a->fb->settings.one_secret;
        e.waiter = pushed > 0 ? NULL : waiter;
        pushed += a->has_login && a->subscribed && push(hook, &e);
    }
    if (pushed > 0)
        pump(hook, false);
    return pushed;
}

bool
fb_hook_push_raw(struct fb *fb, enum fb_object object, struct str body, bool instagram_secret)
{
    struct fb_hook *hook = &fb->hooks[object];

    if (hook->url.len == 0 || !push(hook, &(struct fb_event){ .entry = body, .whole = true,
                                              .instagram_secret = instagram_secret }))
        return false;
    pump(hook, false);
    return true;
}

/* ---- forgetting ---- */

static void
free_events(struct fb_hook *hook, struct fb_event **first)
{
    struct fb_event *e;

    while ((e = *first) != NULL) {
        *first = e->next;
        free_event(hook, e);
    }
}

void
fb_hook_clear(struct fb *fb, enum fb_object object)
{
    struct fb_hook     *hook = &fb->hooks[object];
    struct fb_delivery *d;

    while ((d = hook->flying) != NULL) {
        if (d->alarm.place > 0)
            alarm_clear(&fb->stage->alarms, &d->alarm);
        else
            courier_cancel(fb->stage->courier, &d->call);
        free_events(hook, &d->events);
        end_delivery(d);
    }
    free_events(hook, &hook->first);
    free_events(hook, &hook->later);
    hook->last = NULL;
    alarm_clear(&fb->stage->alarms, &hook->retry);
}

static void
forget_in(struct fb_event *e, const struct fb_call *c)
{
    for (; e; e = e->next)
        if (e->waiter == c)
            e->waiter = NULL;
}

void
fb_hook_forget_waiter(struct fb *fb, const struct fb_call *c)
{
    for (int i = 0; i < FB_OBJECTS; i++) {
        forget_in(fb->hooks[i].first, c);
        forget_in(fb->hooks[i].later, c);
        for (struct fb_delivery *d = fb->hooks[i].flying; d; d = d->next)
            forget_in(d->events, c);
    }
}

void
fb_hooks_init(struct fb *fb)
{
    for (int i = 0; i < FB_OBJECTS; i++) {
        fb->hooks[i].fb = fb;
        fb->hooks[i].fields = FB_FIELDS_ALL;
        fb->hooks[i].retry.ring = on_retry;
    }
}

void
fb_hooks_deinit(struct fb *fb)
{
    for (int i = 0; i < FB_OBJECTS; i++) {
        fb_hook_clear(fb, (enum fb_object)i);
        own_free(&fb->hooks[i].url);
        own_free(&fb->hooks[i].verify_token);
        own_free(&fb->hooks[i].last_error);
    }
}
