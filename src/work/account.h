/* account.h -- the tie between a profile and its platform, as far as others have to do with it. */
#ifndef PARLEY_WORK_ACCOUNT_H
#define PARLEY_WORK_ACCOUNT_H

#include "store/profile.h"

/* Where a profile's platform is to send its updates; none = it is polled, or cannot tell us anything. In `a`. */
struct str account_hook_url(const struct platform *p, struct str public_url, int64_t profile_id, struct arena *a);

/* A fresh secret for a webhook, 64 characters any platform takes. */
struct str account_new_secret(struct arena *a);

/* Queues what keeps an active profile's updates coming: subscribing where its address is not the wanted one, else an
 * hourly check, or polling (nothing, where only a webhook would do and nobody can reach us). At start for all profiles,
 * and whenever one is connected. Twice does no harm. */
bool account_tend(struct db *db, const struct profile *p, struct str public_url, int64_t now_ms, struct error *err);

/* In a transaction that found the profile's token stale: asks for a new one now. Twice does no harm, nor does asking
 * for one that is tried in vain already. */
bool account_queue_refresh(struct db *db, int64_t profile_id, int64_t now_ms, struct error *err);

#endif
