/* view.h -- the JSON the outside sees of each thing, in one place, because replies and events must agree.
 *
 * Every key of the contract is always there. `name` is the member to write it as, NULL at the top or in an array. */
#ifndef PARLEY_STORE_VIEW_H
#define PARLEY_STORE_VIEW_H

#include "base/id.h"
#include "json/json.h"
#include "store/message.h"
#include "store/post.h"
#include "store/webhook.h"

void view_group(struct json *w, const char *name, const struct group *g);
void view_profile(struct json *w, const char *name, const struct profile *p);
void view_chat(struct json *w, const char *name, const struct chat *c);
void view_message(struct json *w, const char *name, const struct message *m);
void view_post(struct json *w, const char *name, const struct post *p);
void view_comment(struct json *w, const char *name, const struct comment *c); /* with its replies */
void view_comment_event(struct json *w, const char *name, const struct comment *c); /* the members of comment.created */
void view_webhook(struct json *w, const char *name, const struct webhook *wh); /* with its secret */
void view_delivery(struct json *w, const char *name, const struct delivery *d);

void view_id(struct json *w, const char *name, enum id_kind kind, int64_t id); /* the public one */

#endif
