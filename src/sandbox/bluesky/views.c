/* views.c -- see views.h. */
#include "sandbox/bluesky/views.h"

#include <stdio.h>

#define DEFS "chat.bsky.convo.defs#"

static void
put_tid(struct json *w, const char *name, int64_t n)
{
    char text[BS_TID_MAX];

    json_put_str(w, name, str_of(bs_tid(n, text)));
}

static void
put_did(struct json *w, const char *name, const struct bs_account *a)
{
    json_begin(w, name);
    json_put_str(w, "did", str_of(a->did));
    json_end(w);
}

/* ---- profiles ---- */

/* As an at-uri of the record that makes it so. */
static void
put_relation(struct json *w, const char *name, const struct bs_account *by, const char *collection)
{
    char text[160], rkey[BS_TID_MAX];
    int  len = snprintf(text, sizeof(text), "at://%s/%s/%s", by->did, collection, bs_tid(by->created_ms, rkey));

    json_put_str(w, name, (struct str){ text, (size_t)len });
}

static void
put_viewer(const struct bs_account *viewer, const struct bs_account *a, struct json *w)
{
    json_begin(w, "viewer");
    json_put_bool(w, "muted", false);
    json_put_bool(w, "blockedBy", bs_set_has(&a->blocks, viewer));
    if (bs_set_has(&viewer->blocks, a))
        put_relation(w, "blocking", viewer, "app.bsky.graph.block");
    if (bs_set_has(&viewer->follows, a))
        put_relation(w, "following", viewer, "app.bsky.graph.follow");
    if (bs_set_has(&a->follows, viewer))
        put_relation(w, "followedBy", a, "app.bsky.graph.follow");
    json_end(w);
}

/* The picture's name changes with who it shows, as a content id does. */
static void
put_avatar(const struct bs_eye *eye, const struct bs_account *a, struct json *w)
{
    char text[256];
    int  len = snprintf(text, sizeof(text), "%.*s/bluesky-cdn/img/avatar/plain/%s/bafkreisandbox%zu@jpeg",
         STR_ARG(str_slice(eye->base, 0, 128)), a->did, a->display_name.len);

    json_put_str(w, "avatar", (struct str){ text, (size_t)len });
}

void
bs_profile_members(const struct bs_eye *eye, const struct bs_account *a, struct json *w)
{
    json_put_str(w, "did", str_of(a->did));
    json_put_str(w, "handle", a->status == BS_DELETED ? STR("missing.invalid") : a->handle);
    if (a->status == BS_DELETED)
        return;
    if (a->display_name.len > 0)
        json_put_str(w, "displayName", a->display_name);
    if (a->has_avatar)
        put_avatar(eye, a, w);
    if (!str_is_none(a->declaration)) {
        json_begin(w, "associated");
        json_begin(w, "chat");
        json_put_str(w, "allowIncoming", str_of(bs_incoming_name(a->incoming)));
        json_end(w);
        json_end(w);
    }
    if (eye->account)
        put_viewer(eye->account, a, w);
    json_begin_array(w, "labels");
    json_end_array(w);
    json_put_time(w, "createdAt", a->created_ms);
}

void
bs_profile_write(const struct bs_eye *eye, const struct bs_account *a, struct json *w, const char *name)
{
    json_begin(w, name);
    bs_profile_members(eye, a, w);
    if (a->chat_disabled)
        json_put_bool(w, "chatDisabled", true);
    json_end(w);
}

/* ---- messages ---- */

static const char *
type_of(const struct bs_eye *eye, const struct bs_message *m)
{
    if (!m->sender)
        return DEFS "systemMessageView";
    return bs_set_has(&m->deleted_for, eye->account) ? DEFS "deletedMessageView" : DEFS "messageView";
}

static void
put_reactions(const struct bs_message *m, struct json *w)
{
    if (!m->reactions)
        return;
    json_begin_array(w, "reactions");
    for (const struct bs_reaction *r = m->reactions; r; r = r->next) {
        json_begin(w, NULL);
        json_put_str(w, "value", r->value);
        put_did(w, "sender", r->by);
        json_put_time(w, "createdAt", r->at_ms);
        json_end(w);
    }
    json_end_array(w);
}

/* One level: what the target itself replies to is left out. */
static void
write_members(const struct bs_eye *eye, const struct bs_message *m, bool typed, bool nested, struct json *w)
{
    const struct bs_message *target = nested ? NULL : bs_message_get(eye->account->bs, m->reply_to);

    if (typed)
        json_put_str(w, "$type", str_of(type_of(eye, m)));
    put_tid(w, "id", m->id);
    put_tid(w, "rev", m->rev);
    json_put_time(w, "sentAt", m->sent_ms);
    if (!m->sender) {
        json_put_raw(w, "data", m->text);
        return;
    }
    put_did(w, "sender", m->sender);
    if (bs_set_has(&m->deleted_for, eye->account))
        return;
    json_put_str(w, "text", m->text);
    if (!str_is_none(m->facets))
        json_put_raw(w, "facets", m->facets);
    if (!str_is_none(m->embed))
        json_put_raw(w, "embed", m->embed);
    put_reactions(m, w);
    if (target) {
        json_begin(w, "replyTo");
        write_members(eye, target, true, true, w);
        json_end(w);
    }
}

void
bs_message_members(const struct bs_eye *eye, const struct bs_message *m, bool typed, struct json *w)
{
    write_members(eye, m, typed, false, w);
}

void
bs_message_write(const struct bs_eye *eye, const struct bs_message *m, bool typed, struct json *w, const char *name)
{
    json_begin(w, name);
    bs_message_members(eye, m, typed, w);
    json_end(w);
}

