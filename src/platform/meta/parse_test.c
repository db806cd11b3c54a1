/* Webhooks in, events out: the table is testdata/updates/, see platform/golden.h. What such files cannot show stands
 * here: signatures, settings, sizes and bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/testing.h"
#include "platform/golden.h"
#include "platform/meta/meta.h"

#define UPDATES "src/platform/meta/testdata/updates"

static char **paths;

static const struct platform_env env = {
    .meta_graph_url = { "https://graph.facebook.com", 26 },
};

START_TEST(each_payload_gives_its_events)
{
    golden_check_app_updates(&meta_app, &env, paths[_i]);
}
END_TEST

/* ---- signatures ---- */

#define KEY  "s3cr3t-app-key-0123456789abcdef"
#define GOOD "d1d8b9a4ce772518a9851c1aa7fac830e1ed1c8f961f1f43a6112b5802f962d6"
#define ANEW "a16626273a589750182c87b30d6ccd213c8a6535bbf060310a67e8b6ec01ae4f" /* of other_body */
#define BARE "6042b97b621af70188acc4ac0fbb0df2afa31c4e2d14bfc14fc93f21fff0ba16" /* of {} */

/* As Meta sends it: what is not ASCII, and slashes, are escaped. */
static const char body[] =
    "{\"object\":\"page\",\"entry\":[{\"id\":\"1029384756\",\"time\":1790000000123,\"messaging\":[{\"sender\":"
    "{\"id\":\"7001002003004005\"},\"recipient\":{\"id\":\"1029384756\"},\"timestamp\":1790000000100,\"message\":"
    "{\"mid\":\"m_AbC-1_x\",\"text\":\"ol\\u00e1 \\ud83d\\ude00 a\\/b\"}}]}]}";

/* The same JSON, written anew. */
static const char other_body[] =
    "{\"object\":\"page\",\"entry\":[{\"id\":\"1029384756\",\"time\":1790000000123,\"messaging\":[{\"sender\":"
    "{\"id\":\"7001002003004005\"},\"recipient\":{\"id\":\"1029384756\"},\"timestamp\":1790000000100,\"message\":"
    "{\"mid\":\"m_AbC-1_x\",\"text\":\"ol\u00e1 \U0001F600 a/b\"}}]}]}";

static const struct {
    const char *header, *value, *body;
    bool        good;
} signatures[] = {
    { "X-Hub-Signature-256", "sha256=" GOOD, body, true },
    { "x-hub-signature-256", "sha256=" GOOD, body, true },
    { "X-Hub-Signature-256", "sha256=D1D8B9A4CE772518A9851C1AA7FAC830E1ED1C8F961F1F43A6112B5802F962D6", body, true },
    { "X-Hub-Signature-256", "sha256=" BARE, "{}", true },
    { "X-Hub-Signature-256", "sha256=" BARE, body, false },
    { "X-Hub-Signature-256", "sha256=" GOOD, other_body, false },
    { "X-Hub-Signature-256", "sha256=" ANEW, body, false },
    { "X-Hub-Signature-256", "sha256=" ANEW, other_body, true },
    { "X-Hub-Signature-256", "sha256=" GOOD, "", false },
    { "X-Hub-Signature-256", GOOD, body, false },
    { "X-Hub-Signature-256", "sha1=2ea8660ccb832fec93a20ecc0b39f248c8a2457a", body, false },
    { "X-Hub-Signature",     "sha1=2ea8660ccb832fec93a20ecc0b39f248c8a2457a", body, false },
    { "X-Hub-Signature",     "sha256=" GOOD, body, false },
    { "X-Hub-Signature-256", "sha256=" GOOD "0", body, false },
    { "X-Hub-Signature-256", "sha256=d1d8b9a4ce772518a9851c1aa7fac830e1ed1c8f961f1f43a6112b5802f962d", body, false },
    { "X-Hub-Signature-256", "sha256=g1d8b9a4ce772518a9851c1aa7fac830e1ed1c8f961f1f43a6112b5802f962d6", body, false },
    { "X-Hub-Signature-256", "sha256=", body, false },
    { "X-Hub-Signature-256", "", body, false },
};

