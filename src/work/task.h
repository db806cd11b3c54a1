/* task.h -- one job under way: a chain of steps on the worker's loop, each of which ends in the
 * next.
 *
 * A kind of job is a start function (one file a kind). It goes on through task_txn(), task_op(),
 * task_fetch() and task_keep(), each of which calls back when it is through, and ends with
 * task_end(). Everything a task allocates is in its arena. What each file under work/ may use of
 * the worker is here; what the rest of the server may is in worker.h. */
#ifndef PARLEY_WORK_TASK_H
#define PARLEY_WORK_TASK_H

#include <stdatomic.h>

#include "base/config.h"
#include "store/job.h"
#include "store/message.h"
#include "store/webhook.h"
#include "work/lane.h"
#include "work/run.h"
#include "work/worker.h"

struct task;
struct batch;
typedef void task_next(struct task *t);
typedef bool task_work(struct task *t, struct db *db, struct error *err);

struct task {
    struct worker   *worker;
    struct job       job;
    int64_t          lane_id;
    int64_t          process_id; /* we had the lane as when this began, */
    struct term     *term;       /* and in this term */
    struct lane_job *seat;     /* its place in the lane */
    struct arena     arena;
    struct task     *prev, *next; /* all that are under way */

    const struct platform *platform;
    struct run             run;    /* .op is filled by the kind, .end is the platform's verdict */
    task_next             *then;   /* what follows the step that is under way */
    enum { TASK_CALLING, TASK_FETCHING, TASK_WAITING, TASK_ELSEWHERE } at; /* where it is now, for task_interrupt() */
    uv_timer_t             timer;
    bool                   timer_used;

    /* task_txn() */
    task_work    *work;
    enum db_mode  mode;
    struct batch *batch;      /* the transaction it does that in, with others */
    struct task  *batch_next; /* of them */
    bool         must;     /* its effect may not be lost: repeated until the database takes it */
    bool         gone;     /* set by the work: the job is pointless by now */
    bool         early;    /* the look that found the job due was overtaken: it has another time by now */

    /* task_fetch() and task_keep() */
    struct net_call   call;
    uv_work_t         disk;
    void (*disk_work)(struct task *t);
    struct media_info info;
    struct str        claimed_type, path;
    bool              kept;      /* t->info is in the store, and no transaction since has said who it is for */
    struct error      err;       /* of the step that just ended; status 0 = it went well */
    bool              err_is_final;

    /* the kinds' own */
    struct profile    profile;
    struct message    message;
    struct chat       chat;
    struct attachment attachment;
    struct webhook    webhook;
    struct event      event;
    struct str       *media_names;
    size_t            media_count;
    bool              more, flag;
    int64_t           due_at;

    /* what became of the account's token */
    bool              token_is_fresh; /* it was refreshed a moment before the answer came */
    bool              awaits_refresh; /* set by task_blame_account() */
    struct str        used_token;     /* what a refresh began with */
};

/* Runs `work` in a transaction, then `then`. One that writes is only done while the lane is ours, and otherwise
 * ends the task: whose the lane is now finds what we did, and what we did not. When the database fails, a task_txn
 * ends the task and the job is tried again in a moment; a task_txn_must is repeated until it succeeds, because it
 * holds what a platform answered. */
void task_txn(struct task *t, enum db_mode mode, task_work *work, task_next *then);
void task_txn_must(struct task *t, task_work *work, task_next *then);

/* Runs the operation in t->run.op; t->run.end has the verdict when `then` is called. */
void task_op(struct task *t, task_next *then);

/* Downloads a URL that a user gave us to a new spool file t->path; t->err says how it went, t->err_is_final whether
 * trying again is useless. */
void task_fetch(struct task *t, struct str url, int64_t max, task_next *then);

/* Makes the call in t->call.request; t->call.response has the answer. */
void task_call(struct task *t, task_next *then);

