/* hub.h -- events on their way to open streams, one hub for each of the server's loop threads.
 *
 * A listener is a stream as the hub sees it: a filter and `at`, the event up to which its client has been told
 * everything. It is in one of two ways of being served:
 *
 *     behind   it reads the database by itself, piece by piece, each when the one before has left
 *     live     its workspace's feed has read the new events once, formatted each once, and hands them out
 *
 * A commit wakes every hub that has listeners (hub_wake), and the feed reads what is behind its own position. A
 * listener that has read to the end of the table goes live; a live one whose client reads too slowly falls
 * behind again, so what waits for a client in memory has a bound, and a client that reads at all loses nothing.
 *
 * No gap and no repeat, because
 * - ids are the order of commits (store/event.h), so "all after `at`" is complete, in this process or the next;
 * - everything here happens on one loop, and the hub has one read under way at a time. A listener whose read found
 *   the end has therefore seen at least what the feed has seen: it misses nothing by going live, and what the feed
 *   finds that it has been told already (its id is not above `at`) is left out;
 * - `at` moves with the bytes that were handed over, not before. A stream that breaks in the middle of an event is
 *   resumed after the one before it.
 * Wake-ups are only for speed: once a second each feed looks by itself, which also finds what other processes
 * committed.
 *
 * Handing every event to every stream from the committing thread was the other way; that thread then waits for
 * the slowest, and catching up while events arrive needs a second mechanism, which is where gaps come from. */
#ifndef PARLEY_API_HUB_H
#define PARLEY_API_HUB_H

#include "base/buf.h"
#include "base/mailbox.h"
#include "store/event.h"

#define HUB_BEAT_MS 15000 /* a silent stream gets a comment line this often */

struct hub;
struct feed;
struct listener;

/* What a listener writes to; an HTTP stream, in tests something simpler. None of these calls back at once. */
struct listener_ops {
    bool (*write)(struct listener *l, struct str bytes); /* false: it is lost, hub_leave() will follow */
    size_t (*unsent)(const struct listener *l);          /* bytes that have not left; when they have: hub_drained() */
    void (*end)(struct listener *l);                     /* ends properly; `l` is not the hub's any more */
};

struct listener {
    /* The owner's, set before hub_join(). */
    const struct listener_ops *ops;
    int64_t                    workspace_id;
    int64_t                    key_id; /* the stream ends when the key is revoked; 0 = never */
    struct event_filter        filter;
    int64_t                    at;     /* the client knows everything up to here */

    /* The hub's. */
    enum { LISTENER_READY, LISTENER_WAITING, LISTENER_LIVE, LISTENER_LOST } state; /* the first two are behind */
    struct hub      *hub;
    struct feed     *feed;
    struct listener *prev, *next;           /* among the live of its feed, or the ready of the hub */
    struct listener *quieter, *louder;      /* all of the hub, the longest silent first */
    int64_t          wrote_ms;              /* monotonic */
    int64_t          told;                  /* the newest id the client has been told */
    int64_t          cut_id;                /* the event of which the first `offset` bytes have been written already */
    size_t           offset;
};

/* `engine` must outlive it. Wakes no thread and needs no loop before the first listener joins. */
struct hub *hub_new(struct db_engine *engine);
void        hub_free(struct hub *h); /* every listener has left; NULL is fine */

/* There are new events in this workspace; keys were revoked. Any thread, cheap when nobody listens. */
void hub_wake(struct hub *h, int64_t workspace_id);
void hub_wake_all(struct hub *h); /* in any workspace */
void hub_wake_keys(struct hub *h);

/* On the loop's thread, `mailbox` being the loop's. `hello` is written first, then everything after
 * l->at. `l` must stay where it is until hub_leave(), or until ops->end() was called. */
void hub_join(struct hub *h, struct mailbox *mailbox, struct listener *l, struct str hello);
void hub_drained(struct listener *l); /* what was unsent has left */
void hub_leave(struct listener *l);

struct hub_stats {
    int64_t open, events, fell_behind, lost; /* open now; the others since the start */
};
void hub_add_stats(struct hub *h, struct hub_stats *sum); /* any thread */

/* An event as it is streamed: "id: ...\nevent: ...\ndata: {...}\n\n". */
void hub_format(struct buf *out, const struct event *e);

#endif
