/* draft.c -- see draft.h. */
#include "sandbox/bluesky/draft.h"

#include <unigbrk.h>

#include "base/array.h"

#define REACTION_MAX 64

/* Of at most BS_TEXT_BYTES. Looking from one character to the next would not do: a flag, or a family, is only seen from
 * its beginning. */
static size_t
graphemes(struct str text)
{
    char   begins[BS_TEXT_BYTES];
    size_t n = 0;

    if (text.len == 0 || text.len > sizeof(begins))
        return text.len;
    u8_grapheme_breaks((const uint8_t *)text.ptr, text.len, begins);
    for (size_t i = 0; i < text.len; i++)
        n += begins[i] != 0;
    return n;
}

bool
bs_is_reaction(struct str value)
{
    return value.len > 0 && value.len <= REACTION_MAX && (unsigned char)value.ptr[0] >= 0x80
        && graphemes(value) == 1;
}

static bool
is_blank(struct str text)
{
    return str_trim(text).len == 0;
}

/* ---- facets ---- */

static bool
is_boundary(struct str text, int64_t at)
{
    if (at < 0 || (size_t)at > text.len)
        return false;
    return (size_t)at == text.len || ((unsigned char)text.ptr[at] & 0xC0) != 0x80;
}

static bool
check_feature(yyjson_val *feature, struct error *err)
{
    static const struct {
        const char *type, *member;
    } known[] = {
        { "app.bsky.richtext.facet#link", "uri" }, { "app.bsky.richtext.facet#mention", "did" },
        { "app.bsky.richtext.facet#tag", "tag" },
    };
    struct str type = json_str(feature, "$type");

    if (str_is_none(type))
        return error_set(err, 400, "Input/message/facets/features must have the property \"$type\"");
    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq(type, str_of(known[i].type)) && json_str(feature, known[i].member).len == 0)
            return error_set(err, 400, "Input/message/facets/features must have the property \"%s\"", known[i].member);
    return true;
}

/* The real service does not look where a facet lies; a wrong place is a client's mistake, so here it does not pass. */
static bool
check_facet(yyjson_val *facet, struct str text, struct error *err)
{
    yyjson_val     *index = json_obj(facet, "index"), *features = json_arr(facet, "features"), *feature;
    int64_t         from = json_int(index, "byteStart", -1), to = json_int(index, "byteEnd", -1);
    yyjson_arr_iter it;

    if (!index || !features)
        return error_set(err, 400, "Input/message/facets must have the property \"%s\"", index ? "features" : "index");
    if (from >= to || !is_boundary(text, from) || !is_boundary(text, to))
        return error_set(err, 400, "Input/message/facets/index does not lie around characters of the text");
    it = yyjson_arr_iter_with(features);
    while ((feature = yyjson_arr_iter_next(&it)) != NULL)
        if (!check_feature(feature, err))
            return false;
    return true;
}

static bool
read_facets(yyjson_val *input, struct arena *a, struct bs_draft *out, struct error *err)
{
    yyjson_val     *facets = json_get(input, "facets"), *facet;
    yyjson_arr_iter it;

    if (!facets)
        return true;
    if (!yyjson_is_arr(facets))
        return error_set(err, 400, "Input/message/facets must be an array");
    it = yyjson_arr_iter_with(facets);
    while ((facet = yyjson_arr_iter_next(&it)) != NULL)
        if (!check_facet(facet, out->text, err))
            return false;
    out->facets = json_text(a, facets);
    return true;
}

/* ---- the rest ---- */

/* Whatever post is shared, here it cannot be found. */
static bool
read_embed(yyjson_val *input, bool is_view, struct arena *a, struct bs_draft *out, struct error *err)
{
    yyjson_val *embed = json_get(input, "embed");
    struct str  uri;

    if (!embed)
        return true;
    if (str_is_none(json_str(embed, "$type")))
        return error_set(err, 400, "Input/message/embed must be an object which includes the \"$type\" property");
    if (is_view) {
        out->embed = json_text(a, embed);
        return true;
    }
    uri = json_str(json_obj(embed, "record"), "uri");
    if (!str_eq(json_str(embed, "$type"), STR("app.bsky.embed.record")))
        return true; /* unions are open: what is unknown is left out */
    if (!str_starts(uri, STR("at://")) || json_str(json_obj(embed, "record"), "cid").len == 0)
        return error_set(err, 400, "Input/message/embed/record must have the properties \"uri\" and \"cid\"");
    uri = json_text(a, json_get(json_obj(embed, "record"), "uri"));
    out->embed = arena_printf(a, "{\"$type\":\"app.bsky.embed.record#view\",\"record\":"
        "{\"$type\":\"app.bsky.embed.record#viewNotFound\",\"uri\":%.*s,\"notFound\":true}}", STR_ARG(uri));
    return true;
}

static bool
read_reply(yyjson_val *input, struct bs_draft *out, struct error *err)
{
    yyjson_val *reply = json_get(input, "replyTo");
    struct str  id = json_str(reply, "messageId");

    if (!reply)
        return true;
    if (str_is_none(id))
        return error_set(err, 400, "Input/message/replyTo must have the property \"messageId\"");
    if (!bs_tid_read(id, &out->reply_to) || out->reply_to == 0)
        out->reply_to = INT64_MAX; /* of no message there is */
    return true;
}

bool
bs_draft_read(yyjson_val *input, bool embed_is_view, struct arena *a, struct bs_draft *out, struct error *err)
{
    *out = (struct bs_draft){ .text = json_str(input, "text") };
    if (!yyjson_is_obj(input))
        return error_set(err, 400, "Input must have the property \"message\"");
    if (str_is_none(out->text))
        return error_set(err, 400, json_get(input, "text") ? "Input/message/text must be a string"
                                                           : "Input/message must have the property \"text\"");
    if (out->text.len > BS_TEXT_BYTES)
        return error_set(err, 400, "Input/message/text must not be longer than %d characters", BS_TEXT_BYTES);
    if (graphemes(out->text) > BS_TEXT_GRAPHEMES)
        return error_set(err, 400, "Input/message/text must not be longer than %d graphemes", BS_TEXT_GRAPHEMES);
    if (!read_facets(input, a, out, err) || !read_embed(input, embed_is_view, a, out, err)
        || !read_reply(input, out, err))
        return false;
    if (is_blank(out->text) && str_is_none(out->embed))
        return error_set(err, 400, "a message needs a text or an embed");
    return true;
}
