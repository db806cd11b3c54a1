#include "platform/mend.h"

#define UNKNOWN "\\ufffd"
#define UNIT    6 /* characters of such an escape */

/* The UTF-16 unit of the escape that `text` begins with; -1 = it begins with none. */
static int
unit_here(struct str text)
{
    int unit = 0;

    if (text.len < UNIT || text.ptr[0] != '\\' || text.ptr[1] != 'u')
        return -1;
    for (int i = 2; i < UNIT; i++) {
        int digit = str_hex_digit(text.ptr[i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The escape that `text` begins with, as it may stay; *len is how much of `text` that is. */
static struct str
escape_here(struct str text, size_t *len)
{
    int unit = unit_here(text), next = unit_here(str_from(text, UNIT));

    *len = unit >= 0 ? UNIT : 2;
    if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000)
        *len = (size_t)2 * UNIT;
    else if (unit >= 0xd800 && unit < 0xe000)
        return STR(UNKNOWN);
    return str_slice(text, 0, *len);
}

/* Never longer than it was. */
static struct str
mended(struct arena *a, struct str text)
{
    char      *out = arena_bytes(a, text.len + 1);
    size_t     n = 0, len;
    int        depth = 0;
    bool       in_string = false;
    struct str piece;

    for (size_t i = 0; i < text.len; i += len) {
        char c = text.ptr[i];

        len = 1;
        piece = str_slice(text, i, 1);
        if (in_string && c == '\\')
            piece = escape_here(str_from(text, i), &len);
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth < JSON_DEPTH_MAX) {
            memcpy(out + n, piece.ptr, piece.len);
            n += piece.len;
        }
        if (!in_string && (c == '{' || c == '['))
            depth++;
    }
    return (struct str){ out, n };
}

bool
mend_parse(struct arena *a, struct str text, yyjson_val **root)
{
    struct error err;

    return json_parse(a, text, JSON_DEPTH_MAX, root, &err)
        || json_parse(a, mended(a, text), JSON_DEPTH_MAX, root, &err);
}
