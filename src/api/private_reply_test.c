/* private_reply_test.c -- posts and comments as webhooks made them, and answering one with a direct message. */
#include "api/testing_api.h"

#include "base/clock.h"
#include "base/testing_str.h"
#include "store/post.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define TEXT   "{\"text\":\"Thank you! Here is how to order.\"}"

static struct testing_api t;
static const char        *page;

static void
set_up(void)
{
    testing_api_start(&t);
    page = testing_profile(&t, &facebook, "9001");
}

static void
tear_down(void)
{
    testing_api_stop(&t);
}

struct commenting {
    struct inbound_comment comment;
    int64_t                age_ms;
};

static bool
comment(void *arg, struct db *db, struct error *err)
{
    struct commenting   *c = arg;
    struct scope         scope = { .workspace_id = t.workspace_id };
    struct profile       p;
    struct inbound_event e = { .kind = INBOUND_COMMENT, .at_ms = clock_now_ms() - c->age_ms, .comment = &c->comment };
    bool                 stored;

    c->comment.posted_ms = e.at_ms;
    return profile_find(db, &scope, str_of(page), &t.arena, &p, err)
        && comment_receive(db, &p, &e, clock_now_ms(), &t.arena, &stored, err);
}

/* As a webhook would have told of it, below the post "9001_7". */
static void
commented(const char *id, const char *parent, const char *author, int64_t age_ms)
{
    struct commenting c = {
        .age_ms  = age_ms,
        .comment = { .verb = COMMENT_ADD, .external_id = str_of(id), .post_id = STR("9001_7"),
                     .parent_id = str_of(parent), .body = STR("How much?"), .author_id = str_of(author),
                     .author_name = STR("Mateo"), .post_body = STR("New glazes"),
                     .is_own = strcmp(author, "9001") == 0 },
    };
    struct error err = { 0 };

    ck_assert_msg(db_run(t.engine, DB_WRITE, comment, &c, &err), "%s", err.message);
}

static const char *
path_of(const char *post, const char *id)
{
    return text(&t, "/api/posts/%s/comments/%s/private_reply?profile_id=%s", post, id, page);
}

/* ---- reading ---- */

START_TEST(posts_and_comments_can_be_read)
{
    struct testing_reply r;
    const char          *post;

    commented("7_1", NULL, "55", 0);
    commented("7_2", "7_1", "9001", 0);
    r = api_ask(&t, "GET", "/api/posts", NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 1);
    r = api_ask(&t, "GET", "/api/posts/9001_7", NULL, 200);
    ck_assert_slice(api_text(&t, r, "body"), "New glazes");
    ck_assert_slice(api_text(&t, r, "status"), "processed");
    post = text(&t, "%.*s", STR_ARG(api_text(&t, r, "id")));
    api_ask(&t, "GET", text(&t, "/api/posts/%s", post), NULL, 200);
    r = api_ask(&t, "GET", text(&t, "/api/posts/%s/comments?profile_id=%s", post, page), NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 1); /* the answer stands below the question */
    r = api_ask(&t, "GET", text(&t, "/api/posts/%s/comments/7_1?profile_id=%s", post, page), NULL, 200);
    ck_assert_slice(api_text(&t, r, "external_id"), "7_1");
    ck_assert_slice(api_text(&t, r, "author_external_id"), "55");
    ck_assert_uint_eq(yyjson_arr_size(json_arr(api_json(&t, r), "replies")), 1);
}
END_TEST

/* As when a Page's post is an Instagram account's too. */
START_TEST(the_profile_says_whose_post_is_meant)
{
    struct testing_reply r;

    commented("7_1", NULL, "55", 0);
    page = testing_profile(&t, &instagram, "9002");
    commented("7_1", NULL, "56", 0);
    api_ask(&t, "GET", "/api/posts/9001_7", NULL, 409);
    r = api_ask(&t, "GET", text(&t, "/api/posts/9001_7/comments?profile_id=%s", page), NULL, 200);
    ck_assert_int_eq(api_number(&t, r, "total"), 1);
    r = api_ask(&t, "GET", text(&t, "/api/posts/9001_7/comments/7_1?profile_id=%s", page), NULL, 200);
    ck_assert_slice(api_text(&t, r, "author_external_id"), "56");
    api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 202);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    commented("7_1", NULL, "55", 0);
    api_ask(&t, "GET", "/api/posts/9001_8", NULL, 404);
    api_ask(&t, "GET", "/api/posts/post_1", NULL, 404);
    api_ask(&t, "GET", "/api/posts?per_page=0", NULL, 400);
    ck_assert_error(&t, api_ask(&t, "GET", "/api/posts/9001_7/comments", NULL, 400), "profile_id is required");
    api_ask(&t, "GET", "/api/posts/9001_7/comments?profile_id=prof_1", NULL, 404);
    api_ask(&t, "GET", text(&t, "/api/posts/9001_8/comments/7_1?profile_id=%s", page), NULL, 404);
    api_ask(&t, "GET", text(&t, "/api/posts/9001_7/comments/7_9?profile_id=%s", page), NULL, 404);
    api_ask(&t, "GET", text(&t, "/api/posts/9001_7/comments/7_1?profile_id=%s", t.profile), NULL, 404);
}
END_TEST

