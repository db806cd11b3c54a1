/* postgres.h -- what the files of the PostgreSQL driver share; nobody outside of them includes it. */
#ifndef PARLEY_DB_POSTGRES_H
#define PARLEY_DB_POSTGRES_H

#include <libpq-fe.h>

#include "base/map.h"
#include "db/driver.h"

struct postgres_rows;
struct postgres_statement;

enum { POSTGRES_UNREAD_MAX = 256, POSTGRES_ASKED_MAX = 64 };

/* Something on its way to the server, whose answer was not read yet. */
struct postgres_sent {
    const char *sql;
    struct postgres_statement *prepares; /* NULL = it prepares nothing */
    bool is_sync;                        /* it ends what a refusal makes the server skip */
    bool is_spare;                       /* a refusal harms nobody */
    bool is_likely;                      /* it is taken for granted that it touches one row */
    PGresult **keep;                     /* where its answer goes that somebody will ask for; NULL = nobody will */
};

/* A query that was sent before anybody waits for it. */
struct postgres_asked {
    const char      *sql;  /* NULL = its answer was taken */
    struct db_value *args; /* copies, in the memory of the batch */
    size_t           n;
    PGresult        *result; /* NULL = not there yet */
};

/* The connection is in libpq's pipeline mode all the time: what needs no answer is sent without waiting for one, and
 * answers are read in order when somebody does wait. */
struct postgres {
    struct db   db;
    PGconn     *conn;
    bool        is_broken;  /* of no more use */
    bool        is_reader;
    bool        is_pooled;  /* somebody between us and the server hands each transaction to another connection */
    bool        in_txn;     /* a BEGIN was asked for */
    bool        is_owed;    /* and goes out with the first statement */
    bool        is_patient; /* this transaction may take as long as it likes */
    int64_t     xid;        /* of this transaction; 0 = not known (yet) */
    int         timeout_ms; /* of a statement */
    char        settings[256]; /* SQL for the limits of a transaction, where they are not the connection's */

    struct postgres_sent sent[POSTGRES_UNREAD_MAX];
    int         sent_count;

    struct postgres_asked asked[POSTGRES_ASKED_MAX];
    int         asked_count;

    struct map  statements; /* by the address of their SQL */
    int         names;      /* of statements so far */
    struct postgres_rows *open;
};

static inline struct postgres *
postgres_of(struct db *db)
{
    return container_of(db, struct postgres, db);
}

/* ---- postgres.c ---- */

/* Connects with what is true of every connection; the caller looks at its status and ends it. */
PGconn *postgres_dial(const char *url);

/* ---- postgres_explain.c ---- */

/* Turns a refusal of the server (NULL: of the connection) into the sentence, and notes when the transaction is over
 * for everybody in it, and when the connection is. Always false. */
bool postgres_explain(struct postgres *c, const PGresult *result, const char *sql, struct error *err);
bool postgres_outage(struct postgres *c, const char *said, struct error *err); /* the connection is over */

/* False with the sentence when `url` cannot be one. It never shows the password, nor what may be part of it. */
bool postgres_check_url(const char *url, struct error *err);

/* ---- postgres_pipe.c ---- */

/* Notes that something was sent, which `ok` tells. */
bool postgres_sent(struct postgres *c, int ok, struct postgres_sent what, struct error *err);
bool postgres_send_plain(struct postgres *c, const char *sql, struct error *err); /* without parameters */
bool postgres_send_spare(struct postgres *c, const char *sql, struct error *err); /* and a refusal harms nobody */
bool postgres_send_owed(struct postgres *c, struct error *err);                   /* the BEGIN, when it is still owed */

/* What comes next starts afresh after a refusal, and all so far leaves for the server at once. */
bool postgres_send_sync(struct postgres *c, struct error *err);

/* Waits for the answers of all that was sent and hands out the last (NULL = nothing was); false with the first refusal
 * among them. Nothing is on its way afterwards. */
bool postgres_read_answers(struct postgres *c, PGresult **out, struct error *err);
bool postgres_settle(struct postgres *c, struct error *err); /* the same, for who wants no answer */
bool postgres_is_alive(struct db *db);

/* ---- postgres_statement.c ---- */

/* Sends a statement; of `how`, what is known of its answer. */
bool postgres_send(struct postgres *c, struct postgres_sent how, const struct db_value *args, size_t n,
                   struct error *err);
bool postgres_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
                   struct error *err);
bool postgres_exec_likely(struct db *db, const char *sql, const struct db_value *args, size_t n, struct error *err);
void postgres_forget_statement(struct postgres *c, struct postgres_statement *s);
void postgres_forget_statements(struct postgres *c);

/* ---- postgres_ahead.c ---- */

bool postgres_ask_ahead(struct db *db, const char *sql, const struct db_value *args, size_t n);
void postgres_forget_asked(struct db *db);

/* The answer to what was asked ahead, which is the caller's now; NULL when this was not. */
bool postgres_take_asked(struct postgres *c, const char *sql, const struct db_value *args, size_t n, PGresult **out,
                         struct error *err);

/* ---- postgres_rows.c ---- */

bool postgres_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
                    struct error *err);
bool postgres_next(struct db_rows *rows);
void postgres_finish(struct db_rows *rows);
void postgres_abandon(struct db *db);
int  postgres_columns(struct db_rows *rows);
int64_t    postgres_col_int(struct db_rows *rows, int col);
struct str postgres_col_peek(struct db_rows *rows, int col);
bool       postgres_col_is_null(struct db_rows *rows, int col);

/* ---- postgres_listen.c ---- */

void postgres_tell(struct db_engine *e, struct db *db);
bool postgres_listen(struct db_engine *e, struct error *err);
void postgres_deafen(struct db_engine *e);

#endif
