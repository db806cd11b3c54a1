/* edit.c -- changing and deleting what was sent. */
#include "base/array.h"
#include "sandbox/telegram/methods.h"
#include "sandbox/telegram/notify.h"

#define DELETABLE_S INT64_C(172800) /* 48 h */

static const char not_modified[] =
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message";

bool
tg_edit_allowed(const struct tg_message *m, enum tg_edit what, struct error *err)
{
    if (m->by_person || m->not_editable)
        return error_set(err, 400, "message can't be edited");
    switch (what) {
    case TG_EDIT_TEXT:
        return m->body.kind == TG_CONTENT_TEXT || error_set(err, 400, "there is no text in the message to edit");
    case TG_EDIT_CAPTION:
        return m->body.kind == TG_CONTENT_MEDIA || error_set(err, 400, "there is no caption in the message to edit");
    case TG_EDIT_MEDIA:
        return m->body.kind == TG_CONTENT_MEDIA || error_set(err, 400, "there is no media in the message to edit");
    case TG_EDIT_MARKUP:
        break;
    }
    return true;
}

/* An edit on its way: the message and what it will say. */
struct edit {
    struct tg_call    *c;
    struct tg_message *m;
    struct tg_markup   markup;
    struct tg_body     body;
};

static bool
is_inline(const struct tg_call *c)
{
    return tg_params_text(&c->params, "chat_id").len == 0
        && tg_params_int(&c->params, "message_id", 0, 0, INT32_MAX) == 0;
}

/* Reads the buttons and finds the message. What it says now is the start of what it will say; the
 * buttons are new, also when there are none: an edit that does not repeat them takes them away. */
static bool
begin_edit(struct edit *e, struct tg_call *c, enum tg_edit what, struct error *err)
{
    struct tg_chat *chat;

    e->c = c;
    if (!tg_markup_read(&c->params, c->arena, &e->markup, err))
        return false;
    if (is_inline(c)) /* no one here sends through inline mode */
        return error_set(err, 400, "%s", tg_params_has(&c->params, "inline_message_id")
                ? "MESSAGE_ID_INVALID" : "message identifier is not specified");
    if (!tg_target_message(c, "message to edit", &chat, &e->m, err) || !tg_edit_allowed(e->m, what, err))
        return false;
    e->body = e->m->body;
    e->body.markup = STR_NONE;
    return true;
}

static bool
check_markup(struct edit *e, struct error *err)
{
    if (e->markup.kind != MARKUP_NONE && e->markup.kind != MARKUP_INLINE)
        return error_set(err, 400, "inline keyboard expected");
    e->body.markup = e->markup.json;
    return tg_markup_check(&e->markup, err);
}

static bool
is_same(const struct tg_body *a, const struct tg_body *b)
{
    return str_eq(a->text, b->text) && str_eq(a->entities, b->entities) && str_eq(a->media, b->media)
        && str_eq(a->markup, b->markup);
}

static bool
end_edit(struct edit *e, struct json *w, struct error *err)
{
    if (!check_markup(e, err))
        return false;
    if (is_same(&e->body, &e->m->body))
        return error_set(err, 400, "%s", not_modified);
    tg_message_say(e->m, &e->body);
    e->m->edit_date = stage_now_ms(e->c->tg->stage) / 1000;
    tg_tell_message(e->m, "edited");
    tg_message_write(e->m, true, w, "result");
    return true;
}

bool
tg_edit_text(struct tg_call *c, struct json *w, struct error *err)
{
    struct edit    e = { 0 };
    struct tg_text text;

    if (tg_params_text(&c->params, "text").len == 0)
        return error_set(err, 400, "message text is empty");
    if (!tg_param_formatted(c, "text", "entities", &text, err) || !begin_edit(&e, c, TG_EDIT_TEXT, err))
        return false;
    if (text.text.len == 0)
        return error_set(err, 400, "text must be non-empty");
    if (str_code_points(text.text) > TG_TEXT_MAX)
        return error_set(err, 400, "MESSAGE_TOO_LONG");
    e.body.text = text.text;
    e.body.entities = tg_entities_json(&text, c->arena);
    return end_edit(&e, w, err);
}

