/* parse.c -- one webhook for every Page and Instagram account of the app: whose it is, who wrote, what happened.
 *
 * A payload has entries, an entry has items of one account. Each item is read for itself: what ought to be one of our
 * kinds and is not shaped like it makes the batch not_understood and stops none of its neighbours. The customer is
 * whichever of sender and recipient the entry is not about, because the two change places in echoes, and not in all
 * events that one would call so.
 *
 * The dashboard's "Test" button sends what looks like a message as a change of entry "0": ignored. So is what opens no
 * conversation and changes none (opt-ins, hand-overs between apps, policy notices). */
#include "base/array.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "platform/mend.h"
#include "platform/meta/inbound.h"

#define SIGNATURE_HEADER "X-Hub-Signature-256"
#define SECONDS_BELOW    100000000000    /* as milliseconds this is in 1973, as seconds in the year 5138 */
#define TEXT_MAX         (64 * KIB)
#define CALLED_MAX       1000
#define TIME_MAX         253402300799999 /* the end of the year 9999 */

/* ---- the signature ---- */

static bool
read_signature(struct str value, uint8_t out[SHA256_SIZE])
{
    static const struct str prefix = { "sha256=", 7 };
    struct str hex = str_from(value, prefix.len);

    if (!str_starts(value, prefix) || hex.len != (size_t)2 * SHA256_SIZE)
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = str_hex_digit(hex.ptr[2 * i]), low = str_hex_digit(hex.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool
is_signed_with(struct str secret, struct str body, const uint8_t signature[SHA256_SIZE])
{
    uint8_t expected[SHA256_SIZE];

    if (secret.len == 0)
        return false;
    hmac_sha256(secret, body, expected);
    return crypto_equal((struct str){ (const char *)expected, SHA256_SIZE },
        (struct str){ (const char *)signature, SHA256_SIZE });
}

/* Meta does not say which of an app's two secrets signs what comes from Instagram Login, so either will do. */
bool
meta_verify(const struct platform_env *env, const struct net_header *headers, size_t n, struct str body)
{
    uint8_t signature[SHA256_SIZE];
    bool    by_app, by_instagram;

    for (size_t i = 0; i < n; i++) {
        if (!str_eq_nocase(headers[i].name, STR(SIGNATURE_HEADER)))
            continue;
        if (!read_signature(headers[i].value, signature))
            return false;
        by_app = is_signed_with(env->meta_app_secret, body, signature);
        by_instagram = is_signed_with(env->instagram_app_secret, body, signature);
        return by_app || by_instagram;
    }
    return false;
}

/* ---- ids and times ---- */

static bool
is_id(struct str text)
{
    if (text.len == 0 || text.len > META_ID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

/* Ids pass 2^53, which a double would round. */
struct str
meta_id(struct arena *a, yyjson_val *obj, const char *key)
{
    yyjson_val *val = json_get(obj, key);
    struct str  text = json_val_str(val);

    if (yyjson_is_uint(val))
        return arena_printf(a, "%llu", (unsigned long long)yyjson_get_uint(val));
    return is_id(text) ? text : STR_NONE;
}

/* Meta's own limits are far below these two. What is beyond would fit into no event and no list of ours. */
struct str
meta_text(yyjson_val *obj, const char *key)
{
    return str_utf8_cut(json_str(obj, key), TEXT_MAX);
}

struct str
meta_name(yyjson_val *obj, const char *key)
{
    return str_utf8_cut(json_str(obj, key), CALLED_MAX);
}

int64_t
meta_time(yyjson_val *obj, const char *key)
{
    struct str text = json_str(obj, key);
    int64_t    n = json_int(obj, key, 0);

    if (str_is_none(text) || str_to_i64(text, &n))
        n = n < SECONDS_BELOW && n > 0 ? n * 1000 : n;
    else if (!time_parse(text, &n))
        return 0;
    return n > 0 && n <= TIME_MAX ? n : 0;
}

/* ---- one item of a conversation ---- */

void
meta_add(struct meta_reader *r, const struct inbound_event *event)
{
    struct inbound_event *added;

    r->out->events = arena_more(r->a, r->out->events, r->out->count, &r->cap, sizeof(*event));
    added = &r->out->events[r->out->count++];
    *added = *event;
    added->account_id = r->account_id;
    if (added->at_ms == 0)
        added->at_ms = r->entry_ms;
}

/* Where neither is the entry's, the frame says who is who. What an Instagram account writes to itself is a test. */
static enum meta_reading
read_people(struct meta_reader *r, yyjson_val *item, bool is_echo, struct inbound_event *event)
{
    struct str sender = meta_id(r->a, json_get(item, "sender"), "id");
    struct str recipient = meta_id(r->a, json_get(item, "recipient"), "id");
    bool       from_us = str_eq(sender, r->account_id), to_us = str_eq(recipient, r->account_id);

    if (from_us && to_us)
        return META_IGNORED;
    event->outbound = from_us || is_echo;
    event->from.external_id = from_us || (is_echo && !to_us) ? recipient : sender;
    return event->from.external_id.len > 0 ? META_TAKEN : META_NOT_UNDERSTOOD;
}

static enum meta_reading
read_message(struct meta_reader *r, yyjson_val *message, struct inbound_event *event)
{
    event->external_id = meta_id(r->a, message, "mid");
    if (event->external_id.len == 0)
        return META_NOT_UNDERSTOOD;
    if (json_true(message, "is_deleted")) {
        event->kind = INBOUND_DELETION;
        return META_TAKEN;
    }
    event->kind = INBOUND_MESSAGE;
    meta_read_content(r, message, event);
    return META_TAKEN;
}

/* Instagram announces some new messages as edit number 0, without a text and at times without saying by whom. What the
 * message says must be asked for. */
static enum meta_reading
read_edit(struct meta_reader *r, yyjson_val *edit, struct inbound_event *event)
{
    struct str number = json_str(edit, "num_edit");

    event->external_id = meta_id(r->a, edit, "mid");
    event->body = meta_text(edit, "text");
    event->sequence = json_int(edit, "num_edit", 0);
    if (!str_is_none(number) && !str_to_i64(number, &event->sequence))
        event->sequence = 0;
    if (event->external_id.len == 0)
        return META_NOT_UNDERSTOOD;
    if (event->sequence <= 0 || event->body.len == 0) {
        event->kind = INBOUND_HINT;
        event->sequence = 0;
        event->body = STR_NONE;
        return META_TAKEN;
    }
    event->kind = INBOUND_EDIT;
    event->text_only = true;
    return META_TAKEN;
}

/* What a reaction looks like that comes by its name alone, as older ones do. One face has two names. */
static struct str
emoji_of(struct str reaction)
{
    return meta_emoji_of(str_eq(reaction, STR("laugh")) ? STR("smile") : reaction);
}

static enum meta_reading
read_reaction(struct meta_reader *r, yyjson_val *reaction, struct inbound_event *event)
{
    struct str action = json_str(reaction, "action");

    event->kind = INBOUND_REACTION;
    event->external_id = meta_id(r->a, reaction, "mid");
    event->is_removed = str_eq(action, STR("unreact"));
    if (event->external_id.len == 0 || (!event->is_removed && !str_eq(action, STR("react"))))
        return META_NOT_UNDERSTOOD;
    event->reaction = json_str(reaction, "reaction");
    event->emoji = json_str(reaction, "emoji");
    if (event->emoji.len == 0)
        event->emoji = emoji_of(event->reaction);
    return event->is_removed || event->reaction.len > 0 || event->emoji.len > 0 ? META_TAKEN : META_NOT_UNDERSTOOD;
}

/* `mid` came with version 11. Without it a tap is known by whose it is and when. */
static enum meta_reading
read_postback(struct meta_reader *r, yyjson_val *postback, struct inbound_event *event)
{
    event->kind = INBOUND_MESSAGE;
    event->external_id = meta_id(r->a, postback, "mid");
    if (event->external_id.len == 0 && event->at_ms == 0)
        return META_NOT_UNDERSTOOD;
    if (event->external_id.len == 0)
        event->external_id = arena_printf(r->a, "postback:%.*s:%lld", STR_ARG(event->from.external_id),
            (long long)event->at_ms);
    meta_read_tap(r, postback, event);
    return META_TAKEN;
}

static enum meta_reading
read_referral(struct meta_reader *r, yyjson_val *referral, struct inbound_event *event)
{
    event->kind = INBOUND_REFERRAL;
    event->referral = json_text(r->a, referral);
    return META_TAKEN;
}

/* Messenger says until when, Instagram which one. That our own account has read something is no receipt. */
static enum meta_reading
read_read(struct meta_reader *r, yyjson_val *read, struct inbound_event *event)
{
    event->kind = INBOUND_READ;
    event->watermark_ms = meta_time(read, "watermark");
    if (event->watermark_ms == 0)
        event->external_id = meta_id(r->a, read, "mid");
    if (event->watermark_ms == 0 && event->external_id.len == 0)
        return META_NOT_UNDERSTOOD;
    return event->outbound ? META_IGNORED : META_TAKEN;
}

/* The watermark covers the ids beside it. Without one, each id is an event. */
static enum meta_reading
read_delivery(struct meta_reader *r, yyjson_val *delivery, struct inbound_event *event)
{
    yyjson_arr_iter mids = yyjson_arr_iter_with(json_arr(delivery, "mids"));
    yyjson_val     *mid;
    bool            any = false;

    event->kind = INBOUND_DELIVERY;
    if (event->outbound)
        return META_IGNORED;
    event->watermark_ms = meta_time(delivery, "watermark");
    if (event->watermark_ms > 0)
        return META_TAKEN;
    while ((mid = yyjson_arr_iter_next(&mids)) != NULL) {
        if (!is_id(json_val_str(mid))) {
            r->out->not_understood = true;
            continue;
        }
        if (any)
            meta_add(r, event);
        event->external_id = json_val_str(mid);
        any = true;
    }
    return any ? META_TAKEN : META_NOT_UNDERSTOOD;
}

/* The first that is there decides. */
static const struct {
    const char *key;
    enum meta_reading (*read)(struct meta_reader *r, yyjson_val *val, struct inbound_event *event);
} kinds[] = {
    { "message", read_message },
    { "message_edit", read_edit },
    { "reaction", read_reaction },
    { "postback", read_postback },
    { "referral", read_referral },
    { "read", read_read },
    { "delivery", read_delivery },
};

static enum meta_reading
read_item(struct meta_reader *r, yyjson_val *item, struct inbound_event *event)
{
    const size_t      n = COUNT(kinds);
    yyjson_val       *val = NULL;
    enum meta_reading people, reading;
    size_t            i;

    if (!yyjson_is_obj(item))
        return META_NOT_UNDERSTOOD;
    for (i = 0; i < n; i++) {
        val = json_get(item, kinds[i].key);
        if (val && !yyjson_is_null(val))
            break;
    }
    if (i == n)
        return META_IGNORED;
    if (!yyjson_is_obj(val))
        return META_NOT_UNDERSTOOD;
    event->at_ms = meta_time(item, "timestamp");
    people = read_people(r, item, json_true(val, "is_echo"), event);
    if (people == META_IGNORED || (people == META_NOT_UNDERSTOOD && kinds[i].read != read_edit))
        return people;
    reading = kinds[i].read(r, val, event);
    if (reading == META_TAKEN && event->kind != INBOUND_HINT)
        return people;
    return reading;
}

/* ---- one change of what is public ---- */

static enum meta_reading
read_change(struct meta_reader *r, yyjson_val *change, struct inbound_event *event)
{
    struct str  field = json_str(change, "field");
    yyjson_val *value = json_get(change, "value");
    bool        is_page = r->out->platform == &facebook, is_live = str_eq(field, STR("live_comments"));

    if (str_is_none(field))
        return META_NOT_UNDERSTOOD;
    if (is_page ? !str_eq(field, STR("feed")) : !is_live && !str_eq(field, STR("comments")))
        return META_IGNORED;
    if (!yyjson_is_obj(value))
        return META_NOT_UNDERSTOOD;
    event->kind = INBOUND_COMMENT;
    return is_page ? meta_read_page_comment(r, value, event) : meta_read_instagram_comment(r, value, is_live, event);
}

/* ---- entries and payloads ---- */

static void
count(struct meta_reader *r, enum meta_reading reading, const struct inbound_event *event)
{
    switch (reading) {
    case META_TAKEN:
        meta_add(r, event);
        break;
    case META_IGNORED:
        r->out->ignored++;
        break;
    case META_NOT_UNDERSTOOD:
        r->out->not_understood = true;
        break;
    }
}

static void
read_list(struct meta_reader *r, yyjson_val *list,
    enum meta_reading (*read)(struct meta_reader *r, yyjson_val *val, struct inbound_event *event))
{
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    yyjson_val     *val;

    if (list && !yyjson_is_arr(list))
        r->out->not_understood = true;
    while ((val = yyjson_arr_iter_next(&it)) != NULL) {
        struct inbound_event event = { 0 };
        enum meta_reading    reading = read(r, val, &event);

        count(r, reading, &event);
    }
}

/* Instagram Login's comments are documented with the change on the entry itself, and seen in a list. */
static void
read_entry(struct meta_reader *r, yyjson_val *entry)
{
    yyjson_val *messaging = json_get(entry, "messaging"), *standby = json_get(entry, "standby");
    yyjson_val *changes = json_get(entry, "changes"), *field = json_get(entry, "field");

    r->account_id = meta_id(r->a, entry, "id");
    r->entry_ms = meta_time(entry, "time");
    if (r->account_id.len == 0) {
        r->out->not_understood = true;
        return;
    }
    if (str_eq(r->account_id, STR("0")) || (!messaging && !standby && !changes && !field)) {
        r->out->ignored++;
        return;
    }
    r->is_standby = false;
    read_list(r, messaging, read_item);
    r->is_standby = true;
    read_list(r, standby, read_item);
    read_list(r, changes, read_change);
    if (field) {
        struct inbound_event event = { 0 };
        enum meta_reading    reading = read_change(r, entry, &event);

        count(r, reading, &event);
    }
}

static void
read_payload(struct meta_reader *r, yyjson_val *root)
{
    struct str             object = json_str(root, "object");
    yyjson_val            *entries = json_arr(root, "entry"), *entry;
    yyjson_arr_iter        it = yyjson_arr_iter_with(entries);
    const struct platform *platform = str_eq(object, STR("page"))        ? &facebook
                                      : str_eq(object, STR("instagram")) ? &instagram
                                                                         : NULL;

    if (!str_is_none(object) && !platform) {
        r->out->ignored++;
        return;
    }
    if (!platform || !entries || (r->out->platform && r->out->platform != platform)) {
        r->out->not_understood = true;
        return;
    }
    r->out->platform = platform;
    while ((entry = yyjson_arr_iter_next(&it)) != NULL)
        read_entry(r, entry);
}

/* Some of Meta's examples have the whole payload in a list. */
void
meta_parse(struct arena *a, const struct platform_env *env, struct str payload, struct inbound_batch *out)
{
    struct meta_reader r = { .a = a, .out = out, .keeps_stories = env->meta_keep_stories };
    yyjson_val        *root, *wrapped;
    yyjson_arr_iter    it;

    *out = (struct inbound_batch){ 0 };
    r.takes_http = str_starts(env->meta_graph_url, STR("http://"));
    out->not_understood = !mend_parse(a, payload, &root);
    if (out->not_understood)
        return;
    if (!yyjson_is_arr(root)) {
        read_payload(&r, root);
        return;
    }
    it = yyjson_arr_iter_with(root);
    while ((wrapped = yyjson_arr_iter_next(&it)) != NULL)
        read_payload(&r, wrapped);
}
