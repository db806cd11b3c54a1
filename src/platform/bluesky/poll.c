/* poll.c -- asking for what is new. There is no push: the log says what happened in all of the account's
 * conversations since a position, and ends at once.
 *
 * It does not say whose conversation one is, nor whether it is one between two; what is not remembered is asked for,
 * a few in one poll, and the log counts up to the first that is left over. Where a position is no longer taken, the
 * conversations are read back to it (walk.c). What came goes to parse.c as JSON of our own, with the new cursor. */
#include "platform/bluesky/bluesky.h"
#include "platform/mend.h"

#define ASKED_MAX    10
#define ENVELOPE_MAX (48 * MIB)
#define POSITION_MAX 4096 /* a cursor longer than this is not kept */

enum { POLL_FIRST, POLL_LOG, POLL_LOST, POLL_CONVO, POLL_WALK, POLL_BACK };

static struct bluesky_poll *
state(struct op *op)
{
    return bluesky_talk(op)->own;
}

static void
get_log(struct op *op, int stage, struct str position, struct op_step *out)
{
    op->stage = stage;
    bluesky_get(op, "chat.bsky.convo.getLog", &(struct bluesky_param){ "cursor", position }, 1, out);
    out->call.response_max = BLUESKY_ANSWER_MAX;
}

/* ---- handing on ---- */

static struct str
envelope(struct op *op, struct bluesky_poll *p)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, ENVELOPE_MAX);
    json_begin(&w, NULL);
    json_put_raw(&w, "cursor", bluesky_cursor_write(op->arena, &p->cursor));
    json_put_bool(&w, "more", p->more);
    if (p->has_back)
        json_put_raw(&w, "back", bluesky_cursor_write(op->arena, &(struct bluesky_cursor){ .has_walk = true,
                                                                                           .walk = p->back }));
    if (p->log) {
        json_put_int(&w, "count", (int64_t)p->log_count);
        json_put_val(&w, "log", p->log);
    }
    if (!str_is_none(p->broken))
        json_put_str(&w, "broken", p->broken);
    json_begin_array(&w, "convos");
    for (size_t i = 0; i < p->convo_count; i++)
        json_put_val(&w, NULL, p->convos[i]);
    json_end_array(&w);
    json_begin_array(&w, "read");
    for (size_t i = 0; i < p->read_count; i++)
        json_put_raw(&w, NULL, p->read[i]);
    json_end_array(&w);
    json_end(&w);
    return arena_take(op->arena, &buf);
}

size_t
bluesky_keep_page(struct op *op, struct buf *page)
{
    struct bluesky_poll *p = state(op);
    struct str           text = arena_take(op->arena, page);

    if (!str_is_none(text)) {
        p->read = arena_more(op->arena, p->read, p->read_count, &p->read_cap, sizeof(*p->read));
        p->read[p->read_count++] = text;
    }
    return text.len;
}

void
bluesky_poll_finish(struct op *op, struct op_step *out)
{
    struct str text = envelope(op, state(op));

    if (str_is_none(text)) {
        /* not reached: it would take 48 MiB of answers */
        bluesky_retry(op, out, 200, STR("Bluesky's answers are too large"));
        return;
    }
    op->poll_body = text;
    bluesky_done(out);
}

/* ---- the log ---- */

static bool
is_asked(const struct bluesky_poll *p, size_t n, struct str id)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(p->unknown[i], id))
            return true;
    return false;
}

static void
collect_unknown(struct op *op, struct bluesky_poll *p)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(json_arr(p->log, "logs"));
    yyjson_val     *entry;
    struct str      id;

    p->unknown = arena_array(op->arena, struct str, ASKED_MAX);
    p->convos = arena_array(op->arena, yyjson_val *, ASKED_MAX);
    while ((entry = yyjson_arr_iter_next(&it)) != NULL && p->unknown_count < ASKED_MAX) {
        id = json_str(entry, "convoId");
        if (bluesky_log_needs_convo(entry) && id.len > 0 && !bluesky_known_find(&p->cursor, id)
            && !is_asked(p, p->unknown_count, id))
            p->unknown[p->unknown_count++] = id;
    }
}

static bool
is_position(struct str text)
{
    return text.len > 0 && text.len <= POSITION_MAX;
}

/* How much of the log counts, and where it stands behind that. */
static void
finish_log(struct op *op, struct op_step *out)
{
    struct bluesky_poll *p = state(op);
    yyjson_arr_iter      it = yyjson_arr_iter_with(json_arr(p->log, "logs"));
    yyjson_val          *entry;
    struct str           before = p->cursor.log, rev = STR_NONE, peer, id;

    while ((entry = yyjson_arr_iter_next(&it)) != NULL) {
        const struct bluesky_known *known = bluesky_known_find(&p->cursor, json_str(entry, "convoId"));

        id = json_str(entry, "convoId");
        if (bluesky_log_needs_convo(entry) && id.len > 0 && !known && !is_asked(p, p->asked, id))
            break;
        if (known) {
            peer = known->peer;
            bluesky_known_put(op->arena, &p->cursor, id, peer);
        }
        p->log_count++;
        if (is_position(json_str(entry, "rev")))
            rev = json_str(entry, "rev");
    }
    if (!entry && is_position(json_str(p->log, "cursor")) && !str_eq(json_str(p->log, "cursor"), before))
        p->cursor.log = json_str(p->log, "cursor");
    else if (is_position(rev))
        p->cursor.log = rev;
    p->more = entry != NULL || (p->log_count > 0 && !str_eq(p->cursor.log, before));
    if (!p->more && bluesky_back_is_due(op)) {
        op->stage = POLL_BACK;
        bluesky_get_back(op, out);
    } else {
        bluesky_poll_finish(op, out);
    }
}

