/* kinds_test.c -- what the kinds of jobs have in common: one that went while it waited is nothing to do, and one whose
 * account has no valid token waits for it; and what becomes of the tie to an account that has an address of its own. */
#include "work/testing_worker.h"

#include "base/config.h"
#include "work/account.h"
#include "work/task.h"

SCRIPTED(CAN_ATTACH | CAN_PUSH | CAN_POLL, .title = "Telegram");

static struct testing_worker w;

#define HELD         "SELECT COUNT(*) FROM job WHERE due_at > 4000000000000000"
#define TOLD         "SELECT COUNT(*) FROM profile WHERE status_detail = "
#define WITH_PICTURE "SELECT COUNT(*) FROM chat WHERE avatar IS NOT NULL"

static void
add(enum job_kind kind, int64_t record_id, const char *payload, int64_t late_ms)
{
    struct job job = { .kind = kind, .lane_id = w.store.profile.id, .record_id = record_id,
                       .payload = str_of(payload), .due_at = w.store.now - late_ms };

    ck_assert_msg(job_add(w.store.db, &job, w.store.now, &w.store.err), "%s", w.store.err.message);
}

/* One job at a time, and the first of them with the platform until the gate opens. */
static void
start_behind_a_call(void)
{
    config.sends_per_profile = 1;
    add(JOB_HINT, w.store.profile.id, "m41", 10000);
    tw_gate(&w, "/message/m41");
    tw_start(&w);
    tw_await_calls(&w, "/message/m41", 1);
}

static int
calls_but(const char *prefix)
{
    return tw_calls(&w, "/") - tw_calls(&w, prefix) - tw_calls(&w, "/poll/");
}

START_TEST(what_went_while_it_waited_is_nothing_to_do)
{
    for (enum job_kind kind = JOB_SEND; kind < JOB_KINDS; kind++)
        if (kind != JOB_ERASE) /* which goes by what there is */
            add(kind, w.store.profile.id, "x", 1000 - (int64_t)kind);
    add(JOB_HINT, w.store.profile.id, "m42", 100);
    start_behind_a_call();
    tw_exec(&w, "DELETE FROM job WHERE payload = 'x'");
    tw_gate(&w, "");
    tw_await_calls(&w, "/message/m42", 1);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind <> 8", 0);
    ck_assert_int_eq(calls_but("/message/"), 0);
}
END_TEST

static void
receive_file(void)
{
    struct inbound_media media = { .type = ATTACH_FILE, .external_id = STR("f1"), .ref = STR("f1") };
    struct chat c = ts_chat(&w.store, &w.store.profile, "7");
    struct inbound_event e = ts_inbound("7", "m1", "see", w.store.now);
    struct message m;
    bool stored;

    e.media = &media;
    e.media_count = 1;
    ck_assert_msg(message_receive(w.store.db, &c, &e, w.store.now, &w.store.arena, &m, &stored, &w.store.err), "%s",
                  w.store.err.message);
}

START_TEST(who_has_no_valid_token_by_now_waits_for_it)
{
    const int64_t id = w.store.profile.id;

    tw_write(&w, "1", "a");
    receive_file();
    add(JOB_HINT, id, "m42", 100);
    add(JOB_REFRESH, id, "", 100);
    add(JOB_ANSWER_TAP, id, "t", 100);
    add(JOB_SUBSCRIBE, id, "", 100);
    add(JOB_CHECK, id, "", 100);
    add(JOB_MIRROR, 1, "", 100); /* of what is not there any more */
    start_behind_a_call();
    tw_exec(&w, "UPDATE profile SET status = 2");
    tw_gate(&w, "");
    tw_await(&w, HELD, 5);
    tw_await(&w, "SELECT COUNT(*) FROM job", 5);
    ck_assert_int_eq(tw_look(&w, HELD " AND kind IN (1, 2, 8, 13, 14)"), 5);
    ck_assert_int_eq(calls_but("/message/m41"), 0);
}
END_TEST

START_TEST(what_is_hinted_at_for_nobody_is_dropped)
{
    start_behind_a_call();
    tw_exec(&w, "UPDATE profile SET deleted_at = 1");
    tw_gate(&w, "");
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 14", 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message"), 0);
}
END_TEST

START_TEST(what_was_settled_meanwhile_is_not_sent)
{
    tw_write(&w, "1", "a");
    start_behind_a_call();
    tw_exec(&w, "UPDATE message SET status = 2");
    tw_gate(&w, "");
    tw_await(&w, SENDS, 0);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 0);
}
END_TEST

/* Between two transactions it may be deleted. */
START_TEST(nobody_waits_for_an_account_that_is_not_there)
{
    struct task t = { .lane_id = 42, .job = { .kind = JOB_HINT, .lane_id = 42, .due_at = w.store.now } };

    arena_init(&t.arena);
    ck_assert(job_add(w.store.db, &t.job, w.store.now, &w.store.err));
    ck_assert(task_await_account(&t, w.store.db, &w.store.err));
    ck_assert_int_eq(ts_int(&w.store, "SELECT COUNT(*) FROM job"), 0);
    arena_deinit(&t.arena);
}
END_TEST

/* ---- pictures ---- */

static const char *
with_picture(const char *call, int nth)
{
    (void)nth;
    if (strcmp(call, "/media/gone") == 0)
        return "fail";
    if (strcmp(call, "/participant/7") == 0)
        return "done face";
    return strcmp(call, "/participant/8") == 0 ? "done gone" : "done";
}

