/* chat.c -- see chat.h. Who changes a chat's row has locked it first, because several write pieces of one metadata. */
#include "store/chat.h"

#include "base/clock.h"
#include "base/id.h"
#include "json/json.h"
#include "store/candidates.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message_internal.h"
#include "store/metadata.h"

#define PARTICIPANT_REFRESH_MS ((int64_t)3600 * 1000)

#define CHAT_COLUMNS                                                                                           \
    "c.id, c.workspace_id, c.profile_id, c.participant_external_id, c.participant_username,"                   \
    " c.participant_name, c.avatar, c.avatar_id, c.external_conversation_id, c.metadata,"                      \
    " c.participant_fetched_at, c.last_inbound_at, c.last_outbound_at, c.last_message_at, c.blocked_at,"       \
    " c.archived, c.n_received, c.n_pending, c.n_waiting, c.n_published, c.n_failed, c.created_at,"            \
    " c.has_parked,"                                                                                           \
    " p.platform, p.status, p.external_id, p.status_detail"
#define CHAT_TABLES "chat c JOIN profile p ON p.id = c.profile_id"
#define IN_SCOPE    "c.workspace_id = $2 AND p.deleted_at = 0 AND ($3 = 0 OR p.group_id = $3)"

static const char *const chat_find_sql[DB_GRIPS] =
    DB_GRIP_SQL("SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES " WHERE c.id = $1 AND " IN_SCOPE, " OF c");
static const char chat_by_conversation_sql[] =
    "SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES " WHERE c.external_conversation_id = $1 AND " IN_SCOPE
    " ORDER BY c.id LIMIT 10";
static const char chat_get_sql[] =
    "SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES " WHERE c.id = $1 AND p.deleted_at = 0";
static const char *const chat_by_participant_sql[DB_GRIPS] =
    DB_GRIP_SQL("SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES
                " WHERE c.profile_id = $1 AND c.participant_external_id = $2", " OF c");
static const char chat_of_conversation_sql[] =
    "SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES
    " WHERE c.workspace_id = (SELECT workspace_id FROM profile WHERE id = $1)"
    " AND c.external_conversation_id = $2 AND c.profile_id = $1 ORDER BY c.id LIMIT 1";
static const char chat_insert_sql[] =
    "INSERT INTO chat (id, workspace_id, profile_id, participant_external_id, participant_username, participant_name,"
    " external_conversation_id, metadata, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    " ON CONFLICT (profile_id, participant_external_id) DO NOTHING";
static const char chat_count_one_sql[] = "UPDATE profile SET chats_count = chats_count + 1 WHERE id = $1";
static const char chat_update_names_sql[] =
    "UPDATE chat SET participant_username = $2, participant_name = $3, external_conversation_id = $4, metadata = $5"
    " WHERE id = $1";
static const char chat_touch_sql[] =
    "UPDATE chat SET n_received = n_received + $2, n_pending = n_pending + $3, n_waiting = n_waiting + $4,"
    " n_published = n_published + $5, n_failed = n_failed + $6,"
    " last_inbound_at = CASE WHEN last_inbound_at < $7 THEN $7 ELSE last_inbound_at END,"
    " last_outbound_at = CASE WHEN last_outbound_at < $8 THEN $8 ELSE last_outbound_at END,"
    " last_message_at = CASE WHEN last_message_at < $9 THEN $9 ELSE last_message_at END"
    " WHERE id = $1";
/* A chat whose times do not change keeps its place in chat_page, and leaving the column out spares the index. */
static const char chat_count_sql[] =
    "UPDATE chat SET n_received = n_received + $2, n_pending = n_pending + $3, n_waiting = n_waiting + $4,"
    " n_published = n_published + $5, n_failed = n_failed + $6 WHERE id = $1";
static const char chat_lock_sql[] = "SELECT 1 FROM chat WHERE id = $1 FOR NO KEY UPDATE";
static const char chat_conversation_sql[] = "UPDATE chat SET external_conversation_id = $2 WHERE id = $1";
static const char chat_archived_sql[] = "UPDATE chat SET archived = $2, metadata = $3 WHERE id = $1";
/* Of two at the same moment it is the one whose bytes are greater: always the same. */
static const char chat_refer_sql[] =
    "UPDATE chat SET referral_at = $2, metadata = $3 WHERE id = $1"
    " AND (referral_at < $2 OR (referral_at = $2 AND metadata < $3))";
static const char chat_blocked_sql[] = "UPDATE chat SET blocked_at = $2 WHERE id = $1";
static const char chat_keep_avatar_sql[] = "INSERT INTO replaced_media (chat_id, media) VALUES ($1, $2)";
static const char chat_participant_sql[] =
    "UPDATE chat SET participant_username = $2, participant_name = $3, avatar = $4, avatar_id = $5, metadata = $6,"
    " participant_fetched_at = $7 WHERE id = $1";
static const char chat_asked_sql[] = "UPDATE chat SET participant_fetched_at = $2 WHERE id = $1";
static const char chat_page_sql[] =
    "SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES " WHERE c.profile_id = $1"
    " ORDER BY c.last_message_at DESC, c.id DESC LIMIT $2 OFFSET $3";
static const char chat_page_between_sql[] =
    "SELECT " CHAT_COLUMNS " FROM " CHAT_TABLES " WHERE c.profile_id = $1"
    " AND c.last_message_at > $4 AND c.last_message_at < $5"
    " ORDER BY c.last_message_at DESC, c.id DESC LIMIT $2 OFFSET $3";
/* Only an index range is counted, and only when a bound was asked for; the whole list's total is
 * kept in the profile. */
static const char chat_count_between_sql[] =
    "SELECT COUNT(*) FROM chat WHERE profile_id = $1 AND last_message_at > $2 AND last_message_at < $3";

static void
chat_from_row(struct db_rows *rows, struct arena *a, struct chat *out)
{
    *out = (struct chat){
        .id                       = db_col_int(rows, 0),
        .workspace_id             = db_col_int(rows, 1),
        .profile_id               = db_col_int(rows, 2),
        .participant_external_id  = db_col_text(rows, 3, a),
        .participant_username     = db_col_text(rows, 4, a),
        .participant_name         = db_col_text(rows, 5, a),
        .avatar                   = db_col_text(rows, 6, a),
        .avatar_id                = db_col_text(rows, 7, a),
        .external_conversation_id = db_col_text(rows, 8, a),
        .metadata                 = db_col_text(rows, 9, a),
        .participant_fetched_at   = db_col_int(rows, 10),
        .last_inbound_at          = db_col_int(rows, 11),
        .last_outbound_at         = db_col_int(rows, 12),
        .last_message_at          = db_col_int(rows, 13),
        .blocked_at               = db_col_int(rows, 14),
        .archived                 = db_col_int(rows, 15) != 0,
        .n_received               = db_col_int(rows, 16),
        .n_pending                = db_col_int(rows, 17),
        .n_waiting                = db_col_int(rows, 18),
        .n_published              = db_col_int(rows, 19),
        .n_failed                 = db_col_int(rows, 20),
        .created_at               = db_col_int(rows, 21),
        .may_have_parked          = db_col_int(rows, 22) != 0,
        .platform                 = platform_find(db_col_peek(rows, 23)),
        .profile_status           = (enum profile_status)db_col_int(rows, 24),
        .profile_external_id      = db_col_text(rows, 25, a),
        .profile_status_detail    = db_col_text(rows, 26, a),
    };
}

/* At most `cap` chats into `out`. */
static bool
chat_read(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
          struct chat *out, size_t cap, size_t *n, struct error *err)
{
    struct db_rows rows;

    *n = 0;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (*n < cap && db_next(&rows)) {
        chat_from_row(&rows, a, &out[*n]);
        if (out[*n].platform)
            (*n)++;
    }
    return db_finish(&rows, err);
}

/* One chat that is to be changed: nobody else does until the commit. */
static bool
chat_grip(struct db *db, const char *const sql[DB_GRIPS], const struct db_value *args, size_t n, struct arena *a,
          struct chat *out, bool *found, struct error *err)
{
    enum db_grip grip = db_grip(db);
    size_t count;

    if (!chat_read(db, sql[grip], args, n, a, out, 1, &count, err))
        return false;
    *found = count == 1;
    if (*found || grip != DB_GRIP_TRY)
        return true;
    if (!chat_read(db, sql[DB_GRIP_NEEDLESS], args, n, a, out, 1, &count, err))
        return false; /* not reached on SQLite: who writes is alone there */
    return count == 0 || db_busy(db, err);
}

static bool
chat_ambiguous(struct str id, const struct chat *chats, size_t n, struct error *err)
{
    int64_t ids[CANDIDATES_MAX];

    for (size_t i = 0; i < n; i++)
        ids[i] = chats[i].id;
    return candidates_refuse(id, "chats", ID_CHAT, ids, n, err);
}

bool
chat_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct chat *out, struct error *err)
{
    struct chat found[CANDIDATES_MAX];
    int64_t key;
    size_t n;

    if (id_parse(ID_CHAT, id, &key)) {
        if (!chat_read(db, chat_find_sql[DB_GRIP_NEEDLESS],
                       DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)), a, out, 1, &n, err))
            return false;
        if (n == 1)
            return true;
    }
    if (!chat_read(db, chat_by_conversation_sql, DB_ARGS(db_text(id), db_int(s->workspace_id), db_int(s->group_id)), a,
                   found, CANDIDATES_MAX, &n, err))
        return false;
    if (n == 0)
        return error_set(err, 404, "There is no chat '%.*s'", STR_ARG(str_slice(id, 0, 80)));
    if (n > 1)
        return chat_ambiguous(id, found, n, err);
    *out = found[0];
    return true;
}

