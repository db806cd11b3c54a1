#include <stdlib.h>

#include "base/clock.h"
#include "store/idempotency.h"
#include "work/account.h"
#include "work/seat.h"
#include "work/upkeep.h"

#define PARLEY_AGENT   "Parley/" PARLEY_VERSION
#define START_APART_MS 20

/* ---- being woken ---- */

static void
worker_woken(struct mail *m)
{
    struct worker *w = container_of(m, struct worker, woken_mail);
    struct map woken;
    size_t at = 0;
    int64_t lane_id;
    void *value;

    uv_mutex_lock(&w->woken_lock);
    woken = w->woken;
    w->woken = (struct map){ 0 };
    w->woken_posted = false;
    uv_mutex_unlock(&w->woken_lock);
    while (!w->draining && map_next(&woken, &at, &lane_id, &value)) {
        struct seat_lane *seat = seat_of(w, lane_id);

        seat->dirty = true;
        seat_pump(seat);
    }
    map_deinit(&woken);
}

void
worker_wake(struct worker *w, int64_t lane_id)
{
    bool post;

    uv_mutex_lock(&w->woken_lock);
    map_put(&w->woken, lane_id, w);
    post = !w->woken_posted;
    w->woken_posted = true;
    uv_mutex_unlock(&w->woken_lock);
    if (post)
        mailbox_post(&w->mailbox, &w->woken_mail);
}
/* ---- starting ---- */

/* What an earlier process had in flight may have gone out: it is ready again, and says so. */
static bool
worker_take_up(struct worker *w, struct db *db, int64_t lane_id, struct error *err)
{
    struct job *jobs;
    size_t n;

    if (!job_in_flight(db, lane_id, &w->start_arena, &jobs, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!job_retry(db, &jobs[i], clock_now_ms(), jobs[i].attempts, STR(JOB_INTERRUPTED), err))
            return false;
    return true;
}

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
    struct profile *profiles;
    size_t n;

    arena_reset(&w->start_arena);
    if (!idempotency_abandon(db, now_ms, err) || !profile_list_all(db, &w->start_arena, &profiles, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!account_tend(db, &profiles[i], w->options.env->public_url, now_ms, err)
            || !worker_spread(w, db, &profiles[i], (int64_t)i, (int64_t)n, now_ms, err))
            return false;
    if (!job_lanes(db, &w->start_arena, &w->start_lanes, &w->start_lanes_count, err))
        return false;
    for (size_t i = 0; i < w->start_lanes_count; i++)
        if (!worker_take_up(w, db, w->start_lanes[i], err))
            return false;
    return true;
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

    if (!w || uv_loop_init(&w->loop) != 0 || uv_mutex_init(&w->woken_lock) != 0)
        abort();
    w->options = *options;
    w->errors = run_errors_new();
    w->woken_mail.open = worker_woken;
    arena_init(&w->start_arena);
    mailbox_init(&w->mailbox, &w->loop);
    courier.loop = &w->loop;
    courier.per_host_max = config.connections_per_host;
    if (!courier_new(&courier, &w->courier, err) || !db_run(options->engine, DB_WRITE, worker_start_run, w, err)) {
        courier_free(w->courier);
        mailbox_close(&w->mailbox);
        uv_run(&w->loop, UV_RUN_DEFAULT);
        uv_loop_close(&w->loop);
        run_errors_free(w->errors);
        arena_deinit(&w->start_arena);
        uv_mutex_destroy(&w->woken_lock);
        free(w);
        return false;
    }
    *out = w;
    upkeep_start(w);
    for (size_t i = 0; i < w->start_lanes_count; i++)
        worker_wake(w, w->start_lanes[i]);
    if (uv_thread_create(&w->thread, worker_thread, w) != 0)
        abort();
    return true;
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
    upkeep_stop(w);
    courier_free(w->courier);
    while (map_next(&w->lanes, &at, &id, &value)) {
        seat_close(value);
    }
    mailbox_close(&w->mailbox);
}

/* Closing must wait for what other threads still hold: tasks in a transaction or at the disk, and
 * looks for due jobs. */
void
worker_maybe_close(struct worker *w)
{
    bool fetching = false;
    size_t at = 0;
    int64_t id;
    void *value;

    while (map_next(&w->lanes, &at, &id, &value))
        fetching |= ((struct seat_lane *)value)->fetching;
    if (w->draining && !w->closed && w->tasks_count == 0 && !fetching && !upkeep_is_busy(w))
        worker_close(w);
}

/* What is at a platform now goes on in the next process, which finds it in flight. */
static void
worker_cut(struct worker *w, bool only_polls)
{
    struct task *t, *next;

    for (t = w->tasks; t; t = next) {
        next = t->next;
        if ((only_polls && t->job.kind != JOB_POLL) || !task_interrupt(t))
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
    map_deinit(&w->lanes);
    map_deinit(&w->woken);
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
