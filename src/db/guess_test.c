/* guess_test.c -- db_exec_likely(): what was taken for granted and was not so changes nothing but the time it takes, on
 * either engine. */
#include "base/testing.h"

#include <semaphore.h>

#include "db/driver.h"
#include "db/testing.h"

static struct place place;
static struct db_engine *engine;
static struct error err;

static void
set_up(void)
{
    static const struct db_migration schema[] = {
        { 1, "first", "CREATE TABLE item (id $KEY);"
                      "CREATE TABLE total (n BIGINT NOT NULL);"
                      "INSERT INTO item (id) VALUES (7); INSERT INTO total VALUES (1)" },
    };
    struct db_options o = { .writers = 1 };

    place_make(&place);
    place_database(&place, &o);
    ck_assert_msg(db_open(&o, &engine, &err) && db_migrate(engine, schema, 1, &err), "%s", err.message);
    engine->writers[0].batch_ms = 60000; /* a batch stays together, however slow the machine */
}

static void
tear_down(void)
{
    db_close(engine);
    place_remove(&place);
}

/* ---- somebody who stores an item once ---- */

struct job {
    struct db_txn txn;
    int64_t       id;
    bool          is_shy;  /* fails where there was none */
    bool          is_gate; /* only keeps the writer busy */
    bool          is_new;  /* as it was told at last */
    int           runs;
    sem_t         over;
};

static sem_t gate_begun, gate_open;

static bool
job_run(struct db_txn *t, struct db *db, struct error *e)
{
    struct job *j = container_of(t, struct job, txn);

    if (j->is_gate) {
        sem_post(&gate_begun);
        sem_wait(&gate_open);
        return true;
    }
    j->runs++;
    if (!db_exec_likely(db, "INSERT INTO item (id) VALUES ($1) ON CONFLICT (id) DO NOTHING", DB_ARGS(db_int(j->id)),
                        &j->is_new, e))
        return false;
    if (j->is_new && j->is_shy)
        return error_set(e, 409, "There is none");
    return !j->is_new || db_exec(db, "UPDATE total SET n = n + 1", DB_NO_ARGS, NULL, e);
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
    db_submit(engine, DB_WRITE, &j->txn);
}

static void
run_batch(struct job *jobs, size_t n)
{
    struct job gate = { .is_gate = true };

    sem_init(&gate_begun, 0, 0);
    sem_init(&gate_open, 0, 0);
    submit(&gate);
    sem_wait(&gate_begun);
    for (size_t i = 0; i < n; i++)
        submit(&jobs[i]);
    sem_post(&gate_open);
    sem_wait(&gate.over);
    for (size_t i = 0; i < n; i++)
        sem_wait(&jobs[i].over);
}

static bool
read_totals(void *arg, struct db *db, struct error *e)
{
    int64_t *out = arg;

    return db_get_int(db, "SELECT COUNT(*) FROM item", DB_NO_ARGS, &out[0], NULL, e)
        && db_get_int(db, "SELECT n FROM total", DB_NO_ARGS, &out[1], NULL, e);
}

static void
ck_items(int64_t n)
{
    int64_t got[2];

    ck_assert_msg(db_run(engine, DB_READ, read_totals, got, &err), "%s", err.message);
    ck_assert_int_eq(got[0], n);
    ck_assert_int_eq(got[1], n);
}

/* ---- tests ---- */

START_TEST(what_is_so_is_done_once)
{
    struct job jobs[] = { { .id = 1 }, { .id = 2 }, { .id = 3 } };

    run_batch(jobs, COUNT(jobs));
    for (size_t i = 0; i < COUNT(jobs); i++) {
        ck_assert_int_eq(jobs[i].txn.err.status, 0);
        ck_assert(jobs[i].is_new);
        ck_assert_int_eq(jobs[i].runs, 1);
    }
    ck_items(4);
}
END_TEST

/* The later ones are asked as long as it remembers that it was wrong, and guessed about again after that. */
START_TEST(what_is_not_so_is_told_in_the_end)
{
    for (int i = 0; i < 30; i++) {
        struct job j = { .id = i % 3 == 0 ? 7 : 100 + i };

        run_batch(&j, 1);
        ck_assert_int_eq(j.txn.err.status, 0);
        ck_assert(j.is_new == (i % 3 != 0));
    }
    ck_items(21);
}
END_TEST

START_TEST(neighbours_of_a_wrong_guess_lose_nothing)
{
    struct job jobs[] = { { .id = 1 }, { .id = 7 }, { .id = 2 }, { .id = 2 }, { .id = 3 } };
    const bool is_new[] = { true, false, true, false, true };

    run_batch(jobs, COUNT(jobs));
    for (size_t i = 0; i < COUNT(jobs); i++) {
        ck_assert_int_eq(jobs[i].txn.err.status, 0);
        ck_assert(jobs[i].is_new == is_new[i]);
        ck_assert_int_le(jobs[i].runs, 2); /* no savepoints for that */
    }
    ck_items(4);
}
END_TEST

START_TEST(who_fails_for_a_wrong_guess_is_asked_again)
{
    struct job alone = { .id = 7, .is_shy = true }, really = { .id = 8, .is_shy = true };
    struct job jobs[] = { { .id = 1 }, { .id = 7, .is_shy = true }, { .id = 9, .is_shy = true }, { .id = 2 } };

    run_batch(&alone, 1);
    ck_assert_int_eq(alone.txn.err.status, 0);
    ck_assert(!alone.is_new);
    run_batch(&really, 1);
    ck_assert_int_eq(really.txn.err.status, 409);
    run_batch(jobs, COUNT(jobs));
    for (size_t i = 0; i < COUNT(jobs); i++)
        ck_assert_int_eq(jobs[i].txn.err.status, i == 2 ? 409 : 0);
    ck_items(3);
}
END_TEST

static TCase *
guesses(void)
{
    TCase *c = tcase_create("guesses");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, what_is_so_is_done_once);
    tcase_add_test(c, what_is_not_so_is_told_in_the_end);
    tcase_add_test(c, neighbours_of_a_wrong_guess_lose_nothing);
    tcase_add_test(c, who_fails_for_a_wrong_guess_is_asked_again);
    return c;
}

TEST_CASES("guess", guesses)
