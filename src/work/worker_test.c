/* worker_test.c -- what the worker promises: order in a chat, nothing twice unless it must, nothing lost. */
#include "work/testing_worker.h"

#include <sched.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/random.h"
#include "work/task.h"

SCRIPTED_TELEGRAM;

static struct testing_worker w;

static const char *
otherwise(const char *call)
{
    return strncmp(call, "/poll/", 6) == 0 ? NULL : "done";
}

/* ---- order ---- */

START_TEST(messages_go_out_in_order)
{
    tw_write(&w, "7", "abc");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 3);
    CK_SENT(&w, "/send/7/a", "/send/7/b", "/send/7/c");
    ck_assert_int_eq(tw_look(&w, SENDS), 0);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 2"), 3);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE external_id = 'x-b'"), 1);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static const char *
twice_not_now(const char *call, int nth)
{
    return strcmp(call, "/send/7/a") == 0 && nth <= 2 ? "retry" : otherwise(call);
}

START_TEST(a_retry_keeps_the_order_of_its_chat)
{
    w.script = twice_not_now;
    tw_write(&w, "7", "abc");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 3);
    CK_SENT(&w, "/send/7/a", "/send/7/a", "/send/7/a", "/send/7/b", "/send/7/c");
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 7"), 2);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

START_TEST(chats_go_side_by_side)
{
    tw_gate(&w, "/send/");
    tw_write(&w, "1", "ab");
    tw_write(&w, "2", "ab");
    tw_write(&w, "3", "ab");
    tw_write(&w, "4", "ab");
    tw_start(&w);
    tw_await_calls(&w, "/send/", 4); /* all of them before any is answered */
    ck_assert_int_eq(tw_calls(&w, "/send/"), 4);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 4);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 8);
    for (int i = 0; i < 4; i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "/send/%d/", i + 1);
        ck_assert_int_eq(tw_calls(&w, prefix), 2);
        ck_assert_int_eq(tw_call(&w, prefix, 0)[8], 'a');
    }
}
END_TEST

static const char *
one_chat_must_wait(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/send/1/", 8) == 0 ? "retry 3600000" : otherwise(call);
}

