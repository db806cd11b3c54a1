/* What polls bring, and the batch of events that must come of it; see platform/golden.h. */
#include "base/testing.h"
#include "json/json.h"
#include "platform/golden.h"

#define UPDATES "src/platform/bluesky/testdata/updates"

static char **paths;

static const struct account account = { .id = 1, .external_id = { "did:plc:deskdeskdeskdeskdeskdesk", 32 } };

START_TEST(each_update_is_read_as_it_is_written)
{
    golden_check_updates(&bluesky, &account, paths[_i]);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("updates");

    tcase_add_loop_test(c, each_update_is_read_as_it_is_written, 0,
        (int)golden_files(UPDATES, ".events.json", &paths));
    return c;
}

TEST_CASES("bluesky updates", files)
