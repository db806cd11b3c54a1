/* tail.c -- see tail.h. */
#include "store/tail.h"

#include "base/id.h"
#include "base/map.h"
#include "base/sort.h"
#include "store/webhook.h"

#define PLACES       8    /* queues looked at by one statement */
#define QUEUE_LOCKS  1024 /* what db_alone() locks for queues, which share them; negative, as they are */
#define LOCKS_MAX    128  /* a commit that would need more locks all queues by one: the server has not so many */
#define ALL_QUEUES   (-QUEUE_LOCKS - 1)

static const char event_newest_sql[] = "SELECT COALESCE(MAX(id), 0) FROM event";
static const char event_after_sql[] = "SELECT id FROM event WHERE id > $1 ORDER BY id LIMIT $2";
const struct db_series event_series = { .after_sql = event_after_sql, .newest_sql = event_newest_sql };

/* The group is kept because its profile may be erased before the event is read. */
static const char event_insert_sql[] =
    "INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)"
    " VALUES ($1, $2, COALESCE((SELECT group_id FROM profile WHERE id = $3), 0), $3, $4, $5, $6, $7)";
static const char event_group_sql[] = "SELECT group_id FROM profile WHERE id = $1";

/* Of each queue its last job, and its first when that waits for its turn. */
#define PLACE_OF(queue)                                                                                 \
    "(SELECT id FROM job WHERE queue_id = " queue " AND queue_id <> 0 ORDER BY id DESC LIMIT 1),"      \
    " (SELECT CASE WHEN state = 1 THEN id ELSE 0 END FROM job WHERE queue_id = " queue                  \
    " AND queue_id <> 0 ORDER BY id LIMIT 1)"
static const char queue_places_sql[] =
    "SELECT " PLACE_OF("$1") ", " PLACE_OF("$2") ", " PLACE_OF("$3") ", " PLACE_OF("$4") ", " PLACE_OF("$5") ", "
    PLACE_OF("$6") ", " PLACE_OF("$7") ", " PLACE_OF("$8");
static const char job_ready_sql[] =
    "UPDATE job SET state = 0, due_at = CASE WHEN due_at < $2 THEN $2 ELSE due_at END WHERE id = $1";

struct told {
    struct event event;
    struct told *next;
};

struct queued {
    int64_t        webhook_id, queue_id, event_id, now_ms; /* event 0: the first of the queue has left it */
    struct queued *next;
};

struct place {
    int64_t lane_id, last, waiting; /* the last job, and the first one if nobody has told it that it is the first */
};

struct audience { /* of a workspace */
    int64_t          workspace_id;
    struct listener_row *list;
    size_t           count;
    bool             asks_group; /* some hear of one group only */
    struct audience *next;
};

struct tail {
    struct told    *told, **told_end;
    size_t          told_count;
    struct queued  *queued, **queued_end;
    struct audience *audiences;
    bool            is_armed;
};

/* What one transaction has left. */
struct tail_item {
    bool          is_event;
    struct told   told;
    struct queued queued;
};

/* ---- numbers ---- */

static bool
number_events(struct db *db, struct tail *t, struct error *err)
{
    int64_t *numbers = arena_array(db_memory(db), int64_t, t->told_count);
    size_t i = 0;

    for (struct told *at = t->told; at; at = at->next)
        numbers[i++] = id_generate(at->event.created_at);
    if (i > 0 && !db_numbers(db, &event_series, numbers, i, err))
        return false;
    i = 0;
    for (struct told *at = t->told; at; at = at->next) {
        const struct event *e = &at->event;

        at->event.id = numbers[i++];
        if (!db_exec(db, event_insert_sql,
                     DB_ARGS(db_int(e->id), db_int(e->workspace_id), db_int(e->profile_id), db_int(e->chat_id),
                             db_int(e->type), db_int(e->created_at), db_text(e->data)),
                     NULL, err))
            return false;
    }
    return true;
}

/* ---- who hears of them ---- */

