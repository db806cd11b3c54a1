/* private_reply.c -- POST /api/posts/:post_id/comments/:id/private_reply: a direct message to who wrote a comment.
 *
 * It may name a comment no webhook told us of. Then the platform decides whether it can be answered, and says who wrote
 * it; until then the chat's participant is the comment. */
#include "api/handlers.h"
#include "api/limits.h"
#include "api/posts.h"
#include "api/reply.h"

#define TEXT_MAX_BYTES  (64 * KIB)
#define REPLY_WITHIN_MS ((int64_t)7 * 24 * 3600 * 1000) /* Meta's rule for both platforms */

static bool
no_such_comment(struct error *err)
{
    return error_set(err, 404, "There is no such comment below this post");
}

/* *found false: it is the platform's to know. */
static bool
comment_from_path(struct db *db, struct call *call, const struct profile *p, struct comment *out, bool *found,
                  struct error *err)
{
    struct str  post_id = call_param(call, "post_id"), id = call_param(call, "id");
    struct post post;

    if (!comment_find(db, p->id, id, call->arena, out, found, err))
        return false;
    if (*found)
        return is_post_of(post_id, out) || no_such_comment(err);
    if (str_starts(id, STR("cmt_"))) /* an id of ours names only what is there */
        return no_such_comment(err);
    return !str_starts(post_id, STR("post_"))
        || (post_find(db, &call->scope, post_id, p->id, call->arena, &post, err)
            && (post.profile_id == p->id || no_such_comment(err)));
}

static bool
may_answer(const struct comment *c, int64_t now_ms, struct error *err)
{
    if (c->is_own)
        return error_set(err, 422, "The comment is the account's own");
    if (c->removed_at != 0)
        return error_set(err, 422, "The comment was deleted");
    if (c->posted_at != 0 && now_ms - c->posted_at > REPLY_WITHIN_MS)
        return error_set(err, 422, "The comment is more than 7 days old, so it can no longer be answered privately");
    return true;
}

static bool
is_first_reply(struct db *db, struct call *call, const struct profile *p, struct str comment_id, struct error *err)
{
    struct message earlier;
    bool           found;

    if (!comment_private_reply(db, p->id, comment_id, call->arena, &earlier, &found, err))
        return false;
    return !found || error_set(err, 422, "The comment was answered privately before; %s allows that once",
                               p->platform->title);
}

/* Whom it goes to, as far as that is known. */
static struct participant
author_of(const struct comment *c, bool is_known, struct str comment_id, struct arena *a)
{
    if (is_known && c->author_external_id.len > 0)
        return (struct participant){ .external_id = c->author_external_id, .name = c->author_name,
                                     .username = c->author_username };
    return (struct participant){ .external_id = arena_printf(a, "comment:%.*s", STR_ARG(comment_id)) };
}

/* What can be said before anything is looked up. */
static bool
check_request(struct call *call, const struct profile *p, struct str text, struct error *err)
{
    if (!(p->platform->can & CAN_PRIVATE_REPLY))
        return error_set(err, 422, "Private replies are only supported on Facebook and Instagram");
    return limit_account(p->platform, p->status, p->status_detail, err)
        && limit_text(p->platform, text, false, err)
        && (call_param(call, "id").len <= BODY_ID_MAX || no_such_comment(err));
}

/* The messaging window does not count here. Of two calls at once the second waits for the chat, and then sees the
 * first's reply. */
static bool
accept_reply(struct db *db, struct call *call, const struct profile *p, const struct participant *who,
             struct str comment_id, struct str text, struct error *err)
{
    struct draft   draft = { .body = text, .external_comment_id = comment_id };
    struct chat    chat;
    struct message m;
    bool           created;

    return chat_open(db, p, who, STR_NONE, call->now_ms, call->arena, &chat, &created, err)
        && chat_lock(db, chat.id, err)
        && is_first_reply(db, call, p, comment_id, err)
        && message_accept(db, &chat, &draft, call->now_ms, call->arena, &m, err)
        && reply_message(call, 202, &m);
}

bool
private_reply(struct db *db, struct call *call, struct error *err)
{
    struct str         profile_id = call_query(call, "profile_id"), text, comment_id;
    struct profile     p;
    struct comment     c = { 0 };
    struct participant author;
    bool               is_known;

    if (!body_needs(profile_id.len > 0 ? profile_id : STR_NONE, "profile_id", err)
        || !body_text(call->body.json, "text", TEXT_MAX_BYTES, &text, err)
        || !body_needs(text, "text", err)
        || !profile_from_query(db, call, &p, err)
        || !check_request(call, &p, text, err)
        || !comment_from_path(db, call, &p, &c, &is_known, err)
        || (is_known && !may_answer(&c, call->now_ms, err)))
        return false;
    comment_id = is_known ? c.external_id : call_param(call, "id");
    if (!is_first_reply(db, call, &p, comment_id, err))
        return false;
    author = author_of(&c, is_known, comment_id, call->arena);
    return accept_reply(db, call, &p, &author, comment_id, text, err);
}
