/* The hub with a real database and a real loop, and listeners that are buffers instead of sockets. */
#include "api/hub_internal.h"

#include "base/id.h"
#include "base/random.h"
#include "base/testing_str.h"
#include "store/tail.h"
#include "store/testing.h"

#define FAKES 12

struct fake {
    struct listener l;
    struct buf      out;
    size_t          unsent, unsent_most;
    bool            is_slow;   /* what is written stays unsent until drain() */
    bool            is_broken; /* writes fail */
    bool            has_joined, has_ended;
};

static struct testing_store s;
static uv_loop_t            loop;
static struct mailbox       box;
static struct hub          *hub;
static struct fake          fakes[FAKES];

/* ---- listeners ---- */

static struct fake *
fake_of(const struct listener *l)
{
    return container_of(l, struct fake, l);
}

static bool takes_long; /* so that beats may come in, which are not counted then */

static bool
fake_write(struct listener *l, struct str bytes)
{
    struct fake *f = fake_of(l);

    ck_assert(f->has_joined && !f->has_ended);
    if (f->is_broken)
        return false;
    if (takes_long && bytes.len > 0 && bytes.ptr[0] == ':')
        return true;
    buf_append(&f->out, bytes);
    if (f->is_slow)
        f->unsent += bytes.len;
    if (f->unsent > f->unsent_most)
        f->unsent_most = f->unsent;
    return true;
}

static size_t
fake_unsent(const struct listener *l)
{
    return fake_of(l)->unsent;
}

static void
fake_end(struct listener *l)
{
    fake_of(l)->has_ended = true;
}

static const struct listener_ops ops = { .write = fake_write, .unsent = fake_unsent, .end = fake_end };

/* Everything that can be done without waiting for anything but the database. */
static void
settle(void)
{
    for (int quiet = 0; quiet < 3;) {
        bool is_reading = hub->is_reading;

        quiet = uv_run(&loop, is_reading ? UV_RUN_ONCE : UV_RUN_NOWAIT) && (is_reading || box.first) ? 0 : quiet + 1;
    }
}

static struct fake *
join(size_t i, int64_t at, struct event_filter filter)
{
    struct fake *f = &fakes[i];

    f->l = (struct listener){ .ops = &ops, .workspace_id = s.scope.workspace_id, .at = at, .filter = filter };
    f->has_joined = true;
    hub_join(hub, &box, &f->l, STR(""));
    return f;
}

static void
leave(struct fake *f)
{
    if (f->has_joined && !f->has_ended)
        hub_leave(&f->l);
    f->has_joined = false;
}

static void
drain(struct fake *f)
{
    f->unsent = 0;
    hub_drained(&f->l);
    settle();
}

/* ---- events ---- */

static const char insert_sql[] =
    "INSERT INTO event (id, workspace_id, group_id, profile_id, chat_id, type, created_at, data)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/* In the open transaction. */
static int64_t
add_large(enum event_type type, int64_t chat_id, int64_t group_id, size_t size)
{
    int64_t id = id_generate(s.now);
    char   *data = malloc(size + 8);

    OK(db_numbers(s.db, &event_series, &id, 1, &s.err));
    memset(data, 'x', size + 8);
    memcpy(data, "{\"a\":\"", 6);
    memcpy(data + size + 6, "\"}", 2);
    OK(db_exec(s.db, insert_sql,
               DB_ARGS(db_int(id), db_int(s.scope.workspace_id), db_int(group_id), db_int(9), db_int(chat_id),
                       db_int(type), db_int(s.now), db_text((struct str){ data, size + 8 })),
               NULL, &s.err));
    free(data);
    return id;
}

static int64_t
add(enum event_type type, int64_t chat_id)
{
    return add_large(type, chat_id, 1, 10);
}

static void
commit_and_wake(void)
{
    ts_commit(&s);
    hub_wake(hub, s.scope.workspace_id);
    settle();
}