bool
tg_edit_caption(struct tg_call *c, struct json *w, struct error *err)
{
    struct edit    e = { 0 };
    struct tg_text text;

    if (!begin_edit(&e, c, TG_EDIT_CAPTION, err) || !tg_param_formatted(c, "caption", "caption_entities", &text, err))
        return false;
    if (str_code_points(text.text) > TG_CAPTION_MAX)
        return error_set(err, 400, "MEDIA_CAPTION_TOO_LONG");
    e.body.text = text.text;
    e.body.entities = tg_entities_json(&text, c->arena);
    return end_edit(&e, w, err);
}

bool
tg_edit_markup(struct tg_call *c, struct json *w, struct error *err)
{
    struct edit e = { 0 };

    return begin_edit(&e, c, TG_EDIT_MARKUP, err) && end_edit(&e, w, err);
}

/* ---- another picture ---- */

static bool
read_new_media(struct edit *e, yyjson_val *obj, struct error *err)
{
    struct tg_call         *c = e->c;
    struct tg_media         m = { .kind = TG_DOCUMENT };
    struct tg_text          caption;
    const struct http_part *upload;
    struct str              id, media = json_str(obj, "media"), text = json_str(obj, "caption");
    enum tg_file_kind       has_become;

    if (!tg_kind_parse(json_str(obj, "type"), &m.kind) || !tg_kind_has_caption(m.kind) || m.kind == TG_VOICE)
        return error_set(err, 400, "can't parse InputMedia: Can't find field \"type\"");
    tg_find_upload(c, NULL, media.ptr ? media : STR(""), &upload, &id);
    if (!upload && id.len == 0)
        return error_set(err, 400, "can't parse InputMedia: media not found");
    if (!tg_text_read(text.ptr ? text : STR(""), json_str(obj, "parse_mode"), json_get(obj, "caption_entities"),
            c->arena, &caption, err))
        return false;
    if (str_code_points(caption.text) > TG_CAPTION_MAX)
        return error_set(err, 400, "MEDIA_CAPTION_TOO_LONG");
    e->body.text = caption.text;
    e->body.entities = tg_entities_json(&caption, c->arena);
    return tg_take_media(c, &m, upload, id, &e->body.media, &has_become, err);
}

bool
tg_edit_media(struct tg_call *c, struct json *w, struct error *err)
{
    struct edit e = { 0 };
    yyjson_val *media;

    if (tg_params_text(&c->params, "media").len == 0)
        return error_set(err, 400, "Parameter \"media\" is required");
    if (!tg_params_json(&c->params, "media", c->arena, &media))
        return error_set(err, 400, "can't parse input media JSON object");
    if (!yyjson_is_obj(media))
        return error_set(err, 400, "can't parse InputMedia: expected an Object");
    return begin_edit(&e, c, TG_EDIT_MEDIA, err) && read_new_media(&e, media, err) && end_edit(&e, w, err);
}

/* ---- deleting ---- */

static void
delete(struct tg_message *m)
{
    tg_tell_deleted(m->chat, m->id);
    tg_message_remove(m);
}

static bool
is_deletable(const struct tg_call *c, const struct tg_message *m)
{
    return stage_now_ms(c->tg->stage) / 1000 - m->date <= DELETABLE_S;
}

bool
tg_delete_message(struct tg_call *c, struct json *w, struct error *err)
{
    struct tg_chat    *chat;
    struct tg_message *m;

    if (str_trim(tg_params_text(&c->params, "chat_id")).len == 0)
        return error_set(err, 400, "chat identifier is not specified");
    if (tg_params_int(&c->params, "message_id", 0, 0, INT32_MAX) == 0)
        return error_set(err, 400, "message identifier is not specified");
    if (!tg_target_message(c, "message to delete", &chat, &m, err))
        return false;
    if (!is_deletable(c, m))
        return error_set(err, 400, "message can't be deleted for everyone");
    delete(m);
    json_put_bool(w, "result", true);
    return true;
}

