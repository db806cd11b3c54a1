/* mailbox.c -- see mailbox.h. */
#include "base/mailbox.h"

#include <assert.h>

#include "base/error.h"

static struct mail *
take_first(struct mailbox *box)
{
    struct mail *m;

    uv_mutex_lock(&box->lock);
    m = box->first;
    if (m) {
        box->first = m->next;
        if (!box->first)
            box->last = NULL;
    }
    uv_mutex_unlock(&box->lock);
    return m;
}

/* Opens what was there when it began. What is posted meanwhile gets a turn of its own, so that mail which
 * posts mail cannot keep the loop from its sockets. Taken one by one, because open() may close the box. */
static void
on_wake(uv_async_t *wake)
{
    struct mailbox *box = container_of(wake, struct mailbox, wake);
    struct mail    *m, *stop;

    uv_mutex_lock(&box->lock);
    stop = box->last;
    uv_mutex_unlock(&box->lock);
    while (stop && (m = take_first(box)) != NULL) {
        if (m == stop)
            stop = NULL;
        m->open(m);
    }

    uv_mutex_lock(&box->lock);
    if (box->first && !box->closed)
        uv_async_send(&box->wake);
    uv_mutex_unlock(&box->lock);
}

void
mailbox_init(struct mailbox *box, uv_loop_t *loop)
{
    *box = (struct mailbox){ .first = NULL };
    if (uv_mutex_init(&box->lock) != 0 || uv_async_init(loop, &box->wake, on_wake) != 0)
        out_of_memory();
}

void
mailbox_post(struct mailbox *box, struct mail *m)
{
    assert(m->open);
    m->next = NULL;
    uv_mutex_lock(&box->lock);
    if (!box->closed) {
        if (box->last)
            box->last->next = m;
        else
            box->first = m;
        /* Under the lock, so that no wake-up can meet a handle being closed. */
        if (box->first == m)
            uv_async_send(&box->wake);
        box->last = m;
    }
    uv_mutex_unlock(&box->lock);
}

/* The lock is left alone: a late sender may still come and must find the box closed. */
void
mailbox_close(struct mailbox *box)
{
    struct mail *m;

    for (;;) {
        while ((m = take_first(box)) != NULL)
            m->open(m);
        uv_mutex_lock(&box->lock);
        if (!box->first)
            break;
        uv_mutex_unlock(&box->lock);
    }
    if (!box->closed) {
        box->closed = true;
        uv_close((uv_handle_t *)&box->wake, NULL);
    }
    uv_mutex_unlock(&box->lock);
}
