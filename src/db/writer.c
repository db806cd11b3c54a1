/* writer.c -- group commit: the transactions that wait together share one disk sync.
 *
 * One thread takes whatever is queued, runs each transaction under a savepoint of its own, commits once and
 * only then answers. Nobody waits for company that may not come: what arrives while the disk is busy is the
 * next batch, so batches grow with the load by themselves. Only when some have waited already, those just
 * answered get a moment to return. */
#include "db/driver.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { GATHER_PART = 8, GATHER_MAX_US = 2000, RETRY_AFTER_MS = 1000 };

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

/* One transaction of several. When its own savepoint cannot be undone, nobody's can. */
static void
run_among_others(struct db_engine *e, struct db *db, struct db_txn *t)
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

/* A batch of one needs no savepoint; its rollback is the whole one's. */
static bool
run_alone(struct db *db, struct db_txn *t)
{
    db_start(db);
    return db_ended(db, t->run(t, db, &t->err), &t->err);
}

/* Runs all; false (with `err`) when the batch as a whole cannot be committed. */
static bool
run_all(struct db_engine *e, struct db *db, struct db_txn *batch, struct error *err)
{
    int64_t begun_ms = clock_mono_ms();

    if (!batch->next) {
        if (run_alone(db, batch))
            return true;
        *err = batch->err;
        return false;
    }
    for (struct db_txn *t = batch; t; t = t->next) {
        run_among_others(e, db, t);
        if (db->lost) {
            *err = db->doom.status ? db->doom : t->err; /* run() may have made a story of its own of it */
            return false;
        }
        if (t->next && clock_mono_ms() - begun_ms >= e->writer.batch_ms)
            give_back_after(e, t);
    }
    return true;
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
