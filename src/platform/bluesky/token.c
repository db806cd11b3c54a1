/* token.c -- what account.token and account.details hold: the session, and where it is valid.
 *
 * The password stays with it: a session ends after some months, or when the server forgets it, and then one new login
 * is better than an account that stopped. Servers count logins, so nothing but OP_REFRESH makes one. */
#include "base/crypto.h"
#include "platform/bluesky/bluesky.h"

#define TEXT_MAX     (64 * KIB)
#define REFRESH_MS   ((int64_t)100 * 60 * 1000) /* where a token does not say how long it lasts: they last two hours */
#define LEAD_MS      ((int64_t)10 * 60 * 1000)
#define APART_MS     60000 /* two renewals, however short-lived a server makes its tokens */
#define ROW_MS       ((int64_t)10 * 60 * 1000) /* two renewals so near each other tell of trouble */
#define STALE_MS     30000                      /* a call may take that long */
#define LIFETIME_MAX ((int64_t)366 * 24 * 3600) /* seconds; what claims more is no lifetime */

bool
bluesky_token_read(struct arena *a, struct str text, struct bluesky_token *out)
{
    struct error err;
    yyjson_val  *root;

    *out = (struct bluesky_token){ 0 };
    if (!json_parse(a, text, 4, &root, &err) || !yyjson_is_obj(root))
        return false;
    out->identifier = json_str(root, "identifier");
    out->password = json_str(root, "password");
    out->access = json_str(root, "access");
    out->refresh = json_str(root, "refresh");
    out->renewed_at = json_int(root, "renewed_at", 0);
    out->in_a_row = json_int(root, "in_a_row", 0);
    out->expires_at = json_int(root, "expires_at", 0);
    return true;
}

struct str
bluesky_token_write(struct arena *a, const struct bluesky_token *token)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "identifier", token->identifier);
    json_put_str(&w, "password", token->password);
    json_put_str(&w, "access", token->access);
    json_put_str(&w, "refresh", token->refresh);
    json_put_int(&w, "renewed_at", token->renewed_at);
    json_put_int(&w, "in_a_row", token->in_a_row);
    json_put_int(&w, "expires_at", token->expires_at);
    json_end(&w);
    return arena_take(a, &buf);
}

struct str
bluesky_details_write(struct arena *a, const struct bluesky_talk *talk)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "service", talk->service);
    json_put_bool(&w, "pinned", talk->is_pinned);
    json_end(&w);
    return arena_take(a, &buf);
}

/* How long a JWT lasts by its own words, whatever our clock says; 0 = it does not tell. */
static int64_t
lifetime_ms(struct arena *a, struct str jwt, int64_t now_ms)
{
    struct str   head, rest, payload, signature;
    struct error err;
    struct buf   text;
    yyjson_val  *root = NULL;
    int64_t      from, until = 0;

    if (!str_cut(jwt, '.', &head, &rest))
        return 0;
    str_cut(rest, '.', &payload, &signature);
    buf_init(&text, TEXT_MAX);
    if (base64_decode(payload, &text) && json_parse(a, buf_str(&text), 8, &root, &err))
        until = json_int(root, "exp", 0);
    buf_deinit(&text);
    from = json_int(root, "iat", now_ms / 1000);
    if (from < 0 || until <= from || until - from > LIFETIME_MAX)
        return 0;
    return (until - from) * 1000;
}

bool
bluesky_token_renew(struct arena *a, struct bluesky_token *token, yyjson_val *session, int64_t now_ms)
{
    struct str access = json_str(session, "accessJwt"), refresh = json_str(session, "refreshJwt");
    int64_t    lifetime;

    if (access.len == 0 || refresh.len == 0 || access.len + refresh.len > TEXT_MAX / 2)
        return false;
    lifetime = lifetime_ms(a, access, now_ms);
    token->access = access;
    token->refresh = refresh;
    token->in_a_row = now_ms < token->renewed_at + ROW_MS ? (token->in_a_row & 0xff) + 1 : 0;
    token->renewed_at = now_ms;
    token->expires_at = lifetime > 0 ? now_ms + lifetime : 0;
    return true;
}

int64_t
bluesky_refresh_at(const struct bluesky_token *token, int64_t now_ms)
{
    int64_t left = token->expires_at - now_ms, wait_ms = left - (left / 4 < LEAD_MS ? left / 4 : LEAD_MS);

    if (token->expires_at == 0)
        wait_ms = REFRESH_MS;
    return now_ms + (wait_ms > APART_MS ? wait_ms : APART_MS);
}

struct str
bluesky_base_url(struct str url)
{
    while (str_ends(url, STR("/")))
        url.len--;
    return url;
}

static bool
needs_session(enum op_kind kind)
{
    switch (kind) {
    case OP_CHECK:
    case OP_POLL:
    case OP_FIND_SENT:
    case OP_SEND:
    case OP_ARCHIVE:
    case OP_UNARCHIVE:
    case OP_PARTICIPANT:
        return true;
    case OP_CONNECT:
    case OP_EXCHANGE:
    case OP_REFRESH:
    case OP_SUBSCRIBE:
    case OP_UNSUBSCRIBE:
    case OP_MESSAGE:
    case OP_EDIT:
    case OP_REACT:
    case OP_UNREACT:
    case OP_PROBE_CHAT:
    case OP_ANSWER_TAP:
    case OP_MEDIA:
    case OP_KINDS:
        break;
    }
    return false;
}

bool
bluesky_begin(struct op *op, struct op_step *out)
{
    struct bluesky_talk *talk = arena_new(op->arena, struct bluesky_talk);
    struct error         err;
    yyjson_val          *details = NULL;

    op->state = talk;
    if (json_parse(op->arena, op->account.details, 8, &details, &err))
        talk->service = bluesky_base_url(json_str(details, "service"));
    talk->is_pinned = json_true(details, "pinned");
    if (talk->service.len == 0 || op->env->bluesky_service_only)
        talk->service = bluesky_base_url(op->env->bluesky_service_url);
    bluesky_token_read(op->arena, op->account.token, &talk->token);
    talk->given = talk->token;
    if (!needs_session(op->kind))
        return true;
    if (talk->token.access.len == 0) {
        bluesky_fail(op, out, 401, STR("This account has no session with Bluesky; connect it again"));
        out->token_invalid = true;
        return false;
    }
    if (talk->token.expires_at == 0 || talk->token.expires_at > op->now_ms + STALE_MS
        || op->now_ms < talk->token.renewed_at + BLUESKY_FRESH_MS)
        return true;
    bluesky_retry(op, out, 400, STR("The session with Bluesky has run out"));
    out->token_stale = true;
    return false;
}
