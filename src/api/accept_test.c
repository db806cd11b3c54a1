/* accept_test.c -- sending over the API: which messages and files are accepted, and what a repeated request gets. */
#include "api/testing_api.h"

#include <ftw.h>
#include <stdio.h>

#include "base/testing_str.h"

API_FIXTURE()

START_TEST(a_text_is_accepted)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask(&t, "POST", path, "{\"body\":\"Yes \xf0\x9f\x98\x80\"}", 202);
    const char          *id = arena_copy(&t.arena, api_text(&t, r, "id")).ptr;

    ck_assert_slice(api_text(&t, r, "status"), "pending");
    ck_assert_slice(api_text(&t, r, "body"), "Yes \xf0\x9f\x98\x80");
    ck_assert(testing_nothing_asked());
    ck_assert_int_eq(testing_jobs(&t, JOB_SEND), 1);
    r = api_ask(&t, "GET", text(&t, "/api/messages/%s", id), NULL, 200);
    ck_assert_slice(api_text(&t, r, "body"), "Yes \xf0\x9f\x98\x80");
    r = api_ask(&t, "GET", path, NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 2);
    r = api_ask(&t, "GET", text(&t, "%s?direction=inbound", path), NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 1);
    r = api_ask(&t, "GET", text(&t, "%s?status=pending&page=1", path), NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 1);
    ck_assert_uint_eq(yyjson_arr_size(json_arr(api_json(&t, r), "data")), 0);
    r = api_ask(&t, "GET", text(&t, "%s?direction=in", path), NULL, 400);
    ck_assert_error(&t, r, "direction must be inbound or outbound, not 'in'");
    api_ask(&t, "GET", text(&t, "%s?status=sent", path), NULL, 400);
    api_ask(&t, "GET", "/api/messages/msg_1", NULL, 404);
}
END_TEST

static const struct {
    const char *body;
    int         status;
    const char *sentence; /* NULL = any */
} drafts[] = {
    { "{}", 400, "body or media is required" },
    { "{\"body\":\"  \\n\",\"media\":[]}", 400, "body or media is required" },
    { "{\"body\":null,\"media\":null}", 400, "body or media is required" },
    { "{\"body\":\"x\",\"media\":[\"https://example.com/a.png\"]}", 422,
      "Direct messages support either text or attachment per send, not both" },
    { "{\"media\":[\"https://example.com/a.png\",\"https://example.com/b.png\"]}", 422,
      "Direct messages support one attachment per send" },
    { "{\"body\":5}", 400, "body must be a string" },
    { "{\"body\":\"a\\u0000b\"}", 400, "body must not hold NUL characters" },
    { "{\"body\":\"x\",\"reply_markup\":[]}", 422, "reply_markup must be an object" },
    { "{\"body\":\"x\",\"reply_markup\":\"{}\"}", 422, "reply_markup must be an object" },
    { "{\"body\":\"x\",\"reply_to_external_id\":{}}", 400, "reply_to_external_id must be a string" },
    { "{\"media\":[\"http://127.0.0.1/a.png\"]}", 422, NULL },
    { "{\"media\":[{\"data\":\"%%%\"}]}", 422, "The data of the media item is not valid base64" },
    { "{\"media\":[{\"data\":\"====\"}]}", 422, NULL },
    { "{\"body\":\"x\",\"unknown\":1}", 202, NULL },
    { "{\"body\":\"x\",\"media\":[],\"reply_markup\":null,\"reply_to_external_id\":11}", 202, NULL },
    { "[]", 400, "The body must be a JSON object" },
};

START_TEST(drafts_are_checked)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask(&t, "POST", path, drafts[_i].body, drafts[_i].status);

    if (drafts[_i].sentence)
        ck_assert(str_eq(api_text(&t, r, "error"), str_of(drafts[_i].sentence)));
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM message WHERE direction = 2"), drafts[_i].status == 202);
}
END_TEST

