#include "base/crypto.h"
#include "base/random.h"
#include "base/testing_str.h"

struct row {
    struct str bytes, text;
};
#define ROW(bytes, text) { { bytes, sizeof(bytes) - 1 }, { text, sizeof(text) - 1 } }

/* RFC 4648, section 10, and the digits only one of the alphabets has. */
static const struct row base64_rows[] = {
    ROW("", ""),
    ROW("f", "Zg=="),
    ROW("fo", "Zm8="),
    ROW("foo", "Zm9v"),
    ROW("foob", "Zm9vYg=="),
    ROW("fooba", "Zm9vYmE="),
    ROW("foobar", "Zm9vYmFy"),
    ROW("\xFF\xEF\xBE", "/+++"),
    ROW("\xFF\xFF\xFF", "////"),
    ROW("\0\0", "AAA="),
};

static const struct row base64_liberties[] = {
    ROW("f", "Zg"),
    ROW("fo", "Zm8"),
    ROW("\xFF\xEF\xBE", "_-+-"),
    ROW("foobar", " Zm9v\r\n\tYmFy \n"),
    ROW("f", "Z g = ="),
};

static const char *const no_base64[] = {
    "Z", "Zm9vY", "Zg=", "Zm8==", "Zg===", "Zm9v=", "Zm9v====", "=", "====", "Zg==Zg==", "Zm=8", "Zm9v!", "Zm9v.",
    "Zh==", "Zm9=", "Zh", "\xC3\xA4", "Zm9v\x0B",
};

/* What Bitcoin's own tests use. */
static const struct row base58_rows[] = {
    ROW("", ""),
    ROW("a", "2g"),
    ROW("bbb", "a3gV"),
    ROW("simply a long string", "2cFupjhnEsSn59qHXstmK2ffpLv2"),
    ROW("\x00\xeb\x15\x23\x1d\xfc\xeb\x60\x92\x58\x86\xb6\x7d\x06\x52\x99\x92\x59\x15\xae\xb1\x72\xc0\x66\x47",
        "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L"),
    ROW("\x51\x6b\x6f\xcd\x0f", "ABnLTmg"),
    ROW("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "1111111111"),
};

START_TEST(hex_is_lower_case)
{
    struct buf b;

    buf_init(&b, 8);
    hex_encode(&b, (struct str){ "\x00\x9A\xFF", 3 });
    ck_assert_slice(buf_str(&b), "009aff");
    hex_encode(&b, STR(""));
    ck_assert(buf_ok(&b));
    hex_encode(&b, STR("xx"));
    ck_assert(!buf_ok(&b));
    buf_deinit(&b);
}
END_TEST

START_TEST(base64_is_written_and_read)
{
    const struct row *row = &base64_rows[_i];
    struct buf        b;

    buf_init(&b, 100);
    base64_encode(&b, row->bytes);
    ck_assert(str_eq(buf_str(&b), row->text));
    buf_clear(&b);
    ck_assert(base64_decode(row->text, &b));
    ck_assert(str_eq(buf_str(&b), row->bytes));
    buf_deinit(&b);
}
END_TEST

START_TEST(addresses_have_an_alphabet_of_their_own)
{
    struct buf b;

    buf_init(&b, 100);
    buf_append(&b, STR("+/= "));
    base64url_encode(&b, STR("\xfb\xef\xbe\xff"));
    ck_assert_slice(buf_str(&b), "+/= ----_w");
    base64url_encode(&b, STR(""));
    ck_assert_slice(buf_str(&b), "+/= ----_w");
    buf_deinit(&b);
}
END_TEST

START_TEST(base64_takes_these_liberties)
{
    const struct row *row = &base64_liberties[_i];
    struct buf        b;

    buf_init(&b, 100);
    ck_assert(base64_decode(row->text, &b));
    ck_assert(str_eq(buf_str(&b), row->bytes));
    buf_deinit(&b);
}
END_TEST

START_TEST(what_is_no_base64_adds_nothing)
{
    struct buf b;

    buf_init(&b, 100);
    buf_append(&b, STR("before"));
    ck_assert_msg(!base64_decode(str_of(no_base64[_i]), &b), "%s", no_base64[_i]);
    ck_assert_slice(buf_str(&b), "before");
    buf_deinit(&b);
}
END_TEST

START_TEST(base64_ends_at_the_bound)
{
    struct buf b;

    buf_init(&b, 3);
    ck_assert(base64_decode(STR("Zm9v"), &b));
    ck_assert(!base64_decode(STR("Zg=="), &b));
    buf_deinit(&b);
}
END_TEST

START_TEST(any_bytes_come_back_from_base64)
{
    struct buf text, back;
    char       bytes[100];

    random_seed(9);
    buf_init(&text, 1 * KIB);
    buf_init(&back, 1 * KIB);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        random_bytes(bytes, len);
        buf_clear(&text);
        buf_clear(&back);
        base64_encode(&text, (struct str){ bytes, len });
        ck_assert(base64_decode(buf_str(&text), &back));
        ck_assert(str_eq(buf_str(&back), (struct str){ bytes, len }));
    }
    buf_deinit(&text);
    buf_deinit(&back);
}
END_TEST

START_TEST(base58_is_written)
{
    struct buf b;

    buf_init(&b, 400);
    base58_encode(&b, base58_rows[_i].bytes);
    ck_assert(str_eq(buf_str(&b), base58_rows[_i].text));
    buf_deinit(&b);
}
END_TEST

START_TEST(base58_has_room_for_the_largest_number)
{
    char       bytes[256];
    struct buf b;

    memset(bytes, 0xFF, sizeof(bytes));
    buf_init(&b, 400);
    base58_encode(&b, (struct str){ bytes, sizeof(bytes) });
    ck_assert(buf_ok(&b));
    ck_assert_uint_eq(b.len, 350);
    buf_deinit(&b);
}
END_TEST

static TCase *
encodings(void)
{
    TCase *c = tcase_create("encodings");

    tcase_add_test(c, hex_is_lower_case);
    tcase_add_loop_test(c, base64_is_written_and_read, 0, COUNT(base64_rows));
    tcase_add_test(c, addresses_have_an_alphabet_of_their_own);
    tcase_add_loop_test(c, base64_takes_these_liberties, 0, COUNT(base64_liberties));
    tcase_add_loop_test(c, what_is_no_base64_adds_nothing, 0, COUNT(no_base64));
    tcase_add_test(c, base64_ends_at_the_bound);
    tcase_add_test(c, any_bytes_come_back_from_base64);
    tcase_add_loop_test(c, base58_is_written, 0, COUNT(base58_rows));
    tcase_add_test(c, base58_has_room_for_the_largest_number);
    return c;
}

TEST_CASES("encoding", encodings)
