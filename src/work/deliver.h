/* deliver.h -- how an event looks on its way to a subscriber. */
#ifndef PARLEY_WORK_DELIVER_H
#define PARLEY_WORK_DELIVER_H

#include "net/courier.h"
#include "store/webhook.h"

#define DELIVER_RESPONSE_MAX ((int64_t)64 * 1024)
#define DELIVER_KEPT_MAX     1024 /* of the response, in the log */

/* The signed request that tells `w` of `e`; `delivery_id` is public text. In `a`. */
void deliver_request(const struct webhook *w, const struct event *e, struct str delivery_id, int64_t now_ms,
                     struct arena *a, struct net_request *out);

/* Fills what a try's answer says: success, status, error, response_body (in `a`). */
void deliver_outcome(const struct net_response *r, struct arena *a, struct delivery *out);

#endif
