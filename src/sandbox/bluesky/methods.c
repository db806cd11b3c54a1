/* methods.c -- the table of methods; see methods.h. */
#include "sandbox/bluesky/methods.h"

#define CONVO "chat.bsky.convo."

/* The account server looks at the permission of an app password only for the methods that were there first. */
const struct bs_method bs_methods[] = {
    { "com.atproto.server.createSession",  METHOD_POST, BS_AUTH_NONE,     .input = true, .run = bs_create_session },
    { "com.atproto.server.refreshSession", METHOD_POST, BS_AUTH_REFRESH,  .run = bs_refresh_session },
    { "com.atproto.server.getSession",     METHOD_GET,  BS_AUTH_ACCESS,   .run = bs_get_session },
    { "com.atproto.server.deleteSession",  METHOD_POST, BS_AUTH_REFRESH,  .run = bs_delete_session },
    { "com.atproto.server.describeServer", METHOD_GET,  BS_AUTH_NONE,     .run = bs_describe_server },
    { "com.atproto.identity.resolveHandle", METHOD_GET, BS_AUTH_NONE,     .run = bs_resolve_handle },
    { "com.atproto.repo.getRecord",        METHOD_GET,  BS_AUTH_NONE,     .run = bs_get_record },
    { "com.atproto.repo.putRecord",        METHOD_POST, BS_AUTH_ACCESS,   .input = true, .run = bs_put_record },
    { "app.bsky.actor.getProfile",         METHOD_GET,  BS_AUTH_OPTIONAL, .run = bs_get_profile },
    { "app.bsky.actor.getProfiles",        METHOD_GET,  BS_AUTH_OPTIONAL, .run = bs_get_profiles },
    { "chat.bsky.actor.getStatus",         METHOD_GET,  BS_AUTH_ACCESS,   .run = bs_get_chat_status },
    { CONVO "getLog",                      METHOD_GET,  BS_AUTH_ACCESS,   .guarded = true, .run = bs_get_log },
    { CONVO "listConvos",                  METHOD_GET,  BS_AUTH_ACCESS,   .guarded = true, .run = bs_list_convos },
    { CONVO "listConvoRequests",           METHOD_GET,  BS_AUTH_ACCESS,   .run = bs_list_requests },
    { CONVO "getConvo",                    METHOD_GET,  BS_AUTH_ACCESS,   .guarded = true, .run = bs_get_convo },
    { CONVO "getConvoForMembers",          METHOD_GET,  BS_AUTH_ACCESS,   .guarded = true, .run = bs_get_convo_for_members },
    { CONVO "getConvoAvailability",        METHOD_GET,  BS_AUTH_ACCESS,   .run = bs_get_availability },
    { CONVO "getConvoMembers",             METHOD_GET,  BS_AUTH_ACCESS,   .run = bs_get_convo_members },
    { CONVO "getMessages",                 METHOD_GET,  BS_AUTH_ACCESS,   .guarded = true, .run = bs_get_messages },
    { CONVO "getUnreadCounts",             METHOD_GET,  BS_AUTH_ACCESS,   .run = bs_get_unread_counts },
    { CONVO "sendMessage",                 METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_send_message },
    { CONVO "sendMessageBatch",            METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_send_batch },
    { CONVO "updateRead",                  METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_update_read },
    { CONVO "updateAllRead",               METHOD_POST, BS_AUTH_ACCESS,   .input = true, .run = bs_update_all_read },
    { CONVO "muteConvo",                   METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_mute_convo },
    { CONVO "unmuteConvo",                 METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_unmute_convo },
    { CONVO "acceptConvo",                 METHOD_POST, BS_AUTH_ACCESS,   .input = true, .run = bs_accept_convo },
    { CONVO "leaveConvo",                  METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_leave_convo },
    { CONVO "deleteMessageForSelf",        METHOD_POST, BS_AUTH_ACCESS,   .guarded = true, .input = true, .run = bs_delete_message },
    { CONVO "addReaction",                 METHOD_POST, BS_AUTH_ACCESS,   .input = true, .run = bs_add_reaction },
    { CONVO "removeReaction",              METHOD_POST, BS_AUTH_ACCESS,   .input = true, .run = bs_remove_reaction },
};
const size_t bs_method_count = sizeof(bs_methods) / sizeof(bs_methods[0]);
