/* send_test.c -- what a send promises where the platform can be asked for it, has a window, and a pace of its own. */
#include "work/testing_worker.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "media/testing_media.h"

#define WINDOW_MS 2000000

SCRIPTED(CAN_ATTACH | CAN_FIND_SENT, .window_ms = WINDOW_MS, .pace = { .private_per_hour = 3600 }, );

static struct testing_worker w;

/* What the adapter was given with the last operation of a kind. */
static struct {
    int64_t now_ms, since_ms;
    char    comment_id[64], url[256], path[256], client_ref[64];
} seen[OP_KINDS];

static void
watch(const struct op *op)
{
    pthread_mutex_lock(&w.lock);
    seen[op->kind].now_ms = op->now_ms;
    seen[op->kind].since_ms = op->since_ms;
    snprintf(seen[op->kind].comment_id, 64, "%.*s", STR_ARG(op->comment_id));
    snprintf(seen[op->kind].client_ref, 64, "%.*s", STR_ARG(op->client_ref));
    snprintf(seen[op->kind].url, 256, "%.*s", STR_ARG(op->file.url));
    snprintf(seen[op->kind].path, 256, "%.*s", STR_ARG(op->file.path));
    pthread_mutex_unlock(&w.lock);
}

/* ---- asking whether it is there ---- */

static const char *
cut_off_but_there(const char *call, int nth)
{
    if (strcmp(call, "/send/7/a") == 0)
        return nth == 1 ? "maybe" : "done";
    return strncmp(call, "/find/", 6) == 0 ? "done there-1" : "done";
}

START_TEST(a_send_that_was_cut_off_is_looked_for)
{
    scripted_watch = watch;
    w.script = cut_off_but_there;
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/a", "/send/7/b");
    ck_assert_int_eq(tw_calls(&w, "/find/7/a"), 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE external_id = 'there-1' AND body = 'a'"), 1);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
    ck_assert_int_eq(seen[OP_FIND_SENT].since_ms, tw_look(&w, "SELECT created_at FROM message WHERE body = 'a'"));
    ck_assert_str_ne(seen[OP_FIND_SENT].client_ref, seen[OP_SEND].client_ref); /* of `b` */
}
END_TEST

static const char *
cut_off_and_gone(const char *call, int nth)
{
    return strcmp(call, "/send/7/a") == 0 && nth == 1 ? "maybe" : "done";
}

START_TEST(what_is_not_found_is_sent_again_without_doubt)
{
    w.script = cut_off_and_gone;
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/a", "/send/7/a", "/send/7/b");
    ck_assert_int_eq(tw_calls(&w, "/find/"), 1);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static const char *
two_were_found(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/find/", 6) == 0 ? "done x-a,there-2" : "done";
}

START_TEST(what_another_message_is_already_is_not_taken_for_it)
{
    bool taken;

    w.script = two_were_found;
    tw_write(&w, "7", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    tw_stop(&w, 1000);
    ts_resume(&w.store);
    tw_write(&w, "7", "a");
    ck_assert(job_mark_in_flight(w.store.db, ts_int(&w.store, "SELECT id FROM job WHERE kind = 1"), &taken,
                                 &w.store.err));
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/a");
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE external_id = 'there-2'"), 1);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE external_id = 'x-a'"), 1);
}
END_TEST

static const char *
cannot_be_asked_now(const char *call, int nth)
{
    if (strncmp(call, "/find/", 6) == 0)
        return nth == 1 ? "retry" : nth == 2 ? "retry 5" : "done there-1";
    return strcmp(call, "/send/7/a") == 0 ? "maybe" : "done";
}

START_TEST(until_it_can_be_asked_it_waits)
{
    w.script = cannot_be_asked_now;
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/a", "/send/7/b");
    ck_assert_int_eq(tw_calls(&w, "/find/"), 3);
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 0);
    ck_assert_int_eq(tw_look(&w, MISCOUNTED), 0);
}
END_TEST

