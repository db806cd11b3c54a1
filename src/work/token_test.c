/* token_test.c -- what becomes of an account's work while its token is stale, being renewed, or dead. */
#include "work/testing_worker.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "work/account.h"

SCRIPTED(CAN_ATTACH, .title = "Telegram");

static struct testing_worker w;

#define REFRESHES "SELECT COUNT(*) FROM job WHERE kind = 13"

static const char *
otherwise(const char *call)
{
    (void)call;
    return "done";
}

/* ---- credentials that no longer work ---- */

static const char *
first_token_is_over(const char *call, int nth)
{
    return strcmp(call, "/send/1/a") == 0 && nth == 1 ? "token" : otherwise(call);
}

START_TEST(a_dead_token_holds_the_lane_until_the_account_is_back)
{
    w.script = first_token_is_over;
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await(&w, EXPIRED, 1);
    tw_await(&w, WAITING, 2);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 12"), 1);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
    CK_SENT(&w, "/send/1/a");
    tw_reconnect(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/1/a", "/send/1/a", "/send/1/b");
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

/* The token dies while another chat's message is with the platform, which still takes it. */
START_TEST(what_was_under_way_when_the_token_died_is_counted_once)
{
    w.script = first_token_is_over;
    tw_gate(&w, "/send/2/");
    tw_write(&w, "2", "ab");
    tw_start(&w);
    tw_await_calls(&w, "/send/2/", 1);
    ts_resume(&w.store);
    tw_write(&w, "1", "a");
    tw_go(&w);
    tw_await(&w, EXPIRED, 1);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 1);
    tw_await(&w, WAITING, 2);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
    tw_reconnect(&w);
    tw_await(&w, PUBLISHED, 3);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

START_TEST(the_old_tokens_end_does_not_touch_the_new_one)
{
    w.script = first_token_is_over;
    tw_gate(&w, "/send/");
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await_calls(&w, "/send/", 1);
    tw_reconnect(&w);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/1/a", "/send/1/a", "/send/1/b");
    ck_assert_int_eq(tw_look(&w, EXPIRED), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 12"), 0);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

/* ---- stale ones ---- */

static const char *
stale_until_renewed(const char *call, int nth)
{
    if (strncmp(call, "/refresh/", 9) == 0)
        return "done new-token";
    return strcmp(call, "/send/1/a") == 0 && nth == 1 ? "stale" : "done";
}

START_TEST(a_stale_token_is_renewed_and_nothing_is_lost)
{
    w.script = stale_until_renewed;
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/1/a", "/send/1/a", "/send/1/b");
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
    ck_assert_str_eq(tw_call(&w, "/refresh/", 0), "/refresh/4242:first-token");
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 7"), 0); /* nobody is told of it */
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
    ck_assert_int_eq(tw_look(&w, REFRESHES " AND due_at > created_at + 3000000"), 1); /* the next, in an hour */
}
END_TEST

static bool
look_at_token(void *arg, struct db *db, struct error *err)
{
    struct account account;
    struct profile p;
    bool found;

    if (!profile_get(db, w.store.profile.id, &w.store.arena, &p, &found, err)
        || !profile_account(db, &p, &w.store.arena, &account, err))
        return false;
    *(struct str *)arg = account.token;
    return true;
}

START_TEST(the_new_token_is_kept)
{
    struct str token;
    struct error err;

    w.script = stale_until_renewed;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert(db_run(w.engine, DB_READ, look_at_token, &token, &err));
    ck_assert(str_eq(token, STR("new-token")));
}
END_TEST

static const char *
all_stale_at_first(const char *call, int nth)
{
    if (strncmp(call, "/refresh/", 9) == 0)
        return "done new-token";
    return nth == 1 ? "stale" : "done";
}

/* All of them went out with the old token, and come back after each other. */
START_TEST(many_stale_answers_ask_for_one_new_token)
{
    w.script = all_stale_at_first;
    tw_gate(&w, "/send/");
    for (char chat[] = "1"; chat[0] <= '8'; chat[0]++)
        tw_write(&w, chat, "a");
    tw_start(&w);
    tw_await_calls(&w, "/send/", 8);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 8);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 16);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

START_TEST(nothing_starts_until_the_token_is_new)
{
    w.script = stale_until_renewed;
    tw_gate(&w, "/refresh/");
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await_calls(&w, "/refresh/", 1);
    ts_resume(&w.store);
    tw_write(&w, "2", "a");
    tw_go(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 0", 2);
    CK_SENT(&w, "/send/1/a");
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
}
END_TEST

static const char *
stale_for_ever(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/refresh/", 9) == 0 ? "done new-token" : "stale";
}

START_TEST(a_new_token_that_is_called_stale_is_a_failure_like_any_other)
{
    w.script = stale_for_ever;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 5); /* the stale one, and a first try with its three retries */
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static const char *
renewed_at_the_fifth_try(const char *call, int nth)
{
    if (strncmp(call, "/refresh/", 9) == 0)
        return nth < 5 ? "retry" : "done new-token";
    return nth == 1 ? "stale" : "done";
}

START_TEST(a_token_is_renewed_however_often_that_fails)
{
    w.script = renewed_at_the_fifth_try;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    CK_SENT(&w, "/send/1/a", "/send/1/a");
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 5);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM profile WHERE status_detail IS NULL"), 1);
}
END_TEST

static const char *
renewed_later(const char *call, int nth)
{
    if (strcmp(call, "/refresh/4242:first-token") == 0)
        return nth < 4 ? "retry" : "retry 3600000";
    if (strncmp(call, "/refresh/", 9) == 0)
        return "done new-token";
    return nth == 1 ? "stale" : "done";
}

START_TEST(the_profile_says_that_its_token_is_not_renewed)
{
    w.script = renewed_later;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, REFRESHES " AND attempts = 4", 1);
    ck_assert(str_eq(tw_text(&w, "SELECT status_detail FROM profile"),
                     STR("Its access token could not be renewed yet: Not now")));
    ck_assert_int_eq(tw_look(&w, PENDING), 1);
    tw_reconnect(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM profile WHERE status_detail IS NULL"), 1);
}
END_TEST

static const char *
logins_are_used_up(const char *call, int nth)
{
    if (strncmp(call, "/refresh/", 9) == 0)
        return "account 3600000";
    return strcmp(call, "/send/1/a") == 0 && nth == 1 ? "stale" : "done";
}

START_TEST(a_renewal_that_is_told_to_wait_does_not_hold_what_a_reconnect_frees)
{
    w.script = logins_are_used_up;
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await(&w, REFRESHES " AND attempts = 1", 1);
    tw_reconnect(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
}
END_TEST

static const char *
refused_for_good(const char *call, int nth)
{
    if (strncmp(call, "/refresh/", 9) == 0)
        return "token";
    return nth == 1 ? "stale" : "done";
}

START_TEST(a_token_that_cannot_be_renewed_ends_the_connection)
{
    w.script = refused_for_good;
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await(&w, EXPIRED, 1);
    tw_await(&w, WAITING, 2);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
    w.script = stale_until_renewed;
    tw_reconnect(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

/* A reconnect comes while the old credentials are being renewed: what that brings is worth nothing. */
START_TEST(a_reconnect_wins_over_a_renewal)
{
    struct str token;
    struct error err;

    w.script = stale_until_renewed;
    tw_gate(&w, "/refresh/");
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await_calls(&w, "/refresh/", 1);
    tw_reconnect(&w);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 1);
    ck_assert(db_run(w.engine, DB_READ, look_at_token, &token, &err));
    ck_assert(str_eq(token, STR("4242:second-token")));
}
END_TEST

static const char *
not_renewed_at_first(const char *call, int nth)
{
    if (strcmp(call, "/refresh/4242:first-token") == 0)
        return "retry";
    return strcmp(call, "/send/1/a") == 0 && nth == 1 ? "stale" : "done";
}

START_TEST(a_renewal_that_fails_after_a_reconnect_is_none_of_it)
{
    w.script = not_renewed_at_first;
    tw_gate(&w, "/refresh/");
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await_calls(&w, "/refresh/", 1);
    tw_reconnect(&w);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_look(&w, REFRESHES " AND attempts > 0"), 0);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
}
END_TEST

START_TEST(a_renewal_waits_no_longer_than_minutes)
{
    int64_t now_ms;

    w.script = not_renewed_at_first;
    config.retry_ms[0] = 3600000;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, REFRESHES " AND attempts = 1", 1);
    now_ms = clock_now_ms();
    ck_assert_int_le(tw_look(&w, "SELECT due_at FROM job WHERE kind = 13"), now_ms + 300000);
    ck_assert_int_ge(tw_look(&w, "SELECT due_at FROM job WHERE kind = 13"), now_ms + 200000);
}
END_TEST

/* ---- planned ones ---- */

static bool
queue_refresh(void *arg, struct db *db, struct error *err)
{
    return account_queue_refresh(db, w.store.profile.id, *(int64_t *)arg, err);
}

START_TEST(who_asks_twice_gets_one)
{
    int64_t later = w.store.now + 90000, now = w.store.now;

    ck_assert(queue_refresh(&later, w.store.db, &w.store.err));
    ck_assert_int_eq(ts_int(&w.store, "SELECT due_at FROM job WHERE kind = 13"), later);
    ck_assert(queue_refresh(&now, w.store.db, &w.store.err));
    ck_assert_int_eq(ts_int(&w.store, "SELECT due_at FROM job WHERE kind = 13"), now);
    ck_assert_int_eq(ts_int(&w.store, REFRESHES), 1);
    ts_exec(&w.store, "UPDATE job SET attempts = 1, due_at = due_at + 5000 WHERE kind = 13");
    ck_assert(queue_refresh(&now, w.store.db, &w.store.err)); /* it has its own pace by now */
    ck_assert_int_eq(ts_int(&w.store, "SELECT due_at FROM job WHERE kind = 13"), now + 5000);
    tw_start(&w);
}
END_TEST

START_TEST(a_planned_renewal_holds_nobody_back)
{
    int64_t now = w.store.now;

    w.script = stale_until_renewed;
    tw_gate(&w, "/refresh/");
    ck_assert(queue_refresh(&now, w.store.db, &w.store.err));
    tw_write(&w, "2", "a");
    tw_start(&w);
    tw_await_calls(&w, "/refresh/", 1);
    tw_await(&w, PUBLISHED, 1);
}
END_TEST

static const char *
file_is_stale(const char *call, int nth)
{
    if (strncmp(call, "/refresh/", 9) == 0)
        return "done new-token";
    return strncmp(call, "/participant/", 13) == 0 && nth == 1 ? "stale" : "done";
}

START_TEST(other_jobs_wait_for_it_too)
{
    struct chat c = ts_chat(&w.store, &w.store.profile, "7");

    w.script = file_is_stale;
    ck_assert(chat_ask_participant(w.store.db, &c, w.store.now, &w.store.err));
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 3", 0);
    ck_assert_int_eq(tw_calls(&w, "/participant/"), 2);
    ck_assert_int_eq(tw_calls(&w, "/refresh/"), 1);
}
END_TEST

WORKER_TESTS("tokens", a_dead_token_holds_the_lane_until_the_account_is_back,
             what_was_under_way_when_the_token_died_is_counted_once,
             the_old_tokens_end_does_not_touch_the_new_one, a_stale_token_is_renewed_and_nothing_is_lost,
             the_new_token_is_kept, many_stale_answers_ask_for_one_new_token,
             nothing_starts_until_the_token_is_new,
             a_new_token_that_is_called_stale_is_a_failure_like_any_other,
             a_token_is_renewed_however_often_that_fails, the_profile_says_that_its_token_is_not_renewed,
             a_renewal_that_is_told_to_wait_does_not_hold_what_a_reconnect_frees,
             a_token_that_cannot_be_renewed_ends_the_connection, a_reconnect_wins_over_a_renewal,
             a_renewal_that_fails_after_a_reconnect_is_none_of_it, a_renewal_waits_no_longer_than_minutes,
             who_asks_twice_gets_one, a_planned_renewal_holds_nobody_back, other_jobs_wait_for_it_too)
