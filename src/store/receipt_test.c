#include "store/testing.h"

static struct testing_store s;
static struct chat chat;

#define T         TESTING_NOW
#define WEEK      ((int64_t)7 * 24 * 3600 * 1000)
#define DELIVERED "SELECT group_concat(delivered_at) FROM (SELECT * FROM message ORDER BY sort_at) m"
#define READ      "SELECT group_concat(read_at) FROM (SELECT * FROM message ORDER BY sort_at) m"

static void
the_chat(void)
{
    struct profile page = ts_account(&s, &facebook, "1029384756");

    chat = ts_chat(&s, &page, "7001");
}

static void
sent(const char *external_id, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("7001", external_id, "x", at_ms);
    struct message m;
    bool stored;

    e.outbound = true;
    chat = ts_chat_again(&s, &chat);
    OK(message_receive(s.db, &chat, &e, s.now, &s.arena, &m, &stored, &s.err));
}

static void
receipt(enum inbound_kind kind, const char *external_id, int64_t watermark, int64_t at_ms)
{
    struct inbound_event e = ts_inbound("7001", external_id, NULL, at_ms);

    e.kind = kind;
    e.watermark_ms = watermark;
    OK(message_receive_receipt(s.db, &chat, &e, s.now, &s.arena, &s.err));
}

/* Times behind T, "-" where there is none. */
static void
ck_times(const char *sql, const char *expected)
{
    struct str is = ts_text(&s, sql), rest = is, one, out = STR("");

    while (rest.len > 0) {
        int64_t at = 0;

        str_cut(rest, ',', &one, &rest);
        ck_assert(str_to_i64(one, &at));
        out = at ? arena_printf(&s.arena, "%.*s %lld", STR_ARG(out), (long long)(at - T))
                 : arena_printf(&s.arena, "%.*s -", STR_ARG(out));
    }
    ck_assert_str_eq(str_trim(out).ptr, expected);
}

START_TEST(a_watermark_covers_what_was_sent_until_then)
{
    the_chat();
    sent("a", T + 1);
    sent("b", T + 2);
    sent("c", T + 3);
    receipt(INBOUND_DELIVERY, "", T + 2, T + 10);
    ck_times(DELIVERED, "10 10 -");
    ck_times(READ, "- - -");
    receipt(INBOUND_READ, "", T + 1, T + 11);
    ck_times(READ, "11 - -");
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELIVERED), 2);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_READ), 1);
    receipt(INBOUND_DELIVERY, "", T + 2, T + 10);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELIVERED), 2);
}
END_TEST

/* Of a chat that is longer, as may be when an account is connected, the newest. */
START_TEST(one_receipt_reaches_back_a_thousand_messages)
{
    if (getenv("PARLEY_TEST_DATABASE_URL")) /* the same statements, and a second more */
        return;
    the_chat();
    for (int i = 0; i <= 1000; i++)
        sent(arena_printf(&s.arena, "m%d", i).ptr, T + i);
    receipt(INBOUND_DELIVERY, "", T + 2000, T + 3000);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message WHERE delivered_at > 0"), 1000);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message WHERE external_id = 'm0' AND delivered_at = 0"), 1);
}
END_TEST

START_TEST(the_earliest_receipt_counts)
{
    the_chat();
    sent("a", T + 1);
    sent("b", T + 5);
    receipt(INBOUND_READ, "", T + 6, T + 30);
    ck_times(READ, "30 30");
    receipt(INBOUND_READ, "", T + 2, T + 10); /* came late */
    ck_times(READ, "10 30");
    receipt(INBOUND_READ, "", T + 6, T + 8); /* overtakes both */
    ck_times(READ, "8 8");
    receipt(INBOUND_READ, "", T + 2, T + 10); /* says nothing any more */
    ck_times(READ, "8 8");
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM receipt"), 1);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_READ), 2);
}
END_TEST

