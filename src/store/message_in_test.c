#include "store/testing.h"

static struct testing_store s;

static struct chat
the_chat(void)
{
    return ts_chat(&s, &s.profile, "77");
}

static struct message
by_external(const struct chat *c, const char *external_id)
{
    struct message m;
    bool found;

    OK(message_by_external(s.db, c, str_of(external_id), &s.arena, &m, &found, &s.err));
    ck_assert(found);
    return m;
}

static bool
receive(const struct chat *c, const struct inbound_event *e, struct message *m)
{
    const struct chat now = ts_chat_again(&s, c);
    bool stored;

    OK(message_receive(s.db, &now, e, s.now, &s.arena, m, &stored, &s.err));
    return stored;
}

static struct inbound_event
edit_of(const char *external_id, const char *body, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("77", external_id, body, at_ms);

    e.kind = INBOUND_EDIT;
    e.posted_ms = TESTING_NOW - 60000;
    return e;
}

static void
edit(const struct chat *c, const struct inbound_event *e)
{
    OK(message_receive_edit(s.db, c, e, s.now, &s.arena, &s.err));
}

START_TEST(all_that_came_is_kept)
{
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "5", "Hi", s.now - 3000);
    struct message m, now;

    e.reply_to = STR("4");
    e.reply_markup = STR("{\"inline_keyboard\":[]}");
    e.platform_data = STR("{\"x\":1}");
    e.is_unsupported = true;
    ck_assert(receive(&c, &e, &m));
    now = ts_message_again(&s, &m);
    ck_assert_int_eq(now.direction, INBOUND);
    ck_assert_int_eq(now.status, STATUS_RECEIVED);
    ck_assert(str_eq(now.external_id, STR("5")));
    ck_assert(str_eq(now.body, STR("Hi")));
    ck_assert(str_eq(now.reply_to_external_id, STR("4")));
    ck_assert(str_eq(now.reply_markup, e.reply_markup));
    ck_assert(str_eq(now.platform_data, STR("{\"x\":1}")));
    ck_assert(now.is_unsupported);
    ck_assert_int_eq(now.posted_at, s.now - 3000);
    ck_assert_int_eq(now.edited_at, 0);
    c = ts_chat_again(&s, &c);
    ck_assert_int_eq(c.n_received, 1);
    ck_assert_int_eq(c.last_inbound_at, s.now - 3000);
    ck_assert_int_eq(c.last_message_at, s.now - 3000);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 1);
}
END_TEST

START_TEST(a_second_time_nothing_happens)
{
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "5", "Hi", s.now);
    struct inbound_event other = ts_inbound("77", "5", "Ho", s.now + 9);
    struct message m;

    ck_assert(receive(&c, &e, &m));
    ck_assert(!receive(&c, &e, &m));
    ck_assert(!receive(&c, &other, &m));
    ck_assert(str_eq(by_external(&c, "5").body, STR("Hi")));
    ck_assert_int_eq(ts_chat_again(&s, &c).n_received, 1);
    ck_assert_int_eq(ts_chat_again(&s, &c).last_message_at, s.now);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 1);
}
END_TEST

START_TEST(the_same_id_in_another_chat_is_another_message)
{
    struct chat a = the_chat(), b = ts_chat(&s, &s.profile, "88");
    struct inbound_event e = ts_inbound("77", "5", "Hi", s.now);
    struct message m;

    ck_assert(receive(&a, &e, &m));
    ck_assert(receive(&b, &e, &m));
}
END_TEST

START_TEST(without_a_time_it_came_now)
{
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "tap", "", 0);
    struct message m;

    ck_assert(receive(&c, &e, &m));
    ck_assert_int_eq(m.posted_at, s.now);
    ck_assert_int_eq(ts_chat_again(&s, &c).last_inbound_at, s.now);
}
END_TEST

START_TEST(an_echo_is_an_outbound_message)
{
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "5", "from the phone", s.now);
    struct message m;

    e.outbound = true;
    ck_assert(receive(&c, &e, &m));
    m = by_external(&c, "5");
    ck_assert_int_eq(m.direction, OUTBOUND);
    ck_assert_int_eq(m.status, STATUS_PUBLISHED);
    c = ts_chat_again(&s, &c);
    ck_assert_int_eq(c.n_published, 1);
    ck_assert_int_eq(c.last_outbound_at, s.now);
    ck_assert_int_eq(c.last_inbound_at, 0);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_SENT), 1);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 0);
}
END_TEST

