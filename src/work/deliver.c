/* deliver.c -- telling a subscriber of an event, and doing so again until it was heard. */
#include "work/deliver.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/id.h"
#include "base/random.h"
#include "work/task.h"

#define CONNECT_MS        5000
#define HOLDS_QUEUE_TRIES 3 /* so often a failing event holds back the later ones of its chat */
#define BODY_MAX          (16 * MIB)

/* ---- the request ---- */

/* "t=UNIX,v1=HEX": the whole secret string is the key. Published verifiers keep the last v1 only, so the old secret's, which is what
 * subscribers that were not told yet have, stands last. */
static struct str
signature_with_time(const struct webhook *w, struct str seconds, struct str signed_text, bool both, struct arena *a)
{
    uint8_t mac[SHA256_SIZE];
    struct buf out;
    struct str text;

    buf_init(&out, KIB);
    buf_printf(&out, "t=%.*s,v1=", STR_ARG(seconds));
    hmac_sha256(w->secret, signed_text, mac);
    hex_encode(&out, (struct str){ (const char *)mac, sizeof(mac) });
    if (both) {
        buf_append(&out, STR(",v1="));
        hmac_sha256(w->old_secret, signed_text, mac);
        hex_encode(&out, (struct str){ (const char *)mac, sizeof(mac) });
    }
    text = arena_copy(a, buf_str(&out));
    buf_deinit(&out);
    return text;
}

/* Standard Webhooks: the key is what the part behind "whsec_" decodes to. */
static void
standard_append(struct buf *out, struct str secret, struct str signed_text)
{
    uint8_t mac[SHA256_SIZE];
    struct buf key;

    buf_init(&key, KIB);
    (void)base64_decode(str_from(secret, 6), &key);
    hmac_sha256(buf_str(&key), signed_text, mac);
    explicit_bzero(key.ptr, key.cap);
    buf_deinit(&key);
    buf_append(out, out->len > 0 ? STR(" v1,") : STR("v1,"));
    base64_encode(out, (struct str){ (const char *)mac, sizeof(mac) });
}

static struct str
standard_signature(const struct webhook *w, struct str signed_text, bool both, struct arena *a)
{
    struct buf out;
    struct str text;

    buf_init(&out, KIB);
    standard_append(&out, w->secret, signed_text);
    if (both)
        standard_append(&out, w->old_secret, signed_text);
    text = arena_copy(a, buf_str(&out));
    buf_deinit(&out);
    return text;
}

void
deliver_request(const struct webhook *w, const struct event *e, struct str delivery_id, int64_t now_ms,
                struct arena *a, struct net_request *out)
{
    struct net_header *h = arena_array(a, struct net_header, 8);
    struct str seconds = arena_printf(a, "%lld", (long long)(now_ms / 1000)), event_id, body, signed_text;
    bool both = w->old_secret.len > 0 && now_ms < w->old_secret_until;
    char id[ID_TEXT_MAX];
    struct buf text;

    buf_init(&text, BODY_MAX);
    event_write(&text, e);
    body = arena_copy(a, buf_str(&text));
    buf_deinit(&text);
    event_id = arena_copy(a, str_of(id_format(ID_EVENT, e->id, id)));
    signed_text = arena_printf(a, "%.*s.%.*s", STR_ARG(seconds), STR_ARG(body));
    h[0] = (struct net_header){ STR("Content-Type"), STR("application/json") };
    h[1] = (struct net_header){ STR("X-Postproxy-Event"), str_of(event_type_names[e->type]) };
    h[2] = (struct net_header){ STR("X-Postproxy-Delivery"), delivery_id };
    h[3] = (struct net_header){ STR("X-Postproxy-Signature"),
                                signature_with_time(w, seconds, signed_text, both, a) };
    h[4] = (struct net_header){ STR("webhook-id"), event_id };
    h[5] = (struct net_header){ STR("webhook-timestamp"), seconds };
    signed_text = arena_printf(a, "%.*s.%.*s", STR_ARG(event_id), STR_ARG(signed_text));
    h[6] = (struct net_header){ STR("webhook-signature"), standard_signature(w, signed_text, both, a) };
    *out = (struct net_request){
        .url = w->url, .headers = h, .header_count = 7, .body = body, .connect_ms = CONNECT_MS,
        .total_ms = config.webhook_timeout_ms, .response_max = DELIVER_RESPONSE_MAX, .guarded = true,
    };
}

void
deliver_outcome(const struct net_response *r, struct arena *a, struct delivery *out)
{
    out->response_status = r->status;
    /* what an endpoint says beyond 64 KiB is not read, but its status counts */
    out->success = (r->result == NET_ANSWERED || r->result == NET_TOO_BIG) && r->status / 100 == 2;
    out->duration_ms = r->took_us / 1000;
    out->error = STR_NONE;
    if (!out->success)
        out->error = r->result == NET_ANSWERED ? arena_printf(a, "The endpoint answered %d", r->status)
                                               : arena_copy(a, str_of(r->error));
    out->response_body = STR_NONE;
    if (r->body.len > 0) {
        struct str kept = str_utf8_cut(r->body, DELIVER_KEPT_MAX);

        out->response_body = str_is_utf8(kept) ? kept : STR("(not text)");
    }
}

