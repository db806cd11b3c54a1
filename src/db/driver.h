/* driver.h -- the border inside db/: what an engine must be able to do, and what it finds done already.
 *
 * db.c, connection.c and writer.c know transactions, batches and threads and no engine; sqlite.c knows one engine and
 * none of these. A driver embeds `struct db` as the first member of its own connection and exports one constant
 * table. */
#ifndef PARLEY_DB_DRIVER_H
#define PARLEY_DB_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/db.h"

struct db_told {
    int     topic;
    int64_t key;
};

struct db_later {
    bool (*run)(struct db *db, void *arg, struct error *err);
    void *arg;
};

/* How far the numbers of a series are settled, for all of an engine (series.c). */
struct db_tide {
    pthread_mutex_t lock;
    bool    is_known;
    int64_t settled;
    int64_t gap_since_ms; /* when the number behind it was first missed, in clock_mono_ms(); 0 = it was not */
    int64_t fence;        /* what will be settled when none of the holders is left */
    char   *holders;      /* NULL = there is no fence */
};

/* A connection as every driver has it, which sets `lost`, `conflict` and `misguessed`; the rest is connection.c's and
 * writer.c's. */
struct db {
    const struct db_driver *driver;
    struct db *next;      /* in the pool of idle readers */

    int  open_rows;       /* queries whose db_finish() is still to come */
    bool lost;            /* the transaction cannot be continued nor committed, for nobody in the batch */
    bool conflict;        /* another connection was in the way: the same again, alone, may succeed */
    bool in_company;      /* others of this batch have run, and hold what they have locked */
    bool has_written;     /* this transaction may have changed something */
    bool may_guess;       /* db_exec_likely() need not wait */
    bool has_guessed;     /* and did not, in this batch, */
    bool misguessed;      /* and it was not so */
    bool is_busy;         /* db_busy() was called */
    struct error doom;    /* the first statement that failed since db_start(); those after it are not run */

    struct db_told *told; /* signals of this batch so far */
    size_t told_count, told_cap;

    struct db_later *later; /* what is left for the end of this batch */
    size_t later_count, later_cap;
    struct arena memory;    /* of this batch */
    void  *notes[DB_NOTES]; /* what db_note() points at */

    struct db_tide *tide;   /* NULL = nobody else writes */
    bool    knows_settled;  /* as it was when this transaction began, */
    int64_t settled;        /* and what it has found out since */
};

/* What moves a transaction along. BEGIN of a writing connection waits for the right to write; of a reading
 * one it fixes nothing until the first read, and then all reads see the database as it was at that moment. */
enum db_control { DB_BEGIN, DB_COMMIT, DB_ROLLBACK, DB_SAVEPOINT, DB_RELEASE, DB_ROLLBACK_TO, DB_CONTROLS };

struct db_driver {
    const char *name;
    const char *key_type, *blob_type; /* what $KEY and $BLOB in a migration stand for */
    const char *table_exists_sql;     /* counts tables named $1 */
    const char *alone_sql;            /* nobody else gets past this with the same $1 before the commit; NULL = BEGIN
                                         does that already */
    const char *try_alone_sql;        /* the same without waiting, 1 or 0 */
    const char *together_sql;         /* as many as like, but nobody who is alone */

    /* Numbers where several write at once (series.c); NULL = only one does. */
    const char *series_sql;           /* what $SERIES in a migration stands for */
    const char *numbers_sql;          /* $1 of them */
    const char *numbers_from_sql;     /* no number up to $1 is given out */
    const char *numbering_sql;        /* who holds the lock $1, as one text */
    const char *numbering_still_sql;  /* how many of those in the text $2 still do */
    bool        is_remote;            /* a statement waits for a network: nothing runs on the submitter's thread */

    void (*tidy)(struct db *db); /* gives back memory, between transactions; NULL = there is none worth it */

    /* NULL where a connection is never lost. */
    bool (*is_alive)(struct db *db); /* between transactions: whether it is worth beginning one */
    bool (*was_committed)(const struct db_options *o, struct db *db); /* after a commit that left no answer */

    /* After a commit that failed and was undone: makes sure that a later start does not find it all the same. NULL
     * where that cannot be. */
    void (*bury)(struct db *db);

    /* No limit of time holds for this transaction; NULL where none does anyway. */
    bool (*be_patient)(struct db *db, struct error *err);

    /* Makes the place to connect to ready, once. */
    bool (*prepare)(const struct db_options *o, struct error *err);
    bool (*connect)(const struct db_options *o, enum db_mode mode, struct db **out, struct error *err);
    void (*disconnect)(struct db *db); /* NULL is fine */

    /* After a ROLLBACK that failed the connection is of no more use. */
    bool (*control)(struct db *db, enum db_control what, struct error *err);

    /* With `changed` NULL it may be under way when this returns; settle() (NULL where that never happens) waits for
     * all such, and is false with the first failure among them. */
    bool (*settle)(struct db *db, struct error *err);
    bool (*exec)(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
                 struct error *err);
    /* Of one that changes one row; when it does not, a later call fails, or settle() at the latest, and
     * db->misguessed is set. NULL where `changed` is known at once. */
    bool (*exec_likely)(struct db *db, const char *sql, const struct db_value *args, size_t n, struct error *err);
    bool (*script)(struct db *db, const char *sql, struct error *err); /* several statements, nothing bound */