static bool
verified(struct str meta_secret, struct str instagram_secret, size_t i)
{
    const struct platform_env secrets = { .meta_app_secret = meta_secret, .instagram_app_secret = instagram_secret };
    const struct net_header   headers[] = {
        { STR("Content-Type"), STR("application/json") },
        { str_of(signatures[i].header), str_of(signatures[i].value) },
    };

    return meta_verify(&secrets, headers, 2, str_of(signatures[i].body));
}

START_TEST(a_signature_is_that_of_the_bytes_received)
{
    size_t i = (size_t)_i;

    ck_assert_int_eq(verified(STR(KEY), STR_NONE, i), signatures[i].good);
    ck_assert_int_eq(verified(STR_NONE, STR(KEY), i), signatures[i].good);
    ck_assert_int_eq(verified(STR("another"), STR(KEY), i), signatures[i].good);
    ck_assert_int_eq(verified(STR(KEY), STR("another"), i), signatures[i].good);
    ck_assert(!verified(STR("another"), STR("a third"), i));
    ck_assert(!verified(STR_NONE, STR_NONE, i));
    ck_assert(!verified(STR(""), STR(""), i));
}
END_TEST

START_TEST(what_is_not_signed_is_refused)
{
    const struct platform_env secrets = { .meta_app_secret = STR(KEY) };

    ck_assert_uint_eq(sizeof(body) - 1, 243);
    ck_assert_uint_eq(sizeof(other_body) - 1, 230);
    ck_assert(!meta_verify(&secrets, NULL, 0, str_of(body)));
}
END_TEST

/* ---- ids and times ---- */

START_TEST(ids_and_times_come_in_several_forms)
{
    struct arena a;
    struct error err;
    yyjson_val  *val;

    arena_init(&a);
    ck_assert(json_parse(&a, STR("{\"text\":\"m_x\",\"n\":18446744073709551615,\"minus\":-7,\"real\":1.5,"
        "\"empty\":\"\",\"nul\":\"a\\u0000b\",\"s\":1790000000,\"ms\":\"1790000000123\",\"last_s\":99999999999,"
        "\"first_ms\":100000000000,\"word\":\"soon\",\"never\":0,\"huge\":253402300800000,"
        "\"iso\":\"2022-07-12T19:11:07+0000\",\"before\":\"1969-01-01\"}"), 4, &val, &err));
    ck_assert(str_eq(meta_id(&a, val, "text"), STR("m_x")));
    ck_assert(str_eq(meta_id(&a, val, "n"), STR("18446744073709551615")));
    ck_assert(str_is_none(meta_id(&a, val, "minus")));
    ck_assert(str_is_none(meta_id(&a, val, "real")));
    ck_assert(str_is_none(meta_id(&a, val, "empty")));
    ck_assert(str_is_none(meta_id(&a, val, "nul")));
    ck_assert(str_is_none(meta_id(&a, val, "absent")));
    ck_assert_int_eq(meta_time(val, "s"), 1790000000000);
    ck_assert_int_eq(meta_time(val, "ms"), 1790000000123);
    ck_assert_int_eq(meta_time(val, "last_s"), 99999999999000);
    ck_assert_int_eq(meta_time(val, "first_ms"), 100000000000);
    ck_assert_int_eq(meta_time(val, "iso"), 1657653067000);
    ck_assert_int_eq(meta_time(val, "before"), 0);
    ck_assert_int_eq(meta_time(val, "word"), 0);
    ck_assert_int_eq(meta_time(val, "never"), 0);
    ck_assert_int_eq(meta_time(val, "minus"), 0);
    ck_assert_int_eq(meta_time(val, "huge"), 0);
    ck_assert_int_eq(meta_time(val, "absent"), 0);
    arena_deinit(&a);
}
END_TEST

/* ---- settings ---- */

static void
parse_attachment(struct arena *a, const struct platform_env *with, const char *type, const char *url,
    struct inbound_batch *batch)
{
    meta_parse(a, with, arena_printf(a,
        "{\"object\":\"instagram\",\"entry\":[{\"id\":\"1\",\"time\":1790000000123,\"messaging\":[{\"sender\":{\"id\":"
        "\"7\"},\"recipient\":{\"id\":\"1\"},\"timestamp\":1790000000100,\"message\":{\"mid\":\"m\",\"attachments\":"
        "[{\"type\":\"%s\",\"payload\":{\"url\":\"%s\"}}]}}]}]}", type, url), batch);
    ck_assert_uint_eq(batch->count, 1);
    ck_assert(!batch->not_understood);
}

