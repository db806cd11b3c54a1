/* ingest.c -- see inbound.h. What an event is told of is store/'s to know; here it is decided whose it is. */
#include "inbound/inbound.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "store/job.h"
#include "store/post.h"
#include "store/raw_payload.h"

#define HINT_DELAY_MS 10000 /* what is only hinted at usually comes by itself within seconds */
#define RAW_KEPT_MAX  ((int64_t)64 << 20) /* of one account: where it is polled, its server may be anybody's. A
                                           * payload of many accounts counts as the first one's */

/* What storing one event needs at every step. */
struct ingest {
    struct db            *db;
    const struct profile *profile;
    int64_t               now_ms;
    struct arena         *arena;
    struct ingest_counts *counts;
};

/* The chat an event belongs to. What names a person makes one where there is none; what names a conversation only does
 * not say whose a new one would be. */
static bool
ingest_chat(struct ingest *in, const struct inbound_event *e, struct chat *out, bool *found, bool *created,
            struct error *err)
{
    *found = true;
    *created = false;
    if (e->from.external_id.len > 0)
        return chat_open(in->db, in->profile, &e->from, e->conversation_id, in->now_ms, in->arena, out, created, err);
    *found = false;
    if (e->conversation_id.len > 0
        && !chat_of_conversation(in->db, in->profile->id, e->conversation_id, in->arena, out, found, err))
        return false;
    if (!*found)
        in->counts->ignored++;
    return true;
}

/* One that is already there: nothing is made of it otherwise. */
static bool
ingest_known_chat(struct ingest *in, const struct inbound_event *e, struct chat *out, bool *found, struct error *err)
{
    *found = false;
    if (e->from.external_id.len > 0
        && !chat_of_participant(in->db, in->profile->id, e->from.external_id, in->arena, out, found, err))
        return false;
    return *found || e->conversation_id.len == 0
        || chat_of_conversation(in->db, in->profile->id, e->conversation_id, in->arena, out, found, err);
}

static bool
ingest_referral(struct ingest *in, struct chat *c, const struct inbound_event *e, struct error *err)
{
    bool told;

    return e->referral.len == 0
        || chat_refer(in->db, c, e->referral, e->at_ms ? e->at_ms : in->now_ms, !e->is_history, in->now_ms, in->arena,
                      &told, err);
}

/* The person is there, so they have not blocked us, and may have a new name. */
static bool
ingest_sign_of_life(struct ingest *in, const struct chat *c, const struct inbound_event *e, bool created,
                    struct error *err)
{
    if (e->outbound || e->is_history)
        return true;
    if (c->blocked_at != 0 && (e->at_ms == 0 || e->at_ms >= c->blocked_at)
        && !chat_set_blocked(in->db, c->id, 0, err))
        return false;
    return created || chat_ask_participant(in->db, c, in->now_ms, err);
}

static bool
ingest_message(struct ingest *in, struct chat *c, const struct inbound_event *e, bool created, struct error *err)
{
    struct job answer = { .kind = JOB_ANSWER_TAP, .lane_id = in->profile->id, .due_at = in->now_ms,
                          .payload = e->tap_id };
    struct message message;
    bool stored;

    if (!message_receive(in->db, c, e, in->now_ms, in->arena, &message, &stored, err))
        return false;
    if (!stored)
        return true;
    in->counts->stored++;
    answer.record_id = message.id;
    return (e->tap_id.len == 0 || job_add(in->db, &answer, in->now_ms, err))
        && ingest_referral(in, c, e, err)
        && ingest_sign_of_life(in, c, e, created, err);
}

/* Everything that belongs to a chat and makes it where it is missing, so that the order does not matter. */
static bool
ingest_in_chat(struct ingest *in, const struct inbound_event *e, struct error *err)
{
    struct chat chat;
    bool found, created;

    if (!ingest_chat(in, e, &chat, &found, &created, err))
        return false;
    if (!found)
        return true;
    if (e->kind == INBOUND_MESSAGE)
        return ingest_message(in, &chat, e, created, err);
    in->counts->stored++;
    switch (e->kind) {
    case INBOUND_EDIT:
        return message_receive_edit(in->db, &chat, e, in->now_ms, in->arena, err);
    case INBOUND_DELETION:
        return message_receive_deletion(in->db, &chat, e, in->now_ms, in->arena, err);
    case INBOUND_REACTION:
        return message_receive_reaction(in->db, &chat, e, in->now_ms, in->arena, err);
    case INBOUND_DELIVERY:
    case INBOUND_READ:
        return message_receive_receipt(in->db, &chat, e, in->now_ms, in->arena, err);
    case INBOUND_REFERRAL:
        return ingest_referral(in, &chat, e, err);
    case INBOUND_MESSAGE:
    case INBOUND_COMMENT:
    case INBOUND_BLOCK:
    case INBOUND_UNBLOCK:
    case INBOUND_MUTE:
    case INBOUND_UNMUTE:
    case INBOUND_HINT:
    case INBOUND_KINDS:
        break;
    }
    return true;
}

