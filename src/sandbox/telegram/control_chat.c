/* control_chat.c -- the control API's chats: what the person sees, writes, edits, taps, feels and blocks. */
#include "sandbox/telegram/control.h"

#include "sandbox/telegram/methods.h"
#include "sandbox/telegram/person.h"
#include "sandbox/telegram/write.h"

static struct tg_chat *
path_chat(struct tg *tg, const struct http_exchange *x, struct error *err)
{
    struct tg_bot    *bot = tg_path_bot(tg, x, err);
    struct tg_person *person = bot ? tg_path_person(tg, x, err) : NULL;
    struct tg_chat   *chat = person ? tg_chat_get(bot, person->id) : NULL;

    if (person && !chat)
        error_set(err, 404, "this person has not written to this bot yet");
    return chat;
}

static struct tg_message *
path_message(struct tg *tg, const struct http_exchange *x, struct error *err)
{
    struct tg_chat    *chat = path_chat(tg, x, err);
    int64_t            id;
    struct tg_message *m = chat && tg_path_number(x, "message", &id) ? tg_message_get(chat, id) : NULL;

    if (chat && !m)
        error_set(err, 404, "there is no such message in this chat");
    return m;
}

bool
tg_control_chats(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct tg_bot *bot = tg_path_bot(state, x, err);

    if (!bot)
        return false;
    json_begin_array(w, "data");
    for (const struct tg_chat *chat = bot->first_chat; chat; chat = chat->next) {
        json_begin(w, NULL);
        json_put_int(w, "user_id", chat->person->id);
        json_put_bool(w, "blocked", chat->blocked);
        json_put_int(w, "message_count", (int64_t)chat->count);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

/* A chat that has not begun is an empty one. */
bool
tg_control_messages(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct tg_bot    *bot = tg_path_bot(state, x, err);
    const struct tg_person *person = bot ? tg_path_person(state, x, err) : NULL;
    const struct tg_chat   *chat = person ? tg_chat_get(bot, person->id) : NULL;

    if (!person)
        return false;
    json_begin_array(w, "data");
    for (const struct tg_message *m = chat ? chat->oldest : NULL; m; m = m->newer)
        tg_message_write_seen(m, w, NULL);
    json_end_array(w);
    json_put_bool(w, "blocked", chat && chat->blocked);
    return true;
}

bool
tg_control_write(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg_bot     *bot = tg_path_bot(state, x, err);
    struct tg_person  *person = bot ? tg_path_person(state, x, err) : NULL;
    struct tg_written  written;
    struct tg_message *m;
    int64_t            update_id;

    if (!person || !tg_written_read(bot, x, &written, err)
        || !tg_person_writes(bot, person, &written, &m, &update_id, err))
        return false;
    x->reply.status = 201;
    tg_put_update_id(w, update_id);
    tg_message_write_seen(m, w, "message");
    return true;
}

bool
tg_control_edit(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg_message *m = path_message(state, x, err);
    yyjson_val        *body;
    struct tg_text     text;
    struct str         typed;
    int64_t            update_id;
    bool               is_text = m && m->body.kind == TG_CONTENT_TEXT;

    if (!m || !stage_read_body(x, &body, err))
        return false;
    typed = json_str(body, is_text ? "text" : "caption");
    if (str_is_none(typed) || (is_text && typed.len == 0))
        return error_set(err, 400, is_text ? "this message has a text: send {\"text\":\"...\"}"
                                           : "this message has no text: send {\"caption\":\"...\"}");
    if (!tg_text_typed(typed, &x->arena, &text, err)
        || !tg_person_edits(m, text.text, tg_entities_json(&text, &x->arena), &update_id, err))
        return false;
    tg_put_update_id(w, update_id);
    tg_message_write_seen(m, w, "message");
    return true;
}

bool
tg_control_tap(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg_chat *chat = path_chat(state, x, err);
    yyjson_val     *body;
    int64_t         message_id, tap_id, update_id;

    if (!chat || !stage_read_body(x, &body, err))
        return false;
    if (!tg_path_number(x, "message", &message_id))
        return error_set(err, 404, "there is no such message in this chat");
    if (!tg_person_taps(chat, message_id, json_str(body, "data"), &tap_id, &update_id, err))
        return false;
    stage_put_id(w, "callback_query_id", tap_id);
    tg_put_update_id(w, update_id);
    return true;
}

bool
tg_control_react(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg_message *m = path_message(state, x, err);
    yyjson_val        *body;
    int64_t            update_id;
    struct str         emoji;

    if (!m || !stage_read_body(x, &body, err))
        return false;
    emoji = json_str(body, "emoji");
    if (str_is_none(emoji) || emoji.len > 64)
        return error_set(err, 400, "emoji must be an emoji, or \"\" to take the reaction back");
    tg_person_reacts(m, emoji, &update_id);
    tg_put_update_id(w, update_id);
    return true;
}

static bool
set_blocked(void *state, struct http_exchange *x, struct json *w, struct error *err, bool blocks)
{
    struct tg_chat *chat = path_chat(state, x, err);
    int64_t         update_id;

    if (!chat)
        return false;
    tg_person_blocks(chat, blocks, &update_id);
    tg_put_update_id(w, update_id);
    return true;
}

bool
tg_control_block(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    return set_blocked(state, x, w, err, true);
}

bool
tg_control_unblock(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    return set_blocked(state, x, w, err, false);
}
