#include "api/keys.h"

#include "base/testing_str.h"

static struct str
key_of(const char *authorization)
{
    struct http_header  header = { .name = STR("AUTHORIZATION"), .value = str_of(authorization) };
    struct http_request r = { .headers = &header, .header_count = 1 };

    return key_of_request(&r);
}

START_TEST(the_scheme_is_bearer_in_any_case)
{
    struct http_request none = { 0 };

    ck_assert_slice(key_of("Bearer pk_abc"), "pk_abc");
    ck_assert_slice(key_of("bearer pk_abc"), "pk_abc");
    ck_assert_slice(key_of("BEARER   pk_abc"), "pk_abc");
    ck_assert_none(key_of("Basic pk_abc"));
    ck_assert_none(key_of("Bearer"));
    ck_assert_none(key_of("Bearer "));
    ck_assert_none(key_of("pk_abc"));
    ck_assert_none(key_of_request(&none));
}
END_TEST

START_TEST(a_key_is_remembered_until_something_changes)
{
    static struct key_cache c;
    uint8_t                 hash[SHA256_SIZE] = { 7, 1 }, neighbour[SHA256_SIZE] = { 7, 2 };
    struct scope            scope = { .workspace_id = 5, .group_id = 6 }, found = { 0 };

    ck_assert(!key_cache_get(&c, hash, 0, 1000, &found));
    key_cache_put(&c, hash, 3, 1000, &scope);
    ck_assert(key_cache_get(&c, hash, 3, 1000 + KEY_CACHE_KEEP_MS - 1, &found));
    ck_assert_int_eq(found.workspace_id, 5);
    ck_assert_int_eq(found.group_id, 6);
    ck_assert(!key_cache_get(&c, hash, 4, 1001, &found));
    ck_assert(!key_cache_get(&c, hash, 3, 1000 + KEY_CACHE_KEEP_MS, &found));
    ck_assert(!key_cache_get(&c, neighbour, 3, 1001, &found));
    key_cache_put(&c, neighbour, 3, 1001, &scope);
    ck_assert(key_cache_get(&c, neighbour, 3, 1002, &found));
    ck_assert(!key_cache_get(&c, hash, 3, 1002, &found));
}
END_TEST

TESTS("keys", the_scheme_is_bearer_in_any_case, a_key_is_remembered_until_something_changes)
