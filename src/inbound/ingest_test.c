#include "inbound/inbound.h"

#include "base/random.h"
#include "store/raw_payload.h"
#include "store/testing.h"

static struct testing_store s;

static struct ingest_counts
take(struct inbound_event *events, size_t n)
{
    const struct inbound_batch batch = { .events = events, .count = n };
    struct ingest_counts counts;

    OK(ingest(s.db, &s.profile, &batch, STR("{}"), s.now, &s.arena, &counts, &s.err));
    return counts;
}

static struct inbound_event
edit(const char *participant, const char *external_id, const char *body, int64_t at_ms)
{
    struct inbound_event e = ts_inbound(participant, external_id, body, at_ms);

    e.kind = INBOUND_EDIT;
    e.posted_ms = TESTING_NOW;
    return e;
}

/* Everything the database holds, as one text: what changes nothing leaves it as it is. */
static struct str
everything(void)
{
    static const char *const dumps[] = {
        ("SELECT group_concat(id || '/' || participant_external_id || '/' || coalesce(participant_name, '-') || '/'"
         " || last_inbound_at || '/' || last_outbound_at || '/' || last_message_at || '/' || blocked_at || '/'"
         " || n_received || '/' || n_published) FROM chat"),
        ("SELECT group_concat(id || '/' || external_id || '/' || coalesce(body, '-') || '/' || status || '/'"
         " || edited_at || '/' || posted_at || '/' || attachments_count) FROM message"),
        "SELECT group_concat(id || '/' || coalesce(ref, '-')) FROM attachment",
        "SELECT group_concat(id || '/' || kind || '/' || record_id) FROM job",
        "SELECT group_concat(id || '/' || type) FROM event",
        "SELECT group_concat(id) FROM raw_payload",
        "SELECT chats_count || '/' || coalesce(poll_cursor, '-') FROM profile",
    };
    struct str all = STR("");

    for (size_t i = 0; i < COUNT(dumps); i++) {
        struct str part = ts_text(&s, dumps[i]);

        all = arena_printf(&s.arena, "%.*s\n%.*s", STR_ARG(all), STR_ARG(part));
    }
    return all;
}

