#include "store/webhook.h"

#include "base/id.h"
#include "base/testing_str.h"
#include "store/tail.h"
#include "store/testing.h"

#define DAY_MS INT64_C(86400000)

static struct testing_store s;

static struct webhook
made(const struct scope *scope, const char *url, int64_t events)
{
    struct webhook w = { .url = str_of(url), .events = events, .event_names = STR("[\"*\"]"), .enabled = true,
                         .concurrency = 4 };

    OK(webhook_create(s.db, scope, &w, s.now, &s.arena, &s.err));
    return w;
}

static struct webhook
hook(void)
{
    return made(&s.scope, "https://app.example/hook", EVENTS_BY_STAR);
}

static struct webhook
again(const struct webhook *w)
{
    struct webhook now;
    bool found;

    OK(webhook_get(s.db, w->id, &s.arena, &now, &found, &s.err));
    ck_assert(found);
    return now;
}

/* A message of one chat is sent. */
static void
happen(void)
{
    static int sent_count;
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hello");
    struct send_result sent = { .status = STATUS_PUBLISHED, .posted_at = s.now,
                                .external_id = arena_printf(&s.arena, "%d", ++sent_count) };

    OK(message_settle(s.db, &m, &sent, s.now, &s.arena, &s.err));
    ts_settle(&s);
}

static int64_t
queued(const struct webhook *w, enum job_kind kind)
{
    struct job job = { 0 };
    int64_t n = 0;
    bool found;

    ts_settle(&s);
    for (;;) {
        OK(job_next_of_kind(s.db, w->id, kind, job.id, &s.arena, &job, &found, &s.err));
        if (!found)
            return n;
        n++;
    }
}

static const char standing_sql[] = "SELECT COUNT(*) FROM job WHERE kind = $1 AND state = $2";

/* Deliveries in this state, of all endpoints. */
static int64_t
standing(enum job_state state)
{
    int64_t n = 0;

    ts_settle(&s);
    OK(db_get_int(s.db, standing_sql, DB_ARGS(db_int(JOB_DELIVER), db_int(state)), &n, NULL, &s.err));
    return n;
}

static struct job
first(const struct webhook *w)
{
    struct job job;
    bool found;

    ts_settle(&s);
    OK(job_next_of_kind(s.db, w->id, JOB_DELIVER, 0, &s.arena, &job, &found, &s.err));
    ck_assert(found);
    return job;
}

static void
disable(struct webhook *w)
{
    struct webhook before = *w;

    w->enabled = false;
    OK(webhook_update(s.db, w, &before, s.now, &s.err));
}

/* What the delivery of a job came to. */
static struct delivery_state
tried(const struct webhook *w, const struct job *job, int attempt, bool success)
{
    struct delivery d = { .id = job->id, .webhook_id = w->id, .event_id = job->record_id,
                          .event_type = EVENT_MESSAGE_SENT,
                          .attempt_number = attempt, .success = success, .attempted_at = s.now, .created_at = s.now,
                          .response_status = success ? 200 : 500 };
    struct delivery_state state;

    OK(delivery_log(s.db, &d, s.now, &s.arena, &state, &s.err));
    return state;
}

/* ---- endpoints ---- */

START_TEST(what_is_made_is_found_again)
{
    struct webhook w = made(&s.scope, "https://app.example/hook", INT64_C(1) << EVENT_MESSAGE_SENT), found;
    char id[ID_TEXT_MAX];

    ck_assert(str_starts(w.secret, STR("whsec_")) && w.secret.len == 50);
    OK(webhook_find(s.db, &s.scope, str_of(id_format(ID_WEBHOOK, w.id, id)), &s.arena, &found, &s.err));
    ck_assert_slice(found.url, "https://app.example/hook");
    ck_assert(str_eq(found.secret, w.secret));
    ck_assert_none(found.old_secret);
    ck_assert_int_eq(found.events, w.events);
    ck_assert_int_eq(found.enabled, true);
    ck_assert_int_eq(found.concurrency, 4);
    ck_assert(!str_eq(hook().secret, w.secret));
    /* sealed at rest */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM webhook WHERE instr(secret, 'whsec_') > 0"), 0);
}
END_TEST

