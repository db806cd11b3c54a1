/* oauth_state_test.c -- what travels in the address: only this server reads it, nobody changes it, and it grows old. */
#include "api/connect.h"

#include "base/config.h"
#include "base/testing.h"
#include "base/testing_str.h"

#define NOW 1789374067000

static struct arena a;

static void
set_up(void)
{
    uint8_t secret[KEYRING_KEY_SIZE] = { 7 };

    keyring_derive(&config.keys, secret);
}

static void
tear_down(void)
{
    arena_deinit(&a);
}

static struct str
sealed(struct str redirect_url)
{
    struct oauth_state s = { .workspace_id = 11, .group_id = 22, .scope_group_id = 33, .platform = &telegram,
                             .redirect_url = redirect_url };

    return oauth_state_seal(&s, NOW, &a);
}

START_TEST(it_comes_back_as_it_went)
{
    struct str         text = sealed(STR("https://app.example/done?x=\"1\"#here"));
    struct oauth_state s;
    struct error       err;

    for (size_t i = 0; i < text.len; i++)
        ck_assert_msg(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.ptr[i]) != NULL,
                      "%c needs escaping", text.ptr[i]);
    ck_assert(oauth_state_open(text, NOW + OAUTH_STATE_KEEP_MS - 1, &a, &s, &err));
    ck_assert_int_eq(s.workspace_id, 11);
    ck_assert_int_eq(s.group_id, 22);
    ck_assert_int_eq(s.scope_group_id, 33);
    ck_assert_ptr_eq(s.platform, &telegram);
    ck_assert_slice(s.redirect_url, "https://app.example/done?x=\"1\"#here");
    ck_assert(oauth_state_open(sealed(STR_NONE), NOW, &a, &s, &err));
    ck_assert_none(s.redirect_url);
    ck_assert(!str_eq(sealed(STR_NONE), sealed(STR_NONE)));
}
END_TEST

START_TEST(it_grows_old)
{
    struct oauth_state s;
    struct error       err;

    ck_assert(!oauth_state_open(sealed(STR_NONE), NOW + OAUTH_STATE_KEEP_MS, &a, &s, &err));
    ck_assert_int_eq(err.status, 400);
    ck_assert_str_eq(err.message, "This address is more than 20 minutes old; begin connecting the account again");
}
END_TEST

/* Base64 can be padded, and has two alphabets; that must not make a second one of it. */
START_TEST(its_name_is_not_how_it_is_written)
{
    struct str         text = sealed(STR("https://app.example/"));
    struct str         padded = arena_printf(&a, "%.*s%s", STR_ARG(text), &"==="[3 - (4 - text.len % 4) % 4]);
    struct str         other = arena_copy(&a, padded);
    struct oauth_state s, same;
    struct error       err;

    for (char *c = (char *)(uintptr_t)other.ptr; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    ck_assert(oauth_state_open(text, NOW, &a, &s, &err));
    ck_assert(str_starts(s.name, STR("oauth:")));
    if (oauth_state_open(padded, NOW, &a, &same, &err))
        ck_assert(str_eq(s.name, same.name));
    if (oauth_state_open(other, NOW, &a, &same, &err))
        ck_assert(str_eq(s.name, same.name));
    ck_assert(oauth_state_open(sealed(STR("https://app.example/")), NOW, &a, &same, &err));
    ck_assert(!str_eq(s.name, same.name));
}
END_TEST

START_TEST(no_letter_of_it_can_be_changed)
{
    struct str         text = sealed(STR("https://app.example/"));
    struct oauth_state s;
    struct error       err;

    for (size_t i = 0; i < text.len; i++) {
        struct str other = arena_copy(&a, text);

        ((char *)(uintptr_t)other.ptr)[i] = text.ptr[i] == 'A' ? 'Q' : 'A';
        ck_assert_msg(!oauth_state_open(other, NOW, &a, &s, &err), "letter %zu", i);
        ck_assert_int_eq(err.status, 400);
    }
    for (size_t n = 0; n + 1 < text.len; n++)
        ck_assert_msg(!oauth_state_open(str_slice(text, 0, n), NOW, &a, &s, &err), "%zu letters", n);
    ck_assert(!oauth_state_open(STR_NONE, NOW, &a, &s, &err));
    ck_assert(!oauth_state_open(STR("%%%"), NOW, &a, &s, &err));
}
END_TEST

START_TEST(another_key_or_another_seal_does_not_open_it)
{
    uint8_t            secret[KEYRING_KEY_SIZE] = { 8 };
    struct str         text = sealed(STR_NONE);
    struct buf         token = { 0 }, encoded = { 0 };
    struct oauth_state s;
    struct error       err;

    buf_init(&token, KIB);
    buf_init(&encoded, KIB);
    seal(&config.keys, STR("profile.token"),
         STR("{\"until\":9999999999999,\"workspace\":1,\"group\":1,\"platform\":\"telegram\"}"), &token);
    base64_encode(&encoded, buf_str(&token));
    ck_assert(!oauth_state_open(buf_str(&encoded), NOW, &a, &s, &err));
    buf_deinit(&token);
    buf_deinit(&encoded);
    keyring_derive(&config.keys, secret);
    ck_assert(!oauth_state_open(text, NOW, &a, &s, &err));
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("oauth_state");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, it_comes_back_as_it_went);
    tcase_add_test(c, it_grows_old);
    tcase_add_test(c, its_name_is_not_how_it_is_written);
    tcase_add_test(c, no_letter_of_it_can_be_changed);
    tcase_add_test(c, another_key_or_another_seal_does_not_open_it);
    return c;
}

TEST_CASES("oauth_state", all)
