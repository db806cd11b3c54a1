/* What only PostgreSQL's driver does: sending ahead, several connections, lost ones, signals between processes. Needs
 * the server of tools/with-postgres. */
#include "base/testing.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/driver.h"
#include "db/testing_line.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct place place;
static struct line line;
static struct db_engine *engine, *other;
static struct error err;

/* ---- what is heard ---- */

struct ear {
    pthread_mutex_t lock;
    pthread_cond_t  heard;
    int             count, missed;
    int64_t         last;
};

static struct ear mine = { .lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER };
static struct ear theirs = { .lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER };

static void
note_signal(void *ctx, int topic, int64_t key)
{
    struct ear *ear = ctx;

    pthread_mutex_lock(&ear->lock);
    if (topic == DB_MISSED) {
        ear->missed++;
    } else {
        ear->count++;
        ear->last = key;
    }
    pthread_cond_broadcast(&ear->heard);
    pthread_mutex_unlock(&ear->lock);
}

static void
await_key(struct ear *ear, int64_t key)
{
    pthread_mutex_lock(&ear->lock);
    while (ear->last != key)
        pthread_cond_wait(&ear->heard, &ear->lock);
    pthread_mutex_unlock(&ear->lock);
}

static void
await_missed(struct ear *ear, int n)
{
    pthread_mutex_lock(&ear->lock);
    while (ear->missed < n)
        pthread_cond_wait(&ear->heard, &ear->lock);
    pthread_mutex_unlock(&ear->lock);
}

/* ---- fixture ---- */

static struct db_engine *
open_at(const char *url, struct ear *ear, bool pooled)
{
    struct db_options o = { .url = url, .writers = 1, .readers = 1, .on_signal = note_signal, .signal_ctx = ear,
                            .pooled = pooled };
    struct db_engine *e;

    ck_assert_msg(db_open(&o, &e, &err), "%s", err.message);
    e->writers[0].batch_ms = 60000; /* a batch stays together, however slow the machine */
    return e;
}

static void
set_up(void)
{
    static const struct db_migration schema[] = {
        { 1, "first", "CREATE TABLE item (id $KEY, number BIGINT, name TEXT);"
                      "INSERT INTO item (id, number) VALUES (-1, 0), (-2, 0)" },
    };

    place_make(&place);
    line_open(&line, &place);
    engine = open_at(line.url, &mine, false);
    other = open_at(place.url, &theirs, false);
    ck_assert_msg(db_migrate(engine, schema, 1, &err), "%s", err.message);
}

static void
tear_down(void)
{
    db_close(engine);
    db_close(other);
    line_close(&line);
    place_remove(&place);
}

/* As an administrator, on a connection of their own. */
static void
as_admin(const char *sql)
{
    PGconn *conn = PQconnectdb(place.url);
    PGresult *result = PQexec(conn, sql);

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK, "%s",
                  PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

static void
kill_backend(int64_t pid)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%lld, 5000)", (long long)pid);
    as_admin(sql);
}

/* ---- transactions ---- */

typedef bool run_function(void *arg, struct db *db, struct error *e);

static bool
runs(enum db_mode mode, run_function *run, void *arg)
{
    return db_run(engine, mode, run, arg, &err);
}

#define COMMITTED(mode, run, arg) ck_assert_msg(runs(mode, run, arg), "%s", err.message)

static bool
get_int(struct db *db, const char *sql, int64_t *out, struct error *e)
{
    return db_get_int(db, sql, DB_NO_ARGS, out, NULL, e);
}

static bool
count_items(void *arg, struct db *db, struct error *e)
{
    return get_int(db, "SELECT count(*) FROM item WHERE id > 0", arg, e);
}

static int64_t
items(void)
{
    int64_t n = -1;

    COMMITTED(DB_READ, count_items, &n);
    return n;
}

static bool
insert(struct db *db, int64_t id, struct error *e)
{
    return db_exec(db, "INSERT INTO item (id) VALUES ($1)", DB_ARGS(db_int(id)), NULL, e);
}

