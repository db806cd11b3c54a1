/* control.c -- the control API's accounts, and its table of routes; see control.h. */
#include "sandbox/bluesky/control.h"

#include "sandbox/bluesky/act.h"
#include "sandbox/bluesky/call.h"
#include "sandbox/bluesky/records.h"

/* ---- whom the path and the body name ---- */

/* An empty body is an empty object. */
static bool
read_optional_body(struct http_exchange *x, yyjson_val **out, struct error *err)
{
    *out = NULL;
    return x->request.body.len == 0 || stage_read_body(x, out, err);
}

struct bs_account *
bs_path_account(struct bs *bs, const struct http_exchange *x, struct error *err)
{
    struct bs_account *a = bs_account_find(bs, http_param_get(&x->request, STR("account")));

    if (!a)
        error_set(err, 404, "there is no such account; GET /sandbox/bluesky/accounts lists them");
    return a;
}

struct bs_account *
bs_body_account(struct bs *bs, yyjson_val *body, const char *name, struct error *err)
{
    struct bs_account *a = bs_account_find(bs, json_str(body, name));

    if (!a)
        error_set(err, 400, "%s must be the DID or handle of an account", name);
    return a;
}

/* ---- accounts ---- */

static void
put_others(struct json *w, const char *name, const struct bs_set *set)
{
    json_begin_array(w, name);
    for (size_t i = 0; i < set->count; i++)
        json_put_str(w, NULL, str_of(set->items[i]->did));
    json_end_array(w);
}

static void
put_account(struct json *w, const struct bs_account *a)
{
    json_put_str(w, "did", str_of(a->did));
    json_put_str(w, "handle", a->handle);
    json_put_str(w, "email", a->email);
    json_put_str(w, "display_name", a->display_name);
    json_put_bool(w, "avatar", a->has_avatar);
    json_put_str(w, "pds", a->pds);
    json_put_str(w, "status", str_of(bs_status_name(a->status)));
    json_put_str(w, "allow_incoming", str_is_none(a->declaration) ? STR_NONE : str_of(bs_incoming_name(a->incoming)));
    json_put_str(w, "refuses", str_of(bs_refusal(a->refuses)->name));
    json_put_bool(w, "chat_disabled", a->chat_disabled);
    json_put_bool(w, "two_factor", a->two_factor);
    put_others(w, "follows", &a->follows);
    put_others(w, "blocks", &a->blocks);
    json_begin_array(w, "app_passwords");
    for (const struct bs_app_password *p = a->passwords; p; p = p->next) {
        json_begin(w, NULL);
        json_put_str(w, "name", p->name);
        json_put_str(w, "password", p->password);
        json_put_bool(w, "privileged", p->privileged);
        json_end(w);
    }
    json_end_array(w);
}

static bool
list_accounts(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct bs *bs = state;

    (void)x;
    (void)err;
    json_begin_array(w, "data");
    for (const struct bs_account *a = bs->first; a; a = a->next) {
        json_begin(w, NULL);
        put_account(w, a);
        json_end(w);
    }
    json_end_array(w);
    return true;
}

static bool
is_handle(struct str s)
{
    if (s.len < 3 || s.len > 253 || !memchr(s.ptr, '.', s.len))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return true;
}

