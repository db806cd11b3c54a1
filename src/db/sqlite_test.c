/* What can happen to a file: somebody else holds it, its disk is full, the process dies, its bytes rot. */
#include "base/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/driver.h"
#include "db/testing.h"

static struct place place;
static struct db_engine *engine;
static struct error err;

static const struct db_migration schema[] = {
    { 1, "first", "CREATE TABLE item (id $KEY, data $BLOB); CREATE TABLE part (item_id BIGINT REFERENCES item (id))" },
};

static void
open_engine(void)
{
    ck_assert_msg(db_open(&(struct db_options){ .path = place.file, .busy_timeout_ms = 20 }, &engine, &err), "%s",
                  err.message);
    ck_assert_msg(db_migrate(engine, schema, 1, &err), "%s", err.message);
}

static void
set_up(void)
{
    place_make(&place);
}

static void
tear_down(void)
{
    db_close(engine);
    place_remove(&place);
}

static bool
count_items(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT count(*) FROM item", DB_NO_ARGS, arg, NULL, e);
}

static int64_t
items(void)
{
    int64_t n = -1;

    ck_assert_msg(db_run(engine, DB_READ, count_items, &n, &err), "%s", err.message);
    return n;
}

static bool
insert_small(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    return db_exec(db, "INSERT INTO item (data) VALUES (x'01')", DB_NO_ARGS, NULL, e);
}

static bool
insert_big(void *arg, struct db *db, struct error *e)
{
    return db_exec(db, "INSERT INTO item (data) VALUES (zeroblob($1))", DB_ARGS(db_int(*(int *)arg)), NULL, e);
}

/* ---- another process ---- */

struct other {
    pid_t pid;
    int   to, from; /* one byte each way for "go on" and "done" */
};

static void
tell(int fd)
{
    ck_assert_int_eq(write(fd, "", 1), 1);
}

static void
hear(int fd)
{
    char c;

    ck_assert_int_eq(read(fd, &c, 1), 1);
}

/* A process that locks the database as `sql` says, when told to, and lets go when told again. To be started
 * before this process opens the database itself: connections do not survive a fork. */
