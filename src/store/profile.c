/* profile.c -- see profile.h; groups are in group.c, and erasing is in erase.c. */
#include "store/profile.h"

#include <assert.h>
#include <stddef.h>

#include "base/array.h"
#include "base/config.h"
#include "base/id.h"
#include "store/event.h"
#include "store/job.h"

#define CONNECT_LOCK 5 /* db_alone(): two connects of one account make one profile */

#define PROFILE_COLUMNS                                                                              \
    "p.id, p.workspace_id, p.group_id, p.platform, p.external_id, p.username, p.name, p.status,"    \
    " p.status_detail, p.poll_cursor, p.chats_count, p.created_at, p.hook_url, p.alt_external_id,"  \
    " p.details, p.token_expires_at, p.refresh_at, p.posts_count"

const char *const profile_status_names[PROFILE_STATUSES] = {
    [PROFILE_ACTIVE] = "active",
    [PROFILE_EXPIRED] = "expired",
    [PROFILE_INACTIVE] = "inactive",
};

static const char profile_find_sql[] =
    "SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.id = $1 AND p.workspace_id = $2"
    " AND ($3 = 0 OR p.group_id = $3) AND p.deleted_at = 0";
static const char profile_get_sql[] = "SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.id = $1 AND p.deleted_at = 0";
static const char profile_get_deleted_sql[] = "SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.id = $1";
static const char profile_by_account_sql[] =
    "SELECT " PROFILE_COLUMNS " FROM profile p"
    " WHERE p.workspace_id = $1 AND p.platform = $2 AND p.external_id = $3 AND p.deleted_at = 0";
static const char profile_list_sql[] =
    "SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.workspace_id = $1 AND ($2 = 0 OR p.group_id = $2)"
    " AND p.deleted_at = 0 ORDER BY p.id";
static const char profile_list_all_sql[] =
    "SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.deleted_at = 0 ORDER BY p.id";
/* Two look-ups, because no index serves an OR of both columns; that of all rows together, because for a UNION of ids
 * SQLite fills a table, which takes longer than all else that an event asks of it. */
static const char profile_of_account_sql[] =
    "SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.platform = $1 AND p.external_id = $2 AND p.deleted_at = 0"
    " UNION ALL SELECT " PROFILE_COLUMNS " FROM profile p WHERE p.platform = $1 AND p.alt_external_id = $2"
    " AND p.alt_external_id IS NOT NULL AND p.external_id <> $2 AND p.deleted_at = 0 LIMIT $3";
static const char profile_insert_sql[] =
    "INSERT INTO profile (id, workspace_id, group_id, platform, external_id, username, name, status, token,"
    " webhook_secret, hook_url, created_at, alt_external_id, details, token_expires_at, refresh_at, poll_cursor)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
static const char profile_reconnect_sql[] =
    "UPDATE profile SET username = $2, name = $3, status = 1, status_detail = NULL, token = $4, webhook_secret = $5,"
    " hook_url = $6, alt_external_id = $7, details = $8, token_expires_at = $9, refresh_at = $10, poll_cursor = $11"
    " WHERE id = $1";
static const char profile_token_sql[] = "SELECT token FROM profile WHERE id = $1 AND deleted_at = 0";
static const char profile_refreshed_sql[] =
    "UPDATE profile SET token = $2, details = $3, token_expires_at = $4, refresh_at = $5 WHERE id = $1";
static const char profile_secrets_sql[] = "SELECT token, webhook_secret FROM profile WHERE id = $1";
static const char profile_expire_sql[] =
    "UPDATE profile SET status = 2, status_detail = $2 WHERE id = $1 AND status <> 2 AND deleted_at = 0";
static const char profile_lock_sql[] = "SELECT 1 FROM profile WHERE id = $1 FOR NO KEY UPDATE";
static const char profile_note_sql[] = "UPDATE profile SET status_detail = $2 WHERE id = $1";
static const char profile_subscribed_sql[] =
    "UPDATE profile SET hook_url = $2, webhook_secret = $3, status_detail = NULL WHERE id = $1";
