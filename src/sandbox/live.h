/* live.h -- the streams of those who watch: server-sent events, one for each thing that changes. */
#ifndef PARLEY_SANDBOX_LIVE_H
#define PARLEY_SANDBOX_LIVE_H

#include "http/http.h"
#include "sandbox/stage.h"

struct live *live_new(struct stage *stage);
void         live_free(struct live *l); /* ends all streams; NULL is fine */

/* The sandbox's time has jumped. */
void live_clock_moved(struct live *l);

/* Takes the exchange, which becomes a stream. False with a 503 when too many watch already. */
bool live_join(struct live *l, struct http_exchange *x, struct error *err);

#endif
