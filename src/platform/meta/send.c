/* send.c -- a message: a text or one file, to a person or below a comment; and reactions.
 *
 * A file goes to Messenger as it is. Instagram fetches what it sends from a URL, so somebody must be able to reach
 * us there. Meta has no key that makes a repeat harmless; what got lost is looked for instead (find.c). */
#include "base/array.h"
#include "platform/meta/meta.h"

#define BODY_MAX     (64 * KIB)
#define FETCH_MS     120000 /* Meta gives itself 75 s to fetch a file */

static bool
is_one_of(struct str type, const char *const *types, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(type, str_of(types[i])))
            return true;
    return false;
}

/* What Messenger does not show as an image, or play, goes as a file, which loses nothing. Instagram takes none of
 * those: see instagram_check_file(). */
struct str
meta_attachment_type(enum meta_flavour flavour, const struct op_file *file)
{
    static const char *const images[] = { "image/jpeg", "image/png", "image/gif", "image/webp" };
    struct str               type, parameters;
    bool                     is_page = flavour == META_PAGE;

    str_cut(file->content_type, ';', &type, &parameters);
    type = str_trim(type);
    switch (file->type) {
    case ATTACH_IMAGE:
    case ATTACH_STICKER:
        return is_page && type.len > 0 && !is_one_of(type, images, COUNT(images)) ? STR("file")
                                                                                                       : STR("image");
    case ATTACH_VIDEO:
        return STR("video");
    case ATTACH_AUDIO: /* only with a type that says so */
        return is_page && type.len > 0 && !str_starts(type, STR("audio/")) ? STR("file") : STR("audio");
    case ATTACH_FILE:
    case ATTACH_TYPES:
        break;
    }
    return STR("file");
}

static void
put_recipient(struct json *w, const struct op *op, const char *name)
{
    json_begin(w, name);
    if (op->comment_id.len > 0)
        json_put_str(w, "comment_id", op->comment_id);
    else
        json_put_str(w, "id", op->participant_id);
    json_end(w);
}

/* `url` none = the bytes go along. */
static void
put_attachment(struct json *w, struct op *op, struct str url)
{
    json_begin(w, "attachment");
    json_put_str(w, "type", meta_attachment_type(meta_talk(op)->flavour, &op->file));
    json_begin(w, "payload");
    if (url.len > 0)
        json_put_str(w, "url", url);
    json_end(w);
    json_end(w);
}

/* The echo of a message brings its metadata back, so that a lost answer does no harm; not on Instagram. */
static void
put_message(struct json *w, struct op *op, const char *name)
{
    json_begin(w, name);
    if (op->has_file)
        put_attachment(w, op, meta_talk(op)->flavour == META_PAGE ? STR_NONE : op->file.url);
    else
        json_put_str(w, "text", op->body);
    if (meta_talk(op)->flavour == META_PAGE && op->client_ref.len > 0)
        json_put_str(w, "metadata", op->client_ref);
    json_end(w);
}

/* Instagram's own API does not know the parameter, and private replies are documented without. */
static bool
has_messaging_type(struct op *op)
{
    return meta_talk(op)->flavour != META_INSTAGRAM_LOGIN && op->comment_id.len == 0;
}

static void
send_json(struct op *op, struct op_step *out)
{
    struct buf  body;
    struct json w = { .buf = &body };

    buf_init(&body, BODY_MAX);
    json_begin(&w, NULL);
    put_recipient(&w, op, "recipient");
    if (has_messaging_type(op))
        json_put_str(&w, "messaging_type", STR("RESPONSE"));
    put_message(&w, op, "message");
    json_end(&w);
    meta_call_json(op, meta_account_path(op, "messages"), &body, out);
    if (op->has_file)
        out->call.total_ms = FETCH_MS;
}

static struct str
json_part(struct op *op, void (*put)(struct json *w, struct op *op))
{
    struct buf  body;
    struct json w = { .buf = &body };

    buf_init(&body, BODY_MAX);
    put(&w, op);
    return arena_take(op->arena, &body);
}

static void
put_recipient_alone(struct json *w, struct op *op)
{
    put_recipient(w, op, NULL);
}

static void
put_message_alone(struct json *w, struct op *op)
{
    put_message(w, op, NULL);
}

static void
send_file(struct op *op, struct op_step *out)
{
    struct net_part *parts = arena_array(op->arena, struct net_part, 4);
    struct str       type = op->file.content_type, name = op->file.file_name;
    size_t           n = 0;

    parts[n++] = (struct net_part){ .name = STR("recipient"), .value = json_part(op, put_recipient_alone) };
    if (has_messaging_type(op))
        parts[n++] = (struct net_part){ .name = STR("messaging_type"), .value = STR("RESPONSE") };
    parts[n++] = (struct net_part){ .name = STR("message"), .value = json_part(op, put_message_alone) };
    parts[n++] = (struct net_part){
        .name = STR("filedata"),
        .path = op->file.path,
        .file_name = name.len > 0 ? name : STR("file"),
        .content_type = type.len > 0 ? type : STR("application/octet-stream"),
    };
    meta_call_parts(op, meta_account_path(op, "messages"), parts, n, out);
}

static void
begin_send(struct op *op, struct op_step *out)
{
    bool is_page = meta_talk(op)->flavour == META_PAGE;

    if (op->comment_id.len == 0 && op->participant_id.len == 0)
        meta_fail(op, out, 400, STR("There is nobody to send this to"));
    else if (!op->has_file && op->body.len == 0)
        meta_fail(op, out, 400, STR("The message is empty"));
    else if (op->has_file && !is_page && op->file.url.len == 0)
        meta_fail(op, out, 422, STR("Instagram fetches attachments itself, and nobody can reach this server:"
            " set PARLEY_PUBLIC_URL"));
    else if (op->has_file && is_page)
        send_file(op, out);
    else
        send_json(op, out);
}

void
meta_send(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct meta_talk *talk = meta_talk(op);
    yyjson_val       *answer;
    struct str        who;

    if (!last) {
        begin_send(op, out);
        return;
    }
    if (!meta_answered(op, last, &answer, out)) {
        if (talk->error == META_ONCE && !talk->again) {
            talk->again = true;
            begin_send(op, out);
        }
        return;
    }
    op->external_id = meta_id(op->arena, answer, "message_id");
    who = meta_id(op->arena, answer, "recipient_id");
    if (op->external_id.len == 0) {
        meta_retry(op, out, last->status, STR("Meta said yes and named no message"));
        out->maybe_done = true;
        return;
    }
    if (who.len > 0)
        op->out_participant_id = who;
    meta_done(out);
}

/* ---- reactions ---- */

static void
send_reaction(struct op *op, struct op_step *out)
{
    bool        is_page = meta_talk(op)->flavour == META_PAGE;
    struct buf  body;
    struct json w = { .buf = &body };

    buf_init(&body, BODY_MAX);
    json_begin(&w, NULL);
    put_recipient(&w, op, "recipient");
    json_put_str(&w, "sender_action", op->kind == OP_REACT ? STR("react") : STR("unreact"));
    json_begin(&w, "payload");
    json_put_str(&w, "message_id", op->message_id);
    if (op->kind == OP_REACT) /* Messenger takes emoji, Instagram one word */
        json_put_str(&w, "reaction", is_page && op->emoji.len > 0 ? op->emoji : op->reaction);
    json_end(&w);
    json_end(&w);
    meta_call_json(op, meta_account_path(op, "messages"), &body, out);
}

void
meta_react(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *answer;

    if (!last)
        send_reaction(op, out);
    else if (meta_answered(op, last, &answer, out))
        meta_done(out);
}