static int64_t
newest(void)
{
    int64_t id;

    OK(event_newest(s.db, s.scope.workspace_id, INT64_MAX, &id, &s.err));
    return id;
}

/* What a listener must have been written: every event after `after` that fits, in one text. */
static struct str
expected(int64_t after, const struct event_filter *filter)
{
    struct event_page page = { .last = after, .more = true };
    struct buf        text;

    buf_init(&text, 256 * MIB);
    while (page.more) {
        OK(event_list(s.db, s.scope.workspace_id, filter, page.last, INT64_MAX, 1000, 1000, MIB, &s.arena, &page,
                      &s.err));
        for (size_t i = 0; i < page.count; i++)
            hub_format(&text, &page.events[i]);
    }
    return arena_take(&s.arena, &text);
}

static const struct event_filter any;

#define ck_assert_told(f, after)                                                                            \
    do {                                                                                                    \
        struct str told_e = expected((after), &(f)->l.filter), told_a = buf_str(&(f)->out);                 \
                                                                                                            \
        ck_assert_msg(str_eq(told_a, told_e), "%zu bytes instead of %zu", told_a.len, told_e.len);          \
    } while (0)

static struct hub_stats
stats(void)
{
    struct hub_stats sum = { 0 };

    hub_add_stats(hub, &sum);
    return sum;
}

/* ---- fixture ---- */

static void
set_up(void)
{
    ts_open(&s);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    mailbox_init(&box, &loop);
    hub = hub_new(s.engine);
    for (size_t i = 0; i < FAKES; i++) {
        fakes[i] = (struct fake){ .unsent = 0 };
        buf_init(&fakes[i].out, 256 * MIB);
    }
    add(EVENT_MESSAGE_SENT, 1);
    ts_commit(&s);
}

/* When all have left, nothing of the hub keeps the loop going. */
static void
tear_down(void)
{
    for (size_t i = 0; i < FAKES; i++) {
        leave(&fakes[i]);
        buf_deinit(&fakes[i].out);
    }
    mailbox_close(&box);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(stats().open, 0);
    hub_free(hub);
    ts_close(&s);
}

/* ---- tests ---- */

START_TEST(an_event_looks_like_this)
{
    struct event e = { .id = 1, .type = EVENT_PROFILE_CONNECTED, .data = STR("{\"a\":\r\n1}") };
    char         id[ID_TEXT_MAX], line[400];
    struct buf   out;

    id_format(ID_EVENT, 1, id);
    snprintf(line, sizeof(line),
             "id: %s\nevent: profile.connected\n"
             "data: {\"id\":\"%s\",\"object\":\"event\",\"type\":\"profile.connected\",\"created_at\":null,"
             "\"data\":{\"a\":  1,\"object\":{\"a\":  1}}}\n\n", id, id);
    buf_init(&out, KIB);
    hub_format(&out, &e);
    ck_assert_msg(str_eq(buf_str(&out), str_of(line)), "%.*s", STR_ARG(buf_str(&out)));
    buf_deinit(&out);
}
END_TEST

START_TEST(live_listeners_hear_what_is_committed)
{
    int64_t      from = newest();
    struct fake *one = join(0, from, any), *two = join(1, from, any);

    settle();
    ck_assert_uint_eq(one->out.len, 0);
    for (int i = 0; i < 3; i++) {
        add(EVENT_MESSAGE_RECEIVED, 1);
        commit_and_wake();
        ck_assert_told(one, from);
        ck_assert_told(two, from);
    }
    ck_assert_int_eq(one->l.state, LISTENER_LIVE);
    ck_assert_int_eq(stats().events, 6);
    leave(two);
    add(EVENT_MESSAGE_RECEIVED, 1);
    commit_and_wake();
    ck_assert_told(one, from);
    ck_assert_int_eq(stats().open, 1);
}
END_TEST

