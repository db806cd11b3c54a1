/* content.c -- what one Message says.
 *
 * `body` is what the person wrote, text or caption, and nothing else; a contact, a place, a dice or a
 * poll has none. Whatever else there is stands in `platform_data`, which is null for plain text and
 * otherwise an object:
 *
 *     kind             text, start, callback_query (parse.c), unsupported, or the Message's own key:
 *                      photo, video, animation, audio, voice, video_note, document, sticker,
 *                      live_photo, contact, location, venue, dice, poll
 *     <kind>           Telegram's object of that name. Where there is an attachment, only what the
 *                      attachment does not say (`details`), and absent when that is nothing
 *     entities         of the body, so `caption_entities` too; offsets in UTF-16 units as Telegram's
 *     start_payload    what stood behind /start: the payload of a deep link
 *     content, raw     of an unsupported one: those of its keys that are content, the whole Message
 *     media_group_id, forward_origin, quote, ...     as Telegram sends them (`kept`)
 *
 * The file_ids of attachments are left out: they work only with the bot's token. */
#include <limits.h>

#include "base/array.h"
#include "platform/telegram/telegram.h"

#define DETAILS_MAX 6
#define DATA_MAX    (8 * MIB) /* never reached: larger than any webhook's body */

struct content {
    const char          *key;
    bool                 has_file;
    enum attachment_type type;
    const char          *content_type;         /* of files that never name one, or may not */
    const char          *details[DETAILS_MAX]; /* of the object, what an attachment does not already say */
};

/* The first that is there decides, because Telegram sends some content twice for older clients: an
 * animation as `document`, a live photo as `photo`, a venue as `location`. */
static const struct content contents[] = {
    { "animation",  true,  ATTACH_VIDEO,   "video/mp4",  { "duration" } },
    { "live_photo", true,  ATTACH_VIDEO,   "video/mp4",  { "duration" } },
    { "photo",      true,  ATTACH_IMAGE,   "image/jpeg", { NULL } },
    { "video",      true,  ATTACH_VIDEO,   "video/mp4",  { "duration", "start_timestamp" } },
    { "audio",      true,  ATTACH_AUDIO,   "audio/mpeg", { "duration", "performer", "title" } },
    { "voice",      true,  ATTACH_AUDIO,   "audio/ogg",  { "duration" } },
    { "video_note", true,  ATTACH_VIDEO,   "video/mp4",  { "duration", "length" } },
    { "sticker",    true,  ATTACH_STICKER, "image/webp",
        { "type", "emoji", "set_name", "is_animated", "is_video", "custom_emoji_id" } },
    { "document",   true,  ATTACH_FILE,    NULL,         { NULL } },
    { "contact",    false },
    { "venue",      false },
    { "location",   false },
    { "dice",       false },
    { "poll",       false },
};

/* Kept under Telegram's names wherever they appear. */
static const char *const kept[] = {
    "media_group_id", "forward_origin", "quote", "external_reply", "reply_to_story", "via_bot",
    "message_thread_id", "has_media_spoiler", "show_caption_above_media", "paid_star_count",
};

/* Said elsewhere in an event, or saying nothing about the content. Whatever is named neither here
 * nor above is content of a kind that did not exist when this was written. */
static const char *const common[] = {
    "message_id", "from", "chat", "date", "edit_date", "reply_to_message", "reply_markup",
    "text", "entities", "caption", "caption_entities", "link_preview_options", "effect_id",
    "is_topic_message", "has_protected_content", "is_from_offline", "author_signature", "sender_chat",
    "sender_business_bot", "sender_boost_count", "is_automatic_forward", "forward_from",
    "forward_from_chat", "forward_from_message_id", "forward_signature", "forward_sender_name",
    "forward_date",
};

#define IS_IN(key, list) is_in(key, list, COUNT(list))

static bool
is_in(struct str key, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(key, str_of(list[i])))
            return true;
    return false;
}

static int
pixels(yyjson_val *obj, const char *key)
{
    int64_t n = json_int(obj, key, 0);

    return n > 0 && n <= INT_MAX ? (int)n : 0;
}

/* ---- files ---- */

/* `photo` is one picture in several sizes, whose order is not promised. */
static yyjson_val *
largest(yyjson_val *sizes)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(sizes);
    yyjson_val     *size, *best = NULL;
    int64_t         area, best_area = -1;

    while ((size = yyjson_arr_iter_next(&it)) != NULL) {
        area = (int64_t)pixels(size, "width") * pixels(size, "height");
        if (str_is_none(json_str(size, "file_id")) || area <= best_area)
            continue;
        best = size;
        best_area = area;
    }
    return best;
}

/* The object that has the file_id; NULL when there is none. */
static yyjson_val *
file_of(yyjson_val *message, const char *key)
{
    yyjson_val *val = json_get(message, key);

    if (yyjson_is_arr(val))
        return largest(val);
    return str_is_none(json_str(val, "file_id")) ? NULL : val;
}

static struct str
sticker_type(yyjson_val *sticker)
{
    if (json_true(sticker, "is_animated"))
        return STR("application/x-tgsticker");
    return json_true(sticker, "is_video") ? STR("video/webm") : STR("image/webp");
}

