#include "store/testing.h"

#include "base/id.h"

static struct testing_store s;

#define POSTED (TESTING_NOW - 700) /* what the platform says; our clock is ahead */

static struct chat
the_chat(void)
{
    static struct profile page;

    page = ts_account(&s, &facebook, "1029384756");
    return ts_chat(&s, &page, "7001");
}

static struct inbound_event
echo_of(const char *external_id, const char *body)
{
    struct inbound_event e = ts_inbound("7001", external_id, body, POSTED);

    e.outbound = true;
    return e;
}

static struct inbound_event
echo_with_reference(const char *external_id, const struct message *m)
{
    struct inbound_event e = echo_of(external_id, "as the platform shows it");
    char id[ID_TEXT_MAX];

    e.client_ref = arena_copy(&s.arena, str_of(id_format(ID_MESSAGE, m->id, id)));
    return e;
}

static bool
take(const struct chat *c, const struct inbound_event *e)
{
    const struct chat now = ts_chat_again(&s, c);
    struct message m;
    bool stored;

    OK(message_receive(s.db, &now, e, s.now, &s.arena, &m, &stored, &s.err));
    return stored;
}

static void
answer(struct message *m, enum message_status status, const char *external_id)
{
    const struct send_result r = { .status = status, .external_id = str_of(external_id),
                                   .error_message = status == STATUS_PUBLISHED ? STR_NONE : STR("Later") };

    OK_OF(*m, message_settle(s.db, m, &r, s.now, &s.arena, &s.err));
}

/* The send of the chat's oldest message has begun. */
static void
send_begins(void)
{
    ts_exec(&s, "UPDATE job SET state = 2 WHERE id = (SELECT MIN(id) FROM job WHERE kind = 1)");
}

static void
ck_published(const struct message *m, const char *external_id, int64_t posted_at)
{
    struct message now = ts_message_again(&s, m);

    ck_assert_int_eq(now.status, STATUS_PUBLISHED);
    ck_assert_str_eq(now.external_id.ptr, external_id);
    ck_assert_int_eq(now.posted_at, posted_at);
}

/* Rows, counters and events agree. */
static void
ck_sent(const struct chat *c, int rows, int published, int events)
{
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), rows);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message WHERE status = 2"), published);
    ck_assert_int_eq(ts_chat_again(&s, c).n_published, published);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_SENT), events);
}

START_TEST(one_that_names_our_message_settles_it)
{
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello");
    struct inbound_event e = echo_with_reference("mid.1", &m);

    send_begins();
    take(&c, &e);
    ck_published(&m, "mid.1", POSTED);
    ck_assert(str_eq(ts_message_again(&s, &m).body, STR("Hello")));
    ck_sent(&c, 1, 1, 1);
    ck_assert_int_eq(ts_chat_again(&s, &c).n_pending, 0);
    ck_assert_int_eq(ts_chat_again(&s, &c).last_outbound_at, POSTED);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 1"), 1); /* its answer is still to come */

    take(&c, &e);
    answer(&m, STATUS_PUBLISHED, "mid.1");
    ck_assert_int_eq(m.status, STATUS_PUBLISHED);
    ck_published(&m, "mid.1", POSTED);
    ck_sent(&c, 1, 1, 1);
}
END_TEST

START_TEST(a_failure_after_the_echo_changes_nothing)
{
    static const enum message_status answers[] = { STATUS_WAITING, STATUS_FAILED };

    for (size_t i = 0; i < 2; i++) {
        struct chat c = the_chat();
        struct message m = ts_draft(&s, &c, "Hello");
        struct inbound_event e = echo_with_reference("mid.1", &m);

        send_begins();
        take(&c, &e);
        answer(&m, answers[i], NULL);
        ck_assert_int_eq(m.status, STATUS_PUBLISHED);
        ck_published(&m, "mid.1", POSTED);
        ck_sent(&c, 1, 1, 1);
        ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_WAITING) + ts_events(&s, EVENT_MESSAGE_FAILED), 0);
        ts_rollback(&s);
    }
}
END_TEST

START_TEST(after_the_answer_it_only_tells_the_time)
{
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello");
    struct inbound_event e = echo_of("mid.1", "Hello");

    answer(&m, STATUS_PUBLISHED, "mid.1");
    ck_published(&m, "mid.1", s.now);
    ck_assert(!take(&c, &e));
    ck_published(&m, "mid.1", POSTED);
    ck_assert_int_eq(ts_int(&s, "SELECT sort_at FROM message"), POSTED);
    ck_sent(&c, 1, 1, 1);
    ck_assert_int_lt(POSTED, s.now);
    ck_assert_int_eq(ts_chat_again(&s, &c).last_outbound_at, POSTED);
    ck_assert_int_eq(ts_chat_again(&s, &c).last_message_at, POSTED);
}
END_TEST

