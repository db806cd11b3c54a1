#include "api/reply.h"

#include "store/view.h"

#define RETRY_AFTER_DEFAULT_MS 5000

static void
set_type(struct http_exchange *x, struct str type)
{
    http_reply_header(x, STR("Content-Type"), type);
}

void
reply_clear(struct http_exchange *x)
{
    x->reply.status = 0;
    x->reply.header_count = 0;
    x->reply.broken = false;
    buf_clear(&x->reply.body);
}

void
reply_begin(struct call *call, int status, struct json *w)
{
    call->x->reply.status = status;
    set_type(call->x, STR("application/json"));
    *w = (struct json){ .buf = &call->x->reply.body };
}

void
reply_list_begin(struct call *call, struct json *w, int64_t total, int64_t page, int64_t per_page)
{
    reply_begin(call, 200, w);
    json_begin(w, NULL);
    json_put_int(w, "total", total);
    json_put_int(w, "page", page);
    json_put_int(w, "per_page", per_page);
    json_begin_array(w, "data");
}

void
reply_whole_list_begin(struct call *call, struct json *w)
{
    reply_begin(call, 200, w);
    json_begin(w, NULL);
    json_begin_array(w, "data");
}

void
reply_list_end(struct json *w)
{
    json_end_array(w);
    json_end(w);
}

bool
reply_chat(struct call *call, int status, const struct chat *c)
{
    struct json w;

    reply_begin(call, status, &w);
    view_chat(&w, NULL, c);
    return true;
}

bool
reply_message(struct call *call, int status, const struct message *m)
{
    struct json w;

    reply_begin(call, status, &w);
    view_message(&w, NULL, m);
    return true;
}

bool
reply_flag(struct call *call, const char *name)
{
    struct json w;

    reply_begin(call, 200, &w);
    json_begin(&w, NULL);
    json_put_bool(&w, name, true);
    json_end(&w);
    return true;
}

bool
reply_text(struct call *call, struct str content_type, struct str body)
{
    call->x->reply.status = 200;
    set_type(call->x, content_type);
    buf_append(&call->x->reply.body, body);
    return true;
}

/* Whole seconds, so that nobody comes back too early. */
static void
set_retry_after(struct http_exchange *x, int64_t ms)
{
    int64_t seconds = ((ms > 0 ? ms : RETRY_AFTER_DEFAULT_MS) + 999) / 1000;

    http_reply_header(x, STR("Retry-After"), arena_printf(&x->arena, "%lld", (long long)seconds));
}

void
reply_error(struct http_exchange *x, const struct error *err)
{
    reply_clear(x);
    x->reply.status = err->status;
    reply_error_body(x, err);
    if (err->status == 401)
        http_reply_header(x, STR("WWW-Authenticate"), STR("Bearer realm=\"parley\""));
    if (err->status == 429 || err->status == 503)
        set_retry_after(x, err->retry_after_ms);
}

void
reply_error_body(struct http_exchange *x, const struct error *err)
{
    struct json w = { .buf = &x->reply.body };
    struct str  sentence = str_of(err->message);

    set_type(x, STR("application/json"));
    if (err->status == 500)
        sentence = STR("Something went wrong on this server; its log says what");
    json_begin(&w, NULL);
    json_put_str(&w, "error", sentence);
    json_put_str(&w, "request_id", str_of(x->request.id));
    if (err->detail[0]) {
        buf_append_char(w.buf, ',');
        buf_append(w.buf, str_of(err->detail));
    }
    json_end(&w);
}
