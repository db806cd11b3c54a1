/* content.c -- what one message says.
 *
 * `body` is what the person wrote, or the label of what they tapped, and nothing else. Files become attachments. What
 * else there is stands in `platform_data`, which is null for plain text and for files that come without anything
 * more, and otherwise an object:
 *
 *     kind          the first of these that fits:
 *                   postback, quick_reply, story_reply, story_mention, like_heart, location, the type of what was
 *                   shared (share, reel, ig_post, template, fallback, ...), unsupported, media, text
 *     title, payload          of a postback
 *     quick_reply   its payload, as Meta sends it
 *     story         the story that is answered: id and url
 *     location      lat and long
 *     attachments   as Meta sends them, those of the message that are no files of ours: links are kept as links and
 *                   never downloaded, for most lead to pages
 *     raw           of an unsupported message without attachments: the whole of it
 *     app_id        which app sent an echo
 *     standby       true: another app has the conversation, we only listen
 *
 * Instagram's view-once pictures come without any content; they are unsupported, like whatever was invented after this
 * was written. */
#include "base/array.h"
#include "platform/meta/inbound.h"

#define URL_MAX         8192
#define ATTACHMENTS_MAX 100 /* of a message; people can send thirty. Each becomes rows, a download and an event */

enum shape { AS_NOTHING, AS_FILE, AS_LINK, AS_HEART, AS_PLACE, AS_MENTION };

static const struct {
    const char          *type;
    enum shape           shape;
    enum attachment_type file;
} shapes[] = {
    { "image",               AS_FILE, ATTACH_IMAGE },
    { "video",               AS_FILE, ATTACH_VIDEO },
    { "audio",               AS_FILE, ATTACH_AUDIO },
    { "file",                AS_FILE, ATTACH_FILE },
    { "sticker",             AS_FILE, ATTACH_STICKER },
    { "story_mention",       AS_MENTION },
    { "like_heart",          AS_HEART },
    { "location",            AS_PLACE },
    { "fallback",            AS_LINK },
    { "share",               AS_LINK },
    { "reel",                AS_LINK },
    { "ig_reel",             AS_LINK },
    { "post",                AS_LINK },
    { "ig_post",             AS_LINK },
    { "story",               AS_LINK },
    { "ig_story",            AS_LINK },
    { "media",               AS_LINK },
    { "template",            AS_LINK },
    { "appointment_booking", AS_LINK },
};

/* What is known of a message while its parts are gone through. */
struct said {
    struct str   kind;       /* none = nothing that has a name yet */
    bool         any;        /* there is something to show */
    yyjson_val  *quick_reply, *story, *place;
    yyjson_val **kept;       /* attachments */
    size_t       kept_count;
};

/* ---- attachments ---- */

bool
meta_is_media_url(const struct meta_reader *r, struct str url)
{
    struct str rest = str_from(url, str_starts(url, STR("https://")) ? 8 : 7);

    if (!str_starts(url, STR("https://")) && !(r->takes_http && str_starts(url, STR("http://"))))
        return false;
    if (rest.len == 0 || rest.ptr[0] == '/' || url.len > URL_MAX)
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (!(url.ptr[i] > ' ' && url.ptr[i] < 0x7f) || strchr("\"<>\\^`{|}", url.ptr[i]))
            return false; /* it is no URI */
    return true;
}

static void
name_it(struct said *said, struct str kind)
{
    said->any = true;
    if (str_is_none(said->kind))
        said->kind = kind;
}

/* Before September 2026 stickers came as images, older ones with their number beside the attachments. */
static void
add_file(struct meta_reader *r, yyjson_val *message, yyjson_val *attachment, enum attachment_type type,
    struct inbound_event *event)
{
    struct inbound_media *m = &event->media[event->media_count++];
    yyjson_val           *payload = json_obj(attachment, "payload");
    struct str            sticker = meta_id(r->a, payload, "sticker_id");

    if (str_is_none(sticker))
        sticker = meta_id(r->a, message, "sticker_id");
    m->type = type;
    m->ref = m->source_url = json_str(payload, "url");
    if (type == ATTACH_STICKER || (type == ATTACH_IMAGE && !str_is_none(sticker))) {
        m->type = ATTACH_STICKER;
        m->external_id = sticker;
    }
}

/* A story belongs to who made it and is gone after a day, so Meta's terms let it be shown and not kept. */
static void
add_mention(struct meta_reader *r, yyjson_val *attachment, struct inbound_event *event)
{
    struct inbound_media *m = &event->media[event->media_count++];
    struct str            path, query;

    m->ref = m->source_url = json_str(json_obj(attachment, "payload"), "url");
    str_cut(m->source_url, '?', &path, &query);
    m->type = str_ends(path, STR(".mp4")) ? ATTACH_VIDEO : ATTACH_IMAGE;
    m->is_link = !r->keeps_stories;
}

/* The older form has a link's parts beside its type. */
static bool
has_content(yyjson_val *attachment)
{
    return yyjson_obj_size(json_obj(attachment, "payload")) > 0 || json_str(attachment, "url").len > 0
           || json_str(attachment, "title").len > 0;
}

static bool
is_place(yyjson_val *place)
{
    return yyjson_is_num(json_get(place, "lat")) && yyjson_is_num(json_get(place, "long"));
}

