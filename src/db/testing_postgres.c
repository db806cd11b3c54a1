#include "db/testing_postgres.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

struct testing_postgres pg = {
    .mine = { .lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER },
    .theirs = { .lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER },
};

/* ---- what is heard ---- */

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

void
pg_await_key(struct ear *ear, int64_t key)
{
    pthread_mutex_lock(&ear->lock);
    while (ear->last != key)
        pthread_cond_wait(&ear->heard, &ear->lock);
    pthread_mutex_unlock(&ear->lock);
}

void
pg_await_missed(struct ear *ear, int n)
{
    pthread_mutex_lock(&ear->lock);
    while (ear->missed < n)
        pthread_cond_wait(&ear->heard, &ear->lock);
    pthread_mutex_unlock(&ear->lock);
}

/* ---- fixture ---- */

struct db_engine *
pg_open_at(const char *url, struct ear *ear, bool pooled)
{
    struct db_options o = { .url = url, .writers = 1, .readers = 1, .on_signal = note_signal, .signal_ctx = ear,
                            .pooled = pooled };
    struct db_engine *e;

    ck_assert_msg(db_open(&o, &e, &pg.err), "%s", pg.err.message);
    e->writers[0].batch_ms = 60000; /* a batch stays together, however slow the machine */
    return e;
}

void
pg_set_up(void)
{
    static const struct db_migration schema[] = {
        { 1, "first", "CREATE TABLE item (id $KEY, number BIGINT, name TEXT);"
                      "INSERT INTO item (id, number) VALUES (-1, 0), (-2, 0)" },
    };

    place_make(&pg.place);
    line_open(&pg.line, &pg.place);
    pg.engine = pg_open_at(pg.line.url, &pg.mine, false);
    pg.other = pg_open_at(pg.place.url, &pg.theirs, false);
    ck_assert_msg(db_migrate(pg.engine, schema, 1, &pg.err), "%s", pg.err.message);
}

void
pg_tear_down(void)
{
    db_close(pg.engine);
    db_close(pg.other);
    line_close(&pg.line);
    place_remove(&pg.place);
}

/* As an administrator, on a connection of their own. */
static void
as_admin(const char *sql)
{
    PGconn *conn = PQconnectdb(pg.place.url);
    PGresult *result = PQexec(conn, sql);

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK, "%s",
                  PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

void
pg_kill(int64_t pid)
{
    char sql[80];

    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%lld, 5000)", (long long)pid);
    as_admin(sql);
}

/* ---- transactions ---- */

bool
pg_runs(enum db_mode mode, pg_function *run, void *arg)
{
    return db_run(pg.engine, mode, run, arg, &pg.err);
}

bool
pg_get_int(struct db *db, const char *sql, int64_t *out, struct error *e)
{
    return db_get_int(db, sql, DB_NO_ARGS, out, NULL, e);
}

bool
pg_count_items(void *arg, struct db *db, struct error *e)
{
    return pg_get_int(db, "SELECT count(*) FROM item WHERE id > 0", arg, e);
}

int64_t
pg_items(void)
{
    int64_t n = -1;

    COMMITTED(DB_READ, pg_count_items, &n);
    return n;
}

bool
pg_insert(struct db *db, int64_t id, struct error *e)
{
    return db_exec(db, "INSERT INTO item (id) VALUES ($1)", DB_ARGS(db_int(id)), NULL, e);
}

bool
pg_insert_one(void *arg, struct db *db, struct error *e)
{
    return pg_insert(db, *(int64_t *)arg, e);
}

void
pg_ck_outage(void)
{
    ck_assert_msg(pg.err.status == 503, "%d %s", pg.err.status, pg.err.message);
    ck_assert_int_gt(pg.err.retry_after_ms, 0);
}

/* ---- batches ---- */

static bool
job_run(struct db_txn *t, struct db *db, struct error *e)
{
    struct pg_job *j = container_of(t, struct pg_job, txn);

    j->runs++;
    return j->run(&j->id, db, e);
}

static void
job_done(struct db_txn *t)
{
    sem_post(&container_of(t, struct pg_job, txn)->over);
}

void
pg_submit(struct db_engine *e, struct pg_job *j)
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

void
pg_run_batch(struct pg_job *jobs, size_t n)
{
    struct pg_job gate = { .run = stand_in_the_gate };

    sem_init(&gate_begun, 0, 0);
    sem_init(&gate_open, 0, 0);
    pg_submit(pg.engine, &gate);
    sem_wait(&gate_begun);
    for (size_t i = 0; i < n; i++)
        pg_submit(pg.engine, &jobs[i]);
    sem_post(&gate_open);
    sem_wait(&gate.over);
    for (size_t i = 0; i < n; i++) {
        sem_wait(&jobs[i].over);
        ck_assert_msg(jobs[i].txn.err.status == jobs[i].status, "%zu: %d %s", i, jobs[i].txn.err.status,
                      jobs[i].txn.err.message);
    }
}

int
pg_run_cases(const char *suite_name, TCase *(*const *cases)(void), size_t n)
{
    if (!getenv("PARLEY_TEST_POSTGRES_FOLDER")) {
        puts("1..0 # SKIP tools/with-postgres is not around");
        return EXIT_SUCCESS;
    }
    return testing_run_cases(suite_name, cases, n);
}
