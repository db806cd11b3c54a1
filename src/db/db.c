/* db.c -- the engine's half of db.h: where a transaction runs, and what an engine consists of; connection.c is the
 * other half. */
#include "db/driver.h"

#include <assert.h>
#include <stdlib.h>

#include "base/random.h"

enum { BUSY_TIMEOUT_MS = 5000, BATCH_MAX = 256, QUEUE_MAX = 20000, WRITERS = 2, READERS = 4 };

/* ---- transactions ---- */

static void
open_answer(struct mail *m)
{
    struct db_txn *t = container_of(m, struct db_txn, mail);

    t->done(t);
}

void
db_answer(struct db_txn *t)
{
    if (!t->reply_to) {
        t->done(t);
        return;
    }
    t->mail.open = open_answer;
    mailbox_post(t->reply_to, &t->mail);
}

static struct db *
take_idle_reader(struct db_engine *e)
{
    struct db *db;

    pthread_mutex_lock(&e->pool_lock);
    db = e->idle_readers;
    if (db)
        e->idle_readers = db->next;
    pthread_mutex_unlock(&e->pool_lock);
    return db;
}

static struct db *
take_reader(struct db_engine *e, struct error *err)
{
    struct db *db;

    while ((db = take_idle_reader(e)) != NULL && e->driver->is_alive && !e->driver->is_alive(db))
        e->driver->disconnect(db);
    if (!db && !e->driver->connect(&e->options, DB_READ, &db, err))
        return NULL;
    return db;
}

/* As many readers are kept as ever ran at once, which is at most one per thread. */
static void
put_reader(struct db_engine *e, struct db *db)
{
    pthread_mutex_lock(&e->pool_lock);
    db->next = e->idle_readers;
    e->idle_readers = db;
    pthread_mutex_unlock(&e->pool_lock);
}

void
db_run_read(struct db_engine *e, struct db_txn *t)
{
    struct error ignored;
    struct db *db = take_reader(e, &t->err);
    bool usable = true;

    if (!db)
        return;
    db_start(db);
    db_tide_begin(db, &e->tide);
    if (e->driver->control(db, DB_BEGIN, &t->err)) {
        if (db_ended(db, t->run(t, db, &t->err), &t->err))
            usable = e->driver->control(db, DB_COMMIT, &t->err);
        else
            usable = e->driver->control(db, DB_ROLLBACK, &ignored);
    }
    db_forget(db); /* what only reads has nothing to tell */
    if (usable)
        put_reader(e, db);
    else
        e->driver->disconnect(db);
}

void
db_submit(struct db_engine *e, enum db_mode mode, struct db_txn *t)
{
    t->err.status = 0;
    t->err.retry_after_ms = 0;
    t->err.message[0] = '\0';
    t->next = NULL;
    t->put_off = 0;
    if (mode == DB_READ && !e->driver->is_remote) {
        db_run_read(e, t);
        t->done(t);
    } else if (!db_queue_push(mode == DB_READ ? &e->reads : &e->writes, t, e->options.queue_max, &t->err)) {
        db_answer(t);
    }
}

struct waiting_txn {
    struct db_txn txn;
    bool (*run)(void *arg, struct db *db, struct error *err);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t  ended;
    bool over;
};

static bool
waiting_run(struct db_txn *t, struct db *db, struct error *err)
{
    struct waiting_txn *w = container_of(t, struct waiting_txn, txn);

    return w->run(w->arg, db, err);
}

static void
waiting_done(struct db_txn *t)
{
    struct waiting_txn *w = container_of(t, struct waiting_txn, txn);

    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_signal(&w->ended); /* under the lock: the waiter's stack ends with its wait */
    pthread_mutex_unlock(&w->lock);
}

bool
db_run(struct db_engine *e, enum db_mode mode, bool (*run)(void *arg, struct db *db, struct error *err), void *arg,
       struct error *err)
{
    struct waiting_txn w = {
        .txn = { .run = waiting_run, .done = waiting_done },
        .run = run,
        .arg = arg,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .ended = PTHREAD_COND_INITIALIZER,
    };

