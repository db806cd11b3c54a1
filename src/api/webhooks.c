/* webhooks.c -- endpoints that want to hear of events, and what became of telling them. */
#include "api/handlers.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/id.h"
#include "store/view.h"
#include "work/deliver.h"

#define TEXT_MAX_BYTES   (64 * KIB) /* of a field; what it really may have is said more kindly */
#define OVERLAP_S        86400
#define OVERLAP_MAX_S    (INT64_C(30) * 86400)
#define REPLAY_IDS_MAX   1000

static bool
webhook_from_path(struct db *db, struct call *call, struct webhook *out, struct error *err)
{
    return webhook_find(db, &call->scope, call_param(call, "id"), call->arena, out, err);
}

static bool
reply_webhook(struct call *call, int status, const struct webhook *wh)
{
    struct json w;

    reply_begin(call, status, &w);
    view_webhook(&w, NULL, wh);
    return true;
}

/* ---- fields ---- */

static bool
url_from_body(struct call *call, struct webhook *wh, struct error *err)
{
    struct str url;

    if (!body_text(call->body.json, "url", TEXT_MAX_BYTES, &url, err))
        return false;
    if (url.len == 0)
        return true;
    wh->url = str_trim(url);
    return net_url_check(call->api->options.guard, wh->url, "url", err);
}

static bool
event_from_value(yyjson_val *val, struct webhook *wh, struct error *err)
{
    struct str name = json_val_str(val);
    enum event_type type;

    if (str_is_none(name))
        return error_set(err, 400, "events must be a list of event names");
    if (str_eq(name, STR("*")))
        return error_set(err, 422, "In events, '*' stands alone: it means all events clients know");
    if (!event_type_read(name, "events", 422, &type, err))
        return false;
    if (wh->events & (INT64_C(1) << type))
        return error_set(err, 422, "events names %s twice", event_type_names[type]);
    wh->events |= INT64_C(1) << type;
    return true;
}

static bool
events_from_body(struct call *call, struct webhook *wh, struct error *err)
{
    yyjson_val *list = json_get(call->body.json, "events"), *val;
    size_t      i, n;

    if (!list || yyjson_is_null(list))
        return true;
    if (!yyjson_is_arr(list))
        return error_set(err, 400, "events must be a list of event names");
    if (yyjson_arr_size(list) == 0)
        return error_set(err, 422, "events must name at least one event, or be [\"*\"]");
    wh->events = 0;
    wh->event_names = json_text(call->arena, list);
    if (str_eq(wh->event_names, STR("[\"*\"]"))) {
        wh->events = EVENTS_BY_STAR;
        return true;
    }
    yyjson_arr_foreach(list, i, n, val)
    {
        if (!event_from_value(val, wh, err))
            return false;
    }
    return true;
}

/* An explicit null or an empty text takes it away. */
static bool
description_from_body(struct call *call, struct webhook *wh, struct error *err)
{
    if (!json_get(call->body.json, "description"))
        return true;
    if (!body_text(call->body.json, "description", TEXT_MAX_BYTES, &wh->description, err))
        return false;
    if (str_code_points(wh->description) <= WEBHOOK_DESCRIPTION_MAX)
        return true;
    return error_set(err, 422, "description may have at most %d characters; this one has %zu", WEBHOOK_DESCRIPTION_MAX,
                     str_code_points(wh->description));
}

/* Forms have text only, so "true" and "32" count as well. */
static bool
enabled_from_body(struct call *call, struct webhook *wh, struct error *err)
{
    yyjson_val *val = json_get(call->body.json, "enabled");
    struct str  text = json_val_str(val);

    if (!val || yyjson_is_null(val))
        return true;
    wh->enabled = yyjson_is_true(val) || str_eq(text, STR("true"));
    return wh->enabled || yyjson_is_false(val) || str_eq(text, STR("false"))
        || error_set(err, 400, "enabled must be true or false");
}

