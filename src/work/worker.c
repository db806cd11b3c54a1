#include <stdlib.h>

#include "base/clock.h"
#include "store/idempotency.h"
#include "work/account.h"
#include "work/leftover.h"
#include "work/seat.h"
#include "work/setback.h"
#include "work/upkeep.h"
#include "work/vigil.h"

#define PARLEY_AGENT   "Parley/" PARLEY_VERSION
#define START_APART_MS 20

/* ---- being woken ---- */

/* Who let go of it had more than their share; whoever has less takes it, though there may be nothing to do in it. */
static void
worker_freed(struct worker *w, int64_t lane_id)
{
    struct seat_lane *seat = map_get(&w->lanes, lane_id);
    bool may_take = w->lanes_ours < w->lanes_share;

    if (seat)
        seat_forgive(seat);
    if (may_take && (!seat || seat->claim == SEAT_FREE))
        seat_wake(seat_of(w, lane_id));
}

/* What others had may be nobody's, and what is ours may have got work. */
static void
worker_woken_all(struct worker *w)
{
    size_t at = 0;
    int64_t id;
    void *value;

    while (map_next(&w->lanes, &at, &id, &value)) {
        struct seat_lane *seat = value;

        if (seat->claim == SEAT_OTHERS)
            seat_forgive(seat);
        else
            seat_wake(seat);
    }
    upkeep_hurry(w);
}

void
worker_doubt_all(struct worker *w)
{
    struct task *t, *next;
    size_t at = 0;
    int64_t id;
    void *value;

    while (map_next(&w->lanes, &at, &id, &value)) {
        struct seat_lane *seat = value;

        if (seat->claim == SEAT_OTHERS)
            continue;
        seat_claim(seat, SEAT_FREE);
        seat->dirty = true;
    }
    for (t = w->tasks; t; t = next) { /* a poll would only keep its lane from being taken up again */
        next = t->next;
        if (t->job.kind == JOB_POLL && t->at == TASK_CALLING && task_interrupt(t))
            seat_task_ended(t, true);
    }
    worker_woken_all(w);
}

static void
worker_woken(struct mail *m)
{
    struct worker *w = container_of(m, struct worker, woken_mail);
    struct map woken, freed;
    size_t at = 0;
    int64_t lane_id;
    void *value;
    bool all;

    uv_mutex_lock(&w->woken_lock);
    woken = w->woken;
    freed = w->freed;
    all = w->woken_all;
    w->woken = w->freed = (struct map){ 0 };
    w->woken_posted = w->woken_all = false;
    uv_mutex_unlock(&w->woken_lock);
    while (!w->draining && map_next(&freed, &at, &lane_id, &value))
        worker_freed(w, lane_id);
    at = 0;
    while (!w->draining && map_next(&woken, &at, &lane_id, &value))
        seat_wake(seat_of(w, lane_id));
    if (all && !w->draining)
        worker_woken_all(w);
    map_deinit(&woken);
    map_deinit(&freed);
}

static void
worker_post(struct worker *w, struct map *set, int64_t lane_id)
{
    bool post;

    uv_mutex_lock(&w->woken_lock);
    if (set)
        map_put(set, lane_id, w);
    else
        w->woken_all = true;
    post = !w->woken_posted;
    w->woken_posted = true;
    uv_mutex_unlock(&w->woken_lock);
    if (post)
        mailbox_post(&w->mailbox, &w->woken_mail);
}

void
worker_wake(struct worker *w, int64_t lane_id)
{
    worker_post(w, &w->woken, lane_id);
}

void
worker_signal(struct worker *w, int topic, int64_t key)
{
    if (topic == TOPIC_LANE)
        worker_post(w, &w->woken, key);
    else if (topic == TOPIC_FREE)
        worker_post(w, &w->freed, key);
    else if (topic == TOPIC_LEASES || topic == DB_MISSED)
        worker_post(w, NULL, 0);
}

int64_t
worker_process_id(struct worker *w)
{
    return w->tenure.process_id;
}

/* ---- starting ---- */

