#include <stdlib.h>

#include "base/clock.h"
#include "work/account.h"
#include "work/upkeep.h"

#define KNOWN_MAX        4096
#define TROUBLE_AGAIN_MS 1000 /* after the database failed */
#define PARLEY_AGENT     "Parley/" PARLEY_VERSION

static void seat_pump(struct seat_lane *seat);

/* ---- lanes ---- */

static void
seat_freed(uv_handle_t *handle)
{
    struct seat_lane *seat = handle->data;

    lane_deinit(&seat->lane);
    arena_deinit(&seat->arena);
    free(seat);
}

static struct seat_lane *
seat_of(struct worker *w, int64_t lane_id)
{
    struct seat_lane *seat = map_get(&w->lanes, lane_id);

    if (seat)
        return seat;
    seat = calloc(1, sizeof(*seat));
    if (!seat)
        abort();
    lane_init(&seat->lane, lane_id, config.sends_per_profile);
    arena_init(&seat->arena);
    seat->worker = w;
    uv_timer_init(&w->loop, &seat->timer);
    seat->timer.data = seat;
    map_put(&w->lanes, lane_id, seat);
    w->lanes_shown = (int64_t)w->lanes.count;
    return seat;
}

static void
seat_timer(uv_timer_t *timer)
{
    struct seat_lane *seat = timer->data;

    seat->timer_at = 0;
    seat->dirty = true;
    seat_pump(seat);
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
            .account_per_second = p->pace.account_per_second, .account_burst = p->pace.account_burst,
        };
}

static bool
seat_fetch_run(struct db_txn *txn, struct db *db, struct error *err)
{
    struct seat_lane *seat = container_of(txn, struct seat_lane, txn);

    arena_reset(&seat->arena);
    return seat_find_owner(seat, db, err)
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
seat_fetched(struct db_txn *txn)
{
    struct seat_lane *seat = container_of(txn, struct seat_lane, txn);

    seat->fetching = false;
    if (txn->err.status != 0) {
        log_error("looking for due jobs failed", LOG_CSTR("error", txn->err.message));
        seat_look_at(seat, clock_now_ms() + TROUBLE_AGAIN_MS);
    } else {
        seat_set_pace(seat);
        seat->added = 0;
        for (size_t i = 0; i < seat->due_count; i++)
            seat->added += lane_add(&seat->lane, seat->due[i].id, seat->due[i].kind, seat_chat_of(&seat->due[i]));
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
    seat->due_limit = lane_look(&seat->lane);
    if (seat->due_limit > KNOWN_MAX)
        seat->due_limit = KNOWN_MAX;
    seat->txn = (struct db_txn){ .run = seat_fetch_run, .done = seat_fetched, .reply_to = &seat->worker->mailbox };
    db_submit(seat->worker->options.engine, DB_READ, &seat->txn);
}

/* ---- tasks ---- */

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
};

static void
task_free(struct task *t)
{
    account_wipe(&t->run.op.account);
    arena_deinit(&t->arena);
    free(t);
}

static void
task_timer_closed(uv_handle_t *handle)
{
    task_free(handle->data);
}

void
worker_task_ended(struct task *t, bool failed)
{
    struct worker *w = t->worker;
    struct seat_lane *seat = map_get(&w->lanes, t->lane_id);

    if (lane_end(&seat->lane, t->seat))
        seat->dirty = true;
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
        seat_look_at(seat, clock_now_ms() + TROUBLE_AGAIN_MS);
    seat_pump(seat);
    if (w->draining)
        worker_maybe_close(w);
}

static void
task_begin(struct seat_lane *seat, struct lane_job *place)
{
    struct worker *w = seat->worker;
    struct task *t = calloc(1, sizeof(*t));

    if (!t)
        abort();
    t->worker = w;
    t->lane_id = seat->lane.id;
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
    if (t->job.kind == JOB_POLL)
        lane_uncount(&seat->lane, place);
    kinds[t->job.kind].start(t);
}

static void
seat_pump(struct seat_lane *seat)
{
    struct worker *w = seat->worker;
    struct lane_job *place;
    int64_t again_ms = 0;

    if (w->draining || seat->pumping)
        return;
    seat->pumping = true; /* a task may end before its start returns */
    for (;;) {
        while ((place = lane_next(&seat->lane, clock_now_ms(), &again_ms)) != NULL)
            task_begin(seat, place);
        if (seat->full && seat->added > 0)
            seat->dirty = true; /* there is more than the last look brought */
        if (!seat->dirty || seat->fetching || lane_free(&seat->lane) == 0)
            break; /* what nothing can be done about now is looked for when a place is free */
        seat_fetch(seat);
    }
    seat->pumping = false;
    if (again_ms != 0)
        seat_look_at(seat, again_ms);
}

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

/* ---- asking on behalf of a request ---- */

struct asking {
    struct run    run;
    struct ask   *ask;
};

static void
ask_reply(struct mail *m)
{
    struct ask *ask = container_of(m, struct ask, mail);

    ask->done(ask);
}

static void
ask_done(struct run *r)
{
    struct asking *asking = r->user;
    struct ask *ask = asking->ask;

    ask->op = asking->run.op;
    ask->end = asking->run.end;
    ask->mail.open = ask_reply;
    free(asking);
    mailbox_post(ask->reply_to, &ask->mail);
}

static void
ask_start(struct mail *m)
{
    struct ask *ask = container_of(m, struct ask, mail);
    struct worker *w = ask->run;
    struct asking *asking = calloc(1, sizeof(*asking));

    if (!asking)
        abort();
    asking->ask = ask;
    asking->run = (struct run){
        .platform = ask->platform, .op = ask->op, .courier = w->courier, .errors = w->errors, .done = ask_done,
        .user = asking,
    };
    asking->run.op.env = w->options.env;
    run_start(&asking->run);
}

void
worker_ask(struct worker *w, struct ask *ask)
{
    ask->run = w;
    ask->mail.open = ask_start;
    mailbox_post(&w->mailbox, &ask->mail);
}

static void
call_reply(struct mail *m)
{
    struct worker_call *c = container_of(m, struct worker_call, mail);

    c->done(c);
}

static void
call_done(struct net_call *call)
{
    struct worker_call *c = container_of(call, struct worker_call, call);

    c->mail.open = call_reply;
    mailbox_post(c->reply_to, &c->mail);
}

static void
call_start(struct mail *m)
{
    struct worker_call *c = container_of(m, struct worker_call, mail);

    courier_send(c->worker->courier, &c->call);
}

void
worker_call(struct worker *w, struct worker_call *c)
{
    c->worker = w;
    c->call.done = call_done;
    c->mail.open = call_start;
    mailbox_post(&w->mailbox, &c->mail);
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
        if (!job_retry(db, &jobs[i], clock_now_ms(), jobs[i].attempts, STR("interrupted"), err))
            return false;
    return true;
}

static bool
worker_start_run(void *arg, struct db *db, struct error *err)
{
    struct worker *w = arg;
    struct profile *profiles;
    size_t n;

    arena_reset(&w->start_arena);
    if (!profile_list_all(db, &w->start_arena, &profiles, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!account_tend(db, &profiles[i], w->options.env->public_url, clock_now_ms(), err))
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
        struct seat_lane *seat = value;

        uv_close((uv_handle_t *)&seat->timer, seat_freed);
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
        worker_task_ended(t, true);
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
