/* hooks.h -- what platforms call: POST /webhooks/telegram/:profile_id, and /webhooks/meta for all accounts of an app.
 *
 * Who calls is checked before anything is written, and 200 is said only after the commit, because a platform
 * repeats what it was not thanked for. What we cannot understand is kept and thanked for too: Telegram would
 * hold back everything else of that chat, Meta would end the subscription. The secrets of busy profiles are kept for
 * some seconds per loop thread, so the usual call is one transaction and nothing else. */
#ifndef PARLEY_API_HOOKS_H
#define PARLEY_API_HOOKS_H

#include "api/call.h"
#include "inbound/inbound.h"
#include "store/profile.h"

#define HOOK_CACHE_SLOTS   256
#define HOOK_CACHE_KEEP_MS 5000
#define META_BODY_MAX      (4 * MIB) /* up to a thousand updates come at once; Meta names no size */

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

/* Whether a body is worth reading at all, decided by the head alone, and how much of it; on the exchange's loop. */
bool hook_knock(struct call *call, struct error *err);

bool receive_telegram(struct db *db, struct call *call, struct error *err);

/* hooks_meta.c */
bool receive_meta(struct db *db, struct call *call, struct error *err);
bool knock_meta(struct call *call, struct error *err); /* hook_knock() of its POST */
bool confirm_meta(struct db *db, struct call *call, struct error *err); /* the GET with which Meta tries an address */

/* What both share: the request's headers as an adapter takes them, and the two ends of a call. */
const struct net_header *hook_headers(const struct call *call);
bool hook_refuse(struct call *call, const char *why, struct error *err); /* always false, with a 401 */
bool hook_thank(struct call *call, const struct ingest_counts *counts);   /* always true */

#endif
