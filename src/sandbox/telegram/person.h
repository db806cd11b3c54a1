/* person.h -- what people do: write, edit, tap, react, block. Each tells the bot, and those who watch. */
#ifndef PARLEY_SANDBOX_TELEGRAM_PERSON_H
#define PARLEY_SANDBOX_TELEGRAM_PERSON_H

#include "sandbox/telegram/state.h"

/* A message as a person writes it. */
struct tg_written {
    struct tg_body body;
    int64_t        date_s;   /* 0 = now */
    int64_t        reply_to; /* 0 = none */
};

/* Opens the chat if it is their first word. False with a 4xx. *update_id is 0 when the bot does not want
 * messages. */
bool tg_person_writes(struct tg_bot *bot, struct tg_person *person, const struct tg_written *written,
    struct tg_message **out, int64_t *update_id, struct error *err);

/* Changes text or caption, whichever the message has. */
bool tg_person_edits(struct tg_message *m, struct str text, struct str entities, int64_t *update_id, struct error *err);

/* Taps a button of the message with that id, which may have been deleted meanwhile. *tap_id is the
 * callback_query's. */
bool tg_person_taps(struct tg_chat *chat, int64_t message_id, struct str data, int64_t *tap_id, int64_t *update_id,
    struct error *err);

/* Reacts with an emoji, or takes the reaction back with an empty one. */
void tg_person_reacts(struct tg_message *m, struct str emoji, int64_t *update_id);

void tg_person_blocks(struct tg_chat *chat, bool blocks, int64_t *update_id);

#endif