static bool
audience_of(struct db *db, struct tail *t, int64_t workspace_id, struct audience **out, struct error *err)
{
    struct audience *new;

    for (*out = t->audiences; *out; *out = (*out)->next)
        if ((*out)->workspace_id == workspace_id)
            return true;
    new = arena_new(db_memory(db), struct audience);
    *new = (struct audience){ .workspace_id = workspace_id, .next = t->audiences };
    if (!webhook_listeners(db, workspace_id, db_memory(db), &new->list, &new->count, err))
        return false;
    for (size_t i = 0; i < new->count; i++)
        new->asks_group = new->asks_group || new->list[i].group_id != 0;
    t->audiences = *out = new;
    return true;
}

static void
queue_up(struct tail *t, struct queued *q)
{
    q->next = NULL;
    *t->queued_end = q;
    t->queued_end = &q->next;
}

static struct queued *
delivery_of(struct db *db, int64_t webhook_id, const struct event *e, int64_t now_ms)
{
    struct queued *q = arena_new(db_memory(db), struct queued);

    *q = (struct queued){ .webhook_id = webhook_id, .queue_id = webhook_queue(webhook_id, e), .event_id = e->id,
                          .now_ms = now_ms };
    return q;
}

static bool
fan_out(struct db *db, struct tail *t, const struct event *e, struct error *err)
{
    struct audience *audience;
    int64_t group_id = 0;

    if (!audience_of(db, t, e->workspace_id, &audience, err)
        || (audience->asks_group && e->profile_id
            && !db_get_int(db, event_group_sql, DB_ARGS(db_int(e->profile_id)), &group_id, NULL, err)))
        return false;
    for (size_t i = 0; i < audience->count; i++) {
        const struct listener_row *l = &audience->list[i];

        if ((l->events & (INT64_C(1) << e->type)) != 0 && (l->group_id == 0 || l->group_id == group_id))
            queue_up(t, delivery_of(db, l->webhook_id, e, e->created_at));
    }
    return true;
}

static bool
fan_out_all(struct db *db, struct tail *t, struct error *err)
{
    for (const struct told *at = t->told; at; at = at->next)
        if (!fan_out(db, t, &at->event, err))
            return false;
    return true;
}

/* ---- queues ---- */

/* All in one order, so that no two ever wait for each other. */
static bool
lock_queues(struct db *db, const int64_t *queues, size_t n, struct error *err)
{
    int64_t *locks = arena_array(db_memory(db), int64_t, n);
    size_t distinct;
    bool ok;

    for (size_t i = 0; i < n; i++)
        locks[i] = -1 - (int64_t)((uint64_t)queues[i] % QUEUE_LOCKS);
    distinct = sort_distinct(locks, n);
    if (distinct > LOCKS_MAX)
        return db_alone(db, ALL_QUEUES, err);
    ok = db_together(db, ALL_QUEUES, err);
    for (size_t i = 0; ok && i < distinct; i++)
        ok = db_alone(db, locks[i], err);
    return ok;
}

static bool
find_places(struct db *db, const int64_t *queues, size_t n, struct map *places, struct error *err)
{
    struct db_value args[PLACES];
    struct db_rows rows;

    for (size_t from = 0; from < n; from += PLACES) {
        for (size_t i = 0; i < PLACES; i++)
            args[i] = db_int(from + i < n ? queues[from + i] : 0);
        if (!db_query(db, queue_places_sql, args, PLACES, &rows, err))
            return false;
        if (db_next(&rows))
            for (size_t i = 0; i < PLACES && from + i < n; i++) {
                struct place *place = map_get(places, queues[from + i]);

                place->last = db_col_int(&rows, (int)i * 2);
                place->waiting = db_col_int(&rows, (int)i * 2 + 1);
            }
        if (!db_finish(&rows, err))
            return false;
    }
    return true;
}

