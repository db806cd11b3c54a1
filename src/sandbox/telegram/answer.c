/* answer.c -- see answer.h. */
#include "sandbox/telegram/answer.h"

#include <stdio.h>

#include "json/json.h"
#include "sandbox/ascii.h"

void
tg_append_ascii(struct buf *out, struct str json)
{
    size_t plain = 0, i = 0;

    while (i < json.len) {
        if (!(json.ptr[i] & 0x80)) {
            i++;
            continue;
        }
        buf_append(out, str_slice(json, plain, i - plain));
        i += ascii_append_escape(out, str_from(json, i));
        plain = i;
    }
    buf_append(out, str_from(json, plain));
}

static bool
is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] & 0x80)
            return false;
    return true;
}

void
tg_make_ascii(struct buf *body)
{
    struct buf ascii;

    if (is_ascii(buf_str(body)))
        return;
    buf_init(&ascii, body->max);
    tg_append_ascii(&ascii, buf_str(body));
    buf_deinit(body);
    *body = ascii;
}

const char *
tg_status_text(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 409: return "Conflict";
    case 413: return "Request Entity Too Large";
    case 429: return "Too Many Requests";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return status < 500 ? "Bad Request" : "Internal Server Error";
    }
}

/* "Bad Request: chat not found". The first letter is made small unless it begins a word in capitals. */
static void
write_error(struct json *w, const struct error *err)
{
    char        description[700], first = err->message[0], second = first ? err->message[1] : '\0';
    int64_t     retry_after_s = (err->retry_after_ms + 999) / 1000;
    bool        capitals = (second >= 'A' && second <= 'Z') || second == '_';

    if (err->status == 429)
        snprintf(description, sizeof(description), "Too Many Requests: retry after %lld", (long long)retry_after_s);
    else if (first == '\0')
        snprintf(description, sizeof(description), "%s", tg_status_text(err->status));
    else
        snprintf(description, sizeof(description), "%s: %c%s", tg_status_text(err->status),
            !capitals && first >= 'A' && first <= 'Z' ? first - 'A' + 'a' : first, err->message + 1);
    json_begin(w, NULL);
    json_put_bool(w, "ok", false);
    json_put_int(w, "error_code", err->status);
    json_put_str(w, "description", str_of(description));
    if (err->status == 429) {
        json_begin(w, "parameters");
        json_put_int(w, "retry_after", retry_after_s);
        json_end(w);
    }
    json_end(w);
}

void
tg_set_error(struct http_exchange *x, const struct error *err)
{
    struct json w = { .buf = &x->reply.body };

    x->reply.status = err->status;
    buf_clear(&x->reply.body);
    write_error(&w, err);
    tg_make_ascii(&x->reply.body);
    http_reply_header(x, STR("Content-Type"), STR("application/json"));
    if (err->status == 429)
        http_reply_header(x, STR("Retry-After"),
            arena_printf(&x->arena, "%lld", (long long)((err->retry_after_ms + 999) / 1000)));
}

void
tg_reply_error(struct http_exchange *x, const struct error *err)
{
    tg_set_error(x, err);
    http_exchange_done(x);
}