static const char profile_cursor_sql[] = "UPDATE profile SET poll_cursor = $2 WHERE id = $1";
static const char profile_hide_sql[] = "UPDATE profile SET deleted_at = $2, status = 3 WHERE id = $1";

static const char token_context[] = "profile.token";
static const char hook_context[] = "profile.webhook_secret";

static void
profile_from_row(struct db_rows *rows, struct arena *a, struct profile *out)
{
    *out = (struct profile){
        .id            = db_col_int(rows, 0),
        .workspace_id  = db_col_int(rows, 1),
        .group_id      = db_col_int(rows, 2),
        .platform      = platform_find(db_col_peek(rows, 3)),
        .external_id   = db_col_text(rows, 4, a),
        .username      = db_col_text(rows, 5, a),
        .name          = db_col_text(rows, 6, a),
        .status        = (enum profile_status)db_col_int(rows, 7),
        .status_detail = db_col_text(rows, 8, a),
        .poll_cursor   = db_col_text(rows, 9, a),
        .chats_count   = db_col_int(rows, 10),
        .created_at    = db_col_int(rows, 11),
        .hook_url      = db_col_text(rows, 12, a),
        .alt_external_id = db_col_text(rows, 13, a),
        .details       = db_col_text(rows, 14, a),
        .expires_at    = db_col_int(rows, 15),
        .refresh_at    = db_col_int(rows, 16),
        .posts_count   = db_col_int(rows, 17),
    };
}

static bool
profile_read(struct db *db, const char *sql, const struct db_value *args, size_t n, struct arena *a,
             struct profile *out, bool *found, struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, sql, args, n, &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found)
        profile_from_row(&rows, a, out);
    if (!db_finish(&rows, err))
        return false;
    if (*found && !out->platform)
        return error_set(err, 500, "A profile is stored for a platform this version does not know");
    return true;
}

static bool
profile_read_all(struct db *db, const char *sql, const struct db_value *args, size_t args_n, struct arena *a,
                 struct profile **out, size_t *n, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, sql, args, args_n, &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        profile_from_row(&rows, a, &(*out)[*n]);
        if ((*out)[*n].platform)
            (*n)++;
    }
    return db_finish(&rows, err);
}

bool
profile_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct profile *out,
             struct error *err)
{
    int64_t key = 0;
    bool found = false;

    if (id_parse(ID_PROFILE, id, &key)
        && !profile_read(db, profile_find_sql, DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)), a,
                         out, &found, err))
        return false;
    return found || error_set(err, 404, "There is no profile '%.*s'", STR_ARG(str_slice(id, 0, 80)));
}

bool
profile_get(struct db *db, int64_t id, struct arena *a, struct profile *out, bool *found, struct error *err)
{
    return profile_read(db, profile_get_sql, DB_ARGS(db_int(id)), a, out, found, err);
}

bool
profile_lock(struct db *db, int64_t id, struct error *err)
{
    return db_hold(db, profile_lock_sql, DB_ARGS(db_int(id)), err);
}

/* ---- what a batch knows ---- */

struct known {
    struct profile profile;
    struct known  *next;
};

struct knowledge {
    struct known *first;
    bool          is_old; /* one of the batch has written, and may yet take it back */
};

static struct knowledge *
knowledge_of(struct db *db)
{
    void **note = db_note(db, NOTE_PROFILES);

    if (!*note)
        *note = arena_new(db_memory(db), struct knowledge);
    return *note;
}

/* Everything that changes a profile, but for its counters. */
static bool
profile_write(struct db *db, const char *sql, const struct db_value *args, size_t n, int64_t *changed,
              struct error *err)
{
    knowledge_of(db)->is_old = true;
    return db_exec(db, sql, args, n, changed, err);
}

bool
profile_get_shared(struct db *db, int64_t id, struct arena *a, struct profile *out, bool *found, struct error *err)
{
    struct knowledge *k = knowledge_of(db);
    struct known *new;

    *found = true;
    for (const struct known *at = k->first; at && !k->is_old; at = at->next)
        if (at->profile.id == id) {
            *out = at->profile;
            return true;
        }
    if (k->is_old)
        return profile_get(db, id, a, out, found, err);
    if (!profile_get(db, id, db_memory(db), out, found, err))
        return false;
    if (*found) {
        new = arena_new(db_memory(db), struct known);
        *new = (struct known){ .profile = *out, .next = k->first };
        k->first = new;
    }
    return true;
}

