#include "base/testing.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/clock.h"
#include "db/driver.h"
#include "db/testing.h"

enum { JOBS_MAX = 512, TOLD_MAX = 64 };

static struct place place;
static struct db_engine *engine;
static struct error err;
static int batch_ms = 60 * 1000;

static struct {
    int     topic;
    int64_t key;
    int     answered_before; /* how many transactions had been answered when this was told */
    bool    visible;         /* was what it tells of in the database for everybody? */
} told[TOLD_MAX];
static int told_count;
static atomic_int answered;

static bool
count_items(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT count(*) FROM item", DB_NO_ARGS, arg, NULL, e);
}

static int64_t
items(void)
{
    int64_t n = -1;

    ck_assert_msg(db_run(engine, DB_READ, count_items, &n, &err), "%s", err.message);
    return n;
}

static bool
has_item(void *arg, struct db *db, struct error *e)
{
    bool found = false;
    int64_t id = *(int64_t *)arg;

    if (!db_get_int(db, "SELECT id FROM item WHERE id = $1", DB_ARGS(db_int(id)), &id, &found, e))
        return false;
    return found || error_set(e, 404, "none");
}

static void
note_signal(void *ctx, int topic, int64_t key)
{
    struct error e;

    (void)ctx;
    ck_assert_int_lt(told_count, TOLD_MAX);
    told[told_count].topic = topic;
    told[told_count].key = key;
    told[told_count].answered_before = atomic_load(&answered);
    told[told_count].visible = db_run(engine, DB_READ, has_item, &key, &e);
    told_count++;
}

static void
open_with(struct db_options options)
{
    static const struct db_migration schema[] = {
        { 1, "first", "CREATE TABLE item (id $KEY, number BIGINT UNIQUE, data $BLOB)" },
    };

    place_make(&place);
    options.path = place.file;
    options.on_signal = note_signal;
    ck_assert_msg(db_open(&options, &engine, &err), "%s", err.message);
    ck_assert_msg(db_migrate(engine, schema, 1, &err), "%s", err.message);
    atomic_store(&answered, 0);
    told_count = 0;
}

static void
set_up(void)
{
    open_with((struct db_options){ 0 });
}

static void
tear_down(void)
{
    db_close(engine);
    place_remove(&place);
}

/* ---- transactions to submit ---- */

struct job {
    struct db_txn txn;
    int64_t id, number;
    int     status_to_fail_with; /* 0 = succeed */
    int     signals;
    int     runs;
    int     place_in_line;       /* when it was answered, from 1 */
};

static struct job jobs[JOBS_MAX];

static bool
insert_job(struct db_txn *t, struct db *db, struct error *e)
{
    struct job *j = container_of(t, struct job, txn);

    if (!db_exec(db, "INSERT INTO item (id, number) VALUES ($1, $2)", DB_ARGS(db_int(j->id), db_int(j->number)),
                 NULL, e))
        return false;
    for (int i = 0; i < j->signals; i++)
        db_signal(db, 1, j->id);
    if (j->signals)
        db_signal(db, 2, 1); /* which all of them tell */
    return j->status_to_fail_with == 0 || error_set(e, j->status_to_fail_with, "as asked for");
}

static void
note_answer(struct db_txn *t)
{
    container_of(t, struct job, txn)->place_in_line = atomic_fetch_add(&answered, 1) + 1;
}

/* A transaction that keeps the writer busy until it is let go, so that what is submitted meanwhile is one
 * batch, however slow the machine. */
static struct {
    struct db_txn txn;
    sem_t begun, go, ended;
} gate;

static bool
gate_run(struct db_txn *t, struct db *db, struct error *e)
{
    (void)t;
    (void)db;
    (void)e;
    sem_post(&gate.begun);
    sem_wait(&gate.go);
    return true;
}

static void
gate_done(struct db_txn *t)
{
    (void)t;
    sem_post(&gate.ended);
}

static void
close_gate(void)
{
    sem_init(&gate.begun, 0, 0);
    sem_init(&gate.go, 0, 0);
    sem_init(&gate.ended, 0, 0);
    gate.txn = (struct db_txn){ .run = gate_run, .done = gate_done };
    engine->writers[0].batch_ms = batch_ms;
    db_submit(engine, DB_WRITE, &gate.txn);
    sem_wait(&gate.begun);
}

