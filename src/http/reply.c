/* reply.c -- a reply's head and how it leaves, see http.h and conn.h. */
#include "http/conn.h"

#include <assert.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define REPLY_BODY_KEEP (16 * KIB) /* of memory kept for the connection's next reply */

/* ---- what handlers call ---- */

static bool
is_header_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
            return false;
    return true;
}

void
http_reply_header(struct http_exchange *x, struct str name, struct str value)
{
    struct http_reply *r = &x->reply;

    assert(r->header_count < HTTP_REPLY_HEADERS_MAX);
    if (!is_header_value(value) || name.len + value.len > HTTP_REPLY_HEAD_MAX - r->header_bytes) {
        r->broken = true;
        return;
    }
    r->header_bytes += name.len + value.len;
    r->headers[r->header_count++] = (struct http_header){ .name = name, .value = value };
}

void
http_reply_clear(struct http_exchange *x)
{
    struct http_reply *r = &x->reply;

    if (r->file >= 0)
        close(r->file);
    r->file = -1;
    r->file_offset = r->file_length = 0;
    r->status = 0;
    r->header_count = r->header_bytes = 0;
    r->broken = false;
    if (r->body.cap > REPLY_BODY_KEEP)
        buf_deinit(&r->body);
    buf_clear(&r->body);
}

/* ---- the head ---- */

static struct str
status_line(int status)
{
#define LINE(code, text) case code: return STR("HTTP/1.1 " #code " " text "\r\n")
    switch (status) {
        LINE(200, "OK");
        LINE(201, "Created");
        LINE(202, "Accepted");
        LINE(204, "No Content");
        LINE(206, "Partial Content");
        LINE(301, "Moved Permanently");
        LINE(302, "Found");
        LINE(303, "See Other");
        LINE(304, "Not Modified");
        LINE(307, "Temporary Redirect");
        LINE(308, "Permanent Redirect");
        LINE(400, "Bad Request");
        LINE(401, "Unauthorized");
        LINE(403, "Forbidden");
        LINE(404, "Not Found");
        LINE(405, "Method Not Allowed");
        LINE(406, "Not Acceptable");
        LINE(408, "Request Timeout");
        LINE(409, "Conflict");
        LINE(410, "Gone");
        LINE(411, "Length Required");
        LINE(412, "Precondition Failed");
        LINE(413, "Content Too Large");
        LINE(415, "Unsupported Media Type");
        LINE(416, "Range Not Satisfiable");
        LINE(417, "Expectation Failed");
        LINE(422, "Unprocessable Content");
        LINE(429, "Too Many Requests");
        LINE(431, "Request Header Fields Too Large");
        LINE(500, "Internal Server Error");
        LINE(501, "Not Implemented");
        LINE(502, "Bad Gateway");
        LINE(503, "Service Unavailable");
        LINE(504, "Gateway Timeout");
        LINE(505, "HTTP Version Not Supported");
        LINE(507, "Insufficient Storage");
    default:
        return STR_NONE;
    }
#undef LINE
}

static void
add_status(struct buf *head, int status)
{
    struct str line = status_line(status);

    if (str_is_none(line))
        buf_printf(head, "HTTP/1.1 %03d Other\r\n", status);
    else
        buf_append(head, line);
}

static void
add_header(struct buf *head, struct str name, struct str value)
{
    buf_append(head, name);
    buf_append(head, STR(": "));
    buf_append(head, value);
    buf_append(head, STR("\r\n"));
}

static void
add_date(struct http_loop *loop)
{
    int64_t now_ms = clock_now_ms();

    if (now_ms / 1000 != loop->date_s) {
        loop->date_s = now_ms / 1000;
        http_date_format(now_ms, loop->date);
    }
    add_header(&loop->head, STR("Date"), (struct str){ loop->date, HTTP_DATE_LEN });
}

static bool
has_body(int status)
{
    return status != 204 && status != 304;
}

static int64_t
body_length(const struct http_reply *r)
{
    return r->file >= 0 ? r->file_length : (int64_t)r->body.len;
}

