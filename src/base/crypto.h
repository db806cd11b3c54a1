/* crypto.h -- hashing, encodings and secrets, all through OpenSSL. */
#ifndef PARLEY_BASE_CRYPTO_H
#define PARLEY_BASE_CRYPTO_H

#include "base/arena.h"
#include "base/buf.h"

#define SHA256_SIZE 32

void sha256(struct str data, uint8_t out[SHA256_SIZE]);
void hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE]);

/* Takes the same time wherever the first difference is; the length is not secret. */
bool crypto_equal(struct str a, struct str b);

void hex_encode(struct buf *out, struct str data); /* lower case */
void base64_encode(struct buf *out, struct str data);
void base64url_encode(struct buf *out, struct str data); /* with the URL alphabet and without padding */
/* Standard or URL alphabet, padding optional, white space skipped; appends the bytes. False when it is not base64. */
bool base64_decode(struct str text, struct buf *out);
void base58_encode(struct buf *out, struct str data); /* big-endian number, Bitcoin's alphabet */

/* A token or key on its way through memory: wiped when freed. Never print `.ptr`. */
struct secret {
    char  *ptr; /* NUL-terminated; NULL = none */
    size_t len;
};
void secret_set(struct secret *s, struct str value); /* copies; wipes what was there */
void secret_wipe(struct secret *s);                  /* frees; safe on a zeroed one */

static inline struct str
secret_str(const struct secret *s)
{
    return (struct str){ s->ptr, s->len };
}

/* The server's own key (PARLEY_SECRET_KEY): everything secret at rest is sealed with it. */
#define KEYRING_KEY_SIZE 32
struct keyring {
    uint8_t seal[32]; /* ChaCha20-Poly1305 */
    uint8_t ids[16];  /* public ids, see id.h */
};
/* Derives the two keys (HKDF-SHA256) from the 32 bytes of the secret key. */
void keyring_derive(struct keyring *k, const uint8_t secret_key[KEYRING_KEY_SIZE]);

/* Authenticated encryption; `context` (for example "profile.token") must be the same to open. Output: one version
 * byte, 12 of nonce, the ciphertext, 16 of tag. unseal() is false when the key or the context is another. */
#define SEAL_OVERHEAD 29 /* by so many bytes it is longer than what was sealed */
void seal(const struct keyring *k, struct str context, struct str plain, struct buf *out);
bool unseal(const struct keyring *k, struct str context, struct str sealed, struct secret *out);

#endif
