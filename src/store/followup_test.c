/* followup_test.c -- what happens to a message after it was written, before and after it is there. */
#include "store/testing.h"

#include "json/json.h"
#include "store/view.h"

static struct testing_store s;
static struct chat chat;

static void
the_chat(void)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");

    chat = ts_chat(&s, &page, "7001");
}

static struct inbound_event
event(enum inbound_kind kind, const char *external_id, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("7001", external_id, NULL, at_ms);

    e.kind = kind;
    return e;
}

static struct inbound_event
reaction(const char *name, int64_t at_ms)
{
    struct inbound_event e = event(INBOUND_REACTION, "m1", at_ms);

    e.is_removed = !name;
    e.reaction = str_of(name);
    e.emoji = name ? STR("*") : STR_NONE;
    return e;
}

static struct inbound_event
text_edit(const char *body, int64_t number, int64_t at_ms)
{
    struct inbound_event e = event(INBOUND_EDIT, "m1", at_ms);

    e.text_only = true;
    e.sequence = number;
    e.body = str_of(body);
    return e;
}

static void
take(const struct inbound_event *e)
{
    bool stored, ok;
    struct message m;

    chat = ts_chat_again(&s, &chat);
    ok = e->kind == INBOUND_MESSAGE         ? message_receive(s.db, &chat, e, s.now, &s.arena, &m, &stored, &s.err)
         : e->kind == INBOUND_EDIT          ? message_receive_edit(s.db, &chat, e, s.now, &s.arena, &s.err)
         : e->kind == INBOUND_DELETION      ? message_receive_deletion(s.db, &chat, e, s.now, &s.arena, &s.err)
         : e->kind == INBOUND_REACTION      ? message_receive_reaction(s.db, &chat, e, s.now, &s.arena, &s.err)
                                            : message_receive_receipt(s.db, &chat, e, s.now, &s.arena, &s.err);
    OK(ok);
}

static void
take_message(const char *body)
{
    struct inbound_event e = ts_inbound("7001", "m1", body, s.now);

    take(&e);
}

static struct message
the_message(void)
{
    struct message m;
    bool found;

    OK(message_by_external(s.db, &chat, STR("m1"), &s.arena, &m, &found, &s.err));
    ck_assert(found);
    return m;
}

static struct str
shown_reactions(void)
{
    struct message m = the_message();
    struct str out;
    struct buf text;
    yyjson_val *v;

    buf_init(&text, MIB);
    view_message(&(struct json){ .buf = &text }, NULL, &m);
    OK(json_parse(&s.arena, buf_str(&text), JSON_DEPTH_MAX, &v, &s.err));
    out = json_text(&s.arena, json_arr(v, "reactions"));
    buf_deinit(&text);
    return out;
}

static int64_t
parked(void)
{
    return ts_int(&s, "SELECT COUNT(*) FROM parked");
}

/* ---- reactions ---- */

START_TEST(a_reaction_is_shown_and_told)
{
    struct inbound_event e = reaction("love", TESTING_NOW + 5);

    the_chat();
    take_message("Hi");
    take(&e);
    take(&e);
    ck_assert_str_eq(shown_reactions().ptr, "[{\"sender_external_id\":\"7001\",\"emoji\":\"*\",\"reaction\":\"love\","
                                            "\"at\":\"2026-05-31T14:02:00.005Z\"}]");
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 1);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 9"),
                       STR("\"sender_external_id\":\"7001\",\"action\":\"react\",\"reaction\":\"love\",\"emoji\":\"*\","
                           "\"occurred_at\":\"2026-05-31T14:02:00.005Z\"}")) > 0);
}
END_TEST

START_TEST(the_latest_of_a_sender_counts)
{
    struct inbound_event first = reaction("love", TESTING_NOW + 5), second = reaction("wow", TESTING_NOW + 9);

    the_chat();
    take_message("Hi");
    take(&second);
    take(&first);
    ck_assert(str_find(shown_reactions(), STR("wow")) > 0);
    ck_assert(str_find(shown_reactions(), STR("love")) < 0);
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 1);
}
END_TEST

