/* tail_test.c -- what a batch of transactions leaves for its end: it is all done, or none of it. */
#include "store/tail.h"

#include "db/driver.h"
#include "store/testing.h"
#include "store/webhook.h"

static struct testing_store s;

enum { MANY = 300 }; /* chats, so that their queues need more locks than a commit takes one by one */

#define DELIVERIES "SELECT COUNT(*) FROM job WHERE kind = 10"
#define FIRST_ONES "SELECT COUNT(*) FROM job WHERE kind = 10 AND state = 0"

static void
listen_in(int64_t group_id)
{
    const struct scope scope = { .workspace_id = s.scope.workspace_id, .group_id = group_id };
    struct webhook w = { .url = STR("https://app.example/hook"), .events = EVENTS_BY_STAR,
                         .event_names = STR("[\"*\"]"), .enabled = true, .concurrency = 4 };

    OK_OF(w, webhook_create(s.db, &scope, &w, s.now, &s.arena, &s.err));
}

static void
happen(const struct chat *c)
{
    static int64_t told;
    const struct event e = { .workspace_id = s.scope.workspace_id, .profile_id = s.profile.id, .chat_id = c->id,
                             .type = EVENT_MESSAGE_RECEIVED, .created_at = s.now + ++told, .data = STR("{}") };

    tail_event(s.db, &e);
}

/* Each of its statements fails once: then nothing of it may be left when it is repeated. */
START_TEST(it_is_repeated_whole)
{
    struct chat one, other;

    listen_in(0);
    listen_in(s.group.id);
    one = ts_chat(&s, &s.profile, "77");
    other = ts_chat(&s, &s.profile, "78");
    ts_exec(&s, "DELETE FROM event");
    ts_exec(&s, "DELETE FROM job");
    happen(&one);
    happen(&other);
    happen(&one);
    OK(db_do_later(s.db, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event"), 3);
    ck_assert_int_eq(ts_int(&s, DELIVERIES), 6);
    ck_assert_int_eq(ts_int(&s, FIRST_ONES), 4);
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, ts_int(&s, "SELECT MAX(id) FROM webhook")), 2);
}
END_TEST

START_TEST(the_next_of_a_queue_moves_up)
{
    struct chat c;
    struct job first;
    int64_t webhook;
    bool found;

    listen_in(0);
    webhook = ts_int(&s, "SELECT id FROM webhook");
    c = ts_chat(&s, &s.profile, "77");
    ts_exec(&s, "DELETE FROM job");
    happen(&c);
    happen(&c);
    ck_assert_int_eq(ts_int(&s, FIRST_ONES), 1);
    OK(job_next_of_kind(s.db, webhook, JOB_DELIVER, 0, &s.arena, &first, &found, &s.err));
    OK_ONCE(job_finish(s.db, &first, s.now, &s.err));
    OK(db_do_later(s.db, &s.err));
    ck_assert_int_eq(ts_int(&s, DELIVERIES), 1);
    ck_assert_int_eq(ts_int(&s, FIRST_ONES), 1);
}
END_TEST

START_TEST(many_queues_at_once)
{
    listen_in(0);
    ts_exec(&s, "DELETE FROM job");
    for (int i = 0; i < MANY; i++) {
        struct chat c = ts_chat(&s, &s.profile, arena_printf(&s.arena, "%d", i).ptr);

        happen(&c);
        happen(&c);
    }
    OK_ONCE(db_do_later(s.db, &s.err));
    ck_assert_int_eq(ts_int(&s, DELIVERIES), 2 * (int64_t)MANY);
    ck_assert_int_eq(ts_int(&s, FIRST_ONES), MANY);
}
END_TEST

STORE_TESTS("tail", it_is_repeated_whole, the_next_of_a_queue_moves_up, many_queues_at_once)
