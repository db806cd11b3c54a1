/* oauth_test.c -- access granted on the platform's own pages: the way there, and what comes of the way back. */
#include "api/connect.h"
#include "api/testing_api.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/testing_str.h"

#define CALLBACK "/connect/meta/callback"

static struct testing_api t;

static void
set_up(void)
{
    testing_api_start(&t);
    t.env.meta_login_url = STR("https://www.facebook.com");
    t.env.instagram_login_url = STR("https://www.instagram.com");
    t.env.meta_version = STR("v25.0");
    t.env.meta_app_id = t.env.instagram_app_id = STR("1180559876543210");
    t.env.meta_app_secret = t.env.instagram_app_secret = STR("app-secret");
}

static void
tear_down(void)
{
    testing_api_stop(&t);
}

static const char *
connection_path(void)
{
    return text(&t, "/api/profile_groups/%s/initialize_connection", t.group);
}

/* As the platform gives it back. */
static const char *
state_of(struct testing_reply r)
{
    struct str url = arena_copy(&t.arena, api_text(&t, r, "url")), state;
    ptrdiff_t  at = str_find(url, STR("state="));

    ck_assert_msg(at >= 0, "no state in %.*s", STR_ARG(url));
    str_cut(str_from(url, (size_t)at + 6), '&', &state, &url);
    return text(&t, "%.*s", STR_ARG(state));
}

static const char *
begin(const char *body)
{
    return state_of(api_ask(&t, "POST", connection_path(), body, 200));
}

static struct ask *
come_back(const char *state)
{
    struct ask *ask;

    api_send(&t, &t.client, "GET", text(&t, CALLBACK "?code=AQD%%2Fx&state=%s", state), "", NULL);
    ask = testing_asked(OP_EXCHANGE);
    ck_assert_slice(ask->op.code, "AQD/x");
    ck_assert_slice(ask->op.redirect_uri, "https://dm.example.org/connect/meta/callback");
    return ask;
}

static void
grant(struct ask *ask, size_t n)
{
    static const char *const names[] = { "Lindgren <Ceramics>", "Second", "Third" };

    ask->op.accounts = arena_array(ask->op.arena, struct account, n);
    for (size_t i = 0; i < n; i++)
        ask->op.accounts[i] = (struct account){
            .external_id = arena_printf(ask->op.arena, "900%zu", i),
            .token = arena_printf(ask->op.arena, "page-token-%zu", i), .name = str_of(names[i]),
        };
    ask->op.account_count = n;
    testing_answer(ask);
}

/* The platform agrees to account `i` of those that were granted; what follows it is asked next. */
static struct ask *
subscribing(int i)
{
    struct ask *ask = testing_asked(OP_CONNECT);

    ck_assert(str_eq(ask->op.account.external_id, str_of(text(&t, "900%d", i))));
    testing_answer(ask);
    ask = testing_asked(OP_SUBSCRIBE);
    ck_assert(str_eq(ask->op.account.token, str_of(text(&t, "page-token-%d", i))));
    return ask;
}

START_TEST(a_person_is_sent_to_the_platform)
{
    struct testing_reply r = api_ask(&t, "POST", connection_path(), "{\"platform\":\"facebook\"}", 200);
    struct str           url = api_text(&t, r, "url");
    struct oauth_state   s;
    struct error         err;

    ck_assert(json_true(api_json(&t, r), "success"));
    ck_assert(str_starts(url, STR("https://www.facebook.com/")));
    ck_assert(str_find(url, STR("%2F%2Fdm.example.org%2Fconnect%2Fmeta%2Fcallback&")) >= 0);
    ck_assert(oauth_state_open(str_of(state_of(r)), clock_now_ms(), &t.arena, &s, &err));
    ck_assert_int_eq(s.workspace_id, t.workspace_id);
    ck_assert_int_eq(s.group_id, t.group_id);
    ck_assert_ptr_eq(s.platform, &facebook);
    ck_assert_none(s.redirect_url);
}
END_TEST

