/* credentials_test.c -- accounts whose credentials end, and that webhooks know by more than one id. */
#include "store/testing.h"

#include "base/id.h"

static struct testing_store s;

static const struct account page_account = {
    .external_id = { "1029384756", 10 }, .alt_external_id = { "1784", 4 }, .name = { "Acme", 4 },
    .token = { "page-token", 10 }, .details = { "{\"page_id\":\"1029384756\"}", 24 },
    .expires_at = TESTING_NOW + 60000, .refresh_at = TESTING_NOW + 50000, .cursor = { "c1", 2 },
};

static struct profile
connect_page(const struct account *from)
{
    struct profile p;

    OK(profile_connect(s.db, s.scope.workspace_id, s.group.id, id_generate(s.now), &instagram, from, s.now, &s.arena,
                       &p, &s.err));
    return p;
}

static struct profile
get(int64_t id)
{
    struct profile p;
    bool found;

    OK(profile_get(s.db, id, &s.arena, &p, &found, &s.err));
    ck_assert(found);
    return p;
}

START_TEST(everything_an_account_says_is_kept)
{
    struct profile p = connect_page(&page_account);
    struct account out;

    p = get(p.id);
    OK(profile_account(s.db, &p, &s.arena, &out, &s.err));
    ck_assert(str_eq(out.alt_external_id, STR("1784")));
    ck_assert(str_eq(out.details, page_account.details));
    ck_assert(str_eq(out.cursor, STR("c1")));
    ck_assert_int_eq(out.expires_at, TESTING_NOW + 60000);
    ck_assert_int_eq(out.refresh_at, TESTING_NOW + 50000);
    ck_assert_int_eq(ts_int(&s, "SELECT due_at FROM job WHERE kind = 13"), TESTING_NOW + 50000);
}
END_TEST

START_TEST(a_reconnect_keeps_its_position_and_moves_the_refresh)
{
    struct account later = page_account;
    struct profile p = connect_page(&page_account);

    OK(profile_set_cursor(s.db, p.id, STR("c9"), &s.err));
    later.refresh_at = TESTING_NOW + 90000;
    later.details = STR("{}");
    connect_page(&later);
    p = get(p.id);
    ck_assert(str_eq(p.poll_cursor, STR("c9")));
    ck_assert(str_eq(p.details, STR("{}")));
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job WHERE kind = 13"), 1);
    ck_assert_int_eq(ts_int(&s, "SELECT due_at FROM job WHERE kind = 13"), TESTING_NOW + 90000);
}
END_TEST

START_TEST(a_refresh_replaces_the_token_it_was_made_from)
{
    struct account fresh = { .token = STR("fresh"), .details = STR("{\"pds\":\"x\"}"), .expires_at = 7,
                             .refresh_at = 5 };
    struct profile p = connect_page(&page_account);
    struct account out;

    ts_exec(&s, "DELETE FROM job");
    OK(profile_refreshed(s.db, p.id, STR("another"), &fresh, s.now, &s.err));
    OK(profile_account(s.db, &p, &s.arena, &out, &s.err));
    ck_assert(str_eq(out.token, STR("page-token"))); /* somebody connected it anew meanwhile */
    ck_assert_int_eq(ts_int(&s, "SELECT COUNT(*) FROM job"), 0);
    OK(profile_refreshed(s.db, p.id, STR("page-token"), &fresh, s.now, &s.err));
    p = get(p.id);
    OK(profile_account(s.db, &p, &s.arena, &out, &s.err));
    ck_assert(str_eq(out.token, STR("fresh")));
    ck_assert(str_eq(out.details, fresh.details));
    ck_assert_int_eq(p.expires_at, 7);
    ck_assert_int_eq(ts_int(&s, "SELECT due_at FROM job WHERE kind = 13"), 5);
}
END_TEST

START_TEST(an_account_is_found_in_every_workspace_by_both_ids)
{
    struct profile p = connect_page(&page_account), other = ts_account(&s, &instagram, "1784"), *list;
    size_t n;

    OK(profile_list_of_account(s.db, "instagram", STR("1784"), &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 2);
    OK(profile_list_of_account(s.db, "facebook", STR("1784"), &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 0);
    OK(profile_list_of_account(s.db, "instagram", STR("1029384756"), &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].id, p.id);
    OK(profile_expire(s.db, p.id, STR("no"), s.now, &s.err));
    OK(profile_delete(s.db, &other, s.now, &s.err));
    OK(profile_list_of_account(s.db, "instagram", STR("1784"), &s.arena, &list, &n, &s.err));
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(list[0].id, p.id);
}
END_TEST

STORE_TESTS("credentials", everything_an_account_says_is_kept, a_reconnect_keeps_its_position_and_moves_the_refresh,
            a_refresh_replaces_the_token_it_was_made_from, an_account_is_found_in_every_workspace_by_both_ids)
