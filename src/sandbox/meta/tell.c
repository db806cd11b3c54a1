/* tell.c -- see tell.h. */
#include "sandbox/meta/tell.h"

#include <stdio.h>

/* ---- for those who watch ---- */

void
fb_show_chat(const struct fb_chat *chat, const char *what, struct str members)
{
    struct fb  *fb = chat->account->fb;
    struct buf  b;
    struct json w;

    if (!stage_is_watched(fb->stage))
        return;
    stage_begin_event(&w, &b, what);
    stage_put_id(&w, "account", chat->account->id);
    stage_put_id(&w, "user", chat->scoped_id);
    stage_put_members(&w, members);
    stage_end_event(fb->stage, "meta", &w);
}

void
fb_show_message_change(const struct fb_message *m, const char *what)
{
    struct buf  b;
    struct json w = { .buf = &b };

    if (!stage_is_watched(m->chat->account->fb->stage))
        return;
    buf_init(&b, MIB);
    fb_message_write_seen(m, &w, "message");
    if (buf_ok(&b))
        fb_show_chat(m->chat, what, buf_str(&b));
    buf_deinit(&b);
}

void
fb_show(struct fb *fb, const char *what)
{
    struct buf  b;
    struct json w;

    if (!stage_is_watched(fb->stage))
        return;
    stage_begin_event(&w, &b, what);
    stage_end_event(fb->stage, "meta", &w);
}

/* ---- events of chats ---- */

static void
write_frame(struct json *w, const struct fb_chat *chat, bool by_person, int64_t at_ms)
{
    const struct fb_account *a = chat->account;

    json_begin(w, "sender");
    stage_put_id(w, "id", by_person ? chat->scoped_id : a->id);
    json_end(w);
    json_begin(w, "recipient");
    stage_put_id(w, "id", by_person ? a->id : chat->scoped_id);
    json_end(w);
    json_put_int(w, "timestamp", at_ms);
}

/* An entry with one item; when another app has control of the threads, it comes as "standby". */
static int
push_item(struct fb_chat *chat, enum fb_field field, struct str item, struct fb_call *waiter)
{
    struct fb_account *a = chat->account;
    struct buf         b;
    struct json        w = { .buf = &b };
    int                pushed;

    buf_init(&b, MIB);
    json_begin(&w, NULL);
    stage_put_id(&w, "id", a->id);
    json_put_int(&w, "time", fb_now_ms(a->fb));
    json_begin_array(&w, a->thread_owner > 0 ? "standby" : "messaging");
    json_put_raw(&w, NULL, item);
    json_end_array(&w);
    json_end(&w);
    pushed = fb_hook_push(a, a->thread_owner > 0 ? FB_STANDBY : field, buf_str(&b), chat->scoped_id, waiter);
    buf_deinit(&b);
    return pushed;
}

int
fb_tell(struct fb_chat *chat, enum fb_field field, bool by_person, int64_t at_ms, struct str members,
    struct fb_call *waiter)
{
    struct buf  b;
    struct json w = { .buf = &b };
    int         pushed;

    buf_init(&b, MIB);
    json_begin(&w, NULL);
    write_frame(&w, chat, by_person, at_ms);
    stage_put_members(&w, members);
    json_end(&w);
    pushed = push_item(chat, field, buf_str(&b), waiter);
    buf_deinit(&b);
    return pushed;
}

/* Instagram does this to new messages, since 2025: an edit that is none, without sender and recipient. */
static void
tell_oddity(const struct fb_message *m)
{
    struct buf  b;
    struct json w = { .buf = &b };

    buf_init(&b, 8 * KIB);
    json_begin(&w, NULL);
    json_put_int(&w, "timestamp", m->at_ms);
    json_begin(&w, "message_edit");
    json_put_str(&w, "mid", m->mid);
    json_put_int(&w, "num_edit", 0);
    json_end(&w);
    json_end(&w);
    push_item(m->chat, FB_EDITS, buf_str(&b), NULL);
    buf_deinit(&b);
}

static int
tell_message(const struct fb_message *m, int64_t at_ms, struct fb_call *waiter)
{
    struct buf    b;
    struct json   w = { .buf = &b };
    bool          echo = !m->by_person && !fb_is_instagram(m->chat->account);
    int           pushed;

    buf_init(&b, MIB);
    json_begin(&w, "message");
    fb_message_write(m, &w);
    json_end(&w);
    pushed = fb_tell(m->chat, echo ? FB_ECHOES : FB_MESSAGES, m->by_person, at_ms, buf_str(&b), waiter);
    buf_deinit(&b);
    return pushed;
}

int
fb_tell_message(const struct fb_message *m, struct fb_call *waiter)
{
    const struct fb_account *a = m->chat->account;

    fb_show_message_change(m, "message");
    if (m->by_person && fb_is_instagram(a) && a->fb->settings.edit_oddity)
        tell_oddity(m);
    return tell_message(m, m->at_ms, waiter);
}

int
fb_tell_unsent(const struct fb_message *m)
{
    fb_show_message_change(m, "changed");
    return tell_message(m, fb_now_ms(m->chat->account->fb), NULL);
}

int
fb_tell_edit(const struct fb_message *m)
{
    struct buf  b;
    struct json w = { .buf = &b };
    int         pushed;

    fb_show_message_change(m, "changed");
    buf_init(&b, MIB);
    json_begin(&w, "message_edit");
    json_put_str(&w, "mid", m->mid);
    json_put_str(&w, "text", m->text);
    json_put_int(&w, "num_edit", m->num_edit);
    json_end(&w);
    pushed = fb_tell(m->chat, FB_EDITS, m->by_person, fb_now_ms(m->chat->account->fb), buf_str(&b), NULL);
    buf_deinit(&b);
    return pushed;
}

