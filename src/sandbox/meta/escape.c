/* escape.c -- the form of JSON that Meta sends, and its signature; see hook.h. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "sandbox/meta/hook.h"

static void
put_unit(struct buf *out, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    const char        text[6] = { '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
        hex[unit & 15] };

    buf_append(out, (struct str){ text, sizeof(text) });
}

static size_t
put_character(struct buf *out, struct str rest)
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

void
fb_append_escaped(struct buf *out, struct str json)
{
    for (size_t i = 0; i < json.len;) {
        char c = json.ptr[i];

        if (c & 0x80) {
            i += put_character(out, str_from(json, i));
        } else if (c == '\\') { /* an escape is one already, "\/" too */
            buf_append(out, str_slice(json, i, 2));
            i += 2;
        } else {
            if (c == '/')
                buf_append_char(out, '\\');
            buf_append_char(out, c);
            i++;
        }
    }
}

struct str
fb_signature(struct str secret, struct str body, bool is_sha1, struct arena *a)
{
    uint8_t    hash[EVP_MAX_MD_SIZE];
    unsigned   len = 0;
    struct buf text;
    struct str out;

    if (!HMAC(is_sha1 ? EVP_sha1() : EVP_sha256(), secret.ptr, (int)secret.len, (const uint8_t *)body.ptr, body.len,
            hash, &len))
        abort();
    buf_init(&text, 128);
    buf_append(&text, is_sha1 ? STR("sha1=") : STR("sha256="));
    hex_encode(&text, (struct str){ (const char *)hash, len });
    out = arena_copy(a, buf_str(&text));
    buf_deinit(&text);
    return out;
}
