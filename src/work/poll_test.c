/* poll_test.c -- how often a platform is polled that answers at once. */
#include "work/testing_worker.h"

#include <sched.h>

#include "base/clock.h"
#include "base/config.h"
#include "work/task.h"

static int64_t quiet_ms, active_ms;

static void
pace(const struct platform_env *env, int64_t *out_quiet_ms, int64_t *out_active_ms)
{
    (void)env;
    *out_quiet_ms = quiet_ms;
    *out_active_ms = active_ms;
}

SCRIPTED(CAN_POLL, .poll_pace = pace, );

static struct testing_worker w;

#define POLLS_DUE "SELECT due_at FROM job WHERE kind = 8"
#define PAYLOAD   "SELECT payload FROM job WHERE kind = 8"
#define SILENCE   "SELECT COUNT(*) FROM job WHERE kind = 8 AND COALESCE(payload, '') = "

static const char *
nothing_came(const char *call, int nth)
{
    (void)call;
    (void)nth;
    return "done";
}

static void
add_poll(int64_t profile_id, const char *payload, int64_t due_at, int attempts)
{
    struct job job = { .kind = JOB_POLL, .lane_id = profile_id, .record_id = profile_id, .due_at = due_at,
                       .attempts = attempts, .payload = str_of(payload) };

    ck_assert_msg(job_add(w.store.db, &job, w.store.now, &w.store.err), "%s", w.store.err.message);
}

/* The next poll is due `ms` after something that happened between that moment of the monotonic clock and now, give or
 * take its scatter. */
static void
ck_due(int64_t ms, int64_t from_mono_ms)
{
    int64_t wait_ms = tw_look(&w, POLLS_DUE) - clock_now_ms();

    ck_assert_int_le(wait_ms, ms * 110 / 100);
    ck_assert_int_ge(wait_ms + clock_mono_ms() - from_mono_ms, ms * 90 / 100 - 5); /* two clocks */
}

static const char *
one_message_came(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/poll/") == 0 ? "done 41" : "done";
}

static const struct {
    const char *before, *after;
    bool        brings;
    int64_t     active_ms, wait_ms;
} waits[] = {
    { "",   "1",  false, 10000, 10000 },
    { "5",  "6",  false, 10000, 10000 }, /* a minute of silence */
    { "6",  "7",  false, 10000, 20000 },
    { "8",  "9",  false, 10000, 80000 },
    { "70", "71", false, 10000, 100000 },
    { "70", "",   true,  10000, 10000 },
    { "",   "1",  false, 0,     100000 },
    { "3",  "",   true,  0,     100000 },
    { "",   "1",  false, 200000, 100000 },
};

START_TEST(silence_makes_polls_rare)
{
    w.script = waits[_i].brings ? one_message_came : nothing_came;
    active_ms = waits[_i].active_ms;
    add_poll(w.store.profile.id, waits[_i].before, clock_now_ms(), 0);
    tw_start(&w);
    tw_await(&w, arena_printf(&w.store.arena, SILENCE "'%s'", waits[_i].after).ptr, 1);
    ck_due(waits[_i].wait_ms, tw_call_ms(&w, "/poll/", 0));
    ck_assert_int_eq(tw_calls(&w, "/poll/"), 1);
}
END_TEST

static const char *
more_and_more(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/poll/") == 0 ? "more 41" : "more 42";
}

START_TEST(what_is_left_is_asked_for_at_once_as_long_as_it_gets_on)
{
    w.script = more_and_more;
    active_ms = 50000;
    tw_start(&w);
    tw_await(&w, SILENCE "'1'", 1);
    ck_assert_int_eq(tw_calls(&w, "/poll/"), 3);
    ck_assert_str_eq(tw_call(&w, "/poll/", 1), "/poll/41");
    ck_assert_str_eq(tw_call(&w, "/poll/", 2), "/poll/42"); /* which brings nothing new */
    ck_due(50000, tw_call_ms(&w, "/poll/", 2));
}
END_TEST

static const char *
news_that_are_late(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/poll/") == 0 || strcmp(call, "/poll/back") == 0 ? "news 41" : "done";
}