START_TEST(what_was_taken_back_does_not_return)
{
    struct inbound_event react = reaction("love", TESTING_NOW + 5), back = reaction(NULL, TESTING_NOW + 9);

    the_chat();
    take_message("Hi");
    take(&back); /* nothing was there: nothing to tell */
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 0);
    take(&react);
    ck_assert_str_eq(shown_reactions().ptr, "[]");
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 0);
    react.at_ms = TESTING_NOW + 20;
    take(&react);
    back.at_ms = TESTING_NOW + 20; /* at the same moment: taking back counts */
    take(&back);
    take(&react);
    ck_assert_str_eq(shown_reactions().ptr, "[]");
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 2);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 9 ORDER BY id DESC LIMIT 1"),
                       STR("\"action\":\"unreact\"")) > 0);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 9 ORDER BY id DESC LIMIT 1"),
                       STR("removed")) < 0);
}
END_TEST

START_TEST(reactions_of_both_sides_stand_side_by_side)
{
    struct inbound_event theirs = reaction("love", TESTING_NOW + 5), ours = reaction("wow", TESTING_NOW + 3);

    the_chat();
    ours.outbound = true;
    take_message("Hi");
    take(&theirs);
    take(&ours);
    ck_assert_ptr_nonnull(strstr(shown_reactions().ptr, "\"1029384756\""));
    ck_assert_int_lt(str_find(shown_reactions(), STR("1029384756")), str_find(shown_reactions(), STR("7001")));
}
END_TEST

START_TEST(our_own_reaction_and_its_end)
{
    struct message m;

    the_chat();
    take_message("Hi");
    m = the_message();
    OK(message_unreact(s.db, &m, STR("1029384756"), s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 0);
    OK(message_react(s.db, &m, STR("1029384756"), STR("love"), STR("*"), s.now, &s.arena, &s.err));
    OK(message_react(s.db, &m, STR("1029384756"), STR("wow"), STR("!"), s.now, &s.arena, &s.err));
    ck_assert(str_find(shown_reactions(), STR("wow")) > 0);
    ck_assert(str_find(shown_reactions(), STR("love")) < 0);
    OK(message_unreact(s.db, &m, STR("1029384756"), s.now, &s.arena, &s.err));
    OK(message_unreact(s.db, &m, STR("1029384756"), s.now, &s.arena, &s.err));
    ck_assert_str_eq(shown_reactions().ptr, "[]");
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 3);
}
END_TEST

/* The platform may tell of it before it answers. */
START_TEST(our_own_reaction_told_before_the_answer)
{
    struct inbound_event told = reaction("love", s.now + 40);
    struct message m;

    the_chat();
    take_message("Hi");
    m = the_message();
    told.outbound = true;
    told.emoji = STR("\u2764");
    take(&told);
    OK(message_react(s.db, &m, STR("1029384756"), STR("love"), STR("\u2764\uFE0F"), s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 1);
    OK(message_react(s.db, &m, STR("1029384756"), STR("wow"), STR("!"), s.now, &s.arena, &s.err));
    ck_assert_int_eq(ts_events(&s, EVENT_REACTION), 2);
    ck_assert(str_find(shown_reactions(), STR("love")) < 0);
}
END_TEST

/* ---- edits of the text ---- */

START_TEST(an_edit_changes_the_text_and_nothing_else)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .ref = STR("https://cdn.example/1") };
    struct inbound_event e = ts_inbound("7001", "m1", "Hi", s.now), edit = text_edit("Ho", 1, TESTING_NOW + 5);
    struct message m;

    the_chat();
    e.media = &picture;
    e.media_count = 1;
    e.platform_data = STR("{\"kind\":\"story_reply\"}");
    take(&e);
    take(&edit);
    m = the_message();
    ck_assert(str_eq(m.body, STR("Ho")));
    ck_assert_int_eq(m.edited_at, TESTING_NOW + 5);
    ck_assert_uint_eq(m.attachment_count, 1);
    ck_assert_str_eq(m.platform_data.ptr, "{\"kind\":\"story_reply\",\"num_edit\":1}");
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 1);
}
END_TEST

START_TEST(the_number_of_an_edit_counts_more_than_its_time)
{
    struct inbound_event second = text_edit("two", 2, TESTING_NOW + 5), first = text_edit("one", 1, TESTING_NOW + 9);

    the_chat();
    take_message("Hi");
    take(&second);
    take(&first);
    take(&second);
    ck_assert(str_eq(the_message().body, STR("two")));
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 1);
}
END_TEST

