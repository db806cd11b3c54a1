/* profiles.c -- connected accounts; how they are connected is connect.c's. */
#include "api/handlers.h"
#include "api/reply.h"
#include "store/view.h"

static bool
profile_from_path(struct db *db, struct call *call, struct profile *out, struct error *err)
{
    return profile_find(db, &call->scope, call_param(call, "id"), call->arena, out, err);
}

bool
list_profiles(struct db *db, struct call *call, struct error *err)
{
    struct profile *profiles;
    struct json     w;
    size_t          n;

    if (!profile_list(db, &call->scope, call->arena, &profiles, &n, err))
        return false;
    reply_whole_list_begin(call, &w);
    for (size_t i = 0; i < n; i++)
        view_profile(&w, NULL, &profiles[i]);
    reply_list_end(&w);
    return true;
}

bool
show_profile(struct db *db, struct call *call, struct error *err)
{
    struct profile profile;
    struct json    w;

    if (!profile_from_path(db, call, &profile, err))
        return false;
    reply_begin(call, 200, &w);
    view_profile(&w, NULL, &profile);
    return true;
}

/* Gone at once for the outside; the platform's side and what was stored are cleared away by jobs. */
bool
delete_profile(struct db *db, struct call *call, struct error *err)
{
    struct profile profile;

    return profile_from_path(db, call, &profile, err)
        && profile_delete(db, &profile, call->now_ms, err)
        && reply_flag(call, "success");
}

/* A Facebook profile is its Page. */
bool
list_placements(struct db *db, struct call *call, struct error *err)
{
    struct profile profile;
    struct json    w;

    if (!profile_from_path(db, call, &profile, err))
        return false;
    reply_whole_list_begin(call, &w);
    if (str_eq(str_of(profile.platform->name), STR("facebook"))) {
        json_begin(&w, NULL);
        json_put_str(&w, "id", profile.external_id);
        json_put_str(&w, "name", profile.name);
        json_end(&w);
    }
    reply_list_end(&w);
    return true;
}
