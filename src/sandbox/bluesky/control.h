/* control.h -- /sandbox/bluesky/...: who there is, and what people do. */
#ifndef PARLEY_SANDBOX_BLUESKY_CONTROL_H
#define PARLEY_SANDBOX_BLUESKY_CONTROL_H

#include "sandbox/bluesky/state.h"

/* Whom the path names in :account, by DID or handle; NULL with a 404. */
struct bs_account *bs_path_account(struct bs *bs, const struct http_exchange *x, struct error *err);

/* An account by DID or handle in a member of the body; NULL with a 400. */
struct bs_account *bs_body_account(struct bs *bs, yyjson_val *body, const char *name, struct error *err);

/* control_chat.c: what accounts do in conversations. */
bool bs_control_convos(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_group(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_messages(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_write(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_burst(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_delete(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_react(void *state, struct http_exchange *x, struct json *w, struct error *err);
bool bs_control_act(void *state, struct http_exchange *x, struct json *w, struct error *err);

#define BS_CONTROL_ROUTES 23
extern const struct stage_route bs_control_routes[BS_CONTROL_ROUTES];

#endif
