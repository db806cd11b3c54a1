/* courier.c -- see courier.h. Who waits, who is under way, who is through; the single request is in transfer.c. */
#include "net/courier.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/crash.h"
#include "base/mailbox.h"
#include "net/loop.h"
#include "net/queue.h"
#include "net/transfer.h"

#define PER_HOST_DEFAULT 64
#define TOTAL_DEFAULT 2000
#define SPARE_MAX 256 /* handles kept for reuse; they cost 6 KB each */

struct transfer_list {
    struct transfer *first, *last;
    size_t           count;
};

struct courier {
    struct loop            loop;
    uv_idle_t              soon; /* when something is through that must not be told from inside courier_send() */
    CURLM                 *multi;
    struct transfer_common common;
    struct addresses       addresses;
    struct queue           queue;
    struct transfer_list   lists[TRANSFER_STATES];
    CURL                  *spare[SPARE_MAX];
    size_t                 spare_count;
    char                  *ca_bundle, *user_agent;
    bool                   closing;
    int                    parts_open; /* loop and `soon` */
};

static void on_soon(uv_idle_t *idle);

/* ---- Lists ---- */

static void
list_remove(struct courier *c, struct transfer *t)
{
    struct transfer_list *l = &c->lists[t->state];

    if (t->prev)
        t->prev->next = t->next;
    else
        l->first = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        l->last = t->prev;
    t->next = t->prev = NULL;
    l->count--;
}

static void
list_append(struct courier *c, struct transfer *t, enum transfer_state state)
{
    struct transfer_list *l = &c->lists[state];

    t->state = state;
    t->prev  = l->last;
    if (l->last)
        l->last->next = t;
    else
        l->first = t;
    l->last = t;
    l->count++;
}

static void
move_to(struct courier *c, struct transfer *t, enum transfer_state state)
{
    list_remove(c, t);
    list_append(c, t, state);
}

/* ---- A transfer's way ---- */

static CURL *
take_easy(struct courier *c)
{
    CURL *easy = c->spare_count > 0 ? c->spare[--c->spare_count] : curl_easy_init();

    if (!easy)
        out_of_memory();
    return easy;
}

