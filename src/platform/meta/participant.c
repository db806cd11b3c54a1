/* participant.c -- who the other side is. */
#include "base/array.h"
#include "platform/meta/meta.h"

/* What Meta may tell and the chat's `metadata` holds. */
static const char *const metadata_keys[] = {
    "is_verified_user", "is_user_follow_business", "is_business_follow_user", "follower_count", "is_payment_enabled",
    "is_subscribed_to_messenger",
};

static void
ask(struct op *op, struct op_step *out)
{
    struct str              fields = meta_talk(op)->flavour == META_PAGE
        ? STR("name,first_name,last_name,profile_pic")
        : STR("name,username,profile_pic,follower_count,is_user_follow_business,is_business_follow_user,"
              "is_verified_user");
    const struct meta_param params[] = { { "fields", fields } };

    meta_call(op, "GET", meta_path(op, op->participant_id, NULL), params, 1, out);
}

static struct str
full_name(struct op *op, yyjson_val *person)
{
    struct str name = str_trim(meta_name(person, "name"));
    struct str first = meta_name(person, "first_name"), last = meta_name(person, "last_name");

    if (name.len > 0)
        return name;
    name = str_trim(arena_printf(op->arena, "%.*s %.*s", STR_ARG(first), STR_ARG(last)));
    return name.len > 0 ? name : STR_NONE;
}

/* A JSON object of what was told; none when nothing was. */
static struct str
metadata(struct arena *a, yyjson_val *person)
{
    struct buf  buf;
    struct json w = { .buf = &buf };
    struct str  text;
    size_t      n = 0;

    buf_init(&buf, 4 * KIB);
    json_begin(&w, NULL);
    for (size_t i = 0; i < COUNT(metadata_keys); i++) {
        yyjson_val *val = json_get(person, metadata_keys[i]);

        if (!yyjson_is_bool(val) && !yyjson_is_int(val))
            continue;
        json_put_val(&w, metadata_keys[i], val);
        n++;
    }
    json_end(&w);
    text = arena_take(a, &buf);
    return n > 0 ? text : STR_NONE;
}

static void
read_person(struct op *op, yyjson_val *person)
{
    struct participant *p = &op->participant;

    p->name = full_name(op, person);
    p->username = meta_name(person, "username");
    if (json_str(person, "profile_pic").len > 0) {
        p->avatar_ref = json_str(person, "profile_pic");
        p->avatar_id = meta_file_path(p->avatar_ref);
    }
    p->metadata = metadata(op->arena, person);
}

/* No consent yet, an account by telephone number, a block: then there is nothing new, and nothing wrong. */
void
meta_participant(struct op *op, const struct net_response *last, struct op_step *out)
{
    yyjson_val *person;

    if (!last && op->participant_id.len == 0) {
        meta_fail(op, out, 400, STR("Nobody is named"));
        return;
    }
    if (!last) {
        ask(op, out);
        return;
    }
    op->participant = (struct participant){ .external_id = op->participant_id };
    if (meta_answered(op, last, &person, out))
        read_person(op, person);
    else if (out->verdict != OP_FAIL || out->token_invalid || out->account_wide)
        return;
    meta_done(out);
}
