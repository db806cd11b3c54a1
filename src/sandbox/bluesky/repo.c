/* repo.c -- who accounts are, and the one record that is looked at: who may write to them. */
#include "sandbox/bluesky/methods.h"

#include "base/crypto.h"

#define DECLARATION  "chat.bsky.actor.declaration"
#define PROFILES_MAX 25

/* A content id: that it is one of the first version, of CBOR, by SHA-256, then the hash; base32 behind a "b". What is
 * hashed is the JSON, which is enough to change when the record does. */
static struct str
cid_of(struct bs_call *c, struct str record)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t           bytes[4 + SHA256_SIZE] = { 0x01, 0x71, 0x12, SHA256_SIZE };
    char              text[60] = "b";
    unsigned          bits = 0, have = 0;
    size_t            len = 1;

    sha256(record, bytes + 4);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        for (have += 8; have >= 5; have -= 5)
            text[len++] = letters[bits >> (have - 5) & 31];
    }
    text[len++] = letters[bits << (5 - have) & 31];
    return arena_copy(c->arena, (struct str){ text, len });
}

static void
put_record_names(struct bs_call *c, const struct bs_account *a, struct json *w)
{
    json_put_str(w, "uri", arena_printf(c->arena, "at://%s/" DECLARATION "/self", a->did));
    json_put_str(w, "cid", cid_of(c, a->declaration));
}

bool
bs_describe_server(struct bs_call *c, struct json *w, struct error *err)
{
    (void)c;
    (void)err;
    json_put_str(w, "did", STR("did:web:localhost"));
    json_put_bool(w, "inviteCodeRequired", false);
    json_begin_array(w, "availableUserDomains");
    json_put_str(w, NULL, STR(".sandbox.test"));
    json_end_array(w);
    return true;
}

bool
bs_resolve_handle(struct bs_call *c, struct json *w, struct error *err)
{
    const struct bs_account *a;
    struct str               handle;

    if (!bs_param_needed(c, "handle", &handle, err))
        return false;
    a = memchr(handle.ptr, '@', handle.len) ? NULL : bs_account_find(c->bs, handle);
    if (!a)
        return bs_fail(c, err, 400, NULL, "Unable to resolve handle");
    json_put_str(w, "did", str_of(a->did));
    return true;
}

bool
bs_get_record(struct bs_call *c, struct json *w, struct error *err)
{
    struct str               repo, collection, rkey;
    const struct bs_account *a;

    if (!bs_param_needed(c, "repo", &repo, err) || !bs_param_needed(c, "collection", &collection, err)
        || !bs_param_needed(c, "rkey", &rkey, err))
        return false;
    a = bs_account_find(c->bs, repo);
    if (!a || a->status == BS_DELETED)
        return bs_fail(c, err, 400, NULL, "Could not find repo: %.*s", STR_ARG(repo));
    if (!str_eq(collection, STR(DECLARATION)) || !str_eq(rkey, STR("self")) || str_is_none(a->declaration))
        return bs_fail(c, err, 400, "RecordNotFound", "Could not locate record: at://%s/%.*s/%.*s", a->did,
            STR_ARG(collection), STR_ARG(rkey));
    put_record_names(c, a, w);
    json_put_raw(w, "value", a->declaration);
    return true;
}

bool
bs_put_record(struct bs_call *c, struct json *w, struct error *err)
{
    yyjson_val      *record = json_obj(c->input, "record");
    struct str       repo, collection, rkey;
    enum bs_incoming incoming;

    if (!bs_input_needed(c, "repo", &repo, err) || !bs_input_needed(c, "collection", &collection, err)
        || !bs_input_needed(c, "rkey", &rkey, err))
        return false;
    if (bs_account_find(c->bs, repo) != c->account)
        return bs_fail(c, err, 401, "AuthenticationRequired", "Invalid repo");
    if (!str_eq(collection, STR(DECLARATION)) || !str_eq(rkey, STR("self")))
        return bs_fail(c, err, 400, NULL, "the sandbox keeps only " DECLARATION "/self");
    if (!record || !str_eq(json_str(record, "$type"), STR(DECLARATION)))
        return bs_fail(c, err, 400, NULL, "Invalid record: Record/$type must be " DECLARATION);
    if (!bs_incoming_read(json_str(record, "allowIncoming"), &incoming))
        return bs_fail(c, err, 400, NULL, "Invalid record: Record must have the property \"allowIncoming\"");
    bs_account_declare(c->account, json_text(c->arena, record), incoming);
    bs_tell(c->bs, "accounts", NULL);
    put_record_names(c, c->account, w);
    json_put_str(w, "validationStatus", STR("valid"));
    return true;
}

/* ---- profiles ---- */

static void
put_detailed(struct bs_call *c, const struct bs_account *a, struct json *w)
{
    bs_profile_members(&c->eye, a, w);
    json_put_int(w, "followersCount", 0);
    json_put_int(w, "followsCount", (int64_t)a->follows.count);
    json_put_int(w, "postsCount", 0);
}

bool
bs_get_profile(struct bs_call *c, struct json *w, struct error *err)
{
    const struct bs_account *a;
    struct str               actor;

    if (!bs_param_needed(c, "actor", &actor, err))
        return false;
    a = bs_account_find(c->bs, actor);
    if (!a || a->status == BS_DELETED)
        return bs_fail(c, err, 400, NULL, "Profile not found");
    if (a->status == BS_TAKENDOWN)
        return bs_fail(c, err, 400, "AccountTakedown", "Account has been suspended");
    if (a->status == BS_DEACTIVATED)
        return bs_fail(c, err, 400, "AccountDeactivated", "Account is deactivated");
    put_detailed(c, a, w);
    return true;
}

bool
bs_get_profiles(struct bs_call *c, struct json *w, struct error *err)
{
    struct str name, actor;
    size_t     at = 0, n = 0;
    bool       bad = false;

    json_begin_array(w, "profiles");
    while (http_form_next(c->x->request.query, &at, c->arena, &name, &actor, &bad)) {
        const struct bs_account *a;

        if (!str_eq(name, STR("actors")))
            continue;
        if (++n > PROFILES_MAX)
            return bs_fail(c, err, 400, NULL, "Error: Params/actors must not have more than 25 elements");
        a = bs_account_find(c->bs, actor);
        if (!a || a->status != BS_ACTIVE)
            continue;
        json_begin(w, NULL);
        put_detailed(c, a, w);
        json_end(w);
    }
    json_end_array(w);
    return n > 0 || bs_fail(c, err, 400, NULL, "Error: Params must have the property \"actors\"");
}