static bool
is_did(struct str s)
{
    if (s.len != 32 || !str_starts(s, STR("did:plc:")))
        return false;
    for (size_t i = 8; i < s.len; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyz234567", s.ptr[i], 32))
            return false;
    return true;
}

/* Text of the body, unless it is absent; null takes it away. */
static bool
read_text(yyjson_val *body, const char *name, size_t max, struct str *out, struct error *err)
{
    yyjson_val *val = json_get(body, name);

    if (!val)
        return true;
    if (yyjson_is_null(val)) {
        own_free(out);
        return true;
    }
    if (!yyjson_is_str(val) || json_val_str(val).len > max)
        return error_set(err, 400, "%s must be text of at most %zu bytes", name, max);
    own_set(out, json_val_str(val));
    return true;
}

static bool
read_flag(yyjson_val *body, const char *name, bool *out, struct error *err)
{
    yyjson_val *val = json_get(body, name);

    if (val && !yyjson_is_bool(val))
        return error_set(err, 400, "%s must be true or false", name);
    if (val)
        *out = yyjson_get_bool(val);
    return true;
}

static bool
read_handle(struct bs_account *a, yyjson_val *body, struct error *err)
{
    struct str         handle = json_str(body, "handle");
    struct bs_account *other;

    if (!json_get(body, "handle"))
        return true;
    if (!is_handle(handle))
        return error_set(err, 400, "handle must be a name like mina.sandbox.test");
    other = bs_account_find(a->bs, handle);
    if (other && other != a)
        return error_set(err, 409, "this handle is taken");
    own_set(&a->handle, handle);
    return true;
}

static bool
read_incoming(struct bs_account *a, yyjson_val *body, struct arena *arena, struct error *err)
{
    yyjson_val      *val = json_get(body, "allow_incoming");
    enum bs_incoming incoming;

    if (!val)
        return true;
    if (yyjson_is_null(val)) {
        bs_account_declare(a, STR_NONE, BS_FROM_FOLLOWING);
        return true;
    }
    if (!bs_incoming_read(json_val_str(val), &incoming))
        return error_set(err, 400, "allow_incoming must be all, following or none, or null for no record");
    bs_account_declare(a, arena_printf(arena, "{\"$type\":\"chat.bsky.actor.declaration\",\"allowIncoming\":\"%s\"}",
        bs_incoming_name(incoming)), incoming);
    return true;
}

static bool
read_status(struct bs_account *a, yyjson_val *body, struct error *err)
{
    if (json_get(body, "status") && !bs_status_read(json_str(body, "status"), &a->status))
        return error_set(err, 400, "status must be active, deactivated, takendown or deleted");
    if (a->status == BS_DELETED)
        bs_sessions_close_all(a);
    return true;
}

static bool
read_account(struct bs_account *a, yyjson_val *body, struct arena *arena, struct error *err)
{
    if (json_get(body, "refuses") && !bs_refusal_read(json_str(body, "refuses"), &a->refuses))
        return error_set(err, 400, "refuses must be the name of a refusal, like MessagesDisabled, or \"\"");
    return read_handle(a, body, err) && read_text(body, "email", 320, &a->email, err)
        && read_text(body, "display_name", 640, &a->display_name, err) && read_text(body, "pds", 200, &a->pds, err)
        && read_flag(body, "avatar", &a->has_avatar, err) && read_flag(body, "two_factor", &a->two_factor, err)
        && read_flag(body, "chat_disabled", &a->chat_disabled, err) && read_incoming(a, body, arena, err)
        && read_status(a, body, err);
}

static bool
make_account(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs         *bs = state;
    struct bs_account *a;
    yyjson_val        *body;
    struct str         did, handle;

    if (!stage_read_body(x, &body, err))
        return false;
    did = json_str(body, "did");
    handle = json_str(body, "handle");
    if (!is_handle(handle) || (!str_is_none(did) && !is_did(did)))
        return error_set(err, 400,
            "handle must be a name like ann.sandbox.test; did, if any, did:plc: and 24 of a-z2-7");
    if (bs_account_find(bs, handle) || (!str_is_none(did) && bs_account_by_did(bs, did)))
        return error_set(err, 409, "there is an account of this name");
    a = bs_account_add(bs, did, handle);
    if (!read_account(a, body, &x->arena, err)) {
        a->status = BS_DELETED; /* what came before the mistake stays nobody's */
        return false;
    }
    x->reply.status = 201;
    put_account(w, a);
    bs_tell(bs, "accounts", NULL);
    return true;
}

static bool
show_account(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct bs_account *a = bs_path_account(state, x, err);

    if (!a)
        return false;
    put_account(w, a);
    return true;
}

static bool
change_account(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    yyjson_val        *body;

    if (!a || !stage_read_body(x, &body, err) || !read_account(a, body, &x->arena, err))
        return false;
    put_account(w, a);
    bs_tell(a->bs, "accounts", NULL);
    return true;
}

/* ---- passwords and sessions ---- */

static bool
make_password(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account      *a = bs_path_account(state, x, err);
    struct bs_app_password *made;
    yyjson_val             *body;
    struct str              name;
    bool                    privileged = true;

    if (!a || !stage_read_body(x, &body, err) || !read_flag(body, "privileged", &privileged, err))
        return false;
    name = json_str(body, "name");
    if (name.len == 0 || name.len > 100)
        return error_set(err, 400, "name must be text of 1 to 100 bytes");
    if (!bs_app_password_add(a, name, STR_NONE, privileged, &made))
        return error_set(err, 409, "there is an app password of this name");
    x->reply.status = 201;
    json_put_str(w, "name", made->name);
    json_put_str(w, "password", made->password);
    json_put_bool(w, "privileged", made->privileged);
    bs_tell(a->bs, "accounts", NULL);
    return true;
}

static bool
revoke_password(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    struct str         name = http_param_get(&x->request, STR("name"));

    if (!a)
        return false;
    if (!bs_app_password_revoke(a, name))
        return error_set(err, 404, "there is no app password of this name");
    json_put_str(w, "revoked", name);
    bs_tell(a->bs, "accounts", NULL);
    return true;
}

static bool
list_sessions(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);

    if (!a)
        return false;
    json_begin_array(w, "data");
    for (const struct bs_session *s = a->sessions; s; s = s->next) {
        json_begin(w, NULL);
        json_put_str(w, "id", str_of(s->id));
        json_put_str(w, "successor", s->successor[0] ? str_of(s->successor) : STR_NONE);
        json_put_str(w, "app_password", s->app_password);
        json_put_bool(w, "privileged", s->privileged);
        json_put_time(w, "made_at", s->made_ms);
        json_put_time(w, "expires_at", s->expires_ms);
        json_put_str(w, "access_token", bs_access_token(a, s, &x->arena));
        json_put_str(w, "refresh_token", bs_refresh_token(a, s, &x->arena));
        json_end(w);
    }
    json_end_array(w);
    return true;
}

