/* media.h -- files as the content of a message: what a photo, a video, a document looks like in JSON. */
#ifndef PARLEY_SANDBOX_TELEGRAM_MEDIA_H
#define PARLEY_SANDBOX_TELEGRAM_MEDIA_H

#include "http/http.h"
#include "sandbox/telegram/state.h"

/* A file to be sent, and what is known of it. Text that is unknown is none or empty, numbers are 0. */
struct tg_media {
    enum tg_file_kind kind;         /* as asked for; a document may turn out to be something else */
    struct tg_blob   *blob;
    struct str        file_name, mime;
    int64_t           duration, width, height;
    struct str        title, performer, emoji;
    struct tg_blob   *thumbnail;    /* NULL = none */
    bool              as_document;  /* no guessing what a document is */
    bool               exact;        /* no guessing at all: it is of that kind, whatever the bytes say */
};

/* Makes files of it, which belong to the bot, and the members of a Message ("photo":[...]) in `a`.
 * `kind` is then what it has become. */
struct str tg_media_members(struct tg_bot *bot, struct tg_media *m, struct arena *a);

/* What the servers refuse of an upload by a bot. False with the description of a 400. */
bool tg_media_check(const struct tg_media *m, struct error *err);

/* The members of a file that was sent before. False with the description of a 400. `id` may be a URL,
 * which cannot be fetched here. */
bool tg_media_again(struct tg_bot *bot, enum tg_file_kind kind, struct str id, struct arena *a, struct str *members,
    enum tg_file_kind *has_become, struct error *err);

bool tg_kind_has_caption(enum tg_file_kind kind);
bool tg_kind_parse(struct str name, enum tg_file_kind *out); /* "photo", "video_note" */

/* The person's picture as this bot sees it: an array of PhotoSize, or the ids of the small and the large
 * one. */
void tg_profile_photo_write(struct tg_chat *chat, struct json *w, const char *name);
void tg_chat_photo_write(struct tg_chat *chat, struct json *w, const char *name);

#endif
