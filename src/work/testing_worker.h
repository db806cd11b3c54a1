/* testing_worker.h -- for tests: a real worker on a real database, courier and media store, and a platform that does
 * what the test says.
 *
 * The platform asks a server on this machine, GET /send/<participant>/<text> and the like, and the answer is the
 * verdict in words: "done", "retry", "retry <ms>", "account <ms>" (all of it must wait), "maybe" (nobody knows whether
 * it went out), "fail", "token" (no longer valid); behind "done " of a poll the number of the message that came. A
 * test's program puts this platform in Telegram's place with SCRIPTED_TELEGRAM. */
#ifndef PARLEY_WORK_TESTING_WORKER_H
#define PARLEY_WORK_TESTING_WORKER_H

#include <pthread.h>

#include "net/testing.h"
#include "store/testing.h"
#include "work/worker.h"

#define SCRIPTED_TELEGRAM                                                                                  \
    const struct platform telegram = {                                                                     \
        .name = "telegram", .can = CAN_ATTACH, .step = scripted_step, .parse_poll = scripted_parse_poll,   \
    }

void scripted_step(struct op *op, const struct net_response *last, struct op_step *out);
void scripted_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

enum { CALLS_MAX = 256 };

struct testing_worker {
    struct testing_store  store;
    struct db_engine     *engine; /* the worker's, which is told of signals */
    struct media_store   *media;
    struct platform_env   env;
    struct test_server   *server;
    struct worker        *worker;

    /* What to answer to `call`, asked for the `nth` time (from 1); NULL = hold it. On the server's threads. */
    const char *(*script)(const char *call, int nth);

    pthread_mutex_t lock;
    pthread_cond_t  changed; /* a call came, a gate opened, something was committed */
    char            calls[CALLS_MAX][64];
    int64_t         calls_at[CALLS_MAX]; /* on the monotonic clock */
    int             calls_count;
    char            gate[64]; /* calls that begin like this wait; "" = none */
};

/* The database with the test's transaction open, as ts_open() leaves it; no worker yet. The clock is real,
 * retries come after 10 ms, three of them. */
void tw_open(struct testing_worker *t);
void tw_close(struct testing_worker *t);

/* Commits the test's transaction, and starts or wakes the worker. From then on the test looks with await(). */
void tw_start(struct testing_worker *t);
void tw_go(struct testing_worker *t);
void tw_stop(struct testing_worker *t, int64_t drain_ms);

void tw_gate(struct testing_worker *t, const char *prefix); /* "" opens it */

/* Until the query's number is `n`; fails after ten seconds. */
void tw_await(struct testing_worker *t, const char *sql, int64_t n);
/* Until `n` calls that begin with `prefix` have come. */
void tw_await_calls(struct testing_worker *t, const char *prefix, int n);

int         tw_calls(struct testing_worker *t, const char *prefix);
const char *tw_call(struct testing_worker *t, const char *prefix, int i); /* from 0 */

int64_t     tw_call_ms(struct testing_worker *t, const char *prefix, int i); /* when it came */

int64_t tw_look(struct testing_worker *t, const char *sql);

#endif
