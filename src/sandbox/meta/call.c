/* call.c -- see call.h. */
#include "sandbox/meta/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/crypto.h"
#include "base/random.h"
#include "sandbox/meta/answer.h"
#include "sandbox/meta/hook.h"
#include "sandbox/meta/records.h"

/* ---- calls that are answered later ---- */

void
fb_call_keep(struct fb_call *c, int64_t at_ms, void (*resume)(struct fb_call *c))
{
    c->resume = resume;
    if (!c->kept) {
        c->next = c->fb->waiting;
        c->previous = NULL;
        if (c->next)
            c->next->previous = c;
        c->fb->waiting = c;
        c->kept = true;
    }
    if (at_ms >= 0)
        alarm_set(&c->fb->stage->alarms, &c->alarm, at_ms);
}

void
fb_call_release(struct fb_call *c)
{
    if (!c->kept)
        return;
    *(c->previous ? &c->previous->next : &c->fb->waiting) = c->next;
    if (c->next)
        c->next->previous = c->previous;
    alarm_clear(&c->fb->stage->alarms, &c->alarm);
    c->kept = false;
    c->abandon = NULL;
}

static void
on_alarm(struct alarm *a)
{
    struct fb_call *c = container_of(a, struct fb_call, alarm);

    c->resume(c);
}

/* ---- answers ---- */

static void
finish(struct fb_call *c, int status)
{
    fb_call_release(c);
    if (c->record > 0)
        fb_records_finish(&c->fb->records, c->record, c->cut ? 0 : status, c->cut ? FB_CUT_AFTER : FB_ANSWERED);
    if (c->x->reply.status == 0 || !c->raw)
        c->x->reply.status = status;
    fb_put_usage(c);
    if (c->cut && c->op && str_eq(str_of(c->op->name), STR("file")))
        stage_cut_in_the_middle(c->x);
    else if (c->cut)
        http_exchange_cut(c->x);
    else
        http_exchange_done(c->x);
}

void
fb_call_begin(struct fb_call *c, struct json *w)
{
    *w = (struct json){ .buf = &c->x->reply.body };
    buf_clear(w->buf);
    json_begin(w, NULL);
}

void
fb_call_end(struct fb_call *c, struct json *w)
{
    struct fb_error err;

    if (c->fault.kind == FAULT_CUT_AFTER && c->fault.code > 0) { /* carried out, and told that it was not */
        fb_error_of_fault(c, &c->fault, &err);
        fb_call_fail(c, &err);
        return;
    }
    if (!c->raw) {
        json_end(w);
        http_reply_header(c->x, STR("Content-Type"), STR("application/json; charset=UTF-8"));
        if (c->version.len > 0)
            http_reply_header(c->x, STR("facebook-api-version"), c->version);
    }
    finish(c, 200);
}

void
fb_call_fail(struct fb_call *c, const struct fb_error *err)
{
    c->raw = false;
    fb_write_error(c, err);
    finish(c, err->status);
}

void
fb_calls_abandon(struct fb *fb)
{
    struct fb_error err = { .message = "" };

    fb_fail(&err, 2, 0, "Service temporarily unavailable");
    while (fb->waiting) {
        struct fb_call *c = fb->waiting;

        fb_hook_forget_waiter(fb, c);
        if (c->abandon)
            c->abandon(c);
        c->cut = false;
        fb_call_fail(c, &err);
    }
}

/* ---- who asks ---- */

static void
find_token(struct fb_call *c)
{
    struct str text = fb_params_text(&c->params, "access_token", c->arena);
    struct str header = http_header_get(&c->x->request, STR("Authorization"));

    if (str_is_none(text) && header.len > 7 && str_eq_nocase(str_slice(header, 0, 7), STR("Bearer ")))
        text = str_trim(str_from(header, 7));
    c->token = text.len > 0 ? fb_token_find(c->fb, text) : NULL;
    if (c->token && c->token->kind >= FB_CODE)
        c->token = NULL;
    if (c->token)
        c->account = c->token->account;
    if (c->token && c->token->kind == FB_TOKEN_INSTAGRAM)
        c->host = FB_HOST_INSTAGRAM; /* where both hosts have one address */
}

