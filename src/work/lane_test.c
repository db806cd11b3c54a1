#include "work/lane.h"

#include "base/testing.h"

enum { SEND = 1, OTHER = 2 };

static struct lane l;
static int64_t again;

static const int64_t now = 1780000000000; /* any moment; times below are milliseconds after it */

static void
set_up(void)
{
    lane_init(&l, 1, 100);
}

static void
tear_down(void)
{
    lane_deinit(&l);
}

static void
pace(int chat_per_minute, int chat_burst, int account_per_minute, int account_burst)
{
    l.pace = (struct pace){ .chat_per_minute = chat_per_minute, .chat_burst = chat_burst,
                            .account_per_minute = account_per_minute, .account_burst = account_burst };
}

/* The id of the job that starts `ms` after now, 0 when none does. */
static int64_t
next(int64_t ms)
{
    struct lane_job *job = lane_next(&l, now + ms, &again);

    return job ? job->id : 0;
}

static void
ck_again(int64_t ms)
{
    ck_assert_int_eq(again, now + ms);
}

START_TEST(a_job_is_known_once)
{
    ck_assert(lane_add(&l, 5, SEND, 50));
    ck_assert(!lane_add(&l, 5, SEND, 50));
    ck_assert_int_eq(next(0), 5);
    ck_assert(!lane_add(&l, 5, SEND, 50)); /* under way is known too */
    ck_assert_int_eq(next(0), 0);
    ck_assert_int_eq(again, 0);
}
END_TEST

START_TEST(an_ended_job_may_come_again)
{
    struct lane_job *job;

    lane_add(&l, 5, SEND, 50);
    job = lane_next(&l, now, &again);
    ck_assert(!lane_end(&l, job));
    ck_assert(lane_add(&l, 5, SEND, 50));
    ck_assert_int_eq(next(0), 5);
}
END_TEST

START_TEST(without_a_pace_all_go_in_order)
{
    for (int64_t id = 1; id <= 5; id++)
        lane_add(&l, id, SEND, 50 + id % 2);
    for (int64_t id = 1; id <= 5; id++)
        ck_assert_int_eq(next(0), id);
    ck_assert_int_eq(next(0), 0);
    lane_add(&l, 6, SEND, 50);
    ck_assert_int_eq(next(0), 6);
}
END_TEST

START_TEST(only_so_many_run_at_once)
{
    struct lane_job *first;

    lane_limit(&l, 2);
    for (int64_t id = 1; id <= 3; id++)
        lane_add(&l, id, SEND, id);
    first = lane_next(&l, now, &again);
    ck_assert_int_eq(next(0), 2);
    ck_assert_int_eq(next(0), 0);
    ck_assert_int_eq(again, 0); /* only an end changes that */
    lane_end(&l, first);
    ck_assert_int_eq(next(0), 3);
}
END_TEST

START_TEST(one_that_only_waits_takes_no_place)
{
    struct lane_job *poll;

    lane_limit(&l, 1);
    lane_add(&l, 1, OTHER, 0);
    lane_add(&l, 2, SEND, 50);
    lane_add(&l, 3, SEND, 51);
    poll = lane_next(&l, now, &again);
    ck_assert_int_eq(next(0), 0);
    lane_uncount(&l, poll);
    ck_assert_int_eq(next(0), 2);
    lane_end(&l, poll);
    ck_assert_int_eq(next(0), 0); /* its end frees no place it did not have */
}
END_TEST

START_TEST(as_many_may_be_written_down_as_there_are_places)
{
    struct lane_job *answered[2];

    lane_limit(&l, 2);
    for (int64_t id = 1; id <= 5; id++)
        lane_add(&l, id, SEND, id);
    for (int i = 0; i < 2; i++) {
        answered[i] = lane_next(&l, now, &again);
        lane_uncount(&l, answered[i]);
        lane_uncount(&l, answered[i]); /* once is as good as twice */
    }
    ck_assert_int_eq(next(0), 3);
    ck_assert_int_eq(next(0), 4);
    ck_assert_int_eq(lane_free(&l), 0);
    ck_assert_int_eq(next(0), 0);
    lane_end(&l, answered[0]);
    ck_assert_int_eq(next(0), 0); /* both places are taken */
}
END_TEST

/* ---- pace ---- */

