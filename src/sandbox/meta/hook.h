/* hook.h -- what the app is told: a queue for each object, POSTed to its callback, signed, tried again.
 *
 * Deliveries are not ordered, as with the real one, but here what concerns one chat is not on its way twice at
 * once, and what fails does not hold up the rest. */
#ifndef PARLEY_SANDBOX_META_HOOK_H
#define PARLEY_SANDBOX_META_HOOK_H

#include "sandbox/meta/fields.h"
#include "sandbox/meta/state.h"

#define FB_EVENTS_MAX       ((size_t)100000)
#define FB_EVENTS_BYTES_MAX ((size_t)128 << 20)

/* Puts an entry (a JSON object) before the account's app, if it is subscribed to the field: once, or twice when the
 * account is connected both ways. `chat` is what it concerns, or 0. `waiter` is told by its resume() when the first
 * attempt is over; NULL for none. Returns how often it goes. */
int fb_hook_push(struct fb_account *a, enum fb_field field, struct str entry, int64_t chat, struct fb_call *waiter);

/* Any whole body, as it is; signed with the app's secret, or with the Instagram app's. */
bool fb_hook_push_raw(struct fb *fb, enum fb_object object, struct str body, bool instagram_secret);

void fb_hooks_init(struct fb *fb);
void fb_hooks_deinit(struct fb *fb);
void fb_hook_pump(struct fb *fb);    /* sends what may be sent now */
void fb_hook_release(struct fb *fb); /* sends all that was held or collected, up to 1000 in one POST */
void fb_hook_clear(struct fb *fb, enum fb_object object); /* cancels and forgets all */
void fb_hook_forget_waiter(struct fb *fb, const struct fb_call *c);

/* Sets the callback, after it has answered the challenge; then `x` is answered. False when it is refused at once. */
bool fb_hook_challenge(struct fb *fb, struct http_exchange *x, yyjson_val *body, struct error *err);
void fb_hook_abandon_challenges(struct fb *fb);

void fb_hook_write(const struct fb *fb, enum fb_object object, struct json *w, const char *name);

/* What Meta signs and sends: non-ASCII as \uXXXX in lower case, and \/ for a slash. */
void fb_append_escaped(struct buf *out, struct str json);

/* "sha256=<hex>" or "sha1=<hex>" over the body, in `a`. */
struct str fb_signature(struct str secret, struct str body, bool sha1, struct arena *a);

#endif