static bool
check_token(struct fb_call *c, struct fb_error *err)
{
    const struct fb_token *t = c->token;
    bool given = fb_params_has(&c->params, "access_token")
        || http_header_get(&c->x->request, STR("Authorization")).len > 0;

    if (!t && !given)
        return fb_fail(err, 104, 0, "An access token is required to request this resource.");
    if (!t || (c->host == FB_HOST_INSTAGRAM && t->kind != FB_TOKEN_INSTAGRAM))
        return fb_fail(err, 190, 0, "Invalid OAuth access token - Cannot parse access token");
    if (t->dead != 0)
        return fb_fail(err, 190, t->dead, "Error validating access token: The session has been invalidated");
    if (t->expires_ms > 0 && t->expires_ms <= fb_now_ms(c->fb))
        return fb_fail(err, 190, 463, "Error validating access token: Session has expired");
    if (c->op->needs == FB_NEEDS_ACCOUNT && !c->account)
        return fb_fail(err, 190, 2069032, "A Page access token is required for this call");
    return true;
}

static bool
check_proof(struct fb_call *c, struct fb_error *err)
{
    struct str given = fb_params_text(&c->params, "appsecret_proof", c->arena);
    uint8_t    hash[SHA256_SIZE];
    struct buf hex;
    bool       right;

    if (c->host == FB_HOST_INSTAGRAM || (str_is_none(given) && !c->fb->settings.require_proof))
        return true;
    hmac_sha256(c->fb->app_secret, c->token->text, hash);
    buf_init(&hex, 128);
    hex_encode(&hex, (struct str){ (const char *)hash, sizeof(hash) });
    right = str_eq(buf_str(&hex), given);
    buf_deinit(&hex);
    if (right)
        return true;
    err->type = "GraphMethodException";
    return fb_fail(err, 100, 0, str_is_none(given) ? "API calls from the server require an appsecret_proof argument"
                                                   : "Invalid appsecret_proof provided in the API argument");
}

/* ---- running ---- */

static void
run(struct fb_call *c)
{
    struct fb_error err = { .message = "" };
    struct json     w;
    bool            ok = true;

    fb_call_begin(c, &w);
    if (c->params.broken)
        ok = fb_fail(&err, 100, 0, "(#100) The request body is not what its Content-Type says");
    else if (c->op->needs != FB_NEEDS_NOTHING)
        ok = check_token(c, &err) && check_proof(c, &err);
    if (!ok || !c->op->run(c, &w, &err))
        fb_call_fail(c, &err);
    else if (!c->kept)
        fb_call_end(c, &w);
}

static void
run_after_delay(struct fb_call *c)
{
    fb_call_release(c);
    run(c);
}

/* Carries out the order; false when the call goes on as usual. */
static bool
carry_out(struct fb_call *c, const struct fault *f)
{
    struct fb_error err;

    switch (f->kind) {
    case FAULT_NONE:
    case FAULT_DUPLICATE:
        return false;
    case FAULT_STATUS:
    case FAULT_RATE_LIMIT:
        fb_error_of_fault(c, f, &err);
        fb_call_fail(c, &err);
        return true;
    case FAULT_HTML:
        fb_write_html(c, f->status);
        finish(c, f->status);
        return true;
    case FAULT_CUT_BEFORE:
        if (c->record > 0)
            fb_records_finish(&c->fb->records, c->record, 0, FB_CUT_BEFORE);
        http_exchange_cut(c->x);
        return true;
    case FAULT_CUT_AFTER:
        c->cut = f->code == 0;
        c->fault = *f;
        return false;
    case FAULT_DELAY:
        c->alarm.ring = on_alarm;
        fb_call_keep(c, fb_now_ms(c->fb) + f->delay_ms, run_after_delay);
        return true;
    case FAULT_GARBAGE:
        buf_clear(&c->x->reply.body);
        buf_append(&c->x->reply.body, STR("{\"recipient_id\":"));
        http_reply_header(c->x, STR("Content-Type"), STR("application/json"));
        finish(c, 200);
        return true;
    }
    return false;
}

