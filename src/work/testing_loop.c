/* testing_loop.c -- what a test does on the worker's own thread, or keeps the database's writer from; see
 * testing_worker.h. */
#include "work/testing_worker.h"
#include "work/worker_internal.h"

/* ---- on the worker's thread ---- */

struct errand {
    struct mail            mail;
    struct testing_worker *t;
    void (*run)(struct worker *w, void *arg);
    void                  *arg;
    bool                   is_over;
};

static void
run_errand(struct mail *m)
{
    struct errand *e = container_of(m, struct errand, mail);

    e->run(e->t->worker, e->arg);
    pthread_mutex_lock(&e->t->lock);
    e->is_over = true;
    pthread_cond_broadcast(&e->t->changed);
    pthread_mutex_unlock(&e->t->lock);
}

void
tw_on_loop(struct testing_worker *t, void (*run)(struct worker *w, void *arg), void *arg)
{
    struct errand e = { .mail = { .open = run_errand }, .t = t, .run = run, .arg = arg };

    mailbox_post(&t->worker->mailbox, &e.mail);
    pthread_mutex_lock(&t->lock);
    while (!e.is_over)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

/* ---- the writer ---- */

static bool
hold(void *arg, struct db *db, struct error *err)
{
    struct testing_worker *t = arg;

    (void)db;
    (void)err;
    pthread_mutex_lock(&t->lock);
    t->held = true;
    pthread_cond_broadcast(&t->changed);
    while (!t->let_go)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
    return true;
}

static void *
hold_writer(void *arg)
{
    struct testing_worker *t = arg;
    struct error err;

    ck_assert_msg(db_run(t->engine, DB_WRITE, hold, t, &err), "%s", err.message);
    return NULL;
}

void
tw_hold_writer(struct testing_worker *t)
{
    t->held = t->let_go = false;
    ck_assert_int_eq(pthread_create(&t->holder, NULL, hold_writer, t), 0);
    pthread_mutex_lock(&t->lock);
    while (!t->held)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void
tw_let_writer_go(struct testing_worker *t)
{
    pthread_mutex_lock(&t->lock);
    t->let_go = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->holder, NULL);
}
