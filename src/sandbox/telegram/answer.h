/* answer.h -- how answers look on the wire: JSON in ASCII, and errors in Telegram's words. */
#ifndef PARLEY_SANDBOX_TELEGRAM_ANSWER_H
#define PARLEY_SANDBOX_TELEGRAM_ANSWER_H

#include "http/http.h"

/* Everything that is not ASCII within JSON becomes \uXXXX, which is how the real server writes. */
void tg_append_ascii(struct buf *out, struct str json);
void tg_make_ascii(struct buf *body); /* the same in place */

const char *tg_status_text(int status); /* "Bad Request": what an error's description begins with */

/* Makes the reply an error: status, envelope, and Retry-After where one is due. */
void tg_set_error(struct http_exchange *x, const struct error *err);

/* The same, and sends it: for a request that never became a call. */
void tg_reply_error(struct http_exchange *x, const struct error *err);

#endif
