/* ahead_test.c -- db_ask_ahead(): what is asked before its turn is never older than what those before it made of it, on
 * either engine. */
#include "base/testing.h"

#include <semaphore.h>

#include "db/driver.h"
#include "db/testing.h"

enum { ITEMS = 100 };

static struct place place;
static struct db_engine *engine, *other;
static struct error err;

static void
set_up(void)
{
    static const struct db_migration schema[] = {
        { 1, "first", "CREATE TABLE item (id $KEY, n BIGINT NOT NULL)" },
    };
    struct db_options o = { .writers = 1 };

    place_make(&place);
    place_database(&place, &o);
    ck_assert_msg(db_open(&o, &engine, &err) && db_open(&o, &other, &err) && db_migrate(engine, schema, 1, &err), "%s",
                  err.message);
    engine->writers[0].batch_ms = 60000; /* a batch stays together, however slow the machine */
}

static void
tear_down(void)
{
    db_close(engine);
    db_close(other);
    place_remove(&place);
}

/* ---- somebody who counts an item up, in two steps: what was read a moment too early is a count that is lost ---- */

static const char *const read_sql[DB_GRIPS] = DB_GRIP_SQL("SELECT n FROM item WHERE id = $1", "");

struct job {
    struct db_txn txn;
    int64_t       id;
    int64_t       also;      /* the neighbour that it sets to 1000; 0 = none */
    bool          is_silent; /* does not say what it will ask for */
    bool          is_idle;   /* does nothing but say it */
    bool          fails;     /* in its second run, where it is alone, somebody else sets item 2 to 2000 */
    bool          is_wrong;  /* takes for likely that there is no item 1 yet */
    bool          is_gate;   /* only keeps the writer busy */
    int64_t       seen;      /* what it read; -1 = nothing */
    int           runs, asked;
    sem_t         over;
};

static sem_t gate_begun, gate_open;

static bool
job_ahead(struct db_txn *t, struct db *db)
{
    struct job *j = container_of(t, struct job, txn);

    j->asked++;
    return db_ask_ahead(db, read_sql[DB_GRIP_TRY], DB_ARGS(db_int(j->id)));
}

static bool
read_item(struct db *db, int64_t id, int64_t *n, struct error *e)
{
    enum db_grip grip = db_grip(db);
    bool found;

    *n = -1;
    if (!db_get_int(db, read_sql[grip], DB_ARGS(db_int(id)), n, &found, e))
        return false;
    if (found || grip != DB_GRIP_TRY)
        return true;
    return db_get_int(db, read_sql[DB_GRIP_NEEDLESS], DB_ARGS(db_int(id)), n, &found, e) && (!found || db_busy(db, e));
}

static bool
write_item(struct db *db, int64_t id, int64_t n, struct error *e)
{
    return db_exec(db, "INSERT INTO item (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
                   DB_ARGS(db_int(id), db_int(n)), NULL, e);
}

static bool
set_item(void *arg, struct db *db, struct error *e)
{
    const int64_t *pair = arg;

    return write_item(db, pair[0], pair[1], e);
}

static void
put(int64_t id, int64_t n)
{
    int64_t pair[] = { id, n };

    ck_assert_msg(db_run(other, DB_WRITE, set_item, pair, &err), "%s", err.message);
}

static bool
job_run(struct db_txn *t, struct db *db, struct error *e)
{
    struct job *j = container_of(t, struct job, txn);
    bool is_new;

    if (j->is_gate) {
        sem_post(&gate_begun);
        sem_wait(&gate_open);
        return true;
    }
    j->runs++;
    if (j->is_idle)
        return true;
    if (j->fails && j->runs == 2 && engine->driver->is_remote)
        put(2, 2000);
    if (!read_item(db, j->id, &j->seen, e)
        || !write_item(db, j->id, j->seen < 0 ? 1 : j->seen + 1, e)
        || (j->also && !write_item(db, j->also, 1000, e))
        || (j->is_wrong
            && !db_exec_likely(db, "INSERT INTO item (id, n) VALUES (1, 0) ON CONFLICT (id) DO NOTHING", DB_NO_ARGS,
                               &is_new, e)))
        return false;
    return !j->fails || error_set(e, 418, "as asked for");
}

