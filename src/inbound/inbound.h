/* inbound.h -- what platforms tell us: verified, understood, and stored in one transaction with everything that follows
 * from it. */
#ifndef PARLEY_INBOUND_INBOUND_H
#define PARLEY_INBOUND_INBOUND_H

#include "store/message.h"

struct ingest_counts {
    int events, stored, ignored, not_understood;
    int unrouted;             /* events of accounts nobody has connected here */
    int kinds[INBOUND_KINDS]; /* of `events`: how many of each kind */
};

/* Stores a batch for a profile: chats, messages and what happens to them, comments, blocks; queues media, participants
 * and tap answers; emits events; and, when the batch came from a poll, moves the cursor. Receiving anything twice
 * changes nothing. In the caller's write transaction. `payload` is kept when the batch was not understood. */
bool ingest(struct db *db, const struct profile *p, const struct inbound_batch *batch, struct str payload,
            int64_t now_ms, struct arena *a, struct ingest_counts *counts, struct error *err);

/* The look-up that ingest() begins with, for db_txn.ahead; false when it is not one message of one person: what else
 * may come also changes more than that person's chat. */
bool ingest_ahead(struct db *db, int64_t profile_id, const struct inbound_batch *batch);

/* The same for the payload of a platform_app: each event goes to every profile, of whatever workspace, whose account it
 * names. A payload that was not understood is kept once, for the first of those profiles; with none it has no profile
 * (0). Of each profile, and of none, only so much is kept. */
bool ingest_app(struct db *db, const struct inbound_batch *batch, struct str payload, int64_t now_ms, struct arena *a,
                struct ingest_counts *counts, struct error *err);

#endif