/* As it is now, and stays until this transaction is over: several write pieces of one metadata. */
static bool
chat_hold(struct db *db, struct chat *c, struct arena *a, struct error *err)
{
    bool found;

    return chat_lock(db, c->id, err) && chat_get(db, c->id, a, c, &found, err);
}

bool
chat_find_to_change(struct db *db, const struct scope *s, struct str id, struct arena *a, struct chat *out,
                    struct error *err)
{
    int64_t key;
    bool found;

    if (!id_parse(ID_CHAT, id, &key))
        return chat_find(db, s, id, a, out, err) && chat_hold(db, out, a, err);
    return chat_grip(db, chat_find_sql, DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)), a, out,
                     &found, err)
        && (found || chat_find(db, s, id, a, out, err));
}

bool
chat_get(struct db *db, int64_t id, struct arena *a, struct chat *out, bool *found, struct error *err)
{
    size_t n;

    if (!chat_read(db, chat_get_sql, DB_ARGS(db_int(id)), a, out, 1, &n, err))
        return false;
    *found = n == 1;
    return true;
}

static struct str
metadata_of(struct arena *a, struct str metadata, const struct participant *who)
{
    metadata = metadata_set_text(a, metadata, "language_code", who->language_code);
    return who->metadata.len > 0 ? metadata_merge(a, metadata, who->metadata) : metadata;
}

