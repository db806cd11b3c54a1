/* target.c -- what methods share: whom it goes to, which message is meant, what text is sent. See methods.h. */
#include "sandbox/telegram/methods.h"

bool
tg_target_chat(const struct tg_call *c, bool to_send, struct tg_chat **out, struct error *err)
{
    struct str text = str_trim(tg_params_text(&c->params, "chat_id"));
    int64_t    id;

    *out = NULL;
    if (text.len == 0)
        return error_set(err, 400, "chat_id is empty");
    if (!str_to_i64(text, &id)) /* also @name: people are never found by it */
        return error_set(err, 400, "chat not found");
    *out = tg_chat_get(c->bot, id);
    if (*out)
        return true;
    if (to_send && tg_bot_get(c->tg, id))
        return error_set(err, 403, "the bot can't send messages to the bot");
    if (to_send && tg_person_get(c->tg, id))
        return error_set(err, 403, "bot can't initiate conversation with a user");
    return error_set(err, 400, "chat not found");
}

bool
tg_target_message(const struct tg_call *c, const char *what, struct tg_chat **chat, struct tg_message **out,
    struct error *err)
{
    int64_t id = tg_params_int(&c->params, "message_id", 0, 0, INT32_MAX);

    if (!tg_target_chat(c, false, chat, err))
        return false;
    *out = tg_message_get(*chat, id);
    return *out != NULL || error_set(err, 400, "%s not found", what);
}

bool
tg_param_formatted(const struct tg_call *c, const char *name, const char *entities, struct tg_text *out,
    struct error *err)
{
    yyjson_val *given = NULL;

    tg_params_json(&c->params, entities, c->arena, &given); /* what does not parse is ignored */
    return tg_text_read(tg_params_text(&c->params, name), tg_params_text(&c->params, "parse_mode"), given, c->arena,
        out, err);
}

struct str
tg_entities_json(const struct tg_text *t, struct arena *a)
{
    struct buf  b;
    struct json w = { .buf = &b };

    if (t->count == 0)
        return STR_NONE;
    buf_init(&b, MIB);
    tg_text_write_entities(t, &w, NULL);
    return arena_take(a, &b);
}