START_TEST(a_chat_that_waits_holds_only_itself)
{
    w.script = one_chat_must_wait;
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await(&w, WAITING, 1);
    ts_resume(&w.store);
    tw_write(&w, "2", "ab");
    tw_go(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/1/a", "/send/2/a", "/send/2/b");
    ck_assert_int_eq(tw_look(&w, PENDING), 1);
    ck_assert_int_eq(tw_look(&w, SENDS), 2);
}
END_TEST

static const char *
account_must_wait_once(const char *call, int nth)
{
    return strncmp(call, "/send/1/", 8) == 0 && nth == 1 ? "account 400" : otherwise(call);
}

START_TEST(an_account_that_must_wait_holds_all)
{
    w.script = account_must_wait_once;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, WAITING, 1);
    ts_resume(&w.store);
    tw_write(&w, "2", "a");
    tw_go(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_ge(tw_call_ms(&w, "/send/1/a", 1) - tw_call_ms(&w, "/send/1/a", 0), 395); /* two clocks */
    ck_assert_int_ge(tw_call_ms(&w, "/send/2/a", 0) - tw_call_ms(&w, "/send/1/a", 0), 395); /* two clocks */
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
}
END_TEST

static const char *
account_is_full(const char *call, int nth)
{
    return strncmp(call, "/send/1/", 8) == 0 && nth == 1 ? "grows 400" : otherwise(call);
}

static const char *
too_many_for_a_while(const char *call, int nth)
{
    return strcmp(call, "/send/1/a") == 0 && nth <= 4 ? "grows 50" : otherwise(call);
}

/* More often than there are tries: it is not the message's fault. */
START_TEST(a_wait_that_nobody_names_grows_and_counts_no_try)
{
    config.retry_count = 2;
    w.script = too_many_for_a_while;
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    for (int i = 0; i < 4; i++)
        ck_assert_int_ge(tw_call_ms(&w, "/send/1/a", i + 1) - tw_call_ms(&w, "/send/1/a", i), 40 * (1 << i) - 5);
    CK_SENT(&w, "/send/1/a", "/send/1/a", "/send/1/a", "/send/1/a", "/send/1/a", "/send/1/b");
}
END_TEST

START_TEST(a_wait_that_nobody_names_is_the_accounts)
{
    w.script = account_is_full;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, WAITING, 1);
    ts_resume(&w.store);
    tw_write(&w, "2", "a");
    tw_go(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_ge(tw_call_ms(&w, "/send/2/a", 0) - tw_call_ms(&w, "/send/1/a", 0), 315); /* two clocks */
}
END_TEST

/* ---- ends ---- */

static const char *
refused(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/send/7/a") == 0 ? "fail" : otherwise(call);
}

START_TEST(a_refused_message_lets_the_next_go)
{
    w.script = refused;
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    CK_SENT(&w, "/send/7/a", "/send/7/b");
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE status = 5 AND error_message = 'Bad Request'"),
                     1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 8"), 1);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static const char *
never_now(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/send/7/a") == 0 ? "retry" : otherwise(call);
}

START_TEST(after_its_tries_a_message_fails)
{
    w.script = never_now;
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    CK_SENT(&w, "/send/7/a", "/send/7/a", "/send/7/a", "/send/7/a", "/send/7/b");
    ck_assert_int_eq(tw_look(&w, FAILED), 1);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static const char *
seven_times_told_to_wait(const char *call, int nth)
{
    return strcmp(call, "/send/7/a") == 0 && nth <= 7 ? "retry 5" : otherwise(call);
}

START_TEST(a_wait_the_platform_names_is_no_try)
{
    w.script = seven_times_told_to_wait;
    tw_write(&w, "7", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 8);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
}
END_TEST

static const char *
nobody_knows_then_wait(const char *call, int nth)
{
    return strncmp(call, "/send/", 6) != 0 ? otherwise(call) : nth == 1 ? "maybe" : nth == 2 ? "retry 5" : "done";
}

START_TEST(what_may_have_gone_out_says_so)
{
    w.script = nobody_knows_then_wait;
    tw_write(&w, "7", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
}
END_TEST

/* ---- crashes and stops ---- */

START_TEST(what_a_crash_left_in_flight_goes_again_and_says_so)
{
    bool taken;

    tw_write(&w, "7", "ab");
    ck_assert(job_mark_in_flight(w.store.db, ts_int(&w.store, "SELECT id FROM job WHERE kind = 1 AND state = 0"),
                                 &taken, &w.store.err));
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/a", "/send/7/b");
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL " AND body = 'a'"), 1);
}
END_TEST

START_TEST(a_stop_that_cannot_wait_leaves_all_for_the_next_start)
{
    tw_gate(&w, "/send/");
    tw_write(&w, "7", "abc");
    tw_start(&w);
    tw_await_calls(&w, "/send/", 1);
    tw_stop(&w, 0);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 1);
    ck_assert_int_eq(tw_look(&w, PENDING), 3);
    tw_gate(&w, "");
    ts_resume(&w.store);
    tw_start(&w);
    tw_await(&w, PUBLISHED, 3);
    CK_SENT(&w, "/send/7/a", "/send/7/a", "/send/7/b", "/send/7/c");
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static void *
stop_patiently(void *arg)
{
    (void)arg;
    worker_stop(w.worker, 10000);
    return NULL;
}

START_TEST(a_stop_waits_for_what_is_in_flight_and_begins_nothing)
{
    struct worker_stats stats;
    pthread_t stopper;

    tw_gate(&w, "/send/");
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await_calls(&w, "/send/", 1);
    tw_await_calls(&w, "/poll/", 1);
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_patiently, NULL), 0);
    do { /* it has begun to stop when it has let go of the poll */
        sched_yield();
        worker_stats(w.worker, &stats);
    } while (stats.jobs_running > 1);
    tw_gate(&w, "");
    pthread_join(stopper, NULL);
    w.worker = NULL;
    ck_assert_int_eq(tw_look(&w, PUBLISHED), 1);
    ck_assert_int_eq(tw_look(&w, PENDING), 1);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 0);
    CK_SENT(&w, "/send/7/a");
}
END_TEST

/* ---- files ---- */

static void
receive(const char *external_id, struct inbound_media *media, size_t n)
{
    struct chat c = ts_chat(&w.store, &w.store.profile, "7");
    struct inbound_event e = ts_inbound("7", external_id, "see", w.store.now);
    struct message m;
    bool stored;

    e.media = media;
    e.media_count = n;
    ck_assert_msg(message_receive(w.store.db, &c, &e, w.store.now, &w.store.arena, &m, &stored, &w.store.err), "%s",
                  w.store.err.message);
}

static void
receive_files(int n)
{
    for (int i = 0; i < n; i++) {
        struct str ref = arena_printf(&w.store.arena, "f%d", i);
        struct inbound_media media = { .type = ATTACH_FILE, .external_id = ref, .ref = ref };

        receive(ref.ptr, &media, 1);
    }
}

