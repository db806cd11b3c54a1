/* bluesky.h -- what the files of this folder share. The outside sees only `bluesky` (platform.h). */
#ifndef PARLEY_PLATFORM_BLUESKY_BLUESKY_H
#define PARLEY_PLATFORM_BLUESKY_BLUESKY_H

#include "json/json.h"
#include "platform/platform.h"

#define BLUESKY_TEXT_MAX    1000                       /* grapheme clusters */
#define BLUESKY_TEXT_BYTES  10000                      /* and never more bytes than these */
#define BLUESKY_PICTURE_MAX ((int64_t)8 * 1024 * 1024)

void bluesky_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);
void bluesky_step(struct op *op, const struct net_response *last, struct op_step *out);

#endif