static void
read_file(struct arena *a, yyjson_val *file, const struct content *c, struct inbound_media *m)
{
    int64_t size = json_int(file, "file_size", 0);
    int     length = pixels(file, "length"); /* a video note is a square */

    m->type = c->type;
    m->external_id = json_str(file, "file_unique_id");
    m->ref = json_str(file, "file_id");
    m->file_name = json_str(file, "file_name");
    m->content_type = json_str(file, "mime_type");
    if (str_is_none(m->content_type))
        m->content_type = c->type == ATTACH_STICKER ? sticker_type(file) : str_of(c->content_type);
    if (c->type == ATTACH_VIDEO && str_eq(m->content_type, STR("image/gif")))
        m->type = ATTACH_IMAGE;
    m->size = size > 0 ? size : 0;
    m->width = length > 0 ? length : pixels(file, "width");
    m->height = length > 0 ? length : pixels(file, "height");
    if (m->size > TELEGRAM_DOWNLOAD_MAX)
        m->refusal = arena_printf(a, "Telegram lets bots download at most %lld bytes (20 MiB); this file has %lld",
            (long long)TELEGRAM_DOWNLOAD_MAX, (long long)m->size);
}

/* A live photo comes as the picture that people see first, and as the moving one. */
static bool
read_files(struct arena *a, yyjson_val *message, const struct content *c, struct inbound_event *event)
{
    static const struct content still = { "photo", true, ATTACH_IMAGE, "image/jpeg", { NULL } };
    yyjson_val *file = file_of(message, c->key), *picture = NULL;

    if (!file)
        return false;
    if (str_eq(str_of(c->key), STR("live_photo")))
        picture = file_of(message, still.key);
    event->media = arena_array(a, struct inbound_media, 2);
    if (picture)
        read_file(a, picture, &still, &event->media[event->media_count++]);
    read_file(a, file, c, &event->media[event->media_count++]);
    return true;
}

/* ---- platform_data ---- */

static void
put_details(struct json *w, yyjson_val *message, const struct content *c)
{
    yyjson_val *object = json_get(message, c->key), *val;
    bool        begun = false;

    if (!c->has_file) {
        json_put_val(w, c->key, object);
        return;
    }
    for (size_t i = 0; i < DETAILS_MAX && c->details[i]; i++) {
        val = json_get(object, c->details[i]);
        if (!val)
            continue;
        if (!begun)
            json_begin(w, c->key);
        begun = true;
        json_put_val(w, c->details[i], val);
    }
    if (begun)
        json_end(w);
}

static void
put_unsupported(struct json *w, yyjson_val *message)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(message);
    yyjson_val     *key;

    json_begin_array(w, "content");
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        struct str name = json_val_str(key);

        if (!IS_IN(name, common) && !IS_IN(name, kept))
            json_put_str(w, NULL, name);
    }
    json_end_array(w);
    json_put_val(w, "raw", message);
}

/* Where the text is the command that opens a bot: what stands behind it, which may be nothing. */
static bool
is_start(struct str text, struct str *payload)
{
    struct str rest = str_from(text, 6);

    if (!str_starts(text, STR("/start")) || (rest.len > 0 && rest.ptr[0] != ' ' && rest.ptr[0] != '\n'))
        return false;
    *payload = str_trim(rest);
    return true;
}

/* Whether anything was kept. */
static bool
put_kept(struct json *w, yyjson_val *message, yyjson_val *entities)
{
    bool        any = entities != NULL;
    yyjson_val *val;

    if (entities)
        json_put_val(w, "entities", entities);
    for (size_t i = 0; i < COUNT(kept); i++) {
        val = json_get(message, kept[i]);
        if (!val)
            continue;
        json_put_val(w, kept[i], val);
        any = true;
    }
    return any;
}

/* `c` is NULL for text and for what is unsupported. */
static struct str
platform_data(struct arena *a, yyjson_val *message, const struct content *c,
    const struct inbound_event *event)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  payload = STR_NONE, data;
    yyjson_val *entities = json_arr(message, "entities");
    const char *kind = c ? c->key : event->is_unsupported ? "unsupported" : "text";
    bool        says_more;

    if (!c && !event->is_unsupported && is_start(event->body, &payload))
        kind = "start";
    buf_init(&buf, DATA_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "kind", str_of(kind));
    if (c)
        put_details(&w, message, c);
    if (payload.len > 0)
        json_put_str(&w, "start_payload", payload);
    says_more = put_kept(&w, message, entities ? entities : json_arr(message, "caption_entities"));
    if (event->is_unsupported)
        put_unsupported(&w, message);
    json_end(&w);
    data = arena_take(a, &buf);
    return says_more || strcmp(kind, "text") != 0 ? data : STR_NONE;
}

/* ---- the whole ---- */

/* NULL when nothing here knows the content, or knows it and cannot use it. */
static const struct content *
find_content(struct arena *a, yyjson_val *message, struct inbound_event *event)
{
    for (size_t i = 0; i < COUNT(contents); i++) {
        const struct content *c = &contents[i];

        if (!json_get(message, c->key))
            continue;
        if (c->has_file ? read_files(a, message, c, event) : json_obj(message, c->key) != NULL)
            return c;
        return NULL;
    }
    return NULL;
}

void
telegram_read_content(struct arena *a, yyjson_val *message, struct inbound_event *event)
{
    struct str            text = json_str(message, "text");
    int64_t               reply_to = json_int(json_obj(message, "reply_to_message"), "message_id", 0);
    const struct content *c = str_is_none(text) ? find_content(a, message, event) : NULL;

    event->body = str_is_none(text) ? json_str(message, "caption") : text;
    event->is_unsupported = str_is_none(text) && !c;
    if (reply_to > 0)
        event->reply_to = telegram_id(a, reply_to);
    event->reply_markup = json_text(a, json_obj(message, "reply_markup"));
    event->platform_data = platform_data(a, message, c, event);
}
