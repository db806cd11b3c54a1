/* tell.h -- telling the app by its webhook, and telling whoever watches the sandbox. */
#ifndef PARLEY_SANDBOX_META_TELL_H
#define PARLEY_SANDBOX_META_TELL_H

#include "sandbox/meta/hook.h"

/* An event of a chat: the frame and these members. Returns how often it goes; 0 = the app does not want it. */
int fb_tell(struct fb_chat *chat, enum fb_field field, bool by_person, int64_t at_ms, struct str members,
    struct fb_call *waiter);

/* A message has been written, by whoever; also for those who watch. */
int fb_tell_message(const struct fb_message *m, struct fb_call *waiter);
int fb_tell_unsent(const struct fb_message *m);
int fb_tell_edit(const struct fb_message *m);
int fb_tell_reaction(const struct fb_message *m, struct str name, struct str emoji, bool is_new);
int fb_tell_read(struct fb_chat *chat, const struct fb_message *last);
int fb_tell_delivery(const struct fb_message *m);

/* A comment: `verb` as Pages' events have it; Instagram tells only of "add". */
int fb_tell_comment(const struct fb_comment *c, const char *verb);

/* ---- for those who watch ---- */

void fb_show_message_change(const struct fb_message *m, const char *what); /* "message", "changed" */
void fb_show_chat(const struct fb_chat *chat, const char *what, struct str members);
void fb_show(struct fb *fb, const char *what);

#endif
