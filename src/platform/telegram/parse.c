/* parse.c -- a webhook's body, or the answer of getUpdates, as events.
 *
 * Only private chats concern us. Telegram gives groups, channels, accounts that a bot helps
 * (business_*) and reactions the same envelope: they are counted as ignored, reactions on purpose,
 * because nobody can say whether a bot gets them in private chats at all and half of them would be
 * worse than none. What ought to be one of our kinds and is not shaped like it makes the batch
 * not_understood; its neighbours are events all the same. */
#include <inttypes.h>

#include "base/array.h"
#include "platform/telegram/telegram.h"

#define DATE_MAX 253402300799 /* the end of the year 9999 */

enum reading { TAKEN, IGNORED, NOT_UNDERSTOOD };

struct reader {
    struct arena *a;
    struct str    bot_id;
};

struct str
telegram_id(struct arena *a, int64_t id)
{
    return arena_printf(a, "%" PRId64, id);
}

int64_t
telegram_time(yyjson_val *obj, const char *key)
{
    int64_t s = json_int(obj, key, 0);

    return s > 0 && s <= DATE_MAX ? s * 1000 : 0;
}

/* ---- people ---- */

struct str
telegram_full_name(struct arena *a, yyjson_val *person)
{
    struct str first = json_str(person, "first_name"), last = json_str(person, "last_name");

    if (first.len == 0) /* as it is for deleted accounts */
        return last.len > 0 ? last : STR_NONE;
    if (last.len == 0)
        return first;
    return arena_printf(a, "%.*s %.*s", STR_ARG(first), STR_ARG(last));
}

/* The chat's partner. `from` says more than `chat`, but is the bot itself in messages that the bot
 * wrote. */
static void
read_person(struct reader *r, yyjson_val *chat, yyjson_val *from, struct participant *out)
{
    yyjson_val *person = json_int(from, "id", 0) == json_int(chat, "id", 0) ? from : chat;

    out->external_id = telegram_id(r->a, json_int(chat, "id", 0));
    out->name = telegram_full_name(r->a, person);
    out->username = json_str(person, "username");
    out->language_code = json_str(person, "language_code");
}

/* TAKEN when `holder` has a private chat. */
static enum reading
private_chat(yyjson_val *holder, yyjson_val **out)
{
    yyjson_val *chat = json_obj(holder, "chat");
    struct str  type = json_str(chat, "type");

    *out = chat;
    if (str_is_none(type) || json_int(chat, "id", 0) == 0)
        return NOT_UNDERSTOOD;
    return str_eq(type, STR("private")) ? TAKEN : IGNORED;
}

/* ---- the kinds of updates ---- */

static enum reading
read_message(struct reader *r, yyjson_val *message, struct inbound_event *event)
{
    yyjson_val  *chat, *from = json_obj(message, "from"), *id = json_get(message, "message_id");
    enum reading reading = private_chat(message, &chat);

    if (reading != TAKEN)
        return reading;
    if (!yyjson_is_int(id))
        return NOT_UNDERSTOOD;
    if (json_int(message, "message_id", 0) <= 0 || json_get(message, "business_connection_id"))
        return IGNORED; /* 0 is nothing one could answer or find again */
    event->kind = INBOUND_MESSAGE;
    event->at_ms = telegram_time(message, "date");
    event->conversation_id = telegram_id(r->a, json_int(chat, "id", 0));
    event->external_id = telegram_id(r->a, json_int(message, "message_id", 0));
    read_person(r, chat, from, &event->from);
    event->outbound = from && str_eq(telegram_id(r->a, json_int(from, "id", 0)), r->bot_id);
    telegram_read_content(r->a, message, event);
    return TAKEN;
}

static enum reading
read_edit(struct reader *r, yyjson_val *message, struct inbound_event *event)
{
    enum reading reading = read_message(r, message, event);
    int64_t      edited_ms = telegram_time(message, "edit_date");

    if (reading != TAKEN)
        return reading;
    event->kind = INBOUND_EDIT;
    event->posted_ms = event->at_ms;
    if (edited_ms > 0)
        event->at_ms = edited_ms;
    return TAKEN;
}

/* The label of the button that sends `data`; none when the message is no longer there to look
 * at. */
static struct str
button_text(yyjson_val *message, struct str data)
{
    yyjson_arr_iter rows = yyjson_arr_iter_with(json_arr(json_obj(message, "reply_markup"), "inline_keyboard"));
    yyjson_val     *row, *button;

    while ((row = yyjson_arr_iter_next(&rows)) != NULL) {
        yyjson_arr_iter buttons = yyjson_arr_iter_with(row);

        while ((button = yyjson_arr_iter_next(&buttons)) != NULL)
            if (!str_is_none(data) && str_eq(json_str(button, "callback_data"), data))
                return json_str(button, "text");
    }
    return STR_NONE;
}

static void
put_if(struct json *w, const char *name, struct str value)
{
    if (!str_is_none(value))
        json_put_str(w, name, value);
}

static struct str
callback_data(struct reader *r, yyjson_val *query, yyjson_val *message)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    int64_t     message_id = json_int(message, "message_id", 0);

    buf_init(&buf, TELEGRAM_REQUEST_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "kind", STR("callback_query"));
    json_put_str(&w, "callback_query_id", json_str(query, "id"));
    if (message_id > 0)
        json_put_int(&w, "message_id", message_id);
    put_if(&w, "inline_message_id", json_str(query, "inline_message_id"));
    put_if(&w, "chat_instance", json_str(query, "chat_instance"));
    put_if(&w, "data", json_str(query, "data"));
    put_if(&w, "button_text", button_text(message, json_str(query, "data")));
    put_if(&w, "game_short_name", json_str(query, "game_short_name"));
    json_end(&w);
    return arena_take(r->a, &buf);
}