START_TEST(a_key_of_one_group_sees_and_makes_its_own)
{
    struct scope limited = { s.scope.workspace_id, s.group.id }, other = { s.scope.workspace_id, ts_group(&s, "B").id };
    struct webhook whole = hook(), own = made(&limited, "https://own.example/", EVENTS_BY_STAR), *list, found;
    char id[ID_TEXT_MAX];
    size_t n;

    OK(webhook_list(s.db, &limited, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].id, own.id);
    OK(webhook_list(s.db, &s.scope, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 2);
    REFUSED(webhook_find(s.db, &limited, str_of(id_format(ID_WEBHOOK, whole.id, id)), &s.arena, &found, &s.err), 404,
            "There is no webhook 'wh_");
    REFUSED(webhook_find(s.db, &other, str_of(id_format(ID_WEBHOOK, own.id, id)), &s.arena, &found, &s.err), 404, "");
}
END_TEST

START_TEST(a_rotated_secret_keeps_the_old_one_for_a_while)
{
    struct webhook w = hook(), now;
    struct str old = w.secret;

    OK(webhook_rotate(s.db, &w, 5000, s.now, &s.arena, &s.err));
    now = again(&w);
    ck_assert(str_eq(now.old_secret, old) && str_eq(now.secret, w.secret) && !str_eq(w.secret, old));
    ck_assert_int_eq(now.old_secret_until, s.now + 5000);
    OK(webhook_rotate(s.db, &w, 0, s.now, &s.arena, &s.err));
    ck_assert_none(again(&w).old_secret);
}
END_TEST

START_TEST(there_is_a_most_of_them)
{
    struct webhook w = { .url = STR("https://a.example/"), .events = 2, .event_names = STR("[]"), .concurrency = 1 };

    for (int i = 0; i < WEBHOOKS_MAX; i++)
        OK(webhook_create(s.db, &s.scope, &w, s.now, &s.arena, &s.err));
    REFUSED(webhook_create(s.db, &s.scope, &w, s.now, &s.arena, &s.err), 422, "There are 1000 webhooks already");
}
END_TEST

/* ---- fan-out ---- */

START_TEST(an_event_is_queued_for_those_who_listen)
{
    struct scope limited = { s.scope.workspace_id, s.group.id };
    struct scope elsewhere = { s.scope.workspace_id, ts_group(&s, "B").id };
    struct webhook all = hook(), sent = made(&s.scope, "https://b.example/", INT64_C(1) << EVENT_MESSAGE_SENT),
                   read = made(&s.scope, "https://c.example/", INT64_C(1) << EVENT_MESSAGE_READ),
                   own = made(&limited, "https://d.example/", EVENTS_BY_STAR),
                   other = made(&elsewhere, "https://e.example/", EVENTS_BY_STAR), off = hook();

    disable(&off);
    ts_commit(&s);
    happen();
    ck_assert_int_eq(queued(&all, JOB_DELIVER), 1);
    ck_assert_int_eq(queued(&sent, JOB_DELIVER), 1);
    ck_assert_int_eq(queued(&own, JOB_DELIVER), 1);
    ck_assert_int_eq(queued(&read, JOB_DELIVER) + queued(&other, JOB_DELIVER) + queued(&off, JOB_DELIVER), 0);
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, all.id), 1);
    ck_assert_int_eq(ts_signals(&s, TOPIC_EVENTS, s.scope.workspace_id), 1);
}
END_TEST

START_TEST(one_chat_stands_in_line_and_another_does_not)
{
    struct webhook w = hook();
    struct chat other = ts_chat(&s, &s.profile, "88");
    struct job job;

    happen();
    happen();
    ts_received(&s, &other, "6", "Hi");
    ck_assert_int_eq(standing(JOB_READY), 2);
    ck_assert_int_eq(standing(JOB_QUEUED), 1);
    job = first(&w);
    OK(job_leave_queue(s.db, &job, s.now, &s.err)); /* as after its third failure */
    ck_assert_int_eq(standing(JOB_READY), 3);
}
END_TEST

/* ---- disabling ---- */

START_TEST(disabling_drops_what_is_queued)
{
    struct webhook w = hook(), other = hook();

    happen();
    ts_tick(&s, 5);
    disable(&w);
    ck_assert_int_eq(queued(&w, JOB_DELIVER), 0);
    ck_assert_int_eq(queued(&other, JOB_DELIVER), 1);
    ck_assert_int_eq(queued(&w, JOB_SWEEP), 0);
}
END_TEST

