/* person.c -- see person.h. */
#include "sandbox/telegram/person.h"

#include <stdio.h>

#include "sandbox/telegram/notify.h"
#include "sandbox/telegram/records.h"

#define TAP_MS   INT64_C(150000)
#define DATA_MAX 64

static int64_t
now_ms(const struct tg_bot *bot)
{
    return stage_now_ms(bot->tg->stage);
}

static int64_t
notify_message(struct tg_message *m, const char *kind, int64_t date_s)
{
    int64_t     queue = tg_queue_key(m->chat->person->id, TG_QUEUE_MESSAGES), id;
    struct buf  b;
    struct json w = { .buf = &b };

    buf_init(&b, MIB);
    tg_message_write(m, false, &w, NULL);
    id = tg_notify(m->chat->bot, kind, queue, buf_str(&b), date_s * 1000 + TG_DAY_MS);
    buf_deinit(&b);
    return id;
}

bool
tg_person_writes(struct tg_bot *bot, struct tg_person *person, const struct tg_written *written,
    struct tg_message **out, int64_t *update_id, struct error *err)
{
    struct tg_chat *chat = tg_chat_get(bot, person->id);
    int64_t         date_s = written->date_s > 0 ? written->date_s : now_ms(bot) / 1000;

    if (chat && chat->blocked)
        return error_set(err, 409, "this person has blocked the bot; POST .../unblock first");
    if (written->reply_to > 0 && !(chat && tg_message_get(chat, written->reply_to)))
        return error_set(err, 404, "there is no message %lld in this chat to reply to", (long long)written->reply_to);
    *out = tg_message_add(tg_chat_open(bot, person), true, date_s, &written->body);
    (*out)->reply_to = written->reply_to;
    tg_tell_message(*out, "message");
    *update_id = notify_message(*out, "message", date_s);
    return true;
}

bool
tg_person_edits(struct tg_message *m, struct str text, struct str entities, int64_t *update_id, struct error *err)
{
    struct tg_body body = m->body;

    if (!m->by_person)
        return error_set(err, 403, "a person can only edit what they wrote themselves");
    body.text = text;
    body.entities = entities;
    tg_message_say(m, &body);
    m->edit_date = now_ms(m->chat->bot) / 1000;
    tg_tell_message(m, "edited");
    *update_id = notify_message(m, "edited_message", m->edit_date);
    return true;
}

/* ---- taps ---- */

/* What a tap shows of the message it was under. One that is gone is told by its date 0. */
static void
write_tapped(const struct tg_chat *chat, const struct tg_message *m, int64_t message_id, struct json *w)
{
    if (m) {
        tg_message_write(m, false, w, "message");
        return;
    }
    json_begin(w, "message");
    json_put_raw(w, "chat", chat->person->chat);
    json_put_int(w, "message_id", message_id);
    json_put_int(w, "date", 0);
    json_end(w);
}

bool
tg_person_taps(struct tg_chat *chat, int64_t message_id, struct str data, int64_t *tap_id, int64_t *update_id,
    struct error *err)
{
    struct tg_bot           *bot = chat->bot;
    const struct tg_message *m = tg_message_get(chat, message_id);
    struct tg_tap           *tap;
    struct buf               b;
    struct json              w = { .buf = &b };

    if (data.len == 0 || data.len > DATA_MAX)
        return error_set(err, 400, "data must be 1 to %d bytes", DATA_MAX);
    if (message_id > bot->last_message_id || (m && m->by_person))
        return error_set(err, 404, "there is no message %lld with buttons in this chat", (long long)message_id);
    tap = tg_taps_add(&bot->taps, chat->person->id, data, now_ms(bot));
    *tap_id = tap->id;
    buf_init(&b, MIB);
    json_begin(&w, NULL);
    stage_put_id(&w, "id", tap->id);
    json_put_raw(&w, "from", chat->person->user);
    write_tapped(chat, m, message_id, &w);
    stage_put_id(&w, "chat_instance", -(chat->person->id * INT64_C(1000003) + bot->id));
    json_put_str(&w, "data", data);
    json_end(&w);
    *update_id = tg_notify(bot, "callback_query", tg_queue_key(chat->person->id, TG_QUEUE_TAPS), buf_str(&b),
        now_ms(bot) + TAP_MS);
    buf_deinit(&b);
    return true;
}

/* ---- reactions ---- */

static void
put_reaction(struct json *w, const char *name, struct str emoji)
{
    json_begin_array(w, name);
    if (emoji.len > 0) {
        json_begin(w, NULL);
        json_put_str(w, "type", STR("emoji"));
        json_put_str(w, "emoji", emoji);
        json_end(w);
    }
    json_end_array(w);
}

void
tg_person_reacts(struct tg_message *m, struct str emoji, int64_t *update_id)
{
    struct tg_chat *chat = m->chat;
    struct buf      b;
    struct json     w = { .buf = &b };

    buf_init(&b, MIB);
    json_begin(&w, NULL);
    json_put_raw(&w, "chat", chat->person->chat);
    json_put_int(&w, "message_id", m->id);
    json_put_raw(&w, "user", chat->person->user);
    json_put_int(&w, "date", now_ms(chat->bot) / 1000);
    put_reaction(&w, "old_reaction", m->persons_reaction);
    put_reaction(&w, "new_reaction", emoji);
    json_end(&w);
    own_free(&m->persons_reaction);
    if (emoji.len > 0)
        m->persons_reaction = own_text(emoji);
    tg_tell_message(m, "edited");
    *update_id = tg_notify(chat->bot, "message_reaction", tg_queue_key(chat->person->id, TG_QUEUE_REACTIONS),
        buf_str(&b), now_ms(chat->bot) + TG_DAY_MS);
    buf_deinit(&b);
}

/* ---- blocking ---- */

static void
put_member(struct json *w, const char *name, const struct tg_bot *bot, bool is_in)
{
    json_begin(w, name);
    json_put_raw(w, "user", bot->user);
    json_put_str(w, "status", is_in ? STR("member") : STR("kicked"));
    if (!is_in)
        json_put_int(w, "until_date", 0);
    json_end(w);
}

void
tg_person_blocks(struct tg_chat *chat, bool blocks, int64_t *update_id)
{
    struct tg_bot *bot = chat->bot;
    struct buf     b;
    struct json    w = { .buf = &b };

    *update_id = 0;
    if (chat->blocked == blocks)
        return;
    chat->blocked = blocks;
    buf_init(&b, MIB);
    json_begin(&w, NULL);
    json_put_raw(&w, "chat", chat->person->chat);
    json_put_raw(&w, "from", chat->person->user);
    json_put_int(&w, "date", now_ms(bot) / 1000);
    put_member(&w, "old_chat_member", bot, blocks);
    put_member(&w, "new_chat_member", bot, !blocks);
    json_end(&w);
    tg_tell_chat(chat, blocks ? "blocked" : "unblocked", STR_NONE);
    *update_id = tg_notify(bot, "my_chat_member", tg_queue_key(chat->person->id, TG_QUEUE_MEMBER), buf_str(&b),
        now_ms(bot) + TG_DAY_MS);
    buf_deinit(&b);
}