static struct other
start_locker(const char *sql)
{
    int to[2], from[2];
    struct other o;
    sqlite3 *db;

    ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
    o = (struct other){ .pid = fork(), .to = to[1], .from = from[0] };
    if (o.pid == 0) {
        close(to[1]);
        hear(to[0]);
        ck_assert_int_eq(sqlite3_open(place.file, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        tell(from[1]);
        hear(to[0]);
        ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        tell(from[1]);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    return o;
}

static void
go_on(struct other *o)
{
    tell(o->to);
    hear(o->from);
}

START_TEST(a_lock_held_by_another_process_is_waited_for_and_then_reported)
{
    struct other other = start_locker("BEGIN IMMEDIATE");

    open_engine();
    ck_assert(db_run(engine, DB_WRITE, insert_small, NULL, &err));
    go_on(&other);
    ck_assert(!db_run(engine, DB_WRITE, insert_small, NULL, &err));
    ck_assert_int_eq(err.status, 503);
    ck_assert_int_gt(err.retry_after_ms, 0);
    ck_assert_str_eq(err.message, "The database is locked by another process");
    ck_assert_int_eq(items(), 1); /* reading goes on meanwhile */
    go_on(&other);
    ck_assert_msg(db_run(engine, DB_WRITE, insert_small, NULL, &err), "%s", err.message);
    ck_assert_int_eq(items(), 2);
    waitpid(other.pid, NULL, 0);
}
END_TEST

START_TEST(a_file_locked_as_a_whole_cannot_be_opened)
{
    struct other other = start_locker("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");

    go_on(&other);
    ck_assert(!db_open(&(struct db_options){ .path = place.file, .busy_timeout_ms = 20 }, &engine, &err));
    ck_assert_int_eq(err.status, 503);
    ck_assert_str_eq(err.message, "The database is locked by another process");
    go_on(&other);
    waitpid(other.pid, NULL, 0);
    open_engine();
}
END_TEST

/* ---- a full disk ---- */

struct job {
    struct db_txn txn;
    int size;
};

static sem_t done, begun, go;

static bool
run_job(struct db_txn *t, struct db *db, struct error *e)
{
    return insert_big(&container_of(t, struct job, txn)->size, db, e);
}

static void
job_done(struct db_txn *t)
{
    (void)t;
    sem_post(&done);
}

static bool
hold(struct db_txn *t, struct db *db, struct error *e)
{
    (void)t;
    (void)db;
    (void)e;
    sem_post(&begun);
    sem_wait(&go);
    return true;
}

/* Three in one batch, the second of them of this size. */
static void
run_three(struct job jobs[3], int size)
{
    struct db_txn gate = { .run = hold, .done = job_done };

    sem_init(&done, 0, 0);
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    engine->writers[0].batch_ms = 60 * 1000; /* however slow the machine */
    db_submit(engine, DB_WRITE, &gate);
    sem_wait(&begun);
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){ .txn = { .run = run_job, .done = job_done }, .size = i == 1 ? size : 1 };
        db_submit(engine, DB_WRITE, &jobs[i].txn);
    }
    sem_post(&go);
    for (int i = 0; i < 4; i++)
        sem_wait(&done);
}

static bool
set_page_limit(void *arg, struct db *db, struct error *e)
{
    const char *sql = arg;
    int64_t ignored;

    return db_get_int(db, sql, DB_NO_ARGS, &ignored, NULL, e);
}

static void
lift_page_limit(void)
{
    ck_assert(db_run(engine, DB_WRITE, set_page_limit, "PRAGMA max_page_count = 1000000", &err));
}

static void
lower_page_limit(void)
{
    ck_assert(db_run(engine, DB_WRITE, set_page_limit, "PRAGMA max_page_count = 100", &err));
}

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
lower_file_limit(void)
{
    limit_files((rlim_t)512 * 1024);
}

static void
lift_file_limit(void)
{
    limit_files(RLIM_INFINITY);
}

/* SQLite's own limit fails the statement; the system's fails the write behind it, which may be as late as the
 * commit. */
static const struct {
    void (*begin)(void);
    void (*end)(void);
} limits[] = {
    { lower_page_limit, lift_page_limit },
    { lower_file_limit, lift_file_limit },
};

START_TEST(a_full_disk_ends_the_batch_and_is_recovered_from)
{
    struct job jobs[3];
    int big = 4 << 20;

    open_engine();
    ck_assert(db_run(engine, DB_WRITE, insert_small, NULL, &err));
    limits[_i].begin();
    run_three(jobs, big);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(jobs[i].txn.err.status, 503);
        ck_assert_int_gt(jobs[i].txn.err.retry_after_ms, 0);
        ck_assert_str_eq(jobs[i].txn.err.message, "The database has no space left on its disk");
    }
    ck_assert_int_eq(items(), 1);
    ck_assert(!db_run(engine, DB_WRITE, insert_big, &big, &err));
    ck_assert_int_eq(err.status, 503);
    ck_assert_msg(db_run(engine, DB_WRITE, insert_small, NULL, &err), "%s", err.message); /* what fits still goes in */
    limits[_i].end();
    run_three(jobs, big);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(jobs[i].txn.err.status == 0, "%s", jobs[i].txn.err.message);
    ck_assert_int_eq(items(), 5);
    ck_assert_msg(db_check(engine, &err), "%s", err.message);
}
END_TEST

/* ---- one piece of the log is not written, and all others are ---- */

static atomic_int writes_left; /* so many are made before the one that fails; negative = none does */
static atomic_int writes_failed;

static bool
is_to_fail(void)
{
    if (atomic_load(&writes_left) < 0 || atomic_fetch_sub(&writes_left, 1) > 0)
        return false;
    atomic_fetch_add(&writes_failed, 1);
    errno = ENOSPC;
    return true;
}

