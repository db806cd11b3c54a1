/* worker.h -- the thread that does what jobs ask for: sends, downloads, look-ups, polls.
 *
 * It runs one event loop with the courier on it. A lane (a profile, or an endpoint of a subscriber) is plain memory
 * here: which jobs are under way, which chats are busy, how fast it may go. Of several processes on one database one
 * has a lane (seat.h, tenure.h). Transactions go to the database's threads and come back as mail. Requests of the API
 * that need a platform's answer before ours use the same courier and the same adapters through worker_ask(). */
#ifndef PARLEY_WORK_WORKER_H
#define PARLEY_WORK_WORKER_H

#include "base/mailbox.h"
#include "db/db.h"
#include "media/media.h"
#include "platform/platform.h"

struct worker;

struct worker_options {
    struct db_engine          *engine;
    struct media_store        *media;
    const struct platform_env *env;
    const struct net_guard    *guard; /* for URLs users give us */
    bool                       alone; /* no other process works on this database */
};

/* Starts the thread, which waits for work. */
bool worker_start(const struct worker_options *options, struct worker **out, struct error *err);

/* Takes up what an earlier process left (jobs in flight first). When the API listens: Instagram fetches a file from us
 * while its send is under way, and what it cannot fetch has failed. */
void worker_take_up(struct worker *w);

/* What the database's on_signal is told, for the worker to heed what concerns it. Any thread; cheap. */
void worker_signal(struct worker *w, int topic, int64_t key);

/* There may be something to do in this lane. */
void worker_wake(struct worker *w, int64_t lane_id);

/* Under which others know this process (store/lease.h). Any thread. */
int64_t worker_process_id(struct worker *w);

/* Lets what is in flight finish for at most `drain_ms`, leaves the rest to the next process, joins
 * the thread. NULL is fine. */
void worker_stop(struct worker *w, int64_t drain_ms);

/* A platform operation on behalf of someone who waits for it. */
struct ask {
    /* the caller's */
    const struct platform *platform;
    struct op              op;
    void (*done)(struct ask *ask); /* on `reply_to`'s loop */
    struct mailbox        *reply_to;
    /* the answer: verdict is OP_DONE, OP_RETRY (then `reason` and retry_after_ms) or OP_FAIL */
    struct op_step         end;
    struct mail            mail;
    void                  *run; /* the worker's */
};
void worker_ask(struct worker *w, struct ask *ask); /* any thread; takes `ask` until done() */

/* One plain HTTP call on behalf of someone who waits for it: fill call.request and call.arena. */
struct worker_call {
    struct net_call call;
    void (*done)(struct worker_call *c); /* on `reply_to`'s loop */
    struct mailbox *reply_to;
    struct mail     mail;
    struct worker  *worker;
};
void worker_call(struct worker *w, struct worker_call *c); /* any thread; takes `c` until done() */

struct worker_stats {
    int64_t sends_published, sends_retried, sends_failed;
    int64_t calls_in_flight, jobs_running, lanes;
    int64_t mirrored, mirror_failed, polls, poll_errors;
    int64_t delivered, delivery_failures;
};
void worker_stats(struct worker *w, struct worker_stats *out); /* any thread */

/* Platform errors by code, for metrics: calls `each` for every (platform, code) seen so far (run.h). */
void worker_error_counts(struct worker *w,
                         void (*each)(void *ctx, const char *platform, int code, int64_t count), void *ctx);

#endif