START_TEST(one_that_was_given_up_is_published_after_all)
{
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello");
    struct inbound_event e = echo_with_reference("mid.1", &m);

    answer(&m, STATUS_FAILED, NULL);
    ts_exec(&s, "DELETE FROM job WHERE kind = 1");
    take(&c, &e);
    ck_published(&m, "mid.1", POSTED);
    ck_assert(str_is_none(ts_message_again(&s, &m).error_message));
    ck_assert_int_eq(ts_chat_again(&s, &c).n_failed, 0);
    ck_sent(&c, 1, 1, 1);
}
END_TEST

START_TEST(it_ends_the_wait_for_another_try)
{
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello"), next = ts_draft(&s, &c, "And");
    struct inbound_event e = echo_with_reference("mid.1", &m);

    answer(&m, STATUS_WAITING, NULL);
    ts_exec(&s, "UPDATE job SET due_at = due_at + 3600000, payload = 'interrupted' WHERE kind = 1 AND state = 0");
    take(&c, &e);
    ck_assert_int_eq(ts_int(&s, "SELECT record_id FROM job WHERE kind = 1"), next.id);
    ck_assert_int_eq(ts_int(&s, "SELECT state FROM job WHERE kind = 1"), JOB_READY);
    ck_assert_int_eq(ts_chat_again(&s, &c).n_waiting, 0);
}
END_TEST

START_TEST(a_reference_of_another_account_is_none_of_ours)
{
    struct chat c = the_chat(), other = ts_chat(&s, &s.profile, "7001");
    struct message theirs = ts_draft(&s, &other, "Hello");
    struct inbound_event e = echo_with_reference("mid.1", &theirs), foreign = echo_of("mid.2", "Hello");

    foreign.client_ref = STR("some-other-tool");
    ck_assert(take(&c, &e));
    ck_assert(take(&c, &foreign));
    ck_assert_int_eq(ts_message_again(&s, &theirs).status, STATUS_PENDING);
    ck_assert_int_eq(ts_chat_again(&s, &c).n_published, 2);
}
END_TEST

START_TEST(a_second_echo_of_one_message_is_a_second_message)
{
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello");
    struct inbound_event first = echo_with_reference("mid.1", &m), second = echo_with_reference("mid.2", &m);

    take(&c, &first);
    ck_assert(take(&c, &second));
    ck_published(&m, "mid.1", POSTED);
    ck_sent(&c, 2, 2, 2);
}
END_TEST

/* ---- without a reference ---- */

static const struct {
    const char *sent, *echoed;
    int         state;
    const char *payload;
    bool        is_its;
} words[] = {
    { "Hello", "Hello", JOB_IN_FLIGHT, NULL, true },
    { "Hello ", "Hello\n", JOB_IN_FLIGHT, NULL, true },
    { "Hello", "Hello", JOB_READY, "interrupted", true },
    { "Hello", "Hello", JOB_READY, NULL, false },
    { "Hello", "Hello there", JOB_IN_FLIGHT, NULL, false },
};

START_TEST(the_same_words_while_it_is_on_its_way)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        struct chat c = the_chat();
        struct message m = ts_draft(&s, &c, words[i].sent);
        struct inbound_event e = echo_of("mid.1", words[i].echoed);

        OK(db_exec(s.db, "UPDATE job SET state = $1, payload = $2 WHERE kind = 1",
                   DB_ARGS(db_int(words[i].state), db_text(str_of(words[i].payload))), NULL, &s.err));
        ck_assert_int_eq(!take(&c, &e), words[i].is_its);
        ck_assert_int_eq(ts_message_again(&s, &m).status == STATUS_PUBLISHED, words[i].is_its);
        ck_sent(&c, words[i].is_its ? 1 : 2, 1, 1);
        ts_rollback(&s);
    }
}
END_TEST

START_TEST(a_text_is_no_echo_of_a_file)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .ref = STR("https://cdn.example/1") };
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "");
    struct inbound_event e = echo_of("mid.1", "");

    send_begins();
    e.media = &picture;
    e.media_count = 1;
    ck_assert(take(&c, &e));
    ck_assert_int_eq(ts_message_again(&s, &m).status, STATUS_PENDING);
}
END_TEST

