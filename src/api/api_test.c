/* api_test.c -- the API from outside: who may call, what paths and bodies mean, and what there is to read. */
#include "api/testing_api.h"

#include "base/config.h"
#include "base/testing_str.h"

API_FIXTURE()

/* ---- who may call ---- */

START_TEST(without_a_good_key_nothing_is_told)
{
    struct testing_reply r = api_ask_with(&t, "GET", "/api/profiles", "", NULL, 401);

    ck_assert_error(&t, r, "The API key is missing or unknown");
    ck_assert_slice(testing_header(&r, "WWW-Authenticate"), "Bearer realm=\"parley\"");
    ck_assert(str_eq(api_text(&t, r, "request_id"), testing_header(&r, "X-Request-Id")));
    api_ask_with(&t, "GET", "/api/profiles", "Authorization: Bearer pk_wrong_wrong_wrong\r\n", NULL, 401);
    api_ask_with(&t, "GET", "/api/profiles", "Authorization: Basic " TESTING_KEY "\r\n", NULL, 401);
    api_ask_with(&t, "GET", "/api/profiles", "authorization: bearer " TESTING_KEY "\r\n", NULL, 200);
    api_ask_with(&t, "POST", "/api/profile_groups", "Content-Type: application/json\r\n", "{\"name\":\"x\"}", 401);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM profile_group"), 1);
}
END_TEST

static bool
revoke_key(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return key_revoke(db, STR("PARLEY_API_KEY"), 1, err);
}

START_TEST(a_revoked_key_stops_at_once)
{
    struct error err = { 0 };

    api_ask(&t, "GET", "/api/profiles", NULL, 200);
    api_ask(&t, "GET", "/api/profiles", NULL, 200);
    ck_assert_msg(db_run(t.engine, DB_WRITE, revoke_key, NULL, &err), "%s", err.message);
    api_ask(&t, "GET", "/api/profiles", NULL, 401);
}
END_TEST

static bool
limit_key(void *arg, struct db *db, struct error *err)
{
    struct secret key = { 0 };
    int64_t       id;
    bool          ok = key_create(db, t.workspace_id, *(int64_t *)arg, STR("limited"), 1, &key, &id, err);

    if (ok)
        *(const char **)((char *)arg + 8) = arena_copy(&t.arena, secret_str(&key)).ptr;
    secret_wipe(&key);
    return ok;
}

START_TEST(a_key_of_one_group_sees_no_other)
{
    struct {
        int64_t     group_id;
        const char *key;
    } limited = { .group_id = t.group_id };
    struct error         err = { 0 };
    struct testing_reply r = api_ask(&t, "POST", "/api/profile_groups", "{\"name\":\"Other\"}", 201);
    const char          *other = arena_copy(&t.arena, api_text(&t, r, "id")).ptr, *headers;

    ck_assert_msg(db_run(t.engine, DB_WRITE, limit_key, &limited, &err), "%s", err.message);
    headers = text(&t, "Authorization: Bearer %s\r\n", limited.key);
    r = api_ask_with(&t, "GET", "/api/profile_groups", headers, NULL, 200);
    ck_assert_uint_eq(yyjson_arr_size(json_arr(api_json(&t, r), "data")), 1);
    api_ask_with(&t, "GET", text(&t, "/api/profile_groups/%s", other), headers, NULL, 404);
    api_ask_with(&t, "GET", text(&t, "/api/profiles?profile_group_id=%s", other), headers, NULL, 404);
    api_ask_with(&t, "GET", text(&t, "/api/profiles?profile_group_id=%s", t.group), headers, NULL, 200);
    api_ask_with(&t, "POST", "/api/profile_groups", headers, "{\"name\":\"x\"}", 422);
}
END_TEST

START_TEST(a_request_can_be_narrowed_to_a_group)
{
    struct testing_reply r = api_ask(&t, "POST", "/api/profile_groups?profile_group_id=", "{\"name\":\"Other\"}", 201);
    const char          *other = arena_copy(&t.arena, api_text(&t, r, "id")).ptr;

    api_ask(&t, "GET", text(&t, "/api/profiles/%s?profile_group_id=%s", t.profile, t.group), NULL, 200);
    api_ask(&t, "GET", text(&t, "/api/profiles/%s?profile_group_id=%s", t.profile, other), NULL, 404);
    api_ask(&t, "GET", text(&t, "/api/profiles/%s/chats?profile_group_id=grp_1", t.profile), NULL, 404);
    r = api_ask(&t, "GET", text(&t, "/api/profiles?profile_group_id=%s", other), NULL, 200);
    ck_assert_slice(r.body, "{\"data\":[]}");
    api_ask(&t, "POST", text(&t, "/api/profile_groups?profile_group_id=%s", other), "{\"name\":\"Third\"}", 201);
}
END_TEST

