/* answer.h -- what every adapter makes of an answer: reasons without secrets, and what it means that there is none. */
#ifndef PARLEY_PLATFORM_ANSWER_H
#define PARLEY_PLATFORM_ANSWER_H

#include "platform/platform.h"

/* `text` as the reason of a verdict: first with "***" for every occurrence of a secret (an empty one is none), then
 * cut to what an error message may be. All that a platform says goes through here on its way out. In `a`. */
struct str answer_reason(struct arena *a, struct str text, const struct str *secrets, size_t n);

/* So long a platform, or what is before it, may make us wait: at most a day. */
int64_t answer_wait_ms(int64_t ms);

/* The JSON object that the answer is; NULL when it is none. */
yyjson_val *answer_object(struct arena *a, const struct net_response *last);

/* There is no answer to read: tried again, unless it is refused here and would be again. `whose` is the platform's name
 * for people. The reason is in plain words, and still to be freed of secrets. Sets maybe_done as if the call under way
 * were the one that must not be made twice. */
void answer_missing(const struct op *op, const struct net_response *last, const char *whose, struct op_step *out);

#endif
