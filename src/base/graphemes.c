/* graphemes.c -- counting characters as people do. */
#include <unigbrk.h>

#include "base/str.h"

#define PIECE ((size_t)16 * 1024) /* bytes looked at in one go; more than any text that is counted to be sent */

/* Longer text is looked at in pieces, so that this needs no memory. A piece ends where a cluster does: in front of
 * a letter, digit or blank of ASCII that follows another one. Where there is none it ends anyway, and the count may
 * be one too many for each piece. */
static size_t
piece_of(struct str s)
{
    size_t n = s.len < PIECE ? s.len : PIECE;

    if (n == s.len)
        return n;
    for (size_t i = n; i > n / 2; i--)
        if (s.ptr[i] >= ' ' && s.ptr[i] < 127 && s.ptr[i - 1] >= ' ' && s.ptr[i - 1] < 127)
            return i;
    return str_utf8_cut(s, n).len;
}

size_t
str_graphemes(struct str s)
{
    char   starts[PIECE];
    size_t count = 0;

    while (s.len > 0) {
        size_t n = piece_of(s);

        u8_grapheme_breaks((const uint8_t *)s.ptr, n, starts);
        for (size_t i = 0; i < n; i++)
            count += starts[i] == 1;
        s = str_from(s, n);
    }
    return count;
}
