/* walk.c -- reading conversations back, newest first: when an account was just connected, so many messages of each;
 * where the log's thread was lost, until what is known.
 *
 * It goes on over many polls, a few calls in each, and where it stands is in the cursor. The log waits meanwhile at a
 * position taken before; what both bring is stored once. In one poll each conversation's messages come out oldest
 * first; of one with more than a poll reads, the older part comes later.
 *
 * The list of conversations is sorted by what happened last, so one where something happens moves to its front, maybe
 * past the page that would have shown it. So behind a list of several pages those are listed again where something
 * happened since it began, until one page holds them all. */
#include "platform/bluesky/bluesky.h"
#include "platform/mend.h"

#define CALLS_MAX    12 /* in one poll */
#define READ_ENOUGH  (4 * MIB)
#define PAGE_MAX     (16 * MIB)
#define PAGE         100
#define RECOVER_MAX  100000
#define OVERLAP_MS   ((int64_t)10 * 60 * 1000)
#define LISTS_MAX    8

static struct bluesky_poll *
state(struct op *op)
{
    return bluesky_talk(op)->own;
}

static struct bluesky_walk *
walk_of(struct op *op)
{
    return &state(op)->cursor.walk;
}

/* Whether what is at `rev`, or was sent at `at_ms`, was there at `since`. */
bool
bluesky_is_behind(struct str rev, int64_t at_ms, struct str since, int64_t since_ms)
{
    if (bluesky_rev_compares(rev, since))
        return bluesky_rev_reached(rev, since);
    return at_ms > 0 && at_ms < since_ms - OVERLAP_MS;
}

/* What a list's cursor was refused for it will be refused for again: it begins anew, once. */
static bool
begins_anew(struct bluesky_walk *walk, struct str *cursor)
{
    if (cursor->len == 0 || walk->tried_again)
        return false;
    walk->tried_again = true;
    *cursor = STR_NONE;
    return true;
}

static struct str
next_page(yyjson_val *root, struct str before, size_t n)
{
    struct str next = json_str(root, "cursor");

    return n == 0 || next.len > 4096 || str_eq(next, before) ? STR_NONE : next;
}

/* ---- which conversations ---- */

bool
bluesky_todo_read(yyjson_val *convo, struct str own_did, struct bluesky_todo *out)
{
    struct participant who = { 0 };
    yyjson_val        *peer = bluesky_peer_of(convo, own_did);
    struct str         id = json_str(convo, "id");

    if (!peer || id.len == 0 || id.len > BLUESKY_ID_MAX || !bluesky_is_did(json_str(peer, "did")))
        return false;
    bluesky_read_profile(peer, &who);
    *out = (struct bluesky_todo){
        .id = id, .peer = json_str(peer, "did"), .muted = json_true(convo, "muted"),
        .handle = str_utf8_cut(who.username, BLUESKY_ID_MAX),
        .name = str_utf8_cut(who.name, (size_t)2 * BLUESKY_ID_MAX),
    };
    return true;
}

static void
take_convo(struct op *op, yyjson_val *convo)
{
    struct bluesky_walk *walk = walk_of(op);

    walk->todo_count += bluesky_todo_read(convo, op->account.external_id, &walk->todo[walk->todo_count]);
}

/* Whether nothing in it can be of interest; *ends says that this is so for all that follow. Of times only what the list
 * itself is sorted by can say that, and a first list may be sorted by more than messages. */
static bool
is_passed(const struct bluesky_walk *walk, yyjson_val *convo, bool *ends)
{
    struct str rev = json_str(convo, "rev"), since = walk->lists > 0 ? walk->floor : walk->since;
    int64_t    since_ms = walk->lists > 0 ? walk->floor_ms : walk->since_ms;
    int64_t    at_ms = bluesky_time(json_obj(convo, "lastMessage"), "sentAt");

    *ends = (walk->is_recovery || walk->lists > 0) && bluesky_is_behind(rev, at_ms, since, since_ms);
    if (!*ends)
        return false;
    *ends = walk->lists > 0 || bluesky_rev_compares(rev, since);
    return true;
}

