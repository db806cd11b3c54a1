/* updates.c -- see updates.h. */
#include "sandbox/telegram/updates.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mailbox.h" /* container_of */
#include "base/error.h"
#include "base/random.h"
#include "sandbox/own.h"

#define FIRST_ID_MIN  INT64_C(2000001)
#define FIRST_ID_MAX  INT64_C(1000000000)
#define RETRY_AFTER_MAX_S INT64_C(3600)
#define LATE_MIN_S    60 /* from then on the delay is drawn from 60..120 s */

enum queue_state { QUEUE_READY, QUEUE_BUSY, QUEUE_WAITS };

struct tg_queue {
    int64_t            key;
    enum queue_state   state;
    struct tg_updates *all;
    struct tg_update  *first, *last;
    struct tg_queue   *next_ready, *previous_ready;
    struct alarm       wake;
};

/* ---- states of a queue ---- */

static void
leave_ready(struct tg_updates *u, struct tg_queue *q)
{
    if (q->previous_ready)
        q->previous_ready->next_ready = q->next_ready;
    else
        u->first_ready = q->next_ready;
    if (q->next_ready)
        q->next_ready->previous_ready = q->previous_ready;
    else
        u->last_ready = q->previous_ready;
    q->next_ready = q->previous_ready = NULL;
}

static void
enter_ready(struct tg_updates *u, struct tg_queue *q)
{
    q->previous_ready = u->last_ready;
    if (u->last_ready)
        u->last_ready->next_ready = q;
    else
        u->first_ready = q;
    u->last_ready = q;
}

static void
set_state(struct tg_updates *u, struct tg_queue *q, enum queue_state state)
{
    if (q->state == QUEUE_READY)
        leave_ready(u, q);
    alarm_clear(u->alarms, &q->wake);
    q->state = state;
    if (state == QUEUE_READY)
        enter_ready(u, q);
}

static void
on_wake(struct alarm *a)
{
    struct tg_queue *q = container_of(a, struct tg_queue, wake);

    set_state(q->all, q, QUEUE_READY);
    q->all->ready(q->all);
}

static struct tg_queue *
queue_of(struct tg_updates *u, int64_t key)
{
    struct tg_queue *q = map_get(&u->queues, key);

    if (q)
        return q;
    q = own_alloc(sizeof(*q));
    *q = (struct tg_queue){ .key = key, .state = QUEUE_BUSY, .all = u, .wake.ring = on_wake };
    map_put(&u->queues, key, q);
    set_state(u, q, QUEUE_READY);
    return q;
}

static void
free_queue_if_empty(struct tg_updates *u, struct tg_queue *q)
{
    if (q->first)
        return;
    set_state(u, q, QUEUE_BUSY);
    map_take(&u->queues, q->key);
    free(q);
}

/* ---- updates ---- */

static void
unlink_from_queue(struct tg_update *update)
{
    struct tg_queue   *q = update->queue;
    struct tg_update **at = &q->first, *before = NULL;

    for (; *at != update; at = &(*at)->behind)
        before = *at;
    *at = update->behind;
    if (q->last == update)
        q->last = before;
}

/* Removes it wherever it stands. The queue of a busy head stays busy: its owner says what becomes of it. */
static void
forget(struct tg_updates *u, struct tg_update *update)
{
    struct tg_queue *q = update->queue;
    bool             was_head = q->first == update;

    unlink_from_queue(update);
    if (update->older)
        update->older->newer = update->newer;
    else
        u->oldest = update->newer;
    if (update->newer)
        update->newer->older = update->older;
    else
        u->newest = update->older;
    u->count--;
    u->bytes -= update->json.len;
    if (was_head && q->state == QUEUE_WAITS && q->first)
        set_state(u, q, QUEUE_READY); /* what was waited for is gone */
    own_free(&update->json);
    free(update);
}

void
tg_updates_init(struct tg_updates *u, struct alarms *alarms, void (*ready)(struct tg_updates *u))
{
    *u = (struct tg_updates){ .alarms = alarms, .ready = ready };
    u->last_id = FIRST_ID_MIN + random_below(FIRST_ID_MAX - FIRST_ID_MIN);
}

/* What is on its way is over, too: nobody will ask about it. */
void
tg_updates_deinit(struct tg_updates *u)
{
    void   *q;
    int64_t key;

    for (size_t at = 0; map_next(&u->queues, &at, &key, &q);)
        set_state(u, q, QUEUE_READY);
    tg_updates_clear(u);
    map_deinit(&u->queues);
}

int64_t
tg_updates_next_id(struct tg_updates *u)
{
    return ++u->last_id;
}

void
tg_updates_seen_id(struct tg_updates *u, int64_t id)
{
    if (id > u->last_id && id < INT32_MAX)
        u->last_id = id;
}

int64_t
tg_queue_key(int64_t person, enum tg_queue_class class)
{
    return person * TG_QUEUE_CLASSES + (int64_t)class;
}

