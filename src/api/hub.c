#include "api/hub.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "store/workspace.h"

#define TICK_MS    1000
#define KEYS_TICKS 5           /* so often, other processes may have revoked keys */
#define TURN_READS 2           /* then the sockets of the loop have a turn */
#define READ_MAX   200         /* events a read */
#define READ_BYTES (64 * KIB)  /* of data a read; as text it is a little more than twice that */
#define FEED_LOOK  READ_MAX    /* every new event is some listener's */
#define LOOK       1000        /* events a listener's own read looks at: its filter may want few of them */
#define SLICE_MAX  (256 * KIB) /* written at once to a listener that is behind */
#define UNSENT_MAX (256 * KIB) /* one that would have more waiting falls behind */
#define TEXT_MAX   (64 * MIB)  /* never reached: one read and the largest event */
#define TEXT_KEEP  MIB

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
    int               ticks;

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
    bool            keys_woken, wake_posted;
    struct mail     wake;

    /* for other threads */
    _Atomic int64_t count, events, fell_behind, lost;
};

static void hub_work(struct hub *h);

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
static void
unlist(struct listener *l)
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

static void
be_ready(struct listener *l)
{
    l->state = LISTENER_READY;
    list_append(&l->hub->ready, l);
}

/* It reads on when what it was given has left. */
static void
be_behind(struct listener *l)
{
    if (l->ops->unsent(l) == 0)
        be_ready(l);
    else
        l->state = LISTENER_WAITING;
}

static void
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
static void
be_live(struct listener *l)
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
    unlist(l);
    l->state = LISTENER_LOST;
    atomic_fetch_add(&l->hub->lost, 1);
}

static bool
write_to(struct listener *l, struct str bytes)
{
    if (!l->ops->write(l, bytes)) {
        lose(l);
        return false;
    }
    silence_end(l->hub, l);
    silence_begin(l->hub, l);
    return true;
}

static void
end(struct listener *l)
{
    hub_leave(l);
    l->ops->end(l);
}

/* ---- what a read brought ---- */

void
hub_format(struct buf *out, const struct event *e)
{
    char   id[ID_TEXT_MAX];
    size_t from;

    buf_printf(out, "id: %s\nevent: %s\ndata: ", id_format(ID_EVENT, e->id, id), event_type_names[e->type]);
    from = out->len;
    event_write(out, e);
    for (char *p = out->ptr + from; p < out->ptr + out->len; p++)
        if (*p == '\n' || *p == '\r') /* white space of JSON that came from elsewhere */
            *p = ' ';
    buf_append(out, STR("\n\n"));
}

static void
format_page(struct hub *h)
{
    if (h->text.cap > TEXT_KEEP) {
        buf_deinit(&h->text);
        buf_init(&h->text, TEXT_MAX);
    }
    buf_clear(&h->text);
    h->ends = arena_array(&h->arena, size_t, h->page.count);
    for (size_t i = 0; i < h->page.count; i++) {
        hub_format(&h->text, &h->page.events[i]);
        h->ends[i] = h->text.len;
    }
    assert(buf_ok(&h->text));
}

static size_t
begin_of(const struct hub *h, size_t event)
{
    return event > 0 ? h->ends[event - 1] : 0;
}

static void
has_been_told(struct hub *h, struct listener *l, size_t from, size_t to)
{
    if (to == from)
        return;
    l->told = l->at = h->page.events[to - 1].id;
    atomic_fetch_add(&h->events, (int64_t)(to - from));
}

/* Events `from` to `to`, which the listener wants. False when it is not live any more. */
static bool
hand_over(struct hub *h, struct listener *l, size_t from, size_t to)
{
    struct str bytes = str_slice(buf_str(&h->text), begin_of(h, from), h->ends[to - 1] - begin_of(h, from));

    if (l->ops->unsent(l) + bytes.len > UNSENT_MAX) {
        if (from > 0 && l->at < h->page.events[from - 1].id)
            l->at = h->page.events[from - 1].id; /* it wanted none of those */
        unlist(l);
        be_behind(l);
        atomic_fetch_add(&h->fell_behind, 1);
        return false;
    }
    if (!write_to(l, bytes))
        return false;
    has_been_told(h, l, from, to);
    return true;
}

static bool
wants(const struct listener *l, const struct event *e)
{
    return e->id > l->at && event_matches(&l->filter, e);
}

/* What it wants goes out in runs, usually in one. */
static void
offer(struct hub *h, struct listener *l)
{
    size_t i = 0, from;

    while (i < h->page.count) {
        while (i < h->page.count && !wants(l, &h->page.events[i]))
            i++;
        from = i;
        while (i < h->page.count && wants(l, &h->page.events[i]))
            i++;
        if (i > from && !hand_over(h, l, from, i))
            return;
    }
    if (l->at < h->page.last)
        l->at = h->page.last;
}

