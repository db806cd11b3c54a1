#include "api/idempotent.h"

#include <stdio.h>
#include <unistd.h>

#include "base/testing_str.h"

static struct http_header header = { .name = STR("idempotency-key") };

static int
key_status(struct str value)
{
    struct http_request r = { .headers = &header, .header_count = 1 };
    struct error        err = { 0 };
    struct str          key;

    header.value = value;
    if (!idempotent_key(&r, &key, &err))
        return err.status;
    return str_eq(key, value) ? 200 : 0;
}

START_TEST(a_key_is_printable_and_not_too_long)
{
    struct http_request none = { 0 };
    struct error        err = { 0 };
    struct str          key;
    char                text[257];

    memset(text, 'k', sizeof(text));
    ck_assert(idempotent_key(&none, &key, &err));
    ck_assert_none(key);
    ck_assert_int_eq(key_status(STR("order-1 (shipped)~")), 200);
    ck_assert_int_eq(key_status((struct str){ text, 255 }), 200);
    ck_assert_int_eq(key_status((struct str){ text, 256 }), 400);
    ck_assert_int_eq(key_status(STR("")), 400);
    ck_assert_int_eq(key_status(STR("caf\xc3\xa9")), 400);
    ck_assert_int_eq(key_status(STR("a\tb")), 400);
}
END_TEST

static struct str
hash(const struct http_request *r, uint8_t out[SHA256_SIZE])
{
    struct error err = { 0 };

    ck_assert_msg(idempotent_hash(r, 0, out, &err), "%s", err.message);
    return (struct str){ (const char *)out, SHA256_SIZE };
}

START_TEST(the_hash_covers_method_target_and_body)
{
    const struct http_request first = { .method = METHOD_POST, .target = STR("/api/x?a=1"), .body = STR("{}") };
    const struct http_request others[] = {
        { .method = METHOD_PATCH, .target = STR("/api/x?a=1"), .body = STR("{}") },
        { .method = METHOD_POST, .target = STR("/api/x?a=2"), .body = STR("{}") },
        { .method = METHOD_POST, .target = STR("/api/x?a=1"), .body = STR("{ }") },
        { .method = METHOD_POST, .target = STR("/api/x?a=1{}") },
        { .method = METHOD_POST, .target = STR("/api/x?a=1") },
    };
    struct error err;
    uint8_t      one[SHA256_SIZE], two[SHA256_SIZE];

    ck_assert(str_eq(hash(&first, one), hash(&first, two)));
    for (size_t i = 0; i < COUNT(others); i++)
        ck_assert_msg(!str_eq(hash(&first, one), hash(&others[i], two)), "%zu is the same", i);
    ck_assert(idempotent_hash(&first, 5, two, &err)); /* with a key that sees less */
    ck_assert(memcmp(one, two, SHA256_SIZE) != 0);
}
END_TEST

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(the_hash_covers_what_parts_hold)
{
    char                path[] = "/tmp/parley-hash-XXXXXX";
    struct http_part    parts[] = { { .name = STR("media[]"), .file_name = STR("a"), .path = str_of(path), .size = 3 },
                                    { .name = STR("body"), .text = STR("x") } };
    struct http_request r = { .method = METHOD_POST, .target = STR("/x"), .parts = parts, .part_count = 2 };
    struct error        err;
    uint8_t             one[SHA256_SIZE], two[SHA256_SIZE];

    close(mkstemp(path));
    write_file(path, "abc");
    hash(&r, one);
    ck_assert(str_eq(hash(&r, one), hash(&r, two)));
    write_file(path, "abd");
    ck_assert(!str_eq((struct str){ (char *)one, SHA256_SIZE }, hash(&r, two)));
    write_file(path, "abc");
    ck_assert(str_eq((struct str){ (char *)one, SHA256_SIZE }, hash(&r, two)));
    parts[1].text = STR("y");
    ck_assert(!str_eq((struct str){ (char *)one, SHA256_SIZE }, hash(&r, two)));
    unlink(path);
    ck_assert(!idempotent_hash(&r, 0, two, &err));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

TESTS("idempotent", a_key_is_printable_and_not_too_long, the_hash_covers_method_target_and_body,
      the_hash_covers_what_parts_hold)
