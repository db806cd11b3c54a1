#include "api/media.h"

#include "base/testing_str.h"

static struct arena            a;
static struct error            err;
static struct media_item       item;
static const struct net_guard  strict;

static void
set_up(void)
{
    arena_init(&a);
}

static void
tear_down(void)
{
    arena_deinit(&a);
}

static struct body
body(const char *json)
{
    struct body b = { 0 };

    ck_assert_msg(json_parse(&a, str_of(json), 16, &b.json, &err), "%s", err.message);
    return b;
}

static bool
reads(const char *json)
{
    struct body b = body(json);

    return media_first(&b, &strict, &a, &item, &err);
}

static const struct {
    const char *json;
    size_t      count;
} counts[] = {
    { "{}", 0 },
    { "{\"media\":null}", 0 },
    { "{\"media\":[]}", 0 },
    { "{\"media\":\"\"}", 0 },
    { "{\"media\":[null,\" \"]}", 0 },
    { "{\"media\":\"https://example.com/\"}", 1 },
    { "{\"media\":{\"data\":\"QQ==\"}}", 1 },
    { "{\"media\":[\"\",\"x\"]}", 1 },
    { "{\"media\":[\"x\",\"y\",5]}", 3 },
};

START_TEST(blank_and_null_are_no_media)
{
    struct body b = body(counts[_i].json);

    ck_assert_uint_eq(media_count(&b), counts[_i].count);
}
END_TEST

START_TEST(an_address_is_written_down)
{
    struct attachment at;

    ck_assert(reads("{\"media\":[\" https://cdn.example.com/a%20b/photo%2e1.PNG?x=1#y \"]}"));
    ck_assert_int_eq(item.form, MEDIA_URL);
    ck_assert_slice(item.text, "https://cdn.example.com/a%20b/photo%2e1.PNG?x=1#y");
    ck_assert_slice(item.file_name, "photo.1.PNG");
    media_of_url(&item, &at);
    ck_assert_int_eq(at.type, ATTACH_IMAGE);
    ck_assert_int_eq(at.status, ATTACHMENT_PENDING);
    ck_assert_slice(at.source_url, "https://cdn.example.com/a%20b/photo%2e1.PNG?x=1#y");
    ck_assert_none(at.media);
}
END_TEST

START_TEST(an_address_without_a_file_name_has_none)
{
    struct attachment at;

    ck_assert(reads("{\"media\":[\"https://cdn.example.com\"]}"));
    ck_assert_none(item.file_name);
    ck_assert(reads("{\"media\":[\"https://cdn.example.com/download/\"]}"));
    ck_assert_none(item.file_name);
    ck_assert(reads("{\"media\":[\"https://cdn.example.com/download\"]}"));
    ck_assert_none(item.file_name);
    media_of_url(&item, &at);
    ck_assert_int_eq(at.type, ATTACH_FILE);
}
END_TEST

START_TEST(an_address_the_guard_refuses_is_a_422)
{
    ck_assert(!reads("{\"media\":[\"http://127.0.0.1/x.png\"]}"));
    ck_assert_int_eq(err.status, 422);
    ck_assert(!reads("{\"media\":[\"ftp://example.com/x.png\"]}"));
    ck_assert_int_eq(err.status, 422);
    ck_assert(!reads("{\"media\":[\"no url\"]}"));
    ck_assert_int_eq(err.status, 422);
}
END_TEST

START_TEST(data_comes_in_two_forms)
{
    ck_assert(reads("{\"media\":[\"data:image/png;base64,QUJD\"]}"));
    ck_assert_int_eq(item.form, MEDIA_BASE64);
    ck_assert_slice(item.text, "QUJD");
    ck_assert_slice(item.content_type, "image/png");
    ck_assert(reads("{\"media\":[\"data:;base64,QUJD\"]}"));
    ck_assert_none(item.content_type);
    ck_assert(reads("{\"media\":[\"data:text/plain;charset=utf-8;base64,QUJD\"]}"));
    ck_assert_slice(item.content_type, "text/plain");

    ck_assert(reads("{\"media\":[{\"data\":\"QUJD\",\"filename\":\"../up/a\\nb.txt\","
                    "\"content_type\":\"text/plain\"}]}"));
    ck_assert_int_eq(item.form, MEDIA_BASE64);
    ck_assert_slice(item.text, "QUJD");
    ck_assert_slice(item.file_name, "a_b.txt");
    ck_assert_slice(item.content_type, "text/plain");
    ck_assert(reads("{\"media\":{\"data\":\"data:image/gif;base64,QUJD\",\"filename\":\"x.gif\"}}"));
    ck_assert_slice(item.text, "QUJD");
    ck_assert_slice(item.file_name, "x.gif");
    ck_assert_slice(item.content_type, "image/gif");
}
END_TEST

START_TEST(other_things_are_a_422)
{
    ck_assert(!reads("{\"media\":[5]}"));
    ck_assert_int_eq(err.status, 422);
    ck_assert(!reads("{\"media\":[{\"url\":\"https://example.com\"}]}"));
    ck_assert_int_eq(err.status, 422);
    ck_assert(!reads("{\"media\":[\"data:image/png,abc\"]}"));
    ck_assert_int_eq(err.status, 422);
    ck_assert(!reads("{\"media\":[\"data:\"]}"));
    ck_assert_int_eq(err.status, 422);
}
END_TEST

START_TEST(an_uploaded_file_comes_first)
{
    struct http_part        part = { .file_name = STR("C:\\pictures\\me.jpg"), .content_type = STR("image/jpeg"),
                                     .path = STR("/spool/1") };
    const struct http_part *files[] = { &part };
    struct body             b = body("{}");

    b.files = files;
    b.file_count = 1;
    ck_assert_uint_eq(media_count(&b), 1);
    ck_assert(media_first(&b, &strict, &a, &item, &err));
    ck_assert_int_eq(item.form, MEDIA_UPLOAD);
    ck_assert_slice(item.path, "/spool/1");
    ck_assert_slice(item.file_name, "me.jpg");
    ck_assert_slice(item.content_type, "image/jpeg");
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("media");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, blank_and_null_are_no_media, 0, COUNT(counts));
    tcase_add_test(c, an_address_is_written_down);
    tcase_add_test(c, an_address_without_a_file_name_has_none);
    tcase_add_test(c, an_address_the_guard_refuses_is_a_422);
    tcase_add_test(c, data_comes_in_two_forms);
    tcase_add_test(c, other_things_are_a_422);
    tcase_add_test(c, an_uploaded_file_comes_first);
    return c;
}

TEST_CASES("media", all)
