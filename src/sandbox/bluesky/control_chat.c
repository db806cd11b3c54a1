/* control_chat.c -- the control API's conversations: any account can be the one who acts. */
#include "base/array.h"
#include "sandbox/bluesky/call.h"
#include "sandbox/bluesky/control.h"
#include "sandbox/bluesky/draft.h"

#include <stdio.h>

#define BURST_MAX 100000

static bool
refused(enum bs_no no, struct error *err)
{
    const struct bs_refusal *r = bs_refusal(no);

    return error_set(err, 409, "%s: %s", r->name, r->text);
}

static void
put_tid(struct json *w, const char *name, int64_t n)
{
    char text[BS_TID_MAX];

    json_put_str(w, name, str_of(bs_tid(n, text)));
}

/* ---- whom and what the path names ---- */

static struct bs_member *
path_member(struct bs *bs, struct http_exchange *x, struct error *err)
{
    struct bs_account *a = bs_path_account(bs, x, err);
    struct bs_member  *m = NULL;

    if (!a)
        return NULL;
    m = bs_member_of(bs_convo_get(bs, http_param_get(&x->request, STR("convo"))), a);
    if (!m)
        error_set(err, 404, "this account has no such conversation");
    return m;
}

static struct bs_message *
path_message(struct bs *bs, struct http_exchange *x, struct bs_member **m, struct error *err)
{
    struct bs_message *message = NULL;
    int64_t            id;

    *m = path_member(bs, x, err);
    if (!*m)
        return NULL;
    if (bs_tid_read(http_param_get(&x->request, STR("message")), &id))
        message = bs_message_get(bs, id);
    if (message && message->convo == (*m)->convo)
        return message;
    error_set(err, 404, "there is no such message in this conversation");
    return NULL;
}

/* ---- looking ---- */

bool
bs_control_convos(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    struct bs_eye      eye = { a, bs_base_of(x) };

    if (!a)
        return false;
    json_begin_array(w, "data");
    for (const struct bs_member *m = a->first_member; m; m = m->next)
        bs_convo_write(&eye, m, w, NULL);
    json_end_array(w);
    return true;
}

/* Oldest first, as this account sees them, with who wrote each. */
bool
bs_control_messages(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_member *m = path_member(state, x, err);
    struct bs_eye     eye = { m ? m->account : NULL, bs_base_of(x) };

    if (!m)
        return false;
    json_begin_array(w, "data");
    for (const struct bs_message *message = m->convo->oldest; message; message = message->newer) {
        json_begin(w, NULL);
        bs_message_members(&eye, message, true, w);
        json_put_str(w, "direction", message->sender == m->account ? STR("out") : STR("in"));
        json_end(w);
    }
    json_end_array(w);
    bs_convo_write(&eye, m, w, "convo");
    return true;
}

/* ---- writing ---- */

/* `convo` says where, or `to` does, and then the conversation is begun if need be. */
static struct bs_member *
where(struct bs_account *a, yyjson_val *body, struct error *err)
{
    struct str         id = json_str(body, "convo");
    struct bs_convo   *convo = NULL;
    struct bs_member  *m;
    struct bs_account *to;
    enum bs_no         no;

    if (!str_is_none(id)) {
        m = bs_member_of(bs_convo_get(a->bs, id), a);
        if (!m)
            error_set(err, 404, "this account has no such conversation");
        return m;
    }
    to = bs_body_account(a->bs, body, "to", err);
    if (!to)
        return NULL;
    if (to == a) {
        error_set(err, 400, "nobody writes to themselves");
        return NULL;
    }
    no = bs_open(a, to, &convo);
    if (no == BS_YES)
        return bs_member_of(convo, a);
    refused(no, err);
    return NULL;
}

static bool
read_draft(yyjson_val *body, struct arena *a, struct bs_draft *draft, struct error *err)
{
    yyjson_val *at = json_get(body, "sent_at");

    if (!bs_draft_read(body, true, a, draft, err))
        return false;
    if (at && !time_parse(json_val_str(at), &draft->sent_ms))
        return error_set(err, 400, "sent_at must be a time like 2026-08-20T09:15:02Z");
    return true;
}

bool
bs_control_write(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    struct bs_eye      eye = { a, bs_base_of(x) };
    struct bs_message *message;
    struct bs_member  *m;
    struct bs_draft    draft;
    yyjson_val        *body;
    enum bs_no         no;

    if (!a || !stage_read_body(x, &body, err) || !read_draft(body, &x->arena, &draft, err))
        return false;
    m = where(a, body, err);
    if (!m)
        return false;
    no = bs_write(m, &draft, &message);
    if (no != BS_YES)
        return refused(no, err);
    x->reply.status = 201;
    put_tid(w, "convo", m->convo->id);
    bs_message_write(&eye, message, true, w, "message");
    return true;
}

