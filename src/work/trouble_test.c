/* trouble_test.c -- the database refuses, or the server is to stop at a bad moment: nothing is lost or done twice, and
 * what can go on does. */
#include "work/testing_worker.h"

#include <sched.h>

#include "base/clock.h"
#include "base/config.h"
#include "db/driver.h"
#include "work/seat.h"
#include "work/upkeep.h"

SCRIPTED_TELEGRAM;

static struct testing_worker w;

#define HOUR_MS   INT64_C(3600000)
#define LATE_MS   45000
#define UNDER_WAY "SELECT COUNT(*) FROM job WHERE kind = 10"

static void
listen_at(const char *path)
{
    struct webhook hook = { .events = INT64_C(1) << EVENT_MESSAGE_SENT, .event_names = STR("[\"message.sent\"]"),
                            .enabled = true, .concurrency = 1 };

    hook.url = arena_printf(&w.store.arena, "%.*s%s", STR_ARG(w.env.telegram_url), path);
    ck_assert_msg(webhook_create(w.store.db, &w.store.scope, &hook, w.store.now, &w.store.arena, &w.store.err),
                  "%s", w.store.err.message);
}

/* What was sent to anybody and is `a` cannot be stored: its id would be that of another message, too. */
static void
collide(void)
{
    struct chat other = ts_chat(&w.store, &w.store.profile, "9");

    ts_received(&w.store, &other, "x-a", "Hello");
    ts_exec(&w.store, "CREATE UNIQUE INDEX fault ON message (external_id)");
}

static void
await_failures(int64_t n)
{
    int64_t deadline_ms = clock_mono_ms() + LATE_MS;
    struct db_stats stats;

    do {
        ck_assert(clock_mono_ms() < deadline_ms);
        sched_yield();
        db_stats(w.engine, &stats);
    } while (stats.rollbacks < n);
    tw_exec(&w, "UPDATE workspace SET name = name"); /* and by then the worker has been told of them */
}

/* ---- one of many ---- */

/* Only what may have gone out already is marked as such, and one message too many is. */
START_TEST(of_a_batch_only_the_one_at_fault_waits)
{
    struct chat other = ts_chat(&w.store, &w.store.profile, "9");

    ts_received(&w.store, &other, "m1", "Hello");
    ts_exec(&w.store, "UPDATE message SET platform_data = '{\"possible_duplicate\":true}'");
    tw_write(&w, "1", "a");
    tw_write(&w, "2", "b");
    tw_write(&w, "3", "c");
    ts_exec(&w.store, "UPDATE job SET payload = 'interrupted'"
                      " WHERE record_id = (SELECT id FROM message WHERE body = 'b')");
    ts_exec(&w.store, "CREATE UNIQUE INDEX fault ON message (platform_data)");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_eq(tw_calls(&w, "/send/2/"), 0);
    ck_assert_int_eq(tw_look(&w, PENDING), 1);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 0);
    tw_exec(&w, "DROP INDEX fault");
    tw_await(&w, PUBLISHED, 3);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
}
END_TEST

START_TEST(what_was_answered_is_written_as_soon_as_it_can_be)
{
    collide();
    tw_write(&w, "1", "ab");
    tw_start(&w);
    await_failures(1);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 1);
    ck_assert_int_eq(tw_look(&w, PUBLISHED), 0);
    tw_exec(&w, "DROP INDEX fault");
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/1/a", "/send/1/b");
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
}
END_TEST

/* ---- stopping ---- */

