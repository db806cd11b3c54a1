/* send.c -- the methods that send. All go the same way: the parameters, the chat, then what only the
 * servers behind it look at. */
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/random.h"
#include "sandbox/telegram/methods.h"
#include "sandbox/telegram/notify.h"

/* One message on its way out. */
struct outgoing {
    struct tg_call  *c;
    struct tg_chat  *chat;
    struct tg_body   body;
    struct tg_text   text;       /* or the caption */
    struct tg_markup markup;
    int64_t          reply_to;
    bool             reply_may_miss;
    struct str       quote;
    int64_t          quote_position;
    struct str       also;       /* members in front of all others; none = none */

    /* What is found out only when the chat is known: fills `body`. False with a 400. */
    bool (*complete)(struct outgoing *o, struct error *err);

    enum tg_file_kind       kind;
    const struct http_part *upload;
    struct str              file_id;
};

/* ---- replies ---- */

static bool
read_reply_object(struct outgoing *o, yyjson_val *obj, struct error *err)
{
    yyjson_val *id = json_get(obj, "message_id");
    int64_t     number;

    if (!yyjson_is_obj(obj))
        return error_set(err, 400, "Object expected as reply parameters");
    if (yyjson_obj_size(obj) == 0)
        return true;
    if (!id)
        return error_set(err, 400, "Can't find field \"message_id\"");
    if (!yyjson_is_int(id) && !str_to_i64(json_val_str(id), &number))
        return error_set(err, 400, "Field \"message_id\" must be of type Number");
    o->reply_to = yyjson_is_int(id) ? json_int(obj, "message_id", 0) : number;
    o->reply_may_miss = json_true(obj, "allow_sending_without_reply");
    o->quote = json_str(obj, "quote");
    o->quote_position = json_int(obj, "quote_position", 0);
    return true;
}

static bool
read_reply(struct outgoing *o, struct error *err)
{
    const struct tg_params *p = &o->c->params;
    yyjson_val             *obj;

    if (!tg_params_has(p, "reply_parameters")) {
        o->reply_to = tg_params_int(p, "reply_to_message_id", 0, 0, INT32_MAX);
        o->reply_may_miss = tg_params_true(p, "allow_sending_without_reply");
        return true;
    }
    if (!tg_params_json(p, "reply_parameters", o->c->arena, &obj))
        return error_set(err, 400, "Can't parse reply parameters JSON object");
    return !obj || read_reply_object(o, obj, err);
}

static bool
check_reply(struct outgoing *o, struct error *err)
{
    const struct tg_message *original = o->reply_to > 0 ? tg_message_get(o->chat, o->reply_to) : NULL;
    struct buf               b;
    struct json              w = { .buf = &b };

    if (!original && o->reply_to > 0 && !o->reply_may_miss)
        return error_set(err, 400, "message to be replied not found");
    if (!original)
        o->reply_to = 0;
    if (!original || o->quote.len == 0)
        return true;
    if (str_find(original->body.text, o->quote) < 0)
        return error_set(err, 400, "QUOTE_TEXT_INVALID");
    buf_init(&b, 64 * KIB);
    json_begin(&w, NULL);
    json_put_str(&w, "text", o->quote);
    json_put_int(&w, "position", o->quote_position);
    json_put_bool(&w, "is_manual", true);
    json_end(&w);
    o->body.quote = arena_take(o->c->arena, &b);
    return true;
}

/* ---- what every message may have ---- */

static void
put_flags(const struct outgoing *o, struct json *w)
{
    const struct tg_params *p = &o->c->params;
    struct str              effect = tg_params_text(p, "message_effect_id");

    if (tg_params_true(p, "protect_content"))
        json_put_bool(w, "has_protected_content", true);
    if (effect.len > 0)
        json_put_str(w, "effect_id", effect);
    if (tg_params_true(p, "has_spoiler"))
        json_put_bool(w, "has_media_spoiler", true);
    if (o->text.text.len > 0 && tg_params_true(p, "show_caption_above_media"))
        json_put_bool(w, "show_caption_above_media", true);
}

