#include "store/testing.h"

#include <signal.h>

#include "base/id.h"

static struct testing_store s;

static void
settle(struct message *m, enum message_status status)
{
    const struct send_result r = {
        .status = status, .external_id = status == STATUS_PUBLISHED ? STR("ext-1") : STR_NONE,
        .error_message = status == STATUS_PUBLISHED ? STR_NONE : STR("Too Many Requests"),
    };

    OK_OF(*m, message_settle(s.db, m, &r, s.now, &s.arena, &s.err));
}

static void
ck_counters(const struct chat *c, int64_t pending, int64_t waiting, int64_t published, int64_t failed)
{
    struct chat now = ts_chat_again(&s, c);

    ck_assert_int_eq(now.n_received, 0);
    ck_assert_int_eq(now.n_pending, pending);
    ck_assert_int_eq(now.n_waiting, waiting);
    ck_assert_int_eq(now.n_published, published);
    ck_assert_int_eq(now.n_failed, failed);
}

START_TEST(accepting_stores_counts_and_queues)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    const struct draft d = { .body = STR("Hi"), .reply_to_external_id = STR("12"), .reply_markup = STR("{\"a\":[]}"),
                             .external_comment_id = STR("cmt") };
    struct message m, now;

    OK(message_accept(s.db, &c, &d, s.now, &s.arena, &m, &s.err));
    ck_assert_int_eq(m.status, STATUS_PENDING);
    now = ts_message_again(&s, &m);
    ck_assert_int_eq(now.direction, OUTBOUND);
    ck_assert_int_eq(now.status, STATUS_PENDING);
    ck_assert(str_eq(now.body, STR("Hi")));
    ck_assert(str_eq(now.reply_to_external_id, STR("12")));
    ck_assert(str_eq(now.reply_markup, STR("{\"a\":[]}")));
    ck_assert(str_eq(now.external_comment_id, STR("cmt")));
    ck_assert(str_is_none(now.external_id));
    ck_assert(str_eq(now.chat_participant, STR("77")));
    ck_assert_int_eq(now.posted_at, 0);
    ck_assert_int_eq(now.created_at, s.now);
    ck_counters(&c, 1, 0, 0, 0);
    ck_assert_int_eq(ts_chat_again(&s, &c).last_message_at, 0); /* nothing has been said yet */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event WHERE type < 10"), 0);
}
END_TEST

START_TEST(the_first_of_a_chat_is_ready_and_the_rest_queue)
{
    struct chat a = ts_chat(&s, &s.profile, "a"), b = ts_chat(&s, &s.profile, "b");

    ts_draft(&s, &a, "1");
    ts_draft(&s, &a, "2");
    ts_draft(&s, &b, "3");
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 0"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 1 AND state = 1"), 1);
    ck_assert(str_eq(ts_text(&s, "SELECT body FROM message m JOIN job j ON j.record_id = m.id WHERE j.state = 1"),
                     STR("2")));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(DISTINCT lane_id) FROM job WHERE kind = 1"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT lane_id FROM job WHERE kind = 1"), s.profile.id);
}
END_TEST

START_TEST(a_draft_with_a_file_has_an_attachment)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    const struct draft d = { .has_media = true, .media = { .type = ATTACH_IMAGE, .status = ATTACHMENT_PROCESSED,
                                                           .media = STR("x.jpg"), .size = 9, .width = 3 } };
    struct message m, now;

    OK(message_accept(s.db, &c, &d, s.now, &s.arena, &m, &s.err));
    now = ts_message_again(&s, &m);
    ck_assert_uint_eq(now.attachment_count, 1);
    ck_assert_int_eq(now.attachments[0].id, m.attachments[0].id);
    ck_assert_int_eq(now.attachments[0].message_id, m.id);
    ck_assert(str_eq(now.attachments[0].media, STR("x.jpg")));
    ck_assert_int_eq(now.attachments[0].size, 9);
    ck_assert(str_is_none(now.body));
}
END_TEST

/* ---- settling ---- */

static const struct {
    enum message_status first, then; /* STATUS_NONE: settled once */
    int pending, waiting, published, failed;
    int events_sent, events_waiting, events_failed;
} ways[] = {
    { STATUS_PUBLISHED, STATUS_NONE,      0, 0, 1, 0, 1, 0, 0 },
    { STATUS_WAITING,   STATUS_NONE,      0, 1, 0, 0, 0, 1, 0 },
    { STATUS_FAILED,    STATUS_NONE,      0, 0, 0, 1, 0, 0, 1 },
    { STATUS_WAITING,   STATUS_PUBLISHED, 0, 0, 1, 0, 1, 1, 0 },
    { STATUS_WAITING,   STATUS_WAITING,   0, 1, 0, 0, 0, 2, 0 },
    { STATUS_WAITING,   STATUS_FAILED,    0, 0, 0, 1, 0, 1, 1 },
};

