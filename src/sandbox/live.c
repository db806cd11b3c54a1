/* live.c -- see live.h. Who reads too slowly is let go by the HTTP server; the page then connects and
 * loads again. */
#include "sandbox/live.h"

#include <stdlib.h>

#include "sandbox/own.h"

#define WATCHERS_MAX 64
#define QUIET_MS     15000 /* after that a comment keeps proxies from closing the connection */

struct live {
    struct stage         *stage;
    struct http_exchange *watchers[WATCHERS_MAX];
    size_t                count;
    struct alarm          quiet;
    struct buf            event;
};

static void
leave(struct live *l, struct http_exchange *x)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->watchers[i] != x)
            continue;
        l->watchers[i] = l->watchers[--l->count];
        break;
    }
    if (l->count == 0)
        alarm_clear(&l->stage->alarms, &l->quiet);
}

static void
on_drained(struct http_exchange *x)
{
    (void)x;
}

static void
on_closed(struct http_exchange *x)
{
    leave(x->user, x);
}

static const struct http_stream_events events = { .drained = on_drained, .closed = on_closed };

/* Backwards, because a stream that fails may leave at once. */
static void
send_all(struct live *l, struct str bytes)
{
    for (size_t i = l->count; i-- > 0;)
        if (i < l->count)
            http_stream_write(l->watchers[i], bytes);
}

static void
on_quiet(struct alarm *a)
{
    struct live *l = container_of(a, struct live, quiet);

    alarm_set(&l->stage->alarms, a, stage_now_ms(l->stage) + QUIET_MS);
    send_all(l, STR(": still here\n\n"));
}

struct live *
live_new(struct stage *stage)
{
    struct live *l = own_alloc(sizeof(*l));

    l->stage = stage;
    l->quiet.ring = on_quiet;
    buf_init(&l->event, MIB);
    return l;
}

void
live_free(struct live *l)
{
    if (!l)
        return;
    alarm_clear(&l->stage->alarms, &l->quiet);
    while (l->count > 0)
        http_stream_end(l->watchers[--l->count]);
    buf_deinit(&l->event);
    free(l);
}

void
live_clock_moved(struct live *l)
{
    if (l->count > 0)
        alarm_set(&l->stage->alarms, &l->quiet, stage_now_ms(l->stage) + QUIET_MS);
}

bool
live_join(struct live *l, struct http_exchange *x, struct error *err)
{
    if (l->count == WATCHERS_MAX)
        return error_set(err, 503, "%d watch already", WATCHERS_MAX);
    x->user = l;
    x->reply.status = 200;
    http_reply_header(x, STR("Content-Type"), STR("text/event-stream"));
    http_reply_header(x, STR("Cache-Control"), STR("no-store"));
    l->watchers[l->count++] = x;
    http_stream_begin(x, &events);
    http_stream_write(x, STR("retry: 1000\n\n"));
    if (l->quiet.place == 0)
        alarm_set(&l->stage->alarms, &l->quiet, stage_now_ms(l->stage) + QUIET_MS);
    return true;
}

/* ---- stage.h ---- */

bool
stage_is_watched(const struct stage *s)
{
    return s->live && s->live->count > 0;
}

void
stage_tell(struct stage *s, const char *kind, struct str json)
{
    struct live *l = s->live;

    if (!stage_is_watched(s))
        return;
    buf_clear(&l->event);
    buf_printf(&l->event, "event: %s\ndata: ", kind);
    buf_append(&l->event, json);
    buf_append(&l->event, STR("\n\n"));
    if (buf_ok(&l->event))
        send_all(l, buf_str(&l->event));
}
