#include "work/task.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crash.h"
#include "work/batch.h"
#include "work/seat.h"

#define DATABASE_AGAIN_MS 500 /* what a platform answered is written again after this, until it is written */
#define FETCH_TOTAL_MS    60000
#define FETCH_REDIRECTS   3

/* ---- what a kind may ask of the worker ---- */

struct worker_counters *
task_counters(struct task *t)
{
    return &t->worker->counters;
}

const struct worker_options *
task_options(struct task *t)
{
    return &t->worker->options;
}

struct lane *
task_lane(struct task *t)
{
    struct seat_lane *seat = map_get(&t->worker->lanes, t->lane_id);

    return &seat->lane;
}

void
task_token_refreshed(struct task *t)
{
    struct seat_lane *seat = map_get(&t->worker->lanes, t->lane_id);

    seat->refreshed_at = clock_now_ms();
}

bool
task_is_draining(struct task *t)
{
    return t->worker->draining;
}

void
task_give_place(struct task *t)
{
    struct seat_lane *seat = map_get(&t->worker->lanes, t->lane_id);

    lane_uncount(&seat->lane, t->seat);
    seat_pump(seat);
}

void
task_end(struct task *t)
{
    seat_task_ended(t, false);
}

bool
task_interrupt(struct task *t)
{
    switch (t->at) {
    case TASK_CALLING:
        run_cancel(&t->run);
        return true;
    case TASK_FETCHING:
        courier_cancel(t->worker->courier, &t->call);
        return true;
    case TASK_WAITING:
        uv_timer_stop(&t->timer);
        return true;
    case TASK_ELSEWHERE:
        return false;
    }
    return false; /* not reached: every case returns */
}

/* ---- transactions ---- */

static void
task_txn_again(uv_timer_t *timer)
{
    struct task *t = timer->data;

    t->at = TASK_ELSEWHERE;
    batch_join(t);
}

static void
task_txn_later(struct task *t)
{
    if (!t->timer_used) {
        uv_timer_init(&t->worker->loop, &t->timer);
        t->timer.data = t;
        t->timer_used = true;
    }
    t->at = TASK_WAITING;
    uv_timer_start(&t->timer, task_txn_again, DATABASE_AGAIN_MS, 0);
}

/* Whoever keeps a file names it in the transaction that follows, or queues its removal there. */
static void
task_name_kept(struct task *t)
{
    if (t->kept && t->mode == DB_WRITE)
        media_named(t->worker->options.media, str_of(t->info.name));
    t->kept = t->kept && t->mode != DB_WRITE;
}

void
task_txn_done(struct task *t, bool lost, const struct error *err)
{
    if (err->status == 0 && lost) {
        log_warn("a job's lane is not ours any more", LOG_CSTR("kind", job_kind_names[t->job.kind]),
                 LOG_INT("job", t->job.id));
        seat_lost(t);
        return;
    }
    if (err->status == 0 && t->early) {
        seat_overtaken(t);
        return;
    }
    if (err->status == 0) {
        if (t->mode == DB_WRITE)
            crash_point_of("job committed, not gone on:", job_kind_names + 1, JOB_KINDS - 1, t->job.kind - 1);
        task_name_kept(t);
        t->then(t);
        return;
    }
    log_error("job's transaction failed", LOG_CSTR("kind", job_kind_names[t->job.kind]),
              LOG_CSTR("error", err->message), LOG_INT("job", t->job.id));
    if (t->must && !t->worker->closing)
        task_txn_later(t);
    else
        seat_task_ended(t, true);
}

static void
task_submit(struct task *t, enum db_mode mode, bool must, task_work *work, task_next *then)
{
    t->work = work;
    t->then = then;
    t->mode = mode;
    t->must = must;
    t->early = false;
    t->at = TASK_ELSEWHERE;
    batch_join(t);
}

void
task_txn(struct task *t, enum db_mode mode, task_work *work, task_next *then)
{
    task_submit(t, mode, false, work, then);
}

void
task_txn_must(struct task *t, task_work *work, task_next *then)
{
    task_submit(t, DB_WRITE, true, work, then);
}

/* ---- operations and downloads ---- */

static_assert(OP_KINDS <= LANE_OPS, "a lane counts the refusals of each kind");

/* How long all of the account is to be quiet. Where nobody says it this grows, and the job waits as long where that
 * counts no try; but what is no send keeps sends no longer than at first, since they may have a limit of their own. */
static int64_t
task_account_wait_ms(struct task *t, struct lane *lane, int64_t now_ms)
{
    struct op_step *end = &t->run.end;
    int64_t first_ms = end->retry_after_ms > 0 ? end->retry_after_ms : config.retry_ms[0], wait_ms;

    if (end->retry_after_ms > 0 && !end->wait_grows)
        return end->retry_after_ms;
    wait_ms = lane_refused(lane, (int)t->run.op.kind, first_ms, now_ms);
    if (end->wait_grows)
        end->retry_after_ms = wait_ms;
    return t->run.op.kind == OP_SEND ? wait_ms : first_ms;
}

