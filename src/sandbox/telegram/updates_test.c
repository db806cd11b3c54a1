#include "sandbox/telegram/updates.h"

#include <stdio.h>

#include "base/random.h"
#include "base/testing.h"

#define T0  INT64_C(1790000000000)
#define DAY INT64_C(86400000)

static struct alarms     alarms;
static struct tg_updates updates;
static int               readied;

static void
on_ready(struct tg_updates *u)
{
    ck_assert_ptr_eq(u, &updates);
    readied++;
}

static void
set_up(void)
{
    random_seed(7);
    readied = 0;
    tg_updates_init(&updates, &alarms, on_ready);
}

static void
tear_down(void)
{
    tg_updates_deinit(&updates);
    alarms_deinit(&alarms);
    random_seed(0);
}

static struct tg_update *
push(int64_t person, enum tg_queue_class class, const char *json)
{
    return tg_updates_push(&updates, tg_updates_next_id(&updates), tg_queue_key(person, class), str_of(json), T0 + DAY);
}

static void
expect_next(const char *json)
{
    struct tg_update *u = tg_updates_take(&updates, T0);

    ck_assert_ptr_nonnull(u);
    ck_assert_msg(str_eq(u->json, str_of(json)), "%.*s", STR_ARG(u->json));
}

/* ---- order ---- */

START_TEST(ids_begin_anywhere_and_go_on_by_one)
{
    int64_t first = push(1, TG_QUEUE_MESSAGES, "a")->id;

    ck_assert_int_gt(first, 2000000);
    ck_assert_int_le(first, 1000000001);
    ck_assert_int_eq(push(2, TG_QUEUE_MESSAGES, "b")->id, first + 1);
    tg_updates_seen_id(&updates, first + 10);
    tg_updates_seen_id(&updates, 5);
    ck_assert_int_eq(push(2, TG_QUEUE_MESSAGES, "c")->id, first + 11);
}
END_TEST

START_TEST(a_queue_has_one_on_its_way_and_others_do_not_wait_for_it)
{
    struct tg_update *first = push(1, TG_QUEUE_MESSAGES, "1a");

    push(1, TG_QUEUE_MESSAGES, "1b");
    push(2, TG_QUEUE_MESSAGES, "2a");
    push(1, TG_QUEUE_TAPS, "1tap");
    push(1, TG_QUEUE_MEMBER, "1member");
    ck_assert_ptr_eq(tg_updates_take(&updates, T0), first);
    expect_next("2a");
    expect_next("1tap");
    expect_next("1member");
    ck_assert_ptr_null(tg_updates_take(&updates, T0));
    tg_updates_done(&updates, first);
    expect_next("1b");
    ck_assert_uint_eq(updates.count, 4);
    ck_assert_int_eq(readied, 0);
}
END_TEST

START_TEST(an_own_queue_waits_for_nobody)
{
    tg_updates_push(&updates, 1, tg_queue_own(&updates), STR("a"), T0 + DAY);
    tg_updates_push(&updates, 2, tg_queue_own(&updates), STR("b"), T0 + DAY);
    expect_next("a");
    expect_next("b");
}
END_TEST

START_TEST(what_is_returned_is_ready_again)
{
    struct tg_update *u = push(1, TG_QUEUE_MESSAGES, "a");

    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    tg_updates_return(&updates, u);
    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    ck_assert_int_eq(u->fails, 0);
    tg_updates_return(&updates, u);
}
END_TEST

/* ---- the retry clock ---- */

/* Lets time pass to `at_ms`, at which the update must become ready, and not a moment before. */
static void
becomes_ready_at(struct tg_update *u, int64_t at_ms)
{
    int before = readied;

    alarms_ring(&alarms, at_ms - 1);
    ck_assert_ptr_null(tg_updates_take(&updates, at_ms - 1));
    alarms_ring(&alarms, at_ms);
    ck_assert_int_eq(readied, before + 1);
    ck_assert_ptr_eq(tg_updates_take(&updates, at_ms), u);
}