START_TEST(files_are_brought_home)
{
    receive_files(3);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 2 AND media IS NOT NULL AND size = 21", 3);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 2", 0);
}
END_TEST

static const char *
file_is_refused(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/media/f1") == 0 ? "fail" : otherwise(call);
}

START_TEST(a_file_that_is_not_to_be_had_says_why)
{
    w.script = file_is_refused;
    receive_files(2);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 3", 1);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 2", 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE external_id = 'f1'"
                                      " AND platform_data = '{\"media_error\":\"Bad Request\"}'"), 1);
}
END_TEST

START_TEST(a_message_unsent_meanwhile_says_nothing_of_its_file)
{
    w.script = file_is_refused;
    receive_files(2);
    tw_gate(&w, "/media/f1");
    tw_start(&w);
    tw_await_calls(&w, "/media/f1", 1);
    tw_exec(&w, "DELETE FROM attachment WHERE ref = 'f1'");
    tw_gate(&w, "");
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 2", 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE platform_data IS NULL"), 2);
}
END_TEST

START_TEST(a_file_of_a_message_unsent_meanwhile_is_forgotten)
{
    receive_files(1);
    tw_gate(&w, "/media/f0");
    tw_start(&w);
    tw_await_calls(&w, "/media/f0", 1);
    tw_exec(&w, "DELETE FROM attachment");
    tw_gate(&w, "");
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind IN (2, 15)", 0); /* kept, and thrown away by a job of its own */
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE platform_data IS NULL"), 1);
}
END_TEST

static _Atomic int places;

/* 1 for the first of the two, 10 for the second, each with what it is said to be. */
static void
look_at_place(const struct op *op)
{
    if (op->kind == OP_MEDIA && str_eq(op->message_id, STR("m9")) && op->media_count == 2)
        places += str_eq(op->media_ref, STR("first")) && op->media_type == ATTACH_IMAGE && op->media_index == 0    ? 1
                  : str_eq(op->media_ref, STR("second")) && op->media_type == ATTACH_VIDEO && op->media_index == 1 ? 10
                                                                                                                  : 100;
}

START_TEST(a_file_is_asked_for_by_its_message_and_place)
{
    struct inbound_media media[] = { { .type = ATTACH_IMAGE, .ref = STR("first") },
                                     { .type = ATTACH_VIDEO, .ref = STR("second") } };

    receive_files(1);
    receive("m9", media, 2);
    scripted_watch = look_at_place;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 2", 3);
    scripted_watch = NULL;
    ck_assert_int_eq(places, 11);
}
END_TEST

static const char *
file_is_never_there(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/media/", 7) == 0 ? "retry" : otherwise(call);
}

START_TEST(a_file_is_tried_eight_times_more)
{
    w.script = file_is_never_there;
    receive_files(1);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 3", 1);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 2", 0);
    ck_assert_int_eq(tw_calls(&w, "/media/"), 9);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message"
                                 " WHERE platform_data = '{\"media_error\":\"Not now\"}'"), 1);
}
END_TEST

static const char *
token_ends_at_a_file(const char *call, int nth)
{
    return strcmp(call, "/media/f0") == 0 && nth == 1 ? "token" : otherwise(call);
}

START_TEST(files_wait_for_a_valid_token)
{
    receive_files(4);
    ts_exec(&w.store, "UPDATE profile SET status = 2");
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 2 AND due_at > 4000000000000000", 4);
    ck_assert_int_eq(tw_calls(&w, "/media/"), 0);
    tw_reconnect(&w);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 2", 4);
}
END_TEST