/* The platform's other position counts once: the second time it is no news. */
START_TEST(news_that_should_have_come_before_move_the_position_back)
{
    w.script = news_that_are_late;
    active_ms = 1;
    add_poll(w.store.profile.id, "", clock_now_ms(), 0);
    tw_start(&w);
    tw_await_calls(&w, "/poll/", 4);
    ck_assert_str_eq(tw_call(&w, "/poll/", 0), "/poll/");
    ck_assert_str_eq(tw_call(&w, "/poll/", 1), "/poll/back");
    ck_assert_str_eq(tw_call(&w, "/poll/", 2), "/poll/41");
    ck_assert_str_eq(tw_call(&w, "/poll/", 3), "/poll/41");
}
END_TEST

static const char *
to_and_fro(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/poll/42") == 0 ? "more 41" : "more 42";
}

/* Two bring something, a hundred nothing: after these it is not asked at once. */
START_TEST(who_always_has_more_and_never_anything_is_not_asked_without_end)
{
    w.script = to_and_fro;
    tw_start(&w);
    tw_await_calls(&w, "/poll/", 104);
    ck_assert_int_ge(tw_call_ms(&w, "/poll/", 103) - tw_call_ms(&w, "/poll/", 102), 995); /* two clocks */
}
END_TEST

START_TEST(a_send_makes_the_next_poll_come_soon)
{
    w.script = nothing_came;
    active_ms = 20000;
    add_poll(w.store.profile.id, "70", clock_now_ms() + 90000, 0);
    tw_write(&w, "7", "ab"); /* the second finds that it will */
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_due(20000, tw_call_ms(&w, "/send/", 0));
    ck_assert_uint_eq(tw_text(&w, PAYLOAD).len, 0);
}
END_TEST

