/* group.c -- profile groups; declared in profile.h, since they only exist to hold profiles. */
#include "base/id.h"
#include "store/profile.h"
#include "store/webhook.h"

#define GROUP_COLUMNS                                                                                     \
    "g.id, g.workspace_id, g.name, g.created_at,"                                                         \
    " (SELECT COUNT(*) FROM profile p WHERE p.group_id = g.id AND p.deleted_at = 0)"

static const char group_insert_sql[] =
    "INSERT INTO profile_group (id, workspace_id, name, created_at) VALUES ($1, $2, $3, $4)";
static const char group_find_sql[] =
    "SELECT " GROUP_COLUMNS " FROM profile_group g"
    " WHERE g.id = $1 AND g.workspace_id = $2 AND ($3 = 0 OR g.id = $3)";
static const char group_list_sql[] =
    "SELECT " GROUP_COLUMNS " FROM profile_group g"
    " WHERE g.workspace_id = $1 AND ($2 = 0 OR g.id = $2) ORDER BY g.id";
static const char group_delete_sql[] = "DELETE FROM profile_group WHERE id = $1";
static const char group_webhook_sql[] = "SELECT id FROM webhook WHERE workspace_id = $1 AND group_id = $2 LIMIT 1";
static const char group_in_use_sql[] = "SELECT COUNT(*) FROM profile WHERE group_id = $1 AND deleted_at = 0";

static void
group_from_row(struct db_rows *rows, struct arena *a, struct group *out)
{
    *out = (struct group){
        .id             = db_col_int(rows, 0),
        .workspace_id   = db_col_int(rows, 1),
        .name           = db_col_text(rows, 2, a),
        .created_at     = db_col_int(rows, 3),
        .profiles_count = db_col_int(rows, 4),
    };
}

bool
group_create(struct db *db, const struct scope *s, struct str name, int64_t now_ms, struct arena *a,
             struct group *out, struct error *err)
{
    *out = (struct group){
        .id = id_generate(now_ms), .workspace_id = s->workspace_id, .name = arena_copy(a, name), .created_at = now_ms
    };
    return db_exec(db, group_insert_sql,
                   DB_ARGS(db_int(out->id), db_int(s->workspace_id), db_text(name), db_int(now_ms)), NULL, err);
}

bool
group_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct group *out, struct error *err)
{
    struct db_rows rows;
    int64_t key = 0;
    bool found;

    if (!id_parse(ID_GROUP, id, &key))
        return error_set(err, 404, "There is no profile group '%.*s'", STR_ARG(str_slice(id, 0, 80)));
    if (!db_query(db, group_find_sql, DB_ARGS(db_int(key), db_int(s->workspace_id), db_int(s->group_id)), &rows, err))
        return false;
    found = db_next(&rows);
    if (found)
        group_from_row(&rows, a, out);
    if (!db_finish(&rows, err))
        return false;
    return found || error_set(err, 404, "There is no profile group '%.*s'", STR_ARG(str_slice(id, 0, 80)));
}

bool
group_list(struct db *db, const struct scope *s, struct arena *a, struct group **out, size_t *n, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, group_list_sql, DB_ARGS(db_int(s->workspace_id), db_int(s->group_id)), &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        group_from_row(&rows, a, &(*out)[(*n)++]);
    }
    return db_finish(&rows, err);
}

static bool
group_delete_webhooks(struct db *db, const struct group *g, int64_t now_ms, struct error *err)
{
    struct webhook w = { .workspace_id = g->workspace_id, .group_id = g->id };
    bool found = true;

    while (found)
        if (!db_get_int(db, group_webhook_sql, DB_ARGS(db_int(g->workspace_id), db_int(g->id)), &w.id, &found, err)
            || (found && !webhook_delete(db, &w, now_ms, err)))
            return false;
    return true;
}

bool
group_delete(struct db *db, const struct group *g, int64_t now_ms, struct error *err)
{
    int64_t used = 0;

    if (!db_get_int(db, group_in_use_sql, DB_ARGS(db_int(g->id)), &used, NULL, err))
        return false;
    if (used > 0)
        return error_set(err, 409, "The profile group still holds profiles (%lld); delete them first",
                         (long long)used);
    return group_delete_webhooks(db, g, now_ms, err)
        && key_revoke_of_group(db, g->id, now_ms, err)
        && db_exec(db, group_delete_sql, DB_ARGS(db_int(g->id)), NULL, err);
}