/* Access tokens at once, whatever they say; with {"refresh": true} whole sessions. */
static bool
expire_sessions(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    yyjson_val        *body;

    if (!a || !read_optional_body(x, &body, err))
        return false;
    a->generation++;
    if (json_true(body, "refresh"))
        bs_sessions_close_all(a);
    json_put_bool(w, "expired", true);
    return true;
}

/* ---- between accounts ---- */

static bool
relate(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err), *subject;
    struct str         how = http_param_get(&x->request, STR("how"));
    struct bs_set     *set;
    yyjson_val        *body;

    if (!a || !stage_read_body(x, &body, err))
        return false;
    subject = bs_body_account(a->bs, body, "subject", err);
    if (!subject)
        return false;
    set = str_ends(how, STR("block")) ? &a->blocks : &a->follows;
    if (str_eq(how, STR("block")) || str_eq(how, STR("follow")))
        bs_set_add(set, subject);
    else if (str_eq(how, STR("unblock")) || str_eq(how, STR("unfollow")))
        bs_set_remove(set, subject);
    else
        return error_set(err, 404, "there is block, unblock, follow and unfollow");
    put_account(w, a);
    bs_tell(a->bs, "accounts", NULL);
    return true;
}

/* ---- the log ---- */

static bool
show_log(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    struct bs_eye      eye = { a, bs_base_of(x) };
    char               rev[BS_TID_MAX];

    if (!a)
        return false;
    json_put_str(w, "head", str_of(bs_tid(a->bs->rev, rev)));
    json_put_str(w, "floor", str_of(bs_tid(a->log.floor, rev)));
    json_begin_array(w, "data");
    for (size_t i = 0; i < a->log.count; i++)
        bs_entry_write(&eye, &a->log.entries[i], w);
    json_end_array(w);
    return true;
}

