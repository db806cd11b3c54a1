/* written.c -- what somebody writes, from JSON or from parts; see control.h. */
#include "base/array.h"
#include "sandbox/meta/control.h"

#define FILES_MAX 30

/* ---- attachments ---- */

static struct str
url_of(struct fb *fb, const struct fb_file *f, struct arena *a)
{
    return fb_file_url(&fb->files, f, fb_now_ms(fb), a);
}

static bool
is_media(struct str type)
{
    static const char *const media[] = { "image", "video", "audio", "file", "sticker", "story_mention", "story",
        "ig_story", "media" };

    for (size_t i = 0; i < COUNT(media); i++)
        if (str_eq(type, str_of(media[i])))
            return true;
    return false;
}

/* As they are; media without an address get a picture of ours. */
static struct str
attachments_given(struct fb *fb, yyjson_val *list, struct arena *a)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    struct buf      b;
    struct json     w = { .buf = &b };
    yyjson_val     *val;

    buf_init(&b, MIB);
    json_begin_array(&w, NULL);
    while ((val = yyjson_arr_iter_next(&it)) != NULL) {
        if (!is_media(json_str(val, "type")) || json_get(json_get(val, "payload"), "url")) {
            json_put_val(&w, NULL, val);
            continue;
        }
        json_begin(&w, NULL);
        json_put_others(&w, val, "payload");
        json_begin(&w, "payload");
        json_put_others(&w, json_obj(val, "payload"), "url");
        json_put_str(&w, "url", url_of(fb, fb_file_face(&fb->files, fb->files.last_id, fb_now_ms(fb)), a));
        json_end(&w);
        json_end(&w);
    }
    json_end_array(&w);
    return arena_take(a, &b);
}

/* ---- from JSON ---- */

/* Members of a message that we do not know are passed on as they are: "referral", "quick_reply", "is_unsupported". */
static struct str
other_members(yyjson_val *message, struct arena *a)
{
    static const char *const ours[] = { "mid", "text", "attachments", "reply_to" };
    yyjson_obj_iter it = yyjson_obj_iter_with(message);
    struct buf      b;
    struct json     w = { .buf = &b };
    struct str      out;
    yyjson_val     *key;

    buf_init(&b, MIB);
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        bool known = false;

        for (size_t i = 0; i < COUNT(ours); i++)
            known |= str_eq(json_val_str(key), str_of(ours[i]));
        if (!known)
            json_put_val(&w, arena_copy(a, json_val_str(key)).ptr, yyjson_obj_iter_get_val(key));
    }
    out = arena_take(a, &b);
    return out.len > 0 ? out : STR_NONE;
}

static bool
read_json(struct fb_chat *chat, struct http_exchange *x, struct fb_message *out, struct error *err)
{
    struct arena *a = &x->arena;
    yyjson_val   *body, *message, *attachments, *reply;

    if (!fb_control_body(x, &body, err))
        return false;
    message = json_obj(body, "message") ? json_obj(body, "message") : body;
    attachments = json_get(message, "attachments");
    reply = json_get(message, "reply_to");
    out->text = json_str(message, "text");
    out->mid = json_str(message, "mid");
    out->at_ms = json_int(body, "timestamp", 0);
    out->story = json_text(a, json_obj(reply, "story"));
    out->reply_to = yyjson_is_str(reply) ? json_val_str(reply) : json_str(reply, "mid");
    if (attachments && !yyjson_is_arr(attachments))
        return error_set(err, 400, "attachments must be an array, as webhooks have it");
    if (attachments)
        out->attachments = attachments_given(chat->account->fb, attachments, a);
    if (message != body)
        out->more = other_members(message, a);
    if (!str_is_none(out->mid) && (out->mid.len == 0 || out->mid.len > 512))
        return error_set(err, 400, "mid must be text of 1 to 512 bytes");
    if (out->text.len == 0 && !attachments && str_is_none(out->more))
        return error_set(err, 400, "there is nothing to say: text, attachments, {\"message\":{...}}, or files");
    return true;
}

/* ---- from parts ---- */

static struct str
kind_of(struct str mime)
{
    if (str_starts(mime, STR("image/")))
        return STR("image");
    if (str_starts(mime, STR("video/")))
        return STR("video");
    return str_starts(mime, STR("audio/")) ? STR("audio") : STR("file");
}

static struct str
part_text(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->part_count; i++)
        if (str_is_none(r->parts[i].path) && str_eq(r->parts[i].name, str_of(name)))
            return r->parts[i].text;
    return STR_NONE;
}

static bool
put_file(struct fb *fb, struct http_exchange *x, const struct http_part *part, struct json *w, struct error *err)
{
    struct str      kind = part_text(&x->request, "kind"), bytes = fb_read_upload(part);
    struct fb_file *f;

    if (str_is_none(bytes))
        return error_set(err, 500, "the upload cannot be read");
    f = fb_file_add(&fb->files, bytes, part->content_type, part->file_name, fb_now_ms(fb));
    json_begin(w, NULL);
    json_put_str(w, "type", kind.len > 0 ? kind : kind_of(f->mime));
    json_begin(w, "payload");
    json_put_str(w, "url", url_of(fb, f, &x->arena));
    json_end(w);
    json_end(w);
    return true;
}

static bool
read_parts(struct fb_chat *chat, struct http_exchange *x, struct fb_message *out, struct error *err)
{
    const struct http_request *r = &x->request;
    struct buf                 b;
    struct json                w = { .buf = &b };
    size_t                     files = 0;
    bool                       ok = true;

    buf_init(&b, MIB);
    json_begin_array(&w, NULL);
    for (size_t i = 0; i < r->part_count && ok && files < FILES_MAX; i++) {
        if (str_is_none(r->parts[i].path))
            continue;
        ok = put_file(chat->account->fb, x, &r->parts[i], &w, err);
        files++;
    }
    json_end_array(&w);
    out->attachments = arena_take(&x->arena, &b);
    if (part_text(r, "text").len > 0)
        out->text = part_text(r, "text");
    out->reply_to = part_text(r, "reply_to");
    if (ok && files == 0)
        return error_set(err, 400, "there is no file among the parts");
    return ok;
}

bool
fb_written_read(struct fb_chat *chat, struct http_exchange *x, struct fb_message *out, struct error *err)
{
    *out = (struct fb_message){ .text = STR_NONE };
    if (x->request.part_count > 0)
        return read_parts(chat, x, out, err);
    return read_json(chat, x, out, err);
}