START_TEST(without_numbers_the_time_counts)
{
    struct inbound_event late = text_edit("two", 0, TESTING_NOW + 9), early = text_edit("one", 0, TESTING_NOW + 5);

    the_chat();
    take_message("Hi");
    take(&late);
    take(&early);
    ck_assert(str_eq(the_message().body, STR("two")));
}
END_TEST

/* ---- deletions ---- */

START_TEST(a_deletion_forgets_everything)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .ref = STR("https://cdn.example/1") };
    struct inbound_event e = ts_inbound("7001", "m1", "Hi", s.now), heart = reaction("love", TESTING_NOW + 1);
    struct inbound_event gone = event(INBOUND_DELETION, "m1", TESTING_NOW + 9);
    struct inbound_event edit = text_edit("Ho", 1, TESTING_NOW + 5);
    struct message m;

    the_chat();
    e.media = &picture;
    e.media_count = 1;
    e.platform_data = STR("{\"x\":1}");
    take(&e);
    take(&heart);
    take(&edit);
    ts_exec(&s, "UPDATE attachment SET media = 'x.jpg', status = 2");
    take(&gone);
    take(&gone);
    m = the_message();
    ck_assert(str_is_none(m.body) && str_is_none(m.platform_data) && str_is_none(m.reactions));
    ck_assert_uint_eq(m.attachment_count, 0);
    ck_assert_int_eq(m.deleted_at, TESTING_NOW + 9);
    ck_assert_int_eq(m.edited_at, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM attachment"), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 15"), 1);
    ck_assert_str_eq(ts_text(&s, "SELECT payload FROM job WHERE kind = 15").ptr, "x.jpg");
    ck_assert_int_eq(ts_int(&s, "SELECT lane_id FROM job WHERE kind = 15"), chat.profile_id);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELETED), 1);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 6"), STR("\"body\":null")) > 0);
}
END_TEST

START_TEST(what_is_deleted_does_not_live_again)
{
    struct inbound_event e = ts_inbound("7001", "m1", "Hi", s.now), gone = event(INBOUND_DELETION, "m1", s.now + 9);
    struct inbound_event edit = text_edit("Ho", 1, s.now + 20), heart = reaction("love", s.now + 20), whole = edit;

    the_chat();
    whole.text_only = false;
    take(&e);
    take(&gone);
    take(&e);
    take(&edit);
    take(&whole);
    take(&heart);
    ck_assert(str_is_none(the_message().body));
    ck_assert(str_is_none(the_message().reactions));
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED) + ts_events(&s, EVENT_REACTION), 0);
}
END_TEST

START_TEST(what_was_deleted_before_it_came_is_never_shown)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .ref = STR("https://cdn.example/1") };
    struct inbound_event e = ts_inbound("7001", "m1", "Hi", s.now), gone = event(INBOUND_DELETION, "m1", s.now + 9);

    the_chat();
    e.media = &picture;
    e.media_count = 1;
    take(&gone);
    ck_assert_int_eq(parked(), 1);
    take(&e);
    ck_assert_int_eq(parked(), 0);
    ck_assert(str_is_none(the_message().body));
    ck_assert_int_eq(the_message().deleted_at, s.now + 9);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 0);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELETED), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM attachment"), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 2"), 0);
}
END_TEST

/* ---- parked ---- */

START_TEST(what_came_too_early_is_applied)
{
    struct inbound_event list[] = {
        text_edit("two", 2, TESTING_NOW + 5), text_edit("one", 1, TESTING_NOW + 4), reaction(NULL, TESTING_NOW + 7),
        reaction("love", TESTING_NOW + 6),
    };

    the_chat();
    for (size_t i = 0; i < 4; i++)
        take(&list[i]);
    ck_assert_int_eq(parked(), 2);
    take_message("zero");
    ck_assert_int_eq(parked(), 0);
    ck_assert(str_eq(the_message().body, STR("two")));
    ck_assert_str_eq(shown_reactions().ptr, "[]");
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 1);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_EDITED), 1);
    ck_assert_int_lt(ts_int(&s, "SELECT id FROM event WHERE type = 1"),
                     ts_int(&s, "SELECT id FROM event WHERE type = 5"));
}
END_TEST

