/* follow.h -- hears of a running server's events as they happen, for commands.
 *
 * It asks for the list of events twice a second. A stream would be quicker, but needs a client that can read answers
 * without an end, and for somebody at a terminal half a second is soon enough. */
#ifndef PARLEY_CLI_FOLLOW_H
#define PARLEY_CLI_FOLLOW_H

#include "cli/client.h"

/* Hands every event to `each`, one after another, for ever: those after the id `from`, or, when
 * that is NULL, those that happen from now on. What `each` returns false for is handed over again
 * later. `types` is comma-separated, NULL = all. A server that does not answer is waited for; false
 * when it refuses. */
bool follow_events(struct client *client, const char *types, const char *from,
                   bool (*each)(void *ctx, yyjson_val *event), void *ctx, struct error *err);

#endif