START_TEST(media_are_queued_and_refused_ones_say_why)
{
    struct inbound_media media[] = {
        { .type = ATTACH_IMAGE, .external_id = STR("u1"), .ref = STR("f1"), .file_name = STR("a.jpg"),
          .content_type = STR("image/jpeg"), .size = 5, .width = 2, .height = 3 },
        { .type = ATTACH_FILE, .external_id = STR("u2"), .ref = STR("f2"), .refusal = STR("It is larger than 20 MB") },
    };
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "5", "see", s.now);
    struct message m;

    e.media = media;
    e.media_count = 2;
    ck_assert(receive(&c, &e, &m));
    m = ts_message_again(&s, &m);
    ck_assert_uint_eq(m.attachment_count, 2);
    ck_assert_int_eq(m.attachments[0].status, ATTACHMENT_PENDING);
    ck_assert(str_eq(m.attachments[0].ref, STR("f1")));
    ck_assert(str_eq(m.attachments[0].file_name, STR("a.jpg")));
    ck_assert(str_eq(m.attachments[0].content_type, STR("image/jpeg")));
    ck_assert_int_eq(m.attachments[0].width, 2);
    ck_assert_int_eq(m.attachments[0].height, 3);
    ck_assert_int_eq(m.attachments[1].status, ATTACHMENT_FAILED);
    ck_assert_str_eq(m.platform_data.ptr, "{\"media_error\":\"It is larger than 20 MB\"}");
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 2"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT record_id FROM job WHERE kind = 2"), m.attachments[0].id);
}
END_TEST

/* ---- edits ---- */

START_TEST(media_know_their_place_in_their_message)
{
    struct inbound_media media[] = { { .type = ATTACH_IMAGE, .ref = STR("f1") },
                                     { .type = ATTACH_FILE, .ref = STR("f2") } };
    struct attachment nobodys = { .id = 1, .message_id = 1 };
    struct chat c = the_chat();
    struct attachment_place place;
    struct message m;

    for (int i = 0; i < 2; i++) {
        struct inbound_event e = ts_inbound("77", i == 0 ? "5" : "6", "see", s.now);

        e.media = media;
        e.media_count = 2;
        ck_assert(receive(&c, &e, &m));
    }
    for (size_t i = 0; i < 2; i++) {
        OK(attachment_find_place(s.db, &m.attachments[i], &s.arena, &place, &s.err));
        ck_assert(str_eq(place.message_external_id, STR("6")));
        ck_assert_uint_eq(place.index, i);
        ck_assert_uint_eq(place.count, 2);
    }
    OK(attachment_find_place(s.db, &nobodys, &s.arena, &place, &s.err));
    ck_assert(str_is_none(place.message_external_id));
    ck_assert_uint_eq(place.count, 0);
}
END_TEST

START_TEST(a_newer_edit_changes_everything_it_carries)
{
    struct chat c = the_chat();
    struct inbound_event e = edit_of("5", "new", s.now);
    struct message m;

    ts_received(&s, &c, "5", "old");
    e.platform_data = STR("{\"entities\":[]}");
    e.reply_markup = STR("{}");
    edit(&c, &e);
    m = by_external(&c, "5");
    ck_assert(str_eq(m.body, STR("new")));
    ck_assert(str_eq(m.platform_data, STR("{\"entities\":[]}")));
    ck_assert(str_eq(m.reply_markup, STR("{}")));
    ck_assert_int_eq(m.edited_at, s.now);
    ck_assert_int_eq(m.posted_at, s.now);
    ck_assert_int_eq(ts_chat_again(&s, &c).n_received, 1);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 1);
}
END_TEST

START_TEST(an_older_and_a_repeated_edit_change_nothing)
{
    struct chat c = the_chat();
    struct inbound_event older = edit_of("5", "older", s.now + 1000), newer = edit_of("5", "newer", s.now + 2000);

    ts_received(&s, &c, "5", "old");
    edit(&c, &newer);
    edit(&c, &older);
    edit(&c, &newer);
    ck_assert(str_eq(by_external(&c, "5").body, STR("newer")));
    ck_assert_int_eq(by_external(&c, "5").edited_at, s.now + 2000);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 1);
}
END_TEST

