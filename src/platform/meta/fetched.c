/* fetched.c -- a message that was asked for, because its webhook did not come or its files' links have died.
 *
 * The Conversations API has another form for the same things: times are texts, attachments have no type but a MIME
 * type, a story is a member of its own. Where a file is withheld (in Europe some are), its name says so. The files'
 * URLs come from the server we asked, so plain http is taken here; what may be fetched is decided when it is. */
#include "platform/meta/inbound.h"

/* ---- who ---- */

/* Instagram has two ids for one account, and which of them is meant here is not documented. */
static bool
is_ours(struct meta_reader *r, const struct account *account, yyjson_val *who)
{
    struct str id = meta_id(r->a, who, "id"), username = json_str(who, "username");

    return (id.len > 0 && (str_eq(id, account->external_id) || str_eq(id, account->alt_external_id)))
           || (username.len > 0 && str_eq(username, account->username));
}

/* False when it cannot be told which of them is the person. */
static bool
read_people(struct meta_reader *r, const struct account *account, yyjson_val *message, struct inbound_event *event)
{
    yyjson_val     *from = json_obj(message, "from"), *to = json_arr(json_obj(message, "to"), "data");
    yyjson_val     *person = NULL, *receiver;
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    bool            to_us = yyjson_arr_size(to) == 0;

    event->outbound = is_ours(r, account, from);
    while ((receiver = yyjson_arr_iter_next(&it)) != NULL) {
        if (is_ours(r, account, receiver))
            to_us = true;
        else if (!person)
            person = receiver;
    }
    if (!event->outbound && !to_us)
        return false;
    if (!event->outbound)
        person = from;
    event->from.external_id = meta_id(r->a, person, "id");
    event->from.username = meta_name(person, "username");
    event->from.name = meta_name(person, "name");
    return event->from.external_id.len > 0;
}

/* ---- files ---- */

static int
pixels(yyjson_val *obj, const char *key)
{
    int64_t n = json_int(obj, key, 0);

    return n > 0 && n <= INT32_MAX ? (int)n : 0;
}

static enum attachment_type
type_of(yyjson_val *attachment, struct str content_type)
{
    if (json_obj(attachment, "image_data"))
        return ATTACH_IMAGE;
    if (json_obj(attachment, "video_data"))
        return ATTACH_VIDEO;
    if (str_starts(content_type, STR("image/")))
        return ATTACH_IMAGE;
    if (str_starts(content_type, STR("video/")))
        return ATTACH_VIDEO;
    return str_starts(content_type, STR("audio/")) ? ATTACH_AUDIO : ATTACH_FILE;
}

/* False, and *m as it was, where there is no link to it. */
static bool
read_file(struct meta_reader *r, yyjson_val *attachment, struct inbound_media *m)
{
    yyjson_val *image = json_obj(attachment, "image_data"), *video = json_obj(attachment, "video_data");
    struct str  url = json_str(attachment, "file_url");
    int64_t     size = json_int(attachment, "size", 0);

    if (image && url.len == 0)
        url = json_str(image, "url");
    if (video && url.len == 0)
        url = json_str(video, "url");
    if (!meta_is_media_url(r, url))
        return false;
    m->content_type = json_str(attachment, "mime_type");
    m->type = type_of(attachment, m->content_type);
    m->ref = m->source_url = url;
    m->file_name = json_str(attachment, "name");
    m->size = size > 0 ? size : 0;
    m->width = pixels(image ? image : video, "width");
    m->height = pixels(image ? image : video, "height");
    return true;
}

static bool
read_link(struct meta_reader *r, struct str url, enum attachment_type type, struct inbound_media *m)
{
    if (!meta_is_media_url(r, url))
        return false;
    m->type = type;
    m->ref = m->source_url = url;
    return true;
}

static bool
read_sticker(struct meta_reader *r, yyjson_val *message, struct inbound_media *m)
{
    return read_link(r, json_str(message, "sticker"), ATTACH_STICKER, m);
}

static bool
read_mention(struct meta_reader *r, yyjson_val *message, struct inbound_media *m)
{
    m->is_link = read_link(r, json_str(json_obj(json_obj(message, "story"), "mention"), "link"), ATTACH_IMAGE, m);
    return m->is_link;
}

size_t
meta_fetched_files(struct arena *a, yyjson_val *message, struct inbound_media **out)
{
    struct meta_reader    r = { .a = a, .takes_http = true };
    yyjson_val           *attachments = json_arr(json_obj(message, "attachments"), "data"), *attachment;
    yyjson_arr_iter       it = yyjson_arr_iter_with(attachments);
    struct inbound_media *files = arena_array(a, struct inbound_media, yyjson_arr_size(attachments) + 1);
    size_t                n = 0;

    for (; (attachment = yyjson_arr_iter_next(&it)) != NULL; n++)
        if (!read_file(&r, attachment, &files[n]))
            files[n].refusal = meta_name(attachment, "name");
    if (n == 0 && (read_sticker(&r, message, files) || read_mention(&r, message, files)))
        n = 1;
    *out = files;
    return n;
}