bool
bs_control_burst(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    struct bs_message *message = NULL;
    struct bs_member  *m;
    yyjson_val        *body;
    struct str         text;
    int64_t            count;
    enum bs_no         no = BS_YES;

    if (!a || !stage_read_body(x, &body, err))
        return false;
    count = json_int(body, "count", 0);
    text = json_get(body, "text") ? json_str(body, "text") : STR("burst");
    if (count < 1 || count > BURST_MAX || str_is_none(text) || text.len > 1000)
        return error_set(err, 400, "count must be 1 to %d, and text at most 1000 bytes", BURST_MAX);
    m = where(a, body, err);
    if (!m)
        return false;
    for (int64_t i = 1; i <= count && no == BS_YES; i++) {
        char said[1040];
        int  len = snprintf(said, sizeof(said), "%.*s %lld", STR_ARG(text), (long long)i);

        no = bs_write(m, &(struct bs_draft){ .text = { said, (size_t)len } }, &message);
    }
    if (no != BS_YES)
        return refused(no, err);
    x->reply.status = 201;
    put_tid(w, "convo", m->convo->id);
    put_tid(w, "last", message->id);
    json_put_int(w, "count", count);
    return true;
}

bool
bs_control_group(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs         *bs = state;
    struct bs_account *members[BS_GROUP_MAX] = { bs_path_account(bs, x, err) };
    struct bs_convo   *convo;
    struct str         name;
    yyjson_val        *body, *one;
    yyjson_arr_iter    it;
    size_t             n = 1;

    if (!members[0] || !stage_read_body(x, &body, err))
        return false;
    name = json_str(body, "name");
    if (str_is_none(name) || name.len > 200 || !json_arr(body, "members"))
        return error_set(err, 400, "a group has a name and members");
    it = yyjson_arr_iter_with(json_arr(body, "members"));
    while ((one = yyjson_arr_iter_next(&it)) != NULL) {
        struct bs_account *a = bs_account_find(bs, json_val_str(one));

        if (!a || a == members[0])
            return error_set(err, 400, "members are the DIDs or handles of others");
        if (n == BS_GROUP_MAX)
            return error_set(err, 400, "a group has at most %d members", BS_GROUP_MAX);
        members[n++] = a;
    }
    convo = bs_open_group(bs, name, members, n);
    x->reply.status = 201;
    put_tid(w, "convo", convo->id);
    return true;
}

/* ---- acting ---- */

bool
bs_control_delete(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_member  *m;
    struct bs_message *message = path_message(state, x, &m, err);

    if (!message)
        return false;
    if (!message->sender)
        return error_set(err, 409, "a message of the system stays");
    bs_delete_for_self(m, message);
    put_tid(w, "deleted", message->id);
    return true;
}

bool
bs_control_react(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_member  *m;
    struct bs_message *message = path_message(state, x, &m, err);
    struct bs_eye      eye = { m ? m->account : NULL, bs_base_of(x) };
    struct str         value;
    yyjson_val        *body;
    enum bs_no         no;

    if (!message || !stage_read_body(x, &body, err))
        return false;
    value = json_str(body, "value");
    if (!bs_is_reaction(value))
        return error_set(err, 400, "value must be one emoji");
    no = bs_react(m, message, value, !json_true(body, "remove"));
    if (no != BS_YES)
        return refused(no, err);
    bs_message_write(&eye, message, true, w, "message");
    return true;
}

static void
leave(struct bs_member *m)
{
    bs_leave(m);
}

static void
accept_it(struct bs_member *m)
{
    bs_accept(m);
}

static void
mute(struct bs_member *m)
{
    bs_mute(m, true);
}

static void
unmute(struct bs_member *m)
{
    bs_mute(m, false);
}

static void
read_all(struct bs_member *m)
{
    bs_read(m, NULL);
}

static void
lock(struct bs_member *m)
{
    m->convo->locked = true;
}

static void
unlock(struct bs_member *m)
{
    m->convo->locked = false;
}

bool
bs_control_act(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    static const struct {
        const char *name;
        void (*act)(struct bs_member *m);
    } acts[] = {
        { "accept", accept_it }, { "leave", leave }, { "mute", mute }, { "unmute", unmute }, { "read", read_all },
        { "lock", lock }, { "unlock", unlock },
    };
    struct str        wanted = http_param_get(&x->request, STR("act"));
    struct bs_member *m = path_member(state, x, err);
    struct bs_eye     eye = { m ? m->account : NULL, bs_base_of(x) };

    if (!m)
        return false;
    for (size_t i = 0; i < COUNT(acts); i++) {
        if (!str_eq(wanted, str_of(acts[i].name)))
            continue;
        acts[i].act(m);
        bs_convo_write(&eye, m, w, "convo");
        return true;
    }
    return error_set(err, 404, "there is accept, leave, mute, unmute, read, lock and unlock");
}
