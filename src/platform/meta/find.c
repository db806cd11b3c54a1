/* find.c -- asking for messages: one whose webhook did not come, and those that may be a send of ours whose answer
 * got lost. Meta shows the twenty newest of a conversation. */
#include "base/clock.h"
#include "platform/meta/meta.h"

#define NEWEST   "20"
#define EARLY_MS 5000 /* Meta's times are whole seconds, and its clock is another */

static struct str
platform_name(struct op *op)
{
    return meta_talk(op)->flavour == META_PAGE ? STR("messenger") : STR("instagram");
}

static void
ask(struct op *op, struct op_step *out)
{
    const struct meta_param params[] = {
        { "platform", platform_name(op) },
        { "user_id", op->participant_id },
        { "fields", STR("messages.limit(" NEWEST "){id,created_time,from,to,message,attachments}") },
    };

    meta_call(op, "GET", meta_account_path(op, "conversations"), params, 3, out);
}

static bool
is_ours(struct op *op, yyjson_val *message)
{
    struct str from = meta_id(op->arena, json_obj(message, "from"), "id");

    return from.len > 0 && !str_eq(from, op->participant_id);
}

/* Meta trims what it is sent. */
static bool
is_the_same(const struct op *op, yyjson_val *message)
{
    if (op->has_file)
        return yyjson_arr_size(json_arr(json_obj(message, "attachments"), "data")) > 0;
    return str_eq(str_trim(json_str(message, "message")), str_trim(op->body));
}

static void
read_conversation(struct op *op, yyjson_val *messages, struct found_message **found, size_t *n, size_t *cap)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(messages);
    yyjson_val     *message;

    while ((message = yyjson_arr_iter_next(&it)) != NULL) {
        struct found_message c = { .external_id = meta_id(op->arena, message, "id") };

        if (c.external_id.len == 0 || !is_ours(op, message) || !is_the_same(op, message))
            continue;
        if (!time_parse(json_str(message, "created_time"), &c.posted_at) || c.posted_at < op->since_ms - EARLY_MS)
            continue;
        *found = arena_more(op->arena, *found, *n, cap, sizeof(**found));
        (*found)[(*n)++] = c;
    }
}

/* They come newest first, also those of one second. */
static void
hand_over(struct op *op, struct found_message *found, size_t n)
{
    op->found = arena_array(op->arena, struct found_message, n + 1);
    op->found_count = n;
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && found[k].posted_at > found[k - 1].posted_at; k--) {
            struct found_message later = found[k];

            found[k] = found[k - 1];
            found[k - 1] = later;
        }
    for (size_t i = 0; i < n; i++)
        op->found[i] = found[n - 1 - i];
}

void
meta_find_sent(struct op *op, const struct net_response *last, struct op_step *out)
{
    struct meta_talk *talk = meta_talk(op);
    struct found_message *found = NULL;
    size_t            n = 0, cap = 0;
    yyjson_val       *answer, *conversation;
    yyjson_arr_iter   it;

    if (!last && op->participant_id.len == 0) { /* a private reply: a second one would be refused anyhow */
        meta_done(out);
        return;
    }
    if (!last) {
        ask(op, out);
        return;
    }
    if (!meta_answered(op, last, &answer, out)) {
        /* A comment's author may have another id in messages, or be known by none; and a second private reply would be
         * refused. */
        if (op->comment_id.len > 0 && out->verdict == OP_FAIL && talk->error == META_REFUSED)
            meta_done(out);
        return;
    }
    it = yyjson_arr_iter_with(json_arr(answer, "data"));
    while ((conversation = yyjson_arr_iter_next(&it)) != NULL)
        read_conversation(op, json_arr(json_obj(conversation, "messages"), "data"), &found, &n, &cap);
    hand_over(op, found, n);
    meta_done(out);
}

/* Fields that a kind of message does not have make the whole call fail, so each platform's are asked for. */
static struct str
message_fields(struct op *op)
{
    return meta_talk(op)->flavour == META_PAGE
        ? STR("id,created_time,from,to,message,attachments,shares,sticker,reply_to")
        : STR("id,created_time,from,to,message,attachments,shares,story,reply_to,is_unsupported");
}

void
meta_message(struct op *op, const struct net_response *last, struct op_step *out)
{
    const struct meta_param params[] = { { "fields", message_fields(op) } };
    yyjson_val             *answer;

    if (!last && op->message_id.len == 0)
        meta_fail(op, out, 400, STR("No message is named"));
    else if (!last)
        meta_call(op, "GET", meta_path(op, op->message_id, NULL), params, 1, out);
    else if (meta_answered(op, last, &answer, out)) {
        op->poll_body = arena_copy(op->arena, last->body);
        meta_done(out);
    }
}
