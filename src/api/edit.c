/* edit.c -- PATCH /api/messages/:id: changed on the platform first, then here. */
#include "api/handlers.h"
#include "api/limits.h"
#include "api/reply.h"
#include "store/view.h"

struct edit {
    int64_t    message_id;
    bool       has_body, has_markup;
    struct str body, reply_markup; /* {} takes the keyboard away */
};

/* A blank text is no text; a blank caption takes the caption away. */
static bool
edit_from_body(struct call *call, const struct message *m, struct edit *e, struct error *err)
{
    yyjson_val *text = json_get(call->body.json, "body"), *markup = json_get(call->body.json, "reply_markup");
    bool        is_caption = m->attachment_count > 0;

    if (!body_text(call->body.json, "body", SIZE_MAX, &e->body, err))
        return false;
    e->has_body = !str_is_none(e->body) || (is_caption && yyjson_is_str(text));
    e->has_markup = !body_is_blank(markup);
    if (!e->has_body && !e->has_markup)
        return error_set(err, 400, "body or reply_markup is required");
    if (e->has_body && !limit_text(m->platform, e->body, is_caption, err))
        return false;
    if (!e->has_markup)
        return true;
    if (!yyjson_is_obj(markup))
        return error_set(err, 422, "reply_markup must be an object");
    e->reply_markup = json_text(call->arena, markup);
    return !m->platform->check_markup || m->platform->check_markup(markup, err);
}

static bool
may_edit(const struct message *m, struct error *err)
{
    if (!(m->platform->can & CAN_EDIT))
        return error_set(err, 422, "Editing messages is only supported on Telegram");
    if (m->direction != OUTBOUND || m->status != STATUS_PUBLISHED || m->external_id.len == 0)
        return error_set(err, 422, "Only published outbound messages can be edited");
    return true;
}

/* An empty object says "none", and that is how it is kept. */
static struct str
kept_markup(struct str markup)
{
    return str_eq(markup, STR("{}")) ? STR_NONE : markup;
}

/* The platform has agreed. */
static bool
apply_edit(struct db *db, struct call *call, struct error *err)
{
    const struct edit *e = call->state;
    const struct op   *op = &call->ask->op;
    struct message     m;
    bool               found;
    struct str         body = e->has_body && op->out_body.len > 0 ? op->out_body : e->body;

    if (!message_get(db, e->message_id, call->arena, &m, &found, err))
        return false;
    if (!found)
        return error_set(err, 404, "The message was deleted while it was being edited");
    return message_apply_edit(db, &m, e->has_body, body, e->has_markup, kept_markup(e->reply_markup),
                              op->edited_at ? op->edited_at : call->now_ms, call->now_ms, call->arena, err)
        && reply_message(call, 200, &m);
}

bool
edit_message(struct db *db, struct call *call, struct error *err)
{
    struct edit   *e = arena_new(call->arena, struct edit);
    struct account account;
    struct message m;
    struct op     *op;

    call->state = e;
    if (!message_find(db, &call->scope, call_param(call, "id"), call->arena, &m, err)
        || !may_edit(&m, err)
        || !edit_from_body(call, &m, e, err)
        || !call_account(db, call, m.profile_id, &account, err))
        return false;
    e->message_id = m.id;
    op = call_ask(call, OP_EDIT, m.platform, &account);
    op->participant_id = m.chat_participant;
    op->conversation_id = m.chat_conversation;
    op->message_id = m.external_id;
    op->has_body = e->has_body;
    op->body = e->body;
    op->has_markup = e->has_markup;
    op->reply_markup = e->has_markup ? e->reply_markup : m.reply_markup;
    op->is_media_message = m.attachment_count > 0;
    call_then(call, apply_edit, WRITES);
    return true;
}
