/* messages.c -- what was said in the chats; see state.h. */
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/telegram/state.h"

/* ---- what a message says: one block of memory for all of it ---- */

static size_t
body_size(const struct tg_body *b)
{
    return b->text.len + b->entities.len + b->media.len + b->markup.len + b->keyboard.len + b->quote.len + b->from.len
        + b->reply.len;
}

static void
pack(struct str *s, char **at)
{
    if (str_is_none(*s))
        return;
    memcpy(*at, s->ptr, s->len);
    s->ptr = *at;
    *at += s->len;
}

static void
count_bytes(struct tg_message *m, size_t size)
{
    struct tg *tg = m->chat->bot->tg;

    tg->message_bytes = tg->message_bytes - m->size + size;
    m->size = size;
}

void
tg_message_say(struct tg_message *m, const struct tg_body *body)
{
    struct tg_body packed = *body;
    size_t         size = body_size(body);
    char          *memory = malloc(size + 1), *at = memory;

    if (!memory)
        out_of_memory();
    pack(&packed.text, &at);
    pack(&packed.entities, &at);
    pack(&packed.media, &at);
    pack(&packed.markup, &at);
    pack(&packed.keyboard, &at);
    pack(&packed.quote, &at);
    pack(&packed.from, &at);
    pack(&packed.reply, &at);
    free(m->memory); /* only now: `body` may point into it */
    m->memory = memory;
    m->body = packed;
    count_bytes(m, sizeof(*m) + size);
}

/* ---- the chain of a chat and the chain of all ---- */

static void
link_in(struct tg_message *m)
{
    struct tg_chat *chat = m->chat;
    struct tg      *tg = chat->bot->tg;

    m->older = chat->newest;
    m->older_of_all = tg->newest;
    if (chat->newest)
        chat->newest->newer = m;
    else
        chat->oldest = m;
    if (tg->newest)
        tg->newest->newer_of_all = m;
    else
        tg->oldest = m;
    chat->newest = tg->newest = m;
    chat->count++;
    map_put(&chat->bot->messages, m->id, m);
}

static void
take_out(struct tg_message *m)
{
    struct tg_chat *chat = m->chat;
    struct tg      *tg = chat->bot->tg;

    if (m->older)
        m->older->newer = m->newer;
    else
        chat->oldest = m->newer;
    if (m->newer)
        m->newer->older = m->older;
    else
        chat->newest = m->older;
    if (m->older_of_all)
        m->older_of_all->newer_of_all = m->newer_of_all;
    else
        tg->oldest = m->newer_of_all;
    if (m->newer_of_all)
        m->newer_of_all->older_of_all = m->older_of_all;
    else
        tg->newest = m->older_of_all;
    chat->count--;
    map_take(&chat->bot->messages, m->id);
}

struct tg_message *
tg_message_add(struct tg_chat *chat, bool by_person, int64_t date_s, const struct tg_body *body)
{
    struct tg         *tg = chat->bot->tg;
    struct tg_message *m = own_alloc(sizeof(*m));

    m->id = ++chat->bot->last_message_id;
    m->date = date_s;
    m->chat = chat;
    m->by_person = by_person;
    tg_message_say(m, body);
    link_in(m);
    if (chat->count > TG_CHAT_MESSAGES_MAX)
        tg_message_remove(chat->oldest);
    while (tg->message_bytes > TG_MESSAGES_BYTES_MAX && tg->oldest != m)
        tg_message_remove(tg->oldest);
    return m;
}

void
tg_message_remove(struct tg_message *m)
{
    take_out(m);
    count_bytes(m, 0);
    own_free(&m->bots_reaction);
    own_free(&m->persons_reaction);
    free(m->memory);
    free(m);
}

struct tg_message *
tg_message_get(const struct tg_chat *chat, int64_t id)
{
    struct tg_message *m = map_get(&chat->bot->messages, id);

    return m && m->chat == chat ? m : NULL;
}

/* ---- as JSON ---- */

static void
put_raw_if_any(struct json *w, const char *name, struct str json)
{
    if (json.len > 0)
        json_put_raw(w, name, json);
}

static void
write_reply(const struct tg_message *m, struct json *w)
{
    const struct tg_message *original = m->reply_to > 0 ? tg_message_get(m->chat, m->reply_to) : NULL;

    if (m->body.reply.len > 0)
        json_put_raw(w, "reply_to_message", m->body.reply);
    else if (original)
        tg_message_write(original, true, w, "reply_to_message");
    put_raw_if_any(w, "quote", m->body.quote);
}

static void
write_members(const struct tg_message *m, bool plain, struct json *w)
{
    const struct tg_body *b = &m->body;
    bool                  is_text = b->kind == TG_CONTENT_TEXT;

    json_put_int(w, "message_id", m->id);
    json_put_raw(w, "from", b->from.len > 0 ? b->from : m->by_person ? m->chat->person->user : m->chat->bot->user);
    json_put_raw(w, "chat", m->chat->person->chat);
    json_put_int(w, "date", m->date);
    if (m->edit_date > 0)
        json_put_int(w, "edit_date", m->edit_date);
    if (!plain)
        write_reply(m, w);
    stage_put_members(w, b->media);
    if (b->text.len > 0)
        json_put_str(w, is_text ? "text" : "caption", b->text);
    put_raw_if_any(w, is_text ? "entities" : "caption_entities", b->entities);
    put_raw_if_any(w, "reply_markup", b->markup);
}

void
tg_message_write(const struct tg_message *m, bool plain, struct json *w, const char *name)
{
    json_begin(w, name);
    write_members(m, plain, w);
    json_end(w);
}

void
tg_message_write_seen(const struct tg_message *m, struct json *w, const char *name)
{
    json_begin(w, name);
    write_members(m, false, w);
    json_put_str(w, "direction", m->by_person ? STR("in") : STR("out"));
    json_put_bool(w, "edited", m->edit_date > 0);
    put_raw_if_any(w, "keyboard", m->body.keyboard);
    if (m->bots_reaction.len > 0)
        json_put_str(w, "bots_reaction", m->bots_reaction);
    if (m->persons_reaction.len > 0)
        json_put_str(w, "persons_reaction", m->persons_reaction);
    json_end(w);
}
