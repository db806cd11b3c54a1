/* posts.c -- posts of Pages and accounts, and the comments under them; see state.h. */
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/meta/state.h"

#define OTHER_IDS INT64_C(500000000000000)

struct fb_post *
fb_post_add(struct fb_account *a, struct str text, bool live)
{
    struct fb_post *p = own_alloc(sizeof(*p));

    *p = (struct fb_post){ .account = a, .id = fb_new_id(a->fb), .text = own_text(text), .live = live };
    if (a->last_post)
        a->last_post->next = p;
    else
        a->first_post = p;
    a->last_post = p;
    return p;
}

struct fb_post *
fb_post_get(const struct fb *fb, int64_t id)
{
    for (struct fb_account *a = fb->first_account; a; a = a->next)
        for (struct fb_post *p = a->first_post; p; p = p->next)
            if (p->id == id)
                return p;
    return NULL;
}

struct fb_comment *
fb_comment_add(struct fb_post *post, int64_t parent, struct fb_person *person, struct str text, struct str photo)
{
    struct fb         *fb = post->account->fb;
    struct fb_comment *c = own_alloc(sizeof(*c));

    *c = (struct fb_comment){ .id = fb_new_id(fb), .post = post, .parent = parent, .person = person,
        .text = own_text(text), .photo = own_text(photo), .at_ms = fb_now_ms(fb) };
    if (post->last)
        post->last->next = c;
    else
        post->first = c;
    post->last = c;
    map_put(&fb->comments, c->id, c);
    return c;
}

struct fb_comment *
fb_comment_get(const struct fb *fb, int64_t id)
{
    return map_get(&fb->comments, id);
}

void
fb_post_id(const struct fb_post *p, char out[64])
{
    if (fb_is_instagram(p->account))
        snprintf(out, 64, "%lld", (long long)p->id);
    else
        snprintf(out, 64, "%lld_%lld", (long long)p->account->id, (long long)p->id);
}

void
fb_comment_id(const struct fb_comment *c, char out[64])
{
    if (fb_is_instagram(c->post->account))
        snprintf(out, 64, "%lld", (long long)c->id);
    else
        snprintf(out, 64, "%lld_%lld", (long long)c->post->id, (long long)c->id);
}

int64_t
fb_last_number(struct str id)
{
    struct str head, tail;
    int64_t    number;

    while (str_cut(id, '_', &head, &tail))
        id = tail;
    return str_to_i64(id, &number) && number > 0 ? number : 0;
}

int64_t
fb_commenter_id(const struct fb_comment *c)
{
    const struct fb_account *a = c->post->account;
    int64_t                  id = c->person ? fb_scoped_id(a, c->person) : a->id;

    return c->person && !fb_is_instagram(a) && a->fb->settings.other_comment_ids ? id + OTHER_IDS : id;
}

void
fb_posts_free(struct fb_account *a)
{
    struct fb_post    *next;
    struct fb_comment *c;

    for (struct fb_post *p = a->first_post; p; p = next) {
        next = p->next;
        while ((c = p->first) != NULL) {
            p->first = c->next;
            own_free(&c->text);
            own_free(&c->photo);
            free(c);
        }
        own_free(&p->text);
        free(p);
    }
}

void
fb_comment_write(const struct fb_comment *c, struct json *w, const char *name)
{
    const struct fb_account *a = c->post->account;
    const struct fb_comment *parent = fb_comment_get(a->fb, c->parent);
    char                     id[64];

    json_begin(w, name);
    fb_comment_id(c, id);
    json_put_str(w, "id", str_of(id));
    fb_post_id(c->post, id);
    json_put_str(w, "post_id", str_of(id));
    if (parent) {
        fb_comment_id(parent, id);
        json_put_str(w, "parent_id", str_of(id));
    }
    json_put_str(w, "text", c->text);
    if (!str_is_none(c->photo))
        json_put_str(w, "photo", c->photo);
    json_put_bool(w, "by_account", c->person == NULL);
    stage_put_id(w, "user", c->person ? fb_scoped_id(a, c->person) : a->id);
    json_put_str(w, "name", c->person ? c->person->name : a->name);
    json_put_int(w, "timestamp", c->at_ms);
    json_put_bool(w, "hidden", c->hidden);
    json_put_bool(w, "removed", c->removed);
    json_put_bool(w, "replied", c->replied);
    json_end(w);
}
