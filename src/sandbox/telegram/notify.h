/* notify.h -- telling the bot, and telling whoever watches the sandbox. */
#ifndef PARLEY_SANDBOX_TELEGRAM_NOTIFY_H
#define PARLEY_SANDBOX_TELEGRAM_NOTIFY_H

#include "sandbox/telegram/state.h"

/* Puts {"<kind>": <object>} into the bot's updates, if it wants that kind, and delivers it. Returns the
 * update's id, or 0 when the bot does not want it or cannot be told any more. */
int64_t tg_notify(struct tg_bot *bot, const char *kind, int64_t queue, struct str object, int64_t expires_ms);

/* Any update, as it is: members without the outer braces. */
int64_t tg_notify_raw(struct tg_bot *bot, int64_t id, int64_t queue, struct str members, int64_t expires_ms);

/* Which kinds a bot wants, as a list of names: remembers it. Anything but an array changes nothing. */
void tg_allow_updates(struct tg_bot *bot, yyjson_val *names);
void tg_allow_default(struct tg_bot *bot);

#define TG_DAY_MS INT64_C(86400000)

/* ---- for those who watch ---- */

/* A message has come, or changed ("message", "edited"); "deleted" says only which. */
void tg_tell_message(const struct tg_message *m, const char *what);
void tg_tell_deleted(const struct tg_chat *chat, int64_t message_id);
/* Anything else about a chat: `members` are further members, or none. */
void tg_tell_chat(const struct tg_chat *chat, const char *what, struct str members);
void tg_tell_bot(const struct tg_bot *bot, const char *what, struct str members);
void tg_tell(struct tg *tg, const char *what);

#endif
