/* conversation.c -- the conversation with a person. There is one for every two people, made by asking for it, and that
 * is where the platform says that somebody wants no messages. */
#include "platform/bluesky/bluesky.h"

static void
get_conversation(struct op *op, struct op_step *out)
{
    op->stage = BLUESKY_RESOLVES;
    if (op->participant_id.len == 0)
        bluesky_fail(op, out, 422, STR("Nobody is named to write to"));
    else
        bluesky_get(op, "chat.bsky.convo.getConvoForMembers",
            &(struct bluesky_param){ "members", op->participant_id }, 1, out);
}

static void
conversation_found(struct op *op, const struct net_response *last, bluesky_convo_call *call, struct op_step *out)
{
    yyjson_val *root;
    struct str  id;

    if (!bluesky_answered(op, last, &root, out))
        return;
    id = bluesky_id(json_obj(root, "convo"));
    if (id.len == 0) {
        bluesky_retry(op, out, last->status, STR("Bluesky's answer names no conversation"));
        return;
    }
    op->out_conversation_id = id;
    op->stage = BLUESKY_CALLS_AGAIN;
    call(op, id, out);
}

static bool
is_gone(struct op *op, const struct net_response *last)
{
    struct bluesky_refusal r;

    return bluesky_refused(op, last, &r) && r.status == 400
        && (bluesky_is_named(&r, "InvalidConvo") || str_find_nocase(r.message, STR("convo not found")) >= 0);
}

bool
bluesky_in_conversation(struct op *op, const struct net_response *last, bluesky_convo_call *call, struct op_step *out)
{
    if (!last && op->conversation_id.len > 0) {
        op->stage = BLUESKY_CALLS;
        call(op, op->conversation_id, out);
    } else if (!last || (op->stage == BLUESKY_CALLS && op->participant_id.len > 0 && is_gone(op, last))) {
        get_conversation(op, out);
    } else if (op->stage == BLUESKY_RESOLVES) {
        conversation_found(op, last, call, out);
    } else {
        return true;
    }
    return false;
}

/* ---- archiving is muting ---- */

static void
set_mute(struct op *op, struct str id, struct op_step *out)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, 64 * KIB);
    json_begin(&w, NULL);
    json_put_str(&w, "convoId", id);
    json_end(&w);
    bluesky_post(op, op->kind == OP_ARCHIVE ? "chat.bsky.convo.muteConvo" : "chat.bsky.convo.unmuteConvo",
        arena_take(op->arena, &buf), out);
}

void
bluesky_mute(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (bluesky_in_conversation(op, last, set_mute, out) && bluesky_accepted(op, last, out))
        bluesky_done(out);
}