START_TEST(nobody_hears_what_is_not_committed)
{
    int64_t      from = newest();
    struct fake *f = join(0, from, any);

    settle();
    add(EVENT_MESSAGE_RECEIVED, 1);
    hub_wake(hub, s.scope.workspace_id);
    settle();
    ck_assert_uint_eq(f->out.len, 0);
    ts_rollback(&s);
    hub_wake(hub, s.scope.workspace_id);
    settle();
    ck_assert_uint_eq(f->out.len, 0);
}
END_TEST

START_TEST(who_is_far_behind_reads_everything_once)
{
    int64_t      from = newest();
    struct fake *late, *live = join(0, from, any);

    settle();
    for (int i = 0; i < 1500; i++)
        add(EVENT_MESSAGE_RECEIVED, i % 7);
    ts_commit(&s);
    late = join(1, from, any);
    for (int i = 0; i < 20; i++) { /* more comes while it reads */
        add(EVENT_MESSAGE_SENT, 1);
        ts_commit(&s);
        hub_wake(hub, s.scope.workspace_id);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    settle();
    ck_assert_told(live, from);
    ck_assert_told(late, from);
    ck_assert_int_eq(late->l.state, LISTENER_LIVE);
}
END_TEST

START_TEST(each_hears_what_it_asked_for)
{
    const struct event_filter filters[] = {
        { .types = INT64_C(1) << EVENT_MESSAGE_SENT },
        { .chat_id = 3 },
        { .group_id = 2 },
        { .types = INT64_C(1) << EVENT_MESSAGE_READ, .chat_id = 2 },
        { .profile_id = 8 },
        { .types = 0 },
    };
    const size_t n = COUNT(filters);
    int64_t      from = newest();

    for (size_t i = 0; i < n; i++)
        join(i, from, filters[i]); /* live from the start */
    settle();
    for (int i = 0; i < 300; i++)
        add_large(i % 3 ? EVENT_MESSAGE_SENT : EVENT_MESSAGE_READ, i % 5, i % 4, (size_t)(i % 50));
    commit_and_wake();
    for (size_t i = 0; i < n; i++)
        join(n + i, from, filters[i]); /* behind */
    settle();
    for (size_t i = 0; i < 2 * n; i++) {
        ck_assert_told(&fakes[i], from);
        ck_assert(i % n == 4 || fakes[i].out.len > 0);
    }
    ck_assert_uint_eq(fakes[4].out.len, 0);
}
END_TEST

START_TEST(a_slow_reader_falls_behind_and_misses_nothing)
{
    int64_t      from = newest();
    struct fake *slow = join(0, from, any), *quick = join(1, from, any);

    settle();
    slow->is_slow = true;
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < 10; j++)
            add_large(EVENT_MESSAGE_RECEIVED, 1, 1, 2000);
        commit_and_wake();
    }
    ck_assert_told(quick, from);
    ck_assert_int_eq(slow->l.state, LISTENER_WAITING);
    ck_assert_int_eq(stats().fell_behind, 1);
    ck_assert_uint_le(slow->unsent_most, 256 * KIB);
    while (slow->l.state != LISTENER_LIVE || slow->unsent > 0)
        drain(slow);
    ck_assert_uint_le(slow->unsent_most, 512 * KIB);
    ck_assert_told(slow, from);
    slow->is_slow = false;
    add(EVENT_MESSAGE_SENT, 1);
    commit_and_wake();
    ck_assert_told(slow, from);
    ck_assert_told(quick, from);
}
END_TEST

