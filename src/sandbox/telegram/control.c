/* control.c -- the control API's bots, people and files, and its table of routes; see control.h. */
#include "sandbox/telegram/control.h"

#include <stdio.h>

#include "base/array.h"
#include "sandbox/sniff.h"
#include "sandbox/telegram/call.h"
#include "sandbox/telegram/methods.h"
#include "sandbox/telegram/notify.h"
#include "sandbox/telegram/records.h"
#include "sandbox/telegram/webhook.h"

#define ID_MAX ((INT64_C(1) << 52) - 1)

/* ---- whom the path names ---- */

bool
tg_path_number(const struct http_exchange *x, const char *name, int64_t *out)
{
    return str_to_i64(http_param_get(&x->request, str_of(name)), out);
}

struct tg_bot *
tg_path_bot(struct tg *tg, const struct http_exchange *x, struct error *err)
{
    int64_t        id;
    struct tg_bot *bot = tg_path_number(x, "bot", &id) ? tg_bot_get(tg, id) : NULL;

    if (!bot)
        error_set(err, 404, "there is no such bot; GET /sandbox/telegram/bots lists them");
    return bot;
}

struct tg_person *
tg_path_person(struct tg *tg, const struct http_exchange *x, struct error *err)
{
    int64_t           id;
    struct tg_person *person = tg_path_number(x, "user", &id) ? tg_person_get(tg, id) : NULL;

    if (!person)
        error_set(err, 404, "there is no such person; POST /sandbox/telegram/users makes one");
    return person;
}

void
tg_put_update_id(struct json *w, int64_t update_id)
{
    if (update_id > 0)
        json_put_int(w, "update_id", update_id);
    else
        json_put_null(w, "update_id");
}

static bool
read_id(yyjson_val *body, int64_t otherwise, int64_t *out, struct error *err)
{
    *out = json_get(body, "id") ? json_int(body, "id", 0) : otherwise;
    return (*out > 0 && *out <= ID_MAX) || error_set(err, 400, "id must be a number from 1 to 2^52 - 1");
}

/* ---- bots ---- */

static void
put_bot(struct json *w, const struct tg_bot *bot)
{
    json_put_int(w, "id", bot->id);
    json_put_str(w, "token", str_of(bot->token));
    json_put_str(w, "username", bot->username);
    json_put_str(w, "first_name", bot->first_name);
    json_put_str(w, "webhook_url", bot->webhook.url.len > 0 ? bot->webhook.url : STR(""));
    json_put_int(w, "pending_update_count", (int64_t)bot->updates.count);
}

