#include "api/query.h"

#include "base/testing_str.h"

static const char *const names[] = { NULL, "inbound", "outbound" };

static struct http_request
asking(const char *query)
{
    return (struct http_request){ .query = str_of(query) };
}

static const struct {
    const char *query;
    int64_t     page, per_page; /* page -1 = refused */
    const char *sentence;
} pages[] = {
    { NULL, 0, 20, NULL },
    { "", 0, 20, NULL },
    { "page=0&per_page=1", 0, 1, NULL },
    { "page=7&per_page=100", 7, 100, NULL },
    { "page=3", 3, 20, NULL },
    { "page=9223372036854775807", INT64_MAX, 20, NULL },
    { "page=-1", -1, 0, "page must be a number from 0, not '-1'" },
    { "page=x", -1, 0, "page must be a number from 0, not 'x'" },
    { "page=", -1, 0, "page must be a number from 0, not ''" },
    { "page=1.5", -1, 0, "page must be a number from 0, not '1.5'" },
    { "page=9223372036854775808", -1, 0, "page must be a number from 0, not '9223372036854775808'" },
    { "per_page=0", -1, 0, "per_page must be a number from 1 to 100, not '0'" },
    { "per_page=101", -1, 0, "per_page must be a number from 1 to 100, not '101'" },
    { "per_page=%C3%A9", -1, 0, "per_page must be a number from 1 to 100, not '\u00e9'" },
};

START_TEST(pages_are_numbers_in_range)
{
    struct arena        a = { 0 };
    struct error        err = { 0 };
    struct http_request r = asking(pages[_i].query);
    int64_t             page, per_page;
    bool                ok = query_page(&r, &a, &page, &per_page, &err);

    ck_assert(ok == !pages[_i].sentence);
    if (ok) {
        ck_assert_int_eq(page, pages[_i].page);
        ck_assert_int_eq(per_page, pages[_i].per_page);
    } else {
        ck_assert_int_eq(err.status, 400);
        ck_assert_str_eq(err.message, pages[_i].sentence);
    }
    arena_deinit(&a);
}
END_TEST

START_TEST(times_are_read_or_refused)
{
    struct arena        a = { 0 };
    struct error        err = { 0 };
    struct http_request r = asking("z=2026-11-22T07:35:46Z&o=2026-11-22T09:35:46%2B02:00&plus=2026-11-22T09:35:46+02:00"
                                   "&epoch=1970-01-01T00:00:00Z&bad=yesterday");
    int64_t             ms;

    ck_assert(query_time(&r, "z", &a, &ms, &err));
    ck_assert_int_eq(ms, 1795332946000);
    ck_assert(query_time(&r, "o", &a, &ms, &err));
    ck_assert_int_eq(ms, 1795332946000);
    ck_assert(query_time(&r, "plus", &a, &ms, &err));
    ck_assert_int_eq(ms, 1795332946000);
    ck_assert(query_time(&r, "missing", &a, &ms, &err));
    ck_assert_int_eq(ms, 0);
    ck_assert(query_time(&r, "epoch", &a, &ms, &err));
    ck_assert_int_eq(ms, -1);
    ck_assert(!query_time(&r, "bad", &a, &ms, &err));
    ck_assert_int_eq(err.status, 400);
    ck_assert_ptr_nonnull(strstr(err.message, "bad must be an ISO 8601 time"));
    ck_assert_ptr_nonnull(strstr(err.message, "'yesterday'"));
    arena_deinit(&a);
}
END_TEST

START_TEST(choices_are_named_when_none_fits)
{
    static const char *const four[] = { NULL, "a", NULL, "b", "c" };
    struct arena             a = { 0 };
    struct error             err = { 0 };
    struct http_request      r = asking("direction=outbound&wrong=in&x=");
    int                      which;

    ck_assert(query_choice(&r, "direction", names, 3, &a, &which, &err));
    ck_assert_int_eq(which, 2);
    ck_assert(query_choice(&r, "missing", names, 3, &a, &which, &err));
    ck_assert_int_eq(which, 0);
    ck_assert(!query_choice(&r, "wrong", names, 3, &a, &which, &err));
    ck_assert_str_eq(err.message, "wrong must be inbound or outbound, not 'in'");
    ck_assert(!query_choice(&r, "x", four, 5, &a, &which, &err));
    ck_assert_str_eq(err.message, "x must be a, b or c, not ''");
    arena_deinit(&a);
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("query");

    tcase_add_loop_test(c, pages_are_numbers_in_range, 0, COUNT(pages));
    tcase_add_test(c, times_are_read_or_refused);
    tcase_add_test(c, choices_are_named_when_none_fits);
    return c;
}

TEST_CASES("query", all)
