/* call.c -- how a call looks on the wire: XRPC, which is a GET with a query or a POST with JSON.
 *
 * Where an account's server is, its user or its DID document says, so the address guard judges every server but the
 * one this installation names itself. */
#include "base/escape.h"
#include "platform/bluesky/bluesky.h"

#define QUERY_MAX (16 * KIB)

static void
add_header(struct net_request *call, struct str name, struct str value)
{
    call->headers[call->header_count++] = (struct net_header){ name, value };
}

static void
begin_call(struct op *op, const char *method, struct str bearer, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);

    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.headers = arena_array(op->arena, struct net_header, 3);
    out->call.total_ms = BLUESKY_CALL_MS;
    out->call.guarded = !str_eq(talk->service, bluesky_base_url(op->env->bluesky_service_url));
    if (!str_is_none(bearer))
        add_header(&out->call, STR("Authorization"), arena_printf(op->arena, "Bearer %.*s", STR_ARG(bearer)));
    if (str_starts(str_of(method), STR("chat.")))
        add_header(&out->call, STR("atproto-proxy"), op->env->bluesky_chat_proxy);
}

/* A server that puts what no header holds into its tokens gets them back without. */
static struct str
header_value(struct arena *a, struct str value)
{
    char  *out = arena_bytes(a, value.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] > ' ' && value.ptr[i] < 127)
            out[len++] = value.ptr[i];
    return (struct str){ out, len };
}

void
bluesky_get(struct op *op, const char *method, const struct bluesky_param *params, size_t n, struct op_step *out)
{
    struct bluesky_talk *talk = bluesky_talk(op);
    struct buf           url;
    char                 mark = '?';

    begin_call(op, method, header_value(op->arena, talk->token.access), out);
    buf_init(&url, QUERY_MAX);
    buf_printf(&url, "%.*s/xrpc/%s", STR_ARG(talk->service), method);
    for (size_t i = 0; i < n; i++) {
        if (params[i].value.len == 0)
            continue;
        buf_printf(&url, "%c%s=", mark, params[i].name);
        buf_append_url_encoded(&url, params[i].value, ":");
        mark = '&';
    }
    out->call.method = STR("GET");
    out->call.url = arena_copy(op->arena, buf_str(&url));
    if (!buf_ok(&url))
        bluesky_fail(op, out, 414, STR("An identifier is longer than any of Bluesky's"));
    buf_deinit(&url);
}

void
bluesky_post_as(struct op *op, const char *method, struct str bearer, struct str json, struct op_step *out)
{
    begin_call(op, method, str_is_none(bearer) ? bearer : header_value(op->arena, bearer), out);
    out->call.method = STR("POST");
    out->call.url = arena_printf(op->arena, "%.*s/xrpc/%s", STR_ARG(bluesky_talk(op)->service), method);
    out->call.body = json;
    if (!str_is_none(json))
        add_header(&out->call, STR("Content-Type"), STR("application/json"));
}

void
bluesky_post(struct op *op, const char *method, struct str json, struct op_step *out)
{
    bluesky_post_as(op, method, bluesky_talk(op)->token.access, json, out);
}

void
bluesky_get_url(struct op *op, struct str url, bool is_strangers, struct op_step *out)
{
    (void)op;
    *out = (struct op_step){ .verdict = OP_CALL };
    out->call.method = STR("GET");
    out->call.url = url;
    out->call.total_ms = BLUESKY_CALL_MS;
    out->call.guarded = is_strangers;
}
