/* parse.c -- the answer to a poll, as events. */
#include "platform/bluesky/bluesky.h"

void
bluesky_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    (void)a;
    (void)account;
    (void)payload;
    *out = (struct inbound_batch){ .not_understood = true };
}