/* ---- what else it says ---- */

static void
put_story(struct meta_reader *r, struct json *w, yyjson_val *story)
{
    struct str id = meta_id(r->a, story, "id"), link = json_str(story, "link");

    json_begin(w, "story");
    if (id.len > 0)
        json_put_str(w, "id", id);
    if (link.len > 0)
        json_put_str(w, "url", link);
    json_end(w);
}

/* `kept` are the attachments that are no files. As in content.c, as far as there is the same to say. */
static struct str
platform_data(struct meta_reader *r, yyjson_val *message, yyjson_val **kept, size_t n,
    const struct inbound_event *event)
{
    yyjson_val *story = json_obj(message, "story"), *answered = json_obj(story, "reply_to");
    yyjson_val *shares = json_arr(json_obj(message, "shares"), "data");
    const char *kind = NULL;
    struct buf  buf;
    struct json w = { .buf = &buf };

    if (answered)
        kind = "story_reply";
    else if (json_obj(story, "mention"))
        kind = "story_mention";
    else if (yyjson_arr_size(shares) > 0)
        kind = "share";
    else if (event->is_unsupported)
        kind = "unsupported";
    else if (n > 0)
        kind = event->media_count > 0 ? "media" : "text";
    if (!kind)
        return STR_NONE;
    buf_init(&buf, META_DATA_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "kind", str_of(kind));
    if (answered)
        put_story(r, &w, answered);
    if (n + yyjson_arr_size(shares) > 0) {
        yyjson_arr_iter it = yyjson_arr_iter_with(shares);
        yyjson_val     *share;

        json_begin_array(&w, "attachments");
        for (size_t i = 0; i < n; i++)
            json_put_val(&w, NULL, kept[i]);
        while ((share = yyjson_arr_iter_next(&it)) != NULL)
            json_put_val(&w, NULL, share);
        json_end_array(&w);
    }
    json_end(&w);
    return arena_take(r->a, &buf);
}

static void
read_content(struct meta_reader *r, yyjson_val *message, struct inbound_event *event)
{
    yyjson_val     *attachments = json_arr(json_obj(message, "attachments"), "data"), *attachment;
    yyjson_val     *story = json_obj(message, "story"), **kept;
    yyjson_arr_iter it = yyjson_arr_iter_with(attachments);
    size_t          n = yyjson_arr_size(attachments), kept_count = 0;
    bool            is_told;

    event->media = arena_array(r->a, struct inbound_media, n + 2);
    kept = arena_array(r->a, yyjson_val *, n + 1);
    event->body = meta_text(message, "message");
    if (event->body.len == 0)
        event->body = STR_NONE;
    event->reply_to = meta_id(r->a, json_obj(message, "reply_to"), "mid");
    while ((attachment = yyjson_arr_iter_next(&it)) != NULL)
        if (read_file(r, attachment, &event->media[event->media_count]))
            event->media_count++;
        else
            kept[kept_count++] = attachment;
    event->media_count += read_sticker(r, message, &event->media[event->media_count]);
    event->media_count += read_mention(r, message, &event->media[event->media_count]);
    is_told = !str_is_none(event->body) || event->media_count > 0 || json_obj(story, "mention")
              || yyjson_arr_size(json_arr(json_obj(message, "shares"), "data")) > 0;
    event->is_unsupported = !is_told || json_true(message, "is_unsupported")
                            || str_eq(json_str(message, "is_unsupported"), STR("true"));
    event->platform_data = platform_data(r, message, kept, kept_count, event);
}

/* ---- the whole ---- */

/* An error is Meta's way to say that there is no such message any more. */
void
meta_parse_fetched(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    struct meta_reader   r = { .a = a, .out = out, .takes_http = true };
    struct inbound_event event = { .kind = INBOUND_MESSAGE };
    struct error         err;
    yyjson_val          *message;

    *out = (struct inbound_batch){ 0 };
    out->not_understood = !json_parse(a, payload, JSON_DEPTH_MAX, &message, &err) || !yyjson_is_obj(message);
    if (out->not_understood || json_obj(message, "error"))
        return;
    event.external_id = meta_id(a, message, "id");
    event.at_ms = meta_time(message, "created_time");
    out->not_understood = event.external_id.len == 0 || !read_people(&r, account, message, &event);
    if (out->not_understood)
        return;
    read_content(&r, message, &event);
    meta_add(&r, &event);
}
