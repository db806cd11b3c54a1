#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/testing_str.h"

#define NOON 1780228800123 /* 2026-05-31T12:00:00.123Z */

static char path[64];

static void
set_up(void)
{
    int fd;

    snprintf(path, sizeof(path), "/tmp/parley-log-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    clock_set(NOON);
}

static void
tear_down(void)
{
    log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, NULL);
    unlink(path);
}

/* All that is in the file, in a buffer the test frees. */
static struct buf
written(const char *file)
{
    struct buf b;
    int        fd = open(file, O_RDONLY);
    ssize_t    n;

    ck_assert_int_ge(fd, 0);
    buf_init(&b, 4 * MIB);
    while ((n = read(fd, buf_room(&b, 64 * KIB), 64 * KIB)) > 0)
        buf_grew(&b, (size_t)n);
    close(fd);
    return b;
}

#define assert_written(expected)                        \
    do {                                                \
        struct buf written_log = written(path);         \
                                                        \
        ck_assert_slice(buf_str(&written_log), expected); \
        buf_deinit(&written_log);                       \
    } while (0)

START_TEST(text_lines_are_for_people)
{
    ck_assert(log_open(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, path));
    log_info("started");
    log_warn("slow call", LOG_STR("chat", STR("chat_1")), LOG_INT("ms", -12), LOG_STR("left_out", STR_NONE));
    log_error("odd\nvalues", LOG_CSTR("empty", ""), LOG_CSTR("space", "a b"), LOG_CSTR("quote", "say \"x\""),
        LOG_CSTR("lines", "a\r\nb"), LOG_CSTR("equals", "a=b"), LOG_CSTR("text", "\xC3\xA4"),
        LOG_CSTR("bytes", "\xFF"));
    log_debug("last");
    assert_written("2026-05-31T12:00:00.123Z INFO started\n"
                   "2026-05-31T12:00:00.123Z WARN slow call chat=chat_1 ms=-12\n"
                   "2026-05-31T12:00:00.123Z ERROR odd\\nvalues empty=\"\" space=\"a b\" quote=\"say \\\"x\\\"\""
                   " lines=\"a\\r\\nb\" equals=\"a=b\" text=\xC3\xA4 bytes=\"\xEF\xBF\xBD\"\n"
                   "2026-05-31T12:00:00.123Z DEBUG last\n");
}
END_TEST

START_TEST(json_lines_are_for_machines)
{
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_JSON, path));
    log_info("say \"hi\"", LOG_STR("chat", STR("chat_1")), LOG_INT("ms", INT64_MIN), LOG_CSTR("odd", "\n\xFF"));
    log_error("done");
    assert_written("{\"time\":\"2026-05-31T12:00:00.123Z\",\"level\":\"info\",\"msg\":\"say \\\"hi\\\"\","
                   "\"chat\":\"chat_1\",\"ms\":-9223372036854775808,\"odd\":\"\\n\xEF\xBF\xBD\"}\n"
                   "{\"time\":\"2026-05-31T12:00:00.123Z\",\"level\":\"error\",\"msg\":\"done\"}\n");
}
END_TEST

START_TEST(levels_hold_back)
{
    enum log_level level = LOG_LEVEL_INFO;

    ck_assert(log_level_parse(STR("Warn"), &level));
    ck_assert_int_eq(level, LOG_LEVEL_WARN);
    ck_assert(!log_level_parse(STR("loud"), &level));
    ck_assert(log_open(level, LOG_FORMAT_TEXT, path));
    ck_assert(!log_is_on(LOG_LEVEL_INFO));
    ck_assert(log_is_on(LOG_LEVEL_WARN));
    log_info("no");
    assert_written("");
}
END_TEST

START_TEST(secrets_are_hidden_in_messages_and_fields)
{
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path));
    log_info("GET /?access_token=abc", LOG_CSTR("url", "/bot1234:AAAAAAAAAAAAAAAAAAAAAAAA/x"));
    assert_written("2026-05-31T12:00:00.123Z INFO GET /?access_token=*** url=/bot***/x\n");
}
END_TEST

