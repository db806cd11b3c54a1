/* encoding.c -- bytes as hex, base64 and base58 text, see crypto.h. */
#include <assert.h>

#include "base/crypto.h"

#define BASE58_MAX_BYTES 256 /* its time grows with the square of the length */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base58_digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

void
hex_encode(struct buf *out, struct str data)
{
    static const char digits[] = "0123456789abcdef";
    char             *room = buf_room(out, data.len * 2);

    if (!room)
        return;
    for (size_t i = 0; i < data.len; i++) {
        room[2 * i] = digits[(unsigned char)data.ptr[i] >> 4];
        room[2 * i + 1] = digits[(unsigned char)data.ptr[i] & 15];
    }
    buf_grew(out, data.len * 2);
}

void
base64_encode(struct buf *out, struct str data)
{
    size_t len = (data.len + 2) / 3 * 4;
    char  *room = buf_room(out, len);

    if (!room)
        return;
    for (size_t i = 0; i < data.len; i += 3) {
        size_t   left = data.len - i;
        uint32_t bits = (uint32_t)(unsigned char)data.ptr[i] << 16;

        if (left > 1)
            bits |= (uint32_t)(unsigned char)data.ptr[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)data.ptr[i + 2];
        *room++ = base64_digits[bits >> 18];
        *room++ = base64_digits[bits >> 12 & 63];
        *room++ = left > 1 ? base64_digits[bits >> 6 & 63] : '=';
        *room++ = left > 2 ? base64_digits[bits & 63] : '=';
    }
    buf_grew(out, len);
}

void
base64url_encode(struct buf *out, struct str data)
{
    size_t from = out->len;

    base64_encode(out, data);
    for (size_t i = from; i < out->len; i++)
        out->ptr[i] = (char)(out->ptr[i] == '+' ? '-' : out->ptr[i] == '/' ? '_' : out->ptr[i]);
    while (out->len > from && out->ptr[out->len - 1] == '=')
        out->len--;
}

static int
base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

/* Bits left over must be zero and padding, where there is any, complete: one text for some bytes, apart
 * from the liberties the header names. */
bool
base64_decode(struct str text, struct buf *out)
{
    uint32_t bits = 0;
    size_t   digits = 0, padding = 0, len_before = out->len;
    int      value;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        value = base64_value(c);
        if (value < 0 || padding > 0)
            goto bad;
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 != 1)
            buf_append_char(out, (char)(bits >> (6 - 2 * ((digits - 1) % 4))));
        bits &= 0x3F;
    }
    if (digits % 4 == 1 || (padding > 0 && (digits + padding) % 4 != 0) || padding > 2)
        goto bad;
    if ((digits % 4 == 2 && (bits & 0x0F) != 0) || (digits % 4 == 3 && (bits & 0x03) != 0))
        goto bad;
    if (buf_ok(out))
        return true;
bad:
    out->len = len_before;
    return false;
}

void
base58_encode(struct buf *out, struct str data)
{
    unsigned char digits[BASE58_MAX_BYTES * 138 / 100 + 1]; /* lowest first; log 256 / log 58 < 1.38 */
    size_t        n = 0, zeros = 0;

    assert(data.len <= BASE58_MAX_BYTES);
    while (zeros < data.len && data.ptr[zeros] == 0)
        zeros++;
    for (size_t i = zeros; i < data.len; i++) {
        uint32_t carry = (unsigned char)data.ptr[i];

        for (size_t k = 0; k < n || carry > 0; k++) {
            carry += k < n ? (uint32_t)digits[k] * 256 : 0;
            digits[k] = (unsigned char)(carry % 58);
            carry /= 58;
            n = k < n ? n : k + 1;
        }
    }
    /* A zero byte in front adds nothing to the number, so it is written as a zero digit of its own. */
    while (zeros-- > 0)
        buf_append_char(out, base58_digits[0]);
    while (n > 0)
        buf_append_char(out, base58_digits[digits[--n]]);
}