START_TEST(a_picture_is_kept_and_one_that_is_not_to_be_had_is_no_failure)
{
    w.script = with_picture;
    ts_chat(&w.store, &w.store.profile, "7");
    ts_chat(&w.store, &w.store.profile, "8");
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 3", 0);
    ck_assert_int_eq(tw_look(&w, WITH_PICTURE " AND participant_external_id = '7'"), 1);
    ck_assert_int_eq(tw_look(&w, WITH_PICTURE), 1);
}
END_TEST

START_TEST(a_picture_of_nobody_is_forgotten)
{
    w.script = with_picture;
    ts_chat(&w.store, &w.store.profile, "7");
    tw_gate(&w, "/media/face");
    tw_start(&w);
    tw_await_calls(&w, "/media/face", 1);
    tw_exec(&w, "UPDATE profile SET deleted_at = 1");
    tw_exec(&w, "DELETE FROM chat");
    tw_gate(&w, "");
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind IN (3, 15)", 0);
    ck_assert_int_eq(tw_calls(&w, "/media/face"), 1);
}
END_TEST

/* ---- an address of its own ---- */

static struct str
own_hook(void)
{
    w.env.public_url = STR("https://parley.example");
    return account_hook_url(&telegram, w.env.public_url, w.store.profile.id, &w.store.arena);
}

static void
subscribed(void)
{
    ck_assert(profile_subscribed(w.store.db, w.store.profile.id, own_hook(), STR("secret"), &w.store.err));
}

START_TEST(who_is_told_is_not_asked)
{
    subscribed();
    add(JOB_POLL, w.store.profile.id, "", 100);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 8", 0);
    ck_assert_int_eq(tw_calls(&w, "/poll/"), 0);
}
END_TEST

static const char *
not_now_then_done(const char *call, int nth)
{
    return strcmp(call, "/subscribe") == 0 && nth == 1 ? "retry" : "done";
}

START_TEST(a_new_address_is_made_known_with_a_new_secret)
{
    struct str hook = own_hook(), before = ts_text(&w.store, "SELECT webhook_secret FROM profile");

    w.script = not_now_then_done;
    tw_start(&w);
    tw_await_calls(&w, "/check", 1);
    ck_assert_int_eq(tw_calls(&w, "/subscribe"), 2);
    ck_assert(str_eq(tw_text(&w, "SELECT hook_url FROM profile"), hook));
    ck_assert(!str_eq(tw_text(&w, "SELECT webhook_secret FROM profile"), before));
}
END_TEST

START_TEST(whatever_finds_the_token_dead_holds_the_lane)
{
    if (_i == 0)
        (void)own_hook(); /* to be made known */
    else
        subscribed();
    add(JOB_ANSWER_TAP, w.store.profile.id, "t", _i == 2 ? 100 : -INT64_C(3600000));
    w.script = scripted_token_is_over;
    tw_start(&w);
    tw_await(&w, EXPIRED, 1);
    ck_assert_int_ge(tw_look(&w, HELD), 2);
}
END_TEST

static const char *
somebody_else_has_it(const char *call, int nth)
{
    return strcmp(call, "/check") == 0 && nth == 1 ? "done Somebody else has it" : "done";
}

START_TEST(what_a_check_says_is_shown)
{
    subscribed();
    w.script = somebody_else_has_it;
    tw_start(&w);
    tw_await(&w, TOLD "'Somebody else has it'", 1);
}
END_TEST

static const char *
once_not_now(const char *call, int nth)
{
    (void)call;
    return nth == 1 ? "retry" : "done";
}

START_TEST(a_tap_is_answered_also_at_the_second_try)
{
    add(JOB_ANSWER_TAP, w.store.profile.id, "t", 100);
    w.script = once_not_now;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 4", 0);
    ck_assert_int_eq(tw_calls(&w, "/tap/t"), 2);
}
END_TEST

/* ---- the end of an account ---- */

START_TEST(what_a_deleted_account_held_is_forgotten_with_its_files)
{
    subscribed();
    receive_file();
    ts_exec(&w.store, "UPDATE attachment SET status = 2, media = 'abcdefgh.txt'");
    w.store.profile.hook_url = own_hook();
    ck_assert(profile_delete(w.store.db, &w.store.profile, w.store.now, &w.store.err));
    w.script = once_not_now;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM profile", 0);
    tw_await(&w, "SELECT COUNT(*) FROM job", 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM chat"), 0);
    ck_assert_int_eq(tw_calls(&w, "/other/"), 2);
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
kinds(void)
{
    static const TTest *const *const tests[] = {
        &what_went_while_it_waited_is_nothing_to_do, &who_has_no_valid_token_by_now_waits_for_it,
        &what_is_hinted_at_for_nobody_is_dropped, &what_was_settled_meanwhile_is_not_sent,
        &nobody_waits_for_an_account_that_is_not_there,
        &a_picture_is_kept_and_one_that_is_not_to_be_had_is_no_failure, &a_picture_of_nobody_is_forgotten,
        &who_is_told_is_not_asked, &a_new_address_is_made_known_with_a_new_secret, &what_a_check_says_is_shown,
        &a_tap_is_answered_also_at_the_second_try, &what_a_deleted_account_held_is_forgotten_with_its_files,
    };
    TCase *c = tcase_create("kinds");

    tcase_add_checked_fixture(c, set_up, tear_down);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, *tests[i]);
    tcase_add_loop_test(c, whatever_finds_the_token_dead_holds_the_lane, 0, 3);
    return c;
}

TEST_CASES("kinds", kinds)
