/* message.h -- a message in either direction, and the states an outbound one passes through.
 *
 * One function moves a status, so that the counters of the chat, the job that sends it and the event that tells of it
 * can never disagree: all are written in the caller's transaction. */
#ifndef PARLEY_STORE_MESSAGE_H
#define PARLEY_STORE_MESSAGE_H

#include "json/json.h"
#include "store/attachment.h"
#include "store/chat.h"

enum message_direction { INBOUND = 1, OUTBOUND, DIRECTIONS };

/* From STATUS_WAITING on they are rare, which an index counts on (schema.c). */
enum message_status {
    STATUS_NONE, STATUS_RECEIVED, STATUS_PUBLISHED, STATUS_PENDING, STATUS_WAITING, STATUS_FAILED, STATUSES
};
extern const char *const message_direction_names[DIRECTIONS]; /* "inbound" ... */
extern const char *const message_status_names[STATUSES];      /* "failed_waiting_for_retry" ... */

struct message {
    int64_t                id, workspace_id, chat_id, profile_id;
    const struct platform *platform;
    struct str             chat_participant, chat_conversation; /* whom it goes to */
    enum message_direction direction;
    enum message_status    status;
    struct str             external_id, external_comment_id, body, error_message, platform_data;
    struct str             reply_to_external_id, reply_markup, reactions;
    bool                   is_unsupported;
    int64_t                posted_at, delivered_at, read_at, edited_at, deleted_at, created_at;
    struct attachment     *attachments;
    size_t                 attachment_count;
};

/* By public id or the platform's; 404, or 409 with the candidates. With attachments, as all reads below. */
bool message_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct message *out,
                  struct error *err);
bool message_get(struct db *db, int64_t id, struct arena *a, struct message *out, bool *found, struct error *err);
bool message_by_external(struct db *db, const struct chat *c, struct str external_id, struct arena *a,
                         struct message *out, bool *found, struct error *err);

/* Whether any chat of the profile has it. */
bool message_is_known(struct db *db, const struct profile *p, struct str external_id, bool *known, struct error *err);

struct message_filter {
    int     direction, status; /* 0 = any */
    int64_t page, per_page;
};
bool message_list(struct db *db, const struct chat *c, const struct message_filter *f, struct arena *a,
                  struct message **out, size_t *n, int64_t *total, struct error *err);

/* ---- outbound ---- */

struct draft {
    struct str               body, reply_to_external_id, reply_markup, external_comment_id;
    struct attachment        media;      /* of a message with an attachment */
    bool                     has_media;
};

/* Stores the draft as pending and queues its sending: one transaction, so what is answered 202 is sent. */
bool message_accept(struct db *db, const struct chat *c, const struct draft *d, int64_t now_ms, struct arena *a,
                    struct message *out, struct error *err);

struct send_result {
    enum message_status status;      /* PUBLISHED, WAITING or FAILED */
    struct str          external_id, conversation_id, error_message;
    struct str          participant_id; /* whom it reached, where that is only learnt from the answer */
    int64_t             posted_at;
};
/* Moves an outbound message to the state the platform's answer puts it in, with event and counters;
 * from whatever state its row has now. Nothing when it is gone, or when its echo came first and settled it. The job is
 * the caller's. */
bool message_settle(struct db *db, struct message *m, const struct send_result *r, int64_t now_ms, struct arena *a,
                    struct error *err);
/* The send was taken up again after an answer nobody saw; from now on it carries possible_duplicate. */
bool message_mark_possible_duplicate(struct db *db, struct message *m, struct arena *a, struct error *err);

/* Sets one member of platform_data; the second says why an attachment is not to be had. */
bool message_note(struct db *db, struct message *m, const char *key, yyjson_val *value, struct arena *a,
                  struct error *err);
bool message_note_media_error(struct db *db, struct message *m, struct str reason, struct arena *a, struct error *err);

/* An edit of ours that the platform took. Only what `has_*` names changes. Emits message.edited. One that was unsent
 * meanwhile stays as it is. */
bool message_apply_edit(struct db *db, struct message *m, bool has_body, struct str body, bool has_markup,
                        struct str reply_markup, int64_t edited_at, int64_t now_ms, struct arena *a,
                        struct error *err);

/* Whether this sender's reaction stands there and was not taken back. */
bool message_has_reaction(const struct message *m, struct str sender, struct arena *a);

/* A reaction of our account that the platform took, and its end; each fires reaction.received. Without a reaction of
 * ours the second does nothing. */
bool message_react(struct db *db, struct message *m, struct str sender, struct str reaction, struct str emoji,
                   int64_t now_ms, struct arena *a, struct error *err);
bool message_unreact(struct db *db, struct message *m, struct str sender, int64_t now_ms, struct arena *a,
                     struct error *err);

/* ---- inbound ----
 *
 * Whatever order events of one chat come in, and however often, the same is stored in the end. What comes before its
 * message is parked (parked.c) and applied when that is there. */

/* Stores what the platform told (also an echo of our account writing elsewhere). *stored is false when it was there
 * already. Emits message.received or message.sent; queues fetching its media. */
bool message_receive(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                     struct arena *a, struct message *out, bool *stored, struct error *err);
/* Unsent: what it held is forgotten, its files too. Emits message.deleted. */
bool message_receive_deletion(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                              struct arena *a, struct error *err);
/* The latest of each sender counts. Emits reaction.received. */
bool message_receive_reaction(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                              struct arena *a, struct error *err);
/* Delivered or read, one message or all up to a moment. Emits message.delivered or message.read for each. */
bool message_receive_receipt(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                             struct arena *a, struct error *err);
/* An edit by the other side. Older than what is stored: nothing. Unknown message: stored as if it had just come. */
bool message_receive_edit(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                          struct arena *a, struct error *err);

#endif
