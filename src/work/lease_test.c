/* lease_test.c -- two workers on one database: what one has the other leaves alone, and what one lost it ends. */
#include "work/testing_worker.h"

#include "base/config.h"
#include "store/lease.h"

SCRIPTED_TELEGRAM;

static struct testing_worker w;
static struct worker *second;

static void
set_up(void)
{
    tw_open(&w);
    config.lease_ms = 2000;
}

static void
tear_down(void)
{
    worker_stop(second, 0);
    second = NULL;
    tw_close(&w);
}

static struct worker *
started(void)
{
    const struct worker_options options = { .engine = w.engine, .media = w.media, .env = &w.env };
    struct worker *worker;
    struct error err;

    ck_assert_msg(worker_start(&options, &worker, &err), "%s", err.message);
    worker_take_up(worker);
    return worker;
}

static bool
take_over(void *arg, struct db *db, struct error *err)
{
    bool *taken = arg;
    int64_t id;
    int node;

    /* as when our lease had run out, and somebody else had seen that */
    return db_exec(db, "UPDATE process SET until_at = 0", DB_NO_ARGS, NULL, err)
        && lease_begin(db, false, w.store.now + 3600000, &id, &node, err)
        && lane_take(db, w.store.profile.id, id, w.store.now, taken, err)
        && (*taken || error_set(err, 503, "Somebody is at work on it"));
}

static bool
give_back(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return db_exec(db, "DELETE FROM process WHERE until_at > $1", DB_ARGS(db_int(w.store.now + 1800000)), NULL, err);
}

START_TEST(two_workers_send_everything_once)
{
    tw_write(&w, "1", "abcde");
    tw_write(&w, "2", "fghij");
    tw_start(&w);
    second = started();
    worker_wake(second, w.store.profile.id);
    tw_await(&w, PUBLISHED, 10);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 10);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM lane"), 1);
}
END_TEST

START_TEST(who_ends_hands_over_at_once)
{
    config.lease_ms = 600000; /* nobody lives to see it run out */
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM lane", 1);
    second = started();
    tw_stop(&w, 1000);
    w.worker = second; /* which is told of what is committed from now on */
    second = NULL;
    ts_resume(&w.store);
    tw_write(&w, "1", "ab");
    ts_pause(&w.store);
    worker_signal(w.worker, TOPIC_LEASES, 0);
    worker_wake(w.worker, w.store.profile.id);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 2);
}
END_TEST

START_TEST(who_lost_a_lane_writes_down_and_sends_nothing_more)
{
    struct error err;
    bool taken = false;

    tw_gate(&w, "/send/1/a");
    tw_write(&w, "1", "ab");
    tw_start(&w);
    tw_await_calls(&w, "/send/1/a", 1);
    tw_await(&w, IN_FLIGHT, 1);
    while (!taken)
        (void)db_run(w.engine, DB_WRITE, take_over, &taken, &err);
    tw_gate(&w, "");
    tw_await(&w, "SELECT COUNT(*) FROM process WHERE until_at > 0", 2); /* it has begun anew */
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 1);
    ck_assert_int_eq(tw_look(&w, PUBLISHED), 0);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 1);
    ck_assert(db_run(w.engine, DB_WRITE, give_back, NULL, &err)); /* whoever had it dies: its trace is found */
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
    ck_assert_int_eq(tw_calls(&w, "/send/1/a"), 2);
    ck_assert_int_eq(tw_calls(&w, "/send/1/b"), 1);
}
END_TEST

static TCase *
leases(void)
{
    TCase *c = tcase_create("leases");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, two_workers_send_everything_once);
    tcase_add_test(c, who_ends_hands_over_at_once);
    tcase_add_test(c, who_lost_a_lane_writes_down_and_sends_nothing_more);
    return c;
}

TEST_CASES("leases", leases)
