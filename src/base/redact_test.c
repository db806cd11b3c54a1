#include "base/clock.h"
#include "base/log.h"
#include "base/testing_str.h"

#define BOT "123456789:AAExample-bot_token0123456789abc"

static const struct {
    const char *in, *out;
} rows[] = {
    /* Telegram */
    { BOT, "***" },
    { "POST https://api.telegram.org/bot" BOT "/sendMessage: timed out",
        "POST https://api.telegram.org/bot***/sendMessage: timed out" },
    { "/file/bot123456789%3aAAExample-bot_token0123456789abc/x.jpg", "/file/bot***/x.jpg" },
    { "1:aaaaaaaaaaaaaaaaaaaa", "***" },
    { "1:aaaaaaaaaaaaaaaaaaa", "1:aaaaaaaaaaaaaaaaaaa" },
    { "a:aaaaaaaaaaaaaaaaaaaaaaaa", "a:aaaaaaaaaaaaaaaaaaaaaaaa" },
    { "at 12:30:59 on [::1]:8080", "at 12:30:59 on [::1]:8080" },
    { "two: " BOT ", " BOT, "two: ***, ***" },
    /* headers */
    { "Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***" },
    { "authorization: bearer   abc\r\nhost: x", "authorization: bearer   ***\r\nhost: x" },
    { "\"Bearer abc\"", "\"Bearer ***\"" },
    { "DPoP abc", "DPoP ***" },
    { "the bearer", "the bearer" },
    { "forbearer x", "forbearer x" },
    /* our keys */
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "***" },
    { "secret is whsec_a+b/c== now", "secret is *** now" },
    { "key pk_3kTMd9abcdefgh used", "key *** used" },
    { "apk_3kTMd9abcdefgh", "apk_3kTMd9abcdefgh" },
    { "pk_ and pk_id", "pk_ and pk_id" },
    /* keys that show what they are */
    { "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln failed", "jwt *** failed" },
    { "token EAAGexampleexampleexampleexampleexampleexample0", "token ***" },
    { "EAAShort", "EAAShort" },
    /* queries, forms, JSON */
    { "GET /me?access_token=abc%7Cdef&fields=id", "GET /me?access_token=***&fields=id" },
    { "?hub.verify_token=x&hub.challenge=1", "?hub.verify_token=***&hub.challenge=1" },
    { "client_secret=x&appsecret_proof=y&fb_exchange_token=z",
        "client_secret=***&appsecret_proof=***&fb_exchange_token=***" },
    { "X-Amz-Credential=AKIA/2025&X-Amz-Signature=00ff", "X-Amz-Credential=***&X-Amz-Signature=***" },
    { "{\"access_token\":\"abc\",\"id\":1}", "{\"access_token\":\"***\",\"id\":1}" },
    { "{\"refreshJwt\" : \"abc\"}", "{\"refreshJwt\" : \"***\"}" },
    { "{\\\"password\\\":\\\"abc\\\"}", "{\\\"password\\\":\\\"***\\\"}" },
    { "password='abc'", "password='***'" },
    { "{\"password\":\"two words, & <more>\",\"id\":1}", "{\"password\":\"***\",\"id\":1}" },
    { "{\"password\":\"a\\\"b\\\\\",\"id\":1}", "{\"password\":\"***\",\"id\":1}" },
    { "\"{\\\"password\\\":\\\"two words\\\",\\\"id\\\":1}\"", "\"{\\\"password\\\":\\\"***\\\",\\\"id\\\":1}\"" },
    { "password='correct horse' host=db", "password='***' host=db" },
    { "password=\"cut off in the mid", "password=\"***" },
    { "password=\"\" host=db", "password=\"\" host=db" },
    { "token=Bearer abc", "token=Bearer ***" },
    { "PARLEY_META_APP_SECRET=abc", "PARLEY_META_APP_SECRET=***" },
    { "token=", "token=" },
    { "Invalid access token: expired", "Invalid access token: expired" },
    { "tokens=3 dedup_key=abc", "tokens=3 dedup_key=abc" },
    /* URLs */
    { "postgres://parley:hunter2@db:5432/parley", "postgres://parley:***@db:5432/parley" },
    { "postgres://parley:a?b#c@db/parley", "postgres://parley:***@db/parley" },
    { "https://user@host/x:y@z", "https://user@host/x:y@z" },
    { "http://localhost:8080/a@b", "http://localhost:8080/a@b" },
    /* nothing to hide */
    { "", "" },
    { "plain \xC3\xA4 text", "plain \xC3\xA4 text" },
};

START_TEST(secrets_are_hidden)
{
    struct buf b;

    buf_init(&b, 1 * KIB);
    log_redact(&b, str_of(rows[_i].in));
    ck_assert_msg(str_eq(buf_str(&b), str_of(rows[_i].out)), "%s -> %.*s", rows[_i].in, STR_ARG(buf_str(&b)));
    buf_deinit(&b);
}
END_TEST

/* Whatever stands around it, and wherever the text is cut, reading stays inside and the token is not shown. */
START_TEST(no_cut_shows_a_whole_token)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t len = 0; len <= strlen(rows[i].in); len++) {
            struct buf b;
            char      *exact = malloc(len + 1); /* so that a sanitizer sees one byte too far */

            buf_init(&b, 1 * KIB);
            memcpy(exact, rows[i].in, len);
            log_redact(&b, (struct str){ exact, len });
            ck_assert(buf_ok(&b));
            ck_assert_int_eq(str_find(buf_str(&b), STR("AAExample-bot_token0123")), -1);
            buf_deinit(&b);
            free(exact);
        }
    }
}
END_TEST

/* Texts made to make a matcher look again and again. A quadratic one would take hours. */
START_TEST(time_is_linear)
{
    static const char *const hostile[] = { "a://", "token\"   ", "1:", "Bearer ", "token=", "eyJ", "12345", ".",
        "://a:", "\\\"token\\\"", "pk_", "token\\", "a://bbbbbbbbbbbbbbbb " };

    for (size_t i = 0; i < COUNT(hostile); i++) {
        struct buf text, out;
        int64_t    began = clock_mono_ms();

        buf_init(&text, 4 * MIB);
        buf_init(&out, 16 * MIB);
        while (text.len + 32 < 4 * MIB)
            buf_append(&text, str_of(hostile[i]));
        log_redact(&out, buf_str(&text));
        ck_assert(buf_ok(&out));
        ck_assert_msg(clock_mono_ms() - began < 10000, "%s", hostile[i]);
        buf_deinit(&text);
        buf_deinit(&out);
    }
}
END_TEST

static TCase *
redaction(void)
{
    TCase *c = tcase_create("redaction");

    tcase_add_loop_test(c, secrets_are_hidden, 0, COUNT(rows));
    tcase_add_test(c, no_cut_shows_a_whole_token);
    tcase_add_test(c, time_is_linear);
    tcase_set_timeout(c, 60);
    return c;
}

TEST_CASES("redact", redaction)
