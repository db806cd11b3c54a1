/* job.h -- what must still be done, as rows written in the transaction that made it necessary.
 *
 * A job belongs to a lane (a profile, or a webhook endpoint). Jobs with the same queue (a chat) run
 * strictly one after another: only the first of a queue is `ready`, the others are `queued` and
 * move up when it is finished. So finding what can run is one index range, however long a single
 * chat's backlog is. */
#ifndef PARLEY_STORE_JOB_H
#define PARLEY_STORE_JOB_H

#include "db/db.h"

enum job_kind {
    JOB_NONE, JOB_SEND, JOB_MIRROR, JOB_PARTICIPANT, JOB_ANSWER_TAP, JOB_SUBSCRIBE, JOB_UNSUBSCRIBE, JOB_ERASE,
    JOB_POLL, JOB_CHECK, JOB_DELIVER, JOB_REPLAY, JOB_SWEEP, JOB_REFRESH,
    JOB_HINT,         /* ask for a message that was only hinted at; its external id is the payload */
    JOB_FORGET_MEDIA, /* the payload names a media object that nothing shows any more */
    JOB_REDACT,       /* a message was unsent: events show it no more; the payload is where to go on */
    JOB_KINDS
};
extern const char *const job_kind_names[JOB_KINDS];

/* IN_FLIGHT: a request that must not be repeated lightly may have been written. It is set before the first byte leaves,
 * so that a crash leaves a trace. */
enum job_state { JOB_READY, JOB_QUEUED, JOB_IN_FLIGHT };

struct job {
    int64_t        id;
    enum job_kind  kind;
    int64_t        lane_id, queue_id, record_id;
    enum job_state state;
    int64_t        due_at, created_at;
    int            attempts;
    struct str     payload; /* JSON or plain text, the kind's own */
};

#define JOB_HELD_UNTIL  ((int64_t)1 << 52) /* due_at of one that waits for a reconnect, and for no time */
#define JOB_INTERRUPTED "interrupted" /* payload of a JOB_SEND whose request may have gone out */

/* Signals of this layer (db_signal). The key is the lane, the workspace, the profile. TOPIC_FREE: a process has let go
 * of the lane; TOPIC_LEASES: one has let go of all it had. */
enum store_topic { TOPIC_LANE = 1, TOPIC_EVENTS, TOPIC_PROFILE, TOPIC_KEYS, TOPIC_FREE, TOPIC_LEASES };

enum store_note { NOTE_TAIL, NOTE_PROFILES }; /* of db_note() */

/* Queues a job (id, state and created_at are filled) and wakes its lane. A transaction that adds to
 * a queue, or takes from it (job_finish), must have touched the queue's chat first (chat_touch), so
 * that two of them cannot both think they are first. Deliveries, whose queues are negative, are added
 * by tail.h. */
bool job_add(struct db *db, struct job *job, int64_t now_ms, struct error *err);

/* The same behind the job `last` of its queue, 0 = it is the first; nobody else may be adding to it. */
bool job_append(struct db *db, struct job *job, int64_t last, int64_t now_ms, struct error *err);

/* The same, unless the lane already has a job of this kind for this record. */
bool job_add_once(struct db *db, struct job *job, int64_t now_ms, struct error *err);

/* The same, unless the lane already has a job of this kind with this payload. */
bool job_add_named(struct db *db, struct job *job, int64_t now_ms, struct error *err);

/* The job of this kind for this record becomes due at `job->due_at`, its failures forgotten; it is queued when there is
 * none. */
bool job_schedule(struct db *db, struct job *job, int64_t now_ms, struct error *err);

/* Ready jobs of a lane due at `now_ms`, oldest first, at most `limit`, with id, kind and queue
 * only: whoever takes one up reads the rest. *next_due_at is when the first later one is due, 0
 * when there is none. */
bool job_due(struct db *db, int64_t lane_id, int64_t now_ms, int limit, struct arena *a, struct job **out, size_t *n,
             int64_t *next_due_at, struct error *err);
bool job_get(struct db *db, int64_t id, struct arena *a, struct job *out, bool *found, struct error *err);
/* The one of its queue whose turn it is, whatever its state. */
bool job_head_of_queue(struct db *db, int64_t queue_id, struct arena *a, struct job *out, bool *found,
                       struct error *err);

/* *taken false: it is not ready any more (gone with its profile, or taken already). */
bool job_mark_in_flight(struct db *db, int64_t id, bool *taken, struct error *err);
/* Done: the row goes, the next of its queue becomes ready, and its lane is woken. */
bool job_finish(struct db *db, const struct job *job, int64_t now_ms, struct error *err);
/* Again at `due_at`; `attempts` is what it then counts. Keeps its place at the head of its queue. */
bool job_retry(struct db *db, const struct job *job, int64_t due_at, int attempts, struct str payload,
               struct error *err);
/* It no longer holds back the others of its queue: the next becomes ready. */
bool job_leave_queue(struct db *db, struct job *job, int64_t now_ms, struct error *err);
/* All waiting jobs of a lane become due now (its account works again). */
bool job_hurry_lane(struct db *db, int64_t lane_id, int64_t now_ms, struct error *err);
/* All that waits in the lanes of this process becomes due by so much earlier: its clock was set back. */
bool job_hurry_by(struct db *db, int64_t process_id, int64_t by_ms, int64_t now_ms, struct error *err);
/* All but JOB_FORGET_MEDIA. */
bool job_drop_lane(struct db *db, int64_t lane_id, struct error *err);

/* The next job of a kind in a lane, whatever its state, after id `after`. */
bool job_next_of_kind(struct db *db, int64_t lane_id, enum job_kind kind, int64_t after, struct arena *a,
                      struct job *out, bool *found, struct error *err);

/* At start: the lanes that have anything to do, and the jobs an earlier process left in flight. */
bool job_lanes(struct db *db, struct arena *a, int64_t **out, size_t *n, struct error *err);
/* Lanes with a ready job that has been due since `due_before_ms`. */
bool job_lanes_due(struct db *db, int64_t due_before_ms, struct arena *a, int64_t **out, size_t *n, struct error *err);
bool job_in_flight(struct db *db, int64_t lane_id, struct arena *a, struct job **out, size_t *n, struct error *err);

/* For metrics and doctor: how many of each kind, and since when the oldest due one waits (0 = none). */
bool job_stats(struct db *db, int64_t counts[JOB_KINDS], int64_t *oldest_due_at, struct error *err);

#endif
