/* testing.c -- see testing.h. */
#include "store/testing.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/id.h"
#include "db/driver.h"
#include "db/testing_fail.h"
#include "store/schema.h"

static void
begin(struct testing_store *s)
{
    ck_assert_msg(s->db->driver->control(s->db, DB_BEGIN, &s->err), "%s", s->err.message);
    db_start(s->db);
    s->is_open = true;
}

static void
end(struct testing_store *s, enum db_control how)
{
    ck_assert_int_eq(s->db->open_rows, 0);
    if (how == DB_COMMIT)
        ts_settle(s);
    ck_assert_msg(s->db->driver->control(s->db, how, &s->err), "%s", s->err.message);
    db_forget(s->db);
    s->is_open = false;
}

void
ts_settle(struct testing_store *s)
{
    ck_assert_msg(db_do_later(s->db, &s->err), "%s", s->err.message);
}

static void
open_database(struct testing_store *s)
{
    struct db_options options = { .busy_timeout_ms = 5000 };

    place_database(&s->place, &options);
    ck_assert_msg(db_open(&options, &s->engine, &s->err)
                      && db_migrate(s->engine, store_migrations, store_migration_count, &s->err)
                      && s->engine->driver->connect(&options, DB_WRITE, &s->db, &s->err),
                  "%s", s->err.message);
    fail_watch(s->db);
}

void
ts_open(struct testing_store *s)
{
    static const uint8_t key[KEYRING_KEY_SIZE] = { 7 };

    *s = (struct testing_store){ .now = TESTING_NOW };
    clock_set(s->now);
    keyring_derive(&config.keys, key);
    id_setup(&config.keys, 1);
    config.storage_url = STR("https://parley.example");
    arena_init(&s->arena);
    place_make(&s->place);
    open_database(s);
    begin(s);
    ck_assert_msg(workspace_default(s->db, s->now, &s->scope.workspace_id, &s->err), "%s", s->err.message);
    s->group = ts_group(s, "Support");
    s->profile = ts_profile(s, s->group.id, "4242", "4242:first-token");
    ts_commit(s);
}

void
ts_close(struct testing_store *s)
{
    ts_pause(s);
    s->engine->driver->disconnect(s->db);
    db_close(s->engine);
    arena_deinit(&s->arena);
    place_remove(&s->place);
}

void
ts_pause(struct testing_store *s)
{
    end(s, s->db->doom.status ? DB_ROLLBACK : DB_COMMIT);
}

void
ts_resume(struct testing_store *s)
{
    begin(s);
}

void
ts_commit(struct testing_store *s)
{
    ck_assert_msg(s->db->doom.status == 0, "%s", s->db->doom.message);
    end(s, DB_COMMIT);
    begin(s);
}

void
ts_rollback(struct testing_store *s)
{
    end(s, DB_ROLLBACK);
    begin(s);
}

/* Only within a transaction; and only on SQLite, because our code is the same on both and a server is slower. */
void
ts_trial_begin(struct testing_store *s, int n)
{
    if (!s->is_open || s->db->driver->is_remote)
        n = 0;
    if (n > 0)
        ck_assert_msg(s->db->driver->control(s->db, DB_SAVEPOINT, &s->err), "%s", s->err.message);
    s->told_before = s->db->told_count;
    s->later_before = s->db->later_count;
    s->is_trial = n > 0;
    s->err.message[0] = '\0';
    fail_at(n);
}

bool
ts_trial_end(struct testing_store *s, bool was_true)
{
    bool happened = fail_happened();
    struct error err;

    fail_at(0);
    if (happened) {
        ck_assert_msg(!was_true, "true although a statement failed");
        ck_assert_msg(strstr(s->err.message, FAIL_MESSAGE), "\"%s\"", s->err.message);
        ck_assert_int_eq(s->db->open_rows, 0);
        ck_assert_msg(s->db->driver->control(s->db, DB_ROLLBACK_TO, &err), "%s", err.message);
        s->db->told_count = s->told_before;
        s->db->later_count = s->later_before;
        db_start(s->db);
    } else {
        ck_assert_msg(was_true, "%s", s->err.message);
    }
    if (s->is_trial)
        ck_assert_msg(s->db->driver->control(s->db, DB_RELEASE, &err), "%s", err.message);
    return !happened;
}

void
ts_tick(struct testing_store *s, int64_t ms)
{
    s->now += ms;
    clock_set(s->now);
}

int
ts_signals(struct testing_store *s, int topic, int64_t key)
{
    int n = 0;

    ts_settle(s);
    for (size_t i = 0; i < s->db->told_count; i++)
        n += s->db->told[i].topic == topic && s->db->told[i].key == key;
    return n;
}