static void
submit(struct job *j)
{
    j->txn.run = insert_job;
    j->txn.done = note_answer;
    db_submit(engine, DB_WRITE, &j->txn);
}

static bool
nothing(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    (void)db;
    (void)e;
    return true;
}

/* Lets the gate go and waits for everything in the queue. */
static void
run_queue(void)
{
    sem_post(&gate.go);
    ck_assert(db_run(engine, DB_WRITE, nothing, NULL, &err));
}

static struct db_stats
stats(void)
{
    struct db_stats s;

    db_stats(engine, &s);
    return s;
}

/* ---- sharing commits ---- */

START_TEST(those_who_wait_together_share_a_commit)
{
    struct db_stats before, after;

    close_gate();
    before = stats();
    for (int i = 0; i < 100; i++) {
        jobs[i] = (struct job){ .id = i + 1, .number = i };
        submit(&jobs[i]);
    }
    ck_assert_int_eq(stats().waiting, 100);
    ck_assert_int_eq(atomic_load(&answered), 0);
    run_queue();
    after = stats();
    ck_assert_int_eq(items(), 100);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(jobs[i].txn.err.status, 0);
        ck_assert_int_eq(jobs[i].place_in_line, i + 1); /* in the order they came */
    }
    ck_assert_int_eq(after.transactions - before.transactions, 102);
    ck_assert_int_eq(after.rollbacks, 0);
    ck_assert_int_eq(after.waiting, 0);
    ck_assert_int_ge(after.batch_largest, 100);
    ck_assert_int_le(after.commits - before.commits, 3); /* of the gate, of all, and of the one that waited for them */
    ck_assert_int_gt(after.commit_us_total, 0);
}
END_TEST

START_TEST(one_that_fails_leaves_its_neighbours_alone)
{
    static const struct {
        int64_t id, number;
        int fails_with, status;
    } plan[] = {
        { 1, 10, 0, 0 },
        { 2, 10, 0, 500 },   /* the number is taken: a failed statement */
        { 3, 30, 0, 0 },
        { 4, 40, 404, 404 }, /* its own decision, after it had written */
        { 5, 50, 0, 0 },
    };
    int64_t id;

    close_gate();
    for (size_t i = 0; i < COUNT(plan); i++) {
        jobs[i] = (struct job){ .id = plan[i].id, .number = plan[i].number, .status_to_fail_with = plan[i].fails_with };
        submit(&jobs[i]);
    }
    run_queue();
    for (size_t i = 0; i < COUNT(plan); i++) {
        ck_assert_int_eq(jobs[i].txn.err.status, plan[i].status);
        id = plan[i].id;
        ck_assert_int_eq(db_run(engine, DB_READ, has_item, &id, &err), plan[i].status == 0);
    }
    ck_assert_ptr_nonnull(strstr(jobs[1].txn.err.message, "item.number"));
    ck_assert_int_eq(stats().rollbacks, 2);
}
END_TEST

START_TEST(one_that_fails_alone_is_rolled_back_too)
{
    jobs[0] = (struct job){ .id = 1, .status_to_fail_with = 409, .signals = 1 };
    submit(&jobs[0]);
    ck_assert(db_run(engine, DB_WRITE, nothing, NULL, &err));
    ck_assert_int_eq(jobs[0].txn.err.status, 409);
    ck_assert_int_eq(items(), 0);
    ck_assert_int_eq(told_count, 0);
}
END_TEST

/* Two keys of the first topic, the failed one's untold, and the key that all share told once. */
START_TEST(signals_are_told_once_and_only_of_what_is_committed)
{
    close_gate();
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .id = i + 1, .number = i, .signals = 3, .status_to_fail_with = i == 1 ? 422 : 0 };
        submit(&jobs[i]);
    }
    ck_assert_int_eq(told_count, 0);
    run_queue();
    ck_assert_int_eq(told_count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(told[i].visible);
        ck_assert_int_eq(told[i].answered_before, 0);
    }
    ck_assert_int_eq(told[0].topic, 1);
    ck_assert_int_eq(told[0].key, 1);
    ck_assert_int_eq(told[1].topic, 1);
    ck_assert_int_eq(told[1].key, 3);
    ck_assert_int_eq(told[2].topic, 2);
    ck_assert_int_eq(told[2].key, 1);
}
END_TEST

static bool
slow_insert(struct db_txn *t, struct db *db, struct error *e)
{
    int64_t until = clock_mono_ms() + 60;

    while (clock_mono_ms() < until)
        sched_yield();
    return insert_job(t, db, e);
}