START_TEST(every_allowed_way_through_the_states)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct chat c = ts_chat(&s, &s.profile, "77");
        struct message m = ts_draft(&s, &c, "Hi"), now;
        enum message_status last = ways[i].then ? ways[i].then : ways[i].first;

        settle(&m, ways[i].first);
        if (ways[i].then)
            settle(&m, ways[i].then);
        ck_counters(&c, ways[i].pending, ways[i].waiting, ways[i].published, ways[i].failed);
        ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_SENT), ways[i].events_sent);
        ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_WAITING), ways[i].events_waiting);
        ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_FAILED), ways[i].events_failed);
        now = ts_message_again(&s, &m);
        ck_assert_int_eq(now.status, last);
        ck_assert_int_eq(m.status, last);
        ck_assert(str_eq(now.error_message, last == STATUS_PUBLISHED ? STR("") : STR("Too Many Requests")));
        ck_assert_int_eq(str_is_none(now.error_message), last == STATUS_PUBLISHED);
        ck_assert_int_eq(str_eq(now.external_id, STR("ext-1")), last == STATUS_PUBLISHED);
        ck_assert_int_eq(now.posted_at, last == STATUS_PUBLISHED ? s.now : 0);
        ts_rollback(&s);
    }
}
END_TEST

/* Anything else is our own mistake, and ends the process rather than the truth. */
static const enum message_status forbidden[][2] = {
    { STATUS_FAILED, STATUS_PUBLISHED }, { STATUS_FAILED, STATUS_WAITING }, { STATUS_FAILED, STATUS_FAILED },
};

START_TEST(what_has_ended_does_not_move)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");

    settle(&m, forbidden[_i][0]);
    settle(&m, forbidden[_i][1]);
}
END_TEST

START_TEST(the_platforms_time_and_conversation_are_taken_over)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("ext"), .posted_at = s.now - 2000,
                                   .conversation_id = STR("conv") };

    OK_OF(m, message_settle(s.db, &m, &r, s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_message_again(&s, &m).posted_at, s.now - 2000);
    c = ts_chat_again(&s, &c);
    ck_assert_int_eq(c.last_outbound_at, s.now - 2000);
    ck_assert_int_eq(c.last_message_at, s.now - 2000);
    ck_assert_int_eq(c.last_inbound_at, 0);
    ck_assert(str_eq(c.external_conversation_id, STR("conv")));
}
END_TEST

START_TEST(a_published_message_is_sorted_by_when_it_was_posted)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message early = ts_draft(&s, &c, "early"), late, *list;
    struct message_filter f = { .per_page = 10 };
    int64_t total;
    size_t n;

    ts_tick(&s, 1000);
    late = ts_draft(&s, &c, "late");
    ts_tick(&s, 1000);
    settle(&early, STATUS_PUBLISHED); /* it went out after the other was written */
    c = ts_chat_again(&s, &c);
    OK(message_list(s.db, &c, &f, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(list[0].id, early.id);
    ck_assert_int_eq(list[1].id, late.id);
}
END_TEST

/* A transaction may be rolled back by no fault of its own and run again, with what it left in memory. */
START_TEST(settling_again_after_a_rollback_counts_once)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");

    ts_commit(&s);
    settle(&m, STATUS_PUBLISHED);
    ts_rollback(&s);
    ck_assert_int_eq(m.status, STATUS_PUBLISHED);
    settle(&m, STATUS_PUBLISHED);
    ts_commit(&s);
    ck_counters(&c, 0, 0, 1, 0);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_SENT), 1);
}
END_TEST

/* Holding a lane settles messages whose sends are under way; those know the state from before. */
START_TEST(an_old_copy_settles_from_the_state_the_row_has)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi"), copy = m;

    settle(&copy, STATUS_WAITING);
    settle(&m, STATUS_PUBLISHED);
    ck_counters(&c, 0, 0, 1, 0);
}
END_TEST

START_TEST(settling_what_is_gone_tells_nobody)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");

    ts_exec(&s, "DELETE FROM message");
    settle(&m, STATUS_PUBLISHED);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_SENT), 0);
}
END_TEST

