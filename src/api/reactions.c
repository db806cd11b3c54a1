/* reactions.c -- the account's own reaction to a message: the platform first, then here. */
#include "api/handlers.h"
#include "api/limits.h"
#include "api/reply.h"
#include "store/message.h"

#define REACTION_MAX 64 /* bytes of a name or an emoji; the longest emoji has 35 */

struct reacting {
    int64_t    message_id;
    struct str sender, reaction, emoji;
};

/* The message, which must be on a platform that knows reactions, and whose it is. */
static bool
message_from_path(struct db *db, struct call *call, struct message *m, struct profile *p, struct error *err)
{
    bool found;

    if (!message_find(db, &call->scope, call_param(call, "id"), call->arena, m, err))
        return false;
    if (!(m->platform->can & CAN_REACT))
        return error_set(err, 422, "Reactions are only supported on Facebook and Instagram");
    return profile_get(db, m->profile_id, call->arena, p, &found, err)
        && (found || error_set(err, 404, "The message's profile is gone"));
}

static bool
reaction_from_body(struct call *call, const struct platform *p, struct reacting *r, struct error *err)
{
    struct str reaction, emoji;

    return body_text(call->body.json, "reaction", REACTION_MAX, &reaction, err)
        && body_text(call->body.json, "emoji", REACTION_MAX, &emoji, err)
        && p->check_reaction(str_trim(reaction), str_trim(emoji), &r->reaction,
                             &r->emoji, err);
}

static bool
ask_platform(struct db *db, struct call *call, enum op_kind kind, const struct message *m, const struct profile *p,
             struct error *err)
{
    struct reacting *r = call->state;
    struct account   account;
    struct op       *op;

    if (!limit_account(p->platform, p->status, p->status_detail, err)
        || !profile_account(db, p, call->arena, &account, err))
        return false;
    r->message_id = m->id;
    r->sender = p->external_id;
    op = call_ask(call, kind, m->platform, &account);
    op->participant_id = m->chat_participant;
    op->conversation_id = m->chat_conversation;
    op->message_id = m->external_id;
    op->reaction = r->reaction;
    op->emoji = r->emoji;
    return true;
}

static bool
find_again(struct db *db, struct call *call, struct message *m, struct error *err)
{
    const struct reacting *r = call->state;
    bool                   found;

    return message_get(db, r->message_id, call->arena, m, &found, err)
        && (found || error_set(err, 404, "The message was deleted meanwhile"));
}

static bool
apply_reaction(struct db *db, struct call *call, struct error *err)
{
    const struct reacting *r = call->state;
    struct message         m;

    return find_again(db, call, &m, err)
        && message_react(db, &m, r->sender, r->reaction, r->emoji, call->now_ms, call->arena, err)
        && reply_message(call, 200, &m);
}

static bool
take_back_reaction(struct db *db, struct call *call, struct error *err)
{
    const struct reacting *r = call->state;
    struct message         m;

    return find_again(db, call, &m, err)
        && message_unreact(db, &m, r->sender, call->now_ms, call->arena, err)
        && reply_message(call, 200, &m);
}

bool
react_to_message(struct db *db, struct call *call, struct error *err)
{
    struct reacting *r = arena_new(call->arena, struct reacting);
    struct message   m;
    struct profile   p;

    call->state = r;
    if (!message_from_path(db, call, &m, &p, err) || !reaction_from_body(call, m.platform, r, err))
        return false;
    if (m.external_id.len == 0)
        return error_set(err, 422, "Only messages that have reached %s can be reacted to", m.platform->title);
    call_then(call, apply_reaction, WRITES);
    return ask_platform(db, call, OP_REACT, &m, &p, err);
}

/* Without one of ours there is nothing to ask for. */
bool
unreact_to_message(struct db *db, struct call *call, struct error *err)
{
    struct message m;
    struct profile p;

    call->state = arena_new(call->arena, struct reacting);
    if (!message_from_path(db, call, &m, &p, err))
        return false;
    if (!message_has_reaction(&m, p.external_id, call->arena))
        return reply_message(call, 200, &m);
    call_then(call, take_back_reaction, WRITES);
    return ask_platform(db, call, OP_UNREACT, &m, &p, err);
}