static void
end_list(struct bluesky_walk *walk)
{
    walk->list_done = walk->pages <= 1 || walk->lists == LISTS_MAX;
    walk->lists++;
    walk->pages = 0;
    walk->floor = walk->top;
    walk->floor_ms = walk->top_ms;
    walk->list = STR_NONE;
}

static void
take_list(struct op *op, yyjson_val *root)
{
    struct bluesky_walk *walk = walk_of(op);
    yyjson_val          *convos = json_arr(root, "convos"), *convo;
    yyjson_arr_iter      it = yyjson_arr_iter_with(convos);
    bool                 ends = false;

    if (walk->pages++ == 0 && yyjson_arr_size(convos) > 0) {
        convo = yyjson_arr_get_first(convos);
        walk->top = json_str(convo, "rev").len <= BLUESKY_ID_MAX ? json_str(convo, "rev") : STR_NONE;
        walk->top_ms = bluesky_time(json_obj(convo, "lastMessage"), "sentAt");
    }
    walk->todo = arena_array(op->arena, struct bluesky_todo, PAGE);
    while (!ends && (convo = yyjson_arr_iter_next(&it)) != NULL && walk->todo_count < PAGE)
        if (!is_passed(walk, convo, &ends))
            take_convo(op, convo);
    walk->list = next_page(root, walk->list, yyjson_arr_size(convos));
    if (walk->list.len == 0 || ends)
        end_list(walk);
}

/* ---- the messages of one ---- */

static void
end_convo(struct op *op)
{
    struct bluesky_poll *p = state(op);
    struct bluesky_walk *walk = walk_of(op);

    bluesky_known_put(op->arena, &p->cursor, walk->todo[0].id, walk->todo[0].peer);
    walk->todo++;
    walk->todo_count--;
    walk->page = STR_NONE;
    walk->left = 0;
    walk->tried_again = false;
}

void
bluesky_put_todo(struct json *w, const struct bluesky_todo *convo)
{
    json_begin(w, "convo");
    json_put_str(w, "id", convo->id);
    json_put_str(w, "peer", convo->peer);
    if (convo->handle.len > 0)
        json_put_str(w, "handle", convo->handle);
    if (convo->name.len > 0)
        json_put_str(w, "name", convo->name);
    json_put_bool(w, "muted", convo->muted);
    json_end(w);
}

/* Writes what counts of a page. True when there is more of the conversation worth reading. */
static bool
put_page(const struct bluesky_walk *walk, struct json *w, yyjson_val *root, bool has_next)
{
    yyjson_val     *messages = json_arr(root, "messages"), *message;
    yyjson_arr_iter it = yyjson_arr_iter_with(messages);
    bool            goes_on = has_next && walk->left > (int64_t)yyjson_arr_size(messages);

    json_begin(w, NULL);
    bluesky_put_todo(w, &walk->todo[0]);
    json_begin_array(w, "messages");
    while ((message = yyjson_arr_iter_next(&it)) != NULL) {
        if (walk->is_recovery && bluesky_is_behind(json_str(message, "rev"), bluesky_time(message, "sentAt"),
                                                   walk->since, walk->since_ms))
            goes_on = false;
        else
            json_put_val(w, NULL, message);
    }
    json_end_array(w);
    if (json_arr(root, "relatedProfiles"))
        json_put_val(w, "profiles", json_arr(root, "relatedProfiles"));
    json_put_bool(w, "done", !goes_on);
    json_end(w);
    return goes_on;
}

/* Adds a page to what is handed on. */
static bool
add_page(struct op *op, yyjson_val *root, bool has_next)
{
    struct bluesky_poll *p = state(op);
    struct bluesky_walk *walk = walk_of(op);
    struct buf           buf;
    struct json          w = { .buf = &buf };
    bool                 goes_on;

    buf_init(&buf, PAGE_MAX);
    goes_on = put_page(walk, &w, root, has_next);
    walk->left -= (int64_t)yyjson_arr_size(json_arr(root, "messages"));
    p->read_size += bluesky_keep_page(op, &buf);
    return goes_on;
}

