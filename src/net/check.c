/* check.c -- may a call go, and where to: see transfer.h. What is refused here has not left, and never will. */
#include <stdio.h>
#include <stdlib.h>

#include "net/transfer.h"

static bool
forbid(struct transfer *t, const char *why)
{
    t->call->response.result = NET_FORBIDDEN;
    transfer_explain(t, why);
    return false;
}

static bool
is_token(struct str s)
{
    static const char other[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            && (c == '\0' || !strchr(other, c)))
            return false;
    }
    return s.len > 0;
}

static bool
is_header_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
            return false;
    return true;
}

static bool
host_key(struct transfer *t, const char *scheme)
{
    char *host = NULL, *port = NULL;
    bool ok = curl_url_get(t->url, CURLUPART_HOST, &host, 0) == CURLUE_OK
           && curl_url_get(t->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;

    if (ok) {
        free(t->host);
        t->host = NULL;
        if (asprintf(&t->host, "%s://%s:%s", scheme, host, port) < 0)
            out_of_memory();
        for (char *p = t->host; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p - 'A' + 'a');
    }
    curl_free(host);
    curl_free(port);
    return ok;
}

bool
transfer_set_url(struct transfer *t, const char *url, const char *what, struct error *err)
{
    char *scheme = NULL;
    bool ok;

    if (t->call->request.guarded && !net_url_check(t->common->guard, str_of(url), what, err))
        return false;
    curl_url_cleanup(t->url);
    t->url = curl_url();
    if (!t->url)
        out_of_memory();
    ok = curl_url_set(t->url, CURLUPART_URL, url, 0) == CURLUE_OK
      && curl_url_get(t->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
      && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
      && host_key(t, scheme);
    curl_free(scheme);
    return ok || error_set(err, 422, "%s is not a valid http or https URL", what);
}

bool
transfer_check(struct transfer *t)
{
    const struct net_request *r = &t->call->request;
    struct error err = { .status = 0 };

    if (!str_is_none(r->method) && !is_token(r->method))
        return forbid(t, "the method is not well formed");
    for (size_t i = 0; i < r->header_count; i++)
        if (!is_token(r->headers[i].name) || !is_header_value(r->headers[i].value))
            return forbid(t, "a header is not well formed");
    if (str_is_none(r->url) || memchr(r->url.ptr, '\0', r->url.len))
        return forbid(t, "the URL is not a valid http or https URL");
    if (!transfer_set_url(t, arena_copy(t->call->arena, r->url).ptr, "the URL", &err))
        return forbid(t, err.message);
    return true;
}
