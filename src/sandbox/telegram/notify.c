/* notify.c -- see notify.h. */
#include "sandbox/telegram/notify.h"

#include <stdio.h>

#include "base/array.h"
#include "sandbox/telegram/poll.h"
#include "sandbox/telegram/webhook.h"

/* The kinds a bot can ask for. Those marked must be asked for. */
static const struct {
    const char *name;
    bool        extra;
} kinds[] = {
    { "message", false }, { "edited_message", false }, { "channel_post", false }, { "edited_channel_post", false },
    { "business_connection", false }, { "business_message", false }, { "edited_business_message", false },
    { "deleted_business_messages", false }, { "message_reaction", true }, { "message_reaction_count", true },
    { "inline_query", false }, { "chosen_inline_result", false }, { "callback_query", false },
    { "shipping_query", false }, { "pre_checkout_query", false }, { "purchased_paid_media", false }, { "poll", false },
    { "poll_answer", false }, { "my_chat_member", false }, { "chat_member", true }, { "chat_join_request", false },
    { "chat_boost", false }, { "removed_chat_boost", false },
};
#define KINDS COUNT(kinds)

static unsigned
bit_of(struct str name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (str_eq_nocase(name, str_of(kinds[i].name)))
            return 1U << i;
    return 0;
}

void
tg_allow_default(struct tg_bot *bot)
{
    bot->allowed_updates = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (!kinds[i].extra)
            bot->allowed_updates |= 1U << i;
    own_free(&bot->allowed_json);
}

void
tg_allow_updates(struct tg_bot *bot, yyjson_val *names)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(names);
    struct buf      b;
    struct json     w = { .buf = &b };
    yyjson_val     *name;
    unsigned        wanted = 0;

    if (!yyjson_is_arr(names))
        return;
    buf_init(&b, 4 * KIB);
    json_begin_array(&w, NULL);
    while ((name = yyjson_arr_iter_next(&it)) != NULL) {
        unsigned bit = bit_of(json_val_str(name));

        if (bit != 0 && (wanted & bit) == 0)
            json_put_str(&w, NULL, json_val_str(name));
        wanted |= bit;
    }
    json_end_array(&w);
    tg_allow_default(bot);
    if (wanted != 0 && wanted != bot->allowed_updates) {
        bot->allowed_updates = wanted;
        bot->allowed_json = own_text(buf_str(&b));
    }
    buf_deinit(&b);
}

int64_t
tg_notify_raw(struct tg_bot *bot, int64_t id, int64_t queue, struct str members, int64_t expires_ms)
{
    if (!tg_updates_push(&bot->updates, id, queue, members, expires_ms))
        return 0;
    tg_poll_wake(bot);
    tg_webhook_pump(bot);
    return id;
}

int64_t
tg_notify(struct tg_bot *bot, const char *kind, int64_t queue, struct str object, int64_t expires_ms)
{
    struct buf b;
    int64_t    id;

    if ((bot->allowed_updates & bit_of(str_of(kind))) == 0)
        return 0;
    buf_init(&b, MIB);
    buf_printf(&b, "\"%s\":", kind);
    buf_append(&b, object);
    id = buf_ok(&b) ? tg_notify_raw(bot, tg_updates_next_id(&bot->updates), queue, buf_str(&b), expires_ms) : 0;
    buf_deinit(&b);
    return id;
}

/* ---- for those who watch ---- */

void
tg_tell_message(const struct tg_message *m, const char *what)
{
    struct stage *stage = m->chat->bot->tg->stage;
    struct buf    b;
    struct json   w;

    if (!stage_is_watched(stage))
        return;
    stage_begin_event(&w, &b, what);
    json_put_int(&w, "bot", m->chat->bot->id);
    json_put_int(&w, "user", m->chat->person->id);
    tg_message_write_seen(m, &w, "message");
    stage_end_event(stage, "telegram", &w);
}

void
tg_tell_chat(const struct tg_chat *chat, const char *what, struct str members)
{
    struct stage *stage = chat->bot->tg->stage;
    struct buf    b;
    struct json   w;

    if (!stage_is_watched(stage))
        return;
    stage_begin_event(&w, &b, what);
    json_put_int(&w, "bot", chat->bot->id);
    json_put_int(&w, "user", chat->person->id);
    stage_put_members(&w, members);
    stage_end_event(stage, "telegram", &w);
}

void
tg_tell_deleted(const struct tg_chat *chat, int64_t message_id)
{
    char member[48];
    int  len = snprintf(member, sizeof(member), "\"message_id\":%lld", (long long)message_id);

    tg_tell_chat(chat, "deleted", (struct str){ member, (size_t)len });
}

void
tg_tell_bot(const struct tg_bot *bot, const char *what, struct str members)
{
    struct stage *stage = bot->tg->stage;
    struct buf    b;
    struct json   w;

    if (!stage_is_watched(stage))
        return;
    stage_begin_event(&w, &b, what);
    json_put_int(&w, "bot", bot->id);
    stage_put_members(&w, members);
    stage_end_event(stage, "telegram", &w);
}

void
tg_tell(struct tg *tg, const char *what)
{
    struct buf  b;
    struct json w;

    if (!stage_is_watched(tg->stage))
        return;
    stage_begin_event(&w, &b, what);
    stage_end_event(tg->stage, "telegram", &w);
}
