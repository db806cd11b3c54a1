/* lane.h -- the outgoing work of one profile as plain memory: what is known to be due, what is under way, and how fast
 * it may go.
 *
 * Only the process that owns the lane has this memory, so rates and back-off need no table. All of it is a guess that a
 * restart may forget: order and truth are in the job rows. Time comes in as an argument. */
#ifndef PARLEY_WORK_LANE_H
#define PARLEY_WORK_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

struct pace {
    int chat_per_minute, chat_burst;          /* 0 per minute = no limit */
    int account_per_minute, account_burst;
    int private_per_hour;
};

/* A job that is known to be due: waiting for its turn, or under way. */
struct lane_job {
    int64_t          id, chat_id; /* chat_id 0 = neither pace nor hold applies */
    int              kind;        /* the caller's */
    bool             due_again;   /* it was seen due while it was under way: look again when it ends */
    bool             uncounted;
    bool             marked;      /* the table says that it is under way */
    struct lane_job *next;        /* among the waiting */
};

#define LANE_OPS 32

/* Calls of one kind that are refused for being too many, while nobody says how long to wait. */
struct lane_refusals {
    int     in_a_row;
    int64_t until_ms; /* of the wait that the last one began */
};

struct lane {
    int64_t          id;
    struct pace      pace;
    struct map       known;            /* job id -> struct lane_job */
    struct lane_job *waiting, **waiting_end;
    int              waiting_count, running, running_max;
    int              unmarked;         /* how many of the running ones the table still shows as ready */
    int              running_now;      /* how many of running_max are used: fewer while the other side fails */
    bool             fails;            /* the last call went badly */
    struct map       chats;            /* chat id -> when its bucket is full again, in microseconds */
    int64_t          account_full_us;  /* the same for the account */
    int64_t          private_full_us;  /* and for its private replies */
    int              only_kind;        /* no other kind of job starts; 0 = all do */
    int64_t          held_until_ms;    /* the platform asked the whole account to wait */
    int64_t          refused_chat, refused_at_ms; /* the last chat that was told to slow down */
    struct lane_refusals refused[LANE_OPS];       /* of each kind of call; the caller's numbers */
};

void lane_init(struct lane *l, int64_t id, int running_max); /* without a pace: that may be set at any time */
void lane_deinit(struct lane *l); /* frees the jobs still known */

/* Takes note of a due job; false when it was known already. */
bool lane_add(struct lane *l, int64_t job_id, int kind, int64_t chat_id);

/* The next job that may start at `now_ms`, now counted as running; NULL when none may. Then *again_ms is when asking
 * again is worth while, 0 when only an ending job or a new one changes that. */
struct lane_job *lane_next(struct lane *l, int64_t now_ms, int64_t *again_ms);

/* A job that only waits (a long poll), or is only to be written down, takes no place from others. There may be as many
 * of these as there are places. */
void lane_uncount(struct lane *l, struct lane_job *job);

/* A send that was started counts as `sends` for the account, not as one. */
void lane_charge(struct lane *l, int sends, int64_t now_ms);

/* Takes the next place among the private replies and says when it is: at most `now_ms` = at once. */
int64_t lane_take_private(struct lane *l, int64_t now_ms);

/* From now on only jobs of this kind start; 0 = all. */
void lane_only(struct lane *l, int kind);

/* From now on the table does not show this job as ready any more. */
void lane_mark(struct lane *l, struct lane_job *job);

/* So many ready jobs a look must ask for to see all it knows and enough new ones to fill its free places. */
int lane_look(const struct lane *l);

/* It is over; frees `job`. True when it was added again meanwhile, so that another look finds it due. */
bool lane_end(struct lane *l, struct lane_job *job);

/* The platform told this chat to slow down until `until_ms`. Two chats within a second mean the
 * whole account was meant. */
void lane_slow_down(struct lane *l, int64_t chat_id, int64_t now_ms, int64_t until_ms, bool account_wide);

/* The same without saying how long: what to wait now. `first_ms` at first, then each time in a row twice as long, up to
 * LANE_WAIT_MAX_MS, and all that within 20 %. What was under way already when a wait began shares it. */
#define LANE_WAIT_MAX_MS ((int64_t)20 * 60 * 1000)
int64_t lane_refused(struct lane *l, int op, int64_t first_ms, int64_t now_ms);
void    lane_took(struct lane *l, int op); /* a call of this kind was taken: the row ends */

/* The other side asked for nothing more until then. */
void lane_hold(struct lane *l, int64_t until_ms);

/* The clock was set back by so much: what was to be waited for is as far away as before. */
void lane_set_back(struct lane *l, int64_t by_ms);

/* The other side answered well, or not: at each failure behind a failure a lane goes on with half as many at once, down
 * to one, and comes back one by one. So a dead endpoint holds few of the connections that living ones need, while one
 * that fails now and then is as fast as before. */
void lane_went_well(struct lane *l);
void lane_went_badly(struct lane *l);

/* The jobs that wait are not known any more; those under way are. */
void lane_forget(struct lane *l);
int  lane_under_way(const struct lane *l); /* the uncounted ones included */

int lane_free(const struct lane *l); /* places for jobs that could start now */

/* Sets running_max. */
void lane_limit(struct lane *l, int running_max);

#endif
