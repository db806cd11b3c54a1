#include "api/hub.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/hub_internal.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/id.h"
#include "base/log.h"

#define TICK_MS  1000
#define HURRY_MS 10
#define KEYS_MS  900 /* so often, other processes may have revoked keys */

/* ---- lists ---- */

static void
list_append(struct listener_list *list, struct listener *l)
{
    l->prev = list->last;
    l->next = NULL;
    *(list->last ? &list->last->next : &list->first) = l;
    list->last = l;
}

static void
list_remove(struct listener_list *list, struct listener *l)
{
    *(l->prev ? &l->prev->next : &list->first) = l->next;
    *(l->next ? &l->next->prev : &list->last) = l->prev;
    l->prev = l->next = NULL;
}

static void
silence_begin(struct hub *h, struct listener *l)
{
    l->wrote_ms = clock_mono_ms();
    l->quieter = h->loudest;
    l->louder = NULL;
    *(h->loudest ? &h->loudest->louder : &h->quietest) = l;
    h->loudest = l;
}

static void
silence_end(struct hub *h, struct listener *l)
{
    *(l->quieter ? &l->quieter->louder : &h->quietest) = l->louder;
    *(l->louder ? &l->louder->quieter : &h->loudest) = l->quieter;
}

/* ---- a listener's ways ---- */

/* Out of whichever list its state put it into. */
void
listener_unlist(struct listener *l)
{
    switch (l->state) {
    case LISTENER_READY:
        list_remove(&l->hub->ready, l);
        break;
    case LISTENER_LIVE:
        list_remove(&l->feed->live, l);
        break;
    case LISTENER_WAITING:
    case LISTENER_LOST:
        break;
    }
    l->state = LISTENER_WAITING;
}

void
listener_be_ready(struct listener *l)
{
    l->state = LISTENER_READY;
    list_append(&l->hub->ready, l);
}

/* It reads on when what it was given has left. */
void
listener_be_behind(struct listener *l)
{
    if (l->ops->unsent(l) == 0)
        listener_be_ready(l);
    else
        l->state = LISTENER_WAITING;
}

void
feed_soil(struct hub *h, struct feed *f)
{
    if (f->is_dirty)
        return;
    f->is_dirty = true;
    f->next_dirty = NULL;
    *h->dirty_end = f;
    h->dirty_end = &f->next_dirty;
}

/* Only after a read of its own that found the end. What the first one has not seen is news to the
 * feed too; wake-ups that came while nobody was live were not heeded, so it looks at once. */
void
listener_be_live(struct listener *l)
{
    struct feed *f = l->feed;

    if (!f->live.first) {
        f->at = l->at;
        feed_soil(l->hub, f);
    } else if (l->at < f->at) {
        l->at = f->at; /* in between there was something that has been forgotten since */
    }
    l->state = LISTENER_LIVE;
    list_append(&f->live, l);
}

static void
lose(struct listener *l)
{
    listener_unlist(l);
    l->state = LISTENER_LOST;
    atomic_fetch_add(&l->hub->lost, 1);
}

bool
listener_write(struct listener *l, struct str bytes)
{
    crash_point("stream: not written yet");
    if (!l->ops->write(l, bytes)) {
        lose(l);
        return false;
    }
    crash_point("stream: written");
    silence_end(l->hub, l);
    silence_begin(l->hub, l);
    return true;
}

void
listener_end(struct listener *l)
{
    hub_leave(l);
    l->ops->end(l);
}

/* ---- time ---- */

/* A live listener also learns how far it is, where its filter left out everything since: so its
 * client resumes from there. */
static void
beat(struct hub *h, struct listener *l)
{
    char id[ID_TEXT_MAX], text[ID_TEXT_MAX + 16];

    silence_end(h, l);
    silence_begin(h, l);
    if (l->state == LISTENER_LOST || l->offset > 0 || l->ops->unsent(l) > 0)
        return;
    if (l->state != LISTENER_LIVE || l->at <= l->told) {
        listener_write(l, STR(":\n\n"));
        return;
    }
    snprintf(text, sizeof(text), ":\nid: %s\n\n", id_format(ID_EVENT, l->at, id));
    if (listener_write(l, str_of(text)))
        l->told = l->at;
}

static void
soil_all(struct hub *h)
{
    int64_t workspace_id;
    size_t at = 0;
    void *feed;

    while (map_next(&h->feeds, &at, &workspace_id, &feed))
        feed_soil(h, feed);
}

static void
on_tick(uv_timer_t *timer)
{
    struct hub *h = timer->data;
    int64_t now_ms = clock_mono_ms(), due_ms = now_ms - HUB_BEAT_MS + TICK_MS;

    h->is_troubled = h->is_hurried = false;
    if (now_ms - h->keys_asked_ms >= KEYS_MS) {
        h->keys_due = true;
        h->keys_asked_ms = now_ms;
    }
    while (h->quietest && h->quietest->wrote_ms <= due_ms)
        beat(h, h->quietest);
    soil_all(h);
    hub_work(h);
}

static void
tick_start(struct hub *h)
{
    h->tick = malloc(sizeof(*h->tick));
    if (!h->tick || uv_timer_init(h->mailbox->wake.loop, h->tick) != 0)
        out_of_memory();
    h->tick->data = h;
    h->keys_asked_ms = clock_mono_ms();
    uv_timer_start(h->tick, on_tick, TICK_MS, TICK_MS);
}