static bool
add_event(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    yyjson_val        *body;
    char               rev[BS_TID_MAX];

    if (!a || !stage_read_body(x, &body, err))
        return false;
    if (json_str(body, "$type").len == 0 || json_get(body, "rev"))
        return error_set(err, 400, "an event has a $type, and its rev is added here");
    bs_log_add_raw(a, json_text(&x->arena, body));
    x->reply.status = 201;
    json_put_str(w, "rev", str_of(bs_tid(a->bs->rev, rev)));
    return true;
}

static bool
truncate_log(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs_account *a = bs_path_account(state, x, err);
    char               rev[BS_TID_MAX];

    if (!a)
        return false;
    bs_log_truncate(a);
    json_put_str(w, "floor", str_of(bs_tid(a->log.floor, rev)));
    return true;
}

/* ---- what was asked ---- */

static bool
list_calls(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs               *bs = state;
    struct str               account = http_query_get(&x->request, STR("account"), &x->arena);
    struct str               after = http_query_get(&x->request, STR("after"), &x->arena);
    struct bs_records_filter f = { .method = http_query_get(&x->request, STR("method"), &x->arena) };

    if (account.len > 0 && (f.account = bs_account_find(bs, account)) == NULL)
        return error_set(err, 404, "there is no such account");
    if (after.len > 0 && !str_to_i64(after, &f.after))
        return error_set(err, 400, "after must be a number");
    bs_records_write(&bs->records, &f, w, "data");
    return true;
}

static bool
forget_calls(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    struct bs *bs = state;

    (void)x;
    (void)err;
    bs_records_clear(&bs->records);
    json_put_int(w, "last_n", bs->records.last_number);
    return true;
}

/* Only those that were called. */
static bool
show_counts(void *state, struct http_exchange *x, struct json *w, struct error *err)
{
    const struct bs_account *a = bs_path_account(state, x, err);

    if (!a)
        return false;
    json_begin(w, "data");
    for (size_t i = 0; i < bs_method_count; i++)
        if (a->counts[i] > 0)
            json_put_int(w, bs_methods[i].nsid, a->counts[i]);
    json_end(w);
    return true;
}

#define AT      "/sandbox/bluesky"
#define ACCOUNT AT "/accounts/:account"
#define CONVO   ACCOUNT "/convos/:convo"

const struct stage_route bs_control_routes[BS_CONTROL_ROUTES] = {
    { { METHOD_GET,    AT "/accounts" },                          list_accounts },
    { { METHOD_POST,   AT "/accounts" },                          make_account },
    { { METHOD_GET,    ACCOUNT },                                 show_account },
    { { METHOD_PATCH,  ACCOUNT },                                 change_account },
    { { METHOD_POST,   ACCOUNT "/app-passwords" },                make_password },
    { { METHOD_DELETE, ACCOUNT "/app-passwords/:name" },          revoke_password },
    { { METHOD_GET,    ACCOUNT "/sessions" },                     list_sessions },
    { { METHOD_POST,   ACCOUNT "/sessions/expire" },              expire_sessions },
    { { METHOD_POST,   ACCOUNT "/relations/:how" },               relate },
    { { METHOD_GET,    ACCOUNT "/log" },                          show_log },
    { { METHOD_POST,   ACCOUNT "/log" },                          add_event },
    { { METHOD_DELETE, ACCOUNT "/log" },                          truncate_log },
    { { METHOD_GET,    ACCOUNT "/counts" },                       show_counts },
    { { METHOD_GET,    ACCOUNT "/convos" },                       bs_control_convos },
    { { METHOD_POST,   ACCOUNT "/groups" },                       bs_control_group },
    { { METHOD_POST,   ACCOUNT "/messages" },                     bs_control_write },
    { { METHOD_POST,   ACCOUNT "/burst" },                        bs_control_burst },
    { { METHOD_GET,    CONVO "/messages" },                       bs_control_messages },
    { { METHOD_DELETE, CONVO "/messages/:message" },              bs_control_delete },
    { { METHOD_POST,   CONVO "/messages/:message/react" },        bs_control_react },
    { { METHOD_POST,   CONVO "/:act" },                           bs_control_act },
    { { METHOD_GET,    AT "/calls" },                             list_calls },
    { { METHOD_DELETE, AT "/calls" },                             forget_calls },
};
