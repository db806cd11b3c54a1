/* cors.h -- browsers of other origins, where the configuration lets them in. Off by default. */
#ifndef PARLEY_API_CORS_H
#define PARLEY_API_CORS_H

#include "http/http.h"

/* `origins` is comma-separated; "*" lets in every one. Adds what the browser must read to hand the reply to its
 * page. */
void cors_reply(struct http_exchange *x, struct str origins);

/* True when this is a browser's question before the request proper, and has been answered. `methods` are the
 * path's. */
bool cors_preflight(struct http_exchange *x, struct str origins, unsigned methods);

#endif
