/* state.c -- bots, people and chats; see state.h. Messages are in messages.c. */
#include "sandbox/telegram/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "sandbox/telegram/records.h"
#include "sandbox/telegram/webhook.h"

#define FIRST_BOT_ID    INT64_C(1000001)
#define FIRST_PERSON_ID INT64_C(7000001)
#define DEFAULT_TOKEN   "1000001:sandbox-default-bot-token-000000000"

/* ---- bots ---- */

static struct str
bot_user(const struct tg_bot *bot)
{
    struct buf  b;
    struct json w = { .buf = &b };
    struct str  user;

    buf_init(&b, 64 * KIB);
    json_begin(&w, NULL);
    json_put_int(&w, "id", bot->id);
    json_put_bool(&w, "is_bot", true);
    json_put_str(&w, "first_name", bot->first_name);
    json_put_str(&w, "username", bot->username);
    json_end(&w);
    user = own_text(buf_str(&b));
    buf_deinit(&b);
    return user;
}

void
tg_bot_new_token(struct tg_bot *bot)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char              secret[36] = "AA"; /* as real ones begin, and 35 characters as they have */

    for (size_t i = 2; i < sizeof(secret) - 1; i++)
        secret[i] = letters[random_below(sizeof(letters) - 1)];
    snprintf(bot->token, sizeof(bot->token), "%lld:%s", (long long)bot->id, secret);
}

static void
on_updates_ready(struct tg_updates *u)
{
    tg_webhook_pump(container_of(u, struct tg_bot, updates));
}

struct tg_bot *
tg_bot_add(struct tg *tg, int64_t id, struct str first_name, struct str username, const char *token)
{
    struct tg_bot *bot = own_alloc(sizeof(*bot));

    bot->tg = tg;
    bot->id = id;
    bot->first_name = own_text(first_name);
    bot->username = own_text(username);
    bot->user = bot_user(bot);
    if (token)
        snprintf(bot->token, sizeof(bot->token), "%s", token);
    else
        tg_bot_new_token(bot);
    tg_updates_init(&bot->updates, &tg->stage->alarms, on_updates_ready);
    tg_webhook_init(bot);
    if (tg->last_bot)
        tg->last_bot->next = bot;
    else
        tg->first_bot = bot;
    tg->last_bot = bot;
    map_put(&tg->bots, id, bot);
    if (id >= tg->next_bot_id)
        tg->next_bot_id = id + 1;
    return bot;
}

static void
unlink_bot(struct tg *tg, struct tg_bot *bot)
{
    struct tg_bot **at = &tg->first_bot, *before = NULL;

    for (; *at != bot; at = &(*at)->next)
        before = *at;
    *at = bot->next;
    if (tg->last_bot == bot)
        tg->last_bot = before;
    map_take(&tg->bots, bot->id);
}

void
tg_bot_remove(struct tg *tg, struct tg_bot *bot)
{
    struct tg_chat *next;

    unlink_bot(tg, bot);
    for (struct tg_chat *chat = bot->first_chat; chat; chat = next) {
        next = chat->next;
        while (chat->oldest)
            tg_message_remove(chat->oldest);
        free(chat);
    }
    tg_webhook_deinit(bot);
    tg_updates_deinit(&bot->updates);
    tg_records_clear(&bot->records);
    tg_taps_clear(&bot->taps);
    map_deinit(&bot->taps.by_id);
    map_deinit(&bot->chats);
    map_deinit(&bot->messages);
    own_free(&bot->first_name);
    own_free(&bot->username);
    own_free(&bot->user);
    own_free(&bot->allowed_json);
    free(bot);
}

struct tg_bot *
tg_bot_get(const struct tg *tg, int64_t id)
{
    return map_get(&tg->bots, id);
}

/* ---- people ---- */

/* Fills what a User and a private Chat have in common, then both of them around it. */
static void
write_person(struct tg_person *p, const struct tg_person_names *names)
{
    struct buf  b;
    struct json w = { .buf = &b };

    buf_init(&b, 64 * KIB);
    json_put_str(&w, "first_name", names->first_name);
    if (names->last_name.len > 0)
        json_put_str(&w, "last_name", names->last_name);
    if (names->username.len > 0)
        json_put_str(&w, "username", names->username);
    p->names = own_text(buf_str(&b));

    buf_clear(&b);
    buf_printf(&b, "{\"id\":%lld,%.*s,\"type\":\"private\"}", (long long)p->id, STR_ARG(p->names));
    p->chat = own_text(buf_str(&b));

    buf_clear(&b);
    buf_printf(&b, "{\"id\":%lld,\"is_bot\":false,%.*s", (long long)p->id, STR_ARG(p->names));
    w.comma = true;
    if (names->language_code.len > 0)
        json_put_str(&w, "language_code", names->language_code);
    buf_append_char(&b, '}');
    p->user = own_text(buf_str(&b));
    buf_deinit(&b);
}

static void
free_person_texts(struct tg_person *p)
{
    own_free(&p->user);
    own_free(&p->chat);
    own_free(&p->names);
    own_free(&p->username);
}

struct tg_person *
tg_person_add(struct tg *tg, int64_t id, const struct tg_person_names *names)
{
    struct tg_person *p = tg_person_get(tg, id);

    if (p) {
        free_person_texts(p); /* someone took another name */
    } else {
        p = own_alloc(sizeof(*p));
        p->id = id;
        if (tg->last_person)
            tg->last_person->next = p;
        else
            tg->first_person = p;
        tg->last_person = p;
        map_put(&tg->people, id, p);
    }
    write_person(p, names);
    p->username = own_text(names->username.ptr ? names->username : STR(""));
    p->has_photo = names->has_photo;
    if (id >= tg->next_person_id)
        tg->next_person_id = id + 1;
    return p;
}

struct tg_person *
tg_person_get(const struct tg *tg, int64_t id)
{
    return map_get(&tg->people, id);
}

/* ---- chats ---- */

struct tg_chat *
tg_chat_get(const struct tg_bot *bot, int64_t person_id)
{
    return map_get(&bot->chats, person_id);
}

struct tg_chat *
tg_chat_open(struct tg_bot *bot, struct tg_person *person)
{
    struct tg_chat *chat = tg_chat_get(bot, person->id);

    if (chat)
        return chat;
    chat = own_alloc(sizeof(*chat));
    *chat = (struct tg_chat){ .bot = bot, .person = person };
    if (bot->last_chat)
        bot->last_chat->next = chat;
    else
        bot->first_chat = chat;
    bot->last_chat = chat;
    map_put(&bot->chats, person->id, chat);
    return chat;
}

/* ---- all of it ---- */

void
tg_init(struct tg *tg, struct stage *stage)
{
    *tg = (struct tg){ .stage = stage, .next_bot_id = FIRST_BOT_ID, .next_person_id = FIRST_PERSON_ID,
        .burst = 1 };
    tg_files_init(&tg->files);
    tg_bot_add(tg, FIRST_BOT_ID, STR("Sandbox"), STR("sandbox_bot"), DEFAULT_TOKEN);
    tg_person_add(tg, FIRST_PERSON_ID,
        &(struct tg_person_names){ STR("Mina"), STR("Okafor"), STR("mina"), STR("en"), false });
}

void
tg_deinit(struct tg *tg)
{
    struct tg_person *next;

    while (tg->first_bot)
        tg_bot_remove(tg, tg->first_bot);
    for (struct tg_person *p = tg->first_person; p; p = next) {
        next = p->next;
        free_person_texts(p);
        free(p);
    }
    tg_files_deinit(&tg->files);
    map_deinit(&tg->bots);
    map_deinit(&tg->people);
}