int64_t
tg_update_person(const struct tg_update *update)
{
    return update->queue->key > 0 ? update->queue->key / TG_QUEUE_CLASSES : 0;
}

int64_t
tg_queue_own(struct tg_updates *u)
{
    return --u->last_own_queue;
}

struct tg_update *
tg_updates_push(struct tg_updates *u, int64_t id, int64_t queue, struct str json, int64_t expires_ms)
{
    struct tg_update *update;
    struct tg_queue  *q;

    if (json.len > TG_UPDATE_BYTES_MAX || u->count >= TG_UPDATES_MAX || u->bytes + json.len > TG_UPDATES_BYTES_MAX)
        return NULL;
    q = queue_of(u, queue);
    update = own_alloc(sizeof(*update));
    *update = (struct tg_update){ .id = id, .expires_ms = expires_ms, .json = own_text(json), .delay_s = 1,
        .queue = q, .older = u->newest };
    if (u->newest)
        u->newest->newer = update;
    else
        u->oldest = update;
    u->newest = update;
    if (q->last)
        q->last->behind = update;
    else
        q->first = update;
    q->last = update;
    u->count++;
    u->bytes += json.len;
    return update;
}

/* ---- for the webhook ---- */

struct tg_update *
tg_updates_take(struct tg_updates *u, int64_t now_ms)
{
    struct tg_queue *q;

    while ((q = u->first_ready) != NULL) {
        while (q->first && q->first->expires_ms < now_ms)
            forget(u, q->first);
        if (q->first) {
            set_state(u, q, QUEUE_BUSY);
            return q->first;
        }
        free_queue_if_empty(u, q);
    }
    return NULL;
}

void
tg_updates_done(struct tg_updates *u, struct tg_update *update)
{
    struct tg_queue *q = update->queue;

    assert(q->state == QUEUE_BUSY && q->first == update);
    forget(u, update);
    if (q->first)
        set_state(u, q, QUEUE_READY);
    else
        free_queue_if_empty(u, q);
}

void
tg_updates_failed(struct tg_updates *u, struct tg_update *update, int64_t now_ms, int64_t retry_after_s)
{
    struct tg_queue *q = update->queue;
    int64_t          delay_s = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;
    int              late_s;

    assert(q->state == QUEUE_BUSY && q->first == update);
    if (delay_s == 0 && update->fails > 0) {
        late_s = LATE_MIN_S + (int)random_below(LATE_MIN_S + 1);
        update->delay_s = update->delay_s * 2 < late_s ? update->delay_s * 2 : late_s;
        delay_s = update->delay_s;
    }
    if (now_ms + delay_s * 1000 > update->expires_ms) {
        tg_updates_done(u, update);
        return;
    }
    update->fails++;
    set_state(u, q, delay_s > 0 ? QUEUE_WAITS : QUEUE_READY);
    if (delay_s > 0)
        alarm_set(u->alarms, &q->wake, now_ms + delay_s * 1000);
}

void
tg_updates_return(struct tg_updates *u, struct tg_update *update)
{
    assert(update->queue->state == QUEUE_BUSY && update->queue->first == update);
    set_state(u, update->queue, QUEUE_READY);
}

void
tg_updates_hurry(struct tg_updates *u)
{
    void   *q;
    int64_t key;

    for (size_t at = 0; map_next(&u->queues, &at, &key, &q);)
        if (((struct tg_queue *)q)->state == QUEUE_WAITS)
            set_state(u, q, QUEUE_READY);
    for (struct tg_update *update = u->oldest; update; update = update->newer) {
        update->fails = 0;
        update->delay_s = 1;
    }
}

/* ---- for getUpdates ---- */

static bool
is_on_its_way(const struct tg_update *update)
{
    return update->queue->state == QUEUE_BUSY && update->queue->first == update;
}

static void
remove_quietly(struct tg_updates *u, struct tg_update *update)
{
    struct tg_queue *q = update->queue;

    forget(u, update);
    free_queue_if_empty(u, q);
}

void
tg_updates_expire(struct tg_updates *u, int64_t now_ms)
{
    for (struct tg_update *update = u->oldest, *newer; update; update = newer) {
        newer = update->newer;
        if (update->expires_ms < now_ms && !is_on_its_way(update))
            remove_quietly(u, update);
    }
}

void
tg_updates_confirm(struct tg_updates *u, int64_t below_id)
{
    for (struct tg_update *update = u->oldest, *newer; update; update = newer) {
        newer = update->newer;
        if (update->id < below_id && !is_on_its_way(update))
            remove_quietly(u, update);
    }
}

void
tg_updates_keep_last(struct tg_updates *u, size_t n)
{
    for (struct tg_update *update = u->oldest, *newer; update && u->count > n; update = newer) {
        newer = update->newer;
        if (!is_on_its_way(update))
            remove_quietly(u, update);
    }
}

void
tg_updates_clear(struct tg_updates *u)
{
    tg_updates_keep_last(u, 0);
    assert(u->count == 0);
}
