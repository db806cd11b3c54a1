/* queue_test.c -- order, bounds and fairness of what waits to go out. */
#include "net/queue.h"

#include <stdio.h>

#include "base/random.h"
#include "base/testing.h"

#define A STR("https://a.example:443")
#define B STR("https://b.example:443")
#define C STR("https://c.example:443")

START_TEST(an_empty_queue_has_no_next)
{
    struct queue q;

    queue_init(&q, 1, 1);
    ck_assert_ptr_null(queue_next(&q));
    queue_deinit(&q);
}
END_TEST

START_TEST(one_host_goes_in_order_and_not_above_its_bound)
{
    struct queue q;
    struct queue_item item[5];

    queue_init(&q, 2, 100);
    for (int i = 0; i < 5; i++)
        queue_join(&q, A, &item[i]);
    ck_assert_ptr_eq(queue_next(&q), &item[0]);
    ck_assert_ptr_eq(queue_next(&q), &item[1]);
    ck_assert_ptr_null(queue_next(&q));
    queue_leave(&q, &item[1]);
    ck_assert_ptr_eq(queue_next(&q), &item[2]);
    ck_assert_ptr_null(queue_next(&q));
    queue_leave(&q, &item[0]);
    queue_leave(&q, &item[2]);
    ck_assert_ptr_eq(queue_next(&q), &item[3]);
    ck_assert_ptr_eq(queue_next(&q), &item[4]);
    queue_leave(&q, &item[3]);
    queue_leave(&q, &item[4]);
    queue_deinit(&q);
}
END_TEST

START_TEST(hosts_take_turns_below_the_total)
{
    struct queue q;
    struct queue_item a[4], b[2], c[1];

    queue_init(&q, 3, 3);
    for (int i = 0; i < 4; i++)
        queue_join(&q, A, &a[i]);
    for (int i = 0; i < 2; i++)
        queue_join(&q, B, &b[i]);
    queue_join(&q, C, &c[0]);
    ck_assert_ptr_eq(queue_next(&q), &a[0]);
    ck_assert_ptr_eq(queue_next(&q), &b[0]);
    ck_assert_ptr_eq(queue_next(&q), &c[0]);
    ck_assert_ptr_null(queue_next(&q));
    queue_leave(&q, &c[0]);
    ck_assert_ptr_eq(queue_next(&q), &a[1]);
    queue_leave(&q, &a[0]);
    ck_assert_ptr_eq(queue_next(&q), &b[1]);
    queue_leave(&q, &a[1]);
    ck_assert_ptr_eq(queue_next(&q), &a[2]);
    queue_leave(&q, &b[0]);
    queue_leave(&q, &b[1]);
    ck_assert_ptr_eq(queue_next(&q), &a[3]);
    queue_leave(&q, &a[2]);
    queue_leave(&q, &a[3]);
    queue_deinit(&q);
}
END_TEST

START_TEST(who_waits_may_leave)
{
    struct queue q;
    struct queue_item a[4], b;

    queue_init(&q, 1, 10);
    for (int i = 0; i < 4; i++)
        queue_join(&q, A, &a[i]);
    queue_join(&q, B, &b);
    queue_leave(&q, &a[0]);
    queue_leave(&q, &a[0]); /* again: nothing */
    queue_leave(&q, &a[2]);
    queue_leave(&q, &b);
    ck_assert_ptr_eq(queue_next(&q), &a[1]);
    ck_assert_ptr_null(queue_next(&q));
    queue_leave(&q, &a[3]);
    queue_leave(&q, &a[1]);
    ck_assert_ptr_null(queue_next(&q));
    ck_assert_int_eq(q.under_way, 0);
    queue_deinit(&q);
}
END_TEST

START_TEST(a_host_emptied_while_its_turn_was_to_come_is_let_go)
{
    struct queue q;
    struct queue_item a, b;

    queue_init(&q, 1, 1);
    queue_join(&q, A, &a);
    queue_join(&q, B, &b);
    ck_assert_ptr_eq(queue_next(&q), &a);
    queue_leave(&q, &b);
    queue_leave(&q, &a);
    queue_deinit(&q); /* asserts that no line is left */
}
END_TEST

enum { MODEL_ITEMS = 300, MODEL_HOSTS = 7 };

/* What a random run may never do: pass a bound, reorder a line, or idle while someone could go. */
START_TEST(a_long_random_life_keeps_the_promises)
{
    static struct queue_item item[MODEL_ITEMS];
    static int host[MODEL_ITEMS], order[MODEL_ITEMS];
    int running[MODEL_HOSTS] = { 0 }, total = 0, stamp = 0;
    struct queue q;

    random_seed(7);
    queue_init(&q, 3, 11);
    for (int step = 0; step < 200000; step++) {
        int i = (int)random_below(MODEL_ITEMS);
        struct queue_item *next;

        if (!item[i].line) {
            char name[16];

            host[i]  = (int)random_below(MODEL_HOSTS);
            order[i] = ++stamp;
            snprintf(name, sizeof(name), "host-%d", host[i]);
            queue_join(&q, str_of(name), &item[i]);
        } else if (item[i].under_way || random_below(4) == 0) {
            if (item[i].under_way) {
                running[host[i]]--;
                total--;
            }
            queue_leave(&q, &item[i]);
        }
        while ((next = queue_next(&q)) != NULL) {
            int n = (int)(next - item);

            ck_assert(next->under_way);
            ck_assert_int_le(++running[host[n]], 3);
            ck_assert_int_le(++total, 11);
            for (int k = 0; k < MODEL_ITEMS; k++)
                if (item[k].line && !item[k].under_way && host[k] == host[n])
                    ck_assert_int_gt(order[k], order[n]);
        }
        if (total < 11)
            for (int k = 0; k < MODEL_ITEMS; k++)
                if (item[k].line && !item[k].under_way)
                    ck_assert_int_eq(running[host[k]], 3);
    }
    for (int i = 0; i < MODEL_ITEMS; i++)
        queue_leave(&q, &item[i]);
    queue_deinit(&q);
}
END_TEST

TESTS("queue", an_empty_queue_has_no_next, one_host_goes_in_order_and_not_above_its_bound,
      hosts_take_turns_below_the_total,
      who_waits_may_leave, a_host_emptied_while_its_turn_was_to_come_is_let_go, a_long_random_life_keeps_the_promises)