/* ---- the job ---- */

static bool
deliver_load(struct task *t, struct db *db, struct error *err)
{
    bool found;

    if (!job_get(db, t->job.id, &t->arena, &t->job, &found, err))
        return false;
    t->gone = !found;
    if (t->gone)
        return true;
    if (!webhook_get(db, t->lane_id, &t->arena, &t->webhook, &found, err))
        return false;
    if (found && t->webhook.enabled && !event_get(db, t->job.record_id, &t->arena, &t->event, &found, err))
        return false;
    t->gone = !found || !t->webhook.enabled;
    return true;
}

static bool
deliver_drop(struct task *t, struct db *db, struct error *err)
{
    return job_finish(db, &t->job, clock_now_ms(), err);
}

/* When to try again; 0 = never. */
static int64_t
deliver_next_at(const struct task *t, int attempt, int64_t now_ms)
{
    const struct net_response *r = &t->call.response;
    int64_t wait_ms;

    if ((size_t)attempt > config.webhook_retry_count)
        return 0;
    wait_ms = random_jitter(config.webhook_retry_ms[attempt - 1], 20);
    if ((r->status == 429 || r->status == 503) && r->retry_after_ms > wait_ms)
        wait_ms = r->retry_after_ms;
    return now_ms + wait_ms;
}

static bool
deliver_store_failure(struct task *t, struct db *db, struct delivery *d, int64_t now_ms, struct error *err)
{
    struct webhook *w = &t->webhook;
    struct str reason = STR_NONE;

    if (d->response_status == 410)
        reason = STR("The endpoint answered 410 Gone");
    else if (w->failing_since != 0 && now_ms - w->failing_since > WEBHOOK_GIVE_UP_MS)
        reason = STR("Five days went by without one successful delivery");
    d->next_attempt_at = reason.len > 0 ? 0 : deliver_next_at(t, d->attempt_number, now_ms);
    if (!delivery_log(db, d, err) || !webhook_note_failure(db, w, now_ms, err))
        return false;
    if (reason.len > 0)
        return webhook_disable(db, w, reason, now_ms, err);
    if (d->next_attempt_at == 0)
        return job_finish(db, &t->job, now_ms, err);
    if (d->attempt_number >= HOLDS_QUEUE_TRIES && !job_leave_queue(db, &t->job, now_ms, err))
        return false;
    return job_retry(db, &t->job, d->next_attempt_at, d->attempt_number, STR_NONE, err);
}

static bool
deliver_store(struct task *t, struct db *db, struct error *err)
{
    int64_t now_ms = clock_now_ms();
    struct delivery d = {
        .id = t->job.id, .webhook_id = t->webhook.id, .event_id = t->event.id, .event_type = t->event.type,
        .attempt_number = t->job.attempts + 1, .attempted_at = now_ms, .created_at = t->job.created_at,
    };
    struct job before = t->job;
    struct webhook webhook = t->webhook;
    bool ok;

    deliver_outcome(&t->call.response, &t->arena, &d);
    t->flag = d.success;
    if (d.success)
        ok = delivery_log(db, &d, err) && webhook_note_success(db, &t->webhook, err)
            && job_finish(db, &t->job, now_ms, err);
    else
        ok = deliver_store_failure(t, db, &d, now_ms, err);
    if (!ok) { /* rolled back, and run again */
        t->job = before;
        t->webhook = webhook;
    }
    return ok;
}

static void
deliver_stored(struct task *t)
{
    if (t->flag)
        task_counters(t)->delivered++;
    else
        task_counters(t)->delivery_failures++;
    task_end(t);
}

static void
deliver_answered(struct task *t)
{
    const struct net_response *r = &t->call.response;

    if (r->result == NET_ANSWERED && r->status / 100 == 2)
        lane_went_well(task_lane(t));
    else
        lane_went_badly(task_lane(t));
    task_txn_must(t, deliver_store, deliver_stored);
}

static void
deliver_loaded(struct task *t)
{
    char id[ID_TEXT_MAX];

    if (t->gone) {
        task_txn_must(t, deliver_drop, task_end);
        return;
    }
    deliver_request(&t->webhook, &t->event, arena_copy(&t->arena, str_of(id_format(ID_DELIVERY, t->job.id, id))),
                    clock_now_ms(), &t->arena, &t->call.request);
    task_call(t, deliver_answered);
}

void
deliver_start(struct task *t)
{
    task_txn(t, DB_READ, deliver_load, deliver_loaded);
}