START_TEST(of_two_that_say_the_same_it_is_the_one_on_its_way)
{
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello"), next = ts_draft(&s, &c, "Hello");
    struct inbound_event e = echo_of("mid.1", "Hello");

    send_begins();
    take(&c, &e);
    ck_published(&m, "mid.1", POSTED);
    ck_assert_int_eq(ts_message_again(&s, &next).status, STATUS_PENDING);
}
END_TEST

START_TEST(the_answer_is_right_where_it_names_another_id)
{
    struct inbound_event e = echo_of("mid.1", "Hello"), heart = ts_inbound("7001", "mid.1", "", s.now);
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello"), theirs;
    bool found;

    send_begins();
    take(&c, &e);
    heart.reaction = STR("love");
    OK(message_receive_reaction(s.db, &c, &heart, s.now, &s.arena, &s.err));
    answer(&m, STATUS_PUBLISHED, "mid.2");
    ck_published(&m, "mid.2", s.now);
    ck_assert(str_is_none(ts_message_again(&s, &m).reactions));
    OK(message_by_external(s.db, &c, STR("mid.1"), &s.arena, &theirs, &found, &s.err));
    ck_assert(found);
    ck_assert_int_ne(theirs.id, m.id);
    ck_assert_int_eq(theirs.direction, OUTBOUND);
    ck_assert(str_eq(theirs.body, STR("Hello")));
    ck_assert_int_eq(theirs.posted_at, POSTED);
    ck_assert(str_find(theirs.reactions, STR("love")) > 0);
    ck_sent(&c, 2, 2, 2);
}
END_TEST

START_TEST(a_file_that_was_taken_for_ours_is_asked_for)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .ref = STR("https://cdn.example/1") };
    const struct draft d = { .has_media = true, .media = { .type = ATTACH_IMAGE, .status = ATTACHMENT_PROCESSED,
                                                           .media = STR("x.jpg") } };
    struct inbound_event e = echo_of("mid.1", NULL);
    struct chat c = the_chat();
    struct message m;

    OK(message_accept(s.db, &c, &d, s.now, &s.arena, &m, &s.err));
    send_begins();
    e.media = &picture;
    e.media_count = 1;
    ck_assert(!take(&c, &e));
    answer(&m, STATUS_PUBLISHED, "mid.2");
    ck_published(&m, "mid.2", s.now);
    ck_assert_uint_eq(ts_message_again(&s, &m).attachment_count, 1);
    ck_sent(&c, 1, 1, 1);
    ck_assert_str_eq(ts_text(&s, "SELECT payload FROM job WHERE kind = 14").ptr, "mid.1");
}
END_TEST

/* ---- an echo that was stored for itself ---- */

START_TEST(an_answer_that_names_a_stored_echo_makes_them_one)
{
    struct inbound_event e = echo_of("mid.1", "Hello, shortened"), heart = ts_inbound("7001", "mid.1", "", s.now);
    struct inbound_event read = ts_inbound("7001", "", "", s.now);
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello"), now;

    send_begins();
    ck_assert(take(&c, &e));
    heart.reaction = STR("love");
    OK(message_receive_reaction(s.db, &c, &heart, s.now, &s.arena, &s.err));
    read.kind = INBOUND_READ;
    read.watermark_ms = s.now;
    OK(message_receive_receipt(s.db, &c, &read, s.now, &s.arena, &s.err));
    ck_sent(&c, 2, 1, 1);
    answer(&m, STATUS_PUBLISHED, "mid.1");
    ck_published(&m, "mid.1", POSTED);
    now = ts_message_again(&s, &m);
    ck_assert(str_eq(now.body, STR("Hello")));
    ck_assert(str_find(now.reactions, STR("love")) > 0);
    ck_assert_int_eq(now.read_at, s.now);
    ck_sent(&c, 1, 1, 2);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_READ), 1);
}
END_TEST

START_TEST(what_was_unsent_stays_unsent)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .ref = STR("https://cdn.example/1") };
    struct inbound_event e = echo_of("mid.1", NULL), gone = echo_of("mid.1", NULL);
    struct chat c = the_chat();
    struct message m = ts_draft(&s, &c, "Hello");

    e.media = &picture;
    e.media_count = 1;
    ck_assert(take(&c, &e));
    gone.kind = INBOUND_DELETION;
    gone.at_ms = s.now;
    OK(message_receive_deletion(s.db, &c, &gone, s.now, &s.arena, &s.err));
    answer(&m, STATUS_PUBLISHED, "mid.1");
    ck_assert_int_eq(ts_message_again(&s, &m).deleted_at, s.now);
    ck_assert(str_is_none(ts_message_again(&s, &m).body));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM attachment"), 0);
}
END_TEST

