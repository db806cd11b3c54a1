/* answer.h -- what every adapter makes of an answer: reasons without secrets, and what it means that there is none. */
#ifndef PARLEY_PLATFORM_ANSWER_H
#define PARLEY_PLATFORM_ANSWER_H

#include "platform/platform.h"

/* `text` with "***" for every occurrence of `secret`; a none is no secret. In `a` when it changed. */
struct str answer_without(struct arena *a, struct str text, struct str secret);

/* There is no answer to read: tried again, unless it is refused here and would be again. `whose` is the platform's name
 * for people. The reason is in plain words, and still to be freed of secrets. Sets maybe_done as if the call under way
 * were the one that must not be made twice. */
void answer_missing(const struct op *op, const struct net_response *last, const char *whose, struct op_step *out);

#endif
