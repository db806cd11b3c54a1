/* workspace.h -- whose data it is, and the keys that open it. */
#ifndef PARLEY_STORE_WORKSPACE_H
#define PARLEY_STORE_WORKSPACE_H

#include "base/crypto.h"
#include "db/db.h"

/* What a request may see: one workspace, or one profile group of it. Every look-up by id takes one;
 * what lies outside is "not found". */
struct scope {
    int64_t workspace_id;
    int64_t group_id; /* 0 = all groups */
};

struct api_key {
    int64_t    id, workspace_id, group_id;
    struct str name, hint;
    int64_t    created_at, revoked_at;
};

/* The one workspace of a fresh server is made when it is missing. */
bool workspace_default(struct db *db, int64_t now_ms, int64_t *out, struct error *err);

/* A new key "pk_..." whose text is returned in `out` and kept nowhere. group_id 0 = no limit. */
bool key_create(struct db *db, int64_t workspace_id, int64_t group_id, struct str name, int64_t now_ms,
                struct secret *out, int64_t *out_id, struct error *err);
/* Makes `key` (PARLEY_API_KEY) valid, unless it already is. 400 when it is shorter than 16 characters. */
bool key_bootstrap(struct db *db, int64_t workspace_id, struct str key, int64_t now_ms, struct error *err);
/* *found false for unknown and revoked keys. */
bool key_find(struct db *db, const uint8_t hash[SHA256_SIZE], struct scope *out, int64_t *key_id, bool *found,
              struct error *err);
bool key_is_valid(struct db *db, int64_t key_id, bool *out, struct error *err);
bool key_list(struct db *db, struct arena *a, struct api_key **out, size_t *n, struct error *err);
/* By public id or name; 404 when there is none. Takes effect at once in this process, within a second or two in
 * others. */
bool key_revoke(struct db *db, struct str id_or_name, int64_t now_ms, struct error *err);
/* All that are limited to this group. */
bool key_revoke_of_group(struct db *db, int64_t group_id, int64_t now_ms, struct error *err);

#endif
