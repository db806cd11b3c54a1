/* call.c -- how a call looks on the wire.
 *
 * The token goes along in a header: query strings end up in logs. On Meta's own Graph API the proof that we know the
 * app's secret stands in the query, where it takes effect whatever the body is; it is worth nothing without the
 * token. Instagram's Graph API is not documented to know it. */
#include "base/array.h"
#include "base/crypto.h"
#include "base/escape.h"
#include "platform/meta/meta.h"

#define QUERY_MAX       (64 * KIB)
#define UPLOAD_BASE_MS  60000 /* and 1 ms for 100 bytes: somebody's 1 Mbit/s is enough */
#define ID_MAX          1024
#define MEDIA_REDIRECTS 3

/* Where Meta keeps what people send, and their pictures. */
static const char *const media_hosts[] = { ".fbcdn.net", ".fbsbx.com", ".cdninstagram.com" };

/* ---- addresses ---- */

static void
append_params(struct buf *out, const struct meta_param *params, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_append(out, i > 0 ? STR("&") : STR(""));
        buf_append(out, str_of(params[i].name));
        buf_append_char(out, '=');
        buf_append_url_encoded(out, params[i].value, ",():");
    }
}

struct str
meta_query(struct arena *a, struct str url, const struct meta_param *params, size_t n)
{
    struct buf b;

    buf_init(&b, QUERY_MAX);
    buf_append(&b, url);
    buf_append(&b, n > 0 ? STR("?") : STR(""));
    append_params(&b, params, n);
    return arena_take(a, &b);
}

struct str
meta_url(struct arena *a, struct str base, const char *path)
{
    while (str_ends(base, STR("/")))
        base.len--;
    return arena_printf(a, "%.*s/%s", STR_ARG(base), path);
}

static struct str
graph_base(const struct op *op, enum meta_flavour flavour)
{
    return flavour == META_INSTAGRAM_LOGIN ? op->env->instagram_graph_url : op->env->meta_graph_url;
}

struct str
meta_graph_url(struct op *op, const char *path)
{
    return meta_url(op->arena, graph_base(op, meta_talk(op)->flavour), path);
}

static struct str
versioned_url(struct op *op, struct str path)
{
    struct str version = op->env->meta_version;

    if (version.len == 0)
        return meta_graph_url(op, path.ptr);
    return meta_graph_url(op, arena_printf(op->arena, "%.*s/%.*s", STR_ARG(version), STR_ARG(path)).ptr);
}

bool
meta_is_id(struct str id)
{
    return id.len > 0 && id.len <= ID_MAX && !str_eq(id, STR(".")) && !str_eq(id, STR(".."));
}

struct str
meta_path(struct op *op, struct str id, const char *edge)
{
    struct buf b;

    buf_init(&b, QUERY_MAX);
    buf_append_url_encoded(&b, id, "");
    if (edge)
        buf_printf(&b, "/%s", edge);
    return arena_take(op->arena, &b);
}

struct str
meta_account_path(struct op *op, const char *edge)
{
    struct meta_talk *talk = meta_talk(op);

    if (talk->flavour == META_INSTAGRAM_LOGIN || talk->page_id.len == 0)
        return meta_path(op, STR("me"), edge);
    return meta_path(op, talk->page_id, edge);
}

/* ---- calls ---- */

static struct str
secret_proof(struct op *op)
{
    uint8_t    mac[SHA256_SIZE];
    struct buf hex;

    hmac_sha256(op->env->meta_app_secret, meta_talk(op)->token, mac);
    buf_init(&hex, (size_t)2 * SHA256_SIZE);
    hex_encode(&hex, (struct str){ (const char *)mac, sizeof(mac) });
    return arena_take(op->arena, &hex);
}

static void
add_header(struct net_request *call, struct str name, struct str value)
{
    call->headers[call->header_count++] = (struct net_header){ name, value };
}

void
meta_call(struct op *op, const char *method, struct str path, const struct meta_param *params, size_t n,
    struct op_step *out)
{
    struct meta_talk  *talk = meta_talk(op);
    struct meta_param *all = arena_array(op->arena, struct meta_param, n + 1);

