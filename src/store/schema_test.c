#include "store/testing.h"

#include "store/schema.h"

static struct testing_store s;

/* A number that was given once is for ever: databases out there have gone through it. */
START_TEST(migrations_are_numbered_without_gaps)
{
    for (size_t i = 0; i < store_migration_count; i++) {
        ck_assert_int_eq(store_migrations[i].number, (int)i + 1);
        ck_assert_uint_gt(strlen(store_migrations[i].name), 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(store_migrations[i].name, store_migrations[j].name);
    }
}
END_TEST

START_TEST(a_fresh_database_is_at_the_last)
{
    int version;

    ts_pause(&s);
    OK(db_version(s.engine, &version, &s.err));
    ck_assert_int_eq(version, (int)store_migration_count);
    OK(db_migrate(s.engine, store_migrations, store_migration_count, &s.err));
    OK(db_check(s.engine, &s.err));
    ts_resume(&s);
}
END_TEST

START_TEST(an_older_program_refuses_a_newer_database)
{
    ts_pause(&s);
    ck_assert(!db_migrate(s.engine, store_migrations, store_migration_count - 1, &s.err));
    ts_resume(&s);
}
END_TEST

STORE_TESTS("schema", migrations_are_numbered_without_gaps, a_fresh_database_is_at_the_last,
            an_older_program_refuses_a_newer_database)
