/* tokens.c -- see tokens.h. */
#include "sandbox/bluesky/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/random.h"

#define TOKEN_MAX (8 * KIB)

/* ---- signing ---- */

static void
append_signature(const struct bs *bs, struct buf *out)
{
    uint8_t mac[SHA256_SIZE];

    hmac_sha256((struct str){ (const char *)bs->key, sizeof(bs->key) }, buf_str(out), mac);
    buf_append_char(out, '.');
    base64url_encode(out, (struct str){ (const char *)mac, sizeof(mac) });
}

static struct str
make_token(const struct bs *bs, const char *type, struct str claims, struct arena *a)
{
    struct str head = arena_printf(a, "{\"typ\":\"%s\",\"alg\":\"HS256\"}", type);
    struct buf b;

    buf_init(&b, TOKEN_MAX);
    base64url_encode(&b, head);
    buf_append_char(&b, '.');
    base64url_encode(&b, claims);
    append_signature(bs, &b);
    return arena_take(a, &b);
}

/* "gen" is ours: it lets a test expire tokens before their time, of which the client can know nothing. */
struct str
bs_access_token(const struct bs_account *a, const struct bs_session *s, struct arena *arena)
{
    int64_t     now_s = bs_now_ms(a->bs) / 1000, end_s = now_s + a->bs->settings.access_s;
    const char *scope = str_is_none(s->app_password) ? "com.atproto.access"
        : s->privileged                              ? "com.atproto.appPassPrivileged"
                                                     : "com.atproto.appPass";

    return make_token(a->bs, "at+jwt", arena_printf(arena,
        "{\"scope\":\"%s\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"aud\":\"did:web:localhost\",\"gen\":%lld}",
        scope, a->did, (long long)now_s, (long long)end_s, (long long)a->generation),
        arena);
}

struct str
bs_refresh_token(const struct bs_account *a, const struct bs_session *s, struct arena *arena)
{
    int64_t made_s = s->made_ms / 1000, end_s = made_s + a->bs->settings.refresh_s;

    return make_token(a->bs, "refresh+jwt", arena_printf(arena,
        "{\"scope\":\"com.atproto.refresh\",\"sub\":\"%s\",\"jti\":\"%s\",\"iat\":%lld,\"exp\":%lld,"
        "\"aud\":\"did:web:localhost\"}",
        a->did, s->id, (long long)made_s, (long long)end_s),
        arena);
}

/* ---- reading ---- */

static bool
is_signed(const struct bs *bs, struct str text, struct str *claims)
{
    const char *last = memrchr(text.ptr, '.', text.len);
    struct str  head;
    struct buf  b;
    bool        same;

    if (!last || !str_cut(str_slice(text, 0, (size_t)(last - text.ptr)), '.', &head, claims))
        return false;
    buf_init(&b, 2 * TOKEN_MAX);
    buf_append(&b, str_slice(text, 0, (size_t)(last - text.ptr)));
    append_signature(bs, &b);
    same = crypto_equal(buf_str(&b), text);
    buf_deinit(&b);
    return same;
}

static void
read_claims(struct bs *bs, yyjson_val *claims, struct bs_token *out)
{
    struct str scope = json_str(claims, "scope");
    int64_t    now_s = bs_now_ms(bs) / 1000;

    out->kind = str_eq(scope, STR("com.atproto.refresh")) ? BS_TOKEN_REFRESH : BS_TOKEN_ACCESS;
    out->account = bs_account_by_did(bs, json_str(claims, "sub"));
    out->privileged = !str_eq(scope, STR("com.atproto.appPass"));
    out->expired = json_int(claims, "exp", 0) <= now_s
        || (out->kind == BS_TOKEN_ACCESS && out->account && json_int(claims, "gen", 0) < out->account->generation);
    snprintf(out->id, sizeof(out->id), "%.*s", STR_ARG(json_str(claims, "jti")));
}

