#include "cli/client.h"

#include <stdio.h>

#include "base/config.h"
#include "work/run.h"

#define RESPONSE_MAX (8 * MIB)

bool
client_open(struct client *c, struct str base, struct str key, struct error *err)
{
    struct courier_options options = { .loop = &c->loop, .user_agent = "Parley/" PARLEY_VERSION };

    *c = (struct client){ .base = base, .key = key };
    arena_init(&c->arena);
    if (uv_loop_init(&c->loop) != 0)
        return error_set(err, 500, "No event loop can be made");
    return courier_new(&options, &c->courier, err);
}

bool
client_open_configured(struct client *c, char base[CLIENT_BASE_MAX], struct error *err)
{
    snprintf(base, CLIENT_BASE_MAX, "http://%s%s", config.listen[0] == ':' ? "127.0.0.1" : "", config.listen);
    if (config.api_key.len == 0)
        return error_set(err, 400, "put an API key into PARLEY_API_KEY; `parley key create NAME` makes one");
    return client_open(c, str_of(base), secret_str(&config.api_key), err);
}

void
client_close(struct client *c)
{
    courier_free(c->courier);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    uv_loop_close(&c->loop);
    arena_deinit(&c->arena);
}

static void
client_answered(struct net_call *call)
{
    *(bool *)call->user = true;
}

void
client_send(struct client *c, const struct net_request *request, struct net_response *out)
{
    bool answered = false;
    struct net_call call = { .request = *request, .arena = &c->arena, .done = client_answered, .user = &answered };

    courier_send(c->courier, &call);
    while (!answered)
        uv_run(&c->loop, UV_RUN_ONCE);
    *out = call.response;
}

bool
client_call(struct client *c, const char *method, struct str path, struct str body, yyjson_val **out,
            struct error *err)
{
    struct net_header headers[2];
    struct net_request request = {
        .method = str_of(method), .url = arena_printf(&c->arena, "%.*s%.*s", STR_ARG(c->base), STR_ARG(path)),
        .headers = headers, .body = body, .response_max = RESPONSE_MAX,
    };
    struct net_response response;
    yyjson_val *answer = NULL;
    struct error parse;
    struct str message;

    if (c->key.len > 0)
        headers[request.header_count++] = (struct net_header){
            STR("Authorization"), arena_printf(&c->arena, "Bearer %.*s", STR_ARG(c->key)) };
    if (body.len > 0)
        headers[request.header_count++] = (struct net_header){ STR("Content-Type"), STR("application/json") };
    client_send(c, &request, &response);
    if (response.result != NET_ANSWERED)
        return error_set(err, 503, "%.*s does not answer: %s", STR_ARG(c->base), response.error);
    if (response.body.len > 0)
        (void)json_parse(&c->arena, response.body, JSON_DEPTH_MAX, &answer, &parse);
    if (out)
        *out = answer;
    if (response.status / 100 == 2)
        return true;
    message = json_str(answer, "error");
    if (message.len > 0)
        return error_set(err, response.status, "%.*s", STR_ARG(message));
    return error_set(err, response.status, "%.*s answered %d", STR_ARG(c->base), response.status);
}

static void
client_op_done(struct run *r)
{
    *(bool *)r->user = true;
}

void
client_op(struct client *c, const struct platform *p, struct op *op, struct op_step *end)
{
    bool done = false;
    struct run run = { .platform = p, .op = *op, .courier = c->courier, .done = client_op_done, .user = &done };

    run.op.arena = &c->arena;
    run_start(&run);
    while (!done)
        uv_run(&c->loop, UV_RUN_ONCE);
    *op = run.op;
    *end = run.end;
}
