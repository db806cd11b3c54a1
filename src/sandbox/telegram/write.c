/* write.c -- see write.h. */
#include "sandbox/telegram/write.h"

#include "sandbox/telegram/media.h"
#include "sandbox/telegram/methods.h"

/* ---- text ---- */

static bool
set_text(struct tg_written *out, struct str text, size_t max, struct arena *a, struct error *err)
{
    struct tg_text typed;

    if (!tg_text_typed(text, a, &typed, err))
        return false;
    if (str_code_points(typed.text) > max)
        return error_set(err, 400, "a person can write at most %zu characters here", max);
    out->body.text = typed.text;
    out->body.entities = tg_entities_json(&typed, a);
    return true;
}

static struct str
group_text(struct str group, struct arena *a)
{
    struct buf  b;
    struct json w = { .buf = &b };

    buf_init(&b, 64 * KIB);
    json_put_str(&w, "media_group_id", group);
    return arena_take(a, &b);
}

/* Joins members; either may be none. */
static struct str
join(struct str one, struct str two, struct arena *a)
{
    if (one.len == 0 || two.len == 0)
        return one.len == 0 ? two : one;
    return arena_printf(a, "%.*s,%.*s", STR_ARG(one), STR_ARG(two));
}

/* ---- any members of a Message ---- */

/* One member of "message": those with a place of their own go there, the rest is passed on. */
static bool
merge_member(struct tg_written *out, struct str name, yyjson_val *val, struct arena *a, struct error *err)
{
    struct str *body = NULL;
    struct buf  b;
    struct json w = { .buf = &b };

    if (str_eq(name, STR("message_id")) || str_eq(name, STR("chat")))
        return error_set(err, 400, "message.%.*s is chosen by the sandbox", STR_ARG(name));
    if (str_eq(name, STR("date"))) {
        out->date_s = yyjson_get_sint(val);
        return yyjson_is_int(val) || error_set(err, 400, "message.date must be a number of seconds");
    }
    if (str_eq(name, STR("text")) || str_eq(name, STR("caption"))) {
        out->body.kind = name.len == 4 ? TG_CONTENT_TEXT : out->body.kind;
        return yyjson_is_str(val) ? set_text(out, json_val_str(val), SIZE_MAX, a, err)
                                  : error_set(err, 400, "message.%.*s must be text", STR_ARG(name));
    }
    if (str_eq(name, STR("from")))
        body = &out->body.from;
    else if (str_eq(name, STR("reply_to_message")))
        body = &out->body.reply;
    if (body) {
        *body = json_text(a, val);
        return true;
    }
    buf_init(&b, MIB);
    json_put_val(&w, arena_copy(a, name).ptr, val);
    out->body.media = join(out->body.media, arena_take(a, &b), a);
    return true;
}

static bool
merge_message(struct tg_written *out, yyjson_val *message, struct arena *a, struct error *err)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(message);
    yyjson_val     *key, *entities = json_get(message, "entities");

    if (!yyjson_is_obj(message))
        return error_set(err, 400, "message must be an object");
    out->body.kind = TG_CONTENT_MEDIA;
    if (!entities)
        entities = json_get(message, "caption_entities");
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        struct str name = json_val_str(key);

        if (!str_eq(name, STR("entities")) && !str_eq(name, STR("caption_entities"))
            && !merge_member(out, name, yyjson_obj_iter_get_val(key), a, err))
            return false;
    }
    if (entities)
        out->body.entities = json_text(a, entities);
    return true;
}

static bool
read_json(struct http_exchange *x, struct tg_written *out, struct error *err)
{
    struct arena *a = &x->arena;
    yyjson_val   *body;
    struct str    text, group;

    if (!json_parse(a, x->request.body, JSON_DEPTH_MAX, &body, err))
        return false;
    text = json_str(body, "text");
    group = json_str(body, "media_group_id");
    out->reply_to = json_int(body, "reply_to_message_id", 0);
    if (json_get(body, "message") ? !merge_message(out, json_get(body, "message"), a, err)
                                  : !set_text(out, text.ptr ? text : STR(""), TG_TEXT_MAX, a, err))
        return false;
    if (!json_get(body, "message") && out->body.text.len == 0)
        return error_set(err, 400, "text is empty; or send {\"message\":{...}}, or a file as multipart/form-data");
    if (group.len > 0)
        out->body.media = join(group_text(group, a), out->body.media, a);
    return true;
}

/* ---- files ---- */

static struct str
part_text(const struct http_request *r, struct str name)
{
    for (size_t i = 0; i < r->part_count; i++)
        if (str_eq(r->parts[i].name, name) && str_is_none(r->parts[i].path))
            return r->parts[i].text;
    return STR_NONE;
}

static const struct http_part *
part_file(const struct http_request *r)
{
    for (size_t i = 0; i < r->part_count; i++)
        if (str_eq(r->parts[i].name, STR("file")) && !str_is_none(r->parts[i].path))
            return &r->parts[i];
    return NULL;
}

static int64_t
part_number(const struct http_request *r, struct str name)
{
    struct str text = part_text(r, name);

    return text.ptr ? tg_int_of(text) : 0;
}

/* People's apps know better than ours what they send: nothing is refused or turned into something else. */
static bool
read_file(struct tg_bot *bot, struct http_exchange *x, struct tg_written *out, struct error *err)
{
    const struct http_request *r = &x->request;
    const struct http_part    *file = part_file(r);
    struct str                 kind = part_text(r, STR("kind")), caption = part_text(r, STR("caption"));
    struct str                 group = part_text(r, STR("media_group_id"));
    struct tg_media            m = { .kind = TG_DOCUMENT };

    if (!file)
        return error_set(err, 400, "the part \"file\" is missing");
    if (!str_is_none(kind) && !tg_kind_parse(kind, &m.kind))
        return error_set(err, 400,
            "kind must be photo, video, document, animation, audio, voice, video_note or sticker");
    m.as_document = true;
    m.file_name = file->file_name;
    m.mime = file->content_type;
    m.duration = part_number(r, STR("duration"));
    m.width = part_number(r, STR("width"));
    m.height = part_number(r, STR("height"));
    m.exact = true;
    m.blob = tg_blob_read(&bot->tg->files, arena_copy(&x->arena, file->path).ptr);
    if (!m.blob)
        return error_set(err, 500, "the upload cannot be read");
    out->body.kind = TG_CONTENT_MEDIA;
    out->body.media = tg_media_members(bot, &m, &x->arena);
    tg_blob_release(&bot->tg->files, m.blob);
    if (group.len > 0)
        out->body.media = join(group_text(group, &x->arena), out->body.media, &x->arena);
    out->reply_to = part_number(r, STR("reply_to_message_id"));
    return caption.len == 0 || set_text(out, caption, TG_CAPTION_MAX, &x->arena, err);
}

bool
tg_written_read(struct tg_bot *bot, struct http_exchange *x, struct tg_written *out, struct error *err)
{
    *out = (struct tg_written){ .body.kind = TG_CONTENT_TEXT };
    if (x->request.part_count > 0)
        return read_file(bot, x, out, err);
    return read_json(x, out, err);
}
