#include "api/body.h"

#include "base/testing_str.h"

static struct arena a;
static struct error err;

static void
set_up(void)
{
    arena_init(&a);
    err = (struct error){ 0 };
}

static void
tear_down(void)
{
    arena_deinit(&a);
}

static struct http_request
request(const char *type, const char *text)
{
    return (struct http_request){ .content_type = str_of(type), .body = str_of(text) };
}

static int
status_of(struct http_request r)
{
    struct body b;

    return body_read(&r, &a, 16, &b, &err) ? 200 : err.status;
}

/* What the body became, as JSON text. */
static const char *
read_as(struct http_request r)
{
    struct body b;

    ck_assert_msg(body_read(&r, &a, 16, &b, &err), "%s", err.message);
    return arena_copy(&a, json_text(&a, b.json)).ptr;
}

static const char *
form(const char *text)
{
    return read_as(request("application/x-www-form-urlencoded", text));
}

START_TEST(no_body_is_an_empty_object)
{
    ck_assert_str_eq(read_as(request(NULL, NULL)), "{}");
    ck_assert_str_eq(read_as(request("application/json", "")), "{}");
    ck_assert_str_eq(read_as(request("application/json", " \r\n")), "{}");
    ck_assert_str_eq(read_as(request("text/xml", "")), "{}");
    ck_assert_str_eq(form(""), "{}");
}
END_TEST

START_TEST(json_is_taken_as_it_is)
{
    ck_assert_str_eq(read_as(request("application/json", "{\"a\": [1]}")), "{\"a\":[1]}");
    ck_assert_str_eq(read_as(request(NULL, "{}")), "{}");
    ck_assert_str_eq(read_as(request("application/vnd.api+json", "{\"a\":1}")), "{\"a\":1}");
}
END_TEST

static const struct {
    const char *type, *text;
    int         status;
} wrong[] = {
    { "application/json", "{\"a\":", 400 },
    { "application/json", "[]", 400 },
    { "application/json", "\"text\"", 400 },
    { "application/json", "{\"a\":\"\xff\"}", 400 },
    { "application/json", "[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]", 400 },
    { "text/xml", "<a/>", 415 },
    { "text/plain", "{}", 415 },
    { "application/x-www-form-urlencoded", "a=%zz", 400 },
    { "application/x-www-form-urlencoded", "a=%ff", 400 },
    { "application/x-www-form-urlencoded", "a=%00", 400 },
    { "application/x-www-form-urlencoded", "reply_markup={\"a\":", 400 },
    { "application/x-www-form-urlencoded", "reply_markup={},\"x\":{", 400 },
};

START_TEST(what_cannot_be_read_is_refused)
{
    ck_assert_int_eq(status_of(request(wrong[_i].type, wrong[_i].text)), wrong[_i].status);
    ck_assert_uint_gt(strlen(err.message), 10);
}
END_TEST

static const struct {
    const char *form, *json;
} forms[] = {
    { "reaction=love&emoji=%E2%9D%A4", "{\"reaction\":\"love\",\"emoji\":\"\u2764\"}" },
    { "a=1&b=x+y%2Bz&c=", "{\"a\":\"1\",\"b\":\"x y+z\",\"c\":\"\"}" },
    { "a=1&a=2", "{\"a\":\"2\"}" },
    { "profile_group[name]=North&x=1", "{\"profile_group\":{\"name\":\"North\"},\"x\":\"1\"}" },
    { "g[a]=1&x=2&g[b]=3", "{\"g\":{\"b\":\"3\",\"a\":\"1\"},\"x\":\"2\"}" },
    { "media[]=u&media[]=v", "{\"media\":[\"u\",\"v\"]}" },
    { "media=u&media[][]=v", "{\"media\":[\"u\",\"v\"]}" },
    { "media=u", "{\"media\":\"u\"}" },
    { "media[]={\"data\":\"QQ==\"}", "{\"media\":[{\"data\":\"QQ==\"}]}" },
    { "reply_markup={\"force_reply\":true}", "{\"reply_markup\":{\"force_reply\":true}}" },
    { "reply_markup={}&body={}", "{\"reply_markup\":{},\"body\":\"{}\"}" },
    { "reply_markup=no", "{\"reply_markup\":\"no\"}" },
    { "a=\"}{", "{\"a\":\"\\\"}{\"}" },
    { "&&a=1&", "{\"a\":\"1\"}" },
    { "]=1", "{\"]\":\"1\"}" },
};

START_TEST(a_form_is_the_object_it_stands_for)
{
    ck_assert_str_eq(form(forms[_i].form), forms[_i].json);
}
END_TEST

