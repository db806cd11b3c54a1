/* process_test.c -- the living are never taken for dead: only what is certain counts. */
#include "base/process.h"

#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing.h"

/* ---- a child ---- */

static char mark[PROCESS_MARK_MAX];
static pid_t child;

/* A child that waits for a signal, and its mark in its own words. */
static void
set_up(void)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        process_mark(mark);
        if (write(ends[1], mark, sizeof(mark)) != sizeof(mark))
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ends[0], mark, sizeof(mark)), sizeof(mark));
    close(ends[0]);
    close(ends[1]);
}

static void
tear_down(void)
{
    process_proc(NULL);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

/* Ends the child; it stays as it is until somebody waits for it. */
static void
kill_child(void)
{
    siginfo_t info;

    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
}

static void
forget_child(void)
{
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    child = 0;
}

static bool
is_dead(const char *text)
{
    return process_is_dead(str_of(text));
}

START_TEST(who_lives_is_not_dead_running_or_stopped)
{
    int status;

    ck_assert(mark[0] != '\0');
    ck_assert(process_is_near(str_of(mark)));
    ck_assert(!is_dead(mark));
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    ck_assert(!is_dead(mark));
    ck_assert_int_eq(kill(child, SIGCONT), 0);
    ck_assert(!is_dead(mark));
}
END_TEST

START_TEST(who_was_killed_is_dead)
{
    kill_child();
    ck_assert(is_dead(mark)); /* also before it was waited for */
    forget_child();
    ck_assert(is_dead(mark));
}
END_TEST

START_TEST(one_marks_oneself)
{
    char own[PROCESS_MARK_MAX], again[PROCESS_MARK_MAX];

    process_mark(own);
    process_mark(again);
    ck_assert_str_eq(own, again);
    ck_assert_str_ne(own, mark);
    ck_assert(!is_dead(own));
}
END_TEST

/* The mark with one of its words, counted from 0, changed. */
static const char *
changed(int word, const char *to)
{
    static char out[2 * PROCESS_MARK_MAX];
    struct str rest = str_of(mark), head;
    size_t len = 0;

    for (int i = 0; rest.len > 0; i++) {
        (void)str_cut(rest, ' ', &head, &rest);
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s", i > 0 ? " " : "",
                                i == word ? (int)strlen(to) : (int)head.len, i == word ? to : head.ptr);
    }
    return out;
}

enum { BOOT, PIDS, TIMES, NUMBER, STARTED };

START_TEST(a_number_that_was_given_to_another_is_dead)
{
    ck_assert(is_dead(changed(STARTED, "1")));
    ck_assert(!is_dead(changed(-1, "")));
}
END_TEST

static const struct {
    int         word;
    const char *to;
} foreign[] = {
    { BOOT, "0b3ad9a5-0000-4000-8000-000000000000" },
    { BOOT, "" },
    { PIDS, "pid:[1]" },
    { TIMES, "time:[1]" },
    { NUMBER, "0" },
    { NUMBER, "-1" },
    { NUMBER, "99999999999" },
    { NUMBER, "one" },
    { NUMBER, "" },
    { STARTED, "now" },
    { STARTED, "" },
    { STARTED, "-1" },
    { STARTED, "1 2" },
};

START_TEST(what_cannot_be_judged_from_here_is_not_dead)
{
    kill_child();
    forget_child();
    ck_assert(is_dead(changed(-1, "")));
    ck_assert(!process_is_near(str_of(changed(foreign[_i].word, foreign[_i].to))));
    ck_assert(!is_dead(changed(foreign[_i].word, foreign[_i].to)));
}
END_TEST

START_TEST(every_part_of_a_mark_is_needed)
{
    kill_child();
    forget_child();
    for (size_t n = strcspn(mark, " "); n > 0 && n < strlen(mark); n++)
        if (strrchr(mark, ' ') >= mark + n)
            ck_assert(!process_is_dead((struct str){ mark, n }));
    ck_assert(!process_is_dead(STR_NONE));
    ck_assert(!is_dead(""));
}
END_TEST

/* ---- a /proc of the test's own ---- */

static char folder[] = "/tmp/parley-test-XXXXXX";

