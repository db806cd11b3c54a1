/* sigv4.c -- see sigv4.h. The steps and their names are those of AWS's "Signature Version 4 signing process". */
#include "media/sigv4.h"

#include <time.h>

#include "base/array.h"
#include "base/escape.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

static struct str
hex_of(struct arena *a, const uint8_t bytes[SHA256_SIZE])
{
    struct buf hex;

    buf_init(&hex, (size_t)2 * SHA256_SIZE);
    hex_encode(&hex, (struct str){ (const char *)bytes, SHA256_SIZE });
    return arena_take(a, &hex);
}

struct str
sigv4_hash(struct arena *a, struct str body)
{
    uint8_t digest[SHA256_SIZE];

    sha256(body, digest);
    return hex_of(a, digest);
}

struct str
sigv4_encode(struct arena *a, struct str text, bool keep_slashes)
{
    struct buf out;
    struct str encoded;

    buf_init(&out, 64 * KIB);
    buf_append_url_encoded(&out, text, keep_slashes ? "/" : "");
    encoded = arena_copy(a, out.len > 0 ? buf_str(&out) : STR(""));
    buf_deinit(&out);
    return encoded;
}

struct str
sigv4_time(struct arena *a, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
    return arena_copy(a, str_of(text));
}

static struct str
scope_of(struct arena *a, const struct sigv4_key *key, struct str time)
{
    return arena_printf(a, "%.8s/%.*s/s3/aws4_request", time.ptr, STR_ARG(key->region));
}

/* The key is never used itself: each day, region and service has one of its own. */
static struct str
signature(struct arena *a, const struct sigv4_key *key, struct str time, struct str canonical)
{
    struct str steps[] = { str_slice(time, 0, 8), key->region, STR("s3"), STR("aws4_request") };
    struct str first = arena_printf(a, "AWS4%.*s", STR_ARG(key->secret)), scope = scope_of(a, key, time), text;
    uint8_t step[SHA256_SIZE], next[SHA256_SIZE];

    hmac_sha256(first, steps[0], step);
    explicit_bzero((char *)(uintptr_t)first.ptr, first.len);
    for (int i = 1; i < 4; i++) {
        hmac_sha256((struct str){ (const char *)step, sizeof(step) }, steps[i], next);
        memcpy(step, next, sizeof(step));
    }
    text = arena_printf(a, ALGORITHM "\n%.*s\n%.*s\n%.*s", STR_ARG(time), STR_ARG(scope),
                        STR_ARG(sigv4_hash(a, canonical)));
    hmac_sha256((struct str){ (const char *)step, sizeof(step) }, text, next);
    return hex_of(a, next);
}

/* Headers in the order of their names, as the rules want them: with their values, and their names alone. */
static void
sign_header(struct str name, struct str value, struct buf *lines, struct buf *names)
{
    buf_append(lines, name);
    buf_append_char(lines, ':');
    buf_append(lines, str_trim(value));
    buf_append_char(lines, '\n');
    if (names->len > 0)
        buf_append_char(names, ';');
    buf_append(names, name);
}

static void
sign_headers(const struct sigv4_request *r, struct str time, struct buf *lines, struct buf *names)
{
    const struct sigv4_header ours[] = {
        { STR("host"), r->host }, { STR("x-amz-content-sha256"), r->payload_hash }, { STR("x-amz-date"), time },
    };
    size_t theirs = 0;

    for (size_t i = 0; i < COUNT(ours); i++) {
        for (; theirs < r->header_count && str_order(r->headers[theirs].name, ours[i].name) < 0; theirs++)
            sign_header(r->headers[theirs].name, r->headers[theirs].value, lines, names);
        sign_header(ours[i].name, ours[i].value, lines, names);
    }
    for (; theirs < r->header_count; theirs++)
        sign_header(r->headers[theirs].name, r->headers[theirs].value, lines, names);
}

static struct str
canonical_of(struct arena *a, const struct sigv4_request *r, struct str query, struct str lines, struct str names,
             struct str payload)
{
    return arena_printf(a, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%.*s", STR_ARG(r->method), STR_ARG(r->path),
                        STR_ARG(query), STR_ARG(lines), STR_ARG(names), STR_ARG(payload));
}

struct str
sigv4_authorization(struct arena *a, const struct sigv4_key *key, const struct sigv4_request *r)
{
    struct str time = sigv4_time(a, r->time_ms), canonical, out;
    struct buf lines, names;

    buf_init(&lines, 16 * KIB);
    buf_init(&names, KIB);
    sign_headers(r, time, &lines, &names);
    canonical = canonical_of(a, r, r->query, buf_str(&lines), buf_str(&names), r->payload_hash);
    out = arena_printf(a, ALGORITHM " Credential=%.*s/%.*s,SignedHeaders=%.*s,Signature=%.*s", STR_ARG(key->id),
                       STR_ARG(scope_of(a, key, time)), STR_ARG(buf_str(&names)),
                       STR_ARG(signature(a, key, time, canonical)));
    buf_deinit(&lines);
    buf_deinit(&names);
    return out;
}

struct str
sigv4_presigned_query(struct arena *a, const struct sigv4_key *key, const struct sigv4_request *r, int64_t seconds)
{
    struct str time = sigv4_time(a, r->time_ms);
    struct str who = arena_printf(a, "%.*s/%.*s", STR_ARG(key->id), STR_ARG(scope_of(a, key, time)));
    struct str query = arena_printf(a,
                                    "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=%.*s&X-Amz-Date=%.*s"
                                    "&X-Amz-Expires=%lld&X-Amz-SignedHeaders=host",
                                    STR_ARG(sigv4_encode(a, who, false)), STR_ARG(time), (long long)seconds);
    struct str lines = arena_printf(a, "host:%.*s\n", STR_ARG(r->host));
    struct str canonical = canonical_of(a, r, query, lines, STR("host"), STR("UNSIGNED-PAYLOAD"));

    return arena_printf(a, "%.*s&X-Amz-Signature=%.*s", STR_ARG(query), STR_ARG(signature(a, key, time, canonical)));
}
