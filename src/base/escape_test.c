#include "base/escape.h"

#include "base/testing_str.h"

static const struct {
    struct str in, out;
} rows[] = {
#define ROW(in, out) { { in, sizeof(in) - 1 }, { out, sizeof(out) - 1 } }
    ROW("", ""),
    ROW("plain text, long enough for words", "plain text, long enough for words"),
    ROW("\"", "\\\""),
    ROW("\\", "\\\\"),
    ROW("/", "/"),
    ROW("\b\f\n\r\t", "\\b\\f\\n\\r\\t"),
    ROW("\0", "\\u0000"),
    ROW("\x01\x1F", "\\u0001\\u001f"),
    ROW("\x7F", "\x7F"),
    ROW(" !#[]^~", " !#[]^~"),
    ROW("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"),
    ROW("\xFF", "\xEF\xBF\xBD"),
    ROW("\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"),
    ROW("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"),
    ROW("\xC3\"", "\xEF\xBF\xBD\\\""),
#undef ROW
};

/* At every place around a word, because eight bytes are looked at together. */
START_TEST(text_is_escaped)
{
    struct str in = rows[_i].in, out = rows[_i].out;
    struct buf b;
    char       text[128];

    buf_init(&b, 1 * KIB);
    for (size_t before = 0; before <= 17; before++) {
        for (size_t after = 0; after <= 17; after++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + before, in.ptr, in.len);
            buf_clear(&b);
            buf_append_json_escaped(&b, (struct str){ text, before + in.len + after });
            ck_assert_uint_eq(b.len, before + out.len + after);
            ck_assert(str_eq(str_slice(buf_str(&b), before, out.len), out));
            ck_assert(str_eq(str_from(buf_str(&b), before + out.len), (struct str){ "xxxxxxxxxxxxxxxxx", after }));
        }
    }
    buf_deinit(&b);
}
END_TEST

/* Each byte in each place of a word of plain neighbours. */
START_TEST(no_byte_slips_through_in_a_word)
{
    struct buf b;
    char       text[9] = "";

    buf_init(&b, 100);
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 8; at++) {
            bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

            memcpy(text, " !#[]^~\x7F", 8);
            text[at] = (char)c;
            buf_clear(&b);
            buf_append_json_escaped(&b, (struct str){ text, 8 });
            ck_assert_msg((b.len == 8) == plain, "byte %d at %zu", c, at);
        }
    }
    buf_deinit(&b);
}
END_TEST

START_TEST(a_full_buffer_ends_it)
{
    struct buf b;

    buf_init(&b, 10);
    buf_append_json_escaped(&b, STR("12345678\n\n"));
    ck_assert(!buf_ok(&b));
    buf_deinit(&b);
}
END_TEST

START_TEST(addresses_keep_what_is_plain)
{
    char       every[256];
    struct buf b;

    buf_init(&b, 1000);
    for (int c = 0; c < 256; c++)
        every[c] = (char)c;
    buf_append_url_encoded(&b, (struct str){ every, 0x41 }, "/:");
    ck_assert_msg(str_eq(buf_str(&b), STR("%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18"
        "%19%1A%1B%1C%1D%1E%1F%20%21%22%23%24%25%26%27%28%29%2A%2B%2C-./0123456789:%3B%3C%3D%3E%3F%40")), "%.*s",
        STR_ARG(buf_str(&b)));
    buf_clear(&b);
    buf_append_url_encoded(&b, (struct str){ every + 0x5B, 256 - 0x5B }, "");
    ck_assert(str_starts(buf_str(&b), STR("%5B%5C%5D%5E_%60abc")));
    ck_assert_uint_eq(b.len, 3 * (256 - 0x5B) - 2 * (26 + 2)); /* '_', '~' and the small letters */
    buf_deinit(&b);
}
END_TEST

START_TEST(text_is_only_text_in_a_page)
{
    struct buf b;

    buf_init(&b, 200);
    buf_append_html_escaped(&b, STR("<a href=\"x\" title='y'>\xc3\xa9 & more</a>"));
    ck_assert(str_eq(buf_str(&b), STR("&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;\xc3\xa9 &amp; more&lt;/a&gt;")));
    buf_deinit(&b);
}
END_TEST

static TCase *
escapes(void)
{
    TCase *c = tcase_create("escapes");

    tcase_add_loop_test(c, text_is_escaped, 0, COUNT(rows));
    tcase_add_test(c, no_byte_slips_through_in_a_word);
    tcase_add_test(c, a_full_buffer_ends_it);
    tcase_add_test(c, addresses_keep_what_is_plain);
    tcase_add_test(c, text_is_only_text_in_a_page);
    return c;
}

TEST_CASES("escape", escapes)
