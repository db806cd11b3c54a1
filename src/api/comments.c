/* comments.c -- private replies to public comments. */
#include "api/handlers.h"
#include "store/profile.h"

#define TEXT_MAX_BYTES (64 * KIB)

/* The profile decides before the post is looked up. No platform of this release has comments: Facebook and
 * Instagram will. */
bool
private_reply(struct db *db, struct call *call, struct error *err)
{
    struct str     profile_id = call_query(call, "profile_id"), text;
    struct profile profile;

    return body_needs(profile_id.len > 0 ? profile_id : STR_NONE, "profile_id", err)
        && body_text(call->body.json, "text", TEXT_MAX_BYTES, &text, err)
        && body_needs(text, "text", err)
        && profile_find(db, &call->scope, profile_id, call->arena, &profile, err)
        && error_set(err, 422, "Private replies are only supported on Facebook and Instagram");
}
