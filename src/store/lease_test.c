#include "store/lease.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/id.h"
#include "base/process.h"
#include "db/driver.h"
#include "store/testing.h"

static struct testing_store s;

enum { LANE = 77, LEASE_MS = 15000 };

static int64_t
begun(void)
{
    int64_t id;
    int node;

    OK(lease_begin(s.db, false, s.now + LEASE_MS, &id, &node, &s.err));
    ck_assert_int_gt(id, 0);
    return id;
}

static bool
takes(int64_t process_id)
{
    bool ours;

    OK(lane_take(s.db, LANE, process_id, s.now, &ours, &s.err));
    return ours;
}

static bool
has(int64_t process_id)
{
    bool ours;

    OK(lane_is_ours(s.db, LANE, process_id, &ours, &s.err));
    return ours;
}

static enum lease_state
renewed(int64_t process_id)
{
    enum lease_state state;

    OK(lease_renew(s.db, process_id, s.now, s.now + LEASE_MS, &state, &s.err));
    return state;
}

static struct lane_list
free_lanes(void)
{
    struct lane_list list;

    OK(lane_list_free(s.db, s.now, s.now, &s.arena, &list, &s.err));
    return list;
}

START_TEST(one_of_two_has_a_lane)
{
    int64_t a = begun(), b = begun();

    ck_assert(a != b);
    ck_assert(!has(a));
    ck_assert(takes(a));
    ck_assert(takes(a));
    ck_assert(!takes(b));
    ck_assert(has(a));
    ck_assert(!has(b));
}
END_TEST

START_TEST(it_is_kept_by_renewing_and_lost_to_who_takes_it_afterwards)
{
    int64_t a = begun(), b;

    ck_assert(takes(a));
    ts_tick(&s, LEASE_MS - 1);
    ck_assert_int_eq(renewed(a), LEASE_HELD);
    ts_tick(&s, LEASE_MS - 1);
    b = begun();
    ck_assert(!takes(b));
    ts_tick(&s, 2);
    ck_assert(has(a)); /* nobody has taken it yet */
    ck_assert(takes(b));
    ck_assert(!has(a));
    ck_assert_int_eq(renewed(a), LEASE_LAPSED);
    ck_assert(!takes(a));
    ck_assert(has(b));
}
END_TEST

START_TEST(who_was_forgotten_begins_anew)
{
    int64_t a = begun(), b;

    ck_assert(takes(a));
    ts_tick(&s, LEASE_MS + 1);
    OK(lease_sweep(s.db, s.now - 1, &s.err));
    ck_assert_int_eq(renewed(a), LEASE_LAPSED);
    ts_tick(&s, LEASE_MS + 1);
    OK(lease_sweep(s.db, s.now, &s.err));
    ck_assert_int_eq(renewed(a), LEASE_GONE);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM process"), 0);
    b = begun();
    ck_assert(takes(b));
    ck_assert(!takes(a + 1));
}
END_TEST

START_TEST(what_is_given_up_is_free_at_once)
{
    int64_t a = begun(), b = begun();

    ck_assert(takes(a));
    OK(lane_let_go(s.db, LANE, b, &s.err)); /* not b's to give */
    ck_assert(has(a));
    OK(lane_let_go(s.db, LANE, a, &s.err));
    ck_assert_int_ge(ts_signals(&s, TOPIC_FREE, LANE), 1);
    ck_assert(!has(a));
    ck_assert(takes(b));
    OK(lease_end(s.db, b, &s.err));
    ck_assert_int_eq(ts_signals(&s, TOPIC_LEASES, 0), 1);
    ck_assert(takes(a));
}
END_TEST

START_TEST(a_process_that_is_alone_clears_what_others_left)
{
    int64_t a = begun(), id;
    int node;

    ck_assert(takes(a));
    OK(lease_begin(s.db, true, s.now + LEASE_MS, &id, &node, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM process"), 1);
    ck_assert(takes(id));
}
END_TEST

START_TEST(numbers_are_given_out_in_a_circle)
{
    int64_t id, first = begun();
    int node, last = 1;

    for (int i = 0; i < ID_NODES; i++) {
        OK(lease_begin(s.db, false, s.now + LEASE_MS, &id, &node, &s.err));
        ck_assert_int_eq(node, i < ID_NODES - 1 ? last + 1 : 2); /* the first is still in use */
        last = node;
        OK(lease_end(s.db, id, &s.err));
    }
    OK(lease_end(s.db, first, &s.err));
    for (int i = 0; i < ID_NODES; i++)
        begun();
    REFUSED(lease_begin(s.db, false, s.now, &id, &node, &s.err), 503, "255 processes");
}
END_TEST

START_TEST(free_are_those_of_the_dead_and_those_with_something_to_do)
{
    struct job job = { .kind = JOB_POLL, .lane_id = LANE, .due_at = s.now + 5 };
    struct lease_census census, later;
    int64_t a = begun(), b = begun();
    struct lane_list list;

    OK(job_add(s.db, &job, s.now, &s.err));
    ck_assert_uint_eq(free_lanes().count, 0);
    ts_tick(&s, 5);
    list = free_lanes();
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.orphans, 0);
    ck_assert_int_eq(list.ids[0], LANE);
    ck_assert(takes(a));
    ck_assert_uint_eq(free_lanes().count, 0);
    OK(lease_count(s.db, s.now, &s.arena, &census, &s.err));
    ck_assert_int_eq(census.processes, 2);
    ck_assert_int_eq(census.lanes, 1);
    ts_tick(&s, LEASE_MS - 1);
    ck_assert_int_eq(renewed(b), LEASE_LAPSED);
    OK(lease_count(s.db, s.now, &s.arena, &later, &s.err));
    ck_assert_int_eq(later.processes, 1);
    ck_assert(later.fingerprint != census.fingerprint);
    list = free_lanes();
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.orphans, 1);
}
END_TEST

