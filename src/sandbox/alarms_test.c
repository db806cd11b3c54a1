#include "sandbox/alarms.h"

#include "base/mailbox.h" /* container_of */
#include "base/testing.h"

struct note {
    struct alarm   alarm;
    struct alarms *all;
    struct note   *other;
    int64_t        again_ms;
    int            rung;
};

static int64_t order[600];
static size_t  ordered;

static void
write_down(struct alarm *a)
{
    order[ordered++] = a->at_ms;
    container_of(a, struct note, alarm)->rung++;
}

START_TEST(alarms_ring_in_order_of_time)
{
    struct alarms all = { 0 };
    struct note   notes[500] = { 0 };

    ck_assert_int_eq(alarms_next(&all), -1);
    for (int i = 0; i < 500; i++) {
        notes[i].alarm.ring = write_down;
        alarm_set(&all, &notes[i].alarm, (i * 7919) % 1000);
    }
    ck_assert_int_eq(alarms_next(&all), 0);
    for (int i = 0; i < 500; i += 3)
        alarm_clear(&all, &notes[i].alarm);
    for (int i = 1; i < 500; i += 3)
        alarm_set(&all, &notes[i].alarm, 999 - notes[i].alarm.at_ms);

    alarms_ring(&all, 499);
    for (size_t i = 0; i < ordered; i++)
        ck_assert(order[i] <= 499 && (i == 0 || order[i - 1] <= order[i]));
    alarms_ring(&all, 999);
    ck_assert_uint_eq(ordered, 333);
    for (size_t i = 1; i < ordered; i++)
        ck_assert_int_le(order[i - 1], order[i]);
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(notes[i].rung, i % 3 == 0 ? 0 : 1);
    ck_assert_int_eq(alarms_next(&all), -1);
    alarms_deinit(&all);
}
END_TEST

static void
meddle(struct alarm *a)
{
    struct note *n = container_of(a, struct note, alarm);

    n->rung++;
    alarm_clear(n->all, &n->other->alarm);
    if (n->rung == 1)
        alarm_set(n->all, a, n->again_ms);
}

START_TEST(ringing_may_set_and_clear)
{
    struct alarms all = { 0 };
    struct note   second = { .alarm.ring = write_down };
    struct note   first = { .alarm.ring = meddle, .all = &all, .other = &second, .again_ms = 20 };

    alarm_set(&all, &first.alarm, 10);
    alarm_set(&all, &second.alarm, 11);
    alarms_ring(&all, 15);
    ck_assert_int_eq(first.rung, 1);
    ck_assert_int_eq(second.rung, 0);
    ck_assert_int_eq(alarms_next(&all), 20);
    alarms_ring(&all, 20);
    ck_assert_int_eq(first.rung, 2);
    ck_assert_int_eq(alarms_next(&all), -1);
    alarm_clear(&all, &second.alarm);
    alarms_deinit(&all);
}
END_TEST

TESTS("alarms", alarms_ring_in_order_of_time, ringing_may_set_and_clear)
