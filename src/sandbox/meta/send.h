/* send.h -- a message on its way out: what was asked, what it needs, and how it ends. */
#ifndef PARLEY_SANDBOX_META_SEND_H
#define PARLEY_SANDBOX_META_SEND_H

#include "sandbox/meta/call.h"

#define FB_ATTACHMENTS_MAX 30

struct fb_attachment {
    struct str      type;    /* lower case */
    yyjson_val     *payload; /* NULL = none */
    struct str      url;     /* to be fetched; none = nothing is */
    struct fb_file *file;    /* NULL: it has none, or not yet */
    bool            reusable;
};

struct fb_sending {
    struct fb_account    *account; /* whose chat it is: for a Page's token perhaps its Instagram account */
    struct fb_chat       *chat;
    struct fb_comment    *comment; /* of a private reply; NULL = none */
    yyjson_val           *message;
    struct fb_attachment  attachments[FB_ATTACHMENTS_MAX];
    size_t                count, at; /* at: which one is being fetched */
    bool                  is_upload; /* /message_attachments: nothing is sent */
    bool                  pushing, told; /* an echo that goes before the answer */
    struct net_call       fetch;
    void (*done)(struct fb_call *c, struct fb_error *err);
    struct fb_message    *sent;
};

/* ---- attach.c ---- */

/* Reads "attachment" or "attachments"; what was uploaded or is known by its id has its file then. */
bool fb_attachments_read(struct fb_call *c, struct fb_sending *s, struct fb_error *err);

/* Fetches what has an address, one after another, while the call is kept; then goes on with `done`. True when there
 * is nothing to fetch. */
bool fb_attachments_fetch(struct fb_call *c, void (*done)(struct fb_call *c, struct fb_error *err));

/* As webhooks have them: an array, in the arena; none when there are none. */
struct str fb_attachments_json(struct fb_call *c, const struct fb_sending *s);

/* ---- action.c ---- */

bool fb_sender_action(struct fb_call *c, struct fb_sending *s, struct str action, struct json *w, struct fb_error *err);

#endif