/* Takes over what is known of the participant; whether that was news. */
static bool
chat_learn(struct chat *c, const struct participant *who, struct str conversation_id, struct arena *a)
{
    struct str metadata = metadata_of(a, c->metadata, who);
    struct str username = who->username.ptr ? who->username : c->participant_username;
    struct str name = who->name.ptr ? who->name : c->participant_name;
    struct str conversation = conversation_id.ptr ? conversation_id : c->external_conversation_id;

    if (str_eq(username, c->participant_username) && str_eq(name, c->participant_name)
        && str_eq(conversation, c->external_conversation_id) && str_eq(metadata, c->metadata))
        return false;
    c->participant_username = username;
    c->participant_name = name;
    c->external_conversation_id = conversation;
    c->metadata = metadata;
    return true;
}

/* Usually there is no news, and then nothing is written or waited for. */
static bool
chat_refresh(struct db *db, struct chat *c, const struct participant *who, struct str conversation_id,
             struct arena *a, struct error *err)
{
    if (!chat_learn(c, who, conversation_id, a))
        return true;
    if (!chat_hold(db, c, a, err))
        return false;
    return !chat_learn(c, who, conversation_id, a)
        || db_exec(db, chat_update_names_sql,
                   DB_ARGS(db_int(c->id), db_text(c->participant_username), db_text(c->participant_name),
                           db_text(c->external_conversation_id), db_text(c->metadata)),
                   NULL, err);
}

bool
chat_ask_participant(struct db *db, const struct chat *c, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_PARTICIPANT, .lane_id = c->profile_id, .record_id = c->id, .due_at = now_ms };

    return now_ms - c->participant_fetched_at < PARTICIPANT_REFRESH_MS
        || chat_is_unidentified(c->participant_external_id) /* nobody the platform could tell of */
        || job_add_once(db, &job, now_ms, err);
}

