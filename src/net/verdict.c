/* verdict.c -- what came of a transfer: the answer, where it redirects, or why there is none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/transfer.h"

#define RETRY_AFTER_MAX_S ((int64_t)365 * 24 * 3600)

/* ---- Answers ---- */

static int64_t
retry_after_ms(struct str value)
{
    char copy[64];
    int64_t seconds, now_ms;
    time_t date;

    value = str_trim(value);
    if (value.len == 0 || value.len >= sizeof(copy))
        return 0;
    if (str_to_i64(value, &seconds))
        return seconds <= 0 ? 0 : (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
    memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    date   = curl_getdate(copy, NULL);
    now_ms = clock_now_ms();
    if (date < 0 || (int64_t)date * 1000 <= now_ms)
        return 0;
    if ((int64_t)date - now_ms / 1000 >= RETRY_AFTER_MAX_S)
        return RETRY_AFTER_MAX_S * 1000;
    return (int64_t)date * 1000 - now_ms;
}

struct str
net_response_header(const struct net_response *r, struct str name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_eq_nocase(r->headers[i].name, name))
            return r->headers[i].value;
    return STR_NONE;
}

/* A line that begins with white space goes on with the value of the one before it (nobody sends that any more). */
static struct str
unfold(struct arena *a, struct str value, struct str line)
{
    return arena_printf(a, "%.*s %.*s", STR_ARG(value), STR_ARG(str_trim(line)));
}

