/* parse.c -- what a poll brought (bluesky_poll_finish() in poll.c wrote it), as events.
 *
 * Of the log's kinds these are passed over on purpose:
 *
 *     logBeginConvo, logAcceptConvo, logLeaveConvo   a chat begins for us with its first message, and is kept
 *     logReadMessage, logReadConvo                   tell what we ourselves have read
 *     logAddReaction, logRemoveReaction              the API knows no reactions on Bluesky
 *     all about members, locks, links and groups     only conversations between two are chats
 *     whatever comes later                           until somebody has looked at it
 *
 * A kind of ours that is not shaped like it makes the batch not_understood; its neighbours are events all the same,
 * and the log goes on behind it. */
#include "base/array.h"
#include "platform/bluesky/bluesky.h"

#define CLOCKS_MS ((int64_t)10 * 60 * 1000) /* how far apart the server's clock and ours may be */

enum reading { TAKEN, IGNORED, NOT_UNDERSTOOD };

struct reader {
    struct arena         *a;
    struct str            own_did;
    struct bluesky_cursor cursor;
    yyjson_val           *convos;
    struct inbound_batch *out;
    size_t                cap;
};

static struct inbound_event *
add_event(struct reader *r, enum inbound_kind kind, struct str convo_id)
{
    struct inbound_event *event;

    r->out->events = arena_more(r->a, r->out->events, r->out->count, &r->cap, sizeof(*r->out->events));
    event = &r->out->events[r->out->count++];
    *event = (struct inbound_event){ .kind = kind, .conversation_id = convo_id };
    return event;
}

/* ---- people ---- */

static bool
find_profile(yyjson_val *profiles, struct str did, struct participant *out)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(profiles);
    yyjson_val     *profile;

    while ((profile = yyjson_arr_iter_next(&it)) != NULL) {
        if (!str_eq(json_str(profile, "did"), did))
            continue;
        bluesky_read_profile(profile, out);
        return true;
    }
    return false;
}

static void
read_person(struct reader *r, struct str did, struct str convo_id, yyjson_val *profiles, struct participant *out)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(r->convos);
    yyjson_val     *convo;

    out->external_id = did;
    if (find_profile(profiles, did, out))
        return;
    while ((convo = yyjson_arr_iter_next(&it)) != NULL)
        if (str_eq(json_str(convo, "id"), convo_id) && find_profile(json_arr(convo, "members"), did, out))
            return;
}

/* ---- messages ---- */

/* Whether it was there before the account was connected. Its position tells; a reaction may have moved it on, so one
 * that is far too old is history all the same. */
static bool
is_history(const struct bluesky_cursor *c, yyjson_val *message, int64_t at_ms)
{
    struct str rev = json_str(message, "rev");

    if (bluesky_rev_compares(rev, c->born))
        return bluesky_rev_reached(rev, c->born) || (at_ms > 0 && at_ms < c->born_ms - CLOCKS_MS);
    return at_ms <= c->born_ms;
}

/* `event` becomes the message. */
static enum reading
read_message(struct reader *r, yyjson_val *message, struct inbound_event *event)
{
    struct str type = bluesky_type(message), sender = json_str(json_obj(message, "sender"), "did");
    struct str id = bluesky_id(message);

    if (str_eq(type, STR("deletedMessageView")) || str_eq(type, STR("systemMessageView")))
        return IGNORED; /* deleted before anybody read it; and only groups have the other */
    if (id.len == 0 || sender.len == 0 || str_is_none(json_str(message, "text")))
        return NOT_UNDERSTOOD;
    event->external_id = id;
    event->at_ms = bluesky_time(message, "sentAt");
    event->outbound = str_eq(sender, r->own_did);
    bluesky_read_content(r->a, message, event);
    return TAKEN;
}

static void
count(struct reader *r, enum reading reading)
{
    if (reading == TAKEN)
        return;
    r->out->count--;
    if (reading == IGNORED)
        r->out->ignored++;
    else
        r->out->not_understood = true;
}

/* ---- the log ---- */

static void
read_log_message(struct reader *r, yyjson_val *entry, const struct bluesky_known *convo)
{
    struct inbound_event *event = add_event(r, INBOUND_MESSAGE, convo->id);
    enum reading          reading = read_message(r, json_obj(entry, "message"), event);

    if (reading == TAKEN) {
        read_person(r, convo->peer, convo->id, json_arr(entry, "relatedProfiles"), &event->from);
        if (event->at_ms > r->cursor.seen_ms)
            r->cursor.seen_ms = event->at_ms;
    }
    count(r, reading);
}

/* When it was deleted nobody says: sentAt is the message's. */
static void
read_log_deletion(struct reader *r, yyjson_val *entry, const struct bluesky_known *convo)
{
    struct inbound_event *event = add_event(r, INBOUND_DELETION, convo->id);

    event->external_id = bluesky_id(json_obj(entry, "message"));
    event->from.external_id = convo->peer;
    count(r, event->external_id.len > 0 ? TAKEN : NOT_UNDERSTOOD);
}

static void
read_log_mute(struct reader *r, yyjson_val *entry, const struct bluesky_known *convo)
{
    bool                  mutes = str_eq(bluesky_type(entry), STR("logMuteConvo"));
    struct inbound_event *event = add_event(r, mutes ? INBOUND_MUTE : INBOUND_UNMUTE, convo->id);

    event->from.external_id = convo->peer;
}

static const struct {
    const char *type;
    void (*read)(struct reader *r, yyjson_val *entry, const struct bluesky_known *convo);
} kinds[] = {
    { "logCreateMessage", read_log_message },
    { "logDeleteMessage", read_log_deletion },
    { "logMuteConvo", read_log_mute },
    { "logUnmuteConvo", read_log_mute },
};

