/* routes.c -- the whole API as one table. */
#include <assert.h>

#include "api/handlers.h"
#include "api/hooks.h"
#include "api/metrics.h"
#include "base/array.h"

const struct route routes[] = {
    { { METHOD_GET, "/api/profile_groups" }, { list_groups, READS }, 0 },
    { { METHOD_POST, "/api/profile_groups" }, { create_group, WRITES }, BODY },
    { { METHOD_GET, "/api/profile_groups/:id" }, { show_group, READS }, 0 },
    { { METHOD_DELETE, "/api/profile_groups/:id" }, { delete_group, WRITES }, 0 },
    { { METHOD_POST, "/api/profile_groups/:id/initialize_connection" }, { initialize_connection, WRITES }, BODY },

    { { METHOD_GET, "/api/profiles" }, { list_profiles, READS }, 0 },
    { { METHOD_GET, "/api/profiles/:id" }, { show_profile, READS }, 0 },
    { { METHOD_DELETE, "/api/profiles/:id" }, { delete_profile, WRITES }, 0 },
    { { METHOD_GET, "/api/profiles/:id/placements" }, { list_placements, READS }, 0 },

    { { METHOD_GET, "/api/profiles/:id/chats" }, { list_chats, READS }, 0 },
    { { METHOD_POST, "/api/profiles/:id/chats" }, { create_chat, WRITES }, BODY },
    { { METHOD_GET, "/api/chats/:id" }, { show_chat, READS }, 0 },
    { { METHOD_POST, "/api/chats/:id/archive" }, { archive_chat, WRITES }, 0 },
    { { METHOD_DELETE, "/api/chats/:id/archive" }, { unarchive_chat, WRITES }, 0 },

    { { METHOD_GET, "/api/chats/:id/messages" }, { list_messages, READS }, 0 },
    { { METHOD_POST, "/api/chats/:id/messages" }, { send_message, WRITES }, BODY | UPLOAD },
    { { METHOD_GET, "/api/messages/:id" }, { show_message, READS }, 0 },
    { { METHOD_PATCH, "/api/messages/:id" }, { edit_message, WRITES }, BODY },
    { { METHOD_POST, "/api/messages/:id/react" }, { react_to_message, WRITES }, BODY },
    { { METHOD_DELETE, "/api/messages/:id/unreact" }, { unreact_to_message, WRITES }, 0 },

    { { METHOD_GET, "/api/posts" }, { list_posts, READS }, 0 },
    { { METHOD_GET, "/api/posts/:id" }, { show_post, READS }, 0 },
    { { METHOD_GET, "/api/posts/:post_id/comments" }, { list_comments, READS }, 0 },
    { { METHOD_GET, "/api/posts/:post_id/comments/:id" }, { show_comment, READS }, 0 },
    { { METHOD_POST, "/api/posts/:post_id/comments/:id/private_reply" }, { private_reply, WRITES }, BODY },

    { { METHOD_GET, "/api/webhooks" }, { list_webhooks, READS }, 0 },
    { { METHOD_POST, "/api/webhooks" }, { create_webhook, WRITES }, BODY },
    { { METHOD_GET, "/api/webhooks/:id" }, { show_webhook, READS }, 0 },
    { { METHOD_PATCH, "/api/webhooks/:id" }, { update_webhook, WRITES }, BODY },
    { { METHOD_DELETE, "/api/webhooks/:id" }, { delete_webhook, WRITES }, 0 },
    { { METHOD_GET, "/api/webhooks/:id/deliveries" }, { list_deliveries, READS }, 0 },
    { { METHOD_POST, "/api/webhooks/:id/rotate_secret" }, { rotate_webhook_secret, WRITES }, BODY },
    { { METHOD_POST, "/api/webhooks/:id/test" }, { test_webhook, WRITES }, 0 },
    { { METHOD_POST, "/api/webhooks/:id/replay" }, { replay_to_webhook, WRITES }, BODY },

    { { METHOD_GET, "/api/events" }, { list_events, READS }, 0 },

    { { METHOD_GET, "/connect/meta/callback" }, { finish_granting, PLAIN }, OPEN },
    { { METHOD_POST, "/webhooks/telegram/:profile_id" }, { receive_telegram, PLAIN }, OPEN | HOOK },
    { { METHOD_GET, "/webhooks/meta" }, { confirm_meta, PLAIN }, OPEN },
    { { METHOD_POST, "/webhooks/meta" }, { receive_meta, PLAIN }, OPEN | HOOK },
    { { METHOD_GET, "/storage/:object" }, { show_stored, PLAIN }, OPEN },
    { { METHOD_GET, "/healthz" }, { show_health, PLAIN }, OPEN },
    { { METHOD_GET, "/readyz" }, { show_readiness, READS }, OPEN },
    { { METHOD_GET, "/metrics" }, { show_metrics, PLAIN }, OPEN },
    { { METHOD_GET, "/openapi.yaml" }, { show_openapi, PLAIN }, OPEN },
};
const size_t route_count = COUNT(routes);

static_assert(COUNT(routes) < COUNTERS_ROUTES_MAX, "the counters have a place for every route");
