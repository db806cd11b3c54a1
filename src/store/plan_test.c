/* plan_test.c -- what runs for every message must stay as fast among ten million rows as among ten, so every statement
 * that these calls make SQLite prepare is asked for its plan. */
#include "store/testing.h"

#include <sqlite3.h>

#include "base/id.h"
#include "db/sqlite.h"
#include "store/idempotency.h"
#include "store/post.h"
#include "store/raw_payload.h"

static struct testing_store s;

__attribute__((constructor)) static void
be_about_sqlite(void)
{
    unsetenv("PARLEY_TEST_DATABASE_URL");
}

/* The tables that grow, under the names our statements give them. */
static const char *const growing[] = {
    "message", "m", "chat", "c", "job", "event", "attachment", "delivery", "idempotency", "comment", "r", "post", "o",
    "receipt", "parked", "profile", "raw_payload",
};

static bool
names_growing_table(struct str step)
{
    struct str name, rest;

    str_cut(str_from(step, strlen("SCAN ")), ' ', &name, &rest);
    for (size_t i = 0; i < COUNT(growing); i++)
        if (str_eq(name, str_of(growing[i])))
            return true;
    return false;
}

/* The number of steps of its plan; each must be a look-up. */
static int
ck_plan(sqlite3 *handle, const char *sql)
{
    struct str explain = arena_printf(&s.arena, "EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *plan;
    int steps = 0;

    ck_assert_int_eq(sqlite3_prepare_v2(handle, explain.ptr, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        struct str step = str_of((const char *)sqlite3_column_text(plan, 3));

        ck_assert_msg(!str_starts(step, STR("SCAN ")) || !names_growing_table(step), "%.*s: %s", STR_ARG(step), sql);
        ck_assert_msg(str_find(step, STR("FOR ORDER BY")) < 0, "%.*s: %s", STR_ARG(step), sql);
        steps++;
    }
    sqlite3_finalize(plan);
    return steps;
}

static void
ck_all_plans(int at_least)
{
    sqlite3 *handle = sqlite_of(s.db)->handle;
    const char *list[512];
    int n = 0, planned = 0;

    for (sqlite3_stmt *at = sqlite3_next_stmt(handle, NULL); at; at = sqlite3_next_stmt(handle, at)) {
        ck_assert_int_lt(n, 512);
        list[n++] = sqlite3_sql(at);
    }
    for (int i = 0; i < n; i++)
        planned += ck_plan(handle, list[i]) > 0;
    ck_assert_int_ge(planned, at_least);
}

static void
settle(struct message *m, enum message_status status)
{
    const struct send_result r = { .status = status, .external_id = STR("e"), .conversation_id = STR("conv") };

    OK(message_settle(s.db, m, &r, s.now, &s.arena, &s.err));
}

START_TEST(messages_and_chats)
{
    static const int statuses[] = { 0, STATUS_RECEIVED, STATUS_PUBLISHED, STATUS_WAITING, STATUS_FAILED };
    struct chat c = ts_chat(&s, &s.profile, "77"), *chats, found_chat;
    struct message m = ts_draft(&s, &c, "x"), *list, out;
    struct inbound_event e = ts_inbound("77", "5", "Hi", s.now);
    struct chat_filter cf = { .per_page = 10 };
    char id[ID_TEXT_MAX];
    int64_t total;
    bool found;
    size_t n;

    ts_chat(&s, &s.profile, "77");
    settle(&m, STATUS_WAITING);
    settle(&m, STATUS_PUBLISHED);
    m = ts_draft(&s, &c, "y");
    settle(&m, STATUS_FAILED);
    m = ts_draft(&s, &c, "z");
    settle(&m, STATUS_WAITING);
    ts_received(&s, &c, "5", "Hi");
    e.kind = INBOUND_EDIT;
    e.body = STR("Ho");
    e.at_ms++;
    OK(message_receive_edit(s.db, &c, &e, s.now, &s.arena, &s.err));
    OK(message_find(s.db, &s.scope, str_of(id_format(ID_MESSAGE, m.id, id)), &s.arena, &out, &s.err));
    OK(message_find(s.db, &s.scope, STR("5"), &s.arena, &out, &s.err));
    OK(message_get(s.db, m.id, &s.arena, &out, &found, &s.err));
    OK(message_by_external(s.db, &c, STR("5"), &s.arena, &out, &found, &s.err));
    OK(message_mark_possible_duplicate(s.db, &m, &s.arena, &s.err));
    OK(message_apply_edit(s.db, &out, true, STR("o"), false, STR_NONE, s.now, s.now, &s.arena, &s.err));
    c = ts_chat_again(&s, &c);
    for (size_t i = 0; i < COUNT(statuses); i++)
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            struct message_filter f = { .direction = direction, .status = statuses[i], .per_page = 10 };

            OK(message_list(s.db, &c, &f, &s.arena, &list, &n, &total, &s.err));
        }
    OK(chat_find(s.db, &s.scope, str_of(id_format(ID_CHAT, c.id, id)), &s.arena, &found_chat, &s.err));
    OK(chat_find(s.db, &s.scope, STR("conv"), &s.arena, &found_chat, &s.err));
    OK(chat_list(s.db, &s.profile, &cf, &s.arena, &chats, &n, &total, &s.err));
    cf.after = 1;
    OK(chat_list(s.db, &s.profile, &cf, &s.arena, &chats, &n, &total, &s.err));
    OK(chat_set_blocked(s.db, c.id, 1, &s.err));
    OK(chat_set_participant_asked(s.db, c.id, 1, &s.err));
    ck_all_plans(20);
}
END_TEST

/* What happens to messages, early and late, and what echoes and answers do to each other. */
START_TEST(what_follows_a_message)
{
    struct profile page = ts_account(&s, &facebook, "5");
    struct chat c = ts_chat(&s, &page, "77"), pseudo = ts_chat(&s, &page, "comment:1");
    struct message m = ts_draft(&s, &c, "x"), reply = ts_draft(&s, &pseudo, "y"), got;
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("p"), .participant_id = STR("77") };
    struct inbound_event e = ts_inbound("77", "e", "x", s.now);
    struct job job;
    bool flag;

    OK(job_head_of_queue(s.db, c.id, &s.arena, &job, &flag, &s.err));
    OK(job_mark_in_flight(s.db, job.id, &flag, &s.err));
    for (int i = 0; i < 2; i++) {
        OK(message_receive_reaction(s.db, &c, &e, s.now, &s.arena, &s.err));
        e.text_only = true;
        OK(message_receive_edit(s.db, &c, &e, s.now, &s.arena, &s.err));
        e.watermark_ms = i ? 0 : s.now;
        e.kind = i ? INBOUND_READ : INBOUND_DELIVERY;
        OK(message_receive_receipt(s.db, &c, &e, s.now, &s.arena, &s.err));
        e.kind = INBOUND_MESSAGE;
        e.outbound = true;
        OK(message_receive(s.db, &c, &e, s.now, &s.arena, &got, &flag, &s.err));
        e.at_ms++;
    }
    settle(&m, STATUS_PUBLISHED); /* its echo was under another id */
    e.external_id = STR("p");
    OK(message_receive(s.db, &c, &e, s.now, &s.arena, &got, &flag, &s.err));
    OK(message_settle(s.db, &reply, &r, s.now, &s.arena, &s.err));
    OK(message_receive_deletion(s.db, &c, &e, s.now, &s.arena, &s.err));
    OK(message_is_known(s.db, &page, STR("p"), &flag, &s.err));
    OK(chat_of_conversation(s.db, page.id, STR("conv"), &s.arena, &c, &flag, &s.err));
    OK(chat_set_archived(s.db, &c, true, &s.arena, &s.err));
    OK(chat_refer(s.db, &c, STR("{}"), 5, true, s.now, &s.arena, &flag, &s.err));
    ck_all_plans(35);
}
END_TEST

