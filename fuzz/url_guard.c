/* url_guard.c -- addresses that a stranger gave us: what passes is http(s), names nobody's password, and where it names
 * an address outright the guard allows it. Also the list of ranges that a setting allows. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As the fetching library reads it. */
static void
check_passed(const struct net_guard *g, struct str url)
{
    struct sockaddr_in  v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    char               *text = calloc(1, url.len + 1), *host = NULL, *user = NULL;
    CURLU              *u = curl_url();
    size_t              len;

    assert(u && text);
    memcpy(text, url.ptr, url.len);
    assert(strlen(text) == url.len);
    assert(curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK);
    assert(curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0]);
    assert(curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    len = strlen(host);
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        assert(inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1 || net_guard_allows(g, (struct sockaddr *)&v6));
    }
    assert(inet_aton(host, &v4.sin_addr) == 0 || net_guard_allows(g, (struct sockaddr *)&v4));
    assert(strcasecmp(host, "localhost") != 0);
    curl_free(host);
    curl_url_cleanup(u);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct net_guard strict;
    struct str                    in = { (const char *)data, size };
    struct net_guard              parsed = { 0 };
    struct error                  err = { 0 };

    if (net_url_check(&strict, in, "url", &err))
        check_passed(&strict, in);
    else
        assert(err.status == 422 && err.message[0]);
    if (net_guard_parse(&parsed, in, &err))
        for (size_t i = 0; i < parsed.allowed_count; i++)
            assert(parsed.allowed[i].bits >= 0 && parsed.allowed[i].bits <= 128);
    else
        assert(err.message[0]);
    return 0;
}
