#include "store/testing.h"

#include <stdio.h>

#include "store/idempotency.h"
#include "store/raw_payload.h"

static struct testing_store s;

enum { PROCESS = 9 };

static const uint8_t request[SHA256_SIZE] = { 1 }, another[SHA256_SIZE] = { 2 };

static bool
claim(const uint8_t hash[SHA256_SIZE], bool *replay, int *status, struct str *body)
{
    *status = 0;
    *body = STR_NONE;
    return idempotency_claim(s.db, s.scope.workspace_id, STR("key-1"), hash, PROCESS, s.now, &s.arena, replay,
                             status, body, &s.err);
}

static void
remember(int status, struct str body)
{
    OK(idempotency_remember(s.db, s.scope.workspace_id, STR("key-1"), status, body, &s.err));
}

START_TEST(a_repeat_gets_the_first_answer)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    ck_assert(!replay);
    remember(202, STR("{\"id\":1}"));
    OK(claim(request, &replay, &status, &body));
    ck_assert(replay);
    ck_assert_int_eq(status, 202);
    ck_assert(str_eq(body, STR("{\"id\":1}")));
}
END_TEST

START_TEST(another_request_may_not_use_the_key)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    REFUSED(claim(another, &replay, &status, &body), 422, "'key-1' was used for another request");
    remember(202, STR("{}"));
    REFUSED(claim(another, &replay, &status, &body), 422, "'key-1' was used for another request");
}
END_TEST

START_TEST(what_is_good_for_one_time_is_used_up)
{
    int64_t removed;
    bool first;

    OK(idempotency_use_up(s.db, STR("oauth:a"), s.now, &first, &s.err));
    ck_assert(first);
    OK(idempotency_use_up(s.db, STR("oauth:b"), s.now, &first, &s.err));
    ck_assert(first);
    OK(idempotency_abandon(s.db, s.now, &s.err)); /* it is nothing that runs */
    OK(idempotency_use_up(s.db, STR("oauth:a"), s.now, &first, &s.err));
    ck_assert(!first);
    OK(idempotency_prune(s.db, s.now + IDEMPOTENCY_KEEP_MS + 1, 10, &removed, &s.err));
    ck_assert_int_eq(removed, 2);
}
END_TEST

START_TEST(two_workspaces_do_not_share_keys)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    OK(idempotency_claim(s.db, s.scope.workspace_id + 1, STR("key-1"), another, PROCESS, s.now, &s.arena, &replay,
                         &status, &body, &s.err));
    ck_assert(!replay);
}
END_TEST

START_TEST(while_the_first_runs_others_wait_but_not_for_ever)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    ts_tick(&s, IDEMPOTENCY_STALE_MS);
    REFUSED(claim(request, &replay, &status, &body), 409, "still running");
    ts_tick(&s, 1);
    OK(claim(request, &replay, &status, &body)); /* it died with its process */
    ck_assert(!replay);
    REFUSED(claim(request, &replay, &status, &body), 409, "still running");
}
END_TEST

START_TEST(what_was_released_is_free)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    OK(idempotency_release(s.db, s.scope.workspace_id, STR("key-1"), &s.err));
    OK(claim(another, &replay, &status, &body));
    ck_assert(!replay);
}
END_TEST

START_TEST(a_start_frees_what_was_running_and_nothing_else)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    OK(idempotency_remember(s.db, s.scope.workspace_id, STR("key-1"), 202, STR("{}"), &s.err));
    OK(idempotency_claim(s.db, s.scope.workspace_id, STR("key-2"), request, PROCESS, s.now, &s.arena, &replay,
                         &status, &body, &s.err));
    OK(idempotency_abandon(s.db, s.now, &s.err));
    OK(claim(request, &replay, &status, &body));
    ck_assert(replay);
    ck_assert_int_eq(status, 202);
    OK(idempotency_claim(s.db, s.scope.workspace_id, STR("key-2"), another, PROCESS, s.now, &s.arena, &replay,
                         &status, &body, &s.err));
    ck_assert(!replay);
}
END_TEST

START_TEST(after_a_day_the_key_is_free)
{
    struct str body;
    bool replay;
    int status;

    OK(claim(request, &replay, &status, &body));
    remember(202, STR("{}"));
    ts_tick(&s, IDEMPOTENCY_KEEP_MS);
    OK(claim(request, &replay, &status, &body));
    ck_assert(replay);
    ts_tick(&s, 1);
    OK(claim(another, &replay, &status, &body));
    ck_assert(!replay);
}
END_TEST

START_TEST(pruning_takes_the_old_ones_a_few_at_a_time)
{
    char key[16];
    struct str body;
    bool replay;
    int status;
    int64_t removed;

    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof(key), "old-%d", i);
        OK(idempotency_claim(s.db, s.scope.workspace_id, str_of(key), request, PROCESS, s.now, &s.arena, &replay,
                         &status, &body, &s.err));
    }
    ts_tick(&s, IDEMPOTENCY_KEEP_MS);
    OK(claim(request, &replay, &status, &body));
    OK(idempotency_prune(s.db, s.now, 3, &removed, &s.err));
    ck_assert_int_eq(removed, 0);
    ts_tick(&s, 1);
    OK(idempotency_prune(s.db, s.now, 3, &removed, &s.err));
    ck_assert_int_eq(removed, 3);
    OK(idempotency_prune(s.db, s.now, 3, &removed, &s.err));
    ck_assert_int_eq(removed, 2);
    ck_assert(str_eq(ts_text(&s, "SELECT key FROM idempotency"), STR("key-1")));
}
END_TEST

/* ---- payloads nobody understood; too little for a file of their own ---- */

START_TEST(payloads_are_kept_in_order_until_removed)
{
    int64_t id, first, profile_id, size;
    struct str body;
    bool found;

    OK(raw_payload_next(s.db, 0, &s.arena, &id, &profile_id, &body, &found, &s.err));
    ck_assert(!found);
    OK(raw_payload_keep(s.db, 7, STR("one"), s.now, &s.err));
    OK(raw_payload_keep(s.db, 8, STR("two"), s.now, &s.err));
    OK(raw_payload_size(s.db, 7, &size, &s.err));
    ck_assert_int_eq(size, 4096);
    OK(raw_payload_size(s.db, 9, &size, &s.err));
    ck_assert_int_eq(size, 0);
    OK(raw_payload_next(s.db, 0, &s.arena, &first, &profile_id, &body, &found, &s.err));
    ck_assert(found);
    ck_assert(str_eq(body, STR("one")));
    ck_assert_int_eq(profile_id, 7);
    OK(raw_payload_next(s.db, first, &s.arena, &id, &profile_id, &body, &found, &s.err));
    ck_assert(found);
    ck_assert(str_eq(body, STR("two")));
    OK(raw_payload_remove(s.db, first, &s.err));
    OK(raw_payload_next(s.db, 0, &s.arena, &first, &profile_id, &body, &found, &s.err));
    ck_assert(found);
    ck_assert_int_eq(first, id);
    OK(raw_payload_next(s.db, id, &s.arena, &first, &profile_id, &body, &found, &s.err));
    ck_assert(!found);
}
END_TEST

STORE_TESTS("idempotency", what_is_good_for_one_time_is_used_up,
            a_repeat_gets_the_first_answer, another_request_may_not_use_the_key,
            two_workspaces_do_not_share_keys, while_the_first_runs_others_wait_but_not_for_ever,
            what_was_released_is_free, a_start_frees_what_was_running_and_nothing_else, after_a_day_the_key_is_free,
            pruning_takes_the_old_ones_a_few_at_a_time, payloads_are_kept_in_order_until_removed)