/* ---- the dead of this machine ---- */

/* As if a process had begun that lease which is not any more. */
static void
let_die(int64_t process_id)
{
    char mark[PROCESS_MARK_MAX];
    int ends[2], status;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        process_mark(mark);
        _exit(write(ends[1], mark, sizeof(mark)) != sizeof(mark));
    }
    ck_assert_int_eq(read(ends[0], mark, sizeof(mark)), sizeof(mark));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    OK(db_exec(s.db, "UPDATE process SET mark = $2 WHERE id = $1", DB_ARGS(db_int(process_id), db_text(str_of(mark))),
               NULL, &s.err));
}

START_TEST(who_is_known_to_be_dead_is_not_waited_for)
{
    int64_t a = begun(), b = begun();
    struct lease_census census;

    ck_assert(takes(a));
    OK(lease_bury(s.db, &s.err));
    ck_assert(!takes(b));
    ck_assert_int_eq(ts_signals(&s, TOPIC_LEASES, 0), 0);
    let_die(a);
    ck_assert(!takes(b));
    OK(lease_bury(s.db, &s.err));
    ck_assert_int_eq(ts_signals(&s, TOPIC_LEASES, 0), 1);
    ck_assert(takes(b));
    ck_assert(!has(a));
    OK(lease_count(s.db, s.now, &s.arena, &census, &s.err));
    ck_assert_int_eq(census.processes, 1);
    ck_assert_uint_eq(census.near_count, 1);
    ck_assert_int_eq(renewed(b), LEASE_HELD);
}
END_TEST

START_TEST(of_others_only_their_lease_tells)
{
    static const char *const marks[] = { NULL, "", "elsewhere pid:[1] time:[1] 1 1" };
    int64_t a = begun(), b = begun();
    struct lease_census census;

    ck_assert(takes(a));
    for (size_t i = 0; i < COUNT(marks); i++) {
        OK(db_exec(s.db, "UPDATE process SET mark = $2 WHERE id = $1",
                   DB_ARGS(db_int(a), db_text(marks[i] ? str_of(marks[i]) : STR_NONE)), NULL, &s.err));
        OK(lease_bury(s.db, &s.err));
        ck_assert(!takes(b));
        OK(lease_count(s.db, s.now, &s.arena, &census, &s.err));
        ck_assert_int_eq(census.processes, 2);
        ck_assert_uint_eq(census.near_count, 1);
    }
    ts_tick(&s, LEASE_MS + 1);
    ck_assert(takes(b));
}
END_TEST

/* ---- on two connections, which PostgreSQL lets write at once ---- */

static struct db *
connected(void)
{
    struct db_options options = { .busy_timeout_ms = 5000 };
    struct db *db;

    place_database(&s.place, &options);
    OK(s.db->driver->connect(&options, DB_WRITE, &db, &s.err));
    OK(db->driver->control(db, DB_BEGIN, &s.err));
    db_start(db);
    return db;
}

START_TEST(nobody_takes_a_lane_from_a_transaction_that_is_at_work_on_it)
{
    int64_t a = begun(), b;
    struct db *other;
    bool ours;

    if (!s.db->driver->is_remote)
        return; /* SQLite: the second could not even begin */
    ck_assert(takes(a));
    ts_tick(&s, LEASE_MS + 1);
    b = begun();
    ts_commit(&s);
    ck_assert(has(a));
    other = connected();
    OK(lane_take(other, LANE, b, s.now, &ours, &s.err));
    ck_assert(!ours);
    ts_commit(&s);
    OK(lane_take(other, LANE, b, s.now, &ours, &s.err));
    ck_assert(ours);
    OK(other->driver->control(other, DB_COMMIT, &s.err));
    other->driver->disconnect(other);
    ck_assert(!has(a));
}
END_TEST

STORE_TESTS("lease", one_of_two_has_a_lane, it_is_kept_by_renewing_and_lost_to_who_takes_it_afterwards,
            who_was_forgotten_begins_anew, what_is_given_up_is_free_at_once,
            a_process_that_is_alone_clears_what_others_left, numbers_are_given_out_in_a_circle,
            free_are_those_of_the_dead_and_those_with_something_to_do,
            who_is_known_to_be_dead_is_not_waited_for, of_others_only_their_lease_tells,
            nobody_takes_a_lane_from_a_transaction_that_is_at_work_on_it)
