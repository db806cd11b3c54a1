/* What happens seldom: late, twice, to nobody, or larger than anybody sends. */
#include "store/testing.h"

#include "base/config.h"
#include "base/id.h"
#include "store/instance.h"
#include "store/post.h"
#include "store/schema.h"
#include "store/stored.h"
#include "store/view.h"
#include "store/webhook.h"

static struct testing_store s;

static struct inbound_event
about(enum inbound_kind kind, const char *external_id, const char *body, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("7001", external_id, body, at_ms);

    e.kind = kind;
    return e;
}

START_TEST(the_earliest_deletion_counts)
{
    struct chat c = ts_chat(&s, &s.profile, "7001");
    struct message m = ts_received(&s, &c, "m1", "Hello");
    struct inbound_event gone = about(INBOUND_DELETION, "m1", NULL, s.now + 9);

    OK(message_receive_deletion(s.db, &c, &gone, s.now, &s.arena, &s.err));
    gone.at_ms = s.now + 4;
    OK(message_receive_deletion(s.db, &c, &gone, s.now, &s.arena, &s.err));
    gone.at_ms = s.now + 6;
    OK(message_receive_deletion(s.db, &c, &gone, s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_message_again(&s, &m).deleted_at, s.now + 4);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELETED), 1);
}
END_TEST

/* The echo was stored as a message of its own, and edited, before the answer said whose it was. */
START_TEST(an_edit_of_the_echo_is_one_of_the_message)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "7001");
    struct message m = ts_draft(&s, &c, "Hello"), echo, now;
    struct inbound_event e = about(INBOUND_MESSAGE, "mid.1", "Something else", s.now);
    struct inbound_event edit = about(INBOUND_EDIT, "mid.1", "Hello, edited", s.now + 5);
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("mid.1") };
    bool stored;

    e.outbound = edit.outbound = edit.text_only = true;
    edit.sequence = 1;
    OK(message_receive(s.db, &c, &e, s.now, &s.arena, &echo, &stored, &s.err));
    ck_assert(stored);
    OK(message_receive_edit(s.db, &c, &edit, s.now, &s.arena, &s.err));
    OK_OF(m, message_settle(s.db, &m, &r, s.now, &s.arena, &s.err));
    now = ts_message_again(&s, &m);
    ck_assert(str_eq(now.body, STR("Hello, edited")));
    ck_assert_int_eq(now.edited_at, s.now + 5);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 1);
}
END_TEST