/* ---- paths and methods ---- */

START_TEST(paths_and_methods)
{
    struct testing_reply r = api_ask(&t, "GET", "/api/nothing", NULL, 404);

    ck_assert_error(&t, r, "There is nothing at this path");
    r = api_ask(&t, "PUT", "/api/profiles", NULL, 405);
    ck_assert_slice(testing_header(&r, "Allow"), "GET, HEAD");
    ck_assert_error(&t, r, "This path does not have the method PUT");
    r = api_ask(&t, "DELETE", "/api/messages/1", NULL, 405);
    ck_assert_slice(testing_header(&r, "Allow"), "GET, HEAD, PATCH");
    r = api_ask_with(&t, "OPTIONS", "/api/profiles", "Origin: https://app.example\r\n"
                     "Access-Control-Request-Method: GET\r\n", NULL, 405);
    ck_assert_none(testing_header(&r, "Access-Control-Allow-Origin"));
    api_ask(&t, "GET", "/api/profiles/", NULL, 200);
    api_ask(&t, "GET", "/api/chats/%zz", NULL, 400);
    api_ask(&t, "GET", "/api/chats/%ff", NULL, 400);
    api_ask(&t, "GET", "/api/chats/%2F%2B+", NULL, 404);
    testing_send(&t.client, "HEAD /api/profiles HTTP/1.1\r\nHost: x\r\n" KEY "\r\n");
    r = testing_read_head(&t.client);
    ck_assert_int_eq(r.status, 200);
    ck_assert(!str_eq(testing_header(&r, "Content-Length"), STR("0")));
    api_ask_with(&t, "GET", "/api/profiles", JSON, NULL, 200); /* clients send the type with everything */
}
END_TEST

START_TEST(other_origins_are_let_in_when_configured)
{
    struct testing_reply r;

    config.cors_origins = STR("https://one.example, https://app.example");
    testing_send(&t.client, "OPTIONS /api/profiles HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\n"
                            "Access-Control-Request-Method: GET\r\n"
                            "Access-Control-Request-Headers: authorization\r\n\r\n");
    r = testing_read_head(&t.client);
    ck_assert_int_eq(r.status, 204);
    ck_assert_slice(testing_header(&r, "Access-Control-Allow-Origin"), "https://app.example");
    ck_assert_slice(testing_header(&r, "Access-Control-Allow-Methods"), "GET, HEAD");
    ck_assert_slice(testing_header(&r, "Access-Control-Allow-Headers"), "authorization");
    r = api_ask_with(&t, "GET", "/api/profiles", KEY "Origin: https://one.example\r\n", NULL, 200);
    ck_assert_slice(testing_header(&r, "Access-Control-Allow-Origin"), "https://one.example");
    ck_assert_slice(testing_header(&r, "Vary"), "Origin");
    r = api_ask_with(&t, "GET", "/api/profiles", "Origin: https://one.example\r\n", NULL, 401);
    ck_assert_slice(testing_header(&r, "Access-Control-Allow-Origin"), "https://one.example");
    r = api_ask_with(&t, "GET", "/api/profiles", KEY "Origin: https://evil.example\r\n", NULL, 200);
    ck_assert_none(testing_header(&r, "Access-Control-Allow-Origin"));
}
END_TEST

/* ---- groups and profiles ---- */

