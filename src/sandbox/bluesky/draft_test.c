#include "sandbox/bluesky/draft.h"

#include "base/testing.h"

static struct arena arena;

static void
tear_down(void)
{
    arena_deinit(&arena);
}

static bool
read_draft(struct str json, struct bs_draft *out, struct error *err)
{
    yyjson_val *val;

    ck_assert(json_parse(&arena, json, JSON_DEPTH_MAX, &val, err));
    return bs_draft_read(val, false, &arena, out, err);
}

#define LINK "\"features\":[{\"$type\":\"app.bsky.richtext.facet#link\",\"uri\":\"https://a.example\"}]"

static const struct {
    const char *json, *says; /* NULL = it passes */
} drafts[] = {
    { "{\"text\":\"hi\",\"unknown\":[1]}", NULL },
    { "{}", "Input/message must have the property \"text\"" },
    { "{\"text\":1}", "Input/message/text must be a string" },
    { "{\"text\":\" \\n\"}", "a message needs a text or an embed" },
    { "{\"text\":\"hi\",\"facets\":null}", "Input/message/facets must be an array" },
    { "{\"text\":\"hi\",\"facets\":[]}", NULL },
    { "{\"text\":\"\u00e9!\",\"facets\":[{\"index\":{\"byteStart\":0,\"byteEnd\":3}," LINK "}]}", NULL },
    { "{\"text\":\"\u00e9!\",\"facets\":[{\"index\":{\"byteStart\":1,\"byteEnd\":3}," LINK "}]}",
        "Input/message/facets/index does not lie around characters of the text" },
    { "{\"text\":\"\u00e9!\",\"facets\":[{\"index\":{\"byteStart\":0,\"byteEnd\":4}," LINK "}]}",
        "Input/message/facets/index does not lie around characters of the text" },
    { "{\"text\":\"a\",\"facets\":[{\"index\":{\"byteStart\":0,\"byteEnd\":1}}]}",
        "Input/message/facets must have the property \"features\"" },
    { "{\"text\":\"a\",\"facets\":[{\"index\":{\"byteStart\":0,\"byteEnd\":1},\"features\":[{}]}]}",
        "Input/message/facets/features must have the property \"$type\"" },
    { "{\"text\":\"a\",\"facets\":[{\"index\":{\"byteStart\":0,\"byteEnd\":1},"
      "\"features\":[{\"$type\":\"app.bsky.richtext.facet#link\"}]}]}",
        "Input/message/facets/features must have the property \"uri\"" },
    { "{\"text\":\"a\",\"embed\":{}}",
        "Input/message/embed must be an object which includes the \"$type\" property" },
    { "{\"text\":\"\","
      "\"embed\":{\"$type\":\"app.bsky.embed.record\",\"record\":{\"uri\":\"at://a/b/c\",\"cid\":\"x\"}}}",
        NULL },
    { "{\"text\":\"\",\"embed\":{\"$type\":\"app.bsky.embed.record\",\"record\":{\"uri\":\"at://a/b/c\"}}}",
        "Input/message/embed/record must have the properties \"uri\" and \"cid\"" },
    { "{\"text\":\"a\",\"replyTo\":{}}", "Input/message/replyTo must have the property \"messageId\"" },
    { "[]", "Input must have the property \"message\"" },
};

START_TEST(a_draft_has_a_form)
{
    struct bs_draft out;
    struct error    err = { 0 };

    ck_assert_int_eq(read_draft(str_of(drafts[_i].json), &out, &err), drafts[_i].says == NULL);
    ck_assert_str_eq(err.message, drafts[_i].says ? drafts[_i].says : "");
}
END_TEST

/* `n` times the character as the text of a draft. */
static struct str
repeated(const char *what, int n)
{
    struct buf b;

    buf_init(&b, MIB);
    buf_append(&b, STR("{\"text\":\""));
    for (int i = 0; i < n; i++)
        buf_append(&b, str_of(what));
    buf_append(&b, STR("\"}"));
    return arena_take(&arena, &b);
}

static const struct {
    const char *what;
    int         most;
    const char *says; /* of one more */
} limits[] = {
    { "a", 1000, "Input/message/text must not be longer than 1000 graphemes" },
    { "e\u0301", 1000, "Input/message/text must not be longer than 1000 graphemes" },
    { "\\r\\n", 1000, "Input/message/text must not be longer than 1000 graphemes" },
    { "\U0001F1E9\U0001F1EA", 1000, "Input/message/text must not be longer than 1000 graphemes" },
    { "\U0001F468\u200D\U0001F469\u200D\U0001F467", 555,
        "Input/message/text must not be longer than 10000 characters" },
};

START_TEST(length_is_counted_as_people_do_and_in_bytes)
{
    struct bs_draft out;
    struct error    err = { 0 };

    if (limits[_i].what[0] != '\\') /* line ends alone are blank */
        ck_assert_msg(read_draft(repeated(limits[_i].what, limits[_i].most), &out, &err), "%s", err.message);
    ck_assert(!read_draft(repeated(limits[_i].what, limits[_i].most + 1), &out, &err));
    ck_assert_str_eq(err.message, limits[_i].says);
}
END_TEST

START_TEST(a_reaction_is_one_character_and_no_letter)
{
    ck_assert(bs_is_reaction(STR("\U0001F44D")));
    ck_assert(bs_is_reaction(STR("\u2764\uFE0F")));
    ck_assert(bs_is_reaction(STR("\U0001F468\u200D\U0001F469\u200D\U0001F467")));
    ck_assert(!bs_is_reaction(STR("")));
    ck_assert(!bs_is_reaction(STR("a")));
    ck_assert(!bs_is_reaction(STR("\U0001F44D\U0001F44D")));
    ck_assert(!bs_is_reaction(STR_NONE));
}
END_TEST

static TCase *
forms(void)
{
    TCase *c = tcase_create("forms");

    tcase_add_checked_fixture(c, NULL, tear_down);
    tcase_add_loop_test(c, a_draft_has_a_form, 0, COUNT(drafts));
    tcase_add_loop_test(c, length_is_counted_as_people_do_and_in_bytes, 0, COUNT(limits));
    tcase_add_test(c, a_reaction_is_one_character_and_no_letter);
    return c;
}

TEST_CASES("draft", forms)