START_TEST(retries_come_at_once_then_after_2_4_8_16_32_then_60_to_120_seconds)
{
    static const int64_t delays_s[] = { 2, 4, 8, 16, 32 };
    struct tg_update    *u = push(1, TG_QUEUE_MESSAGES, "a");
    int64_t              now_ms = T0, late_ms;

    ck_assert_ptr_eq(tg_updates_take(&updates, now_ms), u);
    tg_updates_failed(&updates, u, now_ms, 0);
    ck_assert_ptr_eq(tg_updates_take(&updates, now_ms), u);
    for (size_t i = 0; i < COUNT(delays_s); i++) {
        tg_updates_failed(&updates, u, now_ms, 0);
        now_ms += delays_s[i] * 1000;
        becomes_ready_at(u, now_ms);
    }
    for (int i = 0; i < 50; i++) {
        tg_updates_failed(&updates, u, now_ms, 0);
        late_ms = alarms_next(&alarms) - now_ms;
        ck_assert_int_ge(late_ms, 60000);
        ck_assert_int_le(late_ms, 120000);
        now_ms += late_ms;
        becomes_ready_at(u, now_ms);
    }
    tg_updates_done(&updates, u);
    ck_assert_uint_eq(updates.count, 0);
}
END_TEST

START_TEST(retry_after_takes_the_place_of_the_delay)
{
    struct tg_update *u = push(1, TG_QUEUE_MESSAGES, "a");

    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    tg_updates_failed(&updates, u, T0, 30);
    becomes_ready_at(u, T0 + 30000);
    tg_updates_failed(&updates, u, T0 + 30000, 99999); /* an hour at most */
    becomes_ready_at(u, T0 + 30000 + 3600000);
    tg_updates_failed(&updates, u, T0, 0); /* the doubling was not touched by it */
    becomes_ready_at(u, T0 + 2000);
    tg_updates_return(&updates, u);
}
END_TEST

START_TEST(what_would_come_too_late_is_dropped)
{
    struct tg_update *u = push(1, TG_QUEUE_MESSAGES, "old");

    push(1, TG_QUEUE_MESSAGES, "next");
    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    tg_updates_failed(&updates, u, T0 + DAY - 1000, 2);
    ck_assert_uint_eq(updates.count, 1);
    expect_next("next");
}
END_TEST

START_TEST(what_has_expired_is_skipped)
{
    tg_updates_push(&updates, 1, tg_queue_key(1, TG_QUEUE_TAPS), STR("tap"), T0 - 1);
    tg_updates_push(&updates, 2, tg_queue_key(1, TG_QUEUE_TAPS), STR("later tap"), T0);
    tg_updates_push(&updates, 3, tg_queue_key(2, TG_QUEUE_TAPS), STR("gone"), T0 - 1);
    expect_next("later tap");
    ck_assert_ptr_null(tg_updates_take(&updates, T0));
    ck_assert_uint_eq(updates.count, 1);
}
END_TEST

START_TEST(a_new_webhook_need_not_wait)
{
    struct tg_update *u = push(1, TG_QUEUE_MESSAGES, "a");

    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    tg_updates_failed(&updates, u, T0, 3600);
    ck_assert_ptr_null(tg_updates_take(&updates, T0));
    tg_updates_hurry(&updates);
    ck_assert_int_eq(alarms_next(&alarms), -1);
    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    ck_assert_int_eq(u->fails, 0);
    tg_updates_return(&updates, u);
}
END_TEST

/* ---- for getUpdates ---- */

static const char *
all_of_them(void)
{
    static char text[64];
    size_t      len = 0;

    text[0] = '\0';
    for (struct tg_update *u = updates.oldest; u; u = u->newer)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s", STR_ARG(u->json));
    return text;
}

