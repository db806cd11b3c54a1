#include "api/keys.h"

static size_t
slot_of(const uint8_t hash[SHA256_SIZE])
{
    return hash[0] % KEY_CACHE_SLOTS;
}

static struct str
bytes_of(const uint8_t hash[SHA256_SIZE])
{
    return (struct str){ (const char *)hash, SHA256_SIZE };
}

bool
key_cache_get(const struct key_cache *c, const uint8_t hash[SHA256_SIZE], unsigned seen, int64_t mono_ms,
              struct scope *out)
{
    size_t i = slot_of(hash);

    if (c->slots[i].until_ms <= mono_ms || c->slots[i].seen != seen
        || !crypto_equal(bytes_of(c->slots[i].hash), bytes_of(hash)))
        return false;
    *out = c->slots[i].scope;
    return true;
}

void
key_cache_put(struct key_cache *c, const uint8_t hash[SHA256_SIZE], unsigned seen, int64_t mono_ms,
              const struct scope *scope)
{
    size_t i = slot_of(hash);

    memcpy(c->slots[i].hash, hash, SHA256_SIZE);
    c->slots[i].scope = *scope;
    c->slots[i].seen = seen;
    c->slots[i].until_ms = mono_ms + KEY_CACHE_KEEP_MS;
}

struct str
key_of_request(const struct http_request *r)
{
    struct str scheme, key;

    if (!str_cut(http_header_get(r, STR("Authorization")), ' ', &scheme, &key)
        || !str_eq_nocase(scheme, STR("Bearer")))
        return STR_NONE;
    key = str_trim(key);
    return key.len > 0 ? key : STR_NONE;
}

bool
key_refused(struct error *err)
{
    return error_set(err, 401, "The API key is missing or unknown");
}
