#include "sandbox/bluesky/tokens.h"

#include <stdio.h>

#include "base/testing.h"

#define HOUR_MS INT64_C(3600000)

static struct stage       stage;
static struct bs          bs;
static struct arena       arena;
static struct bs_account *desk;

static void
set_up(void)
{
    bs_init(&bs, &stage);
    desk = bs_account_by_did(&bs, STR(BS_DESK_DID));
}

static void
tear_down(void)
{
    bs_deinit(&bs);
    arena_deinit(&arena);
}

static const struct bs_app_password *
app_password(const char *name)
{
    for (const struct bs_app_password *p = desk->passwords; p; p = p->next)
        if (str_eq(p->name, str_of(name)))
            return p;
    return NULL;
}

static struct bs_token
read_token(struct str text)
{
    struct bs_token t;

    ck_assert(bs_token_read(&bs, text, &arena, &t));
    return t;
}

START_TEST(a_token_tells_whose_it_is_and_what_it_may)
{
    struct bs_session *chat = bs_session_open(desk, app_password("chat")), *main = bs_session_open(desk, NULL);
    struct bs_session *none = bs_session_open(desk, app_password("none"));
    struct bs_token    t = read_token(bs_access_token(desk, chat, &arena));

    ck_assert_ptr_eq(t.account, desk);
    ck_assert_int_eq(t.kind, BS_TOKEN_ACCESS);
    ck_assert(t.privileged && !t.expired);
    ck_assert(!read_token(bs_access_token(desk, none, &arena)).privileged);
    ck_assert(read_token(bs_access_token(desk, main, &arena)).privileged);
    t = read_token(bs_refresh_token(desk, chat, &arena));
    ck_assert_int_eq(t.kind, BS_TOKEN_REFRESH);
    ck_assert_str_eq(t.id, chat->id);
}
END_TEST

START_TEST(what_we_did_not_sign_is_no_token)
{
    struct str      good = bs_access_token(desk, bs_session_open(desk, NULL), &arena);
    struct str      changed = arena_copy(&arena, good);
    struct bs_token t;

    for (size_t i = 0; i < good.len; i++) {
        char *at = (char *)changed.ptr + i, was = *at;

        *at = was == 'A' ? 'B' : 'A';
        ck_assert_msg(!bs_token_read(&bs, changed, &arena, &t), "byte %zu", i);
        *at = was;
    }
    ck_assert(!bs_token_read(&bs, STR(""), &arena, &t));
    ck_assert(!bs_token_read(&bs, STR("a.b"), &arena, &t));
    ck_assert(!bs_token_read(&bs, STR("..."), &arena, &t));
}
END_TEST

START_TEST(tokens_age_in_the_sandboxes_time_or_when_told)
{
    struct bs_session *s = bs_session_open(desk, NULL);
    struct str         access = bs_access_token(desk, s, &arena), refresh = bs_refresh_token(desk, s, &arena);

    stage.ahead_ms += 2 * HOUR_MS - 60000;
    ck_assert(!read_token(access).expired);
    stage.ahead_ms += 60000;
    ck_assert(read_token(access).expired);
    ck_assert(!read_token(refresh).expired);
    access = bs_access_token(desk, s, &arena);
    ck_assert(!read_token(access).expired);
    desk->generation++;
    ck_assert(read_token(access).expired);
    stage.ahead_ms += INT64_C(2160) * HOUR_MS;
    ck_assert(read_token(refresh).expired);
    ck_assert_ptr_null(bs_session_get(desk, s->id));
}
END_TEST

START_TEST(rotating_again_within_two_hours_gives_the_same_successor)
{
    struct bs_session *first = bs_session_open(desk, app_password("chat"));
    struct bs_session *next = bs_session_rotate(desk, first);
    char               id[33];

    snprintf(id, sizeof(id), "%s", first->id);
    ck_assert_str_ne(next->id, id);
    ck_assert_ptr_eq(bs_session_rotate(desk, first), next);
    stage.ahead_ms += 2 * HOUR_MS - 60000;
    ck_assert_ptr_eq(bs_session_rotate(desk, bs_session_get(desk, id)), next);
    stage.ahead_ms += 60000;
    ck_assert_ptr_null(bs_session_get(desk, id));
    ck_assert_ptr_eq(bs_session_get(desk, next->id), next);
}
END_TEST

START_TEST(without_any_grace_the_old_one_is_gone_at_once)
{
    struct bs_session *first = bs_session_open(desk, app_password("chat")), *next;
    char               id[33];

    snprintf(id, sizeof(id), "%s", first->id);
    bs.settings.grace_s = 0;
    next = bs_session_rotate(desk, first);
    ck_assert_ptr_null(bs_session_get(desk, id));
    ck_assert_str_eq(next->app_password.ptr, "chat");
    ck_assert(next->privileged);
}
END_TEST

START_TEST(a_revoked_app_password_takes_its_sessions_along_but_not_live_access_tokens)
{
    struct bs_session *chat = bs_session_open(desk, app_password("chat"));
    struct bs_session *none = bs_session_open(desk, app_password("none"));
    struct str         access = bs_access_token(desk, chat, &arena);
    char               id[33];

    snprintf(id, sizeof(id), "%s", chat->id);
    ck_assert(bs_app_password_revoke(desk, STR("chat")));
    ck_assert(!bs_app_password_revoke(desk, STR("chat")));
    ck_assert_ptr_null(bs_session_get(desk, id));
    ck_assert_ptr_eq(bs_session_get(desk, none->id), none);
    ck_assert(!read_token(access).expired);
}
END_TEST

static TCase *
tokens(void)
{
    TCase *c = tcase_create("tokens");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_token_tells_whose_it_is_and_what_it_may);
    tcase_add_test(c, what_we_did_not_sign_is_no_token);
    tcase_add_test(c, tokens_age_in_the_sandboxes_time_or_when_told);
    tcase_add_test(c, rotating_again_within_two_hours_gives_the_same_successor);
    tcase_add_test(c, without_any_grace_the_old_one_is_gone_at_once);
    tcase_add_test(c, a_revoked_app_password_takes_its_sessions_along_but_not_live_access_tokens);
    return c;
}

TEST_CASES("tokens", tokens)
