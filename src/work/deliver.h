/* deliver.h -- how an event looks on its way to a subscriber, and what the answer means. The job
 * around it is deliver_job.c. */
#ifndef PARLEY_WORK_DELIVER_H
#define PARLEY_WORK_DELIVER_H

#include "net/courier.h"
#include "store/webhook.h"

#define DELIVER_RESPONSE_MAX       ((int64_t)64 * 1024)
#define DELIVER_KEPT_MAX           1024 /* bytes of the response, in the log */
#define DELIVER_HOLDS_TRIES        3    /* so often a failing event holds back the later ones of its chat */
#define DELIVER_RETRY_AFTER_MAX_MS ((int64_t)24 * 3600 * 1000)

/* The signed request that tells `w` of `e`; `delivery_id` is public text. In `a`. */
void deliver_request(const struct webhook *w, const struct event *e, struct str delivery_id, int64_t now_ms,
                     struct arena *a, struct net_request *out);

/* The same from the envelope's text, not guarded and with the usual time limit; `body` and the ids
 * must outlive `out`. */
void deliver_sign(const struct webhook *w, struct str type, struct str event_id, struct str body,
                  struct str delivery_id, int64_t now_ms, struct arena *a, struct net_request *out);

/* Fills what a try's answer says: success, status, error, response_body (in `a` or in the response), duration. */
void deliver_outcome(const struct net_response *r, struct arena *a, struct delivery *out);

/* How long to wait before the next try of what was tried so often; -1 = it is delivered, or given up. */
int64_t deliver_wait_ms(const struct delivery *d, int64_t retry_after_ms);

/* Why the endpoint is not to be called any more after this try at `url`; none when it is. */
struct str deliver_reason_to_disable(const struct delivery *d, struct str url, const struct delivery_state *now,
                                     int64_t now_ms);

#endif
