/* lease.h -- which of the processes on one database works on which lane.
 *
 * A process has one lease, which it renews; a lane names the process that took it. So a thousand lanes cost one
 * renewal, and when a process dies all its lanes are free at one moment. Whoever is about to do what must not be done
 * twice asks in that very transaction whether the lane is still theirs (lane_is_ours): a process that was stopped for
 * longer than its lease finds out there. Times are those of the database's clients; their clocks must agree to within a
 * second or two. */
#ifndef PARLEY_STORE_LEASE_H
#define PARLEY_STORE_LEASE_H

#include "db/db.h"

/* Begins the lease of a process nobody has seen before. */
bool lease_begin(struct db *db, int64_t process_id, int64_t until_ms, struct error *err);

/* *held false: it ran out before, and others may have taken the lanes; begin anew under another id. */
bool lease_renew(struct db *db, int64_t process_id, int64_t now_ms, int64_t until_ms, bool *held, struct error *err);

/* Gives up all lanes at once. */
bool lease_end(struct db *db, int64_t process_id, struct error *err);

/* Forgets those that ran out; *ended tells whether there were any, and so lanes to be taken up. */
bool lease_sweep(struct db *db, int64_t now_ms, bool *ended, struct error *err);

/* Takes a lane that nobody holds. *ours: it is this process's now, or was before. */
bool lane_take(struct db *db, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours, struct error *err);

/* For the transaction that decides something: true also keeps others from taking the lane before it commits. */
bool lane_is_ours(struct db *db, int64_t lane_id, int64_t process_id, int64_t now_ms, bool *ours, struct error *err);

/* Lanes with a ready job due before `due_before_ms` that nobody holds, at most `limit`. */
bool lane_list_free(struct db *db, int64_t now_ms, int64_t due_before_ms, int limit, struct arena *a, int64_t **out,
                    size_t *n, struct error *err);

#endif