/* All that is not said by the content itself. */
static void
add_flags(struct outgoing *o)
{
    struct buf  b;
    struct json w = { .buf = &b };

    buf_init(&b, 128 * KIB);
    stage_put_members(&w, o->also);
    put_flags(o, &w);
    stage_put_members(&w, o->body.media);
    if (b.len > 0)
        o->body.media = arena_copy(o->c->arena, buf_str(&b));
    buf_deinit(&b);
}

static void
set_text(struct outgoing *o)
{
    o->body.text = o->text.text;
    o->body.entities = tg_entities_json(&o->text, o->c->arena);
}

static void
set_markup(struct outgoing *o)
{
    if (o->markup.kind == MARKUP_INLINE)
        o->body.markup = o->markup.json;
    else
        o->body.keyboard = o->markup.json;
}

static bool
has_reply_keyboard(const struct outgoing *o)
{
    return o->markup.kind != MARKUP_NONE && o->markup.kind != MARKUP_INLINE;
}

static struct tg_message *
store(struct outgoing *o)
{
    struct tg_message *m = tg_message_add(o->chat, false, stage_now_ms(o->c->tg->stage) / 1000, &o->body);

    m->reply_to = o->reply_to;
    m->not_editable = has_reply_keyboard(o);
    tg_tell_message(m, "message");
    return m;
}

static bool
check_open(const struct outgoing *o, struct error *err)
{
    return !o->chat->blocked || error_set(err, 403, "bot was blocked by the user");
}

static bool
send_it(struct outgoing *o, struct json *w, struct error *err)
{
    if (!read_reply(o, err) || !tg_markup_read(&o->c->params, o->c->arena, &o->markup, err)
        || !tg_target_chat(o->c, true, &o->chat, err) || !check_reply(o, err) || !tg_markup_check(&o->markup, err)
        || !check_open(o, err) || !o->complete(o, err))
        return false;
    set_markup(o);
    tg_message_write(store(o), false, w, "result");
    return true;
}

/* ---- text ---- */

static void
put_link_preview(struct outgoing *o, struct json *w)
{
    yyjson_val *options;

    if (tg_params_json(&o->c->params, "link_preview_options", o->c->arena, &options) && yyjson_is_obj(options)
        && yyjson_obj_size(options) > 0)
        json_put_val(w, "link_preview_options", options);
    else if (!options && tg_params_true(&o->c->params, "disable_web_page_preview"))
        json_put_raw(w, "link_preview_options", STR("{\"is_disabled\":true}"));
}

static bool
complete_text(struct outgoing *o, struct error *err)
{
    struct buf  b;
    struct json w = { .buf = &b };

    if (o->text.text.len == 0)
        return error_set(err, 400, "text must be non-empty");
    if (str_code_points(o->text.text) > TG_TEXT_MAX)
        return error_set(err, 400, "message is too long");
    o->body.kind = TG_CONTENT_TEXT;
    set_text(o);
    buf_init(&b, 64 * KIB);
    put_link_preview(o, &w);
    o->also = buf_str(&b);
    add_flags(o);
    buf_deinit(&b);
    return true;
}

static bool
check_link_preview(const struct tg_call *c, struct error *err)
{
    yyjson_val *options;

    if (!tg_params_json(&c->params, "link_preview_options", c->arena, &options))
        return error_set(err, 400, "Can't parse link preview options JSON object");
    return !options || yyjson_is_obj(options) || error_set(err, 400, "Object expected as link preview options");
}

bool
tg_send_message(struct tg_call *c, struct json *w, struct error *err)
{
    struct outgoing o = { .c = c, .complete = complete_text };

    if (!check_link_preview(c, err))
        return false;
    if (tg_params_text(&c->params, "text").len == 0)
        return error_set(err, 400, "message text is empty");
    return tg_param_formatted(c, "text", "entities", &o.text, err) && send_it(&o, w, err);
}

/* ---- files ---- */

static void
read_media_params(const struct tg_params *p, struct tg_media *m)
{
    m->duration = tg_params_int(p, "duration", 0, 0, INT32_MAX);
    m->width = tg_params_int(p, m->kind == TG_VIDEO_NOTE ? "length" : "width", 0, 0, 10000);
    m->height = tg_params_int(p, "height", 0, 0, 10000);
    m->title = tg_params_text(p, "title");
    m->performer = tg_params_text(p, "performer");
    m->emoji = tg_params_text(p, "emoji");
    m->as_document = tg_params_true(p, "disable_content_type_detection");
}

