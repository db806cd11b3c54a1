/* parked.c -- what happens to a message, applied to it or kept until it is there. */
#include "store/message_internal.h"

#define PARKED_FOR_MS ((int64_t)30 * 24 * 3600 * 1000)
#define PRUNE_AT_ONCE 20

static const char parked_get_sql[] =
    "SELECT kind, at, sequence, sender, body, emoji, is_removed, is_history FROM parked"
    " WHERE chat_id = $1 AND external_id = $2 ORDER BY kind, at, sender";
/* Whether anything waits for a message at all, or a receipt covers it: seldom, and then much is to be done. For
 * "kind IN (4, 5)" SQLite would fill a table each time. */
static const char parked_any_sql[] =
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM parked WHERE chat_id = $1 AND external_id = $2)"
    " OR EXISTS (SELECT 1 FROM receipt WHERE chat_id = $1 AND kind = 4 AND watermark >= $3)"
    " OR EXISTS (SELECT 1 FROM receipt WHERE chat_id = $1 AND kind = 5 AND watermark >= $3)";
static const char parked_remove_sql[] = "DELETE FROM parked WHERE chat_id = $1 AND external_id = $2";
/* The words of what was unsent before it came: nothing would show them. */
static const char parked_unsent_sql[] =
    "DELETE FROM parked WHERE chat_id = $1 AND external_id = $2 AND kind = 2"
    " AND EXISTS (SELECT 1 FROM parked WHERE chat_id = $1 AND external_id = $2 AND kind = 1)";
/* Whether a chat has any, so that a message need not ask. By who has locked it. */
static const char parked_some_sql[] = "UPDATE chat SET has_parked = 1 WHERE id = $1";
static const char parked_none_sql[] =
    "UPDATE chat SET has_parked = 0 WHERE id = $1 AND has_parked = 1"
    " AND NOT EXISTS (SELECT 1 FROM parked WHERE chat_id = $1)";
/* Which of two counts: as in message_internal.h. */
static const char parked_put_latest_sql[] =
    "INSERT INTO parked (chat_id, external_id, kind, sender, at, sequence, body, emoji, is_removed, is_history,"
    " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    " ON CONFLICT (chat_id, external_id, kind, sender) DO UPDATE SET at = $5, sequence = $6, body = $7, emoji = $8,"
    " is_removed = $9 WHERE CASE"
    " WHEN parked.sequence > 0 AND $6 > 0 AND parked.sequence <> $6 THEN parked.sequence < $6"
    " WHEN parked.at <> $5 THEN parked.at < $5"
    " WHEN parked.is_removed <> $9 THEN parked.is_removed < $9"
    " ELSE COALESCE(parked.emoji, '') || COALESCE(parked.body, '') < COALESCE($8, '') || COALESCE($7, '') END";
static const char parked_put_earliest_sql[] =
    "INSERT INTO parked (chat_id, external_id, kind, sender, at, sequence, body, emoji, is_removed, is_history,"
    " created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    " ON CONFLICT (chat_id, external_id, kind, sender) DO UPDATE SET at = $5 WHERE parked.at > $5";
/* What no message ever came for. */
static const char parked_prune_sql[] =
    "DELETE FROM parked WHERE (chat_id, external_id, kind, sender) IN"
    " (SELECT chat_id, external_id, kind, sender FROM parked WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

static bool
parked_put(struct db *db, const struct chat *c, struct str external_id, const struct followup *f, int64_t now_ms,
           struct error *err)
{
    bool latest = f->kind == FOLLOWUP_REACTION || f->kind == FOLLOWUP_EDIT;

