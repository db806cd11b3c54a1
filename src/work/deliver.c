#include "work/deliver.h"

#include "base/config.h"
#include "base/id.h"
#include "base/random.h"

#define CONNECT_MS 5000
#define BODY_MAX   (16 * MIB)

/* ---- the request ---- */

/* "t=UNIX,v1=HEX": the whole secret string is the key. Published verifiers keep the last v1 only,
 * so the old secret's, which is what subscribers that were not told yet have, stands last. */
static struct str
signature_with_time(const struct webhook *w, struct str seconds, struct str signed_text, bool both, struct arena *a)
{
    uint8_t mac[SHA256_SIZE];
    struct buf out;

    buf_init(&out, KIB);
    buf_printf(&out, "t=%.*s,v1=", STR_ARG(seconds));
    hmac_sha256(w->secret, signed_text, mac);
    hex_encode(&out, (struct str){ (const char *)mac, sizeof(mac) });
    if (both) {
        buf_append(&out, STR(",v1="));
        hmac_sha256(w->old_secret, signed_text, mac);
        hex_encode(&out, (struct str){ (const char *)mac, sizeof(mac) });
    }
    return arena_take(a, &out);
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

    buf_init(&out, KIB);
    standard_append(&out, w->secret, signed_text);
    if (both)
        standard_append(&out, w->old_secret, signed_text);
    return arena_take(a, &out);
}

/* "EVENT.SECONDS.BODY". What the older of the two signatures is about begins behind the event. */
static struct str
text_to_sign(struct str event_id, struct str seconds, struct str body, struct arena *a)
{
    size_t len = event_id.len + seconds.len + body.len + 2;
    char *text = arena_bytes(a, len), *at = text;

    at = mempcpy(at, event_id.ptr, event_id.len);
    *at++ = '.';
    at = mempcpy(at, seconds.ptr, seconds.len);
    *at++ = '.';
    if (body.len > 0)
        memcpy(at, body.ptr, body.len);
    return (struct str){ text, len };
}

void
deliver_sign(const struct webhook *w, struct str type, struct str event_id, struct str body, struct str delivery_id,
             int64_t now_ms, struct arena *a, struct net_request *out)
{
    struct net_header *h = arena_array(a, struct net_header, 7);
    struct str seconds = arena_printf(a, "%lld", (long long)(now_ms / 1000));
    struct str signed_text = text_to_sign(event_id, seconds, body, a);
    bool both = w->old_secret.len > 0 && now_ms < w->old_secret_until;

    h[0] = (struct net_header){ STR("Content-Type"), STR("application/json") };
    h[1] = (struct net_header){ STR("X-Postproxy-Event"), type };
    h[2] = (struct net_header){ STR("X-Postproxy-Delivery"), delivery_id };
    h[3] = (struct net_header){ STR("X-Postproxy-Signature"),
                                signature_with_time(w, seconds, str_from(signed_text, event_id.len + 1), both, a) };
    h[4] = (struct net_header){ STR("webhook-id"), event_id };
    h[5] = (struct net_header){ STR("webhook-timestamp"), seconds };
    h[6] = (struct net_header){ STR("webhook-signature"), standard_signature(w, signed_text, both, a) };
    *out = (struct net_request){ .url = w->url, .headers = h, .header_count = 7, .body = body, .connect_ms = CONNECT_MS,
                                 .response_max = DELIVER_RESPONSE_MAX };
}

void
deliver_request(const struct webhook *w, const struct event *e, struct str delivery_id, int64_t now_ms,
                struct arena *a, struct net_request *out)
{
    char id[ID_TEXT_MAX];
    struct str event_id, body;
    struct buf text;

    buf_init(&text, BODY_MAX);
    event_write(&text, e);
    body = arena_take(a, &text);
    event_id = arena_copy(a, str_of(id_format(ID_EVENT, e->id, id)));
    deliver_sign(w, str_of(event_type_names[e->type]), event_id, body, delivery_id, now_ms, a, out);
    out->total_ms = config.webhook_timeout_ms;
    out->guarded = true;
    out->line = arena_copy(a, str_of(id_format(ID_WEBHOOK, w->id, id)));
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
        out->error = r->result == NET_ANSWERED || r->result == NET_TOO_BIG
                       ? arena_printf(a, "The endpoint answered %d", r->status)
                       : arena_copy(a, str_of(r->error));
    out->response_body = STR_NONE;
    if (r->body.len > 0) {
        struct str kept = str_utf8_cut(r->body, DELIVER_KEPT_MAX);

        out->response_body = str_is_utf8(kept) && !memchr(kept.ptr, 0, kept.len) ? kept : STR("(not text)");
    }
}

int64_t
deliver_wait_ms(const struct delivery *d, int64_t retry_after_ms)
{
    int64_t wait_ms;

    if (d->success || (size_t)d->attempt_number > config.webhook_retry_count)
        return -1;
    wait_ms = random_jitter(config.webhook_retry_ms[d->attempt_number - 1], 20);
    if (retry_after_ms > DELIVER_RETRY_AFTER_MAX_MS)
        retry_after_ms = DELIVER_RETRY_AFTER_MAX_MS;
    if ((d->response_status == 429 || d->response_status == 503) && retry_after_ms > wait_ms)
        wait_ms = retry_after_ms;
    return wait_ms;
}

struct str
deliver_reason_to_disable(const struct delivery *d, struct str url, const struct delivery_state *now, int64_t now_ms)
{
    if (d->success || !now->enabled || !str_eq(url, now->url))
        return STR_NONE; /* what another address answered says nothing of the one it has now */
    if (d->response_status == 410)
        return STR("The endpoint answered 410 Gone");
    if (d->attempt_number > DELIVER_HOLDS_TRIES && now_ms - now->failing_since > WEBHOOK_GIVE_UP_MS)
        return STR("Five days went by without one successful delivery");
    return STR_NONE;
}
