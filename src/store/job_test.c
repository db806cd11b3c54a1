#include "store/testing.h"

#include "base/id.h"
#include "store/lease.h"

static struct testing_store s;

static struct job
add(int64_t lane, int64_t queue, int64_t due_at)
{
    struct job job = { .kind = JOB_SEND, .lane_id = lane, .queue_id = queue, .record_id = 9, .due_at = due_at };

    OK(job_add(s.db, &job, s.now, &s.err));
    return job;
}

static struct job
again(const struct job *job)
{
    struct job now;
    bool found;

    OK(job_get(s.db, job->id, &s.arena, &now, &found, &s.err));
    ck_assert(found);
    return now;
}

static bool
is_gone(const struct job *job)
{
    struct job now;
    bool found;

    OK(job_get(s.db, job->id, &s.arena, &now, &found, &s.err));
    return !found;
}

static size_t
due(int64_t lane, int limit, struct job **out, int64_t *next_due_at)
{
    size_t n;

    OK(job_due(s.db, lane, s.now, limit, &s.arena, out, &n, next_due_at, &s.err));
    return n;
}

START_TEST(everything_of_a_job_comes_back)
{
    struct job job = { .kind = JOB_MIRROR, .lane_id = 5, .queue_id = 6, .record_id = 7, .due_at = s.now + 8,
                       .attempts = 3, .payload = STR("{\"a\":1}") };
    struct job now;

    OK(job_add(s.db, &job, s.now, &s.err));
    now = again(&job);
    ck_assert_int_eq(now.kind, JOB_MIRROR);
    ck_assert_int_eq(now.lane_id, 5);
    ck_assert_int_eq(now.queue_id, 6);
    ck_assert_int_eq(now.record_id, 7);
    ck_assert_int_eq(now.due_at, s.now + 8);
    ck_assert_int_eq(now.attempts, 3);
    ck_assert_int_eq(now.state, JOB_READY);
    ck_assert_int_eq(now.created_at, s.now);
    ck_assert(str_eq(now.payload, STR("{\"a\":1}")));
}
END_TEST

START_TEST(only_the_first_of_a_queue_is_ready)
{
    struct job first = add(1, 50, s.now), second = add(1, 50, s.now), other = add(1, 51, s.now);
    struct job free = add(1, 0, s.now), free_too = add(1, 0, s.now);

    ck_assert_int_eq(first.state, JOB_READY);
    ck_assert_int_eq(second.state, JOB_QUEUED);
    ck_assert_int_eq(other.state, JOB_READY);
    ck_assert_int_eq(free.state, JOB_READY);
    ck_assert_int_eq(free_too.state, JOB_READY);
}
END_TEST

START_TEST(a_queued_job_wakes_nobody)
{
    add(1, 50, s.now);
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, 1), 1);
    ts_commit(&s);
    add(1, 50, s.now);
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, 1), 0);
}
END_TEST

START_TEST(finishing_moves_the_queue_up_one_by_one)
{
    struct job a = add(1, 50, s.now), b = add(1, 50, s.now), c = add(1, 50, s.now);

    ts_commit(&s);
    ts_tick(&s, 10000);
    OK(job_finish(s.db, &a, s.now, &s.err));
    ck_assert(is_gone(&a));
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, 1), 1);
    ck_assert_int_eq(again(&b).state, JOB_READY);
    ck_assert_int_eq(again(&b).due_at, s.now);
    ck_assert_int_eq(again(&c).state, JOB_QUEUED);
    b = again(&b);
    OK(job_finish(s.db, &b, s.now, &s.err));
    ck_assert_int_eq(again(&c).state, JOB_READY);
    c = again(&c);
    ts_commit(&s);
    OK(job_finish(s.db, &c, s.now, &s.err));
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, 1), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 0);
}
END_TEST

START_TEST(a_later_due_time_survives_moving_up)
{
    struct job a = add(1, 50, s.now), b = add(1, 50, s.now + 60000);

    OK(job_finish(s.db, &a, s.now, &s.err));
    ck_assert_int_eq(again(&b).state, JOB_READY);
    ck_assert_int_eq(again(&b).due_at, s.now + 60000);
}
END_TEST

