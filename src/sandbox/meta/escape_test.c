#include "base/testing.h"
#include "sandbox/meta/hook.h"

#define KEY "s3cr3t-app-key-0123456789abcdef"

static struct str
escaped(const char *json, struct arena *a)
{
    struct buf b;

    buf_init(&b, 4 * KIB);
    fb_append_escaped(&b, str_of(json));
    return arena_take(a, &b);
}

START_TEST(what_is_not_ascii_and_slashes_are_escaped)
{
    static const struct {
        const char *json, *sent;
    } rows[] = {
        { "{}", "{}" },
        { "\"a/b\"", "\"a\\/b\"" },
        { "\"a\\/b\"", "\"a\\/b\"" },
        { "\"\\\\/\"", "\"\\\\\\/\"" },
        { "\"\xc3\xa1\xc3\x89\"", "\"\\u00e1\\u00c9\"" },
        { "\"\xe2\x9d\xa4\xef\xb8\x8f\"", "\"\\u2764\\ufe0f\"" },
        { "\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\"" },
        { "\"\xff\"", "\"\\ufffd\"" },
    };
    struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < COUNT(rows); i++)
        ck_assert_str_eq(escaped(rows[i].json, &a).ptr, rows[i].sent);
    arena_deinit(&a);
}
END_TEST

/* Worked out by hand from the reference, with another program. */
START_TEST(the_signature_is_that_of_the_escaped_form)
{
    struct arena a;
    struct str   body;

    arena_init(&a);
    body = escaped("{\"object\":\"page\",\"entry\":[{\"id\":\"1029384756\",\"time\":1790000000123,\"messaging\":["
                   "{\"sender\":{\"id\":\"7001002003004005\"},\"recipient\":{\"id\":\"1029384756\"},"
                   "\"timestamp\":1790000000100,"
                   "\"message\":{\"mid\":\"m_AbC-1_x\",\"text\":\"ol\xc3\xa1 \xf0\x9f\x98\x80 a/b\"}}]}]}", &a);
    ck_assert_uint_eq(body.len, 243);
    ck_assert_str_eq(fb_signature(STR(KEY), body, false, &a).ptr,
        "sha256=d1d8b9a4ce772518a9851c1aa7fac830e1ed1c8f961f1f43a6112b5802f962d6");
    ck_assert_str_eq(fb_signature(STR(KEY), body, true, &a).ptr, "sha1=2ea8660ccb832fec93a20ecc0b39f248c8a2457a");
    ck_assert_str_eq(fb_signature(STR(KEY), STR("{}"), false, &a).ptr,
        "sha256=6042b97b621af70188acc4ac0fbb0df2afa31c4e2d14bfc14fc93f21fff0ba16");
    arena_deinit(&a);
}
END_TEST

TESTS("escape", what_is_not_ascii_and_slashes_are_escaped, the_signature_is_that_of_the_escaped_form)
