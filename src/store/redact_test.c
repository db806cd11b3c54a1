/* redact_test.c -- what a person unsent is gone from events too, and nothing else is. */
#include "store/testing.h"

#include "base/id.h"
#include "json/json.h"
#include "store/view.h"

static struct testing_store s;
static struct chat chat;

#define BEHIND     "MAX(id) + 1000000"
#define WITH(text) "SELECT COUNT(*) FROM event WHERE data LIKE '%" text "%'"

static void
the_chat(void)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");

    chat = ts_chat(&s, &page, "7001");
}

static struct inbound_event
event(enum inbound_kind kind, const char *external_id, const char *body, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("7001", external_id, body, at_ms);

    e.kind = kind;
    return e;
}

static struct message
receive(const struct chat *c, const struct inbound_event *e)
{
    const struct chat now = ts_chat_again(&s, c);
    struct message m;
    bool stored;

    OK(message_receive(s.db, &now, e, s.now, &s.arena, &m, &stored, &s.err));
    return m;
}

static void
unsend(const char *external_id)
{
    struct inbound_event e = event(INBOUND_DELETION, external_id, NULL, s.now + 9);

    OK(message_receive_deletion(s.db, &chat, &e, s.now, &s.arena, &s.err));
    ts_settle(&s);
}

/* What the job does; how many pieces it took. */
static int
redact(const struct message *m)
{
    struct message now = ts_message_again(&s, m);
    int64_t before = INT64_MAX;
    bool more = true;
    int pieces = 0;

    for (; more; pieces++)
        OK(event_redact_some(s.db, &now, &before, &more, &s.err));
    return pieces;
}

static struct str
shown(const struct message *m)
{
    struct message now = ts_message_again(&s, m);
    struct buf text;

    buf_init(&text, MIB);
    view_message(&(struct json){ .buf = &text }, NULL, &now);
    return arena_take(&s.arena, &text);
}

static struct str
public_id(const struct message *m)
{
    char text[ID_TEXT_MAX];

    return arena_copy(&s.arena, str_of(id_format(ID_MESSAGE, m->id, text)));
}

/* Events of the chat that tell of no message, from that id on, which leaves room for what is numbered later. */
static void
add_events(int n, const char *from, int64_t at_ms)
{
    struct str sql = arena_printf(&s.arena,
                                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                                  " INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type,"
                                  " created_at, data) SELECT i + (SELECT %s FROM event), %lld, 0,"
                                  " %lld, %lld, 2, %lld, '{}' FROM n",
                                  n, from, (long long)s.scope.workspace_id, (long long)chat.profile_id,
                                  (long long)chat.id, (long long)at_ms);

    ts_settle(&s);
    ts_exec(&s, sql.ptr);
}

START_TEST(every_event_shows_it_as_it_is_now)
{
    struct inbound_event e, heart, edit;
    struct message m;
    struct str reaction;

    the_chat();
    e = event(INBOUND_MESSAGE, "m1", "Do not look", s.now);
    heart = event(INBOUND_REACTION, "m1", NULL, s.now + 1);
    edit = event(INBOUND_EDIT, "m1", "Do not look at all", s.now + 2);
    heart.reaction = STR("love");
    heart.emoji = STR("\xE2\x9D\xA4");
    edit.text_only = true;
    m = receive(&chat, &e);
    OK(message_receive_reaction(s.db, &chat, &heart, s.now, &s.arena, &s.err));
    OK(message_receive_edit(s.db, &chat, &edit, s.now, &s.arena, &s.err));
    unsend("m1");
    ck_assert_int_eq(ts_int(&s, WITH("look")), 3);
    ck_assert_int_eq(ts_int(&s, "SELECT record_id FROM job WHERE kind = 16"), m.id);
    ck_assert_int_eq(ts_int(&s, "SELECT lane_id FROM job WHERE kind = 16"), chat.profile_id);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(redact(&m), 1);
        ck_assert_int_eq(ts_int(&s, WITH("look")), 0);
        ck_assert(str_eq(ts_text(&s, "SELECT data FROM event WHERE type = 1"), shown(&m)));
        ck_assert(str_eq(ts_text(&s, "SELECT data FROM event WHERE type = 5"), shown(&m)));
        ck_assert(str_eq(ts_text(&s, "SELECT data FROM event WHERE type = 6"), shown(&m)));
        reaction = arena_printf(&s.arena,
                                "{\"message\":%.*s,\"sender_external_id\":\"7001\",\"action\":\"react\","
                                "\"reaction\":\"love\",\"emoji\":\"\xE2\x9D\xA4\","
                                "\"occurred_at\":\"2026-05-31T14:02:00.001Z\"}",
                                STR_ARG(shown(&m)));
        ck_assert(str_eq(ts_text(&s, "SELECT data FROM event WHERE type = 9"), reaction));
    }
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event WHERE chat_id <> 0"), 4);
}
END_TEST