/* ---- look-ups ---- */

bool
profile_get_deleted(struct db *db, int64_t id, struct arena *a, struct profile *out, bool *found, struct error *err)
{
    return profile_read(db, profile_get_deleted_sql, DB_ARGS(db_int(id)), a, out, found, err);
}

bool
profile_by_account(struct db *db, int64_t workspace_id, const char *platform, struct str external_id, struct arena *a,
                   struct profile *out, bool *found, struct error *err)
{
    return profile_read(db, profile_by_account_sql,
                        DB_ARGS(db_int(workspace_id), db_text(str_of(platform)), db_text(external_id)), a, out, found,
                        err);
}

bool
profile_list_of_account(struct db *db, const char *platform, struct str external_id, struct arena *a,
                        struct profile **out, size_t *n, struct error *err)
{
    return profile_read_all(db, profile_of_account_sql,
                            DB_ARGS(db_text(str_of(platform)), db_text(external_id), db_int(PROFILES_OF_ACCOUNT_MAX)),
                            a, out, n, err);
}

bool
profile_list(struct db *db, const struct scope *s, struct arena *a, struct profile **out, size_t *n, struct error *err)
{
    return profile_read_all(db, profile_list_sql, DB_ARGS(db_int(s->workspace_id), db_int(s->group_id)), a, out, n,
                            err);
}

bool
profile_list_all(struct db *db, struct arena *a, struct profile **out, size_t *n, struct error *err)
{
    return profile_read_all(db, profile_list_all_sql, DB_NO_ARGS, a, out, n, err);
}

/* Connecting again replaces every credential the account has. */
static bool
profile_store(struct db *db, const struct profile *p, bool is_new, struct str token, struct str hook, int64_t now_ms,
              struct error *err)
{
    if (!is_new)
        return profile_write(db, profile_reconnect_sql,
                             DB_ARGS(db_int(p->id), db_text(p->username), db_text(p->name), db_blob(token),
                                     db_blob(hook), db_text(p->hook_url), db_text(p->alt_external_id),
                                     db_text(p->details), db_int(p->expires_at), db_int(p->refresh_at),
                                     db_text(p->poll_cursor)),
                             NULL, err);
    return profile_write(db, profile_insert_sql,
                         DB_ARGS(db_int(p->id), db_int(p->workspace_id), db_int(p->group_id),
                                 db_text(str_of(p->platform->name)), db_text(p->external_id), db_text(p->username),
                                 db_text(p->name), db_blob(token), db_blob(hook), db_text(p->hook_url), db_int(now_ms),
                                 db_text(p->alt_external_id), db_text(p->details), db_int(p->expires_at),
                                 db_int(p->refresh_at), db_text(p->poll_cursor)),
                         NULL, err);
}

/* A renewal that waits was about the old credentials: it would hold the lane for nothing. */
static bool
profile_schedule_refresh(struct db *db, const struct profile *p, int64_t now_ms, struct arena *a, struct error *err)
{
    struct job job = { .kind = JOB_REFRESH, .lane_id = p->id, .record_id = p->id, .due_at = p->refresh_at }, waiting;
    bool found;

    if (p->refresh_at != 0)
        return job_schedule(db, &job, now_ms, err);
    return job_next_of_kind(db, p->id, JOB_REFRESH, 0, a, &waiting, &found, err)
        && (!found || job_finish(db, &waiting, now_ms, err));
}

/* However long it is: a platform's token may be anything. None for an empty one. */
static struct str
seal_text(struct db *db, const char *context, struct str plain)
{
    struct str out = STR_NONE;
    struct buf text;

    if (plain.len == 0)
        return out;
    buf_init(&text, plain.len + SEAL_OVERHEAD);
    seal(&config.keys, str_of(context), plain, &text);
    out = arena_copy(db_memory(db), buf_str(&text));
    buf_deinit(&text);
    return out;
}