bool
chat_of_conversation(struct db *db, int64_t profile_id, struct str conversation_id, struct arena *a, struct chat *out,
                     bool *found, struct error *err)
{
    size_t n;

    if (!chat_read(db, chat_of_conversation_sql, DB_ARGS(db_int(profile_id), db_text(conversation_id)), a, out, 1, &n,
                   err))
        return false;
    *found = n == 1;
    out->may_have_parked = true; /* it is not locked, so that may change at any moment */
    return true;
}

bool
chat_of_participant(struct db *db, int64_t profile_id, struct str participant_id, struct arena *a, struct chat *out,
                    bool *found, struct error *err)
{
    size_t n;

    if (!chat_read(db, chat_by_participant_sql[DB_GRIP_NEEDLESS],
                   DB_ARGS(db_int(profile_id), db_text(participant_id)), a, out, 1, &n, err))
        return false;
    *found = n == 1;
    out->may_have_parked = true;
    return true;
}

/* A Page's conversations say which Page's. */
static struct str
metadata_of_page(struct arena *a, const struct profile *p)
{
    struct error ignored;
    yyjson_val *details;

    if (p->details.len == 0 || !json_parse(a, p->details, JSON_DEPTH_MAX, &details, &ignored))
        return STR_NONE;
    return metadata_set_text(a, STR_NONE, "page_id", json_str(details, "page_id"));
}

static bool
chat_meet(struct db *db, int64_t profile_id, const struct participant *who, struct arena *a, struct chat *out,
          bool *found, struct error *err)
{
    return chat_grip(db, chat_by_participant_sql, DB_ARGS(db_int(profile_id), db_text(who->external_id)), a, out, found,
                     err);
}

bool
chat_ask_ahead(struct db *db, int64_t profile_id, struct str participant_id)
{
    return db_ask_ahead(db, chat_by_participant_sql[DB_GRIP_TRY], DB_ARGS(db_int(profile_id), db_text(participant_id)));
}

bool
chat_open(struct db *db, const struct profile *p, const struct participant *who, struct str conversation_id,
          int64_t now_ms, struct arena *a, struct chat *out, bool *created, struct error *err)
{
    struct str metadata;
    int64_t inserted;
    bool found;

    *created = false;
    if (!chat_meet(db, p->id, who, a, out, &found, err))
        return false;
    if (found)
        return chat_refresh(db, out, who, conversation_id, a, err);

    metadata = metadata_of(a, metadata_of_page(a, p), who);
    if (!db_exec(db, chat_insert_sql,
                 DB_ARGS(db_int(id_generate(now_ms)), db_int(p->workspace_id), db_int(p->id),
                         db_text(who->external_id), db_text(who->username), db_text(who->name),
                         db_text(conversation_id), db_text(metadata), db_int(now_ms)),
                 &inserted, err)
        || (inserted && !db_exec(db, chat_count_one_sql, DB_ARGS(db_int(p->id)), NULL, err))
        || !chat_meet(db, p->id, who, a, out, &found, err))
        return false;
    *created = inserted > 0;
    return !*created || chat_ask_participant(db, out, now_ms, err);
}

bool
chat_list(struct db *db, const struct profile *p, const struct chat_filter *f, struct arena *a, struct chat **out,
          size_t *n, int64_t *total, struct error *err)
{
    bool bounded = f->before != 0 || f->after != 0;
    /* chats without messages have last_message_at 0 and lie outside every bound */
    int64_t low = f->after > 0 ? f->after : 0, high = f->before != 0 ? f->before : INT64_MAX;
    int64_t skip;

    *n = 0;
    *out = arena_array(a, struct chat, (size_t)f->per_page);
    *total = p->chats_count;
    if (bounded
        && !db_get_int(db, chat_count_between_sql, DB_ARGS(db_int(p->id), db_int(low), db_int(high)), total, NULL, err))
        return false;
    if (f->page > *total / f->per_page)
        return true;
    skip = f->page * f->per_page;
    if (!bounded)
        return chat_read(db, chat_page_sql, DB_ARGS(db_int(p->id), db_int(f->per_page), db_int(skip)), a, *out,
                         (size_t)f->per_page, n, err);
    return chat_read(db, chat_page_between_sql,
                     DB_ARGS(db_int(p->id), db_int(f->per_page), db_int(skip), db_int(low), db_int(high)), a, *out,
                     (size_t)f->per_page, n, err);
}

bool
chat_touch(struct db *db, int64_t chat_id, int from_status, int to_status, int64_t inbound_at, int64_t outbound_at,
           struct error *err)
{
    int64_t delta[STATUSES] = { 0 };
    int64_t latest = inbound_at > outbound_at ? inbound_at : outbound_at;

