/* hooks.h -- what platforms call: POST /webhooks/telegram/:profile_id.
 *
 * Who calls is checked before anything is written, and 200 is said only after the commit, because a platform
 * repeats what it was not thanked for. What we cannot understand is kept and thanked for too: Telegram would
 * hold back everything else of that chat. The secrets of busy profiles are kept for some seconds per loop
 * thread, so the usual call is one transaction and nothing else. */
#ifndef PARLEY_API_HOOKS_H
#define PARLEY_API_HOOKS_H

#include "api/call.h"
#include "store/profile.h"

#define HOOK_CACHE_SLOTS   256
#define HOOK_CACHE_KEEP_MS 5000
#define HOOK_BODY_MAX      MIB

struct hook_cache {
    struct hook_entry {
        struct account         account; /* without the token; its texts are in `arena` */
        const struct platform *platform;
        struct arena           arena;
        unsigned               seen;     /* the state of all profiles it was read in */
        int64_t                until_ms; /* monotonic; 0 = free */
    } slots[HOOK_CACHE_SLOTS];
};

void hook_cache_deinit(struct hook_cache *c); /* wipes the secrets; safe on a zeroed one */

bool receive_telegram(struct db *db, struct call *call, struct error *err);

#endif
