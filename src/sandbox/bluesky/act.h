/* act.h -- what accounts do with conversations, whether through the chat service or as a person of the control
 * API: the rules are the same. Every act goes into the logs of whom it concerns, and is told to those who watch. */
#ifndef PARLEY_SANDBOX_BLUESKY_ACT_H
#define PARLEY_SANDBOX_BLUESKY_ACT_H

#include "sandbox/bluesky/state.h"

/* How the service says no: the newer name, and the text that it has had since before. */
struct bs_refusal {
    const char *name, *text;
    bool        old; /* it had the name always */
};
const struct bs_refusal *bs_refusal(enum bs_no no);
bool                     bs_refusal_read(struct str name, enum bs_no *out); /* "" = BS_YES */

/* May `from` open a conversation with `to`? A conversation there is already opens whatever the settings say now, but
 * for blocks. */
enum bs_no bs_may_open(const struct bs_account *from, const struct bs_account *to);

/* The one conversation of the two, made if need be. */
enum bs_no bs_open(struct bs_account *from, struct bs_account *to, struct bs_convo **out);

/* A group with these members, all of them in it at once; the first made it. */
struct bs_convo *bs_open_group(struct bs *bs, struct str name, struct bs_account *const *members, size_t count);

/* `draft` has passed the checks of form. Writing accepts the conversation. */
enum bs_no bs_may_write(const struct bs_member *m, const struct bs_draft *draft);
enum bs_no bs_write(struct bs_member *m, const struct bs_draft *draft, struct bs_message **out);

void       bs_read(struct bs_member *m, const struct bs_message *up_to); /* NULL = everything */
void       bs_mute(struct bs_member *m, bool muted);
bool       bs_accept(struct bs_member *m); /* false: it was accepted already */
void       bs_leave(struct bs_member *m);
void       bs_delete_for_self(struct bs_member *m, struct bs_message *message);
enum bs_no bs_react(struct bs_member *m, struct bs_message *message, struct str value, bool add);

#endif