START_TEST(a_facebook_profile_has_its_page_as_placement)
{
    struct testing_reply r = api_ask(&t, "GET", text(&t, "/api/profiles/%s/placements", page), NULL, 200);
    yyjson_val          *first = yyjson_arr_get_first(json_arr(api_json(&t, r), "data"));

    ck_assert_slice(json_str(first, "id"), "9001");
    ck_assert_slice(json_str(first, "name"), "Lindgren");
    r = api_ask(&t, "GET", text(&t, "/api/profiles/%s/placements", t.profile), NULL, 200);
    ck_assert_uint_eq(yyjson_arr_size(json_arr(api_json(&t, r), "data")), 0);
}
END_TEST

/* ---- answering ---- */

START_TEST(a_comment_is_answered_once)
{
    struct testing_reply r;
    struct str           chat;

    commented("7_1", NULL, "55", 6 * DAY_MS);
    r = api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 202);
    ck_assert_slice(api_text(&t, r, "external_comment_id"), "7_1");
    ck_assert_slice(api_text(&t, r, "status"), "pending");
    ck_assert_slice(api_text(&t, r, "body"), "Thank you! Here is how to order.");
    chat = arena_copy(&t.arena, api_text(&t, r, "chat_id"));
    r = api_ask(&t, "GET", text(&t, "/api/chats/%.*s", STR_ARG(chat)), NULL, 200);
    ck_assert_slice(api_text(&t, r, "participant_external_id"), "55");
    ck_assert_slice(api_text(&t, r, "participant_name"), "Mateo");
    ck_assert_error(&t, api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 422),
                    "The comment was answered privately before; Facebook allows that once");
    ck_assert_int_eq(testing_jobs(&t, JOB_SEND), 1);
}
END_TEST

START_TEST(of_two_replies_at_once_one_is_accepted)
{
    struct testing_client other;
    struct testing_reply  one, two;

    testing_connect(&other, &t.server);
    for (int i = 0; i < 20; i++) {
        const char *path = path_of("9001_7", text(&t, "7_%d", i));

        commented(text(&t, "7_%d", i), NULL, "55", 0);
        api_send(&t, &t.client, "POST", path, JSON, TEXT);
        api_send(&t, &other, "POST", path, JSON, TEXT);
        one = testing_read(&t.client);
        two = testing_read(&other);
        ck_assert_int_eq(one.status + two.status, 202 + 422);
    }
    testing_close(&other);
}
END_TEST

START_TEST(the_chat_there_is_is_used_outside_its_window_too)
{
    const char          *chat = testing_old_chat_of(&t, page, "55", 2 * DAY_MS);
    struct testing_reply r;

    commented("7_1", NULL, "55", 0);
    r = api_ask(&t, "POST", text(&t, "/api/chats/%s/messages", chat), "{\"body\":\"hi\"}", 422);
    ck_assert(str_starts(api_text(&t, r, "error"), STR("The messaging window closed at ")));
    r = api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 202);
    ck_assert(str_eq(api_text(&t, r, "chat_id"), str_of(chat)));
    ck_assert_int_eq(testing_count(&t, "SELECT COUNT(*) FROM chat"), 1);
}
END_TEST

static bool
fail_message(void *arg, struct db *db, struct error *err)
{
    struct scope       scope = { .workspace_id = t.workspace_id };
    struct send_result failed = { .status = STATUS_FAILED, .error_message = STR("(#10903) cannot reply") };
    struct message     m;

    return message_find(db, &scope, *(struct str *)arg, &t.arena, &m, err)
        && message_settle(db, &m, &failed, clock_now_ms(), &t.arena, err);
}

START_TEST(one_that_failed_may_be_tried_again)
{
    struct testing_reply r;
    struct error         err = { 0 };
    struct str           id;

    commented("7_1", NULL, "55", 0);
    r = api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 202);
    id = arena_copy(&t.arena, api_text(&t, r, "id"));
    ck_assert_msg(db_run(t.engine, DB_WRITE, fail_message, &id, &err), "%s", err.message);
    api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 202);
}
END_TEST

