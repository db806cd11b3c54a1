/* hub_read.c -- the reads of a hub, one at a time, and what becomes of what they bring. */
#include <assert.h>

#include "api/hub_internal.h"
#include "base/id.h"
#include "base/log.h"
#include "http/http.h"
#include "store/workspace.h"

#define TURN_READS 2           /* then the sockets of the loop have a turn */
#define READ_MAX   200         /* events a read */
#define READ_BYTES (64 * KIB)  /* of data a read; as text it is a little more than twice that */
#define FEED_LOOK  READ_MAX    /* every new event is some listener's */
#define LOOK       1000        /* events a listener's own read looks at: its filter may want few of them */
#define SLICE_MAX  (256 * KIB) /* written at once to a listener that is behind */
#define UNSENT_MAX (256 * KIB) /* one that would have more waiting falls behind */
#define TEXT_KEEP  MIB

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
        buf_init(&h->text, HUB_TEXT_MAX);
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
        listener_unlist(l);
        listener_be_behind(l);
        atomic_fetch_add(&h->fell_behind, 1);
        return false;
    }
    if (!listener_write(l, bytes))
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

    /* The event has been forgotten while half of it was out; half an event is none to the client. */
    if (skip > 0 && (h->page.count == 0 || h->page.events[0].id != l->cut_id)) {
        listener_end(l);
        return;
    }
    format_page(h);
    bytes = str_slice(buf_str(&h->text), skip, SLICE_MAX);
    if (bytes.len > 0 && !listener_write(l, bytes))
        return;
    advance(h, l, skip + bytes.len);
    if (h->page.more || l->offset > 0 || l->at != h->page.last)
        listener_be_behind(l);
    else
        listener_be_live(l);
}

static void
keys_have_been_read(struct hub *h)
{
    struct listener *next;

    for (struct listener *l = h->quietest; l; l = next) {
        next = l->louder;
        for (size_t i = 0; i < h->revoked_count; i++)
            if (l->key_id == h->revoked[i] && l->state != LISTENER_LOST) {
                listener_end(l);
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
    int64_t until;

    arena_reset(&h->arena);
    if (h->asked_keys.count > 0)
        return read_keys(h, db, err);
    return event_settled(db, 0, &until, &h->is_held, err)
        && event_list(db, h->read_workspace, &h->read_filter, h->read_after, until, h->read_look, READ_MAX, READ_BYTES,
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
        listener_be_ready(h->read_listener);
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
    if (h->is_held && !txn->err.status)
        hub_hurry(h);
    map_deinit(&h->asked_keys);
    if (!h->is_working)
        hub_work(h);
    hub_rest(h);
    http_mail_came();
}

static void
submit(struct hub *h)
{
    h->is_reading = true;
    http_expect_mail();
    h->is_held = false;
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

    listener_unlist(l);
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

void
hub_work_again(struct mail *m)
{
    struct hub *h = container_of(m, struct hub, again);

    h->again_posted = false;
    hub_work(h);
}

/* A few reads, then the loop's sockets have a turn. */
void
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
