/* reply.h -- the bodies that more than one handler writes. */
#ifndef PARLEY_API_REPLY_H
#define PARLEY_API_REPLY_H

#include "api/call.h"
#include "json/json.h"
#include "store/message.h"

/* Begins a JSON reply; what is written to `w` is its body. */
void reply_begin(struct call *call, int status, struct json *w);

/* The envelope of a list around what is written in between: of a page of it, or of the whole. */
void reply_list_begin(struct call *call, struct json *w, int64_t total, int64_t page, int64_t per_page);
void reply_whole_list_begin(struct call *call, struct json *w);
void reply_list_end(struct json *w);

bool reply_chat(struct call *call, int status, const struct chat *c);       /* always true, as a handler's last word */
bool reply_message(struct call *call, int status, const struct message *m); /* idem */
bool reply_flag(struct call *call, const char *name);                       /* {"deleted":true} */

/* Bytes that are not JSON; `body` outlives the reply. */
bool reply_text(struct call *call, struct str content_type, struct str body);

/* Forgets what was written; not for a reply that is a file. */
void reply_clear(struct http_exchange *x);

/* `err` as the whole reply: {"error": sentence, "request_id": ...} with the headers its status asks for. A 500
 * keeps its reason to itself: that is for the log. */
void reply_error(struct http_exchange *x, const struct error *err);
void reply_error_body(struct http_exchange *x, const struct error *err); /* without status and those headers */

#endif
