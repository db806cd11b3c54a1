#include "base/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "db/testing.h"

static struct place place;
static struct db_engine *engine;
static struct error err;

static void
set_up(void)
{
    static const struct db_migration schema[] = {
        { 1, "first", "CREATE TABLE item (id $KEY, name TEXT, data $BLOB, number BIGINT)" },
    };

    struct db_options options = { 0 };

    place_make(&place);
    place_database(&place, &options);
    ck_assert_msg(db_open(&options, &engine, &err), "%s", err.message);
    ck_assert_msg(db_migrate(engine, schema, 1, &err), "%s", err.message);
}

/* Where it is about the file. */
static void
set_up_file(void)
{
    unsetenv("PARLEY_TEST_DATABASE_URL");
    set_up();
}

static void
tear_down(void)
{
    db_close(engine);
    place_remove(&place);
}

/* Runs `function` as one transaction and expects it to be committed. */
#define COMMITTED(mode, function, arg) \
    ck_assert_msg(db_run(engine, mode, function, arg, &err), "%s", err.message)

static bool
count_items(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT count(*) FROM item", DB_NO_ARGS, arg, NULL, e);
}

static int64_t
items(void)
{
    int64_t n = -1;

    COMMITTED(DB_READ, count_items, &n);
    return n;
}

/* ---- values ---- */

static const char insert_sql[] = "INSERT INTO item (id, name, data, number) VALUES ($1, $2, $3, $4)";
static const char select_sql[] = "SELECT name, data, number FROM item WHERE id = $1";

struct values {
    struct db_value name, data, number;
    bool is_null[3];
    struct str text, bytes;
    int64_t n;
};

static bool
store_and_read(void *arg, struct db *db, struct error *e)
{
    struct values *v = arg;
    struct db_rows rows;
    static struct arena a;
    int64_t changed = -1;

    if (!db_exec(db, insert_sql, DB_ARGS(db_int(7), v->name, v->data, v->number), &changed, e))
        return false;
    ck_assert_int_eq(changed, 1);
    if (!db_query(db, select_sql, DB_ARGS(db_int(7)), &rows, e))
        return false;
    ck_assert(db_next(&rows));
    for (int i = 0; i < 3; i++)
        v->is_null[i] = db_col_is_null(&rows, i);
    v->text = db_col_text(&rows, 0, &a);
    v->bytes = db_col_text(&rows, 1, &a);
    v->n = db_col_int(&rows, 2);
    ck_assert(!db_next(&rows));
    ck_assert(!db_next(&rows));
    return db_finish(&rows, e) && db_exec(db, "DELETE FROM item", DB_NO_ARGS, &changed, e) && changed == 1;
}

static const struct {
    struct str text, bytes;
    int64_t number;
    struct str kept; /* by PostgreSQL; none = all of the text */
} values[] = {
    { STR("plain"), STR("plain"), 1 },
    { STR(""), STR(""), -1 },
    { STR("gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80"), STR("\0\x01\xFE\xFF\0"), INT64_MAX },
    { STR("in\0side"), STR("'; DROP TABLE item; --"), INT64_MIN, STR("in\xEF\xBF\xBDside") },
    { STR("\0\xFFhalf \xE2\x82\0"), STR("\xE2\x82"), 0,
      STR("\xEF\xBF\xBD\xEF\xBF\xBDhalf \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") },
    { STR_NONE, STR_NONE, 9007199254740993 },
};

START_TEST(values_come_back_as_they_went_in)
{
    struct values v = {
        .name = db_text(values[_i].text), .data = db_blob(values[_i].bytes), .number = db_int(values[_i].number),
    };

    bool is_cut = place.url[0] && !str_is_none(values[_i].kept);

    COMMITTED(DB_WRITE, store_and_read, &v);
    ck_assert(str_eq(v.text, is_cut ? values[_i].kept : values[_i].text));
    ck_assert(str_eq(v.bytes, values[_i].bytes));
    ck_assert_int_eq(str_is_none(v.text), str_is_none(values[_i].text));
    ck_assert_int_eq(str_is_none(v.bytes), str_is_none(values[_i].bytes));
    ck_assert_int_eq(v.n, values[_i].number);
    ck_assert_int_eq(v.is_null[0], str_is_none(values[_i].text));
    ck_assert(!v.is_null[2]);
}
END_TEST