START_TEST(a_retried_head_keeps_its_place)
{
    struct job a = add(1, 50, s.now), b = add(1, 50, s.now), c;
    bool taken;

    OK(job_mark_in_flight(s.db, a.id, &taken, &s.err));
    ck_assert(taken);
    OK(job_retry(s.db, &a, s.now + 5000, 1, STR("why"), &s.err));
    a = again(&a);
    ck_assert_int_eq(a.state, JOB_READY);
    ck_assert_int_eq(a.due_at, s.now + 5000);
    ck_assert_int_eq(a.attempts, 1);
    ck_assert(str_eq(a.payload, STR("why")));
    c = add(1, 50, s.now);
    ck_assert_int_eq(again(&b).state, JOB_QUEUED);
    ck_assert_int_eq(c.state, JOB_QUEUED);
    OK(job_finish(s.db, &a, s.now, &s.err));
    ck_assert_int_eq(again(&b).state, JOB_READY);
    ck_assert_int_eq(again(&c).state, JOB_QUEUED);
}
END_TEST

START_TEST(one_that_leaves_its_queue_lets_the_next_up)
{
    struct job a = add(1, 50, s.now), b = add(1, 50, s.now), c = add(1, 50, s.now);

    OK(job_leave_queue(s.db, &a, s.now, &s.err));
    ck_assert_int_eq(a.queue_id, 0);
    ck_assert_int_eq(again(&a).queue_id, 0);
    ck_assert_int_eq(again(&a).state, JOB_READY);
    ck_assert_int_eq(again(&b).state, JOB_READY);
    OK(job_leave_queue(s.db, &a, s.now, &s.err)); /* again: nothing */
    OK(job_finish(s.db, &a, s.now, &s.err));
    ck_assert_int_eq(again(&c).state, JOB_QUEUED);
}
END_TEST

START_TEST(a_second_taker_gets_nothing)
{
    struct job a = add(1, 0, s.now), queued;
    bool taken;

    add(1, 50, s.now);
    queued = add(1, 50, s.now);
    OK(job_mark_in_flight(s.db, a.id, &taken, &s.err));
    ck_assert(taken);
    OK(job_mark_in_flight(s.db, a.id, &taken, &s.err));
    ck_assert(!taken);
    OK(job_mark_in_flight(s.db, queued.id, &taken, &s.err));
    ck_assert(!taken);
    OK(job_finish(s.db, &a, s.now, &s.err));
    OK(job_mark_in_flight(s.db, a.id, &taken, &s.err));
    ck_assert(!taken);
}
END_TEST

START_TEST(due_jobs_come_oldest_first_and_no_more_than_asked)
{
    struct job late = add(1, 0, s.now - 10), early = add(1, 0, s.now - 20), same = add(1, 0, s.now - 10), *jobs;
    int64_t next;

    add(2, 0, s.now - 30);
    ck_assert_uint_eq(due(1, 10, &jobs, &next), 3);
    ck_assert_int_eq(jobs[0].id, early.id);
    ck_assert_int_eq(jobs[1].id, late.id);
    ck_assert_int_eq(jobs[2].id, same.id);
    ck_assert_int_eq(next, 0);
    ck_assert_uint_eq(due(1, 2, &jobs, &next), 2);
    ck_assert_int_eq(jobs[1].id, late.id);
    ck_assert_uint_eq(due(3, 10, &jobs, &next), 0);
}
END_TEST

START_TEST(what_is_not_due_yet_says_when)
{
    struct job exactly = add(1, 0, s.now), *jobs, flying = add(1, 0, s.now);
    int64_t next;
    bool taken;

    add(1, 0, s.now + 900);
    add(1, 0, s.now + 700);
    OK(job_mark_in_flight(s.db, flying.id, &taken, &s.err));
    ck_assert_uint_eq(due(1, 10, &jobs, &next), 1);
    ck_assert_int_eq(jobs[0].id, exactly.id);
    ck_assert_int_eq(next, s.now + 700);
}
END_TEST

START_TEST(hurrying_a_lane_brings_the_far_ones_to_now)
{
    struct job far = add(1, 0, s.now + 90000), past = add(1, 0, s.now - 5), other = add(2, 0, s.now + 90000);
    struct job flying = add(1, 0, s.now + 90000), queued;
    bool taken;

    add(1, 50, s.now + 90000);
    queued = add(1, 50, s.now + 90000);
    OK(job_mark_in_flight(s.db, flying.id, &taken, &s.err));
    ts_commit(&s);
    OK(job_hurry_lane(s.db, 1, s.now, &s.err));
    ck_assert_int_eq(again(&far).due_at, s.now);
    ck_assert_int_eq(again(&past).due_at, s.now - 5);
    ck_assert_int_eq(again(&other).due_at, s.now + 90000);
    ck_assert_int_eq(again(&flying).state, JOB_IN_FLIGHT);
    ck_assert_int_eq(again(&queued).state, JOB_QUEUED);
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, 1), 1);
}
END_TEST

