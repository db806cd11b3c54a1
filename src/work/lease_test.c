/* lease_test.c -- two workers on one database: what one has the other leaves alone, and what one lost it ends. */
#include "work/testing_worker.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/process.h"
#include "db/driver.h"
#include "store/lease.h"
#include "work/seat.h"
#include "work/upkeep.h"
#include "work/vigil.h"

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
    config.lease_ms = 600000; /* nobody lives to see it run out */
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
    config.lease_ms = 600000;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM lane", 1);
    second = started();
    tw_stop(&w, 1000);
    tw_use(&w, second); /* which is told of what is committed from now on */
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

/* ---- what a lane may be found in ---- */

static struct seat_lane *
the_seat(struct worker *worker)
{
    return seat_of(worker, w.store.profile.id);
}

static void
see_claim(struct worker *worker, void *arg)
{
    *(enum seat_claim *)arg = the_seat(worker)->claim;
}

START_TEST(a_lane_is_taken_up_again_when_what_began_is_over)
{
    enum seat_claim claim;

    config.sends_per_profile = 1;
    tw_gate(&w, "/send/1/a");
    tw_write(&w, "1", "ab");
    tw_write(&w, "2", "c"); /* known, and waiting for the place */
    tw_start(&w);
    tw_await_calls(&w, "/send/1/a", 1);
    tw_exec(&w, "UPDATE process SET until_at = 0");
    do
        tw_on_loop(&w, see_claim, &claim);
    while (claim != SEAT_FREE);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 3);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
}
END_TEST

static void
see_rest(struct worker *worker, void *arg)
{
    const struct seat_lane *seat = the_seat(worker);
    const struct task *poll = worker->tasks;

    *(bool *)arg = seat->claim == SEAT_OURS && seat_is_idle(seat) && poll && poll->at == TASK_CALLING && !poll->next;
}

/* Until the lane only polls. What tests see in the database, and at the platform, is not over on the loop yet. */
static void
await_rest(void)
{
    bool rests;

    do
        tw_on_loop(&w, see_rest, &rests);
    while (!rests);
}

/* The look was made under a lease that is over when it ends. */
static void
look_too_late(struct worker *worker, void *arg)
{
    (void)arg;
    worker_doubt_all(worker);
    seats_look(worker);
    ck_assert(the_seat(worker)->fetching);
    the_seat(worker)->term = NULL;
}

static void
find_it_others(struct worker *worker, void *arg)
{
    (void)arg;
    seat_claim(the_seat(worker), SEAT_OTHERS);
    worker_doubt_all(worker);
}

static void
forget_before_the_look(struct worker *worker, void *arg)
{
    struct seat_lane *other = seat_of(worker, 4242);

    (void)arg;
    seat_wake(other);
    seat_wake(the_seat(worker));
    ck_assert(other->looks_soon && the_seat(worker)->looks_soon);
    seat_forget(other);
}

START_TEST(whatever_becomes_of_a_claim_the_lane_goes_on)
{
    static const struct {
        void (*run)(struct worker *worker, void *arg);
        const char *text;
    } cases[] = { { look_too_late, "a" }, { find_it_others, "b" }, { forget_before_the_look, "c" } };

    config.lease_ms = 600000;
    tw_start(&w);
    for (int i = 0; i < 3; i++) {
        await_rest();
        tw_on_loop(&w, cases[i].run, NULL);
        ts_resume(&w.store);
        tw_write(&w, "1", cases[i].text);
        tw_go(&w);
        tw_await(&w, PUBLISHED, i + 1);
    }
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
}
END_TEST

/* ---- what would leave too late does not ---- */

static struct webhook hook;

static void
call_and_run_out(struct worker *worker, void *arg)
{
    (void)arg;
    seat_wake(seat_of(worker, hook.id));
    seats_look(worker);
    batches_send(worker);
    worker->tenure.term->until_mono_ms = 0;
}

START_TEST(a_delivery_that_came_too_late_is_no_try)
{
    int64_t event, queued;

    hook = (struct webhook){ .events = INT64_C(1) << EVENT_MESSAGE_SENT, .event_names = STR("[\"message.sent\"]"),
                             .enabled = true, .concurrency = 1 };
    hook.url = arena_printf(&w.store.arena, "%.*s/hook", STR_ARG(w.env.telegram_url));
    ck_assert(webhook_create(w.store.db, &w.store.scope, &hook, w.store.now, &w.store.arena, &w.store.err));
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM delivery WHERE success = 1", 1);
    ts_resume(&w.store);
    event = ts_int(&w.store, "SELECT event_id FROM delivery");
    ck_assert(webhook_replay_events(w.store.db, &hook, &event, 1, clock_now_ms(), &queued, &w.store.err));
    ts_pause(&w.store);
    tw_on_loop(&w, call_and_run_out, NULL);
    tw_await(&w, "SELECT COUNT(*) FROM delivery WHERE success = 1 AND attempt_number = 1", 2);
    ck_assert_int_eq(tw_calls(&w, "/hook"), 2);
}
END_TEST

/* ---- shares ---- */

