/* postgres_test.c -- what only PostgreSQL's driver does: values of its types, connections that end, signals between
 * processes, addresses. */
#include "db/testing_postgres.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- values ---- */

static const struct {
    const char *sql;
    int64_t     number;
} numbers[] = {
    { "SELECT true", 1 },
    { "SELECT false", 0 },
    { "SELECT (-32768)::smallint", INT16_MIN },
    { "SELECT (-2147483648)::int", INT32_MIN },
    { "SELECT 9223372036854775807", INT64_MAX },
    { "SELECT (-9223372036854775808)::bigint", INT64_MIN },
    { "SELECT sum(n) FROM (VALUES (9223372036854775806::bigint), (1)) v (n)", INT64_MAX },
    { "SELECT sum(n) FROM (VALUES (9223372036854775807::bigint), (1)) v (n)", INT64_MAX },
    { "SELECT sum(n) FROM (VALUES (-9223372036854775807::bigint), (-1)) v (n)", INT64_MIN },
    { "SELECT sum(n) FROM (VALUES (-10000::bigint), (-1)) v (n)", -10001 },
    { "SELECT sum(n) FROM (VALUES (100000000::bigint)) v (n)", 100000000 },
    { "SELECT sum(n) FROM (VALUES (0::bigint)) v (n)", 0 },
    { "SELECT 12.9::numeric", 12 },
    { "SELECT 0.5::numeric", 0 },
    { "SELECT '-77'::text", -77 },
    { "SELECT NULL::bigint", 0 },
};

static bool
read_number(void *arg, struct db *db, struct error *e)
{
    int64_t *n = arg;

    return pg_get_int(db, numbers[n[0]].sql, &n[1], e);
}

START_TEST(whole_numbers_of_every_type)
{
    int64_t n[2] = { _i, 5 };

    COMMITTED(DB_READ, read_number, n);
    ck_assert_int_eq(n[1], numbers[_i].number);
}
END_TEST

static bool
read_much(void *arg, struct db *db, struct error *e)
{
    struct db_rows rows, inner;
    int64_t *sum = arg;

    if (!db_query(db, "SELECT n, repeat('x', 1000) FROM generate_series(1, 50000::bigint) n", DB_NO_ARGS, &rows, e))
        return false;
    while (db_next(&rows)) {
        *sum += db_col_int(&rows, 0) + (int64_t)db_col_peek(&rows, 1).len;
        if (db_col_int(&rows, 0) % 10000 == 0) { /* a query inside the loop of another */
            if (!db_query(db, "SELECT 7", DB_NO_ARGS, &inner, e))
                return false;
            *sum += db_next(&inner) ? db_col_int(&inner, 0) : 0;
            if (!db_finish(&inner, e))
                return false;
        }
    }
    return db_finish(&rows, e);
}

START_TEST(a_result_of_fifty_megabytes)
{
    int64_t sum = 0;

    COMMITTED(DB_READ, read_much, &sum);
    ck_assert_int_eq(sum, INT64_C(50000) * 50001 / 2 + INT64_C(50000) * 1000 + 35);
}
END_TEST

static bool
insert_many(void *arg, struct db *db, struct error *e)
{
    for (int64_t i = 1; i <= *(int64_t *)arg; i++)
        if (!pg_insert(db, i, e))
            return false;
    return true;
}

START_TEST(much_is_sent_before_anything_is_read)
{
    int64_t n = 2000;

    COMMITTED(DB_WRITE, insert_many, &n);
    ck_assert_int_eq(pg_items(), 2000);
}
END_TEST

/* ---- connections that end ---- */

static bool
read_pid(void *arg, struct db *db, struct error *e)
{
    return pg_get_int(db, "SELECT pg_backend_pid()", arg, e);
}

START_TEST(a_connection_that_ended_unused_is_replaced)
{
    int64_t pid = 0, new_pid = 0;
    enum db_mode mode = _i == 0 ? DB_READ : DB_WRITE;
    unsigned before;

    COMMITTED(mode, read_pid, &pid);
    before = line_changes(&pg.line);
    pg_kill(pid);
    while (line_changes(&pg.line) == before)
        sched_yield(); /* until our side has heard of it */
    COMMITTED(mode, read_pid, &new_pid);
    ck_assert_int_ne(pid, new_pid);
}
END_TEST

static bool killed;

static bool
killed_midway(void *arg, struct db *db, struct error *e)
{
    int64_t pid = 0;

    if (!pg_insert(db, *(int64_t *)arg, e) || !read_pid(&pid, db, e))
        return false;
    if (!killed)
        pg_kill(pid);
    killed = true;
    return pg_insert(db, *(int64_t *)arg + 100, e);
}

