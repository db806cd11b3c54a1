/* deliver_job.c -- telling a subscriber of an event, and doing so again until it was heard. */
#include "base/clock.h"
#include "base/id.h"
#include "work/batch.h"
#include "work/deliver.h"
#include "work/task.h"

#define LANE_PAUSE_MAX_MS (INT64_C(3600) * 1000) /* an endpoint's Retry-After holds back its other events no longer */

static bool
deliver_load(struct task *t, struct db *db, struct error *err)
{
    bool found;

    if (!task_load_job(t, db, err))
        return false;
    t->flag = !t->gone;
    t->gone = true;
    if (!t->flag)
        return true;
    if (!batch_webhook(t, db, &found, err))
        return false;
    if (!found || !t->webhook.enabled || t->job.id < t->webhook.queued_from)
        return true;
    if (!event_get(db, t->job.record_id, &t->arena, &t->event, &found, err))
        return false;
    t->gone = !found;
    if (!found)
        log_warn("an event was forgotten before it could be delivered", LOG_INT("webhook", t->lane_id));
    return true;
}

static bool
deliver_again(struct task *t, struct db *db, const struct delivery *d, int64_t now_ms, struct error *err)
{
    int64_t wait_ms = deliver_wait_ms(d, t->call.response.retry_after_ms);

    if (wait_ms < 0)
        return job_finish(db, &t->job, now_ms, err);
    return (d->attempt_number < DELIVER_HOLDS_TRIES || job_leave_queue(db, &t->job, now_ms, err))
        && job_retry(db, &t->job, now_ms + wait_ms, d->attempt_number, STR_NONE, err);
}

/* The endpoint may have been changed, disabled or deleted while it was being called. */
static bool
deliver_store(struct task *t, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();
    struct delivery d = {
        .id = t->job.id, .webhook_id = t->webhook.id, .event_id = t->event.id, .event_type = t->event.type,
        .attempt_number = t->job.attempts + 1, .created_at = t->job.created_at,
    };
    struct delivery_state state;
    struct job before = t->job;
    struct str reason;
    bool ok;

    deliver_outcome(&t->call.response, &t->arena, &d);
    d.attempted_at = now_ms - d.duration_ms;
    t->flag = d.success;
    ok = delivery_log(db, &d, now_ms, &t->arena, &state, err);
    reason = ok ? deliver_reason_to_disable(&d, t->webhook.url, &state, now_ms) : STR_NONE;
    if (ok && reason.len > 0)
        ok = webhook_disable(db, t->webhook.id, reason, now_ms, err); /* and the job is void like all others */
    else if (ok && !d.success && state.enabled)
        ok = deliver_again(t, db, &d, now_ms, err);
    else if (ok)
        ok = job_finish(db, &t->job, now_ms, err);
    t->job = before; /* this may be rolled back yet, and run again */
    return ok;
}

static void
deliver_stored(struct task *t)
{
    if (t->flag)
        task_counters(t)->delivered++;
    else
        task_counters(t)->delivery_failures++;
    task_end(t);
}

/* An endpoint that refuses an event is not slow; one that fails or asks for time is. */
static bool
is_well(const struct net_response *r)
{
    return (r->result == NET_ANSWERED || r->result == NET_TOO_BIG) && r->status < 500 && r->status != 429
        && r->status != 408;
}

static void
deliver_answered(struct task *t)
{
    const struct net_response *r = &t->call.response;
    int64_t now_ms = clock_now_ms(), pause_ms = r->retry_after_ms;

    if (is_well(r))
        lane_went_well(task_lane(t));
    else
        lane_went_badly(task_lane(t));
    if (r->status == 429 || r->status == 503)
        lane_hold(task_lane(t), now_ms + (pause_ms < LANE_PAUSE_MAX_MS ? pause_ms : LANE_PAUSE_MAX_MS));
    task_txn_must(t, deliver_store, deliver_stored);
    task_give_place(t);
}

static void
deliver_loaded(struct task *t)
{
    char id[ID_TEXT_MAX];

    if (t->gone) {
        if (t->flag) /* the job is there, only pointless */
            task_txn_must(t, task_finish, task_end);
        else
            task_end(t);
        return;
    }
    deliver_request(&t->webhook, &t->event, arena_copy(&t->arena, str_of(id_format(ID_DELIVERY, t->job.id, id))),
                    clock_now_ms(), &t->arena, &t->call.request);
    task_call(t, deliver_answered);
}

void
deliver_start(struct task *t)
{
    task_txn(t, DB_READ, deliver_load, deliver_loaded);
}
