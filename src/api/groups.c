/* groups.c -- profile groups: a name and a place for profiles. */
#include "api/handlers.h"
#include "api/reply.h"
#include "store/view.h"

#define NAME_MAX_BYTES 1000

static bool
group_from_path(struct db *db, struct call *call, struct group *out, struct error *err)
{
    return group_find(db, &call->scope, call_param(call, "id"), call->arena, out, err);
}

static bool
reply_group(struct call *call, int status, const struct group *g)
{
    struct json w;

    reply_begin(call, status, &w);
    view_group(&w, NULL, g);
    return true;
}

bool
list_groups(struct db *db, struct call *call, struct error *err)
{
    struct group *groups;
    struct json   w;
    size_t        n;

    if (!group_list(db, &call->scope, call->arena, &groups, &n, err))
        return false;
    reply_whole_list_begin(call, &w);
    for (size_t i = 0; i < n; i++)
        view_group(&w, NULL, &groups[i]);
    reply_list_end(&w);
    return true;
}

/* {"name"} or {"profile_group":{"name"}} */
static bool
name_from_body(struct call *call, struct str *out, struct error *err)
{
    yyjson_val *inner = json_obj(call->body.json, "profile_group");

    return body_text(inner ? inner : call->body.json, "name", NAME_MAX_BYTES, out, err)
        && body_needs(*out, "name", err);
}

/* A key that is limited to one group has no business making others. A request that is may: clients name their
 * usual group with every request. */
bool
create_group(struct db *db, struct call *call, struct error *err)
{
    struct group group;
    struct str   name;

    if (!name_from_body(call, &name, err))
        return false;
    if (call->key_scope.group_id)
        return error_set(err, 422, "This API key is limited to one profile group, so it cannot create another");
    return group_create(db, &call->scope, name, call->now_ms, call->arena, &group, err)
        && reply_group(call, 201, &group);
}

bool
show_group(struct db *db, struct call *call, struct error *err)
{
    struct group group;

    return group_from_path(db, call, &group, err) && reply_group(call, 200, &group);
}

bool
delete_group(struct db *db, struct call *call, struct error *err)
{
    struct group group;

    return group_from_path(db, call, &group, err)
        && group_delete(db, &group, call->now_ms, err)
        && reply_flag(call, "deleted");
}