START_TEST(a_clock_set_back_takes_what_waits_with_it)
{
    const int64_t hour = 3600000;
    struct job far = add(1, 0, s.now + 90000), past = add(1, 0, s.now - hour - 5), other = add(2, 0, s.now + 90000);
    struct job held = add(1, 0, JOB_HELD_UNTIL), first = add(1, 50, s.now), queued = add(1, 50, s.now);
    bool ours;

    OK(lane_take(s.db, 1, 7, s.now, &ours, &s.err));
    OK(lane_take(s.db, 2, 8, s.now, &ours, &s.err));
    OK(job_hurry_by(s.db, 7, hour, s.now - hour, &s.err));
    ck_assert_int_eq(again(&far).due_at, s.now - hour + 90000);
    ck_assert_int_eq(again(&past).due_at, s.now - hour - 5);
    ck_assert_int_eq(again(&other).due_at, s.now + 90000);
    ck_assert_int_eq(again(&held).due_at, JOB_HELD_UNTIL);
    ck_assert_int_eq(again(&first).due_at, s.now - hour);
    ck_assert_int_eq(again(&queued).due_at, s.now - hour);
}
END_TEST

/* And what is to be forgotten in it: nothing else remembers that. */
START_TEST(dropping_a_lane_leaves_the_others)
{
    struct job a = add(1, 0, s.now), b = add(1, 50, s.now), other = add(2, 0, s.now);
    struct job forget = { .kind = JOB_FORGET_MEDIA, .lane_id = 1, .record_id = 9, .due_at = s.now };

    OK(job_add(s.db, &forget, s.now, &s.err));
    OK(job_drop_lane(s.db, 1, &s.err));
    ck_assert(is_gone(&a));
    ck_assert(is_gone(&b));
    ck_assert(!is_gone(&other));
    ck_assert(!is_gone(&forget));
}
END_TEST

START_TEST(once_means_once_for_each_record_and_kind)
{
    struct job job = { .kind = JOB_PARTICIPANT, .lane_id = 1, .record_id = 9, .due_at = s.now }, other = job;
    bool taken;

    OK(job_add_once(s.db, &job, s.now, &s.err));
    OK(job_mark_in_flight(s.db, job.id, &taken, &s.err));
    other = (struct job){ .kind = JOB_PARTICIPANT, .lane_id = 1, .record_id = 9, .due_at = s.now };
    OK(job_add_once(s.db, &other, s.now, &s.err)); /* whatever its state */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 1);
    other.record_id = 10;
    OK(job_add_once(s.db, &other, s.now, &s.err));
    other.kind = JOB_CHECK;
    OK(job_add_once(s.db, &other, s.now, &s.err));
    other.lane_id = 2;
    OK(job_add_once(s.db, &other, s.now, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 4);
}
END_TEST

START_TEST(a_lane_is_walked_by_kind)
{
    struct job a = add(1, 0, s.now), b = add(1, 50, s.now), c = add(1, 50, s.now), out;
    struct job mirror = { .kind = JOB_MIRROR, .lane_id = 1, .due_at = s.now };
    bool found;

    OK(job_add(s.db, &mirror, s.now, &s.err));
    add(2, 0, s.now);
    OK(job_next_of_kind(s.db, 1, JOB_SEND, 0, &s.arena, &out, &found, &s.err));
    ck_assert(found && out.id == a.id);
    OK(job_next_of_kind(s.db, 1, JOB_SEND, out.id, &s.arena, &out, &found, &s.err));
    ck_assert(found && out.id == b.id);
    OK(job_next_of_kind(s.db, 1, JOB_SEND, out.id, &s.arena, &out, &found, &s.err));
    ck_assert(found && out.id == c.id);
    OK(job_next_of_kind(s.db, 1, JOB_SEND, out.id, &s.arena, &out, &found, &s.err));
    ck_assert(!found);
    OK(job_next_of_kind(s.db, 1, JOB_MIRROR, 0, &s.arena, &out, &found, &s.err));
    ck_assert(found && out.id == mirror.id);
}
END_TEST