bool
profile_connect(struct db *db, int64_t workspace_id, int64_t group_id, int64_t id, const struct platform *platform,
                const struct account *account, int64_t now_ms, struct arena *a, struct profile *out, struct error *err)
{
    bool found;

    if (!db_alone(db, CONNECT_LOCK, err)
        || !profile_by_account(db, workspace_id, platform->name, account->external_id, a, out, &found, err))
        return false;
    if (!found)
        *out = (struct profile){ .id = id, .workspace_id = workspace_id, .group_id = group_id, .platform = platform,
                                 .external_id = account->external_id, .created_at = now_ms };
    out->username = account->username;
    out->name = account->name;
    out->hook_url = account->hook_url;
    out->alt_external_id = account->alt_external_id;
    out->details = account->details;
    out->expires_at = account->expires_at;
    out->refresh_at = account->refresh_at;
    if (out->poll_cursor.len == 0)
        out->poll_cursor = account->cursor;
    out->status = PROFILE_ACTIVE;
    out->status_detail = STR_NONE;
    if (!profile_store(db, out, !found, seal_text(db, token_context, account->token),
                       seal_text(db, hook_context, account->webhook_secret), now_ms, err)
        || !event_profile(db, EVENT_PROFILE_CONNECTED, out, now_ms, err)
        || !job_hurry_lane(db, out->id, now_ms, err)
        || !profile_schedule_refresh(db, out, now_ms, a, err))
        return false;
    db_signal(db, TOPIC_PROFILE, out->id);
    return true;
}

static bool
unseal_into(struct str context, struct str sealed, struct arena *a, struct str *out, struct error *err)
{
    struct secret plain = { 0 };

    if (sealed.len == 0)
        return true;
    if (!unseal(&config.keys, context, sealed, &plain))
        return error_set(err, 500, "A stored token cannot be opened with this PARLEY_SECRET_KEY; start with the key "
                                   "it was stored with, or connect the profile again");
    *out = arena_copy(a, secret_str(&plain));
    secret_wipe(&plain);
    return true;
}

/* Without its secrets. */
static struct account
account_of(const struct profile *p)
{
    return (struct account){ .id = p->id, .external_id = p->external_id, .alt_external_id = p->alt_external_id,
                             .name = p->name, .username = p->username, .details = p->details,
                             .expires_at = p->expires_at, .refresh_at = p->refresh_at, .hook_url = p->hook_url,
                             .cursor = p->poll_cursor };
}

bool
profile_account(struct db *db, const struct profile *p, struct arena *a, struct account *out, struct error *err)
{
    struct db_rows rows;
    bool ok = true;

    *out = account_of(p);
    if (!db_query(db, profile_secrets_sql, DB_ARGS(db_int(p->id)), &rows, err))
        return false;
    if (db_next(&rows))
        ok = unseal_into(str_of(token_context), db_col_peek(&rows, 0), a, &out->token, err)
            && unseal_into(str_of(hook_context), db_col_peek(&rows, 1), a, &out->webhook_secret, err);
    return db_finish(&rows, ok ? err : &(struct error){ 0 }) && ok;
}

void
profile_copy(const struct profile *p, const struct account *account, struct arena *a, struct profile *p_out,
             struct account *account_out)
{
    static_assert(offsetof(struct profile, status) - offsetof(struct profile, external_id) == sizeof(p->texts)
                  && offsetof(struct profile, details) + sizeof(p->details)
                         == offsetof(struct profile, texts) + sizeof(p->texts), "`texts` is all texts");
    *p_out = *p;
    for (size_t i = 0; i < COUNT(p->texts); i++)
        p_out->texts[i] = arena_copy(a, p->texts[i]);
    *account_out = account_of(p_out);
    account_out->token = arena_copy(a, account->token);
    account_out->webhook_secret = arena_copy(a, account->webhook_secret);
}

void
account_wipe(struct account *account)
{
    /* the texts are copies in an arena, so the const of a slice is only our own politeness */
    if (account->token.ptr)
        explicit_bzero((char *)(uintptr_t)account->token.ptr, account->token.len);
    if (account->webhook_secret.ptr)
        explicit_bzero((char *)(uintptr_t)account->webhook_secret.ptr, account->webhook_secret.len);
}

