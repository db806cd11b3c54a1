/* testing_rows.c -- what tests of the API find in the database, and put there: see testing_api.h. */
#include "api/testing_api.h"

#include "base/clock.h"
#include "inbound/inbound.h"

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

static int64_t
connect_with(struct testing_api *t, const struct platform *platform, const char *external_id, const char *token)
{
    struct joining j = { .t = t, .platform = platform,
                         .account = { .external_id = str_of(external_id), .name = STR("Lindgren"),
                                      .token = str_of(token) } };
    struct error   err = { 0 };

    ck_assert_msg(db_run(t->engine, DB_WRITE, join, &j, &err), "%s", err.message);
    return j.id;
}

const char *
testing_profile(struct testing_api *t, const struct platform *platform, const char *external_id)
{
    char id[ID_TEXT_MAX];

    return text(t, "%s", id_format(ID_PROFILE, connect_with(t, platform, external_id, "its-token"), id));
}

void
testing_reconnect(struct testing_api *t, const struct platform *platform, const char *external_id)
{
    connect_with(t, platform, external_id, "a-newer-token");
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
