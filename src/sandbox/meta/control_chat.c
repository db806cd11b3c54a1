/* control_chat.c -- what people do in chats, and the business in its own inbox; see control.h. */
#include <stdio.h>

#include "base/array.h"
#include "sandbox/meta/control.h"
#include "sandbox/meta/tell.h"

/* The ids by which echoes tell that Meta's own inbox was used. */
#define PAGE_INBOX      INT64_C(263902037430900)
#define INSTAGRAM_INBOX INT64_C(1217981644879628)

/* ---- whom the path names ---- */

/* By the account's own id of a person, or by the sandbox's. A chat that has not begun is an empty one. */
static struct fb_chat *
path_chat(struct fb *fb, const struct http_exchange *x, struct error *err)
{
    struct fb_account *a = fb_control_account(fb, x, err);
    int64_t            id = 0;
    struct fb_person  *p = NULL;

    if (!a)
        return NULL;
    if (str_to_i64(http_param_get(&x->request, STR("user")), &id)) {
        p = fb_scoped_person(a, id);
        p = p ? p : fb_person_get(fb, id);
    }
    if (p)
        return fb_chat_open(a, p);
    error_set(err, 404, "there is no such person; POST /sandbox/meta/people makes one");
    return NULL;
}

static struct fb_message *
path_message(struct fb *fb, const struct http_exchange *x, struct error *err)
{
    struct fb_chat    *chat = path_chat(fb, x, err);
    struct fb_message *m = chat ? fb_message_get(fb, http_param_get(&x->request, STR("mid"))) : NULL;

    if (m && m->chat == chat && !m->deleted)
        return m;
    if (chat)
        error_set(err, 404, "there is no such message in this chat");
    return NULL;
}

/* What a person does opens the window, and may only be done while the business is not blocked. */
static struct fb_chat *
acting_chat(struct fb *fb, const struct http_exchange *x, struct error *err)
{
    struct fb_chat *chat = path_chat(fb, x, err);

    if (chat && chat->blocked) {
        error_set(err, 409, "this person has blocked the account; POST .../unblock first");
        return NULL;
    }
    return chat;
}

static void
acted(struct fb_chat *chat, int64_t at_ms)
{
    if (at_ms > chat->wrote_ms)
        chat->wrote_ms = at_ms;
    chat->known = true;
}

/* ---- reading ---- */

