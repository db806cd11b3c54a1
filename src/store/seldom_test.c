/* What happens seldom: late, twice, to nobody, or larger than anybody sends. */
#include "store/testing.h"

#include "base/config.h"
#include "base/id.h"
#include "store/post.h"
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

STORE_TESTS("seldom", the_earliest_deletion_counts, an_edit_of_the_echo_is_one_of_the_message,
            a_picture_that_is_replaced_is_kept_to_be_removed, a_note_has_a_bound, a_note_leaves_what_is_nested_deep,
            where_nothing_happened_nothing_is_told_again, an_endpoint_of_a_group_says_so,
            with_another_key_a_secret_stays_shut, behind_the_last_page_there_is_nothing)
