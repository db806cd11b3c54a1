/* send.c -- one message: text, or one file in the form that suits it.
 *
 * Files are always uploaded. Telegram would also fetch a URL, but takes less that way, wants its
 * own choice of types, and remembers for days that a URL failed. */
#include "base/array.h"
#include "platform/telegram/telegram.h"

/* The methods that send a file, and what a file is called when nobody named it. */
struct form {
    const char *method, *part, *file_name;
};

static const struct form
    photo     = { "sendPhoto", "photo", "photo" },
    video     = { "sendVideo", "video", "video" },
    animation = { "sendAnimation", "animation", "animation" },
    audio     = { "sendAudio", "audio", "audio" },
    voice     = { "sendVoice", "voice", "voice" },
    sticker   = { "sendSticker", "sticker", "sticker" },
    document  = { "sendDocument", "document", "file" };

/* What Telegram plays or shows; everything else goes as a document, which loses nothing. It looks
 * at a photo's extension before its bytes, so a name without the right one gets it. */
static const struct type {
    const char        *content_type;
    const struct form *form;
    const char        *extensions[3];
    bool               is_sticker; /* could be one, if that is what was asked for */
} types[] = {
    { "image/jpeg",             &photo,     { ".jpg", ".jpeg" } },
    { "image/png",              &photo,     { ".png" } },
    { "image/gif",              &animation, { ".gif" } },
    { "image/webp",             &document,  { ".webp" }, true },
    { "video/mp4",              &video,     { ".mp4", ".m4v" } },
    { "video/webm",             &document,  { ".webm" }, true },
    { "audio/mpeg",             &audio,     { ".mp3" } },
    { "audio/mp4",              &audio,     { ".m4a", ".mp4" } },
    { "audio/x-m4a",            &audio,     { ".m4a" } },
    { "audio/ogg",              &voice,     { ".ogg", ".oga", ".opus" } },
    { "audio/opus",             &voice,     { ".ogg", ".oga", ".opus" } },
    { "application/x-tgsticker", &sticker,  { ".tgs" }, true },
};

/* Refusals that are about the form and not about the file or the person: photos with extreme sides,
 * people who pay for not being sent voice notes. */
static const char *const about_the_form[] = {
    "PHOTO_", "IMAGE_PROCESS_FAILED", "photo has unsupported extension", "too big for a photo",
    "VOICE_MESSAGES_FORBIDDEN",
};

enum { SEND_AS_FITS, SEND_AS_DOCUMENT }; /* op->stage */

static const struct type *
type_of(const struct op_file *file)
{
    struct str content_type, parameters;

    str_cut(file->content_type, ';', &content_type, &parameters);
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_eq_nocase(str_trim(content_type), str_of(types[i].content_type)))
            return &types[i];
    return NULL;
}

static bool
is_photo_sized(const struct op_file *file)
{
    int64_t w = file->width, h = file->height;

    if (file->size > TELEGRAM_PHOTO_MAX)
        return false;
    return w <= 0 || h <= 0 || (w + h <= 10000 && w <= 20 * h && h <= 20 * w);
}

static const struct form *
form_of(const struct op_file *file)
{
    const struct type *type = type_of(file);

    if (!type)
        return &document;
    if (file->type == ATTACH_STICKER && type->is_sticker)
        return &sticker;
    if (type->form == &photo && !is_photo_sized(file))
        return &document;
    if (type->form == &video && file->is_animation)
        return &animation;
    if (type->form == &audio && file->is_voice)
        return &voice;
    return type->form;
}

static struct str
name_of(struct arena *a, const struct op_file *file, const struct form *form)
{
    const struct type *type = type_of(file);
    struct str         name = file->file_name.len > 0 ? file->file_name : str_of(form->file_name);

    if (!type)
        return name;
    for (size_t i = 0; i < 3 && type->extensions[i]; i++)
        if (str_ends(name, str_of(type->extensions[i])))
            return name;
    return arena_printf(a, "%.*s%s", STR_ARG(name), type->extensions[0]);
}

/* Threading under a message that is gone fails with Telegram's words, because the caller named it:
 * `allow_sending_without_reply` is not for us to decide. */
static struct str
reply_parameters(struct op *op)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    telegram_put_number(&p, "message_id", op->reply_to);
    return telegram_params_text(&p, op->arena);
}

