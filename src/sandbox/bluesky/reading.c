/* reading.c -- the log, conversations and messages, as their members see them. */
#include "sandbox/bluesky/methods.h"

#include <stdlib.h>

#define MEMBERS_MAX 10
#define UNREAD_MAX  100

/* ---- the log ---- */

/* Without a cursor it begins now: the log tells nothing of what was before. */
bool
bs_get_log(struct bs_call *c, struct json *w, struct error *err)
{
    const struct bs_log *log = &c->account->log;
    struct str           text = bs_param(c, "cursor");
    int64_t              cursor = c->bs->rev, page = c->bs->settings.log_page;
    char                 rev[BS_TID_MAX];
    size_t               at;

    if (!str_is_none(text) && (!bs_tid_read(text, &cursor) || cursor < log->floor || cursor > c->bs->rev))
        return bs_fail(c, err, 400, NULL, "Invalid cursor");
    at = bs_log_after(log, cursor);
    json_begin_array(w, "logs");
    for (; at < log->count && page > 0; at++) {
        page -= bs_entry_write(&c->eye, &log->entries[at], w);
        cursor = log->entries[at].rev;
    }
    json_end_array(w);
    if (at == log->count)
        cursor = c->bs->rev;
    if (c->bs->settings.log_cursor || str_is_none(text))
        json_put_str(w, "cursor", str_of(bs_tid(cursor, rev)));
    return true;
}

/* ---- conversations ---- */

static int
newest_first(const void *a, const void *b)
{
    const struct bs_member *x = *(struct bs_member *const *)a, *y = *(struct bs_member *const *)b;

    return (x->rev < y->rev) - (x->rev > y->rev);
}

static struct bs_member **
sorted(struct bs_call *c, size_t *count)
{
    struct bs_member **all = NULL;
    size_t             cap = 0;

    *count = 0;
    for (struct bs_member *m = c->account->first_member; m; m = m->next) {
        all = arena_more(c->arena, all, *count, &cap, sizeof(struct bs_member *));
        all[(*count)++] = m;
    }
    if (*count > 1)
        qsort(all, *count, sizeof(struct bs_member *), newest_first);
    return all;
}

/* Unknown values of a filter are as none. */
static bool
is_listed(struct bs_call *c, const struct bs_member *m)
{
    struct str status = bs_param(c, "status"), kind = bs_param(c, "kind");

    if (m->left || (str_eq(bs_param(c, "readState"), STR("unread")) && m->unread == 0))
        return false;
    if ((str_eq(status, STR("request")) && m->accepted) || (str_eq(status, STR("accepted")) && !m->accepted))
        return false;
    return !(str_eq(kind, STR("direct")) && m->convo->group) && !(str_eq(kind, STR("group")) && !m->convo->group);
}

static bool
list(struct bs_call *c, const char *name, bool requests_only, struct json *w, struct error *err)
{
    struct str         text = bs_param(c, "cursor");
    int64_t            limit, before = INT64_MAX, last = 0;
    struct bs_member **all;
    char               rev[BS_TID_MAX];
    size_t             count;

    if (!bs_param_limit(c, &limit, err))
        return false;
    if (!str_is_none(text) && !bs_tid_read(text, &before))
        return bs_fail(c, err, 400, NULL, "Invalid cursor");
    all = sorted(c, &count);
    json_begin_array(w, name);
    for (size_t i = 0; i < count; i++) {
        if (all[i]->rev >= before || !is_listed(c, all[i]) || (requests_only && all[i]->accepted))
            continue;
        if (limit-- == 0)
            break;
        bs_convo_write(&c->eye, all[i], w, NULL);
        last = all[i]->rev;
    }
    json_end_array(w);
    if (limit < 0)
        json_put_str(w, "cursor", str_of(bs_tid(last, rev)));
    return true;
}

bool
bs_list_convos(struct bs_call *c, struct json *w, struct error *err)
{
    return list(c, "convos", false, w, err);
}

bool
bs_list_requests(struct bs_call *c, struct json *w, struct error *err)
{
    return list(c, "requests", true, w, err);
}

static bool
asked_convo(struct bs_call *c, struct bs_member **out, struct error *err)
{
    struct str id;

    return bs_param_needed(c, "convoId", &id, err) && bs_membership(c, id, out, err);
}

bool
bs_get_convo(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_member *m;

    if (!asked_convo(c, &m, err))
        return false;
    bs_convo_write(&c->eye, m, w, "convo");
    return true;
}