START_TEST(only_addresses_of_files_are_fetched)
{
    static const struct {
        const char *url;
        bool        taken, taken_by_sandbox;
    } urls[] = {
        { "https://lookaside.fbsbx.com/x", true, true },
        { "http://127.0.0.1:9000/x", false, true },
        { "ftp://example.com/x", false, false },
        { "file:///etc/passwd", false, false },
        { "javascript:alert(1)", false, false },
        { "/reel/123/", false, false },
        { "https://", false, false },
        { "https:///x", false, false },
        { "https://example.com/a b", false, false },
        { "https://example.com\\\\@127.0.0.1/", false, false },
        { "https://example.com/a|b", false, false },
        { "https://example.com/\xc3\xa9", false, false },
        { "https://example.com/\\u0000", false, false },
        { "https://example.com/\\n", false, false },
    };
    const struct platform_env sandbox = { .meta_graph_url = STR("http://127.0.0.1:9000/graph") };
    struct inbound_batch      batch;
    struct arena              a;

    arena_init(&a);
    for (size_t i = 0; i < COUNT(urls); i++) {
        parse_attachment(&a, &env, "video", urls[i].url, &batch);
        ck_assert_uint_eq(batch.events[0].media_count, urls[i].taken);
        ck_assert(!batch.events[0].is_unsupported); /* the link can still be shown */
        ck_assert_int_eq(str_is_none(batch.events[0].platform_data), urls[i].taken);
        parse_attachment(&a, &sandbox, "video", urls[i].url, &batch);
        ck_assert_uint_eq(batch.events[0].media_count, urls[i].taken_by_sandbox);
    }
    arena_deinit(&a);
}
END_TEST

START_TEST(no_message_has_attachments_without_end)
{
    struct inbound_batch batch;
    struct arena         a;
    struct buf           text;

    arena_init(&a);
    buf_init(&text, MIB);
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "https://x.fbcdn.net/%d\"}},{\"type\":\"image\",\"payload\":{\"url\":\"", i);
    buf_append_char(&text, '\0');
    meta_parse(&a, &env, arena_printf(&a,
        "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"messaging\":[{\"sender\":{\"id\":\"7\"},\"recipient\":{\"id\":"
        "\"1\"},\"timestamp\":1790000000100,\"message\":{\"mid\":\"m\",\"attachments\":[{\"type\":\"image\","
        "\"payload\":{\"url\":\"%s\"}}]}}]}]}", text.ptr), &batch);
    buf_deinit(&text);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert_uint_eq(batch.events[0].media_count, 100);
    ck_assert(str_eq(batch.events[0].media[99].ref, STR("https://x.fbcdn.net/99")));
    ck_assert(batch.not_understood); /* the payload is kept */
    arena_deinit(&a);
}
END_TEST

/* Every event of ours has room for what is left. */
START_TEST(no_text_is_without_end)
{
    static const char *const shapes[] = {
        "\"message\":{\"mid\":\"m\",\"text\":\"%s\"}", "\"postback\":{\"mid\":\"m\",\"title\":\"%s\"}",
        "\"postback\":{\"mid\":\"m\",\"payload\":\"%s\"}",
        "\"message_edit\":{\"mid\":\"m\",\"text\":\"%s\",\"num_edit\":1}",
    };
    char                *text = malloc(3 * MIB + 1);
    struct inbound_batch batch;
    struct arena         a;

    arena_init(&a);
    memset(text, 'x', 3 * MIB);
    text[3 * MIB] = '\0';
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct str payload = arena_printf(&a,
            "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"messaging\":[{\"sender\":{\"id\":\"7\"},\"recipient\":"
            "{\"id\":\"1\"},\"timestamp\":1790000000100,%.*s%s%s}]}]}",
            (int)(strchr(shapes[i], '%') - shapes[i]), shapes[i], text, strchr(shapes[i], '%') + 2);

        meta_parse(&a, &env, payload, &batch);
        ck_assert_uint_eq(batch.count, 1);
        ck_assert_uint_eq(batch.events[0].body.len, 64 * KIB);
        ck_assert_uint_lt(batch.events[0].platform_data.len, 70000);
    }
    free(text);
    arena_deinit(&a);
}
END_TEST

