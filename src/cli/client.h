/* client.h -- a blocking HTTP client for commands: one call at a time, on an event loop of its own. */
#ifndef PARLEY_CLI_CLIENT_H
#define PARLEY_CLI_CLIENT_H

#include "json/json.h"
#include "net/courier.h"
#include "platform/platform.h"

#define CLIENT_BASE_MAX 300

struct client {
    uv_loop_t       loop;
    struct courier *courier;
    struct arena    arena; /* answers live here until the client is closed */
    struct str      base;  /* "http://127.0.0.1:8080" */
    struct str      key;   /* sent as a bearer token; none = none */
};

bool client_open(struct client *c, struct str base, struct str key, struct error *err);
void client_close(struct client *c);

/* One call with a JSON body (none = none). False when there is no 2xx answer; the message is the server's own. */
bool client_call(struct client *c, const char *method, struct str path, struct str body, yyjson_val **out,
                 struct error *err);

/* The server that --listen names, with the key in PARLEY_API_KEY. `base` is filled, and must outlive the client. */
bool client_open_configured(struct client *c, char base[CLIENT_BASE_MAX], struct error *err);

/* Any request; the answer's memory is in the client's arena. */
void client_send(struct client *c, const struct net_request *request, struct net_response *out);

/* Drives a platform operation to its end. */
void client_op(struct client *c, const struct platform *p, struct op *op, struct op_step *end);

#endif
