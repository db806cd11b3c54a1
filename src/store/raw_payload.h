/* raw_payload.h -- inbound payloads we could not understand: kept, counted, replayable. */
#ifndef PARLEY_STORE_RAW_PAYLOAD_H
#define PARLEY_STORE_RAW_PAYLOAD_H

#include "db/db.h"

/* About how many bytes are kept of this profile. */
bool raw_payload_size(struct db *db, int64_t profile_id, int64_t *out, struct error *err);
bool raw_payload_keep(struct db *db, int64_t profile_id, struct str body, int64_t now_ms, struct error *err);
/* The next one after id `after`; *found false at the end. */
bool raw_payload_next(struct db *db, int64_t after, struct arena *a, int64_t *id, int64_t *profile_id, struct str *body,
                      bool *found, struct error *err);
bool raw_payload_remove(struct db *db, int64_t id, struct error *err);

#endif