/* One that speaks of it, one of the same id in another chat, one that had its id once, and what is no message. */
START_TEST(others_are_left_alone)
{
    struct inbound_event e, other;
    struct chat elsewhere;
    struct message m, was;
    struct str before, sql;

    the_chat();
    e = event(INBOUND_MESSAGE, "m1", "Mine", s.now);
    was = receive(&chat, &e);
    ts_exec(&s, "UPDATE message SET external_id = 'm0'");
    e.body = STR("Do not look");
    m = receive(&chat, &e);
    other = event(INBOUND_MESSAGE, "m2", "Yours", s.now);
    other.platform_data = arena_printf(&s.arena, "{\"id\":\"%.*s\"}", STR_ARG(public_id(&m)));
    receive(&chat, &other);
    elsewhere = ts_chat(&s, &(struct profile){ .id = chat.profile_id, .workspace_id = chat.workspace_id,
                                               .platform = chat.platform }, "7002");
    e.body = STR("Theirs");
    receive(&elsewhere, &e);
    add_events(2, BEHIND, s.now);
    sql = arena_printf(&s.arena, "UPDATE event SET data = CASE WHEN id < (SELECT MAX(id) FROM event)"
                       " THEN '[{\"id\":\"%.*s\"}]' ELSE '\"id\":\"%.*s\"' END WHERE data = '{}'",
                       STR_ARG(public_id(&m)), STR_ARG(public_id(&m)));
    ts_exec(&s, sql.ptr);
    unsend("m1");
    before = ts_text(&s, "SELECT COALESCE(MAX(data), '') FROM event WHERE data LIKE '%Mine%'");
    ck_assert_int_eq(redact(&m), 1);
    ck_assert_int_eq(ts_int(&s, WITH("look")), 0);
    ck_assert(str_find(before, public_id(&was)) > 0);
    ck_assert(str_eq(ts_text(&s, "SELECT data FROM event WHERE data LIKE '%Mine%'"), before));
    ck_assert_int_eq(ts_int(&s, WITH("Yours")), 1);
    ck_assert_int_eq(ts_int(&s, WITH("Theirs")), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event WHERE data LIKE '[{%' OR data LIKE '\"id%'"), 2);
}
END_TEST

/* It was told of before the answer of our send said that the two are one. */
START_TEST(the_echo_that_became_a_message_is_gone_too)
{
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("mid.1") };
    struct inbound_event e;
    struct message m, echo;

    the_chat();
    e = event(INBOUND_MESSAGE, "mid.1", "Do not look", s.now);
    e.outbound = true;
    m = ts_draft(&s, &chat, "Do not look");
    echo = receive(&chat, &e);
    ck_assert_int_ne(echo.id, m.id);
    OK_OF(m, message_settle(s.db, &m, &r, s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 1);
    unsend("mid.1");
    ck_assert_int_eq(ts_int(&s, WITH("look")), 2);
    ck_assert_int_eq(redact(&m), 1);
    ck_assert_int_eq(ts_int(&s, WITH("look")), 0);
}
END_TEST

START_TEST(many_events_are_looked_through_in_pieces)
{
    struct inbound_event e;
    struct message m;

    the_chat();
    e = event(INBOUND_MESSAGE, "m1", "Do not look", s.now);
    m = receive(&chat, &e);
    add_events(1500, "MIN(id) - 2000", s.now - 120000); /* too old to tell of it */
    add_events(1500, BEHIND, s.now - 30000); /* by a clock that is behind */
    unsend("m1");
    ck_assert_int_eq(redact(&m), 3);
    ck_assert_int_eq(ts_int(&s, WITH("look")), 0);
}
END_TEST

/* Its text may come before it, as an edit. */
START_TEST(what_is_unsent_before_it_comes_leaves_no_words)
{
    struct inbound_event edit, gone;

    the_chat();
    edit = event(INBOUND_EDIT, "m1", "Do not look", s.now);
    gone = event(INBOUND_DELETION, "m1", NULL, s.now + 9);
    edit.text_only = true;
    for (int i = 0; i < 2; i++) {
        OK(i == 0 ? message_receive_edit(s.db, &chat, &edit, s.now, &s.arena, &s.err)
                  : message_receive_deletion(s.db, &chat, &gone, s.now, &s.arena, &s.err));
        ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM parked WHERE kind = 2"), i == 0);
    }
    OK(message_receive_edit(s.db, &chat, &edit, s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM parked WHERE kind = 2"), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM parked"), 1);
}
END_TEST

START_TEST(our_edit_does_not_bring_it_back)
{
    struct inbound_event e;
    struct message m;

    the_chat();
    e = event(INBOUND_MESSAGE, "m1", "Do not look", s.now);
    e.outbound = true;
    m = receive(&chat, &e);
    unsend("m1");
    OK_OF(m, message_apply_edit(s.db, &m, true, STR("Look"), false, STR_NONE, s.now, s.now, &s.arena, &s.err));
    ck_assert(str_is_none(m.body));
    ck_assert(str_is_none(ts_message_again(&s, &m).body));
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 0);
}
END_TEST

STORE_TESTS("redact", every_event_shows_it_as_it_is_now, others_are_left_alone,
            the_echo_that_became_a_message_is_gone_too, many_events_are_looked_through_in_pieces,
            what_is_unsent_before_it_comes_leaves_no_words, our_edit_does_not_bring_it_back)