static bool
complete_media(struct outgoing *o, struct error *err)
{
    struct tg_media   m = { .kind = o->kind };
    enum tg_file_kind has_become;

    if (str_code_points(o->text.text) > TG_CAPTION_MAX)
        return error_set(err, 400, "message caption is too long");
    read_media_params(&o->c->params, &m);
    if (!tg_take_media(o->c, &m, o->upload, o->file_id, &o->body.media, &has_become, err))
        return false;
    o->body.kind = tg_kind_has_caption(has_become) ? TG_CONTENT_MEDIA : TG_CONTENT_OTHER;
    if (o->body.kind == TG_CONTENT_MEDIA)
        set_text(o);
    add_flags(o);
    return true;
}

static bool
send_media(struct tg_call *c, enum tg_file_kind kind, const char *param, const char *called, struct json *w,
    struct error *err)
{
    struct outgoing o = { .c = c, .kind = kind, .complete = complete_media };

    tg_find_upload(c, param, tg_params_text(&c->params, param), &o.upload, &o.file_id);
    if (!o.upload && o.file_id.len == 0)
        return error_set(err, 400, "there is no %s in the request", called);
    if (tg_kind_has_caption(kind) && !tg_param_formatted(c, "caption", "caption_entities", &o.text, err))
        return false;
    return send_it(&o, w, err);
}

bool
tg_send_photo(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_PHOTO, "photo", "photo", w, err);
}

bool
tg_send_video(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_VIDEO, "video", "video", w, err);
}

bool
tg_send_audio(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_AUDIO, "audio", "audio", w, err);
}

bool
tg_send_voice(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_VOICE, "voice", "voice", w, err);
}

bool
tg_send_animation(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_ANIMATION, "animation", "animation", w, err);
}

bool
tg_send_document(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_DOCUMENT, "document", "document", w, err);
}

bool
tg_send_video_note(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_VIDEO_NOTE, "video_note", "video note", w, err);
}

bool
tg_send_sticker(struct tg_call *c, struct json *w, struct error *err)
{
    return send_media(c, TG_STICKER, "sticker", "sticker", w, err);
}

/* ---- places and people ---- */

static double
number_of(const struct tg_call *c, const char *name)
{
    return strtod(arena_copy(c->arena, str_trim(tg_params_text(&c->params, name))).ptr, NULL);
}

static bool
complete_nothing(struct outgoing *o, struct error *err)
{
    (void)err;
    o->body.kind = TG_CONTENT_OTHER;
    add_flags(o);
    return true;
}

bool
tg_send_location(struct tg_call *c, struct json *w, struct error *err)
{
    struct outgoing o = { .c = c, .complete = complete_nothing };
    double          latitude = number_of(c, "latitude"), longitude = number_of(c, "longitude");

    if (str_trim(tg_params_text(&c->params, "latitude")).len == 0)
        return error_set(err, 400, "latitude is empty");
    if (str_trim(tg_params_text(&c->params, "longitude")).len == 0)
        return error_set(err, 400, "longitude is empty");
    if (!(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180))
        return error_set(err, 400, "wrong location specified");
    o.body.media = arena_printf(c->arena, "\"location\":{\"latitude\":%.6f,\"longitude\":%.6f}", latitude, longitude);
    return send_it(&o, w, err);
}

bool
tg_send_contact(struct tg_call *c, struct json *w, struct error *err)
{
    static const char *const names[] = { "phone_number", "first_name", "last_name", "vcard" };
    struct outgoing          o = { .c = c, .complete = complete_nothing };
    struct buf               b;
    struct json              members = { .buf = &b };
    struct str               text;

    for (size_t i = 0; i < 2; i++)
        if (tg_params_text(&c->params, names[i]).len == 0)
            return error_set(err, 400, "Parameter \"%s\" is required", names[i]);
    buf_init(&b, 128 * KIB);
    json_begin(&members, "contact");
    for (size_t i = 0; i < 4; i++)
        if ((text = tg_params_text(&c->params, names[i])).len > 0)
            json_put_str(&members, names[i], text);
    json_end(&members);
    o.body.media = arena_take(c->arena, &b);
    return send_it(&o, w, err);
}

/* ---- albums ---- */

#define ALBUM_MAX 10

