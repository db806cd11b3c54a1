/* act.c -- see act.h. */
#include "sandbox/bluesky/act.h"

#include <stdlib.h>

#define REACTIONS_MAX 5 /* of one account on one message */

static const struct bs_refusal refusals[BS_NOES] = {
    [BS_YES] = { "", "" },
    [BS_NOT_FOLLOWED] = { "NotFollowedBySender",
        "recipient requires incoming messages to come from someone they follow" },
    [BS_DISABLED] = { "MessagesDisabled", "recipient has disabled incoming messages" },
    [BS_BLOCKED_ACTOR] = { "BlockedActor", "block between recipient and sender" },
    [BS_BLOCKED_SUBJECT] = { "BlockedSubject", "block between recipient and sender" },
    [BS_NO_RECIPIENT] = { "RecipientNotFound", "recipient does not exist" },
    [BS_SUSPENDED] = { "AccountSuspended", "Account is disabled" },
    [BS_UNKNOWN_SELF] = { "InvalidRequest", "Account does not exist", true },
    [BS_NO_CONVO] = { "InvalidConvo", "Convo not found", true },
    [BS_LOCKED] = { "ConvoLocked", "Convo is locked", true },
    [BS_NO_REPLY_TARGET] = { "ReplyTargetNotFound", "Reply target not found", true },
    [BS_NO_MESSAGE] = { "InvalidRequest", "Message not found", true },
    [BS_REACTION_DELETED] = { "ReactionMessageDeleted", "Message was deleted", true },
    [BS_REACTION_LIMIT] = { "ReactionLimitReached", "Reaction limit reached", true },
    [BS_TOO_MANY] = { "InvalidRequest", "too many members", true },
};

const struct bs_refusal *
bs_refusal(enum bs_no no)
{
    return &refusals[no];
}

bool
bs_refusal_read(struct str name, enum bs_no *out)
{
    for (int i = 0; i < BS_NOES; i++) {
        if (!str_eq(name, str_of(refusals[i].name)))
            continue;
        *out = (enum bs_no)i;
        return true;
    }
    return false;
}

/* ---- who may ---- */

/* What holds for every word, in old conversations too. */
static enum bs_no
may_speak(const struct bs_account *from, const struct bs_account *to)
{
    if (from->chat_disabled)
        return BS_SUSPENDED;
    if (to->status == BS_DELETED || to->status == BS_DEACTIVATED || to->chat_disabled)
        return BS_NO_RECIPIENT;
    if (bs_set_has(&from->blocks, to))
        return BS_BLOCKED_SUBJECT;
    if (bs_set_has(&to->blocks, from))
        return BS_BLOCKED_ACTOR;
    return to->refuses;
}

static enum bs_no
is_wanted(const struct bs_account *from, const struct bs_account *to)
{
    if (to->incoming == BS_FROM_NONE)
        return BS_DISABLED;
    if (to->incoming == BS_FROM_FOLLOWING && !bs_set_has(&to->follows, from))
        return BS_NOT_FOLLOWED;
    return BS_YES;
}

enum bs_no
bs_may_open(const struct bs_account *from, const struct bs_account *to)
{
    enum bs_no no = may_speak(from, to);

    return no != BS_YES || bs_convo_between(from, to) ? no : is_wanted(from, to);
}

enum bs_no
bs_may_write(const struct bs_member *m, const struct bs_draft *draft)
{
    const struct bs_message *target = bs_message_get(m->account->bs, draft->reply_to);
    const struct bs_account *peer;
    enum bs_no               no = BS_YES;

    if (m->convo->locked)
        return BS_LOCKED;
    if (draft->reply_to > 0 && (!target || target->convo != m->convo || !target->sender))
        return BS_NO_REPLY_TARGET;
    if (m->convo->group)
        return m->account->chat_disabled ? BS_SUSPENDED : BS_YES;
    peer = bs_peer_of(m)->account;
    no = may_speak(m->account, peer);
    return no == BS_YES && m->account->bs->settings.check_replies ? is_wanted(m->account, peer) : no;
}

/* ---- opening ---- */

enum bs_no
bs_open(struct bs_account *from, struct bs_account *to, struct bs_convo **out)
{
    enum bs_no        no = bs_may_open(from, to);
    struct bs_member *mine, *theirs;

    if (no != BS_YES)
        return no;
    *out = bs_convo_between(from, to);
    if (*out)
        return BS_YES;
    *out = bs_convo_add(from->bs, false, STR_NONE);
    mine = bs_member_add(*out, from);
    theirs = bs_member_add(*out, to);
    mine->accepted = true;
    theirs->accepted = bs_set_has(&to->follows, from);
    bs_log_add(mine, BS_EV_BEGIN, 0, 0, STR_NONE);
    bs_log_add(theirs, BS_EV_BEGIN, 0, 0, STR_NONE);
    bs_tell(from->bs, "convo", *out);
    return BS_YES;
}

static const char added[] = "{\"$type\":\"chat.bsky.convo.defs#systemMessageDataAddMember\","
                            "\"member\":{\"did\":\"%s\"},\"role\":\"standard\",\"addedBy\":{\"did\":\"%s\"}}";

struct bs_convo *
bs_open_group(struct bs *bs, struct str name, struct bs_account *const *members, size_t count)
{
    struct bs_convo *c = bs_convo_add(bs, true, name);
    struct arena     a;

    arena_init(&a);
    for (size_t i = 0; i < count; i++) {
        struct bs_member *m = bs_member_add(c, members[i]);

        m->accepted = i == 0 || bs_set_has(&m->account->follows, members[0]);
        bs_log_add(m, BS_EV_BEGIN, 0, 0, STR_NONE);
    }
    for (size_t i = 1; i < count; i++) {
        struct str         data = arena_printf(&a, added, members[i]->did, members[0]->did);
        struct bs_message *m = bs_message_add(c, NULL, ++bs->rev, &(struct bs_draft){ .text = data });

        for (size_t k = 0; k < count; k++)
            bs_log_add(c->members[k], BS_EV_ADD_MEMBER, m->rev, m->id, STR_NONE);
    }
    arena_deinit(&a);
    bs_tell(bs, "convo", c);
    return c;
}