START_TEST(a_text_too_long_is_told_how_long)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    char                 body[5200];
    struct testing_reply r;

    snprintf(body, sizeof(body), "{\"body\":\"%04096d\"}", 1);
    api_ask(&t, "POST", path, body, 202);
    snprintf(body, sizeof(body), "{\"body\":\"%04097d\"}", 1);
    r = api_ask(&t, "POST", path, body, 422);
    ck_assert_error(&t, r, "Telegram takes texts of at most 4096 characters; this one has 4097");
}
END_TEST

START_TEST(forms_say_the_same_as_json)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask_with(&t, "POST", path, FORM,
        "body=a+b%21&reply_to_external_id=11&reply_markup={\"force_reply\":true}", 202);

    ck_assert_slice(api_text(&t, r, "body"), "a b!");
    ck_assert_slice(api_text(&t, r, "reply_to_external_id"), "11");
    ck_assert(json_true(json_obj(api_json(&t, r), "reply_markup"), "force_reply"));
    api_ask_with(&t, "POST", path, KEY "Content-Type: text/xml\r\n", "<x/>", 415);
    api_ask_with(&t, "POST", path, KEY, "{\"body\":\"no type\"}", 202);
}
END_TEST

START_TEST(an_address_waits_for_its_download)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask(&t, "POST", path, "{\"media\":[\"https://cdn.example.com/photo.png\"]}", 202);
    yyjson_val          *at = yyjson_arr_get_first(json_arr(api_json(&t, r), "attachments"));

    ck_assert_slice(json_str(at, "type"), "image");
    ck_assert_slice(json_str(at, "status"), "pending");
    ck_assert_slice(json_str(at, "url"), "https://cdn.example.com/photo.png");
}
END_TEST

#define PNG_BASE64                                                                                        \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

START_TEST(data_is_stored_and_served)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask(&t, "POST", path, "{\"media\":[\"data:image/png;base64," PNG_BASE64 "\"]}", 202);
    yyjson_val          *at = yyjson_arr_get_first(json_arr(api_json(&t, r), "attachments"));
    struct str           url = json_str(at, "url");
    const char          *object, *etag;

    ck_assert_slice(json_str(at, "type"), "image");
    ck_assert_slice(json_str(at, "status"), "processed");
    ck_assert_slice(json_str(at, "content_type"), "image/png");
    ck_assert_int_eq(json_int(at, "size", 0), 70);
    ck_assert_int_eq(json_int(at, "width", 0), 1);
    ck_assert(str_starts(url, STR("https://dm.example.org/storage/")));
    object = arena_copy(&t.arena, str_from(url, sizeof("https://dm.example.org") - 1)).ptr;
    r = api_ask_with(&t, "GET", object, "", NULL, 200);
    ck_assert_uint_eq(r.body.len, 70);
    ck_assert_slice(testing_header(&r, "Content-Type"), "image/png");
    ck_assert_slice(testing_header(&r, "X-Content-Type-Options"), "nosniff");
    ck_assert_slice(testing_header(&r, "Cache-Control"), "public, max-age=31536000, immutable");
    ck_assert_none(testing_header(&r, "Content-Disposition"));
    etag = arena_copy(&t.arena, testing_header(&r, "ETag")).ptr;
    r = api_ask_with(&t, "GET", object, "Range: bytes=0-3\r\n", NULL, 206);
    ck_assert_slice(r.body, "\x89PNG");
    testing_send(&t.client, text(&t, "GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n", object, etag));
    ck_assert_int_eq(testing_read_head(&t.client).status, 304);
    api_ask_with(&t, "GET", "/storage/..%2f..%2fetc%2fpasswd", "", NULL, 404);
    api_ask_with(&t, "GET", "/storage/nothing.png", "", NULL, 404);
}
END_TEST

#define MULTIPART KEY "Content-Type: multipart/form-data; boundary=b7f1\r\n"