/* What is overdue with thousands of accounts at once does not come all at once: checks go one after the other, polls
 * too, but within the time they are apart. */
static bool
worker_spread(struct worker *w, struct db *db, const struct profile *p, int64_t i, int64_t n, int64_t now_ms,
              struct error *err)
{
    int64_t window_ms = n * START_APART_MS, quiet_ms = window_ms, active_ms;
    enum job_kind kind = p->hook_url.len > 0 ? JOB_CHECK : JOB_POLL;
    struct job job;
    bool found;

    if (kind == JOB_POLL && !p->platform->poll_pace)
        return true;
    if (kind == JOB_POLL)
        p->platform->poll_pace(w->options.env, &quiet_ms, &active_ms);
    if (window_ms > quiet_ms)
        window_ms = quiet_ms;
    return job_next_of_kind(db, p->id, kind, 0, &w->start_arena, &job, &found, err)
        && (!found || job.due_at > now_ms
            || job_retry(db, &job, now_ms + i * window_ms / n, job.attempts, job.payload, err));
}

static bool
worker_start_run(void *arg, struct db *db, struct error *err)
{
    struct worker *w = arg;
    int64_t now_ms = clock_now_ms();
    struct lease_census others;
    struct profile *profiles;
    size_t n;

    arena_reset(&w->start_arena);
    if (!tenure_begin(w, db, now_ms, err) || !lease_count(db, now_ms, &w->start_arena, &others, err)
        || !idempotency_abandon(db, now_ms, err) || !profile_list_all(db, &w->start_arena, &profiles, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!account_tend(db, &profiles[i], w->options.env->public_url, now_ms, err)
            || (others.processes == 1
                && !worker_spread(w, db, &profiles[i], (int64_t)i, (int64_t)n, now_ms, err)))
            return false;
    vigil_watch(w, &others);
    return job_lanes(db, &w->start_arena, &w->start_lanes, &w->start_lanes_count, err);
}

/* On SQLite what is read is there at once, and whoever asked for it goes on. */
static void
worker_turn(uv_prepare_t *turn)
{
    struct worker *w = turn->data;

    do {
        seats_look(w);
        batches_send(w);
    } while (w->to_look);
}

static void
worker_thread(void *arg)
{
    struct worker *w = arg;

    uv_run(&w->loop, UV_RUN_DEFAULT);
}

bool
worker_start(const struct worker_options *options, struct worker **out, struct error *err)
{
    struct worker *w = calloc(1, sizeof(*w));
    struct courier_options courier = { .guard = options->guard, .user_agent = PARLEY_AGENT };
    int64_t begun_mono_ms = clock_mono_ms();

    if (!w || uv_loop_init(&w->loop) != 0 || uv_mutex_init(&w->woken_lock) != 0)
        out_of_memory();
    w->options = *options;
    w->spool_lock = -1;
    w->errors = run_errors_new();
    w->woken_mail.open = worker_woken;
    arena_init(&w->start_arena);
    arena_init(&w->vigil.arena);
    mailbox_init(&w->mailbox, &w->loop);
    courier.loop = &w->loop;
    courier.per_host_max = config.connections_per_host;
    if (!courier_new(&courier, &w->courier, err) || !db_run(options->engine, DB_WRITE, worker_start_run, w, err)) {
        courier_free(w->courier);
        mailbox_close(&w->mailbox);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        uv_loop_close(&w->loop);
        run_errors_free(w->errors);
        arena_deinit(&w->vigil.arena);
        arena_deinit(&w->start_arena);
        uv_mutex_destroy(&w->woken_lock);
        free(w);
        return false;
    }
    *out = w;
    leftover_start(w);
    w->gathering_end = &w->gathering;
    uv_prepare_init(&w->loop, &w->turn);
    w->turn.data = w;
    uv_prepare_start(&w->turn, worker_turn);
    tenure_start(w, begun_mono_ms);
    upkeep_start(w);
    vigil_start(w);
    setback_start(w);
    if (uv_thread_create(&w->thread, worker_thread, w) != 0)
        out_of_memory();
    return true;
}

void
worker_take_up(struct worker *w)
{
    for (size_t i = 0; i < w->start_lanes_count; i++)
        worker_wake(w, w->start_lanes[i]);
}

/* ---- stopping ---- */

static void
worker_close(struct worker *w)
{
    size_t at = 0;
    int64_t id;
    void *value;

    w->closed = true;
    uv_close((uv_handle_t *)&w->drain_timer, NULL);
    uv_close((uv_handle_t *)&w->turn, NULL);
    upkeep_stop(w);
    vigil_stop(w);
    setback_stop(w);
    courier_free(w->courier);
    while (map_next(&w->lanes, &at, &id, &value)) {
        seat_close(value);
    }
    mailbox_close(&w->mailbox);
}

/* When it is to stop: closing must wait for what other threads still hold: tasks in a transaction or at the disk, and
 * looks for due jobs. */
void
worker_maybe_close(struct worker *w)
{
    size_t at = 0;
    int64_t id;
    void *value;

    if (!w->draining || w->closed || w->tasks_count > 0 || upkeep_is_busy(w) || w->vigil.busy || setback_is_busy(w)
        || w->tenure.busy)
        return;
    while (map_next(&w->lanes, &at, &id, &value))
        if (((struct seat_lane *)value)->fetching)
            return;
    if (w->tenure.is_over)
        worker_close(w);
    else
        tenure_end(w);
}

/* What is at a platform now goes on in the next process, which finds it in flight. */
static void
worker_cut(struct worker *w, bool only_polls)
{
    struct task *t, *next;

    for (t = w->tasks; t; t = next) {
        next = t->next;
        /* the task itself may be with the database at the moment */
        if ((only_polls && t->seat->kind != JOB_POLL) || !task_interrupt(t))
            continue;
        seat_task_ended(t, true);
    }
}

static void
worker_drain_over(uv_timer_t *timer)
{
    struct worker *w = timer->data;

    w->closing = true;
    log_warn("draining ends before all jobs do", LOG_INT("jobs", w->tasks_count));
    worker_cut(w, false);
    worker_maybe_close(w);
}

static void
worker_drain(struct mail *m)
{
    struct worker *w = container_of(m, struct worker, stop_mail);

    w->draining = true;
    uv_timer_init(&w->loop, &w->drain_timer);
    w->drain_timer.data = w;
    uv_timer_start(&w->drain_timer, worker_drain_over, (uint64_t)w->drain_ms, 0);
    worker_cut(w, true); /* a long poll would be waited for in vain */
    worker_maybe_close(w);
}

void
worker_stop(struct worker *w, int64_t drain_ms)
{
    if (!w)
        return;
    w->drain_ms = drain_ms;
    w->stop_mail.open = worker_drain;
    mailbox_post(&w->mailbox, &w->stop_mail);
    uv_thread_join(&w->thread);
    uv_loop_close(&w->loop);
    leftover_stop(w);
    map_deinit(&w->lanes);
    map_deinit(&w->woken);
    map_deinit(&w->freed);
    tenure_free(w);
    uv_mutex_destroy(&w->woken_lock);
    run_errors_free(w->errors);
    arena_deinit(&w->start_arena);
    free(w);
}

/* ---- what others may know ---- */

void
worker_stats(struct worker *w, struct worker_stats *out)
{
    *out = (struct worker_stats){
        .sends_published = w->counters.published, .sends_retried = w->counters.retried,
        .sends_failed = w->counters.failed,       .calls_in_flight = w->calls_shown,
        .jobs_running = w->tasks_shown,           .lanes = w->lanes_shown,
        .mirrored = w->counters.mirrored,         .mirror_failed = w->counters.mirror_failed,
        .polls = w->counters.polls,               .poll_errors = w->counters.poll_errors,
        .delivered = w->counters.delivered,       .delivery_failures = w->counters.delivery_failures,
    };
}

void
worker_error_counts(struct worker *w, void (*each)(void *ctx, const char *platform, int code, int64_t count), void *ctx)
{
    run_errors_each(w->errors, each, ctx);
}
