/* draft.h -- what may be said: the form of a message, whoever writes it. */
#ifndef PARLEY_SANDBOX_BLUESKY_DRAFT_H
#define PARLEY_SANDBOX_BLUESKY_DRAFT_H

#include "sandbox/bluesky/state.h"

#define BS_TEXT_BYTES     10000
#define BS_TEXT_GRAPHEMES 1000

/* A messageInput. An embed that was sent becomes the view of one, unless `embed_is_view`. False with a 400. */
bool bs_draft_read(yyjson_val *input, bool embed_is_view, struct arena *a, struct bs_draft *out, struct error *err);

/* One emoji, or what goes for one: a single character as people count. */
bool bs_is_reaction(struct str value);

#endif
