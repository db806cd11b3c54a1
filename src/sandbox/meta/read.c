/* read.c -- people, conversations and messages, as the Graph API shows them; see call.h. */
#include <stdio.h>
#include <time.h>

#include "sandbox/meta/call.h"

#define READABLE 20 /* of a conversation, the newest */

static void
put_iso_time(struct json *w, const char *name, int64_t ms)
{
    time_t    s = (time_t)(ms / 1000);
    struct tm t;
    char      text[40];

    gmtime_r(&s, &t);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+0000", &t);
    json_put_str(w, name, str_of(text));
}

/* ---- people ---- */

/* The account whose person that is: the token's, or the one linked to it. */
static struct fb_account *
account_of_person(struct fb_call *c, int64_t id)
{
    struct fb_account *linked = fb_is_instagram(c->account) ? NULL : fb_account_linked(c->account);

    if (fb_scoped_person(c->account, id))
        return c->account;
    return linked && fb_scoped_person(linked, id) ? linked : NULL;
}

static void
put_picture(struct fb_call *c, const struct fb_person *p, struct json *w)
{
    struct fb_file *face;

    if (!p->has_photo && !c->account)
        return;
    face = fb_file_face(&c->fb->files, p->number, fb_now_ms(c->fb));
    json_put_str(w, "profile_pic", fb_file_url(&c->fb->files, face, fb_now_ms(c->fb), c->arena));
}

static void
write_messenger_person(struct fb_call *c, const struct fb_person *p, struct str fields, struct json *w)
{
    struct str inside;

    if (fb_fields_have(fields, "name", &inside))
        json_put_str(w, "name", p->name);
    if (fb_fields_have(fields, "first_name", &inside))
        json_put_str(w, "first_name", p->first_name);
    if (fb_fields_have(fields, "last_name", &inside) && p->last_name.len > 0)
        json_put_str(w, "last_name", p->last_name);
    if (fb_fields_have(fields, "profile_pic", &inside))
        put_picture(c, p, w);
}

static void
write_instagram_person(struct fb_call *c, const struct fb_person *p, struct str fields, struct json *w)
{
    struct str inside;

    if (fb_fields_have(fields, "name", &inside))
        json_put_str(w, "name", p->name.len > 0 ? p->name : STR_NONE);
    if (fb_fields_have(fields, "username", &inside))
        json_put_str(w, "username", p->username);
    if (fb_fields_have(fields, "profile_pic", &inside))
        put_picture(c, p, w);
    if (fb_fields_have(fields, "follower_count", &inside))
        json_put_int(w, "follower_count", 100 + p->number);
    if (fb_fields_have(fields, "is_user_follow_business", &inside))
        json_put_bool(w, "is_user_follow_business", true);
    if (fb_fields_have(fields, "is_business_follow_user", &inside))
        json_put_bool(w, "is_business_follow_user", false);
    if (fb_fields_have(fields, "is_verified_user", &inside))
        json_put_bool(w, "is_verified_user", false);
}

bool
fb_show_person(struct fb_call *c, struct json *w, struct fb_error *err)
{
    int64_t               id = fb_last_number(c->segments[0]);
    struct fb_account    *a = account_of_person(c, id);
    const struct fb_chat *chat = a ? fb_chat_get(a, id) : NULL;
    struct str            fields = fb_params_text(&c->params, "fields", c->arena);

    if (!a)
        return fb_fail(err, 100, fb_is_instagram(c->account) ? 2534014 : 33,
            "Unsupported get request. Object with ID '%.*s' does not exist, cannot be loaded due to missing"
            " permissions, or does not support this operation", STR_ARG(c->segments[0]));
    if (!chat || chat->wrote_ms == 0 || (chat->blocked && fb_is_instagram(a)))
        return fb_is_instagram(a) ? fb_fail(err, 230, 0, "(#230) User consent is required to access user profile")
                                  : fb_fail(err, 100, 2018218, "(#100) No profile available for this user.");
    if (fields.len == 0)
        fields = STR("name,first_name,last_name,profile_pic");
    stage_put_id(w, "id", id);
    if (fb_is_instagram(a))
        write_instagram_person(c, chat->person, fields, w);
    else
        write_messenger_person(c, chat->person, fields, w);
    return true;
}