int
fb_tell_reaction(const struct fb_message *m, struct str name, struct str emoji, bool is_new)
{
    struct buf  b;
    struct json w = { .buf = &b };
    int         pushed;

    fb_show_message_change(m, "changed");
    buf_init(&b, 8 * KIB);
    json_begin(&w, "reaction");
    json_put_str(&w, "mid", m->mid);
    json_put_str(&w, "action", is_new ? STR("react") : STR("unreact"));
    if (is_new) {
        json_put_str(&w, "reaction", name);
        json_put_str(&w, "emoji", emoji);
    }
    json_end(&w);
    pushed = fb_tell(m->chat, FB_REACTIONS, true, fb_now_ms(m->chat->account->fb), buf_str(&b), NULL);
    buf_deinit(&b);
    return pushed;
}

int
fb_tell_read(struct fb_chat *chat, const struct fb_message *last)
{
    struct buf  b;
    struct json w = { .buf = &b };
    int         pushed;

    buf_init(&b, 8 * KIB);
    json_begin(&w, "read");
    if (fb_is_instagram(chat->account))
        json_put_str(&w, "mid", last->mid);
    else
        json_put_int(&w, "watermark", last->at_ms);
    json_end(&w);
    pushed = fb_tell(chat, FB_READS, true, fb_now_ms(chat->account->fb), buf_str(&b), NULL);
    buf_deinit(&b);
    return pushed;
}

int
fb_tell_delivery(const struct fb_message *m)
{
    struct buf  b;
    struct json w = { .buf = &b };
    int         pushed;

    if (fb_is_instagram(m->chat->account))
        return 0; /* which has no such thing */
    buf_init(&b, 8 * KIB);
    json_begin(&w, "delivery");
    json_begin_array(&w, "mids");
    json_put_str(&w, NULL, m->mid);
    json_end_array(&w);
    json_put_int(&w, "watermark", m->at_ms);
    json_end(&w);
    pushed = fb_tell(m->chat, FB_DELIVERIES, true, fb_now_ms(m->chat->account->fb), buf_str(&b), NULL);
    buf_deinit(&b);
    return pushed;
}

/* ---- comments ---- */

static void
write_page_comment(const struct fb_comment *c, const char *verb, struct json *w)
{
    const struct fb_account *a = c->post->account;
    const struct fb_comment *parent = fb_comment_get(a->fb, c->parent);
    bool                     removed = str_eq(str_of(verb), STR("remove"));
    char                     id[64], post[64];

    fb_comment_id(c, id);
    fb_post_id(c->post, post);
    json_begin(w, "from");
    stage_put_id(w, "id", fb_commenter_id(c));
    json_put_str(w, "name", c->person ? c->person->name : a->name);
    json_end(w);
    json_put_str(w, "item", STR("comment"));
    json_put_str(w, "verb", str_of(verb));
    json_put_str(w, "comment_id", str_of(id));
    json_put_str(w, "post_id", str_of(post));
    if (parent)
        fb_comment_id(parent, post);
    json_put_str(w, "parent_id", str_of(post));
    json_put_int(w, "created_time", c->at_ms / 1000);
    if (!removed && c->text.len > 0)
        json_put_str(w, "message", c->text);
    if (!removed && !str_is_none(c->photo))
        json_put_str(w, "photo", c->photo);
}

static void
write_instagram_comment(const struct fb_comment *c, struct json *w)
{
    const struct fb_account *a = c->post->account;

    json_begin(w, "from");
    stage_put_id(w, "id", fb_commenter_id(c));
    json_put_str(w, "username", c->person ? c->person->username : a->username);
    json_end(w);
    json_begin(w, "media");
    stage_put_id(w, "id", c->post->id);
    json_put_str(w, "media_product_type", STR("FEED"));
    json_end(w);
    stage_put_id(w, "id", c->id);
    if (c->parent > 0)
        stage_put_id(w, "parent_id", c->parent);
    if (c->text.len > 0)
        json_put_str(w, "text", c->text);
}

int
fb_tell_comment(const struct fb_comment *c, const char *verb)
{
    struct fb_account *a = c->post->account;
    enum fb_field      field = c->post->live ? FB_LIVE_COMMENTS : FB_COMMENTS;
    struct buf         b;
    struct json        w = { .buf = &b };
    int                pushed;

    fb_show(a->fb, "comments");
    if (fb_is_instagram(a) && !str_eq(str_of(verb), STR("add")))
        return 0;
    if (!fb_is_instagram(a))
        field = FB_COMMENTS;
    buf_init(&b, MIB);
    json_begin(&w, NULL);
    stage_put_id(&w, "id", a->id);
    json_put_int(&w, "time", fb_now_ms(a->fb) / 1000);
    json_begin_array(&w, "changes");
    json_begin(&w, NULL);
    json_put_str(&w, "field", str_of(fb_field_name(a->object, field)));
    json_begin(&w, "value");
    if (fb_is_instagram(a))
        write_instagram_comment(c, &w);
    else
        write_page_comment(c, verb, &w);
    json_end(&w);
    json_end(&w);
    json_end_array(&w);
    json_end(&w);
    pushed = fb_hook_push(a, field, buf_str(&b), c->id, NULL);
    buf_deinit(&b);
    return pushed;
}