static void
job_done(struct db_txn *t)
{
    sem_post(&container_of(t, struct job, txn)->over);
}

static void
submit(struct job *j)
{
    sem_init(&j->over, 0, 0);
    j->txn.run = job_run;
    j->txn.done = job_done;
    j->txn.ahead = j->is_silent || j->is_gate ? NULL : job_ahead;
    db_submit(engine, DB_WRITE, &j->txn);
}

static void
begin_batch(struct job *gate, struct job *jobs, size_t n)
{
    *gate = (struct job){ .is_gate = true };
    sem_init(&gate_begun, 0, 0);
    sem_init(&gate_open, 0, 0);
    submit(gate);
    sem_wait(&gate_begun);
    for (size_t i = 0; i < n; i++)
        submit(&jobs[i]);
    sem_post(&gate_open);
    sem_wait(&gate->over);
}

static void
await(struct job *j)
{
    sem_wait(&j->over);
    ck_assert_msg(j->txn.err.status == (j->fails ? 418 : 0), "%s", j->txn.err.message);
}

static void
run_batch(struct job *jobs, size_t n)
{
    struct job gate;

    begin_batch(&gate, jobs, n);
    for (size_t i = 0; i < n; i++)
        await(&jobs[i]);
}

static bool
get_item(void *arg, struct db *db, struct error *e)
{
    int64_t *pair = arg;

    return db_get_int(db, read_sql[DB_GRIP_NEEDLESS], DB_ARGS(db_int(pair[0])), &pair[1], NULL, e);
}

static void
ck_item(int64_t id, int64_t n)
{
    int64_t pair[] = { id, -1 };

    ck_assert_msg(db_run(engine, DB_READ, get_item, pair, &err), "%s", err.message);
    ck_assert_int_eq(pair[1], n);
}

/* ---- tests ---- */

/* Who breaks the promise shows that the answers came before anybody ran: the second does not see what the first did.
 * SQLite, where nothing is gained by it, is not asked. */
START_TEST(where_waiting_costs_something_all_are_answered_at_once)
{
    bool is_remote = engine->driver->is_remote;
    struct job jobs[] = { { .id = 1, .also = 2 }, { .id = 2 }, { .id = 3 } };

    put(1, 10);
    put(2, 20);
    put(3, 30);
    run_batch(jobs, COUNT(jobs));
    ck_assert_int_eq(jobs[1].seen, is_remote ? 20 : 1000);
    for (size_t i = 0; i < COUNT(jobs); i++)
        ck_assert_int_eq(jobs[i].asked, is_remote);
    ck_item(1, 11);
    ck_item(3, 31);
}
END_TEST

/* More than are asked for at once, and more than is sent before answers are read. */
START_TEST(many_are_asked_for_one_after_another)
{
    static struct job jobs[ITEMS];

    for (int i = 0; i < ITEMS; i++)
        put(i + 1, i);
    for (int i = 0; i < ITEMS; i++)
        jobs[i] = (struct job){ .id = i + 1 };
    run_batch(jobs, ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        ck_assert_int_eq(jobs[i].seen, i);
        ck_assert_int_eq(jobs[i].runs, 1);
        ck_item(i + 1, i + 1);
    }
}
END_TEST

START_TEST(the_second_for_a_row_sees_what_the_first_made_of_it)
{
    struct job jobs[] = { { .id = 1 }, { .id = 2 }, { .id = 1 }, { .id = 3 }, { .id = 1 }, { .id = 3 } };

    put(1, 10);
    put(2, 20);
    run_batch(jobs, COUNT(jobs)); /* and 3 is made by the first that asks for it */
    ck_assert_int_eq(jobs[2].seen, 11);
    ck_assert_int_eq(jobs[3].seen, -1);
    ck_item(1, 13);
    ck_item(2, 21);
    ck_item(3, 2);
}
END_TEST