START_TEST(null_reads_as_zero_and_none)
{
    struct values v = { .name = db_text(STR_NONE), .data = db_blob(STR_NONE), .number = db_int_or_null(0) };

    COMMITTED(DB_WRITE, store_and_read, &v);
    ck_assert(v.is_null[0] && v.is_null[1] && v.is_null[2]);
    ck_assert(str_is_none(v.text) && str_is_none(v.bytes));
    ck_assert_int_eq(v.n, 0);
}
END_TEST

static bool
swapped_args(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    return db_get_int(db, "SELECT 100 * $2 + 10 * $1 + $2", DB_ARGS(db_int(1), db_int(2)), arg, NULL, e);
}

START_TEST(parameters_are_positions_not_appearances)
{
    int64_t n = 0;

    COMMITTED(DB_READ, swapped_args, &n);
    ck_assert_int_eq(n, 212);
}
END_TEST

static bool
nested_loop(void *arg, struct db *db, struct error *e)
{
    static const char up_to_sql[] = "WITH v(value) AS (VALUES (1), (2), (3)) SELECT value FROM v WHERE value <= $1";
    struct db_rows outer, inner;
    int64_t *sum = arg;

    if (!db_query(db, up_to_sql, DB_ARGS(db_int(3)), &outer, e))
        return false;
    while (db_next(&outer)) {
        if (!db_query(db, up_to_sql, DB_ARGS(db_int(db_col_int(&outer, 0))), &inner, e))
            break;
        while (db_next(&inner)) {
            int64_t one = 0;

            if (!db_get_int(db, up_to_sql, DB_ARGS(db_int(1)), &one, NULL, e))
                break;
            *sum += db_col_int(&inner, 0) * one;
        }
        if (!db_finish(&inner, e))
            break;
    }
    return db_finish(&outer, e);
}

START_TEST(a_statement_may_run_inside_its_own_rows)
{
    int64_t sum = 0;

    COMMITTED(DB_READ, nested_loop, &sum);
    ck_assert_int_eq(sum, 1 + 1 + 2 + 1 + 2 + 3);
}
END_TEST

static bool
returning(void *arg, struct db *db, struct error *e)
{
    static const char sql[] =
        "INSERT INTO item (id, number) VALUES (1, 5), (2, 6), (3, 7) ON CONFLICT (id) DO NOTHING RETURNING id";

    struct db_rows rows;

    (void)arg;
    if (!db_query(db, sql, DB_NO_ARGS, &rows, e))
        return false;
    ck_assert(db_next(&rows)); /* and no further: the statement has done its work all the same */
    ck_assert_int_eq(db_col_int(&rows, 0), 1);
    return db_finish(&rows, e);
}

START_TEST(returning_works_also_when_rows_are_left_unread)
{
    COMMITTED(DB_WRITE, returning, NULL);
    ck_assert_int_eq(items(), 3);
}
END_TEST

static bool
one_or_none(void *arg, struct db *db, struct error *e)
{
    int64_t n = 42;
    bool found = true;

    (void)arg;
    if (!db_get_int(db, "SELECT number FROM item WHERE id = $1", DB_ARGS(db_int(99)), &n, &found, e))
        return false;
    ck_assert(!found);
    ck_assert_int_eq(n, 42);
    return true;
}

START_TEST(a_missing_row_leaves_the_number_alone)
{
    COMMITTED(DB_READ, one_or_none, NULL);
}
END_TEST

/* ---- mistakes ---- */

static bool
column_too_far(void *arg, struct db *db, struct error *e)
{
    struct db_rows rows;

    (void)arg;
    if (!db_query(db, "SELECT 1, 2", DB_NO_ARGS, &rows, e))
        return false;
    ck_assert(db_next(&rows));
    ck_assert_int_eq(db_col_int(&rows, 1), 2);
    ck_assert_int_eq(db_col_int(&rows, 2), 0);
    ck_assert(db_col_is_null(&rows, -1));
    ck_assert(str_is_none(db_col_peek(&rows, 2)));
    return db_finish(&rows, e);
}

static bool
column_before_row(void *arg, struct db *db, struct error *e)
{
    struct db_rows rows;

    (void)arg;
    if (!db_query(db, "SELECT 1", DB_NO_ARGS, &rows, e))
        return false;
    ck_assert_int_eq(db_col_int(&rows, 0), 0);
    return db_finish(&rows, e);
}

static bool
too_few_args(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT $1 + $2", DB_ARGS(db_int(1)), arg, NULL, e);
}

static bool
too_many_args(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT 1", DB_ARGS(db_int(1)), arg, NULL, e);
}