/* Then the payload is kept as a whole. */
START_TEST(what_is_too_large_to_be_shown_is_not_understood)
{
    const size_t         size = 2 * MIB + 1;
    char                *text = malloc(size);
    struct inbound_batch batch;
    struct arena         a;

    arena_init(&a);
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    meta_parse(&a, &env, arena_printf(&a, "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"messaging\":[{\"sender\":"
        "{\"id\":\"7\"},\"recipient\":{\"id\":\"1\"},\"timestamp\":1790000000100,\"message\":{\"mid\":\"m\","
        "\"text\":\"Hello\",\"quick_reply\":{\"payload\":\"%s\"}}}]}]}", text), &batch);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert(str_eq(batch.events[0].body, STR("Hello")));
    ck_assert(str_is_none(batch.events[0].platform_data));
    ck_assert(batch.not_understood);
    free(text);
    arena_deinit(&a);
}
END_TEST

START_TEST(mentions_in_stories_are_kept_where_that_is_wanted)
{
    struct platform_env  keeping = env;
    struct inbound_batch batch;
    struct arena         a;

    arena_init(&a);
    keeping.meta_keep_stories = true;
    parse_attachment(&a, &keeping, "story_mention", "https://lookaside.fbsbx.com/x", &batch);
    ck_assert_uint_eq(batch.events[0].media_count, 1);
    ck_assert(!batch.events[0].media[0].is_link);
    parse_attachment(&a, &env, "story_mention", "https://lookaside.fbsbx.com/x", &batch);
    ck_assert(batch.events[0].media[0].is_link);
    arena_deinit(&a);
}
END_TEST

/* ---- sizes and bytes ---- */

static struct str
with_text(struct arena *a, struct str json_text)
{
    return arena_printf(a, "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"time\":1790000000123,\"messaging\":[{"
        "\"sender\":{\"id\":\"7\"},\"recipient\":{\"id\":\"1\"},\"timestamp\":1790000000100,\"message\":{\"mid\":\"m\","
        "\"text\":\"%.*s\"}}]}]}", STR_ARG(json_text));
}

/* What is not ASCII comes as \uXXXX, beyond the 16th bit as two halves. */
START_TEST(a_text_arrives_to_the_last_byte)
{
    struct arena         a;
    struct inbound_batch batch;

    arena_init(&a);
    meta_parse(&a, &env, with_text(&a, STR("\\ud83d\\ude00 \\/ \\u0416\\n\\\"\\u0000.")), &batch);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert(str_eq(batch.events[0].body, STR("\U0001F600 / \u0416\n\"\0.")));
    meta_parse(&a, &env, with_text(&a, STR("\U0001F600")), &batch);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert(str_eq(batch.events[0].body, STR("\U0001F600")));
    meta_parse(&a, &env, with_text(&a, STR("\xff")), &batch);
    ck_assert_uint_eq(batch.count, 0);
    ck_assert(batch.not_understood);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_payload_cut_anywhere_is_no_event)
{
    struct arena         a;
    struct inbound_batch batch;
    struct str           whole = str_of(body);

    arena_init(&a);
    for (size_t n = 0; n < whole.len; n++) {
        meta_parse(&a, &env, str_slice(whole, 0, n), &batch);
        ck_assert(batch.not_understood);
        ck_assert_uint_eq(batch.count, 0);
    }
    meta_parse(&a, &env, whole, &batch);
    ck_assert(!batch.not_understood);
    ck_assert_uint_eq(batch.count, 1);
    arena_deinit(&a);
}
END_TEST

#define ENTRIES 1000 /* the most that Meta puts into one payload */

