/* session.c -- logging in, staying logged in, logging out. */
#include "sandbox/bluesky/methods.h"

#define DAY_MS     INT64_C(86400000)
#define LOGINS_MS  INT64_C(300000)

static void
put_who(struct bs_call *c, const struct bs_account *a, struct json *w)
{
    json_put_str(w, "handle", a->handle);
    json_put_str(w, "did", str_of(a->did));
    if (c->bs->settings.session_did_doc)
        bs_did_doc_write(a, c->eye.base, w, "didDoc");
    if (a->email.len > 0) {
        json_put_str(w, "email", a->email);
        json_put_bool(w, "emailConfirmed", true);
    }
    json_put_bool(w, "active", a->status == BS_ACTIVE);
    if (a->status != BS_ACTIVE)
        json_put_str(w, "status", str_of(bs_status_name(a->status)));
}

static void
put_session(struct bs_call *c, const struct bs_account *a, const struct bs_session *s, struct json *w)
{
    json_put_str(w, "accessJwt", bs_access_token(a, s, c->arena));
    json_put_str(w, "refreshJwt", bs_refresh_token(a, s, c->arena));
    put_who(c, a, w);
}

/* ---- logging in ---- */

/* The tighter of the two limits; the account is counted also when the password turns out to be wrong. */
static bool
within_logins(struct bs_call *c, struct bs_account *a, struct error *err)
{
    const struct bs_settings *s = &c->bs->settings;
    int64_t                   now_ms = bs_now_ms(c->bs);

    c->counted = true;
    if (s->logins_per_5_minutes > 0
        && bs_within(a->logins_ms, a->login_count, now_ms, LOGINS_MS) >= s->logins_per_5_minutes)
        c->wait_s = LOGINS_MS / 1000;
    if (s->logins_per_day > 0 && bs_within(a->logins_ms, a->login_count, now_ms, DAY_MS) >= s->logins_per_day)
        c->wait_s = DAY_MS / 1000;
    if (c->wait_s > 0)
        return bs_fail(c, err, 429, NULL, "Rate Limit Exceeded");
    bs_happened(a->logins_ms, &a->login_count, now_ms);
    return true;
}

static bool
is_password_of(const struct bs_account *a, struct str password, const struct bs_app_password **with)
{
    *with = NULL;
    if (str_eq(password, STR(BS_MAIN_PASSWORD)))
        return true;
    for (const struct bs_app_password *p = a->passwords; p; p = p->next)
        if (str_eq(p->password, password))
            *with = p;
    return *with != NULL;
}

bool
bs_create_session(struct bs_call *c, struct json *w, struct error *err)
{
    const struct bs_app_password *with;
    struct str                    identifier, password;
    struct bs_account            *a;

    if (!bs_input_needed(c, "identifier", &identifier, err) || !bs_input_needed(c, "password", &password, err))
        return false;
    a = bs_account_find(c->bs, identifier);
    if (a)
        c->account = a; /* for the record */
    if (a && !within_logins(c, a, err))
        return false;
    if (!a || a->status == BS_DELETED || !is_password_of(a, password, &with))
        return bs_fail(c, err, 401, NULL, "Invalid identifier or password");
    if (!with && a->two_factor && json_str(c->input, "authFactorToken").len == 0)
        return bs_fail(c, err, 401, "AuthFactorTokenRequired",
            "A sign in code has been sent to your email address");
    if (a->status == BS_TAKENDOWN)
        return bs_fail(c, err, 401, "AccountTakedown", "Account has been taken down");
    put_session(c, a, bs_session_open(a, with), w);
    return true;
}

/* ---- and after that ---- */

bool
bs_refresh_session(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_session *s = bs_session_get(c->account, c->token.id);

    if (!s)
        return bs_fail(c, err, 400, "ExpiredToken", "Token has been revoked");
    put_session(c, c->account, bs_session_rotate(c->account, s), w);
    return true;
}

bool
bs_get_session(struct bs_call *c, struct json *w, struct error *err)
{
    (void)err;
    put_who(c, c->account, w);
    return true;
}

bool
bs_delete_session(struct bs_call *c, struct json *w, struct error *err)
{
    (void)w;
    (void)err;
    bs_session_close(c->account, c->token.id);
    c->empty = true;
    return true;
}
