/* escape.c -- the form of JSON that Meta sends, and its signature; see hook.h. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "sandbox/ascii.h"
#include "sandbox/meta/hook.h"

void
fb_append_escaped(struct buf *out, struct str json)
{
    for (size_t i = 0; i < json.len;) {
        char c = json.ptr[i];

        if (c & 0x80) {
            i += ascii_append_escape(out, str_from(json, i));
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

    if (!HMAC(is_sha1 ? EVP_sha1() : EVP_sha256(), secret.ptr, (int)secret.len, (const uint8_t *)body.ptr, body.len,
            hash, &len))
        abort();
    buf_init(&text, 128);
    buf_append(&text, is_sha1 ? STR("sha1=") : STR("sha256="));
    hex_encode(&text, (struct str){ (const char *)hash, len });
    return arena_take(a, &text);
}
