/* identity.c -- from a handle to the server that has the account: handle -> DID -> DID document -> its service.
 *
 * Handles can change hands, DIDs cannot, so all that is kept is kept by DID. A document is fetched from where its DID
 * says and must name that DID in turn. */
#include "platform/bluesky/bluesky.h"

#define DID_MAX 2048

static bool
is_one_of(char c, const char *extra)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr(extra, c));
}

/* "did", a method in small letters, and something behind it. */
bool
bluesky_is_did(struct str text)
{
    struct str scheme, rest, method, id;

    if (text.len > DID_MAX || !str_cut(text, ':', &scheme, &rest) || !str_eq(scheme, STR("did"))
        || !str_cut(rest, ':', &method, &id) || method.len == 0 || id.len == 0)
        return false;
    for (size_t i = 0; i < method.len; i++)
        if (method.ptr[i] < 'a' || method.ptr[i] > 'z')
            return false;
    for (size_t i = 0; i < id.len; i++)
        if (!is_one_of(id.ptr[i], "._:%-"))
            return false;
    return !str_ends(id, STR(":")) && !str_ends(id, STR("%"));
}

/* A host name of at least two labels. */
bool
bluesky_is_handle(struct str text)
{
    struct str label, rest = text;
    size_t     labels = 0;
    bool       more = true;

    if (text.len > BLUESKY_HANDLE_MAX)
        return false;
    while (more) {
        more = str_cut(rest, '.', &label, &rest);
        if (label.len == 0 || label.len > 63 || str_starts(label, STR("-")) || str_ends(label, STR("-")))
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_one_of(label.ptr[i], "-"))
                return false;
        labels++;
    }
    return labels >= 2 && (label.ptr[0] < '0' || label.ptr[0] > '9');
}

void
bluesky_get_did(struct op *op, struct str handle, struct op_step *out)
{
    bluesky_get_url(op, arena_printf(op->arena, "%.*s/xrpc/com.atproto.identity.resolveHandle?handle=%.*s",
        STR_ARG(bluesky_base_url(op->env->bluesky_appview_url)), STR_ARG(handle)), false, out);
}

/* did:web has a host and no path; a port only on this machine, for tests, and then without TLS. */
static bool
get_web_document(struct op *op, struct str host, struct op_step *out)
{
    struct str name, port;
    ptrdiff_t  colon = str_find_nocase(host, STR("%3A"));
    int64_t    number;

    if (colon >= 0) {
        name = str_slice(host, 0, (size_t)colon);
        port = str_from(host, (size_t)colon + 3);
        if (!str_eq(name, STR("localhost")) || !str_to_i64(port, &number) || number < 1 || number > 65535)
            return false;
        bluesky_get_url(op, arena_printf(op->arena, "http://localhost:%d/.well-known/did.json", (int)number), true,
            out);
        return true;
    }
    if (!bluesky_is_handle(host))
        return false;
    bluesky_get_url(op, arena_printf(op->arena, "https://%.*s/.well-known/did.json", STR_ARG(host)), true, out);
    return true;
}

bool
bluesky_get_document(struct op *op, struct str did, struct op_step *out)
{
    if (bluesky_is_did(did) && str_starts(did, STR("did:plc:")) && str_find(str_from(did, 8), STR("%")) < 0) {
        bluesky_get_url(op, arena_printf(op->arena, "%.*s/%.*s",
            STR_ARG(bluesky_base_url(op->env->bluesky_plc_url)), STR_ARG(did)), false, out);
        return true;
    }
    if (bluesky_is_did(did) && str_starts(did, STR("did:web:")) && get_web_document(op, str_from(did, 8), out))
        return true;
    bluesky_fail(op, out, 422, STR("The account's DID is of a kind that names no place to look it up"));
    return false;
}

/* A password goes there, so in the clear only within this machine. */
bool
bluesky_is_server_url(struct str url)
{
    struct str host = str_from(url, 8);

    if (str_starts(url, STR("http://localhost:")) || str_starts(url, STR("http://127.0.0.1:")))
        host = str_from(url, 7);
    else if (!str_starts(url, STR("https://")))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!is_one_of(host.ptr[i], ".-:[]"))
            return false;
    return host.len > 0 && url.len <= 300;
}

struct str
bluesky_server_of(struct arena *a, yyjson_val *root, struct str did)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(json_arr(root, "service"));
    yyjson_val     *entry;
    struct str      full_id = arena_printf(a, "%.*s#atproto_pds", STR_ARG(did)), url;

    if (!str_eq(json_str(root, "id"), did))
        return STR_NONE;
    while ((entry = yyjson_arr_iter_next(&it)) != NULL) {
        if (!str_eq(json_str(entry, "id"), STR("#atproto_pds")) && !str_eq(json_str(entry, "id"), full_id))
            continue;
        if (!str_eq(json_str(entry, "type"), STR("AtprotoPersonalDataServer")))
            continue;
        url = bluesky_base_url(json_str(entry, "serviceEndpoint"));
        return bluesky_is_server_url(url) ? url : STR_NONE;
    }
    return STR_NONE;
}
