/* event.h -- what subscribers are told, written in the transaction that made it true.
 *
 * An event carries the object as it was when it happened; delivering it later shows nothing newer. */
#ifndef PARLEY_STORE_EVENT_H
#define PARLEY_STORE_EVENT_H

#include "db/db.h"

enum event_type {
    EVENT_NONE, EVENT_MESSAGE_RECEIVED, EVENT_MESSAGE_SENT, EVENT_MESSAGE_DELIVERED, EVENT_MESSAGE_READ,
    EVENT_MESSAGE_EDITED, EVENT_MESSAGE_DELETED, EVENT_MESSAGE_WAITING, EVENT_MESSAGE_FAILED, EVENT_REACTION,
    EVENT_COMMENT, EVENT_PROFILE_CONNECTED, EVENT_PROFILE_DISCONNECTED, EVENT_REFERRAL, EVENT_TYPES
};
extern const char *const event_type_names[EVENT_TYPES];

struct message;
struct profile;

bool event_message(struct db *db, enum event_type type, const struct message *m, int64_t now_ms, struct error *err);
bool event_profile(struct db *db, enum event_type type, const struct profile *p, int64_t now_ms, struct error *err);

#endif
