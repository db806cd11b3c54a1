/* db.h -- one interface to two databases: SQLite in this process, PostgreSQL for many.
 *
 * A transaction is a plain synchronous function that gets a `struct db` and does all its reading and writing
 * with it. Who wants one fills a `struct db_txn` and submits it; when it is over (and, for a write, durable)
 * the txn comes back to the submitter's own event loop. Write transactions that are waiting together share
 * one commit: each can fail for itself, and none is answered before the commit they share is on disk.
 *
 * SQL is written once, in the dialect both engines share: `$1` parameters, RETURNING, ON CONFLICT. Statements
 * are named constants and are prepared once per connection; the constant's address is the key, so never build
 * SQL. */
#ifndef PARLEY_DB_DB_H
#define PARLEY_DB_DB_H

#include "base/arena.h"
#include "base/error.h"
#include "base/mailbox.h"

struct db;        /* one connection, inside a transaction */
struct db_engine; /* an open database */

/* ---- statements ---- */

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_type type;
    enum db_type null_of; /* DB_NULL: what it would be if it were something */
    int64_t      number;
    struct str   text;
};

static inline struct db_value
db_int(int64_t v)
{
    return (struct db_value){ .type = DB_INT, .number = v };
}

static inline struct db_value
db_int_or_null(int64_t v) /* 0 is stored as NULL: times that are not yet, keys of nothing */
{
    return (struct db_value){ .type = v ? DB_INT : DB_NULL, .null_of = DB_INT, .number = v };
}

static inline struct db_value
db_text(struct str v) /* none is stored as NULL */
{
    return (struct db_value){ .type = v.ptr ? DB_TEXT : DB_NULL, .null_of = DB_TEXT, .text = v };
}

static inline struct db_value
db_blob(struct str v)
{
    return (struct db_value){ .type = v.ptr ? DB_BLOB : DB_NULL, .null_of = DB_BLOB, .text = v };
}

#define DB_ARGS(...)                        \
    ((const struct db_value[]){ __VA_ARGS__ }), \
        (sizeof((const struct db_value[]){ __VA_ARGS__ }) / sizeof(struct db_value))
#define DB_NO_ARGS NULL, (size_t)0

struct db_rows {
    void *statement; /* the driver's */
    struct db *db;
    int   columns;   /* of the current row; 0 = there is none */
    bool  failed;
    struct error err;
};

/* Runs a query; rows are read with db_next() until it is false, then db_finish() must be called (also early,
 * and not when this is false). `args` are copied. A statement that failed dooms its transaction, whatever
 * run() makes of it: later statements get the same error, and nothing is committed. So avoid failures with ON
 * CONFLICT; do not catch them. On PostgreSQL the failure of a db_exec() without `changed` may come up only with a
 * later statement, or the commit. */
bool db_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
              struct error *err);
bool db_next(struct db_rows *rows);
bool db_finish(struct db_rows *rows, struct error *err); /* false when reading failed midway */

/* Columns of the current row, from 0. NULL reads as 0 or none, and so does a column that is not there, but then
 * db_finish() fails. Text is copied into `a`. */
int64_t    db_col_int(struct db_rows *rows, int col);
struct str db_col_text(struct db_rows *rows, int col, struct arena *a);
struct str db_col_peek(struct db_rows *rows, int col); /* borrowed until the next db_next() */
bool       db_col_is_null(struct db_rows *rows, int col);

/* Runs a statement that returns nothing. `changed` (may be NULL) gets the number of rows it touched. */
bool db_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
             struct error *err);

/* db_exec() of what nearly always touches one row: where asking costs a round trip, *touched is taken for true, and the
 * database asked later. When that turns out wrong, all of the transaction is undone, and run again with the truth. */
bool db_exec_likely(struct db *db, const char *sql, const struct db_value *args, size_t n, bool *touched,
                    struct error *err);

/* One statement that answers at most one row with one integer. *found tells whether there was one (may be NULL;
 * then a missing row leaves *out as it was). */
bool db_get_int(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *out, bool *found,
                struct error *err);

/* Tells whoever listens, in every process on this database, once the transaction is committed and not at all otherwise:
 * "there is work in this lane", "there are events". Topics belong to the caller. The same topic and key from several
 * transactions that share a commit is told once, in this process before any of them is answered. A DB_READ tells
 * nothing. What another process tells can get lost with the connection: then DB_MISSED is told when there is a new
 * one. */
