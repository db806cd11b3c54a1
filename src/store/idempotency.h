/* idempotency.h -- the answer to a write, remembered under the caller's key for a day.
 *
 * `owner_id` is the workspace, or the group that the caller's API key is limited to. Remembered in
 * the transaction that did the work, so a repeat either finds the answer or finds nothing done. */
#ifndef PARLEY_STORE_IDEMPOTENCY_H
#define PARLEY_STORE_IDEMPOTENCY_H

#include "base/crypto.h"
#include "db/db.h"

#define IDEMPOTENCY_KEEP_MS  ((int64_t)24 * 3600 * 1000)
#define IDEMPOTENCY_STALE_MS ((int64_t)5 * 60 * 1000) /* a call still "running" after this died with its process */

/* Claims the key for a call in this process (its lease, lease.h). *replay true: the answer is in *status and *body (in
 * `a`). 422 when the key was used for another request, 409 while the first is still running. A call that fails
 * afterwards frees it: by rolling back, or by idempotency_release(). */
bool idempotency_claim(struct db *db, int64_t owner_id, struct str key, const uint8_t request_hash[SHA256_SIZE],
                       int64_t process_id, int64_t now_ms, struct arena *a, bool *replay, int *status,
                       struct str *body, struct error *err);
bool idempotency_remember(struct db *db, int64_t owner_id, struct str key, int status, struct str body,
                          struct error *err);
bool idempotency_release(struct db *db, int64_t owner_id, struct str key, struct error *err);
/* What a process whose lease has ended left "running" died with it, and did nothing; those keys are free. */
bool idempotency_abandon(struct db *db, int64_t now_ms, struct error *err);
/* Uses up what is good for one time only: *first is true for whoever asks first, of all processes. It is forgotten
 * after IDEMPOTENCY_KEEP_MS, so what it stands for must have ended by then. */
bool idempotency_use_up(struct db *db, struct str name, int64_t now_ms, bool *first, struct error *err);
bool idempotency_prune(struct db *db, int64_t now_ms, int limit, int64_t *removed, struct error *err);

#endif
