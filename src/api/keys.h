/* keys.h -- the API keys seen lately, so that a busy client costs no query a request.
 *
 * One cache for each loop thread. An entry is good for a second (other processes revoke keys too) and for
 * as long as no key was revoked here. Unknown keys are never kept: they would push the good ones out. */
#ifndef PARLEY_API_KEYS_H
#define PARLEY_API_KEYS_H

#include "http/http.h"
#include "store/workspace.h"

#define KEY_CACHE_SLOTS   64
#define KEY_CACHE_KEEP_MS 1000

struct key_cache {
    struct {
        uint8_t      hash[SHA256_SIZE];
        struct scope scope;
        unsigned     seen;     /* the state of all keys it was found in */
        int64_t      until_ms; /* monotonic; 0 = free */
    } slots[KEY_CACHE_SLOTS];
};

bool key_cache_get(const struct key_cache *c, const uint8_t hash[SHA256_SIZE], unsigned seen, int64_t mono_ms,
                   struct scope *out);
void key_cache_put(struct key_cache *c, const uint8_t hash[SHA256_SIZE], unsigned seen, int64_t mono_ms,
                   const struct scope *scope);

/* The key of "Authorization: Bearer KEY"; none when there is no such header. The scheme's case does not matter. */
struct str key_of_request(const struct http_request *r);

bool key_refused(struct error *err); /* the 401 for none and for an unknown one alike; always false */

#endif