static bool
number_from_body(struct call *call, const char *name, int64_t least, int64_t most, int64_t *out, struct error *err)
{
    yyjson_val *val = json_get(call->body.json, name);
    int64_t     number = json_int(call->body.json, name, -1);

    if (!val || yyjson_is_null(val))
        return true;
    if (!yyjson_is_int(val) && !str_to_i64(json_val_str(val), &number))
        return error_set(err, 400, "%s must be a whole number", name);
    if (number < least || number > most)
        return error_set(err, 422, "%s must lie between %lld and %lld", name, (long long)least, (long long)most);
    *out = number;
    return true;
}

/* What is given goes over what is there. */
static bool
webhook_from_body(struct call *call, struct webhook *wh, struct error *err)
{
    int64_t concurrency = wh->concurrency;

    if (!url_from_body(call, wh, err) || !events_from_body(call, wh, err) || !description_from_body(call, wh, err)
        || !enabled_from_body(call, wh, err)
        || !number_from_body(call, "concurrency", 1, WEBHOOK_CONCURRENCY_MAX, &concurrency, err))
        return false;
    wh->concurrency = (int)concurrency;
    return true;
}

/* ---- endpoints ---- */

bool
list_webhooks(struct db *db, struct call *call, struct error *err)
{
    struct webhook *list;
    struct json     w;
    size_t          n;

    if (!webhook_list(db, &call->scope, call->arena, &list, &n, err))
        return false;
    reply_whole_list_begin(call, &w);
    for (size_t i = 0; i < n; i++)
        view_webhook(&w, NULL, &list[i]);
    reply_list_end(&w);
    return true;
}

/* It hears what the key may see: of one that is limited to a group, that group only. */
bool
create_webhook(struct db *db, struct call *call, struct error *err)
{
    struct webhook wh = { .enabled = true, .concurrency = WEBHOOK_CONCURRENCY };

    return webhook_from_body(call, &wh, err)
        && body_needs(wh.url, "url", err)
        && body_needs(wh.event_names, "events", err)
        && webhook_create(db, &call->scope, &wh, call->now_ms, call->arena, err)
        && reply_webhook(call, 201, &wh);
}

bool
show_webhook(struct db *db, struct call *call, struct error *err)
{
    struct webhook wh;

    return webhook_from_path(db, call, &wh, err) && reply_webhook(call, 200, &wh);
}

bool
update_webhook(struct db *db, struct call *call, struct error *err)
{
    struct webhook wh, before;

    if (!webhook_from_path(db, call, &wh, err))
        return false;
    before = wh;
    return webhook_from_body(call, &wh, err)
        && webhook_update(db, &wh, &before, call->now_ms, err)
        && reply_webhook(call, 200, &wh);
}

bool
delete_webhook(struct db *db, struct call *call, struct error *err)
{
    struct webhook wh;

    return webhook_from_path(db, call, &wh, err)
        && webhook_delete(db, &wh, call->now_ms, err)
        && reply_flag(call, "deleted");
}

bool
rotate_webhook_secret(struct db *db, struct call *call, struct error *err)
{
    int64_t        overlap_s = OVERLAP_S;
    struct webhook wh;

    return webhook_from_path(db, call, &wh, err)
        && number_from_body(call, "overlap_seconds", 0, OVERLAP_MAX_S, &overlap_s, err)
        && webhook_rotate(db, &wh, overlap_s * 1000, call->now_ms, call->arena, err)
        && reply_webhook(call, 200, &wh);
}

/* ---- deliveries ---- */

bool
list_deliveries(struct db *db, struct call *call, struct error *err)
{
    struct delivery *list;
    int64_t          page, per_page;
    struct webhook   wh;
    struct json      w;
    size_t           n;

    if (!query_page(&call->x->request, call->arena, &page, &per_page, err)
        || !webhook_from_path(db, call, &wh, err)
        || !delivery_list(db, &wh, page, per_page, call->arena, &list, &n, err))
        return false;
    reply_list_begin(call, &w, wh.deliveries_count, page, per_page);
    for (size_t i = 0; i < n; i++)
        view_delivery(&w, NULL, &list[i]);
    reply_list_end(&w);
    return true;
}

/* What the endpoint said to the ping. In a transaction, because that is where an Idempotency-Key gets its answer. */
static bool
tell_attempt(struct db *db, struct call *call, struct error *err)
{
    struct delivery d = *(const struct delivery *)call->state;
    struct json     w;

    (void)db;
    (void)err;
    deliver_outcome(call->answer, call->arena, &d);
    reply_begin(call, 200, &w);
    view_delivery(&w, NULL, &d);
    return true;
}