bool
bluesky_log_needs_convo(yyjson_val *entry)
{
    struct str type = bluesky_type(entry);

    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_eq(type, str_of(kinds[i].type)))
            return true;
    return false;
}

static void
read_log_entry(struct reader *r, yyjson_val *entry)
{
    const struct bluesky_known *convo = bluesky_known_find(&r->cursor, json_str(entry, "convoId"));
    struct str                  type = bluesky_type(entry);

    if (str_is_none(type) || (bluesky_log_needs_convo(entry) && json_str(entry, "convoId").len == 0)) {
        r->out->not_understood = true;
        return;
    }
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!str_eq(type, str_of(kinds[i].type)) || !convo || convo->peer.len == 0)
            continue;
        kinds[i].read(r, entry, convo);
        return;
    }
    r->out->ignored++; /* none of our kinds, not between two, or a conversation that is no more */
}

static void
read_log(struct reader *r, yyjson_val *log, int64_t entries)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(json_arr(log, "logs"));
    yyjson_val     *entry;

    while (entries-- > 0 && (entry = yyjson_arr_iter_next(&it)) != NULL)
        read_log_entry(r, entry);
}

static void
add_muted(struct reader *r, struct str convo_id, struct str peer, bool muted)
{
    struct inbound_event *event = add_event(r, muted ? INBOUND_MUTE : INBOUND_UNMUTE, convo_id);

    event->from.external_id = peer;
}

/* Conversations met for the first time: how they stand now, behind what led there. */
static void
read_states(struct reader *r)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(r->convos);
    yyjson_val     *convo, *peer;

    while ((convo = yyjson_arr_iter_next(&it)) != NULL) {
        peer = bluesky_peer_of(convo, r->own_did);
        if (peer && json_str(convo, "id").len > 0)
            add_muted(r, json_str(convo, "id"), json_str(peer, "did"), json_true(convo, "muted"));
    }
}

/* ---- conversations read back ---- */

static void
read_back_message(struct reader *r, yyjson_val *convo, yyjson_val *message, yyjson_val *profiles)
{
    struct inbound_event *event = add_event(r, INBOUND_MESSAGE, json_str(convo, "id"));
    enum reading          reading = read_message(r, message, event);

    if (reading == TAKEN) {
        event->is_history = is_history(&r->cursor, message, event->at_ms);
        event->from.username = json_str(convo, "handle");
        event->from.name = json_str(convo, "name");
        read_person(r, json_str(convo, "peer"), event->conversation_id, profiles, &event->from);
    }
    count(r, reading);
}

/* The pages from `first` to `last` are of one conversation, both they and what is in them newest first. */
static void
read_back_pages(struct reader *r, yyjson_val **pages, size_t first, size_t last)
{
    yyjson_val *convo = json_obj(pages[first], "convo");

    for (size_t p = last + 1; p-- > first;) {
        yyjson_val *messages = json_arr(pages[p], "messages");
        size_t      n = yyjson_arr_size(messages);
        yyjson_val **order = arena_array(r->a, yyjson_val *, n + 1);
        yyjson_arr_iter it = yyjson_arr_iter_with(messages);

        for (size_t i = 0; i < n; i++)
            order[i] = yyjson_arr_iter_next(&it);
        while (n-- > 0)
            read_back_message(r, convo, order[n], json_arr(pages[p], "profiles"));
    }
    if (json_true(pages[last], "done"))
        add_muted(r, json_str(convo, "id"), json_str(convo, "peer"), json_true(convo, "muted"));
}

static struct str
page_convo(yyjson_val *page)
{
    return json_str(json_obj(page, "convo"), "id");
}

static void
read_back(struct reader *r, yyjson_val *list)
{
    size_t          n = yyjson_arr_size(list), count_ok = 0, last;
    yyjson_val    **pages = arena_array(r->a, yyjson_val *, n + 1), *page;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);

    while ((page = yyjson_arr_iter_next(&it)) != NULL) {
        if (page_convo(page).len > 0 && json_str(json_obj(page, "convo"), "peer").len > 0)
            pages[count_ok++] = page;
        else
            r->out->not_understood = true;
    }
    for (size_t first = 0; first < count_ok; first = last + 1) {
        last = first;
        while (last + 1 < count_ok && str_eq(page_convo(pages[last + 1]), page_convo(pages[first])))
            last++;
        read_back_pages(r, pages, first, last);
    }
}

void
bluesky_parse_poll(struct arena *a, const struct account *account, struct str payload, struct inbound_batch *out)
{
    struct reader r = { .a = a, .own_did = account->external_id, .out = out };
    struct bluesky_cursor back;
    struct error  err;
    yyjson_val   *root;

    *out = (struct inbound_batch){ 0 };
    if (!json_parse(a, payload, JSON_DEPTH_MAX + 4, &root, &err) || !json_obj(root, "cursor")) {
        out->not_understood = true;
        return;
    }
    bluesky_cursor_from(json_obj(root, "cursor"), a, &r.cursor);
    r.convos = json_arr(root, "convos");
    read_log(&r, json_obj(root, "log"), json_int(root, "count", 0));
    read_back(&r, json_arr(root, "read"));
    read_states(&r);
    if (json_get(root, "broken"))
        out->not_understood = true;
    bluesky_known_trim(&r.cursor);
    out->cursor = bluesky_cursor_write(a, &r.cursor);
    if (json_obj(root, "back")) {
        bluesky_cursor_from(json_obj(root, "back"), a, &back);
        r.cursor.has_walk = back.has_walk;
        r.cursor.walk = back.walk;
        out->cursor_if_news = bluesky_cursor_write(a, &r.cursor);
    }
    out->more = json_true(root, "more");
}