/* ---- private replies to a comment nobody told us of ---- */

static struct chat
unidentified_chat(struct profile *page)
{
    *page = ts_account(&s, &facebook, "1029384756");
    return ts_chat(&s, page, "comment:555_1");
}

static void
answer_naming(struct message *m, const char *participant)
{
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("mid.1"),
                                   .participant_id = str_of(participant) };

    OK_OF(*m, message_settle(s.db, m, &r, s.now, &s.arena, &s.err));
}

START_TEST(the_answer_names_the_person)
{
    struct profile page;
    struct chat c = unidentified_chat(&page);
    struct message m = ts_draft(&s, &c, "Hello");

    ts_exec(&s, "DELETE FROM job WHERE kind = 3");
    answer_naming(&m, "7001");
    c = ts_chat_again(&s, &c);
    ck_assert_str_eq(c.participant_external_id.ptr, "7001");
    ck_assert_int_eq(c.n_published, 1);
    ck_assert_int_eq(m.chat_id, c.id);
    ck_assert_int_eq(ts_int(&s, "SELECT record_id FROM job WHERE kind = 3"), c.id);
}
END_TEST

START_TEST(the_message_moves_to_the_chat_there_is)
{
    struct profile page;
    struct chat pseudo = unidentified_chat(&page), c = ts_chat(&s, &page, "7001"), gone;
    struct message failed = ts_draft(&s, &pseudo, "Hello"), m = ts_draft(&s, &pseudo, "Hello again");
    bool found;

    ts_received(&s, &c, "mid.0", "price?");
    answer(&failed, STATUS_FAILED, NULL);
    answer_naming(&m, "7001");
    ck_assert_int_eq(ts_message_again(&s, &m).chat_id, c.id);
    ck_assert_int_eq(ts_message_again(&s, &failed).chat_id, c.id);
    c = ts_chat_again(&s, &c);
    ck_assert_int_eq(c.n_published, 1);
    ck_assert_int_eq(c.n_failed, 1);
    ck_assert_int_eq(c.n_pending, 0);
    ck_assert_int_eq(c.n_received, 1);
    OK(chat_get(s.db, pseudo.id, &s.arena, &gone, &found, &s.err));
    ck_assert(!found);
    ck_assert_int_eq(ts_int(&s, "SELECT chats_count FROM profile WHERE platform = 'facebook'"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event WHERE type = 2 AND chat_id ="
                                " (SELECT chat_id FROM message WHERE status = 2)"), 1);
}
END_TEST

START_TEST(an_echo_names_the_person_too)
{
    struct profile page;
    struct chat pseudo = unidentified_chat(&page), c = ts_chat(&s, &page, "7001");
    struct message m = ts_draft(&s, &pseudo, "Hello");
    struct inbound_event e = echo_with_reference("mid.1", &m);

    send_begins();
    take(&c, &e);
    ck_published(&m, "mid.1", POSTED);
    ck_assert_int_eq(ts_message_again(&s, &m).chat_id, c.id);
    answer_naming(&m, "7001");
    ck_assert_int_eq(ts_chat_again(&s, &c).n_published, 1);
}
END_TEST

START_TEST(an_echo_without_reference_is_found_by_the_answer)
{
    struct profile page;
    struct chat pseudo = unidentified_chat(&page), c = ts_chat(&s, &page, "7001");
    struct message m = ts_draft(&s, &pseudo, "Hello");
    struct inbound_event e = echo_of("mid.1", "Hello");

    send_begins();
    ck_assert(take(&c, &e));
    answer_naming(&m, "7001");
    ck_published(&m, "mid.1", POSTED);
    ck_sent(&c, 1, 1, 2);
}
END_TEST

/* ---- private replies to people who have another id below posts than in messages ---- */

static struct message
private_reply(const struct chat *c)
{
    const struct draft d = { .body = STR("Hello"), .external_comment_id = STR("555_1") };
    struct message     m;

    OK(message_accept(s.db, c, &d, s.now, &s.arena, &m, &s.err));
    return m;
}

