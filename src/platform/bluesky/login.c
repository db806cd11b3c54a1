/* login.c -- connecting an account, renewing its session, ending it.
 *
 * Servers count logins (ten a day have been enough for some), so there is one when an account is connected, and after
 * that only where a session cannot be renewed. Then the account may also have moved, so its document is read anew.
 * A login that was refused is never tried again by itself. */
#include "platform/bluesky/bluesky.h"

#define BODY_MAX (16 * KIB)
#define APP_PASSWORD \
    "Use an app password, which is created under Settings > Privacy and security > App passwords"

/* ---- what both have in common ---- */

static void
create_session(struct op *op, struct str identifier, struct op_step *out)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  text;

    buf_init(&buf, BODY_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "identifier", identifier);
    json_put_str(&w, "password", bluesky_talk(op)->token.password);
    json_end(&w);
    text = arena_take(op->arena, &buf);
    if (str_is_none(text))
        bluesky_fail(op, out, 422, STR("The identifier or the password is too long"));
    else
        bluesky_post_as(op, "com.atproto.server.createSession", STR_NONE, text, out);
}

static void
credentials_lost(struct op *op, struct op_step *out, int code, struct str why)
{
    bluesky_fail(op, out, code, why);
    out->token_invalid = true;
}

/* True with the session; otherwise `out` is the verdict. A 400 or 403 without a name or words is not the server's but
 * some gate's before it, and says nothing about the password. */
static bool
logged_in(struct op *op, const struct net_response *last, yyjson_val **session, struct op_step *out)
{
    struct bluesky_refusal r;
    struct str             why;

    if (!bluesky_refused(op, last, &r) || (r.status != 400 && r.status != 401 && r.status != 403)
        || (r.status != 401 && r.message.len == 0 && r.name.len == 0))
        return bluesky_answered(op, last, session, out);
    why = r.message.len > 0 ? r.message : r.name.len > 0 ? r.name : STR("Bluesky refused the login");
    if (bluesky_is_named(&r, "AuthFactorTokenRequired"))
        why = STR("This password needs a code from an e-mail. " APP_PASSWORD);
    else if (r.status == 401 && !bluesky_is_named(&r, "AccountTakedown"))
        why = arena_printf(op->arena, "%.*s. " APP_PASSWORD, STR_ARG(why));
    credentials_lost(op, out, r.status, why);
    return false;
}

static bool
is_inactive(yyjson_val *session)
{
    return yyjson_is_false(json_get(session, "active"));
}

static void
fail_inactive(struct op *op, yyjson_val *session, struct op_step *out)
{
    struct str status = json_str(session, "status");

    credentials_lost(op, out, 403, arena_printf(op->arena, "The account is not active: Bluesky calls it %.*s",
        STR_ARG(status.len > 0 ? status : STR("inactive"))));
}

static bool
may_look_up(const struct op *op, const struct bluesky_talk *talk)
{
    return !op->env->bluesky_service_only && !talk->is_pinned;
}

/* Takes over the tokens, the server and who it is. False with a verdict. */
static bool
take_session(struct op *op, yyjson_val *session, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);
    struct str           did = json_str(session, "did"), moved;

    if (is_inactive(session)) {
        fail_inactive(op, session, out);
        return false;
    }
    if (!bluesky_is_did(did) || !bluesky_token_renew(op->arena, &talk->token, session, op->now_ms)) {
        bluesky_retry(op, out, 200, STR("Bluesky's answer holds no session"));
        return false;
    }
    if ((talk->did.len > 0 && !str_eq(did, talk->did))
        || (op->account.external_id.len > 0 && !str_eq(did, op->account.external_id))) {
        credentials_lost(op, out, 403, STR("The server answers for another account than this one"));
        return false;
    }
    talk->did = did;
    moved = bluesky_server_of(op->arena, json_obj(session, "didDoc"), did);
    if (moved.len > 0 && may_look_up(op, talk))
        talk->service = moved;
    op->account.token = bluesky_token_write(op->arena, &talk->token);
    op->account.details = bluesky_details_write(op->arena, talk);
    op->account.refresh_at = bluesky_refresh_at(&talk->token, op->now_ms);
    op->account.expires_at = 0;
    return true;
}

/* ---- connecting ---- */

enum { CONNECT_DID, CONNECT_DOCUMENT, CONNECT_SESSION, CONNECT_PROOF, CONNECT_CHAT, CONNECT_PROFILE };

static void
begin_session(struct op *op, struct op_step *out)
{
    op->stage = CONNECT_SESSION;
    create_session(op, bluesky_talk(op)->token.identifier, out);
}

static void
begin_document(struct op *op, struct str did, struct op_step *out)
{
    bluesky_talk(op)->did = did;
    op->stage = CONNECT_DOCUMENT;
    bluesky_get_document(op, did, out);
}

/* As people write it: " @Desk.Example.com ". Only handles may be written small. */
static struct str
clean_identifier(struct arena *a, struct str text)
{
    char *small;

    text = str_trim(text);
    if (str_starts(text, STR("@")))
        text = str_from(text, 1);
    if (!bluesky_is_handle(text))
        return text;
    small = arena_bytes(a, text.len + 1);
    for (size_t i = 0; i < text.len; i++)
        small[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] + 32) : text.ptr[i];
    return (struct str){ small, text.len };
}

