#include "inbound/inbound.h"

#include <time.h>

#include "store/raw_payload.h"
#include "store/testing.h"

static struct testing_store s;

static struct ingest_counts
take_batch(const struct inbound_batch *batch)
{
    struct ingest_counts counts;

    OK(ingest_app(s.db, batch, STR("{\"odd\":1}"), s.now, &s.arena, &counts, &s.err));
    return counts;
}

static struct ingest_counts
take(struct inbound_event *events, size_t n)
{
    return take_batch(&(struct inbound_batch){ .events = events, .count = n, .platform = &facebook });
}

static struct inbound_event
to(const char *account_id, const char *external_id)
{
    struct inbound_event e = ts_inbound("7001", external_id, "Hi", TESTING_NOW);

    e.account_id = str_of(account_id);
    return e;
}

/* The same Page connected in another workspace. */
static struct profile
elsewhere(const char *external_id)
{
    const struct account account = { .external_id = str_of(external_id), .token = STR("t") };
    struct profile p;

    ts_exec(&s, "INSERT INTO workspace (id, name, created_at) VALUES (7, 'Other', 1)");
    OK(profile_connect(s.db, 7, s.group.id, 70, &facebook, &account, s.now, &s.arena, &p, &s.err));
    return p;
}

START_TEST(each_event_goes_to_its_account)
{
    struct inbound_event e[] = { to("A", "m1"), to("B", "m2"), to("nobody", "m3"), to("A", "m4") };
    struct ingest_counts counts;

    ts_account(&s, &facebook, "A");
    ts_account(&s, &facebook, "B");
    counts = take(e, 4);
    ck_assert_int_eq(counts.events, 4);
    ck_assert_int_eq(counts.stored, 3);
    ck_assert_int_eq(counts.unrouted, 1);
    ck_assert_int_eq(counts.kinds[INBOUND_MESSAGE], 4);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT n_received FROM chat c JOIN profile p ON p.id = c.profile_id"
                                " WHERE p.external_id = 'A'"), 2);
}
END_TEST

START_TEST(all_workspaces_that_connected_it_get_it)
{
    struct profile here = ts_account(&s, &facebook, "A"), there = elsewhere("A");
    struct inbound_event e = to("A", "m1");

    OK(profile_expire(s.db, here.id, STR("revoked"), s.now, &s.err)); /* Meta still tells us, so it is still kept */
    ck_assert_int_eq(take(&e, 1).stored, 2);
    ck_assert_int_eq(take(&e, 1).stored, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(DISTINCT workspace_id) FROM message"), 2);
    OK(profile_delete(s.db, &there, s.now, &s.err));
    e.external_id = STR("m2");
    ck_assert_int_eq(take(&e, 1).stored, 1);
}
END_TEST

START_TEST(the_platform_must_be_the_accounts)
{
    struct inbound_event e = to("A", "m1");

    ts_account(&s, &instagram, "A");
    ck_assert_int_eq(take(&e, 1).unrouted, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 0);
}
END_TEST

START_TEST(a_payload_nobody_reads_is_kept_once)
{
    struct profile a = ts_account(&s, &facebook, "A");
    struct inbound_event e[] = { to("nobody", "m0"), to("A", "m1") };
    struct inbound_batch batch = { .events = e, .count = 2, .platform = &facebook, .not_understood = true };

    elsewhere("A");
    ck_assert_int_eq(take_batch(&batch).not_understood, 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM raw_payload"), 1);
    ck_assert(ts_int(&s, "SELECT profile_id FROM raw_payload") == a.id
              || ts_int(&s, "SELECT profile_id FROM raw_payload") == 70);
    ts_exec(&s, "DELETE FROM raw_payload");
    batch.count = 0;
    batch.platform = NULL;
    take_batch(&batch);
    ck_assert_int_eq(ts_int(&s, "SELECT profile_id FROM raw_payload"), 0);
}
END_TEST

START_TEST(of_what_nobody_reads_only_so_much_is_kept)
{
    const struct inbound_batch batch = { .not_understood = true };
    struct str rubbish = { arena_bytes(&s.arena, 30 * MIB), 30 * MIB };
    struct ingest_counts counts;

    memset((char *)(uintptr_t)rubbish.ptr, 'x', rubbish.len);
    for (int i = 0; i < 4; i++)
        OK(ingest_app(s.db, &batch, rubbish, s.now, &s.arena, &counts, &s.err));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM raw_payload"), 2);
    ck_assert_int_eq(counts.not_understood, 1);
}
END_TEST

/* Accounts are found by what they are called, however many there are and in whatever order they come. */
START_TEST(many_accounts_come_in_any_order)
{
    enum { ACCOUNTS = 100, EVENTS = 200 };
    static struct inbound_event e[EVENTS];

    for (int i = 0; i < ACCOUNTS; i += 2)
        ts_account(&s, &facebook, arena_printf(&s.arena, "page-%d", i).ptr);
    for (int i = 0; i < EVENTS; i++)
        e[i] = to(arena_printf(&s.arena, "page-%d", i * 7 % ACCOUNTS).ptr, arena_printf(&s.arena, "m%d", i).ptr);
    ck_assert_int_eq(take(e, EVENTS).unrouted, EVENTS / 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), EVENTS / 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat WHERE n_received <> 2"), 0);
}
END_TEST

/* Meta puts up to a thousand entries into one payload. What counts is our own time, not the database's or others'. */
START_TEST(a_thousand_entries_are_quick)
{
    static struct inbound_event e[1000];
    clock_t started;

    for (int i = 0; i < 100; i++)
        ts_account(&s, &facebook, arena_printf(&s.arena, "page-%d", i).ptr);
    for (int i = 0; i < 1000; i++) {
        e[i] = to(arena_printf(&s.arena, "page-%d", i % 100).ptr, arena_printf(&s.arena, "m%d", i).ptr);
        e[i].from.external_id = arena_printf(&s.arena, "p%d", i);
    }
    started = clock();
    ck_assert_int_eq(take(e, 1000).stored, 1000);
    ck_assert_int_lt(clock() - started, 3 * CLOCKS_PER_SEC); /* a hundredth of it where no sanitizer looks on */
}
END_TEST

STORE_TESTS("ingest_app", each_event_goes_to_its_account, all_workspaces_that_connected_it_get_it,
            the_platform_must_be_the_accounts, a_payload_nobody_reads_is_kept_once,
            of_what_nobody_reads_only_so_much_is_kept, many_accounts_come_in_any_order, a_thousand_entries_are_quick)
