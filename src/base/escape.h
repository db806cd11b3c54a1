/* escape.h -- text as the inside of a JSON string, which the log needs as much as the JSON writer above; and as a part
 * of an address. */
#ifndef PARLEY_BASE_ESCAPE_H
#define PARLEY_BASE_ESCAPE_H

#include "base/buf.h"

/* Bytes that stand for themselves in a JSON string: ASCII but for quote, backslash and control characters. */
extern const bool json_is_plain[256];

/* Without the quotes. Bytes that are not valid UTF-8 become U+FFFD, one for each. */
void buf_append_json_escaped(struct buf *b, struct str s);

/* Percent-encoded but for letters, digits, "-._~" and the ASCII characters in `also_plain`. */
void buf_append_url_encoded(struct buf *b, struct str s, const char *also_plain);

#endif
