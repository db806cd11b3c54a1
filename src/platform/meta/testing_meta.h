/* testing_meta.h -- for tests: settings and an account of each kind. */
#ifndef PARLEY_PLATFORM_META_TESTING_META_H
#define PARLEY_PLATFORM_META_TESTING_META_H

#include "platform/meta/meta.h"

#define TEST_PAGE_TOKEN "EAAtestPageToken123"
#define TEST_LOGIN_TOKEN "IGAAtestToken456"
#define TEST_APP_SECRET "s3cr3t-app-key-0123456789abcdef"
#define TEST_INSTAGRAM_SECRET "instagram-app-secret"

#define TEXT(lit) { "" lit, sizeof(lit) - 1 } /* as STR(), where only a constant will do */

#define TEST_URLS \
    .meta_graph_url = TEXT("https://graph.facebook.com/"), .instagram_graph_url = TEXT("https://graph.instagram.com"), \
    .meta_version = TEXT("v25.0"), .meta_login_url = TEXT("https://www.facebook.com"), \
    .instagram_login_url = TEXT("https://www.instagram.com/"), .instagram_token_url = TEXT("https://api.instagram.com")
#define TEST_META_APP       .meta_app_id = TEXT("5550001112223334"), .meta_app_secret = TEXT(TEST_APP_SECRET)
#define TEST_INSTAGRAM_APP \
    .instagram_app_id = TEXT("6660001112223334"), .instagram_app_secret = TEXT(TEST_INSTAGRAM_SECRET)

static const struct account test_page = {
    .id = 1, .external_id = TEXT("1029384756"), .token = TEXT(TEST_PAGE_TOKEN),
    .details = TEXT("{\"page_id\":\"1029384756\"}"),
};

static const struct account test_linked = {
    .id = 2, .external_id = TEXT("17841400000000001"), .token = TEXT(TEST_PAGE_TOKEN),
    .details = TEXT("{\"page_id\":\"1029384756\"}"),
};

static const struct account test_login = {
    .id = 3, .external_id = TEXT("17841400000000002"), .alt_external_id = TEXT("26000000000000001"),
    .token = TEXT(TEST_LOGIN_TOKEN), .details = TEXT("{\"login\":\"instagram\"}"),
};

#endif