static void
task_run_done(struct run *r)
{
    struct task *t = r->user;
    struct seat_lane *seat = map_get(&t->worker->lanes, t->lane_id);
    int64_t now_ms = clock_now_ms(), wait_ms;

    t->token_is_fresh = now_ms - seat->refreshed_at < TASK_FRESH_TOKEN_MS;
    if (r->end.verdict == OP_DONE)
        lane_took(&seat->lane, (int)r->op.kind);
    if (r->end.account_wide) {
        wait_ms = task_account_wait_ms(t, &seat->lane, now_ms);
        /* A renewal waits alone: what needs it waits for it anyway, and a reconnect does without. */
        if (r->op.kind != OP_REFRESH)
            lane_hold(&seat->lane, now_ms + wait_ms);
    }
    t->then(t);
}

void
task_op(struct task *t, task_next *then)
{
    t->then = then;
    t->run.platform = t->platform;
    t->run.courier = t->worker->courier;
    t->run.errors = t->worker->errors;
    t->run.done = task_run_done;
    t->run.user = t;
    t->run.not_after_mono_ms = &t->term->until_mono_ms;
    t->run.op.arena = &t->arena;
    t->run.op.env = t->worker->options.env;
    if (t->worker->closing) {
        seat_task_ended(t, true);
        return;
    }
    t->at = TASK_CALLING;
    run_start(&t->run);
}

/* Whether asking the same URL again can help. */
static bool
fetch_is_final(const struct net_response *r)
{
    switch (r->result) {
    case NET_ANSWERED:
        return r->status < 500 && r->status != 408 && r->status != 425 && r->status != 429;
    case NET_TOO_BIG:
    case NET_FORBIDDEN:
        return true;
    case NET_NOT_SENT:
    case NET_UNKNOWN:
    case NET_LOCAL_FAULT:
        return false;
    }
    return true; /* not reached: every case returns */
}

static void
task_called(struct net_call *call)
{
    struct task *t = call->user;

    if (call->response.result == NET_NOT_SENT && clock_mono_ms() >= t->term->until_mono_ms)
        seat_task_ended(t, true); /* it was too late, which says nothing of the other side */
    else
        t->then(t);
}

static void
task_send(struct task *t, void (*done)(struct net_call *call), task_next *then)
{
    t->then = then;
    t->call.arena = &t->arena;
    t->call.done = done;
    t->call.user = t;
    t->call.request.not_after_mono_ms = &t->term->until_mono_ms;
    if (t->worker->closing) {
        seat_task_ended(t, true);
        return;
    }
    t->at = TASK_FETCHING;
    courier_send(t->worker->courier, &t->call);
}

void
task_call(struct task *t, task_next *then)
{
    task_send(t, task_called, then);
}

static void
task_fetched(struct net_call *call)
{
    struct task *t = call->user;
    const struct net_response *r = &call->response;

    t->err = (struct error){ 0 };
    if (r->result == NET_ANSWERED && r->status / 100 != 2)
        error_set(&t->err, 502, "its server answered %d", r->status);
    else if (r->result == NET_TOO_BIG)
        error_set(&t->err, 502, "it is larger than %lld bytes", (long long)call->request.response_max);
    else if (r->result != NET_ANSWERED)
        error_set(&t->err, 502, "%s", r->error);
    t->err.retry_after_ms = r->retry_after_ms;
    t->err_is_final = fetch_is_final(r);
    t->then(t);
}

void
task_fetch(struct task *t, struct str url, int64_t max, task_next *then)
{
    t->path = media_spool_path(t->worker->options.media, &t->arena);
    t->call = (struct net_call){
        .request = { .url = url, .save_path = t->path, .response_max = max, .total_ms = FETCH_TOTAL_MS,
                     .guarded = true, .redirects_max = FETCH_REDIRECTS },
    };
    task_send(t, task_fetched, then);
}

static void
task_disk_work(uv_work_t *disk)
{
    struct task *t = disk->data;

    t->disk_work(t);
}

static void
task_disk_done(uv_work_t *disk, int status)
{
    struct task *t = disk->data;

    (void)status; /* never cancelled */
    t->then(t);
}

void
task_disk(struct task *t, void (*work)(struct task *t), task_next *then)
{
    t->then = then;
    t->disk_work = work;
    t->at = TASK_ELSEWHERE;
    t->disk.data = t;
    if (uv_queue_work(&t->worker->loop, &t->disk, task_disk_work, task_disk_done) != 0)
        out_of_memory();
}

static void
task_keep_work(struct task *t)
{
    t->err = (struct error){ 0 };
    t->err_is_final = false;
    t->kept = media_add(t->worker->options.media, t->path.ptr, t->claimed_type, &t->info, &t->err);
    crash_point_if(t->kept, "job: file kept, no row yet");
}

void
task_keep(struct task *t, struct str path, struct str claimed_type, task_next *then)
{
    t->path = path;
    t->claimed_type = claimed_type;
    task_disk(t, task_keep_work, then);
}