static const char *
may_not_be_asked(const char *call, int nth)
{
    if (strncmp(call, "/find/", 6) == 0)
        return "fail";
    return strcmp(call, "/send/7/a") == 0 && nth == 1 ? "maybe" : "done";
}

START_TEST(where_asking_is_refused_it_is_sent_again_in_doubt)
{
    w.script = may_not_be_asked;
    tw_write(&w, "7", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    CK_SENT(&w, "/send/7/a", "/send/7/a");
    ck_assert_int_eq(tw_look(&w, DOUBTFUL), 1);
}
END_TEST

/* Its echo comes while the platform is asked. */
START_TEST(an_echo_that_comes_meanwhile_ends_the_search)
{
    bool taken;

    w.script = two_were_found;
    tw_gate(&w, "/find/");
    tw_write(&w, "7", "ab");
    ck_assert(job_mark_in_flight(w.store.db, ts_int(&w.store, "SELECT id FROM job WHERE kind = 1 AND state = 0"),
                                 &taken, &w.store.err));
    tw_start(&w);
    tw_await_calls(&w, "/find/", 1);
    ts_resume(&w.store);
    ts_exec(&w.store, "UPDATE message SET status = 2, external_id = 'echo-1' WHERE body = 'a'");
    tw_go(&w);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/b");
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE external_id = 'echo-1'"), 1);
    ck_assert_int_eq(tw_look(&w, SENDS), 0);
}
END_TEST

static const char *
answered_too_late(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/send/7/a") == 0 ? "retry 3600000" : "done";
}

START_TEST(an_echo_that_comes_before_the_answer_lets_the_next_go)
{
    w.script = answered_too_late;
    tw_gate(&w, "/send/7/a");
    tw_write(&w, "7", "ab");
    tw_start(&w);
    tw_await_calls(&w, "/send/7/a", 1);
    ts_resume(&w.store);
    ts_exec(&w.store, "UPDATE message SET status = 2, external_id = 'echo-1' WHERE body = 'a'");
    tw_go(&w);
    tw_gate(&w, "");
    tw_await(&w, PUBLISHED, 2);
    CK_SENT(&w, "/send/7/a", "/send/7/b");
}
END_TEST

/* ---- the window ---- */

static const char *
not_now(const char *call, int nth)
{
    (void)nth;
    return strncmp(call, "/send/", 6) == 0 ? "retry 3000000" : "done";
}

static void
write_before_the_window_closes(const char *participant)
{
    tw_write(&w, participant, "a");
    ts_exec(&w.store, arena_printf(&w.store.arena, "UPDATE chat SET last_inbound_at = %lld",
                                   (long long)(clock_now_ms() - WINDOW_MS / 2)).ptr);
}

START_TEST(nothing_is_tried_again_after_the_window)
{
    w.script = not_now;
    write_before_the_window_closes("7");
    tw_start(&w);
    tw_await(&w, FAILED, 1);
    CK_SENT(&w, "/send/7/a");
    ck_assert_int_eq(tw_look(&w, SENDS), 0);
    ck_assert_int_eq(tw_look(&w, "SELECT COUNT(*) FROM message WHERE error_message LIKE 'Not now (not tried again%'"),
                     1);
}
END_TEST

START_TEST(inside_the_window_it_is)
{
    w.script = cut_off_and_gone;
    config.retry_ms[0] = 5;
    write_before_the_window_closes("7");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_int_eq(tw_calls(&w, "/send/"), 2);
}
END_TEST

static void
make_private(void)
{
    ts_exec(&w.store, "UPDATE message SET external_comment_id = 'c-' || body");
}

START_TEST(private_replies_know_no_window)
{
    w.script = not_now;
    write_before_the_window_closes("7");
    make_private();
    tw_start(&w);
    tw_await(&w, WAITING, 1);
    ck_assert_int_eq(tw_look(&w, SENDS), 1);
}
END_TEST

/* ---- private replies ---- */

START_TEST(private_replies_have_a_pace_of_their_own)
{
    int64_t from_ms = clock_mono_ms();

    config.pace = true;
    scripted_watch = watch;
    for (char chat[] = "1"; chat[0] <= '9'; chat[0]++)
        tw_write(&w, chat, "aa");
    make_private();
    tw_start(&w);
    tw_await_calls(&w, "/send/", 11); /* ten as fast as they go, the next a second after the first */
    ck_assert_int_ge(tw_call_ms(&w, "/send/", 10) - from_ms, 995); /* two clocks */
    ck_assert_str_eq(seen[OP_SEND].comment_id, "c-a");
}
END_TEST

/* ---- what the adapter is told ---- */

/* Answers the name of its object. */
static struct str
write_with_file(void)
{
    struct chat c = ts_chat(&w.store, &w.store.profile, "7");
    struct draft d = { .has_media = true };
    struct media_info info;
    struct message m;

    ck_assert(testing_media_add(w.media, STR("a text\n"), STR("text/plain"), &info, &w.store.err));
    d.media = (struct attachment){ .type = ATTACH_FILE, .status = ATTACHMENT_PROCESSED,
                                   .media = arena_copy(&w.store.arena, str_of(info.name)),
                                   .content_type = str_of(info.content_type), .size = info.size };
    ck_assert_msg(message_accept(w.store.db, &c, &d, w.store.now, &w.store.arena, &m, &w.store.err), "%s",
                  w.store.err.message);
    return d.media.media;
}

START_TEST(a_file_has_an_address_where_we_have_one)
{
    struct str name = write_with_file();

    scripted_watch = watch;
    w.env.public_url = STR("https://parley.example");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_str_eq(seen[OP_SEND].url,
                     arena_printf(&w.store.arena, "https://parley.example/storage/%s", name.ptr).ptr);
    ck_assert_ptr_nonnull(strstr(seen[OP_SEND].path, name.ptr));
    ck_assert_int_le(clock_now_ms() - seen[OP_SEND].now_ms, 10000);
    ck_assert_str_eq(seen[OP_SEND].comment_id, "");
}
END_TEST

START_TEST(a_file_has_no_address_where_nobody_can_reach_us)
{
    scripted_watch = watch;
    write_with_file();
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ck_assert_str_eq(seen[OP_SEND].url, "");
    ck_assert_str_ne(seen[OP_SEND].path, "");
}
END_TEST

static const char *
done_but_be_quiet(const char *call, int nth)
{
    (void)nth;
    return strcmp(call, "/send/1/a") == 0 ? "quiet 400" : "done";
}

START_TEST(who_was_told_to_be_quiet_is)
{
    w.script = done_but_be_quiet;
    tw_write(&w, "1", "a");
    tw_start(&w);
    tw_await(&w, PUBLISHED, 1);
    ts_resume(&w.store);
    tw_write(&w, "2", "a");
    tw_go(&w);
    tw_await(&w, PUBLISHED, 2);
    ck_assert_int_ge(tw_call_ms(&w, "/send/2/a", 0) - tw_call_ms(&w, "/send/1/a", 0), 395); /* two clocks */
}
END_TEST

static void
set_up(void)
{
    tw_open(&w);
    scripted_watch = NULL;
    config.pace = false;
}

static void
tear_down(void)
{
    tw_close(&w);
}

FIXTURE_TESTS("sends", set_up, tear_down, a_send_that_was_cut_off_is_looked_for,
              what_is_not_found_is_sent_again_without_doubt,
              what_another_message_is_already_is_not_taken_for_it, until_it_can_be_asked_it_waits,
              where_asking_is_refused_it_is_sent_again_in_doubt, an_echo_that_comes_meanwhile_ends_the_search,
              an_echo_that_comes_before_the_answer_lets_the_next_go, nothing_is_tried_again_after_the_window,
              inside_the_window_it_is, private_replies_know_no_window, private_replies_have_a_pace_of_their_own,
              a_file_has_an_address_where_we_have_one, a_file_has_no_address_where_nobody_can_reach_us,
              who_was_told_to_be_quiet_is)