/* ---- messages ---- */

static void
put_end(struct json *w, const char *name, const struct fb_chat *chat, bool person)
{
    const struct fb_account *a = chat->account;
    char                     email[64];

    json_begin(w, name);
    stage_put_id(w, "id", person ? chat->scoped_id : a->id);
    if (fb_is_instagram(a)) {
        json_put_str(w, "username", person ? chat->person->username : a->username);
    } else {
        snprintf(email, sizeof(email), "%lld@facebook.com", (long long)(person ? chat->scoped_id : a->id));
        json_put_str(w, "name", person ? chat->person->name : a->name);
        json_put_str(w, "email", str_of(email));
    }
    json_end(w);
}

static void
put_reactions(const struct fb_message *m, struct json *w)
{
    bool by_person = !str_is_none(m->persons_reaction);

    if (!by_person && str_is_none(m->business_reaction))
        return;
    json_begin(w, "reactions");
    json_begin_array(w, "data");
    json_begin(w, NULL);
    json_put_str(w, "reaction", by_person ? m->persons_reaction : m->business_reaction);
    json_begin_array(w, "users");
    put_end(w, NULL, m->chat, by_person);
    json_end_array(w);
    json_end(w);
    json_end_array(w);
    json_end(w);
}

static void
write_message(struct fb_call *c, const struct fb_message *m, struct str fields, struct json *w)
{
    struct str inside;

    json_put_str(w, "id", m->mid);
    if (fb_fields_have(fields, "created_time", &inside))
        put_iso_time(w, "created_time", m->at_ms);
    if (fb_fields_have(fields, "from", &inside))
        put_end(w, "from", m->chat, m->by_person);
    if (fb_fields_have(fields, "to", &inside)) {
        json_begin(w, "to");
        json_begin_array(w, "data");
        put_end(w, NULL, m->chat, !m->by_person);
        json_end_array(w);
        json_end(w);
    }
    if (fb_fields_have(fields, "message", &inside))
        json_put_str(w, "message", m->text.ptr ? m->text : STR(""));
    fb_write_attachments(c, m, fields, w);
    if (fb_fields_have(fields, "reply_to", &inside) && !str_is_none(m->reply_to)) {
        json_begin(w, "reply_to");
        json_put_str(w, "mid", m->reply_to);
        json_end(w);
    }
    if (fb_fields_have(fields, "reactions", &inside))
        put_reactions(m, w);
}

static bool
may_read(const struct fb_call *c, const struct fb_account *a)
{
    return a == c->account || a->page == c->account;
}

bool
fb_show_message(struct fb_call *c, struct json *w, struct fb_error *err)
{
    const struct fb_message *m = fb_message_get(c->fb, c->segments[0]);
    struct str               fields = fb_params_text(&c->params, "fields", c->arena);

    if (!m || !may_read(c, m->chat->account))
        return fb_fail(err, 100, 33, "Unsupported get request. Object with ID does not exist, cannot be loaded due to"
                                     " missing permissions, or does not support this operation");
    if (m->deleted || fb_message_age(m, READABLE) >= READABLE)
        return fb_fail(err, 9000001, 0, "(#9000001) This message has been deleted by the user or the business");
    write_message(c, m, fields.len > 0 ? fields : STR("id,created_time"), w);
    return true;
}

/* ---- conversations ---- */

/* The newest first; only the newest can be read in detail. */
static void
put_messages(struct fb_call *c, const struct fb_chat *chat, struct str fields, struct json *w)
{
    int64_t n = 0;

    if (fields.len == 0)
        fields = STR("id,created_time");
    json_begin(w, "messages");
    json_begin_array(w, "data");
    for (const struct fb_message *m = chat->newest; m && n < READABLE; m = m->older) {
        if (m->deleted)
            continue;
        json_begin(w, NULL);
        write_message(c, m, fields, w);
        json_end(w);
        n++;
    }
    json_end_array(w);
    fb_put_paging(c, w, n, false);
    json_end(w);
}