START_TEST(an_upload_is_stored)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask_with(&t, "POST", path, MULTIPART,
        "--b7f1\r\nContent-Disposition: form-data; name=\"media[]\"; filename=\"../prices.txt\"\r\n"
        "Content-Type: text/plain\r\nContent-Length: 8\r\n\r\nBowl: 48\r\n"
        "--b7f1\r\nContent-Disposition: form-data; name=\"reply_to_external_id\"\r\n\r\n11\r\n--b7f1--\r\n", 202);
    yyjson_val          *at = yyjson_arr_get_first(json_arr(api_json(&t, r), "attachments"));
    const char          *object;

    ck_assert_slice(api_text(&t, r, "reply_to_external_id"), "11");
    ck_assert_slice(json_str(at, "type"), "file");
    ck_assert_slice(json_str(at, "file_name"), "prices.txt");
    ck_assert_slice(json_str(at, "content_type"), "text/plain");
    object = arena_copy(&t.arena, str_from(json_str(at, "url"), sizeof("https://dm.example.org") - 1)).ptr;
    r = api_ask_with(&t, "GET", object, "", NULL, 200);
    ck_assert_slice(r.body, "Bowl: 48");
    ck_assert_slice(testing_header(&r, "Content-Disposition"), "attachment");
}
END_TEST

static int files_seen;

static int
count_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    files_seen += type == FTW_F && strncmp(path + at->base, "data.db", 7) != 0;
    return 0;
}

/* An upload's file in the spool is removed behind its reply, but before the connection's next request. */
static int
stored_files(void)
{
    api_ask_with(&t, "GET", "/healthz", "", NULL, 200);
    files_seen = 0;
    ck_assert_int_eq(nftw(t.place.folder, count_file, 8, FTW_PHYS), 0);
    return files_seen;
}

START_TEST(a_refused_file_is_not_kept)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r;

    r = api_ask_with(&t, "POST", path, MULTIPART,
        "--b7f1\r\nContent-Disposition: form-data; name=\"media[]\"; filename=\"a.txt\"\r\n\r\n\r\n--b7f1--\r\n", 422);
    ck_assert_error(&t, r, "Telegram takes no empty files");
    api_ask_with(&t, "POST", path, MULTIPART,
        "--b7f1\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.txt\"\r\n\r\nx\r\n"
        "--b7f1\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\ntoo\r\n--b7f1--\r\n", 422);
    api_ask_with(&t, "POST", "/api/chats/chat_1/messages", MULTIPART,
        "--b7f1\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.txt\"\r\n\r\nx\r\n--b7f1--\r\n", 404);
    ck_assert_int_eq(stored_files(), 0);
}
END_TEST

static const char break_sql[] = "ALTER TABLE message RENAME TO secret";

static bool
break_messages(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    return db_exec(db, break_sql, DB_NO_ARGS, NULL, err);
}

START_TEST(a_file_whose_message_fails_is_not_kept)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct error         err = { 0 };
    struct testing_reply r;

    ck_assert_msg(db_run(t.engine, DB_WRITE, break_messages, NULL, &err), "%s", err.message);
    r = api_ask_with(&t, "POST", path, JSON "Idempotency-Key: k\r\n",
                     "{\"media\":[\"data:text/plain;base64,QUJD\"]}", 500);
    ck_assert_error(&t, r, "Something went wrong on this server; its log says what");
    ck_assert_int_eq(stored_files(), 0);
    ck_assert_int_eq(testing_jobs(&t, JOB_SEND), 0);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM idempotency"), 0);
}
END_TEST

START_TEST(someone_who_never_wrote_is_asked_about)
{
    const char          *path = text(&t, "/api/profiles/%s/chats", t.profile);
    struct testing_reply r = api_ask(&t, "POST", path, "{\"participant_external_id\":\"77\"}", 201);
    struct ask          *ask;

    path = text(&t, "/api/chats/%.*s/messages", STR_ARG(api_text(&t, r, "id")));
    api_send(&t, &t.client, "POST", path, JSON, "{\"body\":\"hi\"}");
    ask = testing_asked(OP_PROBE_CHAT);
    ck_assert_slice(ask->op.participant_id, "77");
    ck_assert_slice(ask->op.account.token, "100:secret");
    testing_refuse(ask, "Forbidden: bot can't initiate conversation with a user");
    r = api_read(&t.client, 422);
    ck_assert_error(&t, r, "Forbidden: bot can't initiate conversation with a user");
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM message"), 0);

    api_send(&t, &t.client, "POST", path, JSON, "{\"media\":[\"data:text/plain;base64,QUJD\"]}");
    testing_answer(testing_asked(OP_PROBE_CHAT));
    api_read(&t.client, 202);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM message"), 1);
}
END_TEST

