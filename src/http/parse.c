/* parse.c -- see parse.h. The functions named on_...() are llhttp's callbacks. */
#include "http/parse.h"

#include <assert.h>

/* Framing a chunked body may bring besides its bytes: endless extensions or leading zeros are an attack. */
#define FRAMING_FREE     ((int64_t)16 * 1024)
#define FRAMING_PER_BYTE 8

#define REQUEST_ID_ACCEPTED 36

static bool
refuse(struct error *err, const char *what)
{
    return error_set(err, 400, "this is not a valid HTTP request: %s", what);
}

/* ---- what llhttp tells us ---- */

static int
on_header_field(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    if (p->place == HTTP_IN_BODY) {
        refuse(p->err, "trailers behind a chunked body are not accepted");
        return HPE_USER;
    }
    assert(p->request->header_count < p->scan.fields);
    p->field = &p->request->headers[p->request->header_count++];
    p->field->name = (struct str){ at, len };
    p->field->value = STR("");
    return HPE_OK;
}

static int
on_header_value(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    p->field->value = str_trim((struct str){ at, len });
    return HPE_OK;
}

/* A client may ask to go on in another protocol; we go on in this one, as RFC 9110 (7.8) allows. */
static int
on_headers_complete(llhttp_t *l)
{
    struct http_parser *p = l->data;

    l->upgrade = 0;
    p->keep_alive = llhttp_should_keep_alive(l) != 0;
    p->chunked = (l->flags & F_CHUNKED) != 0;
    p->length_by_llhttp = l->content_length;
    return HPE_OK;
}

static int
on_body(llhttp_t *l, const char *at, size_t len)
{
    struct http_parser *p = l->data;

    p->body_bytes += (int64_t)len;
    p->framing -= (int64_t)len;
    return p->on_body(p->ctx, (struct str){ at, len }, p->err) ? HPE_OK : HPE_USER;
}

/* Pausing makes llhttp say where the message ended. */
static int
on_message_complete(llhttp_t *l)
{
    struct http_parser *p = l->data;

    p->place = HTTP_AT_END;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- what we check ourselves ---- */

static bool
host_is_valid(struct str host)
{
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.ptr[i] > 126 || !host.ptr[i] || strchr(" \t\"#,/<>?@\\^`{|}", host.ptr[i]))
            return false;
    return true;
}

static bool
id_is_plain(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_'
              || c == '-'))
            return false;
    }
    return id.len > 0 && id.len <= REQUEST_ID_ACCEPTED;
}

/* "Text/HTML; charset=x" -> "text/html" */
static struct str
bare_type(struct arena *a, struct str value)
{
    struct str type, rest;

    str_cut(value, ';', &type, &rest);
    return arena_lower(a, str_trim(type));
}

/* Digits only: no sign, no list, no blanks; llhttp has seen the same value and agrees. */
static bool
read_length(struct http_parser *p, struct str value, struct error *err)
{
    if (value.len == 0 || value.len > 18 || value.ptr[0] == '-' || !str_to_i64(value, &p->content_length))
        return refuse(err, "Content-Length is not a number of bytes");
    return true;
}

struct seen {
    int host, length, encoding;
};

static bool
read_field(struct http_parser *p, const struct http_header *h, struct seen *seen, struct error *err)
{
    struct http_request *r = p->request;

    switch (h->name.len) {
    case 4:
        if (str_eq_nocase(h->name, STR("host"))) {
            if (seen->host++ > 0)
                return refuse(err, "more than one Host header");
            if (!host_is_valid(h->value))
                return refuse(err, "the Host header holds no host");
        }
        break;
    case 6:
        if (str_eq_nocase(h->name, STR("expect"))) {
            if (!str_eq_nocase(h->value, STR("100-continue")))
                return error_set(err, 417, "the only expectation this server knows is 100-continue");
            p->expects_continue = p->minor > 0;
        }
        break;
    case 12:
        if (str_eq_nocase(h->name, STR("content-type")))
            r->content_type = bare_type(p->arena, h->value);
        else if (str_eq_nocase(h->name, STR("x-request-id")) && id_is_plain(h->value)) {
            memcpy(r->id, h->value.ptr, h->value.len);
            r->id[h->value.len] = '\0';
        }
        break;
    case 14:
        if (str_eq_nocase(h->name, STR("content-length"))) {
            if (seen->length++ > 0)
                return refuse(err, "more than one Content-Length header");
            return read_length(p, h->value, err);
        }
        break;
    case 17:
        if (str_eq_nocase(h->name, STR("transfer-encoding"))) {
            if (seen->encoding++ > 0)
                return refuse(err, "more than one Transfer-Encoding header");
            if (!str_eq_nocase(h->value, STR("chunked")))
                return refuse(err, "the only Transfer-Encoding is chunked");
        }
        break;
    default:
        break;
    }
    return true;
}