int64_t
ts_int(struct testing_store *s, const char *sql)
{
    int64_t n = -1;

    ts_settle(s);
    ck_assert_msg(db_get_int(s->db, sql, DB_NO_ARGS, &n, NULL, &s->err), "%s", s->err.message);
    return n;
}

struct str
ts_text(struct testing_store *s, const char *sql)
{
    struct db_rows rows;
    struct str out = STR_NONE;

    ts_settle(s);
    ck_assert_msg(db_query(s->db, sql, DB_NO_ARGS, &rows, &s->err), "%s", s->err.message);
    if (db_next(&rows))
        out = db_col_text(&rows, 0, &s->arena);
    ck_assert_msg(db_finish(&rows, &s->err), "%s", s->err.message);
    return out;
}

void
ts_exec(struct testing_store *s, const char *sql)
{
    ts_settle(s);
    ck_assert_msg(db_exec(s->db, sql, DB_NO_ARGS, NULL, &s->err), "%s", s->err.message);
}

struct group
ts_group(struct testing_store *s, const char *name)
{
    struct group g;

    ck_assert_msg(group_create(s->db, &s->scope, str_of(name), s->now, &s->arena, &g, &s->err), "%s", s->err.message);
    return g;
}

static struct profile
connect_account(struct testing_store *s, const struct platform *platform, int64_t group_id, const char *external_id,
                const char *token)
{
    const struct account account = {
        .external_id = str_of(external_id), .name = STR("Acme"), .username = STR("acme_bot"), .token = str_of(token),
        .webhook_secret = STR("hook-secret"),
    };
    struct profile p;

    ck_assert_msg(profile_connect(s->db, s->scope.workspace_id, group_id, id_generate(s->now), platform, &account,
                                  s->now, &s->arena, &p, &s->err),
                  "%s", s->err.message);
    return p;
}

struct profile
ts_profile(struct testing_store *s, int64_t group_id, const char *external_id, const char *token)
{
    return connect_account(s, &telegram, group_id, external_id, token);
}

struct profile
ts_account(struct testing_store *s, const struct platform *platform, const char *external_id)
{
    return connect_account(s, platform, s->group.id, external_id, "token");
}

struct chat
ts_chat(struct testing_store *s, const struct profile *p, const char *participant)
{
    const struct participant who = { .external_id = str_of(participant) };
    struct chat c;
    bool created;

    ck_assert_msg(chat_open(s->db, p, &who, STR_NONE, s->now, &s->arena, &c, &created, &s->err), "%s",
                  s->err.message);
    return c;
}

struct chat
ts_chat_again(struct testing_store *s, const struct chat *c)
{
    struct chat now;
    bool found;

    ck_assert_msg(chat_get(s->db, c->id, &s->arena, &now, &found, &s->err) && found, "%s", s->err.message);
    return now;
}

struct message
ts_draft(struct testing_store *s, const struct chat *c, const char *body)
{
    const struct draft d = { .body = str_of(body) };
    struct message m;

    ck_assert_msg(message_accept(s->db, c, &d, s->now, &s->arena, &m, &s->err), "%s", s->err.message);
    return m;
}

struct inbound_event
ts_inbound(const char *participant, const char *external_id, const char *body, int64_t at_ms)
{
    return (struct inbound_event){
        .kind = INBOUND_MESSAGE, .at_ms = at_ms, .from = { .external_id = str_of(participant) },
        .external_id = str_of(external_id), .body = str_of(body),
    };
}

struct message
ts_received(struct testing_store *s, const struct chat *c, const char *external_id, const char *body)
{
    const struct inbound_event e = ts_inbound(c->participant_external_id.ptr, external_id, body, s->now);
    const struct chat now = ts_chat_again(s, c);
    struct message m;
    bool stored;

    ck_assert_msg(message_receive(s->db, &now, &e, s->now, &s->arena, &m, &stored, &s->err) && stored, "%s",
                  s->err.message);
    return m;
}

struct message
ts_message_again(struct testing_store *s, const struct message *m)
{
    struct message now;
    bool found;

    ck_assert_msg(message_get(s->db, m->id, &s->arena, &now, &found, &s->err) && found, "%s", s->err.message);
    return now;
}

int64_t
ts_events(struct testing_store *s, enum event_type type)
{
    int64_t n = 0;

    ts_settle(s);
    ck_assert_msg(db_get_int(s->db, "SELECT COUNT(*) FROM event WHERE type = $1", DB_ARGS(db_int(type)), &n, NULL,
                             &s->err),
                  "%s", s->err.message);
    return n;
}
