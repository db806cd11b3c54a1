/* testing_asks.c -- the worker's place in tests of the API: see testing_api.h. */
#include "api/testing_api.h"

#include "store/job.h"
#include "work/account.h"

#define PATIENCE_S 15

static struct {
    pthread_mutex_t lock;
    pthread_cond_t  arrived;
    struct ask     *first;
    struct mail    *called; /* plain HTTP calls, linked by their mail */
} asked = { .lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER };

/* Asks are linked by `run`, which is the worker's. */
void
worker_ask(struct worker *w, struct ask *ask)
{
    struct ask **end = &asked.first;

    (void)w;
    ask->run = NULL;
    pthread_mutex_lock(&asked.lock);
    while (*end)
        end = (struct ask **)(void *)&(*end)->run;
    *end = ask;
    pthread_cond_broadcast(&asked.arrived);
    pthread_mutex_unlock(&asked.lock);
}

void
worker_call(struct worker *w, struct worker_call *c)
{
    struct mail **end = &asked.called;

    (void)w;
    c->mail.next = NULL;
    pthread_mutex_lock(&asked.lock);
    while (*end)
        end = &(*end)->next;
    *end = &c->mail;
    pthread_cond_broadcast(&asked.arrived);
    pthread_mutex_unlock(&asked.lock);
}

void
worker_stats(struct worker *w, struct worker_stats *out)
{
    (void)w;
    *out = (struct worker_stats){ .sends_published = 7 };
}

void
worker_error_counts(struct worker *w, void (*each)(void *ctx, const char *platform, int code, int64_t count), void *ctx)
{
    (void)w;
    each(ctx, "telegram", 429, 3);
}

struct str
account_hook_url(const struct platform *p, struct str public_url, int64_t profile_id, struct arena *a)
{
    char id[ID_TEXT_MAX];

    if (public_url.len == 0 || !(p->can & CAN_PUSH))
        return STR_NONE;
    if (p->app)
        return arena_printf(a, "%.*s/webhooks/%s", STR_ARG(public_url), p->app->name);
    return arena_printf(a, "%.*s/hook/%s", STR_ARG(public_url), id_format(ID_PROFILE, profile_id, id));
}

struct str
account_new_secret(struct arena *a)
{
    static atomic_int made;

    return arena_printf(a, "secret-%d", ++made);
}

bool
account_tend(struct db *db, const struct profile *p, struct str public_url, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_CHECK, .lane_id = p->id, .record_id = p->id, .due_at = now_ms };

    (void)public_url;
    return job_add_once(db, &job, now_ms, err);
}

bool
account_queue_refresh(struct db *db, int64_t profile_id, int64_t now_ms, struct error *err)
{
    struct job job = { .kind = JOB_REFRESH, .lane_id = profile_id, .record_id = profile_id, .due_at = now_ms };

    return job_add_once(db, &job, now_ms, err);
}

/* Until `is_there` is; the lock is held, and still is afterwards. */
static void
await(bool (*is_there)(void), const char *complaint)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (!is_there())
        ck_assert_msg(pthread_cond_timedwait(&asked.arrived, &asked.lock, &until) == 0, "%s", complaint);
}

static bool
is_asked(void)
{
    return asked.first;
}

static bool
is_called(void)
{
    return asked.called;
}

struct ask *
testing_asked(enum op_kind kind)
{
    struct ask *ask;

    pthread_mutex_lock(&asked.lock);
    await(is_asked, "the platform was not asked");
    ask = asked.first;
    asked.first = ask->run;
    pthread_mutex_unlock(&asked.lock);
    ck_assert_int_eq(ask->op.kind, kind);
    return ask;
}

struct worker_call *
testing_called(void)
{
    struct mail *mail;

    pthread_mutex_lock(&asked.lock);
    await(is_called, "no HTTP call was made");
    mail = asked.called;
    asked.called = mail->next;
    pthread_mutex_unlock(&asked.lock);
    return container_of(mail, struct worker_call, mail);
}

static void
open_response(struct mail *m)
{
    struct worker_call *c = container_of(m, struct worker_call, mail);

    c->done(c);
}

void
testing_respond(struct worker_call *c, struct net_response response)
{
    c->call.response = response;
    c->mail.open = open_response;
    mailbox_post(c->reply_to, &c->mail);
}

bool
testing_nothing_asked(void)
{
    bool nothing;

    pthread_mutex_lock(&asked.lock);
    nothing = !asked.first;
    pthread_mutex_unlock(&asked.lock);
    return nothing;
}

static void
open_answer(struct mail *m)
{
    struct ask *ask = container_of(m, struct ask, mail);

    ask->done(ask);
}

static void
end(struct ask *ask, struct op_step step)
{
    ask->end = step;
    ask->mail.open = open_answer;
    mailbox_post(ask->reply_to, &ask->mail);
}

void
testing_answer(struct ask *ask)
{
    end(ask, (struct op_step){ .verdict = OP_DONE });
}

void
testing_refuse(struct ask *ask, const char *reason)
{
    end(ask, (struct op_step){ .verdict = OP_FAIL, .code = 400, .reason = str_of(reason) });
}

void
testing_refuse_token(struct ask *ask, const char *reason)
{
    end(ask, (struct op_step){ .verdict = OP_FAIL, .code = 401, .token_invalid = true, .reason = str_of(reason) });
}

void
testing_postpone(struct ask *ask, int code, int64_t retry_after_ms, const char *reason)
{
    end(ask, (struct op_step){ .verdict = OP_RETRY, .code = code, .retry_after_ms = retry_after_ms,
                               .reason = str_of(reason) });
}

void
testing_refuse_stale(struct ask *ask)
{
    end(ask, (struct op_step){ .verdict = OP_RETRY, .code = 401, .token_stale = true, .reason = STR("ExpiredToken") });
}