START_TEST(a_form_has_a_bounded_number_of_fields)
{
    struct buf text;

    buf_init(&text, MIB);
    for (int i = 0; i < BODY_FIELDS_MAX; i++)
        buf_append(&text, STR("a=1&"));
    ck_assert_int_eq(status_of((struct http_request){ .content_type = STR("application/x-www-form-urlencoded"),
                                                      .body = buf_str(&text) }), 200);
    buf_append(&text, STR("b=2"));
    ck_assert_int_eq(status_of((struct http_request){ .content_type = STR("application/x-www-form-urlencoded"),
                                                      .body = buf_str(&text) }), 400);
    buf_deinit(&text);
}
END_TEST

START_TEST(multipart_has_texts_and_files)
{
    struct http_part parts[] = {
        { .name = STR("body"), .text = STR("hello") },
        { .name = STR("media[]"), .file_name = STR("a.png"), .path = STR("/spool/1"), .size = 5 },
        { .name = STR("media[][]"), .path = STR("/spool/2"), .size = 7 },
        { .name = STR("media"), .file_name = STR(""), .path = STR("/spool/3") }, /* left empty in a browser */
        { .name = STR("other"), .file_name = STR("b.png"), .path = STR("/spool/4"), .size = 5 },
        { .name = STR("media[]"), .text = STR("https://example.com/x.png") },
        { .name = STR("reply_markup"), .text = STR(" {\"a\":1} ") },
    };
    struct http_request r = { .content_type = STR("multipart/form-data"), .parts = parts, .part_count = 7 };
    struct body b;

    ck_assert(body_read(&r, &a, 16, &b, &err));
    ck_assert_uint_eq(b.file_count, 2);
    ck_assert_slice(b.files[0]->path, "/spool/1");
    ck_assert_slice(b.files[1]->path, "/spool/2");
    ck_assert_slice(json_text(&a, b.json),
        "{\"body\":\"hello\",\"media\":[\"https://example.com/x.png\"],\"reply_markup\":{\"a\":1}}");
}
END_TEST

START_TEST(texts_are_strings_that_can_be_stored)
{
    yyjson_val *obj;
    struct str  text;

    ck_assert(json_parse(&a, STR("{\"t\":\" x \",\"blank\":\" \\n\",\"null\":null,\"n\":5,\"nul\":\"a\\u0000b\"}"), 8,
        &obj, &err));
    ck_assert(body_text(obj, "t", 3, &text, &err));
    ck_assert_slice(text, " x ");
    ck_assert(body_text(obj, "blank", 3, &text, &err));
    ck_assert_none(text);
    ck_assert(body_text(obj, "null", 3, &text, &err));
    ck_assert_none(text);
    ck_assert(body_text(obj, "missing", 3, &text, &err));
    ck_assert_none(text);
    ck_assert(!body_text(obj, "t", 2, &text, &err));
    ck_assert_str_eq(err.message, "t may have at most 2 bytes, not 3");
    ck_assert(!body_text(obj, "n", 3, &text, &err));
    ck_assert_str_eq(err.message, "n must be a string");
    ck_assert(!body_text(obj, "nul", 3, &text, &err));
    ck_assert_int_eq(err.status, 400);
    ck_assert(!body_needs(STR_NONE, "text", &err));
    ck_assert_str_eq(err.message, "text is required");
    ck_assert(body_needs(STR("x"), "text", &err));
}
END_TEST

START_TEST(ids_may_be_numbers)
{
    yyjson_val *obj;
    struct str  id;

    ck_assert(json_parse(&a, STR("{\"n\":7031558204,\"neg\":-5,\"max\":18446744073709551615,\"s\":\"x\",\"d\":1.5}"), 8,
        &obj, &err));
    ck_assert(body_id(obj, "n", &a, &id, &err));
    ck_assert_slice(id, "7031558204");
    ck_assert(body_id(obj, "neg", &a, &id, &err));
    ck_assert_slice(id, "-5");
    ck_assert(body_id(obj, "max", &a, &id, &err));
    ck_assert_slice(id, "18446744073709551615");
    ck_assert(body_id(obj, "s", &a, &id, &err));
    ck_assert_slice(id, "x");
    ck_assert(!body_id(obj, "d", &a, &id, &err));
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("body");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, no_body_is_an_empty_object);
    tcase_add_test(c, json_is_taken_as_it_is);
    tcase_add_loop_test(c, what_cannot_be_read_is_refused, 0, COUNT(wrong));
    tcase_add_loop_test(c, a_form_is_the_object_it_stands_for, 0, COUNT(forms));
    tcase_add_test(c, a_form_has_a_bounded_number_of_fields);
    tcase_add_test(c, multipart_has_texts_and_files);
    tcase_add_test(c, texts_are_strings_that_can_be_stored);
    tcase_add_test(c, ids_may_be_numbers);
    return c;
}

TEST_CASES("body", all)
