/* control_post.c -- posts and the comments under them; see control.h. */
#include "sandbox/meta/control.h"
#include "sandbox/meta/tell.h"

#define TEXT_MAX 8000

static void
put_post(struct json *w, const struct fb_post *p)
{
    char id[64];

    fb_post_id(p, id);
    json_put_str(w, "id", str_of(id));
    json_put_str(w, "text", p->text);
    json_put_bool(w, "live", p->live);
}

static struct fb_post *
path_post(struct fb_account *a, const struct http_exchange *x, struct error *err)
{
    struct fb_post *p = a ? fb_post_get(a->fb, fb_last_number(http_param_get(&x->request, STR("post")))) : NULL;

    if (p && p->account == a)
        return p;
    if (a)
        error_set(err, 404, "there is no such post of this account");
    return NULL;
}

static struct fb_comment *
path_comment(struct fb_account *a, const struct http_exchange *x, struct error *err)
{
    int64_t            id = fb_last_number(http_param_get(&x->request, STR("comment")));
    struct fb_comment *c = a ? fb_comment_get(a->fb, id) : NULL;

    if (c && c->post->account == a && !c->removed)
        return c;
    if (a)
        error_set(err, 404, "there is no such comment on this account's posts");
    return NULL;
}

FB_HANDLER(fb_control_posts)
{
    const struct fb_account *a = fb_control_account(state, x, err);

    if (!a)
        return false;
    json_begin_array(w, "data");
    for (const struct fb_post *p = a->first_post; p; p = p->next) {
        json_begin(w, NULL);
        put_post(w, p);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

FB_HANDLER(fb_control_post)
{
    struct fb_account *a = fb_control_account(state, x, err);
    yyjson_val        *body;
    struct str         text;

    if (!a || !fb_control_body(x, &body, err))
        return false;
    text = json_str(body, "text");
    if (text.len > TEXT_MAX)
        return error_set(err, 400, "text must have at most %d bytes", TEXT_MAX);
    x->reply.status = 201;
    put_post(w, fb_post_add(a, text.ptr ? text : STR(""), json_true(body, "live")));
    fb_show(state, "comments");
    return true;
}

FB_HANDLER(fb_control_comments)
{
    const struct fb_post *p = path_post(fb_control_account(state, x, err), x, err);

    if (!p)
        return false;
    json_begin_array(w, "data");
    for (const struct fb_comment *c = p->first; c; c = c->next)
        fb_comment_write(c, w, NULL);
    json_end_array(w);
    return true;
}

/* Who comments: a person, or nobody for the account itself. */
static bool
find_commenter(struct fb_account *a, yyjson_val *body, struct fb_person **out, struct error *err)
{
    int64_t id = fb_control_id(body, "user");

    *out = NULL;
    if (!json_get(body, "user") || id == a->id)
        return true;
    *out = fb_scoped_person(a, id);
    if (!*out)
        *out = fb_person_get(a->fb, id);
    return *out || error_set(err, 400, "user is nobody; POST /sandbox/meta/people makes one");
}

FB_HANDLER(fb_control_comment)
{
    struct fb_account *a = fb_control_account(state, x, err);
    struct fb_post    *p = path_post(a, x, err);
    yyjson_val        *body;
    struct fb_comment *parent = NULL, *c;
    struct fb_person  *person;
    struct str         text;

    if (!p || !fb_control_body(x, &body, err) || !find_commenter(a, body, &person, err))
        return false;
    text = json_str(body, "text");
    if (json_get(body, "parent_id"))
        parent = fb_comment_get(state, fb_last_number(json_str(body, "parent_id")));
    if (json_get(body, "parent_id") && (!parent || parent->post != p))
        return error_set(err, 400, "parent_id names no comment under this post");
    if (text.len > TEXT_MAX || (text.len == 0 && json_str(body, "photo").len == 0))
        return error_set(err, 400, "text must have 1 to %d bytes, or photo an address", TEXT_MAX);
    c = fb_comment_add(p, parent ? parent->id : 0, person, text.ptr ? text : STR(""), json_str(body, "photo"));
    x->reply.status = 201;
    json_put_int(w, "events", fb_tell_comment(c, "add"));
    fb_comment_write(c, w, "comment");
    return true;
}

/* {text} edits it, {hidden} hides it or shows it again. */
FB_HANDLER(fb_control_change_comment)
{
    struct fb_comment *c = path_comment(fb_control_account(state, x, err), x, err);
    yyjson_val        *body;
    struct str         text;
    int                events = 0;

    if (!c || !fb_control_body(x, &body, err))
        return false;
    text = json_str(body, "text");
    if (text.len > TEXT_MAX)
        return error_set(err, 400, "text must have at most %d bytes", TEXT_MAX);
    if (!str_is_none(text)) {
        own_set(&c->text, text);
        events += fb_tell_comment(c, "edited");
    }
    if (yyjson_is_bool(json_get(body, "hidden")) && c->hidden != json_true(body, "hidden")) {
        c->hidden = json_true(body, "hidden");
        events += fb_tell_comment(c, c->hidden ? "hide" : "unhide");
    }
    json_put_int(w, "events", events);
    fb_comment_write(c, w, "comment");
    return true;
}

FB_HANDLER(fb_control_remove_comment)
{
    struct fb_comment *c = path_comment(fb_control_account(state, x, err), x, err);

    if (!c)
        return false;
    c->removed = true;
    json_put_int(w, "events", fb_tell_comment(c, "remove"));
    fb_comment_write(c, w, "comment");
    return true;
}
