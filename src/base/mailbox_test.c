#include "base/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/testing.h"

struct letter {
    struct mail mail;
    int         number;
};

static uv_loop_t      loop;
static struct mailbox box;
static struct letter  letters[5000];
static int            opened[5000], n_opened;

static void
set_up(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    mailbox_init(&box, &loop);
}

static void
tear_down(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0); /* nothing is left open */
}

static void
note(struct mail *m)
{
    struct letter *l = container_of(m, struct letter, mail);

    opened[n_opened++] = l->number;
    memset(l, 0xAA, sizeof(*l)); /* it is ours now: nobody may look at it again */
}

static void
note_and_close(struct mail *m)
{
    note(m);
    mailbox_close(&box);
}

static struct mail *
letter(int number, void (*open)(struct mail *m))
{
    letters[number] = (struct letter){ { .open = open }, number };
    return &letters[number].mail;
}

START_TEST(mail_is_opened_in_order)
{
    for (int i = 0; i < 100; i++)
        mailbox_post(&box, letter(i, note));
    ck_assert_int_eq(n_opened, 0);
    mailbox_post(&box, letter(100, note_and_close));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(n_opened, 101);
    for (int i = 0; i < 101; i++)
        ck_assert_int_eq(opened[i], i);
}
END_TEST

static uv_check_t round_end;
static int        rounds_with_mail, opened_before;

static void
count_rounds(uv_check_t *c)
{
    (void)c;
    rounds_with_mail += n_opened != opened_before;
    opened_before = n_opened;
}

START_TEST(many_letters_wake_the_loop_once)
{
    uv_check_init(&loop, &round_end);
    uv_check_start(&round_end, count_rounds);
    for (int i = 0; i < 1000; i++)
        mailbox_post(&box, letter(i, note));
    uv_run(&loop, UV_RUN_ONCE);
    ck_assert_int_eq(n_opened, 1000);
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(rounds_with_mail, 1);
    uv_close((uv_handle_t *)&round_end, NULL);
    mailbox_close(&box);
}
END_TEST

static void
note_and_answer(struct mail *m)
{
    int number = container_of(m, struct letter, mail)->number;

    note(m);
    mailbox_post(&box, letter(number + 1, number < 20 ? note_and_answer : note_and_close));
}

START_TEST(mail_posted_while_opening_is_opened_too)
{
    mailbox_post(&box, letter(0, note_and_answer));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(n_opened, 22);
    for (int i = 0; i < 22; i++)
        ck_assert_int_eq(opened[i], i);
}
END_TEST

/* Two wait, and the first posts a third: the box is not empty then, which must not lose the wake-up. */
START_TEST(mail_posted_behind_waiting_mail_is_opened_too)
{
    mailbox_post(&box, letter(20, note_and_answer));
    mailbox_post(&box, letter(1, note));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(n_opened, 3);
    ck_assert_int_eq(opened[1], 1);
    ck_assert_int_eq(opened[2], 21);
}
END_TEST

static uv_timer_t tick;
static int        ticks;

static void
on_tick(uv_timer_t *t)
{
    (void)t;
    ticks++;
    uv_close((uv_handle_t *)&tick, NULL);
    mailbox_close(&box);
}

static void
post_again(struct mail *m)
{
    n_opened++;
    if (ticks == 0)
        mailbox_post(&box, m);
}

START_TEST(mail_that_posts_itself_leaves_the_loop_its_turn)
{
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 1, 0);
    mailbox_post(&box, letter(0, post_again));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(ticks, 1);
    ck_assert_int_ge(n_opened, 1);
}
END_TEST

START_TEST(closing_opens_what_waits_and_nothing_later)
{
    mailbox_post(&box, letter(0, note));
    mailbox_post(&box, letter(20, note_and_answer)); /* the answer closes once more, which is fine */
    mailbox_close(&box);
    ck_assert_int_eq(n_opened, 3);
    mailbox_post(&box, letter(1, note));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(n_opened, 3);
}
END_TEST

#define PER_THREAD 1000

static atomic_int posters_left;

static void *
post_many(void *arg)
{
    int first = (int)(intptr_t)arg;

    for (int i = 0; i < PER_THREAD; i++)
        mailbox_post(&box, letter(first + i, note));
    if (atomic_fetch_sub(&posters_left, 1) == 1)
        mailbox_post(&box, letter(4 * PER_THREAD, note_and_close));
    return NULL;
}

START_TEST(each_thread_s_mail_stays_in_order)
{
    pthread_t threads[4];
    int       last[4] = { -1, -1, -1, -1 };

    posters_left = 4;
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, (void *)(intptr_t)(i * PER_THREAD)), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(n_opened, 4 * PER_THREAD + 1);
    for (int i = 0; i < 4 * PER_THREAD; i++) {
        ck_assert_int_gt(opened[i] % PER_THREAD, last[opened[i] / PER_THREAD]);
        last[opened[i] / PER_THREAD] = opened[i] % PER_THREAD;
    }
}
END_TEST

static void *
post_until_refused(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5000; i++)
        mailbox_post(&box, letter(i, note));
    return NULL;
}

START_TEST(posting_may_race_with_closing)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, post_until_refused, NULL), 0);
    while (n_opened == 0)
        uv_run(&loop, UV_RUN_ONCE);
    mailbox_close(&box);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (int i = 0; i < n_opened; i++)
        ck_assert_int_eq(opened[i], i);
}
END_TEST

static TCase *
mail(void)
{
    TCase *c = tcase_create("mail");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, mail_is_opened_in_order);
    tcase_add_test(c, many_letters_wake_the_loop_once);
    tcase_add_test(c, mail_posted_while_opening_is_opened_too);
    tcase_add_test(c, mail_posted_behind_waiting_mail_is_opened_too);
    tcase_add_test(c, mail_that_posts_itself_leaves_the_loop_its_turn);
    tcase_add_test(c, closing_opens_what_waits_and_nothing_later);
    tcase_add_test(c, each_thread_s_mail_stays_in_order);
    tcase_add_test(c, posting_may_race_with_closing);
    return c;
}

TEST_CASES("mailbox", mail)