void
hub_hurry(struct hub *h)
{
    if (!h->tick || h->is_hurried)
        return;
    h->is_hurried = true;
    uv_timer_start(h->tick, on_tick, HURRY_MS, TICK_MS);
}

static void
tick_closed(uv_handle_t *handle)
{
    free(handle);
}

/* The loop of a server that stops ends when nothing is left on it; what a read brings must still find it. */
void
hub_rest(struct hub *h)
{
    if (!h->tick || h->quietest || h->is_reading)
        return;
    uv_close((uv_handle_t *)h->tick, tick_closed);
    h->tick = NULL;
    h->is_hurried = false;
}

/* ---- coming and going ---- */

static struct feed *
feed_of(struct hub *h, int64_t workspace_id)
{
    struct feed *f = map_get(&h->feeds, workspace_id);

    if (f)
        return f;
    f = calloc(1, sizeof(*f));
    if (!f)
        out_of_memory();
    f->workspace_id = workspace_id;
    map_put(&h->feeds, workspace_id, f);
    return f;
}

static void
feed_free(struct hub *h, struct feed *f)
{
    struct feed **at = &h->dirty;

    while (*at && *at != f)
        at = &(*at)->next_dirty;
    if (*at) {
        *at = f->next_dirty;
        if (h->dirty_end == &f->next_dirty)
            h->dirty_end = at;
    }
    if (h->read_feed == f)
        h->read_feed = NULL;
    map_take(&h->feeds, f->workspace_id);
    free(f);
}

void
hub_join(struct hub *h, struct mailbox *mailbox, struct listener *l, struct str hello)
{
    if (!h->mailbox)
        h->mailbox = mailbox;
    l->hub = h;
    l->feed = feed_of(h, l->workspace_id);
    l->feed->listeners++;
    l->told = l->at;
    l->offset = 0;
    silence_begin(h, l);
    listener_be_ready(l);
    atomic_fetch_add(&h->count, 1); /* before the first read: from now on commits wake us */
    if (!h->tick)
        tick_start(h);
    if (listener_write(l, hello))
        hub_work(h);
}

void
hub_drained(struct listener *l)
{
    if (l->state != LISTENER_WAITING || l->hub->read_listener == l)
        return;
    listener_be_ready(l);
    hub_work(l->hub);
}

void
hub_leave(struct listener *l)
{
    struct hub *h = l->hub;

    listener_unlist(l);
    silence_end(h, l);
    if (h->read_listener == l)
        h->read_listener = NULL;
    if (--l->feed->listeners == 0)
        feed_free(h, l->feed);
    atomic_fetch_sub(&h->count, 1);
    hub_rest(h);
}

/* ---- other threads ---- */

static void
hub_woken(struct mail *m)
{
    struct hub *h = container_of(m, struct hub, wake);
    int64_t workspace_id;
    struct map woken;
    struct feed *f;
    size_t at = 0;
    void *value;
    bool all;

    pthread_mutex_lock(&h->lock);
    all = h->all_woken;
    woken = h->woken;
    h->woken = (struct map){ .count = 0 };
    h->keys_due = h->keys_due || h->keys_woken;
    h->all_woken = h->keys_woken = h->wake_posted = false;
    pthread_mutex_unlock(&h->lock);
    while (map_next(&woken, &at, &workspace_id, &value))
        if ((f = map_get(&h->feeds, workspace_id)) != NULL)
            feed_soil(h, f);
    if (all)
        soil_all(h);
    map_deinit(&woken);
    hub_work(h);
}

static void
wake(struct hub *h, int64_t workspace_id, bool keys)
{
    bool post;

    if (atomic_load(&h->count) == 0)
        return;
    pthread_mutex_lock(&h->lock);
    if (workspace_id)
        map_put(&h->woken, workspace_id, h);
    h->all_woken = h->all_woken || (!workspace_id && !keys);
    h->keys_woken = h->keys_woken || keys;
    post = !h->wake_posted;
    h->wake_posted = true;
    pthread_mutex_unlock(&h->lock);
    if (post)
        mailbox_post(h->mailbox, &h->wake);
}

void
hub_wake(struct hub *h, int64_t workspace_id)
{
    wake(h, workspace_id, false);
}

void
hub_wake_all(struct hub *h)
{
    wake(h, 0, false);
}

void
hub_wake_keys(struct hub *h)
{
    wake(h, 0, true);
}

void
hub_add_stats(struct hub *h, struct hub_stats *sum)
{
    sum->open += atomic_load(&h->count);
    sum->events += atomic_load(&h->events);
    sum->fell_behind += atomic_load(&h->fell_behind);
    sum->lost += atomic_load(&h->lost);
}

/* ---- the hub ---- */

struct hub *
hub_new(struct db_engine *engine)
{
    struct hub *h = calloc(1, sizeof(*h));
    struct error err;

    if (!h || pthread_mutex_init(&h->lock, NULL) != 0)
        out_of_memory();
    h->engine = engine;
    h->again.open = hub_work_again;
    h->wake.open = hub_woken;
    h->dirty_end = &h->dirty;
    arena_init(&h->arena);
    buf_init(&h->text, HUB_TEXT_MAX);
    if (!event_find_settled(engine, &err))
        log_warn("events cannot be read yet", LOG_CSTR("error", err.message));
    return h;
}

void
hub_free(struct hub *h)
{
    if (!h)
        return;
    assert(!h->quietest && !h->is_reading);
    map_deinit(&h->feeds);
    map_deinit(&h->woken);
    buf_deinit(&h->text);
    arena_deinit(&h->arena);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