START_TEST(a_platform_that_cannot_answer_now)
{
    const char          *path = text(&t, "/api/profiles/%s/chats", t.profile);
    struct testing_reply r = api_ask(&t, "POST", path, "{\"participant_external_id\":\"77\"}", 201);

    path = text(&t, "/api/chats/%.*s/messages", STR_ARG(api_text(&t, r, "id")));
    api_send(&t, &t.client, "POST", path, JSON, "{\"body\":\"hi\"}");
    testing_postpone(testing_asked(OP_PROBE_CHAT), 429, 13500, "Too Many Requests: retry after 14");
    r = api_read(&t.client, 429);
    ck_assert_error(&t, r, "Too Many Requests: retry after 14");
    ck_assert_slice(testing_header(&r, "Retry-After"), "14");

    api_send(&t, &t.client, "POST", path, JSON, "{\"body\":\"hi\"}");
    testing_postpone(testing_asked(OP_PROBE_CHAT), 0, 0, "Telegram could not be reached: no route");
    r = api_read(&t.client, 503);
    ck_assert_error(&t, r, "Telegram could not be reached: no route");
    ck_assert(testing_header(&r, "Retry-After").len > 0);

    api_send(&t, &t.client, "POST", path, JSON, "{\"body\":\"hi\"}");
    testing_postpone(testing_asked(OP_PROBE_CHAT), 502, 0, "Bad Gateway");
    r = api_read(&t.client, 503);
    ck_assert_error(&t, r, "Telegram cannot do it now: Bad Gateway");
}
END_TEST

#define EXPIRED "Telegram no longer accepts this account's credentials (Unauthorized); connect the account again"

START_TEST(a_lost_token_expires_the_profile)
{
    const char          *path = text(&t, "/api/profiles/%s/chats", t.profile);
    struct testing_reply r = api_ask(&t, "POST", path, "{\"participant_external_id\":\"77\"}", 201);

    path = text(&t, "/api/chats/%.*s/messages", STR_ARG(api_text(&t, r, "id")));
    api_send(&t, &t.client, "POST", path, JSON, "{\"body\":\"hi\"}");
    testing_refuse_token(testing_asked(OP_PROBE_CHAT), "Unauthorized");
    r = api_read(&t.client, 422);
    ck_assert_error(&t, r, EXPIRED);
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%s", t.profile), NULL, 200);
    ck_assert_slice(api_text(&t, r, "status"), "expired");
    ck_assert_slice(api_text(&t, r, "status_detail"), "Unauthorized");
    r = api_ask(&t, "POST", path, "{\"body\":\"hi\"}", 422);
    ck_assert_error(&t, r, EXPIRED);
    ck_assert(testing_nothing_asked());
}
END_TEST

/* ---- repeating ---- */

#define REPEAT JSON "Idempotency-Key: order-1\r\n"

START_TEST(a_repeat_gets_the_first_answer)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask_with(&t, "POST", path, REPEAT, "{\"body\":\"once\"}", 202);
    struct str           first = arena_copy(&t.arena, r.body);

    r = api_ask_with(&t, "POST", path, REPEAT, "{\"body\":\"once\"}", 202);
    ck_assert(str_eq(r.body, first));
    ck_assert_slice(testing_header(&r, "Content-Type"), "application/json");
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM message WHERE direction = 2"), 1);
    api_ask_with(&t, "POST", path, REPEAT, "{\"body\":\"other\"}", 422);
    api_ask_with(&t, "POST", path, JSON "Idempotency-Key:\r\n", "{\"body\":\"once\"}", 400);
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM message WHERE direction = 2"), 1);
}
END_TEST