static void
take_messages(struct op *op, yyjson_val *root)
{
    struct bluesky_walk *walk = walk_of(op);
    struct str           next = next_page(root, walk->page, yyjson_arr_size(json_arr(root, "messages")));

    if (add_page(op, root, next.len > 0))
        walk->page = next;
    else
        end_convo(op);
}

/* ---- step by step ---- */

enum { WALK_NOTHING, WALK_LIST, WALK_MESSAGES };

static int
walk_wants(struct op *op)
{
    struct bluesky_walk *walk = walk_of(op);

    if (!walk->is_recovery && op->env->bluesky_history <= 0)
        return WALK_NOTHING; /* the setting was changed meanwhile */
    if (walk->todo_count > 0)
        return WALK_MESSAGES;
    return walk->list_done ? WALK_NOTHING : WALK_LIST;
}

static void
get_list(struct op *op, struct op_step *out)
{
    struct bluesky_param params[] = { { "limit", STR("100") }, { "cursor", walk_of(op)->list } };

    bluesky_get(op, "chat.bsky.convo.listConvos", params, 2, out);
}

static void
get_messages(struct op *op, struct op_step *out)
{
    struct bluesky_walk *walk = walk_of(op);
    struct bluesky_param params[3] = { { "convoId", walk->todo[0].id }, { "limit", STR_NONE },
                                       { "cursor", walk->page } };

    if (walk->left <= 0)
        walk->left = walk->is_recovery ? RECOVER_MAX : op->env->bluesky_history;
    params[1].value = arena_printf(op->arena, "%d", walk->left < PAGE ? (int)walk->left : PAGE);
    bluesky_get(op, "chat.bsky.convo.getMessages", params, 3, out);
}

static void
walk_next(struct op *op, struct op_step *out)
{
    struct bluesky_poll *p = state(op);
    int                  wants = walk_wants(op);

    if (wants == WALK_NOTHING)
        p->cursor.has_walk = false;
    if (wants == WALK_NOTHING || p->calls == CALLS_MAX || p->read_size > READ_ENOUGH) {
        p->more = true;
        bluesky_poll_finish(op, out);
        return;
    }
    p->calls++;
    if (wants == WALK_LIST)
        get_list(op, out);
    else
        get_messages(op, out);
    out->call.response_max = BLUESKY_ANSWER_MAX;
}

/* What is refused, or said to be JSON and is none, will be so again, and the log waits for the walk to end. Another
 * type is a proxy's page, and goes by. */
static bool
is_hopeless(struct op *op, const struct net_response *last)
{
    struct bluesky_refusal r;
    yyjson_val            *root;

    if (bluesky_refused(op, last, &r))
        return r.status == 400 && !bluesky_is_about_token(&r);
    return last->result == NET_ANSWERED
        && str_starts(net_response_header(last, STR("content-type")), STR("application/json"))
        && !(mend_parse(op->arena, last->body, &root) && yyjson_is_obj(root));
}

/* The conversation, or the list of them, cannot be had. */
static void
walk_refused(struct op *op)
{
    struct bluesky_walk *walk = walk_of(op);

    if (walk_wants(op) == WALK_MESSAGES) {
        if (!begins_anew(walk, &walk->page))
            end_convo(op);
    } else if (!begins_anew(walk, &walk->list)) {
        end_list(walk);
    }
}

static void
walk_step(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *root;

    if (is_hopeless(op, last)) {
        walk_refused(op);
        walk_next(op, out);
        return;
    }
    if (!bluesky_answered(op, last, &root, out)) {
        if (out->verdict == OP_RETRY && state(op)->calls > 1) { /* what was read by now is worth keeping */
            state(op)->more = true;
            bluesky_poll_finish(op, out);
        }
        return;
    }
    if (walk_wants(op) == WALK_MESSAGES)
        take_messages(op, root);
    else
        take_list(op, root);
    walk_next(op, out);
}

void
bluesky_walk(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (last)
        walk_step(op, last, out);
    else
        walk_next(op, out);
}