START_TEST(the_answer_tells_the_id_for_messages)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "9001");
    struct message m = private_reply(&c), again = private_reply(&c);

    answer_naming(&m, "7001");
    ck_assert_str_eq(ts_chat_again(&s, &c).participant_external_id.ptr, "7001");
    answer(&again, STATUS_FAILED, NULL); /* it had been read before the chat was renamed */
    ck_assert_int_eq(ts_chat_again(&s, &c).n_failed, 1);
}
END_TEST

START_TEST(it_moves_to_the_chat_with_that_id)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "9001"), there = ts_chat(&s, &page, "7001");
    struct message m = private_reply(&c), again = private_reply(&c);
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("mid.2"),
                                   .participant_id = STR("7001") };

    answer_naming(&m, "7001");
    OK(message_settle(s.db, &again, &r, s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_message_again(&s, &m).chat_id, there.id);
    ck_assert_int_eq(ts_message_again(&s, &again).chat_id, there.id);
    ck_assert_int_eq(ts_chat_again(&s, &there).n_published, 2);
    ck_assert_int_eq(ts_int(&s, "SELECT chats_count FROM profile WHERE platform = 'facebook'"), 1);
}
END_TEST

/* What belonged to the chat that is no more would otherwise be named by nothing, and stay for ever. */
START_TEST(nothing_is_left_of_the_chat_that_went)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "9001"), there = ts_chat(&s, &page, "7001");
    const struct participant who = { .external_id = STR("9001"), .avatar_id = STR("a1") };
    struct inbound_event read = ts_inbound("9001", "", NULL, s.now), heart = ts_inbound("9001", "mid.9", NULL, s.now);
    struct message m = private_reply(&c);

    OK_OF(c, chat_set_participant(s.db, &c, &who, STR("face.jpg"), s.now, &s.arena, &s.err));
    read.kind = INBOUND_READ;
    read.watermark_ms = s.now;
    OK(message_receive_receipt(s.db, &c, &read, s.now, &s.arena, &s.err));
    OK(message_receive_reaction(s.db, &c, &heart, s.now, &s.arena, &s.err));
    answer_naming(&m, "7001");
    ck_assert_int_eq(ts_int(&s, "SELECT chat_id FROM replaced_media WHERE media = 'face.jpg'"), there.id);
    ck_assert_int_eq(ts_int(&s, "SELECT (SELECT COUNT(*) FROM receipt) + (SELECT COUNT(*) FROM parked)"), 0);
}
END_TEST

START_TEST(an_echo_that_comes_first_tells_it_too)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "9001"), there = ts_chat(&s, &page, "7001");
    struct message m = private_reply(&c);
    struct inbound_event e = echo_with_reference("mid.1", &m);

    send_begins();
    take(&there, &e);
    ck_published(&m, "mid.1", POSTED);
    ck_assert_int_eq(ts_message_again(&s, &m).chat_id, there.id);
    answer_naming(&m, "7001");
    ck_assert_int_eq(ts_chat_again(&s, &there).n_published, 1);
}
END_TEST

START_TEST(an_id_by_which_somebody_wrote_stays)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "9001");
    struct message m = private_reply(&c);

    ts_received(&s, &c, "mid.0", "price?");
    answer_naming(&m, "7001");
    ck_assert_str_eq(ts_chat_again(&s, &c).participant_external_id.ptr, "9001");
    ck_assert_int_eq(ts_message_again(&s, &m).chat_id, c.id);
}
END_TEST

STORE_TESTS("echo", the_answer_tells_the_id_for_messages, it_moves_to_the_chat_with_that_id,
            nothing_is_left_of_the_chat_that_went, an_echo_that_comes_first_tells_it_too,
            an_id_by_which_somebody_wrote_stays, one_that_names_our_message_settles_it,
            a_failure_after_the_echo_changes_nothing, after_the_answer_it_only_tells_the_time,
            one_that_was_given_up_is_published_after_all, it_ends_the_wait_for_another_try,
            a_reference_of_another_account_is_none_of_ours, a_second_echo_of_one_message_is_a_second_message,
            the_same_words_while_it_is_on_its_way, a_text_is_no_echo_of_a_file,
            of_two_that_say_the_same_it_is_the_one_on_its_way, the_answer_is_right_where_it_names_another_id,
            a_file_that_was_taken_for_ours_is_asked_for, an_answer_that_names_a_stored_echo_makes_them_one,
            what_was_unsent_stays_unsent, the_answer_names_the_person, the_message_moves_to_the_chat_there_is,
            an_echo_names_the_person_too, an_echo_without_reference_is_found_by_the_answer)
