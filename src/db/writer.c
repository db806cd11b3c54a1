/* writer.c -- group commit: the transactions that wait together share one disk sync.
 *
 * One thread takes whatever is queued, runs it, commits once and only then answers. When one of a batch fails, the
 * batch is begun again, now with a savepoint for each, so that only that one is undone. Nobody waits for company
 * that may not come: what arrives while the disk is busy is the next batch, so batches grow with the load by
 * themselves. Only when some have waited already, those just answered get a moment to return. */
#include "db/driver.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { GATHER_PART = 8, GATHER_MAX_US = 2000, RETRY_AFTER_MS = 1000 };
enum { CAREFUL_BATCHES = 32 }; /* so many have savepoints from the start once one needed them */

/* Clients that ask again as soon as they are answered would otherwise fall into two halves that take turns,
 * each paying for a sync (measured: 64 of them made batches of 32). So for a fraction of what a sync costs
 * those just answered are expected back, in addition to those that wait already. Who is alone is never made
 * to wait. */
static void
expect_back(struct db_engine *e, int answered)
{
    struct db_writer *w = &e->writer;

    pthread_mutex_lock(&w->lock);
    w->awaited = w->waiting + answered < e->options.batch_max ? w->waiting + answered : e->options.batch_max;
    pthread_mutex_unlock(&w->lock);
    w->gather_until = clock_mono_us() + w->gather_us;
}

static void
gather(struct db_writer *w)
{
    struct timespec until = { .tv_sec = (time_t)(w->gather_until / 1000000),
                              .tv_nsec = (long)(w->gather_until % 1000000) * 1000 };

    while (w->waiting < w->awaited && !w->closing)
        if (pthread_cond_clockwait(&w->work, &w->lock, CLOCK_MONOTONIC, &until) != 0)
            break;
    w->awaited = 0;
}

/* Up to batch_max of those waiting, in order; NULL when there are none and the engine closes. */
static struct db_txn *
take_batch(struct db_engine *e)
{
    struct db_writer *w = &e->writer;
    struct db_txn *batch, *end;
    int n = 1;

    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->closing)
        pthread_cond_wait(&w->work, &w->lock);
    gather(w);
    batch = end = w->first;
    if (batch) {
        for (; n < e->options.batch_max && end->next; n++)
            end = end->next;
        w->first = end->next;
        if (!w->first)
            w->last = NULL;
        end->next = NULL;
        w->waiting -= n;
    }
    pthread_mutex_unlock(&w->lock);
    return batch;
}

/* Puts the transactions behind `t`, which were not begun, in front of the queue again. */
static void
give_back_after(struct db_engine *e, struct db_txn *t)
{
    struct db_writer *w = &e->writer;
    struct db_txn *rest = t->next, *end = rest;
    int n = 1;

    for (; end->next; n++)
        end = end->next;
    t->next = NULL;
    pthread_mutex_lock(&w->lock);
    end->next = w->first;
    w->first = rest;
    if (!w->last)
        w->last = end;
    w->waiting += n;
    pthread_mutex_unlock(&w->lock);
}

/* Puts off the rest of a batch that has taken its time. */
static void
bound_batch(struct db_engine *e, struct db_txn *t, int64_t begun_ms)
{
    if (t->next && clock_mono_ms() - begun_ms >= e->writer.batch_ms)
        give_back_after(e, t);
}

/* Without savepoints: SQLite copies every page that is changed under one, which is a tenth of all the work. Returns the
 * first that failed, with which all of them are to be undone. */
static struct db_txn *
run_together(struct db_engine *e, struct db *db, struct db_txn *batch)
{
    int64_t begun_ms = clock_mono_ms();

    for (struct db_txn *t = batch; t; t = t->next) {
        db_start(db);
        if (!db_ended(db, t->run(t, db, &t->err), &t->err))
            return t;
        bound_batch(e, t, begun_ms);
    }
    return NULL;
}

/* One transaction under its savepoint. When that cannot be undone, nobody's can. */
static void
run_apart(struct db_engine *e, struct db *db, struct db_txn *t)
{
    size_t told_before = db->told_count;
    struct error undo;

    db_start(db);
    if (db_ended(db, e->driver->control(db, DB_SAVEPOINT, &t->err) && t->run(t, db, &t->err), &t->err)
        && e->driver->control(db, DB_RELEASE, &t->err))
        return;
    db->told_count = told_before;
    if (!db->lost
        && !(e->driver->control(db, DB_ROLLBACK_TO, &undo) && e->driver->control(db, DB_RELEASE, &undo))) {
        db->lost = true;
        db->doom = undo;
    }
}

/* Returns the one that lost the whole batch. */
static struct db_txn *
run_each_apart(struct db_engine *e, struct db *db, struct db_txn *batch)
{
    int64_t begun_ms = clock_mono_ms();

    for (struct db_txn *t = batch; t; t = t->next) {
        run_apart(e, db, t);
        if (db->lost)
            return t;
        bound_batch(e, t, begun_ms);
    }
    return NULL;
}

