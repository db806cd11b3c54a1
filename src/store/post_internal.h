/* post_internal.h -- what post.c does for comment.c. */
#ifndef PARLEY_STORE_POST_INTERNAL_H
#define PARLEY_STORE_POST_INTERNAL_H

#include "store/post.h"

/* The post a comment names, made when it is new, completed where it was not known. */
bool post_open(struct db *db, const struct profile *p, const struct inbound_comment *c, int64_t now_ms, struct arena *a,
               struct post *out, struct error *err);
bool post_count_comments(struct db *db, int64_t post_id, int delta, struct error *err);

#endif
