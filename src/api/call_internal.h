/* call_internal.h -- what call.c and ask.c, its part that waits for others, know of each other. */
#ifndef PARLEY_API_CALL_INTERNAL_H
#define PARLEY_API_CALL_INTERNAL_H

#include "api/call.h"

/* On to the step that was said to follow. */
void call_advance(struct call *call);

/* Ends the call, once what it began is undone. `err` may be one of the call's own. */
void call_fail(struct call *call, const struct error *err);

/* What call_ask() and call_http() left in the call is done now; an answer leads to one of the two above. */
void call_ask_now(struct call *call);
void call_http_now(struct call *call);

#endif
