/* writer.c -- group commit: the transactions that wait together share one disk sync.
 *
 * A thread (SQLite has one, PostgreSQL some) takes whatever is queued, runs it, commits once and only then answers.
 * When one of a batch fails, the batch is begun again, now with a savepoint for each, so that only that one is undone.
 * Nobody waits for company that may not come: what arrives while the disk is busy is the next batch, so batches grow
 * with the load by themselves. Only when some have waited already, those just answered get a moment to return. */
#include "db/driver.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/random.h"

enum { GATHER_PART = 8, GATHER_MAX_US = 2000, BATCH_MS = 50, ALONE_TRIES = 5, ALONE_MS = 15000 };
enum { PUT_OFF_MAX = 8 }; /* then it waits, and others with it */
enum { CAREFUL_BATCHES = 32 }; /* so many have savepoints from the start once one needed them */
enum { SCEPTICAL_BATCHES = 8 }; /* so many guess nothing once a guess was wrong: what comes twice seldom comes alone */

/* Clients that ask again as soon as they are answered would otherwise fall into two halves that take turns,
 * each paying for a sync (measured: 64 of them made batches of 32). So for a fraction of what a sync costs
 * those just answered are expected back, in addition to those that wait already. Who is alone is never made
 * to wait. */
static void
expect_back(struct db_writer *w, int answered)
{
    struct db_queue *q = &w->engine->writes;
    int batch_max = w->engine->options.batch_max;

    if (w->engine->writer_count > 1) /* while one commits, another gathers */
        return;
    pthread_mutex_lock(&q->lock);
    q->awaited = q->waiting + answered < batch_max ? q->waiting + answered : batch_max;
    pthread_mutex_unlock(&q->lock);
    w->gather_until = clock_mono_us() + w->gather_us;
}

static void
gather(struct db_writer *w)
{
    struct db_queue *q = &w->engine->writes;
    struct timespec until = { .tv_sec = (time_t)(w->gather_until / 1000000),
                              .tv_nsec = (long)(w->gather_until % 1000000) * 1000 };

    while (q->waiting < q->awaited && !q->closing)
        if (pthread_cond_clockwait(&q->work, &q->lock, CLOCK_MONOTONIC, &until) != 0)
            break;
    q->awaited = 0;
}

/* Up to batch_max of those waiting, in order, behind what was put off; NULL when there are none and the engine
 * closes. */
static struct db_txn *
take_batch(struct db_writer *w)
{
    struct db_queue *q = &w->engine->writes;
    struct db_txn *put_off = w->put_off, *batch, *end;
    int n = 1;

    w->put_off = NULL;
    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->closing && !put_off)
        pthread_cond_wait(&q->work, &q->lock);
    gather(w);
    batch = end = q->first;
    if (batch) {
        for (; n < w->engine->options.batch_max && end->next; n++)
            end = end->next;
        q->first = end->next;
        if (!q->first)
            q->last = NULL;
        end->next = NULL;
        q->waiting -= n;
    }
    pthread_mutex_unlock(&q->lock);
    if (!put_off)
        return batch;
    for (end = put_off; end->next; end = end->next)
        continue;
    end->next = batch;
    return put_off;
}

/* Puts the transactions behind `t`, which were not begun, in front of the queue again. */
static void
give_back_after(struct db_queue *q, struct db_txn *t)
{
    struct db_txn *rest = t->next, *end = rest;
    int n = 1;

    for (; end->next; n++)
        end = end->next;
    t->next = NULL;
    pthread_mutex_lock(&q->lock);
    end->next = q->first;
    q->first = rest;
    if (!q->last)
        q->last = end;
    q->waiting += n;
    pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
}

/* Puts off the rest of a batch that has taken its time. */
static void
bound_batch(struct db_writer *w, struct db_txn *t, int64_t begun_ms)
{
    if (t->next && clock_mono_ms() - begun_ms >= w->batch_ms)
        give_back_after(&w->engine->writes, t);
}

