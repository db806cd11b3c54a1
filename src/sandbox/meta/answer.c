/* answer.c -- see answer.h. */
#include "sandbox/meta/answer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/crypto.h"
#include "base/random.h"

static int
status_of(int code)
{
    switch (code) {
    case 1:
    case 2:
        return 500;
    case 4:
    case 200:
        return 403;
    case 104:
        return 401;
    default:
        return 400;
    }
}

bool
fb_fail(struct fb_error *err, int code, int subcode, const char *fmt, ...)
{
    va_list args;

    err->code = code;
    err->subcode = subcode;
    err->status = status_of(code);
    err->transient = code == 2 || code == 4;
    va_start(args, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    return false;
}

static const char *
type_of(const struct fb_call *c, const struct fb_error *err)
{
    if (err->type)
        return err->type;
    if (c->host == FB_HOST_INSTAGRAM && err->code != 190)
        return "IGApiException";
    return err->subcode == 33 ? "GraphMethodException" : "OAuthException";
}

static void
put_trace(struct json *w)
{
    uint8_t    bytes[17];
    struct buf b;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&b, 64);
    base64url_encode(&b, (struct str){ (const char *)bytes, sizeof(bytes) });
    json_put_str(w, "fbtrace_id", str_slice(buf_str(&b), 0, 22));
    buf_deinit(&b);
}

void
fb_write_error(struct fb_call *c, const struct fb_error *err)
{
    struct http_exchange *x = c->x;
    struct json           w = { .buf = &x->reply.body };

    buf_clear(&x->reply.body);
    json_begin(&w, NULL);
    json_begin(&w, "error");
    json_put_str(&w, "message", str_of(err->message));
    json_put_str(&w, "type", str_of(type_of(c, err)));
    json_put_int(&w, "code", err->code);
    if (err->subcode != 0)
        json_put_int(&w, "error_subcode", err->subcode);
    if (err->transient)
        json_put_bool(&w, "is_transient", true);
    put_trace(&w);
    json_end(&w);
    json_end(&w);
    http_reply_header(x, STR("Content-Type"), STR("application/json; charset=UTF-8"));
    if (err->code == 190 || err->code == 104)
        http_reply_header(x, STR("WWW-Authenticate"), arena_printf(c->arena,
            "OAuth \"Facebook Platform\" \"%s\" \"%s\"", err->code == 190 ? "invalid_token" : "invalid_request",
            err->message));
    if (err->regain_minutes > 0 && c->account)
        http_reply_header(x, STR("X-Business-Use-Case-Usage"), arena_printf(c->arena,
            "{\"%lld\":[{\"type\":\"%s\",\"call_count\":100,\"total_cputime\":3,\"total_time\":5,"
            "\"estimated_time_to_regain_access\":%lld}]}", (long long)c->account->id,
            fb_is_instagram(c->account) ? "instagram" : "messenger", (long long)err->regain_minutes));
}

void
fb_write_html(struct fb_call *c, int status)
{
    struct http_exchange *x = c->x;

    buf_clear(&x->reply.body);
    buf_printf(&x->reply.body, "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry, something went"
                               " wrong.</h1><p>%d</p></body></html>\n", status);
    http_reply_header(x, STR("Content-Type"), STR("text/html; charset=\"utf-8\""));
}

void
fb_error_of_fault(const struct fb_call *c, const struct fault *f, struct fb_error *err)
{
    bool instagram = c->account && fb_is_instagram(c->account);

    *err = (struct fb_error){ .message = "" };
    if (f->kind == FAULT_RATE_LIMIT) {
        fb_fail(err, f->code > 0 ? (int)f->code : instagram ? 80002 : 80006, (int)f->subcode, "%s",
            f->description[0] ? f->description : "(#80006) There have been too many calls for this account. Wait a bit"
                                                 " and try again.");
        err->regain_minutes = (f->retry_after + 59) / 60;
        return;
    }
    fb_fail(err, f->code > 0 ? (int)f->code : f->status >= 500 ? 2 : 1, (int)f->subcode, "%s",
        f->description[0] ? f->description : "An unexpected error has occurred. Please retry your request later.");
    if (f->code == 0)
        err->status = f->status;
}

/* What settings.usage says was used of every limit; users' tokens have a header of their own. */
void
fb_put_usage(struct fb_call *c)
{
    int64_t percent = c->fb->settings.usage;

    if (percent < 0 || !c->token)
        return;
    if (!c->account) {
        http_reply_header(c->x, STR("X-App-Usage"), arena_printf(c->arena,
            "{\"call_count\":%lld,\"total_cputime\":2,\"total_time\":2}", (long long)percent));
        return;
    }
    http_reply_header(c->x, STR("X-Business-Use-Case-Usage"), arena_printf(c->arena,
        "{\"%lld\":[{\"type\":\"%s\",\"call_count\":%lld,\"total_cputime\":3,\"total_time\":5,"
        "\"estimated_time_to_regain_access\":%d}]}", (long long)c->account->id,
        fb_is_instagram(c->account) ? "instagram" : "messenger", (long long)percent, percent >= 100 ? 10 : 0));
}

bool
fb_bucket_take(struct fb_bucket *b, double per_second, double burst, int64_t now_ms)
{
    double most = fmax(per_second, burst);
    double saved = b->filled_ms == 0 ? most : b->tokens + (double)(now_ms - b->filled_ms) * per_second / 1000;

    if (per_second <= 0)
        return true;
    b->tokens = saved < most ? saved : most;
    b->filled_ms = now_ms;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}
