/* views.h -- how things look to one account: profiles, messages, conversations, the events of its log. */
#ifndef PARLEY_SANDBOX_BLUESKY_VIEWS_H
#define PARLEY_SANDBOX_BLUESKY_VIEWS_H

#include "sandbox/bluesky/state.h"

/* Who looks, and under which address: "http://127.0.0.1:8090". */
struct bs_eye {
    const struct bs_account *account; /* NULL = nobody in particular */
    struct str               base;
};

/* Members into the object that is open. */
void bs_profile_members(const struct bs_eye *eye, const struct bs_account *a, struct json *w);
void bs_profile_write(const struct bs_eye *eye, const struct bs_account *a, struct json *w, const char *name);

/* A messageView, deletedMessageView or systemMessageView. `typed` says so in $type, as a union needs it. */
void bs_message_write(const struct bs_eye *eye, const struct bs_message *m, bool typed, struct json *w,
    const char *name);
void bs_message_members(const struct bs_eye *eye, const struct bs_message *m, bool typed, struct json *w);

void bs_convo_write(const struct bs_eye *eye, const struct bs_member *m, struct json *w, const char *name);

/* False, with nothing written, when its message has been forgotten. */
bool bs_entry_write(const struct bs_eye *eye, const struct bs_entry *entry, struct json *w);

/* The DID document: under which handle and on which server the account is. */
void bs_did_doc_write(const struct bs_account *a, struct str base, struct json *w, const char *name);

#endif