/* The one other member that is asked about. More of them would be a group, which nobody here begins. */
static bool
asked_peer(struct bs_call *c, struct bs_account **out, enum bs_no *no, struct error *err)
{
    struct str name, did;
    size_t     at = 0, n = 0;
    bool       bad = false;

    *out = NULL;
    *no = BS_YES;
    while (http_form_next(c->x->request.query, &at, c->arena, &name, &did, &bad)) {
        struct bs_account *a;

        if (!str_eq(name, STR("members")))
            continue;
        if (++n > MEMBERS_MAX)
            return bs_fail(c, err, 400, NULL, "Error: Params/members must not have more than 10 elements");
        if (!str_starts(did, STR("did:")))
            return bs_fail(c, err, 400, NULL, "Error: Params/members/%zu must be a valid did", n - 1);
        a = bs_account_by_did(c->bs, did);
        if (a == c->account)
            continue;
        if (!a)
            *no = BS_NO_RECIPIENT;
        else if (*out && *out != a)
            *no = BS_TOO_MANY;
        else
            *out = a;
    }
    if (n == 0)
        return bs_fail(c, err, 400, NULL, "Error: Params must have the property \"members\"");
    if (!*out && *no == BS_YES)
        *no = BS_NO_RECIPIENT;
    return true;
}

bool
bs_get_convo_for_members(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_account *peer;
    struct bs_convo   *convo;
    enum bs_no         no;

    if (!asked_peer(c, &peer, &no, err))
        return false;
    if (no == BS_YES)
        no = bs_open(c->account, peer, &convo);
    if (no != BS_YES)
        return bs_fail_no(c, err, no);
    bs_convo_write(&c->eye, bs_member_of(convo, c->account), w, "convo");
    return true;
}

bool
bs_get_availability(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_account     *peer;
    const struct bs_convo *convo;
    enum bs_no             no;

    if (!asked_peer(c, &peer, &no, err))
        return false;
    if (no == BS_YES)
        no = bs_may_open(c->account, peer);
    convo = peer ? bs_convo_between(c->account, peer) : NULL;
    json_put_bool(w, "canChat", no == BS_YES);
    if (convo)
        bs_convo_write(&c->eye, bs_member_of(convo, c->account), w, "convo");
    return true;
}

bool
bs_get_convo_members(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_member *m;
    int64_t           limit;

    if (!asked_convo(c, &m, err) || !bs_param_limit(c, &limit, err))
        return false;
    json_begin_array(w, "members");
    for (size_t i = 0; i < m->convo->member_count; i++)
        bs_profile_write(&c->eye, m->convo->members[i]->account, w, NULL);
    json_end_array(w);
    return true;
}

/* ---- messages: the newest first ---- */

bool
bs_get_messages(struct bs_call *c, struct json *w, struct error *err)
{
    struct str               text = bs_param(c, "cursor");
    int64_t                  limit, before = INT64_MAX;
    const struct bs_message *message;
    struct bs_member        *m;
    char                     rev[BS_TID_MAX];

    if (!asked_convo(c, &m, err) || !bs_param_limit(c, &limit, err))
        return false;
    if (!str_is_none(text) && !bs_tid_read(text, &before))
        return bs_fail(c, err, 400, NULL, "Invalid cursor");
    message = m->convo->newest;
    while (message && message->rev >= before)
        message = message->older;
    json_begin_array(w, "messages");
    for (; message && limit > 0; message = message->older, limit--) {
        bs_message_write(&c->eye, message, true, w, NULL);
        before = message->rev;
    }
    json_end_array(w);
    if (message)
        json_put_str(w, "cursor", str_of(bs_tid(before, rev)));
    json_begin_array(w, "relatedProfiles");
    for (size_t i = 0; i < m->convo->member_count; i++)
        bs_profile_write(&c->eye, m->convo->members[i]->account, w, NULL);
    json_end_array(w);
    return true;
}

/* ---- about oneself ---- */

bool
bs_get_unread_counts(struct bs_call *c, struct json *w, struct error *err)
{
    int64_t accepted = 0, requests = 0;

    (void)err;
    for (const struct bs_member *m = c->account->first_member; m; m = m->next) {
        if (m->left || m->unread == 0)
            continue;
        accepted += m->accepted;
        requests += !m->accepted;
    }
    json_put_int(w, "unreadAcceptedConvos", accepted < UNREAD_MAX ? accepted : UNREAD_MAX);
    json_put_int(w, "unreadRequestConvos", requests < UNREAD_MAX ? requests : UNREAD_MAX);
    return true;
}

bool
bs_get_chat_status(struct bs_call *c, struct json *w, struct error *err)
{
    (void)err;
    json_put_bool(w, "chatDisabled", c->account->chat_disabled);
    json_put_bool(w, "canCreateGroups", false);
    json_put_int(w, "groupMemberLimit", BS_GROUP_MAX);
    return true;
}
