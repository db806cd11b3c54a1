/* comment.c -- comments below a Page's posts and an Instagram account's media.
 *
 * The two have little in common but what comes of them. A Page hears of edits and removals too; Instagram tells of new
 * comments alone, and not when they were written, so the entry's time stands for it. Who wrote a comment may be
 * missing, where the app lacks a permission. The author's id need not be the one by which they write messages: only
 * the answer to a private reply tells that one, so the event names no person. */
#include "base/array.h"
#include "platform/meta/inbound.h"

static const struct {
    const char       *name;
    enum comment_verb verb;
} verbs[] = {
    { "add",    COMMENT_ADD },
    { "edited", COMMENT_EDIT },
    { "remove", COMMENT_REMOVE },
    { "hide",   COMMENT_HIDE },
    { "unhide", COMMENT_UNHIDE },
};

static bool
find_verb(struct str name, enum comment_verb *out)
{
    for (size_t i = 0; i < COUNT(verbs); i++) {
        if (!str_eq(name, str_of(verbs[i].name)))
            continue;
        *out = verbs[i].verb;
        return true;
    }
    return false;
}

static struct str
not_empty(struct str text)
{
    return text.len > 0 ? text : STR_NONE;
}

/* ---- a Page's ---- */

/* Until 2017 the author was not an object. */
static void
read_author(struct meta_reader *r, yyjson_val *value, struct inbound_comment *c)
{
    yyjson_val *from = json_obj(value, "from");

    c->author_id = from ? meta_id(r->a, from, "id") : meta_id(r->a, value, "sender_id");
    c->author_name = not_empty(from ? meta_name(from, "name") : meta_name(value, "sender_name"));
    c->is_own = c->author_id.len > 0 && str_eq(c->author_id, r->account_id);
}

/* The picture or film of a comment: links, which expire. */
static struct str
page_data(struct meta_reader *r, yyjson_val *value)
{
    static const char *const kept[] = { "photo", "video" };
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  data;
    bool        any = false;

    buf_init(&buf, META_DATA_MAX);
    json_begin(&w, NULL);
    for (size_t i = 0; i < COUNT(kept); i++) {
        yyjson_val *val = json_get(value, kept[i]);

        if (!val || yyjson_is_null(val))
            continue;
        json_put_val(&w, kept[i], val);
        any = true;
    }
    json_end(&w);
    data = arena_take(r->a, &buf);
    return any ? data : STR_NONE;
}

enum meta_reading
meta_read_page_comment(struct meta_reader *r, yyjson_val *value, struct inbound_event *event)
{
    struct inbound_comment *c = arena_new(r->a, struct inbound_comment);
    struct str              item = json_str(value, "item"), permalink;
    bool                    is_new;

    if (str_is_none(item))
        return META_NOT_UNDERSTOOD;
    if (!str_eq(item, STR("comment")))
        return META_IGNORED;
    c->external_id = meta_id(r->a, value, "comment_id");
    c->post_id = meta_id(r->a, value, "post_id");
    if (c->external_id.len == 0 || json_str(value, "verb").len == 0)
        return META_NOT_UNDERSTOOD;
    if (!find_verb(json_str(value, "verb"), &c->verb))
        return META_IGNORED;
    c->parent_id = meta_id(r->a, value, "parent_id");
    if (str_eq(c->parent_id, c->post_id))
        c->parent_id = STR_NONE;
    c->body = not_empty(meta_text(value, "message"));
    c->posted_ms = meta_time(value, "created_time");
    read_author(r, value, c);
    permalink = json_str(json_obj(value, "post"), "permalink_url");
    if (str_starts(permalink, STR("https://")))
        c->post_permalink = permalink;
    c->platform_data = page_data(r, value);

    /* `created_time` stays what it was when a comment is edited or removed. */
    is_new = c->verb == COMMENT_ADD;
    event->at_ms = is_new || r->entry_ms == 0 ? c->posted_ms : r->entry_ms;
    event->outbound = c->is_own;
    event->external_id = c->external_id;
    event->comment = c;
    return META_TAKEN;
}

/* ---- Instagram's ---- */

/* What kind of media it stands below (an advertisement, say), and whether it was said during a broadcast: such a one
 * can be answered privately only as long as that lasts. */
static struct str
instagram_data(struct meta_reader *r, yyjson_val *media, bool is_live)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    if (yyjson_obj_size(media) < 2 && !is_live)
        return STR_NONE;
    buf_init(&buf, META_DATA_MAX);
    json_begin(&w, NULL);
    if (yyjson_obj_size(media) >= 2)
        json_put_val(&w, "media", media);
    if (is_live)
        json_put_bool(&w, "live", true);
    json_end(&w);
    return arena_take(r->a, &buf);
}

enum meta_reading
meta_read_instagram_comment(struct meta_reader *r, yyjson_val *value, bool is_live, struct inbound_event *event)
{
    struct inbound_comment *c = arena_new(r->a, struct inbound_comment);
    yyjson_val             *from = json_obj(value, "from"), *media = json_obj(value, "media");

    c->verb = COMMENT_ADD;
    c->external_id = meta_id(r->a, value, "id");
    if (c->external_id.len == 0)
        c->external_id = meta_id(r->a, value, "comment_id");
    if (c->external_id.len == 0)
        return META_NOT_UNDERSTOOD;
    c->post_id = meta_id(r->a, media, "id");
    c->parent_id = meta_id(r->a, value, "parent_id");
    if (str_eq(c->parent_id, c->post_id))
        c->parent_id = STR_NONE;
    c->body = not_empty(meta_text(value, "text"));
    c->author_id = meta_id(r->a, from, "id");
    c->author_username = not_empty(meta_name(from, "username"));
    c->is_own = (c->author_id.len > 0 && str_eq(c->author_id, r->account_id))
                || !str_is_none(meta_id(r->a, from, "self_ig_scoped_id"));
    c->posted_ms = r->entry_ms;
    c->platform_data = instagram_data(r, media, is_live);
    event->at_ms = r->entry_ms;
    event->outbound = c->is_own;
    event->external_id = c->external_id;
    event->comment = c;
    return META_TAKEN;
}
