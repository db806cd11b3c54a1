/* oauth_state.c -- see connect.h: what must be remembered while a person is away on the platform's pages.
 *
 * It travels in the address, sealed with the server's key, so nothing is stored for people who never come back and any
 * process of this server can take them up. The seal's nonce makes every one different, and names it: an address can be
 * written in more than one way, what is sealed in it cannot. */
#include "api/connect.h"

#include "base/config.h"
#include "json/json.h"

#define CONTEXT    STR("oauth.state")
#define STATE_MAX  (8 * KIB)

struct str
oauth_state_seal(const struct oauth_state *s, int64_t now_ms, struct arena *a)
{
    struct buf  plain, sealed, text;
    struct json w = { .buf = &plain };

    buf_init(&plain, STATE_MAX);
    buf_init(&sealed, STATE_MAX + KIB);
    buf_init(&text, 2 * STATE_MAX);
    json_begin(&w, NULL);
    json_put_int(&w, "until", now_ms + OAUTH_STATE_KEEP_MS);
    json_put_int(&w, "workspace", s->workspace_id);
    json_put_int(&w, "group", s->group_id);
    json_put_int(&w, "scope_group", s->scope_group_id);
    json_put_str(&w, "platform", str_of(s->platform->name));
    json_put_str(&w, "redirect_url", s->redirect_url);
    json_end(&w);
    seal(&config.keys, CONTEXT, buf_str(&plain), &sealed);
    base64url_encode(&text, buf_str(&sealed));
    buf_deinit(&plain);
    buf_deinit(&sealed);
    return arena_take(a, &text);
}

static bool
read_state(struct str plain, struct arena *a, int64_t *until_ms, struct oauth_state *out)
{
    struct error ignored;
    yyjson_val  *val;

    if (!json_parse(a, plain, 4, &val, &ignored))
        return false;
    *until_ms = json_int(val, "until", 0);
    *out = (struct oauth_state){
        .workspace_id   = json_int(val, "workspace", 0),
        .group_id       = json_int(val, "group", 0),
        .scope_group_id = json_int(val, "scope_group", 0),
        .platform       = platform_find(json_str(val, "platform")),
        .redirect_url   = json_str(val, "redirect_url"),
    };
    return out->workspace_id != 0 && out->group_id != 0 && out->platform;
}

static struct str
name_of(struct str sealed, struct arena *a)
{
    uint8_t    hash[SHA256_SIZE];
    struct buf text;

    sha256(sealed, hash);
    buf_init(&text, 128);
    buf_append(&text, STR("oauth:"));
    base58_encode(&text, (struct str){ (const char *)hash, sizeof(hash) });
    return arena_take(a, &text);
}

bool
oauth_state_open(struct str text, int64_t now_ms, struct arena *a, struct oauth_state *out, struct error *err)
{
    struct buf    sealed;
    struct secret plain = { 0 };
    int64_t       until_ms = 0;
    bool          ok;

    buf_init(&sealed, 2 * STATE_MAX);
    ok = text.len > 0 && base64_decode(text, &sealed) && buf_ok(&sealed)
        && unseal(&config.keys, CONTEXT, buf_str(&sealed), &plain)
        && read_state(secret_str(&plain), a, &until_ms, out);
    if (ok)
        out->name = name_of(buf_str(&sealed), a);
    buf_deinit(&sealed);
    secret_wipe(&plain);
    if (!ok)
        return error_set(err, 400, "This address was not made by this server; begin connecting the account again");
    if (now_ms >= until_ms)
        return error_set(err, 400, "This address is more than %d minutes old; begin connecting the account again",
                         OAUTH_STATE_KEEP_MINUTES);
    return true;
}