bool
bs_token_read(struct bs *bs, struct str text, struct arena *a, struct bs_token *out)
{
    struct error ignored;
    struct str   claims;
    struct buf   b;
    yyjson_val  *val = NULL;

    *out = (struct bs_token){ .kind = BS_TOKEN_GARBAGE };
    if (text.len == 0 || text.len > TOKEN_MAX || !is_signed(bs, text, &claims))
        return false;
    buf_init(&b, TOKEN_MAX);
    if (base64_decode(claims, &b) && json_parse(a, buf_str(&b), JSON_DEPTH_MAX, &val, &ignored))
        read_claims(bs, val, out);
    buf_deinit(&b);
    return out->kind != BS_TOKEN_GARBAGE;
}

/* ---- sessions ---- */

static void
free_session(struct bs_session *s)
{
    own_free(&s->app_password);
    free(s);
}

static void
forget_expired(struct bs_account *a, int64_t now_ms)
{
    struct bs_session **at = &a->sessions;

    for (struct bs_session *s; (s = *at) != NULL;) {
        if (s->expires_ms > now_ms) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free_session(s);
    }
}

/* What is over is forgotten here, since nobody else needs to know; that may be where `id` came from. */
static struct bs_session *
session_add(struct bs_account *a, const char *id, struct str app_password, bool privileged)
{
    struct bs_session *s = own_alloc(sizeof(*s));
    int64_t            now_ms = bs_now_ms(a->bs);

    snprintf(s->id, sizeof(s->id), "%s", id);
    s->app_password = own_text(app_password);
    s->privileged = privileged;
    s->made_ms = now_ms;
    s->expires_ms = now_ms + a->bs->settings.refresh_s * 1000;
    forget_expired(a, now_ms);
    s->next = a->sessions;
    a->sessions = s;
    return s;
}

static void
make_id(char out[33])
{
    uint8_t raw[16];

    random_bytes(raw, sizeof(raw));
    for (int i = 0; i < 16; i++)
        snprintf(out + (ptrdiff_t)2 * i, 3, "%02x", raw[i]);
}

struct bs_session *
bs_session_open(struct bs_account *a, const struct bs_app_password *with)
{
    char id[33];

    make_id(id);
    return session_add(a, id, with ? with->name : STR_NONE, !with || with->privileged);
}

struct bs_session *
bs_session_get(struct bs_account *a, const char *id)
{
    for (struct bs_session *s = a->sessions; s; s = s->next)
        if (strcmp(s->id, id) == 0 && s->expires_ms > bs_now_ms(a->bs))
            return s;
    return NULL;
}

struct bs_session *
bs_session_rotate(struct bs_account *a, struct bs_session *s)
{
    struct bs_session *next;
    int64_t            end_ms = bs_now_ms(a->bs) + a->bs->settings.grace_s * 1000;

    if (s->successor[0] == '\0') {
        make_id(s->successor);
        if (end_ms < s->expires_ms)
            s->expires_ms = end_ms;
    }
    next = bs_session_get(a, s->successor);
    return next ? next : session_add(a, s->successor, s->app_password, s->privileged);
}

static bool
is_of(const struct bs_session *s, const char *id, const struct str *app_password)
{
    if (id)
        return strcmp(s->id, id) == 0;
    return !app_password || (!str_is_none(s->app_password) && str_eq(s->app_password, *app_password));
}

/* Those with this id, or of this app password, or all. */
static void
close_some(struct bs_account *a, const char *id, const struct str *app_password)
{
    struct bs_session **at = &a->sessions;

    for (struct bs_session *s; (s = *at) != NULL;) {
        if (!is_of(s, id, app_password)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free_session(s);
    }
}

void
bs_session_close(struct bs_account *a, const char *id)
{
    close_some(a, id, NULL);
}

void
bs_sessions_close(struct bs_account *a, struct str app_password)
{
    close_some(a, NULL, &app_password);
}

void
bs_sessions_close_all(struct bs_account *a)
{
    close_some(a, NULL, NULL);
}