/* ---- writing ---- */

enum bs_no
bs_write(struct bs_member *m, const struct bs_draft *draft, struct bs_message **out)
{
    struct bs_convo *c = m->convo;
    struct bs       *bs = m->account->bs;
    enum bs_no       no = bs_may_write(m, draft);

    if (no != BS_YES)
        return no;
    bs_accept(m);
    for (size_t i = 0; i < c->member_count; i++) { /* a word from the other side brings it back */
        if (!c->members[i]->left)
            continue;
        c->members[i]->left = false;
        bs_log_add(c->members[i], BS_EV_BEGIN, 0, 0, STR_NONE);
    }
    *out = bs_message_add(c, m->account, ++bs->rev, draft);
    for (size_t i = 0; i < c->member_count; i++) {
        c->members[i]->unread += c->members[i] != m;
        bs_log_add(c->members[i], BS_EV_CREATE, (*out)->rev, (*out)->id, STR_NONE);
    }
    bs_tell(bs, "message", c);
    return BS_YES;
}

/* ---- one's own view of a conversation ---- */

void
bs_read(struct bs_member *m, const struct bs_message *up_to)
{
    const struct bs_message *last = up_to ? up_to : m->convo->newest;

    if (!last || last->id <= m->read_to)
        return;
    m->read_to = last->id;
    m->unread = 0;
    for (const struct bs_message *newer = last->newer; newer; newer = newer->newer)
        m->unread += newer->sender && newer->sender != m->account;
    bs_log_add(m, BS_EV_READ_MESSAGE, 0, last->id, STR_NONE); /* the older form of what the next one says */
    bs_log_add(m, BS_EV_READ_CONVO, 0, last->id, STR_NONE);
    bs_tell(m->account->bs, "read", m->convo);
}

void
bs_mute(struct bs_member *m, bool muted)
{
    if (m->muted == muted)
        return;
    m->muted = muted;
    bs_log_add(m, muted ? BS_EV_MUTE : BS_EV_UNMUTE, 0, 0, STR_NONE);
    bs_tell(m->account->bs, "muted", m->convo);
}

bool
bs_accept(struct bs_member *m)
{
    if (m->accepted)
        return false;
    m->accepted = true;
    bs_log_add(m, BS_EV_ACCEPT, 0, 0, STR_NONE);
    bs_tell(m->account->bs, "accepted", m->convo);
    return true;
}

/* Hidden and a request again, but the two still belong to it. */
void
bs_leave(struct bs_member *m)
{
    m->left = true;
    m->accepted = false;
    m->unread = 0;
    bs_log_add(m, BS_EV_LEAVE, 0, 0, STR_NONE);
    bs_tell(m->account->bs, "left", m->convo);
}

void
bs_delete_for_self(struct bs_member *m, struct bs_message *message)
{
    if (bs_set_has(&message->deleted_for, m->account))
        return;
    bs_set_add(&message->deleted_for, m->account);
    if (m->unread > 0 && message->id > m->read_to && message->sender != m->account)
        m->unread--;
    bs_log_add(m, BS_EV_DELETE, 0, message->id, STR_NONE);
    bs_tell(m->account->bs, "deleted", m->convo);
}

/* ---- reactions ---- */

static void
log_reaction(struct bs_message *message, const struct bs_account *by, struct str value, int64_t at_ms, bool add)
{
    struct bs_convo *c = message->convo;
    struct buf       b;
    struct json      w = { .buf = &b };
    int64_t          rev = ++by->bs->rev;

    buf_init(&b, 4 * KIB);
    json_begin(&w, NULL);
    json_put_str(&w, "value", value);
    json_begin(&w, "sender");
    json_put_str(&w, "did", str_of(by->did));
    json_end(&w);
    json_put_time(&w, "createdAt", at_ms);
    json_end(&w);
    for (size_t i = 0; i < c->member_count; i++)
        if (!c->members[i]->left)
            bs_log_add(c->members[i], add ? BS_EV_ADD_REACTION : BS_EV_REMOVE_REACTION, rev, message->id, buf_str(&b));
    buf_deinit(&b);
    bs_tell(by->bs, "reaction", c);
}

enum bs_no
bs_react(struct bs_member *m, struct bs_message *message, struct str value, bool add)
{
    struct bs_reaction **at = &message->reactions, *r, **known = NULL;
    int64_t              now_ms = bs_now_ms(m->account->bs);
    int                  mine = 0;

    if (!message->sender || bs_set_has(&message->deleted_for, m->account))
        return BS_REACTION_DELETED;
    for (; (r = *at) != NULL; at = &r->next) {
        mine += r->by == m->account;
        if (r->by == m->account && str_eq(r->value, value))
            known = at;
    }
    if (add == (known != NULL)) /* there is nothing to do */
        return BS_YES;
    if (add && mine >= REACTIONS_MAX)
        return BS_REACTION_LIMIT;
    if (add) {
        r = *at = own_alloc(sizeof(*r));
        *r = (struct bs_reaction){ m->account, own_text(value), now_ms, NULL };
    } else {
        r = *known;
        *known = r->next;
        own_free(&r->value);
        free(r);
    }
    log_reaction(message, m->account, value, now_ms, add);
    return BS_YES;
}