/* An account whose server sends rubbish for ever must not fill the disk. */
START_TEST(of_what_is_not_understood_only_so_much_is_kept)
{
    const struct inbound_batch batch = { .not_understood = true };
    struct ingest_counts counts;
    struct str rubbish = { arena_bytes(&s.arena, 30 * MIB), 30 * MIB };

    memset((char *)(uintptr_t)rubbish.ptr, 'x', rubbish.len);
    for (int i = 0; i < 4; i++)
        OK(ingest(s.db, &s.profile, &batch, rubbish, s.now, &s.arena, &counts, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM raw_payload"), 2);
    OK(ingest(s.db, &s.profile, &batch, STR("{}"), s.now, &s.arena, &counts, &s.err)); /* there is room for that */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM raw_payload"), 3);
    ck_assert(counts.not_understood);
}
END_TEST

START_TEST(nobody_writes_from_the_far_future)
{
    const int64_t far_ms = INT64_C(253402300799000), day_ms = 86400000; /* the end of the year 9999 */
    struct inbound_event e[] = {
        ts_inbound("1", "m1", "from the year 9999", far_ms), edit("1", "m1", "edited", far_ms),
        ts_inbound("2", "m2", "whose clock is ahead", s.now + day_ms), ts_inbound("3", "m3", "no time", 0),
        ts_inbound("4", "m4", "the end of time", INT64_MAX),
    };

    take(e, COUNT(e));
    ck_assert(ts_int(&s, "SELECT posted_at FROM message WHERE external_id = 'm1'") == s.now);
    ck_assert(ts_int(&s, "SELECT edited_at FROM message WHERE external_id = 'm1'") == s.now);
    ck_assert(ts_int(&s, "SELECT posted_at FROM message WHERE external_id = 'm4'") == s.now);
    ck_assert(ts_int(&s, "SELECT MAX(last_message_at) FROM chat") == s.now + day_ms);
    ck_assert(ts_int(&s, "SELECT MAX(last_inbound_at) FROM chat") == s.now + day_ms);
}
END_TEST

START_TEST(a_batch_of_everything_twice_changes_nothing)
{
    struct inbound_media picture = { .type = ATTACH_IMAGE, .external_id = STR("u1"), .ref = STR("f1") };
    struct inbound_event e[] = {
        ts_inbound("1", "m1", "hello", TESTING_NOW - 5000), edit("1", "m1", "hello!", TESTING_NOW - 4000),
        ts_inbound("2", "m1", "other chat", TESTING_NOW - 3000),
        ts_inbound("1", "m2", "picture", TESTING_NOW),
        ts_inbound("1", "tap", "yes", 0), ts_inbound("1", "m3", "from the phone", TESTING_NOW),
        ts_inbound("2", "", "", TESTING_NOW),
    };
    const size_t n = COUNT(e);
    struct ingest_counts counts;
    struct str before;

    e[3].media = &picture;
    e[3].media_count = 1;
    e[4].tap_id = STR("tap-1");
    e[5].outbound = true;
    e[6].kind = INBOUND_BLOCK;
    counts = take(e, n);
    ck_assert_int_eq(counts.events, (int)n);
    ck_assert_int_eq(counts.stored, 6);
    before = everything();
    ts_tick(&s, 60000);
    take(e, n);
    ck_assert_str_eq(everything().ptr, before.ptr);
}
END_TEST

START_TEST(a_message_makes_its_chat_and_asks_who_it_is)
{
    struct inbound_event e = ts_inbound("1", "m1", "hello", TESTING_NOW - 5000);
    struct chat c;
    bool found;

    e.from.name = STR("Ada");
    e.conversation_id = STR("conv");
    take(&e, 1);
    OK(chat_of_participant(s.db, s.profile.id, STR("1"), &s.arena, &c, &found, &s.err));
    ck_assert(found);
    ck_assert(str_eq(c.participant_name, STR("Ada")));
    ck_assert(str_eq(c.external_conversation_id, STR("conv")));
    ck_assert_int_eq(c.n_received, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 3"), 1);
}
END_TEST

START_TEST(a_message_after_an_hour_asks_again_an_echo_does_not)
{
    struct inbound_event first = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_event echo = ts_inbound("1", "m2", "ours", TESTING_NOW);
    struct inbound_event next = ts_inbound("1", "m3", "again", TESTING_NOW);
    const char *asked = "SELECT COUNT(*) FROM job WHERE kind = 3";
    struct chat c;
    bool found;

    take(&first, 1);
    ts_exec(&s, "DELETE FROM job");
    OK(chat_of_participant(s.db, s.profile.id, STR("1"), &s.arena, &c, &found, &s.err));
    OK(chat_set_participant_asked(s.db, c.id, s.now, &s.err));
    ts_tick(&s, 3600000);
    echo.outbound = true;
    take(&echo, 1);
    ck_assert_int_eq(ts_int(&s, asked), 0);
    take(&next, 1);
    ck_assert_int_eq(ts_int(&s, asked), 1);
}
END_TEST

START_TEST(a_tap_is_answered_once)
{
    struct inbound_event e = ts_inbound("1", "tap-1", "yes", 0);

    e.tap_id = STR("q1");
    take(&e, 1);
    take(&e, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 4"), 1);
    ck_assert(str_eq(ts_text(&s, "SELECT payload FROM job WHERE kind = 4"), STR("q1")));
    ck_assert_int_eq(ts_int(&s, "SELECT posted_at FROM message"), s.now);
}
END_TEST

START_TEST(blocks_are_noted_lifted_and_outlived)
{
    const char *blocked = "SELECT blocked_at FROM chat";
    struct inbound_event message = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_event block = ts_inbound("1", "", "", TESTING_NOW + 5), echo, late;

    block.kind = INBOUND_BLOCK;
    take(&block, 1); /* a stranger's: no chat comes of it */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat"), 0);
    take(&message, 1);
    take(&block, 1);
    ck_assert_int_eq(ts_int(&s, blocked), TESTING_NOW + 5);
    take(&message, 1); /* an old message again is no sign of life */
    ck_assert_int_eq(ts_int(&s, blocked), TESTING_NOW + 5);
    echo = ts_inbound("1", "m2", "ours", TESTING_NOW + 6);
    echo.outbound = true;
    take(&echo, 1);
    ck_assert_int_eq(ts_int(&s, blocked), TESTING_NOW + 5);
    late = ts_inbound("1", "m3", "back again", TESTING_NOW + 7);
    take(&late, 1);
    ck_assert_int_eq(ts_int(&s, blocked), 0);
    ts_tick(&s, 1000);
    block.at_ms = 0;
    take(&block, 1);
    ck_assert_int_eq(ts_int(&s, blocked), s.now);
    block.kind = INBOUND_UNBLOCK;
    take(&block, 1);
    ck_assert_int_eq(ts_int(&s, blocked), 0);
}
END_TEST

START_TEST(a_block_that_comes_late_is_overtaken)
{
    const char *blocked = "SELECT blocked_at FROM chat";
    struct inbound_event before = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_event block = ts_inbound("1", "", "", TESTING_NOW + 1000), unblock = block;
    struct inbound_event delayed = ts_inbound("1", "m2", "written before", TESTING_NOW + 500);
    struct inbound_event after = ts_inbound("1", "m3", "written after", TESTING_NOW + 2000);

    block.kind = INBOUND_BLOCK;
    unblock.kind = INBOUND_UNBLOCK;
    unblock.at_ms = TESTING_NOW + 900; /* from an earlier block */
    take(&before, 1);
    take(&block, 1);
    take(&delayed, 1);
    take(&unblock, 1);
    ck_assert_int_eq(ts_int(&s, blocked), TESTING_NOW + 1000);
    take(&after, 1);
    take(&block, 1);
    ck_assert_int_eq(ts_int(&s, blocked), 0);
}
END_TEST

/* ---- what only names a conversation ---- */

START_TEST(a_conversation_we_know_is_enough)
{
    struct inbound_event first = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_event gone = ts_inbound("", "m1", NULL, TESTING_NOW + 5), unknown;

    first.conversation_id = gone.conversation_id = STR("conv");
    gone.kind = INBOUND_DELETION;
    unknown = gone;
    unknown.conversation_id = STR("another");
    ck_assert_int_eq(take(&gone, 1).ignored, 1);
    take(&first, 1);
    ck_assert_int_eq(take(&unknown, 1).ignored, 1);
    ck_assert_int_eq(take(&gone, 1).ignored, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT deleted_at FROM message"), TESTING_NOW + 5);
}
END_TEST

START_TEST(archived_elsewhere_and_taken_back)
{
    struct inbound_event first = ts_inbound("1", "m1", "hello", TESTING_NOW), mute = ts_inbound("", "", NULL, 0);

    mute.kind = INBOUND_MUTE;
    mute.conversation_id = first.conversation_id = STR("conv");
    ck_assert_int_eq(take(&mute, 1).ignored, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat"), 0);
    take(&first, 1);
    take(&mute, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT archived FROM chat"), 1);
    mute.kind = INBOUND_UNMUTE;
    take(&mute, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT archived FROM chat"), 0);
}
END_TEST

START_TEST(a_hint_is_followed_unless_the_message_is_there)
{
    struct inbound_event first = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_event hints[] = { ts_inbound("", "m1", NULL, 0), ts_inbound("", "m2", NULL, 0),
                                     ts_inbound("", "m2", NULL, 0), ts_inbound("1", "m3", NULL, 0) };

    for (size_t i = 0; i < 4; i++)
        hints[i].kind = INBOUND_HINT;
    take(&first, 1);
    take(hints, 4);
    ck_assert_str_eq(ts_text(&s, "SELECT group_concat(payload) FROM job WHERE kind = 14").ptr, "m2,m3");
    ck_assert_int_eq(ts_int(&s, "SELECT due_at FROM job WHERE kind = 14"), s.now + 10000);
    ck_assert_int_eq(ts_int(&s, "SELECT record_id FROM job WHERE kind = 14"), s.profile.id);
}
END_TEST

START_TEST(a_message_may_say_what_led_here)
{
    struct inbound_event e = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_event link = ts_inbound("1", "", NULL, TESTING_NOW + 5);

    e.referral = STR("{\"ref\":\"ad\"}");
    link.kind = INBOUND_REFERRAL;
    link.referral = STR("{\"ref\":\"shop\"}");
    take(&link, 1);
    take(&e, 1); /* older than the link */
    take(&link, 1);
    ck_assert_str_eq(ts_text(&s, "SELECT metadata FROM chat").ptr, "{\"referral\":{\"ref\":\"shop\"}}");
    ck_assert_int_eq(ts_events(&s, EVENT_REFERRAL), 1);
}
END_TEST

START_TEST(a_comment_without_a_post_is_dropped)
{
    struct inbound_comment c = { .external_id = STR("c1"), .body = STR("price?") };
    struct inbound_event e = { .kind = INBOUND_COMMENT, .at_ms = TESTING_NOW, .comment = &c }, none = e;

    none.comment = NULL;
    ck_assert_int_eq(take(&e, 1).ignored, 1);
    ck_assert_int_eq(take(&none, 1).ignored, 1);
    c.post_id = STR("p1");
    ck_assert_int_eq(take(&e, 1).stored, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM comment"), 1);
}
END_TEST

START_TEST(history_asks_for_nobody_again)
{
    struct inbound_event first = ts_inbound("1", "m1", "hello", TESTING_NOW - 5), next = first;

    first.is_history = next.is_history = true;
    next.external_id = STR("m2");
    take(&first, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 3"), 1);
    ts_exec(&s, "DELETE FROM job");
    take(&next, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 0);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 0);
}
END_TEST

/* ---- the batch as a whole ---- */

START_TEST(what_was_not_understood_is_kept_beside_what_was)
{
    struct inbound_event e = ts_inbound("1", "m1", "hello", TESTING_NOW);
    const struct inbound_batch batch = { .events = &e, .count = 1, .ignored = 2, .not_understood = true };
    struct ingest_counts counts;
    int64_t id, profile_id;
    struct str body;
    bool found;

    OK(ingest(s.db, &s.profile, &batch, STR("{\"odd\":1}"), s.now, &s.arena, &counts, &s.err));
    ck_assert_int_eq(counts.stored, 1);
    ck_assert_int_eq(counts.ignored, 2);
    ck_assert_int_eq(counts.not_understood, 1);
    OK(raw_payload_next(s.db, 0, &s.arena, &id, &profile_id, &body, &found, &s.err));
    ck_assert(found);
    ck_assert(str_eq(body, STR("{\"odd\":1}")));
    ck_assert_int_eq(profile_id, s.profile.id);
}
END_TEST

START_TEST(the_cursor_moves_with_what_came)
{
    struct inbound_event e = ts_inbound("1", "m1", "hello", TESTING_NOW);
    struct inbound_batch batch = { .events = &e, .count = 1, .cursor = STR("101") };
    struct ingest_counts counts;

    OK(ingest(s.db, &s.profile, &batch, STR("{}"), s.now, &s.arena, &counts, &s.err));
    ck_assert(str_eq(ts_text(&s, "SELECT poll_cursor FROM profile"), STR("101")));
    batch.cursor = STR_NONE;
    OK(ingest(s.db, &s.profile, &batch, STR("{}"), s.now, &s.arena, &counts, &s.err));
    ck_assert(str_eq(ts_text(&s, "SELECT poll_cursor FROM profile"), STR("101")));
}
END_TEST

struct failing {
    struct inbound_batch batch;
    struct arena        *arena;
};

static bool
ingest_failing(void *arg, struct db *db, struct error *err)
{
    struct failing *f = arg;
    struct ingest_counts counts;

    return ingest(db, &s.profile, &f->batch, STR("{}"), s.now, f->arena, &counts, err);
}

START_TEST(what_fails_halfway_moves_nothing)
{
    struct inbound_event e[] = { ts_inbound("1", "m1", "hello", TESTING_NOW),
                                 ts_inbound("1", "m2", "hello", TESTING_NOW) };
    struct failing f = { .batch = { .events = e, .count = 2, .cursor = STR("101") }, .arena = &s.arena };
    struct str before = everything();

    e[1].kind = INBOUND_KINDS; /* an adapter's mistake */
    ts_pause(&s);
    ck_assert(!db_run(s.engine, DB_WRITE, ingest_failing, &f, &s.err));
    ck_assert_int_eq(s.err.status, 500);
    ts_resume(&s);
    ck_assert_str_eq(everything().ptr, before.ptr);
    e[1].kind = INBOUND_MESSAGE;
    ts_pause(&s);
    OK(db_run(s.engine, DB_WRITE, ingest_failing, &f, &s.err));
    ts_resume(&s);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 2);
    ck_assert(str_eq(ts_text(&s, "SELECT poll_cursor FROM profile"), STR("101")));
}
END_TEST

/* ---- any order ---- */

/* What a reader of the API sees of the message and its chat; ids and when we learned of it may differ. */
static struct str
state(void)
{
    return ts_text(
        &s, "SELECT body || '|' || m.status || '|' || direction || '|' || posted_at || '|' || edited_at || '|'"
            " || sort_at || '|' || coalesce(platform_data, '-') || '|' || coalesce(reply_markup, '-') || '|'"
            " || coalesce(reply_to_external_id, '-') || '|' || is_unsupported || '|' || attachments_count || '|'"
            " || coalesce((SELECT group_concat(a.external_id || ':' || a.ref || ':' || a.status) FROM attachment a"
            "     WHERE a.message_id = m.id), '-') || '|'"
            " || n_received || '|' || last_inbound_at || '|' || last_message_at || '|'"
            " || (SELECT COUNT(*) FROM message) || '|' || (SELECT COUNT(*) FROM event WHERE type = 1)"
            " FROM message m JOIN chat c ON c.id = m.chat_id");
}

enum { PIECES = 4, DELIVERIES = 9 };

/* A message with a picture that is too large, and three edits: of the text, of buttons and text, of the picture. */
static void
make_pieces(struct inbound_event out[PIECES])
{
    static struct inbound_media large = { .type = ATTACH_FILE, .external_id = { "u1", 2 }, .ref = { "f1", 2 },
                                          .refusal = { "too large", 9 } };
    static struct inbound_media small = { .type = ATTACH_FILE, .external_id = { "u2", 2 }, .ref = { "f2", 2 } };

    out[0] = ts_inbound("1", "m1", "zero", TESTING_NOW);
    out[1] = edit("1", "m1", "one", TESTING_NOW + 1000);
    out[2] = edit("1", "m1", "two", TESTING_NOW + 2000);
    out[3] = edit("1", "m1", "three", TESTING_NOW + 3000);
    for (int i = 0; i < PIECES; i++) {
        out[i].reply_to = STR("m0");
        out[i].platform_data = i == 2 ? STR("{\"x\":2}") : STR_NONE;
        out[i].media = i == 3 ? &small : &large;
        out[i].media_count = 1;
    }
    out[2].reply_markup = STR("{\"k\":2}");
    out[2].is_unsupported = true;
}

/* All pieces up to `last` in some order, some of them more than once, in batches of some size. */
static void
deliver(const struct inbound_event pieces[PIECES], int last)
{
    struct inbound_event list[DELIVERIES];
    int n = DELIVERIES, from = 0, size;

    for (int i = 0; i < n; i++)
        list[i] = pieces[i <= last ? i : (int)random_below(last + 1)];
    for (int i = n - 1; i > 0; i--) {
        int j = (int)random_below(i + 1);
        struct inbound_event swap = list[i];

        list[i] = list[j];
        list[j] = swap;
    }
    for (; from < n; from += size) {
        size = 1 + (int)random_below(n - from);
        take(&list[from], (size_t)size);
    }
}

START_TEST(any_order_and_any_repetition_end_in_the_same_state)
{
    struct inbound_event pieces[PIECES];
    struct str expected;

    make_pieces(pieces);
    random_seed(20260531);
    for (int last = 0; last < PIECES; last++) {
        take(pieces, (size_t)last + 1);
        expected = state();
        ck_assert_uint_gt(expected.len, 0);
        ts_rollback(&s);
        for (int round = 0; round < 150; round++) {
            deliver(pieces, last);
            ck_assert_msg(str_eq(state(), expected), "round %d of %d: %s, not %s", round, last, state().ptr,
                          expected.ptr);
            ts_rollback(&s);
        }
    }
}
END_TEST

STORE_TESTS("ingest", a_batch_of_everything_twice_changes_nothing, a_message_makes_its_chat_and_asks_who_it_is,
            a_message_after_an_hour_asks_again_an_echo_does_not, a_tap_is_answered_once,
            blocks_are_noted_lifted_and_outlived, a_block_that_comes_late_is_overtaken,
            a_conversation_we_know_is_enough, archived_elsewhere_and_taken_back,
            a_hint_is_followed_unless_the_message_is_there, a_message_may_say_what_led_here,
            a_comment_without_a_post_is_dropped, history_asks_for_nobody_again,
            what_was_not_understood_is_kept_beside_what_was, of_what_is_not_understood_only_so_much_is_kept,
            nobody_writes_from_the_far_future,
            the_cursor_moves_with_what_came,
            what_fails_halfway_moves_nothing, any_order_and_any_repetition_end_in_the_same_state)
