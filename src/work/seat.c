/* seat.c -- a lane in its place on the worker's loop: looking for due jobs, and going on when something has changed. */
#include "work/seat.h"

#include <stdlib.h>

#include "base/clock.h"

#define KNOWN_MAX        4096
#define DOUBT_AGAIN_MS   250  /* while it is doubtful whether the lane is still ours */
#define TROUBLE_AGAIN_MS 1000 /* after the database failed */

/* ---- looking for due jobs ---- */

static void
seat_freed(uv_handle_t *handle)
{
    struct seat_lane *seat = handle->data;

    lane_deinit(&seat->lane);
    map_deinit(&seat->ended);
    arena_deinit(&seat->arena);
    free(seat);
}

struct seat_lane *
seat_of(struct worker *w, int64_t lane_id)
{
    struct seat_lane *seat = map_get(&w->lanes, lane_id);

    if (seat)
        return seat;
    seat = calloc(1, sizeof(*seat));
    if (!seat)
        out_of_memory();
    lane_init(&seat->lane, lane_id, config.sends_per_profile);
    arena_init(&seat->arena);
    seat->worker = w;
    uv_timer_init(&w->loop, &seat->timer);
    seat->timer.data = seat;
    map_put(&w->lanes, lane_id, seat);
    w->lanes_shown = (int64_t)w->lanes.count;
    return seat;
}

void
seat_claim(struct seat_lane *seat, enum seat_claim claim)
{
    seat->worker->lanes_ours += (claim == SEAT_OURS) - (seat->claim == SEAT_OURS);
    seat->claim = claim;
    if (claim == SEAT_OURS)
        return;
    lane_forget(&seat->lane);
    seat->full = false;
    seat->timer_at = 0;
    uv_timer_stop(&seat->timer);
}

void
seat_wake(struct seat_lane *seat)
{
    seat->dirty = true;
    seat_pump(seat);
}

/* Wake-ups that came while others had it were theirs to heed, but they may not have done so any more. */
void
seat_forgive(struct seat_lane *seat)
{
    if (seat->claim != SEAT_OTHERS)
        return;
    seat_claim(seat, SEAT_FREE);
    seat_pump(seat);
}

static void
seat_timer(uv_timer_t *timer)
{
    struct seat_lane *seat = timer->data;

    seat->timer_at = 0;
    seat_wake(seat);
}

