/* deliver_job_test.c -- telling an endpoint, and what becomes of what it was to be told. */
#include "work/testing_worker.h"

#include "base/clock.h"
#include "base/config.h"
#include "store/webhook.h"

SCRIPTED(CAN_ATTACH, .title = "Telegram");

static struct testing_worker w;
static struct webhook hook;

#define DELIVERED  "SELECT COUNT(*) FROM delivery WHERE success = 1"
#define DELIVERIES "SELECT COUNT(*) FROM job WHERE kind = 10"
#define OF_HOOK    "SELECT COUNT(*) FROM job WHERE kind IN (10, 11, 12)"

static void
set_up(void)
{
    tw_open(&w);
    config.webhook_retry_ms[0] = config.webhook_retry_ms[1] = config.webhook_retry_ms[2] = 10;
    config.webhook_retry_ms[3] = 10;
    config.webhook_retry_count = 4;
    hook = (struct webhook){ .events = INT64_C(1) << EVENT_MESSAGE_SENT, .event_names = STR("[\"message.sent\"]"),
                             .enabled = true, .concurrency = 1 };
    hook.url = arena_printf(&w.store.arena, "%.*s/hook", STR_ARG(w.env.telegram_url));
    ck_assert_msg(webhook_create(w.store.db, &w.store.scope, &hook, w.store.now, &w.store.arena, &w.store.err), "%s",
                  w.store.err.message);
}

static void
tear_down(void)
{
    tw_close(&w);
}

/* Each is a message of its own to a chat of its own, so none waits for another's delivery. */
static void
happen(const char *texts)
{
    char chat[] = "1", text[] = "a";

    for (; *texts; texts++) {
        chat[0] = text[0] = *texts;
        tw_write(&w, chat, text);
    }
}

/* ---- tries ---- */

static const char *
fails_four_times(const char *call, int nth)
{
    return strcmp(call, "/hook") == 0 && nth <= 4 ? "status 500" : "done";
}

START_TEST(it_is_told_again_until_it_has_heard)
{
    struct worker_stats stats;

    w.script = fails_four_times;
    happen("a");
    tw_start(&w);
    tw_await(&w, DELIVERED " AND attempt_number = 5", 1);
    tw_await(&w, DELIVERIES, 0);
    worker_stats(w.worker, &stats);
    ck_assert_int_eq(stats.delivery_failures, 4);
    ck_assert_int_eq(tw_look(&w, "SELECT deliveries_count FROM webhook"), 1);
}
END_TEST

static const char *
fails_always(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/hook") == 0 ? "status 500" : "done";
}

START_TEST(not_for_ever)
{
    w.script = fails_always;
    happen("a");
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM delivery WHERE success = 0 AND attempt_number = 5", 1);
    tw_await(&w, DELIVERIES, 0);
    ck_assert_int_eq(tw_calls(&w, "/hook"), 5);
}
END_TEST

static const char *
is_gone(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/hook") == 0 ? "status 410" : "done";
}

START_TEST(who_is_gone_is_disabled)
{
    w.script = is_gone;
    happen("abc");
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM webhook WHERE enabled = 0 AND disabled_reason LIKE '%410%'", 1);
    tw_await(&w, PUBLISHED, 3);
    tw_await(&w, OF_HOOK, 0);
    ck_assert_int_le(tw_calls(&w, "/hook"), 2);
}
END_TEST

/* ---- what is void by the time its turn comes ---- */

static void
hold_the_first(const char *texts)
{
    tw_gate(&w, "/hook");
    happen(texts);
    tw_start(&w);
    tw_await(&w, PUBLISHED, (int64_t)strlen(texts));
    tw_await_calls(&w, "/hook", 1);
    tw_await(&w, DELIVERIES, (int64_t)strlen(texts));
}

START_TEST(an_endpoint_that_was_disabled_is_told_nothing_more)
{
    hold_the_first("abc");
    tw_exec(&w, "UPDATE webhook SET enabled = 0");
    tw_gate(&w, "");
    tw_await(&w, DELIVERIES, 0);
    ck_assert_int_eq(tw_calls(&w, "/hook"), 1);
}
END_TEST

START_TEST(nor_is_one_that_was_deleted)
{
    hold_the_first("abc");
    tw_exec(&w, "DELETE FROM webhook");
    tw_gate(&w, "");
    tw_await(&w, DELIVERIES, 0);
    ck_assert_int_eq(tw_calls(&w, "/hook"), 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM delivery"), 0);
}
END_TEST

START_TEST(an_event_that_was_forgotten_is_not_told)
{
    hold_the_first("ab");
    tw_exec(&w, "DELETE FROM event WHERE id = (SELECT MAX(id) FROM event WHERE type = 2)");
    tw_gate(&w, "");
    tw_await(&w, DELIVERIES, 0);
    ck_assert_int_eq(tw_calls(&w, "/hook"), 1);
    ck_assert_int_eq(tw_look(&w, DELIVERED), 1);
}
END_TEST

/* ---- many at once ---- */

static void
add_many(enum job_kind kind, const char *payload)
{
    struct job job = { .kind = kind, .lane_id = hook.id, .record_id = hook.id, .due_at = w.store.now,
                       .payload = str_of(payload) };

    ck_assert_msg(job_add(w.store.db, &job, w.store.now, &w.store.err), "%s", w.store.err.message);
}

#define MANY_JOBS                                                                                              \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 510)"                            \
    " INSERT INTO job (id, kind, lane_id, queue_id, record_id, state, due_at, attempts, created_at)"           \
    " SELECT i, 10, (SELECT id FROM webhook), 0, 1, 0, 8000000000000000, 0, 1 FROM n"
#define MANY_EVENTS                                                                                            \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 510)"                            \
    " INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)"             \
    " SELECT i, (SELECT workspace_id FROM webhook), 0, 0, 0, 2, 1, '{}' FROM n"

START_TEST(what_was_queued_is_dropped_piece_by_piece)
{
    ts_exec(&w.store, MANY_JOBS);
    ts_exec(&w.store, "UPDATE webhook SET enabled = 0, queued_from = 1000");
    add_many(JOB_SWEEP, "");
    tw_start(&w);
    tw_await(&w, OF_HOOK, 0);
    ck_assert_int_eq(tw_calls(&w, "/hook"), 0);
}
END_TEST

START_TEST(the_past_is_queued_again_piece_by_piece)
{
    ts_exec(&w.store, "DELETE FROM event");
    ts_exec(&w.store, MANY_EVENTS);
    add_many(JOB_REPLAY, "0,510");
    add_many(JOB_REPLAY, "of an older version");
    tw_gate(&w, "/hook");
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 11", 0);
    ck_assert_int_eq(tw_look(&w, DELIVERIES " AND state < 2"), 510);
}
END_TEST

FIXTURE_TESTS("deliveries", set_up, tear_down, it_is_told_again_until_it_has_heard, not_for_ever,
              who_is_gone_is_disabled, an_endpoint_that_was_disabled_is_told_nothing_more,
              nor_is_one_that_was_deleted, an_event_that_was_forgotten_is_not_told,
              what_was_queued_is_dropped_piece_by_piece, the_past_is_queued_again_piece_by_piece)
