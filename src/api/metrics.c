#include "api/metrics.h"

#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"

#define NO_ROUTE   (COUNTERS_ROUTES_MAX - 1)
#define COUNT_REST 10 /* for each ms of counting, so many without */

/* The last of each is for everything else. */
static const int statuses[COUNTERS_STATUSES] = {
    200, 201, 202, 204, 206, 303, 304, 400, 401, 403, 404, 405, 408, 409,
    413, 414, 415, 416, 422, 429, 431, 500, 501, 503, 505, 0,
};
static const int64_t bounds_us[COUNTERS_BUCKETS] = {
    250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000, INT64_MAX,
};

static size_t
place_of(const struct route *route)
{
    return route ? (size_t)(route - routes) : NO_ROUTE;
}

/* Only this thread writes here, so there is nothing to lock; the atomic keeps readers from seeing half a number. */
static void
add(_Atomic int64_t *counter, int64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void
counters_add(struct counters *c, const struct route *route, int status, int64_t took_us)
{
    size_t at = place_of(route), i = 0, bucket = 0;

    while (i < COUNTERS_STATUSES - 1 && statuses[i] != status)
        i++;
    while (took_us > bounds_us[bucket])
        bucket++;
    add(&c->routes[at].by_status[i], 1);
    add(&c->routes[at].by_duration[bucket], 1);
    add(&c->routes[at].duration_us, took_us);
}

/* ---- writing them down ---- */

static void
head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put(struct buf *out, const char *name, const char *type, const char *help, int64_t value)
{
    head(out, name, type, help);
    buf_printf(out, "%s %lld\n", name, (long long)value);
}

/* Microseconds as the seconds Prometheus wants. */
static void
put_seconds(struct buf *out, int64_t us)
{
    buf_printf(out, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
}

static void
put_route(struct buf *out, size_t at)
{
    if (at == NO_ROUTE)
        buf_append(out, STR("route=\"\",method=\"\""));
    else
        buf_printf(out, "route=\"%s\",method=\"%s\"", routes[at].http.pattern,
                   http_method_name(routes[at].http.method));
}

static int64_t
sum_status(struct api *api, size_t at, size_t i)
{
    int64_t n = 0;

    for (int t = 0; t < api->options.threads; t++)
        n += atomic_load_explicit(&api->threads[t].counters.routes[at].by_status[i], memory_order_relaxed);
    return n;
}

static bool
is_counted(size_t at)
{
    return at < route_count || at == NO_ROUTE;
}

static void
put_requests(struct buf *out, struct api *api)
{
    head(out, "parley_http_requests_total", "counter", "Requests answered.");
    for (size_t at = 0; at < COUNTERS_ROUTES_MAX; at++)
        for (size_t i = 0; is_counted(at) && i < COUNTERS_STATUSES; i++) {
            int64_t n = sum_status(api, at, i);

            if (n == 0)
                continue;
            buf_append(out, STR("parley_http_requests_total{"));
            put_route(out, at);
            if (statuses[i])
                buf_printf(out, ",status=\"%d\"} %lld\n", statuses[i], (long long)n);
            else
                buf_printf(out, ",status=\"other\"} %lld\n", (long long)n);
        }
}

static void
put_histogram(struct buf *out, struct api *api, size_t at)
{
    int64_t buckets[COUNTERS_BUCKETS] = { 0 }, total = 0, us = 0;

    for (int t = 0; t < api->options.threads; t++) {
        struct counters *c = &api->threads[t].counters;

        for (size_t b = 0; b < COUNTERS_BUCKETS; b++)
            buckets[b] += atomic_load_explicit(&c->routes[at].by_duration[b], memory_order_relaxed);
        us += atomic_load_explicit(&c->routes[at].duration_us, memory_order_relaxed);
    }
    for (size_t b = 0; b < COUNTERS_BUCKETS; b++)
        total += buckets[b];
    if (total == 0)
        return;
    total = 0;
    for (size_t b = 0; b < COUNTERS_BUCKETS; b++) {
        total += buckets[b];
        buf_append(out, STR("parley_http_request_duration_seconds_bucket{"));
        put_route(out, at);
        buf_append(out, STR(",le=\""));
        if (b == COUNTERS_BUCKETS - 1)
            buf_append(out, STR("+Inf"));
        else
            put_seconds(out, bounds_us[b]);
        buf_printf(out, "\"} %lld\n", (long long)total);
    }
    buf_append(out, STR("parley_http_request_duration_seconds_sum{"));
    put_route(out, at);
    buf_append(out, STR("} "));
    put_seconds(out, us);
    buf_append(out, STR("\nparley_http_request_duration_seconds_count{"));
    put_route(out, at);
    buf_printf(out, "} %lld\n", (long long)total);
}

static void
put_http(struct buf *out, struct api *api)
{
    put_requests(out, api);
    head(out, "parley_http_request_duration_seconds", "histogram", "From a request's first byte to its reply.");
    for (size_t at = 0; at < COUNTERS_ROUTES_MAX; at++)
        if (is_counted(at))
            put_histogram(out, api, at);
    put(out, "parley_http_open_connections", "gauge", "Connections of clients.", http_open_connections(api->http));
}

static void
put_database(struct buf *out, struct db_engine *engine)
{
    struct db_stats s;

    db_stats(engine, &s);
    put(out, "parley_db_commits_total", "counter", "Commits, each of one or more write transactions.", s.commits);
    put(out, "parley_db_transactions_total", "counter", "Write transactions.", s.transactions);
    put(out, "parley_db_rollbacks_total", "counter", "Write transactions undone.", s.rollbacks);
    put(out, "parley_db_waiting", "gauge", "Write transactions waiting.", s.waiting);
    put(out, "parley_db_batch_largest", "gauge", "Most transactions that ever shared a commit.", s.batch_largest);
    head(out, "parley_db_commit_seconds_total", "counter", "Time spent in commits.");
    buf_append(out, STR("parley_db_commit_seconds_total "));
    put_seconds(out, s.commit_us_total);
    buf_append_char(out, '\n');
}

static void
put_error_count(void *ctx, const char *platform, int code, int64_t count)
{
    buf_printf(ctx, "parley_platform_errors_total{platform=\"%s\",code=\"%d\"} %lld\n", platform, code,
               (long long)count);
}

static void
put_worker(struct buf *out, struct worker *worker)
{
    struct worker_stats s;

    worker_stats(worker, &s);
    head(out, "parley_sends_total", "counter", "Attempts to send a message, by their outcome.");
    buf_printf(out, "parley_sends_total{outcome=\"published\"} %lld\n", (long long)s.sends_published);
    buf_printf(out, "parley_sends_total{outcome=\"retried\"} %lld\n", (long long)s.sends_retried);
    buf_printf(out, "parley_sends_total{outcome=\"failed\"} %lld\n", (long long)s.sends_failed);
    put(out, "parley_calls_in_flight", "gauge", "Requests to platforms and webhooks under way.", s.calls_in_flight);
    put(out, "parley_jobs_running", "gauge", "Jobs being worked on.", s.jobs_running);
    put(out, "parley_lanes", "gauge", "Profiles and webhooks this process works for.", s.lanes);
    put(out, "parley_mirrored_total", "counter", "Files copied from platforms.", s.mirrored);
    put(out, "parley_mirror_failures_total", "counter", "Files that could not be copied.", s.mirror_failed);
    head(out, "parley_deliveries_total", "counter", "Attempts to tell a webhook of an event, by their outcome.");
    buf_printf(out, "parley_deliveries_total{outcome=\"delivered\"} %lld\n", (long long)s.delivered);
    buf_printf(out, "parley_deliveries_total{outcome=\"failed\"} %lld\n", (long long)s.delivery_failures);
    put(out, "parley_polls_total", "counter", "Polls of platforms.", s.polls);
    put(out, "parley_poll_errors_total", "counter", "Polls that failed.", s.poll_errors);
    head(out, "parley_platform_errors_total", "counter",
         "Refusals and failures of platforms; code 0 is the network, -1 whatever came after many different ones.");
    worker_error_counts(worker, put_error_count, out);
}

/* Left out, not zero, when the database cannot say. */
static void
put_jobs(struct buf *out, const struct census *c, int64_t now_ms)
{
    int64_t due_at = atomic_load(&c->oldest_due_at);

    if (!atomic_load(&c->is_known))
        return;
    head(out, "parley_jobs", "gauge", "Jobs not yet done, by kind.");
    for (int kind = JOB_NONE + 1; kind < JOB_KINDS; kind++)
        buf_printf(out, "parley_jobs{kind=\"%s\"} %lld\n", job_kind_names[kind],
                   (long long)atomic_load(&c->jobs[kind]));
    head(out, "parley_job_oldest_due_seconds", "gauge", "How long the oldest due job has been waiting.");
    buf_append(out, STR("parley_job_oldest_due_seconds "));
    put_seconds(out, due_at > 0 && due_at < now_ms ? (now_ms - due_at) * 1000 : 0);
    buf_append_char(out, '\n');
}

static void
put_inbound_kinds(struct buf *out, struct api *api)
{
    static const char *const names[INBOUND_KINDS] = {
        [INBOUND_MESSAGE] = "message",   [INBOUND_EDIT] = "edit",         [INBOUND_DELETION] = "deletion",
        [INBOUND_REACTION] = "reaction", [INBOUND_DELIVERY] = "delivery", [INBOUND_READ] = "read",
        [INBOUND_REFERRAL] = "referral", [INBOUND_COMMENT] = "comment",   [INBOUND_BLOCK] = "block",
        [INBOUND_UNBLOCK] = "unblock",   [INBOUND_MUTE] = "mute",         [INBOUND_UNMUTE] = "unmute",
        [INBOUND_HINT] = "hint",
    };

    head(out, "parley_inbound_told_total", "counter", "Things that webhooks told, news or not, by kind.");
    for (int kind = 0; kind < INBOUND_KINDS; kind++)
        buf_printf(out, "parley_inbound_told_total{kind=\"%s\"} %lld\n", names[kind],
                   (long long)atomic_load(&api->events_by_kind[kind]));
}

static void
put_inbound(struct buf *out, struct api *api)
{
    put(out, "parley_updates_total", "counter", "Webhook calls of platforms that were stored.",
        atomic_load(&api->updates));
    put(out, "parley_updates_refused_total", "counter", "Webhook calls whose secret was wrong.",
        atomic_load(&api->updates_refused));
    put(out, "parley_updates_not_understood_total", "counter", "Webhook calls kept because they were not understood.",
        atomic_load(&api->updates_not_understood));
    put(out, "parley_inbound_events_total", "counter", "Things that webhooks told and that were news.",
        atomic_load(&api->events_stored));
    put(out, "parley_inbound_ignored_total", "counter", "Things that webhooks told and that were no news.",
        atomic_load(&api->events_ignored));
    put(out, "parley_inbound_unrouted_total", "counter", "Things told of accounts that are not connected here.",
        atomic_load(&api->events_unrouted));
    put_inbound_kinds(out, api);
}

static void
put_streams(struct buf *out, struct api *api)
{
    struct hub_stats s = { 0 };

    for (int t = 0; t < api->options.threads; t++)
        hub_add_stats(api->threads[t].hub, &s);
    put(out, "parley_streams_open", "gauge", "Streams of events that are open.", s.open);
    put(out, "parley_stream_events_total", "counter", "Events written to streams.", s.events);
    put(out, "parley_streams_behind_total", "counter", "How often a client read more slowly than events came.",
        s.fell_behind);
    put(out, "parley_streams_lost_total", "counter", "Streams whose connection broke while it was written to.", s.lost);
}

static bool
count_in_database(void *arg, struct db *db, struct error *err)
{
    struct census *c = arg;
    int64_t        jobs[JOB_KINDS], oldest_due_at;

    if (!job_stats(db, jobs, &oldest_due_at, err))
        return false;
    for (int kind = JOB_NONE + 1; kind < JOB_KINDS; kind++)
        atomic_store(&c->jobs[kind], jobs[kind]);
    atomic_store(&c->oldest_due_at, oldest_due_at);
    return true;
}

/* On a helper thread. That the database does not answer is one of the things to be shown. */
static bool
count_jobs(struct call *call, struct error *err)
{
    struct census *c = &call->api->census;
    int64_t        begun_ms = clock_mono_ms(), ended_ms;
    struct error   ignored;

    (void)err;
    if (begun_ms < atomic_load(&c->until_ms) || atomic_exchange(&c->is_under_way, true))
        return true;
    atomic_store(&c->is_known, db_run(call->api->options.engine, DB_READ, count_in_database, c, &ignored));
    ended_ms = clock_mono_ms();
    atomic_store(&c->until_ms, ended_ms + COUNT_REST * (ended_ms - begun_ms));
    atomic_store(&c->is_under_way, false);
    return true;
}

static bool
write_metrics(struct db *db, struct call *call, struct error *err)
{
    struct api *api = call->api;
    struct buf *out = &call->x->reply.body;

    (void)db;
    (void)err;
    reply_text(call, STR("text/plain; version=0.0.4; charset=utf-8"), STR(""));
    head(out, "parley_build_info", "gauge", "Which version this is.");
    buf_append(out, STR("parley_build_info{version=\"" PARLEY_VERSION "\"} 1\n"));
    put(out, "parley_uptime_seconds", "gauge", "Since the server was started.",
        (clock_mono_ms() - api->started_mono_ms) / 1000);
    put(out, "parley_database_up", "gauge", "Whether the database answered.", atomic_load(&api->census.is_known));
    put_http(out, api);
    put_database(out, api->options.engine);
    put_jobs(out, &api->census, call->now_ms);
    put_worker(out, api->options.worker);
    put_inbound(out, api);
    put_streams(out, api);
    return true;
}

bool
show_metrics(struct db *db, struct call *call, struct error *err)
{
    (void)db;
    (void)err;
    call_work(call, count_jobs);
    call_then(call, write_metrics, PLAIN);
    return true;
}
