/* send.c -- POST /messages, with all its rules; see send.h. */
#include "sandbox/meta/send.h"

#include <stdio.h>

#include "base/array.h"
#include "sandbox/meta/tell.h"

#define MESSENGER_TEXT_MAX  2000 /* characters */
#define INSTAGRAM_TEXT_MAX  1000 /* bytes */
#define QUICK_REPLIES_MAX   13
#define METADATA_MAX        1000
#define WEEK_MS             (7 * FB_DAY_MS)

/* ---- to whom ---- */

static int64_t
id_of(yyjson_val *obj, const char *key)
{
    int64_t id;

    return str_to_i64(json_str(obj, key), &id) ? id : json_int(obj, key, 0);
}

/* A Page's token also speaks for the Instagram account that is linked to it. */
static bool
find_chat(struct fb_call *c, struct fb_sending *s, int64_t id, struct fb_error *err)
{
    struct fb_account *linked = fb_is_instagram(c->account) ? NULL : fb_account_linked(c->account);

    s->account = c->account;
    if (linked && !fb_scoped_person(c->account, id) && fb_scoped_person(linked, id))
        s->account = linked;
    s->chat = fb_chat_get(s->account, id);
    if (s->chat && s->chat->known)
        return true;
    if (fb_is_instagram(s->account))
        return fb_fail(err, 100, 2534014, "The requested user cannot be found");
    return fb_fail(err, 100, 2018001, "(#100) No matching user found");
}

static bool
refuse_private_reply(const struct fb_sending *s, int code, const char *reason, struct fb_error *err)
{
    if (fb_is_instagram(s->account))
        return fb_fail(err, 100, 2534025, "The comment is not valid for a private reply");
    return fb_fail(err, code, 0, "(#%d) %s", code, reason);
}

static bool
find_comment(struct fb_call *c, struct fb_sending *s, struct str id, struct fb_error *err)
{
    struct fb_comment *comment = fb_comment_get(c->fb, fb_last_number(id));
    char               real[64] = "";

    s->account = c->account;
    if (comment)
        fb_comment_id(comment, real);
    if (comment && (comment->post->account == c->account || comment->post->account->page == c->account))
        s->account = comment->post->account;
    else
        comment = NULL;
    if (!comment || comment->removed || !str_eq(id, str_of(real)))
        return fb_is_instagram(c->account) || str_find(id, STR("_")) < 0
            ? fb_fail(err, 100, 2534025, "The comment is not valid for a private reply")
            : fb_fail(err, 100, 33, "Object with ID '%.*s' does not exist", STR_ARG(id));
    if (comment->replied)
        return refuse_private_reply(s, 10900, "Activity already replied to", err);
    if (!comment->person || fb_now_ms(c->fb) - comment->at_ms > WEEK_MS)
        return refuse_private_reply(s, 10903, "This user cannot reply to this activity", err);
    s->comment = comment;
    s->chat = fb_chat_open(s->account, comment->person);
    return true;
}

static bool
find_recipient(struct fb_call *c, struct fb_sending *s, struct fb_error *err)
{
    static const char *const ways[] = { "id", "comment_id", "post_id", "user_ref", "phone_number",
        "notification_messages_token" };
    yyjson_val *recipient = fb_params_val(&c->params, "recipient", c->arena);
    size_t      count = 0;

    if (!yyjson_is_obj(recipient))
        return fb_fail(err, 100, 0, "(#100) The parameter recipient is required");
    for (size_t i = 0; i < COUNT(ways); i++)
        count += json_get(recipient, ways[i]) != NULL;
    if (count != 1)
        return fb_fail(err, 100, 0, "(#100) Param recipient must have exactly one of id, comment_id, post_id, user_ref,"
                                    " phone_number");
    if (json_get(recipient, "comment_id"))
        return find_comment(c, s, json_str(recipient, "comment_id"), err);
    if (!json_get(recipient, "id"))
        return fb_fail(err, 100, 2018001, "(#100) No matching user found");
    return find_chat(c, s, id_of(recipient, "id"), err);
}

/* ---- may it ---- */

static bool
check_tag(struct fb_call *c, struct str type, struct str tag, struct fb_error *err)
{
    static const char *const types[] = { "RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY" };
    bool                     known = str_is_none(type), is_tag = str_eq(type, STR("MESSAGE_TAG"));

    for (size_t i = 0; i < COUNT(types); i++)
        known |= str_eq(type, str_of(types[i]));
    if (!known)
        return fb_fail(err, 100, 0, "(#100) Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG,"
                                    " UTILITY} - got \"%.*s\"", STR_ARG(str_slice(type, 0, 64)));
    if (is_tag != !str_is_none(tag))
        return fb_fail(err, 100, 0, "(#100) The parameter tag goes with messaging_type MESSAGE_TAG");
    if (is_tag && !str_eq(tag, STR("HUMAN_AGENT")))
        return fb_fail(err, 100, 0, "(#100) The message tag %.*s is no longer supported",
            STR_ARG(str_slice(tag, 0, 64)));
    if (is_tag && !c->fb->settings.human_agent)
        return fb_fail(err, 10, 0, "(#10) This app has no access to the feature: Human Agent");
    return true;
}