/* With one at a time the others are known to the lane already, and begin after the token has died. */
START_TEST(a_token_that_ends_at_a_file_loses_none)
{
    config.sends_per_profile = 1;
    w.script = token_ends_at_a_file;
    receive_files(4);
    tw_start(&w);
    tw_await(&w, EXPIRED, 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM attachment WHERE status = 1"), 4);
    tw_reconnect(&w);
    tw_await(&w, "SELECT COUNT(*) FROM attachment WHERE status = 2", 4);
}
END_TEST

/* ---- polling ---- */

static const char *
two_updates(const char *call, int nth)
{
    if (strncmp(call, "/poll/", 6) != 0)
        return "done";
    if (strcmp(call, "/poll/") == 0)
        return nth == 1 ? "retry" : "done 41";
    return strcmp(call, "/poll/41") == 0 ? "done 42" : NULL;
}

START_TEST(polling_goes_on_from_where_it_stands)
{
    w.script = two_updates;
    tw_start(&w);
    tw_await_calls(&w, "/poll/42", 1);
    ck_assert_str_eq(tw_call(&w, "/poll/", 0), "/poll/");
    ck_assert_str_eq(tw_call(&w, "/poll/", 1), "/poll/");
    ck_assert_str_eq(tw_call(&w, "/poll/", 2), "/poll/41");
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE status = 1"), 2);
    ck_assert_int_eq(tw_look(&w, "SELECT poll_cursor FROM profile"), 42);
    tw_stop(&w, 0);
    ts_resume(&w.store);
    tw_start(&w);
    tw_await_calls(&w, "/poll/42", 2);
}
END_TEST

static bool
delete_profile(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return profile_delete(db, &w.store.profile, clock_now_ms(), err);
}

static const char *
an_update_for_a_dead_profile(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/poll/", 6) == 0 ? "done 43" : "done";
}

START_TEST(a_poll_that_outlives_its_profile_stores_nothing)
{
    struct worker_stats stats;
    struct error err;

    w.script = an_update_for_a_dead_profile;
    tw_gate(&w, "/poll/");
    tw_start(&w);
    tw_await_calls(&w, "/poll/", 1);
    ck_assert_msg(db_run(w.engine, DB_WRITE, delete_profile, NULL, &err), "%s", err.message);
    tw_await(&w, "SELECT COUNT(*) FROM profile", 0);
    tw_gate(&w, "");
    do { /* until its answer is dealt with, and not tried again for ever */
        sched_yield();
        worker_stats(w.worker, &stats);
    } while (stats.polls == 0 || stats.jobs_running > 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message"), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM job"), 0);
}
END_TEST

/* ---- backoff ---- */

START_TEST(waits_follow_the_list_and_scatter)
{
    static const int64_t list[] = { 1000, 10000, 60000 };
    int64_t low[6], high[6];

    memcpy(config.retry_ms, list, sizeof(list));
    config.retry_count = 3;
    random_seed(5);
    for (int attempts = 0; attempts < 6; attempts++) {
        low[attempts] = INT64_MAX;
        high[attempts] = 0;
        for (int i = 0; i < 500; i++) {
            int64_t ms = task_backoff_ms(attempts);

            low[attempts] = ms < low[attempts] ? ms : low[attempts];
            high[attempts] = ms > high[attempts] ? ms : high[attempts];
        }
    }
    for (int attempts = 0; attempts < 6; attempts++) {
        int64_t ms = list[attempts < 1 ? 0 : attempts > 3 ? 2 : attempts - 1];

        ck_assert_int_ge(low[attempts], ms * 80 / 100);
        ck_assert_int_lt(low[attempts], ms * 85 / 100);
        ck_assert_int_le(high[attempts], ms * 120 / 100);
        ck_assert_int_gt(high[attempts], ms * 115 / 100);
    }
}
END_TEST

static void
set_up(void)
{
    tw_open(&w);
}

static void
tear_down(void)
{
    tw_close(&w);
}

static TCase *
worker(void)
{
    static const TTest *const *const tests[] = {
        &messages_go_out_in_order, &a_retry_keeps_the_order_of_its_chat, &chats_go_side_by_side,
        &a_chat_that_waits_holds_only_itself, &an_account_that_must_wait_holds_all,
        &a_wait_that_nobody_names_grows_and_counts_no_try, &a_wait_that_nobody_names_is_the_accounts,
        &a_refused_message_lets_the_next_go, &after_its_tries_a_message_fails, &a_wait_the_platform_names_is_no_try,
        &what_may_have_gone_out_says_so, &what_a_crash_left_in_flight_goes_again_and_says_so,
        &a_stop_that_cannot_wait_leaves_all_for_the_next_start,
        &a_stop_waits_for_what_is_in_flight_and_begins_nothing,
        &files_are_brought_home, &a_file_that_is_not_to_be_had_says_why,
        &a_message_unsent_meanwhile_says_nothing_of_its_file, &a_file_of_a_message_unsent_meanwhile_is_forgotten,
        &a_file_is_asked_for_by_its_message_and_place,
        &a_file_is_tried_eight_times_more, &files_wait_for_a_valid_token, &a_token_that_ends_at_a_file_loses_none,
        &polling_goes_on_from_where_it_stands, &a_poll_that_outlives_its_profile_stores_nothing,
    };
    TCase *c = tcase_create("worker");

    tcase_add_checked_fixture(c, set_up, tear_down);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, *tests[i]);
    return c;
}

static TCase *
backoff(void)
{
    TCase *c = tcase_create("backoff");

    tcase_add_test(c, waits_follow_the_list_and_scatter);
    return c;
}

TEST_CASES("worker", worker, backoff)
