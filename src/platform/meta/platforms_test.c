/* What a draft, a reaction or a file may be, and where access is granted. */
#include <stdio.h>

#include "base/testing.h"
#include "platform/meta/testing_meta.h"

START_TEST(reactions_are_put_as_each_platform_takes_them)
{
    static const struct {
        const struct platform *platform;
        const char            *reaction, *emoji, *out_reaction, *out_emoji; /* NULL = refused */
    } tries[] = {
        { &facebook, NULL, NULL, "love", "\u2764" },
        { &facebook, "", "", "love", "\u2764" },
        { &facebook, "love", NULL, "love", "\u2764" },
        { &facebook, "like", NULL, "like", "\U0001F44D" },
        { &facebook, "dislike", NULL, "dislike", "\U0001F44E" },
        { &facebook, "smile", NULL, "smile", "\U0001F606" },
        { &facebook, "wow", NULL, "wow", "\U0001F62E" },
        { &facebook, "sad", NULL, "sad", "\U0001F622" },
        { &facebook, "angry", NULL, "angry", "\U0001F621" },
        { &facebook, "laugh", NULL, NULL, NULL },
        { &facebook, "Love", NULL, NULL, NULL },
        { &facebook, "other", NULL, NULL, NULL },
        { &facebook, "love", "\U0001F389", "love", "\U0001F389" },
        { &facebook, NULL, "\U0001F389", "other", "\U0001F389" },
        { &facebook, NULL, "\u2764\uFE0F", "love", "\u2764\uFE0F" },
        { &facebook, NULL, "\U0001F44D", "like", "\U0001F44D" },
        { &facebook, NULL, "two words", NULL, NULL },
        { &facebook, NULL, "\xFF", NULL, NULL },
        { &instagram, NULL, NULL, "love", "\u2764" },
        { &instagram, "love", NULL, "love", "\u2764" },
        { &instagram, "love", "\u2764\uFE0F", "love", "\u2764\uFE0F" },
        { &instagram, NULL, "\U0001F60D", "love", "\U0001F60D" },
        { &instagram, "like", NULL, NULL, NULL },
        { &instagram, "like", "\u2764", NULL, NULL },
        { &instagram, "love", "a\nb", NULL, NULL },
    };

    for (size_t i = 0; i < COUNT(tries); i++) {
        struct str   reaction = STR_NONE, emoji = STR_NONE;
        struct error err = { 0 };
        bool         taken = tries[i].platform->check_reaction(str_of(tries[i].reaction), str_of(tries[i].emoji),
            &reaction, &emoji, &err);

        ck_assert_msg(taken == (tries[i].out_reaction != NULL), "try %zu: %s", i, err.message);
        if (taken)
            ck_assert_msg(str_eq(reaction, str_of(tries[i].out_reaction)) && str_eq(emoji, str_of(tries[i].out_emoji)),
                "try %zu: %.*s %.*s", i, STR_ARG(reaction), STR_ARG(emoji));
        else
            ck_assert_int_eq(err.status, 422);
    }
}
END_TEST

START_TEST(files_are_of_a_size_and_a_type)
{
    static const struct {
        const struct platform *platform;
        enum attachment_type   type;
        const char            *content_type;
        int64_t                size;
        bool                   taken;
    } tries[] = {
        { &facebook, ATTACH_IMAGE, "image/png", 26214400, true },
        { &facebook, ATTACH_IMAGE, "image/png", 26214401, false },
        { &facebook, ATTACH_VIDEO, "video/mp4", 26214400, true },
        { &facebook, ATTACH_VIDEO, "video/mp4", 26214401, false },
        { &facebook, ATTACH_FILE, "application/zip", 5, true },
        { &facebook, ATTACH_FILE, NULL, 5, true },
        { &facebook, ATTACH_FILE, "application/zip", 0, false },
        { &instagram, ATTACH_IMAGE, "image/png", 8388608, true },
        { &instagram, ATTACH_IMAGE, "image/jpeg", 8388609, false },
        { &instagram, ATTACH_IMAGE, "IMAGE/GIF; q=1", 5, true },
        { &instagram, ATTACH_IMAGE, "image/webp", 5, false },
        { &instagram, ATTACH_VIDEO, "video/mp4", 26214400, true },
        { &instagram, ATTACH_VIDEO, "video/quicktime", 26214401, false },
        { &instagram, ATTACH_VIDEO, "video/webm", 5, true },
        { &instagram, ATTACH_VIDEO, "video/x-matroska", 5, false },
        { &instagram, ATTACH_AUDIO, "audio/mp4", 5, true },
        { &instagram, ATTACH_AUDIO, "audio/ogg", 5, false },
        { &instagram, ATTACH_FILE, "application/pdf", 26214400, true },
        { &instagram, ATTACH_FILE, "application/zip", 5, false },
        { &instagram, ATTACH_FILE, "application/pdf", 0, false },
        { &instagram, ATTACH_FILE, NULL, 5, true },
        { &instagram, ATTACH_IMAGE, NULL, 8388609, false },
    };

    for (size_t i = 0; i < COUNT(tries); i++) {
        struct op_file file = {
            .type = tries[i].type, .content_type = str_of(tries[i].content_type), .size = tries[i].size,
        };
        struct error   err = { 0 };

        ck_assert_msg(tries[i].platform->check_file(&file, &err) == tries[i].taken, "try %zu: %s", i, err.message);
        ck_assert_int_eq(err.status, tries[i].taken ? 0 : 422);
    }
}
END_TEST

