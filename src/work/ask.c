/* ask.c -- the worker's courier on behalf of a request that waits for the answer (worker.h). */
#include <stdlib.h>

#include "work/worker_internal.h"

struct asking {
    struct run    run;
    struct ask   *ask;
};

static void
ask_reply(struct mail *m)
{
    struct ask *ask = container_of(m, struct ask, mail);

    ask->done(ask);
}

static void
ask_done(struct run *r)
{
    struct asking *asking = r->user;
    struct ask *ask = asking->ask;

    ask->op = asking->run.op;
    ask->end = asking->run.end;
    ask->mail.open = ask_reply;
    free(asking);
    mailbox_post(ask->reply_to, &ask->mail);
}

static void
ask_start(struct mail *m)
{
    struct ask *ask = container_of(m, struct ask, mail);
    struct worker *w = ask->run;
    struct asking *asking = calloc(1, sizeof(*asking));

    if (!asking)
        out_of_memory();
    asking->ask = ask;
    asking->run = (struct run){
        .platform = ask->platform, .op = ask->op, .courier = w->courier, .errors = w->errors, .done = ask_done,
        .user = asking,
    };
    asking->run.op.env = w->options.env;
    run_start(&asking->run);
}

void
worker_ask(struct worker *w, struct ask *ask)
{
    ask->run = w;
    ask->mail.open = ask_start;
    mailbox_post(&w->mailbox, &ask->mail);
}

static void
call_reply(struct mail *m)
{
    struct worker_call *c = container_of(m, struct worker_call, mail);

    c->done(c);
}

static void
call_done(struct net_call *call)
{
    struct worker_call *c = container_of(call, struct worker_call, call);

    c->mail.open = call_reply;
    mailbox_post(c->reply_to, &c->mail);
}

static void
call_start(struct mail *m)
{
    struct worker_call *c = container_of(m, struct worker_call, mail);

    courier_send(c->worker->courier, &c->call);
}

void
worker_call(struct worker *w, struct worker_call *c)
{
    c->worker = w;
    c->call.done = call_done;
    c->mail.open = call_start;
    mailbox_post(&w->mailbox, &c->mail);
}
