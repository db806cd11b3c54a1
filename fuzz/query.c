/* query.c -- pages, times and choices behind the '?'. */
#include "api/query.h"

#include <assert.h>

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_time(struct str text)
{
    char    written[TIME_TEXT_MAX];
    int64_t ms, again;

    if (!time_parse(text, &ms))
        return;
    time_format(ms, written);
    assert(time_parse(str_of(written), &again) && again == ms);
}

static void
check_refused(const struct error *err)
{
    assert(err->status == 400 && err->message[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { NULL, "inbound", "outbound" };
    struct http_request      r = { .method = METHOD_GET, .query = { (const char *)data, size } };
    struct error             err = { 0 };
    int64_t                  page, per_page, ms;
    struct arena             a;
    int                      choice;

    arena_init(&a);
    check_time(r.query);
    if (query_page(&r, &a, &page, &per_page, &err))
        assert(page >= 0 && per_page >= 1 && per_page <= PER_PAGE_MAX);
    else
        check_refused(&err);
    if (query_time(&r, "after", &a, &ms, &err))
        check_time(http_query_get(&r, STR("after"), &a));
    else
        check_refused(&err);
    if (query_choice(&r, "direction", names, 3, &a, &choice, &err))
        assert(choice >= 0 && choice < 3);
    else
        check_refused(&err);
    arena_deinit(&a);
    return 0;
}
