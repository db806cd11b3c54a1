/* events.c -- what happened, as a list (JSON) or as it happens (server-sent events). */
#include "api/handlers.h"
#include "api/hub.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/id.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define LOOK          5000       /* events a list looks at: its filter may want few of them */
#define LIST_BYTES    (4 * MIB)
#define LOOKS_MAX     100
#define RETRY_MS      2000       /* clients wait so long before they come back */

/* What the steps of one call hand on, and then, if it is to be one, the open stream. In the exchange's arena. */
struct stream {
    int64_t               newest; /* event when the call began */
    int                   looks;  /* how often we have looked whether everything up to that one can be read */
    struct listener       listener;
    struct http_exchange *x;
    struct str            hello;
};

static struct stream *
stream_of(struct call *call)
{
    if (!call->state)
        call->state = arena_new(call->arena, struct stream);
    return call->state;
}

/* ---- what is asked for ---- */

static bool
types_from_query(struct call *call, int64_t *out, struct error *err)
{
    struct str text = call_query(call, "types"), name;
    enum event_type type;

    *out = 0;
    while (text.len > 0) {
        str_cut(text, ',', &name, &text);
        name = str_trim(name);
        if (!event_type_read(name, "types", 400, &type, err))
            return false;
        *out |= INT64_C(1) << type;
    }
    return true;
}

static bool
filter_from_query(struct db *db, struct call *call, struct event_filter *f, struct error *err)
{
    struct str     profile_id = call_query(call, "profile_id"), chat_id = call_query(call, "chat_id");
    struct profile profile = { 0 };
    struct chat    chat = { 0 };

    *f = (struct event_filter){ .group_id = call->scope.group_id };
    if (!types_from_query(call, &f->types, err)
        || (profile_id.len > 0 && !profile_find(db, &call->scope, profile_id, call->arena, &profile, err))
        || (chat_id.len > 0 && !chat_find(db, &call->scope, chat_id, call->arena, &chat, err)))
        return false;
    f->profile_id = profile.id;
    f->chat_id = chat.id;
    return true;
}

static bool
limit_from_query(struct call *call, int64_t *out, struct error *err)
{
    struct str text = call_query(call, "limit");

    *out = LIMIT_DEFAULT;
    if (str_is_none(text) || (str_to_i64(text, out) && *out >= 1 && *out <= LIMIT_MAX))
        return true;
    return error_set(err, 400, "limit must be a number from 1 to %d, not '%.*s'", LIMIT_MAX,
                     STR_ARG(query_shown(text)));
}

/* How far the workspace's events are complete. Usually that is all of them; else the call looks again until it is, and
 * some time later goes without the rest. */
static bool
find_end(struct db *db, struct call *call, int64_t *until, bool *again, struct error *err)
{
    struct stream *s = stream_of(call);
    bool           held;

    if ((s->looks == 0 && !event_newest(db, call->scope.workspace_id, INT64_MAX, &s->newest, err))
        || !event_settled(db, s->newest, until, &held, err))
        return false;
    *again = *until < s->newest && ++s->looks < LOOKS_MAX;
    if (*again)
        call_then(call, list_events, READS);
    return true;
}

/* The event after which to begin. `from_now`: where nothing was said, the newest; else what is oldest. Who has heard of
 * one elsewhere that others may still come before begins a little earlier. */
static bool
position(struct db *db, struct call *call, struct str text, bool from_now, int64_t until, int64_t *out,
         struct error *err)
{
    bool found = false;

    *out = 0;
    if (text.len == 0 && !from_now)
        return true;
    if (text.len == 0 || str_eq(text, STR("now")))
        return event_newest(db, call->scope.workspace_id, until, out, err);
    if (id_parse(ID_EVENT, text, out) && !event_exists(db, call->scope.workspace_id, *out, &found, err))
        return false;
    if (found && *out > until)
        *out = until;
    return found
        || error_set(err, 400, "There is no event '%.*s' to go on from; events are kept for a limited time",
                     STR_ARG(query_shown(text)));
}

/* ---- as a list ---- */

static bool
reply_events(struct call *call, const struct event_page *page)
{
    char        id[ID_TEXT_MAX];
    struct json w;

    reply_begin(call, 200, &w);
    json_begin(&w, NULL);
    json_begin_array(&w, "data");
    for (size_t i = 0; i < page->count; i++) {
        buf_append(w.buf, i > 0 ? STR(",") : STR(""));
        event_write(w.buf, &page->events[i]);
    }
    json_end_array(&w);
    json_put_str(&w, "next_after", page->last ? str_of(id_format(ID_EVENT, page->last, id)) : STR_NONE);
    json_put_bool(&w, "has_more", page->more);
    json_end(&w);
    return true;
}