START_TEST(groups_come_and_go)
{
    const char          *north = "{\"profile_group\":{\"name\":\"North\"}}";
    struct testing_reply r = api_ask(&t, "POST", "/api/profile_groups", north, 201);
    const char          *id = arena_copy(&t.arena, api_text(&t, r, "id")).ptr;

    ck_assert_slice(api_text(&t, r, "name"), "North");
    ck_assert_int_eq(api_number(&t, r, "profiles_count"), 0);
    r = api_ask_with(&t, "POST", "/api/profile_groups", FORM, "profile_group[name]=South", 201);
    ck_assert_slice(api_text(&t, r, "name"), "South");
    r = api_ask(&t, "POST", "/api/profile_groups", "{\"name\":\" \"}", 400);
    ck_assert_error(&t, r, "name is required");
    api_ask(&t, "POST", "/api/profile_groups", "{\"name\":5}", 400);
    api_ask(&t, "POST", "/api/profile_groups", "{\"name\":\"a\\u0000\"}", 400);
    api_ask(&t, "POST", "/api/profile_groups", "{\"name\":", 400);
    api_ask(&t, "POST", "/api/profile_groups", NULL, 400);
    r = api_ask(&t, "GET", text(&t, "/api/profile_groups/%s", t.group), NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "profiles_count"), 1);
    api_ask(&t, "DELETE", text(&t, "/api/profile_groups/%s", t.group), NULL, 409);
    r = api_ask(&t, "DELETE", text(&t, "/api/profile_groups/%s", id), NULL, 200);
    ck_assert_slice(r.body, "{\"deleted\":true}");
    api_ask(&t, "DELETE", text(&t, "/api/profile_groups/%s", id), NULL, 404);
}
END_TEST

START_TEST(a_profile_is_shown_and_deleted)
{
    struct testing_reply r = api_ask(&t, "GET", text(&t, "/api/profiles/%s", t.profile), NULL, 200);

    ck_assert_slice(api_text(&t, r, "platform"), "telegram");
    ck_assert_slice(api_text(&t, r, "status"), "active");
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%s/placements", t.profile), NULL, 200);
    ck_assert_slice(r.body, "{\"data\":[]}");
    r = api_ask(&t, "GET", "/api/profiles", NULL, 200);
    ck_assert_uint_eq(yyjson_arr_size(json_arr(api_json(&t, r), "data")), 1);
    r = api_ask_with(&t, "DELETE", text(&t, "/api/profiles/%s", t.profile), JSON, NULL, 200);
    ck_assert_slice(r.body, "{\"success\":true}");
    api_ask(&t, "GET", text(&t, "/api/profiles/%s", t.profile), NULL, 404);
    api_ask(&t, "GET", text(&t, "/api/profiles/%s/chats", t.profile), NULL, 404);
}
END_TEST

/* ---- chats ---- */

START_TEST(a_chat_is_found_or_made)
{
    const char          *path = text(&t, "/api/profiles/%s/chats", t.profile);
    struct testing_reply r = api_ask(&t, "POST", path, "{\"participant_external_id\":7031558204}", 201);
    struct str           id = arena_copy(&t.arena, api_text(&t, r, "id"));

    ck_assert_slice(api_text(&t, r, "participant_external_id"), "7031558204");
    r = api_ask(&t, "POST", path, "{\"participant_external_id\":\"7031558204\",\"participant_name\":\"Mateo\"}", 200);
    ck_assert(str_eq(api_text(&t, r, "id"), id));
    ck_assert_slice(api_text(&t, r, "participant_name"), "Mateo");
    r = api_ask(&t, "GET", text(&t, "/api/chats/%s", id.ptr), NULL, 200);
    ck_assert_slice(api_text(&t, r, "participant_name"), "Mateo");
    r = api_ask(&t, "POST", path, "{}", 400);
    ck_assert_error(&t, r, "participant_external_id is required");
    r = api_ask(&t, "POST", path, "{\"participant_external_id\":null}", 400);
    ck_assert_error(&t, r, "participant_external_id is required");
    api_ask(&t, "POST", "/api/profiles/prof_1/chats", "{}", 404);
    r = api_ask(&t, "GET", path, NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 1);
    ck_assert_int_eq(api_number(&t, r, "per_page"), 20);
    r = api_ask(&t, "GET", text(&t, "%s?per_page=500", path), NULL, 400);
    ck_assert_error(&t, r, "per_page must be a number from 1 to 100, not '500'");
    api_ask(&t, "GET", text(&t, "%s?before=soon", path), NULL, 400);
    r = api_ask(&t, "GET", text(&t, "%s?after=2026-01-01T00:00:00%%2B02:00", path), NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 0);
}
END_TEST

