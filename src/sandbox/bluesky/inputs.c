/* inputs.c -- what a method reads of its call: parameters, the body, whom they name; see call.h. */
#include "sandbox/bluesky/call.h"

struct str
bs_base_of(struct http_exchange *x)
{
    struct str host = http_header_get(&x->request, STR("Host"));

    return arena_printf(&x->arena, "http://%.*s", STR_ARG(host));
}

struct str
bs_param(struct bs_call *c, const char *name)
{
    struct str value = http_query_get(&c->x->request, str_of(name), c->arena);

    return value.len > 0 ? value : STR_NONE;
}

bool
bs_param_needed(struct bs_call *c, const char *name, struct str *out, struct error *err)
{
    *out = bs_param(c, name);
    return !str_is_none(*out) || bs_fail(c, err, 400, NULL, "Error: Params must have the property \"%s\"", name);
}

bool
bs_param_limit(struct bs_call *c, int64_t *out, struct error *err)
{
    struct str text = bs_param(c, "limit");

    *out = 50;
    if (str_is_none(text))
        return true;
    if (!str_to_i64(text, out))
        return bs_fail(c, err, 400, NULL, "Error: Params/limit must be an integer");
    if (*out < 1)
        return bs_fail(c, err, 400, NULL, "Error: Params/limit can not be less than 1");
    return *out <= 100 || bs_fail(c, err, 400, NULL, "Error: Params/limit can not be greater than 100");
}

bool
bs_input_needed(struct bs_call *c, const char *name, struct str *out, struct error *err)
{
    *out = json_str(c->input, name);
    if (!str_is_none(*out))
        return true;
    return json_get(c->input, name) ? bs_fail(c, err, 400, NULL, "Input/%s must be a string", name)
                                    : bs_fail(c, err, 400, NULL, "Input must have the property \"%s\"", name);
}

bool
bs_membership(struct bs_call *c, struct str convo_id, struct bs_member **out, struct error *err)
{
    *out = bs_member_of(bs_convo_get(c->bs, convo_id), c->account);
    return *out || bs_fail_no(c, err, BS_NO_CONVO);
}

bool
bs_input_read(struct bs_call *c, struct error *err)
{
    const struct http_request *r = &c->x->request;

    if (c->method->verb == METHOD_GET)
        return true;
    if (!c->method->input)
        return r->body.len == 0 || bs_fail(c, err, 400, NULL, "A request body was provided when none was expected");
    if (r->body.len == 0)
        return bs_fail(c, err, 400, NULL, "A request body is expected but none was provided");
    if (str_is_none(r->content_type))
        return bs_fail(c, err, 400, NULL, "Request encoding (Content-Type) required but not provided");
    if (!str_eq(r->content_type, STR("application/json")))
        return bs_fail(c, err, 400, NULL, "Wrong request encoding (Content-Type): %.*s", STR_ARG(r->content_type));
    if (!json_parse(c->arena, r->body, JSON_DEPTH_MAX, &c->input, err)) {
        c->name = "SyntaxError";
        return false;
    }
    return yyjson_is_obj(c->input) || bs_fail(c, err, 400, NULL, "Input must be an object");
}
