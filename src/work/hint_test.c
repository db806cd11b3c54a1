/* hint_test.c -- messages that were only hinted at, and media that nothing shows any more. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "db/driver.h"
#include "media/testing_media.h"
#include "work/testing_worker.h"

SCRIPTED(CAN_PUSH, .title = "Telegram");

static struct testing_worker w;

#define JOBS     "SELECT COUNT(*) FROM job WHERE kind IN (14, 15)"
#define RECEIVED "SELECT COUNT(*) FROM message WHERE status = 1"

static void
add(enum job_kind kind, struct str payload)
{
    struct job job = { .kind = kind, .lane_id = w.store.profile.id, .record_id = w.store.profile.id,
                       .payload = payload };

    ck_assert_msg(job_add(w.store.db, &job, w.store.now, &w.store.err), "%s", w.store.err.message);
}

static const char *
fetched(const char *call, int nth)
{
    if (strcmp(call, "/message/m41") == 0)
        return nth == 1 ? "retry" : "done 41";
    return strcmp(call, "/message/m42") == 0 ? "fail" : "done";
}

START_TEST(a_message_that_was_hinted_at_is_fetched)
{
    w.script = fetched;
    add(JOB_HINT, STR("m41"));
    tw_start(&w);
    tw_await(&w, JOBS, 0);
    ck_assert_int_eq(tw_look(&w, RECEIVED " AND external_id = 'm41'"), 1);
    ck_assert_int_eq(tw_calls(&w, "/message/"), 2);
}
END_TEST

START_TEST(one_that_came_meanwhile_is_not)
{
    struct chat c = ts_chat(&w.store, &w.store.profile, "77");

    w.script = fetched;
    ts_received(&w.store, &c, "m41", "here already");
    add(JOB_HINT, STR("m41"));
    tw_start(&w);
    tw_await(&w, JOBS, 0);
    ck_assert_int_eq(tw_look(&w, RECEIVED), 1);
    ck_assert_int_eq(tw_calls(&w, "/message/"), 0);
}
END_TEST

START_TEST(one_that_is_refused_is_let_go)
{
    w.script = fetched;
    add(JOB_HINT, STR("m42"));
    tw_start(&w);
    tw_await(&w, JOBS, 0);
    ck_assert_int_eq(tw_calls(&w, "/message/m42"), 1);
    ck_assert_int_eq(tw_look(&w, RECEIVED), 0);
    ck_assert_int_eq(tw_look(&w, EXPIRED), 0);
}
END_TEST

/* The other profile's message of that id is none of ours. */
START_TEST(another_profiles_message_is_not_taken_for_it)
{
    struct profile other = ts_profile(&w.store, w.store.group.id, "99", "token");
    struct chat c = ts_chat(&w.store, &other, "77");

    w.script = fetched;
    ts_received(&w.store, &c, "m41", "theirs");
    add(JOB_HINT, STR("m41"));
    tw_start(&w);
    tw_await(&w, RECEIVED, 2);
}
END_TEST

START_TEST(media_is_forgotten)
{
    struct media_info info;
    struct str path;

    ck_assert(testing_media_add(w.media, STR("a text\n"), STR("text/plain"), &info, &w.store.err));
    ck_assert(media_path(w.media, str_of(info.name), &w.store.arena, &path, &w.store.err));
    ck_assert_int_eq(access(path.ptr, F_OK), 0);
    add(JOB_FORGET_MEDIA, str_of(info.name));
    add(JOB_FORGET_MEDIA, str_of(info.name)); /* gone already is fine */
    add(JOB_FORGET_MEDIA, STR("../../etc/passwd"));
    tw_start(&w);
    tw_await(&w, JOBS, 0);
    ck_assert_int_ne(access(path.ptr, F_OK), 0);
}
END_TEST

/* ---- what an earlier process left ---- */

static struct media_info left;

static struct str
leave_file(void)
{
    struct str path;

    ck_assert(testing_media_add(w.media, STR("a text\n"), STR("text/plain"), &left, &w.store.err));
    ck_assert(media_path(w.media, str_of(left.name), &w.store.arena, &path, &w.store.err));
    return path;
}

static void
start_and_stop(void)
{
    tw_start(&w);
    tw_stop(&w, 1000); /* which waits for it */
    ts_resume(&w.store);
}

START_TEST(what_nothing_names_is_removed_when_that_is_certain)
{
    struct str path = leave_file();

    if (w.engine->driver->is_remote)
        return; /* a statement that is prepared finds a table there by any name */
    ts_exec(&w.store, "ALTER TABLE attachment RENAME TO attachment_away");
    start_and_stop();
    ck_assert_int_eq(access(path.ptr, F_OK), 0);
    ts_exec(&w.store, "ALTER TABLE attachment_away RENAME TO attachment");
    start_and_stop();
    ck_assert_int_ne(access(path.ptr, F_OK), 0);
}
END_TEST

START_TEST(what_cannot_be_removed_stops_nobody)
{
    struct str path = leave_file();

    ck_assert_int_eq(unlink(path.ptr), 0);
    ck_assert_int_eq(mkdir(path.ptr, 0700), 0);
    start_and_stop();
    config.retry_ms[1] = 3600000;
    add(JOB_FORGET_MEDIA, str_of(left.name));
    tw_start(&w);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 15 AND attempts = 2", 1);
    ck_assert_int_eq(rmdir(path.ptr), 0);
    ts_resume(&w.store);
    ts_exec(&w.store, "UPDATE job SET due_at = 0 WHERE kind = 15");
    tw_go(&w);
    tw_await(&w, JOBS, 0);
}
END_TEST

WORKER_TESTS("hints", a_message_that_was_hinted_at_is_fetched, one_that_came_meanwhile_is_not,
             one_that_is_refused_is_let_go, another_profiles_message_is_not_taken_for_it, media_is_forgotten,
             what_nothing_names_is_removed_when_that_is_certain, what_cannot_be_removed_stops_nobody)