bool
profile_has_token(struct db *db, int64_t id, struct str used, bool *out, struct error *err)
{
    struct secret plain = { 0 };
    struct db_rows rows;

    *out = false;
    if (!profile_lock(db, id, err) || !db_query(db, profile_token_sql, DB_ARGS(db_int(id)), &rows, err))
        return false;
    if (db_next(&rows) && unseal(&config.keys, str_of(token_context), db_col_peek(&rows, 0), &plain))
        *out = crypto_equal(secret_str(&plain), used);
    secret_wipe(&plain);
    return db_finish(&rows, err);
}

bool
profile_refreshed(struct db *db, int64_t id, struct str used, const struct account *account, int64_t now_ms,
                  struct error *err)
{
    /* a row of its own: whoever is running the refresh finishes the job that asked for it */
    struct job next = { .kind = JOB_REFRESH, .lane_id = id, .record_id = id, .due_at = account->refresh_at };
    bool same;

    if (!profile_has_token(db, id, used, &same, err))
        return false;
    if (!same)
        return true;
    if (!profile_write(db, profile_refreshed_sql,
                       DB_ARGS(db_int(id), db_blob(seal_text(db, token_context, account->token)),
                               db_text(account->details), db_int(account->expires_at), db_int(account->refresh_at)),
                       NULL, err)
        || (account->refresh_at != 0 && !job_add(db, &next, now_ms, err)))
        return false;
    db_signal(db, TOPIC_PROFILE, id);
    return true;
}

bool
profile_expire(struct db *db, int64_t id, struct str reason, int64_t now_ms, struct error *err)
{
    struct arena a;
    struct profile p;
    int64_t changed;
    bool found, ok;

    if (!profile_write(db, profile_expire_sql, DB_ARGS(db_int(id), db_text(reason)), &changed, err))
        return false;
    if (changed == 0)
        return true;
    arena_init(&a);
    ok = profile_get(db, id, &a, &p, &found, err)
        && (!found || event_profile(db, EVENT_PROFILE_DISCONNECTED, &p, now_ms, err));
    arena_deinit(&a);
    if (ok)
        db_signal(db, TOPIC_PROFILE, id);
    return ok;
}

bool
profile_note(struct db *db, int64_t id, struct str detail, struct error *err)
{
    return profile_write(db, profile_note_sql, DB_ARGS(db_int(id), db_text(detail)), NULL, err);
}

bool
profile_subscribed(struct db *db, int64_t id, struct str hook_url, struct str webhook_secret, struct error *err)
{
    if (!profile_write(db, profile_subscribed_sql,
                       DB_ARGS(db_int(id), db_text(hook_url), db_blob(seal_text(db, hook_context, webhook_secret))),
                       NULL, err))
        return false;
    db_signal(db, TOPIC_PROFILE, id);
    return true;
}

bool
profile_set_cursor(struct db *db, int64_t id, struct str cursor, struct error *err)
{
    return profile_write(db, profile_cursor_sql, DB_ARGS(db_int(id), db_text(cursor)), NULL, err);
}

bool
profile_delete(struct db *db, const struct profile *p, int64_t now_ms, struct error *err)
{
    struct profile gone = *p;
    struct job unsubscribe = { .kind = JOB_UNSUBSCRIBE, .lane_id = p->id, .record_id = p->id, .due_at = now_ms };
    struct job erase = { .kind = JOB_ERASE, .lane_id = p->id, .record_id = p->id, .due_at = now_ms };

    gone.status = PROFILE_INACTIVE;
    if (!profile_write(db, profile_hide_sql, DB_ARGS(db_int(p->id), db_int(now_ms)), NULL, err)
        || !job_drop_lane(db, p->id, err)
        || !job_add(db, &unsubscribe, now_ms, err)
        || !job_add(db, &erase, now_ms, err)
        || !event_profile(db, EVENT_PROFILE_DISCONNECTED, &gone, now_ms, err))
        return false;
    db_signal(db, TOPIC_PROFILE, p->id);
    return true;
}