/* Moves t->path into the media store (t->info, t->err), off the loop because it syncs to disk. */
void task_keep(struct task *t, struct str path, struct str claimed_type, task_next *then);

/* Runs `work` on a thread for slow disk work, then `then`. The task is that thread's meanwhile. */
void task_disk(struct task *t, void (*work)(struct task *t), task_next *then);

/* The other side has answered: what is left to be written down keeps nobody from beginning. */
void task_give_place(struct task *t);

void task_end(struct task *t);

/* In a transaction: reads the job afresh. t->gone when it went while it was waiting here. When it is not due any more
 * that too, and then the task ends with this transaction, without what should follow it. */
bool task_load_job(struct task *t, struct db *db, struct error *err);

/* In a transaction: there is nothing left to do about this job. */
bool task_finish(struct task *t, struct db *db, struct error *err);

/* In a transaction: nobody wants what task_keep() kept. */
bool task_forget_kept(struct task *t, struct db *db, struct error *err);

/* In a transaction: this job again after our own backoff, or the time the platform named. False in
 * *again when its tries are used up (then nothing was written). `limit` 0 = for ever. */
bool task_retry(struct task *t, struct db *db, int64_t retry_after_ms, bool counts, int limit, bool *again,
                struct error *err);
int64_t task_backoff_ms(int attempts);

/* A token that was renewed so lately is not stale, whatever the platform says. */
#define TASK_FRESH_TOKEN_MS 60000

/* In a transaction: fills t->profile and the operation's account. t->gone when the profile is deleted or not active. */
bool task_load_account(struct task *t, struct db *db, bool also_deleted, struct error *err);

/* In a transaction, when an earlier one found the account expired: the job waits for a reconnect, or no longer if that
 * has come since. */
bool task_await_account(struct task *t, struct db *db, struct error *err);

/* In a transaction, for a job that an earlier one found not to be worth doing: it is pointless, or in vain while the
 * account has no valid credentials, and then it waits for a reconnect. */
bool task_drop(struct task *t, struct db *db, struct error *err);

/* In a transaction: the token no longer works. The profile expires, and everything of its lane
 * waits for a reconnect. */
bool task_hold_lane(struct task *t, struct db *db, struct str reason, struct error *err);

/* In a transaction, after an operation: whether it failed for want of good credentials. Then the job waits, for a new
 * token (which is asked for) or for a reconnect (task_hold_lane), and nothing is left to do about it. */
bool task_blame_account(struct task *t, struct db *db, bool *blamed, struct error *err);

/* In a transaction, for an operation that is worth asking for again: waits for the account where its token is at fault,
 * and else for the next try. Only with *over is there anything left to write: it will not be tried again. */
bool task_try_again(struct task *t, struct db *db, int tries, bool *over, struct error *err);

/* The lane's token is new. */
void task_token_refreshed(struct task *t);

/* In a transaction: something happened to a polled account, so that more is to be expected. */
bool poll_hurry(struct task *t, struct db *db, struct error *err);

/* The kinds. */
void send_start(struct task *t);
void mirror_start(struct task *t);
void participant_start(struct task *t);
void tap_start(struct task *t);
void subscribe_start(struct task *t);
void unsubscribe_start(struct task *t);
void check_start(struct task *t);
void erase_start(struct task *t);
void poll_start(struct task *t);
void deliver_start(struct task *t);
void replay_start(struct task *t);
void sweep_start(struct task *t);
void refresh_start(struct task *t);
void hint_start(struct task *t);
void forget_start(struct task *t);
void redact_start(struct task *t);

/* What the worker counts. */
struct worker_counters {
    _Atomic int64_t published, retried, failed, mirrored, mirror_failed, polls, poll_errors;
    _Atomic int64_t delivered, delivery_failures;
};
struct worker_counters       *task_counters(struct task *t);
const struct worker_options  *task_options(struct task *t);
struct lane                  *task_lane(struct task *t);
bool                          task_is_draining(struct task *t);

#endif
