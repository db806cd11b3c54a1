/* address.c -- see address.h. */
#include "net/address.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

static bool
find_host(struct address *a, const char *scheme)
{
    char *host = NULL, *port = NULL;
    bool ok = curl_url_get(a->url, CURLUPART_HOST, &host, 0) == CURLUE_OK
           && curl_url_get(a->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;

    if (ok) {
        if (asprintf(&a->host, "%s://%s:%s", scheme, host, port) < 0)
            out_of_memory();
        for (char *p = a->host; *p; p++)
            *p = char_lower(*p);
    }
    curl_free(host);
    curl_free(port);
    return ok;
}

static bool
is_taken_apart(struct address *a)
{
    char *scheme = NULL;
    bool ok;

    a->url = curl_url();
    if (!a->url)
        out_of_memory();
    ok = curl_url_set(a->url, CURLUPART_URL, a->text, 0) == CURLUE_OK
      && curl_url_get(a->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
      && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0)
      && find_host(a, scheme);
    curl_free(scheme);
    return ok;
}

static void
address_free(struct address *a)
{
    curl_url_cleanup(a->url);
    free(a->host);
    free(a);
}

static struct address *
address_new(struct str url, int64_t hash, const char *what, struct error *err)
{
    struct address *a = calloc(1, sizeof(*a) + url.len + 1);

    if (!a)
        out_of_memory();
    memcpy(a->text, url.ptr, url.len);
    a->hash = hash;
    if (is_taken_apart(a))
        return a;
    address_free(a);
    error_set(err, 422, "%s is not a valid http or https URL", what);
    return NULL;
}

struct address *
address_take(struct addresses *all, const struct net_guard *guard, bool guarded, const char *url, const char *what,
             struct error *err)
{
    int64_t hash = str_hash(str_of(url));
    struct address *there = map_get(&all->by_hash, hash), *a = there;

    if (there && strcmp(there->text, url) != 0)
        a = NULL;
    if (guarded && !(a && a->checked) && !net_url_check(guard, str_of(url), what, err))
        return NULL;
    if (!a && !(a = address_new(str_of(url), hash, what, err)))
        return NULL;
    if (!there)
        map_put(&all->by_hash, hash, a);
    a->checked = a->checked || guarded;
    a->users++;
    return a;
}

void
address_give_back(struct addresses *all, struct address *a)
{
    if (!a || --a->users > 0)
        return;
    if (map_get(&all->by_hash, a->hash) == a)
        map_take(&all->by_hash, a->hash);
    address_free(a);
}

void
addresses_deinit(struct addresses *all)
{
    assert(all->by_hash.count == 0);
    map_deinit(&all->by_hash);
}
