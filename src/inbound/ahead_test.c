/* ahead_test.c -- updates that share a commit: each finds its chat as those before it left it. */
#include "inbound/inbound.h"

#include <semaphore.h>

#include "db/driver.h"
#include "store/testing.h"

static struct testing_store s;

/* One event each, as a platform's webhook brings it. */
struct update {
    struct db_txn        txn;
    struct inbound_event event;
    bool                 fails, is_gate; /* once it is stored; the gate only keeps the writer busy */
    int                  asked;
    struct arena         arena;
    sem_t                over;
};

static sem_t gate_begun, gate_open;

static struct inbound_batch
batch_of(struct update *u)
{
    return (struct inbound_batch){ .events = &u->event, .count = 1 };
}

static bool
update_ahead(struct db_txn *t, struct db *db)
{
    struct update *u = container_of(t, struct update, txn);
    struct inbound_batch batch = batch_of(u);
    bool ok = ingest_ahead(db, s.profile.id, &batch);

    u->asked += ok;
    return ok;
}

static bool
update_run(struct db_txn *t, struct db *db, struct error *err)
{
    struct update *u = container_of(t, struct update, txn);
    struct inbound_batch batch = batch_of(u);
    struct ingest_counts counts;

    if (u->is_gate) {
        sem_post(&gate_begun);
        sem_wait(&gate_open);
        return true;
    }
    return ingest(db, &s.profile, &batch, STR("{}"), s.now, &u->arena, &counts, err)
        && (!u->fails || error_set(err, 418, "as asked for"));
}

static void
update_done(struct db_txn *t)
{
    sem_post(&container_of(t, struct update, txn)->over);
}

static void
submit(struct db_engine *e, struct update *u)
{
    sem_init(&u->over, 0, 0);
    arena_init(&u->arena);
    u->txn = (struct db_txn){ .run = update_run, .done = update_done, .ahead = u->is_gate ? NULL : update_ahead };
    db_submit(e, DB_WRITE, &u->txn);
}

static void
await(struct update *u)
{
    sem_wait(&u->over);
    ck_assert_msg(u->txn.err.status == (u->fails ? 418 : 0), "%s", u->txn.err.message);
    arena_deinit(&u->arena);
}

/* All of them in one commit. */
static void
share(struct update *updates, size_t n)
{
    struct db_options o = { .writers = 1 };
    struct update gate = { .is_gate = true };
    struct db_engine *e;

    ts_pause(&s);
    place_database(&s.place, &o);
    ck_assert_msg(db_open(&o, &e, &s.err), "%s", s.err.message);
    e->writers[0].batch_ms = 60000;
    sem_init(&gate_begun, 0, 0);
    sem_init(&gate_open, 0, 0);
    submit(e, &gate);
    sem_wait(&gate_begun);
    for (size_t i = 0; i < n; i++)
        submit(e, &updates[i]);
    sem_post(&gate_open);
    await(&gate);
    for (size_t i = 0; i < n; i++)
        await(&updates[i]);
    db_close(e);
    ts_resume(&s);
}

static struct update
says(const char *person, const char *external_id, int64_t at_ms)
{
    return (struct update){ .event = ts_inbound(person, external_id, "hello", at_ms) };
}

static struct update
does(enum inbound_kind kind, const char *person, const char *external_id, int64_t at_ms)
{
    struct update u = says(person, external_id, at_ms);

    u.event.kind = kind;
    return u;
}

START_TEST(a_new_persons_second_message_finds_the_chat_of_the_first)
{
    struct update updates[] = { says("1", "m1", TESTING_NOW), says("1", "m2", TESTING_NOW),
                                says("2", "m3", TESTING_NOW), says("2", "m4", TESTING_NOW) };

    share(updates, COUNT(updates));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat WHERE n_received = 2"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT chats_count FROM profile"), 2);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 4);
}
END_TEST