/* Then the platform says whether that can be, and whose it was. */
START_TEST(a_comment_nobody_told_us_of_can_be_answered)
{
    struct testing_reply r = api_ask(&t, "POST", path_of("9001_9", "9_4"), TEXT, 202);

    ck_assert_slice(api_text(&t, r, "external_comment_id"), "9_4");
    r = api_ask(&t, "GET", text(&t, "/api/chats/%.*s", STR_ARG(api_text(&t, r, "chat_id"))), NULL, 200);
    ck_assert_slice(api_text(&t, r, "participant_external_id"), "comment:9_4");
    api_ask(&t, "POST", path_of("9001_9", "9_4"), TEXT, 422);
    api_ask(&t, "POST", path_of("9001_9", "cmt_1"), TEXT, 404); /* ids of ours are known or wrong */
    api_ask(&t, "POST", path_of("post_1", "9_5"), TEXT, 404);
}
END_TEST

START_TEST(not_every_comment_can_be_answered)
{
    commented("7_1", NULL, "55", 7 * DAY_MS + 60000);
    commented("7_2", NULL, "9001", 0);
    commented("7_3", NULL, "55", 0);
    ck_assert_error(&t, api_ask(&t, "POST", path_of("9001_7", "7_1"), TEXT, 422),
                    "The comment is more than 7 days old, so it can no longer be answered privately");
    ck_assert_error(&t, api_ask(&t, "POST", path_of("9001_7", "7_2"), TEXT, 422), "The comment is the account's own");
    api_ask(&t, "POST", path_of("9001_8", "7_3"), TEXT, 404); /* below another post */
    ck_assert_int_eq(testing_jobs(&t, JOB_SEND), 0);
}
END_TEST

START_TEST(a_reply_is_checked_before_the_comment)
{
    char                *body = arena_alloc(&t.arena, 3000);
    struct testing_reply r;

    r = api_ask(&t, "POST", "/api/posts/9001_7/comments/7_1/private_reply", TEXT, 400);
    ck_assert_error(&t, r, "profile_id is required");
    ck_assert_error(&t, api_ask(&t, "POST", path_of("9001_7", "7_1"), "{\"text\":\" \"}", 400), "text is required");
    api_ask(&t, "POST", "/api/posts/9001_7/comments/7_1/private_reply?profile_id=prof_1", TEXT, 404);
    r = api_ask(&t, "POST", text(&t, "/api/posts/x/comments/y/private_reply?profile_id=%s", t.profile), TEXT, 422);
    ck_assert_error(&t, r, "Private replies are only supported on Facebook and Instagram");
    memset(body, 'x', 2001);
    api_ask(&t, "POST", path_of("9001_7", "7_1"), text(&t, "{\"text\":\"%s\"}", body), 422);
    ck_assert_int_eq(testing_jobs(&t, JOB_SEND), 0);
}
END_TEST

static bool
expire(void *arg, struct db *db, struct error *err)
{
    int64_t id;

    (void)arg;
    return id_parse(ID_PROFILE, str_of(page), &id) && profile_expire(db, id, STR("Session has expired"), 1, err);
}

START_TEST(an_expired_account_answers_nobody)
{
    struct error err = { 0 };

    ck_assert_msg(db_run(t.engine, DB_WRITE, expire, NULL, &err), "%s", err.message);
    api_ask(&t, "POST", path_of("9001_9", "9_4"), TEXT, 422);
}
END_TEST

static TCase *
reading(void)
{
    TCase *c = tcase_create("reading");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, posts_and_comments_can_be_read);
    tcase_add_test(c, the_profile_says_whose_post_is_meant);
    tcase_add_test(c, what_is_not_there_is_not_found);
    tcase_add_test(c, a_facebook_profile_has_its_page_as_placement);
    return c;
}

static TCase *
answering(void)
{
    TCase *c = tcase_create("answering");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, a_comment_is_answered_once);
    tcase_add_test(c, of_two_replies_at_once_one_is_accepted);
    tcase_add_test(c, the_chat_there_is_is_used_outside_its_window_too);
    tcase_add_test(c, one_that_failed_may_be_tried_again);
    tcase_add_test(c, a_comment_nobody_told_us_of_can_be_answered);
    tcase_add_test(c, not_every_comment_can_be_answered);
    tcase_add_test(c, a_reply_is_checked_before_the_comment);
    tcase_add_test(c, an_expired_account_answers_nobody);
    return c;
}

TEST_CASES("private_reply", reading, answering)