START_TEST(slow_ones_do_not_wait_for_the_whole_batch)
{
    int64_t before;

    batch_ms = 50;
    close_gate();
    before = stats().commits;
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .id = i + 1, .number = i, .txn = { .run = slow_insert, .done = note_answer } };
        db_submit(engine, DB_WRITE, &jobs[i].txn);
    }
    run_queue();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jobs[i].place_in_line, i + 1);
    ck_assert_int_eq(items(), 3);
    ck_assert_int_eq(stats().waiting, 0);
    ck_assert_int_ge(stats().commits - before, 4); /* the gate and each of them, at least */
}
END_TEST

static void *
insert_many(void *arg)
{
    struct job *mine = arg;
    struct error e;

    for (int i = 0; i < 64; i++)
        submit(&mine[i]);
    ck_assert(db_run(engine, DB_WRITE, nothing, NULL, &e));
    return NULL;
}

START_TEST(many_threads_may_submit)
{
    pthread_t threads[8];

    for (int i = 0; i < JOBS_MAX; i++)
        jobs[i] = (struct job){ .id = i + 1, .number = i % 500, .signals = i < 20 };
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, insert_many, &jobs[(ptrdiff_t)64 * i]), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(items(), 500);
    for (int i = 0; i < 500; i++) {
        bool failed = jobs[i].txn.err.status != 0;
        bool twin_failed = i + 500 < JOBS_MAX && jobs[i + 500].txn.err.status != 0;

        ck_assert_int_eq(failed + twin_failed, i + 500 < JOBS_MAX); /* of two with one number, one was refused */
    }
    ck_assert_int_eq(stats().rollbacks, 12);
}
END_TEST

/* ---- the queue ---- */

START_TEST(a_full_queue_says_when_to_come_back)
{
    tear_down();
    open_with((struct db_options){ .queue_max = 2 });
    close_gate();
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .id = i + 1, .number = i };
        submit(&jobs[i]);
    }
    ck_assert_int_eq(jobs[2].place_in_line, 1); /* at once, before all others */
    ck_assert_int_eq(jobs[2].txn.err.status, 503);
    ck_assert_int_gt(jobs[2].txn.err.retry_after_ms, 0);
    sem_post(&gate.go);
    sem_wait(&gate.ended);
    while (atomic_load(&answered) < 3)
        sched_yield();
    ck_assert_int_eq(items(), 2);
}
END_TEST

START_TEST(a_batch_has_a_bound)
{
    tear_down();
    open_with((struct db_options){ .batch_max = 4 });
    close_gate();
    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct job){ .id = i + 1, .number = i };
        submit(&jobs[i]);
    }
    run_queue();
    ck_assert_int_eq(stats().batch_largest, 4);
    ck_assert_int_eq(items(), 10);
}
END_TEST

static void *
close_engine(void *arg)
{
    db_close(arg);
    return NULL;
}

/* Once the engine is closing, what is queued still runs and what comes is refused. */
static void
submit_while_closing(struct db_txn *t)
{
    bool closing = false;

    (void)t;
    while (!closing) {
        pthread_mutex_lock(&engine->writes.lock);
        closing = engine->writes.closing;
        pthread_mutex_unlock(&engine->writes.lock);
        sched_yield();
    }
    submit(&jobs[20]);
}

START_TEST(closing_finishes_what_is_queued)
{
    pthread_t closer;

    close_gate();
    gate.txn.done = submit_while_closing;
    for (int i = 0; i < 21; i++)
        jobs[i] = (struct job){ .id = i + 1, .number = i };
    for (int i = 0; i < 20; i++)
        submit(&jobs[i]);
    ck_assert_int_eq(pthread_create(&closer, NULL, close_engine, engine), 0);
    sem_post(&gate.go);
    pthread_join(closer, NULL);
    ck_assert_int_eq(atomic_load(&answered), 21);
    ck_assert_int_eq(jobs[20].txn.err.status, 503);
    ck_assert_ptr_nonnull(strstr(jobs[20].txn.err.message, "shutting down"));
    ck_assert(db_open(&(struct db_options){ .path = place.file }, &engine, &err));
    ck_assert_int_eq(items(), 20);
}
END_TEST

/* ---- answers through a mailbox ---- */

static struct {
    struct mailbox box;
    pthread_t thread;
    int left;
} loop_side;

