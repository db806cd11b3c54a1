/* view_post.c -- posts and comments as the outside sees them; the rest of view.h is in view.c. */
#include "store/view.h"

void
view_post(struct json *w, const char *name, const struct post *p)
{
    json_begin(w, name);
    view_id(w, "id", ID_POST, p->id);
    json_put_str(w, "body", p->body);
    json_put_str(w, "status", STR("processed"));
    json_put_null(w, "scheduled_at");
    json_put_time(w, "created_at", p->posted_at ? p->posted_at : p->created_at);
    json_begin_array(w, "media");
    json_end_array(w);
    json_begin_array(w, "platforms");
    json_begin(w, NULL);
    json_put_str(w, "platform", str_of(p->platform->name));
    view_id(w, "profile_id", ID_PROFILE, p->profile_id);
    json_put_str(w, "external_id", p->external_id);
    json_put_str(w, "permalink", p->permalink);
    json_put_str(w, "status", STR("published"));
    json_end(w);
    json_end_array(w);
    json_begin_array(w, "thread");
    json_end_array(w);
    json_end(w);
}

static struct str
comment_status(const struct comment *c)
{
    return c->removed_at ? STR("removed") : c->is_hidden ? STR("hidden") : STR("published");
}

void
view_comment(struct json *w, const char *name, const struct comment *c)
{
    json_begin(w, name);
    view_id(w, "id", ID_COMMENT, c->id);
    json_put_str(w, "external_id", c->external_id);
    json_put_str(w, "body", c->body);
    json_put_str(w, "status", comment_status(c));
    json_put_str(w, "author_username", c->author_username.len > 0 ? c->author_username : c->author_name);
    json_put_null(w, "author_avatar_url");
    json_put_str(w, "author_external_id", c->author_external_id);
    json_put_str(w, "parent_external_id", c->parent_external_id);
    json_put_int(w, "like_count", 0);
    json_put_bool(w, "is_hidden", c->is_hidden);
    json_put_str(w, "permalink", c->permalink);
    json_put_raw(w, "platform_data", c->platform_data);
    json_begin_array(w, "attachments");
    json_end_array(w);
    json_put_time(w, "posted_at", c->posted_at);
    json_put_time(w, "created_at", c->created_at);
    json_begin_array(w, "replies");
    for (size_t i = 0; i < c->replies_loaded; i++)
        view_comment(w, NULL, &c->replies[i]);
    json_end_array(w);
    json_end(w);
}

void
view_comment_event(struct json *w, const char *name, const struct comment *c)
{
    json_begin(w, name);
    view_id(w, "id", ID_COMMENT, c->id);
    view_id(w, "post_id", ID_POST, c->post_id);
    json_put_str(w, "platform_post_id", c->post_external_id);
    json_put_str(w, "platform", str_of(c->platform->name));
    json_put_str(w, "external_id", c->external_id);
    json_put_str(w, "parent_external_id", c->parent_external_id);
    json_put_str(w, "body", c->body);
    json_put_str(w, "status", comment_status(c));
    json_put_str(w, "author_external_id", c->author_external_id);
    json_put_str(w, "author_name", c->author_name);
    json_put_str(w, "author_username", c->author_username);
    json_put_null(w, "author_avatar_url");
    json_put_int(w, "like_count", 0);
    json_put_int(w, "reply_count", c->reply_count);
    json_put_bool(w, "is_hidden", c->is_hidden);
    json_put_str(w, "permalink", c->permalink);
    json_put_raw(w, "platform_data", c->platform_data);
    json_put_time(w, "posted_at", c->posted_at);
    json_put_time(w, "created_at", c->created_at);
    json_end(w);
}
