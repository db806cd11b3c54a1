/* limits.h -- what a platform takes, checked before we promise to send it. Each refusal is a 422 that names the
 * limit and what was given. */
#ifndef PARLEY_API_LIMITS_H
#define PARLEY_API_LIMITS_H

#include "platform/platform.h"
#include "store/chat.h"

/* `text` is valid UTF-8. A caption is the text of a message with a file. */
bool limit_text(const struct platform *p, struct str text, bool is_caption, struct error *err);

bool limit_file(const struct platform *p, const struct op_file *file, struct error *err);

/* Whether the account behind the chat may send at all, and whether the platform still lets it write to this
 * person. */
bool limit_account(const struct platform *p, enum profile_status status, struct str detail, struct error *err);
bool limit_window(const struct chat *c, int64_t now_ms, struct error *err);

#endif
