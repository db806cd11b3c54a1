/* methods.c -- the table of methods; see methods.h. */
#include "sandbox/bluesky/methods.h"

#include "base/array.h"

#define CONVO "chat.bsky.convo."

/* The account server looks at the permission of an app password only for the methods that were there first. */
#define READ       METHOD_GET,  BS_AUTH_ACCESS, .guarded = false
#define READ_DM    METHOD_GET,  BS_AUTH_ACCESS, .guarded = true
#define CHANGE     METHOD_POST, BS_AUTH_ACCESS, .guarded = false, .input = true
#define CHANGE_DM  METHOD_POST, BS_AUTH_ACCESS, .guarded = true, .input = true
#define LOOK       METHOD_GET,  BS_AUTH_OPTIONAL
#define LOOK_BARE  METHOD_GET,  BS_AUTH_NONE
#define RENEW      METHOD_POST, BS_AUTH_REFRESH

const struct bs_method bs_methods[] = {
    { "com.atproto.server.createSession", METHOD_POST, BS_AUTH_NONE, .input = true, .run = bs_create_session },
    { "com.atproto.server.refreshSession", RENEW, .run = bs_refresh_session },
    { "com.atproto.server.deleteSession", RENEW, .run = bs_delete_session },
    { "com.atproto.server.getSession", READ, .run = bs_get_session },
    { "com.atproto.server.describeServer", LOOK_BARE, .run = bs_describe_server },
    { "com.atproto.identity.resolveHandle", LOOK_BARE, .run = bs_resolve_handle },
    { "com.atproto.repo.getRecord", LOOK_BARE, .run = bs_get_record },
    { "com.atproto.repo.putRecord", CHANGE, .run = bs_put_record },
    { "app.bsky.actor.getProfile", LOOK, .run = bs_get_profile },
    { "app.bsky.actor.getProfiles", LOOK, .run = bs_get_profiles },
    { "chat.bsky.actor.getStatus", READ, .run = bs_get_chat_status },
    { CONVO "getLog", READ_DM, .run = bs_get_log },
    { CONVO "listConvos", READ_DM, .run = bs_list_convos },
    { CONVO "listConvoRequests", READ, .run = bs_list_requests },
    { CONVO "getConvo", READ_DM, .run = bs_get_convo },
    { CONVO "getConvoForMembers", READ_DM, .run = bs_get_convo_for_members },
    { CONVO "getConvoAvailability", READ, .run = bs_get_availability },
    { CONVO "getConvoMembers", READ, .run = bs_get_convo_members },
    { CONVO "getMessages", READ_DM, .run = bs_get_messages },
    { CONVO "getUnreadCounts", READ, .run = bs_get_unread_counts },
    { CONVO "sendMessage", CHANGE_DM, .run = bs_send_message },
    { CONVO "sendMessageBatch", CHANGE_DM, .run = bs_send_batch },
    { CONVO "updateRead", CHANGE_DM, .run = bs_update_read },
    { CONVO "updateAllRead", CHANGE, .run = bs_update_all_read },
    { CONVO "muteConvo", CHANGE_DM, .run = bs_mute_convo },
    { CONVO "unmuteConvo", CHANGE_DM, .run = bs_unmute_convo },
    { CONVO "acceptConvo", CHANGE, .run = bs_accept_convo },
    { CONVO "leaveConvo", CHANGE_DM, .run = bs_leave_convo },
    { CONVO "deleteMessageForSelf", CHANGE_DM, .run = bs_delete_message },
    { CONVO "addReaction", CHANGE, .run = bs_add_reaction },
    { CONVO "removeReaction", CHANGE, .run = bs_remove_reaction },
};
const size_t bs_method_count = COUNT(bs_methods);
