/* back.c -- once in a while: whether the log has told of what it should.
 *
 * How long the log keeps its entries nobody says, nor whether a position that is too old is refused or quietly begun
 * anew; and what of it could not be read was passed over. So where it is read to its end, the last messages of the
 * conversations in which something happened lately are looked at: those that the log is past must be known. They come
 * out of the poll like any others, and only the store can tell. If one of them was news to it, the conversations are
 * read back (walk.c) to where the log stood at the look before this one. */
#include "platform/bluesky/bluesky.h"

#define PAGE      STR("20")
#define CLOCKS_MS ((int64_t)10 * 60 * 1000) /* where positions do not compare, what is older is behind the log */
#define TEXT_MAX  MIB

static struct bluesky_poll *
state(struct op *op)
{
    return bluesky_talk(op)->own;
}

/* A look that lies ahead was before the clock was set back. */
bool
bluesky_back_is_due(struct op *op)
{
    int64_t every_ms = op->env->bluesky_look_back_ms, last_ms = state(op)->cursor.looked_ms;

    return every_ms > 0 && (op->now_ms >= last_ms + every_ms || last_ms > op->now_ms);
}

void
bluesky_get_back(struct op *op, struct op_step *out)
{
    bluesky_get(op, "chat.bsky.convo.listConvos", &(struct bluesky_param){ "limit", PAGE }, 1, out);
    out->call.response_max = BLUESKY_ANSWER_MAX;
}

/* Whether the log must have told of it since the last look. */
static bool
is_due(struct op *op, yyjson_val *message)
{
    struct bluesky_poll *p = state(op);
    struct str           rev = json_str(message, "rev");
    int64_t              at_ms = bluesky_time(message, "sentAt");

    if (bluesky_is_behind(rev, at_ms, p->back.since, p->back.since_ms))
        return false;
    return bluesky_rev_compares(rev, p->cursor.log) ? bluesky_rev_reached(rev, p->cursor.log)
                                                    : at_ms > 0 && at_ms < op->now_ms - CLOCKS_MS;
}

static void
add_message(struct op *op, const struct bluesky_todo *convo, yyjson_val *message)
{
    struct buf  buf;
    struct json w = { .buf = &buf };

    buf_init(&buf, TEXT_MAX);
    json_begin(&w, NULL);
    bluesky_put_todo(&w, convo);
    json_begin_array(&w, "messages");
    json_put_val(&w, NULL, message);
    json_end_array(&w);
    json_end(&w);
    (void)bluesky_keep_page(op, &buf);
}

static void
take_convos(struct op *op, yyjson_val *root)
{
    yyjson_arr_iter     it = yyjson_arr_iter_with(json_arr(root, "convos"));
    yyjson_val         *convo;
    struct bluesky_todo todo;

    while ((convo = yyjson_arr_iter_next(&it)) != NULL)
        if (bluesky_todo_read(convo, op->account.external_id, &todo) && is_due(op, json_obj(convo, "lastMessage")))
            add_message(op, &todo, json_obj(convo, "lastMessage"));
}

/* A refusal keeps nobody from the log: the next look reaches back to the one before this. */
void
bluesky_back(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct bluesky_poll *p = state(op);
    struct op_step       ignored;
    yyjson_val          *root;

    p->back = (struct bluesky_walk){ .is_recovery = true, .since = p->cursor.back, .since_ms = p->cursor.back_ms };
    if (p->back.since.len == 0) {
        p->back.since = p->cursor.born;
        p->back.since_ms = p->cursor.born_ms;
    }
    p->cursor.looked_ms = op->now_ms;
    if (bluesky_answered(op, last, &root, &ignored)) {
        take_convos(op, root);
        p->has_back = p->read_count > 0;
        p->cursor.back = p->cursor.log;
        p->cursor.back_ms = op->now_ms;
    }
    bluesky_poll_finish(op, out);
}