/* A ping is signed and sent like any event, but nobody queues, logs or repeats it. Disabled
 * endpoints hear it too: so one finds out whether to enable them. */
bool
test_webhook(struct db *db, struct call *call, struct error *err)
{
    struct delivery *d = arena_new(call->arena, struct delivery);
    char             text[ID_TEXT_MAX];
    struct webhook   wh;
    struct event     ping;

    if (!webhook_from_path(db, call, &wh, err))
        return false;
    ping = (struct event){ .id = id_generate(call->now_ms), .workspace_id = wh.workspace_id, .type = EVENT_PING,
                           .created_at = call->now_ms };
    ping.data = arena_printf(call->arena, "{\"webhook_id\":\"%s\"}", id_format(ID_WEBHOOK, wh.id, text));
    *d = (struct delivery){ .id = id_generate(call->now_ms), .webhook_id = wh.id, .event_id = ping.id,
                            .event_type = EVENT_PING, .attempt_number = 1, .attempted_at = call->now_ms,
                            .created_at = call->now_ms };
    call->state = d;
    deliver_request(&wh, &ping, arena_copy(call->arena, str_of(id_format(ID_DELIVERY, d->id, text))), call->now_ms,
                    call->arena, call_http(call));
    call_then(call, tell_attempt, WRITES);
    return true;
}

/* ---- once more ---- */

/* `queued` is null where it is not known yet how many there will be. */
static bool
reply_queued(struct call *call, int64_t queued)
{
    struct json w;

    reply_begin(call, 202, &w);
    json_begin(&w, NULL);
    if (queued < 0)
        json_put_null(&w, "queued");
    else
        json_put_int(&w, "queued", queued);
    json_end(&w);
    return true;
}

static bool
replay_since(struct db *db, struct call *call, const struct webhook *wh, struct str since, struct error *err)
{
    int64_t since_ms;

    return query_read_time(since, "since", &since_ms, err)
        && webhook_replay_since(db, wh, since_ms, call->now_ms, err)
        && reply_queued(call, -1);
}

static bool
replay_list(struct db *db, struct call *call, const struct webhook *wh, yyjson_val *list, struct error *err)
{
    int64_t     ids[REPLAY_IDS_MAX], queued;
    size_t      i, n;
    yyjson_val *val;

    if (!yyjson_is_arr(list))
        return error_set(err, 400, "event_ids must be a list of event ids");
    if (yyjson_arr_size(list) == 0 || yyjson_arr_size(list) > REPLAY_IDS_MAX)
        return error_set(err, 422, "event_ids must hold 1 to %d ids, not %zu", REPLAY_IDS_MAX, yyjson_arr_size(list));
    yyjson_arr_foreach(list, i, n, val)
    {
        if (!yyjson_is_str(val))
            return error_set(err, 400, "event_ids must be a list of event ids");
        if (!id_parse(ID_EVENT, json_val_str(val), &ids[i]))
            return error_set(err, 404, "There is no event '%.*s'", STR_ARG(query_shown(json_val_str(val))));
    }
    return webhook_replay_events(db, wh, ids, n, call->now_ms, &queued, err) && reply_queued(call, queued);
}

bool
replay_to_webhook(struct db *db, struct call *call, struct error *err)
{
    yyjson_val    *list = json_get(call->body.json, "event_ids");
    struct str     since;
    struct webhook wh;

    if (!webhook_from_path(db, call, &wh, err) || !body_text(call->body.json, "since", TEXT_MAX_BYTES, &since, err))
        return false;
    if (list && yyjson_is_null(list))
        list = NULL;
    if (since.len > 0 && list)
        return error_set(err, 400, "Give since or event_ids, not both");
    if (since.len == 0 && !list)
        return error_set(err, 400, "since or event_ids is required");
    if (!wh.enabled)
        return error_set(err, 422, "The webhook is disabled; enable it first");
    return list ? replay_list(db, call, &wh, list, err) : replay_since(db, call, &wh, since, err);
}