START_TEST(an_event_larger_than_a_slice_comes_in_pieces)
{
    int64_t      from = newest();
    struct fake *live = join(0, from, any), *slow, *late;

    settle();
    add(EVENT_MESSAGE_RECEIVED, 1);
    add_large(EVENT_MESSAGE_RECEIVED, 1, 1, MIB);
    add_large(EVENT_MESSAGE_RECEIVED, 1, 1, 700 * KIB);
    add(EVENT_MESSAGE_SENT, 1);
    commit_and_wake();
    late = join(1, from, any);
    slow = join(2, from, any);
    slow->is_slow = true;
    settle();
    for (int i = 0; i < 100 && slow->unsent > 0; i++)
        drain(slow);
    ck_assert_told(live, from);
    ck_assert_told(late, from);
    ck_assert_told(slow, from);
    ck_assert_uint_le(slow->unsent_most, 256 * KIB);
}
END_TEST

START_TEST(an_event_forgotten_halfway_ends_the_stream)
{
    int64_t      from = newest(), id;
    struct fake *f = join(0, from, any);

    settle();
    f->is_slow = true;
    id = add_large(EVENT_MESSAGE_RECEIVED, 1, 1, MIB);
    commit_and_wake();
    drain(f);
    ck_assert_uint_gt(f->l.offset, 0);
    ck_assert_int_eq(f->l.cut_id, id);
    ck_assert_int_eq(f->l.at, from);
    ts_exec(&s, "DELETE FROM event WHERE length(data) > 1000");
    ts_commit(&s);
    while (!f->has_ended)
        drain(f);
    ck_assert_int_eq(stats().open, 0);
}
END_TEST

START_TEST(who_is_lost_holds_up_nobody)
{
    int64_t      from = newest();
    struct fake *lost = join(0, from, any), *other = join(1, from, any);

    settle();
    lost->is_broken = true;
    add(EVENT_MESSAGE_RECEIVED, 1);
    commit_and_wake();
    ck_assert_int_eq(lost->l.state, LISTENER_LOST);
    add(EVENT_MESSAGE_RECEIVED, 1);
    commit_and_wake();
    ck_assert_told(other, from);
    ck_assert_int_eq(stats().lost, 1);
    ck_assert_int_eq(stats().open, 2);
    leave(lost);
    ck_assert_int_eq(stats().open, 1);
}
END_TEST

START_TEST(who_is_lost_at_once_may_join_and_leave)
{
    struct fake *f = &fakes[0];

    f->is_broken = true;
    f->l = (struct listener){ .ops = &ops, .workspace_id = s.scope.workspace_id };
    f->has_joined = true;
    hub_join(hub, &box, &f->l, STR("hello"));
    settle();
    leave(f);
    ck_assert_int_eq(stats().open, 0);
}
END_TEST

/* As if another process had committed it. */
START_TEST(what_nobody_woke_for_is_found_soon)
{
    int64_t      from = newest();
    struct fake *f = join(0, from, any);

    settle();
    add(EVENT_MESSAGE_RECEIVED, 1);
    ts_commit(&s);
    while (f->out.len == 0)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_told(f, from);
}
END_TEST

START_TEST(workspaces_do_not_mix)
{
    int64_t      from = newest();
    struct fake *f = &fakes[1], *own = join(0, from, any);

    f->l = (struct listener){ .ops = &ops, .workspace_id = s.scope.workspace_id + 1 };
    f->has_joined = true;
    hub_join(hub, &box, &f->l, STR(""));
    settle();
    add(EVENT_MESSAGE_RECEIVED, 1);
    ts_commit(&s);
    hub_wake(hub, s.scope.workspace_id);
    hub_wake(hub, s.scope.workspace_id + 1);
    settle();
    ck_assert_told(own, from);
    ck_assert_uint_eq(f->out.len, 0);
}
END_TEST