START_TEST(a_chat_keeps_its_pace)
{
    pace(60, 1, 0, 0); /* one a second */
    for (int64_t id = 1; id <= 3; id++)
        lane_add(&l, id, SEND, 50);
    ck_assert_int_eq(next(0), 1);
    ck_assert_int_eq(next(0), 0);
    ck_again(1000);
    ck_assert_int_eq(next(999), 0);
    ck_again(1000);
    ck_assert_int_eq(next(1000), 2);
    ck_assert_int_eq(next(1500), 0);
    ck_again(2000);
    ck_assert_int_eq(next(2000), 3);
}
END_TEST

START_TEST(a_chat_has_its_burst_and_gets_it_back)
{
    pace(60, 3, 0, 0);
    for (int64_t id = 1; id <= 9; id++)
        lane_add(&l, id, SEND, 50);
    for (int64_t id = 1; id <= 3; id++)
        ck_assert_int_eq(next(0), id);
    ck_assert_int_eq(next(0), 0);
    ck_again(1000);
    ck_assert_int_eq(next(1000), 4);
    ck_assert_int_eq(next(1000), 0);
    ck_again(2000);
    for (int64_t id = 5; id <= 7; id++) /* after a long rest: three again, not more */
        ck_assert_int_eq(next(60000), id);
    ck_assert_int_eq(next(60000), 0);
    ck_again(61000);
}
END_TEST

START_TEST(other_chats_do_not_wait_for_a_slow_one)
{
    pace(60, 1, 0, 0);
    lane_add(&l, 1, SEND, 50);
    lane_add(&l, 2, SEND, 50);
    lane_add(&l, 3, SEND, 51);
    ck_assert_int_eq(next(0), 1);
    ck_assert_int_eq(next(0), 3);
    ck_assert_int_eq(next(0), 0);
    lane_add(&l, 4, SEND, 52); /* the end of the list is still the end */
    ck_assert_int_eq(next(0), 4);
    ck_assert_int_eq(next(1000), 2);
}
END_TEST

START_TEST(an_account_keeps_its_pace_over_all_chats)
{
    pace(0, 0, 1800, 30);
    for (int64_t id = 1; id <= 61; id++)
        lane_add(&l, id, SEND, 1000 + id);
    for (int64_t id = 1; id <= 30; id++)
        ck_assert_int_eq(next(0), id);
    ck_assert_int_eq(next(0), 0);
    ck_again(34); /* 33.333 ms, and not a microsecond early */
    ck_assert_int_eq(next(33), 0);
    ck_assert_int_eq(next(34), 31);
    ck_assert_int_eq(next(66), 0);
    ck_assert_int_eq(next(67), 32);
    for (int64_t id = 33; id <= 61; id++) /* a second later the rest of the first second's thirty */
        ck_assert_int_eq(next(1034), id);
}
END_TEST

START_TEST(a_file_counts_as_several_sends_of_the_account)
{
    pace(0, 0, 60, 5);
    for (int64_t id = 1; id <= 4; id++)
        lane_add(&l, id, SEND, 50 + id);
    ck_assert_int_eq(next(0), 1);
    lane_charge(&l, 4, now);
    ck_assert_int_eq(next(0), 2); /* the fifth of the burst */
    ck_assert_int_eq(next(0), 0);
    ck_again(1000);
    ck_assert_int_eq(next(1000), 3);
    lane_charge(&l, 0, now + 1000); /* no cost of its own: one */
    ck_assert_int_eq(next(1999), 0);
    ck_assert_int_eq(next(2000), 4);
}
END_TEST

START_TEST(private_replies_take_places_of_their_own)
{
    ck_assert_int_le(lane_take_private(&l, now), now); /* without a limit */
    l.pace.private_per_hour = 360;
    for (int i = 0; i < 10; i++)
        ck_assert_int_le(lane_take_private(&l, now), now);
    ck_assert_int_eq(lane_take_private(&l, now), now + 10000);
    ck_assert_int_eq(lane_take_private(&l, now), now + 20000);
    ck_assert_int_le(lane_take_private(&l, now + 30000), now + 30000);
    lane_add(&l, 1, SEND, 50);
    ck_assert_int_eq(next(0), 1); /* other sends know nothing of it */
}
END_TEST

START_TEST(a_lane_can_be_left_to_one_kind)
{
    lane_add(&l, 1, SEND, 50);
    lane_only(&l, OTHER);
    ck_assert_int_eq(next(0), 0);
    ck_assert_int_eq(again, 0);
    lane_add(&l, 2, OTHER, 0);
    ck_assert_int_eq(next(0), 2);
    ck_assert_int_eq(next(0), 0);
    lane_only(&l, 0);
    ck_assert_int_eq(next(0), 1);
}
END_TEST

