/* poll.h -- getUpdates: waiting for news with an open request, one request at a time. */
#ifndef PARLEY_SANDBOX_TELEGRAM_POLL_H
#define PARLEY_SANDBOX_TELEGRAM_POLL_H

#include "sandbox/telegram/call.h"

bool tg_get_updates(struct tg_call *c, struct json *w, struct error *err);

void tg_poll_wake(struct tg_bot *bot);                          /* there may be news */
void tg_poll_end(struct tg_bot *bot, const char *description);  /* 409 to the request that waits, if any */

#endif
