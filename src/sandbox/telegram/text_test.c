#include "sandbox/telegram/text.h"

#include <stdio.h>

#include "base/testing.h"

static struct arena arena;

static void
tear_down(void)
{
    arena_deinit(&arena);
}

/* The text, then its entities as "type offset+length", in UTF-16 units, with what else they have. */
static const char *
described(const struct tg_text *t)
{
    struct str all = arena_printf(&arena, "%.*s", STR_ARG(t->text));

    for (size_t i = 0; i < t->count; i++) {
        const struct tg_entity *e = &t->entities[i];

        all = arena_printf(&arena, "%.*s|%s %zu+%zu%s%.*s", STR_ARG(all), e->type,
            tg_utf16_len(str_slice(t->text, 0, e->from)), tg_utf16_len(str_slice(t->text, e->from, e->to - e->from)),
            e->more.len > 0 ? " " : "", STR_ARG(e->more));
    }
    return all.ptr;
}

static const struct {
    const char *mode, *raw, *described; /* described begins with "!" for an error */
} texts[] = {
    { "", "plain", "plain" },
    { "", "\n  a b \n", "a b" },
    { "", "a\x01" "b\tc\r\nd", "a b c\nd" },
    { "", "a\xE2\x80\xAE" "b\xCC\xBF" "c", "abc" },
    { "", "\xFF", "!strings must be encoded in UTF-8" },
    { "none", "*a*", "*a*" },
    { "WORD", "a", "!unsupported parse_mode" },
    /* found by themselves */
    { "", "/start ref_42", "/start ref_42|bot_command 0+6" },
    { "", "/start@sandbox_bot x/y", "/start@sandbox_bot x/y|bot_command 0+18" },
    { "", "\xF0\x9F\x98\x80 @abc @ab", "\xF0\x9F\x98\x80 @abc @ab|mention 3+4" },
    { "", "#1 #a1 a#b", "#1 #a1 a#b|hashtag 3+3" },
    { "", "(https://a.b/c).", "(https://a.b/c).|url 1+13" },
    { "", "x@y.z a@b", "x@y.z a@b|email 0+5" },
    /* HTML */
    { "HTML", "<b>a</b>", "a|bold 0+1" },
    { "html", " <B>a &lt;&#65;&#x42;&amp;x&quot;</B> ", "a <AB&x\"|bold 0+8" },
    { "HTML", "a & b &x;", "a & b &x;" },
    { "HTML", "<a href='https://x.y/\"'>z</a>", "z|text_link 0+1 \"url\":\"https://x.y/\\\"\"" },
    { "HTML", "<a>z</a>", "z" },
    { "HTML", "<pre><code class=\"language-c\">x</code></pre>", "x|pre 0+1 \"language\":\"c\"" },
    { "HTML", "<code>/go</code>", "/go|code 0+3" },
    { "HTML", "<span class=\"tg-spoiler\">x</span><tg-spoiler>y</tg-spoiler>", "xy|spoiler 0+1|spoiler 1+1" },
    { "HTML", "<blockquote expandable>q</blockquote>", "q|expandable_blockquote 0+1" },
    { "HTML", "<b></b>x", "x" },
    { "HTML", "<u><b>a</b>b</u>", "ab|underline 0+2|bold 0+1" },
    { "HTML", "<b>x</>", "x|bold 0+1" },
    { "HTML", "<b", "!can't parse entities: Unclosed start tag at byte offset 0" },
    { "HTML", "a</b", "!can't parse entities: Unclosed end tag at byte offset 1" },
    { "HTML", "<>", "!can't parse entities: Unsupported start tag \"\" at byte offset 0" },
    { "HTML", "<span>x</span>", "!can't parse entities: Tag \"span\" must have class \"tg-spoiler\" at byte offset 0" },
    /* MarkdownV2 */
    { "MarkdownV2", "*a* _b_ __c__ ~d~ ||e||",
        "a b c d e|bold 0+1|italic 2+1|underline 4+1|strikethrough 6+1|spoiler 8+1" },
    { "MarkdownV2", "*a _b_*", "a b|bold 0+3|italic 2+1" },
    { "MarkdownV2", "\\*a\\.\\\\", "*a.\\" },
    { "MarkdownV2", "`a\\`*b`", "a`*b|code 0+4" },
    { "MarkdownV2", "```c\nx\n```", "x|pre 0+1 \"language\":\"c\"" },
    { "MarkdownV2", "[a](https://b.c/\\))", "a|text_link 0+1 \"url\":\"https://b.c/)\"" },
    { "MarkdownV2", "[a]", "a" },
    { "MarkdownV2", ">q\n>r\nx", "q\nr\nx|blockquote 0+3" },
    { "MarkdownV2", "a-b",
        "!can't parse entities: Character '-' is reserved and must be escaped with the preceding '\\'" },
    { "MarkdownV2", "__a", "!can't parse entities: Can't find end of Underline entity at byte offset 0" },
    { "MarkdownV2", "x [a", "!can't parse entities: Can't find end of TextUrl entity at byte offset 2" },
    { "MarkdownV2", "`a", "!can't parse entities: Can't find end of Code entity at byte offset 0" },
    { "MarkdownV2", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "!can't parse entities: too deeply nested" },
    /* the old Markdown */
    { "Markdown", "*a* _b_ `c` [d](https://e.f)",
        "a b c d|bold 0+1|italic 2+1|code 4+1|text_link 6+1 \"url\":\"https://e.f\"" },
    { "Markdown", "*a _b*.", "a _b.|bold 0+4" },
    { "Markdown", "a\\_b", "a_b" },
    { "Markdown", "x *a", "!can't parse entities: Can't find end of the entity starting at byte offset 2" },
};