void db_signal(struct db *db, int topic, int64_t key);
#define DB_MISSED 0 /* a topic: anything may have happened meanwhile */

/* Has `run` done in this transaction at its very end, when all that share the commit have run; not at all when it is
 * rolled back. `arg` must live until then, as what is in db_memory() does. For what must hold up others as shortly as
 * can be. */
void db_at_commit(struct db *db, bool (*run)(struct db *db, void *arg, struct error *err), void *arg);
struct arena *db_memory(struct db *db); /* of this transaction, until it is over */

/* Runs a statement whose only effect is that other transactions wait for the row until the commit. (SQLite has only one
 * that writes anyway.) */
bool db_hold(struct db *db, const char *sql, const struct db_value *args, size_t n, struct error *err);

/* How a row is read that is to be changed, which others may be changing as well: the statement for each. NEEDLESS where
 * only one writes; WAIT locks it (FOR NO KEY UPDATE); TRY does not wait (SKIP LOCKED), so when it finds nothing, and
 * there is something, db_busy() must be returned. Whoever shares a commit holds the locks of the others, too; if they
 * also waited for more, two such commits would soon wait for each other. */
enum db_grip { DB_GRIP_NEEDLESS, DB_GRIP_WAIT, DB_GRIP_TRY, DB_GRIPS };
enum db_grip db_grip(const struct db *db);
#define DB_GRIP_SQL(sql, rows)                                            \
    {                                                                      \
        [DB_GRIP_NEEDLESS] = (sql),                                        \
        [DB_GRIP_WAIT] = sql " FOR NO KEY UPDATE" rows,                    \
        [DB_GRIP_TRY] = sql " FOR NO KEY UPDATE" rows " SKIP LOCKED",      \
    }

/* In db_txn.ahead only: db_query() in run() with the same statement and values has its answer already. The statement
 * is one for DB_GRIP_TRY, so that nobody else changes the row meanwhile; run() may, and changes no other row that
 * anybody asks for ahead. False when it is not asked: who wants the same row as another must see what that one makes of
 * it. */
bool db_ask_ahead(struct db *db, const char *sql, const struct db_value *args, size_t n);

/* This transaction, which has changed nothing yet, is put off until who is in its way may have gone. Always false. */
bool db_busy(struct db *db, struct error *err);

/* From here to the commit no other transaction of any process gets past this with the same key. (SQLite has only one
 * that writes anyway.) */
bool db_alone(struct db *db, int64_t key, struct error *err);

/* The same without waiting: *got is false when somebody is in the way. */
bool db_try_alone(struct db *db, int64_t key, bool *got, struct error *err);

/* Any number may be here at once with the same key, but not while somebody is alone with it. */
bool db_together(struct db *db, int64_t key, struct error *err);

/* Places for what those who share the commit find out together; NULL at first. `which` is the caller's to give out.
 * What one of them notes stays when it is rolled back, unless all are. */
enum { DB_NOTES = 2 };
void **db_note(struct db *db, int which);

/* ---- rows that are read in order ---- */

/* Who takes rows up by "all behind this number" must find that none appears below later. Where many write at once they
 * get their numbers in order, but the later may be through first; so db_settled() says how far that is over. There is
 * one series in a database. */
struct db_series {
    const char *after_sql;  /* the numbers there are behind $1, in order, $2 at most */
    const char *newest_sql; /* the last one; 0 = there is none */
};

/* Gives `n` numbers in order, each greater than all that anybody was given before. For what is left for the end
 * (db_at_commit): what decides on the order of two must be locked before. `numbers` holds those one would like best,
 * which are given where only one writes at a time and none is there yet. */
bool db_numbers(struct db *db, const struct db_series *s, int64_t *numbers, size_t n, struct error *err);

/* Goes on behind the rows that are there, which may have come from another database. While nobody writes. */
bool db_numbers_go_on(struct db *db, const struct db_series *s, struct error *err);

/* The last number at or below which nothing appears any more; *held: there are some behind it, and others are still to
 * come in between, or will turn out to have been given up. In the transaction that then reads. `wanted`: somebody waits
 * for so much and asks again at once; 0 = there is time. A 503 when nothing is known yet, of an engine that has just
 * been opened: then the next transaction knows, or one soon after. */
