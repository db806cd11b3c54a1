/* chats.c -- conversations. */
#include "api/handlers.h"
#include "api/query.h"
#include "api/reply.h"
#include "store/view.h"

#define NAME_MAX_BYTES 1000

static bool
filter_from_query(struct call *call, struct chat_filter *f, struct error *err)
{
    const struct http_request *r = &call->x->request;

    return query_page(r, call->arena, &f->page, &f->per_page, err)
        && query_time(r, "before", call->arena, &f->before, err)
        && query_time(r, "after", call->arena, &f->after, err);
}

bool
list_chats(struct db *db, struct call *call, struct error *err)
{
    struct chat_filter f;
    struct profile     profile;
    struct chat       *chats;
    struct json        w;
    int64_t            total;
    size_t             n;

    if (!filter_from_query(call, &f, err)
        || !profile_find(db, &call->scope, call_param(call, "id"), call->arena, &profile, err)
        || !chat_list(db, &profile, &f, call->arena, &chats, &n, &total, err))
        return false;
    reply_list_begin(call, &w, total, f.page, f.per_page);
    for (size_t i = 0; i < n; i++)
        view_chat(&w, NULL, &chats[i]);
    reply_list_end(&w);
    return true;
}

static bool
participant_from_body(struct call *call, struct participant *out, struct error *err)
{
    *out = (struct participant){ 0 };
    return body_id(call->body.json, "participant_external_id", call->arena, &out->external_id, err)
        && body_needs(out->external_id, "participant_external_id", err)
        && body_text(call->body.json, "participant_username", NAME_MAX_BYTES, &out->username, err)
        && body_text(call->body.json, "participant_name", NAME_MAX_BYTES, &out->name, err);
}

/* 201 for a new one, 200 for the one there was. */
bool
create_chat(struct db *db, struct call *call, struct error *err)
{
    struct participant who;
    struct profile     profile;
    struct chat        chat;
    bool               created;

    return profile_find(db, &call->scope, call_param(call, "id"), call->arena, &profile, err)
        && participant_from_body(call, &who, err)
        && (!profile.platform->check_participant || profile.platform->check_participant(who.external_id, err))
        && chat_open(db, &profile, &who, STR_NONE, call->now_ms, call->arena, &chat, &created, err)
        && reply_chat(call, created ? 201 : 200, &chat);
}

bool
show_chat(struct db *db, struct call *call, struct error *err)
{
    struct chat chat;

    return chat_find(db, &call->scope, call_param(call, "id"), call->arena, &chat, err)
        && reply_chat(call, 200, &chat);
}
