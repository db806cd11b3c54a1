/* control.h -- the control API of this stand-in: /sandbox/meta/... as docs/sandbox.md lists it. */
#ifndef PARLEY_SANDBOX_META_CONTROL_H
#define PARLEY_SANDBOX_META_CONTROL_H

#include "sandbox/meta/state.h"

#define FB_CONTROL_ROUTES 36
extern const struct stage_route fb_control_routes[FB_CONTROL_ROUTES];

/* Whom the path names; NULL with a 404. */
struct fb_account *fb_control_account(struct fb *fb, const struct http_exchange *x, struct error *err);
bool fb_control_body(struct http_exchange *x, yyjson_val **out, struct error *err); /* an object; empty = {} */
int64_t fb_control_id(yyjson_val *obj, const char *key); /* a number, or its digits; 0 = none */

#define FB_HANDLER(name) bool name(void *state, struct http_exchange *x, struct json *w, struct error *err)

/* control_chat.c: what people do in chats, and the business in its own inbox */
FB_HANDLER(fb_control_chats);
FB_HANDLER(fb_control_messages);
FB_HANDLER(fb_control_write);
FB_HANDLER(fb_control_inbox);
FB_HANDLER(fb_control_edit);
FB_HANDLER(fb_control_unsend);
FB_HANDLER(fb_control_react);
FB_HANDLER(fb_control_tap);
FB_HANDLER(fb_control_postback);
FB_HANDLER(fb_control_referral);
FB_HANDLER(fb_control_read);
FB_HANDLER(fb_control_block);
FB_HANDLER(fb_control_unblock);

/* control_post.c: posts and comments */
FB_HANDLER(fb_control_posts);
FB_HANDLER(fb_control_post);
FB_HANDLER(fb_control_comments);
FB_HANDLER(fb_control_comment);
FB_HANDLER(fb_control_change_comment);
FB_HANDLER(fb_control_remove_comment);

/* written.c: reads what a message shall say, from JSON or from parts; its text lives in the exchange's arena */
bool fb_written_read(struct fb_chat *chat, struct http_exchange *x, struct fb_message *out, struct error *err);

#endif
