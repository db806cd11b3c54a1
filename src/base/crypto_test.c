#include "base/crypto.h"

#include <pthread.h>

#include "base/random.h"
#include "base/testing_str.h"

static struct buf
hex_of(const void *bytes, size_t len)
{
    struct buf b;

    buf_init(&b, 1 * KIB);
    hex_encode(&b, (struct str){ bytes, len });
    buf_append_char(&b, '\0');
    return b;
}

static void
assert_hex(const void *bytes, size_t len, const char *expected)
{
    struct buf b = hex_of(bytes, len);

    ck_assert_str_eq(b.ptr, expected);
    buf_deinit(&b);
}

/* FIPS 180's examples. */
START_TEST(sha256_gives_the_published_digests)
{
    uint8_t digest[SHA256_SIZE];
    char    thousand[1000];
    int     i;

    for (i = 0; i < 2; i++) { /* twice, because the context is used again */
        sha256(STR("abc"), digest);
        assert_hex(digest, sizeof(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        sha256(STR_NONE, digest);
        assert_hex(digest, sizeof(digest), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
        assert_hex(digest, sizeof(digest), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    memset(thousand, 'a', sizeof(thousand));
    sha256((struct str){ thousand, sizeof(thousand) }, digest);
    assert_hex(digest, sizeof(digest), "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}
END_TEST

#define TIMES_20(b) b b b b b b b b b b b b b b b b b b b b
#define TIMES_50(b) TIMES_20(b) TIMES_20(b) b b b b b b b b b b
#define TIMES_131(b) TIMES_50(b) TIMES_50(b) TIMES_20(b) b b b b b b b b b b b

/* RFC 4231 (without the truncated case 5), and the empty key and text. */
static const struct {
    struct str  key, data;
    const char *mac;
} hmacs[] = {
#define ROW(key, data, mac) { { key, sizeof(key) - 1 }, { data, sizeof(data) - 1 }, mac }
    ROW(TIMES_20("\x0b"), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    ROW("Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ROW(TIMES_20("\xaa"), TIMES_50("\xdd"), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    ROW("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19",
        TIMES_50("\xcd"), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    ROW(TIMES_131("\xaa"), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    ROW(TIMES_131("\xaa"),
        "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
        "hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ROW("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
#undef ROW
};

START_TEST(hmac_gives_the_published_codes)
{
    uint8_t mac[SHA256_SIZE];

    /* In this order and back, so that each key follows another one in the reused context. */
    for (size_t i = 0; i < 2 * COUNT(hmacs); i++) {
        size_t row = i % COUNT(hmacs);

        hmac_sha256(hmacs[row].key, hmacs[row].data, mac);
        assert_hex(mac, sizeof(mac), hmacs[row].mac);
    }
}
END_TEST

static void *
hash_much(void *arg)
{
    uint8_t mac[SHA256_SIZE];

    (void)arg;
    for (int i = 0; i < 1000; i++)
        hmac_sha256(hmacs[i % 2].key, hmacs[i % 2].data, mac);
    return memcpy(malloc(sizeof(mac)), mac, sizeof(mac));
}

START_TEST(threads_do_not_disturb_each_other)
{
    pthread_t threads[4];
    void     *mac;

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hash_much, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &mac), 0);
        assert_hex(mac, SHA256_SIZE, hmacs[1].mac);
        free(mac);
    }
}
END_TEST

START_TEST(equal_is_equal)
{
    ck_assert(crypto_equal(STR("secret"), STR("secret")));
    ck_assert(!crypto_equal(STR("secret"), STR("secreT")));
    ck_assert(!crypto_equal(STR("secret"), STR("secre")));
    ck_assert(crypto_equal(STR(""), STR_NONE));
}
END_TEST

START_TEST(a_secret_is_a_copy)
{
    struct secret s = { 0 };
    char          token[] = "token";

    secret_wipe(&s);
    secret_set(&s, str_of(token));
    token[0] = 'X';
    ck_assert_str_eq(s.ptr, "token");
    secret_set(&s, str_slice(secret_str(&s), 1, 3)); /* also from itself */
    ck_assert_str_eq(s.ptr, "oke");
    ck_assert_slice(secret_str(&s), "oke");
    secret_set(&s, STR_NONE);
    ck_assert_none(secret_str(&s));
    secret_set(&s, STR(""));
    ck_assert_slice(secret_str(&s), "");
    secret_wipe(&s);
    ck_assert_ptr_null(s.ptr);
}
END_TEST

/* Computed in Python from the definition in RFC 5869 (no salt). What is sealed on disk
 * and every public id depends on these: they may never change. */
START_TEST(the_derived_keys_stay_what_they_are)
{
    struct keyring k;
    uint8_t        secret_key[KEYRING_KEY_SIZE];

    for (size_t i = 0; i < sizeof(secret_key); i++)
        secret_key[i] = (uint8_t)i;
    keyring_derive(&k, secret_key);
    assert_hex(k.seal, sizeof(k.seal), "1cdc7a59cba6b334340f058052438c6e47a01a83885990487143afbb0992db91");
    assert_hex(k.ids, sizeof(k.ids), "9780406424d64396f1f72b6070efb9b5");
}
END_TEST

static struct keyring
some_keyring(uint8_t first_byte)
{
    struct keyring k;
    uint8_t        secret_key[KEYRING_KEY_SIZE] = { first_byte };

    keyring_derive(&k, secret_key);
    return k;
}

START_TEST(what_was_sealed_opens)
{
    struct keyring k = some_keyring(1);
    struct secret  out = { 0 };
    struct buf     b;

    buf_init(&b, 1 * KIB);
    seal(&k, STR("profile.token"), STR("123456:AAbbCC"), &b);
    ck_assert_uint_eq(b.len, 1 + 12 + 13 + 16);
    ck_assert_int_eq(b.ptr[0], 1);
    ck_assert_int_eq(str_find(buf_str(&b), STR("AAbbCC")), -1);
    ck_assert(unseal(&k, STR("profile.token"), buf_str(&b), &out));
    ck_assert_str_eq(out.ptr, "123456:AAbbCC");
    buf_clear(&b);
    seal(&k, STR(""), STR(""), &b);
    ck_assert(unseal(&k, STR_NONE, buf_str(&b), &out));
    ck_assert_slice(secret_str(&out), "");
    secret_wipe(&out);
    buf_deinit(&b);
}
END_TEST

START_TEST(the_same_is_never_sealed_alike)
{
    struct keyring k = some_keyring(1);
    struct buf     one, two;

    buf_init(&one, 100);
    buf_init(&two, 100);
    seal(&k, STR("x"), STR("token"), &one);
    seal(&k, STR("x"), STR("token"), &two);
    ck_assert(!str_eq(buf_str(&one), buf_str(&two)));
    buf_deinit(&one);
    buf_deinit(&two);
}
END_TEST

START_TEST(nothing_else_opens)
{
    struct keyring k = some_keyring(1), other = some_keyring(2);
    struct secret  out = { 0 };
    struct buf     b;

    buf_init(&b, 100);
    seal(&k, STR("profile.token"), STR("token"), &b);
    ck_assert(!unseal(&other, STR("profile.token"), buf_str(&b), &out));
    ck_assert(!unseal(&k, STR("webhook.secret"), buf_str(&b), &out));
    ck_assert(!unseal(&k, STR_NONE, buf_str(&b), &out));
    for (size_t i = 0; i < b.len; i++) {
        ck_assert_msg(!unseal(&k, STR("profile.token"), str_slice(buf_str(&b), 0, i), &out), "cut to %zu", i);
        b.ptr[i] ^= 1;
        ck_assert_msg(!unseal(&k, STR("profile.token"), buf_str(&b), &out), "changed at %zu", i);
        b.ptr[i] ^= 1;
    }
    ck_assert_ptr_null(out.ptr);
    ck_assert(unseal(&k, STR("profile.token"), buf_str(&b), &out));
    secret_wipe(&out);
    buf_deinit(&b);
}
END_TEST

START_TEST(sealing_keeps_the_bound)
{
    struct keyring k = some_keyring(1);
    struct buf     b;

    buf_init(&b, 29);
    seal(&k, STR("x"), STR(""), &b);
    ck_assert(buf_ok(&b));
    seal(&k, STR("x"), STR(""), &b);
    ck_assert(!buf_ok(&b));
    buf_deinit(&b);
}
END_TEST

/* Made with Node, from the layout in the header: what is on disk must open after any update. */
START_TEST(a_seal_made_elsewhere_opens)
{
    struct keyring k = some_keyring(1);
    struct secret  out = { 0 };
    struct buf     b;

    buf_init(&b, 200);
    ck_assert(base64_decode(STR("AQABAgMEBQYHCAkKC+XbZ1o4nzwl967ZIaIswdBLzhzkxi355qIUzG5Iug=="), &b));
    ck_assert(unseal(&k, STR("profile.token"), buf_str(&b), &out));
    ck_assert_str_eq(out.ptr, "a sealed token");
    secret_wipe(&out);
    buf_deinit(&b);
}
END_TEST

TESTS("crypto", sha256_gives_the_published_digests, hmac_gives_the_published_codes, threads_do_not_disturb_each_other,
    equal_is_equal, a_secret_is_a_copy, the_derived_keys_stay_what_they_are, what_was_sealed_opens,
    the_same_is_never_sealed_alike, nothing_else_opens, sealing_keeps_the_bound, a_seal_made_elsewhere_opens)
