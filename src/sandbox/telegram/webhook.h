/* webhook.h -- setWebhook and its kin, and the deliveries themselves. */
#ifndef PARLEY_SANDBOX_TELEGRAM_WEBHOOK_H
#define PARLEY_SANDBOX_TELEGRAM_WEBHOOK_H

#include "sandbox/telegram/call.h"

bool tg_set_webhook(struct tg_call *c, struct json *w, struct error *err);
bool tg_delete_webhook(struct tg_call *c, struct json *w, struct error *err);
bool tg_get_webhook_info(struct tg_call *c, struct json *w, struct error *err);

void tg_webhook_init(struct tg_bot *bot);
void tg_webhook_deinit(struct tg_bot *bot);
void tg_webhook_remove(struct tg_bot *bot); /* cancels what is under way; the updates stay */
void tg_webhook_pump(struct tg_bot *bot);   /* sends what may be sent now */

#endif
