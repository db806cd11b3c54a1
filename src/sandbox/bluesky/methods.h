/* methods.h -- the XRPC methods, grouped into files by what they are about; call.c has what is true of all. */
#ifndef PARLEY_SANDBOX_BLUESKY_METHODS_H
#define PARLEY_SANDBOX_BLUESKY_METHODS_H

#include "sandbox/bluesky/call.h"

/* session.c */
bool bs_create_session(struct bs_call *c, struct json *w, struct error *err);
bool bs_refresh_session(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_session(struct bs_call *c, struct json *w, struct error *err);
bool bs_delete_session(struct bs_call *c, struct json *w, struct error *err);

/* repo.c */
bool bs_describe_server(struct bs_call *c, struct json *w, struct error *err);
bool bs_resolve_handle(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_record(struct bs_call *c, struct json *w, struct error *err);
bool bs_put_record(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_profile(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_profiles(struct bs_call *c, struct json *w, struct error *err);

/* reading.c */
bool bs_get_log(struct bs_call *c, struct json *w, struct error *err);
bool bs_list_convos(struct bs_call *c, struct json *w, struct error *err);
bool bs_list_requests(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_convo(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_convo_for_members(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_availability(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_convo_members(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_messages(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_unread_counts(struct bs_call *c, struct json *w, struct error *err);
bool bs_get_chat_status(struct bs_call *c, struct json *w, struct error *err);

/* writing.c */
bool bs_send_message(struct bs_call *c, struct json *w, struct error *err);
bool bs_send_batch(struct bs_call *c, struct json *w, struct error *err);
bool bs_update_read(struct bs_call *c, struct json *w, struct error *err);
bool bs_update_all_read(struct bs_call *c, struct json *w, struct error *err);
bool bs_mute_convo(struct bs_call *c, struct json *w, struct error *err);
bool bs_unmute_convo(struct bs_call *c, struct json *w, struct error *err);
bool bs_accept_convo(struct bs_call *c, struct json *w, struct error *err);
bool bs_leave_convo(struct bs_call *c, struct json *w, struct error *err);
bool bs_delete_message(struct bs_call *c, struct json *w, struct error *err);
bool bs_add_reaction(struct bs_call *c, struct json *w, struct error *err);
bool bs_remove_reaction(struct bs_call *c, struct json *w, struct error *err);

#endif