/* A tap on a button. The message may have been deleted since (then it has a chat and an id and no
 * more), or belong to a chat that the bot is not in (then there is only an inline_message_id). A
 * tap has no date. */
static enum reading
read_callback(struct reader *r, yyjson_val *query, struct inbound_event *event)
{
    yyjson_val  *from = json_obj(query, "from"), *message = json_obj(query, "message"), *chat;
    struct str   id = json_str(query, "id");
    enum reading reading = message ? private_chat(message, &chat) : TAKEN;
    int64_t      message_id = json_int(message, "message_id", 0);

    if (reading != TAKEN)
        return reading;
    if (id.len == 0 || json_int(from, "id", 0) == 0)
        return NOT_UNDERSTOOD;
    event->kind = INBOUND_MESSAGE;
    read_person(r, from, from, &event->from);
    event->conversation_id = event->from.external_id;
    event->external_id = id;
    event->tap_id = id;
    event->body = json_str(query, "data");
    if (message_id > 0)
        event->reply_to = telegram_id(r->a, message_id);
    event->platform_data = callback_data(r, query, message);
    return TAKEN;
}

/* Our own standing in a private chat changes when the person blocks or unblocks the bot, and not at
 * the first /start. */
static enum reading
read_member(struct reader *r, yyjson_val *change, struct inbound_event *event)
{
    yyjson_val  *chat;
    enum reading reading = private_chat(change, &chat);
    struct str   now = json_str(json_obj(change, "new_chat_member"), "status");

    if (reading != TAKEN)
        return reading;
    if (str_is_none(now))
        return NOT_UNDERSTOOD;
    if (!str_eq(now, STR("kicked")) && !str_eq(now, STR("member")))
        return IGNORED;
    event->kind = str_eq(now, STR("kicked")) ? INBOUND_BLOCK : INBOUND_UNBLOCK;
    event->at_ms = telegram_time(change, "date");
    event->conversation_id = telegram_id(r->a, json_int(chat, "id", 0));
    read_person(r, chat, json_obj(change, "from"), &event->from);
    return TAKEN;
}

static const struct {
    const char *key;
    enum reading (*read)(struct reader *r, yyjson_val *val, struct inbound_event *event);
} kinds[] = {
    { "message", read_message },
    { "edited_message", read_edit },
    { "callback_query", read_callback },
    { "my_chat_member", read_member },
};

static enum reading
read_update(struct reader *r, yyjson_val *update, struct inbound_event *event)
{
    yyjson_val *val;

    if (!yyjson_is_obj(update) || json_int(update, "update_id", -1) < 0)
        return NOT_UNDERSTOOD;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        val = json_get(update, kinds[i].key);
        if (val)
            return yyjson_is_obj(val) ? kinds[i].read(r, val, event) : NOT_UNDERSTOOD;
    }
    return IGNORED;
}

/* ---- batches ---- */

static void
take(struct reader *r, yyjson_val *update, struct inbound_batch *out)
{
    struct inbound_event event = { 0 };

    switch (read_update(r, update, &event)) {
    case TAKEN:
        out->events[out->count++] = event;
        break;
    case IGNORED:
        out->ignored++;
        break;
    case NOT_UNDERSTOOD:
        out->not_understood = true;
        break;
    }
}

void
telegram_parse(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    struct reader r = { .a = a, .bot_id = account->external_id };
    struct error  err;
    yyjson_val   *update;

    *out = (struct inbound_batch){ 0 };
    out->not_understood = !json_parse(a, payload, JSON_DEPTH_MAX, &update, &err);
    if (out->not_understood)
        return;
    out->events = arena_array(a, struct inbound_event, 1);
    take(&r, update, out);
}

/* An answer that cannot be read would come again for ever, and no update after it. So the highest
 * id is looked for in the text: the payload is kept for replay and the rest goes on. Inside a JSON
 * string the quotes would have a backslash, so this text is always a key. */
static struct str
cursor_in_text(struct arena *a, struct str payload)
{
    struct str rest = payload;
    int64_t    id, last = -1;
    ptrdiff_t  at;

    while ((at = str_find(rest, STR(TELEGRAM_UPDATE_ID))) >= 0) {
        size_t digits = 0;

        rest = str_from(rest, (size_t)at + sizeof(TELEGRAM_UPDATE_ID) - 1);
        while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
            digits++;
        if (str_to_i64(str_slice(rest, 0, digits), &id) && id < INT64_MAX)
            last = id;
    }
    return last >= 0 ? telegram_id(a, last + 1) : STR_NONE;
}

void
telegram_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    struct reader   r = { .a = a, .bot_id = account->external_id };
    struct error    err;
    yyjson_val     *root = NULL, *updates, *update;
    yyjson_arr_iter it;
    int64_t         id, last = -1;

    *out = (struct inbound_batch){ 0 };
    updates = json_parse(a, payload, JSON_DEPTH_MAX, &root, &err) ? json_arr(root, "result") : NULL;
    if (!updates) {
        out->not_understood = true;
        out->cursor = cursor_in_text(a, payload);
        return;
    }
    out->events = arena_array(a, struct inbound_event, yyjson_arr_size(updates));
    it = yyjson_arr_iter_with(updates);
    while ((update = yyjson_arr_iter_next(&it)) != NULL) {
        take(&r, update, out);
        id = json_int(update, "update_id", -1);
        if (id >= 0 && id < INT64_MAX)
            last = id;
    }
    if (last >= 0)
        out->cursor = telegram_id(a, last + 1);
}