/* Takes `*at`, which somebody is in the way of, out of the batch. */
static void
put_off(struct db_writer *w, struct db_txn **at)
{
    struct db_txn *t = *at, **end = &w->put_off;

    *at = t->next;
    t->next = NULL;
    t->put_off++;
    while (*end)
        end = &(*end)->next;
    *end = t;
}

/* Whether this one waits for nobody. Who comes first holds nothing yet, so may wait; but all behind it would have to
 * wait as well, so it only does when it was put off often, or when there is nobody else. */
static bool
is_in_company(const struct db_txn *t, const struct db_txn *ran)
{
    return ran || (t->next && t->put_off < PUT_OFF_MAX);
}

/* When nobody could run, the first of those put off waits after all. */
static void
bring_back(struct db_writer *w, struct db_txn **batch)
{
    *batch = w->put_off;
    w->put_off = (*batch)->next;
    (*batch)->next = NULL;
    (*batch)->put_off = PUT_OFF_MAX;
}

/* Those from `t` on, as far as they can say it, ask at once for what each would wait for alone. Whoever cannot ends
 * that, as it may change what those behind it ask for. Returns the first behind `t` who has not asked. */
static struct db_txn *
ask_ahead(struct db_writer *w, struct db_txn *t)
{
    const struct db_driver *driver = w->engine->driver;
    struct db_txn *end = t;

    if (!driver->ask_ahead)
        return NULL;
    driver->forget_asked(w->db);
    if (t->next)
        while (end && end->ahead && end->ahead(end, w->db))
            end = end->next;
    return end == t ? t->next : end;
}

/* Without savepoints: SQLite copies every page that is changed under one, which is a tenth of all the work. Returns the
 * first that failed, with which all of them are to be undone. */
static struct db_txn *
run_together(struct db_writer *w, struct db_txn **batch)
{
    const struct db_driver *driver = w->engine->driver;
    int64_t begun_ms = clock_mono_ms();
    struct db_txn *last = NULL, *unasked = *batch, **at = batch, *t;

    /* cppcheck-suppress uninitvar ; every caller has set it */
    while ((t = *at) != NULL) {
        size_t told_before = w->db->told_count, later_before = w->db->later_count;
        bool ran;

        if (t == unasked)
            unasked = ask_ahead(w, t);
        db_start(w->db);
        w->db->in_company = is_in_company(t, last);
        ran = db_ended(w->db, t->run(t, w->db, &t->err), &t->err);
        if (!ran && w->db->is_busy && !w->db->has_written) {
            w->db->told_count = told_before;
            w->db->later_count = later_before;
            put_off(w, at);
            if (!*batch)
                bring_back(w, batch);
            continue;
        }
        if (!ran)
            return t;
        bound_batch(w, t, begun_ms);
        last = t;
        at = &t->next;
    }
    return !driver->settle || driver->settle(w->db, &last->err) ? NULL : last;
}

/* One transaction under its savepoint. When that cannot be undone, nobody's can. */
static void
run_apart(struct db_writer *w, struct db_txn *t, bool in_company)
{
    const struct db_driver *driver = w->engine->driver;
    struct db *db = w->db;
    size_t told_before = db->told_count, later_before = db->later_count;
    struct error undo;

    db_start(db);
    db->in_company = in_company;
    if (db_ended(db, driver->control(db, DB_SAVEPOINT, &t->err) && t->run(t, db, &t->err), &t->err)
        && driver->control(db, DB_RELEASE, &t->err))
        return;
    db->told_count = told_before;
    db->later_count = later_before;
    if (!db->lost
        && !(driver->control(db, DB_ROLLBACK_TO, &undo) && driver->control(db, DB_RELEASE, &undo))) {
        db->lost = true;
        db->doom = undo;
    }
}

/* Returns the one that lost the whole batch. */
static struct db_txn *
run_each_apart(struct db_writer *w, struct db_txn **batch)
{
    int64_t begun_ms = clock_mono_ms();
    struct db_txn *last = NULL, **at = batch, *t;

    /* cppcheck-suppress uninitvar ; every caller has set it */
    while ((t = *at) != NULL) {
        run_apart(w, t, is_in_company(t, last));
        if (w->db->lost || w->db->conflict)
            return t;
        if (w->db->is_busy) {
            put_off(w, at);
            if (!*batch)
                bring_back(w, batch);
            continue;
        }
        bound_batch(w, t, begun_ms);
        last = t;
        at = &t->next;
    }
    return NULL;
}

