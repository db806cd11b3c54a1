/* text.h -- text as Telegram keeps it: cleaned, trimmed, and with entities beside it instead of markup
 * inside.
 *
 * Lengths are limited in code points; entities are counted in UTF-16 units, but only outside: in here
 * they are bytes. */
#ifndef PARLEY_SANDBOX_TELEGRAM_TEXT_H
#define PARLEY_SANDBOX_TELEGRAM_TEXT_H

#include "json/json.h"

#define TG_TEXT_MAX     4096 /* code points */
#define TG_CAPTION_MAX  1024
#define TG_ENTITIES_MAX 100

struct tg_entity {
    const char *type;
    size_t      from, to; /* bytes of the text */
    struct str  more;     /* further members, as JSON text: "url":"..." ; may be none */
};

struct tg_text {
    struct str       text;
    struct tg_entity entities[TG_ENTITIES_MAX];
    size_t           count;
};

/* Reads what a bot sent: with a parse mode, else with `entities` (NULL, or any JSON). Everything lives
 * in `a`. False with the description of a 400. Empty text is fine here, and so is text of any length;
 * callers know what they want. */
bool tg_text_read(struct str raw, struct str parse_mode, yyjson_val *entities, struct arena *a, struct tg_text *out,
    struct error *err);

/* What a person typed, as it is: bad UTF-8 is refused, only entities are found. */
bool tg_text_typed(struct str raw, struct arena *a, struct tg_text *out, struct error *err);

/* An array of MessageEntity; nothing at all when there are none. */
void tg_text_write_entities(const struct tg_text *t, struct json *w, const char *name);

/* How many UTF-16 units `s` takes; `s` is valid UTF-8. */
size_t tg_utf16_len(struct str s);

/* ---- the parts of it, in files of their own ---- */

/* Adds an entity unless there are too many already. */
void tg_text_add(struct tg_text *t, const char *type, size_t from, size_t to, struct str more);

/* parse_mode.c: takes the markup out of t->text and adds the entities it stood for. */
bool tg_parse_html(struct tg_text *t, struct arena *a, struct error *err);
bool tg_parse_markdown(struct tg_text *t, bool version2, struct arena *a, struct error *err);

/* detect.c: adds the commands, links, mentions, hashtags and addresses that stand in t->text outside
 * other entities. */
void tg_detect_entities(struct tg_text *t);

#endif
