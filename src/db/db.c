/* db.c -- the front of db.h: statements on a connection, where a transaction runs, and what goes with an engine. */
#include "db/driver.h"

#include <assert.h>
#include <stdlib.h>

#include "base/random.h"

enum { BUSY_TIMEOUT_MS = 5000, BATCH_MAX = 256, QUEUE_MAX = 20000, WRITERS = 2, READERS = 4 };

/* ---- statements ---- */

/* A failed statement dooms its transaction on either engine, as PostgreSQL has it anyway: code that goes on
 * as if nothing had happened gets the same error again and never a commit of the half that worked. */
static bool
doom(struct db *db, const struct error *err)
{
    if (db->doom.status == 0)
        db->doom = *err;
    return false;
}

static bool
is_doomed(const struct db *db, struct error *err)
{
    if (db->doom.status == 0)
        return false;
    *err = db->doom;
    return true;
}

bool
db_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows, struct error *err)
{
    rows->statement = NULL;
    rows->db = db;
    rows->columns = 0;
    rows->failed = false;
    rows->err.status = 0;
    if (is_doomed(db, err))
        return false;
    if (!db->driver->query(db, sql, args, n, rows, err))
        return doom(db, err);
    db->open_rows++;
    return true;
}

bool
db_next(struct db_rows *rows)
{
    bool row = rows->statement && !rows->failed && rows->db->driver->next(rows);

    rows->columns = row ? rows->db->driver->columns(rows) : 0;
    return row;
}

bool
db_finish(struct db_rows *rows, struct error *err)
{
    if (rows->statement) {
        rows->db->driver->finish(rows);
        rows->statement = NULL;
        rows->columns = 0;
        rows->db->open_rows--;
    }
    if (!rows->failed)
        return true;
    *err = rows->err;
    return doom(rows->db, err);
}

/* Asking for a column that is not there is our own mistake; it reads as NULL and db_finish() reports it. */
static bool
has_column(struct db_rows *rows, int col)
{
    if (col >= 0 && col < rows->columns)
        return true;
    if (!rows->failed)
        error_set(&rows->err, 500, "Column %d was read from a row that has %d", col, rows->columns);
    rows->failed = true;
    return false;
}

int64_t
db_col_int(struct db_rows *rows, int col)
{
    return has_column(rows, col) ? rows->db->driver->col_int(rows, col) : 0;
}

struct str
db_col_peek(struct db_rows *rows, int col)
{
    return has_column(rows, col) ? rows->db->driver->col_peek(rows, col) : STR_NONE;
}

struct str
db_col_text(struct db_rows *rows, int col, struct arena *a)
{
    return arena_copy(a, db_col_peek(rows, col));
}

bool
db_col_is_null(struct db_rows *rows, int col)
{
    return !has_column(rows, col) || rows->db->driver->col_is_null(rows, col);
}

bool
db_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed, struct error *err)
{
    return !is_doomed(db, err) && (db->driver->exec(db, sql, args, n, changed, err) || doom(db, err));
}

bool
db_script(struct db *db, const char *sql, struct error *err)
{
    return !is_doomed(db, err) && (db->driver->script(db, sql, err) || doom(db, err));
}

bool
db_get_int(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *out, bool *found,
           struct error *err)
{
    struct db_rows rows;
    bool row;

    if (!db_query(db, sql, args, n, &rows, err))
        return false;
    row = db_next(&rows);
    if (row)
        *out = db_col_int(&rows, 0);
    if (found)
        *found = row;
    return db_finish(&rows, err);
}

/* ---- signals ---- */

void
db_signal(struct db *db, int topic, int64_t key)
{
    const struct db_told *last = db->told_count > 0 ? &db->told[db->told_count - 1] : NULL;

    if (last && last->topic == topic && last->key == key)
        return;
    if (db->told_count == db->told_cap) {
        db->told_cap = db->told_cap ? 2 * db->told_cap : 64;
        db->told = realloc(db->told, db->told_cap * sizeof(db->told[0]));
        if (!db->told)
            out_of_memory();
    }
    db->told[db->told_count++] = (struct db_told){ .topic = topic, .key = key };
}