START_TEST(confirming_forgets_what_is_below)
{
    int64_t first = push(1, TG_QUEUE_MESSAGES, "a")->id;

    push(2, TG_QUEUE_MESSAGES, "b");
    push(1, TG_QUEUE_MESSAGES, "c");
    push(3, TG_QUEUE_MESSAGES, "d");
    tg_updates_confirm(&updates, first);
    ck_assert_str_eq(all_of_them(), "abcd");
    tg_updates_confirm(&updates, first + 2);
    ck_assert_str_eq(all_of_them(), "cd");
    tg_updates_keep_last(&updates, 1);
    ck_assert_str_eq(all_of_them(), "d");
    ck_assert_uint_eq(updates.queues.count, 1);
    tg_updates_clear(&updates);
    ck_assert_str_eq(all_of_them(), "");
    ck_assert_uint_eq(updates.bytes, 0);
    ck_assert_ptr_null(updates.first_ready);
}
END_TEST

START_TEST(what_is_on_its_way_stays)
{
    struct tg_update *u = push(1, TG_QUEUE_MESSAGES, "a");

    push(1, TG_QUEUE_MESSAGES, "b");
    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    tg_updates_confirm(&updates, u->id + 10);
    tg_updates_expire(&updates, T0 + 2 * DAY);
    ck_assert_str_eq(all_of_them(), "a");
    tg_updates_done(&updates, u);
    ck_assert_str_eq(all_of_them(), "");
}
END_TEST

START_TEST(a_head_that_waits_and_is_forgotten_frees_its_queue)
{
    struct tg_update *u = push(1, TG_QUEUE_MESSAGES, "a");

    push(1, TG_QUEUE_MESSAGES, "b");
    ck_assert_ptr_eq(tg_updates_take(&updates, T0), u);
    tg_updates_failed(&updates, u, T0, 100);
    tg_updates_confirm(&updates, u->id + 1);
    ck_assert_int_eq(alarms_next(&alarms), -1);
    expect_next("b");
}
END_TEST

START_TEST(there_is_room_for_so_much_and_no_more)
{
    static char large[TG_UPDATE_BYTES_MAX + 1];

    memset(large, 'x', sizeof(large));
    ck_assert_ptr_null(tg_updates_push(&updates, 1, 1, (struct str){ large, sizeof(large) }, T0));
    for (size_t i = 0; i < TG_UPDATES_BYTES_MAX / TG_UPDATE_BYTES_MAX; i++)
        ck_assert_ptr_nonnull(tg_updates_push(&updates, 1, 1, (struct str){ large, TG_UPDATE_BYTES_MAX }, T0));
    ck_assert_ptr_null(tg_updates_push(&updates, 1, 1, STR("x"), T0));
    tg_updates_clear(&updates);
    for (size_t i = 0; i < TG_UPDATES_MAX; i++)
        ck_assert_ptr_nonnull(tg_updates_push(&updates, 1, (int64_t)i, STR("x"), T0));
    ck_assert_ptr_null(tg_updates_push(&updates, 1, 1, STR("x"), T0));
}
END_TEST

static TCase *
queues(void)
{
    TCase *c = tcase_create("queues");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, ids_begin_anywhere_and_go_on_by_one);
    tcase_add_test(c, a_queue_has_one_on_its_way_and_others_do_not_wait_for_it);
    tcase_add_test(c, an_own_queue_waits_for_nobody);
    tcase_add_test(c, what_is_returned_is_ready_again);
    tcase_add_test(c, retries_come_at_once_then_after_2_4_8_16_32_then_60_to_120_seconds);
    tcase_add_test(c, retry_after_takes_the_place_of_the_delay);
    tcase_add_test(c, what_would_come_too_late_is_dropped);
    tcase_add_test(c, what_has_expired_is_skipped);
    tcase_add_test(c, a_new_webhook_need_not_wait);
    tcase_add_test(c, confirming_forgets_what_is_below);
    tcase_add_test(c, what_is_on_its_way_stays);
    tcase_add_test(c, a_head_that_waits_and_is_forgotten_frees_its_queue);
    tcase_add_test(c, there_is_room_for_so_much_and_no_more);
    return c;
}

TEST_CASES("updates", queues)
