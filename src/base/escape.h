/* escape.h -- text as the inside of a JSON string; the log needs it as much as the JSON writer above. */
#ifndef PARLEY_BASE_ESCAPE_H
#define PARLEY_BASE_ESCAPE_H

#include "base/buf.h"

/* Bytes that stand for themselves in a JSON string: ASCII but for quote, backslash and control characters. */
extern const bool json_is_plain[256];

/* Without the quotes. Bytes that are not valid UTF-8 become U+FFFD, one for each. */
void buf_append_json_escaped(struct buf *b, struct str s);

#endif