START_TEST(after_an_error_the_key_is_free)
{
    const char *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));

    api_ask_with(&t, "POST", path, REPEAT, "{}", 400);
    api_ask_with(&t, "POST", path, REPEAT, "{\"body\":\"once\"}", 202);
}
END_TEST

START_TEST(a_repeat_of_what_is_under_way_is_a_409)
{
    const char           *path = text(&t, "/api/profiles/%s/chats", t.profile);
    struct testing_reply  r = api_ask(&t, "POST", path, "{\"participant_external_id\":\"77\"}", 201);
    struct testing_client other;
    struct ask           *ask;

    path = text(&t, "/api/chats/%.*s/messages", STR_ARG(api_text(&t, r, "id")));
    testing_connect(&other, &t.server);
    api_send(&t, &other, "POST", path, REPEAT, "{\"body\":\"hi\"}");
    ask = testing_asked(OP_PROBE_CHAT);
    api_ask_with(&t, "POST", path, REPEAT, "{\"body\":\"hi\"}", 409);
    testing_refuse(ask, "no");
    api_read(&other, 422);

    api_send(&t, &other, "POST", path, REPEAT, "{\"body\":\"hi\"}");
    testing_answer(testing_asked(OP_PROBE_CHAT));
    api_read(&other, 202);
    api_ask_with(&t, "POST", path, REPEAT, "{\"body\":\"hi\"}", 202);
    ck_assert(testing_nothing_asked());
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM message"), 1);
    testing_close(&other);
}
END_TEST

#define UPLOAD_OF(boundary, content)                                                                             \
    "--" boundary "\r\nContent-Disposition: form-data; name=\"media[]\"; filename=\"a.txt\"\r\n\r\n" content     \
    "\r\n--" boundary "--\r\n"

START_TEST(an_upload_repeats_whatever_its_boundary)
{
    const char          *path = text(&t, "/api/chats/%s/messages", testing_api_chat(&t, "55"));
    struct testing_reply r = api_ask_with(&t, "POST", path,
        KEY "Idempotency-Key: up\r\nContent-Type: multipart/form-data; boundary=one\r\n", UPLOAD_OF("one", "abc"), 202);
    struct str first = arena_copy(&t.arena, r.body);

    r = api_ask_with(&t, "POST", path, KEY "Idempotency-Key: up\r\nContent-Type: multipart/form-data; boundary=two\r\n",
        UPLOAD_OF("two", "abc"), 202);
    ck_assert(str_eq(r.body, first));
    api_ask_with(&t, "POST", path, KEY "Idempotency-Key: up\r\nContent-Type: multipart/form-data; boundary=two\r\n",
        UPLOAD_OF("two", "abd"), 422);
    ck_assert_int_eq(stored_files(), 1);
}
END_TEST

static TCase *
sending(void)
{
    TCase *c = tcase_create("sending");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_text_is_accepted);
    tcase_add_loop_test(c, drafts_are_checked, 0, COUNT(drafts));
    tcase_add_test(c, a_text_too_long_is_told_how_long);
    tcase_add_test(c, forms_say_the_same_as_json);
    tcase_add_test(c, an_address_waits_for_its_download);
    tcase_add_test(c, data_is_stored_and_served);
    tcase_add_test(c, an_upload_is_stored);
    tcase_add_test(c, a_refused_file_is_not_kept);
    tcase_add_test(c, a_file_whose_message_fails_is_not_kept);
    tcase_add_test(c, someone_who_never_wrote_is_asked_about);
    tcase_add_test(c, a_platform_that_cannot_answer_now);
    tcase_add_test(c, a_lost_token_expires_the_profile);
    tcase_add_test(c, a_repeat_gets_the_first_answer);
    tcase_add_test(c, after_an_error_the_key_is_free);
    tcase_add_test(c, a_repeat_of_what_is_under_way_is_a_409);
    tcase_add_test(c, an_upload_repeats_whatever_its_boundary);
    return c;
}

TEST_CASES("accept", sending)
