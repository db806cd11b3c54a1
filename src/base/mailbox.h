/* mailbox.h -- the only way one thread gives another thread's event loop something to do.
 *
 * The sender embeds a `struct mail` in what it hands over; posting allocates nothing and wakes the loop once
 * however many arrive together. Mail is handled in the order it was posted. */
#ifndef PARLEY_BASE_MAILBOX_H
#define PARLEY_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct mail {
    struct mail *next;
    void (*open)(struct mail *m); /* called on the receiving loop's thread; `m` is then the receiver's */
};

struct mailbox {
    uv_async_t   wake;
    uv_mutex_t   lock;
    struct mail *first, *last;
    bool         closed;
};

void mailbox_init(struct mailbox *box, uv_loop_t *loop); /* on the loop's thread; keeps the loop alive */
void mailbox_post(struct mailbox *box, struct mail *m);  /* any thread, also after close (then it stays unopened) */
void mailbox_close(struct mailbox *box);                 /* on the loop's thread; opens what is waiting first */

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