static void
give_easy(struct courier *c, struct transfer *t)
{
    CURL *easy = t->easy;

    if (!easy)
        return;
    transfer_unhook(t);
    if (c->spare_count < SPARE_MAX)
        c->spare[c->spare_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

/* In its host's line, or in its user's own at that host. */
static void
join_line(struct courier *c, struct transfer *t)
{
    struct str user = t->call->request.line;
    char *line = NULL;

    if (user.len == 0) {
        queue_join(&c->queue, str_of(t->to->host), &t->turn);
        return;
    }
    if (asprintf(&line, "%s %.*s", t->to->host, STR_ARG(user)) < 0)
        out_of_memory();
    queue_join(&c->queue, str_of(line), &t->turn);
    free(line);
}

static void
enqueue(struct courier *c, struct transfer *t)
{
    join_line(c, t);
    move_to(c, t, TRANSFER_WAITING);
}

static void
start(struct courier *c, struct transfer *t)
{
    if (transfer_start(t, take_easy(c))) {
        CURLMcode code = curl_multi_add_handle(c->multi, t->easy);

        if (code == CURLM_OK) {
            move_to(c, t, TRANSFER_RUNNING);
            return;
        }
        transfer_fault(t, "cannot start the request", curl_multi_strerror(code));
    }
    give_easy(c, t);
    queue_leave(&c->queue, &t->turn);
    move_to(c, t, TRANSFER_FINISHED);
}

/* Starts whoever may go. Only called from outside of libcurl's callbacks. */
static void
start_waiting(struct courier *c)
{
    struct queue_item *item;

    while (!c->closing && (item = queue_next(&c->queue)) != NULL)
        start(c, container_of(item, struct transfer, turn));
}

static void
tell_soon(struct courier *c)
{
    if (c->lists[TRANSFER_FINISHED].count > 0 && !c->closing)
        uv_idle_start(&c->soon, on_soon);
}

/* Takes in what libcurl is through with. */
static void
collect(struct courier *c)
{
    struct transfer *t;
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        CURLcode code = m->data.result;
        CURL *easy = m->easy_handle;
        bool through;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
        curl_multi_remove_handle(c->multi, easy); /* `m` is gone from here on */
        through = transfer_end(t, code);
        give_easy(c, t);
        queue_leave(&c->queue, &t->turn);
        if (through)
            move_to(c, t, TRANSFER_FINISHED);
        else
            enqueue(c, t);
    }
}

static void
tell(struct courier *c, struct transfer *t)
{
    struct net_call *call = t->call;

    list_remove(c, t);
    transfer_free(t);
    call->transfer = NULL;
    crash_point_if(call->response.result == NET_ANSWERED, "call: answered, nobody told");
    call->done(call);
}

/* Tells of what was through when it began; what a done() adds is told on the next turn, so that calls which fail at
 * once and are sent again cannot keep the loop from its sockets. A done() may cancel others and free the courier. */
static void
deliver(struct courier *c)
{
    for (size_t n = c->lists[TRANSFER_FINISHED].count; n > 0 && !c->closing && c->lists[TRANSFER_FINISHED].first; n--)
        tell(c, c->lists[TRANSFER_FINISHED].first);
    start_waiting(c);
    tell_soon(c);
}

static void
on_soon(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    deliver(idle->data);
}

static void
on_loop_worked(struct loop *l)
{
    struct courier *c = container_of(l, struct courier, loop);

    collect(c);
    start_waiting(c);
    deliver(c);
}

/* ---- Life ---- */

/* The system's certificates, where libcurl was built to find them or where systems usually have them; NULL leaves it
 * to libcurl. */
static const char *
system_bundle(void)
{
    static const char *const usual[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *built_in = curl_version_info(CURLVERSION_NOW)->cainfo;

    if (built_in && access(built_in, R_OK) == 0)
        return built_in;
    for (size_t i = 0; i < COUNT(usual); i++)
        if (access(usual[i], R_OK) == 0)
            return usual[i];
    return NULL;
}

static void
part_gone(struct courier *c)
{
    if (--c->parts_open > 0)
        return;
    queue_deinit(&c->queue);
    addresses_deinit(&c->addresses);
    free(c->ca_bundle);
    free(c->user_agent);
    free(c);
}

static void
on_loop_closed(struct loop *l)
{
    part_gone(container_of(l, struct courier, loop));
}

static void
on_soon_closed(uv_handle_t *handle)
{
    part_gone(handle->data);
}

static char *
copy_or_none(const char *s)
{
    char *copy = s ? strdup(s) : NULL;

    if (s && !copy)
        out_of_memory();
    return copy;
}

bool
courier_new(const struct courier_options *options, struct courier **out, struct error *err)
{
    const char *bundle = options->ca_bundle ? options->ca_bundle : system_bundle();
    int total_max = options->total_max > 0 ? options->total_max : TOTAL_DEFAULT;
    struct courier *c;

    *out = NULL;
    if (bundle && access(bundle, R_OK) != 0)
        return error_set(err, 500, "cannot read the certificates in %s", bundle);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, 500, "cannot start libcurl");
    c = calloc(1, sizeof(*c));
    if (!c)
        out_of_memory();
    c->multi = curl_multi_init();
    if (!c->multi || !loop_init(&c->loop, options->loop, c->multi)) {
        curl_multi_cleanup(c->multi);
        free(c);
        return error_set(err, 500, "cannot start the loop of outbound requests");
    }
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)total_max); /* kept ones included */
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    c->loop.after  = on_loop_worked;
    c->loop.closed = on_loop_closed;
    uv_idle_init(options->loop, &c->soon);
    c->soon.data  = c;
    c->parts_open = 2;
    c->ca_bundle  = copy_or_none(bundle);
    c->user_agent = copy_or_none(options->user_agent ? options->user_agent : "Parley/" PARLEY_VERSION);
    c->common = (struct transfer_common){
        .guard = options->guard, .addresses = &c->addresses, .ca_bundle = c->ca_bundle,
        .user_agent = c->user_agent,
    };
    queue_init(&c->queue, options->per_host_max > 0 ? options->per_host_max : PER_HOST_DEFAULT, total_max);
    *out = c;
    return true;
}

/* Out of libcurl, out of the queue; the easy handle is free again. */
static void
withdraw(struct courier *c, struct transfer *t)
{
    if (t->state == TRANSFER_RUNNING) {
        curl_multi_remove_handle(c->multi, t->easy);
        give_easy(c, t);
    }
    queue_leave(&c->queue, &t->turn);
}

void
courier_free(struct courier *c)
{
    struct transfer *t;

    if (!c)
        return;
    assert(!c->closing);
    c->closing = true;
    while ((t = c->lists[TRANSFER_RUNNING].first) != NULL || (t = c->lists[TRANSFER_WAITING].first) != NULL) {
        transfer_abort(t, "cancelled, because the server is stopping");
        withdraw(c, t);
        move_to(c, t, TRANSFER_FINISHED);
    }
    while ((t = c->lists[TRANSFER_FINISHED].first) != NULL)
        tell(c, t);
    while (c->spare_count > 0)
        curl_easy_cleanup(c->spare[--c->spare_count]);
    curl_multi_cleanup(c->multi);
    loop_close(&c->loop);
    uv_close((uv_handle_t *)&c->soon, on_soon_closed);
}

void
courier_send(struct courier *c, struct net_call *call)
{
    struct transfer *t = transfer_new(&c->common, call);

    call->transfer = t;
    list_append(c, t, TRANSFER_FINISHED);
    if (c->closing)
        transfer_abort(t, "not sent, because the server is stopping");
    else if (transfer_check(t))
        enqueue(c, t);
    start_waiting(c);
    tell_soon(c);
}

void
courier_cancel(struct courier *c, struct net_call *call)
{
    struct transfer *t = call->transfer;

    if (!t)
        return;
    withdraw(c, t);
    transfer_drop_save(t);
    list_remove(c, t);
    transfer_free(t);
    call->transfer = NULL;
    start_waiting(c);
    tell_soon(c);
}

int64_t
courier_in_flight(const struct courier *c)
{
    size_t n = 0;

    for (int state = 0; state < TRANSFER_STATES; state++)
        n += c->lists[state].count;
    return (int64_t)n;
}