/* A server in what the API gives along was named by the user; in what stands in a profile, only where it says so. */
static bool
take_named_server(struct op *op, struct bluesky_talk *talk, struct op_step *out)
{
    struct str   fixed = bluesky_base_url(op->env->bluesky_service_url);
    struct error err;
    yyjson_val  *details = NULL;

    if (!json_parse(op->arena, op->account.details, 8, &details, &err) || json_str(details, "service").len == 0
        || op->env->bluesky_service_only) {
        talk->service = fixed;
        talk->is_pinned = false;
        return true;
    }
    talk->is_pinned = !json_get(details, "pinned") || json_true(details, "pinned");
    if (str_find(talk->service, STR("://")) < 0)
        talk->service = arena_printf(op->arena, "https://%.*s", STR_ARG(talk->service));
    if (str_eq(talk->service, fixed) || bluesky_is_server_url(talk->service))
        return true;
    bluesky_fail(op, out, 422, STR("service must be the address of the account's server, such as"
        " https://pds.example.com"));
    return false;
}

static void
connect_begin(struct op *op, struct op_step *out)
{
    struct bluesky_talk  *talk = bluesky_talk(op);
    struct bluesky_token *token = &talk->token;

    token->identifier = clean_identifier(op->arena, token->identifier);
    token->password = str_trim(token->password);
    token->access = token->refresh = STR_NONE;
    token->renewed_at = token->expires_at = token->in_a_row = 0;
    if (token->identifier.len == 0 || token->password.len == 0) {
        bluesky_fail(op, out, 422, STR("A handle and an app password are needed"));
        return;
    }
    if (!take_named_server(op, talk, out))
        return;
    if (talk->is_pinned || op->env->bluesky_service_only || str_find(token->identifier, STR("@")) > 0) {
        begin_session(op, out);
    } else if (str_starts(token->identifier, STR("did:"))) {
        begin_document(op, token->identifier, out);
    } else if (bluesky_is_handle(token->identifier)) {
        op->stage = CONNECT_DID;
        bluesky_get_did(op, token->identifier, out);
    } else {
        bluesky_fail(op, out, 422, STR("A Bluesky handle looks like name.bsky.social"));
    }
}

static void
connect_resolved(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_refusal r;
    yyjson_val            *root;

    if (bluesky_refused(op, last, &r) && (r.status == 400 || r.status == 404)) {
        bluesky_fail(op, out, r.status, arena_printf(op->arena, "Bluesky knows no account %.*s",
            STR_ARG(bluesky_talk(op)->token.identifier)));
        return;
    }
    if (bluesky_answered(op, last, &root, out))
        begin_document(op, json_str(root, "did"), out);
}

static void
connect_documented(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_talk   *talk = bluesky_talk(op);
    struct bluesky_refusal r;
    yyjson_val            *root;

    if (bluesky_refused(op, last, &r) && (r.status == 404 || r.status == 410)) {
        bluesky_fail(op, out, r.status, STR("The account's identity is not registered, or no longer"));
        return;
    }
    if (!bluesky_answered(op, last, &root, out))
        return;
    talk->service = bluesky_server_of(op->arena, root, talk->did);
    if (talk->service.len > 0)
        begin_session(op, out);
    else
        bluesky_fail(op, out, 422, STR("The account's identity names no server that could be asked"));
}

/* A server that a user named could say of any account that it has it; the account's own document has the last word. */
static bool
needs_proof(const struct op *op, const struct bluesky_talk *talk)
{
    return talk->is_pinned && !op->env->bluesky_service_only
        && !str_eq(talk->service, bluesky_base_url(op->env->bluesky_service_url));
}

static void
begin_chat(struct op *op, struct op_step *out)
{
    op->stage = CONNECT_CHAT;
    bluesky_get(op, "chat.bsky.convo.getLog", NULL, 0, out);
}

static void
connect_proven(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);
    yyjson_val          *root;
    struct str           server;

    if (!bluesky_answered(op, last, &root, out))
        return;
    server = bluesky_server_of(op->arena, root, talk->did);
    if (str_eq(server, talk->service)) {
        begin_chat(op, out);
        return;
    }
    if (server.len == 0)
        server = STR("no server");
    bluesky_fail(op, out, 403, arena_printf(op->arena,
        "The account %.*s does not live on %.*s: its identity names %.*s", STR_ARG(talk->did), STR_ARG(talk->service),
        STR_ARG(server)));
}

/* A login says nothing about messages: app passwords may do without. Where the log stands now is kept before anything
 * is read, so that nothing falls between. */
