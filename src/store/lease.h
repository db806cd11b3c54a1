/* lease.h -- which of the processes on one database works on which lane.
 *
 * A process has one lease, which it renews; a lane names the process that took it, and stays that process's until it is
 * let go, or another process takes it because the lease ran out. So a thousand lanes cost one renewal, and when a
 * process dies all its lanes are free at one moment. A transaction of a lane's work asks first whether the lane is
 * still its process's (lane_is_ours), and nobody takes the lane before that transaction is over: who was stopped for
 * longer than their lease finds out there. Leases end by the clocks of the processes, which must agree to within a
 * second or two.
 *
 * A process on the same machine that is known to be dead is not waited for (base/process.h): its lease ends as if it
 * had ended it itself. */
#ifndef PARLEY_STORE_LEASE_H
#define PARLEY_STORE_LEASE_H

#include "db/db.h"

/* Begins a lease. *id is the process's from now on, and *node a number that no other process has (id_use_node), nor had
 * lately. `alone`: there can be no other process, so whatever the table says of some is over. 503 when there are as
 * many processes as numbers. */
bool lease_begin(struct db *db, bool alone, int64_t until_ms, int64_t *id, int *node, struct error *err);

enum lease_state { LEASE_HELD, LEASE_LAPSED, LEASE_GONE };

/* LEASE_LAPSED: it had run out and begins anew; lanes may have been taken meanwhile. LEASE_GONE: it was forgotten too,
 * and nothing was written. */
bool lease_renew(struct db *db, int64_t process_id, int64_t now_ms, int64_t until_ms, enum lease_state *out,
                 struct error *err);

/* Gives up all lanes at once, and tells others (TOPIC_LEASES). */
bool lease_end(struct db *db, int64_t process_id, struct error *err);

/* Does that for every process that is known to be dead. */
bool lease_bury(struct db *db, struct error *err);

/* Forgets those that ran out before `before_ms`. */
bool lease_sweep(struct db *db, int64_t before_ms, struct error *err);

/* How many processes have a lease that lasts, how many lanes are somebody's, the dead included, a number that is
 * another when a process has ended, and the marks of those whose death would be seen from here. */
struct lease_census {
    int64_t     processes, lanes;
    uint64_t    fingerprint;
    struct str *near;
    size_t      near_count, near_cap;
};
bool lease_count(struct db *db, int64_t now_ms, struct arena *a, struct lease_census *out, struct error *err);

/* Takes a lane that nobody holds. *ours: it is this process's now, or was before. */
bool lane_take(struct db *db, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours, struct error *err);

/* Nobody takes it from us before this transaction is over; when *ours is false, somebody has it. */
bool lane_is_ours(struct db *db, int64_t lane_id, int64_t process_id, bool *ours, struct error *err);

/* Others may have it, and are told so (TOPIC_FREE). */
bool lane_let_go(struct db *db, int64_t lane_id, int64_t process_id, struct error *err);

/* Some of the lanes that nobody holds: what a dead process had, and others with a job due before `due_before_ms`. */
struct lane_list {
    int64_t *ids;
    size_t   count, cap;
    size_t   orphans; /* so many of them, the first, were a dead process's */
};
bool lane_list_free(struct db *db, int64_t now_ms, int64_t due_before_ms, struct arena *a, struct lane_list *out,
                    struct error *err);

#endif
