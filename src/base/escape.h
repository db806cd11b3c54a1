/* escape.h -- text as the inside of a JSON string, which the log needs as much as the JSON writer above; as a part of
 * an address; and in a page. */
#ifndef PARLEY_BASE_ESCAPE_H
#define PARLEY_BASE_ESCAPE_H

#include "base/buf.h"

/* Bytes that stand for themselves in a JSON string: ASCII but for quote, backslash and control characters. */
extern const bool json_is_plain[256];

/* True when the eight bytes from `p` on are such. Carries between bytes can only make it say no too often. */
static inline bool
json_is_plain_word(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t word, control, quote, backslash;

    memcpy(&word, p, sizeof(word));
    control = (word - ones * 0x20) & ~word;
    quote = word ^ ones * '"';
    backslash = word ^ ones * '\\';
    return ((word | control | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops) == 0;
}

/* Without the quotes. Bytes that are not valid UTF-8 become U+FFFD, one for each. */
void buf_append_json_escaped(struct buf *b, struct str s);

/* Percent-encoded but for letters, digits, "-._~" and the ASCII characters in `also_plain`. */
void buf_append_url_encoded(struct buf *b, struct str s, const char *also_plain);

/* As text in an HTML page, also within an attribute's quotes. */
void buf_append_html_escaped(struct buf *b, struct str s);

#endif