START_TEST(what_is_not_configured_is_said)
{
    struct testing_reply r;

    config.public_url = STR_NONE;
    r = api_ask(&t, "POST", connection_path(), "{\"platform\":\"instagram\"}", 422);
    ck_assert_error(&t, r, "Granting access on Instagram needs a public URL to come back to (PARLEY_PUBLIC_URL)");
    config.public_url = STR("https://dm.example.org");
    t.env.meta_app_id = t.env.meta_app_secret = t.env.instagram_app_id = t.env.instagram_app_secret = STR_NONE;
    api_ask(&t, "POST", connection_path(), "{\"platform\":\"facebook\"}", 422);
    api_ask(&t, "POST", connection_path(), "{\"platform\":\"instagram\"}", 422);
}
END_TEST

START_TEST(all_that_was_granted_is_connected)
{
    struct testing_reply r;

    grant(come_back(begin("{\"platform\":\"facebook\"}")), 2);
    testing_answer(subscribing(0));
    testing_answer(subscribing(1));
    r = api_read(&t.client, 200);
    ck_assert_slice(testing_header(&r, "Content-Type"), "text/html; charset=utf-8");
    ck_assert_slice(testing_header(&r, "X-Content-Type-Options"), "nosniff");
    ck_assert(str_starts(testing_header(&r, "Content-Security-Policy"), STR("default-src 'none'")));
    ck_assert(str_find(r.body, STR("Lindgren &lt;Ceramics&gt;</b>: connected")) >= 0);
    ck_assert(str_find(r.body, STR("Second</b>: connected")) >= 0);
    ck_assert(str_find(r.body, STR("page-token")) < 0);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile WHERE platform = 'facebook' AND status = 1"), 2);
    ck_assert_int_eq(testing_api_events(&t, EVENT_PROFILE_CONNECTED), 3); /* with the fixture's */
}
END_TEST

START_TEST(one_that_is_refused_keeps_no_other_from_it)
{
    struct testing_reply r;
    struct str           to;

    grant(come_back(begin("{\"platform\":\"facebook\",\"redirect_url\":\"https://app.example/done?a=1#top\"}")), 3);
    testing_answer(subscribing(0));
    testing_refuse(subscribing(1), "(#200) Needs pages_messaging & more");
    testing_postpone(testing_asked(OP_CONNECT), 429, 1000, "Later");
    r = api_read(&t.client, 303);
    to = testing_header(&r, "Location");
    ck_assert(str_starts(to, STR("https://app.example/done?a=1&success=true&profiles=prof_")));
    ck_assert(str_ends(to, STR("&error=%28%23200%29%20Needs%20pages_messaging%20%26%20more#top")));
    ck_assert(str_find(to, STR("%2C")) < 0 && str_find(to, STR(",")) < 0);
    ck_assert_slice(testing_header(&r, "Referrer-Policy"), "no-referrer");
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile WHERE platform = 'facebook'"), 1);
}
END_TEST

START_TEST(what_the_platform_refuses_is_told)
{
    struct testing_reply r;
    const char          *body = "{\"platform\":\"facebook\",\"redirect_url\":\"http://localhost:3000/done\"}";

    testing_refuse(come_back(begin(body)), "This authorization code has been used.");
    r = api_read(&t.client, 303);
    ck_assert_slice(testing_header(&r, "Location"), "http://localhost:3000/done?success=false"
                    "&error=This%20authorization%20code%20has%20been%20used.");
    grant(come_back(begin(body)), 0);
    r = api_read(&t.client, 303);
    ck_assert_slice(testing_header(&r, "Location"), "http://localhost:3000/done?success=false"
                    "&error=No%20account%20was%20granted%20that%20could%20be%20connected");
    testing_refuse(come_back(begin("{\"platform\":\"instagram\"}")), "<b>no</b>");
    r = api_read(&t.client, 422);
    ck_assert(str_find(r.body, STR("<h1>Instagram was not connected</h1>")) >= 0);
    ck_assert(str_find(r.body, STR("&lt;b&gt;no&lt;/b&gt;")) >= 0);
}
END_TEST

START_TEST(a_person_who_grants_nothing_comes_back_too)
{
    const char *state = begin("{\"platform\":\"facebook\",\"redirect_url\":\"https://app.example/done\"}");
    const char *said = "error=access_denied&error_reason=user_denied&error_description=Permissions+error";
    struct testing_reply r;

    r = api_ask_with(&t, "GET", text(&t, CALLBACK "?%s&state=%s", said, state), "", NULL, 303);
    ck_assert_slice(testing_header(&r, "Location"), "https://app.example/done?success=false&error=Permissions%20error");
}
END_TEST