/* Looks again at `at_ms` at the latest. */
static void
seat_look_at(struct seat_lane *seat, int64_t at_ms)
{
    int64_t wait_ms = at_ms - clock_now_ms();

    if (at_ms == 0 || (seat->timer_at != 0 && seat->timer_at <= at_ms))
        return;
    if (wait_ms > INT64_C(24) * 3600 * 1000) /* also what is held until a reconnect */
        return;
    seat->timer_at = at_ms;
    uv_timer_start(&seat->timer, seat_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

void
seat_look_after_trouble(struct seat_lane *seat)
{
    seat_look_at(seat, clock_now_ms() + TROUBLE_AGAIN_MS);
}

/* How fast a lane may go is its platform's rule, or its endpoint's setting; a look finds out whose lane it is. */
static bool
seat_find_owner(struct seat_lane *seat, struct db *db, struct error *err)
{
    struct profile profile;
    struct webhook webhook;
    bool found;

    if (seat->platform)
        return true;
    if (!profile_get_deleted(db, seat->lane.id, &seat->arena, &profile, &found, err))
        return false;
    if (found) {
        seat->platform = profile.platform;
        return true;
    }
    if (!webhook_get(db, seat->lane.id, &seat->arena, &webhook, &found, err))
        return false;
    seat->concurrency = found ? webhook.concurrency : 1;
    seat->changed_at = found ? webhook.updated_at : 0;
    return true;
}

/* Who mended an endpoint need not wait until the pause it asked for before is over. */
static void
seat_heed_endpoint(struct seat_lane *seat)
{
    lane_limit(&seat->lane, seat->concurrency);
    if (seat->changed_at != seat->heeded_at)
        seat->lane.held_until_ms = 0;
    seat->heeded_at = seat->changed_at;
}

static void
seat_set_pace(struct seat_lane *seat)
{
    const struct platform *p = seat->platform;

    if (!p)
        seat_heed_endpoint(seat);
    else if (config.pace)
        seat->lane.pace = (struct pace){
            .chat_per_minute = p->pace.chat_per_minute,       .chat_burst = p->pace.chat_burst,
            .account_per_minute = p->pace.account_per_minute, .account_burst = p->pace.account_burst,
            .private_per_hour = p->pace.private_per_hour,
        };
}

/* A lane that waits for a new token looks for the job that brings it, which may stand far behind what is due. There may
 * be none, when the account was connected again. */
static bool
seat_find_refresh(struct seat_lane *seat, struct db *db, struct error *err)
{
    struct job *job = &seat->refresh;
    bool found = false;

    *job = (struct job){ 0 };
    if (!seat->was_held)
        return true;
    if (!job_next_of_kind(db, seat->lane.id, JOB_REFRESH, 0, &seat->arena, job, &found, err))
        return false;
    if (!found || (job->due_at > clock_now_ms() && job->attempts == 0))
        job->id = 0;
    return true;
}

/* What whoever had the lane before left in flight may have gone out. */
static bool
seat_take_up(struct seat_lane *seat, struct db *db, int64_t now_ms, struct error *err)
{
    struct job *jobs;
    size_t n;

    if (!job_in_flight(db, seat->lane.id, &seat->arena, &jobs, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!job_retry(db, &jobs[i], now_ms, jobs[i].attempts, STR(JOB_INTERRUPTED), err))
            return false;
    return true;
}

static bool
seat_take_lane(struct seat_lane *seat, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();

    return lane_take(db, seat->lane.id, seat->process_id, now_ms, &seat->taken, err)
        && (!seat->taken || seat_take_up(seat, db, now_ms, err));
}

static bool
seat_fetch_run(struct db_txn *txn, struct db *db, struct error *err)
{
    struct seat_lane *seat = container_of(txn, struct seat_lane, txn);

    arena_reset(&seat->arena);
    seat->due_count = 0;
    seat->next_due_at = 0;
    if (seat->taking && !seat_take_lane(seat, db, err))
        return false;
    if (seat->taking && !seat->taken)
        return true;
    return seat_find_owner(seat, db, err)
        && seat_find_refresh(seat, db, err)
        && job_due(db, seat->lane.id, clock_now_ms(), seat->due_limit, &seat->arena, &seat->due,
                   &seat->due_count, &seat->next_due_at, err);
}

/* What pace and holds go by. Deliveries have no pace, but an endpoint may ask for a pause. */
static int64_t
seat_chat_of(const struct job *job)
{
    if (job->kind == JOB_DELIVER)
        return job->queue_id ? job->queue_id : -1;
    return job->kind == JOB_SEND ? job->queue_id : 0;
}

static void
seat_heed_refresh(struct seat_lane *seat)
{
    const struct job *job = &seat->refresh;

    if (!seat->was_held)
        return;
    if (job->id == 0)
        lane_only(&seat->lane, 0);
    else if (map_get(&seat->ended, job->id))
        seat->dirty = true; /* not reached on SQLite: there no renewal ends while a look is under way */
    else if (job->due_at <= clock_now_ms())
        lane_add(&seat->lane, job->id, (int)job->kind, 0);
}

/* What ended while we looked is looked for again. */
static void
seat_take(struct seat_lane *seat, const struct job *job)
{
    if (map_get(&seat->ended, job->id))
        seat->dirty = true;
    else
        seat->added += lane_add(&seat->lane, job->id, (int)job->kind, seat_chat_of(job));
}

/* False when what the look found is not for us, or not any more. */
static bool
seat_settle_claim(struct seat_lane *seat)
{
    if (!seat->taking)
        return seat->claim == SEAT_OURS;
    if (seat->process_id != seat->worker->tenure.process_id || seat->term != seat->worker->tenure.term) {
        seat->dirty = true;
        return false;
    }
    seat_claim(seat, seat->taken ? SEAT_OURS : SEAT_OTHERS);
    return seat->taken;
}

static void
seat_fetched(struct db_txn *txn)
{
    struct seat_lane *seat = container_of(txn, struct seat_lane, txn);

    seat->fetching = false;
    if (txn->err.status != 0) {
        log_error("looking for due jobs failed", LOG_CSTR("error", txn->err.message));
        seat_look_after_trouble(seat);
    } else if (seat_settle_claim(seat)) {
        seat_set_pace(seat);
        seat->added = 0;
        for (size_t i = 0; i < seat->due_count; i++)
            seat_take(seat, &seat->due[i]);
        seat_heed_refresh(seat);
        seat->full = seat->due_count == (size_t)seat->due_limit;
        seat_look_at(seat, seat->next_due_at);
    }
    if (seat->worker->draining)
        worker_maybe_close(seat->worker);
    else
        seat_pump(seat);
}

static void
seat_fetch(struct seat_lane *seat)
{
    seat->dirty = false;
    seat->fetching = true;
    seat->taking = seat->claim != SEAT_OURS;
    seat->process_id = seat->worker->tenure.process_id;
    seat->term = seat->worker->tenure.term;
    map_deinit(&seat->ended);
    seat->was_held = seat->lane.only_kind == JOB_REFRESH;
    seat->due_limit = lane_look(&seat->lane);
    if (seat->due_limit > KNOWN_MAX)
        seat->due_limit = KNOWN_MAX;
    seat->txn = (struct db_txn){ .run = seat_fetch_run, .done = seat_fetched, .reply_to = &seat->worker->mailbox };
    db_submit(seat->worker->options.engine, seat->taking ? DB_WRITE : DB_READ, &seat->txn);
}

/* ---- going on ---- */

/* Nothing begins that would be too late to be sent. One that may be ours again is only taken when what began under the
 * claim before is over; and not while it is doubtful who has a lease. */
static bool
seat_may_go_on(struct seat_lane *seat)
{
    switch (seat->claim) {
    case SEAT_OURS:
        if (tenure_lasts(seat->worker))
            return true;
        seat_look_at(seat, clock_now_ms() + DOUBT_AGAIN_MS);
        return false;
    case SEAT_FREE:
        if (lane_under_way(&seat->lane) > 0)
            return false;
        if (tenure_may_take(seat->worker))
            return true;
        seat_look_after_trouble(seat);
        return false;
    case SEAT_OTHERS:
    case SEAT_LEAVING:
        return false;
    }
    return false; /* not reached: every case returns */
}

bool
seat_is_idle(const struct seat_lane *seat)
{
    return !seat->fetching && !seat->dirty && seat->lane.waiting_count == 0 && seat->lane.running == 0;
}

/* What nothing can be done about now is looked for when a place is free. */
static bool
seat_wants_look(const struct seat_lane *seat)
{
    return seat->dirty && !seat->fetching && (seat->claim != SEAT_OURS || lane_free(&seat->lane) > 0);
}

/* Many may end, and much be told, in one turn: one look is enough for all of it. */
static void
seat_look_soon(struct seat_lane *seat)
{
    struct worker *w = seat->worker;

    if (seat->looks_soon)
        return;
    seat->looks_soon = true;
    seat->next_to_look = w->to_look;
    w->to_look = seat;
}

static void
seat_look_never(struct seat_lane *seat)
{
    struct seat_lane **at = &seat->worker->to_look;

    while (*at && *at != seat)
        at = &(*at)->next_to_look;
    if (*at)
        *at = seat->next_to_look;
}

void
seats_look(struct worker *w)
{
    struct seat_lane *seat;

    while ((seat = w->to_look) != NULL) {
        w->to_look = seat->next_to_look;
        seat->looks_soon = false;
        if (!w->draining && seat_may_go_on(seat) && seat_wants_look(seat))
            seat_fetch(seat);
    }
}

void
seat_pump(struct seat_lane *seat)
{
    struct worker *w = seat->worker;
    struct lane_job *place;
    int64_t again_ms = 0;

    if (w->draining || seat->pumping || !seat_may_go_on(seat))
        return;
    seat->pumping = true; /* a task may end before its start returns */
    while ((place = lane_next(&seat->lane, clock_now_ms(), &again_ms)) != NULL)
        seat_task_begin(seat, place);
    seat->pumping = false;
    if (seat->full && seat->added > 0)
        seat->dirty = true; /* there is more than the last look brought */
    if (seat_wants_look(seat))
        seat_look_soon(seat);
    if (again_ms != 0)
        seat_look_at(seat, again_ms);
}

void
seat_forget(struct seat_lane *seat)
{
    struct worker *w = seat->worker;

    map_take(&w->lanes, seat->lane.id);
    w->lanes_shown = (int64_t)w->lanes.count;
    seat_close(seat);
}

void
seat_close(struct seat_lane *seat)
{
    seat_look_never(seat);
    uv_close((uv_handle_t *)&seat->timer, seat_freed);
}
