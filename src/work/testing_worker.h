/* testing_worker.h -- for tests: a real worker on a real database, courier and media store, and a platform that does
 * what the test says.
 *
 * The platform asks a server on this machine, GET /send/<participant>/<text> and the like, and the answer is the
 * verdict in words:
 *
 *   done         behind it what came of it: the number of the message that a poll or OP_MESSAGE brought, the new token,
 *                the ids that were found, with commas, where there is a picture, what a check has to say
 *   more         of a poll: done, and there is more at once
 *   quiet <ms>   done, and nothing more of this account for so long
 *   retry, retry <ms>, account <ms>   not now; the latter: all of the account must wait
 *   maybe        nobody knows whether it went out
 *   stale        after OP_REFRESH
 *   lost         not now, because somebody else has the account's updates; behind it a sentence that says so
 *   fail         never
 *   token        the credentials are no longer valid
 *   status <n>   not 200 but this, which an endpoint may answer
 *
 * In the programs of this folder, before any transaction of the worker is made for good, each of its statements fails
 * once (testing_trial.c).
 *
 * A test's program puts this platform in Telegram's place with SCRIPTED_TELEGRAM, or SCRIPTED() with more. */
#ifndef PARLEY_WORK_TESTING_WORKER_H
#define PARLEY_WORK_TESTING_WORKER_H

#include <pthread.h>

#include "base/array.h"
#include "net/testing.h"
#include "store/testing.h"
#include "work/worker.h"

#define SCRIPTED(able, ...)                                                                                \
    const struct platform telegram = {                                                                     \
        .name = "telegram", .can = (able), .step = scripted_step, .parse_poll = scripted_parse_poll,       \
        __VA_ARGS__                                                                                        \
    }
#define SCRIPTED_TELEGRAM SCRIPTED(CAN_ATTACH | CAN_POLL, .title = "Telegram")

void scripted_step(struct op *op, const struct net_response *last, struct op_step *out);
void scripted_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out);

/* When set: sees each operation as it begins. On the worker's thread. */
extern void (*scripted_watch)(const struct op *op);

const char *scripted_token_is_over(const char *call, int nth); /* a script in which every call is told so */

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
    pthread_t       holder;   /* of the writer */
    bool            held, let_go;
};

/* The database with the test's transaction open, as ts_open() leaves it; no worker yet. The clock is real,
 * retries come after 10 ms, three of them. */
void tw_open(struct testing_worker *t);
void tw_close(struct testing_worker *t);

/* Commits the test's transaction, and starts or wakes the worker. From then on the test looks with await(). */
void tw_start(struct testing_worker *t);
void tw_go(struct testing_worker *t);
void tw_stop(struct testing_worker *t, int64_t drain_ms);
void tw_use(struct testing_worker *t, struct worker *worker); /* it is the one that is told of signals */

void tw_gate(struct testing_worker *t, const char *prefix); /* "" opens it */

/* Until the query's number is `n`; fails when that never comes. */
void tw_await(struct testing_worker *t, const char *sql, int64_t n);
/* Until `n` calls that begin with `prefix` have come. */
void tw_await_calls(struct testing_worker *t, const char *prefix, int n);

int         tw_calls(struct testing_worker *t, const char *prefix);
const char *tw_call(struct testing_worker *t, const char *prefix, int i); /* from 0 */

int64_t     tw_call_ms(struct testing_worker *t, const char *prefix, int i); /* when it came */

int64_t    tw_look(struct testing_worker *t, const char *sql);
void       tw_exec(struct testing_worker *t, const char *sql); /* in a transaction of its own */
struct str tw_text(struct testing_worker *t, const char *sql); /* the same of a text; none when there is no row */

/* Runs it on the worker's thread, between two turns of its loop, and waits until it has run. */
void tw_on_loop(struct testing_worker *t, void (*run)(struct worker *w, void *arg), void *arg);

/* Nothing else is written until it is let go (on SQLite; there this waits until nothing else is being written). */
void tw_hold_writer(struct testing_worker *t);
void tw_let_writer_go(struct testing_worker *t);

/* A message for each letter of `texts`, in the test's transaction. */
void tw_write(struct testing_worker *t, const char *participant, const char *texts);

/* Exactly these sends have come, in this order. */
void tw_ck_sent(struct testing_worker *t, const char *const *calls, int n);
#define CK_SENT(t, ...)                                                      \
    do {                                                                     \
        static const char *const expected[] = { __VA_ARGS__ };               \
                                                                             \
        tw_ck_sent((t), expected, COUNT(expected));                          \
    } while (0)

/* The account is connected again, in a transaction of its own. */
void tw_reconnect(struct testing_worker *t);

#define PUBLISHED "SELECT COUNT(*) FROM message WHERE status = 2"
#define PENDING   "SELECT COUNT(*) FROM message WHERE status = 3"
#define WAITING   "SELECT COUNT(*) FROM message WHERE status = 4"
#define FAILED    "SELECT COUNT(*) FROM message WHERE status = 5"
#define DOUBTFUL  "SELECT COUNT(*) FROM message WHERE platform_data LIKE '%\"possible_duplicate\":true%'"
#define SENDS     "SELECT COUNT(*) FROM job WHERE kind = 1"
#define IN_FLIGHT "SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 2"
#define EXPIRED   "SELECT COUNT(*) FROM profile WHERE status = 2"

/* The counters that lists are paged by, against the messages there are: 0 = they agree. */
#define MISCOUNTED                                                                                        \
    "SELECT COUNT(*) FROM chat c WHERE n_published <> (SELECT COUNT(*) FROM message m WHERE m.chat_id = c.id" \
    " AND status = 2) OR n_pending <> (SELECT COUNT(*) FROM message m WHERE m.chat_id = c.id AND status = 3)" \
    " OR n_waiting <> (SELECT COUNT(*) FROM message m WHERE m.chat_id = c.id AND status = 4)"                 \
    " OR n_failed <> (SELECT COUNT(*) FROM message m WHERE m.chat_id = c.id AND status = 5)"

/* The program of a test file whose tests each get a fresh `static struct testing_worker w`. */
#define WORKER_TESTS(suite_name, ...)                                   \
    static void set_up(void)                                            \
    {                                                                   \
        tw_open(&w);                                                    \
    }                                                                   \
    static void tear_down(void)                                         \
    {                                                                   \
        tw_close(&w);                                                   \
    }                                                                   \
    FIXTURE_TESTS(suite_name, set_up, tear_down, __VA_ARGS__)

#endif