static const struct platform_env no_app = { TEST_URLS };
static const struct platform_env meta_alone = { TEST_URLS, TEST_META_APP };
static const struct platform_env instagram_alone = { TEST_URLS, TEST_INSTAGRAM_APP };
static const struct platform_env both = { TEST_URLS, TEST_META_APP, TEST_INSTAGRAM_APP };
static const struct platform_env half = { TEST_URLS, .meta_app_id = TEXT("5550001112223334") };

static struct str
login_url(const struct platform *platform, const struct platform_env *env, struct arena *a, struct error *err)
{
    struct str url = STR_NONE;

    *err = (struct error){ 0 };
    platform->login_url(env, STR("https://dm.example.org/connect/meta/callback"), STR("a+b/c="), a, &url, err);
    return url;
}

#define BACK_HERE "&redirect_uri=https:%2F%2Fdm.example.org%2Fconnect%2Fmeta%2Fcallback&state=a%2Bb%2Fc%3D" \
    "&response_type=code"
#define DIALOG    "https://www.facebook.com/v25.0/dialog/oauth?client_id=5550001112223334" BACK_HERE "&scope="
#define AUTHORIZE "https://www.instagram.com/oauth/authorize?client_id=6660001112223334" BACK_HERE "&scope="
#define SCOPES    "pages_show_list,pages_messaging,pages_manage_metadata,pages_read_engagement,business_management,"

START_TEST(access_is_granted_on_the_platforms_pages)
{
    struct arena a;
    struct error err;

    arena_init(&a);
    ck_assert(str_eq(login_url(&facebook, &both, &a, &err), STR(DIALOG SCOPES "pages_manage_engagement")));
    ck_assert(str_eq(login_url(&instagram, &meta_alone, &a, &err),
        STR(DIALOG SCOPES "instagram_basic,instagram_manage_messages,instagram_manage_comments")));
    ck_assert(str_eq(login_url(&instagram, &both, &a, &err), STR(AUTHORIZE "instagram_business_basic,"
        "instagram_business_manage_messages,instagram_business_manage_comments")));
    ck_assert(str_starts(login_url(&instagram, &instagram_alone, &a, &err), STR(AUTHORIZE)));
    arena_deinit(&a);
}
END_TEST

START_TEST(without_an_app_it_says_what_is_missing)
{
    const struct platform_env *envs[] = { &no_app, &half, &instagram_alone };
    struct arena               a;
    struct error               err;

    arena_init(&a);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(str_is_none(login_url(&facebook, envs[i], &a, &err)));
        ck_assert_int_eq(err.status, 422);
        ck_assert_str_eq(err.message, "Connecting by OAuth needs an app of Meta's: set PARLEY_META_APP_ID and"
            " PARLEY_META_APP_SECRET");
    }
    ck_assert(str_is_none(login_url(&instagram, &half, &a, &err)));
    ck_assert_int_eq(err.status, 422);
    ck_assert(str_is_none(login_url(&instagram, &no_app, &a, &err)));
    ck_assert_str_eq(err.message, "Connecting by OAuth needs an app of Meta's: set PARLEY_INSTAGRAM_APP_ID and"
        " PARLEY_INSTAGRAM_APP_SECRET, or PARLEY_META_APP_ID and PARLEY_META_APP_SECRET");
    arena_deinit(&a);
}
END_TEST

TESTS("meta platforms", reactions_are_put_as_each_platform_takes_them, files_are_of_a_size_and_a_type,
    access_is_granted_on_the_platforms_pages, without_an_app_it_says_what_is_missing)
