/* connect.h -- an account on its way to being a profile, whichever way its credentials came.
 *
 *     connect.c       POST /api/profile_groups/:id/initialize_connection, and the steps all ways share
 *     connect_form.c  what each platform's accounts are connected with, read from the request
 *     oauth.c         access granted on the platform's own pages: leaving for them, and coming back
 *     oauth_state.c   what we remember meanwhile, in the address itself
 *     oauth_page.c    what the person sees at the end */
#ifndef PARLEY_API_CONNECT_H
#define PARLEY_API_CONNECT_H

#include "api/call.h"
#include "store/profile.h"

struct connecting {
    const struct platform *platform;
    int64_t                group_id;
    struct account         account; /* as the platform knows it; webhook_secret is ours */
    int64_t                profile_id;
    bool                   is_known; /* the profile was there when its id was chosen */

    /* What to do when all is done, in the transaction that did it. */
    bool (*connected)(struct call *call, const struct profile *p, bool is_new, struct error *err);
    /* The platform or we will not have it. Makes good `err` and goes on. NULL = the call fails. */
    bool (*refused)(struct call *call, struct error *err);
};

/* Connects what is in `account`: its credentials, and whatever else of it is known. call->state begins with `c`. The
 * step at hand must be the last to say what follows. */
void connect_begin(struct call *call, struct connecting *c);

/* The credentials in the request's body. 400 where one is missing; *is_grant says that there is none at all, and that
 * the platform can be asked for them. */
bool connect_form_read(struct call *call, const struct platform *platform, struct account *out, bool *is_grant,
                       struct error *err);

/* What whoever connected an account should see to; none = nothing. In `a`. */
struct str connect_next_step(const struct profile *p, struct str public_url, struct arena *a);

/* Replies with the address at which access is granted. */
bool oauth_begin(struct call *call, const struct platform *platform, int64_t group_id, struct error *err);

/* ---- oauth_state.c ---- */

struct oauth_state {
    int64_t                workspace_id, group_id;
    int64_t                scope_group_id; /* of the key that began it, where it is limited to a group; else 0 */
    const struct platform *platform;
    struct str             redirect_url;   /* may be none */
    struct str             name;           /* out: of this one state, by which it is used up */
};

#define OAUTH_STATE_KEEP_MINUTES 20
#define OAUTH_STATE_KEEP_MS      ((int64_t)OAUTH_STATE_KEEP_MINUTES * 60 * 1000)

/* Sealed, as text for a URL, in `a`. Nobody can read, change or make one. */
struct str oauth_state_seal(const struct oauth_state *s, int64_t now_ms, struct arena *a);
/* False with a 400: it is none of ours, or too old. */
bool oauth_state_open(struct str text, int64_t now_ms, struct arena *a, struct oauth_state *out, struct error *err);

/* ---- oauth_page.c ---- */

/* What became of one account. */
struct oauth_result {
    struct str name;    /* for people */
    struct str failure; /* none = connected */
    int64_t    profile_id;
};

/* Sends the person back to `redirect_url` with the outcome, or shows it. Always true. `failure`, none where there is
 * none, is of the whole attempt, with its `status`. */
bool oauth_reply(struct call *call, struct str redirect_url, const struct platform *platform,
                 const struct oauth_result *results, size_t n, int status, struct str failure);

#endif