START_TEST(a_picture_that_is_replaced_is_kept_to_be_removed)
{
    const struct participant who = { .external_id = STR("7001"), .avatar_id = STR("a1") };
    const struct participant later = { .external_id = STR("7001"), .avatar_id = STR("a2") };
    struct chat c = ts_chat(&s, &s.profile, "7001");

    OK_OF(c, chat_set_participant(s.db, &c, &who, STR("first.jpg"), s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM replaced_media"), 0);
    OK_OF(c, chat_set_participant(s.db, &c, &later, STR("second.jpg"), s.now, &s.arena, &s.err));
    ck_assert(str_eq(ts_text(&s, "SELECT media FROM replaced_media"), STR("first.jpg")));
    ck_assert(str_eq(ts_chat_again(&s, &c).avatar, STR("second.jpg")));
}
END_TEST

START_TEST(a_note_has_a_bound)
{
    struct chat c = ts_chat(&s, &s.profile, "7001");
    struct message m = ts_received(&s, &c, "m1", "Hello");
    struct str big = { memset(arena_bytes(&s.arena, 3 * MIB), 'x', 3 * MIB), 3 * MIB };
    yyjson_val *note;

    OK_ONCE(json_parse(&s.arena, arena_printf(&s.arena, "\"%.*s\"", STR_ARG(big)), 1, &note, &s.err));
    REFUSED(message_note(s.db, &m, "note", note, &s.arena, &s.err), 500, "too large");
    ck_assert(str_is_none(ts_message_again(&s, &m).platform_data));
}
END_TEST

/* What a platform nested as deep as a payload may be lies deeper in platform_data, and is not lost to a note. */
START_TEST(a_note_leaves_what_is_nested_deep)
{
    struct chat c = ts_chat(&s, &s.profile, "7001");
    struct message m = ts_received(&s, &c, "m1", "Hello");
    struct buf deep;

    buf_init(&deep, KIB);
    buf_append(&deep, STR("{\"raw\":"));
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_append_char(&deep, '[');
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_append_char(&deep, ']');
    buf_append_char(&deep, '}');
    m.platform_data = arena_copy(&s.arena, buf_str(&deep));
    OK_OF(m, message_mark_possible_duplicate(s.db, &m, &s.arena, &s.err));
    ck_assert(str_starts(ts_message_again(&s, &m).platform_data, STR("{\"raw\":[[[[")));
    buf_deinit(&deep);
}
END_TEST

START_TEST(where_nothing_happened_nothing_is_told_again)
{
    struct webhook w = { .url = STR("https://app.example/hook"), .events = EVENTS_BY_STAR,
                         .event_names = STR("[\"*\"]"), .enabled = true, .concurrency = 4 };

    ts_exec(&s, "DELETE FROM event");
    OK_OF(w, webhook_create(s.db, &s.scope, &w, s.now, &s.arena, &s.err));
    OK(webhook_replay_since(s.db, &w, 0, s.now, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 11"), 0);
}
END_TEST

START_TEST(an_endpoint_of_a_group_says_so)
{
    const struct webhook w = { .id = 1, .workspace_id = 1, .group_id = s.group.id, .event_names = STR("[]") };
    char id[ID_TEXT_MAX];
    struct buf text;
    struct json json = { .buf = &text };
    yyjson_val *shown;

    buf_init(&text, 64 * KIB);
    view_webhook(&json, NULL, &w);
    OK_ONCE(json_parse(&s.arena, buf_str(&text), 8, &shown, &s.err));
    ck_assert(str_eq(json_str(shown, "profile_group_id"), str_of(id_format(ID_GROUP, s.group.id, id))));
    buf_deinit(&text);
}
END_TEST

START_TEST(with_another_key_a_secret_stays_shut)
{
    static const uint8_t other[KEYRING_KEY_SIZE] = { 8 };
    struct webhook w = { .url = STR("https://app.example/hook"), .events = EVENTS_BY_STAR,
                         .event_names = STR("[\"*\"]"), .enabled = true, .concurrency = 4 };
    bool found;

    OK_OF(w, webhook_create(s.db, &s.scope, &w, s.now, &s.arena, &s.err));
    keyring_derive(&config.keys, other);
    REFUSED(webhook_get(s.db, w.id, &s.arena, &w, &found, &s.err), 500, "PARLEY_SECRET_KEY");
}
END_TEST

START_TEST(behind_the_last_page_there_is_nothing)
{
    struct post *posts;
    int64_t total;
    size_t n;

    OK(post_list(s.db, &s.scope, 7, 20, &s.arena, &posts, &n, &total, &s.err));
    ck_assert_int_eq(total, 0);
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* Its account was deleted while the platform was asked, and its echo had come. */
START_TEST(what_was_deleted_meanwhile_is_settled_for_nobody)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct chat c = ts_chat(&s, &page, "7001");
    struct message told = ts_draft(&s, &c, "Hello"), other = ts_draft(&s, &c, "Good evening"), echo;
    const struct send_result first = { .status = STATUS_PUBLISHED, .external_id = STR("mid.1") };
    const struct send_result second = { .status = STATUS_PUBLISHED, .external_id = STR("mid.2") };
    struct inbound_event e = about(INBOUND_MESSAGE, "mid.2", "Something else", s.now);
    bool stored;

    e.outbound = true;
    OK_OF(told, message_settle(s.db, &told, &first, s.now, &s.arena, &s.err));
    OK(message_receive(s.db, &c, &e, s.now, &s.arena, &echo, &stored, &s.err));
    ck_assert(stored);
    OK(profile_delete(s.db, &page, s.now, &s.err));
    OK_OF(told, message_settle(s.db, &told, &first, s.now, &s.arena, &s.err));
    OK_OF(other, message_settle(s.db, &other, &second, s.now, &s.arena, &s.err));
    ck_assert_int_eq(told.status, STATUS_PUBLISHED);
    ck_assert_int_eq(other.status, STATUS_PUBLISHED);
}
END_TEST

START_TEST(files_come_with_a_message_and_go_with_it)
{
    struct inbound_media media = { .type = ATTACH_IMAGE, .external_id = STR("u1"), .ref = STR("f1") };
    struct inbound_media other = { .type = ATTACH_IMAGE, .external_id = STR("u2"), .ref = STR("f2") };
    struct chat c = ts_chat(&s, &s.profile, "7001");
    struct inbound_event e = about(INBOUND_MESSAGE, "m1", "See", s.now);
    struct inbound_event edit = about(INBOUND_EDIT, "m1", "See", s.now + 5);
    struct inbound_event gone = about(INBOUND_DELETION, "m1", NULL, s.now + 9);
    struct inbound_event early = about(INBOUND_REACTION, "m1", "love", s.now);
    struct message m;
    bool stored;

    e.media = &media;
    edit.media = &other;
    e.media_count = edit.media_count = 1;
    OK(message_receive_reaction(s.db, &c, &early, s.now, &s.arena, &s.err));
    c = ts_chat_again(&s, &c);
    OK(message_receive(s.db, &c, &e, s.now, &s.arena, &m, &stored, &s.err));
    OK(message_receive_edit(s.db, &c, &edit, s.now, &s.arena, &s.err));
    ck_assert(str_eq(ts_text(&s, "SELECT ref FROM attachment"), STR("f2")));
    ck_assert_uint_gt(ts_message_again(&s, &m).reactions.len, 0);
    ts_exec(&s, "UPDATE attachment SET media = 'a.jpg', status = 1");
    OK(message_receive_deletion(s.db, &c, &gone, s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM attachment"), 0);
    ck_assert(str_eq(ts_text(&s, "SELECT payload FROM job WHERE kind = 15"), STR("a.jpg")));
}
END_TEST

/* Nobody sends as much; it must not end in an event that nobody can read. */
START_TEST(an_event_has_a_bound)
{
    const size_t len = 5 * MIB;
    struct chat c = ts_chat(&s, &s.profile, "7001");
    struct inbound_event e = about(INBOUND_MESSAGE, "m1", "Hello", s.now);
    struct message m;
    bool stored;

    e.body = (struct str){ memset(arena_bytes(&s.arena, len), 'x', len), len };
    REFUSED(message_receive(s.db, &c, &e, s.now, &s.arena, &m, &stored, &s.err), 500, "would be larger");
}
END_TEST

START_TEST(reactions_have_a_bound)
{
    struct chat c = ts_chat(&s, &s.profile, "7001");
    struct message m = ts_received(&s, &c, "m1", "Hello");
    struct inbound_event e = about(INBOUND_REACTION, "m1", "love", s.now);
    struct str before = STR_NONE, now = STR_NONE;

    e.emoji = (struct str){ memset(arena_bytes(&s.arena, 9 * KIB), 'x', 9 * KIB), 9 * KIB };
    for (int i = 0; i < 9; i++) {
        before = now;
        e.from.external_id = arena_printf(&s.arena, "%d", i);
        OK(message_receive_reaction(s.db, &c, &e, s.now, &s.arena, &s.err));
        now = ts_message_again(&s, &m).reactions;
    }
    ck_assert_uint_gt(now.len, 0);
    ck_assert(str_eq(now, before));
}
END_TEST

START_TEST(what_is_old_is_forgotten_piece_by_piece)
{
    int64_t removed;

    ts_exec(&s, "DELETE FROM event");
    for (int i = 0; i < 5; i++) {
        OK(event_profile(s.db, EVENT_PROFILE_CONNECTED, &s.profile, s.now, &s.err));
        ts_settle(&s);
        ts_tick(&s, 1000);
    }
    OK(event_prune(s.db, s.now - 2000, 2, &removed, &s.err));
    ck_assert_int_eq(removed, 2);
    OK(event_prune(s.db, s.now - 2000, 2, &removed, &s.err));
    ck_assert_int_eq(removed, 1);
    OK(event_prune(s.db, s.now - 2000, 2, &removed, &s.err));
    ck_assert_int_eq(removed, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event"), 2);
}
END_TEST

START_TEST(of_a_delivery_the_latest_try_is_kept)
{
    struct webhook w = { .url = STR("https://app.example/hook"), .events = EVENTS_BY_STAR,
                         .event_names = STR("[\"*\"]"), .enabled = true, .concurrency = 4 };
    struct delivery d = { .id = 7, .event_type = EVENT_MESSAGE_SENT, .attempt_number = 1, .attempted_at = s.now,
                          .created_at = s.now, .response_status = 500 };
    struct delivery_state state;

    OK_OF(w, webhook_create(s.db, &s.scope, &w, s.now, &s.arena, &s.err));
    d.webhook_id = w.id;
    OK(delivery_log(s.db, &d, s.now, &s.arena, &state, &s.err));
    ck_assert_int_eq(state.failing_since, s.now);
    d.attempt_number = 2;
    d.success = true;
    d.response_status = 200;
    OK(delivery_log(s.db, &d, s.now, &s.arena, &state, &s.err));
    ck_assert_int_eq(state.failing_since, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT response_status FROM delivery"), 200);
    ck_assert_int_eq(ts_int(&s, "SELECT deliveries_count FROM webhook"), 1);
}
END_TEST

START_TEST(a_key_is_settled_once)
{
    static const uint8_t other[KEYRING_KEY_SIZE] = { 8 };

    OK(instance_check_key(s.db, false, &s.err));
    OK(instance_check_key(s.db, true, &s.err));
    OK(instance_check_key(s.db, true, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM instance"), 1);
    keyring_derive(&config.keys, other);
    REFUSED(instance_check_key(s.db, true, &s.err), 500, "another secret key");
    ts_exec(&s, "INSERT INTO instance (name, value) SELECT 'import', value FROM instance");
    REFUSED(instance_check_key(s.db, true, &s.err), 500, "not complete");
}
END_TEST

START_TEST(a_start_asks_for_the_newest_id)
{
    ts_chat(&s, &s.profile, "7001");
    OK(store_settle_ids(s.db, &s.err));
    ck_assert_int_gt(id_generate(0), ts_int(&s, "SELECT MAX(id) FROM chat"));
}
END_TEST

START_TEST(all_files_are_walked_through)
{
    struct chat c = ts_chat(&s, &s.profile, "7001");
    const struct participant who = { .external_id = STR("7001"), .avatar_id = STR("a1") };
    struct stored_walk walk = { 0 };
    struct str *names;
    size_t n;

    OK_OF(c, chat_set_participant(s.db, &c, &who, STR("face.jpg"), s.now, &s.arena, &s.err));
    OK_OF(walk, stored_next(s.db, &walk, &s.arena, &names, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert(str_eq(names[0], STR("face.jpg")));
    OK_OF(walk, stored_next(s.db, &walk, &s.arena, &names, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* A database that a later version has written to. */
START_TEST(what_is_of_an_unknown_platform_is_not_listed)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");
    struct inbound_comment comment = { .verb = COMMENT_ADD, .external_id = STR("c1"), .post_id = STR("page_1"),
                                       .body = STR("Nice"), .author_id = STR("7001") };
    struct inbound_event e = { .kind = INBOUND_COMMENT, .at_ms = s.now };
    struct comment *list;
    struct post post;
    int64_t total;
    bool stored;
    size_t n;

    e.comment = &comment;
    OK(comment_receive(s.db, &page, &e, s.now, &s.arena, &stored, &s.err));
    OK(post_find(s.db, &s.scope, STR("page_1"), 0, &s.arena, &post, &s.err));
    OK(comment_list(s.db, &post, page.id, 0, 20, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 1);
    ts_exec(&s, "UPDATE profile SET platform = 'gone' WHERE platform = 'facebook'");
    OK(comment_list(s.db, &post, page.id, 0, 20, &s.arena, &list, &n, &total, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

STORE_TESTS("seldom", the_earliest_deletion_counts, an_edit_of_the_echo_is_one_of_the_message,
            a_picture_that_is_replaced_is_kept_to_be_removed, a_note_has_a_bound, a_note_leaves_what_is_nested_deep,
            where_nothing_happened_nothing_is_told_again, an_endpoint_of_a_group_says_so,
            with_another_key_a_secret_stays_shut, behind_the_last_page_there_is_nothing,
            what_was_deleted_meanwhile_is_settled_for_nobody, files_come_with_a_message_and_go_with_it,
            an_event_has_a_bound, reactions_have_a_bound, what_is_old_is_forgotten_piece_by_piece,
            of_a_delivery_the_latest_try_is_kept, a_key_is_settled_once, a_start_asks_for_the_newest_id,
            all_files_are_walked_through, what_is_of_an_unknown_platform_is_not_listed)