struct str
http_reply_head(struct http_conn *c, bool is_stream)
{
    struct http_loop        *loop = c->loop;
    const struct http_reply *r = &c->x.reply;
    struct buf              *head = &loop->head;

    buf_clear(head);
    add_status(head, r->status);
    add_date(loop);
    for (size_t i = 0; i < r->header_count; i++)
        add_header(head, r->headers[i].name, r->headers[i].value);
    if (is_stream && c->stream_chunked)
        add_header(head, STR("Transfer-Encoding"), STR("chunked"));
    else if (!is_stream && has_body(r->status)) {
        buf_append(head, STR("Content-Length: "));
        buf_append_i64(head, body_length(r));
        buf_append(head, STR("\r\n"));
    }
    add_header(head, STR("X-Request-Id"), str_of(c->x.request.id));
    if (c->closing)
        add_header(head, STR("Connection"), STR("close"));
    else if (c->parser.minor == 0)
        add_header(head, STR("Connection"), STR("keep-alive"));
    buf_append(head, STR("\r\n"));
    return buf_str(head);
}

/* ---- the answer ---- */

/* Our own answer takes the place of whatever was prepared. */
static void
set_error(struct http_conn *c, const struct error *err)
{
    struct http_exchange      *x = &c->x;
    const struct http_options *o = &c->loop->server->options;

    http_reply_clear(x);
    x->reply.status = err->status;
    if (o->write_error)
        o->write_error(o->ctx, x, err);
    if (err->retry_after_ms > 0)
        http_reply_header(x, STR("Retry-After"),
                          arena_printf(&x->arena, "%lld", (long long)((err->retry_after_ms + 999) / 1000)));
}

/* Broken by our own doing: the client gets no half of it. */
static void
check_reply(struct http_conn *c)
{
    const struct http_reply *r = &c->x.reply;
    struct error             err;

    if (buf_ok(&r->body) && !r->broken && r->status >= 200 && r->status <= 999)
        return;
    log_error("a reply could not be sent", LOG_STR("path", c->x.request.path), LOG_INT("status", r->status),
              LOG_INT("size", (int64_t)r->body.len), LOG_STR("request", str_of(c->x.request.id)));
    error_set(&err, 500, "the server could not write its answer");
    set_error(c, &err);
}

static void
reply_over(struct http_conn *c)
{
    http_conn_end_exchange(c);
    http_conn_next(c);
}

void
http_conn_reply(struct http_conn *c)
{
    struct http_reply *r = &c->x.reply;
    bool               bodiless = c->x.request.method == METHOD_HEAD;
    struct str         head;
    uv_buf_t           bufs[2];
    unsigned           n = 1;

    c->answering = true;
    c->state = CONN_REPLYING;
    c->deadline_ms = HTTP_NEVER;
    c->closing = c->closing || c->loop->stopping;
    check_reply(c);
    bodiless = bodiless || !has_body(r->status);
    head = http_reply_head(c, false);
    bufs[0] = (uv_buf_t){ .base = (char *)(uintptr_t)head.ptr, .len = head.len };
    if (!bodiless && r->file < 0 && r->body.len > 0)
        bufs[n++] = (uv_buf_t){ .base = r->body.ptr, .len = r->body.len };
    c->file_at = r->file_offset;
    c->file_left = r->file >= 0 && !bodiless ? r->file_length : 0;
    if (!http_conn_write(c, bufs, n)) {
        http_conn_close(c);
        return;
    }
    http_conn_reply_more(c);
}

void
http_conn_reply_more(struct http_conn *c)
{
    if (c->file_left > 0 && !http_conn_send_file(c)) {
        http_conn_close(c); /* the length was promised; only a broken connection tells the client */
        return;
    }
    if (c->file_left == 0 && http_conn_unsent(c) == 0)
        reply_over(c);
}

void
http_conn_refuse(struct http_conn *c, const struct error *err)
{
    http_body_release(&c->body);
    if (!c->x.request.id[0])
        http_request_id_make(c->loop, c->x.request.id);
    c->closing = true;
    set_error(c, err);
    http_conn_reply(c);
}
