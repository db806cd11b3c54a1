/* chat.h -- a conversation between a profile and one participant. */
#ifndef PARLEY_STORE_CHAT_H
#define PARLEY_STORE_CHAT_H

#include "store/profile.h"

struct chat {
    int64_t                id, workspace_id, profile_id;
    const struct platform *platform;
    enum profile_status    profile_status;
    struct str             profile_external_id, profile_status_detail;
    struct str             participant_external_id, participant_username, participant_name;
    struct str             avatar, avatar_id, external_conversation_id, metadata;
    int64_t                participant_fetched_at, last_inbound_at, last_outbound_at, last_message_at, blocked_at;
    bool                   archived, may_have_parked; /* something may wait for a message that is still to come */
    int64_t                n_received, n_pending, n_waiting, n_published, n_failed;
    int64_t                created_at;
};

/* By public id or external_conversation_id. 404 outside the scope; 409 listing the candidates when
 * the platform's id names several. */
bool chat_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct chat *out,
               struct error *err);
/* The same, and nobody else changes it until the commit. */
bool chat_find_to_change(struct db *db, const struct scope *s, struct str id, struct arena *a, struct chat *out,
                         struct error *err);
bool chat_get(struct db *db, int64_t id, struct arena *a, struct chat *out, bool *found, struct error *err);

/* Finds or creates the chat of (profile, participant); fields that are given (not none) update it.
 * *created tells which. Safe when two do it at once. A new chat queues fetching the participant. */
bool chat_open(struct db *db, const struct profile *p, const struct participant *who, struct str conversation_id,
               int64_t now_ms, struct arena *a, struct chat *out, bool *created, struct error *err);

/* The look-up of chat_open(), for db_txn.ahead of who changes no other chat. */
bool chat_ask_ahead(struct db *db, int64_t profile_id, struct str participant_id);

/* Only looks. */
bool chat_of_conversation(struct db *db, int64_t profile_id, struct str conversation_id, struct arena *a,
                          struct chat *out, bool *found, struct error *err);
bool chat_of_participant(struct db *db, int64_t profile_id, struct str participant_id, struct arena *a,
                         struct chat *out, bool *found, struct error *err);

/* Queues fetching who the participant is, unless that was done within the hour or is queued already. */
bool chat_ask_participant(struct db *db, const struct chat *c, int64_t now_ms, struct error *err);

struct chat_filter {
    int64_t before, after; /* on last_message_at, strict; 0 = none */
    int64_t page, per_page;
};
bool chat_list(struct db *db, const struct profile *p, const struct chat_filter *f, struct arena *a, struct chat **out,
               size_t *n, int64_t *total, struct error *err);

/* What a message changes in its chat: counters of its old and new status, and the last_* times
 * (only ever forward). Also what makes two transactions on one chat wait for each other. Statuses
 * are those of message.h; 0 = none. */
bool chat_touch(struct db *db, int64_t chat_id, int from_status, int to_status, int64_t inbound_at, int64_t outbound_at,
                struct error *err);

/* From here on no other transaction does anything in this chat: what is read now is still so when it is written. */
bool chat_lock(struct db *db, int64_t chat_id, struct error *err);

bool chat_set_conversation(struct db *db, int64_t chat_id, struct str conversation_id, struct error *err);
/* Archived or not, also in metadata.muted. */
bool chat_set_archived(struct db *db, struct chat *c, bool archived, struct arena *a, struct error *err);
/* What led the person here, in metadata.referral and, with `tell`, as referral.received: the latest counts. *told: it
 * was news. */
bool chat_refer(struct db *db, struct chat *c, struct str referral, int64_t at_ms, bool tell, int64_t now_ms,
                struct arena *a, bool *told, struct error *err);
bool chat_set_blocked(struct db *db, int64_t chat_id, int64_t at_ms, struct error *err); /* 0 = no longer */

/* What the platform said of the participant: fields that are none stay as they are. `avatar` is the media object of the
 * picture `who->avatar_id` names. Stamps participant_fetched_at, in the metadata too. */
bool chat_set_participant(struct db *db, struct chat *c, const struct participant *who, struct str avatar,
                          int64_t now_ms, struct arena *a, struct error *err);
/* The platform would not say; asked again in an hour at the earliest. */
bool chat_set_participant_asked(struct db *db, int64_t chat_id, int64_t now_ms, struct error *err);

#endif