bool
tg_delete_messages(struct tg_call *c, struct json *w, struct error *err)
{
    struct tg_chat    *chat;
    struct tg_message *m;
    yyjson_arr_iter    it;
    yyjson_val        *ids, *id;

    if (tg_params_text(&c->params, "message_ids").len == 0)
        return error_set(err, 400, "Message identifiers are not specified");
    if (!tg_params_json(&c->params, "message_ids", c->arena, &ids))
        return error_set(err, 400, "Can't parse message_ids JSON object");
    if (!yyjson_is_arr(ids))
        return error_set(err, 400, "Expected an Array of message identifiers");
    if (yyjson_arr_size(ids) > 100)
        return error_set(err, 400, "Too many message identifiers specified");
    if (!tg_target_chat(c, false, &chat, err))
        return false;
    it = yyjson_arr_iter_with(ids);
    while ((id = yyjson_arr_iter_next(&it)) != NULL)
        if ((m = tg_message_get(chat, yyjson_get_sint(id))) != NULL && is_deletable(c, m))
            delete(m);
    json_put_bool(w, "result", true);
    return true;
}

/* ---- reactions ---- */

static const char *const reactions[] = {
    "❤", "👍", "👎", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "🤬", "😢", "🎉", "🤩", "🤮", "💩", "🙏", "👌", "🕊", "🤡", "🥱",
    "🥴", "😍", "🐳", "❤‍🔥", "🌚", "🌭", "💯", "🤣", "⚡", "🍌", "🏆", "💔", "🤨", "😐", "🍓", "🍾", "💋", "🖕", "😈", "😴", "😭",
    "🤓", "👻", "👨‍💻", "👀", "🎃", "🙈", "😇", "😨", "🤝", "✍", "🤗", "🫡", "🎅", "🎄", "☃", "💅", "🤪", "🗿", "🆒", "💘", "🙉",
    "🦄", "😘", "💊", "🙊", "😎", "👾", "🤷‍♂", "🤷", "🤷‍♀", "😡",
};

static bool
read_reaction(struct tg_call *c, struct str *emoji, struct error *err)
{
    yyjson_val *list, *one;

    *emoji = STR("");
    if (!tg_params_json(&c->params, "reaction", c->arena, &list))
        return error_set(err, 400, "Can't parse reaction types JSON object");
    if (!list)
        return true;
    if (!yyjson_is_arr(list))
        return error_set(err, 400, "Expected an Array of ReactionType");
    one = yyjson_arr_get_first(list);
    if (one && !yyjson_is_obj(one))
        return error_set(err, 400, "Can't parse ReactionType: expected an Object");
    if (yyjson_arr_size(list) > 1)
        return error_set(err, 400, "REACTIONS_TOO_MANY");
    if (one && !str_eq(json_str(one, "type"), STR("emoji")))
        return error_set(err, 400, "REACTION_INVALID");
    *emoji = one ? json_str(one, "emoji") : STR("");
    return true;
}

static bool
is_reaction(struct str emoji)
{
    for (size_t i = 0; i < COUNT(reactions); i++)
        if (str_eq(emoji, str_of(reactions[i])))
            return true;
    return false;
}

bool
tg_set_reaction(struct tg_call *c, struct json *w, struct error *err)
{
    struct tg_chat    *chat;
    struct tg_message *m;
    struct str         emoji;

    if (!read_reaction(c, &emoji, err) || !tg_target_message(c, "message to react", &chat, &m, err))
        return false;
    if (emoji.len > 0 && !is_reaction(emoji))
        return error_set(err, 400, "REACTION_INVALID");
    own_free(&m->bots_reaction);
    if (emoji.len > 0)
        m->bots_reaction = own_text(emoji);
    tg_tell_message(m, "edited");
    json_put_bool(w, "result", true);
    return true;
}