START_TEST(much_is_dropped_piece_by_piece)
{
    struct webhook w = hook(), before;
    bool more = true;
    int pieces = 0;

    happen();
    OK(db_exec(s.db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1199)"
                     " INSERT INTO job (id, kind, lane_id, queue_id, state, due_at, record_id, created_at)"
                     " SELECT i, $1, $2, $3, CASE WHEN i > 1 THEN 1 ELSE 0 END, 0, 1, 0 FROM n",
               DB_ARGS(db_int(JOB_DELIVER), db_int(w.id), db_int(first(&w).queue_id)), NULL, &s.err));
    ts_tick(&s, 5);
    disable(&w);
    ck_assert_int_eq(queued(&w, JOB_DELIVER), 700);
    ck_assert_int_eq(queued(&w, JOB_SWEEP), 1);
    /* enabled again before all is gone: what comes now is not dropped, and moves up when those before it are */
    before = again(&w);
    w.enabled = true;
    OK(webhook_update(s.db, &w, &before, s.now, &s.err));
    ts_tick(&s, 5);
    happen();
    ck_assert_int_eq(queued(&w, JOB_DELIVER), 701);
    for (; more; pieces++)
        OK(webhook_sweep_some(s.db, w.id, s.now, &more, &s.err));
    ck_assert_int_eq(pieces, 2);
    ck_assert_int_eq(queued(&w, JOB_DELIVER), 1);
    ck_assert_int_eq(first(&w).state, JOB_READY);
}
END_TEST

