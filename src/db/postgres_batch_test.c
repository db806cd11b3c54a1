/* postgres_batch_test.c -- several transactions in one commit of PostgreSQL's, sent ahead. */
#include "db/testing_postgres.h"

#include <stdio.h>

/* ---- refusals ---- */

static const char late_sql[] = "UPDATE item SET name = 'late' WHERE id = $1";
static const char wrong_sql[] = "UPDATE item SET no_such_column = 1 WHERE id = $1";

/* Each refusal comes up after others were sent behind it. */
static bool
refused_row(void *arg, struct db *db, struct error *e)
{
    return pg_insert(db, -1, e) && pg_insert(db, *(int64_t *)arg, e);
}

static bool
refused_statement(void *arg, struct db *db, struct error *e)
{
    return db_exec(db, wrong_sql, DB_ARGS(db_int(1)), NULL, e)
        && db_exec(db, late_sql, DB_ARGS(db_int(*(int64_t *)arg)), NULL, e);
}

/* What was skipped behind a refusal is not prepared. */
static bool
use_late(void *arg, struct db *db, struct error *e)
{
    return pg_insert(db, *(int64_t *)arg, e)
        && db_exec(db, late_sql, DB_ARGS(db_int(*(int64_t *)arg)), NULL, e);
}

static bool
refuse_later(struct db *db, void *arg, struct error *e)
{
    return pg_insert(db, *(int64_t *)arg, e);
}

static bool
refused_at_the_end(void *arg, struct db *db, struct error *e)
{
    static int64_t there = -1;

    db_at_commit(db, refuse_later, &there);
    return pg_insert(db, *(int64_t *)arg, e);
}

static bool
refused_by_us(void *arg, struct db *db, struct error *e)
{
    return pg_insert(db, *(int64_t *)arg, e) && error_set(e, 418, "as asked for");
}

static const struct {
    pg_function *run;
    int           status;
} refusals[] = {
    { refused_row, 500 }, { refused_statement, 500 }, { refused_at_the_end, 500 }, { refused_by_us, 418 },
};

START_TEST(a_refusal_is_only_its_own_transactions)
{
    struct pg_job jobs[] = {
        { .run = pg_insert_one, .id = 1 }, { .run = refusals[_i].run, .id = 2, .status = refusals[_i].status },
        { .run = use_late, .id = 3 },
    };

    pg_run_batch(jobs, 3);
    ck_assert_int_eq(pg_items(), 2);
    pg_run_batch(&(struct pg_job){ .run = refusals[_i].run, .id = 2, .status = refusals[_i].status }, 1);
    pg_run_batch((struct pg_job[]){ { .run = use_late, .id = 4 }, { .run = pg_insert_one, .id = 5 } }, 2);
    ck_assert_int_eq(pg_items(), 4);
}
END_TEST

static bool
too_slow(void *arg, struct db *db, struct error *e)
{
    return pg_insert(db, *(int64_t *)arg, e)
        && db_exec(db, "SET LOCAL statement_timeout = 100", DB_NO_ARGS, NULL, e)
        && db_exec(db, "SELECT pg_sleep(60)", DB_NO_ARGS, NULL, e);
}

START_TEST(what_takes_too_long_ends_alone)
{
    struct pg_job jobs[] = { { .run = pg_insert_one, .id = 1 }, { .run = too_slow, .id = 2, .status = 503 },
                          { .run = pg_insert_one, .id = 3 } };

    pg_run_batch(jobs, 3);
    ck_assert_ptr_nonnull(strstr(jobs[1].txn.err.message, "took too long"));
    ck_assert_int_eq(pg_items(), 2);
}
END_TEST

/* ---- what is left for the end ---- */

static char order[16];

static bool
note_order(struct db *db, void *arg, struct error *e)
{
    (void)db;
    (void)e;
    strcat(order, arg);
    return true;
}

static bool
first_of_two(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    (void)e;
    order[0] = '\0';
    strcat(order, "a");
    db_at_commit(db, note_order, arena_copy(db_memory(db), STR("A\0")).ptr ? "A" : "");
    return true;
}

static bool
second_of_two(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    (void)e;
    strcat(order, "b");
    db_at_commit(db, note_order, "B");
    return true;
}

START_TEST(what_is_left_for_the_end_comes_when_all_have_run)
{
    pg_run_batch((struct pg_job[]){ { .run = first_of_two }, { .run = second_of_two } }, 2);
    ck_assert_str_eq(order, "abAB");
}
END_TEST

static bool
never(struct db *db, void *arg, struct error *e)
{
    (void)db;
    (void)arg;
    return error_set(e, 500, "this was undone");
}

static bool
leave_and_fail(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    db_at_commit(db, never, NULL);
    return error_set(e, 418, "as asked for");
}

START_TEST(what_an_undone_one_left_is_not_done)
{
    struct pg_job jobs[] = { { .run = pg_insert_one, .id = 1 }, { .run = leave_and_fail, .status = 418 } };

    pg_run_batch(jobs, 2);
    ck_assert_int_eq(pg_items(), 1);
}
END_TEST