static void
feed_has_read(struct hub *h, struct feed *f)
{
    struct listener *next;

    format_page(h);
    for (struct listener *l = f->live.first; l; l = next) {
        next = l->next;
        offer(h, l);
    }
    f->at = h->page.last;
    if (h->page.more)
        feed_soil(h, f);
}

/* The bytes up to `end` of the page's text are out. */
static void
advance(struct hub *h, struct listener *l, size_t end_at)
{
    size_t whole = 0;

    while (whole < h->page.count && h->ends[whole] <= end_at)
        whole++;
    has_been_told(h, l, 0, whole);
    l->offset = end_at - begin_of(h, whole);
    if (l->offset > 0)
        l->cut_id = h->page.events[whole].id;
    else if (whole == h->page.count)
        l->at = h->page.last;
}

static void
listener_has_read(struct hub *h, struct listener *l)
{
    size_t skip = l->offset;
    struct str bytes;

    if (skip > 0 && (h->page.count == 0 || h->page.events[0].id != l->cut_id)) {
        end(l); /* the event has been forgotten while half of it was out; half an event is none to the client */
        return;
    }
    format_page(h);
    bytes = str_slice(buf_str(&h->text), skip, SLICE_MAX);
    if (bytes.len > 0 && !write_to(l, bytes))
        return;
    advance(h, l, skip + bytes.len);
    if (h->page.more || l->offset > 0 || l->at != h->page.last)
        be_behind(l);
    else
        be_live(l);
}

static void
keys_have_been_read(struct hub *h)
{
    struct listener *next;

    for (struct listener *l = h->quietest; l; l = next) {
        next = l->louder;
        for (size_t i = 0; i < h->revoked_count; i++)
            if (l->key_id == h->revoked[i] && l->state != LISTENER_LOST) {
                end(l);
                break;
            }
    }
}

/* ---- reading ---- */

static bool
read_keys(struct hub *h, struct db *db, struct error *err)
{
    size_t at = 0, cap = 0;
    int64_t key_id;
    void *value;
    bool valid;

    h->revoked = NULL;
    h->revoked_count = 0;
    while (map_next(&h->asked_keys, &at, &key_id, &value)) {
        if (!key_is_valid(db, key_id, &valid, err))
            return false;
        if (valid)
            continue;
        h->revoked = arena_more(&h->arena, h->revoked, h->revoked_count, &cap, sizeof(*h->revoked));
        h->revoked[h->revoked_count++] = key_id;
    }
    return true;
}

static bool
run_read(struct db_txn *txn, struct db *db, struct error *err)
{
    struct hub *h = container_of(txn, struct hub, txn);

    arena_reset(&h->arena);
    if (h->asked_keys.count > 0)
        return read_keys(h, db, err);
    return event_list(db, h->read_workspace, &h->read_filter, h->read_after, h->read_look, READ_MAX, READ_BYTES,
                      &h->arena, &h->page, err);
}

/* Everything is tried again at the next tick. */
static void
read_failed(struct hub *h, const struct error *err)
{
    log_warn("events could not be read", LOG_CSTR("error", err->message));
    h->is_troubled = true;
    if (h->read_feed)
        feed_soil(h, h->read_feed);
    if (h->read_listener)
        be_ready(h->read_listener);
}

static void
read_done(struct db_txn *txn)
{
    struct hub *h = container_of(txn, struct hub, txn);

    h->is_reading = false;
    if (txn->err.status)
        read_failed(h, &txn->err);
    else if (h->asked_keys.count > 0)
        keys_have_been_read(h);
    else if (h->read_feed)
        feed_has_read(h, h->read_feed);
    else if (h->read_listener)
        listener_has_read(h, h->read_listener);
    h->read_feed = NULL;
    h->read_listener = NULL;
    map_deinit(&h->asked_keys);
    if (!h->is_working)
        hub_work(h);
}

static void
submit(struct hub *h)
{
    h->is_reading = true;
    h->txn = (struct db_txn){ .run = run_read, .done = read_done, .reply_to = h->mailbox };
    db_submit(h->engine, DB_READ, &h->txn);
}

static void
ask_for_keys(struct hub *h)
{
    h->keys_due = false;
    for (struct listener *l = h->quietest; l; l = l->louder)
        if (l->key_id)
            map_put(&h->asked_keys, l->key_id, l);
    if (h->asked_keys.count > 0)
        submit(h);
}

