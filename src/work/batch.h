/* batch.h -- what the tasks of a lane do with the database in one turn of the loop, as one transaction.
 *
 * A task knows nothing of its neighbours: task_txn() joins it, and it goes on when its work is committed. What they
 * have in common is asked once: whether the lane is still ours, and the account or the endpoint they all work for. When
 * a batch fails, each of its tasks is tried by itself, so that only the one at fault fails.
 *
 * While two batches of a lane are with the database, what comes gathers: so they grow with the load. */
#ifndef PARLEY_WORK_BATCH_H
#define PARLEY_WORK_BATCH_H

#include "store/webhook.h"
#include "work/task.h"

/* What is alike goes together: first steps find what they have in common as others' last steps left it. */
enum batch_sort { BATCH_READS, BATCH_WRITES, BATCH_MUSTS, BATCH_SORTS };

struct batch;
struct batches { /* of a lane */
    struct batch *gathering;
    int           under_way;
};

/* Runs t->work in a transaction of t->mode, then task_txn_done(). */
void batch_join(struct task *t);

/* Once in a turn, before the loop waits: whatever may go to the database does. */
void batches_send(struct worker *w);

/* In a transaction, for a task that only reads the profile: its lane's, with the account as its platform needs it. */
bool batch_profile(struct task *t, struct db *db, bool *found, struct error *err);

/* In a transaction: its lane's endpoint. */
bool batch_webhook(struct task *t, struct db *db, bool *found, struct error *err);

#endif
