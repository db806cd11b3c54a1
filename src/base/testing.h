/* testing.h -- turns a file of `check` tests into a program whose single tests Meson counts.
 *
 *     #include "base/testing.h"
 *
 *     START_TEST(an_empty_list_has_no_first)
 *     {
 *         ck_assert_ptr_null(list_first(&(struct list){ 0 }));
 *     }
 *     END_TEST
 *
 *     TESTS("list", an_empty_list_has_no_first, a_list_keeps_its_order)
 *
 * Each test runs in a process of its own with a time limit, so one that crashes or hangs is one
 * failure and the rest still run. Results go to stdout as TAP; what a test itself prints belongs on
 * stderr. Programs run in the root of the source tree. For a debugger there is CK_FORK=no.
 *
 * Where tests need fixtures, or run once per row of a table, make the test cases by hand:
 *
 *     static TCase *
 *     rows(void)
 *     {
 *         TCase *c = tcase_create("rows");
 *
 *         tcase_add_checked_fixture(c, set_up, tear_down);
 *         tcase_add_loop_test(c, a_row_is_parsed, 0, COUNT(table));
 *         return c;
 *     }
 *
 *     TEST_CASES("parse", rows, errors) */
#ifndef PARLEY_BASE_TESTING_H
#define PARLEY_BASE_TESTING_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/array.h"

/* Seconds a test may take, so generous that only a hang gets there; tcase_set_timeout() overrides. */
#define TESTING_TIMEOUT_S "60"

/* Defines main() from tests named by START_TEST, as one test case. */
#define TESTS(suite_name, ...)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
                                                                                                   \
        return testing_run_tests(suite_name, tests, COUNT(tests));                                 \
    }

/* The same, each test between `set_up` and `tear_down`, in its own process. */
#define FIXTURE_TESTS(suite_name, set_up, tear_down, ...)                                          \
    static TCase *fixture_tests(void)                                                              \
    {                                                                                              \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
        TCase *c = tcase_create(suite_name);                                                       \
                                                                                                   \
        tcase_add_checked_fixture(c, set_up, tear_down);                                           \
        for (size_t i = 0; i < COUNT(tests); i++)                                                  \
            tcase_add_test(c, tests[i]);                                                           \
        return c;                                                                                  \
    }                                                                                              \
    TEST_CASES(suite_name, fixture_tests)

/* Defines main() from functions that each make a test case: TCase *f(void). */
#define TEST_CASES(suite_name, ...)                                                                \
    int main(void)                                                                                 \
    {                                                                                              \
        TCase *(*const cases[])(void) = { __VA_ARGS__ };                                           \
                                                                                                   \
        return testing_run_cases(suite_name, cases, COUNT(cases));                                 \
    }

/* Takes `suite`; gives main()'s exit status. A program that ran no test has failed. */
static inline int
testing_run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int ran, failed;

    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    ran = srunner_ntests_run(runner);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int
testing_run_tests(const char *suite_name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(suite_name);
    TCase *tcase;

    setenv("CK_DEFAULT_TIMEOUT", TESTING_TIMEOUT_S, 0);
    tcase = tcase_create(suite_name);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return testing_run_suite(suite);
}

static inline int
testing_run_cases(const char *suite_name, TCase *(*const *cases)(void), size_t n)
{
    Suite *suite = suite_create(suite_name);

    setenv("CK_DEFAULT_TIMEOUT", TESTING_TIMEOUT_S, 0);
    for (size_t i = 0; i < n; i++)
        suite_add_tcase(suite, cases[i]());
    return testing_run_suite(suite);
}

#endif
