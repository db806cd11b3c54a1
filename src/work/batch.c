#include "work/batch.h"

#include <stdlib.h>

#include "base/crash.h"
#include "base/error.h"
#include "work/seat.h"

#define TASKS_MAX     64 /* in a batch: others want to write as well */
#define UNDER_WAY_MAX 2  /* of a lane and sort: one is at work, one waits for its turn */

struct batch {
    struct db_txn     txn;
    struct seat_lane *seat;
    struct batch     *next; /* among those that gather */
    enum batch_sort   sort;
    int64_t           process_id; /* who had the lane when its tasks began */
    struct task      *tasks, **tasks_end;
    int               count;
    bool              lost; /* the lane is not ours any more, so nothing was done */

    /* what the tasks have in common, once one has asked */
    struct arena   arena;
    bool           has_profile, has_webhook, found;
    struct profile profile;
    struct account account;
    struct webhook webhook;
};

static void batch_done(struct db_txn *txn);

static struct batch *
batch_new(struct seat_lane *seat, enum batch_sort sort, int64_t process_id)
{
    struct batch *b = calloc(1, sizeof(*b));

    if (!b)
        out_of_memory();
    b->seat = seat;
    b->sort = sort;
    b->process_id = process_id;
    b->tasks_end = &b->tasks;
    arena_init(&b->arena);
    return b;
}

static void
batch_forget(struct batch *b)
{
    account_wipe(&b->account);
    b->account = (struct account){ .id = 0 };
    b->has_profile = b->has_webhook = false;
    arena_reset(&b->arena);
}

static void
batch_free(struct batch *b)
{
    batch_forget(b);
    arena_deinit(&b->arena);
    free(b);
}

static void
batch_add(struct batch *b, struct task *t)
{
    t->batch = b;
    t->batch_next = NULL;
    *b->tasks_end = t;
    b->tasks_end = &t->batch_next;
    b->count++;
}

/* ---- in the transaction ---- */

/* What one kind of work reads another may have changed. */
static bool
batch_run(struct db_txn *txn, struct db *db, struct error *err)
{
    struct batch *b = container_of(txn, struct batch, txn);
    task_work *last = NULL;
    bool ours = true, ok = true;

    if (b->sort != BATCH_READS && !lane_is_ours(db, b->seat->lane.id, b->process_id, &ours, err))
        return false;
    b->lost = !ours;
    for (struct task *t = b->tasks; ours && ok && t; t = t->batch_next) {
        if (t->work != last)
            batch_forget(b);
        last = t->work;
        ok = t->work(t, db, err);
        if (ok && b->sort != BATCH_READS)
            crash_point_of("job carried out, not committed:", job_kind_names + 1, JOB_KINDS - 1, t->job.kind - 1);
    }
    batch_forget(b);
    return ok;
}

bool
batch_profile(struct task *t, struct db *db, bool *found, struct error *err)
{
    struct batch *b = t->batch;

    if (!b->has_profile
        && (!profile_get(db, t->lane_id, &b->arena, &b->profile, &b->found, err)
            || (b->found && !profile_account(db, &b->profile, &b->arena, &b->account, err))))
        return false;
    b->has_profile = true;
    *found = b->found;
    if (b->found)
        profile_copy(&b->profile, &b->account, &t->arena, &t->profile, &t->run.op.account);
    return true;
}

bool
batch_webhook(struct task *t, struct db *db, bool *found, struct error *err)
{
    struct batch *b = t->batch;

    if (!b->has_webhook && !webhook_get(db, t->lane_id, &b->arena, &b->webhook, &b->found, err))
        return false;
    b->has_webhook = true;
    *found = b->found;
    if (b->found)
        t->webhook = webhook_copy(&b->webhook, &t->arena);
    return true;
}

/* ---- on the loop ---- */

/* It does not gather any more. */
static void
batch_send(struct batch *b)
{
    struct worker *w = b->seat->worker;

    b->seat->batches[b->sort].under_way++;
    b->txn = (struct db_txn){ .run = batch_run, .done = batch_done, .reply_to = &w->mailbox };
    db_submit(w->options.engine, b->sort == BATCH_READS ? DB_READ : DB_WRITE, &b->txn);
}

static void
batch_retry_each(struct batch *b)
{
    struct task *t, *next;

    for (t = b->tasks; t; t = next) {
        struct batch *alone = batch_new(b->seat, b->sort, b->process_id);

        next = t->batch_next;
        batch_add(alone, t);
        batch_send(alone);
    }
}

static void
batch_done(struct db_txn *txn)
{
    struct batch *b = container_of(txn, struct batch, txn);
    struct task *t, *next;

    b->seat->batches[b->sort].under_way--;
    if (txn->err.status != 0 && b->count > 1)
        batch_retry_each(b);
    else
        for (t = b->tasks; t; t = next) {
            next = t->batch_next; /* who goes on may be gone */
            task_txn_done(t, b->lost, &txn->err);
        }
    batch_free(b);
}

void
batch_join(struct task *t)
{
    struct worker *w = t->worker;
    struct seat_lane *seat = map_get(&w->lanes, t->lane_id);
    enum batch_sort sort = t->mode == DB_READ ? BATCH_READS : t->must ? BATCH_MUSTS : BATCH_WRITES;
    struct batch *b = seat->batches[sort].gathering;

    if (!b || b->count == TASKS_MAX || b->process_id != t->process_id) {
        b = batch_new(seat, sort, t->process_id);
        *w->gathering_end = b;
        w->gathering_end = &b->next;
        seat->batches[sort].gathering = b; /* the one before is full, and goes as it is */
    }
    batch_add(b, t);
}

static bool
batch_may_go(const struct batch *b)
{
    const struct batches *of_lane = &b->seat->batches[b->sort];

    return of_lane->gathering != b || b->count == TASKS_MAX || of_lane->under_way < UNDER_WAY_MAX;
}

/* On SQLite a read is answered before batch_send() returns, and who is answered may join the next one. */
void
batches_send(struct worker *w)
{
    struct batch **at = &w->gathering, *b;

    while ((b = *at) != NULL) {
        if (!batch_may_go(b)) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        if (w->gathering_end == &b->next)
            w->gathering_end = at;
        if (b->seat->batches[b->sort].gathering == b)
            b->seat->batches[b->sort].gathering = NULL;
        batch_send(b);
    }
}
