#include "api/testing_api.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/id.h"
#include "base/testing_str.h"
#include "inbound/inbound.h"
#include "store/job.h"
#include "store/schema.h"

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

    reply = api_ask_with(t, method, path,
                         body ? "Authorization: Bearer " TESTING_KEY "\r\nContent-Type: application/json\r\n"
                              : "Authorization: Bearer " TESTING_KEY "\r\n",
                         body, status);
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

/* ---- the database ---- */

struct counting {
    const char *sql;
    int64_t     count;
};

static bool
count_rows(void *arg, struct db *db, struct error *err)
{
    struct counting *c = arg;

    return db_get_int(db, c->sql, DB_NO_ARGS, &c->count, NULL, err);
}

int64_t
testing_count(struct testing_api *t, const char *sql)
{
    struct counting c = { .sql = sql };
    struct error    err = { 0 };

    ck_assert_msg(db_run(t->engine, DB_READ, count_rows, &c, &err), "%s", err.message);
    return c.count;
}

/* Statements are known by their address, so each kind needs text of its own that stays. */
int64_t
testing_jobs(struct testing_api *t, enum job_kind kind)
{
    return testing_count(t, text(t, "SELECT COUNT(*) FROM job WHERE kind = %d", kind));
}

int64_t
testing_api_events(struct testing_api *t, enum event_type type)
{
    return testing_count(t, text(t, "SELECT COUNT(*) FROM event WHERE type = %d", type));
}

struct joining {
    struct testing_api    *t;
    const struct platform *platform;
    struct account         account;
    int64_t                id;
};

static bool
join(void *arg, struct db *db, struct error *err)
{
    struct joining *j = arg;
    struct profile  p;

    j->id = id_generate(clock_now_ms());
    return profile_connect(db, j->t->workspace_id, j->t->group_id, j->id, j->platform, &j->account, clock_now_ms(),
                           &j->t->arena, &p, err);
}

const char *
testing_profile(struct testing_api *t, const struct platform *platform, const char *external_id)
{
    struct joining j = { .t = t, .platform = platform,
                         .account = { .external_id = str_of(external_id), .name = STR("Lindgren"),
                                      .token = STR("its-token") } };
    struct error   err = { 0 };
    char           id[ID_TEXT_MAX];

    ck_assert_msg(db_run(t->engine, DB_WRITE, join, &j, &err), "%s", err.message);
    return text(t, "%s", id_format(ID_PROFILE, j.id, id));
}

struct arriving {
    struct testing_api *t;
    const char         *profile, *participant;
    int64_t             age_ms, chat_id;
};

static bool
arrive(void *arg, struct db *db, struct error *err)
{
    struct arriving     *r = arg;
    struct testing_api  *t = r->t;
    struct inbound_event e = {
        .kind = INBOUND_MESSAGE, .at_ms = clock_now_ms() - r->age_ms, .from = { .external_id = str_of(r->participant) },
        .conversation_id = str_of(r->participant), .external_id = STR("11"), .body = STR("hello"),
    };
    struct inbound_batch batch = { .events = &e, .count = 1 };
    struct ingest_counts counts;
    struct profile       profile;
    struct scope         scope = { .workspace_id = t->workspace_id };
    struct chat          chat;
    bool                 created;

    if (!profile_find(db, &scope, str_of(r->profile), &t->arena, &profile, err)
        || !ingest(db, &profile, &batch, STR("{}"), clock_now_ms(), &t->arena, &counts, err)
        || !chat_open(db, &profile, &e.from, STR_NONE, clock_now_ms(), &t->arena, &chat, &created, err))
        return false;
    r->chat_id = chat.id;
    return true;
}

const char *
testing_api_chat(struct testing_api *t, const char *participant)
{
    return testing_chat_of(t, t->profile, participant);
}

const char *
testing_chat_of(struct testing_api *t, const char *profile, const char *participant)
{
    return testing_old_chat_of(t, profile, participant, 0);
}

const char *
testing_old_chat_of(struct testing_api *t, const char *profile, const char *participant, int64_t age_ms)
{
    struct arriving r = { .t = t, .profile = profile, .participant = participant, .age_ms = age_ms };
    struct error    err = { 0 };
    char            id[ID_TEXT_MAX];

    ck_assert_msg(db_run(t->engine, DB_WRITE, arrive, &r, &err), "%s", err.message);
    return text(t, "%s", id_format(ID_CHAT, r.chat_id, id));
}

struct publishing {
    struct testing_api *t;
    struct str          message, external_id;
};

static bool
publish(void *arg, struct db *db, struct error *err)
{
    struct publishing *p = arg;
    struct scope       scope = { .workspace_id = p->t->workspace_id };
    struct send_result result = { .status = STATUS_PUBLISHED, .external_id = p->external_id };
    struct message     m;

    return message_find(db, &scope, p->message, &p->t->arena, &m, err)
        && message_settle(db, &m, &result, clock_now_ms(), &p->t->arena, err);
}

const char *
testing_published(struct testing_api *t, const char *chat, const char *external_id)
{
    const char          *path = text(t, "/api/chats/%s/messages", chat);
    struct testing_reply reply = api_ask(t, "POST", path, "{\"body\":\"first\"}", 202);
    struct publishing    p = { .t = t, .external_id = str_of(external_id),
                               .message = arena_copy(&t->arena, api_text(t, reply, "id")) };
    struct error         err = { 0 };

    ck_assert_msg(db_run(t->engine, DB_WRITE, publish, &p, &err), "%s", err.message);
    return p.message.ptr;
}