static bool
begin_again(struct db_engine *e, struct db *db, struct error *err)
{
    db->told_count = 0;
    return e->driver->control(db, DB_ROLLBACK, err) && e->driver->control(db, DB_BEGIN, err);
}

/* Runs all; false (with `err`) when the batch as a whole cannot be committed. Who is alone needs no savepoint: its
 * rollback is the whole one's. */
static bool
run_all(struct db_engine *e, struct db *db, struct db_txn *batch, struct error *err)
{
    struct db_writer *w = &e->writer;
    struct db_txn *failed;

    if (!batch->next || w->careful == 0) {
        failed = run_together(e, db, batch);
        if (!failed)
            return true;
        if (batch->next && !db->lost) {
            if (!begin_again(e, db, err))
                return false;
            w->careful = CAREFUL_BATCHES;
            failed = run_each_apart(e, db, batch);
        }
    } else {
        w->careful--;
        failed = run_each_apart(e, db, batch);
    }
    if (!failed)
        return true;
    *err = batch->next && db->doom.status ? db->doom : failed->err; /* run() may have made a story of its own of it */
    return false;
}

static bool
commit(struct db_engine *e, struct db *db, struct error *err)
{
    int64_t from_us = clock_mono_us(), took_us;

    if (!e->driver->control(db, DB_COMMIT, err))
        return false;
    took_us = clock_mono_us() - from_us;
    e->writer.gather_us = took_us / GATHER_PART < GATHER_MAX_US ? took_us / GATHER_PART : GATHER_MAX_US;
    atomic_fetch_add(&e->stats.commits, 1);
    atomic_fetch_add(&e->stats.commit_us_total, took_us);
    return true;
}

/* Nothing of the batch is in the database. Whoever was alone keeps their own error; in company all hear the
 * one that stopped everybody, because whatever else they found out they may have read from a neighbour that
 * is now gone. */
static void
undo(struct db_engine *e, struct db *db, struct db_txn *batch, const struct error *why)
{
    struct error ignored;

    db->told_count = 0;
    if (!e->driver->control(db, DB_ROLLBACK, &ignored)) {
        e->driver->disconnect(db);
        e->writer.db = NULL;
    }
    for (struct db_txn *t = batch; t; t = t->next)
        t->err = *why;
}

static void
answer_all(struct db_engine *e, struct db_txn *batch)
{
    int64_t n = 0, failed = 0;
    struct db_txn *next;

    for (struct db_txn *t = batch; t; t = t->next, n++)
        failed += t->err.status != 0;
    atomic_fetch_add(&e->stats.transactions, n);
    atomic_fetch_add(&e->stats.rollbacks, failed);
    if (n > atomic_load(&e->stats.batch_largest))
        atomic_store(&e->stats.batch_largest, n);
    expect_back(e, (int)n);
    for (; batch; batch = next) {
        next = batch->next; /* who is answered may be gone */
        db_answer(batch);
    }
}

static void
run_batch(struct db_engine *e, struct db_txn *batch)
{
    struct db_writer *w = &e->writer;
    struct error err = { 0 };

    if ((!w->db && !e->driver->connect(&e->options, DB_WRITE, &w->db, &err))
        || !e->driver->control(w->db, DB_BEGIN, &err)) {
        for (struct db_txn *t = batch; t; t = t->next)
            t->err = err;
    } else if (run_all(e, w->db, batch, &err) && commit(e, w->db, &err)) {
        db_tell(e, w->db);
    } else {
        undo(e, w->db, batch, &err);
    }
    answer_all(e, batch);
}

static void *
writer_main(void *arg)
{
    struct db_engine *e = arg;
    struct db_txn *batch;

    while ((batch = take_batch(e)) != NULL)
        run_batch(e, batch);
    return NULL;
}

bool
writer_start(struct db_engine *e, struct error *err)
{
    int failure = pthread_create(&e->writer.thread, NULL, writer_main, e);

    if (failure)
        return error_set(err, 503, "No thread could be started for the database: %s", strerror(failure));
    e->writer.started = true;
    pthread_setname_np(e->writer.thread, "db-writer");
    return true;
}

void
writer_stop(struct db_engine *e)
{
    struct db_writer *w = &e->writer;

    if (!w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->started = false;
}

bool
writer_push(struct db_engine *e, struct db_txn *t, struct error *err)
{
    struct db_writer *w = &e->writer;
    bool closing, full;

    pthread_mutex_lock(&w->lock);
    closing = w->closing;
    full = w->waiting >= e->options.queue_max;
    if (!closing && !full) {
        if (w->last)
            w->last->next = t;
        else
            w->first = t;
        w->last = t;
        if (++w->waiting == 1 || w->waiting == w->awaited)
            pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (!closing && !full)
        return true;
    if (closing)
        error_set(err, 503, "The server is shutting down");
    else
        error_set(err, 503, "The server is busy: %d changes are waiting already", e->options.queue_max);
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}
