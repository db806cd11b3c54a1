/* crypto.c -- see crypto.h; the encodings are in encoding.c.
 *
 * Looking up an algorithm costs OpenSSL 3 more than hashing a webhook body, so each is fetched once, and
 * every thread keeps its own contexts. These calls fail only when memory or the library itself is
 * broken; nothing sensible can be answered then, and the process ends. */
#include "base/crypto.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

#define SEAL_VERSION    1
#define SEAL_NONCE_SIZE 12
#define SEAL_TAG_SIZE   16
#define SEAL_HEAD_SIZE  (1 + SEAL_NONCE_SIZE)

static_assert(SEAL_OVERHEAD == SEAL_HEAD_SIZE + SEAL_TAG_SIZE, "what crypto.h says");

/* Fetched once, never freed: they live as long as the process. */
static struct {
    EVP_MD      *sha256;
    EVP_MAC_CTX *hmac_sha256; /* keyless, to duplicate */
    EVP_CIPHER  *chacha20_poly1305;
} shared;

struct contexts {
    EVP_MD_CTX  *md;
    EVP_MAC_CTX *hmac;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t  contexts_key;

/* Not assert(): the calls inside must happen in every build, and the message must say whose failure it was. */
static void
must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "OpenSSL: %s failed\n", what);
    abort();
}

static void
free_contexts(void *arg)
{
    struct contexts *c = arg;

    EVP_MD_CTX_free(c->md);
    EVP_MAC_CTX_free(c->hmac);
    free(c);
}

static void
fetch_all(void)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    must(hmac, "fetching HMAC");
    shared.hmac_sha256 = EVP_MAC_CTX_new(hmac);
    must(shared.hmac_sha256 && EVP_MAC_CTX_set_params(shared.hmac_sha256, params), "choosing HMAC-SHA256");
    EVP_MAC_free(hmac);
    shared.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    must(shared.sha256, "fetching SHA-256");
    shared.chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    must(shared.chacha20_poly1305, "fetching ChaCha20-Poly1305");
    must(pthread_key_create(&contexts_key, free_contexts) == 0, "pthread_key_create");
}

static struct contexts *
my_contexts(void)
{
    static _Thread_local struct contexts *mine;

    if (mine)
        return mine;
    pthread_once(&once, fetch_all);
    mine = calloc(1, sizeof(*mine));
    must(mine, "calloc");
    mine->md = EVP_MD_CTX_new();
    mine->hmac = EVP_MAC_CTX_dup(shared.hmac_sha256);
    must(mine->md && mine->hmac, "making contexts");
    must(pthread_setspecific(contexts_key, mine) == 0, "pthread_setspecific");
    return mine;
}

static const unsigned char *
bytes(struct str s)
{
    return (const unsigned char *)(s.ptr ? s.ptr : "");
}

void
sha256(struct str data, uint8_t out[SHA256_SIZE])
{
    struct contexts *c = my_contexts();

    must(EVP_DigestInit_ex2(c->md, shared.sha256, NULL) && EVP_DigestUpdate(c->md, bytes(data), data.len)
             && EVP_DigestFinal_ex(c->md, out, NULL),
         "SHA-256");
}

void
hmac_sha256(struct str key, struct str data, uint8_t out[SHA256_SIZE])
{
    struct contexts *c = my_contexts();
    size_t           len = 0;

    must(EVP_MAC_init(c->hmac, bytes(key), key.len, NULL) && EVP_MAC_update(c->hmac, bytes(data), data.len)
             && EVP_MAC_final(c->hmac, out, &len, SHA256_SIZE) && len == SHA256_SIZE,
         "HMAC-SHA256");
}

bool
crypto_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void
secret_set(struct secret *s, struct str value)
{
    char *copy = NULL;

    if (!str_is_none(value)) {
        copy = malloc(value.len + 1);
        must(copy, "malloc");
        memcpy(copy, value.ptr, value.len);
        copy[value.len] = '\0';
    }
    secret_wipe(s);
    *s = (struct secret){ copy, value.len };
}

