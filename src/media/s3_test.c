/* s3_test.c -- opening a store in a bucket, and putting files there. */
#include "media/s3.h"

#include <unistd.h>

#include "base/testing_str.h"
#include "media/testing_bucket.h"
#include "media/testing_media.h"

/* ---- beginning ---- */

static const struct {
    const char *method;
    int         status;
    const char *body, *says;
} refusals[] = {
    { "PUT", 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", "s3-secret-access-key is not the one" },
    { "PUT", 403, "<Error><Code>InvalidAccessKeyId</Code></Error>", "does not know s3-access-key-id" },
    { "PUT", 403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", "clock is wrong" },
    { "PUT", 403, "<Error><Code>AccessDenied</Code></Error>", "these keys may not do that" },
    { "PUT", 404, "<Error><Code>NoSuchBucket</Code></Error>", "no such bucket" },
    { "PUT", 400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "s3-region is not the bucket's" },
    { "PUT", 301, "<Error><Code>PermanentRedirect</Code></Error>", "s3-endpoint or s3-region" },
    { "GET", 403, "<Error><Code>AccessDenied</Code></Error>", "these keys may not do that" },
    { "DELETE", 403, "<Error><Code>AccessDenied</Code></Error>", "these keys may not do that" },
    { "PUT", 418, "<Error><Code>Teapot</Code><Message>I am one</Message></Error>", "418 Teapot I am one" },
    { "PUT", 405, "<html>a web server</html>", "says 405" },
};

START_TEST(what_is_wrong_is_found_at_the_start)
{
    bucket.orders[0] = (struct order){ refusals[_i].method, "parley-check", 1, ANSWERS, refusals[_i].status,
                                refusals[_i].body };
    ck_assert(!bucket_open_at("127.0.0.1", true));
    ck_assert_int_eq(bucket.err.status, 503);
    ck_assert_msg(strstr(bucket.err.message, refusals[_i].says) != NULL, "%s", bucket.err.message);
    ck_assert_ptr_null(strstr(bucket.err.message, "the-secret"));
    ck_assert_ptr_null(bucket.store);
}
END_TEST

START_TEST(nobody_there_is_said)
{
    struct media_s3_options o = { .endpoint = STR("http://127.0.0.1:1"), .bucket = STR("media"), .key_id = STR("k"),
                                  .secret = STR("s"), .path_style = true, .region = STR("r"), .again_ms = 1,
                                  .folder = place_path(&bucket.place, "media", "") };

    ck_assert(!media_open_s3(&o, &bucket.store, &bucket.err));
    ck_assert_msg(strstr(bucket.err.message, "127.0.0.1:1 cannot be reached") != NULL, "%s", bucket.err.message);
}
END_TEST

static const struct {
    const char *endpoint, *bucket, *key;
} nonsense[] = {
    { "ftp://127.0.0.1", "media", "key" },
    { "http://", "media", "key" },
    { "http://127.0.0.1/path", "media", "key" },
    { "http://user@127.0.0.1", "media", "key" },
    { "http://127.0.0.1", "me/dia", "key" },
    { "http://127.0.0.1", "", "key" },
    { "http://127.0.0.1", "media", "" },
};

START_TEST(settings_that_make_no_sense_are_refused)
{
    struct media_s3_options o = {
        .endpoint = str_of(nonsense[_i].endpoint), .bucket = str_of(nonsense[_i].bucket),
        .key_id = str_of(nonsense[_i].key), .secret = STR("s"), .region = STR("r"),
        .folder = place_path(&bucket.place, "media", ""),
    };

    ck_assert(!media_open_s3(&o, &bucket.store, &bucket.err));
    ck_assert_int_eq(bucket.err.status, 400);
}
END_TEST

START_TEST(the_bucket_may_be_in_the_hosts_name)
{
    struct test_request r;
    struct str url;

    ck_assert_msg(bucket_open_at("LocalHost", false), "%s", bucket.err.message);
    r = bucket_last_request();
    ck_assert_msg(str_starts(r.target, STR("/our%20shop/parley-check")), "%.*s", STR_ARG(r.target));
    ck_assert_msg(str_starts(test_request_header(&r, "host"), STR("media.localhost:")), "%.*s", STR_ARG(r.head));
    ck_assert(media_url(bucket.store, STR(NAME), false, &bucket.arena, &url));
    ck_assert_msg(str_starts(url, STR("http://media.localhost:")), "%.*s", STR_ARG(url));
    ck_assert(str_find(url, STR("/our%20shop/" NAME "?X-Amz-Algorithm=")) > 0);
    ck_assert(str_find(url, STR("X-Amz-Expires=600&")) > 0);
    ck_assert(str_find(url, STR("the-secret")) < 0);
}
END_TEST

/* ---- putting ---- */

static bool
add(size_t size)
{
    struct media_info info;

    return media_add(bucket.store, bucket_spooled(size).ptr, STR_NONE, &info, &bucket.err);
}

START_TEST(a_file_is_put_with_its_type)
{
    struct media_info info;
    struct test_request r;
    struct str path = bucket_spooled(100);

    ck_assert_msg(media_add(bucket.store, path.ptr, STR_NONE, &info, &bucket.err), "%s", bucket.err.message);
    ck_assert_str_eq(bucket_asked(), "PUT");
    r = bucket_last_request();
    ck_assert(str_eq(r.target, arena_printf(&bucket.arena, "/media/our%%20shop/%s", info.name)));
    ck_assert_uint_eq(r.body.len, 100);
    ck_assert_slice(test_request_header(&r, "content-type"), "image/png");
    ck_assert_slice(test_request_header(&r, "cache-control"), "public, max-age=31536000, immutable");
    ck_assert(str_is_none(test_request_header(&r, "content-disposition")));
    ck_assert(str_eq(test_request_header(&r, "x-amz-content-sha256"), sigv4_hash(&bucket.arena, r.body)));
    ck_assert(str_find(test_request_header(&r, "authorization"),
                       STR("SignedHeaders=cache-control;content-type;host;x-amz-content-sha256;x-amz-date,")) > 0);
    ck_assert_int_eq(access(path.ptr, F_OK), -1);
}
END_TEST

START_TEST(what_a_browser_could_run_is_a_download)
{
    struct media_info info;
    struct test_request r;

    ck_assert(testing_media_add(bucket.store, STR("<html><body>hello"), STR("text/html"), &info, &bucket.err));
    r = bucket_last_request();
    ck_assert_slice(test_request_header(&r, "content-disposition"), "attachment");
    ck_assert_slice(test_request_header(&r, "content-type"), "text/html");
}
END_TEST

static const struct {
    enum trouble trouble;
    int          status;
    const char  *body;
} passing[] = {
    { ANSWERS, 500, "<Error><Code>InternalError</Code></Error>" },
    { ANSWERS, 503, "<Error><Code>SlowDown</Code></Error>" },
    { ANSWERS, 400, "<Error><Code>RequestTimeout</Code></Error>" },
    { CUTS, 0, "" },
    { HOLDS, 0, "" },
};

/* Who is not answered gives up in a second, and who is not so soon. */
static void
be_impatient(void)
{
    media_close(bucket.store);
    bucket.patience_ms = 1000;
    ck_assert_msg(bucket_open_at("127.0.0.1", true), "%s", bucket.err.message);
}

START_TEST(what_passes_is_tried_again)
{
    if (passing[_i].trouble == HOLDS)
        be_impatient();
    bucket.orders[0] = (struct order){ "PUT", "/", 1, passing[_i].trouble, passing[_i].status, passing[_i].body };
    ck_assert_msg(add(100), "%s", bucket.err.message);
    ck_assert_str_eq(bucket_asked(), "PUT PUT");
    ck_assert_uint_eq(bucket_last_request().body.len, 100);
}
END_TEST

START_TEST(what_stays_is_said_and_only_the_mark_is_left)
{
    if (passing[_i].trouble == HOLDS)
        be_impatient();
    bucket.orders[0] = (struct order){ "PUT", "/", 9, passing[_i].trouble, passing[_i].status, passing[_i].body };
    ck_assert(!add(100));
    ck_assert_int_eq(bucket.err.status, 503);
    ck_assert_int_gt(bucket.err.retry_after_ms, 0);
    /* libcurl may add one of its own */
    ck_assert_msg(str_starts(str_of(bucket_asked()), STR("PUT PUT PUT")), "%s", bucket_asked());
    ck_assert_int_eq(bucket_files("media/spool"), 1); /* the mark: the bucket may have it all the same */
}
END_TEST

START_TEST(who_is_about_to_close_tries_once)
{
    bucket.orders[0] = (struct order){ "PUT", "/", 9, ANSWERS, 500, "" };
    media_hurry(bucket.store);
    ck_assert(!add(100));
    ck_assert_str_eq(bucket_asked(), "PUT");
}
END_TEST

START_TEST(a_refusal_is_not_tried_again)
{
    bucket.orders[0] = (struct order){ "PUT", "/", 9, ANSWERS, 403, "<Error><Code>AccessDenied</Code></Error>" };
    ck_assert(!add(100));
    ck_assert_int_eq(bucket.err.status, 503);
    ck_assert_str_eq(bucket_asked(), "PUT");
}
END_TEST

/* ---- in parts ---- */

START_TEST(a_large_file_goes_in_parts)
{
    size_t sent = 0;

    ck_assert_msg(add(3 * UNIT + 5), "%s", bucket.err.message);
    ck_assert_str_eq(bucket_asked(), "POST PUT PUT PUT PUT POST");
    for (int i = 0; i < test_server_requests(bucket.server); i++)
        if (str_find(test_server_request(bucket.server, i).target, STR("partNumber=")) > 0)
            sent += test_server_request(bucket.server, i).body.len;
    ck_assert_uint_eq(sent, 3 * UNIT + 5);
    ck_assert(str_ends(bucket_last_request().target, STR("?uploadId=up%2F1")));
    ck_assert_str_eq(bucket.parts, "<CompleteMultipartUpload>"
                     "<Part><PartNumber>1</PartNumber><ETag>\"tag\"</ETag></Part>"
                     "<Part><PartNumber>2</PartNumber><ETag>\"tag\"</ETag></Part>"
                     "<Part><PartNumber>3</PartNumber><ETag>\"tag\"</ETag></Part>"
                     "<Part><PartNumber>4</PartNumber><ETag>\"tag\"</ETag></Part></CompleteMultipartUpload>");
}
END_TEST

START_TEST(an_end_that_fails_with_200_is_tried_again)
{
    bucket.orders[0] = (struct order){ "POST", "?uploadId", 1, ANSWERS, 200,
                                       "<Error><Code>InternalError</Code></Error>" };
    ck_assert_msg(add(3 * UNIT), "%s", bucket.err.message);
    ck_assert_str_eq(bucket_asked(), "POST PUT PUT PUT POST POST");
}
END_TEST

START_TEST(parts_that_come_to_no_end_are_thrown_away)
{
    bucket.orders[0] = (struct order){ "POST", "?uploadId", 9, ANSWERS, 200,
                                       "<Error><Code>InternalError</Code></Error>" };
    ck_assert(!add(3 * UNIT));
    ck_assert_int_eq(bucket.err.status, 503);
    ck_assert_str_eq(bucket_asked(), "POST PUT PUT PUT POST POST POST DELETE");
}
END_TEST

START_TEST(a_part_that_fails_ends_the_upload)
{
    bucket.orders[0] = (struct order){ "PUT", "partNumber=2", 9, ANSWERS, 500, "" };
    ck_assert(!add(3 * UNIT));
    ck_assert_str_eq(bucket_asked(), "POST PUT PUT PUT PUT DELETE");
}
END_TEST

/* The upload became the object, but its answer was lost. */
START_TEST(an_end_that_was_not_heard_is_asked_after)
{
    char *bytes = calloc(1, 3 * UNIT);

    bucket.object = (struct str){ bytes, 3 * UNIT };
    bucket.orders[0] = (struct order){ "POST", "?uploadId", 1, DOES_AND_CUTS, 0, "" };
    bucket.orders[1] = (struct order){ "POST", "?uploadId", 1, ANSWERS, 404,
                                       "<Error><Code>NoSuchUpload</Code></Error>" };
    ck_assert_msg(add(3 * UNIT), "%s", bucket.err.message);
    ck_assert_str_eq(bucket_asked(), "POST PUT PUT PUT POST POST HEAD");
    free(bytes);
}
END_TEST

START_TEST(an_upload_that_somebody_ended_is_no_object)
{
    bucket.orders[0] = (struct order){ "POST", "?uploadId", 1, ANSWERS, 404,
                                       "<Error><Code>NoSuchUpload</Code></Error>" };
    ck_assert(!add(3 * UNIT));
    ck_assert_int_eq(bucket.err.status, 503);
}
END_TEST

static TCase *
beginning(void)
{
    TCase *c = tcase_create("beginning");

    tcase_add_checked_fixture(c, bucket_make, bucket_remove);
    tcase_add_loop_test(c, what_is_wrong_is_found_at_the_start, 0, COUNT(refusals));
    tcase_add_loop_test(c, settings_that_make_no_sense_are_refused, 0, COUNT(nonsense));
    tcase_add_test(c, nobody_there_is_said);
    tcase_add_test(c, the_bucket_may_be_in_the_hosts_name);
    return c;
}

static TCase *
putting(void)
{
    const TTest *const tests[] = {
        a_file_is_put_with_its_type, what_a_browser_could_run_is_a_download,
        who_is_about_to_close_tries_once, a_refusal_is_not_tried_again,
        a_large_file_goes_in_parts, an_end_that_fails_with_200_is_tried_again,
        parts_that_come_to_no_end_are_thrown_away, a_part_that_fails_ends_the_upload,
        an_end_that_was_not_heard_is_asked_after, an_upload_that_somebody_ended_is_no_object,
    };
    TCase *c = tcase_create("putting");

    tcase_add_checked_fixture(c, bucket_open, bucket_remove);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(c, tests[i]);
    tcase_add_loop_test(c, what_passes_is_tried_again, 0, COUNT(passing));
    tcase_add_loop_test(c, what_stays_is_said_and_only_the_mark_is_left, 0, COUNT(passing));
    return c;
}

TEST_CASES("s3", beginning, putting)