START_TEST(nobody_else_can_make_a_state)
{
    const char          *state = begin("{\"platform\":\"facebook\"}");
    struct oauth_state   s = { .workspace_id = t.workspace_id, .group_id = t.group_id, .platform = &facebook,
                               .redirect_url = STR("https://evil.example") };
    struct testing_reply r;

    r = api_ask_with(&t, "GET", CALLBACK "?code=x", "", NULL, 400);
    ck_assert_slice(testing_header(&r, "Content-Type"), "text/html; charset=utf-8");
    api_ask_with(&t, "GET", text(&t, CALLBACK "?code=x&state=%sA", state), "", NULL, 400);
    api_ask_with(&t, "GET", text(&t, CALLBACK "?state=%s", state), "", NULL, 400); /* no code */
    r = api_ask_with(&t, "GET", text(&t, CALLBACK "?code=x&state=%s",
        oauth_state_seal(&s, clock_now_ms() - OAUTH_STATE_KEEP_MS, &t.arena).ptr), "", NULL, 400);
    ck_assert(str_find(r.body, STR("more than 20 minutes old")) >= 0);
    ck_assert_none(testing_header(&r, "Location"));
}
END_TEST

START_TEST(an_address_is_good_for_one_time)
{
    const char          *state = begin("{\"platform\":\"facebook\"}");
    const char          *address = text(&t, CALLBACK "?code=AQD&state=%s", state);
    struct testing_reply r;

    r = api_ask_with(&t, "HEAD", text(&t, CALLBACK "?code=AQD%%2Fx&state=%s", state), "", NULL, 200);
    ck_assert(r.body.len == 0 && testing_nothing_asked());
    grant(come_back(state), 1);
    testing_answer(subscribing(0));
    api_read(&t.client, 200);
    for (int i = 0; i < 2; i++) {
        r = api_ask_with(&t, "GET", address, "", NULL, 400);
        ck_assert(str_find(r.body, STR("This address was used already")) >= 0);
        ck_assert(testing_nothing_asked());
    }
    grant(come_back(begin("{\"platform\":\"facebook\"}")), 0); /* another one is not */
    api_read(&t.client, 422);
}
END_TEST

/* Who says no may think again. */
START_TEST(a_denial_uses_nothing_up)
{
    const char *state = begin("{\"platform\":\"facebook\"}");

    api_ask_with(&t, "GET", text(&t, CALLBACK "?error=access_denied&state=%s", state), "", NULL, 200);
    grant(come_back(state), 0);
    api_read(&t.client, 422);
}
END_TEST

/* Between leaving and coming back the group was deleted. */
START_TEST(a_group_that_is_gone_gets_no_profiles)
{
    struct testing_reply r = api_ask(&t, "POST", "/api/profile_groups", "{\"name\":\"Other\"}", 201);
    const char          *group = text(&t, "/api/profile_groups/%.*s", STR_ARG(api_text(&t, r, "id"))), *state;

    r = api_ask(&t, "POST", text(&t, "%s/initialize_connection", group), "{\"platform\":\"facebook\"}", 200);
    state = state_of(r);
    api_ask(&t, "DELETE", group, NULL, 200);
    grant(come_back(state), 1);
    testing_answer(subscribing(0));
    r = api_read(&t.client, 422);
    ck_assert(str_find(r.body, STR("was not connected")) >= 0);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile WHERE platform = 'facebook'"), 0);
}
END_TEST

static TCase *
all(void)
{
    TCase *c = tcase_create("oauth");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_person_is_sent_to_the_platform);
    tcase_add_test(c, what_is_not_configured_is_said);
    tcase_add_test(c, all_that_was_granted_is_connected);
    tcase_add_test(c, one_that_is_refused_keeps_no_other_from_it);
    tcase_add_test(c, what_the_platform_refuses_is_told);
    tcase_add_test(c, a_person_who_grants_nothing_comes_back_too);
    tcase_add_test(c, nobody_else_can_make_a_state);
    tcase_add_test(c, an_address_is_good_for_one_time);
    tcase_add_test(c, a_denial_uses_nothing_up);
    tcase_add_test(c, a_group_that_is_gone_gets_no_profiles);
    return c;
}

TEST_CASES("oauth", all)
