/* sigv4.c -- names and texts on their way into a signed request: encoded so that they come out as they went in, and no
 * text, whatever is in it, makes a line or a parameter of its own. */
#include "media/sigv4.h"

#include <assert.h>

#include "http/http.h"

#define TIME_MS ((int64_t)1790000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_hex(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!memchr("0123456789abcdef", s.ptr[i], 16))
            return false;
    return s.len == (size_t)2 * SHA256_SIZE;
}

static void
check_encoded(struct str in, bool keep_slashes, struct arena *a)
{
    static const struct str plain = STR("-._~%/");
    struct str              text = sigv4_encode(a, in, keep_slashes), again;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        assert((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || memchr(plain.ptr, c, plain.len - !keep_slashes));
    }
    if (in.len == 0 || !memchr(in.ptr, '\0', in.len))
        assert(http_decode(text, false, a, &again) && str_eq(again, in));
}

static void
check_presigned(const struct sigv4_key *key, const struct sigv4_request *r, struct arena *a)
{
    static const char *const names[] = {
        "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
    };
    struct str query = sigv4_presigned_query(a, key, r, 60), name, value = STR_NONE;
    size_t     at = 0, n = 0;
    bool       bad = false;

    for (; http_form_next(query, &at, a, &name, &value, &bad); n++)
        assert(n < 6 && str_eq(name, str_of(names[n])));
    assert(n == 6 && !bad && is_hex(value));
    assert(str_find(query, key->secret) < 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str           in = { (const char *)data, size }, authorization;
    struct arena         a;
    struct sigv4_key     key = { .secret = STR("a secret @ key"), .region = STR("eu-central-1") };
    struct sigv4_request r = { .method = STR("GET"), .host = STR("b.example.com"), .time_ms = TIME_MS };

    if (size > 8 * KIB || (size > 0 && memchr(data, '\0', size)))
        return 0;
    arena_init(&a);
    check_encoded(in, true, &a);
    check_encoded(in, false, &a);
    key.id = arena_copy(&a, sigv4_encode(&a, str_slice(in, 0, 100), false));
    r.path = arena_printf(&a, "/%.*s", STR_ARG(sigv4_encode(&a, in, true)));
    r.payload_hash = sigv4_hash(&a, in);
    r.headers[0] = (struct sigv4_header){ STR("content-type"), str_slice(in, 0, 100) };
    r.header_count = 1;
    authorization = sigv4_authorization(&a, &key, &r);
    assert(is_hex(r.payload_hash) && is_hex(str_from(authorization, authorization.len - (size_t)2 * SHA256_SIZE)));
    assert(str_find(authorization, STR("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date,")) > 0);
    r.header_count = 0;
    check_presigned(&key, &r, &a);
    arena_deinit(&a);
    return 0;
}