static void
send_text(struct op *op, struct op_step *out)
{
    struct telegram_params p;

    telegram_params_begin(&p);
    telegram_put_number(&p, "chat_id", telegram_chat(op));
    json_put_str(&p.json, "text", op->body);
    if (op->reply_to.len > 0)
        json_put_raw(&p.json, "reply_parameters", reply_parameters(op));
    if (op->reply_markup.len > 0)
        json_put_raw(&p.json, "reply_markup", op->reply_markup);
    telegram_params_call(&p, op, "sendMessage", out);
}

static void
send_file(struct op *op, const struct form *form, struct op_step *out)
{
    struct net_part *parts = arena_array(op->arena, struct net_part, 6);
    size_t           n = 0;

    parts[n++] = (struct net_part){ .name = STR("chat_id"), .value = telegram_chat(op) };
    if (op->body.len > 0)
        parts[n++] = (struct net_part){ .name = STR("caption"), .value = op->body };
    if (form == &video)
        parts[n++] = (struct net_part){ .name = STR("supports_streaming"), .value = STR("true") };
    if (op->reply_to.len > 0)
        parts[n++] = (struct net_part){ .name = STR("reply_parameters"), .value = reply_parameters(op) };
    if (op->reply_markup.len > 0)
        parts[n++] = (struct net_part){ .name = STR("reply_markup"), .value = op->reply_markup };
    parts[n++] = (struct net_part){
        .name = str_of(form->part),
        .path = op->file.path,
        .file_name = name_of(op->arena, &op->file, form),
        .content_type = op->file.content_type.len > 0 ? op->file.content_type : STR("application/octet-stream"),
    };
    telegram_call_parts(op, form->method, parts, n, out);
}

static void
begin(struct op *op, struct op_step *out)
{
    int64_t reply_to;

    if (op->reply_to.len > 0 && (!str_to_i64(op->reply_to, &reply_to) || reply_to <= 0))
        telegram_fail(op, out, 400, arena_printf(op->arena, "reply_to_external_id must be the id of a Telegram"
            " message, which is a number, not '%.*s'", STR_ARG(str_utf8_cut(op->reply_to, 100))));
    else if (op->has_file)
        send_file(op, form_of(&op->file), out);
    else if (op->body.len == 0)
        telegram_fail(op, out, 400, STR("Bad Request: message text is empty")); /* as Telegram would */
    else
        send_text(op, out);
}

static bool
should_go_as_document(const struct op *op, const struct op_step *refusal)
{
    if (!op->has_file || op->stage != SEND_AS_FITS || refusal->verdict != OP_FAIL || refusal->code != 400)
        return false;
    for (size_t i = 0; i < COUNT(about_the_form); i++)
        if (str_find_nocase(refusal->reason, str_of(about_the_form[i])) >= 0)
            return true;
    return false;
}

void
telegram_send(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *message;
    int64_t     id, chat_id;

    if (!last) {
        begin(op, out);
        return;
    }
    if (!telegram_answered(op, last, &message, out)) {
        if (should_go_as_document(op, out)) {
            op->stage = SEND_AS_DOCUMENT;
            send_file(op, &document, out);
        }
        return;
    }
    id = json_int(message, "message_id", 0);
    chat_id = json_int(json_obj(message, "chat"), "id", 0);
    if (id <= 0) {
        telegram_retry(op, out, last->status, STR("Telegram said yes and named no message"));
        out->maybe_done = true;
        return;
    }
    op->external_id = telegram_id(op->arena, id);
    if (chat_id != 0)
        op->out_conversation_id = telegram_id(op->arena, chat_id);
    op->posted_at = telegram_time(message, "date");
    op->out_body = json_str(message, op->has_file ? "caption" : "text");
    telegram_done(out);
}

bool
telegram_check_file(const struct op_file *file, struct error *err)
{
    if (file->size == 0)
        return error_set(err, 422, "Telegram takes no empty files");
    if (file->size > TELEGRAM_UPLOAD_MAX)
        return error_set(err, 422, "Telegram takes files of up to %lld bytes from a bot; this one has %lld",
            (long long)TELEGRAM_UPLOAD_MAX, (long long)file->size);
    return true;
}
