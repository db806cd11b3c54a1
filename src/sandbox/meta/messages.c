/* messages.c -- what is said in chats, and how it looks as JSON; see state.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/random.h"
#include "sandbox/meta/state.h"

/* ---- message ids ---- */

/* Messenger's: "m_" and 86 characters of the URL alphabet. Instagram's: "aWdf" and 156 letters and digits. */
static struct str
new_mid(const struct fb_account *a)
{
    uint8_t    bytes[120];
    size_t     n = fb_is_instagram(a) ? 117 : 64, len = fb_is_instagram(a) ? 156 : 86;
    struct buf b;
    struct str mid;

    random_bytes(bytes, n);
    buf_init(&b, 256);
    buf_append(&b, fb_is_instagram(a) ? STR("aWdf") : STR("m_"));
    base64_encode(&b, (struct str){ (const char *)bytes, n });
    b.len = (fb_is_instagram(a) ? 4 : 2) + len;
    for (size_t i = 0; i < b.len; i++) {
        if (b.ptr[i] == '+')
            b.ptr[i] = fb_is_instagram(a) ? 'Z' : '-';
        else if (b.ptr[i] == '/')
            b.ptr[i] = fb_is_instagram(a) ? 'Q' : '_';
    }
    mid = own_text(buf_str(&b));
    buf_deinit(&b);
    return mid;
}

/* ---- keeping ---- */

static struct str *
texts_of(struct fb_message *m, int i)
{
    struct str *const all[] = { &m->mid, &m->text, &m->attachments, &m->more, &m->quick_replies, &m->reply_to,
        &m->story, &m->metadata, &m->persons_reaction, &m->business_reaction, NULL };

    return all[i];
}

static void
link_message(struct fb *fb, struct fb_chat *chat, struct fb_message *m)
{
    m->older = chat->newest;
    if (chat->newest)
        chat->newest->newer = m;
    else
        chat->oldest = m;
    chat->newest = m;
    chat->count++;
    m->older_of_all = fb->newest;
    if (fb->newest)
        fb->newest->newer_of_all = m;
    else
        fb->oldest = m;
    fb->newest = m;
    fb->message_bytes += m->size;
    map_put(&fb->mids, str_hash(m->mid), m);
}

struct fb_message *
fb_message_add(struct fb_chat *chat, const struct fb_message *said)
{
    struct fb         *fb = chat->account->fb;
    struct fb_message *m = own_alloc(sizeof(*m)), *known;
    struct str        *text;

    *m = *said;
    m->chat = chat;
    m->older = m->newer = m->older_of_all = m->newer_of_all = NULL;
    m->size = sizeof(*m) + 256;
    for (int i = 0; (text = texts_of(m, i)) != NULL; i++) {
        m->size += text->len;
        *text = own_text(*text);
    }
    if (str_is_none(m->mid))
        m->mid = new_mid(chat->account);
    if (m->at_ms == 0)
        m->at_ms = fb_now_ms(fb);
    known = fb_message_get(fb, m->mid);
    if (known)
        fb_message_remove(known);
    chat->known = true;
    link_message(fb, chat, m);
    if (chat->count > FB_CHAT_MESSAGES_MAX)
        fb_message_remove(chat->oldest);
    while (fb->message_bytes > FB_MESSAGES_BYTES_MAX && fb->oldest != m)
        fb_message_remove(fb->oldest);
    return m;
}

void
fb_message_remove(struct fb_message *m)
{
    struct fb_chat *chat = m->chat;
    struct fb      *fb = chat->account->fb;
    struct str     *text;

    *(m->older ? &m->older->newer : &chat->oldest) = m->newer;
    *(m->newer ? &m->newer->older : &chat->newest) = m->older;
    *(m->older_of_all ? &m->older_of_all->newer_of_all : &fb->oldest) = m->newer_of_all;
    *(m->newer_of_all ? &m->newer_of_all->older_of_all : &fb->newest) = m->older_of_all;
    chat->count--;
    fb->message_bytes -= m->size;
    map_take(&fb->mids, str_hash(m->mid));
    for (int i = 0; (text = texts_of(m, i)) != NULL; i++)
        own_free(text);
    free(m);
}

struct fb_message *
fb_message_get(const struct fb *fb, struct str mid)
{
    struct fb_message *m = map_get(&fb->mids, str_hash(mid));

    return m && str_eq(m->mid, mid) ? m : NULL;
}

size_t
fb_message_age(const struct fb_message *m, size_t at_most)
{
    size_t age = 0;

    for (; m->newer && age < at_most; m = m->newer)
        age++;
    return age;
}

/* ---- as JSON ---- */

static void
write_reply(const struct fb_message *m, struct json *w)
{
    const struct fb_message *to;

    if (str_is_none(m->reply_to) && str_is_none(m->story))
        return;
    json_begin(w, "reply_to");
    if (!str_is_none(m->reply_to)) {
        to = fb_message_get(m->chat->account->fb, m->reply_to);
        json_put_str(w, "mid", m->reply_to);
        if (to && to->by_person == m->by_person && fb_is_instagram(m->chat->account))
            json_put_bool(w, "is_self_reply", true);
    } else {
        json_put_raw(w, "story", m->story);
    }
    json_end(w);
}

void
fb_message_write(const struct fb_message *m, struct json *w)
{
    bool instagram = fb_is_instagram(m->chat->account);

    json_put_str(w, "mid", m->mid);
    if (m->deleted) {
        json_put_bool(w, "is_deleted", true);
        return;
    }
    if (!m->by_person) {
        json_put_bool(w, "is_echo", true);
        if (m->app_id > 0)
            json_put_int(w, "app_id", m->app_id);
        if (!instagram && !str_is_none(m->metadata))
            json_put_str(w, "metadata", m->metadata);
    }
    if (!str_is_none(m->text))
        json_put_str(w, "text", m->text);
    if (!str_is_none(m->attachments))
        json_put_raw(w, "attachments", m->attachments);
    stage_put_members(w, m->more);
    write_reply(m, w);
}

void
fb_message_write_seen(const struct fb_message *m, struct json *w, const char *name)
{
    json_begin(w, name);
    json_put_str(w, "direction", m->by_person ? STR("in") : STR("out"));
    json_put_int(w, "timestamp", m->at_ms);
    fb_message_write(m, w);
    if (m->num_edit > 0)
        json_put_int(w, "num_edit", m->num_edit);
    if (!str_is_none(m->quick_replies))
        json_put_raw(w, "quick_replies", m->quick_replies);
    if (!str_is_none(m->persons_reaction))
        json_put_str(w, "persons_reaction", m->persons_reaction);
    if (!str_is_none(m->business_reaction))
        json_put_str(w, "business_reaction", m->business_reaction);
    if (m->read)
        json_put_bool(w, "read", true);
    json_end(w);
}

/* Messenger's is "t_" and digits, Instagram's looks like base64. */
void
fb_conversation_id(const struct fb_chat *chat, char out[64])
{
    struct buf b;
    char       plain[48];
    int        len = snprintf(plain, sizeof(plain), "ig:%lld:%lld", (long long)chat->account->number,
               (long long)chat->scoped_id);

    if (!fb_is_instagram(chat->account)) {
        snprintf(out, 64, "t_%lld", (long long)chat->scoped_id);
        return;
    }
    buf_init(&b, 64);
    base64_encode(&b, (struct str){ plain, (size_t)len });
    while (b.len > 0 && b.ptr[b.len - 1] == '=')
        b.len--;
    snprintf(out, 64, "%.*s", STR_ARG(buf_str(&b)));
    buf_deinit(&b);
}