static bool
insert_one(void *arg, struct db *db, struct error *e)
{
    return insert(db, *(int64_t *)arg, e);
}

static void
ck_outage(void)
{
    ck_assert_msg(err.status == 503, "%d %s", err.status, err.message);
    ck_assert_int_gt(err.retry_after_ms, 0);
}

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

    return get_int(db, numbers[n[0]].sql, &n[1], e);
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
        if (!insert(db, i, e))
            return false;
    return true;
}

START_TEST(much_is_sent_before_anything_is_read)
{
    int64_t n = 2000;

    COMMITTED(DB_WRITE, insert_many, &n);
    ck_assert_int_eq(items(), 2000);
}
END_TEST

/* ---- batches ---- */

struct job {
    struct db_txn txn;
    run_function *run;
    int64_t       id;
    int           status, runs; /* expected; so far */
    sem_t         over;
};

static bool
job_run(struct db_txn *t, struct db *db, struct error *e)
{
    struct job *j = container_of(t, struct job, txn);

    j->runs++;
    return j->run(&j->id, db, e);
}

static void
job_done(struct db_txn *t)
{
    sem_post(&container_of(t, struct job, txn)->over);
}

static void
submit(struct db_engine *e, struct job *j)
{
    sem_init(&j->over, 0, 0);
    j->txn.run = job_run;
    j->txn.done = job_done;
    db_submit(e, DB_WRITE, &j->txn);
}

static sem_t gate_begun, gate_open;

/* Keeps the only writer busy, so that what is submitted meanwhile is one batch. */
static bool
stand_in_the_gate(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    (void)db;
    (void)e;
    sem_post(&gate_begun);
    sem_wait(&gate_open);
    return true;
}

static void
run_batch(struct job *jobs, size_t n)
{
    struct job gate = { .run = stand_in_the_gate };

    sem_init(&gate_begun, 0, 0);
    sem_init(&gate_open, 0, 0);
    submit(engine, &gate);
    sem_wait(&gate_begun);
    for (size_t i = 0; i < n; i++)
        submit(engine, &jobs[i]);
    sem_post(&gate_open);
    sem_wait(&gate.over);
    for (size_t i = 0; i < n; i++) {
        sem_wait(&jobs[i].over);
        ck_assert_msg(jobs[i].txn.err.status == jobs[i].status, "%zu: %d %s", i, jobs[i].txn.err.status,
                      jobs[i].txn.err.message);
    }
}

static const char late_sql[] = "UPDATE item SET name = 'late' WHERE id = $1";
static const char wrong_sql[] = "UPDATE item SET no_such_column = 1 WHERE id = $1";

/* Each refusal comes up after others were sent behind it. */
static bool
refused_row(void *arg, struct db *db, struct error *e)
{
    return insert(db, -1, e) && insert(db, *(int64_t *)arg, e);
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
    return insert(db, *(int64_t *)arg, e)
        && db_exec(db, late_sql, DB_ARGS(db_int(*(int64_t *)arg)), NULL, e);
}

static bool
refuse_later(struct db *db, void *arg, struct error *e)
{
    return insert(db, *(int64_t *)arg, e);
}

static bool
refused_at_the_end(void *arg, struct db *db, struct error *e)
{
    static int64_t there = -1;

    db_at_commit(db, refuse_later, &there);
    return insert(db, *(int64_t *)arg, e);
}

static bool
refused_by_us(void *arg, struct db *db, struct error *e)
{
    return insert(db, *(int64_t *)arg, e) && error_set(e, 418, "as asked for");
}

static const struct {
    run_function *run;
    int           status;
} refusals[] = {
    { refused_row, 500 }, { refused_statement, 500 }, { refused_at_the_end, 500 }, { refused_by_us, 418 },
};

