/* receipt.c -- what the other side got and read.
 *
 * A platform says "all you sent until this moment has arrived", over and over, and sometimes late. Kept are the
 * receipts of a chat that say something no other says: with a later watermark the moment is later too, so a message's
 * time is that of the first receipt at or above it. A new receipt concerns only what lies above the one before it, so
 * however long a chat is, each of its messages is looked at once. */
#include "store/event.h"
#include "store/message_internal.h"

#define RECEIPT_KEPT_MS ((int64_t)7 * 24 * 3600 * 1000) /* behind the newest of its chat */
#define RECEIPT_REACH   1000 /* messages one receipt may concern: the first of a long chat */

/* How it stands with a chat, and whether another receipt says all that this one would. */
static const char receipt_place_sql[] =
    "SELECT COALESCE((SELECT MAX(watermark) FROM receipt WHERE chat_id = $1 AND kind = $2), 0),"
    " CASE WHEN EXISTS (SELECT 1 FROM receipt WHERE chat_id = $1 AND kind = $2 AND watermark >= $3 AND at <= $4)"
    " THEN 1 ELSE 0 END";
static const char receipt_put_sql[] =
    "INSERT INTO receipt (chat_id, kind, watermark, at) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (chat_id, kind, watermark) DO UPDATE SET at = $4";
static const char receipt_overtaken_sql[] =
    "DELETE FROM receipt WHERE chat_id = $1 AND kind = $2 AND watermark < $3 AND at >= $4";
/* The newest of the old ones stays: it says what a late one need not look at. */
static const char receipt_prune_sql[] =
    "DELETE FROM receipt WHERE chat_id = $1 AND kind = $2 AND watermark <"
    " (SELECT MAX(watermark) FROM receipt WHERE chat_id = $1 AND kind = $2 AND watermark <= $3)";
static const char receipt_before_sql[] =
    "SELECT watermark FROM receipt WHERE chat_id = $1 AND kind = $2 AND watermark < $3"
    " ORDER BY watermark DESC LIMIT 1";
static const char receipt_delivered_ids_sql[] =
    "SELECT id FROM (SELECT id, direction, status, delivered_at FROM message"
    " WHERE chat_id = $1 AND sort_at > $2 AND sort_at <= $3 ORDER BY sort_at DESC, id DESC LIMIT $5) AS reach"
    " WHERE direction = 2 AND status = 2 AND (delivered_at = 0 OR delivered_at > $4)";
static const char receipt_read_ids_sql[] =
    "SELECT id FROM (SELECT id, direction, status, read_at FROM message"
    " WHERE chat_id = $1 AND sort_at > $2 AND sort_at <= $3 ORDER BY sort_at DESC, id DESC LIMIT $5) AS reach"
    " WHERE direction = 2 AND status = 2 AND (read_at = 0 OR read_at > $4)";
static const char receipt_of_message_sql[] =
    "SELECT COALESCE((SELECT at FROM receipt WHERE chat_id = $1 AND kind = 4 AND watermark >= $2"
    " ORDER BY watermark LIMIT 1), 0),"
    " COALESCE((SELECT at FROM receipt WHERE chat_id = $1 AND kind = 5 AND watermark >= $2"
    " ORDER BY watermark LIMIT 1), 0)";
static const char message_delivered_sql[] = "UPDATE message SET delivered_at = $2 WHERE id = $1";
static const char message_read_sql[] = "UPDATE message SET read_at = $2 WHERE id = $1";

/* The earliest counts; the event goes out once. */
static bool
receipt_apply(struct db *db, struct message *m, enum followup_kind kind, int64_t at_ms, int64_t now_ms,
              struct error *err)
{
    bool is_read = kind == FOLLOWUP_READ;
    int64_t *place = is_read ? &m->read_at : &m->delivered_at;
    bool is_first = *place == 0;

    if (at_ms == 0 || m->direction != OUTBOUND || (!is_first && *place <= at_ms))
        return true;
    *place = at_ms;
    return db_exec(db, is_read ? message_read_sql : message_delivered_sql, DB_ARGS(db_int(m->id), db_int(at_ms)), NULL,
                   err)
        && (!is_first
            || event_message(db, is_read ? EVENT_MESSAGE_READ : EVENT_MESSAGE_DELIVERED, m, now_ms, err));
}

bool
delivery_apply(struct db *db, struct message *m, int64_t at_ms, int64_t now_ms, struct error *err)
{
    return receipt_apply(db, m, FOLLOWUP_DELIVERY, at_ms, now_ms, err);
}

