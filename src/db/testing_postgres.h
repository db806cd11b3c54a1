/* testing_postgres.h -- for tests of PostgreSQL's driver: two engines, as two processes have them, on one database of
 * tools/with-postgres, the first of them over a line that can fail. */
#ifndef PARLEY_DB_TESTING_POSTGRES_H
#define PARLEY_DB_TESTING_POSTGRES_H

#include <pthread.h>
#include <semaphore.h>

#include "base/testing.h"
#include "db/driver.h"
#include "db/testing_line.h"

/* What was signalled to an engine. */
struct ear {
    pthread_mutex_t lock;
    pthread_cond_t  heard;
    int             count, missed;
    int64_t         last;
};

extern struct testing_postgres {
    struct place      place;
    struct line       line;
    struct db_engine *engine, *other; /* with one writer and one reader each */
    struct ear        mine, theirs;
    struct error      err;
} pg;

void pg_set_up(void); /* with a table `item` */
void pg_tear_down(void);
struct db_engine *pg_open_at(const char *url, struct ear *ear, bool pooled);
void pg_kill(int64_t pid); /* a connection, by its server's process */

/* main() of such a program: TEST_CASES, but skipped where there is no PostgreSQL. */
#define PG_TEST_CASES(suite_name, ...)                                                    \
    int main(void)                                                                        \
    {                                                                                     \
        TCase *(*const cases[])(void) = { __VA_ARGS__ };                                  \
                                                                                          \
        return pg_run_cases(suite_name, cases, COUNT(cases));                             \
    }

int pg_run_cases(const char *suite_name, TCase *(*const *cases)(void), size_t n);

void pg_await_key(struct ear *ear, int64_t key);
void pg_await_missed(struct ear *ear, int n);

/* ---- transactions ---- */

typedef bool pg_function(void *arg, struct db *db, struct error *e);

bool pg_runs(enum db_mode mode, pg_function *run, void *arg); /* on `engine` */

#define COMMITTED(mode, run, arg) ck_assert_msg(pg_runs(mode, run, arg), "%s", pg.err.message)

bool    pg_get_int(struct db *db, const char *sql, int64_t *out, struct error *e);
bool    pg_insert(struct db *db, int64_t id, struct error *e);
bool    pg_insert_one(void *arg, struct db *db, struct error *e); /* `arg`: its id */
bool    pg_count_items(void *arg, struct db *db, struct error *e);
int64_t pg_items(void);
void    pg_ck_outage(void); /* the last failure asks to come again */

/* ---- batches ---- */

struct pg_job {
    struct db_txn txn;
    pg_function  *run; /* with the address of `id` */
    int64_t       id;
    int           status, runs; /* expected; so far */
    sem_t         over;
};

void pg_submit(struct db_engine *e, struct pg_job *j);
void pg_run_batch(struct pg_job *jobs, size_t n); /* all in one commit; each ends as it should */

#endif
