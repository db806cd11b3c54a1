/* handlers.h -- the steps the route table begins with, by file. What each does stands in front of it; the
 * contract is api/openapi.yaml. */
#ifndef PARLEY_API_HANDLERS_H
#define PARLEY_API_HANDLERS_H

#include "api/call.h"

#define HANDLER(name) bool name(struct db *db, struct call *call, struct error *err)

/* groups.c */
HANDLER(list_groups);
HANDLER(create_group);
HANDLER(show_group);
HANDLER(delete_group);

/* connect.c */
HANDLER(initialize_connection);

/* oauth.c */
HANDLER(finish_granting);

/* profiles.c */
HANDLER(list_profiles);
HANDLER(show_profile);
HANDLER(delete_profile);
HANDLER(list_placements);

/* chats.c */
HANDLER(list_chats);
HANDLER(create_chat);
HANDLER(show_chat);

/* archive.c */
HANDLER(archive_chat);
HANDLER(unarchive_chat);

/* messages.c */
HANDLER(list_messages);
HANDLER(send_message);
HANDLER(show_message);

/* reactions.c */
HANDLER(react_to_message);
HANDLER(unreact_to_message);

/* edit.c */
HANDLER(edit_message);

/* posts.c */
HANDLER(list_posts);
HANDLER(show_post);
HANDLER(list_comments);
HANDLER(show_comment);

/* private_reply.c */
HANDLER(private_reply);

/* webhooks.c */
HANDLER(list_webhooks);
HANDLER(create_webhook);
HANDLER(show_webhook);
HANDLER(update_webhook);
HANDLER(delete_webhook);
HANDLER(list_deliveries);
HANDLER(rotate_webhook_secret);
HANDLER(test_webhook);
HANDLER(replay_to_webhook);

/* events.c */
HANDLER(list_events);

/* storage.c */
HANDLER(show_stored);

/* operations.c */
HANDLER(show_health);
HANDLER(show_readiness);
HANDLER(show_openapi);

#undef HANDLER

#endif