static ssize_t
failing_write(int fd, const void *bytes, size_t n)
{
    return is_to_fail() ? -1 : write(fd, bytes, n);
}

static ssize_t
failing_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return is_to_fail() ? -1 : pwrite(fd, bytes, n, at);
}

/* Which of them SQLite uses is how it was built. */
static void
watch_writes(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    atomic_store(&writes_left, -1);
    vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)(void *)failing_write);
    vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)(void *)failing_pwrite);
    vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)(void *)failing_pwrite);
}

static bool
fail_write(int nth)
{
    bool failed = atomic_load(&writes_failed) > 0;

    atomic_store(&writes_failed, 0);
    atomic_store(&writes_left, nth);
    return failed;
}

static void
copy_to(const char *name, const char *suffix)
{
    FILE *from = fopen(place_path(&place, "data.db", suffix), "rb");
    FILE *to = fopen(place_path(&place, name, suffix), "wb");
    char bytes[4096];
    size_t n;

    ck_assert(from && to);
    while ((n = fread(bytes, 1, sizeof(bytes), from)) > 0)
        ck_assert_uint_eq(fwrite(bytes, 1, n, to), n);
    ck_assert_int_eq(fclose(from), 0);
    ck_assert_int_eq(fclose(to), 0);
}

/* What a start would find if the process died at this moment. */
static int
items_of_a_later_start(int number)
{
    sqlite3_stmt *count;
    sqlite3 *db;
    char name[32];
    int n;

    snprintf(name, sizeof(name), "later%d.db", number);
    copy_to(name, "");
    copy_to(name, "-wal");
    ck_assert_int_eq(sqlite3_open(place_path(&place, name, ""), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM item", -1, &count, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(count), SQLITE_ROW);
    n = sqlite3_column_int(count, 0);
    sqlite3_finalize(count);
    sqlite3_close(db);
    return n;
}

/* A batch of a hundred pages takes four of them. */
START_TEST(a_batch_is_there_with_all_pieces_of_its_log_or_not_at_all)
{
    struct job jobs[3];
    int64_t there = 1;
    int failures = 0;

    watch_writes();
    open_engine();
    ck_assert(db_run(engine, DB_WRITE, insert_small, NULL, &err));
    for (bool failed = true; failed; failures += failed) {
        fail_write(failures);
        run_three(jobs, 400 * 1024);
        failed = fail_write(-1);
        there += failed ? 0 : 3;
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(jobs[i].txn.err.status, failed ? 503 : 0);
        ck_assert_int_eq(items(), there);
        ck_assert_int_eq(items_of_a_later_start(failures), there);
    }
    ck_assert_int_ge(failures, 4);
    ck_assert_msg(db_check(engine, &err), "%s", err.message);
}
END_TEST

/* ---- a process that dies ---- */

enum { OUTSTANDING = 64, REPORTS = 3000, IDS = 2 * REPORTS };

static int report_fd;

struct forever {
    struct db_txn txn;
    int64_t id;
};

static atomic_llong next_id;

static bool
insert_next(struct db_txn *t, struct db *db, struct error *e)
{
    struct forever *f = container_of(t, struct forever, txn);

    return db_exec(db, "INSERT INTO item (id) VALUES ($1)", DB_ARGS(db_int(f->id)), NULL, e);
}

static void
report_and_go_on(struct db_txn *t)
{
    struct forever *f = container_of(t, struct forever, txn);

    if (t->err.status || write(report_fd, &f->id, sizeof(f->id)) != sizeof(f->id))
        _exit(1);
    f->id = atomic_fetch_add(&next_id, 1);
    db_submit(engine, DB_WRITE, t);
}

static void
insert_until_killed(void)
{
    static struct forever all[OUTSTANDING];

    if (!db_open(&(struct db_options){ .path = place.file }, &engine, &err) || !db_migrate(engine, schema, 1, &err))
        _exit(1);
    for (int i = 0; i < OUTSTANDING; i++) {
        all[i] = (struct forever){ .txn = { .run = insert_next, .done = report_and_go_on } };
        all[i].id = atomic_fetch_add(&next_id, 1);
        db_submit(engine, DB_WRITE, &all[i].txn);
    }
    for (;;)
        pause();
}

static bool
all_are_there(void *arg, struct db *db, struct error *e)
{
    const bool *reported = arg;
    int64_t n = 0;

    for (int64_t id = 1; id < IDS; id++) {
        bool found = false;

        if (!reported[id])
            continue;
        if (!db_get_int(db, "SELECT id FROM item WHERE id = $1", DB_ARGS(db_int(id)), &n, &found, e))
            return false;
        ck_assert_msg(found, "%lld was reported and is lost", (long long)id);
    }
    return true;
}

/* More than the cache holds, so that SQLite writes to its log before the commit, and reads it again. */
static bool
insert_much(void *arg, struct db *db, struct error *e)
{
    const bool *goes_on = arg;
    int64_t n = 0;

    for (int i = 0; i < 24; i++)
        if (!db_exec(db, "INSERT INTO item (data) VALUES (zeroblob(1048576))", DB_NO_ARGS, NULL, e))
            return false;
    if (!db_get_int(db, "SELECT count(*) FROM item WHERE hex(substr(data, 1000000, 1)) = '00'", DB_NO_ARGS, &n, NULL,
                    e))
        return false;
    ck_assert_int_ge(n, 24);
    return *goes_on || error_set(e, 409, "no");
}

START_TEST(what_is_written_before_the_commit_goes_with_it)
{
    bool goes_on = false;

    open_engine();
    ck_assert(!db_run(engine, DB_WRITE, insert_much, &goes_on, &err));
    ck_assert(db_run(engine, DB_WRITE, insert_small, NULL, &err));
    ck_assert_int_eq(items(), 1);
    goes_on = true;
    ck_assert_msg(db_run(engine, DB_WRITE, insert_much, &goes_on, &err), "%s", err.message);
    ck_assert_int_eq(items(), 25);
    db_tidy(engine);
    ck_assert_msg(db_check(engine, &err), "%s", err.message);
    db_close(engine);
    open_engine();
    ck_assert_int_eq(items(), 25);
}
END_TEST

START_TEST(what_was_answered_survives_a_kill)
{
    static bool reported[IDS];
    int fds[2], n = 0, status;
    int64_t id;
    pid_t pid;

    atomic_store(&next_id, 1);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        report_fd = fds[1];
        insert_until_killed();
    }
    close(fds[1]);
    while (read(fds[0], &id, sizeof(id)) == sizeof(id)) {
        ck_assert_int_gt(id, 0);
        if (id < IDS)
            reported[id] = true;
        if (++n == REPORTS)
            kill(pid, SIGKILL);
    }
    ck_assert_int_ge(n, REPORTS);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    open_engine();
    ck_assert_msg(db_run(engine, DB_READ, all_are_there, reported, &err), "%s", err.message);
    ck_assert_int_ge(items(), n);
    ck_assert_msg(db_check(engine, &err), "%s", err.message);
}
END_TEST

/* ---- backup ---- */

static atomic_bool stop;
static atomic_int pairs;

static bool
insert_pair(void *arg, struct db *db, struct error *e)
{
    return insert_small(arg, db, e) && insert_small(arg, db, e);
}

static void *
write_pairs(void *arg)
{
    struct error e;

    (void)arg;
    while (!atomic_load(&stop)) {
        ck_assert_msg(db_run(engine, DB_WRITE, insert_pair, NULL, &e), "%s", e.message);
        atomic_fetch_add(&pairs, 1);
    }
    return NULL;
}

START_TEST(a_backup_is_one_moment_of_a_database_in_use)
{
    const char *copy = place_path(&place, "copy.db", "");
    int big = 8 << 20, before;
    pthread_t writer;
    struct stat st;
    int64_t n;

    open_engine();
    ck_assert(db_run(engine, DB_WRITE, insert_big, &big, &err));
    ck_assert(db_run(engine, DB_WRITE, insert_small, NULL, &err));
    ck_assert_int_eq(pthread_create(&writer, NULL, write_pairs, NULL), 0);
    while ((before = atomic_load(&pairs)) < 10)
        sched_yield();
    ck_assert_msg(db_backup(engine, copy, &err), "%s", err.message);
    ck_assert(!db_backup(engine, copy, &err));
    ck_assert_int_eq(err.status, 409);
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    ck_assert_int_gt(items(), 2 + 2 * (int64_t)before);
    db_close(engine);

    ck_assert_int_eq(stat(copy, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_ne(access(place_path(&place, "copy.db", ".partial"), F_OK), 0);
    ck_assert(db_open(&(struct db_options){ .path = copy }, &engine, &err));
    ck_assert_msg(db_check(engine, &err), "%s", err.message);
    n = items();
    ck_assert_int_ge(n, 2 + 2 * (int64_t)before);
    ck_assert_int_eq(n % 2, 0); /* never half a transaction */
}
END_TEST

START_TEST(a_backup_that_fails_leaves_nothing)
{
    const char *copy = place_path(&place, "copy.db", "");
    int big = 1 << 20;

    open_engine();
    ck_assert(db_run(engine, DB_WRITE, insert_big, &big, &err));
    ck_assert(!db_backup(engine, place_path(&place, "no/such/copy.db", ""), &err));
    ck_assert_ptr_nonnull(strstr(err.message, "No such file or directory"));
    lower_file_limit();
    ck_assert(!db_backup(engine, copy, &err));
    ck_assert_int_eq(err.status, 503);
    lift_file_limit();
    ck_assert_int_ne(access(copy, F_OK), 0);
    ck_assert_int_ne(access(place_path(&place, "copy.db", ".partial"), F_OK), 0);
    ck_assert_msg(db_backup(engine, copy, &err), "%s", err.message);
}
END_TEST

/* ---- damage ---- */

static void
run_raw(const char *sql)
{
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(place.file, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(damage_is_found)
{
    char garbage[4096];
    int big = 1 << 20, fd;

    open_engine();
    for (int i = 0; i < 200; i++)
        ck_assert(db_run(engine, DB_WRITE, insert_small, NULL, &err));
    ck_assert(db_run(engine, DB_WRITE, insert_big, &big, &err));
    ck_assert_msg(db_check(engine, &err), "%s", err.message);
    run_raw("PRAGMA foreign_keys = OFF; INSERT INTO part VALUES (-5)");
    ck_assert(!db_check(engine, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "of table part refers to a row that is not there"));
    db_close(engine);

    memset(garbage, 0xA5, sizeof(garbage));
    fd = open(place.file, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, garbage, sizeof(garbage), 4096), sizeof(garbage)); /* a table's root */
    close(fd);
    ck_assert(db_open(&(struct db_options){ .path = place.file }, &engine, &err));
    ck_assert(!db_check(engine, &err));
    ck_assert_int_eq(err.status, 500);
    ck_assert_ptr_nonnull(strstr(err.message, "is damaged"));
}
END_TEST

static TCase *
others_and_limits(void)
{
    TCase *c = tcase_create("others_and_limits");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_lock_held_by_another_process_is_waited_for_and_then_reported);
    tcase_add_test(c, a_file_locked_as_a_whole_cannot_be_opened);
    tcase_add_loop_test(c, a_full_disk_ends_the_batch_and_is_recovered_from, 0, 2);
    tcase_add_test(c, a_batch_is_there_with_all_pieces_of_its_log_or_not_at_all);
    tcase_add_test(c, what_is_written_before_the_commit_goes_with_it);
    tcase_add_test(c, what_was_answered_survives_a_kill);
    return c;
}

static TCase *
care(void)
{
    TCase *c = tcase_create("care");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_backup_is_one_moment_of_a_database_in_use);
    tcase_add_test(c, a_backup_that_fails_leaves_nothing);
    tcase_add_test(c, damage_is_found);
    return c;
}

TEST_CASES("sqlite", others_and_limits, care)