/* So a message of any other chat, which is nearly every one, asks nobody. */
START_TEST(a_chat_knows_whether_anything_waits)
{
    struct inbound_event e = reaction("love", TESTING_NOW), other = e;

    the_chat();
    ck_assert(!chat.may_have_parked);
    other.external_id = STR("m2");
    take(&e);
    take(&other);
    ck_assert(ts_chat_again(&s, &chat).may_have_parked);
    take_message("Hi");
    ck_assert(ts_chat_again(&s, &chat).may_have_parked);
    other = ts_inbound("7001", "m2", "Hi again", s.now);
    take(&other);
    ck_assert(!ts_chat_again(&s, &chat).may_have_parked);
    ck_assert_int_eq(parked(), 0);
}
END_TEST

START_TEST(what_nothing_comes_for_is_forgotten)
{
    const int64_t day = INT64_C(24) * 3600 * 1000;
    struct inbound_event e = reaction("love", TESTING_NOW), second = e, third = e;

    the_chat();
    second.external_id = STR("m2");
    third.external_id = STR("m3");
    take(&e);
    ts_tick(&s, 29 * day);
    take(&second);
    ck_assert_int_eq(parked(), 2);
    ts_tick(&s, 2 * day);
    take(&third);
    ck_assert_int_eq(parked(), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM parked WHERE external_id = 'm2'"), 1);
}
END_TEST

/* ---- history ---- */

START_TEST(history_is_told_to_nobody)
{
    struct inbound_event e = ts_inbound("7001", "m1", "Hi", TESTING_NOW - 5000), sent = e, heart = reaction("love", 1);
    struct inbound_event edit = text_edit("Ho", 1, TESTING_NOW);

    the_chat();
    sent.external_id = STR("m2");
    sent.outbound = true;
    e.is_history = sent.is_history = heart.is_history = edit.is_history = true;
    take(&edit);
    take(&heart);
    take(&e);
    take(&sent);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM event WHERE type < 10"), 0);
    ck_assert_int_eq(ts_chat_again(&s, &chat).n_received, 1);
    ck_assert_int_eq(ts_chat_again(&s, &chat).last_inbound_at, TESTING_NOW - 5000);
    ck_assert_int_eq(ts_chat_again(&s, &chat).last_outbound_at, TESTING_NOW - 5000);
    ck_assert(str_eq(the_message().body, STR("Ho")));
}
END_TEST

/* ---- media that may not be kept ---- */

START_TEST(a_link_is_shown_where_it_is)
{
    struct inbound_media story = { .type = ATTACH_IMAGE, .source_url = STR("https://cdn.example/story"),
                                   .is_link = true };
    struct inbound_event e = ts_inbound("7001", "m1", "Hi", s.now);
    struct message m;
    struct buf text;

    the_chat();
    e.media = &story;
    e.media_count = 1;
    take(&e);
    m = the_message();
    buf_init(&text, MIB);
    view_message(&(struct json){ .buf = &text }, NULL, &m);
    ck_assert(str_find(buf_str(&text), STR("\"url\":\"https://cdn.example/story\",\"status\":\"processed\"")) > 0);
    ck_assert(str_find(buf_str(&text), STR("\"stored\":false")) > 0);
    buf_deinit(&text);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 2"), 0);
}
END_TEST

STORE_TESTS("followups", a_reaction_is_shown_and_told, the_latest_of_a_sender_counts,
            what_was_taken_back_does_not_return, reactions_of_both_sides_stand_side_by_side,
            our_own_reaction_and_its_end, our_own_reaction_told_before_the_answer,
            an_edit_changes_the_text_and_nothing_else, the_number_of_an_edit_counts_more_than_its_time,
            without_numbers_the_time_counts, a_deletion_forgets_everything, what_is_deleted_does_not_live_again,
            what_was_deleted_before_it_came_is_never_shown, what_came_too_early_is_applied,
            a_chat_knows_whether_anything_waits, what_nothing_comes_for_is_forgotten, history_is_told_to_nobody,
            a_link_is_shown_where_it_is)