static void
done_on_loop(struct db_txn *t)
{
    ck_assert(pthread_equal(pthread_self(), loop_side.thread));
    note_answer(t);
    if (--loop_side.left == 0)
        mailbox_close(&loop_side.box);
}

START_TEST(answers_arrive_on_the_loop_that_asked)
{
    uv_loop_t loop;

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    mailbox_init(&loop_side.box, &loop);
    loop_side.thread = pthread_self();
    loop_side.left = 50;
    for (int i = 0; i < 50; i++) {
        jobs[i] = (struct job){ .id = i + 1, .number = i, .status_to_fail_with = i == 7 ? 410 : 0 };
        jobs[i].txn = (struct db_txn){ .run = insert_job, .done = done_on_loop, .reply_to = &loop_side.box };
        db_submit(engine, DB_WRITE, &jobs[i].txn);
    }
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(atomic_load(&answered), 50);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(jobs[i].place_in_line, i + 1);
        ck_assert_int_eq(jobs[i].txn.err.status, i == 7 ? 410 : 0);
    }
    ck_assert_int_eq(items(), 49);
}
END_TEST

/* ---- an engine that fails on command ---- */

#define FAIL(control) (1U << (control))
#define FAIL_CONNECT  FAIL(DB_CONTROLS)

static struct {
    unsigned fails; /* each of these once, from the end of the gate on */
    bool     loses; /* and takes the transaction with it */
    int      connects, disconnects, savepoints;
} fake;

static bool
fake_works(unsigned bit, struct error *e)
{
    bool works = !(fake.fails & bit);

    fake.fails &= ~bit;
    return works || error_set(e, 503, "as asked for");
}

static bool
fake_connect(const struct db_options *o, enum db_mode mode, struct db **out, struct error *e)
{
    (void)o;
    (void)mode;
    if (!fake_works(FAIL_CONNECT, e))
        return false;
    fake.connects++;
    *out = calloc(1, sizeof(**out));
    (*out)->driver = engine->driver;
    return true;
}

static void
fake_disconnect(struct db *db)
{
    fake.disconnects += db != NULL;
    free(db);
}

static bool
fake_control(struct db *db, enum db_control what, struct error *e)
{
    fake.savepoints += what == DB_SAVEPOINT;
    if (fake_works(FAIL(what), e))
        return true;
    db->lost = fake.loses;
    return false;
}

static const struct db_driver fake_driver = {
    .connect = fake_connect,
    .disconnect = fake_disconnect,
    .control = fake_control,
};

static const struct {
    unsigned fails;
    bool     loses;
    int      statuses[3]; /* of a batch of three, of which the second also fails itself, with 404 */
    int      connects;    /* in all, when everything works again */
    bool     together;    /* savepoints only come when the second has failed */
} outages[] = {
    { 0, false, { 0, 404, 0 }, 1 },
    { FAIL(DB_BEGIN), false, { 503, 503, 503 }, 1 },
    { FAIL(DB_COMMIT), true, { 503, 503, 503 }, 1 },
    { FAIL(DB_COMMIT) | FAIL(DB_ROLLBACK), true, { 503, 503, 503 }, 2 },
    { FAIL(DB_COMMIT) | FAIL(DB_ROLLBACK) | FAIL_CONNECT, true, { 503, 503, 503 }, 2 },
    { FAIL(DB_SAVEPOINT), false, { 503, 404, 0 }, 1 },
    { FAIL(DB_SAVEPOINT), true, { 503, 503, 503 }, 1 },
    { FAIL(DB_RELEASE), false, { 503, 404, 0 }, 1 },
    { FAIL(DB_RELEASE), true, { 503, 503, 503 }, 1 },
    { FAIL(DB_ROLLBACK_TO), false, { 503, 503, 503 }, 1 },
    { FAIL(DB_ROLLBACK), false, { 0, 404, 0 }, 1 }, /* which is not needed */
    { FAIL(DB_ROLLBACK), false, { 503, 503, 503 }, 2, true }, /* what cannot be undone is left with its connection */
    { FAIL(DB_COMMIT), true, { 503, 503, 503 }, 1, true },
    { FAIL(DB_SAVEPOINT), false, { 503, 404, 0 }, 1, true },
};

static bool
fake_run(struct db_txn *t, struct db *db, struct error *e)
{
    struct job *j = container_of(t, struct job, txn);

    (void)db;
    j->runs++;
    return j->status_to_fail_with == 0 || error_set(e, j->status_to_fail_with, "as asked for");
}

