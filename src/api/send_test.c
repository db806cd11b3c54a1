/* send_test.c -- what may be sent where, as far as that is known before anything leaves. */
#include "api/testing_api.h"

#include "base/testing_str.h"

#define HOUR_MS   ((int64_t)3600 * 1000)
#define FAMILY    "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466" /* one character of 25 bytes */
#define LETTERS(n) arena_text(n, "x")

API_FIXTURE()

/* `piece` so many times. */
static const char *
arena_text(int n, const char *piece)
{
    struct buf  b;
    const char *out;

    buf_init(&b, MIB);
    for (int i = 0; i < n; i++)
        buf_append(&b, str_of(piece));
    out = arena_copy(&t.arena, buf_str(&b)).ptr;
    buf_deinit(&b);
    return out;
}

/* The sentence of a refusal; none when the message was taken. */
static struct str
sent(const struct platform *platform, int64_t age_ms, const char *body, int status)
{
    static int           profiles;
    const char          *profile = testing_profile(&t, platform, text(&t, "90%d", ++profiles));
    const char          *chat = testing_old_chat_of(&t, profile, "55", age_ms);
    struct testing_reply r = api_ask(&t, "POST", text(&t, "/api/chats/%s/messages", chat), body, status);

    return api_text(&t, r, "error");
}

static struct str
sent_text(const struct platform *platform, const char *words, int status)
{
    return sent(platform, 0, text(&t, "{\"body\":\"%s\"}", words), status);
}

START_TEST(texts_have_each_platforms_length)
{
    sent_text(&facebook, LETTERS(2000), 202);
    ck_assert(str_find(sent_text(&facebook, LETTERS(2001), 422), STR("2000")) >= 0);
    sent_text(&instagram, LETTERS(1000), 202);
    ck_assert(str_find(sent_text(&instagram, arena_text(501, "\u00e9"), 422), STR("1000 bytes; this one has 1002"))
              >= 0);
    sent_text(&bluesky, LETTERS(1000), 202);
    ck_assert(str_find(sent_text(&bluesky, LETTERS(1001), 422), STR("1000 characters; this one has 1001")) >= 0);
    sent_text(&bluesky, arena_text(400, FAMILY), 202); /* 400 characters, 2800 code points */
    ck_assert(str_find(sent_text(&bluesky, arena_text(401, FAMILY), 422), STR("10000 bytes; this one has 10025")) >= 0);
}
END_TEST

START_TEST(what_only_telegram_has_is_refused_elsewhere)
{
    const struct platform *const others[] = { &facebook, &instagram, &bluesky };

    for (size_t i = 0; i < 3; i++) {
        ck_assert_slice(sent(others[i], 0, "{\"body\":\"x\",\"reply_to_external_id\":\"11\"}", 422),
                        "reply_to_external_id is only supported on Telegram");
        ck_assert_slice(sent(others[i], 0, "{\"body\":\"x\",\"reply_markup\":{\"keyboard\":[]}}", 422),
                        "reply_markup is only supported on Telegram");
    }
}
END_TEST

START_TEST(bluesky_takes_no_attachments)
{
    ck_assert_slice(sent(&bluesky, 0, "{\"media\":[\"https://cdn.example.com/a.png\"]}", 422),
                    "Bluesky takes no attachments");
    sent(&facebook, 0, "{\"media\":[\"https://cdn.example.com/a.png\"]}", 202);
}
END_TEST

START_TEST(metas_window_is_a_day)
{
    sent(&facebook, 23 * HOUR_MS, "{\"body\":\"x\"}", 202);
    ck_assert(str_starts(sent(&facebook, 25 * HOUR_MS, "{\"body\":\"x\"}", 422), STR("The messaging window closed")));
    ck_assert(str_starts(sent(&instagram, 25 * HOUR_MS, "{\"body\":\"x\"}", 422), STR("The messaging window closed")));
    sent(&bluesky, 25 * HOUR_MS, "{\"body\":\"x\"}", 202);
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("send");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, texts_have_each_platforms_length);
    tcase_add_test(c, what_only_telegram_has_is_refused_elsewhere);
    tcase_add_test(c, bluesky_takes_no_attachments);
    tcase_add_test(c, metas_window_is_a_day);
    return c;
}

TEST_CASES("send", all)
