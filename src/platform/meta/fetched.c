/* fetched.c -- a message that was asked for, because its webhook did not come. */
#include "platform/meta/meta.h"

void
meta_parse_fetched(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    (void)a;
    (void)account;
    (void)payload;
    *out = (struct inbound_batch){ .not_understood = true };
}