static bool
list_some(struct db *db, struct call *call, const struct event_filter *f, struct error *err)
{
    struct event_page page;
    int64_t           until, after, limit;
    bool              again;

    if (!find_end(db, call, &until, &again, err) || again)
        return again;
    return position(db, call, call_query(call, "after"), false, until, &after, err)
        && limit_from_query(call, &limit, err)
        && event_list(db, call->scope.workspace_id, f, after, until, LOOK, (size_t)limit, LIST_BYTES, call->arena,
                      &page, err)
        && reply_events(call, &page);
}

/* ---- as they happen ---- */

static struct http_exchange *
exchange_of(const struct listener *l)
{
    return container_of(l, struct stream, listener)->x;
}

static bool
stream_write(struct listener *l, struct str bytes)
{
    return http_stream_write(exchange_of(l), bytes);
}

static size_t
stream_unsent(const struct listener *l)
{
    return http_stream_unsent(exchange_of(l));
}

static void
stream_end(struct listener *l)
{
    http_stream_end(exchange_of(l));
}

static struct listener *
listener_of(struct http_exchange *x)
{
    struct call *call = x->user;

    return &stream_of(call)->listener;
}

static void
stream_drained(struct http_exchange *x)
{
    hub_drained(listener_of(x));
}

static void
stream_closed(struct http_exchange *x)
{
    hub_leave(listener_of(x));
}

static void
begin_streaming(struct call *call)
{
    static const struct http_stream_events events = { .drained = stream_drained, .closed = stream_closed };
    struct stream                         *s = stream_of(call);
    struct api                            *api = call->api;

    http_stream_begin(call->x, &events);
    hub_join(api->threads[call->x->thread].hub, http_mailbox(api->http, call->x->thread), &s->listener, s->hello);
}

/* Who begins with what comes is told where that is, so that also a stream that breaks before its
 * first event is resumed where it began. */
static struct str
hello(struct call *call, int64_t at, bool resumes)
{
    char id[ID_TEXT_MAX];

    if (resumes || at == 0)
        return arena_printf(call->arena, "retry: %d\n\n", RETRY_MS);
    return arena_printf(call->arena, "retry: %d\nid: %s\n\n", RETRY_MS, id_format(ID_EVENT, at, id));
}

/* The key's id is looked up here, because the cache of keys does not have it. */
static bool
stream_from_now_on(struct db *db, struct call *call, const struct event_filter *f, struct error *err)
{
    static const struct listener_ops ops = { .write = stream_write, .unsent = stream_unsent, .end = stream_end };
    struct stream                   *s = stream_of(call);
    struct str                       last = http_header_get(&call->x->request, STR("Last-Event-ID"));
    struct scope                     scope;
    int64_t                          until;
    bool                             found, again;

    if (!find_end(db, call, &until, &again, err) || again)
        return again;
    if (last.len == 0)
        last = call_query(call, "after");
    s->x = call->x;
    s->listener = (struct listener){ .ops = &ops, .workspace_id = call->scope.workspace_id, .filter = *f };
    if (!position(db, call, last, true, until, &s->listener.at, err)
        || !key_find(db, call->key_hash, &scope, &s->listener.key_id, &found, err)
        || !(found || key_refused(err)))
        return false;
    s->hello = hello(call, s->listener.at, last.len > 0 && !str_eq(last, STR("now")));
    call->x->reply.status = 200;
    http_reply_header(call->x, STR("Content-Type"), STR("text/event-stream"));
    http_reply_header(call->x, STR("Cache-Control"), STR("no-store"));
    http_reply_header(call->x, STR("X-Accel-Buffering"), STR("no")); /* nginx would collect it */
    call_stream(call, begin_streaming);
    return true;
}

bool
list_events(struct db *db, struct call *call, struct error *err)
{
    struct str          accept = http_header_get(&call->x->request, STR("Accept"));
    struct event_filter filter;

    if (!filter_from_query(db, call, &filter, err))
        return false;
    if (str_find_nocase(accept, STR("text/event-stream")) >= 0)
        return stream_from_now_on(db, call, &filter, err);
    return list_some(db, call, &filter, err);
}