START_TEST(lanes_with_work_are_found)
{
    int64_t *lanes;
    size_t n;

    add(3, 0, s.now + 5000);
    add(1, 0, s.now - 1000);
    add(1, 0, s.now - 1000);
    OK(job_lanes(s.db, &s.arena, &lanes, &n, &s.err));
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(lanes[0] + lanes[1], 4);
    OK(job_lanes_due(s.db, s.now - 1000, &s.arena, &lanes, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(lanes[0], 1);
    OK(job_lanes_due(s.db, s.now - 1001, &s.arena, &lanes, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(jobs_in_flight_are_found_by_lane)
{
    struct job a = add(1, 0, s.now), b = add(1, 0, s.now), *jobs;
    bool taken;
    size_t n;

    OK(job_mark_in_flight(s.db, b.id, &taken, &s.err));
    OK(job_in_flight(s.db, 1, &s.arena, &jobs, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(jobs[0].id, b.id);
    ck_assert_int_ne(jobs[0].id, a.id);
    OK(job_in_flight(s.db, 2, &s.arena, &jobs, &n, &s.err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(once_for_each_payload)
{
    struct job one = { .kind = JOB_HINT, .lane_id = 1, .record_id = 1, .due_at = s.now, .payload = STR("m1") };
    struct job same = one, other = one;

    other.payload = STR("m2");
    OK(job_add_named(s.db, &one, s.now, &s.err));
    OK(job_add_named(s.db, &same, s.now, &s.err));
    OK(job_add_named(s.db, &other, s.now, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 2);
}
END_TEST

START_TEST(scheduling_moves_what_waits_and_adds_what_does_not)
{
    struct job job = { .kind = JOB_REFRESH, .lane_id = 1, .record_id = 1, .due_at = s.now + 500 };
    struct job sooner = job;

    sooner.due_at = s.now + 10;
    OK(job_schedule(s.db, &job, s.now, &s.err));
    ts_commit(&s);
    OK(job_schedule(s.db, &sooner, s.now, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT due_at FROM job"), s.now + 10);
    ck_assert_int_eq(ts_signals(&s, TOPIC_LANE, 1), 1);
}
END_TEST

START_TEST(the_head_of_a_queue_is_the_oldest)
{
    struct job job;
    bool found;

    OK(job_head_of_queue(s.db, 9, &s.arena, &job, &found, &s.err));
    ck_assert(!found);
    add(1, 9, s.now);
    add(1, 9, s.now);
    OK(job_head_of_queue(s.db, 9, &s.arena, &job, &found, &s.err));
    ck_assert(found);
    ck_assert_int_eq(job.id, ts_int(&s, "SELECT MIN(id) FROM job"));
    OK(job_head_of_queue(s.db, 0, &s.arena, &job, &found, &s.err));
    ck_assert(!found);
}
END_TEST

START_TEST(the_numbers_for_metrics)
{
    int64_t counts[JOB_KINDS], oldest;
    struct job mirror = { .kind = JOB_MIRROR, .lane_id = 1, .due_at = s.now - 700 };

    OK(job_stats(s.db, counts, &oldest, &s.err));
    ck_assert_int_eq(counts[JOB_SEND], 0);
    ck_assert_int_eq(oldest, 0);
    add(1, 0, s.now);
    add(2, 0, s.now);
    OK(job_add(s.db, &mirror, s.now, &s.err));
    OK(job_stats(s.db, counts, &oldest, &s.err));
    ck_assert_int_eq(counts[JOB_SEND], 2);
    ck_assert_int_eq(counts[JOB_MIRROR], 1);
    ck_assert_int_eq(oldest, s.now - 700);
}
END_TEST

START_TEST(every_kind_has_a_name_of_its_own)
{
    for (int i = 0; i < JOB_KINDS; i++) {
        ck_assert_ptr_nonnull(job_kind_names[i]);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(job_kind_names[i], job_kind_names[j]);
    }
}
END_TEST

STORE_TESTS("job", everything_of_a_job_comes_back, only_the_first_of_a_queue_is_ready, a_queued_job_wakes_nobody,
            finishing_moves_the_queue_up_one_by_one, a_later_due_time_survives_moving_up,
            a_retried_head_keeps_its_place, one_that_leaves_its_queue_lets_the_next_up, a_second_taker_gets_nothing,
            due_jobs_come_oldest_first_and_no_more_than_asked, what_is_not_due_yet_says_when,
            hurrying_a_lane_brings_the_far_ones_to_now, a_clock_set_back_takes_what_waits_with_it,
            dropping_a_lane_leaves_the_others,
            once_means_once_for_each_record_and_kind, a_lane_is_walked_by_kind, lanes_with_work_are_found,
            jobs_in_flight_are_found_by_lane, once_for_each_payload,
            scheduling_moves_what_waits_and_adds_what_does_not, the_head_of_a_queue_is_the_oldest,
            the_numbers_for_metrics, every_kind_has_a_name_of_its_own)