static void
write_file(const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (char *at = strchr(path + sizeof(folder), '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void
write_link(const char *name, const char *to)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
    ck_assert_int_eq(symlink(to, path), 0);
}

/* The text with our number in the place of '@'. */
static const char *
named(const char *format)
{
    static char out[4][256];
    static int turn;
    char *text = out[turn++ % 4];
    const char *at = strchr(format, '@');

    snprintf(text, sizeof(out[0]), "%.*s%ld%s", (int)(at - format), format, (long)getpid(), at + 1);
    return text;
}

static void
write_stat(long pid, const char *rest)
{
    char name[64], text[512];

    snprintf(name, sizeof(name), "%ld/stat", pid);
    snprintf(text, sizeof(text), "%ld (a) b (c) 1 2 3) %s", pid, rest);
    write_file(name, text);
}

#define ALIVE   "S 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 9 0 " /* up to its threads, and one more */
#define ENDED   "Z 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 "
#define LEADING "Z 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 2 0 "

static void
set_up_proc(void)
{
    set_up();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file("sys/kernel/random/boot_id", "11111111-2222-4333-8444-555555555555\n");
    write_stat((long)getpid(), ALIVE "700 0 0");
    write_file(named("@/ns/x"), "");
    write_link(named("@/ns/pid"), "pid:[40]");
    write_link(named("@/ns/time"), "time:[50]");
    write_link("self", named("@"));
    process_proc(folder);
    snprintf(mark, sizeof(mark), "11111111-2222-4333-8444-555555555555 pid:[40] time:[50] %ld 900", (long)child);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void
tear_down_proc(void)
{
    tear_down();
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

START_TEST(a_mark_is_made_of_what_proc_says)
{
    char own[PROCESS_MARK_MAX];

    process_mark(own);
    ck_assert_str_eq(own, named("11111111-2222-4333-8444-555555555555 pid:[40] time:[50] @ 700"));
}
END_TEST

/* mount -o hidepid */
START_TEST(who_is_hidden_is_not_dead)
{
    ck_assert(process_is_near(str_of(mark)));
    ck_assert(!is_dead(mark));
    kill_child();
    forget_child();
    ck_assert(is_dead(mark));
}
END_TEST

static const struct {
    const char *stat;
    bool        dead;
} stats[] = {
    { ALIVE "900 0 0", false },
    { ALIVE "901 0 0", true },
    { ENDED "900 0 0", true },
    { LEADING "900 0 0", false }, /* its first thread has ended; others go on */
    { ALIVE "900", false },
    { ALIVE, false },
    { ALIVE "soon 0", false },
    { "", false },
};

START_TEST(a_process_is_told_by_when_it_began_and_whether_it_ended)
{
    write_stat((long)child, stats[_i].stat);
    ck_assert_int_eq(is_dead(mark), stats[_i].dead);
}
END_TEST

START_TEST(without_a_word_in_proc_nothing_is_certain)
{
    static const char *const parts[] = { "sys/kernel/random/boot_id", "self", "@/ns/pid", "@/stat" };
    char own[PROCESS_MARK_MAX], path[PATH_MAX];

    kill_child();
    forget_child();
    snprintf(path, sizeof(path), "%s/%s", folder, strchr(parts[_i], '@') ? named(parts[_i]) : parts[_i]);
    ck_assert_int_eq(unlink(path), 0);
    process_mark(own);
    ck_assert_str_eq(own, "");
    if (_i < 3)
        ck_assert(!is_dead(mark));
}
END_TEST

START_TEST(the_proc_of_another_namespace_tells_nothing)
{
    char own[PROCESS_MARK_MAX];

    kill_child();
    forget_child();
    write_file("77/ns/x", "");
    write_link("77/ns/pid", "pid:[40]");
    write_link("self", "77");
    process_mark(own);
    ck_assert_str_eq(own, "");
    ck_assert(!is_dead(mark));
}
END_TEST

/* Kernels before 5.6 */
START_TEST(a_kernel_without_time_namespaces_has_one_time)
{
    char own[PROCESS_MARK_MAX], path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%ld/ns/time", folder, (long)getpid());
    ck_assert_int_eq(unlink(path), 0);
    process_mark(own);
    ck_assert_str_eq(own, named("11111111-2222-4333-8444-555555555555 pid:[40] - @ 700"));
    ck_assert(!is_dead(mark));
}
END_TEST

static TCase *
children(void)
{
    TCase *c = tcase_create("children");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, who_lives_is_not_dead_running_or_stopped);
    tcase_add_test(c, who_was_killed_is_dead);
    tcase_add_test(c, one_marks_oneself);
    tcase_add_test(c, a_number_that_was_given_to_another_is_dead);
    tcase_add_loop_test(c, what_cannot_be_judged_from_here_is_not_dead, 0, COUNT(foreign));
    tcase_add_test(c, every_part_of_a_mark_is_needed);
    return c;
}

static TCase *
procs(void)
{
    TCase *c = tcase_create("procs");

    tcase_add_checked_fixture(c, set_up_proc, tear_down_proc);
    tcase_add_test(c, a_mark_is_made_of_what_proc_says);
    tcase_add_test(c, who_is_hidden_is_not_dead);
    tcase_add_loop_test(c, a_process_is_told_by_when_it_began_and_whether_it_ended, 0,
                        COUNT(stats));
    tcase_add_loop_test(c, without_a_word_in_proc_nothing_is_certain, 0, 4);
    tcase_add_test(c, the_proc_of_another_namespace_tells_nothing);
    tcase_add_test(c, a_kernel_without_time_namespaces_has_one_time);
    return c;
}

TEST_CASES("process", children, procs)