    if (n > 0)
        memcpy(all, params, n * sizeof(*params));
    if (talk->flavour != META_INSTAGRAM_LOGIN && op->env->meta_app_secret.len > 0)
        all[n++] = (struct meta_param){ "appsecret_proof", secret_proof(op) };
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.method = str_of(method);
    out->call.url = meta_query(op->arena, versioned_url(op, path), all, n);
    out->call.headers = arena_array(op->arena, struct net_header, 2);
    add_header(&out->call, STR("Authorization"), arena_printf(op->arena, "Bearer %.*s", STR_ARG(talk->token)));
    if (str_is_none(out->call.url))
        /* not reached: what goes into such an address has bounds of its own */
        meta_fail(op, out, 413, STR("The call to Meta would be too long"));
}

void
meta_call_json(struct op *op, struct str path, struct buf *body, struct op_step *out)
{
    struct str text = arena_take(op->arena, body);

    meta_call(op, "POST", path, NULL, 0, out);
    if (out->verdict != OP_CALL)
        return; /* not reached: as above */
    out->call.body = text;
    add_header(&out->call, STR("Content-Type"), STR("application/json"));
    if (str_is_none(text))
        meta_fail(op, out, 413, STR("The message is too long for a call to Meta"));
}

void
meta_call_parts(struct op *op, struct str path, struct net_part *parts, size_t n, struct op_step *out)
{
    meta_call(op, "POST", path, NULL, 0, out);
    if (out->verdict != OP_CALL)
        return; /* not reached: as above */
    out->call.parts = parts;
    out->call.part_count = n;
    out->call.total_ms = UPLOAD_BASE_MS + op->file.size / 100;
}

void
meta_call_form(struct op *op, struct str url, const struct meta_param *params, size_t n, struct op_step *out)
{
    struct buf b;

    buf_init(&b, QUERY_MAX);
    append_params(&b, params, n);
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.method = STR("POST");
    out->call.url = url;
    out->call.body = arena_take(op->arena, &b);
    out->call.headers = arena_array(op->arena, struct net_header, 1);
    add_header(&out->call, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
    if (str_is_none(out->call.body))
        meta_fail(op, out, 413, STR("The code is too long"));
}

void
meta_call_url(struct op *op, struct str url, struct op_step *out)
{
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.method = STR("GET");
    out->call.url = url;
    if (str_is_none(url))
        /* not reached: no token that long is taken (meta_token_fits) */
        meta_fail(op, out, 413, STR("The token is too long"));
}

/* ---- files ---- */

/* Scheme and authority. */
static struct str
origin_of(struct str url)
{
    ptrdiff_t scheme = str_find(url, STR("://"));
    size_t    end = scheme < 0 ? url.len : (size_t)scheme + 3;

    while (end < url.len && !strchr("/?#\\", url.ptr[end]))
        end++;
    return str_slice(url, 0, end);
}

static bool
is_configured(const struct op *op, struct str url)
{
    struct str origin = origin_of(url);

    if (str_find(origin, STR("://")) <= 0)
        return false;
    return str_eq_nocase(origin, origin_of(op->env->meta_graph_url))
        || str_eq_nocase(origin, origin_of(op->env->instagram_graph_url));
}

static bool
is_media_host(struct str url)
{
    struct str origin = origin_of(url), host;

    if (!str_starts(origin, STR("https://")))
        return false;
    host = str_from(origin, strlen("https://"));
    if (str_find(host, STR("@")) >= 0)
        return false;
    if (str_ends(host, STR(":443")))
        host.len -= 4;
    for (size_t i = 0; i < COUNT(media_hosts); i++) {
        struct str suffix = str_of(media_hosts[i]);

        if (host.len > suffix.len && str_eq_nocase(str_from(host, host.len - suffix.len), suffix))
            return true;
    }
    return false;
}

/* These links carry their own signature, and the token must not go there. */
bool
meta_call_file(struct op *op, struct str url, struct op_step *out)
{
    bool trusted = is_configured(op, url); /* a sandbox on this machine is no public address */

    for (size_t i = 0; i < url.len; i++)
        if (!(url.ptr[i] > ' ' && url.ptr[i] < 127) || url.ptr[i] == '\\')
            return false;
    if (!trusted && !is_media_host(url))
        return false;
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.method = STR("GET");
    out->call.url = url;
    out->call.save_path = op->save_path;
    out->call.response_max = op->media_max > 0 ? op->media_max : META_FILE_MAX;
    out->call.total_ms = UPLOAD_BASE_MS + out->call.response_max / 100;
    out->call.guarded = !trusted;
    out->call.redirects_max = trusted ? 0 : MEDIA_REDIRECTS;
    return true;
}