    for (int i = 0; i < e->writer_count; i++)
        assert(mode == DB_READ || !e->writers[i].started || !pthread_equal(pthread_self(), e->writers[i].thread));
    db_submit(e, mode, &w.txn);
    pthread_mutex_lock(&w.lock);
    while (!w.over)
        pthread_cond_wait(&w.ended, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.ended);
    pthread_mutex_destroy(&w.lock);
    *err = w.txn.err;
    return err->status == 0;
}

/* ---- the engine ---- */

static char *
copy(const char *text)
{
    char *out = text ? strdup(text) : NULL;

    if (text && !out)
        out_of_memory();
    return out;
}

static void
set_options(struct db_engine *e, const struct db_options *options)
{
    struct db_options *o = &e->options;

    *o = *options;
    o->path = copy(options->path);
    o->url = copy(options->url);
    if (o->busy_timeout_ms == 0)
        o->busy_timeout_ms = BUSY_TIMEOUT_MS;
    if (o->batch_max == 0)
        o->batch_max = BATCH_MAX;
    if (o->queue_max == 0)
        o->queue_max = QUEUE_MAX;
    if (o->writers < 1 || o->writers > DB_THREADS_MAX)
        o->writers = WRITERS;
    if (o->readers < 1 || o->readers > DB_THREADS_MAX)
        o->readers = READERS;
    e->writer_count = e->driver->is_remote ? o->writers : 1;
}

bool
db_open(const struct db_options *options, struct db_engine **out, struct error *err)
{
    struct db_engine *e = calloc(1, sizeof(*e));

    *out = NULL;
    if (!e)
        out_of_memory();
    e->driver = options->url ? &db_postgres : &db_sqlite;
    random_bytes(&e->origin, sizeof(e->origin));
    set_options(e, options);
    pthread_mutex_init(&e->pool_lock, NULL);
    db_tide_init(&e->tide);
    db_queue_init(&e->writes);
    db_queue_init(&e->reads);
    if (e->driver->prepare(&e->options, err)
        && e->driver->connect(&e->options, DB_WRITE, &e->writers[0].db, err) /* so that what is wrong is said now */
        && writers_start(e, err)
        && readers_start(e, err)
        && (!e->driver->listen || e->driver->listen(e, err))) {
        *out = e;
        return true;
    }
    db_close(e);
    return false;
}

void
db_close(struct db_engine *e)
{
    struct db *db;

    if (!e)
        return;
    if (e->driver->deafen)
        e->driver->deafen(e);
    readers_stop(e);
    writers_stop(e);
    while ((db = e->idle_readers) != NULL) {
        e->idle_readers = db->next;
        e->driver->disconnect(db);
    }
    for (int i = 0; i < e->writer_count; i++)
        e->driver->disconnect(e->writers[i].db); /* last: it tidies the log of changes away */
    db_queue_deinit(&e->writes);
    db_queue_deinit(&e->reads);
    pthread_mutex_destroy(&e->pool_lock);
    db_tide_deinit(&e->tide);
    free((char *)e->options.path);
    free((char *)e->options.url);
    free(e);
}

bool
db_backup(struct db_engine *e, const char *path, struct error *err)
{
    return e->driver->backup(&e->options, path, err);
}

bool
db_check(struct db_engine *e, struct error *err)
{
    struct db *db = take_reader(e, err);
    bool ok;

    if (!db)
        return false;
    db_start(db);
    ok = e->driver->check(db, err);
    put_reader(e, db);
    return ok;
}

/* Who comes for a reader meanwhile waits; it is a fraction of a millisecond for each. */
void
db_tidy(struct db_engine *e)
{
    if (!e->driver->tidy)
        return;
    pthread_mutex_lock(&e->pool_lock);
    for (struct db *db = e->idle_readers; db; db = db->next)
        e->driver->tidy(db);
    pthread_mutex_unlock(&e->pool_lock);
}

void
db_stats(struct db_engine *e, struct db_stats *out)
{
    pthread_mutex_lock(&e->writes.lock);
    out->waiting = e->writes.waiting;
    pthread_mutex_unlock(&e->writes.lock);
    out->commits = atomic_load(&e->stats.commits);
    out->transactions = atomic_load(&e->stats.transactions);
    out->rollbacks = atomic_load(&e->stats.rollbacks);
    out->batch_largest = atomic_load(&e->stats.batch_largest);
    out->commit_us_total = atomic_load(&e->stats.commit_us_total);
}
