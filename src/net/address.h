/* address.h -- where calls go: a URL that was taken apart, and checked where a stranger gave it.
 *
 * Calls that go to the same URL at a time share one, which saves a busy account or endpoint the parser. It is gone with
 * the last of them, because there may be a token in it. */
#ifndef PARLEY_NET_ADDRESS_H
#define PARLEY_NET_ADDRESS_H

#include <curl/curl.h>

#include "base/map.h"
#include "net/guard.h"

struct address {
    CURLU  *url;
    char   *host;   /* "https://example.com:443", what the queue goes by */
    bool    checked; /* by net_url_check() */
    int64_t hash;
    int     users;
    char    text[];
};

struct addresses {
    struct map by_hash; /* of the text; of two with one hash the second is not shared */
};

/* That of `url`, to be given back. NULL, with the reason in `err`, when it is no http(s) URL or is guarded and refused;
 * `what` names it there. */
struct address *address_take(struct addresses *all, const struct net_guard *guard, bool guarded, const char *url,
                             const char *what, struct error *err);
void address_give_back(struct addresses *all, struct address *a); /* NULL is fine */
void addresses_deinit(struct addresses *all);                      /* all must have been given back */

#endif
