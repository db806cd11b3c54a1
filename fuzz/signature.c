/* signature.c -- who may call a webhook, and the key of a request that is made once: only headers that say exactly
 * what they must.
 *
 * Header lines, an empty line, the body. In a value '@' stands for the body's signature by the one secret, '#' by
 * the other, '$' for Telegram's secret. */
#include <assert.h>

#include "api/idempotent.h"
#include "base/crypto.h"
#include "platform/platform.h"

#define HEADERS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct platform_env env = {
    .meta_app_secret = { "secret of the app", 17 }, .instagram_app_secret = { "secret of the login", 19 },
};
static const struct account account = { .webhook_secret = { "secret_Of-telegram", 18 } };

static struct str
signature_by(struct str secret, struct str body, struct arena *a)
{
    uint8_t    digest[SHA256_SIZE];
    struct buf hex;
    struct str out;

    buf_init(&hex, 2 * sizeof(digest));
    hmac_sha256(secret, body, digest);
    hex_encode(&hex, (struct str){ (const char *)digest, sizeof(digest) });
    out = arena_printf(a, "sha256=%.*s", STR_ARG(buf_str(&hex)));
    buf_deinit(&hex);
    return out;
}

static struct str
value_of(struct str text, struct str body, struct arena *a)
{
    struct buf out;
    struct str done;

    buf_init(&out, 1 * MIB);
    for (size_t i = 0; i < text.len; i++)
        switch (text.ptr[i]) {
        case '@':
            buf_append(&out, signature_by(env.meta_app_secret, body, a));
            break;
        case '#':
            buf_append(&out, signature_by(env.instagram_app_secret, body, a));
            break;
        case '$':
            buf_append(&out, account.webhook_secret);
            break;
        default:
            buf_append_char(&out, text.ptr[i]);
        }
    done = arena_copy(a, buf_str(&out));
    buf_deinit(&out);
    return done;
}

static struct str
first(const struct net_header *headers, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, name))
            return headers[i].value;
    return STR_NONE;
}

/* Hexadecimal digits may be of either case, and nothing else may differ. */
static bool
is_signature(struct str value, struct str expected)
{
    return str_starts(value, STR("sha256=")) && str_eq_nocase(value, expected);
}

static void
check_verdicts(const struct net_header *headers, size_t n, struct str body, struct arena *a)
{
    struct str meta = first(headers, n, STR("x-hub-signature-256"));
    struct str secret = first(headers, n, STR("x-telegram-bot-api-secret-token"));

    assert(meta_app.verify(&env, headers, n, body)
        == (is_signature(meta, signature_by(env.meta_app_secret, body, a))
            || is_signature(meta, signature_by(env.instagram_app_secret, body, a))));
    assert(telegram.verify(&account, headers, n, body) == str_eq(secret, account.webhook_secret));
}

static void
check_key(const struct net_header *headers, size_t n)
{
    struct http_header  as_received[HEADERS_MAX];
    struct http_request r = { .headers = as_received, .header_count = n };
    struct error        err = { 0 };
    struct str          key;

    for (size_t i = 0; i < n; i++)
        as_received[i] = (struct http_header){ headers[i].name, headers[i].value };
    if (!idempotent_key(&r, &key, &err)) {
        assert(err.status == 400 && err.message[0]);
        return;
    }
    assert(str_eq(key, first(headers, n, STR("idempotency-key"))));
    assert(str_is_none(key) || (key.len > 0 && key.len <= IDEMPOTENCY_KEY_MAX && str_is_utf8(key)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_header headers[HEADERS_MAX];
    struct str        in = { (const char *)data, size }, head = in, body = STR(""), line;
    ptrdiff_t         end = str_find(in, STR("\n\n"));
    struct arena      a;
    size_t            n;

    if (end >= 0) {
        head = str_slice(in, 0, (size_t)end);
        body = str_from(in, (size_t)end + 2);
    }
    arena_init(&a);
    for (n = 0; head.len > 0 && n < HEADERS_MAX; n++) {
        str_cut(head, '\n', &line, &head);
        str_cut(line, ':', &headers[n].name, &headers[n].value);
        headers[n].value = value_of(str_trim(headers[n].value), body, &a);
    }
    check_verdicts(headers, n, body, &a);
    check_key(headers, n);
    arena_deinit(&a);
    return 0;
}
