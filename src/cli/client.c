#include "cli/client.h"

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

bool
client_call(struct client *c, const char *method, struct str path, struct str body, yyjson_val **out,
            struct error *err)
{
    bool answered = false;
    struct net_header headers[2];
    struct net_call call = { .arena = &c->arena, .done = client_answered, .user = &answered };
    yyjson_val *answer = NULL;
    struct error parse;
    struct str message;

    call.request = (struct net_request){
        .method = str_of(method), .url = arena_printf(&c->arena, "%.*s%.*s", STR_ARG(c->base), STR_ARG(path)),
        .headers = headers, .body = body, .response_max = RESPONSE_MAX,
    };
    if (c->key.len > 0)
        headers[call.request.header_count++] = (struct net_header){
            STR("Authorization"), arena_printf(&c->arena, "Bearer %.*s", STR_ARG(c->key)) };
    if (body.len > 0)
        headers[call.request.header_count++] = (struct net_header){ STR("Content-Type"), STR("application/json") };
    courier_send(c->courier, &call);
    while (!answered)
        uv_run(&c->loop, UV_RUN_ONCE);
    if (call.response.result != NET_ANSWERED)
        return error_set(err, 503, "%.*s does not answer: %s", STR_ARG(c->base), call.response.error);
    if (call.response.body.len > 0)
        (void)json_parse(&c->arena, call.response.body, JSON_DEPTH_MAX, &answer, &parse);
    if (out)
        *out = answer;
    if (call.response.status / 100 == 2)
        return true;
    message = json_str(answer, "error");
    if (message.len > 0)
        return error_set(err, call.response.status, "%.*s", STR_ARG(message));
    return error_set(err, call.response.status, "%.*s answered %d", STR_ARG(c->base), call.response.status);
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