/* ---- conversations ---- */

static void
put_kind(const struct bs_member *m, struct json *w)
{
    const struct bs_convo *c = m->convo;

    if (!m->account->bs->settings.convo_kinds)
        return;
    json_begin(w, "kind");
    if (c->group) {
        json_put_str(w, "$type", STR(DEFS "groupConvo"));
        json_put_time(w, "createdAt", c->created_ms);
        json_put_str(w, "lockStatus", c->locked ? STR("locked") : STR("unlocked"));
        json_put_bool(w, "lockStatusModerationOverride", false);
        json_put_int(w, "memberCount", (int64_t)c->member_count);
        json_put_int(w, "memberLimit", BS_GROUP_MAX);
        json_put_str(w, "name", c->name);
    } else {
        json_put_str(w, "$type", STR(DEFS "directConvo"));
    }
    json_end(w);
}

void
bs_convo_write(const struct bs_eye *eye, const struct bs_member *m, struct json *w, const char *name)
{
    const struct bs_convo *c = m->convo;

    json_begin(w, name);
    put_tid(w, "id", c->id);
    put_tid(w, "rev", m->rev);
    json_begin_array(w, "members");
    for (size_t i = 0; i < c->member_count; i++)
        bs_profile_write(eye, c->members[i]->account, w, NULL);
    json_end_array(w);
    if (c->newest)
        bs_message_write(eye, c->newest, true, w, "lastMessage");
    json_put_bool(w, "muted", m->muted);
    json_put_str(w, "status", m->accepted ? STR("accepted") : STR("request"));
    json_put_int(w, "unreadCount", m->unread);
    put_kind(m, w);
    json_end(w);
}

/* ---- the log ---- */

static const struct {
    const char *type;
    bool        profiles; /* tells who is in it */
} events[BS_EVENTS] = {
    [BS_EV_BEGIN] = { DEFS "logBeginConvo" },
    [BS_EV_ACCEPT] = { DEFS "logAcceptConvo" },
    [BS_EV_LEAVE] = { DEFS "logLeaveConvo" },
    [BS_EV_MUTE] = { DEFS "logMuteConvo" },
    [BS_EV_UNMUTE] = { DEFS "logUnmuteConvo" },
    [BS_EV_CREATE] = { DEFS "logCreateMessage", true },
    [BS_EV_DELETE] = { DEFS "logDeleteMessage" },
    [BS_EV_READ_MESSAGE] = { DEFS "logReadMessage" },
    [BS_EV_READ_CONVO] = { DEFS "logReadConvo" },
    [BS_EV_ADD_REACTION] = { DEFS "logAddReaction", true },
    [BS_EV_REMOVE_REACTION] = { DEFS "logRemoveReaction", true },
    [BS_EV_ADD_MEMBER] = { DEFS "logAddMember", true },
    [BS_EV_RAW] = { NULL },
};

/* Members as text, with the revision before them. */
static void
put_raw_event(const struct bs_entry *e, struct json *w)
{
    struct str members = str_slice(e->extra, 1, e->extra.len - 2);
    char       rev[BS_TID_MAX], text[32];
    int        len = snprintf(text, sizeof(text), "{\"rev\":\"%s\"%s", bs_tid(e->rev, rev), members.len > 0 ? "," : "");
    struct buf b;

    buf_init(&b, MIB);
    buf_append(&b, (struct str){ text, (size_t)len });
    buf_append(&b, members);
    buf_append_char(&b, '}');
    json_put_raw(w, NULL, buf_str(&b));
    buf_deinit(&b);
}

bool
bs_entry_write(const struct bs_eye *eye, const struct bs_entry *e, struct json *w)
{
    const struct bs_message *m = e->message > 0 ? bs_message_get(eye->account->bs, e->message) : NULL;

    if (e->message > 0 && !m)
        return false;
    if (e->kind == BS_EV_RAW) {
        put_raw_event(e, w);
        return true;
    }
    json_begin(w, NULL);
    json_put_str(w, "$type", str_of(events[e->kind].type));
    put_tid(w, "rev", e->rev);
    put_tid(w, "convoId", e->convo->id);
    if (m)
        bs_message_write(eye, m, true, w, "message");
    if (!str_is_none(e->extra))
        json_put_raw(w, "reaction", e->extra);
    if (events[e->kind].profiles) {
        json_begin_array(w, "relatedProfiles");
        for (size_t i = 0; i < e->convo->member_count; i++)
            bs_profile_write(eye, e->convo->members[i]->account, w, NULL);
        json_end_array(w);
    }
    json_end(w);
    return true;
}

/* ---- who an account is ---- */

void
bs_did_doc_write(const struct bs_account *a, struct str base, struct json *w, const char *name)
{
    char text[300];
    int  len = snprintf(text, sizeof(text), "at://%.*s", STR_ARG(str_slice(a->handle, 0, 253)));

    json_begin(w, name);
    json_begin_array(w, "@context");
    json_put_str(w, NULL, STR("https://www.w3.org/ns/did/v1"));
    json_end_array(w);
    json_put_str(w, "id", str_of(a->did));
    json_begin_array(w, "alsoKnownAs");
    json_put_str(w, NULL, (struct str){ text, (size_t)len });
    json_end_array(w);
    json_begin_array(w, "verificationMethod");
    json_end_array(w);
    json_begin_array(w, "service");
    json_begin(w, NULL);
    json_put_str(w, "id", STR("#atproto_pds"));
    json_put_str(w, "type", STR("AtprotoPersonalDataServer"));
    json_put_str(w, "serviceEndpoint", a->pds.len > 0 ? a->pds : base);
    json_end(w);
    json_end_array(w);
    json_end(w);
}