static bool
ingest_comment(struct ingest *in, const struct inbound_event *e, struct error *err)
{
    bool stored;

    if (!e->comment || e->comment->external_id.len == 0 || e->comment->post_id.len == 0) {
        in->counts->ignored++;
        return true;
    }
    if (!comment_receive(in->db, in->profile, e, in->now_ms, in->arena, &stored, err))
        return false;
    in->counts->stored += stored;
    return true;
}

/* Somebody who blocks an account that never talked to them opens no chat. What comes late or again is overtaken by
 * what the person did since: they wrote after the block, or blocked after the unblocking. */
static bool
ingest_block(struct ingest *in, const struct inbound_event *e, struct error *err)
{
    bool lifts = e->kind == INBOUND_UNBLOCK, found;
    int64_t at_ms = e->at_ms ? e->at_ms : in->now_ms;
    struct chat chat;

    if (!ingest_known_chat(in, e, &chat, &found, err))
        return false;
    if (!found || at_ms < (lifts ? chat.blocked_at : chat.last_inbound_at))
        return true;
    return chat_set_blocked(in->db, chat.id, lifts ? 0 : at_ms, err);
}

static bool
ingest_mute(struct ingest *in, const struct inbound_event *e, struct error *err)
{
    struct chat chat;
    bool found;

    if (!ingest_known_chat(in, e, &chat, &found, err))
        return false;
    if (!found) {
        in->counts->ignored++;
        return true;
    }
    return chat_set_archived(in->db, &chat, e->kind == INBOUND_MUTE, in->arena, err);
}

static bool
ingest_hint(struct ingest *in, const struct inbound_event *e, struct error *err)
{
    struct job ask = { .kind = JOB_HINT, .lane_id = in->profile->id, .record_id = in->profile->id,
                       .due_at = in->now_ms + HINT_DELAY_MS, .payload = e->external_id };
    bool known;

    if (e->external_id.len == 0) {
        in->counts->ignored++;
        return true;
    }
    if (!message_is_known(in->db, in->profile, e->external_id, &known, err))
        return false;
    return known || job_add_named(in->db, &ask, in->now_ms, err);
}

static bool
ingest_sane_event(struct ingest *in, const struct inbound_event *e, struct error *err)
{
    switch (e->kind) {
    case INBOUND_MESSAGE:
    case INBOUND_EDIT:
    case INBOUND_DELETION:
    case INBOUND_REACTION:
    case INBOUND_DELIVERY:
    case INBOUND_READ:
    case INBOUND_REFERRAL:
        return ingest_in_chat(in, e, err);
    case INBOUND_BLOCK:
    case INBOUND_UNBLOCK:
        return ingest_block(in, e, err);
    case INBOUND_MUTE:
    case INBOUND_UNMUTE:
        return ingest_mute(in, e, err);
    case INBOUND_COMMENT:
        return ingest_comment(in, e, err);
    case INBOUND_HINT:
        return ingest_hint(in, e, err);
    case INBOUND_KINDS:
        break;
    }
    return error_set(err, 500, "An event of unknown kind %d came from %s", (int)e->kind, in->profile->platform->name);
}

/* An account's server may be anybody's, and what is dated in the year 9999 would stay on top for ever. */
static bool
ingest_event(struct ingest *in, const struct inbound_event *told, struct error *err)
{
    struct inbound_comment comment;
    struct inbound_event e = *told;

    e.at_ms = clock_sane(e.at_ms, in->now_ms);
    e.posted_ms = clock_sane(e.posted_ms, in->now_ms);
    e.watermark_ms = clock_sane(e.watermark_ms, in->now_ms);
    if (e.comment) {
        comment = *e.comment;
        comment.posted_ms = clock_sane(comment.posted_ms, in->now_ms);
        e.comment = &comment;
    }
    return ingest_sane_event(in, &e, err);
}