static void
write_conversation(struct fb_call *c, const struct fb_chat *chat, struct str fields, struct json *w)
{
    struct str inside;
    char       id[64];

    fb_conversation_id(chat, id);
    json_put_str(w, "id", str_of(id));
    if (fb_fields_have(fields, "updated_time", &inside))
        put_iso_time(w, "updated_time", chat->newest ? chat->newest->at_ms : 0);
    if (fb_fields_have(fields, "participants", &inside)) {
        json_begin(w, "participants");
        json_begin_array(w, "data");
        put_end(w, NULL, chat, true);
        put_end(w, NULL, chat, false);
        json_end_array(w);
        json_end(w);
    }
    if (fb_fields_have(fields, "is_owner", &inside))
        json_put_bool(w, "is_owner", chat->account->thread_owner == 0);
    if (fb_fields_have(fields, "messages", &inside))
        put_messages(c, chat, inside, w);
}

static bool
may_ask(struct fb_call *c, struct fb_account *a, struct fb_error *err)
{
    if (a->no_messages && fb_is_instagram(a))
        return fb_fail(err, 200, 2534041, "The account owner has disabled access to instagram direct messages");
    if (fb_bucket_take(&a->reads, c->fb->settings.reads_per_second, 1, fb_now_ms(c->fb)))
        return true;
    return fb_fail(err, 613, 0, "(#613) Calls to this api have exceeded the rate limit.");
}

static struct fb_account *
wanted_account(struct fb_call *c, struct fb_error *err)
{
    struct fb_account *a = fb_path_account(c, err);
    struct str         platform = fb_params_text(&c->params, "platform", c->arena);
    struct fb_account *linked;

    if (!a || fb_is_instagram(a) || !str_eq_nocase(platform, STR("instagram")))
        return a;
    linked = fb_account_linked(a);
    if (!linked)
        fb_fail(err, 100, 2534013, "(#100) The Page is not linked to an Instagram account");
    return linked;
}

bool
fb_list_conversations(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct fb_account *a = wanted_account(c, err);
    struct str         fields = fb_params_text(&c->params, "fields", c->arena);
    int64_t            user = 0, limit = 25, after = 0, seen = 0;
    bool               more = false;

    if (!a || !may_ask(c, a, err))
        return false;
    str_to_i64(fb_params_text(&c->params, "user_id", c->arena), &user);
    str_to_i64(fb_params_text(&c->params, "limit", c->arena), &limit);
    str_to_i64(fb_params_text(&c->params, "after", c->arena), &after);
    json_begin_array(w, "data");
    for (const struct fb_chat *chat = a->first_chat; chat && !more; chat = chat->next) {
        if (!chat->newest || (user > 0 && chat->scoped_id != user) || ++seen <= after)
            continue;
        more = seen > after + limit;
        if (more)
            continue;
        json_begin(w, NULL);
        write_conversation(c, chat, fields.len > 0 ? fields : STR("id,updated_time"), w);
        json_end(w);
    }
    json_end_array(w);
    fb_put_paging(c, w, after + limit, more);
    return true;
}

static const struct fb_chat *
find_in(const struct fb_account *a, struct str id)
{
    char real[64];

    for (const struct fb_chat *chat = a ? a->first_chat : NULL; chat; chat = chat->next) {
        fb_conversation_id(chat, real);
        if (str_eq(id, str_of(real)))
            return chat;
    }
    return NULL;
}

bool
fb_show_conversation(struct fb_call *c, struct json *w, struct fb_error *err)
{
    struct str            fields = fb_params_text(&c->params, "fields", c->arena);
    const struct fb_chat *chat = find_in(c->account, c->segments[0]);

    if (!chat && !fb_is_instagram(c->account))
        chat = find_in(fb_account_linked(c->account), c->segments[0]);
    if (!chat)
        return fb_fail(err, 100, 33, "Unsupported get request. Object with ID does not exist, cannot be loaded due to"
                                     " missing permissions, or does not support this operation");
    if (!may_ask(c, chat->account, err))
        return false;
    write_conversation(c, chat, fields.len > 0 ? fields : STR("id,updated_time"), w);
    return true;
}