START_TEST(the_event_shows_the_message_as_it_is_then)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");
    yyjson_val *data;

    settle(&m, STATUS_WAITING);
    OK_ONCE(json_parse(&s.arena, ts_text(&s, "SELECT data FROM event WHERE type = 7"), 16, &data, &s.err));
    ck_assert(str_eq(json_str(data, "status"), STR("failed_waiting_for_retry")));
    ck_assert(str_eq(json_str(data, "error_message"), STR("Too Many Requests")));
    settle(&m, STATUS_PUBLISHED);
    OK_ONCE(json_parse(&s.arena, ts_text(&s, "SELECT data FROM event WHERE type = 2"), 16, &data, &s.err));
    ck_assert(str_eq(json_str(data, "status"), STR("published")));
    ck_assert(str_eq(json_str(data, "external_id"), STR("ext-1")));
    ck_assert(yyjson_is_null(json_get(data, "error_message")));
}
END_TEST

/* ---- platform_data and edits ---- */

START_TEST(notes_leave_the_rest_of_platform_data)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct message m = ts_draft(&s, &c, "Hi");

    OK(message_mark_possible_duplicate(s.db, &m, &s.arena, &s.err));
    OK(message_note_media_error(s.db, &m, STR("a \"quoted\" reason"), &s.arena, &s.err));
    OK(message_note_media_error(s.db, &m, STR("another"), &s.arena, &s.err));
    OK(message_mark_possible_duplicate(s.db, &m, &s.arena, &s.err));
    m = ts_message_again(&s, &m);
    ck_assert_str_eq(m.platform_data.ptr, "{\"media_error\":\"another\",\"possible_duplicate\":true}");
}
END_TEST

START_TEST(notes_join_what_the_platform_said)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    struct inbound_event e = ts_inbound("77", "5", "Hi", s.now);
    struct message m;
    bool stored;

    e.platform_data = STR("{\"entities\":[1,2],\"x\":{\"media_error\":1}}");
    OK(message_receive(s.db, &c, &e, s.now, &s.arena, &m, &stored, &s.err));
    m = ts_message_again(&s, &m);
    OK(message_note_media_error(s.db, &m, STR("gone"), &s.arena, &s.err));
    ck_assert_str_eq(ts_message_again(&s, &m).platform_data.ptr,
                     "{\"entities\":[1,2],\"x\":{\"media_error\":1},\"media_error\":\"gone\"}");
}
END_TEST

START_TEST(an_edit_of_ours_changes_what_it_names)
{
    struct chat c = ts_chat(&s, &s.profile, "77");
    const struct draft d = { .body = STR("old"), .reply_markup = STR("{}") };
    struct message m;

    OK(message_accept(s.db, &c, &d, s.now, &s.arena, &m, &s.err));
    OK(message_apply_edit(s.db, &m, true, STR("new"), false, STR_NONE, s.now + 5, s.now, &s.arena, &s.err));
    m = ts_message_again(&s, &m);
    ck_assert(str_eq(m.body, STR("new")));
    ck_assert(str_eq(m.reply_markup, STR("{}")));
    ck_assert_int_eq(m.edited_at, s.now + 5);
    OK(message_apply_edit(s.db, &m, false, STR_NONE, true, STR_NONE, s.now + 6, s.now, &s.arena, &s.err));
    m = ts_message_again(&s, &m);
    ck_assert(str_eq(m.body, STR("new")));
    ck_assert(str_is_none(m.reply_markup));
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 2);
}
END_TEST

static void
set_up(void)
{
    ts_open(&s);
}

static void
tear_down(void)
{
    ts_close(&s);
}

static TCase *
mistakes(void)
{
    TCase *c = tcase_create("mistakes");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test_raise_signal(c, what_has_ended_does_not_move, SIGABRT, 0,
                                     COUNT(forbidden));
    return c;
}

static TCase *
states(void)
{
    static const TTest *const *const tests[] = {
        &accepting_stores_counts_and_queues, &the_first_of_a_chat_is_ready_and_the_rest_queue,
        &a_draft_with_a_file_has_an_attachment, &every_allowed_way_through_the_states,
        &the_platforms_time_and_conversation_are_taken_over, &a_published_message_is_sorted_by_when_it_was_posted,
        &settling_again_after_a_rollback_counts_once, &an_old_copy_settles_from_the_state_the_row_has,
        &settling_what_is_gone_tells_nobody, &the_event_shows_the_message_as_it_is_then,
        &notes_leave_the_rest_of_platform_data, &notes_join_what_the_platform_said,
        &an_edit_of_ours_changes_what_it_names,
    };
    TCase *c = tcase_create("states");

    tcase_add_checked_fixture(c, set_up, tear_down);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, *tests[i]);
    return c;
}

TEST_CASES("message_out", states, mistakes)
