/* seat_task.c -- the tasks of a lane in its seat: from the place that a job got to the job's end. */
#include "work/seat.h"

#include <stdlib.h>

static const struct {
    task_next *start;
} kinds[JOB_KINDS] = {
    [JOB_SEND] = { send_start },
    [JOB_MIRROR] = { mirror_start },
    [JOB_PARTICIPANT] = { participant_start },
    [JOB_ANSWER_TAP] = { tap_start },
    [JOB_SUBSCRIBE] = { subscribe_start },
    [JOB_UNSUBSCRIBE] = { unsubscribe_start },
    [JOB_ERASE] = { erase_start },
    [JOB_POLL] = { poll_start },
    [JOB_CHECK] = { check_start },
    [JOB_DELIVER] = { deliver_start },
    [JOB_REPLAY] = { replay_start },
    [JOB_SWEEP] = { sweep_start },
    [JOB_REFRESH] = { refresh_start },
    [JOB_HINT] = { hint_start },
    [JOB_FORGET_MEDIA] = { forget_start },
    [JOB_REDACT] = { redact_start },
};

static void
task_free(struct task *t)
{
    account_wipe(&t->run.op.account);
    account_wipe(&(struct account){ .token = t->used_token });
    arena_deinit(&t->arena);
    free(t);
}

static void
task_timer_closed(uv_handle_t *handle)
{
    task_free(handle->data);
}

void
seat_lost(struct task *t)
{
    struct seat_lane *seat = map_get(&t->worker->lanes, t->lane_id);

    if (seat->claim == SEAT_OURS && seat->term == t->term) {
        seat_claim(seat, SEAT_FREE); /* to find out whose it is */
        seat->dirty = true;
    }
    seat_task_ended(t, false);
}

void
seat_overtaken(struct task *t)
{
    struct seat_lane *seat = map_get(&t->worker->lanes, t->lane_id);

    seat->dirty = true; /* another look finds when it is due */
    seat_task_ended(t, false);
}

void
seat_task_ended(struct task *t, bool failed)
{
    struct worker *w = t->worker;
    struct seat_lane *seat = map_get(&w->lanes, t->lane_id);

    if (seat->fetching)
        map_put(&seat->ended, t->job.id, seat);
    if (lane_end(&seat->lane, t->seat))
        seat->dirty = true;
    if (t->awaits_refresh) {
        lane_only(&seat->lane, JOB_REFRESH);
        seat->was_held = false; /* a look under way is about what was before */
        seat->dirty = true;
    }
    if (t->prev)
        t->prev->next = t->next;
    else
        w->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
    w->tasks_shown = --w->tasks_count;
    w->calls_shown = courier_in_flight(w->courier);
    if (t->timer_used)
        uv_close((uv_handle_t *)&t->timer, task_timer_closed);
    else
        task_free(t);
    if (failed)
        seat_look_after_trouble(seat);
    seat_pump(seat);
    if (w->draining)
        worker_maybe_close(w);
}

void
seat_task_begin(struct seat_lane *seat, struct lane_job *place)
{
    struct worker *w = seat->worker;
    struct task *t = calloc(1, sizeof(*t));

    if (!t)
        out_of_memory();
    t->worker = w;
    t->lane_id = seat->lane.id;
    t->process_id = seat->process_id;
    t->term = seat->term;
    t->seat = place;
    t->job.id = place->id;
    t->job.lane_id = seat->lane.id;
    t->job.queue_id = place->chat_id;
    t->job.kind = (enum job_kind)place->kind;
    arena_init(&t->arena);
    t->next = w->tasks;
    if (w->tasks)
        w->tasks->prev = t;
    w->tasks = t;
    w->tasks_shown = ++w->tasks_count;
    if (t->job.kind == JOB_POLL && seat->platform && !seat->platform->poll_pace)
        lane_uncount(&seat->lane, place);
    kinds[t->job.kind].start(t);
}