static bool
alone(void *arg, struct db *db, struct error *e)
{
    int64_t n = 0;

    if (!db_alone(db, 42, e) || !pg_get_int(db, "SELECT number FROM item WHERE id = -1", &n, e))
        return false;
    if (arg)
        *(int64_t *)arg = n;
    return db_exec(db, "UPDATE item SET number = $1 WHERE id = -1", DB_ARGS(db_int(n + 1)), NULL, e);
}

/* Without the lock half of these would be lost. */
START_TEST(who_is_alone_sees_what_the_one_before_did)
{
    struct pg_job a[20], b[20];
    int64_t n = -1;

    for (size_t i = 0; i < COUNT(a); i++) {
        a[i] = b[i] = (struct pg_job){ .run = alone };
        pg_submit(pg.engine, &a[i]);
        pg_submit(pg.other, &b[i]);
    }
    for (size_t i = 0; i < COUNT(a); i++) {
        sem_wait(&a[i].over);
        sem_wait(&b[i].over);
        ck_assert_int_eq(a[i].txn.err.status | b[i].txn.err.status, 0);
    }
    COMMITTED(DB_WRITE, alone, &n);
    ck_assert_int_eq(n, 40);
}
END_TEST

/* ---- two that are in each other's way ---- */

static pthread_barrier_t both;

static bool
meet(struct db *db, int64_t first, bool wait, struct error *e)
{
    static const char sql[] = "UPDATE item SET number = number + 1 WHERE id = $1";
    int64_t changed;

    if (!db_exec(db, sql, DB_ARGS(db_int(first)), &changed, e))
        return false;
    if (wait)
        pthread_barrier_wait(&both);
    return db_exec(db, sql, DB_ARGS(db_int(-3 - first)), NULL, e);
}

static bool
meet_from_here(void *arg, struct db *db, struct error *e)
{
    return meet(db, -1, container_of((int64_t *)arg, struct pg_job, id)->runs == 1, e);
}

static bool
meet_from_there(void *arg, struct db *db, struct error *e)
{
    return meet(db, -2, container_of((int64_t *)arg, struct pg_job, id)->runs == 1, e);
}

static bool
read_met(void *arg, struct db *db, struct error *e)
{
    return pg_get_int(db, "SELECT sum(number) FROM item", arg, e);
}

START_TEST(two_that_wait_for_each_other_both_come_through)
{
    struct pg_job a = { .run = meet_from_here }, b = { .run = meet_from_there };
    int64_t n = 0;

    pthread_barrier_init(&both, NULL, 2);
    pg_submit(pg.engine, &a);
    pg_submit(pg.other, &b);
    sem_wait(&a.over);
    sem_wait(&b.over);
    ck_assert_msg(a.txn.err.status == 0, "%s", a.txn.err.message);
    ck_assert_msg(b.txn.err.status == 0, "%s", b.txn.err.message);
    ck_assert_int_ge(a.runs + b.runs, 3);
    COMMITTED(DB_READ, read_met, &n);
    ck_assert_int_eq(n, 4);
}
END_TEST

/* ---- behind a pooler ---- */

static bool
read_limit(void *arg, struct db *db, struct error *e)
{
    return pg_get_int(db, "SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'", arg, e);
}

START_TEST(behind_a_pooler_a_connection_keeps_nothing)
{
    struct db_engine *pooled = pg_open_at(pg.place.url, &pg.theirs, true);
    int64_t n = 0;

    for (int64_t id = 1; id < 4; id++)
        ck_assert_msg(db_run(pooled, DB_WRITE, pg_insert_one, &id, &pg.err), "%s", pg.err.message);
    ck_assert(!db_run(pooled, DB_WRITE, refused_statement, &n, &pg.err));
    ck_assert_msg(db_run(pooled, DB_WRITE, use_late, &(int64_t){ 4 }, &pg.err), "%s", pg.err.message);
    ck_assert_msg(db_run(pooled, DB_READ, read_limit, &n, &pg.err), "%s", pg.err.message);
    ck_assert_int_eq(n, 5000);
    ck_assert_msg(db_run(pooled, DB_READ, pg_count_items, &n, &pg.err), "%s", pg.err.message);
    ck_assert_int_eq(n, 4);
    db_close(pooled);
}
END_TEST

static TCase *
batches_case(void)
{
    TCase *c = tcase_create("batches");

    tcase_add_checked_fixture(c, pg_set_up, pg_tear_down);
    tcase_add_loop_test(c, a_refusal_is_only_its_own_transactions, 0, COUNT(refusals));
    tcase_add_test(c, what_takes_too_long_ends_alone);
    tcase_add_test(c, what_is_left_for_the_end_comes_when_all_have_run);
    tcase_add_test(c, what_an_undone_one_left_is_not_done);
    tcase_add_test(c, who_is_alone_sees_what_the_one_before_did);
    tcase_add_test(c, two_that_wait_for_each_other_both_come_through);
    tcase_add_test(c, behind_a_pooler_a_connection_keeps_nothing);
    return c;
}

PG_TEST_CASES("postgres batches", batches_case)
