/* hub_internal.h -- the hub's own state, shared by hub.c (who listens, and when something is to be done) and
 * hub_read.c (reading events and handing them out). */
#ifndef PARLEY_API_HUB_INTERNAL_H
#define PARLEY_API_HUB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/hub.h"
#include "base/map.h"

#define HUB_TEXT_MAX (64 * MIB) /* never reached: one read and the largest event */

struct listener_list {
    struct listener *first, *last;
};

/* The new events of a workspace. */
struct feed {
    int64_t              workspace_id;
    int64_t              at;        /* every live listener has been offered everything up to here; unset without any */
    struct listener_list live;
    size_t               listeners; /* live or not */
    bool                 is_dirty;
    struct feed         *next_dirty;
};

struct hub {
    struct db_engine *engine;
    struct mailbox   *mailbox;
    uv_timer_t       *tick; /* while anyone listens */
    int64_t           keys_asked_ms;
    bool              is_hurried; /* the next tick comes soon */

    struct map           feeds; /* by workspace */
    struct feed         *dirty, **dirty_end;
    struct listener_list ready;
    struct listener     *quietest, *loudest; /* all listeners, the longest silent first */
    bool                 keys_due;
    bool                 is_troubled;        /* the database failed; nothing is tried before the next tick */

    /* the read under way */
    struct db_txn       txn;
    bool                is_reading, is_working, feed_was_last;
    struct feed        *read_feed;     /* what it is for: one of these, NULL when that has left meanwhile, */
    struct listener    *read_listener;
    struct map          asked_keys;    /* or these keys, whether they are valid */
    int64_t             read_workspace, read_after;
    struct event_filter read_filter;
    size_t              read_look;
    bool                is_held;       /* there are events that cannot be read yet */

    /* and what it brought */
    struct arena      arena;
    struct event_page page;
    struct buf        text; /* of the page's events, one after another */
    size_t           *ends; /* where each ends */
    int64_t          *revoked;
    size_t            revoked_count;

    struct mail again;
    bool        again_posted;

    /* from other threads */
    pthread_mutex_t lock;
    struct map      woken;
    bool            all_woken, keys_woken, wake_posted;
    struct mail     wake;

    /* for other threads */
    _Atomic int64_t count, events, fell_behind, lost;
};

/* ---- hub.c ---- */

/* Between reads a listener is in one of these states, and in the list that goes with it. */
void listener_unlist(struct listener *l);
void listener_be_ready(struct listener *l);
void listener_be_behind(struct listener *l); /* it reads on when what it was given has left */
void listener_be_live(struct listener *l);   /* only after a read of its own that found the end */
bool listener_write(struct listener *l, struct str bytes); /* false: it is lost */
void listener_end(struct listener *l);
void feed_soil(struct hub *h, struct feed *f); /* it has something to read */
void hub_hurry(struct hub *h);                 /* all look again soon, though nobody may wake them */

/* ---- hub_read.c ---- */

/* Reads for whoever has something to read, for a moment. */
void hub_work(struct hub *h);
void hub_rest(struct hub *h); /* nothing is on the loop any more when nobody listens and no read is under way */
void hub_work_again(struct mail *m);

#endif