    /* The statement has done its work when query() returns; next() only hands out rows. */
    bool (*query)(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
                  struct error *err);
    /* Sends a query ahead; the first query() with the same statement and values takes its answer. False when it was not
     * sent: there is no room, or the same one is on its way. forget_asked() is called before any answer may be older
     * than what it tells of; BEGIN does the same. NULL where an answer costs no wait. */
    bool (*ask_ahead)(struct db *db, const char *sql, const struct db_value *args, size_t n);
    void (*forget_asked)(struct db *db);
    bool (*next)(struct db_rows *rows); /* false at the end and on failure, then with rows->failed and err */
    void (*finish)(struct db_rows *rows);
    void (*abandon)(struct db *db);     /* finishes the rows that a transaction left open */

    int        (*columns)(struct db_rows *rows); /* of the row that next() has just given */
    int64_t    (*col_int)(struct db_rows *rows, int col);
    struct str (*col_peek)(struct db_rows *rows, int col);
    bool       (*col_is_null)(struct db_rows *rows, int col);

    /* Tells the listeners of other processes what the batch just committed wants told; NULL = there are none. */
    void (*tell)(struct db_engine *e, struct db *db);
    bool (*listen)(struct db_engine *e, struct error *err); /* begins to hear what others tell; NULL = nobody does */
    void (*deafen)(struct db_engine *e);                    /* fine when not listening */

    bool (*backup)(const struct db_options *o, const char *path, struct error *err);
    bool (*check)(struct db *db, struct error *err);
};

extern const struct db_driver db_sqlite, db_postgres;

/* Transactions that wait, in order. */
struct db_queue {
    pthread_mutex_t lock;
    pthread_cond_t  work; /* something waits, or as much as is `awaited`, or it is time to close */
    struct db_txn  *first, *last;
    int             waiting;
    int             awaited; /* so many may be expected at once; 0 = do not wait */
    bool            closing;
};

/* A thread that runs batches of write transactions on a connection of its own. */
struct db_writer {
    struct db_engine *engine;
    pthread_t         thread;
    bool              started;
    struct db        *db;   /* NULL when it has to connect again */
    bool              unsure; /* a commit failed: whether it is in the database is for driver->bury to say */

    struct db_txn    *put_off;      /* what comes first in the next batch */

    int               careful;      /* so many batches still use savepoints from the start */
    int               sceptical;    /* so many batches still wait for what is likely */
    int               batch_ms;     /* a batch of slow transactions ends early, so that its first need not wait */
    int64_t           gather_us;    /* how long company is waited for after a commit */
    int64_t           gather_until; /* and until when that is now, in clock_mono_us() */
};

#define DB_THREADS_MAX 64

struct db_engine {
    const struct db_driver *driver;
    struct db_options       options; /* with copies of its strings */

    struct db_queue  writes, reads;
    struct db_writer writers[DB_THREADS_MAX];
    int              writer_count;
    pthread_t        readers[DB_THREADS_MAX]; /* only where the driver is remote */
    int              reader_count;

    pthread_mutex_t pool_lock;
    struct db      *idle_readers;

    struct db_tide tide;

    int64_t origin;   /* tells this engine's signals from those of others */
    void   *listener; /* the driver's */

    struct {
        _Atomic int64_t commits, transactions, rollbacks, batch_largest, commit_us_total;
    } stats;
};

/* ---- connection.c ---- */

bool db_script(struct db *db, const char *sql, struct error *err);

/* A transaction's own part on a connection: after db_start() and run(), db_ended() tells whether it may be
 * committed. Then `err` is clean, otherwise it holds the first cause. */
void db_start(struct db *db);
bool db_ended(struct db *db, bool ran, struct error *err);

void db_tell(struct db_engine *e, struct db *db); /* the signals of what has just been committed */
bool db_do_later(struct db *db, struct error *err); /* what db_at_commit() was told; then it is forgotten */
size_t db_told_once(struct db *db);               /* sorts the signals, each once; how many are left */
void db_forget(struct db *db);                    /* all that belonged to a batch; before the next begins */
void db_free_parts(struct db *db);                /* for a driver that frees a connection */

/* ---- db.c ---- */

void db_answer(struct db_txn *t); /* gives `t` back to its submitter */
void db_run_read(struct db_engine *e, struct db_txn *t); /* here and now, without answering */

/* ---- series.c ---- */

void db_tide_init(struct db_tide *t);
void db_tide_deinit(struct db_tide *t);
void db_tide_begin(struct db *db, struct db_tide *t); /* before a transaction's first statement */

/* ---- queue.c ---- */

void db_queue_init(struct db_queue *q);
void db_queue_deinit(struct db_queue *q);
void db_queue_close(struct db_queue *q); /* whoever takes from it gets what is left, then NULL */
bool db_queue_push(struct db_queue *q, struct db_txn *t, int max, struct error *err); /* false: full or closing */
struct db_txn *db_queue_take(struct db_queue *q); /* waits; NULL when it is closed and empty */

/* ---- writer.c ---- */

bool writers_start(struct db_engine *e, struct error *err); /* takes over e->writers[].db */
void writers_stop(struct db_engine *e);                     /* runs what is queued first; fine when not started */

/* ---- reader.c: threads for reads that wait for a network ---- */

bool readers_start(struct db_engine *e, struct error *err);
void readers_stop(struct db_engine *e);

#endif