static bool
gap_in_args(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT $1 + $3", DB_ARGS(db_int(1), db_int(2), db_int(3)), arg, NULL, e);
}

static bool
question_mark(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT ?", DB_ARGS(db_int(1)), arg, NULL, e);
}

static bool
two_statements(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    return db_exec(db, "DELETE FROM item; DELETE FROM item", DB_NO_ARGS, NULL, e);
}

static bool
built_sql(void *arg, struct db *db, struct error *e)
{
    char sql[32] = "SELECT 1 ; ";
    bool ok = db_get_int(db, sql, DB_NO_ARGS, arg, NULL, e) && db_get_int(db, sql, DB_NO_ARGS, arg, NULL, e);

    ck_assert(ok);
    strcpy(sql, "SELECT 12");
    return db_get_int(db, sql, DB_NO_ARGS, arg, NULL, e);
}

static bool
unfinished(void *arg, struct db *db, struct error *e)
{
    struct db_rows rows;

    (void)arg;
    return db_query(db, "SELECT 1", DB_NO_ARGS, &rows, e) && db_next(&rows);
}

static bool
write_in_a_read(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    return db_exec(db, "INSERT INTO item (id) VALUES (1)", DB_NO_ARGS, NULL, e);
}

static bool
nonsense(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    return db_exec(db, "SELEKT 1", DB_NO_ARGS, NULL, e);
}

static bool
quoted_text(void *arg, struct db *db, struct error *e)
{
    return db_get_int(db, "SELECT count(*) FROM item WHERE name = \"x\"", DB_NO_ARGS, arg, NULL, e);
}

static bool
silent(void *arg, struct db *db, struct error *e)
{
    (void)arg;
    (void)db;
    (void)e;
    return false;
}

static const struct {
    bool (*run)(void *arg, struct db *db, struct error *e);
    const char *says, *postgres_says; /* NULL = the same */
} mistakes[] = {
    { column_too_far, "Column 2 was read from a row that has 2" },
    { column_before_row, "Column 0 was read from a row that has 0" },
    { too_few_args, "1 values were given for 2 parameters" },
    { too_many_args, "1 values were given for 0 parameters" },
    { gap_in_args, "Parameters are missing between $1 and $3" },
    { question_mark, "A parameter is not $1", "1 values were given for 0 parameters" },
    { two_statements, "Not exactly one statement", "multiple commands" },
    { built_sql, "SQL was built where a constant is needed" },
    { unfinished, "A query was left unfinished" },
    { write_in_a_read, "refused to write" },
    { nonsense, "syntax error" },
    { quoted_text, "no such column: x", "column \"x\" does not exist" },
    { silent, "without saying why" },
};

START_TEST(a_mistake_is_an_error_and_the_next_one_works)
{
    const char *says = place.url[0] && mistakes[_i].postgres_says ? mistakes[_i].postgres_says : mistakes[_i].says;
    int64_t n = 0;

    ck_assert(!db_run(engine, DB_READ, mistakes[_i].run, &n, &err));
    ck_assert_int_eq(err.status, 500);
    ck_assert_msg(strstr(err.message, says) != NULL, "%s", err.message);
    ck_assert_int_eq(items(), 0);
}
END_TEST

static bool
carry_on_after_a_failure(void *arg, struct db *db, struct error *e)
{
    struct error ignored;
    int64_t n;

    (void)arg;
    ck_assert(db_exec(db, "INSERT INTO item (id) VALUES (1)", DB_NO_ARGS, NULL, e));
    ck_assert(!db_exec(db, "INSERT INTO item (id) VALUES (1)", DB_NO_ARGS, &n, &ignored));
    ck_assert(!db_get_int(db, "SELECT 1", DB_NO_ARGS, &n, NULL, &ignored));
    return true;
}

START_TEST(a_failed_statement_dooms_its_transaction)
{
    ck_assert(!db_run(engine, DB_WRITE, carry_on_after_a_failure, NULL, &err));
    ck_assert_int_eq(err.status, 500);
    ck_assert_ptr_nonnull(strstr(err.message, place.url[0] ? "unique constraint"
                                                           : "UNIQUE constraint failed: item.id"));
    ck_assert_int_eq(items(), 0);
}
END_TEST

/* ---- reading while others write ---- */

static bool
insert_one(void *arg, struct db *db, struct error *e)
{
    return db_exec(db, "INSERT INTO item (id) VALUES ($1)", DB_ARGS(db_int(*(int64_t *)arg)), NULL, e);
}

