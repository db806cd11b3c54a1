/* read_media.c -- what a message carries, as the Graph API shows it when it is asked; see call.h. */
#include "base/array.h"
#include "sandbox/meta/call.h"

/* Where the Graph API shows it, which has no types. */
enum shown { AMONG_ATTACHMENTS, AS_SHARE, AS_STICKER, AS_MENTION };

static enum shown
shown_as(const struct fb_message *m, struct str type)
{
    static const char *const shares[] = { "fallback", "share", "reel", "ig_reel", "post", "ig_post", "story",
        "ig_story", "media" };

    for (size_t i = 0; i < COUNT(shares); i++)
        if (str_eq(type, str_of(shares[i])))
            return AS_SHARE;
    if (str_eq(type, STR("story_mention")))
        return AS_MENTION;
    return str_eq(type, STR("sticker")) && !fb_is_instagram(m->chat->account) ? AS_STICKER : AMONG_ATTACHMENTS;
}

/* A link to a file of ours is signed anew for everyone who asks. */
static struct str
link_of(struct fb_call *c, yyjson_val *val, struct fb_file **file)
{
    struct str url = json_str(json_obj(val, "payload"), "url");

    *file = fb_file_at(&c->fb->files, url);
    return *file ? fb_file_url(&c->fb->files, *file, fb_now_ms(c->fb), c->arena) : url;
}

static void
put_attachment(struct fb_call *c, yyjson_val *val, struct json *w)
{
    struct str      type = json_str(val, "type");
    struct fb_file *f;
    struct str      url = link_of(c, val, &f);

    json_begin(w, NULL);
    stage_put_id(w, "id", f ? f->id : 1);
    json_put_str(w, "name", f && !str_is_none(f->name) ? f->name : type);
    if (f) {
        json_put_str(w, "mime_type", f->mime);
        json_put_int(w, "size", (int64_t)f->bytes.len);
    }
    if (str_eq(type, STR("image")) || str_eq(type, STR("video"))) {
        json_begin(w, type.ptr[0] == 'i' ? "image_data" : "video_data");
        json_put_str(w, "url", url);
        json_put_str(w, "preview_url", url);
        json_end(w);
    } else if (url.len > 0) {
        json_put_str(w, "file_url", url);
    }
    json_end(w);
}

static void
put_share(struct fb_call *c, yyjson_val *val, struct json *w)
{
    struct fb_file *f;

    json_begin(w, NULL);
    json_put_str(w, "link", link_of(c, val, &f));
    json_end(w);
}

/* Those of a message that are shown in this way; the list is absent where there are none. */
static void
put_list(struct fb_call *c, const struct fb_message *m, yyjson_val *all, enum shown as, const char *name,
    void (*put)(struct fb_call *c, yyjson_val *val, struct json *w), struct json *w)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(all);
    yyjson_val     *val;
    bool            any = false;

    while ((val = yyjson_arr_iter_next(&it)) != NULL) {
        if (shown_as(m, json_str(val, "type")) != as)
            continue;
        if (!any) {
            json_begin(w, name);
            json_begin_array(w, "data");
        }
        any = true;
        put(c, val, w);
    }
    if (any) {
        json_end_array(w);
        json_end(w);
    }
}

static yyjson_val *
first_shown(const struct fb_message *m, yyjson_val *all, enum shown as)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(all);
    yyjson_val     *val;

    while ((val = yyjson_arr_iter_next(&it)) != NULL)
        if (shown_as(m, json_str(val, "type")) == as)
            return val;
    return NULL;
}

/* The story that is answered, or in which the account is mentioned. */
static void
put_story(struct fb_call *c, const struct fb_message *m, yyjson_val *mention, struct json *w)
{
    struct error    ignored;
    struct fb_file *f;
    yyjson_val     *story;

    if (!mention && str_is_none(m->story))
        return;
    json_begin(w, "story");
    if (!mention && json_parse(c->arena, m->story, JSON_DEPTH_MAX, &story, &ignored)) {
        json_begin(w, "reply_to");
        json_put_str(w, "link", json_str(story, "url"));
        json_put_val(w, "id", json_get(story, "id"));
        json_end(w);
    }
    if (mention) {
        json_begin(w, "mention");
        json_put_str(w, "link", link_of(c, mention, &f));
        stage_put_id(w, "id", f ? f->id : 1);
        json_end(w);
    }
    json_end(w);
}

void
fb_write_attachments(struct fb_call *c, const struct fb_message *m, struct str fields, struct json *w)
{
    yyjson_val     *all = NULL, *sticker;
    struct error    ignored;
    struct fb_file *f;
    struct str      inside;

    if (!str_is_none(m->attachments) && !json_parse(c->arena, m->attachments, JSON_DEPTH_MAX, &all, &ignored))
        return;
    sticker = first_shown(m, all, AS_STICKER);
    if (fb_fields_have(fields, "attachments", &inside))
        put_list(c, m, all, AMONG_ATTACHMENTS, "attachments", put_attachment, w);
    if (fb_fields_have(fields, "shares", &inside))
        put_list(c, m, all, AS_SHARE, "shares", put_share, w);
    if (sticker && fb_fields_have(fields, "sticker", &inside))
        json_put_str(w, "sticker", link_of(c, sticker, &f));
    if (fb_fields_have(fields, "story", &inside))
        put_story(c, m, first_shown(m, all, AS_MENTION), w);
}
