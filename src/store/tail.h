/* tail.h -- what those who share a commit leave for its very end, done there once for all of them: events get their
 * numbers, deliveries are queued, and the next of a queue moves up.
 *
 * By then every row that decides on an order is locked: who tells of a chat has locked it (chat_lock, chat_touch), so
 * the numbers of a chat's events go up in the order of commits, whichever process makes them. The queues of deliveries
 * are locked here, all in one order, from before their ends are looked at until the commit: so two never think both
 * they are first, and nobody is left behind one who has gone. */
#ifndef PARLEY_STORE_TAIL_H
#define PARLEY_STORE_TAIL_H

#include "store/event.h"
#include "store/job.h"

extern const struct db_series event_series;

/* Inserts the event and queues it for whoever listens. Its data must live until the commit (db_memory). */
void tail_event(struct db *db, const struct event *e);

/* Queues an event that has its id for one endpoint. */
void tail_deliver(struct db *db, int64_t webhook_id, const struct event *e, int64_t now_ms);

/* The job is gone from its queue of deliveries. */
void tail_promote(struct db *db, const struct job *job, int64_t now_ms);

#endif