/* A look-up by lane and kind alone would do for ck_plan(), and go through all that wait in the lane. */
START_TEST(a_participant_is_looked_up_by_its_chat)
{
    sqlite3 *handle = sqlite_of(s.db)->handle;
    int asked = 0;

    ts_chat(&s, &s.profile, "77");
    for (sqlite3_stmt *at = sqlite3_next_stmt(handle, NULL); at; at = sqlite3_next_stmt(handle, at)) {
        struct str sql = str_of(sqlite3_sql(at)), explain, step;
        sqlite3_stmt *plan;

        if (str_find(sql, STR("FROM job")) < 0 || str_find(sql, STR("record_id = $2")) < 0)
            continue;
        explain = arena_printf(&s.arena, "EXPLAIN QUERY PLAN %.*s", STR_ARG(sql));
        ck_assert_int_eq(sqlite3_prepare_v2(handle, explain.ptr, -1, &plan, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_step(plan), SQLITE_ROW);
        step = str_of((const char *)sqlite3_column_text(plan, 3));
        ck_assert_int_ge(str_find(step, STR("job_participant (lane_id=? AND record_id=?)")), 0);
        sqlite3_finalize(plan);
        asked++;
    }
    ck_assert_int_eq(asked, 1);
}
END_TEST

START_TEST(posts_and_comments)
{
    struct profile page = ts_account(&s, &facebook, "5"), *profiles;
    struct inbound_comment in = { .external_id = STR("c1"), .post_id = STR("p1"), .parent_id = STR("c0"),
                                  .body = STR("x"), .post_body = STR("post") };
    const struct inbound_event e = { .kind = INBOUND_COMMENT, .at_ms = s.now, .comment = &in };
    struct comment *comments, comment;
    struct post *posts, post;
    struct message m;
    int64_t total;
    bool flag;
    size_t n;

    OK(comment_receive(s.db, &page, &e, s.now, &s.arena, &flag, &s.err));
    in.external_id = STR("c0");
    in.parent_id = STR_NONE;
    in.post_permalink = STR("https://x");
    OK(comment_receive(s.db, &page, &e, s.now, &s.arena, &flag, &s.err));
    OK(post_find(s.db, &s.scope, STR("p1"), 0, &s.arena, &post, &s.err));
    OK(post_list(s.db, &s.scope, 0, 10, &s.arena, &posts, &n, &total, &s.err));
    OK(comment_list(s.db, &post, page.id, 0, 10, &s.arena, &comments, &n, &total, &s.err));
    ck_assert_uint_eq(comments[0].replies_loaded, 1);
    OK(comment_find(s.db, page.id, STR("c1"), &s.arena, &comment, &flag, &s.err));
    OK(comment_private_reply(s.db, page.id, STR("c1"), &s.arena, &m, &flag, &s.err));
    OK(profile_list_of_account(s.db, "facebook", STR("5"), &s.arena, &profiles, &n, &s.err));
    ck_all_plans(20);
}
END_TEST

START_TEST(jobs_and_events)
{
    static const struct event_filter any = { 0 };
    struct job job = { .kind = JOB_SEND, .lane_id = 1, .queue_id = 5, .due_at = s.now }, second = job, *jobs;
    struct event event;
    struct event_page page;
    int64_t next, newest, removed;
    bool found;
    size_t n;

    OK(job_add(s.db, &job, s.now, &s.err));
    OK(job_add(s.db, &second, s.now, &s.err));
    OK(job_add_once(s.db, &second, s.now, &s.err));
    OK(job_add_named(s.db, &second, s.now, &s.err));
    OK(job_schedule(s.db, &second, s.now, &s.err));
    OK(job_head_of_queue(s.db, 5, &s.arena, &job, &found, &s.err));
    OK(job_due(s.db, 1, s.now, 10, &s.arena, &jobs, &n, &next, &s.err));
    OK(job_get(s.db, job.id, &s.arena, &job, &found, &s.err));
    OK(job_mark_in_flight(s.db, job.id, &found, &s.err));
    OK(job_retry(s.db, &job, s.now, 1, STR_NONE, &s.err));
    OK(job_leave_queue(s.db, &job, s.now, &s.err));
    OK(job_finish(s.db, &second, s.now, &s.err));
    OK(job_hurry_lane(s.db, 1, s.now, &s.err));
    OK(job_next_of_kind(s.db, 1, JOB_SEND, 0, &s.arena, &job, &found, &s.err));
    OK(job_drop_lane(s.db, 1, &s.err));
    OK(event_newest(s.db, s.scope.workspace_id, INT64_MAX, &newest, &s.err));
    OK(event_get(s.db, newest, &s.arena, &event, &found, &s.err));
    OK(event_exists(s.db, s.scope.workspace_id, newest, &found, &s.err));
    OK(event_list(s.db, s.scope.workspace_id, &any, 0, INT64_MAX, 10, 10, 1000, &s.arena, &page, &s.err));
    OK(event_prune(s.db, s.now, 10, &removed, &s.err));
    ck_all_plans(14);
}
END_TEST

START_TEST(profiles_and_requests)
{
    static const uint8_t request[SHA256_SIZE] = { 1 };
    struct str body, *media;
    struct account account;
    int64_t removed;
    bool replay, more = true;
    int status;
    size_t n;

    for (int i = 0; i < 2; i++) {
        OK(idempotency_claim(s.db, 1, STR("k"), request, 1, s.now, &s.arena, &replay, &status, &body, &s.err));
        OK(idempotency_remember(s.db, 1, STR("k"), 200, STR("{}"), &s.err));
    }
    OK(idempotency_prune(s.db, s.now, 10, &removed, &s.err));
    OK(idempotency_release(s.db, 1, STR("k"), &s.err));
    OK(raw_payload_keep(s.db, s.profile.id, STR("{}"), s.now, &s.err));
    OK(raw_payload_size(s.db, s.profile.id, &removed, &s.err));
    ts_chat(&s, &s.profile, "77");
    OK(profile_account(s.db, &s.profile, &s.arena, &account, &s.err));
    OK(profile_set_cursor(s.db, s.profile.id, STR("5"), &s.err));
    OK(profile_expire(s.db, s.profile.id, STR("no"), s.now, &s.err));
    OK(profile_delete(s.db, &s.profile, s.now, &s.err));
    while (more)
        OK(profile_erase_some(s.db, s.profile.id, &s.arena, &media, &n, &more, &s.err));
    ck_all_plans(14);
}
END_TEST

STORE_TESTS("plan", messages_and_chats, what_follows_a_message, a_participant_is_looked_up_by_its_chat,
            posts_and_comments, jobs_and_events, profiles_and_requests)
