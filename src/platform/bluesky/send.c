/* send.c -- messages on their way out, and finding one again whose answer was lost: there is no key by which a
 * message could be sent twice and arrive once. */
#include "platform/bluesky/bluesky.h"

#define BODY_MAX   (128 * KIB)
#define FIND_PAGES 3
#define FIND_LIMIT "50"
#define CLOCKS_MS  60000 /* how far the server's clock may be behind ours */

/* ---- sending ---- */

static void
send_message(struct op *op, struct str convo_id, struct op_step *out)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  text;

    buf_init(&buf, BODY_MAX);
    json_begin(&w, NULL);
    json_put_str(&w, "convoId", convo_id);
    json_begin(&w, "message");
    json_put_str(&w, "text", str_is_none(op->body) ? STR("") : op->body);
    bluesky_put_facets(&w, op->body);
    json_end(&w);
    json_end(&w);
    text = arena_take(op->arena, &buf);
    if (str_is_none(text))
        bluesky_fail(op, out, 413, STR("Bluesky takes texts of at most 10000 bytes"));
    else
        bluesky_post(op, "chat.bsky.convo.sendMessage", text, out);
}

void
bluesky_send(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *root;

    if (!last && op->has_file) {
        bluesky_fail(op, out, 422, STR("Bluesky's messages carry no files"));
        return;
    }
    if (!bluesky_in_conversation(op, last, send_message, out) || !bluesky_answered(op, last, &root, out))
        return;
    op->external_id = bluesky_id(root);
    op->posted_at = bluesky_time(root, "sentAt");
    if (op->external_id.len > 0) {
        bluesky_done(out);
        return;
    }
    bluesky_retry(op, out, last->status, STR("Bluesky's answer names no message"));
    out->maybe_done = true;
}

/* ---- finding ---- */

struct search {
    struct str convo_id;
    int        pages;
};

static void
get_page(struct op *op, struct str cursor, struct op_step *out)
{
    struct search       *search = bluesky_talk(op)->own;
    struct bluesky_param params[] = {
        { "convoId", search->convo_id }, { "limit", STR(FIND_LIMIT) }, { "cursor", cursor },
    };

    search->pages++;
    bluesky_get(op, "chat.bsky.convo.getMessages", params, 3, out);
    out->call.response_max = BLUESKY_ANSWER_MAX;
}

static void
get_newest(struct op *op, struct str convo_id, struct op_step *out)
{
    struct search *search = arena_new(op->arena, struct search);

    bluesky_talk(op)->own = search;
    search->convo_id = convo_id;
    get_page(op, STR_NONE, out);
}

/* Found ones go in front of those found before, since pages and what is in them come newest first. True when even
 * older messages could be the one. */
static bool
search_page(struct op *op, yyjson_val *messages)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(messages);
    yyjson_val     *message;
    size_t          n = op->found_count + yyjson_arr_size(messages), first = n - op->found_count;
    struct found_message *found = arena_array(op->arena, struct found_message, n + 1);
    int64_t         at_ms = 0;

    if (op->found_count > 0)
        memcpy(found + first, op->found, op->found_count * sizeof(*found));
    while ((message = yyjson_arr_iter_next(&it)) != NULL) {
        at_ms = bluesky_time(message, "sentAt");
        if (at_ms < op->since_ms - CLOCKS_MS || bluesky_id(message).len == 0
            || !str_eq(json_str(json_obj(message, "sender"), "did"), op->account.external_id)
            || !str_eq(str_trim(json_str(message, "text")), str_trim(op->body)))
            continue;
        found[--first] = (struct found_message){ .external_id = bluesky_id(message), .posted_at = at_ms };
        op->found_count++;
    }
    op->found = found + first;
    return n > 0 && at_ms >= op->since_ms - CLOCKS_MS;
}

void
bluesky_find_sent(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct search *search;
    yyjson_val    *root;
    struct str     next;

    if (!bluesky_in_conversation(op, last, get_newest, out) || !bluesky_answered(op, last, &root, out))
        return;
    search = bluesky_talk(op)->own;
    next = json_str(root, "cursor");
    if (search_page(op, json_arr(root, "messages")) && next.len > 0 && search->pages < FIND_PAGES) {
        op->stage = BLUESKY_CALLS_AGAIN;
        get_page(op, next, out);
    } else {
        bluesky_done(out);
    }
}
