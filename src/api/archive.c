/* archive.c -- POST and DELETE /api/chats/:id/archive: the platform first, then here. */
#include "api/handlers.h"
#include "api/reply.h"
#include "store/chat.h"

struct archiving {
    int64_t chat_id;
    bool    archives; /* or takes it back */
};

/* The platform has done it, and has told which conversation that is where we did not know. */
static bool
apply_archive(struct db *db, struct call *call, struct error *err)
{
    const struct archiving *want = call->state;
    struct str              conversation = call->ask->op.out_conversation_id;
    struct chat             chat;
    bool                    found;

    if (conversation.len > 0 && !chat_set_conversation(db, want->chat_id, conversation, err))
        return false;
    if (!chat_get(db, want->chat_id, call->arena, &chat, &found, err))
        return false;
    if (!found)
        return error_set(err, 404, "The chat was deleted meanwhile");
    return chat_set_archived(db, &chat, want->archives, call->arena, err) && reply_chat(call, 200, &chat);
}

static bool
archive(struct db *db, struct call *call, bool archives, struct error *err)
{
    struct archiving *want = arena_new(call->arena, struct archiving);
    struct chat       chat;
    struct account    account;
    struct op        *op;

    call->state = want;
    if (!chat_find(db, &call->scope, call_param(call, "id"), call->arena, &chat, err))
        return false;
    if (!(chat.platform->can & CAN_ARCHIVE))
        return error_set(err, 422, "Archiving chats is only supported on Bluesky");
    if (!call_account(db, call, chat.profile_id, &account, err))
        return false;
    *want = (struct archiving){ .chat_id = chat.id, .archives = archives };
    op = call_ask(call, archives ? OP_ARCHIVE : OP_UNARCHIVE, chat.platform, &account);
    op->participant_id = chat.participant_external_id;
    op->conversation_id = chat.external_conversation_id;
    call_then(call, apply_archive, WRITES);
    return true;
}

bool
archive_chat(struct db *db, struct call *call, struct error *err)
{
    return archive(db, call, true, err);
}

bool
unarchive_chat(struct db *db, struct call *call, struct error *err)
{
    return archive(db, call, false, err);
}