START_TEST(a_rotated_file_is_left_to_the_rotation)
{
    char       old[80];
    struct buf log;

    snprintf(old, sizeof(old), "%s.1", path);
    ck_assert(log_reopen()); /* standard error: nothing to do */
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path));
    log_info("one");
    ck_assert_int_eq(rename(path, old), 0);
    log_info("two");
    ck_assert(log_reopen());
    log_info("three");
    assert_written("2026-05-31T12:00:00.123Z INFO three\n");
    log = written(old);
    ck_assert_slice(buf_str(&log), "2026-05-31T12:00:00.123Z INFO one\n2026-05-31T12:00:00.123Z INFO two\n");
    buf_deinit(&log);
    unlink(old);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_changes_nothing)
{
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path));
    ck_assert(!log_open(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "/nowhere/at/all"));
    ck_assert_int_eq(errno, ENOENT);
    log_info("still here");
    assert_written("2026-05-31T12:00:00.123Z INFO still here\n");
}
END_TEST

START_TEST(a_full_disk_costs_the_line_only)
{
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "/dev/full"));
    errno = EDOM;
    log_info("lost");
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

/* A file that may not grow takes half a line; the next one still begins on its own. */
START_TEST(a_torn_line_does_not_spoil_the_next)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path));
    limit.rlim_cur = 30;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("torn");
    log_info("lost");
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_info("whole");
    log_info("again");
    assert_written("2026-05-31T12:00:00.123Z INFO \n"
                   "2026-05-31T12:00:00.123Z INFO whole\n"
                   "2026-05-31T12:00:00.123Z INFO again\n");
}
END_TEST

START_TEST(a_value_without_end_is_cut_whole)
{
    struct buf long_text, log;

    buf_init(&long_text, 1 * MIB);
    buf_append_char(&long_text, 'x');
    while (long_text.len < 100 * KIB)
        buf_append(&long_text, STR("\xE2\x82\xAC"));
    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_JSON, path));
    log_info("long", LOG_STR("text", buf_str(&long_text)), LOG_INT("behind", 1));
    log = written(path);
    ck_assert(str_ends(buf_str(&log), STR("\xE2\x82\xAC\",\"behind\":1}\n")));
    ck_assert(log.len > 8000 && log.len < 8500);
    buf_deinit(&log);
    buf_deinit(&long_text);
}
END_TEST

static void *
log_much(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_info("from a thread", LOG_CSTR("name", arg), LOG_INT("i", i));
    return NULL;
}

START_TEST(lines_of_many_threads_stay_whole)
{
    static char names[4][8] = { "one", "two", "three", "four" };
    pthread_t   threads[4];
    struct buf  log;
    struct str  line, rest;
    size_t      lines = 0;

    ck_assert(log_open(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, path));
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_much, names[i]), 0);
    for (int i = 0; i < 20; i++)
        ck_assert(log_reopen());
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    log = written(path);
    for (rest = buf_str(&log); str_cut(rest, '\n', &line, &rest); lines++) {
        ck_assert(str_starts(line, STR("2026-05-31T12:00:00.123Z INFO from a thread name=")));
        ck_assert_int_eq(str_find(str_from(line, 1), STR("2026")), -1);
    }
    ck_assert_uint_eq(lines, 2000);
    buf_deinit(&log);
}
END_TEST

static TCase *
lines(void)
{
    TCase *c = tcase_create("lines");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, text_lines_are_for_people);
    tcase_add_test(c, json_lines_are_for_machines);
    tcase_add_test(c, levels_hold_back);
    tcase_add_test(c, secrets_are_hidden_in_messages_and_fields);
    tcase_add_test(c, a_rotated_file_is_left_to_the_rotation);
    tcase_add_test(c, a_file_that_cannot_be_opened_changes_nothing);
    tcase_add_test(c, a_full_disk_costs_the_line_only);
    tcase_add_test(c, a_torn_line_does_not_spoil_the_next);
    tcase_add_test(c, a_value_without_end_is_cut_whole);
    tcase_add_test(c, lines_of_many_threads_stay_whole);
    return c;
}

TEST_CASES("log", lines)
