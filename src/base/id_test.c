#include "base/id.h"

#include <pthread.h>

#include "base/random.h"
#include "base/testing_str.h"

#define NOON 1780228800123

static const struct keyring keys = { .ids = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };

static void
set_up(void)
{
    id_setup(&keys, 77);
}

static void
made_at(int64_t id, int64_t ms)
{
    ck_assert_int_ge(id, id_first_at(ms));
    ck_assert_int_lt(id, id_first_at(ms + 1));
}

START_TEST(ids_grow_and_know_their_time)
{
    int64_t first = id_generate(NOON), second = id_generate(NOON), third = id_generate(NOON + 1);

    ck_assert_int_gt(first, 0);
    ck_assert_int_gt(second, first);
    ck_assert_int_gt(third, second);
    made_at(first, NOON);
    made_at(second, NOON);
    made_at(third, NOON + 1);
    ck_assert_int_eq(first >> 13 & 0xFF, 77);
}
END_TEST

START_TEST(a_time_has_a_first_id)
{
    int64_t before = id_generate(NOON - 1), after = id_generate(NOON);

    ck_assert_int_lt(before, id_first_at(NOON));
    ck_assert_int_ge(after, id_first_at(NOON));
    made_at(id_first_at(NOON), NOON);
    ck_assert_int_eq(id_first_at(0), 0);
    ck_assert_int_eq(id_first_at(INT64_MIN), 0);
    ck_assert_int_gt(id_first_at(INT64_C(253402300799999)), after); /* the year 9999 */
    ck_assert_int_eq(id_first_at(INT64_MAX), INT64_MAX);
}
END_TEST

START_TEST(a_clock_that_steps_back_is_not_followed)
{
    int64_t before = id_generate(NOON), after = id_generate(NOON - 3600000), mad = id_generate(-1);

    ck_assert_int_gt(after, before);
    ck_assert_int_gt(mad, after);
    made_at(mad, NOON);
}
END_TEST

START_TEST(ids_can_be_kept_above_one_from_elsewhere)
{
    int64_t before = id_generate(NOON), ahead = id_first_at(NOON + 5000) + 12345;

    id_stay_above(ahead);
    ck_assert_int_gt(id_generate(NOON), ahead);
    ck_assert_int_gt(id_generate(NOON + 5000), ahead);
    made_at(id_generate(NOON + 9000), NOON + 9000);
    id_stay_above(before); /* and never lowered */
    id_stay_above(0);
    made_at(id_generate(NOON), NOON + 9000);
}
END_TEST

START_TEST(a_used_up_millisecond_borrows_from_the_next)
{
    int64_t last = 0;

    for (int i = 0; i < 8192; i++) {
        int64_t id = id_generate(NOON);

        ck_assert_int_gt(id, last);
        made_at(id, NOON);
        last = id;
    }
    ck_assert_int_gt(id_generate(NOON), last);
    made_at(id_generate(NOON), NOON + 1);
    made_at(id_generate(NOON + 2), NOON + 2);
}
END_TEST

START_TEST(a_clock_gone_mad_still_gives_ids)
{
    int64_t early = id_generate(INT64_MIN), late = id_generate(INT64_MAX);

    ck_assert_int_gt(early, 0);
    ck_assert_int_gt(late, early);
    ck_assert_int_gt(id_generate(INT64_MAX), late);
}
END_TEST

#define PER_THREAD 50000

static void *
generate_many(void *arg)
{
    int64_t *ids = arg;

    for (size_t i = 0; i < PER_THREAD; i++)
        ids[i] = id_generate(NOON + (int64_t)(i / 5000));
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

START_TEST(no_two_threads_get_the_same)
{
    static int64_t ids[4][PER_THREAD];
    pthread_t      threads[4];
    int64_t       *all = &ids[0][0];

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, generate_many, ids[i]), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 1; k < PER_THREAD; k++)
            ck_assert_int_gt(ids[i][k], ids[i][k - 1]);
    qsort(all, (size_t)4 * PER_THREAD, sizeof(*all), compare);
    for (size_t i = 1; i < (size_t)4 * PER_THREAD; i++)
        ck_assert_int_ne(all[i], all[i - 1]);
}
END_TEST

