/* updates.h -- what a bot has yet to be told: one total order for getUpdates, a queue a chat for the
 * webhook.
 *
 * Within a queue an update must be acknowledged before the next one goes; queues do not wait for each
 * other. What fails is tried again at once, then after 2, 4, 8, 16, 32 s, then every 60 to 120 s, until
 * it is too old to be of use. Nothing here sends anything, and time comes from outside, so that a test
 * can put the clock where it wants. */
#ifndef PARLEY_SANDBOX_TELEGRAM_UPDATES_H
#define PARLEY_SANDBOX_TELEGRAM_UPDATES_H

#include "base/map.h"
#include "base/str.h"
#include "sandbox/alarms.h"

#define TG_UPDATES_MAX       ((size_t)100000)
#define TG_UPDATES_BYTES_MAX ((size_t)128 << 20)
#define TG_UPDATE_BYTES_MAX  ((size_t)512 << 10)

/* What belongs to one person is still split: a tap does not wait for a message. */
enum tg_queue_class { TG_QUEUE_MESSAGES, TG_QUEUE_TAPS, TG_QUEUE_MEMBER, TG_QUEUE_REACTIONS, TG_QUEUE_CLASSES };

struct tg_queue;

struct tg_update {
    int64_t           id, expires_ms;
    struct str        json; /* the whole update without its braces and update_id: "message":{...} ; owned */
    int               fails, delay_s;
    struct tg_queue  *queue;
    struct tg_update *behind;       /* in the queue */
    struct tg_update *older, *newer; /* of all */
};

struct tg_updates {
    struct alarms    *alarms;  /* must outlive it */
    void (*ready)(struct tg_updates *u); /* a queue has become ready outside of a call from its owner */
    struct map        queues;
    struct tg_queue  *first_ready, *last_ready;
    struct tg_update *oldest, *newest;
    size_t            count, bytes;
    int64_t           last_id, last_own_queue;
};

void tg_updates_init(struct tg_updates *u, struct alarms *alarms, void (*ready)(struct tg_updates *u));
void tg_updates_deinit(struct tg_updates *u);

int64_t tg_updates_next_id(struct tg_updates *u);
void    tg_updates_seen_id(struct tg_updates *u, int64_t id); /* someone chose one: ours go on behind it */

int64_t tg_queue_key(int64_t person, enum tg_queue_class class);
int64_t tg_update_person(const struct tg_update *update); /* whose queue it is in; 0 = nobody's */
int64_t tg_queue_own(struct tg_updates *u); /* a queue for one update alone */

/* Copies `json`. NULL when it is too large or too many wait already: then it is lost, as with the real
 * server. Its queue is ready if it has nothing else to do; ready() is not called. */
struct tg_update *tg_updates_push(struct tg_updates *u, int64_t id, int64_t queue, struct str json, int64_t expires_ms);

/* ---- for the webhook ---- */

/* The first update of the queue that has been ready longest, which is busy then until one of the four
 * below; NULL when none is ready. What has expired by now is dropped on the way. */
struct tg_update *tg_updates_take(struct tg_updates *u, int64_t now_ms);

void tg_updates_done(struct tg_updates *u, struct tg_update *update); /* acknowledged: gone */
void tg_updates_failed(struct tg_updates *u, struct tg_update *update, int64_t now_ms,
    int64_t retry_after_s); /* 0 = nothing was said of it */
void tg_updates_return(struct tg_updates *u, struct tg_update *update); /* not even tried: ready again */
void tg_updates_hurry(struct tg_updates *u); /* what waits for its next try is ready now: there is a new webhook */

/* ---- for getUpdates: none of it touches what is on its way ---- */

void tg_updates_expire(struct tg_updates *u, int64_t now_ms);
void tg_updates_confirm(struct tg_updates *u, int64_t below_id); /* forgets all with a smaller id */
void tg_updates_keep_last(struct tg_updates *u, size_t n);
void tg_updates_clear(struct tg_updates *u); /* nothing may be on its way */

#endif