START_TEST(a_chat_goes_by_its_platforms_id_too)
{
    const char          *chat = testing_api_chat(&t, "55");
    struct testing_reply r = api_ask(&t, "GET", "/api/chats/55", NULL, 200);

    ck_assert_slice(api_text(&t, r, "external_conversation_id"), "55");
    ck_assert(str_eq(api_text(&t, r, "id"), str_of(chat)));
    r = api_ask(&t, "POST", "/api/chats/55/archive", NULL, 422);
    ck_assert_error(&t, r, "Archiving chats is only supported on Bluesky");
    api_ask_with(&t, "DELETE", "/api/chats/55/archive", JSON, NULL, 422);
    api_ask(&t, "POST", "/api/chats/56/archive", NULL, 404);
}
END_TEST

START_TEST(an_ambiguous_id_names_the_candidates)
{
    const char          *one = testing_published(&t, testing_api_chat(&t, "55"), "900");
    const char          *two = testing_published(&t, testing_api_chat(&t, "56"), "900");
    struct testing_reply r = api_ask(&t, "GET", "/api/messages/900", NULL, 409);
    yyjson_val          *list = json_arr(api_json(&t, r), "candidates");

    ck_assert_uint_eq(yyjson_arr_size(list), 2);
    ck_assert(str_eq(json_val_str(yyjson_arr_get(list, 0)), str_of(one)));
    ck_assert(str_eq(json_val_str(yyjson_arr_get(list, 1)), str_of(two)));
}
END_TEST

START_TEST(what_telegram_cannot_do_is_a_422)
{
    struct testing_reply r;

    testing_api_chat(&t, "55");
    r = api_ask_with(&t, "POST", "/api/messages/11/react", FORM, "reaction=love", 422);
    ck_assert_error(&t, r, "Reactions are only supported on Facebook and Instagram");
    api_ask_with(&t, "POST", "/api/messages/11/react", JSON, NULL, 422);
    api_ask_with(&t, "DELETE", "/api/messages/11/unreact", JSON, NULL, 422);
    api_ask(&t, "POST", "/api/messages/12/react", NULL, 404);

    r = api_ask(&t, "POST", "/api/posts/1/comments/2/private_reply", "{\"text\":\"x\"}", 400);
    ck_assert_error(&t, r, "profile_id is required");
    r = api_ask(&t, "POST", "/api/posts/1/comments/2/private_reply?profile_id=prof_1", "{}", 400);
    ck_assert_error(&t, r, "text is required");
    api_ask(&t, "POST", "/api/posts/1/comments/2/private_reply?profile_id=prof_1", "{\"text\":\"x\"}", 404);
    r = api_ask(&t, "POST", text(&t, "/api/posts/1/comments/2/private_reply?profile_id=%s", t.profile),
        "{\"text\":\"x\"}", 422);
    ck_assert_error(&t, r, "Private replies are only supported on Facebook and Instagram");
}
END_TEST

/* ---- running it ---- */

START_TEST(those_who_run_it_need_no_key)
{
    struct testing_reply r = api_ask_with(&t, "GET", "/healthz", "", NULL, 200);

    ck_assert_slice(r.body, "{\"status\":\"ok\"}");
    r = api_ask_with(&t, "GET", "/readyz", "", NULL, 200);
    ck_assert_slice(r.body, "{\"status\":\"ok\"}");
    api_set_ready(t.api, false);
    api_ask_with(&t, "GET", "/healthz", "", NULL, 200);
    r = api_ask_with(&t, "GET", "/readyz", "", NULL, 503);
    ck_assert(testing_header(&r, "Retry-After").len > 0);
    r = api_ask_with(&t, "GET", "/openapi.yaml", "", NULL, 200);
    ck_assert_slice(testing_header(&r, "Content-Type"), "application/yaml");
    ck_assert(str_starts(r.body, STR("openapi: 3.1")));
}
END_TEST

static bool
says(struct testing_reply r, const char *line)
{
    return str_find(r.body, str_of(line)) >= 0;
}

#define CHATS "route=\"/api/chats/:id\",method=\"GET\""