static int
compare_told(const void *left, const void *right)
{
    const struct db_told *a = left, *b = right;

    if (a->topic != b->topic)
        return a->topic < b->topic ? -1 : 1;
    return a->key < b->key ? -1 : a->key > b->key;
}

size_t
db_told_once(struct db *db)
{
    size_t n = 0;

    if (db->told_count > 1)
        qsort(db->told, db->told_count, sizeof(db->told[0]), compare_told);
    for (size_t i = 0; i < db->told_count; i++)
        if (n == 0 || compare_told(&db->told[n - 1], &db->told[i]) != 0)
            db->told[n++] = db->told[i];
    db->told_count = n;
    return n;
}

void
db_tell(struct db_engine *e, struct db *db)
{
    size_t n;

    if (e->driver->tell)
        e->driver->tell(e, db);
    n = db_told_once(db);
    for (size_t i = 0; i < n && e->options.on_signal; i++)
        e->options.on_signal(e->options.signal_ctx, db->told[i].topic, db->told[i].key);
    db_forget(db);
}

/* ---- what is left for the end ---- */

void
db_at_commit(struct db *db, bool (*run)(struct db *db, void *arg, struct error *err), void *arg)
{
    if (db->later_count == db->later_cap) {
        db->later_cap = db->later_cap ? 2 * db->later_cap : 64;
        db->later = realloc(db->later, db->later_cap * sizeof(db->later[0]));
        if (!db->later)
            out_of_memory();
    }
    db->later[db->later_count++] = (struct db_later){ .run = run, .arg = arg };
}

bool
db_do_later(struct db *db, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < db->later_count; i++) /* which may add more */
        ok = db->later[i].run(db, db->later[i].arg, err);
    db->later_count = 0;
    return ok;
}

struct arena *
db_memory(struct db *db)
{
    return &db->memory;
}

bool
db_hold(struct db *db, const char *sql, const struct db_value *args, size_t n, struct error *err)
{
    return !db->driver->alone_sql || db_exec(db, sql, args, n, NULL, err);
}

bool
db_alone(struct db *db, int64_t key, struct error *err)
{
    return !db->driver->alone_sql || db_exec(db, db->driver->alone_sql, DB_ARGS(db_int(key)), NULL, err);
}

bool
db_try_alone(struct db *db, int64_t key, bool *got, struct error *err)
{
    const char *sql = db->driver->try_alone_sql;
    int64_t one = 1;

    if (sql && !db_get_int(db, sql, DB_ARGS(db_int(key)), &one, NULL, err))
        return false;
    *got = one == 1;
    return true;
}

bool
db_together(struct db *db, int64_t key, struct error *err)
{
    return !db->driver->together_sql || db_exec(db, db->driver->together_sql, DB_ARGS(db_int(key)), NULL, err);
}

void **
db_note(struct db *db)
{
    return &db->note;
}

void
db_forget(struct db *db)
{
    db->told_count = 0;
    db->later_count = 0;
    db->note = NULL;
    arena_reset(&db->memory);
}

void
db_free_parts(struct db *db)
{
    free(db->told);
    free(db->later);
    arena_deinit(&db->memory);
}

/* ---- transactions ---- */

void
db_start(struct db *db)
{
    db->doom.status = 0;
    db->lost = false;
}

bool
db_ended(struct db *db, bool ran, struct error *err)
{
    if (db->open_rows > 0) {
        db->driver->abandon(db);
        db->open_rows = 0;
        if (ran && db->doom.status == 0)
            ran = error_set(err, 500, "A query was left unfinished");
    }
    if (ran && !is_doomed(db, err)) {
        err->status = 0;
        return true;
    }
    if (err->status == 0)
        error_set(err, 500, "The transaction failed without saying why");
    return false;
}

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
