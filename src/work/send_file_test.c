/* send_file_test.c -- files that are not to be had: from a URL, from our own disk, and from a bucket. */
#include <unistd.h>

#include "base/config.h"
#include "media/driver.h"
#include "media/testing_media.h"
#include "work/testing_worker.h"

SCRIPTED(CAN_ATTACH | CAN_FIND_SENT, .title = "Telegram");

static struct testing_worker w;

#define FILES_FAILED "SELECT COUNT(*) FROM attachment WHERE status = 3"
#define REASON       "SELECT error_message FROM message"

/* ---- a disk that is taken for a bucket ---- */

static const struct media_driver *disk;
static struct media_driver bucket;
static _Atomic int failures_left;
static int failure_status;

static bool
bucket_path(struct media_store *m, const char *name, struct arena *a, struct str *out, struct error *err)
{
    if (failures_left > 0) {
        failures_left--;
        return error_set(err, failure_status, "The bucket has a bad day");
    }
    return disk->path(m, name, a, out, err);
}

static void
use_bucket(int failures, int status)
{
    disk = w.media->driver;
    bucket = *disk;
    bucket.is_remote = true;
    bucket.path = bucket_path;
    w.media->driver = &bucket;
    failures_left = failures;
    failure_status = status;
}

/* ---- messages with a file ---- */

static void
write_draft(struct attachment media)
{
    struct chat c = ts_chat(&w.store, &w.store.profile, "7");
    const struct draft d = { .has_media = true, .media = media };
    struct message m;

    ck_assert_msg(message_accept(w.store.db, &c, &d, w.store.now, &w.store.arena, &m, &w.store.err), "%s",
                  w.store.err.message);
}

static struct str
write_with_file(void)
{
    struct media_info info;
    struct str path;

    ck_assert(testing_media_add(w.media, STR("a text\n"), STR("text/plain"), &info, &w.store.err));
    ck_assert(media_path(w.media, str_of(info.name), &w.store.arena, &path, &w.store.err));
    write_draft((struct attachment){ .type = ATTACH_FILE, .status = ATTACHMENT_PROCESSED,
                                     .media = arena_copy(&w.store.arena, str_of(info.name)),
                                     .content_type = str_of(info.content_type), .size = info.size });
    return path;
}

static void
write_with_url(void)
{
    write_draft((struct attachment){ .type = ATTACH_FILE, .status = ATTACHMENT_PENDING,
                                     .source_url = arena_printf(&w.store.arena, "%.*s/file",
                                                                STR_ARG(w.env.telegram_url)) });
}

/* ---- from a URL ---- */

static const char *
no_such_file(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/file") == 0 ? "status 404" : "done";
}

START_TEST(a_file_that_is_not_there_fails_its_message)
{
    w.script = no_such_file;
    write_with_url();
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    ck_assert_int_eq(tw_look(&w, FILES_FAILED), 1);
    ck_assert_int_eq(tw_look(&w, SENDS), 0);
    ck_assert_int_eq(tw_calls(&w, "/file"), 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 0);
    ck_assert(str_starts(tw_text(&w, REASON), STR("The media could not be fetched: ")));
}
END_TEST

static const char *
not_now(const char *call, int nth)
{
    return strcmp(call, "/file") == 0 && nth == 1 ? "status 503" : "done";
}

START_TEST(one_that_is_not_to_be_had_now_is_asked_for_again)
{
    w.script = not_now;
    write_with_url();
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/file"), 2);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 7"), 1);
}
END_TEST

/* ---- from our own disk ---- */

START_TEST(a_file_that_was_lost_fails_its_message)
{
    ck_assert_int_eq(unlink(write_with_file().ptr), 0);
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 0);
    ck_assert(str_eq(tw_text(&w, REASON), STR("No such file")));
}
END_TEST

START_TEST(a_message_is_not_looked_for_without_its_file)
{
    ck_assert_int_eq(unlink(write_with_file().ptr), 0);
    ts_exec(&w.store, "UPDATE job SET payload = 'interrupted' WHERE kind = 1");
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    ck_assert_int_eq(tw_calls(&w, "/find/"), 0);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
}
END_TEST

/* ---- from a bucket ---- */

START_TEST(what_the_bucket_does_not_give_now_is_asked_for_again)
{
    write_with_file();
    use_bucket(2, 503);
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM event WHERE type = 7"), 2);
}
END_TEST

START_TEST(what_the_bucket_has_not_fails)
{
    write_with_file();
    use_bucket(1, 404);
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    ck_assert_int_eq(tw_look(&w, FILES_FAILED), 1);
}
END_TEST

/* It was put there under a name that nobody will ever ask for. */
START_TEST(what_cannot_be_brought_back_is_fetched_anew)
{
    write_with_url();
    use_bucket(1, 503);
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/file"), 2);
    tw_await(&w, "SELECT COUNT(*) FROM job WHERE kind = 15", 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM attachment WHERE status = 2"), 1);
}
END_TEST

START_TEST(what_may_be_there_already_is_looked_for_with_its_file)
{
    write_with_file();
    ts_exec(&w.store, "UPDATE job SET payload = 'interrupted' WHERE kind = 1");
    use_bucket(0, 0);
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/find/"), 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 1);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
}
END_TEST

WORKER_TESTS("files", a_file_that_is_not_there_fails_its_message,
             one_that_is_not_to_be_had_now_is_asked_for_again, a_file_that_was_lost_fails_its_message,
             a_message_is_not_looked_for_without_its_file, what_the_bucket_does_not_give_now_is_asked_for_again,
             what_the_bucket_has_not_fails, what_cannot_be_brought_back_is_fetched_anew,
             what_may_be_there_already_is_looked_for_with_its_file)