START_TEST(what_is_no_send_knows_no_pace)
{
    pace(60, 1, 60, 1);
    lane_add(&l, 1, SEND, 50);
    lane_add(&l, 2, SEND, 51);
    lane_add(&l, 3, OTHER, 0);
    lane_add(&l, 4, OTHER, 0);
    ck_assert_int_eq(next(0), 1);
    ck_assert_int_eq(next(0), 3);
    ck_assert_int_eq(next(0), 4);
    ck_assert_int_eq(next(0), 0);
    ck_again(1000);
}
END_TEST

START_TEST(many_chats_are_not_remembered_for_ever)
{
    pace(60, 1, 0, 0);
    lane_limit(&l, 100000);
    for (int64_t id = 1; id <= 5000; id++) {
        lane_add(&l, id, SEND, id);
        ck_assert_int_eq(next(id * 2000), id);
    }
    ck_assert_uint_le(l.chats.count, 1024);
    lane_add(&l, 6000, SEND, 5000); /* the last one is still in its second */
    ck_assert_int_eq(next(5000 * 2000 + 999), 0);
    ck_assert_int_eq(next(5000 * 2000 + 1000), 6000);
}
END_TEST

START_TEST(chats_that_still_wait_are_not_forgotten)
{
    pace(1, 1, 0, 0);
    lane_limit(&l, 100000);
    for (int64_t id = 1; id <= 3000; id++) {
        lane_add(&l, id, SEND, id);
        ck_assert_int_eq(next(0), id);
    }
    for (int64_t id = 1; id <= 3000; id++)
        lane_add(&l, 10000 + id, SEND, id);
    ck_assert_int_eq(next(59999), 0);
    ck_again(60000);
}
END_TEST

/* ---- being told to wait ---- */

START_TEST(a_refused_chat_is_its_own_trouble)
{
    lane_slow_down(&l, 50, now, now + 30000, false);
    lane_add(&l, 1, SEND, 51);
    ck_assert_int_eq(next(0), 1);
}
END_TEST

START_TEST(an_account_that_must_wait_sends_nothing)
{
    lane_slow_down(&l, 50, now, now + 30000, true);
    lane_add(&l, 1, SEND, 51);
    lane_add(&l, 2, OTHER, 0);
    ck_assert_int_eq(next(0), 2);
    ck_assert_int_eq(next(29999), 0);
    ck_again(30000);
    ck_assert_int_eq(next(30000), 1);
}
END_TEST

static const struct {
    int64_t second_chat, after_ms;
    bool    held;
} refusals[] = {
    { 51, 0, true }, { 51, 999, true }, { 51, 1000, false }, { 50, 10, false },
};

START_TEST(two_chats_within_a_second_are_the_account)
{
    int64_t at = now + refusals[_i].after_ms;

    lane_slow_down(&l, 50, now, now + 30000, false);
    lane_slow_down(&l, refusals[_i].second_chat, at, at + 30000, false);
    lane_add(&l, 1, SEND, 52);
    ck_assert_int_eq(next(refusals[_i].after_ms) == 0, refusals[_i].held);
    if (refusals[_i].held)
        ck_again(refusals[_i].after_ms + 30000);
}
END_TEST

START_TEST(a_shorter_wait_does_not_shorten_a_longer)
{
    lane_slow_down(&l, 50, now, now + 30000, true);
    lane_slow_down(&l, 50, now, now + 5000, true);
    lane_add(&l, 1, SEND, 51);
    ck_assert_int_eq(next(5000), 0);
    ck_again(30000);
}
END_TEST

START_TEST(a_clock_set_back_lengthens_no_wait)
{
    const int64_t hour = 3600000;

    pace(60, 1, 0, 0);
    lane_add(&l, 1, SEND, 50);
    lane_add(&l, 2, SEND, 50);
    ck_assert_int_eq(next(0), 1);
    lane_slow_down(&l, 51, now, now + 3000, true);
    lane_set_back(&l, hour);
    ck_assert_int_eq(next(-hour), 0);
    ck_again(3000 - hour);
    ck_assert_int_eq(next(2999 - hour), 0);
    ck_assert_int_eq(next(3000 - hour), 2);
    lane_add(&l, 3, SEND, 50);
    ck_assert_int_eq(next(3000 - hour), 0);
    ck_again(4000 - hour);
}
END_TEST

/* ---- told to wait, and not how long ---- */

#define FIRST_MS 45000