void
secret_wipe(struct secret *s)
{
    if (s->ptr)
        OPENSSL_cleanse(s->ptr, s->len);
    free(s->ptr);
    *s = (struct secret){ .ptr = NULL };
}

static void
derive(const uint8_t secret_key[KEYRING_KEY_SIZE], struct str purpose, uint8_t *out, size_t out_size)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret_key, KEYRING_KEY_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)purpose.ptr, purpose.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF     *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

    must(kdf && ctx && EVP_KDF_derive(ctx, out, out_size, params) > 0, "HKDF");
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

void
keyring_derive(struct keyring *k, const uint8_t secret_key[KEYRING_KEY_SIZE])
{
    derive(secret_key, STR("parley seal 1"), k->seal, sizeof(k->seal));
    derive(secret_key, STR("parley ids 1"), k->ids, sizeof(k->ids));
}

/* The version byte is authenticated with the context, so that it cannot be changed either. */
static bool
add_context(EVP_CIPHER_CTX *ctx, unsigned char version, struct str context)
{
    int n;

    return EVP_CipherUpdate(ctx, NULL, &n, &version, 1) > 0
        && EVP_CipherUpdate(ctx, NULL, &n, bytes(context), (int)context.len) > 0;
}

void
seal(const struct keyring *k, struct str context, struct str plain, struct buf *out)
{
    size_t          len = plain.len + SEAL_OVERHEAD;
    unsigned char  *room = (unsigned char *)buf_room(out, len);
    EVP_CIPHER_CTX *ctx;
    int             n;

    if (!room)
        return;
    must(plain.len <= INT32_MAX && context.len <= INT32_MAX, "sealing that much");
    my_contexts();
    room[0] = SEAL_VERSION;
    random_bytes(room + 1, SEAL_NONCE_SIZE);
    ctx = EVP_CIPHER_CTX_new();
    must(ctx && EVP_EncryptInit_ex2(ctx, shared.chacha20_poly1305, k->seal, room + 1, NULL) > 0
             && add_context(ctx, SEAL_VERSION, context)
             && EVP_EncryptUpdate(ctx, room + SEAL_HEAD_SIZE, &n, bytes(plain), (int)plain.len) > 0
             && EVP_EncryptFinal_ex(ctx, room + SEAL_HEAD_SIZE + plain.len, &n) > 0
             && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, room + SEAL_HEAD_SIZE + plain.len) > 0,
         "ChaCha20-Poly1305");
    EVP_CIPHER_CTX_free(ctx);
    buf_grew(out, len);
}

bool
unseal(const struct keyring *k, struct str context, struct str sealed, struct secret *out)
{
    struct str      body = str_from(sealed, SEAL_HEAD_SIZE);
    unsigned char   tag[SEAL_TAG_SIZE];
    EVP_CIPHER_CTX *ctx;
    char           *plain;
    int             n;
    bool            ok;

    if (sealed.len < SEAL_HEAD_SIZE + SEAL_TAG_SIZE || sealed.len > INT32_MAX || sealed.ptr[0] != SEAL_VERSION)
        return false;
    body.len -= SEAL_TAG_SIZE;
    memcpy(tag, body.ptr + body.len, sizeof(tag));
    plain = malloc(body.len + 1);
    my_contexts();
    ctx = EVP_CIPHER_CTX_new();
    must(plain && ctx, "allocating");
    ok = EVP_DecryptInit_ex2(ctx, shared.chacha20_poly1305, k->seal, bytes(sealed) + 1, NULL) > 0
      && add_context(ctx, SEAL_VERSION, context)
      && EVP_DecryptUpdate(ctx, (unsigned char *)plain, &n, bytes(body), (int)body.len) > 0
      && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag) > 0
      && EVP_DecryptFinal_ex(ctx, (unsigned char *)plain + body.len, &n) > 0;
    EVP_CIPHER_CTX_free(ctx);
    if (ok) {
        plain[body.len] = '\0';
        secret_wipe(out);
        *out = (struct secret){ plain, body.len };
    } else {
        OPENSSL_cleanse(plain, body.len);
        free(plain);
    }
    return ok;
}
