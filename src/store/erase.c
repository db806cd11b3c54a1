/* erase.c -- forgetting what a deleted profile held, piece by piece, so that no writer waits long.
 *
 * Events that quote its messages go with the retention of events; only what was unsent is gone from them (redact.c). */
#include "store/profile.h"

#define ERASE_MESSAGES 200
#define ERASE_COMMENTS 1000

static const char erase_any_chat_sql[] = "SELECT id FROM chat WHERE profile_id = $1 LIMIT 1";
static const char erase_media_sql[] =
    "SELECT media FROM attachment WHERE media IS NOT NULL AND message_id IN"
    " (SELECT id FROM message WHERE chat_id = $1 ORDER BY sort_at, id LIMIT $2)";
static const char erase_attachments_sql[] =
    "DELETE FROM attachment WHERE message_id IN"
    " (SELECT id FROM message WHERE chat_id = $1 ORDER BY sort_at, id LIMIT $2)";
static const char erase_messages_sql[] =
    "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE chat_id = $1 ORDER BY sort_at, id LIMIT $2)";
static const char erase_avatar_sql[] = "SELECT avatar FROM chat WHERE id = $1 AND avatar IS NOT NULL";
static const char erase_replaced_sql[] = "SELECT media FROM replaced_media WHERE chat_id = $1";
static const char erase_replaced_rows_sql[] = "DELETE FROM replaced_media WHERE chat_id = $1";
static const char erase_receipts_sql[] = "DELETE FROM receipt WHERE chat_id = $1";
static const char erase_parked_sql[] = "DELETE FROM parked WHERE chat_id = $1";
static const char erase_empty_chat_sql[] =
    "DELETE FROM chat WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM message WHERE chat_id = $1)";
static const char erase_comments_sql[] =
    "DELETE FROM comment WHERE id IN (SELECT id FROM comment WHERE profile_id = $1 LIMIT $2)";
static const char erase_posts_sql[] =
    "DELETE FROM post WHERE id IN (SELECT id FROM post WHERE profile_id = $1 LIMIT $2)";
static const char erase_raw_payloads_sql[] = "DELETE FROM raw_payload WHERE profile_id = $1";
static const char erase_profile_sql[] = "DELETE FROM profile WHERE id = $1 AND deleted_at <> 0";

/* Media objects, as many as it takes: one that is left out here is named by nothing once the rows are gone. */
struct objects {
    struct arena *arena;
    struct str   *names;
    size_t        count, cap;
};

static bool
collect(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct objects *out,
        struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (db_next(&rows)) {
        out->names = arena_more(out->arena, out->names, out->count, &out->cap, sizeof(*out->names));
        out->names[out->count++] = db_col_text(&rows, 0, out->arena);
    }
    return db_finish(&rows, err);
}

static bool
erase_messages(struct db *db, int64_t chat_id, struct objects *out, int64_t *erased, struct error *err)
{
    const struct db_value args[] = { db_int(chat_id), db_int(ERASE_MESSAGES) };

    return collect(db, erase_media_sql, args, 2, out, err)
        && db_exec(db, erase_attachments_sql, args, 2, NULL, err)
        && db_exec(db, erase_messages_sql, args, 2, erased, err);
}

static bool
erase_chat(struct db *db, int64_t chat_id, struct objects *out, struct error *err)
{
    const struct db_value args[] = { db_int(chat_id) };

    return collect(db, erase_avatar_sql, args, 1, out, err)
        && collect(db, erase_replaced_sql, args, 1, out, err)
        && db_exec(db, erase_replaced_rows_sql, args, 1, NULL, err)
        && db_exec(db, erase_receipts_sql, args, 1, NULL, err)
        && db_exec(db, erase_parked_sql, args, 1, NULL, err)
        && db_exec(db, erase_empty_chat_sql, args, 1, NULL, err);
}

/* What belongs to no chat. */
static bool
erase_rest(struct db *db, int64_t id, bool *more, struct error *err)
{
    int64_t comments, posts = 0;

    if (!db_exec(db, erase_comments_sql, DB_ARGS(db_int(id), db_int(ERASE_COMMENTS)), &comments, err)
        || (comments < ERASE_COMMENTS
            && !db_exec(db, erase_posts_sql, DB_ARGS(db_int(id), db_int(ERASE_COMMENTS)), &posts, err)))
        return false;
    *more = comments == ERASE_COMMENTS || posts == ERASE_COMMENTS;
    return *more
        || (db_exec(db, erase_raw_payloads_sql, DB_ARGS(db_int(id)), NULL, err)
            && db_exec(db, erase_profile_sql, DB_ARGS(db_int(id)), NULL, err));
}

bool
profile_erase_some(struct db *db, int64_t id, struct arena *a, struct str **media, size_t *media_count, bool *more,
                   struct error *err)
{
    struct objects found = { .arena = a };
    int64_t chat_id = 0, messages = 0;
    bool ok;

    *media = NULL;
    *media_count = 0;
    if (!db_get_int(db, erase_any_chat_sql, DB_ARGS(db_int(id)), &chat_id, more, err))
        return false;
    if (!*more)
        return erase_rest(db, id, more, err);
    ok = erase_messages(db, chat_id, &found, &messages, err)
      && (messages == ERASE_MESSAGES || erase_chat(db, chat_id, &found, err));
    *media = found.names;
    *media_count = found.count;
    return ok;
}