    return db_exec(db, latest ? parked_put_latest_sql : parked_put_earliest_sql,
                   DB_ARGS(db_int(c->id), db_text(external_id), db_int(f->kind),
                           db_text(f->sender.ptr ? f->sender : STR("")), db_int(f->at_ms), db_int(f->sequence),
                           db_text(f->body), db_text(f->emoji), db_int(f->is_removed), db_int(f->is_history),
                           db_int(now_ms)),
                   NULL, err)
        && db_exec(db, parked_unsent_sql, DB_ARGS(db_int(c->id), db_text(external_id)), NULL, err)
        && db_exec(db, parked_some_sql, DB_ARGS(db_int(c->id)), NULL, err)
        && db_exec(db, parked_prune_sql, DB_ARGS(db_int(now_ms - PARKED_FOR_MS), db_int(PRUNE_AT_ONCE)), NULL, err);
}

bool
parked_take(struct db *db, const struct message *m, struct arena *a, struct followup **out, size_t *n,
            struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, parked_get_sql, DB_ARGS(db_int(m->chat_id), db_text(m->external_id)), &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        (*out)[(*n)++] = (struct followup){
            .kind       = (enum followup_kind)db_col_int(&rows, 0),
            .at_ms      = db_col_int(&rows, 1),
            .sequence   = db_col_int(&rows, 2),
            .sender     = db_col_text(&rows, 3, a),
            .body       = db_col_text(&rows, 4, a),
            .emoji      = db_col_text(&rows, 5, a),
            .is_removed = db_col_int(&rows, 6) != 0,
            .is_history = db_col_int(&rows, 7) != 0,
        };
    }
    return db_finish(&rows, err)
        && (*n == 0 || db_exec(db, parked_remove_sql, DB_ARGS(db_int(m->chat_id), db_text(m->external_id)), NULL, err))
        && db_exec(db, parked_none_sql, DB_ARGS(db_int(m->chat_id)), NULL, err);
}

/* It and all before it; `m` is among those that get their time from the table. */
static bool
read_apply(struct db *db, struct message *m, int64_t at_ms, int64_t now_ms, struct arena *a, struct error *err)
{
    bool found;

    return receipt_take(db, m->chat_id, FOLLOWUP_READ, m->posted_at, at_ms, now_ms, a, err)
        && message_get(db, m->id, a, m, &found, err);
}

bool
followup_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct arena *a,
               struct error *err)
{
    switch (f->kind) {
    case FOLLOWUP_DELETION:
        return deletion_apply(db, m, f, now_ms, err);
    case FOLLOWUP_EDIT:
        return edit_apply(db, m, f, now_ms, a, err);
    case FOLLOWUP_REACTION:
        return reaction_apply(db, m, f, now_ms, a, err);
    case FOLLOWUP_DELIVERY:
        return delivery_apply(db, m, f->at_ms, now_ms, err);
    case FOLLOWUP_READ:
        return read_apply(db, m, f->at_ms, now_ms, a, err);
    case FOLLOWUP_KINDS: /* not reached: it is their number */
        break;
    }
    return true; /* not reached: every case returns */
}

bool
followup_take(struct db *db, const struct chat *c, struct str external_id, const struct followup *f, int64_t now_ms,
              struct arena *a, struct error *err)
{
    struct message m;
    bool found;

    if (!chat_lock(db, c->id, err) || !message_by_external(db, c, external_id, a, &m, &found, err))
        return false;
    return found ? followup_apply(db, &m, f, now_ms, a, err) : parked_put(db, c, external_id, f, now_ms, err);
}

bool
message_known(struct db *db, struct message *m, int64_t now_ms, struct arena *a, struct error *err)
{
    struct followup *list;
    int64_t one;
    bool any;
    size_t n;

    if (!db_get_int(db, parked_any_sql, DB_ARGS(db_int(m->chat_id), db_text(m->external_id), db_int(m->posted_at)),
                    &one, &any, err))
        return false;
    if (!any)
        return true;
    if (!parked_take(db, m, a, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!followup_apply(db, m, &list[i], now_ms, a, err))
            return false;
    return m->direction != OUTBOUND || receipt_cover(db, m, now_ms, err);
}
