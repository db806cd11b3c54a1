/* queue.c -- see queue.h. */
#include "net/queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

struct queue_line {
    struct queue_line *same_hash;
    struct queue_line *next_in_turn;
    struct queue_item *first, *last;
    int64_t            hash;
    size_t             host_len;
    int                under_way;
    bool               in_turn; /* in the list of those that may send */
    char               host[];
};

/* Two hosts of one hash share a slot, not a line. */
static struct queue_line *
line_of(struct queue *q, struct str host)
{
    int64_t hash = str_hash(host);
    struct queue_line *head = map_get(&q->lines, hash), *line;

    for (line = head; line; line = line->same_hash)
        if (str_eq((struct str){ line->host, line->host_len }, host))
            return line;
    line = calloc(1, sizeof(*line) + host.len);
    if (!line)
        out_of_memory();
    memcpy(line->host, host.ptr, host.len);
    line->host_len  = host.len;
    line->hash      = hash;
    line->same_hash = head;
    map_put(&q->lines, hash, line);
    return line;
}

static void
line_forget(struct queue *q, struct queue_line *line)
{
    struct queue_line *head = map_take(&q->lines, line->hash), **at = &head;

    while (*at != line)
        at = &(*at)->same_hash;
    *at = line->same_hash;
    if (head)
        map_put(&q->lines, line->hash, head);
    free(line);
}

/* Puts the line among those whose turn comes, if it has someone to send and may; lets go of it when it is empty. */
static void
line_settle(struct queue *q, struct queue_line *line)
{
    if (line->in_turn)
        return;
    if (line->first && line->under_way < q->per_host_max) {
        line->in_turn      = true;
        line->next_in_turn = NULL;
        if (q->last)
            q->last->next_in_turn = line;
        else
            q->first = line;
        q->last = line;
    } else if (!line->first && line->under_way == 0) {
        line_forget(q, line);
    }
}

static void
line_remove(struct queue_line *line, struct queue_item *item)
{
    if (item->prev)
        item->prev->next = item->next;
    else
        line->first = item->next;
    if (item->next)
        item->next->prev = item->prev;
    else
        line->last = item->prev;
    item->next = item->prev = NULL;
}

void
queue_init(struct queue *q, int per_host_max, int total_max)
{
    assert(per_host_max > 0 && total_max > 0);
    *q = (struct queue){ .per_host_max = per_host_max, .total_max = total_max };
}

void
queue_deinit(struct queue *q)
{
    struct queue_line *line;

    /* A line whose items were all taken out while its turn was to come may still stand here. */
    while ((line = q->first) != NULL) {
        q->first      = line->next_in_turn;
        line->in_turn = false;
        assert(!line->first);
        line_settle(q, line);
    }
    assert(q->under_way == 0 && q->lines.count == 0);
    map_deinit(&q->lines);
    *q = (struct queue){ .first = NULL };
}

void
queue_join(struct queue *q, struct str host, struct queue_item *item)
{
    struct queue_line *line = line_of(q, host);

    *item = (struct queue_item){ .line = line, .prev = line->last };
    if (line->last)
        line->last->next = item;
    else
        line->first = item;
    line->last = item;
    line_settle(q, line);
}

struct queue_item *
queue_next(struct queue *q)
{
    struct queue_line *line;
    struct queue_item *item = NULL;

    while (!item && q->under_way < q->total_max && (line = q->first) != NULL) {
        q->first = line->next_in_turn;
        if (!q->first)
            q->last = NULL;
        line->in_turn = false;
        item = line->first; /* NULL when all that waited left meanwhile */
        if (item) {
            line_remove(line, item);
            item->under_way = true;
            line->under_way++;
            q->under_way++;
        }
        line_settle(q, line);
    }
    return item;
}

void
queue_leave(struct queue *q, struct queue_item *item)
{
    struct queue_line *line = item->line;

    if (!line)
        return;
    if (item->under_way) {
        line->under_way--;
        q->under_way--;
    } else {
        line_remove(line, item);
    }
    *item = (struct queue_item){ .line = NULL };
    line_settle(q, line);
}