/* Whether all it says is said, so that it need not be kept as it is. */
static bool
read_attachment(struct meta_reader *r, yyjson_val *message, yyjson_val *attachment, struct said *said,
    struct inbound_event *event)
{
    struct str           type = json_str(attachment, "type");
    yyjson_val          *payload = json_obj(attachment, "payload"), *place = json_obj(payload, "coordinates");
    bool                 is_media = meta_is_media_url(r, json_str(payload, "url"));
    enum shape           shape = AS_NOTHING;
    enum attachment_type file = ATTACH_FILE;

    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (!str_eq(type, str_of(shapes[i].type)))
            continue;
        shape = shapes[i].shape;
        file = shapes[i].file;
    }
    switch (shape) {
    case AS_FILE:
        if (is_media)
            add_file(r, message, attachment, file, event);
        else if (has_content(attachment))
            name_it(said, type);
        said->any = said->any || is_media;
        return is_media;
    case AS_MENTION:
        name_it(said, type);
        if (is_media)
            add_mention(r, attachment, event);
        return is_media;
    case AS_HEART:
        name_it(said, type);
        return true;
    case AS_PLACE:
        if (!is_place(place) || said->place)
            break;
        name_it(said, type);
        said->place = place;
        return true;
    case AS_LINK:
        if (has_content(attachment))
            name_it(said, type);
        return false;
    case AS_NOTHING:
        break;
    }
    return false;
}

static void
read_attachments(struct meta_reader *r, yyjson_val *message, struct said *said, struct inbound_event *event)
{
    yyjson_val     *attachments = json_arr(message, "attachments"), *attachment;
    yyjson_arr_iter it = yyjson_arr_iter_with(attachments);
    size_t          n = yyjson_arr_size(attachments);

    if (n == 0)
        return;
    if (n > ATTACHMENTS_MAX) {
        n = ATTACHMENTS_MAX;
        r->out->not_understood = true; /* so the rest is kept, too */
    }
    event->media = arena_array(r->a, struct inbound_media, n);
    said->kept = arena_array(r->a, yyjson_val *, n);
    while (n-- > 0 && (attachment = yyjson_arr_iter_next(&it)) != NULL)
        if (!read_attachment(r, message, attachment, said, event))
            said->kept[said->kept_count++] = attachment;
}

/* ---- platform_data ---- */

static void
put_if(struct json *w, const char *name, struct str value)
{
    if (!str_is_none(value))
        json_put_str(w, name, value);
}

static void
put_story(struct meta_reader *r, struct json *w, yyjson_val *story)
{
    json_begin(w, "story");
    put_if(w, "id", meta_id(r->a, story, "id"));
    put_if(w, "url", json_str(story, "url"));
    json_end(w);
}

static void
put_parts(struct meta_reader *r, struct json *w, yyjson_val *message, const struct said *said,
    const struct inbound_event *event)
{
    if (said->quick_reply)
        json_put_val(w, "quick_reply", said->quick_reply);
    if (said->story)
        put_story(r, w, said->story);
    if (said->place) {
        json_begin(w, "location");
        json_put_val(w, "lat", json_get(said->place, "lat"));
        json_put_val(w, "long", json_get(said->place, "long"));
        json_end(w);
    }
    if (said->kept_count > 0) {
        json_begin_array(w, "attachments");
        for (size_t i = 0; i < said->kept_count; i++)
            json_put_val(w, NULL, said->kept[i]);
        json_end_array(w);
    } else if (event->is_unsupported) {
        json_put_val(w, "raw", message);
    }
}

static struct str
finish(struct meta_reader *r, struct buf *buf)
{
    if (!buf_ok(buf))
        r->out->not_understood = true; /* so the payload is kept */
    return arena_take(r->a, buf);
}

static struct str
platform_data(struct meta_reader *r, yyjson_val *message, const struct said *said, const struct inbound_event *event)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  kind = said->kind, app_id = meta_id(r->a, message, "app_id");

    if (str_is_none(kind) && !event->is_unsupported && said->kept_count == 0 && str_is_none(app_id) && !r->is_standby)
        return STR_NONE;
    if (str_is_none(kind))
        kind = event->is_unsupported ? STR("unsupported") : event->media_count > 0 ? STR("media") : STR("text");
    buf_init(&buf, META_DATA_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "kind", kind);
    put_parts(r, &w, message, said, event);
    put_if(&w, "app_id", app_id);
    if (r->is_standby)
        json_put_bool(&w, "standby", true);
    json_end(&w);
    return finish(r, &buf);
}

/* ---- the whole ---- */

void
meta_read_content(struct meta_reader *r, yyjson_val *message, struct inbound_event *event)
{
    yyjson_val *answered = json_obj(message, "reply_to");
    struct said said = { .quick_reply = json_obj(message, "quick_reply"), .story = json_obj(answered, "story") };

    event->body = meta_text(message, "text");
    if (event->body.len == 0)
        event->body = STR_NONE;
    said.any = !str_is_none(event->body);
    event->reply_to = meta_id(r->a, answered, "mid");
    event->client_ref = json_str(message, "metadata");
    event->referral = json_text(r->a, json_obj(message, "referral"));
    if (said.quick_reply)
        name_it(&said, STR("quick_reply"));
    if (said.story && !said.quick_reply)
        said.kind = STR("story_reply"); /* what they say about it is still to come */
    read_attachments(r, message, &said, event);
    event->is_unsupported = json_true(message, "is_unsupported") || !said.any;
    event->platform_data = platform_data(r, message, &said, event);
}

void
meta_read_tap(struct meta_reader *r, yyjson_val *postback, struct inbound_event *event)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  title = meta_text(postback, "title"), payload = meta_text(postback, "payload");

    event->body = title.len > 0 ? title : payload.len > 0 ? payload : STR_NONE;
    event->referral = json_text(r->a, json_obj(postback, "referral"));
    buf_init(&buf, META_DATA_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "kind", STR("postback"));
    put_if(&w, "title", title);
    put_if(&w, "payload", payload);
    if (r->is_standby)
        json_put_bool(&w, "standby", true);
    json_end(&w);
    event->platform_data = finish(r, &buf);
}
