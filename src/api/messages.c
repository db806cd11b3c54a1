/* messages.c -- reading messages, and accepting new ones. Editing is edit.c's. */
#include "api/handlers.h"
#include "api/limits.h"
#include "api/media.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/config.h"
#include "base/crash.h"
#include "store/view.h"

#define MARKUP_ONLY_TELEGRAM "reply_markup is only supported on Telegram"
#define REPLY_ONLY_TELEGRAM  "reply_to_external_id is only supported on Telegram"

static bool
chat_from_path(struct db *db, struct call *call, struct chat *out, struct error *err)
{
    return chat_find(db, &call->scope, call_param(call, "id"), call->arena, out, err);
}

static bool
filter_from_query(struct call *call, struct message_filter *f, struct error *err)
{
    const struct http_request *r = &call->x->request;

    return query_page(r, call->arena, &f->page, &f->per_page, err)
        && query_choice(r, "direction", message_direction_names, DIRECTIONS, call->arena, &f->direction, err)
        && query_choice(r, "status", message_status_names, STATUSES, call->arena, &f->status, err);
}

bool
list_messages(struct db *db, struct call *call, struct error *err)
{
    struct message_filter f;
    struct message       *messages;
    struct chat           chat;
    struct json           w;
    int64_t               total;
    size_t                n;

    if (!filter_from_query(call, &f, err)
        || !chat_from_path(db, call, &chat, err)
        || !message_list(db, &chat, &f, call->arena, &messages, &n, &total, err))
        return false;
    reply_list_begin(call, &w, total, f.page, f.per_page);
    for (size_t i = 0; i < n; i++)
        view_message(&w, NULL, &messages[i]);
    reply_list_end(&w);
    return true;
}

bool
show_message(struct db *db, struct call *call, struct error *err)
{
    struct message m;

    return message_find(db, &call->scope, call_param(call, "id"), call->arena, &m, err)
        && reply_message(call, 200, &m);
}

/* ---- sending ---- */

/* What the steps of one send hand on. */
struct sending {
    const struct platform *platform;
    struct draft           draft;
    struct media_item      item;
    bool                   is_stored; /* the item is in the media store, and draft.media tells about it */
};

static bool
text_and_media(struct call *call, struct sending *s, struct error *err)
{
    const struct body *b = &call->body;
    size_t             count = media_count(b);

    s->draft.has_media = count > 0;
    if (!body_text(b->json, "body", SIZE_MAX, &s->draft.body, err))
        return false;
    if (str_is_none(s->draft.body) && count == 0)
        return error_set(err, 400, "body or media is required");
    if (!str_is_none(s->draft.body) && count > 0)
        return error_set(err, 422, "Direct messages support either text or attachment per send, not both");
    if (count > 1)
        return error_set(err, 422, "Direct messages support one attachment per send");
    return true;
}

static bool
reply_fields(struct call *call, const struct chat *c, struct draft *d, struct error *err)
{
    yyjson_val *markup = json_get(call->body.json, "reply_markup");

    if (!body_id(call->body.json, "reply_to_external_id", call->arena, &d->reply_to_external_id, err))
        return false;
    if (!str_is_none(d->reply_to_external_id) && !(c->platform->can & CAN_REPLY))
        return error_set(err, 422, REPLY_ONLY_TELEGRAM);
    if (!str_is_none(d->reply_to_external_id) && c->platform->check_reply
        && !c->platform->check_reply(d->reply_to_external_id, err))
        return false;
    d->reply_markup = STR_NONE;
    if (body_is_blank(markup))
        return true;
    if (!(c->platform->can & CAN_MARKUP))
        return error_set(err, 422, MARKUP_ONLY_TELEGRAM);
    if (!yyjson_is_obj(markup))
        return error_set(err, 422, "reply_markup must be an object");
    if (c->platform->check_markup && !c->platform->check_markup(markup, err))
        return false;
    d->reply_markup = json_text(call->arena, markup);
    return true;
}

/* A draft that the platform would take, as far as we can tell without asking it. */
static bool
draft_from_body(struct call *call, const struct chat *c, struct sending *s, struct error *err)
{
    s->platform = c->platform;
    if (!text_and_media(call, s, err)
        || !limit_account(c->platform, c->profile_status, c->profile_status_detail, err)
        || !reply_fields(call, c, &s->draft, err)
        || !limit_window(c, call->now_ms, err))
        return false;
    if (!s->draft.has_media)
        return limit_text(c->platform, s->draft.body, false, err);
    if (!(c->platform->can & CAN_ATTACH))
        return error_set(err, 422, "%s takes no attachments", c->platform->title);
    if (s->is_stored)
        return true;
    if (!media_first(&call->body, call->api->options.guard, call->arena, &s->item, err))
        return false;
    if (s->item.form == MEDIA_URL)
        media_of_url(&s->item, &s->draft.media);
    return true;
}

/* Of someone who never wrote nothing is known: the platform says whether we may. */
static bool
ask_for_contact(struct db *db, struct call *call, const struct chat *c, struct error *err)
{
    struct account account;
    struct op     *op;

    if (!call_account(db, call, c->profile_id, &account, err))
        return false;
    op = call_ask(call, OP_PROBE_CHAT, c->platform, &account);
    op->participant_id = c->participant_external_id;
    op->conversation_id = c->external_conversation_id;
    call_then(call, send_message, WRITES);
    return true;
}

static bool
store_media(struct call *call, struct error *err)
{
    struct sending *s = call->state;

    s->is_stored = media_store_item(call->api->options.media, s->platform, &s->item, config.upload_max, call->arena,
                                    &s->draft.media, call->stored, err);
    crash_point("request: file stored, no row yet");
    return s->is_stored;
}

/* 202: nothing has left yet, but message and job are committed together. Usually that is one step. Where the
 * platform must be asked or a file be moved first, this runs again afterwards and finds that done. */
bool
send_message(struct db *db, struct call *call, struct error *err)
{
    struct sending *s = call->state ? call->state : arena_new(call->arena, struct sending);
    struct chat     chat;
    struct message  m;

    call->state = s;
    if (!chat_find_to_change(db, &call->scope, call_param(call, "id"), call->arena, &chat, err)
        || !draft_from_body(call, &chat, s, err))
        return false;
    if (chat.platform->needs_first_contact && chat.last_inbound_at == 0 && !call->ask)
        return ask_for_contact(db, call, &chat, err);
    if (s->draft.has_media && s->item.form != MEDIA_URL && !s->is_stored) {
        call_work(call, store_media);
        call_then(call, send_message, WRITES);
        return true;
    }
    return message_accept(db, &chat, &s->draft, call->now_ms, call->arena, &m, err)
        && reply_message(call, 202, &m);
}