START_TEST(a_stop_leaves_in_flight_what_cannot_be_written)
{
    collide();
    tw_write(&w, "1", "a");
    tw_start(&w);
    await_failures(1);
    tw_stop(&w, 0);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 1);
    ts_resume(&w.store);
    ts_exec(&w.store, "DROP INDEX fault");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
    ck_assert_int_eq(tw_calls(&w, "/send/1/a"), 2);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_endpoints)
{
    listen_at("/hook");
    tw_gate(&w, "/hook");
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await_calls(&w, "/hook", 1);
    tw_stop(&w, 0);
    tw_gate(&w, "");
    ck_assert_int_eq(tw_look(&w, UNDER_WAY " AND attempts = 0"), 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM delivery"), 0);
    ts_resume(&w.store);
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM delivery WHERE success = 1 AND attempt_number = 1", 1);
}
END_TEST

static void
let_go_in_the_end(struct mail *m)
{
    if (w.worker->closing) {
        pthread_mutex_lock(&w.lock);
        w.let_go = true;
        pthread_cond_broadcast(&w.changed);
        pthread_mutex_unlock(&w.lock);
    } else {
        mailbox_post(&w.worker->mailbox, m);
    }
}

static void
count_tasks(struct worker *worker, void *arg)
{
    *(int64_t *)arg = worker->tasks_count;
}

static void
await_tasks(int64_t n)
{
    int64_t deadline_ms = clock_mono_ms() + LATE_MS, is;

    do {
        ck_assert(clock_mono_ms() < deadline_ms);
        tw_on_loop(&w, count_tasks, &is);
    } while (is != n);
}

/* Three messages that were answered, one that is to go out and one whose file is to be fetched, all with the database
 * when time is up. */
START_TEST(what_comes_back_when_time_is_up_begins_nothing)
{
    struct mail end = { .open = let_go_in_the_end };
    struct draft d = { .has_media = true };
    struct chat c;
    struct message m;

    if (w.engine->driver->is_remote)
        return; /* there is more than one writer to hold */
    config.sends_per_profile = 3;
    collide();
    tw_write(&w, "1", "a");
    tw_write(&w, "2", "b");
    tw_write(&w, "3", "c");
    tw_write(&w, "4", "d");
    c = ts_chat(&w.store, &w.store.profile, "5");
    d.media = (struct attachment){ .type = ATTACH_FILE, .status = ATTACHMENT_PENDING };
    d.media.source_url = arena_printf(&w.store.arena, "%.*s/file", STR_ARG(w.env.telegram_url));
    ck_assert_msg(message_accept(w.store.db, &c, &d, w.store.now, &w.store.arena, &m, &w.store.err), "%s",
                  w.store.err.message);
    ts_exec(&w.store, "DELETE FROM job WHERE kind <> 1"); /* who they are is not asked */
    tw_gate(&w, "/send/");
    tw_start(&w);
    tw_await_calls(&w, "/send/", 3);
    tw_hold_writer(&w);
    tw_gate(&w, "");
    await_tasks(6); /* with the poll */
    mailbox_post(&w.worker->mailbox, &end);
    tw_stop(&w, 0);
    tw_let_writer_go(&w);
    ck_assert_int_eq(tw_calls(&w, "/file"), 0);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 3);
    ck_assert_int_eq(tw_look(&w, PUBLISHED), 2);
    ck_assert_int_eq(tw_look(&w, IN_FLIGHT), 2);
    ck_assert_int_eq(tw_look(&w, PENDING), 3);
    ts_resume(&w.store);
    ts_exec(&w.store, "DROP INDEX fault");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 5);
    ck_assert_int_eq(tw_calls(&w, "/file"), 1);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

/* ---- a database that lacks what is asked for; on PostgreSQL a statement that is prepared finds a table by any name */

static void
take_away(const char *table)
{
    tw_exec(&w, arena_printf(&w.store.arena, "ALTER TABLE %s RENAME TO %s_away", table, table).ptr);
}

static void
bring_back(const char *table)
{
    tw_exec(&w, arena_printf(&w.store.arena, "ALTER TABLE %s_away RENAME TO %s", table, table).ptr);
}

static void
tick(uv_timer_t *timer)
{
    uv_timer_set_repeat(timer, 10);
    uv_timer_again(timer);
}

static void
look_now(struct worker *worker, void *arg)
{
    (void)arg;
    worker->upkeep.pruned_mono_ms = 0;
    upkeep_hurry(worker);
    tick(&worker->setback.timer);
    seat_wake(seat_of(worker, w.store.profile.id));
}

static void
see_lead(struct worker *worker, void *arg)
{
    *(int64_t *)arg = worker->setback.lead_ms;
}

static int64_t
lead_ms(void)
{
    int64_t ms;

    tw_on_loop(&w, see_lead, &ms);
    return ms;
}

static const char *
later(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/send/1/a") == 0 ? "retry 7200000" : strncmp(call, "/poll/", 6) == 0 ? NULL : "done";
}