static bool
kill_later(struct db *db, void *arg, struct error *e)
{
    int64_t pid = 0;

    (void)arg;
    if (!read_pid(&pid, db, e))
        return false;
    if (!killed)
        pg_kill(pid);
    killed = true;
    return true;
}

static bool
killed_at_commit(void *arg, struct db *db, struct error *e)
{
    db_at_commit(db, kill_later, NULL);
    return pg_insert(db, *(int64_t *)arg, e);
}

START_TEST(a_connection_that_ends_midway_ends_its_batch)
{
    struct pg_job jobs[] = { { .run = pg_insert_one, .id = 1, .status = 503 },
                          { .run = _i == 0 ? killed_midway : killed_at_commit, .id = 2, .status = 503 },
                          { .run = pg_insert_one, .id = 3, .status = 503 } };

    pg_run_batch(jobs, 3);
    ck_assert_int_gt(jobs[0].txn.err.retry_after_ms, 0);
    ck_assert_int_eq(pg_items(), 0);
    for (int i = 0; i < 3; i++)
        jobs[i] = (struct pg_job){ .run = jobs[i].run, .id = jobs[i].id };
    pg_run_batch(jobs, 3);
    ck_assert_int_eq(pg_items(), _i == 0 ? 4 : 3);
}
END_TEST

START_TEST(a_read_whose_connection_ends_is_to_be_repeated)
{
    int64_t id = 1;

    ck_assert(!pg_runs(DB_READ, killed_midway, &id));
    ck_assert_int_eq(pg_items(), 0);
}
END_TEST

static bool
told_and_stored(void *arg, struct db *db, struct error *e)
{
    db_signal(db, 1, *(int64_t *)arg);
    return pg_insert(db, *(int64_t *)arg, e);
}

START_TEST(a_commit_that_did_not_arrive_is_an_outage)
{
    int64_t id = 1;

    line_fail(&pg.line, LINE_LOSES_COMMIT);
    ck_assert(!pg_runs(DB_WRITE, told_and_stored, &id));
    pg_ck_outage();
    ck_assert_int_eq(pg_items(), 0);
    COMMITTED(DB_WRITE, told_and_stored, &id);
    ck_assert_int_eq(pg_items(), 1);
}
END_TEST

/* The server is asked what became of it. */
START_TEST(a_commit_whose_answer_is_lost_is_done)
{
    int64_t id = 1;

    line_fail(&pg.line, LINE_LOSES_ANSWER);
    COMMITTED(DB_WRITE, told_and_stored, &id);
    pg_await_key(&pg.mine, 1);
    ck_assert_int_eq(pg_items(), 1);
    id = 2;
    COMMITTED(DB_WRITE, told_and_stored, &id);
    pg_await_key(&pg.theirs, 2);
}
END_TEST

START_TEST(a_server_that_is_away_and_comes_back)
{
    int64_t id = 1;

    line_cut(&pg.line);
    for (int i = 0; i < 3; i++) {
        ck_assert(!pg_runs(DB_WRITE, pg_insert_one, &id));
        pg_ck_outage();
        ck_assert(!pg_runs(DB_READ, pg_insert_one, &id));
        pg_ck_outage();
    }
    line_mend(&pg.line);
    COMMITTED(DB_WRITE, pg_insert_one, &id);
    ck_assert_int_eq(pg_items(), 1);
}
END_TEST

/* ---- signals ---- */

static bool
tell_and_fail(void *arg, struct db *db, struct error *e)
{
    db_signal(db, 1, *(int64_t *)arg);
    return error_set(e, 418, "as asked for");
}

static bool
tell_much(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    (void)e;
    for (int64_t i = 0; i < 2000; i++)
        db_signal(db, 7, INT64_MAX - i);
    return true;
}

START_TEST(signals_are_heard_by_others_and_once_by_oneself)
{
    int64_t key = -5;

    COMMITTED(DB_WRITE, told_and_stored, &(int64_t){ 5 });
    pg_await_key(&pg.theirs, 5);
    ck_assert_int_eq(pg.mine.count, 1);
    ck_assert(!pg_runs(DB_WRITE, tell_and_fail, &key));
    COMMITTED(DB_WRITE, told_and_stored, &(int64_t){ 6 });
    pg_await_key(&pg.theirs, 6);
    ck_assert_int_eq(pg.theirs.count, 2);
    COMMITTED(DB_WRITE, tell_much, NULL); /* more than one message holds; in order of their keys */
    pg_await_key(&pg.theirs, INT64_MAX);
    ck_assert_int_eq(pg.theirs.count, 2002);
    ck_assert_int_eq(pg.mine.count, 2002);
}
END_TEST

