/* queue.c -- transactions on their way to a thread that runs them. */
#include "db/driver.h"

enum { RETRY_AFTER_MS = 1000 };

void
db_queue_init(struct db_queue *q)
{
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
}

void
db_queue_deinit(struct db_queue *q)
{
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
}

void
db_queue_close(struct db_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closing = true;
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->lock);
}

bool
db_queue_push(struct db_queue *q, struct db_txn *t, int max, struct error *err)
{
    bool closing, full;

    pthread_mutex_lock(&q->lock);
    closing = q->closing;
    full = q->waiting >= max;
    if (!closing && !full) {
        if (q->last)
            q->last->next = t;
        else
            q->first = t;
        q->last = t;
        q->waiting++;
        if (q->awaited == 0 || q->waiting == 1 || q->waiting == q->awaited)
            pthread_cond_signal(&q->work);
    }
    pthread_mutex_unlock(&q->lock);
    if (!closing && !full)
        return true;
    if (closing)
        error_set(err, 503, "The server is shutting down");
    else
        error_set(err, 503, "The server is busy: %d changes are waiting already", max);
    err->retry_after_ms = RETRY_AFTER_MS;
    return false;
}

struct db_txn *
db_queue_take(struct db_queue *q)
{
    struct db_txn *t;

    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->closing)
        pthread_cond_wait(&q->work, &q->lock);
    t = q->first;
    if (t) {
        q->first = t->next;
        if (!q->first)
            q->last = NULL;
        q->waiting--;
        t->next = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    return t;
}