static void
connect_chat(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_cursor cursor;
    yyjson_val           *root;

    if (!bluesky_answered(op, last, &root, out))
        return;
    if (json_str(root, "cursor").len == 0) {
        bluesky_retry(op, out, last->status, STR("Bluesky did not say where its log of messages stands"));
        return;
    }
    bluesky_cursor_start(op, json_str(root, "cursor"), &cursor);
    op->account.cursor = bluesky_cursor_write(op->arena, &cursor);
    op->stage = CONNECT_PROFILE;
    bluesky_get(op, "app.bsky.actor.getProfile",
        &(struct bluesky_param){ "actor", op->account.external_id }, 1, out);
}

void
bluesky_connect(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *root;

    if (!last) {
        connect_begin(op, out);
    } else if (op->stage == CONNECT_DID) {
        connect_resolved(op, last, out);
    } else if (op->stage == CONNECT_DOCUMENT) {
        connect_documented(op, last, out);
    } else if (op->stage == CONNECT_PROOF) {
        connect_proven(op, last, out);
    } else if (op->stage == CONNECT_CHAT) {
        connect_chat(op, last, out);
    } else if (op->stage == CONNECT_PROFILE) { /* a nicety */
        if (bluesky_answered(op, last, &root, out) && bluesky_name(root).len > 0)
            op->account.name = bluesky_name(root);
        bluesky_done(out);
    } else if (logged_in(op, last, &root, out) && take_session(op, root, out)) {
        op->account.external_id = json_str(root, "did");
        op->account.username = bluesky_handle(root);
        op->account.name = op->account.username;
        if (!needs_proof(op, bluesky_talk(op))) {
            begin_chat(op, out);
            return;
        }
        op->stage = CONNECT_PROOF;
        bluesky_get_document(op, bluesky_talk(op)->did, out);
    }
}

/* ---- renewing ---- */

enum { REFRESH_SESSION, REFRESH_DOCUMENT, REFRESH_LOGIN };

/* A new login, elsewhere if the account has moved. With `otherwise` only in that case. */
static void
log_in_again(struct op *op, const struct op_step *otherwise, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);

    if (talk->token.password.len == 0 && otherwise) {
        *out = *otherwise;
        return;
    }
    if (talk->token.password.len == 0) {
        credentials_lost(op, out, 401, STR("The session with Bluesky has ended; connect the account again"));
        return;
    }
    if (otherwise) {
        talk->own = arena_new(op->arena, struct op_step);
        *(struct op_step *)talk->own = *otherwise;
    }
    op->stage = REFRESH_DOCUMENT;
    if (may_look_up(op, talk) && bluesky_get_document(op, op->account.external_id, out))
        return;
    if (otherwise) {
        *out = *otherwise;
        return;
    }
    op->stage = REFRESH_LOGIN;
    create_session(op, op->account.external_id, out);
}

static void
refresh_documented(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);
    struct op_step      *otherwise = talk->own;
    yyjson_val          *root;
    struct str           server = STR_NONE;

    if (bluesky_answered(op, last, &root, out))
        server = bluesky_server_of(op->arena, root, op->account.external_id);
    if (otherwise && (server.len == 0 || str_eq(server, talk->service))) {
        *out = *otherwise;
        return;
    }
    if (server.len > 0)
        talk->service = server;
    op->stage = REFRESH_LOGIN;
    create_session(op, op->account.external_id, out);
}

static void
refreshed(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_refusal r;
    yyjson_val            *root;
    struct op_step         otherwise;

    if (bluesky_refused(op, last, &r) && bluesky_is_about_token(&r)) {
        if (bluesky_is_named(&r, "AccountTakedown"))
            credentials_lost(op, out, r.status, r.message.len > 0 ? r.message : STR("Account has been taken down"));
        else
            log_in_again(op, NULL, out);
        return;
    }
    if (!bluesky_answered(op, last, &root, &otherwise)) {
        if (last->result == NET_NOT_SENT)
            log_in_again(op, &otherwise, out);
        else
            *out = otherwise;
        return;
    }
    if (is_inactive(root)) {
        fail_inactive(op, root, &otherwise);
        log_in_again(op, &otherwise, out);
    } else if (take_session(op, root, out)) {
        bluesky_done(out);
    }
}

void
bluesky_refresh(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);
    yyjson_val          *root;

    if (!last && talk->token.refresh.len == 0) {
        log_in_again(op, NULL, out);
    } else if (!last) {
        op->stage = REFRESH_SESSION;
        bluesky_post_as(op, "com.atproto.server.refreshSession", talk->token.refresh, STR_NONE, out);
    } else if (op->stage == REFRESH_SESSION) {
        refreshed(op, last, out);
    } else if (op->stage == REFRESH_DOCUMENT) {
        refresh_documented(op, last, out);
    } else if (logged_in(op, last, &root, out) && take_session(op, root, out)) {
        bluesky_done(out);
    }
}

/* ---- ending ---- */

/* Best effort: what is not ended here ends by itself. */
void
bluesky_unsubscribe(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct str refresh = bluesky_talk(op)->token.refresh;

    if (!last && refresh.len > 0)
        bluesky_post_as(op, "com.atproto.server.deleteSession", refresh, STR_NONE, out);
    else if (!last || last->result != NET_NOT_SENT || bluesky_accepted(op, last, out))
        bluesky_done(out);
}
