#include "api/testing_api.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/id.h"
#include "base/testing_str.h"
#include "store/job.h"
#include "store/schema.h"
#include "work/account.h"

#define PATIENCE_S 25

/* ---- the worker, played by the test ---- */

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

int64_t
worker_process_id(struct worker *w)
{
    (void)w;
    return 1;
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

/* ---- the server ---- */

static void
tell_api(void *ctx, int topic, int64_t key)
{
    struct testing_api *t = ctx;

    api_signal(t->api, topic, key);
}

static bool
first_rows(void *arg, struct db *db, struct error *err)
{
    struct testing_api *t = arg;
    struct account      account = { .external_id = STR("100"), .name = STR("Desk"), .username = STR("desk_bot"),
                                    .token = STR("100:secret"), .webhook_secret = STR("hook-secret") };
    struct scope        scope = { 0 };
    struct group        group;
    struct profile      profile;

    if (!workspace_default(db, clock_now_ms(), &scope.workspace_id, err)
        || !key_bootstrap(db, scope.workspace_id, STR(TESTING_KEY), clock_now_ms(), err)
        || !group_create(db, &scope, STR("First"), clock_now_ms(), &t->arena, &group, err)
        || !profile_connect(db, scope.workspace_id, group.id, id_generate(clock_now_ms()), &telegram, &account,
                            clock_now_ms(), &t->arena, &profile, err))
        return false;
    t->workspace_id = scope.workspace_id;
    t->group_id = group.id;
    t->profile_id = profile.id;
    return true;
}

static void
configure(void)
{
    uint8_t secret[KEYRING_KEY_SIZE] = { 1, 2, 3 };

    config = (struct config){
        .public_url = STR("https://dm.example.org"), .storage_url = STR("https://dm.example.org"),
        .header_max = 32 * KIB, .body_max = 4 * MIB, .upload_max = 8 * MIB, .json_depth_max = 32,
        .connections_max = 100,
    };
    keyring_derive(&config.keys, secret);
    id_setup(&config.keys, 1);
}

void
testing_api_start(struct testing_api *t)
{
    struct db_options database = { .on_signal = tell_api, .signal_ctx = t };
    struct error err = { 0 };

    memset(t, 0, sizeof(*t));
    ck_assert(log_open(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, NULL));
    configure();
    place_make(&t->place);
    ck_assert_msg(media_open_disk(t->place.folder, &t->media, &err), "%s", err.message);
    place_database(&t->place, &database);
    ck_assert_msg(db_open(&database, &t->engine, &err), "%s", err.message);
    ck_assert_msg(db_migrate(t->engine, store_migrations, store_migration_count, &err), "%s", err.message);
    ck_assert_msg(db_run(t->engine, DB_WRITE, first_rows, t, &err), "%s", err.message);
    id_format(ID_GROUP, t->group_id, t->group);
    id_format(ID_PROFILE, t->profile_id, t->profile);
    ck_assert_msg(api_start(&(struct api_options){ .engine = t->engine, .media = t->media, .guard = &t->guard,
                                                   .env = &t->env, .listen = "127.0.0.1:0", .threads = 2 },
                            &t->api, &err), "%s", err.message);
    t->server.http = t->api->http;
    testing_connect(&t->client, &t->server);
}

void
testing_api_stop(struct testing_api *t)
{
    ck_assert(testing_nothing_asked());
    testing_close(&t->client);
    api_stop(t->api, 5000);
    db_close(t->engine);
    media_close(t->media);
    place_remove(&t->place);
    arena_deinit(&t->arena);
}

/* ---- the client ---- */

const char *
text(struct testing_api *t, const char *fmt, ...)
{
    va_list args;
    char   *out;

    va_start(args, fmt);
    ck_assert_int_ge(vasprintf(&out, fmt, args), 0);
    va_end(args);
    fmt = arena_copy(&t->arena, str_of(out)).ptr;
    free(out);
    return fmt;
}

void
api_send(struct testing_api *t, struct testing_client *c, const char *method, const char *path, const char *headers,
         const char *body)
{
    struct buf b;

    (void)t;
    buf_init(&b, 64 * MIB);
    buf_printf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, path, headers);
    if (body)
        buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
    buf_append(&b, STR("\r\n"));
    if (body)
        buf_append(&b, str_of(body));
    testing_send_bytes(c, buf_str(&b));
    buf_deinit(&b);
}

struct testing_reply
api_read(struct testing_client *c, int status)
{
    struct testing_reply reply = testing_read(c);

    ck_assert_msg(reply.status == status, "%d instead of %d: %.*s", reply.status, status, STR_ARG(reply.body));
    ck_assert(testing_header(&reply, "X-Request-Id").len > 0);
    return reply;
}

struct testing_reply
api_ask_with(struct testing_api *t, const char *method, const char *path, const char *headers, const char *body,
             int status)
{
    api_send(t, &t->client, method, path, headers, body);
    return api_read(&t->client, status);
}

struct testing_reply
api_ask(struct testing_api *t, const char *method, const char *path, const char *body, int status)
{
    struct testing_reply reply;

    reply = api_ask_with(t, method, path, body ? JSON : KEY, body, status);
    ck_assert(str_eq(testing_header(&reply, "Content-Type"), STR("application/json")));
    return reply;
}

yyjson_val *
api_json(struct testing_api *t, struct testing_reply reply)
{
    struct error err;
    yyjson_val  *val;

    ck_assert_msg(json_parse(&t->arena, reply.body, 64, &val, &err), "%s: %.*s", err.message, STR_ARG(reply.body));
    return val;
}

static yyjson_val *
member(struct testing_api *t, struct testing_reply reply, const char *name)
{
    yyjson_val *val = api_json(t, reply);
    struct str  head, tail = str_of(name);

    while (str_cut(tail, '.', &head, &tail))
        val = json_get(val, arena_copy(&t->arena, head).ptr);
    return json_get(val, arena_copy(&t->arena, head).ptr);
}

struct str
api_text(struct testing_api *t, struct testing_reply reply, const char *name)
{
    return json_val_str(member(t, reply, name));
}

int64_t
api_number(struct testing_api *t, struct testing_reply reply, const char *name)
{
    yyjson_val *val = member(t, reply, name);

    ck_assert_msg(yyjson_is_int(val), "%s is no number", name);
    return yyjson_get_sint(val);
}
