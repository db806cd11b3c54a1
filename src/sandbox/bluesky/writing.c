/* writing.c -- sending, and everything else that changes a conversation. */
#include "sandbox/bluesky/draft.h"
#include "sandbox/bluesky/methods.h"

#define BATCH_MAX 100
#define MINUTE_MS INT64_C(60000)

/* ---- sending ---- */

/* The chat service's own limit, of which nothing but the 429 comes through. */
static bool
within_sends(struct bs_call *c, struct error *err)
{
    struct bs_account *a = c->account;
    int64_t            now_ms = bs_now_ms(c->bs), most = c->bs->settings.sends_per_minute;

    if (most > 0 && bs_within(a->sends_ms, a->send_count, now_ms, MINUTE_MS) >= most)
        return bs_fail(c, err, 429, NULL, "Too Many Requests");
    bs_happened(a->sends_ms, &a->send_count, now_ms);
    return true;
}

struct item {
    struct bs_member *member;
    struct bs_draft   draft;
};

static bool
read_item(struct bs_call *c, yyjson_val *input, struct item *out, struct error *err)
{
    struct str id = json_str(input, "convoId");
    enum bs_no no;

    if (str_is_none(id))
        return bs_fail(c, err, 400, NULL, "Input must have the property \"convoId\"");
    if (!bs_draft_read(json_get(input, "message"), false, c->arena, &out->draft, err)
        || !bs_membership(c, id, &out->member, err))
        return false;
    no = bs_may_write(out->member, &out->draft);
    return no == BS_YES || bs_fail_no(c, err, no);
}

static bool
send_item(struct bs_call *c, const struct item *item, struct bs_message **out, struct error *err)
{
    enum bs_no no = bs_write(item->member, &item->draft, out);

    return no == BS_YES || bs_fail_no(c, err, no);
}

bool
bs_send_message(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_message *m;
    struct item        item;

    if (!read_item(c, c->input, &item, err) || !within_sends(c, err) || !send_item(c, &item, &m, err))
        return false;
    bs_message_members(&c->eye, m, c->bs->settings.types_in_answers, w);
    return true;
}

/* All or none of them. */
bool
bs_send_batch(struct bs_call *c, struct json *w, struct error *err)
{
    yyjson_val     *items = json_arr(c->input, "items"), *one;
    struct item    *all;
    yyjson_arr_iter it;
    size_t          n = 0;

    if (!items || yyjson_arr_size(items) > BATCH_MAX)
        return bs_fail(c, err, 400, NULL, items ? "Input/items must not have more than 100 elements"
                                                : "Input must have the property \"items\"");
    all = arena_array(c->arena, struct item, yyjson_arr_size(items) + 1);
    it = yyjson_arr_iter_with(items);
    while ((one = yyjson_arr_iter_next(&it)) != NULL)
        if (!read_item(c, one, &all[n++], err))
            return false;
    if (!within_sends(c, err))
        return false;
    json_begin_array(w, "items");
    for (size_t i = 0; i < n; i++) {
        struct bs_message *m;

        if (!send_item(c, &all[i], &m, err))
            return false;
        bs_message_write(&c->eye, m, c->bs->settings.types_in_answers, w, NULL);
    }
    json_end_array(w);
    return true;
}

/* ---- one's own view ---- */

static bool
named_convo(struct bs_call *c, struct bs_member **out, struct error *err)
{
    struct str id;

    return bs_input_needed(c, "convoId", &id, err) && bs_membership(c, id, out, err);
}

static bool
named_message(struct bs_call *c, const struct bs_member *m, struct bs_message **out, struct error *err)
{
    struct str text;
    int64_t    id;

    if (!bs_input_needed(c, "messageId", &text, err))
        return false;
    *out = bs_tid_read(text, &id) ? bs_message_get(c->bs, id) : NULL;
    return (*out && (*out)->convo == m->convo) || bs_fail_no(c, err, BS_NO_MESSAGE);
}

bool
bs_update_read(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_message *up_to = NULL;
    struct bs_member  *m;

    if (!named_convo(c, &m, err) || (json_get(c->input, "messageId") && !named_message(c, m, &up_to, err)))
        return false;
    bs_read(m, up_to);
    bs_convo_write(&c->eye, m, w, "convo");
    return true;
}

bool
bs_update_all_read(struct bs_call *c, struct json *w, struct error *err)
{
    struct str status = json_str(c->input, "status");
    int64_t    updated = 0;

    (void)err;
    for (struct bs_member *m = c->account->first_member; m; m = m->next) {
        if (m->unread == 0 || (str_eq(status, STR("request")) && m->accepted)
            || (str_eq(status, STR("accepted")) && !m->accepted))
            continue;
        bs_read(m, NULL);
        updated++;
    }
    json_put_int(w, "updatedCount", updated);
    return true;
}

static bool
set_muted(struct bs_call *c, bool muted, struct json *w, struct error *err)
{
    struct bs_member *m;

    if (!named_convo(c, &m, err))
        return false;
    bs_mute(m, muted);
    bs_convo_write(&c->eye, m, w, "convo");
    return true;
}

bool
bs_mute_convo(struct bs_call *c, struct json *w, struct error *err)
{
    return set_muted(c, true, w, err);
}

bool
bs_unmute_convo(struct bs_call *c, struct json *w, struct error *err)
{
    return set_muted(c, false, w, err);
}

static void
put_rev(const struct bs_member *m, struct json *w)
{
    char rev[BS_TID_MAX];

    json_put_str(w, "rev", str_of(bs_tid(m->rev, rev)));
}

bool
bs_accept_convo(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_member *m;

    if (!named_convo(c, &m, err))
        return false;
    if (bs_accept(m))
        put_rev(m, w);
    return true;
}

bool
bs_leave_convo(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_member *m;
    char              id[BS_TID_MAX];

    if (!named_convo(c, &m, err))
        return false;
    bs_leave(m);
    json_put_str(w, "convoId", str_of(bs_tid(m->convo->id, id)));
    put_rev(m, w);
    return true;
}

bool
bs_delete_message(struct bs_call *c, struct json *w, struct error *err)
{
    struct bs_message *message;
    struct bs_member  *m;

    if (!named_convo(c, &m, err) || !named_message(c, m, &message, err))
        return false;
    if (!message->sender)
        return bs_fail(c, err, 400, "MessageDeleteNotAllowed", "Message cannot be deleted");
    bs_delete_for_self(m, message);
    bs_message_members(&c->eye, message, c->bs->settings.types_in_answers, w);
    return true;
}

/* ---- reactions ---- */

static bool
react(struct bs_call *c, bool add, struct json *w, struct error *err)
{
    struct bs_message *message;
    struct bs_member  *m;
    struct str         value;
    enum bs_no         no;

    if (!named_convo(c, &m, err) || !named_message(c, m, &message, err) || !bs_input_needed(c, "value", &value, err))
        return false;
    if (!bs_is_reaction(value))
        return bs_fail(c, err, 400, "ReactionInvalidValue", "Reaction value is not an emoji");
    no = bs_react(m, message, value, add);
    if (no != BS_YES)
        return bs_fail_no(c, err, no);
    bs_message_write(&c->eye, message, c->bs->settings.types_in_answers, w, "message");
    return true;
}

bool
bs_add_reaction(struct bs_call *c, struct json *w, struct error *err)
{
    return react(c, true, w, err);
}

bool
bs_remove_reaction(struct bs_call *c, struct json *w, struct error *err)
{
    return react(c, false, w, err);
}