bool db_settled(struct db *db, const struct db_series *s, int64_t wanted, int64_t *out, bool *held, struct error *err);

/* ---- transactions ---- */

enum db_mode { DB_READ, DB_WRITE };

struct db_txn {
    /* Set by the submitter. Returning false rolls this transaction back, not its neighbours; but for that they may
     * be rolled back with it and run again. So run() changes nothing but the database and memory it starts
     * afresh, also when it returns true. */
    bool (*run)(struct db_txn *t, struct db *db, struct error *err);
    /* Asks with db_ask_ahead() for the row that run() will read to change it, so that the answers for all who share a
     * commit come together. False when there is no such row, or run() may change others; NULL = always so. May be
     * called more often than run(), or not at all. */
    bool (*ahead)(struct db_txn *t, struct db *db);
    void (*done)(struct db_txn *t); /* on `reply_to`'s loop; `t->err.status` is 0 when it was committed */
    struct mailbox *reply_to;       /* NULL: done() is called on whichever thread finished it, and must be quick */

    /* Filled by the engine. */
    struct error   err;
    struct mail    mail;
    struct db_txn *next;
    int            put_off; /* so many times another had what it needed */
};

/* Takes `t` until done(). A read on SQLite runs here and now and done() is called before this returns, so
 * submit reads from the thread of `reply_to`; on PostgreSQL it is answered later, like a write. A full queue (as many
 * waiting as the engine's bound) ends the transaction with a 503, and so does a database that is full, locked or out
 * of reach: for everyone in the batch, and the next batch finds out whether it still is. */
void db_submit(struct db_engine *e, enum db_mode mode, struct db_txn *t);

/* For the command line and tests: runs it and waits. Not from within a transaction that writes. */
bool db_run(struct db_engine *e, enum db_mode mode, bool (*run)(void *arg, struct db *db, struct error *err), void *arg,
            struct error *err);

/* ---- the engine ---- */

struct db_options {
    const char *path;          /* SQLite file; made when it is missing */
    const char *url;           /* postgres://...; when set, `path` is not used */
    bool        pooled;        /* PostgreSQL: a pooler hands each transaction to another connection */
    int         writers, readers; /* PostgreSQL: connections of each; 0 = 2 and 4 */
    int         busy_timeout_ms; /* how long a lock held by another process is waited for before a 503; 0 = 5000 */
    int         batch_max;     /* write transactions sharing one commit; 0 = 256 */
    int         queue_max;     /* write transactions waiting; 0 = 20000 */
    void (*on_signal)(void *ctx, int topic, int64_t key); /* on a database thread, so be quick; may be NULL */
    void *signal_ctx;
};

/* False with a sentence that says what to do: unwritable folder, locked file, not a database. */
bool db_open(const struct db_options *options, struct db_engine **out, struct error *err);
void db_close(struct db_engine *e); /* runs what is queued, then closes; NULL is fine */

struct db_migration {
    int         number; /* 1, 2, 3 ... */
    const char *name;
    const char *sql; /* several statements; "id $KEY" is the 64-bit primary key, $BLOB the type of bytes,
                        $SERIES makes the numbers of db_numbers() */
};

/* Brings the schema up to the last of `list`, all or nothing per migration. Refuses (err) a database that a
 * newer version wrote. */
bool db_migrate(struct db_engine *e, const struct db_migration *list, size_t n, struct error *err);
bool db_version(struct db_engine *e, int *out, struct error *err);

/* A copy of the database as it is at one moment, in a new file at `path`, while others write. Overwrites
 * nothing. */
bool db_backup(struct db_engine *e, const char *path, struct error *err);

/* Reads everything (slow); false with the first damage found, in the file itself or in what refers to what. */
bool db_check(struct db_engine *e, struct error *err);

/* Gives back the memory that connections which only read keep between transactions. */
void db_tidy(struct db_engine *e);

struct db_stats { /* of writes, since db_open() */
    int64_t commits;
    int64_t transactions, rollbacks; /* answered, and those of them with an error */
    int64_t waiting;                 /* now */
    int64_t batch_largest;
    int64_t commit_us_total;         /* spent in COMMIT, most of it waiting for the disk */
};
void db_stats(struct db_engine *e, struct db_stats *out); /* any thread */

#endif
