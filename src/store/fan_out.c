/* fan_out.c -- events on their way to endpoints (webhook.h). */
#include "base/id.h"
#include "base/sort.h"
#include "store/tail.h"
#include "store/webhook.h"

#define REPLAY_PIECE 500
#define REPLAY_BYTES MIB
#define SWEEP_PIECE  500

static const char webhook_listening_sql[] =
    "SELECT id, events, group_id, queued_from FROM webhook WHERE workspace_id = $1 AND enabled = 1";

/* What keeps one chat's events in order on their way to one endpoint: the queue their jobs share.
 * Negative, so that no chat's own queue of sends is hit; two pairs meeting in one number would only
 * wait for each other. */
int64_t
webhook_queue(int64_t webhook_id, const struct event *e)
{
    uint64_t x = (uint64_t)webhook_id * UINT64_C(0x9E3779B97F4A7C15);

    x ^= (uint64_t)(e->chat_id ? e->chat_id : e->profile_id ? e->profile_id : e->workspace_id);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return -(int64_t)((x ^ (x >> 31)) >> 1) - 1;
}

/* The jobs get ids above the one from which on the endpoint's jobs count, whichever process made that. */
bool
webhook_listeners(struct db *db, int64_t workspace_id, struct arena *a, struct listener_row **out, size_t *n,
                  struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *out = NULL;
    *n = 0;
    if (!db_query(db, webhook_listening_sql, DB_ARGS(db_int(workspace_id)), &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        (*out)[(*n)++] = (struct listener_row){ .webhook_id = db_col_int(&rows, 0), .events = db_col_int(&rows, 1),
                                                .group_id = db_col_int(&rows, 2) };
        id_stay_above(db_col_int(&rows, 3));
    }
    return db_finish(&rows, err);
}

/* ---- again ---- */

static bool
replay_one(struct db *db, const struct webhook *w, int64_t id, int64_t now_ms, struct arena *a, struct error *err)
{
    char text[ID_TEXT_MAX];
    struct event e;
    bool found;

    if (!event_get(db, id, a, &e, &found, err))
        return false;
    if (!found || e.workspace_id != w->workspace_id || (w->group_id && e.group_id != w->group_id))
        return error_set(err, 404, "There is no event '%s'; events are kept for a limited time",
                         id_format(ID_EVENT, id, text));
    if ((w->events & (INT64_C(1) << e.type)) == 0)
        return error_set(err, 422, "The webhook does not listen to %s, which '%s' is", event_type_names[e.type],
                         id_format(ID_EVENT, id, text));
    tail_deliver(db, w->id, &e, now_ms);
    return true;
}

/* In the order they happened, whatever order they are asked for in. */
bool
webhook_replay_events(struct db *db, const struct webhook *w, const int64_t *ids, size_t n, int64_t now_ms,
                      int64_t *queued, struct error *err)
{
    struct arena a;
    int64_t *sorted;
    bool ok = true;

    arena_init(&a);
    sorted = arena_array(&a, int64_t, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = ids[i];
    n = sort_distinct(sorted, n);
    for (size_t i = 0; ok && i < n; i++)
        ok = replay_one(db, w, sorted[i], now_ms, &a, err);
    *queued = (int64_t)n;
    arena_deinit(&a);
    return ok;
}

bool
webhook_replay_since(struct db *db, const struct webhook *w, int64_t since_ms, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_REPLAY, .lane_id = w->id, .record_id = w->id, .due_at = now_ms };
    int64_t newest, first;
    struct arena a;
    bool ok;

    if (!event_newest(db, w->workspace_id, INT64_MAX, &newest, err) || !event_first_since(db, since_ms, &first, err))
        return false;
    if (newest == 0)
        return true;
    arena_init(&a);
    job.payload = arena_printf(&a, "%lld,%lld", (long long)(first - 1), (long long)newest);
    ok = job_add(db, &job, now_ms, err);
    arena_deinit(&a);
    return ok;
}

bool
webhook_replay_some(struct db *db, const struct webhook *w, int64_t after, int64_t until, int64_t now_ms,
                    int64_t *last, struct error *err)
{
    const struct event_filter filter = { .types = w->events, .group_id = w->group_id };
    struct event_page page;
    struct arena a;
    bool ok;

    arena_init(&a);
    ok = event_list(db, w->workspace_id, &filter, after, until, REPLAY_PIECE, REPLAY_PIECE, REPLAY_BYTES, &a, &page,
                    err);
    for (size_t i = 0; ok && i < page.count; i++)
        tail_deliver(db, w->id, &page.events[i], now_ms);
    *last = ok && page.more && page.last < until ? page.last : 0;
    arena_deinit(&a);
    return ok;
}

/* ---- no more ---- */

/* One by one, because each may have held back a later one that is not void. */
static bool
sweep_kind(struct db *db, int64_t webhook_id, enum job_kind kind, int64_t below, int64_t now_ms, int *left,
           struct error *err)
{
    struct job job = { 0 };
    struct arena a;
    bool found = true, ok = true;

    arena_init(&a);
    while (ok && *left > 0) {
        ok = job_next_of_kind(db, webhook_id, kind, 0, &a, &job, &found, err);
        if (!ok || !found || job.id >= below)
            break;
        ok = job_finish(db, &job, now_ms, err);
        (*left)--;
        arena_reset(&a);
    }
    arena_deinit(&a);
    return ok;
}

bool
webhook_sweep_some(struct db *db, int64_t webhook_id, int64_t now_ms, bool *more, struct error *err)
{
    int left = SWEEP_PIECE;
    int64_t removed = 0, below;
    struct webhook w;
    struct arena a;
    bool found, ok;

    arena_init(&a);
    ok = webhook_get(db, webhook_id, &a, &w, &found, err);
    arena_deinit(&a);
    if (!ok)
        return false;
    below = found ? w.queued_from : INT64_MAX;
    if (!sweep_kind(db, webhook_id, JOB_DELIVER, below, now_ms, &left, err)
        || !sweep_kind(db, webhook_id, JOB_REPLAY, below, now_ms, &left, err)
        || (!found && left > 0 && !delivery_forget_some(db, webhook_id, left, &removed, err)))
        return false;
    *more = left == 0 || removed == left;
    return true;
}

bool
webhook_sweep(struct db *db, int64_t webhook_id, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_SWEEP, .lane_id = webhook_id, .record_id = webhook_id, .due_at = now_ms };
    bool more;

    return webhook_sweep_some(db, webhook_id, now_ms, &more, err) && (!more || job_add_once(db, &job, now_ms, err));
}