START_TEST(a_revoked_key_ends_its_streams)
{
    int64_t       from = newest(), good, bad;
    struct secret key = { 0 };
    struct fake  *f;

    OK(key_create(s.db, s.scope.workspace_id, 0, STR("good"), s.now, &key, &good, &s.err));
    OK(key_create(s.db, s.scope.workspace_id, 0, STR("bad"), s.now, &key, &bad, &s.err));
    secret_wipe(&key);
    ts_commit(&s);
    for (size_t i = 0; i < 4; i++) {
        f = join(i, from, any);
        f->l.key_id = i % 2 ? bad : good;
    }
    hub_wake_keys(hub);
    settle();
    ck_assert_int_eq(stats().open, 4);
    OK(key_revoke(s.db, STR("bad"), s.now, &s.err));
    ts_commit(&s);
    hub_wake_keys(hub);
    settle();
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(fakes[i].has_ended, i % 2 == 1);
    ck_assert_int_eq(stats().open, 2);
    add(EVENT_MESSAGE_RECEIVED, 1);
    commit_and_wake();
    ck_assert_told(&fakes[0], from);
}
END_TEST

/* Listeners of every kind come, go, dawdle and wake up while events are committed in bursts;
 * whoever stays to the end has everything once. */
START_TEST(whatever_happens_nothing_is_missed_or_told_twice)
{
    int64_t      begun[FAKES] = { 0 }, id;
    struct fake *f;

    takes_long = true;
    random_seed((uint64_t)_i + 1);
    for (int step = 0; step < 200; step++) {
        f = &fakes[random_below(FAKES)];
        switch (random_below(8)) {
        case 0:
            if (f->has_joined)
                break;
            id = newest();
            begun[f - fakes] = random_below(2) ? id : ts_int(&s, "SELECT id FROM event ORDER BY id LIMIT 1");
            buf_clear(&f->out);
            f->unsent = 0;
            join((size_t)(f - fakes), begun[f - fakes],
                 (struct event_filter){ .chat_id = random_below(3), .types = random_below(2) * 6 });
            break;
        case 1:
            if (random_below(4) == 0)
                leave(f);
            break;
        case 2:
            f->is_slow = random_below(2);
            break;
        case 3:
            if (f->has_joined && f->unsent > 0)
                drain(f);
            break;
        case 4:
            uv_run(&loop, UV_RUN_NOWAIT);
            break;
        default:
            for (int64_t n = random_below(40); n >= 0; n--)
                add_large(random_below(2) ? EVENT_MESSAGE_RECEIVED : EVENT_MESSAGE_READ, random_below(3), 1,
                          random_below(250) ? (size_t)random_below(3000) : 400 * KIB);
            ts_commit(&s);
            hub_wake(hub, s.scope.workspace_id);
            break;
        }
    }
    settle();
    for (size_t i = 0; i < FAKES; i++) {
        f = &fakes[i];
        f->is_slow = false;
        while (f->has_joined && f->unsent > 0)
            drain(f);
        if (f->has_joined)
            ck_assert_told(f, begun[i]);
    }
    random_seed(0);
}
END_TEST

static TCase *
hub_tests(void)
{
    TCase *c = tcase_create("hub");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, an_event_looks_like_this);
    tcase_add_test(c, live_listeners_hear_what_is_committed);
    tcase_add_test(c, nobody_hears_what_is_not_committed);
    tcase_add_test(c, who_is_far_behind_reads_everything_once);
    tcase_add_test(c, each_hears_what_it_asked_for);
    tcase_add_test(c, a_slow_reader_falls_behind_and_misses_nothing);
    tcase_add_test(c, an_event_larger_than_a_slice_comes_in_pieces);
    tcase_add_test(c, an_event_forgotten_halfway_ends_the_stream);
    tcase_add_test(c, who_is_lost_holds_up_nobody);
    tcase_add_test(c, who_is_lost_at_once_may_join_and_leave);
    tcase_add_test(c, what_nobody_woke_for_is_found_soon);
    tcase_add_test(c, workspaces_do_not_mix);
    tcase_add_test(c, a_revoked_key_ends_its_streams);
    tcase_add_loop_test(c, whatever_happens_nothing_is_missed_or_told_twice, 0, 4);
    return c;
}

TEST_CASES("hub", hub_tests)
