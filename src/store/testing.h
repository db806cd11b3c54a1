/* testing.h -- for tests: a migrated database with a workspace, a group and a connected Telegram bot in it, and makers
 * of what tests need often.
 *
 * A test works on a connection of its own, in a transaction that is open from the start, so it calls the store as a
 * transaction would: OK(message_get(s.db, ...)). The clock stands at `now` until ts_tick(). */
#ifndef PARLEY_STORE_TESTING_H
#define PARLEY_STORE_TESTING_H

#include "base/testing.h"
#include "db/testing.h"
#include "store/event.h"
#include "store/job.h"
#include "store/message.h"

#define TESTING_FAILS_MAX 250 /* statements of a call that are made to fail */
#define TESTING_NOW ((int64_t)1780236120000) /* 2026-05-31T14:02:00Z */

struct testing_store {
    struct place      place;
    struct db_engine *engine; /* the same database, for transactions on other threads */
    struct db        *db;
    struct arena      arena;
    struct error      err;
    int64_t           now;
    struct scope      scope;  /* all of the workspace */
    struct group      group;
    struct profile    profile;
    bool              is_open;  /* a transaction of the test's */
    bool              is_trial; /* of OK(), with what there was before it: */
    size_t            told_before, later_before;
};

/* `call` as a store function of this test: true, or the test fails with its error. Before that, the first time in each
 * test, with its first statement failing, then with its second, and so on: each time it must be false and say why, and
 * what it did until then is undone. So `call` is made several times: OK_OF() puts back `thing` if it changes that. */
#define OK(call) OK_AGAIN((void)0, (call))
#define OK_OF(thing, call)                                                                    \
    do {                                                                                      \
        const __typeof__(thing) ok_before = (thing);                                          \
                                                                                              \
        OK_AGAIN((thing) = ok_before, (call));                                                \
    } while (0)
#define OK_AGAIN(put_back, call)                                                              \
    do {                                                                                      \
        static bool ok_was_tried;                                                             \
        int ok_fails = ok_was_tried ? 0 : 1;                                                  \
        bool ok_is_true;                                                                      \
                                                                                              \
        ok_was_tried = true;                                                                  \
        do {                                                                                  \
            put_back;                                                                         \
            ts_trial_begin(&s, ok_fails);                                                     \
            ok_is_true = (call);                                                              \
            ok_fails = ok_fails < TESTING_FAILS_MAX ? ok_fails + 1 : 0;                       \
        } while (!ts_trial_end(&s, ok_is_true));                                              \
    } while (0)
/* Made once. */
#define OK_ONCE(call) ck_assert_msg((call), "%s", s.err.message)
/* It must be refused like this; the sentence must hold `part`. */
#define REFUSED(call, code, part)                                                             \
    do {                                                                                      \
        ck_assert(!(call));                                                                   \
        ck_assert_int_eq(s.err.status, (code));                                               \
        ck_assert_msg(strstr(s.err.message, (part)) != NULL, "\"%s\"", s.err.message);        \
    } while (0)

void ts_open(struct testing_store *s); /* also config.keys and the ids */
void ts_close(struct testing_store *s);

/* Ends the test's transaction and begins the next. */
void ts_commit(struct testing_store *s);
void ts_rollback(struct testing_store *s);
/* Does what was left for the end of the transaction, as ts_commit(), ts_int(), ts_text() and ts_events() do first. */
void ts_settle(struct testing_store *s);
/* Ends it and begins none, so that others may write; and goes on. */
void ts_pause(struct testing_store *s);
void ts_resume(struct testing_store *s);

/* For OK(). The second is true when nothing was made to fail. */
void ts_trial_begin(struct testing_store *s, int fail_at);
bool ts_trial_end(struct testing_store *s, bool was_true);

void ts_tick(struct testing_store *s, int64_t ms); /* lets time pass */

/* How many signals of this topic and key the open transaction holds. */
int ts_signals(struct testing_store *s, int topic, int64_t key);

/* The first column of the first row; -1 when there is none. The second as text. */
int64_t    ts_int(struct testing_store *s, const char *sql);
struct str ts_text(struct testing_store *s, const char *sql);
void       ts_exec(struct testing_store *s, const char *sql);

struct group   ts_group(struct testing_store *s, const char *name);
struct profile ts_profile(struct testing_store *s, int64_t group_id, const char *external_id, const char *token);
struct profile ts_account(struct testing_store *s, const struct platform *platform, const char *external_id);
struct chat    ts_chat(struct testing_store *s, const struct profile *p, const char *participant);
struct chat    ts_chat_again(struct testing_store *s, const struct chat *c); /* as it is now */
struct message ts_draft(struct testing_store *s, const struct chat *c, const char *body);
/* A text that came in. */
struct inbound_event ts_inbound(const char *participant, const char *external_id, const char *body, int64_t at_ms);
struct message       ts_received(struct testing_store *s, const struct chat *c, const char *external_id,
                                      const char *body);
struct message       ts_message_again(struct testing_store *s, const struct message *m);

int64_t ts_events(struct testing_store *s, enum event_type type);

/* The program of a test file whose tests each get a fresh `static struct testing_store s`. */
#define STORE_TESTS(suite_name, ...)                                    \
    static void set_up(void)                                            \
    {                                                                   \
        ts_open(&s);                                         \
    }                                                                   \
    static void tear_down(void)                                         \
    {                                                                   \
        ts_close(&s);                                        \
    }                                                                   \
    FIXTURE_TESTS(suite_name, set_up, tear_down, __VA_ARGS__)

#endif
