/* event_order_test.c -- several processes add events at once; who reads "everything after this id" misses none. */
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "store/testing.h"

static struct testing_store s;

enum { WRITERS = 3, EACH = 60 };

#define ALL ((int64_t)WRITERS * EACH)

struct writing {
    struct db_engine *engine;
    pthread_t         thread;
    int64_t           ahead_ms; /* its clock's */
    bool              ok;
};

static bool
tell(void *arg, struct db *db, struct error *err)
{
    const struct writing *w = arg;

    return event_profile(db, EVENT_PROFILE_CONNECTED, &s.profile, s.now + w->ahead_ms, err);
}

static void *
write_all(void *arg)
{
    struct writing *w = arg;
    struct error err;

    w->ok = true;
    for (int i = 0; i < EACH; i++)
        w->ok = w->ok && db_run(w->engine, DB_WRITE, tell, w, &err);
    return NULL;
}

struct reading {
    int64_t last, count;
};

static bool
read_on(void *arg, struct db *db, struct error *err)
{
    static const struct event_filter all;
    struct reading *r = arg;
    struct event_page page;
    int64_t until;
    struct arena a;
    bool held, ok;

    arena_init(&a);
    ok = event_settled(db, 0, &until, &held, err)
      && event_list(db, s.scope.workspace_id, &all, r->last, until, 1000, 1000, MIB, &a, &page, err);
    if (ok) {
        r->count += (int64_t)page.count;
        r->last = page.last;
    }
    arena_deinit(&a);
    return ok;
}

START_TEST(no_event_is_committed_below_one_that_was_read)
{
    struct db_options options = { .busy_timeout_ms = 5000, .writers = 2 };
    int64_t deadline_ms = clock_mono_ms() + 20000;
    struct writing writers[WRITERS] = { { 0 } };
    struct reading r = { 0 };

    place_database(&s.place, &options);
    ts_pause(&s);
    OK(event_find_settled(s.engine, &s.err));
    OK(db_run(s.engine, DB_READ, read_on, &r, &s.err));
    r.count = 0;
    for (int i = 0; i < WRITERS; i++) {
        writers[i].ahead_ms = (int64_t)i * 5;
        OK(db_open(&options, &writers[i].engine, &s.err));
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]), 0);
    }
    while (r.count < ALL && clock_mono_ms() < deadline_ms)
        OK(db_run(s.engine, DB_READ, read_on, &r, &s.err));
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        ck_assert(writers[i].ok);
        db_close(writers[i].engine);
    }
    ts_resume(&s);
    ck_assert_int_eq(r.count, ALL);
}
END_TEST

/* ---- one transaction is open while others commit ---- */

static bool
is_only_one_writing(void)
{
    return !getenv("PARLEY_TEST_DATABASE_URL");
}

static void
tell_open(void)
{
    OK(event_profile(s.db, EVENT_PROFILE_DISCONNECTED, &s.profile, s.now, &s.err));
    ts_settle(&s);
}

static void
tell_through(void)
{
    struct writing w = { 0 };

    OK(db_run(s.engine, DB_WRITE, tell, &w, &s.err));
}

static struct reading
begin_reading(void)
{
    struct reading r = { 0 };

    ts_commit(&s);
    OK(event_find_settled(s.engine, &s.err));
    OK(db_run(s.engine, DB_READ, read_on, &r, &s.err));
    r.count = 0;
    return r;
}

/* Reads until there is something; what never comes ends the test. */
static void
read_until(struct reading *r, int64_t count)
{
    int64_t deadline_ms = clock_mono_ms() + 20000;

    while (r->count < count && clock_mono_ms() < deadline_ms)
        OK(db_run(s.engine, DB_READ, read_on, r, &s.err));
    ck_assert_int_eq(r->count, count);
}

START_TEST(one_that_commits_late_is_waited_for)
{
    struct reading r = begin_reading();
    int64_t first;

    if (is_only_one_writing())
        return;
    tell_open();
    first = ts_int(&s, "SELECT MAX(id) FROM event");
    for (int i = 0; i < 3; i++)
        tell_through();
    for (int64_t from_ms = clock_mono_ms(); clock_mono_ms() - from_ms < 200;)
        OK(db_run(s.engine, DB_READ, read_on, &r, &s.err));
    ck_assert_int_eq(r.count, 0);
    ck_assert_int_lt(r.last, first);
    ts_commit(&s);
    read_until(&r, 4);
}
END_TEST

START_TEST(one_that_is_given_up_is_not_waited_for)
{
    struct reading r = begin_reading();

    if (is_only_one_writing())
        return;
    tell_open();
    tell_through();
    ts_rollback(&s);
    tell_through();
    read_until(&r, 2);
    tell_open(); /* and again, with a fence that has been used */
    tell_through();
    ts_rollback(&s);
    read_until(&r, 3);
}
END_TEST

START_TEST(who_begins_to_read_meanwhile_misses_none)
{
    struct db_options options = { .busy_timeout_ms = 5000 };
    struct db_engine *late;
    struct reading r = begin_reading();
    int64_t all;

    if (is_only_one_writing())
        return;
    place_database(&s.place, &options);
    tell_open();
    tell_through();
    OK(db_open(&options, &late, &s.err));
    r = (struct reading){ 0 };
    for (int64_t from_ms = clock_mono_ms(); clock_mono_ms() - from_ms < 200;)
        ck_assert(!db_run(late, DB_READ, read_on, &r, &s.err) && s.err.status == 503);
    ts_commit(&s);
    OK(event_find_settled(late, &s.err));
    all = ts_int(&s, "SELECT COUNT(*) FROM event");
    while (r.count < all)
        OK(db_run(late, DB_READ, read_on, &r, &s.err));
    db_close(late);
}
END_TEST

STORE_TESTS("event_order", one_that_commits_late_is_waited_for, one_that_is_given_up_is_not_waited_for,
            who_begins_to_read_meanwhile_misses_none, no_event_is_committed_below_one_that_was_read)
