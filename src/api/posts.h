/* posts.h -- posts and comments as paths name them. */
#ifndef PARLEY_API_POSTS_H
#define PARLEY_API_POSTS_H

#include "api/call.h"
#include "store/post.h"

/* ?profile_id=, which must be given: 400, 404. */
bool profile_from_query(struct db *db, struct call *call, struct profile *out, struct error *err);

/* Whether a path's :post_id, Parley's own or the platform's, names the comment's post. */
bool is_post_of(struct str post_id, const struct comment *c);

#endif