static void
ask_for_feed(struct hub *h)
{
    struct feed *f = h->dirty;

    h->dirty = f->next_dirty;
    if (!h->dirty)
        h->dirty_end = &h->dirty;
    f->is_dirty = false;
    if (!f->live.first)
        return;
    h->read_feed = f;
    h->read_workspace = f->workspace_id;
    h->read_after = f->at;
    h->read_filter = (struct event_filter){ .types = 0 };
    h->read_look = FEED_LOOK;
    submit(h);
}

static void
ask_for_listener(struct hub *h)
{
    struct listener *l = h->ready.first;

    unlist(l);
    h->read_listener = l;
    h->read_workspace = l->workspace_id;
    h->read_after = l->at;
    h->read_filter = l->filter;
    h->read_look = LOOK;
    submit(h);
}

/* Feeds and those that are behind take turns. False when there is nothing to read. */
static bool
read_next(struct hub *h)
{
    if (h->keys_due) {
        ask_for_keys(h);
    } else if (h->dirty && !(h->ready.first && h->feed_was_last)) {
        h->feed_was_last = true;
        ask_for_feed(h);
    } else if (h->ready.first) {
        h->feed_was_last = false;
        ask_for_listener(h);
    } else {
        return false;
    }
    return true;
}

static void
work_again(struct mail *m)
{
    struct hub *h = container_of(m, struct hub, again);

    h->again_posted = false;
    hub_work(h);
}

/* A few reads, then the loop's sockets have a turn. */
static void
hub_work(struct hub *h)
{
    int left = TURN_READS;

    if (h->is_working)
        return;
    h->is_working = true;
    while (left > 0 && !h->is_reading && !h->is_troubled && read_next(h))
        left--;
    h->is_working = false;
    if (left > 0 || h->again_posted)
        return;
    h->again_posted = true;
    mailbox_post(h->mailbox, &h->again);
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
        write_to(l, STR(":\n\n"));
        return;
    }
    snprintf(text, sizeof(text), ":\nid: %s\n\n", id_format(ID_EVENT, l->at, id));
    if (write_to(l, str_of(text)))
        l->told = l->at;
}

static void
on_tick(uv_timer_t *timer)
{
    struct hub *h = timer->data;
    int64_t due_ms = clock_mono_ms() - HUB_BEAT_MS + TICK_MS, workspace_id;
    size_t at = 0;
    void *feed;

    h->is_troubled = false;
    h->keys_due = h->keys_due || ++h->ticks % KEYS_TICKS == 0;
    while (h->quietest && h->quietest->wrote_ms <= due_ms)
        beat(h, h->quietest);
    while (map_next(&h->feeds, &at, &workspace_id, &feed))
        feed_soil(h, feed);
    hub_work(h);
}

static void
tick_start(struct hub *h)
{
    h->tick = malloc(sizeof(*h->tick));
    if (!h->tick || uv_timer_init(h->mailbox->wake.loop, h->tick) != 0)
        abort();
    h->tick->data = h;
    uv_timer_start(h->tick, on_tick, TICK_MS, TICK_MS);
}

static void
tick_closed(uv_handle_t *handle)
{
    free(handle);
}

/* The loop of a server that stops ends when nothing is left on it. */
static void
tick_stop(struct hub *h)
{
    uv_close((uv_handle_t *)h->tick, tick_closed);
    h->tick = NULL;
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
        abort();
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
    be_ready(l);
    atomic_fetch_add(&h->count, 1); /* before the first read: from now on commits wake us */
    if (!h->tick)
        tick_start(h);
    if (write_to(l, hello))
        hub_work(h);
}

void
hub_drained(struct listener *l)
{
    if (l->state != LISTENER_WAITING || l->hub->read_listener == l)
        return;
    be_ready(l);
    hub_work(l->hub);
}

void
hub_leave(struct listener *l)
{
    struct hub *h = l->hub;

    unlist(l);
    silence_end(h, l);
    if (h->read_listener == l)
        h->read_listener = NULL;
    if (--l->feed->listeners == 0)
        feed_free(h, l->feed);
    atomic_fetch_sub(&h->count, 1);
    if (!h->quietest)
        tick_stop(h);
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

    pthread_mutex_lock(&h->lock);
    woken = h->woken;
    h->woken = (struct map){ .count = 0 };
    h->keys_due = h->keys_due || h->keys_woken;
    h->keys_woken = h->wake_posted = false;
    pthread_mutex_unlock(&h->lock);
    while (map_next(&woken, &at, &workspace_id, &value))
        if ((f = map_get(&h->feeds, workspace_id)) != NULL)
            feed_soil(h, f);
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

    if (!h || pthread_mutex_init(&h->lock, NULL) != 0)
        abort();
    h->engine = engine;
    h->again.open = work_again;
    h->wake.open = hub_woken;
    h->dirty_end = &h->dirty;
    arena_init(&h->arena);
    buf_init(&h->text, TEXT_MAX);
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