/* All in one copy: names and values are slices of it. */
static void
read_headers(struct transfer *t, struct net_response *r)
{
    struct arena *a = t->call->arena;
    struct str rest = arena_copy(a, buf_str(&t->head)), line, name, value;
    size_t lines = 0;

    for (size_t i = 0; i < rest.len; i++)
        lines += rest.ptr[i] == '\n';
    r->headers      = arena_array(a, struct net_header, lines + 1);
    r->header_count = 0;
    str_cut(rest, '\n', &line, &rest); /* the status line */
    while (!str_is_none(rest)) {
        str_cut(rest, '\n', &line, &rest);
        if (r->header_count > 0 && line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
            r->headers[r->header_count - 1].value = unfold(a, r->headers[r->header_count - 1].value, line);
        else if (str_cut(line, ':', &name, &value))
            r->headers[r->header_count++] = (struct net_header){ str_trim(name), str_trim(value) };
    }
}

static void
read_answer(struct transfer *t)
{
    struct net_response *r = &t->call->response;

    r->content_type   = net_response_header(r, STR("Content-Type"));
    r->retry_after_ms = retry_after_ms(net_response_header(r, STR("Retry-After")));
    r->body           = arena_copy(t->call->arena, buf_str(&t->body));
    r->size           = t->received;
}

/* ---- Redirects ---- */

/* The URL a redirect leads to, found by the parser that will also fetch it; to be freed with curl_free(). NULL when it
 * is none. A Location in the wild has spaces and letters that have no place in a URL, so they are encoded. */
static char *
redirect_url(struct transfer *t)
{
    struct str location = net_response_header(&t->call->response, STR("Location"));
    char *url = NULL;
    CURLU *u;

    if (location.len == 0)
        return NULL;
    u = curl_url_dup(t->to->url);
    if (!u)
        out_of_memory();
    if (curl_url_set(u, CURLUPART_URL, arena_copy(t->call->arena, location).ptr, CURLU_URLENCODE | CURLU_ALLOW_SPACE)
            != CURLUE_OK
        || curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
        url = NULL;
    curl_url_cleanup(u);
    return url;
}

/* The same scheme, host and port; or the same host reached by TLS now. */
static bool
same_site(struct str from, struct str to)
{
    struct str plain = STR("http://"), secure = STR("https://"), plain_port = STR(":80"), secure_port = STR(":443");

    if (str_eq(from, to))
        return true;
    return str_starts(from, plain) && str_ends(from, plain_port) && str_starts(to, secure) && str_ends(to, secure_port)
        && str_eq(str_slice(from, plain.len, from.len - plain.len - plain_port.len),
                  str_slice(to, secure.len, to.len - secure.len - secure_port.len));
}

static bool
is_followed(const struct transfer *t, int status)
{
    const struct net_request *r = &t->call->request;

    if (t->hops >= r->redirects_max)
        return false;
    if (status == 303)
        return true;
    return (status == 301 || status == 302 || status == 307 || status == 308) && transfer_is_repeatable(t);
}

/* Makes the transfer one to `url`. */
static bool
redirect(struct transfer *t, const char *url, int status, struct error *err)
{
    char *from = strdup(t->to->host);
    bool ok;

    if (!from)
        out_of_memory();
    ok = transfer_set_url(t, url, "the redirect", err);
    if (ok && !same_site(str_of(from), str_of(t->to->host)))
        t->only_accept = true;
    if (status == 303 && !str_eq(t->call->request.method, STR("HEAD")))
        t->as_get = true;
    free(from);
    t->hops++;
    t->spent_us += clock_mono_us() - t->started_us;
    t->started_us = clock_mono_us();
    t->received   = 0;
    buf_clear(&t->body);
    return ok;
}

/* ---- Verdicts ---- */

/* The codes for which libcurl's own message says more than the name of the code, and holds no URL. */
static const CURLcode telling[] = {
    CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT, CURLE_SSL_CONNECT_ERROR,
    CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
    CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_WEIRD_SERVER_REPLY,
};

static const char *
message_of(const struct transfer *t, CURLcode code)
{
    if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_COULDNT_CONNECT)
        if (t->written) /* we refused the second sending */
            return "the connection was closed before an answer came";
    if (t->late)
        return "it was too late to send it";
    if (code == CURLE_OK)
        return "the answer ended within its head";
    for (size_t i = 0; i < COUNT(telling) && t->curl_error[0]; i++)
        if (telling[i] == code)
            return t->curl_error;
    return curl_easy_strerror(code);
}

/* A token may be in a URL's path, and libraries' texts change, so none is shown unseen. */
void
transfer_explain(struct transfer *t, const char *why)
{
    struct net_response *r = &t->call->response;
    struct buf text;
    struct str shown;

    buf_init(&text, 4 * KIB);
    log_redact(&text, str_of(why));
    shown = str_utf8_cut(buf_str(&text), sizeof(r->error) - 1);
    memcpy(r->error, shown.ptr, shown.len);
    r->error[shown.len] = '\0';
    buf_deinit(&text);
}

static enum net_result
result_of(const struct transfer *t, CURLcode code)
{
    if (t->faulty || code == CURLE_OUT_OF_MEMORY || code == CURLE_READ_ERROR || code == CURLE_FAILED_INIT)
        return NET_LOCAL_FAULT;
    if (t->too_big || code == CURLE_FILESIZE_EXCEEDED)
        return NET_TOO_BIG;
    if (code == CURLE_OK && t->head_ended && t->call->response.status > 0)
        return NET_ANSWERED;
    if (t->refused && !t->connecting && !t->written)
        return NET_FORBIDDEN;
    return t->reached ? NET_UNKNOWN : NET_NOT_SENT;
}

static void
judge(struct transfer *t, CURLcode code)
{
    struct net_response *r = &t->call->response;
    char text[128];

    r->result = result_of(t, code);
    switch (r->result) {
    case NET_ANSWERED:
        break;
    case NET_NOT_SENT:
    case NET_UNKNOWN:
        transfer_explain(t, message_of(t, code));
        break;
    case NET_TOO_BIG:
        transfer_explain(t, "the answer is larger than allowed");
        break;
    case NET_FORBIDDEN:
        snprintf(text, sizeof(text), "the host has a private or reserved address (%s)", t->refused_ip);
        transfer_explain(t, text);
        break;
    case NET_LOCAL_FAULT:
        transfer_explain(t, t->faulty ? t->why : curl_easy_strerror(code));
        break;
    }
}

static bool
save_is_whole(struct transfer *t)
{
    int fd;

    if (t->save_fd < 0 && !transfer_open_save(t)) /* a 2xx without a body is an empty file */
        return false;
    fd = t->save_fd;
    t->save_fd = -1;
    return close(fd) == 0 || transfer_fault(t, "cannot write the answer to disk", strerror(errno));
}

static void
finish(struct transfer *t, CURLcode code)
{
    struct net_response *r = &t->call->response;

    t->spent_us += clock_mono_us() - t->started_us;
    r->took_us = t->spent_us;
    if (r->status > 0)
        read_answer(t);
    judge(t, code);
    if (str_is_none(t->call->request.save_path))
        return;
    if (r->result == NET_ANSWERED && r->status >= 200 && r->status <= 299 && !save_is_whole(t))
        judge(t, code);
    if (r->result != NET_ANSWERED)
        transfer_drop_save(t);
}

bool
transfer_end(struct transfer *t, CURLcode code)
{
    struct net_response *r = &t->call->response;
    struct error err = { .status = 0 };
    long status = 0;
    char *url;
    bool goes_on;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    r->status = status < 200 ? 0 : (int)status; /* a 100 or 103 with nothing behind it is no answer */
    if (r->status > 0)
        read_headers(t, r);
    if (code != CURLE_OK || !t->head_ended || !is_followed(t, r->status) || (url = redirect_url(t)) == NULL) {
        finish(t, code);
        return true;
    }
    goes_on = redirect(t, url, r->status, &err);
    curl_free(url);
    if (goes_on)
        return false;
    finish(t, code);
    r->result = NET_FORBIDDEN;
    transfer_explain(t, err.message);
    return true;
}

void
transfer_abort(struct transfer *t, const char *why)
{
    struct net_response *r = &t->call->response;

    if (t->state == TRANSFER_RUNNING)
        t->spent_us += clock_mono_us() - t->started_us;
    r->took_us = t->spent_us;
    r->result  = t->reached ? NET_UNKNOWN : NET_NOT_SENT;
    transfer_explain(t, why);
    transfer_drop_save(t);
}
