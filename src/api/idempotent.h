/* idempotent.h -- the Idempotency-Key of a request, and what makes two requests the same. */
#ifndef PARLEY_API_IDEMPOTENT_H
#define PARLEY_API_IDEMPOTENT_H

#include "base/crypto.h"
#include "http/http.h"

#define IDEMPOTENCY_KEY_MAX 255

/* none when there is no such header; 400 when it is empty, too long or not printable ASCII. */
bool idempotent_key(const struct http_request *r, struct str *out, struct error *err);

/* Over method, target and body, and the group the API key is limited to: a key that sees less must not
 * be handed what another was answered; of multipart over what the parts hold, because the boundary
 * between them is another each time. Reads uploaded files, so with those it blocks. 503 when one cannot
 * be read. */
bool idempotent_hash(const struct http_request *r, int64_t group_id, uint8_t out[SHA256_SIZE], struct error *err);

#endif
