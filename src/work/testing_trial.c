/* testing_trial.c -- each of the worker's transactions made as often as it has statements, every time with another one
 * failing, before it is made for good: each time it must say so, and be none the worse for having begun already.
 *
 * The linker puts the function below in db_submit()'s place (`--wrap`), in the programs of this folder's tests only. */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/driver.h"
#include "db/testing_fail.h"

enum { FAILS_MAX = 100, UNDER_WAY_MAX = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct db_txn *txn; /* NULL = free */
    enum db_mode   mode;
    struct db_txn  was; /* run() and done() as the submitter set them */
} under_way[UNDER_WAY_MAX];

void __real_db_submit(struct db_engine *e, enum db_mode mode, struct db_txn *t);
void __wrap_db_submit(struct db_engine *e, enum db_mode mode, struct db_txn *t);

static int
place_of(const struct db_txn *txn)
{
    int i = 0;

    pthread_mutex_lock(&lock);
    while (i < UNDER_WAY_MAX && under_way[i].txn != txn)
        i++;
    pthread_mutex_unlock(&lock);
    assert(i < UNDER_WAY_MAX);
    return i;
}

static void
ck_failed(const struct db *db, bool was_true, const struct error *err)
{
    if (!was_true && strstr(err->message, FAIL_MESSAGE) && db->open_rows == 0)
        return;
    fprintf(stderr, "a statement failed, and what came of it is: %s, \"%s\", %d rows open\n",
            was_true ? "true" : "false", err->message, db->open_rows);
    abort();
}

/* Once, with this statement failing. *happened false: there are not so many, and it was made for good. */
static bool
try_once(int i, struct db *db, int fails, bool *happened, struct error *err)
{
    bool writes = under_way[i].mode == DB_WRITE, ok;
    size_t told_before = db->told_count, later_before = db->later_count;
    struct error undo;

    if (writes && !db->driver->control(db, DB_SAVEPOINT, err))
        return false;
    fail_watch(db);
    fail_at(fails);
    ok = under_way[i].was.run(under_way[i].txn, db, err);
    *happened = fail_happened();
    fail_at(0);
    fail_watch_no_more(db);
    if (*happened) {
        ck_failed(db, ok, err);
        if (writes && !db->driver->control(db, DB_ROLLBACK_TO, &undo))
            abort();
        db->told_count = told_before;
        db->later_count = later_before;
        db_start(db);
        err->status = 0;
    }
    return (!writes || db->driver->control(db, DB_RELEASE, err)) && ok;
}

static bool
run(struct db_txn *txn, struct db *db, struct error *err)
{
    int i = place_of(txn);
    bool happened = true, ok = false;

    /* Only on SQLite: our code is the same on both, and a server would take its time with each. */
    for (int fails = db->driver->is_remote ? 0 : 1; happened; fails = fails < FAILS_MAX ? fails + 1 : 0)
        ok = try_once(i, db, fails, &happened, err);
    return ok;
}

static void
done(struct db_txn *txn)
{
    int i = place_of(txn);
    struct db_txn was = under_way[i].was;

    pthread_mutex_lock(&lock);
    under_way[i].txn = NULL;
    pthread_mutex_unlock(&lock);
    was.done(txn);
}

void
__wrap_db_submit(struct db_engine *e, enum db_mode mode, struct db_txn *t)
{
    int i = 0;

    pthread_mutex_lock(&lock);
    while (i < UNDER_WAY_MAX && under_way[i].txn)
        i++;
    assert(i < UNDER_WAY_MAX);
    under_way[i].txn = t;
    under_way[i].mode = mode;
    under_way[i].was = *t;
    pthread_mutex_unlock(&lock);
    t->run = run;
    t->done = done;
    __real_db_submit(e, mode, t);
}
