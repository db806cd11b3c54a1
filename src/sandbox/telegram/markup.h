/* markup.h -- reply_markup: buttons under a message, a keyboard instead of the person's own, or taking
 * one away. */
#ifndef PARLEY_SANDBOX_TELEGRAM_MARKUP_H
#define PARLEY_SANDBOX_TELEGRAM_MARKUP_H

#include "sandbox/telegram/params.h"

enum tg_markup_kind { MARKUP_NONE, MARKUP_INLINE, MARKUP_KEYBOARD, MARKUP_REMOVE, MARKUP_FORCE_REPLY };

struct tg_markup {
    enum tg_markup_kind kind;
    struct str          json;    /* {"inline_keyboard":...} as it is shown again, the others as they came, or none */
    const char         *refused; /* what the servers behind the Bot API say of it when it gets there, or NULL */
    struct str          bad_url; /* of a button; none = all are fine */
    const char         *bad_url_reason;
};

/* The parameter "reply_markup", all in `a`. False with the description of a 400. What is only refused
 * further behind, after the chat has been looked up, is for tg_markup_check(). */
bool tg_markup_read(const struct tg_params *p, struct arena *a, struct tg_markup *out, struct error *err);
bool tg_markup_check(const struct tg_markup *m, struct error *err);

#endif
