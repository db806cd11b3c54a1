/* redact_test.c -- the job that takes what a person unsent out of events. */
#include "work/testing_worker.h"

SCRIPTED(CAN_ATTACH, .title = "Telegram");

static struct testing_worker w;

#define JOBS "SELECT COUNT(*) FROM job WHERE kind = 16"
#define TOLD "SELECT COUNT(*) FROM event WHERE data LIKE '%look%'"
/* Newer than all there are. */
#define MANY_EVENTS                                                                                            \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"                           \
    " INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)"             \
    " SELECT i + (SELECT MAX(id) FROM event), (SELECT MAX(workspace_id) FROM event), 0, 0, 0, 2,"              \
    " (SELECT MAX(created_at) FROM event), '{}' FROM n"

static void
unsend(void)
{
    struct chat c = ts_chat(&w.store, &w.store.profile, "7");
    struct inbound_event e = ts_inbound("7", "m1", "Do not look", w.store.now);

    ts_received(&w.store, &c, "m1", "Do not look");
    e.kind = INBOUND_DELETION;
    ck_assert_msg(message_receive_deletion(w.store.db, &c, &e, w.store.now, &w.store.arena, &w.store.err), "%s",
                  w.store.err.message);
    ts_settle(&w.store);
    ck_assert_int_eq(ts_int(&w.store, TOLD), 1);
    ck_assert_int_eq(ts_int(&w.store, JOBS), 1);
}

START_TEST(events_forget_it_piece_by_piece)
{
    unsend();
    ts_exec(&w.store, MANY_EVENTS);
    tw_start(&w);
    tw_await(&w, JOBS, 0);
    ck_assert_int_eq(tw_look(&w, TOLD), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 1"), 1);
}
END_TEST

START_TEST(it_goes_on_where_it_was)
{
    unsend();
    ts_exec(&w.store, "UPDATE job SET payload = (SELECT CAST(MIN(id) AS TEXT) FROM event) WHERE kind = 16");
    tw_start(&w);
    tw_await(&w, JOBS, 0);
    ck_assert_int_eq(tw_look(&w, TOLD), 1); /* which was done, as far as the job knows */
}
END_TEST

START_TEST(an_erased_message_is_nothing_to_do)
{
    unsend();
    ts_exec(&w.store, "DELETE FROM message");
    tw_start(&w);
    tw_await(&w, JOBS, 0);
}
END_TEST

START_TEST(it_waits_for_no_account)
{
    unsend();
    ts_exec(&w.store, "UPDATE job SET due_at = due_at + 3600000 WHERE kind = 16");
    tw_write(&w, "7", "a");
    w.script = scripted_token_is_over;
    tw_start(&w);
    tw_await(&w, EXPIRED, 1);
    tw_await(&w, SENDS " AND due_at > 4000000000000000", 1);
    ck_assert_int_eq(tw_look(&w, JOBS " AND due_at < 4000000000000000"), 1);
}
END_TEST

WORKER_TESTS("redact", events_forget_it_piece_by_piece, it_goes_on_where_it_was, an_erased_message_is_nothing_to_do,
             it_waits_for_no_account)