#define HALVES "SELECT COUNT(*) FROM (SELECT 1 FROM lane GROUP BY process_id HAVING COUNT(*) = 2) AS halves"

static void
begin_round(struct worker *worker, void *arg)
{
    (void)arg;
    worker->upkeep.tick(&worker->upkeep.timer);
}

static void
see_round(struct worker *worker, void *arg)
{
    *(bool *)arg = upkeep_is_busy(worker);
}

START_TEST(idle_lanes_are_shared_and_busy_ones_are_not)
{
    bool busy;

    for (int i = 0; i < 4; i++) {
        struct profile p = i == 0 ? w.store.profile
                                  : ts_profile(&w.store, w.store.group.id,
                                               arena_printf(&w.store.arena, "500%d", i).ptr, "token");
        struct chat c = ts_chat(&w.store, &p, "1");

        ts_draft(&w.store, &c, "a");
    }
    tw_gate(&w, "/send/");
    tw_start(&w);
    tw_await_calls(&w, "/poll/", 4);
    tw_await_calls(&w, "/send/", 4);
    second = started();
    do
        tw_on_loop(&w, see_round, &busy);
    while (busy);
    tw_on_loop(&w, begin_round, NULL);
    do
        tw_on_loop(&w, see_round, &busy);
    while (busy);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM lane"), 4);
    ck_assert_int_eq(tw_look(&w, HALVES), 0);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 4);
    tw_await(&w, HALVES, 2);
    tw_await_calls(&w, "/poll/", 6);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 4);
}
END_TEST

/* ---- a neighbour dies ---- */

static void
watch_often(struct worker *worker, void *arg)
{
    const struct lease_census census = { .near = arg, .near_count = 1 };

    vigil_watch(worker, &census);
    uv_timer_set_repeat(&worker->vigil.timer, 10);
    uv_timer_again(&worker->vigil.timer);
}

static void
renew_soon(struct worker *worker, void *arg)
{
    (void)arg;
    uv_timer_set_repeat(&worker->tenure.timer, 10);
    uv_timer_again(&worker->tenure.timer);
}

START_TEST(a_lease_that_cannot_be_renewed_now_is_renewed_later)
{
    struct db_stats stats;

    if (w.engine->driver->is_remote)
        return; /* a statement that is prepared finds a table there by any name */
    config.lease_ms = 600000;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM lane", 1);
    tw_exec(&w, "UPDATE process SET until_at = until_at - 300000");
    tw_exec(&w, "ALTER TABLE process RENAME TO process_away");
    tw_on_loop(&w, renew_soon, NULL);
    do
        db_stats(w.engine, &stats);
    while (stats.rollbacks < 1);
    tw_exec(&w, "ALTER TABLE process_away RENAME TO process");
    tw_await(&w, arena_printf(&w.store.arena, "SELECT COUNT(*) FROM process WHERE until_at > %lld",
                              (long long)w.store.now + 400000).ptr, 1);
}
END_TEST

static struct str
mark_of_somebody_dead(void)
{
    char mark[PROCESS_MARK_MAX] = "";
    int ends[2];
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        process_mark(mark);
        _exit(write(ends[1], mark, sizeof(mark)) == sizeof(mark) ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(read(ends[0], mark, sizeof(mark)), sizeof(mark));
    close(ends[0]);
    close(ends[1]);
    return arena_copy(&w.store.arena, str_of(mark));
}

START_TEST(who_died_is_buried_as_soon_as_the_database_allows)
{
    struct str mark = mark_of_somebody_dead();
    struct db_stats stats;
    int64_t id;
    int node;

    if (w.engine->driver->is_remote)
        return; /* a statement that is prepared finds a table there by any name */
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM lane", 1);
    ts_resume(&w.store);
    ck_assert(lease_begin(w.store.db, false, w.store.now + 3600000, &id, &node, &w.store.err));
    ck_assert(db_exec(w.store.db, "UPDATE process SET mark = $2 WHERE id = $1", DB_ARGS(db_int(id), db_text(mark)),
                      NULL, &w.store.err));
    ts_exec(&w.store, "ALTER TABLE process RENAME TO process_away");
    ts_pause(&w.store);
    tw_on_loop(&w, watch_often, &mark);
    do
        db_stats(w.engine, &stats);
    while (stats.rollbacks < 2);
    tw_exec(&w, "ALTER TABLE process_away RENAME TO process");
    tw_await(&w, "SELECT COUNT(*) FROM process", 1);
    tw_await(&w, "SELECT COUNT(*) FROM process WHERE until_at > 0", 1);
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
    tcase_add_test(c, a_lane_is_taken_up_again_when_what_began_is_over);
    tcase_add_test(c, whatever_becomes_of_a_claim_the_lane_goes_on);
    tcase_add_test(c, a_delivery_that_came_too_late_is_no_try);
    tcase_add_test(c, idle_lanes_are_shared_and_busy_ones_are_not);
    tcase_add_test(c, a_lease_that_cannot_be_renewed_now_is_renewed_later);
    tcase_add_test(c, who_died_is_buried_as_soon_as_the_database_allows);
    return c;
}

TEST_CASES("leases", leases)
