/* message_internal.h -- what the files behind message.h share: message_in.c, message_out.c, edit.c, reaction.c,
 * receipt.c, parked.c, echo.c.
 *
 * What happens to a message after it was written is a `followup`. It is applied when the message is there, and parked
 * until it comes otherwise. Each kind has a rule that says which of two counts, whichever came first:
 *
 *     deletion          the earliest; nothing else changes a deleted message, but receipts do
 *     edit (text only)  by its number where both have one, else by its time
 *     reaction          the latest of its sender; of two at the same moment the one that takes back
 *     delivery, read    the earliest */
#ifndef PARLEY_STORE_MESSAGE_INTERNAL_H
#define PARLEY_STORE_MESSAGE_INTERNAL_H

#include "store/message.h"

#define PLATFORM_DATA_DEPTH (JSON_DEPTH_MAX + 2) /* a part of a payload lies deeper there */

/* As numbers in the database; also the order in which those of one message are applied. */
enum followup_kind {
    FOLLOWUP_DELETION = 1, FOLLOWUP_EDIT, FOLLOWUP_REACTION, FOLLOWUP_DELIVERY, FOLLOWUP_READ, FOLLOWUP_KINDS
};

struct followup {
    enum followup_kind kind;
    int64_t            at_ms;
    int64_t            sequence;   /* EDIT; 0 = unknown */
    struct str         sender;     /* REACTION */
    struct str         body;       /* EDIT: the text; REACTION: its name */
    struct str         emoji;
    bool               is_removed; /* REACTION */
    bool               is_history; /* tell nobody */
};

/* As it is now, and stays until this transaction is over: what is told of it is true. */
bool message_hold(struct db *db, struct message *m, struct arena *a, bool *found, struct error *err);

/* ---- parked.c ---- */

/* Applied to the message `external_id` of the chat, or kept until that is there. */
bool followup_take(struct db *db, const struct chat *c, struct str external_id, const struct followup *f,
                   int64_t now_ms, struct arena *a, struct error *err);
bool followup_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct arena *a,
                    struct error *err);
/* All that waited for this message, in order; they wait no longer. Its chat is locked. */
bool parked_take(struct db *db, const struct message *m, struct arena *a, struct followup **out, size_t *n,
                 struct error *err);
/* The message has an external id and a time from now on: what waited for it, and the receipts that cover it. */
bool message_known(struct db *db, struct message *m, int64_t now_ms, struct arena *a, struct error *err);

/* ---- one file each; false only when the database fails ---- */

bool deletion_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct error *err);
bool edit_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct arena *a,
                struct error *err);
bool reaction_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct arena *a,
                    struct error *err);
/* This one message was delivered. */
bool delivery_apply(struct db *db, struct message *m, int64_t at_ms, int64_t now_ms, struct error *err);
/* What was sent until `watermark_ms` was delivered, or read. */
bool receipt_take(struct db *db, int64_t chat_id, enum followup_kind kind, int64_t watermark_ms, int64_t at_ms,
                  int64_t now_ms, struct arena *a, struct error *err);
/* The receipts that cover a message which has just got its time. */
bool receipt_cover(struct db *db, struct message *m, int64_t now_ms, struct error *err);

/* The files an event says the message has, as rows, with a job for each that is to be fetched. */
bool message_add_media(struct db *db, struct message *m, const struct inbound_event *e, int64_t now_ms, struct arena *a,
                       struct error *err);
/* The files of a message are forgotten: rows, and objects by a job for each. */
bool message_forget_media(struct db *db, struct message *m, int64_t now_ms, struct error *err);

/* ---- message_out.c ---- */

/* The platform has it, under this id since this time; `from` is what its row says. With counters, event, and what
 * waited for it. */
bool message_publish(struct db *db, struct message *m, enum message_status from, struct str external_id,
                     struct str conversation_id, int64_t posted_at, int64_t now_ms, struct arena *a,
                     struct error *err);

/* ---- echo.c ---- */

/* Whether what our account said is known already, or is one of our messages whose answer has not come; then it is
 * settled and in *out. *matched false: store it. */
bool echo_match(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms, struct arena *a,
                struct message *out, bool *matched, struct error *err);
/* The answer of a send names an id that its echo was stored under: the two become one, `m`, which must still be given
 * the id. *posted_at is then the platform's time. */
bool echo_absorb(struct db *db, struct message *m, struct str external_id, int64_t *posted_at, int64_t now_ms,
                 struct arena *a, struct error *err);
/* It was settled by an echo that was not its own, as the answer shows: the echo becomes a message for itself. */
bool echo_give_back(struct db *db, struct message *m, const struct send_result *r, int64_t now_ms, struct arena *a,
                    struct error *err);

/* ---- identify.c ---- */

/* Whether the chat's participant is only known as the author of a comment. */
bool chat_is_unidentified(struct str participant_id);
/* The message's chat is with this person: it gets that id, or, when there is one with them, everything moves there. */
bool message_identify(struct db *db, struct message *m, struct str participant_id, int64_t now_ms, struct arena *a,
                      struct error *err);

#endif
