/* profile.h -- a connected account, and the groups accounts are kept in. */
#ifndef PARLEY_STORE_PROFILE_H
#define PARLEY_STORE_PROFILE_H

#include "base/crypto.h"
#include "platform/platform.h"
#include "store/workspace.h"

enum profile_status { PROFILE_ACTIVE = 1, PROFILE_EXPIRED, PROFILE_INACTIVE, PROFILE_STATUSES };
extern const char *const profile_status_names[PROFILE_STATUSES];

struct group {
    int64_t    id, workspace_id;
    struct str name;
    int64_t    profiles_count, created_at;
};

struct profile {
    int64_t                id, workspace_id, group_id;
    const struct platform *platform;
    union {
        struct {
            struct str external_id, alt_external_id, username, name, status_detail, hook_url, poll_cursor;
            struct str details; /* as in struct account */
        };
        struct str texts[8]; /* all of them, so that a copy leaves none out */
    };
    enum profile_status    status;
    int64_t                expires_at, refresh_at; /* of its credentials; 0 = not known, never */
    int64_t                chats_count, posts_count, created_at;
};

/* Groups. Look-ups answer 404 for what the scope does not hold. Deleting one that holds profiles is a 409; the API keys
 * and webhooks that are limited to it end with it. */
bool group_create(struct db *db, const struct scope *s, struct str name, int64_t now_ms, struct arena *a,
                  struct group *out, struct error *err);
bool group_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct group *out,
                struct error *err);
bool group_list(struct db *db, const struct scope *s, struct arena *a, struct group **out, size_t *n,
                struct error *err);
bool group_delete(struct db *db, const struct group *g, int64_t now_ms, struct error *err);

/* Profiles. Deleted ones are not found. */
bool profile_find(struct db *db, const struct scope *s, struct str id, struct arena *a, struct profile *out,
                  struct error *err);
bool profile_get(struct db *db, int64_t id, struct arena *a, struct profile *out, bool *found, struct error *err);
/* The same, or as one of those who share the commit has found it, but for its counters; its texts may live only until
 * the commit. For what is asked with every message. */
bool profile_get_shared(struct db *db, int64_t id, struct arena *a, struct profile *out, bool *found,
                        struct error *err);
/* The same, but also one that was deleted and is still being cleared away. */
bool profile_get_deleted(struct db *db, int64_t id, struct arena *a, struct profile *out, bool *found,
                         struct error *err);
/* From here to the commit nobody else changes its row; for who decides by its credentials. */
bool profile_lock(struct db *db, int64_t id, struct error *err);
bool profile_by_account(struct db *db, int64_t workspace_id, const char *platform, struct str external_id,
                        struct arena *a, struct profile *out, bool *found, struct error *err);
/* All of any workspace that an app's webhook may mean by this id; at most PROFILES_OF_ACCOUNT_MAX. */
#define PROFILES_OF_ACCOUNT_MAX 100
bool profile_list_of_account(struct db *db, const char *platform, struct str external_id, struct arena *a,
                             struct profile **out, size_t *n, struct error *err);
bool profile_list(struct db *db, const struct scope *s, struct arena *a, struct profile **out, size_t *n,
                  struct error *err);
/* Every profile that is to be polled or checked, of all workspaces. */
bool profile_list_all(struct db *db, struct arena *a, struct profile **out, size_t *n, struct error *err);

/* Connects an account for the first time or again: a new row with id `id`, or new credentials and
 * status active for the one there is (whose id and group stay). Emits profile.connected, lets what
 * waited for the reconnect go, and queues the refresh of its credentials. `account` carries
 * everything but `id`; a cursor only begins a poll that had none. */
bool profile_connect(struct db *db, int64_t workspace_id, int64_t group_id, int64_t id, const struct platform *platform,
                     const struct account *account, int64_t now_ms, struct arena *a, struct profile *out,
                     struct error *err);

/* The account with its secrets unsealed into `a`; wipe with account_wipe() when done. */
bool profile_account(struct db *db, const struct profile *p, struct arena *a, struct account *out, struct error *err);
/* Both, with all their texts in `a`. */
void profile_copy(const struct profile *p, const struct account *account, struct arena *a, struct profile *p_out,
                  struct account *account_out);
void account_wipe(struct account *account);

/* Whether the account still has the token `used`; from here to the commit it gets no other. False in *out also when it
 * was deleted. */
bool profile_has_token(struct db *db, int64_t id, struct str used, bool *out, struct error *err);

/* Fresh credentials from OP_REFRESH: token, details, expires_at, refresh_at of `account`; the next refresh is queued,
 * as a job besides the caller's. Nothing when the credentials were replaced by a reconnect since `used`, the token that
 * was refreshed. */
bool profile_refreshed(struct db *db, int64_t id, struct str used, const struct account *account, int64_t now_ms,
                       struct error *err);
/* The platform says the token is no longer valid: status expired, profile.disconnected, queued
 * sends wait. Nothing when it already is. */
bool profile_expire(struct db *db, int64_t id, struct str reason, int64_t now_ms, struct error *err);
/* A sentence shown with the profile that does not change its status (NULL-like none clears it). */
bool profile_note(struct db *db, int64_t id, struct str detail, struct error *err);
/* The platform now sends to this address, with the profile's webhook secret (none: it is polled). */
bool profile_subscribed(struct db *db, int64_t id, struct str hook_url, struct str webhook_secret, struct error *err);
bool profile_set_cursor(struct db *db, int64_t id, struct str cursor, struct error *err);

/* Hides it at once, emits profile.disconnected, and queues removing the platform's subscription and
 * erasing what it held. */
bool profile_delete(struct db *db, const struct profile *p, int64_t now_ms, struct error *err);
/* Erases a bounded piece of a deleted profile; *more tells whether anything is left. Media objects
 * to remove are in *media. */
bool profile_erase_some(struct db *db, int64_t id, struct arena *a, struct str **media, size_t *media_count, bool *more,
                        struct error *err);

#endif