START_TEST(a_refusal_is_only_its_own_transactions)
{
    struct job jobs[] = {
        { .run = insert_one, .id = 1 }, { .run = refusals[_i].run, .id = 2, .status = refusals[_i].status },
        { .run = use_late, .id = 3 },
    };

    run_batch(jobs, 3);
    ck_assert_int_eq(items(), 2);
    run_batch(&(struct job){ .run = refusals[_i].run, .id = 2, .status = refusals[_i].status }, 1);
    run_batch((struct job[]){ { .run = use_late, .id = 4 }, { .run = insert_one, .id = 5 } }, 2);
    ck_assert_int_eq(items(), 4);
}
END_TEST

static bool
too_slow(void *arg, struct db *db, struct error *e)
{
    return insert(db, *(int64_t *)arg, e)
        && db_exec(db, "SET LOCAL statement_timeout = 100", DB_NO_ARGS, NULL, e)
        && db_exec(db, "SELECT pg_sleep(60)", DB_NO_ARGS, NULL, e);
}

START_TEST(what_takes_too_long_ends_alone)
{
    struct job jobs[] = { { .run = insert_one, .id = 1 }, { .run = too_slow, .id = 2, .status = 503 },
                          { .run = insert_one, .id = 3 } };

    run_batch(jobs, 3);
    ck_assert_ptr_nonnull(strstr(jobs[1].txn.err.message, "took too long"));
    ck_assert_int_eq(items(), 2);
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
    run_batch((struct job[]){ { .run = first_of_two }, { .run = second_of_two } }, 2);
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
    struct job jobs[] = { { .run = insert_one, .id = 1 }, { .run = leave_and_fail, .status = 418 } };

    run_batch(jobs, 2);
    ck_assert_int_eq(items(), 1);
}
END_TEST

static bool
alone(void *arg, struct db *db, struct error *e)
{
    int64_t n = 0;

    if (!db_alone(db, 42, e) || !get_int(db, "SELECT number FROM item WHERE id = -1", &n, e))
        return false;
    if (arg)
        *(int64_t *)arg = n;
    return db_exec(db, "UPDATE item SET number = $1 WHERE id = -1", DB_ARGS(db_int(n + 1)), NULL, e);
}