/* Where the answer is awaited over a network, those who only write are all asked for at once. */
START_TEST(two_messages_of_one_person_both_count)
{
    struct update updates[] = { says("1", "m1", TESTING_NOW), says("2", "m2", TESTING_NOW),
                                says("1", "m3", TESTING_NOW), says("3", "m4", TESTING_NOW) };

    ts_chat(&s, &s.profile, "1");
    ts_chat(&s, &s.profile, "2");
    updates[0].event.from.name = STR("Mina");
    updates[2].event.from.username = STR("mina");
    share(updates, COUNT(updates));
    ck_assert_int_eq(ts_int(&s, "SELECT n_received FROM chat WHERE participant_name = 'Mina'"
                                " AND participant_username = 'mina'"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 4);
    for (size_t i = 0; i < COUNT(updates); i++)
        ck_assert_int_eq(updates[i].asked, s.engine->driver->is_remote);
}
END_TEST

START_TEST(who_blocks_us_and_then_writes_has_not_blocked_us)
{
    struct update updates[] = { says("2", "m1", TESTING_NOW), does(INBOUND_BLOCK, "1", NULL, TESTING_NOW + 1000),
                                says("1", "m2", TESTING_NOW + 2000) };
    struct update reversed[] = { says("2", "m3", TESTING_NOW), says("1", "m4", TESTING_NOW + 3000),
                                 does(INBOUND_BLOCK, "1", NULL, TESTING_NOW + 4000) };

    ts_chat(&s, &s.profile, "1");
    share(updates, COUNT(updates));
    ck_assert_int_eq(updates[1].asked, 0);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat WHERE blocked_at <> 0"), 0);
    share(reversed, COUNT(reversed));
    ck_assert(ts_int(&s, "SELECT MAX(blocked_at) FROM chat") == TESTING_NOW + 4000);
}
END_TEST

/* That an edit waits for its message is noted in the chat's row. */
START_TEST(what_is_parked_a_moment_before_is_found)
{
    struct update updates[] = { says("2", "m1", TESTING_NOW), does(INBOUND_DELETION, "1", "m2", TESTING_NOW + 1000),
                                says("1", "m2", TESTING_NOW), says("2", "m3", TESTING_NOW) };

    ts_chat(&s, &s.profile, "1");
    share(updates, COUNT(updates));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message WHERE deleted_at <> 0 AND external_id = 'm2'"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM parked"), 0);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 2);
}
END_TEST

START_TEST(what_one_that_fails_has_done_nobody_sees)
{
    struct update updates[] = { says("1", "m1", TESTING_NOW), says("2", "m2", TESTING_NOW),
                                says("2", "m3", TESTING_NOW), says("1", "m4", TESTING_NOW),
                                says("3", "m5", TESTING_NOW) };

    ts_chat(&s, &s.profile, "1");
    updates[1].fails = true;
    updates[1].event.from.name = STR("Nobody");
    share(updates, COUNT(updates));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message WHERE external_id <> 'm2'"), 4);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 4);
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM chat WHERE participant_name = 'Nobody'"), 0);
    ck_assert_int_eq(ts_int(&s, "SELECT n_received FROM chat WHERE participant_external_id = '1'"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT chats_count FROM profile"), 3);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 4);
}
END_TEST

/* The second time nothing of it is news, and what was taken for news is taken back. */
START_TEST(the_same_again_changes_nothing)
{
    struct update first[] = { says("1", "m1", TESTING_NOW), says("2", "m2", TESTING_NOW) };
    struct update again[] = { says("2", "m3", TESTING_NOW), says("1", "m1", TESTING_NOW),
                              says("2", "m2", TESTING_NOW), says("2", "m3", TESTING_NOW) };

    share(first, COUNT(first));
    share(again, COUNT(again));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM message"), 3);
    ck_assert_int_eq(ts_int(&s, "SELECT n_received FROM chat WHERE participant_external_id = '2'"), 2);
    ck_assert_int_eq(ts_int(&s, "SELECT n_received FROM chat WHERE participant_external_id = '1'"), 1);
    ck_assert_int_eq(ts_events(&s, EVENT_MESSAGE_RECEIVED), 3);
}
END_TEST

STORE_TESTS("ahead", a_new_persons_second_message_finds_the_chat_of_the_first, two_messages_of_one_person_both_count,
            who_blocks_us_and_then_writes_has_not_blocked_us, what_is_parked_a_moment_before_is_found,
            what_one_that_fails_has_done_nobody_sees, the_same_again_changes_nothing)