START_TEST(what_comes_later_takes_its_times_from_what_covers_it)
{
    struct message m;
    const struct send_result r = { .status = STATUS_PUBLISHED, .external_id = STR("b"), .posted_at = T + 4 };

    the_chat();
    m = ts_draft(&s, &chat, "Hello");
    receipt(INBOUND_DELIVERY, "", T + 2, T + 10);
    receipt(INBOUND_DELIVERY, "", T + 5, T + 20);
    receipt(INBOUND_READ, "", T + 3, T + 30);
    sent("a", T + 1);
    OK_OF(m, message_settle(s.db, &m, &r, s.now, &s.arena, &s.err));
    sent("c", T + 6);
    ck_times(DELIVERED, "10 20 -");
    ck_times(READ, "30 - -");
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELIVERED), 2);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_READ), 1);
}
END_TEST

START_TEST(a_read_message_was_read_with_all_before_it)
{
    the_chat();
    receipt(INBOUND_READ, "b", 0, T + 10); /* early */
    sent("a", T + 1);
    ck_times(READ, "-");
    sent("b", T + 2);
    sent("c", T + 3);
    ck_times(READ, "10 10 -");
    receipt(INBOUND_READ, "c", 0, T + 20);
    ck_times(READ, "10 10 20");
}
END_TEST

START_TEST(a_delivered_message_is_delivered_alone)
{
    the_chat();
    sent("a", T + 1);
    sent("b", T + 2);
    receipt(INBOUND_DELIVERY, "b", 0, T + 10);
    receipt(INBOUND_DELIVERY, "c", 0, T + 11);
    sent("c", T + 3);
    ck_times(DELIVERED, "- 10 11");
}
END_TEST

START_TEST(only_what_we_sent_is_read_by_them)
{
    the_chat();
    ts_received(&s, &chat, "theirs", "Hi");
    ts_draft(&s, &chat, "still here");
    receipt(INBOUND_READ, "", T + 100, T + 100);
    ck_times(READ, "- -");
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_READ), 0);
}
END_TEST

START_TEST(without_a_time_it_was_by_the_watermark)
{
    the_chat();
    sent("a", T + 1);
    receipt(INBOUND_DELIVERY, "", T + 2, 0);
    ck_times(DELIVERED, "2");
}
END_TEST

START_TEST(old_receipts_go_but_for_the_one_that_says_what_is_done)
{
    the_chat();
    sent("a", T + 1);
    for (int i = 0; i < 5; i++)
        receipt(INBOUND_READ, "", T + 2 + i, T + 10 + i);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM receipt"), 5);
    sent("b", T + 2 * WEEK);
    receipt(INBOUND_READ, "", T + 2 * WEEK, T + 2 * WEEK + 5);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM receipt"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT MIN(watermark) FROM receipt"), T + 6);
    receipt(INBOUND_READ, "", T + 9, T + 9); /* so late that nobody looks */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM receipt"), 2);
}
END_TEST

START_TEST(each_message_is_told_of_once_oldest_first)
{
    the_chat();
    for (int i = 0; i < 20; i++)
        sent(arena_printf(&s.arena, "m%02d", i).ptr, T + i);
    receipt(INBOUND_DELIVERY, "", T + 9, T + 50);
    receipt(INBOUND_DELIVERY, "", T + 30, T + 60);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_DELIVERED), 20);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 3 ORDER BY id LIMIT 1"), STR("\"m00\"")) > 0);
    ck_assert(str_find(ts_text(&s, "SELECT data FROM event WHERE type = 3 ORDER BY id DESC LIMIT 1"),
                       STR("\"m19\"")) > 0);
}
END_TEST

STORE_TESTS("receipt", a_watermark_covers_what_was_sent_until_then, one_receipt_reaches_back_a_thousand_messages,
            the_earliest_receipt_counts, what_comes_later_takes_its_times_from_what_covers_it,
            a_read_message_was_read_with_all_before_it,
            a_delivered_message_is_delivered_alone, only_what_we_sent_is_read_by_them,
            without_a_time_it_was_by_the_watermark, old_receipts_go_but_for_the_one_that_says_what_is_done,
            each_message_is_told_of_once_oldest_first)