static void
count(const struct inbound_batch *batch, struct ingest_counts *counts)
{
    *counts = (struct ingest_counts){ .events = (int)batch->count, .ignored = (int)batch->ignored,
                                      .not_understood = batch->not_understood };
    for (size_t i = 0; i < batch->count; i++)
        if (batch->events[i].kind < INBOUND_KINDS)
            counts->kinds[batch->events[i].kind]++;
}

/* `p` is NULL where nobody's account is in it. */
static bool
ingest_keep(struct ingest *in, const struct profile *p, struct str payload, struct error *err)
{
    int64_t id = p ? p->id : 0, kept;

    if (!raw_payload_size(in->db, id, &kept, err))
        return false;
    if (kept + (int64_t)payload.len <= RAW_KEPT_MAX)
        return raw_payload_keep(in->db, id, payload, in->now_ms, err);
    log_warn("what came was not understood, and is not kept: too much of the account's is already",
             LOG_CSTR("platform", p ? p->platform->name : "none of ours"),
             LOG_STR("account", p ? p->external_id : STR("")));
    return true;
}

bool
ingest_ahead(struct db *db, int64_t profile_id, const struct inbound_batch *batch)
{
    const struct inbound_event *e = batch->events;

    return batch->count == 1 && e->kind == INBOUND_MESSAGE && !e->outbound && e->from.external_id.len > 0
        && chat_ask_ahead(db, profile_id, e->from.external_id);
}

bool
ingest(struct db *db, const struct profile *p, const struct inbound_batch *batch, struct str payload, int64_t now_ms,
       struct arena *a, struct ingest_counts *counts, struct error *err)
{
    struct ingest in = { .db = db, .profile = p, .now_ms = now_ms, .arena = a, .counts = counts };

    count(batch, counts);
    for (size_t i = 0; i < batch->count; i++)
        if (!ingest_event(&in, &batch->events[i], err))
            return false;
    if (batch->not_understood && !ingest_keep(&in, p, payload, err))
        return false;
    return batch->cursor.len == 0 || str_eq(batch->cursor, p->poll_cursor)
        || profile_set_cursor(db, p->id, batch->cursor, err);
}

/* ---- one payload, many accounts ---- */

struct route { /* whose an account is */
    struct str      account_id;
    struct profile *profiles;
    size_t          count;
    struct route   *next; /* another account with the same hash */
};

/* NULL with an error. */
static const struct route *
route_find(struct ingest *in, struct map *routes, const struct platform *platform, struct str account_id,
           struct error *err)
{
    int64_t hash = str_hash(account_id);
    struct route *first = map_get(routes, hash), *new;

    for (const struct route *r = first; r; r = r->next)
        if (str_eq(r->account_id, account_id))
            return r;
    new = arena_new(in->arena, struct route);
    *new = (struct route){ .account_id = account_id, .next = first };
    if (!profile_list_of_account(in->db, platform->name, account_id, in->arena, &new->profiles, &new->count, err))
        return NULL;
    map_put(routes, hash, new);
    return new;
}

/* *first becomes the first profile that anything was for. */
static bool
ingest_routed(struct ingest *in, const struct inbound_batch *batch, const struct profile **first, struct error *err)
{
    const struct route *route = NULL;
    struct map routes = { 0 };
    bool ok = true;

    for (size_t i = 0; i < batch->count && batch->platform && ok; i++) {
        if (!route || !str_eq(route->account_id, batch->events[i].account_id)) /* one account's come together */
            route = route_find(in, &routes, batch->platform, batch->events[i].account_id, err);
        ok = route != NULL;
        in->counts->unrouted += ok && route->count == 0;
        for (size_t j = 0; ok && j < route->count; j++) {
            in->profile = &route->profiles[j];
            *first = *first ? *first : in->profile;
            ok = ingest_event(in, &batch->events[i], err);
        }
    }
    map_deinit(&routes);
    return ok;
}

bool
ingest_app(struct db *db, const struct inbound_batch *batch, struct str payload, int64_t now_ms, struct arena *a,
           struct ingest_counts *counts, struct error *err)
{
    struct ingest in = { .db = db, .now_ms = now_ms, .arena = a, .counts = counts };
    const struct profile *first = NULL;

    count(batch, counts);
    return ingest_routed(&in, batch, &first, err)
        && (!batch->not_understood || ingest_keep(&in, first, payload, err));
}
