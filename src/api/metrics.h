/* metrics.h -- what was asked of us and how long it took, counted per loop thread and added up when somebody
 * asks. */
#ifndef PARLEY_API_METRICS_H
#define PARLEY_API_METRICS_H

#include <stdatomic.h>

#include "api/call.h"
#include "store/job.h"

#define COUNTERS_ROUTES_MAX 64 /* of the table; the last place is for requests that matched none */
#define COUNTERS_STATUSES   26
#define COUNTERS_BUCKETS    15

/* Written by one thread, read by any. */
struct counters {
    struct {
        _Atomic int64_t by_status[COUNTERS_STATUSES];
        _Atomic int64_t by_duration[COUNTERS_BUCKETS]; /* not yet cumulative */
        _Atomic int64_t duration_us;
    } routes[COUNTERS_ROUTES_MAX];
};

void counters_add(struct counters *c, const struct route *route, int status, int64_t took_us);

/* The jobs there are, by kind. Counting looks at all of them, so it is done on a helper thread, by one at a time, and
 * again only after ten times as long as it took; meanwhile everybody is shown the last count. */
struct census {
    _Atomic bool    is_under_way, is_known; /* known: the database answered the last time */
    _Atomic int64_t until_ms;               /* monotonic; good enough until then */
    _Atomic int64_t jobs[JOB_KINDS], oldest_due_at;
};

/* GET /metrics: Prometheus' text format. */
bool show_metrics(struct db *db, struct call *call, struct error *err);

#endif
