#include "base/testing.h"

#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "db/testing.h"

static struct place place;
static struct db_options options;
static struct db_engine *engine;
static struct error err;

static const struct db_migration list[] = {
    { 1, "items", "CREATE TABLE item (id $KEY, data $BLOB);"
                  "CREATE INDEX item_data ON item (data);"
                  "INSERT INTO item (id, data) VALUES (1, 'ab')" },
    { 2, "prices", "ALTER TABLE item ADD COLUMN price TEXT NOT NULL DEFAULT 'US$12 $KE';" },
    { 3, "tags", "CREATE TABLE tag (id $KEY, item_id BIGINT NOT NULL REFERENCES item (id))" },
};

static void
set_up(void)
{
    place_make(&place);
    place_database(&place, &options);
    ck_assert_msg(db_open(&options, &engine, &err), "%s", err.message);
}

static void
tear_down(void)
{
    db_close(engine);
    place_remove(&place);
}

static int
version(void)
{
    int v = -1;

    ck_assert_msg(db_version(engine, &v, &err), "%s", err.message);
    return v;
}

static bool
count_sql(void *arg, struct db *db, struct error *e)
{
    int64_t *n = arg;

    return db_get_int(db, "SELECT count(*) FROM item WHERE price = 'US$12 $KE'", DB_NO_ARGS, n, NULL, e);
}

static bool
insert_orphan(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    return db_exec(db, "INSERT INTO tag (id, item_id) VALUES (1, 99)", DB_NO_ARGS, NULL, e);
}

START_TEST(each_migration_runs_once)
{
    int64_t n = 0;

    ck_assert_int_eq(version(), 0);
    ck_assert_msg(db_migrate(engine, list, 1, &err), "%s", err.message);
    ck_assert_int_eq(version(), 1);
    ck_assert_msg(db_migrate(engine, list, 3, &err), "%s", err.message);
    ck_assert_msg(db_migrate(engine, list, 3, &err), "%s", err.message);
    ck_assert_int_eq(version(), 3);
    ck_assert(db_run(engine, DB_READ, count_sql, &n, &err));
    ck_assert_int_eq(n, 1);
    ck_assert(!db_run(engine, DB_WRITE, insert_orphan, NULL, &err)); /* foreign keys are enforced */
    ck_assert_ptr_nonnull(strstr(err.message, place.url[0] ? "foreign key" : "FOREIGN KEY constraint failed"));
}
END_TEST

START_TEST(one_that_fails_midway_leaves_nothing_of_itself)
{
    const struct db_migration broken[] = {
        list[0],
        { 2, "half", "CREATE TABLE half (id $KEY); INSERT INTO half VALUES (1); INSERT INTO no_such_table VALUES (1)" },
        list[2],
    };

    ck_assert(!db_migrate(engine, broken, 3, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "Migration 2 (half)"));
    ck_assert_ptr_nonnull(strstr(err.message, "no_such_table"));
    ck_assert_int_eq(version(), 1);
    ck_assert_msg(db_migrate(engine, list, 3, &err), "%s", err.message);
    ck_assert_int_eq(version(), 3);
}
END_TEST

START_TEST(a_newer_database_is_left_alone)
{
    ck_assert(db_migrate(engine, list, 3, &err));
    ck_assert(!db_migrate(engine, list, 2, &err));
    ck_assert_str_eq(err.message, "This database was written by a newer Parley (schema 3, this one knows 2)."
                                  " Start that version, or restore a backup made with this one.");
    ck_assert_int_eq(version(), 3);
}
END_TEST

/* Started together, as when a service manager and an impatient operator both start the server. */
START_TEST(two_processes_migrate_as_one)
{
    pid_t children[2];
    int status;

    db_close(engine);
    engine = NULL;
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            if (!db_open(&options, &engine, &err)
                || !db_migrate(engine, list, 3, &err))
                _exit(1);
            db_close(engine);
            _exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), 0);
    }
    ck_assert(db_open(&options, &engine, &err));
    ck_assert_int_eq(version(), 3);
}
END_TEST

static TCase *
migrations(void)
{
    TCase *c = tcase_create("migrations");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, each_migration_runs_once);
    tcase_add_test(c, one_that_fails_midway_leaves_nothing_of_itself);
    tcase_add_test(c, a_newer_database_is_left_alone);
    tcase_add_test(c, two_processes_migrate_as_one);
    return c;
}

TEST_CASES("migrate", migrations)