/* Refused at `at_ms`: whether what is to be waited then is `wait_ms` and up to 20 % more or less. */
static bool
waits(int op, int64_t at_ms, int64_t wait_ms)
{
    int64_t ms = lane_refused(&l, op, FIRST_MS, now + at_ms);

    return ms >= wait_ms * 8 / 10 && ms <= wait_ms * 12 / 10;
}

START_TEST(a_wait_that_nobody_names_doubles_up_to_twenty_minutes)
{
    static const int64_t minutes[] = { 1, 2, 4, 8, 16, 20, 20, 20 }; /* by tens of FIRST_MS / 45 s */
    int64_t at = 0;

    for (size_t i = 0; i < COUNT(minutes); i++, at += 3600000)
        ck_assert(waits(SEND, at, i < 5 ? FIRST_MS * minutes[i] : LANE_WAIT_MAX_MS));
    ck_assert(waits(OTHER, at, FIRST_MS)); /* another kind has a row of its own */
    lane_took(&l, SEND);
    ck_assert(waits(SEND, at, FIRST_MS));
}
END_TEST

START_TEST(what_is_refused_during_a_wait_shares_it)
{
    int64_t wait = lane_refused(&l, SEND, FIRST_MS, now);

    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(lane_refused(&l, SEND, FIRST_MS, now + i), wait - i);
    lane_set_back(&l, 3600000);
    ck_assert_int_eq(lane_refused(&l, SEND, FIRST_MS, now + 100 - 3600000), wait - 100);
    ck_assert(waits(SEND, wait - 3600000, (int64_t)2 * FIRST_MS));
}
END_TEST

/* ---- a side that fails ---- */

static int
places(void)
{
    int n = 0;

    for (int64_t id = 1; id <= 20; id++)
        lane_add(&l, id, OTHER, 0);
    while (next(0) != 0)
        n++;
    return n;
}

static const struct {
    const char *course; /* - went badly, + went well */
    int         places;
} courses[] = {
    { "", 8 }, { "-", 8 }, { "--", 4 }, { "---", 2 }, { "----", 1 }, { "----------", 1 }, { "----+", 2 },
    { "----+++", 4 }, { "+", 8 }, { "--++++++++++", 8 }, { "-+-+-+-", 8 }, { "----+-+-", 3 },
};

START_TEST(fewer_at_once_while_it_fails)
{
    lane_limit(&l, 8);
    for (const char *c = courses[_i].course; *c; c++)
        if (*c == '-')
            lane_went_badly(&l);
        else
            lane_went_well(&l);
    lane_limit(&l, 8); /* what is said again at every look changes nothing */
    ck_assert_int_eq(places(), courses[_i].places);
}
END_TEST

START_TEST(a_new_limit_starts_afresh)
{
    lane_limit(&l, 8);
    lane_went_badly(&l);
    lane_went_badly(&l);
    lane_limit(&l, 6);
    lane_went_badly(&l);
    ck_assert_int_eq(places(), 6);
}
END_TEST

static TCase *
lanes(void)
{
    static const TTest *const *const tests[] = {
        &a_job_is_known_once, &an_ended_job_may_come_again, &without_a_pace_all_go_in_order,
        &only_so_many_run_at_once, &one_that_only_waits_takes_no_place,
        &as_many_may_be_written_down_as_there_are_places, &a_chat_keeps_its_pace,
        &a_chat_has_its_burst_and_gets_it_back, &other_chats_do_not_wait_for_a_slow_one,
        &an_account_keeps_its_pace_over_all_chats, &what_is_no_send_knows_no_pace,
        &a_file_counts_as_several_sends_of_the_account, &private_replies_take_places_of_their_own,
        &a_lane_can_be_left_to_one_kind,
        &many_chats_are_not_remembered_for_ever, &chats_that_still_wait_are_not_forgotten,
        &a_refused_chat_is_its_own_trouble, &an_account_that_must_wait_sends_nothing,
        &a_shorter_wait_does_not_shorten_a_longer, &a_clock_set_back_lengthens_no_wait, &a_new_limit_starts_afresh,
        &a_wait_that_nobody_names_doubles_up_to_twenty_minutes, &what_is_refused_during_a_wait_shares_it,
    };
    TCase *c = tcase_create("lane");

    tcase_add_checked_fixture(c, set_up, tear_down);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, *tests[i]);
    tcase_add_loop_test(c, two_chats_within_a_second_are_the_account, 0, COUNT(refusals));
    tcase_add_loop_test(c, fewer_at_once_while_it_fails, 0, COUNT(courses));
    return c;
}

TEST_CASES("lane", lanes)
