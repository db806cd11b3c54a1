/* fields.c -- see fields.h. */
#include "sandbox/meta/fields.h"

#include "base/array.h"

/* NULL: the object has no such field. */
static const struct {
    const char *names[FB_OBJECTS];
} fields[] = {
    [FB_MESSAGES] = { { "messages", "messages" } },
    [FB_ECHOES] = { { "message_echoes", "message_echoes" } },
    [FB_EDITS] = { { "message_edits", "message_edit" } },
    [FB_REACTIONS] = { { "message_reactions", "message_reactions" } },
    [FB_READS] = { { "message_reads", "messaging_seen" } },
    [FB_DELIVERIES] = { { "message_deliveries", NULL } },
    [FB_POSTBACKS] = { { "messaging_postbacks", "messaging_postbacks" } },
    [FB_REFERRALS] = { { "messaging_referrals", "messaging_referral" } },
    [FB_OPTINS] = { { "messaging_optins", "messaging_optins" } },
    [FB_HANDOVERS] = { { "messaging_handovers", "messaging_handover" } },
    [FB_STANDBY] = { { "standby", "standby" } },
    [FB_POLICY] = { { "messaging_policy_enforcement", NULL } },
    [FB_COMMENTS] = { { "feed", "comments" } },
    [FB_LIVE_COMMENTS] = { { NULL, "live_comments" } },
    [FB_MENTIONS] = { { "mention", "mentions" } },
    [FB_OTHER_FIELDS] = { { "name", NULL } },
    { { "messaging_feedback", NULL } },
    { { "messaging_account_linking", NULL } },
    { { "messaging_customer_information", NULL } },
    { { "inbox_labels", NULL } },
    { { "messaging_game_plays", NULL } },
    { { NULL, "story_insights" } },
};
#define FIELDS COUNT(fields)

uint64_t
fb_field_set(enum fb_field field)
{
    return UINT64_C(1) << field;
}

const char *
fb_field_name(enum fb_object object, enum fb_field field)
{
    return fields[field].names[object];
}

/* 0 when the object has no such field. */
static uint64_t
field_bit(enum fb_object object, struct str name)
{
    if (object == FB_INSTAGRAM && str_eq(name, STR("messaging_referrals")))
        name = STR("messaging_referral");
    if (object == FB_INSTAGRAM && str_eq(name, STR("messaging_reactions")))
        name = STR("message_reactions");
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].names[object] && str_eq(name, str_of(fields[i].names[object])))
            return UINT64_C(1) << i;
    return 0;
}

struct str
fb_field_list(enum fb_object object, struct arena *a)
{
    struct buf b;

    buf_init(&b, 4 * KIB);
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].names[object])
            buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", fields[i].names[object]);
    return arena_take(a, &b);
}

void
fb_fields_write(enum fb_object object, uint64_t set, struct json *w, const char *name)
{
    json_begin_array(w, name);
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].names[object] && (set & UINT64_C(1) << i))
            json_put_str(w, NULL, str_of(fields[i].names[object]));
    json_end_array(w);
}

static bool
add(enum fb_object object, struct str name, uint64_t *out, struct str *bad)
{
    uint64_t bit = field_bit(object, str_trim(name));

    *out |= bit;
    *bad = name;
    return bit != 0;
}

bool
fb_fields_read(enum fb_object object, struct str text, yyjson_val *list, uint64_t *out, struct str *bad, size_t *place,
    struct arena *a)
{
    struct error ignored;
    struct str   name, rest = text;

    *out = 0;
    *place = 0;
    if (!list && str_starts(str_trim(text), STR("["))
        && !json_parse(a, text, JSON_DEPTH_MAX, &list, &ignored)) {
        *bad = text;
        return false;
    }
    if (yyjson_is_arr(list)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(list);

        for (yyjson_val *v; (v = yyjson_arr_iter_next(&it)) != NULL; ++*place)
            if (!add(object, json_val_str(v), out, bad))
                return false;
        return true;
    }
    for (; rest.len > 0; ++*place) {
        str_cut(rest, ',', &name, &rest);
        if (!add(object, name, out, bad))
            return false;
    }
    return true;
}