/* Without the lock half of these would be lost. */
START_TEST(who_is_alone_sees_what_the_one_before_did)
{
    struct job a[20], b[20];
    int64_t n = -1;

    for (size_t i = 0; i < COUNT(a); i++) {
        a[i] = b[i] = (struct job){ .run = alone };
        submit(engine, &a[i]);
        submit(other, &b[i]);
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
    return meet(db, -1, container_of((int64_t *)arg, struct job, id)->runs == 1, e);
}

static bool
meet_from_there(void *arg, struct db *db, struct error *e)
{
    return meet(db, -2, container_of((int64_t *)arg, struct job, id)->runs == 1, e);
}

static bool
read_met(void *arg, struct db *db, struct error *e)
{
    return get_int(db, "SELECT sum(number) FROM item", arg, e);
}

START_TEST(two_that_wait_for_each_other_both_come_through)
{
    struct job a = { .run = meet_from_here }, b = { .run = meet_from_there };
    int64_t n = 0;

    pthread_barrier_init(&both, NULL, 2);
    submit(engine, &a);
    submit(other, &b);
    sem_wait(&a.over);
    sem_wait(&b.over);
    ck_assert_msg(a.txn.err.status == 0, "%s", a.txn.err.message);
    ck_assert_msg(b.txn.err.status == 0, "%s", b.txn.err.message);
    ck_assert_int_ge(a.runs + b.runs, 3);
    COMMITTED(DB_READ, read_met, &n);
    ck_assert_int_eq(n, 4);
}
END_TEST

/* ---- connections that end ---- */

static bool
read_pid(void *arg, struct db *db, struct error *e)
{
    return get_int(db, "SELECT pg_backend_pid()", arg, e);
}

START_TEST(a_connection_that_ended_unused_is_replaced)
{
    int64_t pid = 0, new_pid = 0;
    enum db_mode mode = _i == 0 ? DB_READ : DB_WRITE;

    COMMITTED(mode, read_pid, &pid);
    kill_backend(pid);
    COMMITTED(mode, read_pid, &new_pid);
    ck_assert_int_ne(pid, new_pid);
}
END_TEST

static bool killed;

static bool
killed_midway(void *arg, struct db *db, struct error *e)
{
    int64_t pid = 0;

    if (!insert(db, *(int64_t *)arg, e) || !read_pid(&pid, db, e))
        return false;
    if (!killed)
        kill_backend(pid);
    killed = true;
    return insert(db, *(int64_t *)arg + 100, e);
}

static bool
kill_later(struct db *db, void *arg, struct error *e)
{
    int64_t pid = 0;

    (void)arg;
    if (!read_pid(&pid, db, e))
        return false;
    if (!killed)
        kill_backend(pid);
    killed = true;
    return true;
}

static bool
killed_at_commit(void *arg, struct db *db, struct error *e)
{
    db_at_commit(db, kill_later, NULL);
    return insert(db, *(int64_t *)arg, e);
}

START_TEST(a_connection_that_ends_midway_ends_its_batch)
{
    struct job jobs[] = { { .run = insert_one, .id = 1, .status = 503 },
                          { .run = _i == 0 ? killed_midway : killed_at_commit, .id = 2, .status = 503 },
                          { .run = insert_one, .id = 3, .status = 503 } };

    run_batch(jobs, 3);
    ck_assert_int_gt(jobs[0].txn.err.retry_after_ms, 0);
    ck_assert_int_eq(items(), 0);
    for (int i = 0; i < 3; i++)
        jobs[i] = (struct job){ .run = jobs[i].run, .id = jobs[i].id };
    run_batch(jobs, 3);
    ck_assert_int_eq(items(), _i == 0 ? 4 : 3);
}
END_TEST

START_TEST(a_read_whose_connection_ends_is_to_be_repeated)
{
    int64_t id = 1;

    ck_assert(!runs(DB_READ, killed_midway, &id));
    ck_assert_int_eq(items(), 0);
}
END_TEST

static bool
told_and_stored(void *arg, struct db *db, struct error *e)
{
    db_signal(db, 1, *(int64_t *)arg);
    return insert(db, *(int64_t *)arg, e);
}

START_TEST(a_commit_that_did_not_arrive_is_an_outage)
{
    int64_t id = 1;

    line_fail(&line, LINE_LOSES_COMMIT);
    ck_assert(!runs(DB_WRITE, told_and_stored, &id));
    ck_outage();
    ck_assert_int_eq(items(), 0);
    COMMITTED(DB_WRITE, told_and_stored, &id);
    ck_assert_int_eq(items(), 1);
}
END_TEST

/* The server is asked what became of it. */
START_TEST(a_commit_whose_answer_is_lost_is_done)
{
    int64_t id = 1;

    line_fail(&line, LINE_LOSES_ANSWER);
    COMMITTED(DB_WRITE, told_and_stored, &id);
    await_key(&mine, 1);
    ck_assert_int_eq(items(), 1);
    id = 2;
    COMMITTED(DB_WRITE, told_and_stored, &id);
    await_key(&theirs, 2);
}
END_TEST

START_TEST(a_server_that_is_away_and_comes_back)
{
    int64_t id = 1;

    line_cut(&line);
    for (int i = 0; i < 3; i++) {
        ck_assert(!runs(DB_WRITE, insert_one, &id));
        ck_outage();
        ck_assert(!runs(DB_READ, insert_one, &id));
        ck_outage();
    }
    line_mend(&line);
    COMMITTED(DB_WRITE, insert_one, &id);
    ck_assert_int_eq(items(), 1);
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
    await_key(&theirs, 5);
    ck_assert_int_eq(mine.count, 1);
    ck_assert(!runs(DB_WRITE, tell_and_fail, &key));
    COMMITTED(DB_WRITE, told_and_stored, &(int64_t){ 6 });
    await_key(&theirs, 6);
    ck_assert_int_eq(theirs.count, 2);
    COMMITTED(DB_WRITE, tell_much, NULL); /* more than one message holds; in order of their keys */
    await_key(&theirs, INT64_MAX);
    ck_assert_int_eq(theirs.count, 2002);
    ck_assert_int_eq(mine.count, 2002);
}
END_TEST

START_TEST(who_could_not_listen_knows)
{
    ck_assert_int_eq(mine.missed, 0);
    line_cut(&line);
    ck_assert(db_run(other, DB_WRITE, told_and_stored, &(int64_t){ 1 }, &err));
    line_mend(&line);
    await_missed(&mine, 1);
    ck_assert(db_run(other, DB_WRITE, told_and_stored, &(int64_t){ 2 }, &err));
    await_key(&mine, 2);
    ck_assert_int_eq(mine.count, 1);
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
    ck_assert(!db_open(&(struct db_options){ .url = text }, &e, &err));
    ck_assert_ptr_null(e);
    ck_assert_msg(err.status == addresses[_i].status, "%d %s", err.status, err.message);
    ck_assert_msg(strstr(err.message, addresses[_i].says) != NULL, "%s", err.message);
    ck_assert_msg(!strstr(err.message, "sec"), "%s", err.message);
}
END_TEST

static bool
read_limit(void *arg, struct db *db, struct error *e)
{
    return get_int(db, "SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'", arg, e);
}

START_TEST(behind_a_pooler_a_connection_keeps_nothing)
{
    struct db_engine *pooled = open_at(place.url, &theirs, true);
    int64_t n = 0;

    for (int64_t id = 1; id < 4; id++)
        ck_assert_msg(db_run(pooled, DB_WRITE, insert_one, &id, &err), "%s", err.message);
    ck_assert(!db_run(pooled, DB_WRITE, refused_statement, &n, &err));
    ck_assert_msg(db_run(pooled, DB_WRITE, use_late, &(int64_t){ 4 }, &err), "%s", err.message);
    ck_assert_msg(db_run(pooled, DB_READ, read_limit, &n, &err), "%s", err.message);
    ck_assert_int_eq(n, 5000);
    ck_assert_msg(db_run(pooled, DB_READ, count_items, &n, &err), "%s", err.message);
    ck_assert_int_eq(n, 4);
    db_close(pooled);
}
END_TEST

static TCase *
values_case(void)
{
    TCase *c = tcase_create("values");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, whole_numbers_of_every_type, 0, COUNT(numbers));
    tcase_add_test(c, a_result_of_fifty_megabytes);
    tcase_add_test(c, much_is_sent_before_anything_is_read);
    return c;
}

