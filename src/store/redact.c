/* redact.c -- taking what a person unsent out of the events that showed it, see event.h.
 *
 * Events have no index by message, which every one of them would pay for: they are looked through from the newest back
 * to when the message was made. What was told before the message was redacted was committed before, and whoever tells
 * of it later has read it with its chat locked, so what is newer than the first piece shows nothing. */
#include <assert.h>

#include "base/id.h"
#include "store/event.h"
#include "store/message_internal.h"
#include "store/view.h"

#define REDACT_PIECE    1000
#define REDACT_SLACK_MS 60000   /* what the clocks of those who wrote may differ by */
#define REDACT_MAX      (5 * MIB) /* an event, and the message as it is now */
#define REDACT_DEPTH    (PLATFORM_DATA_DEPTH + 2) /* a message in a reaction */

static const char redact_piece_sql[] =
    "SELECT COUNT(*), COALESCE(MIN(id), 0), COALESCE(MAX(created_at), 0) FROM"
    " (SELECT id, created_at FROM event WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3) AS piece";
/* Those that have the words; what they are about is read. By profile, because a message may have come from another
 * chat (identify.c). */
static const char redact_candidates_sql[] =
    "SELECT id FROM event WHERE workspace_id = $1 AND id >= $2 AND id < $3 AND profile_id = $4 AND type <= 9"
    " AND (REPLACE(data, $5, '') <> data OR (chat_id = $6 AND REPLACE(data, $7, '') <> data)) ORDER BY id";
static_assert(EVENT_REACTION == 9, "messages' events and reactions are the types up to 9");
static const char redact_sql[] = "UPDATE event SET data = $2 WHERE id = $1";

/* A member as events have it. */
static struct str
member_of(const char *name, struct str value, struct arena *a)
{
    struct buf text;

    buf_init(&text, REDACT_MAX);
    json_put_str(&(struct json){ .buf = &text }, name, value);
    return arena_take(a, &text);
}

/* Whether it shows the message, or the echo of it that the message took the place of (echo.c): no other has that id. */
static bool
shows(struct db *db, yyjson_val *shown, const struct event *e, const struct message *m, struct arena *a, bool *out,
      struct error *err)
{
    struct message other;
    bool is_other = false;
    int64_t id = 0;

    *out = false;
    if (!id_parse(ID_MESSAGE, json_str(shown, "id"), &id))
        return true;
    if (id != m->id) {
        if (e->chat_id != m->chat_id || !str_eq(json_str(shown, "external_id"), m->external_id))
            return true;
        if (!message_get(db, id, a, &other, &is_other, err))
            return false;
    }
    *out = !is_other;
    return true;
}

static struct str
redacted(const struct event *e, yyjson_val *was, const struct message *m, struct arena *a)
{
    struct buf data;
    struct json w = { .buf = &data };

    buf_init(&data, REDACT_MAX);
    if (e->type == EVENT_REACTION) {
        json_begin(&w, NULL);
        view_message(&w, "message", m);
        json_put_others(&w, was, "message");
        json_end(&w);
    } else {
        view_message(&w, NULL, m);
    }
    return arena_take(a, &data);
}

static bool
redact_one(struct db *db, int64_t id, const struct message *m, struct arena *a, struct error *err)
{
    struct error ignored;
    bool found, is_shown;
    yyjson_val *was;
    struct event e;
    struct str now;

    if (!event_get(db, id, a, &e, &found, err))
        return false;
    if (!found || !json_parse(a, e.data, REDACT_DEPTH, &was, &ignored))
        return true;
    if (!shows(db, e.type == EVENT_REACTION ? json_get(was, "message") : was, &e, m, a, &is_shown, err))
        return false;
    if (!is_shown)
        return true;
    now = redacted(&e, was, m, a);
    return str_eq(now, e.data) || db_exec(db, redact_sql, DB_ARGS(db_int(id), db_text(now)), NULL, err);
}

/* Their ids first: how much data they have together has no bound. */
static bool
redact_between(struct db *db, int64_t from, int64_t before, const struct message *m, struct error *err)
{
    char id[ID_TEXT_MAX];
    int64_t *ids;
    struct db_rows rows;
    struct arena a, one;
    size_t n = 0;
    bool ok;

    arena_init(&a);
    arena_init(&one);
    ids = arena_array(&a, int64_t, REDACT_PIECE);
    ok = db_query(db, redact_candidates_sql,
                  DB_ARGS(db_int(m->workspace_id), db_int(from), db_int(before), db_int(m->profile_id),
                          db_text(member_of("id", str_of(id_format(ID_MESSAGE, m->id, id)), &a)), db_int(m->chat_id),
                          db_text(member_of("external_id", m->external_id, &a))),
                  &rows, err);
    if (ok) {
        while (n < REDACT_PIECE && db_next(&rows))
            ids[n++] = db_col_int(&rows, 0);
        ok = db_finish(&rows, err);
    }
    for (size_t i = 0; ok && i < n; i++) {
        arena_reset(&one);
        ok = redact_one(db, ids[i], m, &one, err);
    }
    arena_deinit(&one);
    arena_deinit(&a);
    return ok;
}

bool
event_redact_some(struct db *db, const struct message *m, int64_t *before, bool *more, struct error *err)
{
    int64_t count = 0, from = 0, newest_ms = 0, end = *before;
    struct db_rows rows;

    if (!db_query(db, redact_piece_sql, DB_ARGS(db_int(m->workspace_id), db_int(end), db_int(REDACT_PIECE)), &rows,
                  err))
        return false;
    if (db_next(&rows)) {
        count = db_col_int(&rows, 0);
        from = db_col_int(&rows, 1);
        newest_ms = db_col_int(&rows, 2);
    }
    if (!db_finish(&rows, err) || !redact_between(db, from, end, m, err))
        return false;
    *before = from;
    *more = count == REDACT_PIECE && newest_ms >= m->created_at - REDACT_SLACK_MS;
    return true;
}
