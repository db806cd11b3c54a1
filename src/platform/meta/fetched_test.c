/* Messages that were asked for, as events: the table is testdata/fetched/, see platform/golden.h. */
#include "base/testing.h"
#include "platform/golden.h"
#include "platform/meta/meta.h"

#define FETCHED "src/platform/meta/testdata/fetched"

static char **paths;

static const struct account account = {
    .id = 1,
    .external_id = { "17841400000000001", 17 },
    .alt_external_id = { "24100000000000001", 17 },
    .username = { "the.shop", 8 },
};

START_TEST(each_answer_gives_its_events)
{
    golden_check_updates(&instagram, &account, paths[_i]);
}
END_TEST

/* An account that is not known by another id or name is not everybody without one. */
START_TEST(nobody_is_us_for_lack_of_a_name)
{
    const struct account nameless = { .id = 1, .external_id = STR("1") };
    struct inbound_batch batch;
    struct arena         a;

    arena_init(&a);
    meta_parse_fetched(&a, &nameless, STR("{\"id\":\"m\",\"from\":{\"id\":\"7\",\"username\":\"\"},\"to\":{\"data\":"
        "[{\"id\":\"1\"}]},\"message\":\"x\"}"), &batch);
    ck_assert_uint_eq(batch.count, 1);
    ck_assert(!batch.events[0].outbound);
    ck_assert_int_eq(batch.events[0].at_ms, 0);
    arena_deinit(&a);
}
END_TEST

static TCase *
files(void)
{
    TCase *c = tcase_create("fetched");

    tcase_add_loop_test(c, each_answer_gives_its_events, 0, (int)golden_files(FETCHED, ".events.json", &paths));
    return c;
}

static TCase *
closer(void)
{
    TCase *c = tcase_create("closer");

    tcase_add_test(c, nobody_is_us_for_lack_of_a_name);
    return c;
}

TEST_CASES("meta fetched", files, closer)
