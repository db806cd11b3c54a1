/* posts.c -- public posts and their comments, as far as webhooks told of them; only ever read here. */
#include "api/posts.h"

#include "api/handlers.h"
#include "api/query.h"
#include "api/reply.h"
#include "base/id.h"
#include "store/view.h"

bool
list_posts(struct db *db, struct call *call, struct error *err)
{
    struct post *posts;
    struct json  w;
    int64_t      page, per_page, total;
    size_t       n;

    if (!query_page(&call->x->request, call->arena, &page, &per_page, err)
        || !post_list(db, &call->scope, page, per_page, call->arena, &posts, &n, &total, err))
        return false;
    reply_list_begin(call, &w, total, page, per_page);
    for (size_t i = 0; i < n; i++)
        view_post(&w, NULL, &posts[i]);
    reply_list_end(&w);
    return true;
}

bool
show_post(struct db *db, struct call *call, struct error *err)
{
    struct post post;
    struct json w;

    if (!post_find(db, &call->scope, call_param(call, "id"), 0, call->arena, &post, err))
        return false;
    reply_begin(call, 200, &w);
    view_post(&w, NULL, &post);
    return true;
}

/* ---- comments ---- */

bool
profile_from_query(struct db *db, struct call *call, struct profile *out, struct error *err)
{
    struct str id = call_query(call, "profile_id");

    return body_needs(id.len > 0 ? id : STR_NONE, "profile_id", err)
        && profile_find(db, &call->scope, id, call->arena, out, err);
}

bool
is_post_of(struct str post_id, const struct comment *c)
{
    int64_t id;

    return str_eq(post_id, c->post_external_id) || (id_parse(ID_POST, post_id, &id) && id == c->post_id);
}

bool
list_comments(struct db *db, struct call *call, struct error *err)
{
    struct profile  profile;
    struct post     post;
    struct comment *comments;
    struct json     w;
    int64_t         page, per_page, total;
    size_t          n;

    if (!query_page(&call->x->request, call->arena, &page, &per_page, err)
        || !profile_from_query(db, call, &profile, err)
        || !post_find(db, &call->scope, call_param(call, "post_id"), profile.id, call->arena, &post, err)
        || !comment_list(db, &post, profile.id, page, per_page, call->arena, &comments, &n, &total, err))
        return false;
    reply_list_begin(call, &w, total, page, per_page);
    for (size_t i = 0; i < n; i++)
        view_comment(&w, NULL, &comments[i]);
    reply_list_end(&w);
    return true;
}

bool
show_comment(struct db *db, struct call *call, struct error *err)
{
    struct profile profile;
    struct comment comment;
    struct json    w;
    bool           found;

    if (!profile_from_query(db, call, &profile, err)
        || !comment_find(db, profile.id, call_param(call, "id"), call->arena, &comment, &found, err))
        return false;
    if (!found || !is_post_of(call_param(call, "post_id"), &comment))
        return error_set(err, 404, "There is no such comment below this post");
    reply_begin(call, 200, &w);
    view_comment(&w, NULL, &comment);
    return true;
}
