/* call.c -- see call.h. */
#include "sandbox/bluesky/call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/array.h"
#include "sandbox/bluesky/records.h"

#define LIMIT    3000 /* requests in five minutes, as the account server's headers say */
#define WINDOW_S 300

/* ---- errors ---- */

static const char *
usual_name(int status)
{
    static const struct {
        int         status;
        const char *name;
    } names[] = {
        { 400, "InvalidRequest" }, { 401, "AuthenticationRequired" }, { 403, "Forbidden" }, { 404, "XRPCNotSupported" },
        { 406, "NotAcceptable" }, { 413, "PayloadTooLarge" }, { 415, "UnsupportedMediaType" },
        { 429, "RateLimitExceeded" }, { 500, "InternalServerError" }, { 501, "MethodNotImplemented" },
        { 502, "UpstreamFailure" }, { 503, "NotEnoughResources" }, { 504, "UpstreamTimeout" },
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (names[i].status == status)
            return names[i].name;
    return status < 500 ? "InvalidRequest" : "InternalServerError";
}

void
bs_reply_error(struct http_exchange *x, int status, const char *name, const char *message)
{
    struct json w = { .buf = &x->reply.body };

    x->reply.status = status;
    buf_clear(&x->reply.body);
    json_begin(&w, NULL);
    json_put_str(&w, "error", str_of(name ? name : usual_name(status)));
    if (message[0])
        json_put_str(&w, "message", str_of(message));
    json_end(&w);
    http_reply_header(x, STR("Content-Type"), STR("application/json; charset=utf-8"));
}

bool
bs_fail(struct bs_call *c, struct error *err, int status, const char *name, const char *fmt, ...)
{
    char    text[sizeof(err->message)];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    c->name = name;
    return error_set(err, status, "%s", text);
}

bool
bs_fail_no(struct bs_call *c, struct error *err, enum bs_no no)
{
    const struct bs_refusal *r = bs_refusal(no);

    return bs_fail(c, err, 400, r->old || c->bs->settings.named_refusals ? r->name : NULL, "%s", r->text);
}

/* ---- ending a call ---- */

static void
release(struct bs_call *c)
{
    if (!c->kept)
        return;
    c->kept = false;
    alarm_clear(&c->bs->stage->alarms, &c->alarm);
    if (c->previous)
        c->previous->next = c->next;
    else
        c->bs->waiting = c->next;
    if (c->next)
        c->next->previous = c->previous;
}

static void
put_limits(struct bs_call *c)
{
    int64_t now_s = bs_now_ms(c->bs) / 1000, left = LIMIT - c->bs->window_count;

    if (!c->counted)
        return;
    left = c->wait_s > 0 ? 0 : left > 0 ? left : 1;
    http_reply_header(c->x, STR("ratelimit-limit"), arena_printf(c->arena, "%d", LIMIT));
    http_reply_header(c->x, STR("ratelimit-remaining"), arena_printf(c->arena, "%lld", (long long)left));
    http_reply_header(c->x, STR("ratelimit-reset"), arena_printf(c->arena, "%lld",
        (long long)(c->wait_s > 0 ? now_s + c->wait_s : c->bs->window_s + WINDOW_S)));
    http_reply_header(c->x, STR("ratelimit-policy"), arena_printf(c->arena, "%d;w=%d", LIMIT, WINDOW_S));
    if (c->wait_s > 0 && c->bs->settings.retry_after)
        http_reply_header(c->x, STR("Retry-After"), arena_printf(c->arena, "%lld", (long long)c->wait_s));
}

static void
finish(struct bs_call *c, int status)
{
    release(c);
    if (c->record > 0)
        bs_records_finish(&c->bs->records, c->record, c->account, c->cut ? 0 : status,
            c->cut ? "cut_after" : "answered");
    if (c->cut) {
        http_exchange_cut(c->x);
        return;
    }
    c->x->reply.status = status;
    put_limits(c);
    http_exchange_done(c->x);
}

static bool
is_proxied(const struct bs_call *c)
{
    return str_starts(c->nsid, STR("chat."));
}

/* An error 500 behind a proxy is the proxy's 502. */
static void
fail(struct bs_call *c, const struct error *err)
{
    const char *name = c->name ? c->name : usual_name(err->status);
    int         status = err->status == 500 && is_proxied(c) ? 502 : err->status;

    bs_reply_error(c->x, status, name, err->message);
    finish(c, status);
}

void
bs_calls_abandon(struct bs *bs)
{
    struct error err;

    while (bs->waiting) {
        error_set(&err, 503, "the sandbox starts afresh");
        fail(bs->waiting, &err);
    }
}

/* ---- what is true of all ---- */

static bool
within_window(struct bs_call *c, struct error *err)
{
    struct bs *bs = c->bs;
    int64_t    now_s = bs_now_ms(bs) / 1000, most = bs->settings.requests_per_5_minutes;

    if (now_s >= bs->window_s + WINDOW_S) {
        bs->window_s = now_s;
        bs->window_count = 0;
    }
    bs->window_count++;
    c->counted = true;
    if (most == 0 || bs->window_count <= most)
        return true;
    c->wait_s = bs->window_s + WINDOW_S - now_s;
    return bs_fail(c, err, 429, NULL, "Rate Limit Exceeded");
}

static bool
has_token(struct bs_call *c, struct error *err)
{
    struct str header = http_header_get(&c->x->request, STR("Authorization")), scheme, text;
    bool       refresh = c->method->auth == BS_AUTH_REFRESH;

    if (c->method->auth == BS_AUTH_NONE || (c->method->auth == BS_AUTH_OPTIONAL && str_is_none(header)))
        return true;
    if (str_is_none(header))
        return bs_fail(c, err, 401, "AuthMissing", "Authentication Required");
    if (!str_cut(header, ' ', &scheme, &text) || !str_eq_nocase(scheme, STR("Bearer")))
        return bs_fail(c, err, 400, "InvalidToken", "Unexpected authorization type");
    if (!bs_token_read(c->bs, str_trim(text), c->arena, &c->token) || !c->token.account)
        return bs_fail(c, err, 400, "InvalidToken", "Token could not be verified");
    c->account = c->token.account;
    if ((c->token.kind == BS_TOKEN_REFRESH) != refresh)
        return bs_fail(c, err, 400, "InvalidToken", "Invalid token type");
    if (c->token.expired && !str_ends(c->nsid, STR(".deleteSession"))) /* who logs out may come late */
        return bs_fail(c, err, 400, "ExpiredToken", "Token has expired");
    return true;
}

static bool
may_call(struct bs_call *c, struct error *err)
{
    bool of_server = str_starts(c->nsid, STR("com.atproto."));

    if (!c->account)
        return true;
    switch (c->account->status) {
    case BS_ACTIVE:
        break;
    case BS_TAKENDOWN:
        return bs_fail(c, err, 401, "AccountTakedown", "Account has been taken down");
    case BS_DEACTIVATED:
        if (of_server)
            break;
        return bs_fail(c, err, 401, "AccountDeactivated", "Account is deactivated");
    case BS_DELETED:
        if (c->method->auth == BS_AUTH_REFRESH)
            break; /* its sessions are gone, which is what it is told */
        return bs_fail(c, err, 401, NULL, "Account not found");
    case BS_STATUSES:
        assert(false);
    }
    if (c->method->guarded && !c->token.privileged)
        return bs_fail(c, err, 400, "InvalidToken", "%s", c->bs->settings.bad_token);
    return true;
}

/* Without the header a chat method goes to the AppView, which has none; with it, others go to the chat service. */
static bool
is_well_proxied(struct bs_call *c, struct error *err)
{
    struct str wanted = str_of(c->bs->settings.proxy), did, service, wanted_did, wanted_service;
    struct str header = http_header_get(&c->x->request, STR("atproto-proxy"));

    if (!is_proxied(c))
        return str_is_none(header) || bs_fail(c, err, 501, NULL, "Method Not Implemented");
    if (str_is_none(header))
        return bs_fail(c, err, 404, NULL, "XRPCNotSupported");
    if (!str_cut(header, '#', &did, &service) || service.len == 0)
        return bs_fail(c, err, 400, NULL, "no service id specified in proxy header");
    str_cut(wanted, '#', &wanted_did, &wanted_service);
    if (!str_eq(did, wanted_did))
        return bs_fail(c, err, 400, NULL, "could not resolve proxy did");
    return str_eq(service, wanted_service) || bs_fail(c, err, 400, NULL, "could not resolve proxy did service url");
}

static bool
check(struct bs_call *c, struct error *err)
{
    if (!c->method)
        return is_well_proxied(c, err) && bs_fail(c, err, 501, NULL, "Method Not Implemented");
    if (c->x->request.method != c->method->verb)
        return bs_fail(c, err, 400, NULL, "Incorrect HTTP method (%s) expected %s",
            c->x->request.method == METHOD_GET ? "GET" : "POST", c->method->verb == METHOD_GET ? "GET" : "POST");
    return has_token(c, err) && within_window(c, err) && is_well_proxied(c, err) && may_call(c, err)
        && bs_input_read(c, err);
}

static void
run(struct bs_call *c)
{
    struct error err = { 0 };
    struct json  w = { .buf = &c->x->reply.body };

    if (!check(c, &err)) {
        fail(c, &err);
        return;
    }
    json_begin(&w, NULL);
    if (!c->method->run(c, &w, &err)) {
        fail(c, &err);
        return;
    }
    json_end(&w);
    if (c->empty)
        buf_clear(&c->x->reply.body);
    else
        http_reply_header(c->x, STR("Content-Type"), STR("application/json; charset=utf-8"));
    finish(c, 200);
}

/* ---- trouble ---- */

static void
on_alarm(struct alarm *a)
{
    struct bs_call *c = container_of(a, struct bs_call, alarm);

    release(c);
    run(c);
}

static void
keep(struct bs_call *c, int64_t until_ms)
{
    c->kept = true;
    c->alarm.ring = on_alarm;
    c->next = c->bs->waiting;
    if (c->next)
        c->next->previous = c;
    c->bs->waiting = c;
    alarm_set(&c->bs->stage->alarms, &c->alarm, until_ms);
}

static void
answer_html(struct bs_call *c, int status)
{
    struct http_exchange *x = c->x;

    buf_clear(&x->reply.body);
    buf_printf(&x->reply.body, "<html>\r\n<head><title>%d</title></head>\r\n<body>\r\n<center><h1>%d</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", status, status);
    http_reply_header(x, STR("Content-Type"), STR("text/html"));
    finish(c, status);
}

/* A description "Name: text" has the error's name in front, as "ConvoLocked: Convo is locked". */
static void
answer_status(struct bs_call *c, const struct fault *f)
{
    struct error err = { 0 };
    const char  *colon = strstr(f->description, ": ");

    if (colon && !memchr(f->description, ' ', (size_t)(colon - f->description))) {
        c->name = arena_copy(c->arena, (struct str){ f->description, (size_t)(colon - f->description) }).ptr;
        error_set(&err, f->status, "%s", colon + 2);
    } else {
        error_set(&err, f->status, "%s", f->description);
    }
    c->counted = true;
    fail(c, &err);
}

/* The chat service's own limits show nothing of how long: its headers stay behind at the account server. */
static void
answer_rate(struct bs_call *c, const struct fault *f)
{
    struct error err = { 0 };

    error_set(&err, 429, is_proxied(c) ? "Too Many Requests" : "Rate Limit Exceeded");
    c->counted = true;
    if (!is_proxied(c))
        c->wait_s = f->retry_after > 0 ? f->retry_after : 1;
    fail(c, &err);
}

/* Carries out the order; false when the call goes on as usual. */
static bool
carry_out(struct bs_call *c, const struct fault *f)
{
    switch (f->kind) {
    case FAULT_NONE:
    case FAULT_DUPLICATE:
        return false;
    case FAULT_STATUS:
        answer_status(c, f);
        return true;
    case FAULT_RATE_LIMIT:
        answer_rate(c, f);
        return true;
    case FAULT_HTML:
        answer_html(c, f->status);
        return true;
    case FAULT_CUT_BEFORE:
        if (c->record > 0)
            bs_records_finish(&c->bs->records, c->record, c->account, 0, "cut_before");
        http_exchange_cut(c->x);
        return true;
    case FAULT_CUT_AFTER:
        c->cut = true;
        return false;
    case FAULT_DELAY:
        keep(c, bs_now_ms(c->bs) + f->delay_ms);
        return true;
    case FAULT_GARBAGE:
        buf_append(&c->x->reply.body, STR("{\"cursor\":\"2222"));
        http_reply_header(c->x, STR("Content-Type"), STR("application/json; charset=utf-8"));
        finish(c, 200);
        return true;
    }
    return false;
}

/* ---- from the URL ---- */

static const struct bs_method *
find_method(struct str nsid)
{
    for (size_t i = 0; i < bs_method_count; i++)
        if (str_eq(nsid, str_of(bs_methods[i].nsid)))
            return &bs_methods[i];
    return NULL;
}

/* Whose token it is, good or not, for the record, the counts and orders that name an account. */
static struct bs_account *
whose(struct bs_call *c)
{
    struct str      header = http_header_get(&c->x->request, STR("Authorization")), scheme, text;
    struct bs_token token;

    if (str_cut(header, ' ', &scheme, &text) && bs_token_read(c->bs, str_trim(text), c->arena, &token))
        return token.account;
    return NULL;
}

void
bs_call_serve(struct bs *bs, struct http_exchange *x)
{
    struct bs_call    *c = arena_new(&x->arena, struct bs_call);
    struct bs_account *account;
    struct str         last;
    struct fault       fault = { .kind = FAULT_NONE };

    c->bs = bs;
    c->x = x;
    c->arena = &x->arena;
    c->nsid = str_from(x->request.path, sizeof("/xrpc/") - 1);
    c->method = find_method(c->nsid);
    account = whose(c);
    c->eye = (struct bs_eye){ account, bs_base_of(x) };
    if (account && c->method)
        account->counts[c->method - bs_methods]++;
    if (bs->stage->record_calls)
        c->record = bs_records_add(&bs->records, c->nsid, account, x, bs_now_ms(bs));
    if (bs->stage->faults.first) {
        const char *dot = memrchr(c->nsid.ptr, '.', c->nsid.len);

        last = dot ? str_from(c->nsid, (size_t)(dot - c->nsid.ptr) + 1) : c->nsid;
        fault = faults_take(&bs->stage->faults, &(struct fault_call){ .platform = STR("bluesky"), .on = last,
            .full_name = c->nsid, .account = account ? str_of(account->did) : STR_NONE });
    }
    if (!carry_out(c, &fault))
        run(c);
}