static bool
append(struct db *db, struct place *place, const struct queued *q, struct error *err)
{
    struct job job = { .kind = JOB_DELIVER, .lane_id = q->webhook_id, .queue_id = q->queue_id,
                       .record_id = q->event_id, .due_at = q->now_ms };

    if (!job_append(db, &job, place->last, q->now_ms, err))
        return false;
    place->last = job.id;
    return true;
}

static bool
move_up(struct db *db, struct place *place, int64_t now_ms, struct error *err)
{
    if (place->waiting == 0)
        return true;
    if (!db_exec(db, job_ready_sql, DB_ARGS(db_int(place->waiting), db_int(now_ms)), NULL, err))
        return false;
    place->waiting = 0;
    db_signal(db, TOPIC_LANE, place->lane_id);
    return true;
}

static bool
move_queues(struct db *db, const struct tail *t, struct map *places, struct error *err)
{
    int64_t *queues = NULL;
    size_t n = 0, cap = 0;

    for (const struct queued *q = t->queued; q; q = q->next) {
        struct place *place = map_get(places, q->queue_id);

        if (place)
            continue;
        place = arena_new(db_memory(db), struct place);
        *place = (struct place){ .lane_id = q->webhook_id };
        map_put(places, q->queue_id, place);
        queues = arena_more(db_memory(db), queues, n, &cap, sizeof(*queues));
        queues[n++] = q->queue_id;
    }
    if (n > 0 && (!lock_queues(db, queues, n, err) || !find_places(db, queues, n, places, err)))
        return false;
    for (const struct queued *q = t->queued; q; q = q->next) {
        struct place *place = map_get(places, q->queue_id);

        if (!move_up(db, place, q->now_ms, err) || (q->event_id != 0 && !append(db, place, q, err)))
            return false;
    }
    return true;
}

/* ---- the end of a batch ---- */

static bool
tail_run(struct db *db, void *arg, struct error *err)
{
    struct tail *t = arg;
    struct map places = { 0 };
    bool ok;

    t->is_armed = false;
    t->audiences = NULL;
    ok = number_events(db, t, err) && fan_out_all(db, t, err) && move_queues(db, t, &places, err);
    t->told = NULL;
    t->queued = NULL;
    map_deinit(&places);
    return ok;
}

static struct tail *
tail_of(struct db *db)
{
    void **note = db_note(db, NOTE_TAIL);
    struct tail *t = *note;

    if (!t)
        *note = t = arena_new(db_memory(db), struct tail);
    if (!t->is_armed) {
        *t = (struct tail){ .is_armed = true };
        t->told_end = &t->told;
        t->queued_end = &t->queued;
        db_at_commit(db, tail_run, t);
    }
    return t;
}

/* Only what is not undone by then gets this far. */
static bool
tail_add(struct db *db, void *arg, struct error *err)
{
    struct tail_item *item = arg;
    struct tail *t = tail_of(db);

    (void)err;
    if (item->is_event) {
        item->told.next = NULL;
        *t->told_end = &item->told;
        t->told_end = &item->told.next;
        t->told_count++;
    } else {
        queue_up(t, &item->queued);
    }
    return true;
}

void
tail_event(struct db *db, const struct event *e)
{
    struct tail_item *item = arena_new(db_memory(db), struct tail_item);

    *item = (struct tail_item){ .is_event = true, .told = { .event = *e } };
    db_at_commit(db, tail_add, item);
}

void
tail_deliver(struct db *db, int64_t webhook_id, const struct event *e, int64_t now_ms)
{
    struct tail_item *item = arena_new(db_memory(db), struct tail_item);

    *item = (struct tail_item){ .queued = *delivery_of(db, webhook_id, e, now_ms) };
    db_at_commit(db, tail_add, item);
}

void
tail_promote(struct db *db, const struct job *job, int64_t now_ms)
{
    struct tail_item *item = arena_new(db_memory(db), struct tail_item);

    *item = (struct tail_item){ .queued = { .webhook_id = job->lane_id, .queue_id = job->queue_id, .now_ms = now_ms } };
    db_at_commit(db, tail_add, item);
}
