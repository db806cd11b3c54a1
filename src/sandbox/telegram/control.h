/* control.h -- /sandbox/telegram/...: playing the person, making bots, looking at what bots did. See
 * docs/sandbox.md. */
#ifndef PARLEY_SANDBOX_TELEGRAM_CONTROL_H
#define PARLEY_SANDBOX_TELEGRAM_CONTROL_H

#include "sandbox/telegram/state.h"

/* Whom the path names in :bot and :user; NULL with a 404. */
struct tg_bot    *tg_path_bot(struct tg *tg, const struct http_exchange *x, struct error *err);
struct tg_person *tg_path_person(struct tg *tg, const struct http_exchange *x, struct error *err);
bool              tg_path_number(const struct http_exchange *x, const char *name, int64_t *out);

void tg_put_update_id(struct json *w, int64_t update_id); /* 0, what nobody is told, is null */

/* control_chat.c: what a person does in the chat with a bot. */
bool tg_control_chats(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_messages(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_write(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_edit(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_tap(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_react(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_block(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool tg_control_unblock(void *state, struct http_exchange *x, struct json *w, struct error *err);

#define TG_CONTROL_ROUTES 19
extern const struct stage_route tg_control_routes[TG_CONTROL_ROUTES];

#endif