/* Is there still time, or a tag that gives more? */
static bool
within_window(struct fb_call *c, const struct fb_sending *s, struct fb_error *err)
{
    struct str type = fb_params_text(&c->params, "messaging_type", c->arena);
    struct str tag = fb_params_text(&c->params, "tag", c->arena);
    int64_t    since_ms = fb_now_ms(c->fb) - s->chat->wrote_ms;

    if (!check_tag(c, type, tag, err))
        return false;
    if (s->comment || since_ms <= FB_DAY_MS || (!str_is_none(tag) && since_ms <= WEEK_MS))
        return true;
    return fb_fail(err, 10, fb_is_instagram(s->account) ? 2534022 : 2018278,
        "(#10) This message is sent outside of allowed window.");
}

static bool
may_send(struct fb_call *c, const struct fb_sending *s, struct fb_error *err)
{
    const struct fb_settings *set = &c->fb->settings;
    bool                      instagram = fb_is_instagram(s->account);

    if (s->account->no_messages)
        return instagram ? fb_fail(err, 200, 2534041, "The account owner has disabled access to direct messages")
                         : fb_fail(err, 10904, 0, "(#10904) Messages are turned off for this Page");
    if (s->account->thread_owner > 0)
        return instagram ? fb_fail(err, 100, 2534037, "Message is not sent: another app is controlling this thread")
                         : fb_fail(err, 10, 2018300,
                               "(#10) Message not sent because another app is controlling this thread now.");
    if (s->chat->blocked)
        return fb_fail(err, 551, 1545041, "(#551) This person isn't available right now.");
    if (!fb_bucket_take(&s->account->sends, set->sends_per_second, set->burst, fb_now_ms(c->fb))) {
        err->regain_minutes = 1;
        return fb_fail(err, instagram ? 613 : 80006, 0, "(#%d) Calls to this api have exceeded the rate limit.",
            instagram ? 613 : 80006);
    }
    return within_window(c, s, err);
}

/* ---- what it says ---- */

static bool
check_text(const struct fb_sending *s, struct str text, struct fb_error *err)
{
    bool instagram = fb_is_instagram(s->account);

    if (text.len == 0)
        return fb_fail(err, 100, 0, "(#100) Message cannot be empty, must provide valid attachment or text");
    if (instagram ? text.len > INSTAGRAM_TEXT_MAX : str_code_points(text) > MESSENGER_TEXT_MAX)
        return fb_fail(err, 100, instagram ? 2534015 : 0, "(#100) Length of param message[text] must be less than or"
                                                          " equal to %d", instagram ? INSTAGRAM_TEXT_MAX
                                                                                    : MESSENGER_TEXT_MAX);
    return true;
}

static bool
check_message(struct fb_call *c, struct fb_sending *s, struct fb_error *err)
{
    yyjson_val *m = s->message, *quick = json_get(m, "quick_replies"), *attachments = json_get(m, "attachments");
    struct str  text = json_str(m, "text");
    bool        has_text = !str_is_none(text), has_media = json_get(m, "attachment") || attachments;

    if (has_text == has_media)
        return fb_fail(err, 100, 0, has_text ? "(#100) Message may have text or an attachment, not both"
                                             : "(#100) Message cannot be empty, must provide valid attachment or text");
    if (has_text && !check_text(s, text, err))
        return false;
    if (quick && (!yyjson_is_arr(quick) || yyjson_arr_size(quick) > QUICK_REPLIES_MAX || yyjson_arr_size(quick) == 0))
        return fb_fail(err, 100, 0, "(#100) Param message[quick_replies] must have 1 to %d items", QUICK_REPLIES_MAX);
    if (json_str(m, "metadata").len > METADATA_MAX)
        return fb_fail(err, 100, 0, "(#100) Length of param message[metadata] must be less than or equal to %d",
            METADATA_MAX);
    return !has_media || fb_attachments_read(c, s, err);
}

static bool
check_reply_to(struct fb_call *c, const struct fb_sending *s, struct fb_error *err)
{
    yyjson_val              *reply_to = fb_params_val(&c->params, "reply_to", c->arena);
    const struct fb_message *to = reply_to ? fb_message_get(c->fb, json_str(reply_to, "mid")) : NULL;

    if (!fb_params_has(&c->params, "reply_to") || (to && to->chat == s->chat))
        return true;
    return fb_fail(err, 100, fb_is_instagram(s->account) ? 2534015 : 0, "(#100) Param reply_to[mid] names no message of"
                                                                       " this conversation");
}

