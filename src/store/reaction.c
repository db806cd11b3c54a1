/* reaction.c -- the reactions to a message: the latest of each sender.
 *
 * The column is the JSON array that is shown, oldest first, and besides, marked "removed", when somebody took theirs
 * back: an older one that comes late must not bring it back. view_message() leaves those out. */
#include "base/clock.h"
#include "json/json.h"
#include "store/event.h"
#include "store/message_internal.h"

#define REACTIONS_MAX (64 * KIB)

static const char message_reactions_sql[] = "UPDATE message SET reactions = $2 WHERE id = $1";

static yyjson_val *
reactions_read(const struct message *m, struct arena *a)
{
    struct error ignored;
    yyjson_val *list;

    return m->reactions.len > 0 && json_parse(a, m->reactions, JSON_DEPTH_MAX, &list, &ignored) ? list : NULL;
}

static yyjson_val *
reaction_of(yyjson_val *list, struct str sender)
{
    size_t i, n;
    yyjson_val *one;

    yyjson_arr_foreach(list, i, n, one)
        if (str_eq(json_str(one, "sender_external_id"), sender))
            return one;
    return NULL;
}

static int64_t
reaction_at(yyjson_val *one)
{
    int64_t at_ms = 0;

    (void)time_parse(json_str(one, "at"), &at_ms);
    return at_ms;
}

/* Whether the new one counts. Of two reactions at the same moment it is the one whose bytes are greater: no better
 * than the other, but always the same. */
static bool
reaction_is_later(yyjson_val *old, const struct followup *f)
{
    int64_t old_at = reaction_at(old);
    bool was_removed = json_true(old, "removed");
    int order;

    if (!old)
        return true;
    if (f->at_ms != old_at)
        return f->at_ms > old_at;
    if (f->is_removed || was_removed)
        return f->is_removed && !was_removed;
    order = str_order(json_str(old, "emoji"), f->emoji);
    return order < 0 || (order == 0 && str_order(json_str(old, "reaction"), f->body) < 0);
}

static void
put_reaction(struct json *w, const struct followup *f)
{
    json_begin(w, NULL);
    json_put_str(w, "sender_external_id", f->sender);
    json_put_str(w, "emoji", f->is_removed ? STR_NONE : f->emoji);
    json_put_str(w, "reaction", f->is_removed ? STR_NONE : f->body);
    json_put_time(w, "at", f->at_ms);
    if (f->is_removed)
        json_put_bool(w, "removed", true);
    json_end(w);
}

/* The list with this one in it, ordered by time and sender, so that it is the same whichever came first. */
static struct str
reactions_with(yyjson_val *list, const struct followup *f, struct arena *a)
{
    struct buf text;
    struct json w;
    bool placed = false;
    yyjson_val *one;
    size_t i, n;

    buf_init(&text, REACTIONS_MAX);
    w = (struct json){ .buf = &text };
    json_begin_array(&w, NULL);
    yyjson_arr_foreach(list, i, n, one) {
        struct str sender = json_str(one, "sender_external_id");
        int64_t at_ms = reaction_at(one);

        if (str_eq(sender, f->sender))
            continue;
        if (!placed && (at_ms > f->at_ms || (at_ms == f->at_ms && str_order(sender, f->sender) > 0))) {
            put_reaction(&w, f);
            placed = true;
        }
        json_put_val(&w, NULL, one);
    }
    if (!placed)
        put_reaction(&w, f);
    json_end_array(&w);
    return arena_take(a, &text);
}

bool
reaction_apply(struct db *db, struct message *m, const struct followup *f, int64_t now_ms, struct arena *a,
               struct error *err)
{
    yyjson_val *list = reactions_read(m, a), *old = reaction_of(list, f->sender);
    bool was_shown = old && !json_true(old, "removed");
    struct str now;

    if (m->deleted_at != 0 || !reaction_is_later(old, f))
        return true;
    now = reactions_with(list, f, a);
    if (now.len == 0) /* so many that it would have no end */
        return true;
    m->reactions = now;
    if (!db_exec(db, message_reactions_sql, DB_ARGS(db_int(m->id), db_text(now)), NULL, err))
        return false;
    if (f->is_history || (f->is_removed && !was_shown))
        return true;
    return event_reaction(db, m,
                          &(struct reaction){ .sender = f->sender, .reaction = f->body, .emoji = f->emoji,
                                              .at_ms = f->at_ms, .is_removed = f->is_removed },
                          now_ms, err);
}

bool
message_receive_reaction(struct db *db, const struct chat *c, const struct inbound_event *e, int64_t now_ms,
                         struct arena *a, struct error *err)
{
    struct str who = e->from.external_id.len > 0 ? e->from.external_id : c->participant_external_id;
    const struct followup f = {
        .kind = FOLLOWUP_REACTION, .at_ms = e->at_ms ? e->at_ms : now_ms,
        .sender = e->outbound ? c->profile_external_id : who, .body = e->reaction, .emoji = e->emoji,
        .is_removed = e->is_removed, .is_history = e->is_history,
    };

    return followup_take(db, c, e->external_id, &f, now_ms, a, err);
}

bool
message_has_reaction(const struct message *m, struct str sender, struct arena *a)
{
    yyjson_val *one = reaction_of(reactions_read(m, a), sender);

    return one && !json_true(one, "removed");
}

/* What the API was asked for counts whatever the platform's clock said before. */
static int64_t
later_than_before(const struct message *m, struct str sender, int64_t now_ms, struct arena *a)
{
    yyjson_val *old = reaction_of(reactions_read(m, a), sender);
    int64_t at_ms = old ? reaction_at(old) : 0;

    return at_ms >= now_ms ? at_ms + 1 : now_ms;
}

/* Platforms drop the selector of emoji presentation, U+FE0F. */
static bool
is_same_emoji(struct str a, struct str b)
{
    static const struct str selector = STR("\xEF\xB8\x8F");

    a.len -= str_ends(a, selector) ? selector.len : 0;
    b.len -= str_ends(b, selector) ? selector.len : 0;
    return str_eq(a, b);
}

/* What was asked for at `now_ms` was told by the platform before it answered. */
static bool
is_told_already(const struct message *m, struct str sender, struct str emoji, int64_t now_ms, struct arena *a)
{
    yyjson_val *old = reaction_of(reactions_read(m, a), sender);

    return old && !json_true(old, "removed") && reaction_at(old) >= now_ms
        && is_same_emoji(json_str(old, "emoji"), emoji);
}

bool
message_react(struct db *db, struct message *m, struct str sender, struct str reaction, struct str emoji,
              int64_t now_ms, struct arena *a, struct error *err)
{
    struct followup f = { .kind = FOLLOWUP_REACTION, .sender = sender, .body = reaction, .emoji = emoji };
    bool found;

    if (!message_hold(db, m, a, &found, err))
        return false;
    f.at_ms = later_than_before(m, sender, now_ms, a);
    return !found || is_told_already(m, sender, emoji, now_ms, a) || reaction_apply(db, m, &f, now_ms, a, err);
}

bool
message_unreact(struct db *db, struct message *m, struct str sender, int64_t now_ms, struct arena *a,
                struct error *err)
{
    struct followup f = { .kind = FOLLOWUP_REACTION, .sender = sender, .is_removed = true };
    bool found;

    if (!message_hold(db, m, a, &found, err))
        return false;
    f.at_ms = later_than_before(m, sender, now_ms, a);
    return !found || !message_has_reaction(m, sender, a) || reaction_apply(db, m, &f, now_ms, a, err);
}
