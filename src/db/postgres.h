/* postgres.h -- what the files of the PostgreSQL driver share; nobody outside of them includes it. */
#ifndef PARLEY_DB_POSTGRES_H
#define PARLEY_DB_POSTGRES_H

#include <libpq-fe.h>

#include "base/map.h"
#include "db/driver.h"

struct postgres_rows;
struct postgres_statement;

/* The connection is in libpq's pipeline mode all the time: what needs no answer is sent without waiting for one, and
 * answers are read in order when somebody does wait. */
struct postgres {
    struct db   db;
    PGconn     *conn;
    const char *begin_sql;
    const char *owed;       /* a BEGIN or SAVEPOINT that goes out with the next statement; NULL = none */
    int         unread;     /* sent, and their answers not yet looked at */
    bool        in_txn;     /* a BEGIN has been sent */
    bool        is_pooled;  /* somebody between us and the server hands each transaction to another connection */
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

/* Turns a refusal of the server (NULL: of the connection) into the sentence, and notes when the transaction is over
 * for everybody in it. Always false. */
bool postgres_explain(struct postgres *c, const PGresult *result, const char *sql, struct error *err);

/* ---- postgres_statement.c: most of these fill the table of the driver ---- */

bool postgres_exec(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
                   struct error *err);
bool postgres_query(struct db *db, const char *sql, const struct db_value *args, size_t n, struct db_rows *rows,
                    struct error *err);
bool postgres_next(struct db_rows *rows);
void postgres_finish(struct db_rows *rows);
void postgres_abandon(struct db *db);
int  postgres_columns(struct db_rows *rows);
int64_t    postgres_col_int(struct db_rows *rows, int col);
struct str postgres_col_peek(struct db_rows *rows, int col);
bool       postgres_col_is_null(struct db_rows *rows, int col);

/* Waits for the answers of all that was sent; false with the first refusal among them. */
bool postgres_settle(struct postgres *c, struct error *err);

/* Sends SQL without parameters, not waiting for its answer. */
bool postgres_send_plain(struct postgres *c, const char *sql, struct error *err);

void postgres_forget_statements(struct postgres *c);

/* ---- postgres_listen.c ---- */

bool postgres_tell(struct db_engine *e, struct db *db, struct error *err);
bool postgres_listen(struct db_engine *e, struct error *err);
void postgres_deafen(struct db_engine *e);

#endif
