/* write.h -- reads a message that a person writes through the control API: text, a file, or any members
 * of a Message. */
#ifndef PARLEY_SANDBOX_TELEGRAM_WRITE_H
#define PARLEY_SANDBOX_TELEGRAM_WRITE_H

#include "sandbox/telegram/person.h"

/* From a JSON or a multipart body; everything lives in the exchange's arena. False with a 400. */
bool tg_written_read(struct tg_bot *bot, struct http_exchange *x, struct tg_written *out, struct error *err);

#endif
