/* client.h -- a blocking HTTP client for commands: one call at a time, on an event loop of its own. */
#ifndef PARLEY_CLI_CLIENT_H
#define PARLEY_CLI_CLIENT_H

#include "json/json.h"
#include "net/courier.h"
#include "platform/platform.h"

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

/* Drives a platform operation to its end. */
void client_op(struct client *c, const struct platform *p, struct op *op, struct op_step *end);

#endif