static void
ask_next(struct op *op, struct op_step *out)
{
    struct bluesky_poll *p = state(op);

    if (p->asked == p->unknown_count) {
        finish_log(op, out);
        return;
    }
    op->stage = POLL_CONVO;
    bluesky_get(op, "chat.bsky.convo.getConvo", &(struct bluesky_param){ "convoId", p->unknown[p->asked] }, 1, out);
    if (out->verdict == OP_CALL)
        return;
    p->asked++; /* an id no address can hold: what happens there is not for us */
    ask_next(op, out);
}

static void
convo_answered(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_poll   *p = state(op);
    struct bluesky_refusal r;
    yyjson_val            *root, *convo, *peer;

    if (bluesky_refused(op, last, &r) && r.status == 400 && !bluesky_is_about_token(&r)) {
        p->asked++; /* it is no more, or no longer ours */
        ask_next(op, out);
        return;
    }
    if (!bluesky_answered(op, last, &root, out)) {
        if (out->verdict == OP_RETRY && p->asked > 0)
            finish_log(op, out); /* what is known by now is worth keeping */
        return;
    }
    convo = json_obj(root, "convo");
    peer = bluesky_peer_of(convo, op->account.external_id);
    if (peer && !bluesky_is_did(json_str(peer, "did")))
        peer = NULL;
    if (convo)
        bluesky_known_put(op->arena, &p->cursor, p->unknown[p->asked], json_str(peer, "did"));
    if (peer && str_eq(json_str(convo, "id"), p->unknown[p->asked]))
        p->convos[p->convo_count++] = convo;
    p->asked++;
    ask_next(op, out);
}

/* A log that is no JSON would come again for ever, and nothing after it. So its position is looked for in the text: the
 * answer is kept for somebody to look at, and the rest goes on. In a JSON string the quotes would have backslashes. */
static bool
take_broken(struct op *op, struct str body, struct op_step *out)
{
    static const struct str key = { "\"cursor\":\"", 10 };
    struct bluesky_poll    *p = state(op);
    struct str              position, rest;
    ptrdiff_t               at = str_find(body, key);

    if (at < 0 || !str_cut(str_from(body, (size_t)at + key.len), '"', &position, &rest) || !is_position(position)
        || str_find(position, STR("\\")) >= 0 || !str_is_utf8(position) || str_eq(position, p->cursor.log))
        return false;
    p->cursor.log = position;
    p->broken = body;
    p->more = true;
    bluesky_poll_finish(op, out);
    return true;
}

static void
log_answered(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_refusal r;
    yyjson_val            *root;

    if (bluesky_refused(op, last, &r) && r.status == 400 && !bluesky_is_about_token(&r)) {
        get_log(op, POLL_LOST, STR_NONE, out);
        return;
    }
    if (last->result == NET_ANSWERED && last->status == 200
        && !mend_parse(op->arena, last->body, &root) && take_broken(op, last->body, out))
        return;
    if (!bluesky_answered(op, last, &root, out))
        return;
    state(op)->log = root;
    collect_unknown(op, state(op));
    ask_next(op, out);
}

/* ---- without a position ---- */

/* The log is taken up where it stands now, and then what may have been missed is read back: first this, then that,
 * so that nothing falls between. */
static void
head_answered(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_poll  *p = state(op);
    struct bluesky_cursor lost = p->cursor;
    yyjson_val           *root;

    if (!bluesky_answered(op, last, &root, out))
        return;
    if (!is_position(json_str(root, "cursor"))) {
        bluesky_retry(op, out, last->status, STR("Bluesky did not say where its log of messages stands"));
        return;
    }
    if (op->stage == POLL_FIRST) {
        bluesky_cursor_start(op, json_str(root, "cursor"), &p->cursor);
    } else {
        p->cursor.log = json_str(root, "cursor");
        p->cursor.has_walk = true;
        p->cursor.walk = (struct bluesky_walk){
            .is_recovery = true, .since = lost.log, .since_ms = lost.seen_ms,
        };
    }
    p->more = p->cursor.has_walk;
    bluesky_poll_finish(op, out);
}

static void
poll_begin(struct op *op, struct op_step *out)
{
    struct bluesky_poll *p = arena_new(op->arena, struct bluesky_poll);

    bluesky_talk(op)->own = p;
    bluesky_cursor_read(op->arena, op->account.cursor, &p->cursor);
    if (!is_position(p->cursor.log)) {
        get_log(op, POLL_FIRST, STR_NONE, out);
    } else if (p->cursor.has_walk) {
        op->stage = POLL_WALK;
        bluesky_walk(op, NULL, out);
    } else {
        get_log(op, POLL_LOG, p->cursor.log, out);
    }
}

void
bluesky_poll(struct op *op, const struct net_response *last, struct op_step *out)
{
    if (!last)
        poll_begin(op, out);
    else if (op->stage == POLL_LOG)
        log_answered(op, last, out);
    else if (op->stage == POLL_CONVO)
        convo_answered(op, last, out);
    else if (op->stage == POLL_FIRST || op->stage == POLL_LOST)
        head_answered(op, last, out);
    else if (op->stage == POLL_BACK)
        bluesky_back(op, last, out);
    else
        bluesky_walk(op, last, out);
}