/* What is out in the world must keep its meaning: computed once more in Python. */
START_TEST(public_ids_stay_what_they_are)
{
    char    text[ID_TEXT_MAX];
    int64_t id;

    ck_assert_str_eq(id_format(ID_MESSAGE, 1, text), "msg_P1HjH61JJJ2");
    ck_assert_str_eq(id_format(ID_CHAT, INT64_MAX, text), "chat_H4xZrYFHNRb");
    ck_assert(id_parse(ID_CHAT, str_of(text), &id));
    ck_assert_int_eq(id, INT64_MAX);
}
END_TEST

START_TEST(every_kind_comes_back_as_itself_only)
{
    static const char *const prefixes[ID_KINDS] = { "chat_", "msg_", "prof_", "grp_", "att_", "post_", "cmt_", "wh_",
        "evt_", "dlv_", "key_", "ws_", "job_" };
    char    text[ID_TEXT_MAX];
    int64_t back;

    random_seed(2);
    for (int i = 0; i < 1000; i++) {
        int64_t id = 1 + random_below(INT64_MAX);

        for (int kind = 0; kind < ID_KINDS; kind++) {
            id_format((enum id_kind)kind, id, text);
            ck_assert(str_starts(str_of(text), str_of(prefixes[kind])));
            ck_assert_uint_eq(strlen(text), strlen(prefixes[kind]) + 11);
            for (int other = 0; other < ID_KINDS; other++)
                ck_assert(id_parse((enum id_kind)other, str_of(text), &back) == (other == kind));
            ck_assert(id_parse((enum id_kind)kind, str_of(text), &back));
            ck_assert_int_eq(back, id);
        }
    }
}
END_TEST

START_TEST(what_is_no_id_is_refused)
{
    static const char *const bad[] = { "", "msg", "msg_", "msg_1", "msg_1111111111", "msg_111111111111",
        "MSG_11111111111", "msg_0OIl1111111", "msg_111111 1111", "msg_zzzzzzzzzzz", "m_abcdefghijklmnop", "12345",
        "chat_11111111111" };
    int64_t id = 5;

    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!id_parse(ID_MESSAGE, str_of(bad[i]), &id), "%s", bad[i]);
    ck_assert(!id_parse(ID_MESSAGE, STR_NONE, &id));
    ck_assert(!id_parse(ID_MESSAGE, (struct str){ "msg_1111111111\0", 15 }, &id));
    ck_assert_int_eq(id, 5);
}
END_TEST

/* Of all texts that look like an id, those of no key (negative, zero, above 64 bits) are refused, and the
 * others are the one text of their key. */
START_TEST(each_key_has_one_text)
{
    static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    char              text[] = "msg_...........", again[ID_TEXT_MAX];
    int64_t           id;
    int               taken = 0;

    random_seed(4);
    for (int i = 0; i < 100 * 1000; i++) {
        for (size_t k = 4; k < 15; k++)
            text[k] = digits[random_below(58)];
        if (!id_parse(ID_MESSAGE, str_of(text), &id))
            continue;
        taken++;
        ck_assert_int_gt(id, 0);
        ck_assert_str_eq(id_format(ID_MESSAGE, id, again), text);
    }
    ck_assert(taken > 30000 && taken < 45000); /* 2^63 of 58^11 */
}
END_TEST

static TCase *
ids(void)
{
    TCase *c = tcase_create("ids");

    tcase_add_checked_fixture(c, set_up, NULL);
    tcase_add_test(c, ids_grow_and_know_their_time);
    tcase_add_test(c, a_time_has_a_first_id);
    tcase_add_test(c, a_clock_that_steps_back_is_not_followed);
    tcase_add_test(c, ids_can_be_kept_above_one_from_elsewhere);
    tcase_add_test(c, a_used_up_millisecond_borrows_from_the_next);
    tcase_add_test(c, a_clock_gone_mad_still_gives_ids);
    tcase_add_test(c, no_two_threads_get_the_same);
    tcase_add_test(c, public_ids_stay_what_they_are);
    tcase_add_test(c, every_kind_comes_back_as_itself_only);
    tcase_add_test(c, what_is_no_id_is_refused);
    tcase_add_test(c, each_key_has_one_text);
    return c;
}

TEST_CASES("id", ids)