START_TEST(who_says_nothing_may_change_what_others_ask_for)
{
    struct job jobs[] = {
        { .id = 1 }, { .id = 5, .also = 2, .is_silent = true }, { .id = 2 },
        { .id = 6, .also = 3, .is_silent = true }, { .id = 3 }, { .id = 4 },
    };

    for (int i = 1; i <= 4; i++)
        put(i, 0);
    run_batch(jobs, COUNT(jobs));
    ck_item(1, 1);
    ck_item(2, 1001);
    ck_item(3, 1001);
    ck_item(4, 1);
}
END_TEST

START_TEST(what_nobody_came_for_is_asked_again)
{
    struct job jobs[] = { { .id = 1 }, { .id = 2, .is_idle = true }, { .id = 5, .also = 2, .is_silent = true },
                          { .id = 2 }, { .id = 1 } };
    struct job unanswered[] = { { .id = 1, .is_idle = true }, { .id = 2, .is_idle = true },
                                { .id = 6, .is_silent = true }, { .id = 1 }, { .id = 2 } };

    for (int i = 1; i <= 2; i++)
        put(i, 0);
    run_batch(unanswered, COUNT(unanswered));
    run_batch(jobs, COUNT(jobs));
    ck_item(1, 3);
    ck_item(2, 1001);
    run_batch(jobs, 2);
    put(2, 0);
    run_batch(&jobs[3], 2);
    ck_item(2, 1);
}
END_TEST

START_TEST(who_fails_leaves_the_others_the_truth)
{
    struct job jobs[] = { { .id = 1 }, { .id = 1, .fails = true }, { .id = 2 }, { .id = 1 }, { .id = 3 } };
    int64_t second = engine->driver->is_remote ? 2000 : 0;

    for (int i = 1; i <= 3; i++)
        put(i, 0);
    for (int i = 1; i <= 3; i++) { /* the later ones with savepoints from the start */
        run_batch(jobs, COUNT(jobs));
        ck_item(1, INT64_C(2) * i);
        ck_item(2, second + i);
        ck_item(3, i);
    }
}
END_TEST

START_TEST(a_wrong_guess_undoes_what_was_answered_with_it)
{
    struct job jobs[] = { { .id = 2 }, { .id = 1, .is_wrong = true }, { .id = 3 }, { .id = 2 }, { .id = 3 } };

    for (int i = 1; i <= 3; i++)
        put(i, 0);
    run_batch(jobs, COUNT(jobs));
    ck_item(1, 1);
    ck_item(2, 2);
    ck_item(3, 2);
}
END_TEST

static bool
hold_item(void *arg, struct db *db, struct error *e)
{
    struct job *jobs = arg, gate;
    int64_t n;

    if (!read_item(db, 1, &n, e) || !write_item(db, 1, 100, e)) /* read first: a write may only be on its way yet */
        return false;
    begin_batch(&gate, jobs, 3);
    await(&jobs[1]);
    await(&jobs[2]);
    return true;
}

START_TEST(who_finds_the_row_taken_comes_later)
{
    struct job jobs[] = { { .id = 1 }, { .id = 2 }, { .id = 3 } };

    if (!engine->driver->is_remote) /* one that writes keeps all others out */
        return;
    for (int i = 1; i <= 3; i++)
        put(i, 0);
    ck_assert_msg(db_run(other, DB_WRITE, hold_item, jobs, &err), "%s", err.message);
    await(&jobs[0]);
    ck_item(1, 101);
    ck_item(2, 1);
    ck_item(3, 1);
}
END_TEST

static TCase *
ahead(void)
{
    TCase *c = tcase_create("ahead");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, where_waiting_costs_something_all_are_answered_at_once);
    tcase_add_test(c, many_are_asked_for_one_after_another);
    tcase_add_test(c, the_second_for_a_row_sees_what_the_first_made_of_it);
    tcase_add_test(c, who_says_nothing_may_change_what_others_ask_for);
    tcase_add_test(c, what_nobody_came_for_is_asked_again);
    tcase_add_test(c, who_fails_leaves_the_others_the_truth);
    tcase_add_test(c, a_wrong_guess_undoes_what_was_answered_with_it);
    tcase_add_test(c, who_finds_the_row_taken_comes_later);
    return c;
}

TEST_CASES("ahead", ahead)
