/* metadata.h -- the JSON object of a chat that holds what the platform said of it.
 *
 * A result is in the arena, or is the text that was given where nothing changes, so that a comparison tells whether
 * there is anything to write. What would make it larger than its bound is left out. */
#ifndef PARLEY_STORE_METADATA_H
#define PARLEY_STORE_METADATA_H

#include "base/arena.h"

/* One member set anew: to a JSON value, or to a text (none or empty: no change). */
struct str metadata_set(struct arena *a, struct str metadata, const char *key, struct str json);
struct str metadata_set_text(struct arena *a, struct str metadata, const char *key, struct str value);

/* Every member of `object` set anew. A null says nothing. */
struct str metadata_merge(struct arena *a, struct str metadata, struct str object);

#endif
