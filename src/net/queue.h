/* queue.h -- whose turn it is to go out.
 *
 * Each host has a line, first come first served, and at most so many of a line are under way at once; at most so
 * many of all lines together. When the second bound is reached, lines take turns, so a busy host delays no other.
 * Waiting costs a few pointers, and every step here takes the same time however many wait.
 *
 * libcurl has both bounds too; but it looks through everything that waits each time a transfer ends. */
#ifndef PARLEY_NET_QUEUE_H
#define PARLEY_NET_QUEUE_H

#include "base/map.h"
#include "base/str.h"

struct queue_line;

/* Embedded in what waits. */
struct queue_item {
    struct queue_item *next, *prev;
    struct queue_line *line; /* NULL = not in the queue */
    bool               under_way;
};

struct queue {
    struct map         lines;               /* by hash of the host */
    struct queue_line *first, *last;        /* those that may send one more, in turn */
    int                under_way;
    int                per_host_max, total_max;
};

void queue_init(struct queue *q, int per_host_max, int total_max);
void queue_deinit(struct queue *q); /* every item must have left; safe on a zeroed queue */

void queue_join(struct queue *q, struct str host, struct queue_item *item);
struct queue_item *queue_next(struct queue *q);              /* now under way; NULL = nobody, or no room */
void queue_leave(struct queue *q, struct queue_item *item);  /* waiting or under way; nothing when not in it */

#endif