static bool
read_fields(struct http_parser *p, struct error *err)
{
    struct http_request *r = p->request;
    struct seen          seen = { 0 };
    bool                 has_body;

    for (size_t i = 0; i < r->header_count; i++)
        if (!read_field(p, &r->headers[i], &seen, err))
            return false;
    if (p->minor > 0 && seen.host == 0)
        return refuse(err, "the Host header is missing");
    if (seen.encoding > 0 && seen.length > 0)
        /* not reached: llhttp refuses them first */
        return refuse(err, "Content-Length and Transfer-Encoding together");
    if (seen.encoding > 0 && p->minor == 0)
        return refuse(err, "Transfer-Encoding does not exist in HTTP/1.0");

    /* llhttp has read the same lines; nothing may hang on which of us is right. */
    has_body = p->chunked || p->content_length > 0;
    if (p->chunked != (seen.encoding > 0) || p->length_by_llhttp != (uint64_t)p->content_length
        || has_body == (p->place == HTTP_AT_END))
        /* not reached: llhttp and we agree, as far as anybody knows */
        return refuse(err, "the length of its body is in doubt");
    return true;
}

static enum http_method
method_of(const llhttp_t *l)
{
    switch (l->method) {
    case HTTP_GET:
        return METHOD_GET;
    case HTTP_HEAD:
        return METHOD_HEAD;
    case HTTP_POST:
        return METHOD_POST;
    case HTTP_PUT:
        return METHOD_PUT;
    case HTTP_PATCH:
        return METHOD_PATCH;
    case HTTP_DELETE:
        return METHOD_DELETE;
    case HTTP_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
}

static bool
llhttp_refused(const struct http_parser *p, enum llhttp_errno code, struct error *err)
{
    if (code == HPE_INVALID_METHOD)
        return error_set(err, 501, "this server does not know that method");
    return refuse(err, p->llhttp.reason && p->llhttp.reason[0] ? p->llhttp.reason : "it cannot be parsed");
}

/* `head` is in the arena and complete, up to and with the empty line at its end. */
static bool
parse_head(struct http_parser *p, struct str head, struct error *err)
{
    struct http_request *r = p->request;
    struct str           lines = str_from(head, p->scan.skipped), first, rest;
    struct head_line     line;
    enum llhttp_errno    code;

    if (p->scan.fields > HTTP_FIELDS_MAX)
        return error_set(err, 431, "the request has more than %d headers", HTTP_FIELDS_MAX);
    str_cut(lines, '\r', &first, &rest);
    if (!head_parse_line(first, &line, err))
        return false;
    p->minor = line.minor;
    r->headers = arena_array(p->arena, struct http_header, p->scan.fields);
    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
    p->err = err;
    code = llhttp_execute(&p->llhttp, lines.ptr, lines.len);
    if (code != HPE_OK && !(code == HPE_PAUSED && p->place == HTTP_AT_END))
        return llhttp_refused(p, code, err);
    if (p->llhttp.method == HTTP_CONNECT)
        return error_set(err, 501, "this server is no proxy");
    r->method = method_of(&p->llhttp);
    r->target = line.target;
    if (!head_parse_target(line.method, line.target, &r->path, &r->query, err) || !read_fields(p, err))
        return false;
    if (p->place == HTTP_IN_HEAD)
        p->place = HTTP_IN_BODY;
    return true;
}

/* No byte beyond the limit is looked at, so that an answer does not depend on how the bytes arrived. */
static enum http_parsed
feed_head(struct http_parser *p, struct str *in, struct error *err)
{
    struct str head = str_slice(*in, 0, p->header_max - p->partial.len + 1);
    size_t     used;

    if (!head_scan(&p->scan, head, &used, err))
        return HTTP_PARSED_ERROR;
    if (p->partial.len + used > p->header_max) {
        error_set(err, 431, "the request's head is longer than %zu bytes", p->header_max);
        return HTTP_PARSED_ERROR;
    }
    head.len = used;
    *in = str_from(*in, used);
    if (p->scan.state != HEAD_END || p->partial.len > 0) {
        buf_append(&p->partial, head);
        head = buf_str(&p->partial);
    }
    if (p->scan.state != HEAD_END)
        return HTTP_PARSED_ALL;
    head = arena_copy(p->arena, head);
    buf_deinit(&p->partial);
    return parse_head(p, head, err) ? HTTP_PARSED_HEAD : HTTP_PARSED_ERROR;
}

/* llhttp lets a bare LF end a chunked body; nothing else does, so neither do we. */
static bool
ended_with_crlf(const struct http_parser *p, struct str used)
{
    return !p->chunked || (used.len > 1 ? used.ptr[used.len - 2] : p->last) == '\r';
}

static enum http_parsed
feed_body(struct http_parser *p, struct str *in, struct error *err)
{
    enum llhttp_errno code;
    struct str        used = *in;

    if (in->len == 0)
        return HTTP_PARSED_ALL;
    p->err = err;
    err->status = 0;
    code = llhttp_execute(&p->llhttp, in->ptr, in->len);
    if (code == HPE_PAUSED && p->place == HTTP_AT_END)
        used.len = (size_t)(llhttp_get_error_pos(&p->llhttp) - in->ptr);
    else if (code != HPE_OK) {
        if (err->status == 0)
            llhttp_refused(p, code, err);
        return HTTP_PARSED_ERROR;
    }
    p->framing += (int64_t)used.len;
    if (p->framing > FRAMING_FREE + FRAMING_PER_BYTE * p->body_bytes) {
        refuse(err, "its chunks are mostly framing");
        return HTTP_PARSED_ERROR;
    }
    if (p->place == HTTP_AT_END && !ended_with_crlf(p, used)) {
        refuse(err, "a bare line feed at the end of a chunked body");
        return HTTP_PARSED_ERROR;
    }
    *in = str_from(*in, used.len);
    if (p->place == HTTP_AT_END)
        return HTTP_PARSED_END;
    p->last = used.ptr[used.len - 1];
    return HTTP_PARSED_ALL;
}

enum http_parsed
http_parser_feed(struct http_parser *p, struct str *in, struct error *err)
{
    switch (p->place) {
    case HTTP_IN_HEAD:
        return feed_head(p, in, err);
    case HTTP_IN_BODY:
        return feed_body(p, in, err);
    case HTTP_AT_END:
        break;
    }
    return HTTP_PARSED_END;
}

void
http_parser_init(struct http_parser *p, size_t header_max,
                 bool (*body)(void *ctx, struct str piece, struct error *err), void *ctx)
{
    *p = (struct http_parser){ .on_body = body, .ctx = ctx, .header_max = header_max };
    buf_init(&p->partial, header_max);
}

void
http_parser_deinit(struct http_parser *p)
{
    buf_deinit(&p->partial);
}

void
http_parser_start(struct http_parser *p, struct http_request *r, struct arena *a)
{
    p->request = r;
    p->arena = a;
    p->place = HTTP_IN_HEAD;
    p->scan = (struct head_scan){ 0 };
    p->content_length = p->body_bytes = p->framing = 0;
    p->length_by_llhttp = 0;
    p->chunked = p->expects_continue = p->keep_alive = false;
    p->last = '\0';
    r->method = METHOD_OTHER;
}