static bool
read_twice(void *arg, struct db *db, struct error *e)
{
    int64_t id = 1, before = -1, after = -1;

    (void)arg;
    if (!count_items(&before, db, e))
        return false;
    COMMITTED(DB_WRITE, insert_one, &id);
    ck_assert_int_eq(items(), 1); /* another reader sees it */
    if (!count_items(&after, db, e))
        return false;
    ck_assert_int_eq(before, 0);
    ck_assert_int_eq(after, 0);
    return true;
}

START_TEST(a_read_sees_one_moment)
{
    COMMITTED(DB_READ, read_twice, NULL);
    ck_assert_int_eq(items(), 1);
}
END_TEST

/* ---- opening ---- */

static void
expect_refusal(const char *path, int status, const char *says)
{
    struct db_engine *other;

    ck_assert(!db_open(&(struct db_options){ .path = path, .busy_timeout_ms = 1 }, &other, &err));
    ck_assert_ptr_null(other);
    ck_assert_int_eq(err.status, status);
    ck_assert_msg(strstr(err.message, says) != NULL, "%s", err.message);
}

START_TEST(a_new_file_is_for_its_owner_only)
{
    struct stat st;
    static const char *const suffixes[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(stat(place_path(&place, "data.db", suffixes[i]), &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
    }
}
END_TEST

START_TEST(a_missing_folder_is_made_but_not_a_tree)
{
    struct db_engine *other;
    struct stat st;

    ck_assert(db_open(&(struct db_options){ .path = place_path(&place, "new/data.db", "") }, &other, &err));
    db_close(other);
    ck_assert_int_eq(stat(place_path(&place, "new", ""), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    expect_refusal(place_path(&place, "no/such/data.db", ""), 503, "cannot be made: No such file or directory");
}
END_TEST

START_TEST(what_is_no_database_is_refused)
{
    const char *path = place_path(&place, "letter.txt", "");
    FILE *f = fopen(path, "w");

    for (int i = 0; i < 200; i++)
        fputs("Dear sir or madam,\n", f);
    fclose(f);
    expect_refusal(path, 500, "is not a database");
    expect_refusal(place.folder, 503, "is not a file");
    expect_refusal("", 500, "No path");
}
END_TEST

/* Rights mean nothing to root, so root becomes somebody else for the length of the test. */
START_TEST(a_folder_or_file_without_rights_is_refused)
{
    bool root = geteuid() == 0;

    ck_assert_int_eq(chmod(place.file, 0400), 0);
    ck_assert_int_eq(chmod(place.folder, 0555), 0);
    if (root)
        ck_assert_int_eq(seteuid(65534), 0);
    expect_refusal(place_path(&place, "other.db", ""), 503, "cannot be written: Permission denied");
    expect_refusal(place_path(&place, "deeper/other.db", ""), 503, "cannot be made: Permission denied");
    expect_refusal(place.file, 503, "cannot be written: Permission denied");
    if (root)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(place.folder, 0700), 0);
}
END_TEST

static TCase *
values_case(void)
{
    TCase *c = tcase_create("values");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, values_come_back_as_they_went_in, 0, COUNT(values));
    tcase_add_test(c, null_reads_as_zero_and_none);
    tcase_add_test(c, parameters_are_positions_not_appearances);
    tcase_add_test(c, a_statement_may_run_inside_its_own_rows);
    tcase_add_test(c, returning_works_also_when_rows_are_left_unread);
    tcase_add_test(c, a_missing_row_leaves_the_number_alone);
    tcase_add_test(c, a_read_sees_one_moment);
    return c;
}

static TCase *
mistakes_case(void)
{
    TCase *c = tcase_create("mistakes");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, a_mistake_is_an_error_and_the_next_one_works, 0, COUNT(mistakes));
    tcase_add_test(c, a_failed_statement_dooms_its_transaction);
    return c;
}

static TCase *
opening_case(void)
{
    TCase *c = tcase_create("opening");

    tcase_add_checked_fixture(c, set_up_file, tear_down);
    tcase_add_test(c, a_new_file_is_for_its_owner_only);
    tcase_add_test(c, a_missing_folder_is_made_but_not_a_tree);
    tcase_add_test(c, what_is_no_database_is_refused);
    tcase_add_test(c, a_folder_or_file_without_rights_is_refused);
    return c;
}

TEST_CASES("db", values_case, mistakes_case, opening_case)