static int outage;

/* After the gate's own commit, and before the batch that waited behind it. */
static void
begin_outage(struct db_txn *t)
{
    fake.fails = outages[outage].fails;
    fake.loses = outages[outage].loses;
    gate_done(t);
}

/* `second_fails_with`: see status_to_fail_with. */
static void
run_three(void (*before)(struct db_txn *t), int second_fails_with)
{
    atomic_store(&answered, 0);
    close_gate();
    gate.txn.done = before;
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .txn = { .run = fake_run, .done = note_answer } };
        jobs[i].status_to_fail_with = i == 1 ? second_fails_with : 0;
        db_submit(engine, DB_WRITE, &jobs[i].txn);
    }
    sem_post(&gate.go);
    sem_wait(&gate.ended);
    while (atomic_load(&answered) < 3)
        sched_yield();
}

static void
open_fake(void)
{
    engine = calloc(1, sizeof(*engine));
    engine->driver = &fake_driver;
    engine->options = (struct db_options){ .batch_max = 10, .queue_max = 10 };
    pthread_mutex_init(&engine->pool_lock, NULL);
    db_queue_init(&engine->writes);
    db_queue_init(&engine->reads);
    engine->writer_count = 1;
    ck_assert(writers_start(engine, &err));
}

START_TEST(an_outage_ends_its_batch_and_nothing_else)
{
    outage = _i;
    open_fake();
    engine->writers[0].careful = outages[_i].together ? 0 : 2;
    run_three(begin_outage, 404);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jobs[i].txn.err.status, outages[_i].statuses[i]);
    if (fake.fails & FAIL_CONNECT)
        ck_assert(!db_run(engine, DB_WRITE, nothing, NULL, &err));
    run_three(gate_done, 404);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(jobs[i].txn.err.status, i == 1 ? 404 : 0);
    db_close(engine);
    ck_assert_int_eq(fake.connects, outages[_i].connects);
    ck_assert_int_eq(fake.disconnects, outages[_i].connects);
}
END_TEST

static void
ck_three(int savepoints, int runs, int second)
{
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jobs[i].runs, runs);
        ck_assert_int_eq(jobs[i].txn.err.status, i == 1 ? second : 0);
    }
    ck_assert_int_eq(fake.savepoints, savepoints);
    fake.savepoints = 0;
}

/* Not before one failed, and then for a while, so that frequent failures do not mean doing all of it twice. */
START_TEST(savepoints_are_only_used_where_somebody_fails)
{
    fake.savepoints = 0;
    open_fake();
    run_three(gate_done, 0);
    ck_three(0, 1, 0);
    run_three(gate_done, 404);
    ck_assert_int_eq(jobs[2].runs, 1); /* the first time it was not its turn */
    jobs[2].runs++;
    ck_three(3, 2, 404);
    run_three(gate_done, 404);
    ck_three(3, 1, 404);
    for (int i = 0; i < 31; i++) {
        run_three(gate_done, 0);
        ck_three(3, 1, 0);
    }
    run_three(gate_done, 0);
    ck_three(0, 1, 0);
    db_close(engine);
}
END_TEST

static TCase *
sharing(void)
{
    TCase *c = tcase_create("sharing");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, those_who_wait_together_share_a_commit);
    tcase_add_test(c, one_that_fails_leaves_its_neighbours_alone);
    tcase_add_test(c, one_that_fails_alone_is_rolled_back_too);
    tcase_add_test(c, signals_are_told_once_and_only_of_what_is_committed);
    tcase_add_test(c, slow_ones_do_not_wait_for_the_whole_batch);
    tcase_add_test(c, many_threads_may_submit);
    tcase_add_test(c, a_full_queue_says_when_to_come_back);
    tcase_add_test(c, a_batch_has_a_bound);
    tcase_add_test(c, closing_finishes_what_is_queued);
    tcase_add_test(c, answers_arrive_on_the_loop_that_asked);
    return c;
}

static TCase *
outages_case(void)
{
    TCase *c = tcase_create("outages");

    tcase_add_test(c, savepoints_are_only_used_where_somebody_fails);
    tcase_add_loop_test(c, an_outage_ends_its_batch_and_nothing_else, 0, COUNT(outages));
    return c;
}

TEST_CASES("writer", sharing, outages_case)