FB_HANDLER(fb_control_chats)
{
    const struct fb_account *a = fb_control_account(state, x, err);

    if (!a)
        return false;
    json_begin_array(w, "data");
    for (const struct fb_chat *chat = a->first_chat; chat; chat = chat->next) {
        char id[64];

        fb_conversation_id(chat, id);
        json_begin(w, NULL);
        stage_put_id(w, "user_id", chat->scoped_id);
        json_put_int(w, "person", chat->person->number);
        json_put_str(w, "name", chat->person->name);
        json_put_str(w, "conversation_id", str_of(id));
        json_put_bool(w, "blocked", chat->blocked);
        json_put_int(w, "message_count", (int64_t)chat->count);
        json_put_time(w, "window_until", chat->wrote_ms > 0 ? chat->wrote_ms + FB_DAY_MS : 0);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

FB_HANDLER(fb_control_messages)
{
    const struct fb_chat *chat = path_chat(state, x, err);

    if (!chat)
        return false;
    json_begin_array(w, "data");
    for (const struct fb_message *m = chat->oldest; m; m = m->newer)
        fb_message_write_seen(m, w, NULL);
    json_end_array(w);
    json_put_bool(w, "blocked", chat->blocked);
    return true;
}

/* ---- writing ---- */

static bool
check_reply(const struct fb_chat *chat, const struct fb_message *m, struct error *err)
{
    const struct fb_message *to = str_is_none(m->reply_to) ? NULL : fb_message_get(chat->account->fb, m->reply_to);

    if (!str_is_none(m->reply_to) && (!to || to->chat != chat))
        return error_set(err, 400, "reply_to names no message of this chat");
    return true;
}

FB_HANDLER(fb_control_write)
{
    struct fb_chat    *chat = acting_chat(state, x, err);
    struct fb_message  said, *m;

    if (!chat || !fb_written_read(chat, x, &said, err) || !check_reply(chat, &said, err))
        return false;
    said.by_person = true;
    m = fb_message_add(chat, &said);
    acted(chat, m->at_ms);
    x->reply.status = 201;
    json_put_int(w, "events", fb_tell_message(m, NULL));
    fb_message_write_seen(m, w, "message");
    return true;
}

/* The business answers in Meta's own inbox, or in another tool: "app_id" says which, null none. */
FB_HANDLER(fb_control_inbox)
{
    struct fb_chat    *chat = path_chat(state, x, err);
    yyjson_val        *body, *app = NULL;
    struct fb_message  said, *m;

    if (!chat || !fb_written_read(chat, x, &said, err) || !check_reply(chat, &said, err))
        return false;
    said.app_id = fb_is_instagram(chat->account) ? INSTAGRAM_INBOX : PAGE_INBOX;
    if (x->request.part_count == 0 && fb_control_body(x, &body, err) && (app = json_get(body, "app_id")) != NULL)
        said.app_id = fb_control_id(body, "app_id");
    m = fb_message_add(chat, &said);
    x->reply.status = 201;
    json_put_int(w, "events", fb_tell_message(m, NULL));
    fb_message_write_seen(m, w, "message");
    return true;
}

FB_HANDLER(fb_control_edit)
{
    struct fb_message *m = path_message(state, x, err);
    yyjson_val        *body;
    struct str         text;

    if (!m || !fb_control_body(x, &body, err))
        return false;
    text = json_str(body, "text");
    if (text.len == 0)
        return error_set(err, 400, "text must not be empty");
    own_set(&m->text, text);
    m->num_edit++;
    json_put_int(w, "events", fb_tell_edit(m));
    fb_message_write_seen(m, w, "message");
    return true;
}

/* Links die with what they lead to. What the account may send again is not the message's own. */
static void
drop_files(struct fb *fb, const struct fb_message *m, struct arena *a)
{
    yyjson_val     *all, *val;
    yyjson_arr_iter it;
    struct error    ignored;

    if (str_is_none(m->attachments) || !json_parse(a, m->attachments, JSON_DEPTH_MAX, &all, &ignored))
        return;
    it = yyjson_arr_iter_with(all);
    while ((val = yyjson_arr_iter_next(&it)) != NULL) {
        struct fb_file *f = fb_file_at(&fb->files, json_str(json_obj(val, "payload"), "url"));

        if (f && f->owner == 0)
            fb_file_drop(&fb->files, f);
    }
}

FB_HANDLER(fb_control_unsend)
{
    struct fb_message *m = path_message(state, x, err);

    if (!m)
        return false;
    m->deleted = true;
    drop_files(state, m, &x->arena);
    json_put_int(w, "events", fb_tell_unsent(m));
    fb_message_write_seen(m, w, "message");
    return true;
}

/* The name that goes with an emoji. */
static struct str
reaction_name(const struct fb_account *a, struct str emoji)
{
    static const struct {
        const char *emoji, *messenger, *instagram;
    } names[] = {
        { "\xf0\x9f\x98\x86", "smile", "laugh" }, { "\xf0\x9f\x98\x82", "smile", "laugh" },
        { "\xf0\x9f\x98\xa0", "angry", "angry" }, { "\xf0\x9f\x98\xa1", "angry", "angry" },
        { "\xf0\x9f\x98\xa2", "sad", "sad" }, { "\xf0\x9f\x98\xae", "wow", "wow" },
        { "\xe2\x9d\xa4", "love", "love" }, { "\xe2\x9d\xa4\xef\xb8\x8f", "love", "love" },
        { "\xf0\x9f\x91\x8d", "like", "like" }, { "\xf0\x9f\x91\x8e", "dislike", "other" },
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(emoji, str_of(names[i].emoji)))
            return str_of(fb_is_instagram(a) ? names[i].instagram : names[i].messenger);
    return STR("other");
}

FB_HANDLER(fb_control_react)
{
    struct fb_message *m = path_message(state, x, err);
    yyjson_val        *body;
    struct str         emoji, name;

    if (!m || !fb_control_body(x, &body, err))
        return false;
    emoji = json_str(body, "emoji");
    if (str_is_none(emoji) || emoji.len > 64)
        return error_set(err, 400, "emoji must be an emoji, or \"\" to take the reaction back");
    name = json_str(body, "reaction").len > 0 ? json_str(body, "reaction") : reaction_name(m->chat->account, emoji);
    own_set(&m->persons_reaction, emoji.len > 0 ? emoji : STR_NONE);
    json_put_int(w, "events", fb_tell_reaction(m, name, emoji, emoji.len > 0));
    fb_message_write_seen(m, w, "message");
    return true;
}

/* ---- taps ---- */

static bool
tell_postback(struct fb_chat *chat, struct str title, struct str payload, yyjson_val *referral, struct json *w)
{
    struct buf  b;
    struct json e = { .buf = &b };
    int64_t     now_ms = fb_now_ms(chat->account->fb);
    char        mid[40];

    snprintf(mid, sizeof(mid), "%s%lld", fb_is_instagram(chat->account) ? "aWdfcG9zdGJhY2s" : "m_postback-",
        (long long)fb_new_id(chat->account->fb));
    acted(chat, now_ms);
    buf_init(&b, MIB);
    json_begin(&e, "postback");
    json_put_str(&e, "mid", str_of(mid));
    json_put_str(&e, "title", title.ptr ? title : STR(""));
    json_put_str(&e, "payload", payload);
    if (referral)
        json_put_val(&e, "referral", referral);
    json_end(&e);
    json_put_str(w, "mid", str_of(mid));
    json_put_int(w, "events", fb_tell(chat, FB_POSTBACKS, true, now_ms, buf_str(&b), NULL));
    buf_deinit(&b);
    return true;
}

FB_HANDLER(fb_control_postback)
{
    struct fb_chat *chat = acting_chat(state, x, err);
    yyjson_val     *body;
    struct str      payload;

    if (!chat || !fb_control_body(x, &body, err))
        return false;
    payload = json_str(body, "payload");
    if (payload.len == 0)
        return error_set(err, 400, "payload must be text, as the button has it");
    return tell_postback(chat, json_str(body, "title"), payload, json_obj(body, "referral"), w);
}

/* A tap on a quick reply is a message of its own; the title is looked up when it is not given. */
static bool
tap_quick_reply(struct fb_message *m, struct str title, struct str payload, struct http_exchange *x, struct json *w)
{
    struct buf         b;
    struct json        e = { .buf = &b };
    struct fb_message  said = { .by_person = true, .text = title }, *answer;
    yyjson_val        *list, *one;
    yyjson_arr_iter    it;
    struct error       ignored;

    if (str_is_none(title) && json_parse(&x->arena, m->quick_replies, JSON_DEPTH_MAX, &list, &ignored)) {
        it = yyjson_arr_iter_with(list);
        while ((one = yyjson_arr_iter_next(&it)) != NULL)
            if (str_eq(json_str(one, "payload"), payload))
                said.text = json_str(one, "title");
    }
    buf_init(&b, MIB);
    json_begin(&e, "quick_reply");
    json_put_str(&e, "payload", payload);
    json_end(&e);
    said.more = buf_str(&b);
    answer = fb_message_add(m->chat, &said);
    buf_deinit(&b);
    acted(m->chat, answer->at_ms);
    json_put_int(w, "events", fb_tell_message(answer, NULL));
    fb_message_write_seen(answer, w, "message");
    return true;
}

FB_HANDLER(fb_control_tap)
{
    struct fb_message *m = path_message(state, x, err);
    yyjson_val        *body;
    struct str         payload;

    if (!m || !acting_chat(state, x, err) || !fb_control_body(x, &body, err))
        return false;
    payload = json_str(body, "payload");
    if (payload.len == 0)
        return error_set(err, 400, "payload must be text, as the button has it");
    x->reply.status = 201;
    if (!str_is_none(m->quick_replies))
        return tap_quick_reply(m, json_str(body, "title"), payload, x, w);
    return tell_postback(m->chat, json_str(body, "title"), payload, NULL, w);
}

/* ---- the rest of what people do ---- */

FB_HANDLER(fb_control_referral)
{
    struct fb_chat *chat = acting_chat(state, x, err);
    yyjson_val     *body;
    struct buf      b;
    struct json     e = { .buf = &b };

    if (!chat || !fb_control_body(x, &body, err))
        return false;
    if (json_str(body, "ref").len == 0)
        return error_set(err, 400, "ref must be text");
    acted(chat, fb_now_ms(state));
    buf_init(&b, MIB);
    json_begin(&e, "referral");
    json_put_others(&e, body, "");
    if (!json_get(body, "source"))
        json_put_str(&e, "source", STR("SHORTLINK"));
    if (!json_get(body, "type"))
        json_put_str(&e, "type", STR("OPEN_THREAD"));
    json_end(&e);
    json_put_int(w, "events", fb_tell(chat, FB_REFERRALS, true, fb_now_ms(state), buf_str(&b), NULL));
    buf_deinit(&b);
    return true;
}

/* All that the business wrote up to a message, or to the newest. */
FB_HANDLER(fb_control_read)
{
    struct fb_chat    *chat = path_chat(state, x, err);
    yyjson_val        *body;
    struct fb_message *last = NULL;
    struct str         mid;

    if (!chat || !fb_control_body(x, &body, err))
        return false;
    mid = json_str(body, "mid");
    if (!str_is_none(mid))
        last = fb_message_get(state, mid);
    for (struct fb_message *m = chat->newest; m && str_is_none(mid) && !last; m = m->older)
        last = m->by_person ? NULL : m;
    if (!last || last->chat != chat || last->by_person)
        return error_set(err, 409, "there is no such message of the account's to be read");
    for (struct fb_message *m = last; m; m = m->older)
        m->read |= !m->by_person;
    json_put_int(w, "events", fb_tell_read(chat, last));
    fb_show_chat(chat, "read", STR_NONE);
    return true;
}

static bool
set_blocked(void *state, struct http_exchange *x, struct json *w, struct error *err, bool blocks)
{
    struct fb_chat *chat = path_chat(state, x, err);

    if (!chat)
        return false;
    chat->blocked = blocks;
    json_put_bool(w, "blocked", blocks);
    fb_show_chat(chat, blocks ? "blocked" : "unblocked", STR_NONE);
    return true;
}

FB_HANDLER(fb_control_block)
{
    return set_blocked(state, x, w, err, true);
}

FB_HANDLER(fb_control_unblock)
{
    return set_blocked(state, x, w, err, false);
}