/* ---- carrying it out ---- */

static void
say(struct fb_call *c, struct fb_sending *s)
{
    yyjson_val       *reply_to = fb_params_val(&c->params, "reply_to", c->arena);
    struct fb_message m = {
        .text = json_str(s->message, "text"),
        .attachments = fb_attachments_json(c, s),
        .quick_replies = json_text(c->arena, json_get(s->message, "quick_replies")),
        .metadata = json_str(s->message, "metadata"),
        .reply_to = reply_to ? json_str(reply_to, "mid") : STR_NONE,
        .app_id = s->account->page || !fb_is_instagram(s->account) ? c->fb->app_id : c->fb->instagram_app_id,
    };

    if (fb_is_instagram(s->account))
        m.app_id = 0; /* its echoes do not say */
    if (s->comment)
        s->comment->replied = true;
    s->sent = fb_message_add(s->chat, &m);
}

static void
write_sent(const struct fb_sending *s, struct json *w)
{
    stage_put_id(w, "recipient_id", s->chat->scoped_id);
    json_put_str(w, "message_id", s->sent->mid);
    if (s->count == 1 && s->attachments[0].reusable && s->attachments[0].file)
        stage_put_id(w, "attachment_id", s->attachments[0].file->id);
}

static void
answer_sent(struct fb_call *c)
{
    struct fb_sending *s = c->work;
    struct json        w;

    if (s->pushing) {
        s->told = true;
        return;
    }
    fb_call_begin(c, &w);
    write_sent(s, &w);
    fb_call_end(c, &w);
}

/* Sends it, and tells the app of it; true when the answer has to wait for that. */
static bool
send_now(struct fb_call *c, struct fb_sending *s)
{
    bool first = c->fb->settings.echo_first;

    say(c, s);
    if (first)
        fb_call_keep(c, -1, answer_sent);
    s->pushing = true;
    if (fb_tell_message(s->sent, first ? c : NULL) == 0)
        s->told = true;
    s->pushing = false;
    if (c->fb->settings.deliveries)
        fb_tell_delivery(s->sent);
    if (s->comment)
        fb_show(c->fb, "comments");
    return first && !s->told;
}

static void
write_upload(const struct fb_sending *s, struct json *w)
{
    stage_put_id(w, "attachment_id", s->attachments[0].file->id);
}

static void
fetched(struct fb_call *c, struct fb_error *err)
{
    struct fb_sending *s = c->work;
    struct json        w;

    if (err) {
        fb_call_fail(c, err);
        return;
    }
    if (!s->is_upload && send_now(c, s))
        return;
    fb_call_begin(c, &w);
    if (s->is_upload)
        write_upload(s, &w);
    else
        write_sent(s, &w);
    fb_call_end(c, &w);
}

bool
fb_send(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct fb_sending *s = arena_new(c->arena, struct fb_sending);
    struct str         action = fb_params_text(&c->params, "sender_action", c->arena);

    c->work = s;
    s->message = fb_params_val(&c->params, "message", c->arena);
    if (!fb_path_account(c, err) || !find_recipient(c, s, err))
        return false;
    if (s->message && !str_is_none(action))
        return fb_fail(err, 100, 2018014, "(#100) Only one of message and sender_action may be given");
    if (!may_send(c, s, err))
        return false;
    if (!str_is_none(action))
        return fb_sender_action(c, s, action, w, err);
    if (!yyjson_is_obj(s->message))
        return fb_fail(err, 100, 0, "(#100) The parameter message is required");
    if (!check_message(c, s, err) || !check_reply_to(c, s, err))
        return false;
    if (!fb_attachments_fetch(c, fetched))
        return true;
    if (send_now(c, s))
        return true;
    if (c->kept)
        fb_call_release(c);
    write_sent(s, w);
    return true;
}

bool
fb_upload(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct fb_sending *s = arena_new(c->arena, struct fb_sending);

    c->work = s;
    s->is_upload = true;
    s->account = c->account;
    s->message = fb_params_val(&c->params, "message", c->arena);
    if (!fb_path_account(c, err))
        return false;
    if (!json_obj(s->message, "attachment"))
        return fb_fail(err, 100, 0, "(#100) The parameter message[attachment] is required");
    if (!fb_attachments_read(c, s, err))
        return false;
    s->attachments[0].reusable = true;
    if (!fb_attachments_fetch(c, fetched))
        return true;
    if (!s->attachments[0].file)
        return fb_fail(err, 100, 2018047, "(#100) Upload attachment failure.");
    s->attachments[0].file->owner = c->account->id;
    write_upload(s, w);
    return true;
}
