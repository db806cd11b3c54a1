/* content.c -- one message: its text, the links in it, and the post it may carry. There are no files in Bluesky's
 * messages. */
#include "base/clock.h"
#include "platform/bluesky/bluesky.h"

#define DATA_MAX  (256 * KIB)
#define TEXT_MAX  (64 * KIB) /* what claims to be a longer message would fit into no event and no list of ours */
#define LINKS_MAX 100

int64_t
bluesky_time(yyjson_val *obj, const char *key)
{
    int64_t ms = 0;

    return time_parse(json_str(obj, key), &ms) && ms > 0 ? ms : 0;
}

struct str
bluesky_type(yyjson_val *obj)
{
    struct str type = json_str(obj, "$type"), name, of;

    return str_cut(type, '#', &name, &of) ? of : type;
}

/* Handles that stand for there being none: one that does not belong to the account, and a deleted account's. */
static bool
is_placeholder(struct str handle)
{
    return str_eq(handle, STR("handle.invalid")) || str_eq(handle, STR("missing.invalid"));
}

/* An account's server may be anybody's, and what it says is in lists and events of ours. */
struct str
bluesky_name(yyjson_val *profile)
{
    return str_utf8_cut(json_str(profile, "displayName"), BLUESKY_NAME_BYTES);
}

struct str
bluesky_id(yyjson_val *obj)
{
    struct str id = json_str(obj, "id");

    return id.len <= BLUESKY_ID_MAX ? id : STR_NONE;
}

struct str
bluesky_handle(yyjson_val *profile)
{
    struct str handle = json_str(profile, "handle");

    return handle.len <= BLUESKY_HANDLE_MAX && !is_placeholder(handle) ? handle : STR_NONE;
}

void
bluesky_read_profile(yyjson_val *profile, struct participant *out)
{
    struct str handle = bluesky_handle(profile), name = bluesky_name(profile), avatar = json_str(profile, "avatar");

    if (handle.len > 0)
        out->username = handle;
    if (name.len > 0)
        out->name = name;
    if (avatar.len <= NET_URL_MAX && (str_starts(avatar, STR("https://")) || str_starts(avatar, STR("http://"))))
        out->avatar_ref = out->avatar_id = avatar; /* its address changes with the picture */
}

/* at://DID/app.bsky.feed.post/KEY as people can open it; none for other records. */
static struct str
post_url(struct arena *a, struct str uri)
{
    struct str did, rest, collection, key, none, tail;

    if (!str_starts(uri, STR("at://")) || !str_cut(str_from(uri, 5), '/', &did, &rest)
        || !str_cut(rest, '/', &collection, &key) || !str_eq(collection, STR("app.bsky.feed.post"))
        || did.len == 0 || key.len == 0 || str_cut(key, '/', &none, &tail))
        return STR_NONE;
    return arena_printf(a, "https://bsky.app/profile/%.*s/post/%.*s", STR_ARG(did), STR_ARG(key));
}

/* True when it is something that can be shown by what it leaves in `w`. */
static bool
put_embed(struct arena *a, struct json *w, yyjson_val *embed)
{
    struct str uri = json_str(json_obj(embed, "record"), "uri"), url;

    if (!str_starts(json_str(embed, "$type"), STR("app.bsky.embed.record")) || uri.len == 0)
        return false;
    url = post_url(a, uri);
    json_put_str(w, "kind", str_is_none(url) ? STR("record") : STR("post"));
    json_put_str(w, "uri", uri);
    if (!str_is_none(url))
        json_put_str(w, "url", url);
    return !str_is_none(url);
}

/* The address behind a part of the text that does not show all of it; none for any other facet. */
static struct str
hidden_link(yyjson_val *facet, struct str text, struct str *shown)
{
    yyjson_val     *index = json_obj(facet, "index"), *feature;
    int64_t         from = json_int(index, "byteStart", -1), to = json_int(index, "byteEnd", -1);
    yyjson_arr_iter it = yyjson_arr_iter_with(json_arr(facet, "features"));

    if (from < 0 || to <= from || (uint64_t)to > text.len)
        return STR_NONE;
    *shown = str_slice(text, (size_t)from, (size_t)(to - from));
    while ((feature = yyjson_arr_iter_next(&it)) != NULL)
        if (str_eq(json_str(feature, "$type"), STR("app.bsky.richtext.facet#link"))
            && json_str(feature, "uri").len > 0 && !str_eq(json_str(feature, "uri"), *shown))
            return json_str(feature, "uri");
    return STR_NONE;
}

static void
put_links(struct json *w, yyjson_val *message, struct str text)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(json_arr(message, "facets"));
    yyjson_val     *facet;
    struct str      shown, url;
    size_t          count = 0;

    while ((facet = yyjson_arr_iter_next(&it)) != NULL && count < LINKS_MAX) {
        url = hidden_link(facet, text, &shown);
        if (str_is_none(url))
            continue;
        if (count == 0)
            json_begin_array(w, "links");
        count++;
        json_begin(w, NULL);
        json_put_str(w, "text", shown);
        json_put_str(w, "url", url);
        json_end(w);
    }
    if (count > 0)
        json_end_array(w);
}

void
bluesky_read_content(struct arena *a, yyjson_val *message, struct inbound_event *event)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  answered = bluesky_id(json_obj(message, "replyTo"));
    bool        shows;

    buf_init(&buf, DATA_MAX);
    if (json_str(message, "text").len > 0)
        event->body = str_utf8_cut(json_str(message, "text"), TEXT_MAX);
    if (answered.len > 0)
        event->reply_to = answered;
    json_begin(&w, NULL);
    shows = put_embed(a, &w, json_obj(message, "embed"));
    put_links(&w, message, event->body);
    json_end(&w);
    if (buf_ok(&buf) && buf.len > 2)
        event->platform_data = arena_copy(a, buf_str(&buf));
    event->is_unsupported = event->body.len == 0 && !(shows && buf_ok(&buf));
    buf_deinit(&buf);
}