START_TEST(text_is_read)
{
    struct tg_text t;
    struct error   err = { 0 };
    bool           ok = tg_text_read(str_of(texts[_i].raw), str_of(texts[_i].mode), NULL, &arena, &t, &err);

    if (texts[_i].described[0] == '!') {
        ck_assert(!ok);
        ck_assert_str_eq(err.message, texts[_i].described + 1);
        return;
    }
    ck_assert_msg(ok, "%s", err.message);
    ck_assert_str_eq(described(&t), texts[_i].described);
}
END_TEST

static const struct {
    const char *raw, *entities, *described;
} given[] = {
    { "a\xF0\x9F\x98\x80" "bc", "[{\"type\":\"bold\",\"offset\":1,\"length\":3}]", "a\xF0\x9F\x98\x80" "bc|bold 1+3" },
    { "  ab  ", "[{\"type\":\"italic\",\"offset\":0,\"length\":6}]", "ab|italic 0+2" },
    { "ab", "[{\"type\":\"italic\",\"offset\":1,\"length\":99}]", "ab" },
    { "ab", "[{\"type\":\"mention\",\"offset\":0,\"length\":2}]", "ab" },
    { "ab", "\"no array\"", "ab" },
    { "ab", "[{\"type\":\"text_link\",\"offset\":0,\"length\":2,\"url\":\"https://x\"}]",
        "ab|text_link 0+2 \"url\":\"https://x\"" },
    { "/ab", "[{\"type\":\"code\",\"offset\":0,\"length\":3}]", "/ab|code 0+3" },
    { "/ab", "[{\"type\":\"bold\",\"offset\":0,\"length\":3}]", "/ab|bold 0+3|bot_command 0+3" },
    { "ab", "[1]", "!can't parse MessageEntity: expected an Object" },
    { "ab", "[{\"type\":\"bold\",\"offset\":0}]", "!can't parse MessageEntity: Can't find field \"length\"" },
    { "ab", "[{\"type\":\"loud\",\"offset\":0,\"length\":2}]",
        "!can't parse MessageEntity: Unsupported type specified" },
};

START_TEST(entities_may_be_given)
{
    struct tg_text t;
    struct error   err = { 0 };
    yyjson_val    *entities;
    bool           ok;

    ck_assert(json_parse(&arena, str_of(given[_i].entities), 8, &entities, &err));
    ok = tg_text_read(str_of(given[_i].raw), STR(""), entities, &arena, &t, &err);
    if (given[_i].described[0] == '!')
        ck_assert_str_eq(err.message, given[_i].described + 1);
    ck_assert_int_eq(ok, given[_i].described[0] != '!');
    if (ok)
        ck_assert_str_eq(described(&t), given[_i].described);
}
END_TEST

/* Whatever is between the marks, nothing is read or written where it must not be: ASan looks on. */
START_TEST(any_mixture_of_marks_is_survived)
{
    static const char *const pieces[] = {
        "*", "_", "__", "||", "~", "`", "```", "[", "](", ")", ">", "\n", "\\", "<b>", "</b>", "<a href=\"", "\">",
        "&#", ";", "&lt;", "<", "x", "\xF0\x9F\x98\x80", "/go", "@abc", "https://", ".",
    };
    static const char *const modes[] = { "", "HTML", "Markdown", "MarkdownV2" };
    uint32_t                 seed = (uint32_t)_i * 2654435761U + 1;
    struct buf               b;

    buf_init(&b, 64 * KIB);
    for (int round = 0; round < 300; round++) {
        buf_clear(&b);
        for (uint32_t n = seed % 12; n > 0; n--) {
            seed = seed * 1664525U + 1013904223U;
            buf_append(&b, str_of(pieces[(seed >> 16) % COUNT(pieces)]));
        }
        seed = seed * 1664525U + 1013904223U;
        for (size_t i = 0; i < 4; i++) {
            struct tg_text t;
            struct error   err = { 0 };

            if (!tg_text_read(buf_str(&b), str_of(modes[i]), NULL, &arena, &t, &err))
                continue;
            ck_assert(str_is_utf8(t.text));
            ck_assert_uint_le(t.text.len, b.len);
            for (size_t k = 0; k < t.count; k++)
                ck_assert(t.entities[k].from < t.entities[k].to && t.entities[k].to <= t.text.len);
        }
        arena_reset(&arena);
    }
    buf_deinit(&b);
}
END_TEST

START_TEST(a_raw_text_has_a_limit_in_bytes)
{
    char          *raw = arena_alloc(&arena, 32770);
    struct tg_text t;
    struct error   err = { 0 };

    memset(raw, 'a', 32769);
    ck_assert(tg_text_read((struct str){ raw, 32768 }, STR(""), NULL, &arena, &t, &err));
    ck_assert(!tg_text_read((struct str){ raw, 32769 }, STR(""), NULL, &arena, &t, &err));
    ck_assert_str_eq(err.message, "text is too long");
}
END_TEST

static TCase *
reading(void)
{
    TCase *c = tcase_create("reading");

    tcase_add_checked_fixture(c, NULL, tear_down);
    tcase_add_loop_test(c, text_is_read, 0, COUNT(texts));
    tcase_add_loop_test(c, entities_may_be_given, 0, COUNT(given));
    tcase_add_loop_test(c, any_mixture_of_marks_is_survived, 0, 20);
    tcase_add_test(c, a_raw_text_has_a_limit_in_bytes);
    return c;
}

TEST_CASES("text", reading)