static bool
begin(struct db_writer *w, struct error *err)
{
    const struct db_driver *driver = w->engine->driver;

    if (w->db && driver->is_alive && !driver->is_alive(w->db)) {
        driver->disconnect(w->db);
        w->db = NULL;
    }
    if (!w->db && !driver->connect(&w->engine->options, DB_WRITE, &w->db, err))
        return false;
    db_forget(w->db);
    db_start(w->db);
    db_tide_begin(w->db, &w->engine->tide);
    w->db->conflict = w->db->has_guessed = w->db->misguessed = false;
    w->db->may_guess = driver->exec_likely && w->sceptical == 0 && w->careful == 0;
    return driver->control(w->db, DB_BEGIN, err);
}

/* Nothing of it is in the database. */
static bool
undo(struct db_writer *w)
{
    const struct db_driver *driver = w->engine->driver;
    struct error ignored;
    bool unsure = w->unsure;

    db_forget(w->db);
    w->unsure = false;
    if (driver->control(w->db, DB_ROLLBACK, &ignored)) {
        if (unsure && driver->bury)
            driver->bury(w->db);
        return true;
    }
    driver->disconnect(w->db);
    w->db = NULL;
    if (unsure && driver->bury && driver->connect(&w->engine->options, DB_WRITE, &w->db, &ignored))
        driver->bury(w->db);
    return false;
}

static bool
begin_again(struct db_writer *w, struct error *err)
{
    if (!undo(w))
        return error_set(err, 503, "The database could not undo a change; try again");
    return begin(w, err);
}

/* Whether what came of it may rest on a guess that was wrong. In company each will be asked again anyway. */
static bool
is_in_doubt(const struct db_writer *w, const struct db_txn *batch)
{
    return (w->db->misguessed || (w->db->has_guessed && !batch->next)) && !w->db->lost && !w->db->conflict;
}

/* Runs all; false (with `err`) when the batch as a whole cannot be committed. Who is alone needs no savepoint: its
 * rollback is the whole one's. */
static bool
run_all(struct db_writer *w, struct db_txn **batch, struct error *err)
{
    struct db_txn *failed;

    if (!(*batch)->next || w->careful == 0) {
        failed = run_together(w, batch);
        if (failed && is_in_doubt(w, *batch)) {
            w->sceptical = w->db->misguessed ? SCEPTICAL_BATCHES : 1;
            if (!begin_again(w, err))
                return false;
            failed = run_together(w, batch);
        }
        if (!failed)
            return true;
        if ((*batch)->next && !w->db->lost && !w->db->conflict) {
            w->careful = CAREFUL_BATCHES;
            if (!begin_again(w, err))
                return false;
            failed = run_each_apart(w, batch);
        }
    } else {
        w->careful--;
        failed = run_each_apart(w, batch);
    }
    if (!failed)
        return true;
    /* run() may have made a story of its own of it */
    *err = (*batch)->next && w->db && w->db->doom.status ? w->db->doom : failed->err;
    return false;
}

static bool
commit(struct db_writer *w, struct error *err)
{
    struct db_engine *e = w->engine;
    int64_t from_us, took_us;

    db_start(w->db); /* what is done now is nobody's alone */
    if (!db_ended(w->db, db_do_later(w->db, err), err))
        return false;
    crash_point("commit: not yet");
    from_us = clock_mono_us();
    if (!e->driver->control(w->db, DB_COMMIT, err)
        && !(w->db->lost && e->driver->was_committed && e->driver->was_committed(&e->options, w->db))) {
        w->unsure = true;
        return false;
    }
    took_us = clock_mono_us() - from_us;
    crash_point("commit: done, nobody told");
    w->gather_us = took_us / GATHER_PART < GATHER_MAX_US ? took_us / GATHER_PART : GATHER_MAX_US;
    atomic_fetch_add(&e->stats.commits, 1);
    atomic_fetch_add(&e->stats.commit_us_total, took_us);
    return true;
}