static struct fault
ordered(struct fb_call *c)
{
    yyjson_val *recipient;
    int64_t     chat = 0;

    if (!c->fb->stage->faults.first)
        return (struct fault){ .kind = FAULT_NONE };
    recipient = fb_params_val(&c->params, "recipient", c->arena);
    if (recipient && !str_to_i64(json_str(recipient, "id"), &chat))
        chat = json_int(recipient, "id", 0);
    if (!recipient && c->segment_count == 1)
        str_to_i64(c->segments[0], &chat);
    return faults_take(&c->fb->stage->faults, &(struct fault_call){ STR("meta"), c->op ? str_of(c->op->name) : STR("?"),
                                                  c->account ? c->account->id : 0, chat });
}

/* ---- from the URL ---- */

static bool
is_version(struct str s)
{
    if (s.len < 2 || s.ptr[0] != 'v')
        return false;
    for (size_t i = 1; i < s.len; i++)
        if ((s.ptr[i] < '0' || s.ptr[i] > '9') && s.ptr[i] != '.')
            return false;
    return true;
}

static bool
split_path(struct fb_call *c)
{
    struct str rest = str_from(c->x->request.path, 1), segment;
    bool       first = true;

    while (rest.len > 0) {
        str_cut(rest, '/', &segment, &rest);
        if (segment.len == 0)
            continue;
        if (first && str_eq(segment, STR("instagram"))) {
            c->host = FB_HOST_INSTAGRAM;
        } else if (c->version.len == 0 && c->segment_count == 0 && is_version(segment)) {
            c->version = segment;
        } else if (c->segment_count == FB_SEGMENTS_MAX
            || !http_decode(segment, false, c->arena, &c->segments[c->segment_count++])) {
            return false;
        }
        first = false;
    }
    return c->segment_count > 0;
}

/* The address we are known by is what media links begin with. */
static void
note_address(struct fb *fb, const struct http_exchange *x)
{
    struct str host = http_header_get(&x->request, STR("Host"));
    struct buf b;

    if (host.len == 0 || host.len > 200 || str_eq(str_from(fb->files.base_url, 7), host))
        return;
    buf_init(&b, 512);
    buf_printf(&b, "http://%.*s", STR_ARG(host));
    own_set(&fb->files.base_url, buf_str(&b));
    buf_deinit(&b);
}

static bool
show_file(struct fb_call *c, struct json *w, struct fb_error *err)
{
    (void)w;
    (void)err;
    buf_clear(&c->x->reply.body);
    fb_file_serve(&c->fb->files, c->x, fb_now_ms(c->fb));
    c->raw = true;
    return true;
}

static const struct fb_op file_op = { "file", show_file, FB_NEEDS_NOTHING };

static struct fb_call *
call_new(struct fb *fb, struct http_exchange *x)
{
    struct fb_call *c = arena_new(&x->arena, struct fb_call);

    c->fb = fb;
    c->x = x;
    c->arena = &x->arena;
    c->alarm.ring = on_alarm;
    fb_params_read(&c->params, &x->request, c->arena);
    note_address(fb, x);
    return c;
}

static void
note(struct fb_call *c)
{
    if (c->op == &file_op || !c->fb->stage->record_calls)
        return;
    c->record = fb_records_add(&c->fb->records, &(struct fb_record){ .at_ms = fb_now_ms(c->fb),
        .account = c->account ? c->account->id : 0, .operation = c->op->name,
        .method = http_method_name(c->x->request.method), .path = c->x->request.path,
        .params = fb_params_json(&c->params, c->arena) });
}

/* Ordered trouble comes first, as a broken network would: also for a token that is wrong. */
void
fb_call_serve(struct fb *fb, struct http_exchange *x)
{
    struct fb_error err = { .message = "" };
    struct fb_call *c = call_new(fb, x);
    struct fault    fault;

    find_token(c);
    if (str_starts(x->request.path, STR("/meta-cdn/")))
        c->op = &file_op;
    else if (split_path(c))
        c->op = fb_find_op(c, &err);
    else
        fb_fail(&err, 2500, 0, "Unknown path components");
    if (!c->op) {
        fb_call_fail(c, &err);
        return;
    }
    if (c->token && c->token->kind == FB_TOKEN_INSTAGRAM)
        c->host = FB_HOST_INSTAGRAM;
    note(c);
    fault = ordered(c);
    if (!carry_out(c, &fault))
        run(c);
}
