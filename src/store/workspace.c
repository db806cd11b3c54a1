/* workspace.c -- see workspace.h. */
#include "store/workspace.h"

#include "base/id.h"
#include "base/random.h"
#include "store/job.h"

#define KEY_LENGTH_MIN 16
#define KEY_RANDOM     32

static const char workspace_first_sql[] = "SELECT id FROM workspace ORDER BY id LIMIT 1";
static const char workspace_insert_sql[] = "INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3)";
static const char key_insert_sql[] =
    "INSERT INTO api_key (id, workspace_id, group_id, name, hash, hint, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO UPDATE SET revoked_at = 0";
static const char key_by_hash_sql[] =
    "SELECT id, workspace_id, group_id FROM api_key WHERE hash = $1 AND revoked_at = 0";
static const char key_valid_sql[] = "SELECT 1 FROM api_key WHERE id = $1 AND revoked_at = 0";
static const char key_list_sql[] =
    "SELECT id, workspace_id, group_id, name, hint, created_at, revoked_at FROM api_key ORDER BY id";
static const char key_revoke_sql[] =
    "UPDATE api_key SET revoked_at = $1 WHERE (id = $2 OR name = $3) AND revoked_at = 0";
static const char key_revoke_of_group_sql[] =
    "UPDATE api_key SET revoked_at = $2 WHERE group_id = $1 AND revoked_at = 0";

bool
workspace_default(struct db *db, int64_t now_ms, int64_t *out, struct error *err)
{
    bool found;

    if (!db_get_int(db, workspace_first_sql, DB_NO_ARGS, out, &found, err))
        return false;
    if (found)
        return true;
    *out = id_generate(now_ms);
    return db_exec(db, workspace_insert_sql, DB_ARGS(db_int(*out), db_text(STR("default")), db_int(now_ms)), NULL,
                   err);
}

static bool
key_insert(struct db *db, int64_t workspace_id, int64_t group_id, struct str name, struct str key, int64_t now_ms,
           int64_t *out_id, struct error *err)
{
    uint8_t hash[SHA256_SIZE];

    sha256(key, hash);
    *out_id = id_generate(now_ms);
    return db_exec(db, key_insert_sql,
                   DB_ARGS(db_int(*out_id), db_int(workspace_id), db_int(group_id), db_text(name),
                           db_blob((struct str){ (const char *)hash, sizeof(hash) }),
                           db_text(str_from(key, key.len - 4)), db_int(now_ms)),
                   NULL, err);
}

bool
key_create(struct db *db, int64_t workspace_id, int64_t group_id, struct str name, int64_t now_ms,
           struct secret *out, int64_t *out_id, struct error *err)
{
    uint8_t bytes[KEY_RANDOM];
    struct buf text;
    bool ok;

    random_bytes(bytes, sizeof(bytes));
    buf_init(&text, 128);
    buf_append(&text, STR("pk_"));
    base58_encode(&text, (struct str){ (const char *)bytes, sizeof(bytes) });
    secret_set(out, buf_str(&text));
    buf_deinit(&text);
    ok = key_insert(db, workspace_id, group_id, name, secret_str(out), now_ms, out_id, err);
    if (!ok)
        secret_wipe(out);
    return ok;
}

bool
key_bootstrap(struct db *db, int64_t workspace_id, struct str key, int64_t now_ms, struct error *err)
{
    int64_t id;

    if (key.len < KEY_LENGTH_MIN)
        return error_set(err, 400, "PARLEY_API_KEY must have at least %d characters, not %zu", KEY_LENGTH_MIN,
                         key.len);
    return key_insert(db, workspace_id, 0, STR("PARLEY_API_KEY"), key, now_ms, &id, err);
}

bool
key_find(struct db *db, const uint8_t hash[SHA256_SIZE], struct scope *out, int64_t *key_id, bool *found,
         struct error *err)
{
    struct db_rows rows;

    if (!db_query(db, key_by_hash_sql, DB_ARGS(db_blob((struct str){ (const char *)hash, SHA256_SIZE })), &rows, err))
        return false;
    *found = db_next(&rows);
    if (*found) {
        *key_id = db_col_int(&rows, 0);
        out->workspace_id = db_col_int(&rows, 1);
        out->group_id = db_col_int(&rows, 2);
    }
    return db_finish(&rows, err);
}

bool
key_is_valid(struct db *db, int64_t key_id, bool *out, struct error *err)
{
    int64_t one;

    return db_get_int(db, key_valid_sql, DB_ARGS(db_int(key_id)), &one, out, err);
}

bool
key_list(struct db *db, struct arena *a, struct api_key **out, size_t *n, struct error *err)
{
    struct db_rows rows;
    size_t cap = 0;

    *n = 0;
    *out = NULL;
    if (!db_query(db, key_list_sql, DB_NO_ARGS, &rows, err))
        return false;
    while (db_next(&rows)) {
        *out = arena_more(a, *out, *n, &cap, sizeof(**out));
        (*out)[(*n)++] = (struct api_key){
            .id           = db_col_int(&rows, 0),
            .workspace_id = db_col_int(&rows, 1),
            .group_id     = db_col_int(&rows, 2),
            .name         = db_col_text(&rows, 3, a),
            .hint         = db_col_text(&rows, 4, a),
            .created_at   = db_col_int(&rows, 5),
            .revoked_at   = db_col_int(&rows, 6),
        };
    }
    return db_finish(&rows, err);
}

bool
key_revoke(struct db *db, struct str id_or_name, int64_t now_ms, struct error *err)
{
    int64_t id = 0, changed;

    (void)id_parse(ID_KEY, id_or_name, &id); /* a name otherwise, and 0 is no key's id */
    if (!db_exec(db, key_revoke_sql, DB_ARGS(db_int(now_ms), db_int(id), db_text(id_or_name)), &changed, err))
        return false;
    if (changed == 0)
        return error_set(err, 404, "There is no valid key '%.*s'; `parley key list` shows them", STR_ARG(id_or_name));
    db_signal(db, TOPIC_KEYS, 0);
    return true;
}

bool
key_revoke_of_group(struct db *db, int64_t group_id, int64_t now_ms, struct error *err)
{
    int64_t changed;

    if (!db_exec(db, key_revoke_of_group_sql, DB_ARGS(db_int(group_id), db_int(now_ms)), &changed, err))
        return false;
    if (changed > 0)
        db_signal(db, TOPIC_KEYS, 0);
    return true;
}