/* One that fails has a pace of its own. */
START_TEST(a_send_leaves_a_failing_poll_alone)
{
    int64_t from_ms = clock_mono_ms();

    w.script = nothing_came;
    add_poll(w.store.profile.id, "70", clock_now_ms() + 90000, 2);
    tw_write(&w, "7", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_due(90000, from_ms);
}
END_TEST

START_TEST(a_send_during_a_poll_is_heeded_after_it)
{
    w.script = nothing_came;
    active_ms = 20000;
    tw_gate(&w, "/poll/");
    add_poll(w.store.profile.id, "70", clock_now_ms(), 0);
    tw_write(&w, "7", "a");
    tw_start(&w);
    tw_await_calls(&w, "/poll/", 1);
    tw_await(&w, PUBLISHED, 1);
    tw_gate(&w, "");
    tw_await(&w, SILENCE "'1'", 1);
    ck_due(20000, tw_call_ms(&w, "/poll/", 0));
}
END_TEST

/* ---- trouble ---- */

static const char *
not_now(const char *call, int nth)
{
    (void)call;
    (void)nth;
    return "retry";
}

static const char *
not_for_an_hour(const char *call, int nth)
{
    (void)call;
    (void)nth;
    return "retry 3600000";
}

START_TEST(trouble_makes_polls_no_rarer_than_silence)
{
    w.script = not_now;
    quiet_ms = 30000;
    config.retry_ms[0] = 400000;
    add_poll(w.store.profile.id, "5", clock_now_ms(), 0);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 8 AND attempts = 1", 1);
    ck_due(30000, tw_call_ms(&w, "/poll/", 0));
    ck_assert_int_eq(tw_look(&w, SILENCE "'5'"), 1);
}
END_TEST

START_TEST(a_wait_the_platform_names_is_kept)
{
    w.script = not_for_an_hour;
    add_poll(w.store.profile.id, "5", clock_now_ms(), 0);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 8 AND attempts = 1", 1);
    ck_due(3600000, tw_call_ms(&w, "/poll/", 0));
}
END_TEST

static const char *
lost(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/poll/", 6) == 0 ? "lost Somebody else has it" : "done";
}

START_TEST(who_has_the_updates_instead_is_shown_until_they_come_again)
{
    w.script = lost;
    add_poll(w.store.profile.id, "", clock_now_ms(), 0);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM profile WHERE status_detail = 'Somebody else has it'", 1);
    tw_stop(&w, 1000);
    ts_resume(&w.store);
    ts_exec(&w.store, "UPDATE job SET due_at = 1, attempts = 0");
    w.script = nothing_came;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM profile WHERE status_detail IS NULL", 1);
}
END_TEST

START_TEST(a_dead_token_ends_the_polls)
{
    w.script = scripted_token_is_over;
    add_poll(w.store.profile.id, "", clock_now_ms(), 0);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 8 AND due_at > 4000000000000000", 1);
    ck_assert_int_eq(tw_look(&w, EXPIRED), 1);
}
END_TEST

static const char *
stale_once(const char *call, int nth)
{
    return strncmp(call, "/poll/", 6) == 0 && nth == 1 ? "stale" : "done";
}

START_TEST(a_stale_token_is_renewed_for_polls_too)
{
    w.script = stale_once;
    add_poll(w.store.profile.id, "", clock_now_ms(), 0);
    tw_start(&w);
    tw_await(&w, SILENCE "'1'", 1);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
    ck_assert_int_eq(tw_calls(&w, "/poll/"), 2);
}
END_TEST

START_TEST(a_poll_whose_job_went_stores_nothing)
{
    struct worker_stats stats;

    w.script = one_message_came;
    add_poll(w.store.profile.id, "", clock_now_ms(), 0);
    tw_gate(&w, "/poll/");
    tw_start(&w);
    tw_await_calls(&w, "/poll/", 1);
    tw_exec(&w, "DELETE FROM job WHERE kind = 8");
    tw_gate(&w, "");
    do {
        sched_yield();
        worker_stats(w.worker, &stats);
    } while (stats.jobs_running > 0);
    ck_assert_int_eq(stats.polls, 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message"), 0);
}
END_TEST

/* ---- start ---- */

START_TEST(overdue_polls_are_spread_at_start)
{
    const char *late[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9" };

    add_poll(w.store.profile.id, "", w.store.now - 5000, 0);
    for (size_t i = 0; i < COUNT(late); i++)
        add_poll(ts_profile(&w.store, w.store.group.id, late[i], "token").id, "", w.store.now - 5000, 0);
    tw_start(&w); /* polls are never answered here */
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(DISTINCT due_at) FROM job WHERE kind = 8"), 10);
    ck_assert_int_eq(tw_look(&w, "SELECT MAX(due_at) - MIN(due_at) FROM job WHERE kind = 8"), 180);
    tw_await_calls(&w, "/poll/", 10);
}
END_TEST

START_TEST(a_poll_that_is_not_due_keeps_its_time)
{
    int64_t due_at = clock_now_ms() + 90000;

    add_poll(w.store.profile.id, "70", due_at, 0);
    tw_start(&w);
    ck_assert_int_eq(tw_look(&w, POLLS_DUE), due_at);
}
END_TEST

static void
set_up(void)
{
    tw_open(&w);
    quiet_ms = 100000;
    active_ms = 1000;
}

static void
tear_down(void)
{
    tw_close(&w);
}

static TCase *
polls(void)
{
    static const TTest *const *const tests[] = {
        &what_is_left_is_asked_for_at_once_as_long_as_it_gets_on, &a_send_makes_the_next_poll_come_soon,
        &news_that_should_have_come_before_move_the_position_back,
        &who_always_has_more_and_never_anything_is_not_asked_without_end,
        &a_send_leaves_a_failing_poll_alone, &a_send_during_a_poll_is_heeded_after_it,
        &trouble_makes_polls_no_rarer_than_silence, &a_wait_the_platform_names_is_kept,
        &who_has_the_updates_instead_is_shown_until_they_come_again, &a_dead_token_ends_the_polls,
        &a_stale_token_is_renewed_for_polls_too, &a_poll_whose_job_went_stores_nothing,
        &overdue_polls_are_spread_at_start, &a_poll_that_is_not_due_keeps_its_time,
    };
    TCase *c = tcase_create("polls");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, silence_makes_polls_rare, 0, COUNT(waits));
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, *tests[i]);
    return c;
}

TEST_CASES("polls", polls)