    delta[from_status] -= 1;
    delta[to_status] += 1;
    if (latest == 0)
        return db_exec(db, chat_count_sql,
                       DB_ARGS(db_int(chat_id), db_int(delta[STATUS_RECEIVED]), db_int(delta[STATUS_PENDING]),
                               db_int(delta[STATUS_WAITING]), db_int(delta[STATUS_PUBLISHED]),
                               db_int(delta[STATUS_FAILED])),
                       NULL, err);
    return db_exec(db, chat_touch_sql,
                   DB_ARGS(db_int(chat_id), db_int(delta[STATUS_RECEIVED]), db_int(delta[STATUS_PENDING]),
                           db_int(delta[STATUS_WAITING]), db_int(delta[STATUS_PUBLISHED]),
                           db_int(delta[STATUS_FAILED]), db_int(inbound_at), db_int(outbound_at), db_int(latest)),
                   NULL, err);
}

bool
chat_lock(struct db *db, int64_t chat_id, struct error *err)
{
    return db_hold(db, chat_lock_sql, DB_ARGS(db_int(chat_id)), err);
}

bool
chat_set_conversation(struct db *db, int64_t chat_id, struct str conversation_id, struct error *err)
{
    return db_exec(db, chat_conversation_sql, DB_ARGS(db_int(chat_id), db_text(conversation_id)), NULL, err);
}

bool
chat_set_archived(struct db *db, struct chat *c, bool archived, struct arena *a, struct error *err)
{
    struct str metadata;

    if (!chat_hold(db, c, a, err))
        return false;
    metadata = metadata_set(a, c->metadata, "muted", archived ? STR("true") : STR("false"));
    if (archived == c->archived && str_eq(metadata, c->metadata))
        return true;
    c->archived = archived;
    c->metadata = metadata;
    return db_exec(db, chat_archived_sql, DB_ARGS(db_int(c->id), db_int(archived), db_text(metadata)), NULL, err);
}

bool
chat_refer(struct db *db, struct chat *c, struct str referral, int64_t at_ms, bool tell, int64_t now_ms,
           struct arena *a, bool *told, struct error *err)
{
    struct str metadata;
    int64_t changed;

    if (!chat_hold(db, c, a, err))
        return false;
    metadata = metadata_set(a, c->metadata, "referral", referral);
    if (!db_exec(db, chat_refer_sql, DB_ARGS(db_int(c->id), db_int(at_ms), db_text(metadata)), &changed, err))
        return false;
    *told = changed > 0;
    if (!*told)
        return true;
    c->metadata = metadata;
    return !tell || event_referral(db, c, referral, at_ms, now_ms, a, err);
}

bool
chat_set_blocked(struct db *db, int64_t chat_id, int64_t at_ms, struct error *err)
{
    return db_exec(db, chat_blocked_sql, DB_ARGS(db_int(chat_id), db_int(at_ms)), NULL, err);
}

bool
chat_set_participant(struct db *db, struct chat *c, const struct participant *who, struct str avatar, int64_t now_ms,
                     struct arena *a, struct error *err)
{
    char now[TIME_TEXT_MAX];

    if (!chat_hold(db, c, a, err))
        return false;
    if (who->username.ptr)
        c->participant_username = who->username;
    if (who->name.ptr)
        c->participant_name = who->name;
    if (avatar.len > 0) {
        if (c->avatar.len > 0
            && !db_exec(db, chat_keep_avatar_sql, DB_ARGS(db_int(c->id), db_text(c->avatar)), NULL, err))
            return false;
        c->avatar = avatar;
        c->avatar_id = who->avatar_id;
    }
    c->metadata = metadata_of(a, c->metadata, who);
    c->metadata = metadata_set_text(a, c->metadata, "participant_fetched_at", str_of(time_format(now_ms, now)));
    c->participant_fetched_at = now_ms;
    return db_exec(db, chat_participant_sql,
                   DB_ARGS(db_int(c->id), db_text(c->participant_username), db_text(c->participant_name),
                           db_text(c->avatar), db_text(c->avatar_id), db_text(c->metadata), db_int(now_ms)),
                   NULL, err);
}

bool
chat_set_participant_asked(struct db *db, int64_t chat_id, int64_t now_ms, struct error *err)
{
    return db_exec(db, chat_asked_sql, DB_ARGS(db_int(chat_id), db_int(now_ms)), NULL, err);
}