START_TEST(who_could_not_listen_knows)
{
    ck_assert_int_eq(pg.mine.missed, 0);
    line_cut(&pg.line);
    ck_assert(db_run(pg.other, DB_WRITE, told_and_stored, &(int64_t){ 1 }, &pg.err));
    line_mend(&pg.line);
    pg_await_missed(&pg.mine, 1);
    ck_assert(db_run(pg.other, DB_WRITE, told_and_stored, &(int64_t){ 2 }, &pg.err));
    pg_await_key(&pg.mine, 2);
    ck_assert_int_eq(pg.mine.count, 1);
}
END_TEST

/* ---- opening ---- */

static const struct {
    const char *url;
    int         status;
    const char *says;
} addresses[] = {
    { "postgres://u:sec%zzret@127.0.0.1/x", 400, "cannot be read. It looks like postgres://" },
    { "postgres://u:sec/ret@127.0.0.1/x", 400, "cannot be read" },
    { "postgres://u:sec@ret@127.0.0.1/x", 400, "cannot be read" },
    { "postgres://u:sec ret@127.0.0.1:port/x", 400, "cannot be read" },
    { "mysql://u:secret@127.0.0.1/x", 400, "cannot be read" },
    { "postgres://u:secret@127.0.0.1:1/x", 503, "Connection refused" },
    { "postgres://u:secret@127.0.0.1:1/x?connect_timeout=soon", 503, "connect_timeout" },
    { "postgres://u:secret@no-such-host.invalid/x", 503, "no-such-host.invalid" },
    { "postgres:///x?host=/nonexistent&password=secret", 503, "No such file or directory" },
    { "postgres://nobody-known:secret@/postgres?host=FOLDER", 503, "role \"nobody-known\" does not exist" },
    { "postgres://parley:secret@/no-such-database?host=FOLDER", 503, "\"no-such-database\" does not exist" },
};

START_TEST(an_address_that_leads_nowhere)
{
    const char *url = addresses[_i].url, *folder = strstr(url, "FOLDER");
    char text[PATH_MAX];
    struct db_engine *e;

    snprintf(text, sizeof(text), "%.*s%s", folder ? (int)(folder - url) : (int)strlen(url), url,
             folder ? getenv("PARLEY_TEST_POSTGRES_FOLDER") : "");
    ck_assert(!db_open(&(struct db_options){ .url = text }, &e, &pg.err));
    ck_assert_ptr_null(e);
    ck_assert_msg(pg.err.status == addresses[_i].status, "%d %s", pg.err.status, pg.err.message);
    ck_assert_msg(strstr(pg.err.message, addresses[_i].says) != NULL, "%s", pg.err.message);
    ck_assert_msg(!strstr(pg.err.message, "sec"), "%s", pg.err.message);
}
END_TEST

static TCase *
values_case(void)
{
    TCase *c = tcase_create("values");

    tcase_add_checked_fixture(c, pg_set_up, pg_tear_down);
    tcase_add_loop_test(c, whole_numbers_of_every_type, 0, COUNT(numbers));
    tcase_add_test(c, a_result_of_fifty_megabytes);
    tcase_add_test(c, much_is_sent_before_anything_is_read);
    return c;
}

static TCase *
outages_case(void)
{
    TCase *c = tcase_create("outages");

    tcase_add_checked_fixture(c, pg_set_up, pg_tear_down);
    tcase_add_loop_test(c, a_connection_that_ended_unused_is_replaced, 0, 2);
    tcase_add_loop_test(c, a_connection_that_ends_midway_ends_its_batch, 0, 2);
    tcase_add_test(c, a_read_whose_connection_ends_is_to_be_repeated);
    tcase_add_test(c, a_commit_that_did_not_arrive_is_an_outage);
    tcase_add_test(c, a_commit_whose_answer_is_lost_is_done);
    tcase_add_test(c, a_server_that_is_away_and_comes_back);
    return c;
}

static TCase *
others_case(void)
{
    TCase *c = tcase_create("others");

    tcase_add_checked_fixture(c, pg_set_up, pg_tear_down);
    tcase_add_test(c, signals_are_heard_by_others_and_once_by_oneself);
    tcase_add_test(c, who_could_not_listen_knows);
    tcase_add_loop_test(c, an_address_that_leads_nowhere, 0, COUNT(addresses));
    return c;
}

PG_TEST_CASES("postgres", values_case, outages_case, others_case)
