#include "base/arena.h"

#include <signal.h>
#include <stdalign.h>

#include "base/buf.h"
#include "base/testing_str.h"

START_TEST(memory_is_zeroed_aligned_and_apart)
{
    struct arena a = { 0 };
    char        *taken[400];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 400; i++) {
            taken[i] = arena_alloc(&a, i);
            ck_assert_uint_eq((uintptr_t)taken[i] % alignof(max_align_t), 0);
            for (size_t k = 0; k < i; k++)
                ck_assert_int_eq(taken[i][k], 0);
            memset(taken[i], (int)i, i);
        }
        for (size_t i = 0; i < 400; i++)
            for (size_t k = 0; k < i; k++)
                ck_assert_int_eq((unsigned char)taken[i][k], i & 0xFF);
        arena_reset(&a);
    }
    arena_deinit(&a);
    arena_deinit(&a);
}
END_TEST

START_TEST(a_big_piece_does_not_waste_the_room_there_is)
{
    struct arena a;
    char        *small, *big, *next;

    arena_init(&a);
    small = arena_alloc(&a, 16);
    big = arena_alloc(&a, MIB);
    big[MIB - 1] = 'x';
    next = arena_alloc(&a, 16);
    ck_assert(a.next > next && a.next - next < 64);
    ck_assert(next > small && next - small < 4096);
    arena_deinit(&a);
}
END_TEST

START_TEST(reset_keeps_a_small_block_and_drops_a_large_one)
{
    struct arena a;
    void        *first;

    arena_init(&a);
    arena_reset(&a);
    first = arena_alloc(&a, 100);
    arena_reset(&a);
    ck_assert_ptr_eq(arena_alloc(&a, 100), first);
    arena_deinit(&a);
    arena_alloc(&a, MIB);
    arena_reset(&a);
    ck_assert_ptr_null(a.blocks);
    arena_deinit(&a);
}
END_TEST

START_TEST(copies_end_with_a_nul_and_none_stays_none)
{
    struct arena a = { 0 };
    struct str   copy = arena_copy(&a, str_slice(STR("hello, world"), 0, 5));

    ck_assert_str_eq(copy.ptr, "hello");
    ck_assert_uint_eq(copy.len, 5);
    ck_assert_slice(arena_copy(&a, STR("")), "");
    ck_assert_none(arena_copy(&a, STR_NONE));
    ck_assert_slice(arena_printf(&a, "%s-%03d", "x", 7), "x-007");
    ck_assert_uint_eq(arena_printf(&a, "%9000d", 1).len, 9000);
    arena_deinit(&a);
}
END_TEST

/* Sizes from one byte to a megabyte and back, next to a neighbour that must not be run over. */
START_TEST(what_was_written_is_taken_whole_or_not_at_all)
{
    struct arena a;
    struct buf   b;
    struct str   taken;

    arena_init(&a);
    buf_init(&b, 5);
    buf_append(&b, STR("hello"));
    taken = arena_take(&a, &b);
    ck_assert_slice(taken, "hello");
    ck_assert_int_eq(taken.ptr[5], 0);
    buf_init(&b, 5);
    ck_assert_slice(arena_take(&a, &b), "");
    buf_init(&b, 5);
    buf_append(&b, STR("hello"));
    buf_append(&b, STR("!"));
    ck_assert_none(arena_take(&a, &b));
    arena_deinit(&a);
}
END_TEST

START_TEST(a_piece_that_is_resized_keeps_its_bytes)
{
    struct arena a = { 0 };
    size_t       size = 1;
    char        *piece = arena_resize(&a, NULL, 0, size), *neighbour;

    piece[0] = 'a';
    for (size_t next = 2; next < MIB; next = next * 3 / 2 + 1) {
        piece = arena_resize(&a, piece, size, next);
        memset(piece + size, 'a', next - size);
        size = next;
        if (next % 2 == 0) {
            neighbour = arena_alloc(&a, 3);
            ck_assert_int_eq(neighbour[0] + neighbour[1] + neighbour[2], 0);
            memset(neighbour, 'n', 3);
        }
    }
    for (; size > 1; size /= 2)
        piece = arena_resize(&a, piece, size, size / 2);
    ck_assert_int_eq(piece[0], 'a');
    arena_deinit(&a);
}
END_TEST

START_TEST(growing_leaves_little_behind)
{
    struct arena a = { 0 };
    char        *piece = arena_alloc(&a, 1);

    for (size_t size = 1; size < 4 * MIB; size += 4 * KIB) {
        piece = arena_resize(&a, piece, size, size + 4 * KIB);
        piece[size + 4095] = 'x';
    }
    ck_assert_uint_lt(arena_size(&a), 5 * MIB);
    arena_deinit(&a);
    ck_assert_uint_eq(arena_size(&a), 0);
}
END_TEST

START_TEST(arrays_are_typed)
{
    struct arena a = { 0 };
    int64_t     *numbers = arena_array(&a, int64_t, 1000);

    ck_assert_int_eq(numbers[999], 0);
    numbers[999] = 1;
    ck_assert_int_eq(*arena_new(&a, int64_t), 0);
    arena_deinit(&a);
}
END_TEST

START_TEST(an_overflowing_array_ends_the_process)
{
    struct arena a = { 0 };

    arena_alloc_array(&a, SIZE_MAX / 2, 3);
}
END_TEST

static TCase *
plain(void)
{
    TCase *c = tcase_create("plain");

    tcase_add_test(c, memory_is_zeroed_aligned_and_apart);
    tcase_add_test(c, a_big_piece_does_not_waste_the_room_there_is);
    tcase_add_test(c, reset_keeps_a_small_block_and_drops_a_large_one);
    tcase_add_test(c, copies_end_with_a_nul_and_none_stays_none);
    tcase_add_test(c, what_was_written_is_taken_whole_or_not_at_all);
    tcase_add_test(c, a_piece_that_is_resized_keeps_its_bytes);
    tcase_add_test(c, growing_leaves_little_behind);
    tcase_add_test(c, arrays_are_typed);
    tcase_add_test_raise_signal(c, an_overflowing_array_ends_the_process, SIGABRT);
    return c;
}

TEST_CASES("arena", plain)
