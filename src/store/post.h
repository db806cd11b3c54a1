/* post.h -- public posts and the comments below them, as far as webhooks told of them: what a private reply answers. */
#ifndef PARLEY_STORE_POST_H
#define PARLEY_STORE_POST_H

#include "store/message.h"

struct post {
    int64_t                id, workspace_id, profile_id;
    const struct platform *platform;
    struct str             external_id, body, permalink;
    int64_t                comments_count, posted_at, created_at;
};

struct comment {
    int64_t                id, workspace_id, profile_id, post_id;
    const struct platform *platform;
    struct str             external_id, parent_external_id, post_external_id, body;
    struct str             author_external_id, author_name, author_username, permalink, platform_data;
    bool                   is_own, is_hidden;
    int64_t                reply_count, posted_at, edited_at, removed_at, created_at;
    struct comment        *replies; /* filled by comment_list and comment_find, oldest first, flat */
    size_t                 replies_loaded;
};

/* By public id or the platform's. 404; 409 with the candidates where the platform's names several and no `profile_id`
 * (0 = none) says whose is meant. */
bool post_find(struct db *db, const struct scope *s, struct str id, int64_t profile_id, struct arena *a,
               struct post *out, struct error *err);
bool post_list(struct db *db, const struct scope *s, int64_t page, int64_t per_page, struct arena *a,
               struct post **out, size_t *n, int64_t *total, struct error *err);

/* Top-level comments of a post, newest first, as a profile sees them; removed ones are not listed. */
bool comment_list(struct db *db, const struct post *p, int64_t profile_id, int64_t page, int64_t per_page,
                  struct arena *a, struct comment **out, size_t *n, int64_t *total, struct error *err);
/* By public id or the platform's, of this profile. *found false: we never saw it. */
bool comment_find(struct db *db, int64_t profile_id, struct str id, struct arena *a, struct comment *out, bool *found,
                  struct error *err);

/* What a webhook told of a comment; order and repetition do not matter. Emits comment.created for a new one that is not
 * our own. */
bool comment_receive(struct db *db, const struct profile *p, const struct inbound_event *e, int64_t now_ms,
                     struct arena *a, bool *stored, struct error *err);

/* The message that answers a comment privately, if there is one that did not fail: there can be one, ever. */
bool comment_private_reply(struct db *db, int64_t profile_id, struct str external_comment_id, struct arena *a,
                           struct message *out, bool *found, struct error *err);

#endif