bool
receipt_cover(struct db *db, struct message *m, int64_t now_ms, struct error *err)
{
    int64_t delivered_at = 0, read_at = 0;
    struct db_rows rows;

    if (!db_query(db, receipt_of_message_sql, DB_ARGS(db_int(m->chat_id), db_int(m->posted_at)), &rows, err))
        return false;
    if (db_next(&rows)) {
        delivered_at = db_col_int(&rows, 0);
        read_at = db_col_int(&rows, 1);
    }
    return db_finish(&rows, err) && receipt_apply(db, m, FOLLOWUP_DELIVERY, delivered_at, now_ms, err)
        && receipt_apply(db, m, FOLLOWUP_READ, read_at, now_ms, err);
}

/* Whether there is anything new in it. */
static bool
receipt_is_news(struct db *db, int64_t chat_id, enum followup_kind kind, int64_t watermark_ms, int64_t at_ms,
                int64_t *newest, bool *out, struct error *err)
{
    struct db_rows rows;
    bool is_said = false;

    *newest = 0;
    if (!db_query(db, receipt_place_sql,
                  DB_ARGS(db_int(chat_id), db_int(kind), db_int(watermark_ms), db_int(at_ms)), &rows, err))
        return false;
    if (db_next(&rows)) {
        *newest = db_col_int(&rows, 0);
        is_said = db_col_int(&rows, 1) != 0;
    }
    *out = !is_said && watermark_ms > *newest - RECEIPT_KEPT_MS;
    if (*newest < watermark_ms)
        *newest = watermark_ms;
    return db_finish(&rows, err);
}

static bool
receipt_apply_all(struct db *db, int64_t chat_id, enum followup_kind kind, int64_t after, int64_t watermark_ms,
                  int64_t at_ms, int64_t now_ms, struct arena *a, struct error *err)
{
    int64_t ids[RECEIPT_REACH];
    struct db_rows rows;
    struct message m;
    size_t n = 0;
    bool found;

    if (!db_query(db, kind == FOLLOWUP_READ ? receipt_read_ids_sql : receipt_delivered_ids_sql,
                  DB_ARGS(db_int(chat_id), db_int(after), db_int(watermark_ms), db_int(at_ms), db_int(RECEIPT_REACH)),
                  &rows, err))
        return false;
    while (n < RECEIPT_REACH && db_next(&rows))
        ids[n++] = db_col_int(&rows, 0);
    if (!db_finish(&rows, err))
        return false;
    while (n-- > 0) { /* told oldest first */
        if (!message_get(db, ids[n], a, &m, &found, err)
            || (found && !receipt_apply(db, &m, kind, at_ms, now_ms, err)))
            return false;
    }
    return true;
}

bool
receipt_take(struct db *db, int64_t chat_id, enum followup_kind kind, int64_t watermark_ms, int64_t at_ms,
             int64_t now_ms, struct arena *a, struct error *err)
{
    int64_t newest, before = 0;
    bool is_news;

    if (!receipt_is_news(db, chat_id, kind, watermark_ms, at_ms, &newest, &is_news, err))
        return false;
    if (!is_news)
        return true;
    return db_exec(db, receipt_overtaken_sql,
                   DB_ARGS(db_int(chat_id), db_int(kind), db_int(watermark_ms), db_int(at_ms)), NULL, err)
        && db_get_int(db, receipt_before_sql, DB_ARGS(db_int(chat_id), db_int(kind), db_int(watermark_ms)), &before,
                      NULL, err)
        && db_exec(db, receipt_put_sql, DB_ARGS(db_int(chat_id), db_int(kind), db_int(watermark_ms), db_int(at_ms)),
                   NULL, err)
        && db_exec(db, receipt_prune_sql,
                   DB_ARGS(db_int(chat_id), db_int(kind), db_int(newest - RECEIPT_KEPT_MS)), NULL, err)
        && receipt_apply_all(db, chat_id, kind, before, watermark_ms, at_ms, now_ms, a, err);
}

bool
message_receive_receipt(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                        struct arena *a, struct error *err)
{
    enum followup_kind kind = e->kind == INBOUND_READ ? FOLLOWUP_READ : FOLLOWUP_DELIVERY;
    /* without a time of its own it happened by its watermark at the latest: our clock would differ each time */
    int64_t at_ms = e->at_ms ? e->at_ms : e->watermark_ms ? e->watermark_ms : now_ms;
    const struct followup f = { .kind = kind, .at_ms = at_ms, .is_history = e->is_history };

    if (e->watermark_ms != 0)
        return chat_lock(db, c->id, err)
            && receipt_take(db, c->id, kind, e->watermark_ms, at_ms, now_ms, a, err);
    return e->external_id.len == 0 || followup_take(db, c, e->external_id, &f, now_ms, a, err);
}
