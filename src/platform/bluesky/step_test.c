/* Operations in, calls out: the talks are in testdata/talks/, see platform/golden.h. Here is what is not one talk. */
#include "base/testing.h"
#include "json/json.h"
#include "platform/golden.h"

#define TALKS "src/platform/bluesky/testdata/talks"

static char **paths;

static const struct account account = {
    .id = 1,
    .external_id = { "did:plc:deskdeskdeskdeskdeskdesk", 32 },
    .details = { "{\"service\":\"https://pds.example.com\"}", 37 },
    .token = { "{\"identifier\":\"desk.example.com\",\"password\":\"abcd-efgh-ijkl-mnop\",\"access\":\"access-1\","
               "\"refresh\":\"refresh-1\"}", 108 },
};

static const struct platform_env env = {
    .bluesky_service_url = { "https://bsky.social", 19 },
    .bluesky_appview_url = { "https://public.api.bsky.app", 27 },
    .bluesky_plc_url = { "https://plc.directory", 21 },
    .bluesky_chat_proxy = { "did:web:api.bsky.chat#bsky_chat", 31 },
    .bluesky_poll_ms = 300000,
    .bluesky_active_ms = 5000,
    .bluesky_history = 100,
};

START_TEST(each_talk_goes_as_it_is_written)
{
    golden_check_talks(&bluesky, &account, &env, paths[_i]);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("talks");

    tcase_add_loop_test(c, each_talk_goes_as_it_is_written, 0, (int)golden_files(TALKS, ".json", &paths));
    return c;
}

TEST_CASES("bluesky operations", files)