static void
answer_all(struct db_writer *w, struct db_txn *batch)
{
    struct db_engine *e = w->engine;
    int64_t n = 0, failed = 0;
    struct db_txn *next;

    for (struct db_txn *t = batch; t; t = t->next, n++)
        failed += t->err.status != 0;
    atomic_fetch_add(&e->stats.transactions, n);
    atomic_fetch_add(&e->stats.rollbacks, failed);
    if (n > atomic_load(&e->stats.batch_largest))
        atomic_store(&e->stats.batch_largest, n);
    expect_back(w, (int)n);
    for (; batch; batch = next) {
        next = batch->next; /* who is answered may be gone */
        db_answer(batch);
    }
}

/* Who comes back at once takes its first lock before the other, which still waits for it, is awake. */
static void
step_aside(int times)
{
    struct timespec pause = { .tv_nsec = (5 + (long)random_below(INT64_C(20) << times)) * 1000000 };

    nanosleep(&pause, NULL);
}

/* Who met another connection's locks in company tries again alone, holding few of its own: so two batches that wait for
 * each other both come through. */
static void
run_alone(struct db_writer *w, struct db_txn *t, int64_t until_ms)
{
    for (int i = 0; i < ALONE_TRIES && (i == 0 || clock_mono_ms() < until_ms); i++) {
        if (i > 0)
            step_aside(i);
        t->err.status = 0;
        if (begin(w, &t->err) && run_all(w, &t, &t->err) && commit(w, &t->err)) {
            db_tell(w->engine, w->db);
            return;
        }
        if (!w->db || !undo(w) || !w->db->conflict)
            return;
    }
}

/* Each of a batch alone; who would have to wait too long after all gets the error that stopped the batch. */
static void
run_all_alone(struct db_writer *w, struct db_txn *batch, bool conflict)
{
    int64_t until_ms = clock_mono_ms() + ALONE_MS;

    if (conflict)
        step_aside(0);
    for (struct db_txn *t = batch, *next; t && clock_mono_ms() < until_ms; t = next) {
        next = t->next;
        t->next = NULL;
        run_alone(w, t, until_ms);
        t->next = next;
    }
}

/* Whoever was alone keeps their own error; in company all hear the one that stopped everybody, because whatever else
 * they found out they may have read from a neighbour that is now gone. */
static void
run_batch(struct db_writer *w, struct db_txn **all)
{
    struct error err = { 0 };
    bool ran = begin(w, &err) && run_all(w, all, &err);
    struct db_txn *batch = *all;
    bool conflict, again;

    if (ran && commit(w, &err)) {
        db_tell(w->engine, w->db);
        return;
    }
    /* In company also what was left for the end may have failed, for one of them. */
    conflict = w->db && w->db->conflict;
    again = conflict || (w->db && ran && !w->db->lost && batch->next);
    for (struct db_txn *t = batch; t; t = t->next)
        t->err = err;
    if (w->db)
        undo(w);
    if (again)
        run_all_alone(w, batch, conflict);
}

static void *
writer_main(void *arg)
{
    struct db_writer *w = arg;
    struct db_txn *batch;

    while ((batch = take_batch(w)) != NULL) {
        w->sceptical -= w->sceptical > 0;
        run_batch(w, &batch);
        answer_all(w, batch);
    }
    return NULL;
}

bool
writers_start(struct db_engine *e, struct error *err)
{
    for (int i = 0; i < e->writer_count; i++) {
        struct db_writer *w = &e->writers[i];
        int failure;

        w->engine = e;
        w->batch_ms = BATCH_MS;
        failure = pthread_create(&w->thread, NULL, writer_main, w);
        if (failure)
            return error_set(err, 503, "No thread could be started for the database: %s", strerror(failure));
        w->started = true;
        pthread_setname_np(w->thread, "db-writer");
    }
    return true;
}

void
writers_stop(struct db_engine *e)
{
    db_queue_close(&e->writes);
    for (int i = 0; i < e->writer_count; i++) {
        if (e->writers[i].started)
            pthread_join(e->writers[i].thread, NULL);
        e->writers[i].started = false;
    }
}