START_TEST(deleting_forgets_the_log_too)
{
    struct webhook w = hook(), other = hook();
    struct job job;

    happen();
    job = first(&w);
    tried(&w, &job, 1, false);
    OK(webhook_delete(s.db, &w, s.now, &s.err));
    ck_assert_int_eq(queued(&w, JOB_DELIVER), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM delivery"), 0);
    ck_assert(!tried(&w, &job, 2, true).found); /* it was under way */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM delivery"), 0);
    ck_assert_int_eq(queued(&other, JOB_DELIVER), 1);
}
END_TEST

START_TEST(giving_up_tells_others_why)
{
    struct webhook w = hook(), watch = made(&s.scope, "https://w.example/", INT64_C(1) << EVENT_WEBHOOK_DISABLED), now;

    OK(webhook_disable(s.db, w.id, STR("The endpoint answered 410 Gone"), s.now, &s.err));
    now = again(&w);
    ck_assert(!now.enabled);
    ck_assert_slice(now.disabled_reason, "The endpoint answered 410 Gone");
    ck_assert_int_eq(queued(&watch, JOB_DELIVER), 1);
    OK(webhook_disable(s.db, w.id, STR("again"), s.now, &s.err));
    ck_assert_slice(again(&w).disabled_reason, "The endpoint answered 410 Gone");
    ck_assert_int_eq(queued(&watch, JOB_DELIVER), 1);
    w = now;
    w.enabled = true;
    OK(webhook_update(s.db, &w, &now, s.now, &s.err));
    ck_assert_none(again(&w).disabled_reason);
}
END_TEST

/* ---- the log ---- */

START_TEST(the_latest_try_is_logged_in_place_of_the_one_before)
{
    struct webhook w = hook();
    struct delivery *list;
    struct job job;
    size_t n;

    happen();
    job = first(&w);
    tried(&w, &job, 1, false);
    OK(job_retry(s.db, &job, s.now + 5000, 1, STR_NONE, &s.err));
    w = again(&w);
    OK(delivery_list(s.db, &w, 0, 20, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].attempt_number, 1);
    ck_assert_int_eq(list[0].next_attempt_at, s.now + 5000);
    tried(&w, &job, 2, true);
    OK(job_finish(s.db, &job, s.now, &s.err));
    w = again(&w);
    ck_assert_int_eq(w.deliveries_count, 1);
    OK(delivery_list(s.db, &w, 0, 20, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].attempt_number, 2);
    ck_assert(list[0].success);
    ck_assert_int_eq(list[0].next_attempt_at, 0);
    OK(delivery_list(s.db, &w, 1, 20, &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(failures_are_counted_from_the_first_after_a_success)
{
    struct webhook w = hook(), moved;
    int64_t began;
    struct job job;

    happen();
    job = first(&w);
    began = s.now;
    ck_assert_int_eq(tried(&w, &job, 1, false).failing_since, began);
    ts_tick(&s, DAY_MS);
    ck_assert_int_eq(tried(&w, &job, 2, false).failing_since, began);
    ck_assert_int_eq(tried(&w, &job, 3, true).failing_since, 0);
    ck_assert_int_eq(tried(&w, &job, 4, false).failing_since, s.now);
    moved = again(&w);
    moved.url = STR("https://new.example/");
    w = again(&w);
    OK(webhook_update(s.db, &moved, &w, s.now, &s.err));
    ck_assert_int_eq(again(&w).failing_since, 0);
}
END_TEST

START_TEST(what_is_old_is_forgotten_and_uncounted)
{
    struct webhook w = hook(), other = hook();
    struct job job;
    int64_t removed;

    for (int i = 0; i < 5; i++) {
        happen();
        job = first(&w);
        tried(&w, &job, 1, true);
        OK(job_finish(s.db, &job, s.now, &s.err));
        job = first(&other);
        tried(&other, &job, 1, true);
        OK(job_finish(s.db, &job, s.now, &s.err));
        ts_tick(&s, DAY_MS);
    }
    OK(delivery_prune(s.db, s.now - 3 * DAY_MS, 3, &removed, &s.err));
    ck_assert_int_eq(removed, 3);
    OK(delivery_prune(s.db, s.now - 3 * DAY_MS, 3, &removed, &s.err));
    ck_assert_int_eq(removed, 1);
    ck_assert_int_eq(again(&w).deliveries_count, 3);
    ck_assert_int_eq(again(&other).deliveries_count, 3);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM delivery"), 6);
}
END_TEST

/* ---- replay ---- */

START_TEST(named_events_are_queued_again)
{
    struct scope limited = { s.scope.workspace_id, ts_group(&s, "B").id };
    struct webhook w, narrow, foreign;
    int64_t sent, ids[3], n;

    happen();
    sent = ts_int(&s, "SELECT MAX(id) FROM event");
    w = hook();
    narrow = made(&s.scope, "https://n.example/", INT64_C(1) << EVENT_MESSAGE_READ);
    foreign = made(&limited, "https://f.example/", EVENTS_BY_STAR);
    ids[0] = ids[1] = sent;
    OK(webhook_replay_events(s.db, &w, ids, 2, s.now, &n, &s.err));
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(first(&w).record_id, sent);
    REFUSED(webhook_replay_events(s.db, &narrow, ids, 1, s.now, &n, &s.err), 422, "does not listen to message.sent");
    REFUSED(webhook_replay_events(s.db, &foreign, ids, 1, s.now, &n, &s.err), 404, "There is no event 'evt_");
    ids[2] = sent + 1;
    REFUSED(webhook_replay_events(s.db, &w, ids, 3, s.now, &n, &s.err), 404, "There is no event 'evt_");
}
END_TEST

START_TEST(all_since_a_time_is_queued_in_pieces)
{
    struct webhook w;
    int64_t after = 0, until = 0, since;
    struct str head, tail;
    struct job job;
    bool found;
    int pieces = 0;

    happen();
    ts_tick(&s, 1000);
    since = s.now;
    for (int i = 0; i < 600; i++)
        happen();
    ts_commit(&s);
    w = hook();
    OK(webhook_replay_since(s.db, &w, since, s.now, &s.err));
    ts_tick(&s, 1000);
    happen(); /* queued by itself, and not once more */
    OK(job_next_of_kind(s.db, w.id, JOB_REPLAY, 0, &s.arena, &job, &found, &s.err));
    ck_assert(found && str_cut(job.payload, ',', &head, &tail) && str_to_i64(head, &after) && str_to_i64(tail, &until));
    for (; after != 0; pieces++)
        OK_OF(after, webhook_replay_some(s.db, &w, after, until, s.now, &after, &s.err));
    ck_assert_int_eq(pieces, 2);
    ck_assert_int_eq(queued(&w, JOB_DELIVER), 601);
}
END_TEST

/* ---- ids ---- */

START_TEST(events_are_ordered_by_commit_also_when_the_clock_is_set_back)
{
    int64_t before, ahead, after;

    happen();
    before = ts_int(&s, "SELECT MAX(id) FROM event");
    /* from another database, or of a time when the clock was an hour fast */
    ahead = id_first_at(s.now + 3600000);
    ck_assert_int_gt(ahead, before);
    OK(db_exec(s.db, "INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)"
                     " VALUES ($1, $2, 0, 0, 0, 1, 0, '{}')",
               DB_ARGS(db_int(ahead), db_int(s.scope.workspace_id)), NULL, &s.err));
    OK(db_numbers_go_on(s.db, &event_series, &s.err));
    ts_commit(&s);
    happen();
    after = ts_int(&s, "SELECT MAX(id) FROM event");
    ck_assert_int_gt(after, ahead);
    happen();
    ck_assert_int_gt(ts_int(&s, "SELECT MAX(id) FROM event"), after);
}
END_TEST

STORE_TESTS("webhook", what_is_made_is_found_again, a_key_of_one_group_sees_and_makes_its_own,
            a_rotated_secret_keeps_the_old_one_for_a_while, there_is_a_most_of_them,
            an_event_is_queued_for_those_who_listen, one_chat_stands_in_line_and_another_does_not,
            disabling_drops_what_is_queued, much_is_dropped_piece_by_piece, deleting_forgets_the_log_too,
            giving_up_tells_others_why, the_latest_try_is_logged_in_place_of_the_one_before,
            failures_are_counted_from_the_first_after_a_success, what_is_old_is_forgotten_and_uncounted,
            named_events_are_queued_again, all_since_a_time_is_queued_in_pieces,
            events_are_ordered_by_commit_also_when_the_clock_is_set_back)