/* Telegram counts whole seconds: two edits within one are told apart by what they say. */
START_TEST(another_text_at_the_same_second_is_an_edit)
{
    struct chat c = the_chat();
    struct inbound_event one = edit_of("5", "one", s.now + 1000), two = edit_of("5", "two", s.now + 1000);

    ts_received(&s, &c, "5", "old");
    edit(&c, &one);
    edit(&c, &two);
    ck_assert(str_eq(by_external(&c, "5").body, STR("two")));
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 2);
}
END_TEST

START_TEST(an_edit_of_what_was_never_seen_is_the_message)
{
    struct chat c = the_chat();
    struct inbound_event e = edit_of("5", "edited", s.now), original = ts_inbound("77", "5", "old", s.now - 60000);
    struct message m;

    edit(&c, &e);
    m = by_external(&c, "5");
    ck_assert_int_eq(m.status, STATUS_RECEIVED);
    ck_assert_int_eq(m.posted_at, s.now - 60000);
    ck_assert_int_eq(m.edited_at, s.now);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 1);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 1);
    ck_assert(!receive(&c, &original, &m)); /* late, and overtaken */
    ck_assert(str_eq(by_external(&c, "5").body, STR("edited")));
    ck_assert_int_eq(ts_chat_again(&s, &c).n_received, 1);
}
END_TEST

START_TEST(a_replaced_file_is_fetched_anew)
{
    struct inbound_media old = { .type = ATTACH_IMAGE, .external_id = STR("u1"), .ref = STR("f1") };
    struct inbound_media again = { .type = ATTACH_IMAGE, .external_id = STR("u1"), .ref = STR("another ref") };
    struct inbound_media new = { .type = ATTACH_IMAGE, .external_id = STR("u2"), .ref = STR("f2") };
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "5", "see", s.now), change = edit_of("5", "see!", s.now + 1000);
    struct message m;
    int64_t first;

    e.media = &old;
    e.media_count = 1;
    ck_assert(receive(&c, &e, &m));
    first = by_external(&c, "5").attachments[0].id;
    change.media = &again;
    change.media_count = 1;
    edit(&c, &change);
    ck_assert_int_eq(by_external(&c, "5").attachments[0].id, first);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 2"), 1);
    change.at_ms += 1000;
    change.media = &new;
    edit(&c, &change);
    m = by_external(&c, "5");
    ck_assert_uint_eq(m.attachment_count, 1);
    ck_assert_int_ne(m.attachments[0].id, first);
    ck_assert(str_eq(m.attachments[0].ref, STR("f2")));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 2"), 2);
    change.at_ms += 1000;
    change.media_count = 0;
    edit(&c, &change);
    ck_assert_uint_eq(by_external(&c, "5").attachment_count, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM attachment"), 0);
}
END_TEST

START_TEST(why_a_file_is_missing_outlives_an_edit_of_the_text)
{
    struct inbound_media media = { .type = ATTACH_FILE, .external_id = STR("u"), .refusal = STR("too large") };
    struct chat c = the_chat();
    struct inbound_event e = ts_inbound("77", "5", "see", s.now), change = edit_of("5", "see!", s.now + 1000);
    struct message m;

    e.media = change.media = &media;
    e.media_count = change.media_count = 1;
    change.platform_data = STR("{\"x\":1}");
    ck_assert(receive(&c, &e, &m));
    edit(&c, &change);
    m = by_external(&c, "5");
    ck_assert(str_eq(m.body, STR("see!")));
    ck_assert_str_eq(m.platform_data.ptr, "{\"x\":1,\"media_error\":\"too large\"}");
    change.at_ms += 1000;
    change.media_count = 0;
    edit(&c, &change);
    ck_assert_str_eq(by_external(&c, "5").platform_data.ptr, "{\"x\":1}");
}
END_TEST

STORE_TESTS("message_in", all_that_came_is_kept, a_second_time_nothing_happens,
            the_same_id_in_another_chat_is_another_message, without_a_time_it_came_now,
            an_echo_is_an_outbound_message, media_are_queued_and_refused_ones_say_why,
            media_know_their_place_in_their_message,
            a_newer_edit_changes_everything_it_carries, an_older_and_a_repeated_edit_change_nothing,
            another_text_at_the_same_second_is_an_edit, an_edit_of_what_was_never_seen_is_the_message,
            a_replaced_file_is_fetched_anew, why_a_file_is_missing_outlives_an_edit_of_the_text)