/* The clock is set back by an hour while the database refuses everything. */
START_TEST(what_could_not_be_done_is_done_when_it_can_be)
{
    int64_t due_at, lead, deadline_ms = clock_mono_ms() + LATE_MS;

    if (w.engine->driver->is_remote)
        return;
    w.script = later;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, WAITING, 1);
    due_at = tw_look(&w, "SELECT due_at FROM job WHERE kind = 1");
    lead = lead_ms();
    take_away("job");
    take_away("delivery");
    clock_set(clock_now_ms() - HOUR_MS);
    tw_on_loop(&w, look_now, NULL);
    await_failures(3); /* what is old, whose lanes are whose, what waits */
    ck_assert_int_gt(lead_ms(), lead - HOUR_MS / 2);
    bring_back("job");
    bring_back("delivery");
    while (lead_ms() > lead - HOUR_MS / 2)
        ck_assert(clock_mono_ms() < deadline_ms);
    ck_assert_int_le(tw_look(&w, "SELECT due_at FROM job WHERE kind = 1"), due_at - HOUR_MS);
    ck_assert_int_ge(tw_look(&w, "SELECT due_at FROM job WHERE kind = 1"), due_at - HOUR_MS - LATE_MS);
    ts_resume(&w.store);
    w.store.now = clock_now_ms();
    tw_write(&w, "2", "a");
    tw_go(&w);
    tw_await(&w, PUBLISHED, 1);
    clock_set(-1); /* forward moves nothing */
    while (lead_ms() < lead - HOUR_MS / 2)
        ck_assert(clock_mono_ms() < deadline_ms);
    ck_assert_int_le(tw_look(&w, "SELECT due_at FROM job WHERE kind = 1"), due_at - HOUR_MS);
}
END_TEST

static void
ck_starts(const char *missing)
{
    const struct worker_options options = { .engine = w.engine, .media = w.media, .env = &w.env };
    struct worker *worker;
    struct error err;

    take_away(missing);
    ck_assert(!worker_start(&options, &worker, &err));
    ck_assert_ptr_nonnull(strstr(err.message, missing));
    bring_back(missing);
}

START_TEST(a_start_that_is_refused_leaves_nothing)
{
    if (w.engine->driver->is_remote)
        return;
    tw_write(&w, "1", "a");
    ts_pause(&w.store);
    ck_starts("process");
    ck_starts("job");
    ts_resume(&w.store);
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
}
END_TEST

/* A lease that cannot be given up ends by itself. */
START_TEST(a_stop_does_not_wait_for_the_database)
{
    if (w.engine->driver->is_remote)
        return;
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM lane", 1);
    take_away("process");
    tw_stop(&w, 0);
    bring_back("process");
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM process"), 1);
}
END_TEST

START_TEST(many_places_do_not_make_a_look_endless)
{
    config.sends_per_profile = 5000;
    tw_write(&w, "1", "ab");
    tw_write(&w, "2", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 4);
}
END_TEST

#define OLD "SELECT COUNT(*) FROM event WHERE created_at = 1"

static void
prune_now(struct worker *worker, void *arg)
{
    (void)arg;
    worker->upkeep.pruned_mono_ms = 0;
    worker->upkeep.tick(&worker->upkeep.timer);
    upkeep_hurry(worker); /* while it is busy: once more, then */
}

START_TEST(of_what_is_old_one_piece_goes_after_the_other)
{
    ts_exec(&w.store, "DELETE FROM event");
    ts_exec(&w.store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
                      " INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)"
                      " SELECT i, 1, 0, 0, 0, 1, 1, '{}' FROM n");
    tw_start(&w);
    tw_on_loop(&w, prune_now, NULL);
    tw_await(&w, OLD, 0);
}
END_TEST

WORKER_TESTS("troubles", of_a_batch_only_the_one_at_fault_waits,
             what_was_answered_is_written_as_soon_as_it_can_be, a_stop_leaves_in_flight_what_cannot_be_written,
             a_stop_does_not_wait_for_endpoints, what_comes_back_when_time_is_up_begins_nothing,
             what_could_not_be_done_is_done_when_it_can_be, a_start_that_is_refused_leaves_nothing,
             a_stop_does_not_wait_for_the_database, many_places_do_not_make_a_look_endless,
             of_what_is_old_one_piece_goes_after_the_other)