/* Every tenth is broken. */
START_TEST(a_thousand_entries_come_in_order)
{
    struct arena         a;
    struct buf           buf;
    struct inbound_batch batch;
    size_t               n = 0;

    arena_init(&a);
    buf_init(&buf, 4 * MIB);
    buf_append(&buf, STR("{\"object\":\"instagram\",\"entry\":["));
    for (int i = 0; i < ENTRIES; i++)
        buf_printf(&buf, "%s{\"id\":\"1\",\"time\":1790000000123,\"messaging\":[{\"sender\":{\"id\":\"%d\"},"
            "\"recipient\":{\"id\":\"1\"},\"timestamp\":%lld,\"message\":{\"%s\":\"m%d\",\"text\":\"%d\"}}]}",
            i > 0 ? "," : "", 7000 + i, 1790000000000LL + i, i % 10 == 9 ? "no_mid" : "mid", i, i);
    buf_append(&buf, STR("]}"));
    ck_assert(buf_ok(&buf));
    meta_parse(&a, &env, buf_str(&buf), &batch);
    buf_deinit(&buf);
    ck_assert_ptr_eq(batch.platform, &instagram);
    ck_assert(batch.not_understood);
    ck_assert_uint_eq(batch.count, ENTRIES - ENTRIES / 10);
    for (int i = 0; i < ENTRIES; i++) {
        if (i % 10 == 9)
            continue;
        ck_assert(str_eq(batch.events[n].external_id, arena_printf(&a, "m%d", i)));
        ck_assert(str_eq(batch.events[n].from.external_id, arena_printf(&a, "%d", 7000 + i)));
        ck_assert_int_eq(batch.events[n].at_ms, 1790000000000 + i);
        n++;
    }
    arena_deinit(&a);
}
END_TEST

static struct str
nested(struct arena *a, size_t depth)
{
    char *out = arena_bytes(a, 2 * depth);

    memset(out, '[', depth);
    memset(out + depth, ']', depth);
    return (struct str){ out, 2 * depth };
}

static void
parse_nested(struct arena *a, size_t depth, struct inbound_batch *batch)
{
    struct str deep = nested(a, depth);

    meta_parse(a, &env, arena_printf(a, "{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"messaging\":[{\"sender\":"
        "{\"id\":\"7\"},\"recipient\":{\"id\":\"1\"},\"timestamp\":1790000000100,\"message\":{\"mid\":\"m\","
        "\"attachments\":[{\"type\":\"new\",\"payload\":{\"url\":%.*s}}]}}]}]}", STR_ARG(deep)), batch);
}

START_TEST(what_is_too_deep_is_left_out)
{
    struct arena         a;
    struct inbound_batch batch;

    arena_init(&a);
    parse_nested(&a, 50, &batch);
    ck_assert(!batch.not_understood);
    ck_assert_uint_eq(batch.count, 1);
    parse_nested(&a, 500000, &batch);
    ck_assert(!batch.not_understood);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert_uint_lt(batch.events[0].platform_data.len, 500);
    meta_parse(&a, &env, nested(&a, 500000), &batch);
    ck_assert(batch.not_understood);
    arena_deinit(&a);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("updates");

    tcase_add_loop_test(c, each_payload_gives_its_events, 0, (int)golden_files(UPDATES, ".events.json", &paths));
    return c;
}

static TCase *
signed_ones(void)
{
    TCase *c = tcase_create("signatures");

    tcase_add_loop_test(c, a_signature_is_that_of_the_bytes_received, 0,
        (int)COUNT(signatures));
    tcase_add_test(c, what_is_not_signed_is_refused);
    return c;
}

static TCase *
closer(void)
{
    TCase *c = tcase_create("closer");

    tcase_add_test(c, ids_and_times_come_in_several_forms);
    tcase_add_test(c, only_addresses_of_files_are_fetched);
    tcase_add_test(c, no_message_has_attachments_without_end);
    tcase_add_test(c, no_text_is_without_end);
    tcase_add_test(c, what_is_too_large_to_be_shown_is_not_understood);
    tcase_add_test(c, mentions_in_stories_are_kept_where_that_is_wanted);
    tcase_add_test(c, a_text_arrives_to_the_last_byte);
    tcase_add_test(c, a_payload_cut_anywhere_is_no_event);
    tcase_add_test(c, a_thousand_entries_come_in_order);
    tcase_add_test(c, what_is_too_deep_is_left_out);
    return c;
}

TEST_CASES("meta updates", files, signed_ones, closer)
