/* action.c -- sender actions: typing, seen, reactions; see send.h. */
#include "sandbox/meta/send.h"
#include "sandbox/meta/tell.h"

static bool
react(struct fb_call *c, struct fb_sending *s, bool is_new, struct fb_error *err)
{
    yyjson_val        *payload = fb_params_val(&c->params, "payload", c->arena);
    struct fb_message *m = fb_message_get(c->fb, json_str(payload, "message_id"));
    struct str         reaction = json_str(payload, "reaction");

    if (!m || m->chat != s->chat || m->deleted)
        return fb_fail(err, 100, fb_is_instagram(s->account) ? 2534015 : 0,
            "(#100) Param payload[message_id] names no message of this conversation");
    if (is_new && (reaction.len == 0 || reaction.len > 64))
        return fb_fail(err, 100, 0, "(#100) The parameter payload[reaction] is required");
    if (is_new && fb_is_instagram(s->account)) {
        if (!str_eq(reaction, STR("love")))
            return fb_fail(err, 100, 2534015, "(#100) Param payload[reaction] must be one of {love}");
        reaction = STR("\xe2\x9d\xa4\xef\xb8\x8f");
    }
    own_set(&m->business_reaction, is_new ? reaction : STR_NONE);
    fb_show_message_change(m, "changed");
    return true;
}

static void
mark_seen(struct fb_chat *chat)
{
    for (struct fb_message *m = chat->newest; m && !(m->by_person && m->read); m = m->older)
        m->read |= m->by_person;
    fb_show_chat(chat, "seen", STR_NONE);
}

bool
fb_sender_action(struct fb_call *c, struct fb_sending *s, struct str action, struct json *w, struct fb_error *err)
{
    if (str_eq_nocase(action, STR("react")) || str_eq_nocase(action, STR("unreact"))) {
        if (!react(c, s, action.len == 5, err))
            return false;
    } else if (str_eq_nocase(action, STR("typing_on")) || str_eq_nocase(action, STR("typing_off"))) {
        fb_show_chat(s->chat, action.len == 9 ? "typing" : "typing_off", STR_NONE);
    } else if (str_eq_nocase(action, STR("mark_seen"))) {
        mark_seen(s->chat);
    } else {
        return fb_fail(err, 100, 0, "(#100) Param sender_action must be one of {TYPING_ON, TYPING_OFF, MARK_SEEN,"
                                    " REACT, UNREACT} - got \"%.*s\"", STR_ARG(str_slice(action, 0, 64)));
    }
    stage_put_id(w, "recipient_id", s->chat->scoped_id);
    return true;
}
