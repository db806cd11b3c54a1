/* api.h -- everything the outside reaches over HTTP: the API, platforms' webhooks, stored files, health and
 * metrics.
 *
 *     api.c         the server's four callbacks, starting and stopping
 *     routes.c      every path as one table
 *     call.c  ask.c one request from step to step (call.h): key, body, transactions, platform, reply
 *     keys.c  body.c  query.c  limits.c  media.c  idempotent.c  reply.c  cors.c  metrics.c    what handlers share
 *     groups.c  profiles.c  chats.c  messages.c  posts.c  webhooks.c                          a file a resource
 *     edit.c  reactions.c  archive.c  private_reply.c                    ... and what else is done with some of them
 *     connect.c  connect_form.c  oauth.c  oauth_state.c  oauth_page.c                         connecting accounts
 *     events.c  hub.c  hub_read.c                                        what happened, as a list and as a stream
 *     hooks.c  hooks_meta.c  storage.c  operations.c                                          what needs no key
 *
 * A handler is a plain function with a database handle. It knows nothing of threads and sockets: where it must
 * wait for a platform or for a file to be moved it says what follows, and the dispatcher runs that in the next
 * transaction. */
#ifndef PARLEY_API_API_H
#define PARLEY_API_API_H

#include "db/db.h"
#include "media/media.h"
#include "net/guard.h"
#include "platform/platform.h"
#include "work/worker.h"

struct api;

/* All but the struct itself must outlive the api. Limits come from the configuration. */
struct api_options {
    struct db_engine          *engine;
    struct media_store        *media;
    struct worker             *worker;
    const struct net_guard    *guard;  /* for URLs that users give us */
    const struct platform_env *env;
    const char                *listen; /* as in http.h */
    int                        threads; /* at least 1 */
};

/* Binds and answers from now on. False with the address and the reason. */
bool api_start(const struct api_options *options, struct api **out, struct error *err);
const char *api_address(const struct api *api); /* "127.0.0.1:8080", with the real port */

/* Whether /readyz says so; a fresh api is ready. Off before a shutdown lets the load balancer go elsewhere. Any
 * thread. */
void api_set_ready(struct api *api, bool ready);

/* What the database's on_signal heard: a revoked key or a changed profile must not live on in a cache, and new events
 * go to open streams. Any thread, NULL is fine. */
void api_signal(struct api *api, int topic, int64_t key);

/* Stops accepting, finishes what is under way for at most `drain_ms`, frees. The worker and the database must
 * still run. NULL is fine. */
void api_stop(struct api *api, int64_t drain_ms);

#endif