static TCase *
batches_case(void)
{
    TCase *c = tcase_create("batches");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, a_refusal_is_only_its_own_transactions, 0, COUNT(refusals));
    tcase_add_test(c, what_takes_too_long_ends_alone);
    tcase_add_test(c, what_is_left_for_the_end_comes_when_all_have_run);
    tcase_add_test(c, what_an_undone_one_left_is_not_done);
    tcase_add_test(c, who_is_alone_sees_what_the_one_before_did);
    tcase_add_test(c, two_that_wait_for_each_other_both_come_through);
    return c;
}

static TCase *
outages_case(void)
{
    TCase *c = tcase_create("outages");

    tcase_add_checked_fixture(c, set_up, tear_down);
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

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, signals_are_heard_by_others_and_once_by_oneself);
    tcase_add_test(c, who_could_not_listen_knows);
    tcase_add_loop_test(c, an_address_that_leads_nowhere, 0, COUNT(addresses));
    tcase_add_test(c, behind_a_pooler_a_connection_keeps_nothing);
    return c;
}

int
main(void)
{
    TCase *(*const cases[])(void) = { values_case, batches_case, outages_case, others_case };

    if (!getenv("PARLEY_TEST_POSTGRES_FOLDER")) {
        puts("1..0 # SKIP tools/with-postgres is not around");
        return EXIT_SUCCESS;
    }
    return testing_run_cases("postgres", cases, COUNT(cases));
}