static bool
list_bots(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct tg *tg = state;

    (void)x;
    (void)err;
    json_begin_array(w, "data");
    for (const struct tg_bot *bot = tg->first_bot; bot; bot = bot->next) {
        json_begin(w, NULL);
        put_bot(w, bot);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

static bool
is_bot_name(struct str name)
{
    if (name.len < 5 || name.len > 32)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return str_eq_nocase(str_from(name, name.len - 3), STR("bot"));
}

static bool
make_bot(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg  *tg = state;
    yyjson_val *body;
    struct str  first_name, username;
    int64_t     id;

    if (!stage_read_body(x, &body, err) || !read_id(body, tg->next_bot_id, &id, err))
        return false;
    first_name = json_str(body, "first_name");
    username = json_str(body, "username");
    if (first_name.len == 0 || first_name.len > 256)
        return error_set(err, 400, "first_name must be text of 1 to 256 bytes");
    if (!is_bot_name(username))
        return error_set(err, 400, "username must be 5 to 32 letters, digits or _, and end in \"bot\"");
    if (tg_bot_get(tg, id) || tg_person_get(tg, id))
        return error_set(err, 409, "the id %lld is taken", (long long)id);
    x->reply.status = 201;
    put_bot(w, tg_bot_add(tg, id, first_name, username, NULL));
    tg_tell(tg, "bots");
    return true;
}

static bool
delete_bot(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg     *tg = state;
    struct tg_bot *bot = tg_path_bot(tg, x, err);

    if (!bot)
        return false;
    tg_calls_abandon_bot(bot);
    json_put_int(w, "id", bot->id);
    tg_bot_remove(tg, bot);
    tg_tell(tg, "bots");
    return true;
}

/* A new token begins without a webhook, and whoever waits with the old one is told. */
static bool
revoke_token(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg     *tg = state;
    struct tg_bot *bot = tg_path_bot(tg, x, err);

    if (!bot)
        return false;
    tg_calls_abandon_bot(bot);
    tg_webhook_remove(bot);
    tg_bot_new_token(bot);
    put_bot(w, bot);
    tg_tell(tg, "bots");
    return true;
}

/* ---- people ---- */

static void
put_person(struct json *w, const struct tg_person *p)
{
    stage_put_members(w, str_slice(p->user, 1, p->user.len - 2));
    json_put_bool(w, "photo", p->has_photo);
}

static bool
list_people(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct tg *tg = state;

    (void)x;
    (void)err;
    json_begin_array(w, "data");
    for (const struct tg_person *p = tg->first_person; p; p = p->next) {
        json_begin(w, NULL);
        put_person(w, p);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

/* The same id again is the same person under other names. */
static bool
make_person(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg             *tg = state;
    yyjson_val            *body;
    struct tg_person_names names;
    int64_t                id;

    if (!stage_read_body(x, &body, err) || !read_id(body, tg->next_person_id, &id, err))
        return false;
    names = (struct tg_person_names){ json_str(body, "first_name"), json_str(body, "last_name"),
        json_str(body, "username"), json_str(body, "language_code"), json_true(body, "photo") };
    if (str_is_none(names.first_name) || names.first_name.len + names.last_name.len + names.username.len > 1024)
        return error_set(err, 400, "first_name must be text, and all names together at most 1024 bytes");
    if (tg_bot_get(tg, id))
        return error_set(err, 409, "the id %lld is a bot's", (long long)id);
    x->reply.status = tg_person_get(tg, id) ? 200 : 201;
    put_person(w, tg_person_add(tg, id, &names));
    tg_tell(tg, "people");
    return true;
}

/* ---- any update ---- */

/* In whose queue an update belongs, as far as it can be told. */
static int64_t
queue_of(struct tg_bot *bot, yyjson_val *update)
{
    static const struct {
        const char         *kind, *whose;
        enum tg_queue_class class;
    } known[] = {
        { "message", "chat", TG_QUEUE_MESSAGES }, { "edited_message", "chat", TG_QUEUE_MESSAGES },
        { "callback_query", "from", TG_QUEUE_TAPS }, { "my_chat_member", "chat", TG_QUEUE_MEMBER },
        { "message_reaction", "chat", TG_QUEUE_REACTIONS },
    };

    for (size_t i = 0; i < COUNT(known); i++) {
        int64_t id = json_int(json_obj(json_obj(update, known[i].kind), known[i].whose), "id", 0);

        if (id > 0 && id <= ID_MAX)
            return tg_queue_key(id, known[i].class);
    }
    return tg_queue_own(&bot->updates);
}

static struct str
members_of(yyjson_val *update, struct arena *a)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(update);
    struct buf      b;
    struct json     w = { .buf = &b };
    yyjson_val     *key;

    buf_init(&b, 4 * MIB);
    while ((key = yyjson_obj_iter_next(&it)) != NULL)
        if (!str_eq(json_val_str(key), STR("update_id")))
            json_put_val(&w, arena_copy(a, json_val_str(key)).ptr, yyjson_obj_iter_get_val(key));
    return arena_take(a, &b);
}

static bool
deliver_update(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg_bot *bot = tg_path_bot(state, x, err);
    yyjson_val    *update;
    struct str     members;
    int64_t        id;

    if (!bot || !stage_read_body(x, &update, err))
        return false;
    id = json_int(update, "update_id", 0);
    if (id > 0)
        tg_updates_seen_id(&bot->updates, id);
    else
        id = tg_updates_next_id(&bot->updates);
    members = members_of(update, &x->arena);
    if (members.len == 0)
        return error_set(err, 400, "an update has a member beside update_id");
    if (tg_notify_raw(bot, id, queue_of(bot, update), members, stage_now_ms(bot->tg->stage) + TG_DAY_MS) == 0)
        return error_set(err, 409, "the update is too large, or too many wait already");
    x->reply.status = 201;
    tg_put_update_id(w, id);
    return true;
}

/* ---- files, for the page: without the bot's token, without orders of trouble ---- */

static bool
can_be_shown(struct str mime)
{
    return str_starts(mime, STR("image/")) || str_starts(mime, STR("audio/")) || str_starts(mime, STR("video/"));
}

static bool
show_file(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg            *tg = state;
    const struct tg_bot  *bot = tg_path_bot(tg, x, err);
    const struct tg_file *f;
    const char           *reason, *mime;
    bool                  plays;

    (void)w;
    if (!bot)
        return false;
    f = tg_file_by_id(&tg->files, bot->id, http_param_get(&x->request, STR("file")), &reason);
    if (!f || f->blob->dropped)
        return error_set(err, 404, "there is no such file, or it has been forgotten");
    mime = sniff_mime((struct str){ f->blob->bytes, f->blob->size }, str_of(f->extension));
    plays = can_be_shown(str_of(mime));
    x->reply.status = 200;
    http_reply_header(x, STR("Content-Type"), plays ? str_of(mime) : STR("application/octet-stream"));
    http_reply_header(x, STR("Content-Security-Policy"), STR("default-src 'none'; sandbox"));
    http_reply_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    if (!plays)
        http_reply_header(x, STR("Content-Disposition"), STR("attachment"));
    buf_append(&x->reply.body, (struct str){ f->blob->bytes, f->blob->size });
    return true;
}

/* ---- what bots did ---- */

static bool
list_calls(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct tg_bot *bot = tg_path_bot(state, x, err);
    struct str           after = http_query_get(&x->request, STR("after"), &x->arena);
    struct str           method = http_query_get(&x->request, STR("method"), &x->arena);

    if (!bot)
        return false;
    tg_records_write(&bot->records, tg_int_of(after), method, w, "data");
    return true;
}

static bool
forget_calls(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct tg_bot *bot = tg_path_bot(state, x, err);

    if (!bot)
        return false;
    tg_records_clear(&bot->records);
    json_put_int(w, "last_n", bot->records.last_number);
    return true;
}

static bool
list_taps(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct tg_bot *bot = tg_path_bot(state, x, err);

    if (!bot)
        return false;
    tg_taps_write(&bot->taps, w, "data");
    return true;
}

#define AT "/sandbox/telegram"
#define CHAT AT "/bots/:bot/chats/:user"

const struct stage_route tg_control_routes[TG_CONTROL_ROUTES] = {
    { { METHOD_GET,    AT "/bots" },                           list_bots },
    { { METHOD_POST,   AT "/bots" },                           make_bot },
    { { METHOD_DELETE, AT "/bots/:bot" },                      delete_bot },
    { { METHOD_POST,   AT "/bots/:bot/revoke" },               revoke_token },
    { { METHOD_GET,    AT "/users" },                          list_people },
    { { METHOD_POST,   AT "/users" },                          make_person },
    { { METHOD_GET,    AT "/bots/:bot/chats" },                tg_control_chats },
    { { METHOD_GET,    CHAT "/messages" },                     tg_control_messages },
    { { METHOD_POST,   CHAT "/messages" },                     tg_control_write, .takes_files = true },
    { { METHOD_PATCH,  CHAT "/messages/:message" },            tg_control_edit },
    { { METHOD_POST,   CHAT "/messages/:message/tap" },        tg_control_tap },
    { { METHOD_POST,   CHAT "/messages/:message/react" },      tg_control_react },
    { { METHOD_POST,   CHAT "/block" },                        tg_control_block },
    { { METHOD_POST,   CHAT "/unblock" },                      tg_control_unblock },
    { { METHOD_POST,   AT "/bots/:bot/updates" },              deliver_update },
    { { METHOD_GET,    AT "/bots/:bot/files/:file" },          show_file, .raw = true },
    { { METHOD_GET,    AT "/bots/:bot/calls" },                list_calls },
    { { METHOD_DELETE, AT "/bots/:bot/calls" },                forget_calls },
    { { METHOD_GET,    AT "/bots/:bot/taps" },                 list_taps },
};
