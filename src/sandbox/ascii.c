/* ascii.c -- see ascii.h. */
#include "sandbox/ascii.h"

static void
put_unit(struct buf *out, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    const char        text[6] = { '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
        hex[unit & 15] };

    buf_append(out, (struct str){ text, sizeof(text) });
}

size_t
ascii_append_escape(struct buf *out, struct str rest)
{
    size_t   len = str_utf8_len(rest);
    unsigned c = (unsigned char)rest.ptr[0];

    c = len == 0 ? 0xFFFD : c & (0xFFU >> (len + 1));
    for (size_t k = 1; k < len; k++)
        c = c << 6 | ((unsigned char)rest.ptr[k] & 0x3F);
    if (c >= 0x10000) {
        put_unit(out, 0xD800 + ((c - 0x10000) >> 10));
        c = 0xDC00 + ((c - 0x10000) & 0x3FF);
    }
    put_unit(out, c);
    return len > 0 ? len : 1;
}
