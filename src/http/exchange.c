/* exchange.c -- the exchange between its connection and its handler: how it comes back, from whichever thread, and
 * what has to wait until the loop is in the middle of nothing. */
#include "http/conn.h"

#include <assert.h>

#include "base/clock.h"

void
http_conn_end_exchange(struct http_conn *c)
{
    const struct http_options *o = &c->loop->server->options;
    struct http_exchange      *x = &c->x;

    if (c->answering && o->on_finished)
        o->on_finished(o->ctx, x, clock_mono_us() - x->request.received_us);
    c->answering = false;
    http_body_release(&c->body);
    http_reply_clear(x);
    arena_reset(&x->arena);
    x->user = NULL;
}

/* ---- from the top of the loop ---- */

static void
on_later(struct mail *m)
{
    struct http_conn *c = container_of(m, struct http_conn, later);

    c->later_posted = false;
    if (c->state == CONN_CLOSED && c->stream) {
        http_stream_gone(c);
        http_conn_end_exchange(c);
    } else if (c->state == CONN_STREAMING && c->stream_mute)
        http_stream_drain(c);
    else if (c->stream_lost)
        http_conn_close(c);
    else if (c->state == CONN_REPLYING)
        http_conn_reply_more(c);
    http_conn_free_if_over(c);
}

void
http_conn_later(struct http_conn *c)
{
    if (c->later_posted)
        return;
    c->later_posted = true;
    c->later.open = on_later;
    mailbox_post(&c->loop->box, &c->later);
}

/* ---- back from the handler ---- */

static void
exchange_returned(struct http_conn *c)
{
    assert(c->out);
    c->out = false;
    if (c->state == CONN_HANDLING) {
        http_conn_reply(c);
        return;
    }
    http_conn_end_exchange(c); /* the client has gone meanwhile */
    http_conn_free_if_over(c);
}

static void
on_done(struct mail *m)
{
    exchange_returned(container_of(m, struct http_conn, done));
}

void
http_exchange_done(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);

    if (http_current_loop == c->loop) {
        exchange_returned(c);
        return;
    }
    c->done.open = on_done;
    mailbox_post(&c->loop->box, &c->done);
}

void
http_exchange_cut(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);

    assert(http_current_loop == c->loop);
    c->stream = NULL; /* closed() is not owed */
    c->out = false;
    if (c->state != CONN_CLOSED) {
        http_conn_close(c);
        return;
    }
    http_conn_end_exchange(c); /* the client has gone by itself */
    http_conn_free_if_over(c);
}
