/* methods.h -- the methods of the Bot API, a file for each family, and what they share. */
#ifndef PARLEY_SANDBOX_TELEGRAM_METHODS_H
#define PARLEY_SANDBOX_TELEGRAM_METHODS_H

#include "sandbox/telegram/call.h"
#include "sandbox/telegram/media.h"

/* ---- shared: target.c ---- */

/* The chat that "chat_id" names. False with the 400 or 403 that a sending, or any other method, gets. */
bool tg_target_chat(const struct tg_call *c, bool to_send, struct tg_chat **out, struct error *err);

/* The message of "chat_id" and "message_id"; `what` is "message to edit", as the error has it. */
bool tg_target_message(const struct tg_call *c, const char *what, struct tg_chat **chat, struct tg_message **out,
    struct error *err);

/* Text from a pair of parameters like "caption" and "caption_entities", with "parse_mode". */
bool tg_param_formatted(const struct tg_call *c, const char *name, const char *entities, struct tg_text *out,
    struct error *err);

/* Its entities as JSON, in the call's arena; none when there are none. */
struct str tg_entities_json(const struct tg_text *t, struct arena *a);

/* ---- the families ---- */

bool tg_send_message(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_photo(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_video(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_audio(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_voice(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_animation(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_document(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_video_note(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_sticker(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_location(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_contact(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_media_group(struct tg_call *c, struct json *w, struct error *err);
bool tg_send_chat_action(struct tg_call *c, struct json *w, struct error *err);

bool tg_edit_text(struct tg_call *c, struct json *w, struct error *err);
bool tg_edit_caption(struct tg_call *c, struct json *w, struct error *err);
bool tg_edit_markup(struct tg_call *c, struct json *w, struct error *err);
bool tg_edit_media(struct tg_call *c, struct json *w, struct error *err);
bool tg_delete_message(struct tg_call *c, struct json *w, struct error *err);
bool tg_delete_messages(struct tg_call *c, struct json *w, struct error *err);
bool tg_set_reaction(struct tg_call *c, struct json *w, struct error *err);

/* ---- for tests ---- */

enum tg_edit { TG_EDIT_TEXT, TG_EDIT_CAPTION, TG_EDIT_MARKUP, TG_EDIT_MEDIA };

/* May this message be changed like that, whatever it is changed to? False with the description of a 400. */
bool tg_edit_allowed(const struct tg_message *m, enum tg_edit what, struct error *err);

/* ---- files in requests: upload.c ---- */

/* Finds a file parameter: an upload, or text (a file_id or a URL) in *id. Neither: both are NULL and
 * empty. `value` is the parameter's text, or what stands in an InputMedia. */
void tg_find_upload(const struct tg_call *c, const char *name, struct str value, const struct http_part **upload,
    struct str *id);

/* Takes a file into a message of `kind`: reads an upload or looks up the id. False with a 400. */
bool tg_take_media(const struct tg_call *c, struct tg_media *m, const struct http_part *upload, struct str id,
    struct str *members, enum tg_file_kind *has_become, struct error *err);

#endif