START_TEST(metrics_count)
{
    struct testing_reply r;

    testing_api_chat(&t, "55");
    api_ask(&t, "GET", "/api/chats/55", NULL, 200);
    api_ask(&t, "GET", "/api/chats/55", NULL, 200);
    api_ask(&t, "GET", "/api/chats/56", NULL, 404);
    api_ask(&t, "GET", "/nothing", NULL, 404);
    r = api_ask_with(&t, "GET", "/metrics", "", NULL, 200);
    ck_assert_slice(testing_header(&r, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    ck_assert(says(r, "\nparley_http_requests_total{" CHATS ",status=\"200\"} 2\n"));
    ck_assert(says(r, "\nparley_http_requests_total{" CHATS ",status=\"404\"} 1\n"));
    ck_assert(says(r, "\nparley_http_requests_total{route=\"\",method=\"\",status=\"404\"} 1\n"));
    ck_assert(says(r, "\nparley_http_request_duration_seconds_bucket{" CHATS ",le=\"+Inf\"} 3\n"));
    ck_assert(says(r, "\nparley_http_request_duration_seconds_count{" CHATS "} 3\n"));
    ck_assert(says(r, "\nparley_database_up 1\n"));
    ck_assert(says(r, "\nparley_http_open_connections 1\n"));
    ck_assert(says(r, "\nparley_sends_total{outcome=\"published\"} 7\n"));
    ck_assert(says(r, "\nparley_platform_errors_total{platform=\"telegram\",code=\"429\"} 3\n"));
    ck_assert(says(r, "\nparley_jobs{kind=\"participant\"} 1\n"));
    ck_assert(says(r, "parley_build_info{version=\"" PARLEY_VERSION "\"} 1\n"));
}
END_TEST

static bool
lose_jobs(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return db_exec(db, "ALTER TABLE job RENAME TO lost", DB_NO_ARGS, NULL, err);
}

START_TEST(metrics_say_that_the_database_does_not_answer)
{
    struct testing_reply r;
    struct error         err = { 0 };

    ck_assert_msg(db_run(t.engine, DB_WRITE, lose_jobs, NULL, &err), "%s", err.message);
    r = api_ask_with(&t, "GET", "/metrics", "", NULL, 200);
    ck_assert(says(r, "\nparley_database_up 0\n"));
    ck_assert(!says(r, "parley_jobs{"));
    ck_assert(says(r, "\nparley_http_open_connections 1\n"));
}
END_TEST

START_TEST(what_is_too_large_is_a_413)
{
    const char *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    size_t      len = 12 * MIB + 100; /* body_max, and upload_max as base64, are 4 and 10.6 */
    char       *body = arena_alloc(&t.arena, 2 * len);

    memset(body, 'x', 15 * MIB);
    memcpy(body, "{\"body\":\"", 9);
    api_ask_with(&t, "POST", path, JSON, body, 413);
    testing_close(&t.client);
    testing_connect(&t.client, &t.server);
    memcpy(body + len, "\"}", 3);
    api_ask_with(&t, "POST", path, JSON, body, 422); /* fits, and is too long for Telegram */
    api_ask_with(&t, "POST", "/api/profile_groups", JSON, body, 413);
}
END_TEST

START_TEST(nobody_uploads_without_a_key)
{
    const char *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));

    testing_send(&t.client, text(&t, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pk_wrong_wrong_wrong\r\n"
                                     "Content-Length: 2000000\r\n\r\n", path));
    api_read(&t.client, 401); /* before the body has come */
}
END_TEST

static TCase *
calling(void)
{
    TCase *c = tcase_create("calling");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, without_a_good_key_nothing_is_told);
    tcase_add_test(c, a_revoked_key_stops_at_once);
    tcase_add_test(c, a_key_of_one_group_sees_no_other);
    tcase_add_test(c, a_request_can_be_narrowed_to_a_group);
    tcase_add_test(c, paths_and_methods);
    tcase_add_test(c, other_origins_are_let_in_when_configured);
    tcase_add_test(c, what_is_too_large_is_a_413);
    tcase_add_test(c, nobody_uploads_without_a_key);
    tcase_add_test(c, those_who_run_it_need_no_key);
    tcase_add_test(c, metrics_count);
    tcase_add_test(c, metrics_say_that_the_database_does_not_answer);
    return c;
}

static TCase *
resources(void)
{
    TCase *c = tcase_create("resources");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, groups_come_and_go);
    tcase_add_test(c, a_profile_is_shown_and_deleted);
    tcase_add_test(c, a_chat_is_found_or_made);
    tcase_add_test(c, a_chat_goes_by_its_platforms_id_too);
    tcase_add_test(c, an_ambiguous_id_names_the_candidates);
    tcase_add_test(c, what_telegram_cannot_do_is_a_422);
    return c;
}

TEST_CASES("api", calling, resources)
