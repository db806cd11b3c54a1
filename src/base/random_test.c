#include "base/random.h"

#include <string.h>

#include "base/testing.h"

START_TEST(a_seed_repeats_itself)
{
    char one[100], two[100];

    random_seed(42);
    random_bytes(one, sizeof(one));
    random_seed(42);
    random_bytes(two, sizeof(two));
    ck_assert_mem_eq(one, two, sizeof(one));
    random_bytes(two, sizeof(two));
    ck_assert_mem_ne(one, two, sizeof(one));
    random_seed(43);
    random_bytes(two, sizeof(two));
    ck_assert_mem_ne(one, two, sizeof(one));
}
END_TEST

/* The first outputs of splitmix64 for the seed 1234567, as the generator's author publishes them. */
START_TEST(the_seeded_sequence_is_splitmix64)
{
    static const uint64_t expected[] = { 6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
        4593380528125082431U, 16408922859458223821U };
    uint64_t word;

    random_seed(1234567);
    for (size_t i = 0; i < 5; i++) {
        random_bytes(&word, sizeof(word));
        ck_assert_uint_eq(word, expected[i]);
    }
}
END_TEST

START_TEST(without_a_seed_nothing_repeats)
{
    char one[32], two[32];

    random_seed(42);
    random_seed(0);
    random_bytes(one, sizeof(one));
    random_seed(42);
    random_seed(0);
    random_bytes(two, sizeof(two));
    ck_assert_mem_ne(one, two, sizeof(one));
}
END_TEST

START_TEST(numbers_below_are_even)
{
    int counts[7] = { 0 };

    random_seed(7);
    for (int i = 0; i < 70000; i++) {
        int64_t n = random_below(7);

        ck_assert(n >= 0 && n < 7);
        counts[n]++;
    }
    for (int i = 0; i < 7; i++)
        ck_assert(counts[i] > 9500 && counts[i] < 10500);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(random_below(1), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_ge(random_below(INT64_MAX), 0);
}
END_TEST

START_TEST(jitter_stays_in_its_span_and_reaches_its_ends)
{
    int64_t low = 1000, high = 1000;

    random_seed(7);
    for (int i = 0; i < 10000; i++) {
        int64_t ms = random_jitter(1000, 20);

        ck_assert(ms >= 800 && ms <= 1200);
        low = ms < low ? ms : low;
        high = ms > high ? ms : high;
    }
    ck_assert_int_eq(low, 800);
    ck_assert_int_eq(high, 1200);
    ck_assert_int_eq(random_jitter(1000, 0), 1000);
    ck_assert_int_eq(random_jitter(0, 50), 0);
    ck_assert_int_eq(random_jitter(-5, 50), -5);
    ck_assert_int_eq(random_jitter(INT64_MAX, 50), INT64_MAX);
    ck_assert_int_gt(random_jitter(INT64_MAX / 4, 100), -1);
}
END_TEST

TESTS("random", a_seed_repeats_itself, the_seeded_sequence_is_splitmix64, without_a_seed_nothing_repeats,
    numbers_below_are_even, jitter_stays_in_its_span_and_reaches_its_ends)
