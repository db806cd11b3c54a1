#include "api/limits.h"

#include "base/clock.h"
#include "base/testing_str.h"

static const struct platform characters = {
    .title = "Chat", .text = { .max = 3, .unit = TEXT_CODE_POINTS, .caption_max = 2 },
    .media = { .image_max = 10, .video_max = 0, .audio_max = 20, .file_max = 30 },
};
static const struct platform people = {
    .title = "Sky", .text = { .max = 3, .unit = TEXT_GRAPHEMES, .bytes_max = 40 },
};
static const struct platform bytes = { .title = "Wire", .text = { .max = 4, .unit = TEXT_BYTES } };

START_TEST(text_counts_in_the_platforms_unit)
{
    struct error err = { 0 };

    ck_assert(limit_text(&characters, STR("\u00e9\u00e9\U0001F600"), false, &err));
    ck_assert(!limit_text(&characters, STR("abcd"), false, &err));
    ck_assert_int_eq(err.status, 422);
    ck_assert_str_eq(err.message, "Chat takes texts of at most 3 characters; this one has 4");
    ck_assert(!limit_text(&characters, STR("abc"), true, &err));
    ck_assert_str_eq(err.message, "Chat takes captions of at most 2 characters; this one has 3");
    ck_assert(limit_text(&characters, STR_NONE, true, &err));
    ck_assert(limit_text(&people, STR("e\u0301\U0001F1E9\U0001F1EA\r\n"), false, &err));
    ck_assert(!limit_text(&people, STR("e\u0301\U0001F1E9\U0001F1EA\r\na"), false, &err));
    ck_assert_str_eq(err.message, "Sky takes texts of at most 3 characters; this one has 4");
    ck_assert(!limit_text(&people, STR("\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466"
                                       "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466"), false, &err));
    ck_assert_str_eq(err.message, "Sky takes texts of at most 40 bytes; this one has 50");
    ck_assert(limit_text(&bytes, STR("abcd"), false, &err));
    ck_assert(!limit_text(&bytes, STR("\u00e9\u00e9a"), false, &err));
    ck_assert_str_eq(err.message, "Wire takes texts of at most 4 bytes; this one has 5");
}
END_TEST

static bool
refuse_png(const struct op_file *file, struct error *err)
{
    return !str_eq(file->content_type, STR("image/png")) || error_set(err, 422, "no png");
}

START_TEST(files_are_limited_by_kind)
{
    struct platform picky = characters;
    struct error    err = { 0 };

    picky.check_file = refuse_png;
    ck_assert(limit_file(&characters, &(struct op_file){ .type = ATTACH_IMAGE, .size = 10 }, &err));
    ck_assert(!limit_file(&characters, &(struct op_file){ .type = ATTACH_IMAGE, .size = 11 }, &err));
    ck_assert_str_eq(err.message, "Chat takes images of at most 10 bytes; this one has 11");
    ck_assert(!limit_file(&characters, &(struct op_file){ .type = ATTACH_VIDEO, .size = 1 }, &err));
    ck_assert_str_eq(err.message, "Chat takes no videos");
    ck_assert(limit_file(&characters, &(struct op_file){ .type = ATTACH_STICKER, .size = 30 }, &err));
    ck_assert(limit_file(&picky, &(struct op_file){ .type = ATTACH_IMAGE, .content_type = STR("image/gif") }, &err));
    ck_assert(!limit_file(&picky, &(struct op_file){ .type = ATTACH_IMAGE, .content_type = STR("image/png") }, &err));
    ck_assert_str_eq(err.message, "no png");
}
END_TEST

START_TEST(an_expired_account_says_so)
{
    struct error err = { 0 };

    ck_assert(limit_account(&characters, PROFILE_ACTIVE, STR("another program has the webhook"), &err));
    ck_assert(!limit_account(&characters, PROFILE_EXPIRED, STR("Unauthorized"), &err));
    ck_assert_int_eq(err.status, 422);
    ck_assert_str_eq(err.message, "Chat no longer accepts this account's credentials (Unauthorized); connect the "
                                  "account again");
    ck_assert(!limit_account(&characters, PROFILE_EXPIRED, STR_NONE, &err));
    ck_assert_str_eq(err.message, "Chat no longer accepts this account's credentials; connect the account again");
    ck_assert(!limit_account(&characters, PROFILE_INACTIVE, STR_NONE, &err));
}
END_TEST

START_TEST(a_window_closes)
{
    static const struct platform daily = { .title = "Meta", .window_ms = (int64_t)24 * 3600 * 1000 };
    struct chat  c = { .platform = &daily, .last_inbound_at = 1000 };
    struct error err = { 0 };

    ck_assert(limit_window(&c, 1000 + daily.window_ms, &err));
    ck_assert(!limit_window(&c, 1001 + daily.window_ms, &err));
    ck_assert_str_eq(err.message, "The messaging window closed at 1970-01-02T00:00:01.000Z, 24 hours after the "
                                  "person's last message");
    c.last_inbound_at = 0; /* not known: the platform decides */
    ck_assert(limit_window(&c, 1001 + daily.window_ms, &err));
    c.last_inbound_at = 1000;
    c.platform = &characters;
    ck_assert(limit_window(&c, INT64_MAX, &err));
}
END_TEST

TESTS("limits", text_counts_in_the_platforms_unit, files_are_limited_by_kind, an_expired_account_says_so,
      a_window_closes)