static bool
read_input_media(struct outgoing *o, yyjson_val *item, struct error *err)
{
    struct tg_call *c = o->c;
    struct str      type = json_str(item, "type");

    if (!yyjson_is_obj(item))
        return error_set(err, 400, "expected an Object");
    if (!tg_text_read(json_str(item, "caption").ptr ? json_str(item, "caption") : STR(""), json_str(item, "parse_mode"),
            json_get(item, "caption_entities"), c->arena, &o->text, err))
        return false;
    tg_find_upload(c, NULL, json_str(item, "media").ptr ? json_str(item, "media") : STR(""), &o->upload, &o->file_id);
    if (!o->upload && o->file_id.len == 0)
        return error_set(err, 400, "media not found");
    if (str_is_none(type))
        return error_set(err, 400, "Can't find field \"type\"");
    if (!tg_kind_parse(type, &o->kind) || o->kind == TG_VOICE || o->kind == TG_VIDEO_NOTE || o->kind == TG_STICKER)
        return error_set(err, 400, "type must be one of photo, video, audio, document, animation");
    return true;
}

static bool
read_album(struct tg_call *c, struct outgoing *items, size_t *count, struct error *err)
{
    yyjson_arr_iter it;
    yyjson_val     *media, *item;

    if (tg_params_text(&c->params, "media").len == 0)
        return error_set(err, 400, "Parameter \"media\" is required");
    if (!tg_params_json(&c->params, "media", c->arena, &media))
        return error_set(err, 400, "Can't parse media JSON object");
    if (!yyjson_is_arr(media))
        return error_set(err, 400, "Expected an Array of InputMedia");
    if (yyjson_arr_size(media) == 0)
        return error_set(err, 400, "There are no messages to send");
    if (yyjson_arr_size(media) > ALBUM_MAX)
        return error_set(err, 400, "Too many messages to send as an album");
    it = yyjson_arr_iter_with(media);
    while ((item = yyjson_arr_iter_next(&it)) != NULL) {
        items[*count] = (struct outgoing){ .c = c };
        if (!read_input_media(&items[(*count)++], item, err))
            return error_prefix(err, "Can't parse InputMedia");
    }
    return true;
}

/* All files are taken before the first message is stored: an album comes whole or not at all. */
bool
tg_send_media_group(struct tg_call *c, struct json *w, struct error *err)
{
    struct outgoing *items = arena_array(c->arena, struct outgoing, ALBUM_MAX);
    size_t           count = 0;
    struct str       group = arena_printf(c->arena, "\"media_group_id\":\"%lld\"",
              (long long)(INT64_C(10000000000000000) + random_below(INT64_C(10000000000000000))));

    if (!read_album(c, items, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct outgoing *o = &items[i];

        o->also = group;
        if (!read_reply(o, err) || !tg_target_chat(c, true, &o->chat, err) || !check_reply(o, err)
            || !check_open(o, err))
            return false;
        if (!complete_media(o, err))
            return error_set(err, 400, "Failed to send message #%zu with the error message \"%s\"", i + 1,
                arena_copy(c->arena, str_of(err->message)).ptr);
    }
    json_begin_array(w, "result");
    for (size_t i = 0; i < count; i++)
        tg_message_write(store(&items[i]), false, w, NULL);
    json_end_array(w);
    return true;
}

/* ---- typing ---- */

bool
tg_send_chat_action(struct tg_call *c, struct json *w, struct error *err)
{
    static const char *const actions[] = {
        "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
        "choose_sticker", "find_location", "record_video_note", "upload_video_note", "cancel", "record_audio",
        "upload_audio", "pick_up_location",
    };
    struct str      action = tg_params_text(&c->params, "action");
    struct tg_chat *chat;
    bool            known = false;

    for (size_t i = 0; i < COUNT(actions); i++)
        known |= str_eq_nocase(action, str_of(actions[i]));
    if (!known)
        return error_set(err, 400, "wrong parameter action in request");
    if (!tg_target_chat(c, true, &chat, err))
        return false;
    if (chat->blocked)
        return error_set(err, 403, "bot was blocked by the user");
    tg_tell_chat(chat, "action", arena_printf(c->arena, "\"action\":\"%.*s\"", STR_ARG(action)));
    json_put_bool(w, "result", true);
    return true;
}
