#include "base/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/testing_str.h"
#include "db/testing.h"
#include "media/s3.h"
#include "media/testing_media.h"
#include "net/testing.h"

#define UNIT ((size_t)64 * 1024)
#define PNG "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\3\0\0\0\2\x08\2\0\0\0\x12\x16\xF1\x4D"
#define NAME "4Ea3MGLQhSTN8tP9uVyXwz.png"
#define MINUTE INT64_C(60000)
#define MODIFIED "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n"

/* ---- a bucket that holds what a test puts into it, and has what troubles it orders ---- */

enum trouble { ANSWERS, CUTS, HOLDS, CUTS_SHORT, DOES_AND_CUTS };

static struct order {
    const char  *method, *part; /* of the target */
    int          count;
    enum trouble trouble;
    int          status;
    const char  *body;
} orders[4];

static struct {
    struct test_server *server;
    pthread_mutex_t     lock;
    char                check[512]; /* where the look at the start put something */
    struct str          object;     /* what every other GET finds; none = nothing */
    char                parts[1024];
    bool                denies_missing; /* as S3 does to who may not list */
} bucket;

static struct place place;
static struct media_store *store;
static struct arena arena;
static struct error err;

static const struct order *
ordered(const struct test_request *r)
{
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        if (orders[i].count > 0 && str_eq(r->method, str_of(orders[i].method))
            && str_find(r->target, str_of(orders[i].part)) >= 0) {
            orders[i].count--;
            return &orders[i];
        }
    return NULL;
}

static bool
is_check(const struct test_request *r)
{
    return str_find(r->target, STR("parley-check")) >= 0;
}

static void
answer_get(struct test_peer *peer, const struct test_request *r)
{
    bool is_head = str_eq(r->method, STR("HEAD"));
    char head[200];

    if (is_check(r) ? str_eq(r->target, str_of(bucket.check)) : bucket.object.ptr != NULL) {
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n" MODIFIED "Content-Length: %zu\r\n\r\n", bucket.object.len);
        test_peer_send(peer, str_of(head));
        if (!is_head)
            test_peer_send(peer, bucket.object);
    } else if (bucket.denies_missing) {
        test_peer_answer(peer, 403, "", is_head ? STR("") : STR("<Error><Code>AccessDenied</Code></Error>"));
    } else {
        test_peer_answer(peer, 404, "", is_head ? STR("") : STR("<Error><Code>NoSuchKey</Code></Error>"));
    }
}

static void
answer_well(struct test_peer *peer, const struct test_request *r)
{
    if (str_eq(r->method, STR("GET")) || str_eq(r->method, STR("HEAD"))) {
        answer_get(peer, r);
    } else if (str_eq(r->method, STR("PUT"))) {
        if (is_check(r))
            snprintf(bucket.check, sizeof(bucket.check), "%.*s", STR_ARG(r->target));
        test_peer_answer(peer, 200, "ETag: \"tag\"\r\n", STR(""));
    } else if (str_eq(r->method, STR("DELETE"))) {
        bucket.check[0] = '\0';
        test_peer_answer(peer, 204, "", STR(""));
    } else if (str_ends(r->target, STR("?uploads="))) {
        test_peer_answer(peer, 200, "", STR("<X><UploadId>up/1</UploadId></X>"));
    } else {
        snprintf(bucket.parts, sizeof(bucket.parts), "%.*s", STR_ARG(r->body));
        test_peer_answer(peer, 200, "", STR("<CompleteMultipartUploadResult/>"));
    }
}

static void
answer(struct test_peer *peer, const struct test_request *r, void *user)
{
    const struct order *o;

    (void)user;
    pthread_mutex_lock(&bucket.lock);
    o = ordered(r);
    pthread_mutex_unlock(&bucket.lock);
    if (!o) {
        answer_well(peer, r);
        return;
    }
    switch (o->trouble) {
    case ANSWERS:
        test_peer_answer(peer, o->status, "", str_of(o->body));
        break;
    case CUTS:
        test_peer_reset(peer);
        break;
    case HOLDS:
        test_peer_hold(peer);
        break;
    case CUTS_SHORT:
        test_peer_send(peer, STR("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly the beginning"));
        test_peer_end(peer);
        break;
    case DOES_AND_CUTS:
        snprintf(bucket.parts, sizeof(bucket.parts), "%.*s", STR_ARG(r->body));
        test_peer_reset(peer);
        break;
    }
}

static bool
open_at(const char *host, bool path_style)
{
    const struct media_s3_options o = {
        .endpoint = arena_printf(&arena, "http://%s:%d", host, test_server_port(bucket.server)),
        .path_style = path_style, .region = STR("eu-central-1"), .bucket = STR("media"), .prefix = STR("/our shop/"),
        .key_id = STR("AKIDTEST"), .secret = STR("the-secret"), .folder = place_path(&place, "media", ""),
        .copies_max = 4 * UNIT, .url_seconds = 600, .part_size = UNIT, .patience_ms = 1000, .again_ms = 1,
    };

    return media_open_s3(&o, &store, &err);
}

static void
set_up(void)
{
    place_make(&place);
    pthread_mutex_init(&bucket.lock, NULL);
    bucket.server = test_server_start(answer, NULL);
}

static void
set_up_open(void)
{
    set_up();
    ck_assert_msg(open_at("127.0.0.1", true), "%s", err.message);
}

static void
tear_down(void)
{
    media_close(store);
    test_server_stop(bucket.server);
    arena_deinit(&arena);
    place_remove(&place);
}

/* The requests that were made, but for those of the start: "PUT GET". */
static const char *
asked(void)
{
    static char out[500];
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < test_server_requests(bucket.server); i++) {
        struct test_request r = test_server_request(bucket.server, i);

        if (str_find(r.target, STR("parley-check")) < 0)
            len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s", len ? " " : "", STR_ARG(r.method));
    }
    return out;
}

static struct test_request
last_request(void)
{
    return test_server_request(bucket.server, test_server_requests(bucket.server) - 1);
}

static struct str
spooled(size_t size)
{
    struct str path = media_spool_path(store, &arena);
    int fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, PNG, sizeof(PNG) - 1), sizeof(PNG) - 1);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
    return path;
}

static int
files_in(const char *folder)
{
    DIR *dir = opendir(place_path(&place, folder, ""));
    const struct dirent *entry;
    int n = 0;

    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

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
    orders[0] = (struct order){ refusals[_i].method, "parley-check", 1, ANSWERS, refusals[_i].status,
                                refusals[_i].body };
    ck_assert(!open_at("127.0.0.1", true));
    ck_assert_int_eq(err.status, 503);
    ck_assert_msg(strstr(err.message, refusals[_i].says) != NULL, "%s", err.message);
    ck_assert_ptr_null(strstr(err.message, "the-secret"));
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(nobody_there_is_said)
{
    struct media_s3_options o = { .endpoint = STR("http://127.0.0.1:1"), .bucket = STR("media"), .key_id = STR("k"),
                                  .secret = STR("s"), .path_style = true, .region = STR("r"), .again_ms = 1,
                                  .folder = place_path(&place, "media", "") };

    ck_assert(!media_open_s3(&o, &store, &err));
    ck_assert_msg(strstr(err.message, "127.0.0.1:1 cannot be reached") != NULL, "%s", err.message);
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
        .folder = place_path(&place, "media", ""),
    };

    ck_assert(!media_open_s3(&o, &store, &err));
    ck_assert_int_eq(err.status, 400);
}
END_TEST

START_TEST(the_bucket_may_be_in_the_hosts_name)
{
    struct test_request r;
    struct str url;

    ck_assert_msg(open_at("LocalHost", false), "%s", err.message);
    r = last_request();
    ck_assert_msg(str_starts(r.target, STR("/our%20shop/parley-check")), "%.*s", STR_ARG(r.target));
    ck_assert_msg(str_starts(test_request_header(&r, "host"), STR("media.localhost:")), "%.*s", STR_ARG(r.head));
    ck_assert(media_url(store, STR(NAME), false, &arena, &url));
    ck_assert_msg(str_starts(url, STR("http://media.localhost:")), "%.*s", STR_ARG(url));
    ck_assert(str_find(url, STR("/our%20shop/" NAME "?X-Amz-Algorithm=")) > 0);
    ck_assert(str_find(url, STR("X-Amz-Expires=600&")) > 0);
    ck_assert(str_find(url, STR("the-secret")) < 0);
}
END_TEST

/* ---- putting ---- */

START_TEST(a_file_is_put_with_its_type)
{
    struct media_info info;
    struct test_request r;
    struct str path = spooled(100);

    ck_assert_msg(media_add(store, path.ptr, STR_NONE, &info, &err), "%s", err.message);
    ck_assert_str_eq(asked(), "PUT");
    r = last_request();
    ck_assert(str_eq(r.target, arena_printf(&arena, "/media/our%%20shop/%s", info.name)));
    ck_assert_uint_eq(r.body.len, 100);
    ck_assert_slice(test_request_header(&r, "content-type"), "image/png");
    ck_assert_slice(test_request_header(&r, "cache-control"), "public, max-age=31536000, immutable");
    ck_assert(str_is_none(test_request_header(&r, "content-disposition")));
    ck_assert(str_eq(test_request_header(&r, "x-amz-content-sha256"), sigv4_hash(&arena, r.body)));
    ck_assert(str_find(test_request_header(&r, "authorization"),
                       STR("SignedHeaders=cache-control;content-type;host;x-amz-content-sha256;x-amz-date,")) > 0);
    ck_assert_int_eq(access(path.ptr, F_OK), -1);
}
END_TEST

START_TEST(what_a_browser_could_run_is_a_download)
{
    struct media_info info;
    struct test_request r;

    ck_assert(testing_media_add(store, STR("<html><body>hello"), STR("text/html"), &info, &err));
    r = last_request();
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

START_TEST(what_passes_is_tried_again)
{
    struct media_info info;

    orders[0] = (struct order){ "PUT", "/", 1, passing[_i].trouble, passing[_i].status, passing[_i].body };
    ck_assert_msg(media_add(store, spooled(100).ptr, STR_NONE, &info, &err), "%s", err.message);
    ck_assert_str_eq(asked(), "PUT PUT");
    ck_assert_uint_eq(last_request().body.len, 100);
}
END_TEST

START_TEST(what_stays_is_said_and_only_the_mark_is_left)
{
    struct media_info info;

    orders[0] = (struct order){ "PUT", "/", 9, passing[_i].trouble, passing[_i].status, passing[_i].body };
    ck_assert(!media_add(store, spooled(100).ptr, STR_NONE, &info, &err));
    ck_assert_int_eq(err.status, 503);
    ck_assert_int_gt(err.retry_after_ms, 0);
    ck_assert_msg(str_starts(str_of(asked()), STR("PUT PUT PUT")), "%s", asked()); /* libcurl may add one of its own */
    ck_assert_int_eq(files_in("media/spool"), 1); /* the mark: the bucket may have it all the same */
}
END_TEST

START_TEST(who_is_about_to_close_tries_once)
{
    struct media_info info;

    orders[0] = (struct order){ "PUT", "/", 9, ANSWERS, 500, "" };
    media_hurry(store);
    ck_assert(!media_add(store, spooled(100).ptr, STR_NONE, &info, &err));
    ck_assert_str_eq(asked(), "PUT");
}
END_TEST

START_TEST(a_refusal_is_not_tried_again)
{
    struct media_info info;

    orders[0] = (struct order){ "PUT", "/", 9, ANSWERS, 403, "<Error><Code>AccessDenied</Code></Error>" };
    ck_assert(!media_add(store, spooled(100).ptr, STR_NONE, &info, &err));
    ck_assert_int_eq(err.status, 503);
    ck_assert_str_eq(asked(), "PUT");
}
END_TEST

/* ---- in parts ---- */

START_TEST(a_large_file_goes_in_parts)
{
    struct media_info info;
    size_t sent = 0;

    ck_assert_msg(media_add(store, spooled(3 * UNIT + 5).ptr, STR_NONE, &info, &err), "%s", err.message);
    ck_assert_str_eq(asked(), "POST PUT PUT PUT PUT POST");
    for (int i = 0; i < test_server_requests(bucket.server); i++)
        if (str_find(test_server_request(bucket.server, i).target, STR("partNumber=")) > 0)
            sent += test_server_request(bucket.server, i).body.len;
    ck_assert_uint_eq(sent, 3 * UNIT + 5);
    ck_assert(str_ends(last_request().target, STR("?uploadId=up%2F1")));
    ck_assert_str_eq(bucket.parts, "<CompleteMultipartUpload>"
                     "<Part><PartNumber>1</PartNumber><ETag>\"tag\"</ETag></Part>"
                     "<Part><PartNumber>2</PartNumber><ETag>\"tag\"</ETag></Part>"
                     "<Part><PartNumber>3</PartNumber><ETag>\"tag\"</ETag></Part>"
                     "<Part><PartNumber>4</PartNumber><ETag>\"tag\"</ETag></Part></CompleteMultipartUpload>");
}
END_TEST

START_TEST(an_end_that_fails_with_200_is_tried_again)
{
    struct media_info info;

    orders[0] = (struct order){ "POST", "?uploadId", 1, ANSWERS, 200, "<Error><Code>InternalError</Code></Error>" };
    ck_assert_msg(media_add(store, spooled(3 * UNIT).ptr, STR_NONE, &info, &err), "%s", err.message);
    ck_assert_str_eq(asked(), "POST PUT PUT PUT POST POST");
}
END_TEST

START_TEST(parts_that_come_to_no_end_are_thrown_away)
{
    struct media_info info;

    orders[0] = (struct order){ "POST", "?uploadId", 9, ANSWERS, 200, "<Error><Code>InternalError</Code></Error>" };
    ck_assert(!media_add(store, spooled(3 * UNIT).ptr, STR_NONE, &info, &err));
    ck_assert_int_eq(err.status, 503);
    ck_assert_str_eq(asked(), "POST PUT PUT PUT POST POST POST DELETE");
}
END_TEST

START_TEST(a_part_that_fails_ends_the_upload)
{
    struct media_info info;

    orders[0] = (struct order){ "PUT", "partNumber=2", 9, ANSWERS, 500, "" };
    ck_assert(!media_add(store, spooled(3 * UNIT).ptr, STR_NONE, &info, &err));
    ck_assert_str_eq(asked(), "POST PUT PUT PUT PUT DELETE");
}
END_TEST

/* The upload became the object, but its answer was lost. */
START_TEST(an_end_that_was_not_heard_is_asked_after)
{
    struct media_info info;
    char *bytes = calloc(1, 3 * UNIT);

    bucket.object = (struct str){ bytes, 3 * UNIT };
    orders[0] = (struct order){ "POST", "?uploadId", 1, DOES_AND_CUTS, 0, "" };
    orders[1] = (struct order){ "POST", "?uploadId", 1, ANSWERS, 404, "<Error><Code>NoSuchUpload</Code></Error>" };
    ck_assert_msg(media_add(store, spooled(3 * UNIT).ptr, STR_NONE, &info, &err), "%s", err.message);
    ck_assert_str_eq(asked(), "POST PUT PUT PUT POST POST HEAD");
    free(bytes);
}
END_TEST

START_TEST(an_upload_that_somebody_ended_is_no_object)
{
    struct media_info info;

    orders[0] = (struct order){ "POST", "?uploadId", 1, ANSWERS, 404, "<Error><Code>NoSuchUpload</Code></Error>" };
    ck_assert(!media_add(store, spooled(3 * UNIT).ptr, STR_NONE, &info, &err));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

/* ---- getting ---- */

static struct str
opened(const char *name)
{
    struct str out = STR_NONE;
    int64_t modified_ms;
    const char *type;
    ssize_t len;
    char *bytes;
    int fd;

    if (!media_open(store, str_of(name), &fd, &type, &modified_ms, &err))
        return out;
    bytes = arena_alloc(&arena, 2 * UNIT);
    len = read(fd, bytes, 2 * UNIT);
    close(fd);
    ck_assert_int_ge(len, 0);
    ck_assert_int_eq(modified_ms, INT64_C(1735689600000));
    return (struct str){ bytes, (size_t)len };
}

START_TEST(what_was_asked_for_is_there_the_next_time)
{
    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(asked(), "GET");
    ck_assert_int_eq(files_in("media/copies"), 1);
    ck_assert_int_eq(files_in("media/spool"), 0);
}
END_TEST

START_TEST(what_is_not_there_is_a_404)
{
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 404);
    ck_assert_str_eq(asked(), "GET");
    ck_assert_int_eq(files_in("media/spool"), 0);
}
END_TEST

START_TEST(a_bucket_that_is_gone_is_no_404)
{
    orders[0] = (struct order){ "GET", "/", 9, ANSWERS, 404, "<Error><Code>NoSuchBucket</Code></Error>" };
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

START_TEST(who_may_not_list_hears_403_for_404)
{
    media_close(store);
    bucket.denies_missing = true;
    ck_assert_msg(open_at("127.0.0.1", true), "%s", err.message);
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 404);
    orders[1] = (struct order){ "GET", NAME, 1, ANSWERS, 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>" };
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

START_TEST(half_of_it_is_nothing)
{
    bucket.object = STR("hello");
    orders[0] = (struct order){ "GET", "/", 1, CUTS_SHORT, 0, "" };
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(asked(), "GET GET");
}
END_TEST

START_TEST(after_an_hour_the_bucket_is_asked_again)
{
    int64_t now_ms = clock_now_ms();

    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    clock_set(now_ms + 61 * MINUTE);
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(asked(), "GET HEAD");
    clock_set(now_ms + 122 * MINUTE);
    orders[0] = (struct order){ "HEAD", "/", 9, CUTS, 0, "" };
    ck_assert_slice(opened(NAME), "hello");
    pthread_mutex_lock(&bucket.lock);
    orders[0].count = 0;
    bucket.object = STR_NONE;
    pthread_mutex_unlock(&bucket.lock);
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 404);
    ck_assert_int_eq(files_in("media/copies"), 0);
}
END_TEST

START_TEST(copies_keep_within_their_room)
{
    static char bytes[UNIT];
    int64_t now_ms = clock_now_ms();
    const char *name;

    bucket.object = (struct str){ bytes, sizeof(bytes) };
    for (int i = 0; i < 9; i++) {
        clock_set(now_ms + i * INT64_C(1000));
        name = arena_printf(&arena, "4Ea3MGLQhSTN8tP9uVyXw%d.png", i + 1).ptr;
        ck_assert_uint_eq(opened(name).len, sizeof(bytes));
        ck_assert_int_le(files_in("media/copies"), 4);
    }
    ck_assert_int_eq(access(place_path(&place, "media/copies/4Ea3MGLQhSTN8tP9uVyXw9.png", ""), F_OK), 0);
    ck_assert_int_ne(access(place_path(&place, "media/copies/4Ea3MGLQhSTN8tP9uVyXw1.png", ""), F_OK), 0);
}
END_TEST

START_TEST(processes_of_one_machine_share_their_copies)
{
    struct media_store *first = store;

    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    ck_assert(open_at("127.0.0.1", true));
    ck_assert_slice(opened(NAME), "hello");
    ck_assert_str_eq(asked(), "GET");
    ck_assert(media_remove(store, STR(NAME), &err));
    bucket.object = STR_NONE;
    media_close(store);
    store = first;
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 404);
}
END_TEST

START_TEST(no_place_for_a_copy_is_our_trouble)
{
    bucket.object = STR("hello");
    ck_assert_int_eq(rmdir(place_path(&place, "media/spool", "")), 0);
    ck_assert(str_is_none(opened(NAME)));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

START_TEST(removing_takes_the_copy_along)
{
    bucket.object = STR("hello");
    ck_assert_slice(opened(NAME), "hello");
    orders[0] = (struct order){ "DELETE", "/", 1, ANSWERS, 404, "<Error><Code>NoSuchKey</Code></Error>" };
    ck_assert(media_remove(store, STR(NAME), &err));
    ck_assert_int_eq(files_in("media/copies"), 0);
    ck_assert_str_eq(asked(), "GET DELETE");
    orders[0] = (struct order){ "DELETE", "/", 9, ANSWERS, 404, "<Error><Code>NoSuchBucket</Code></Error>" };
    ck_assert(!media_remove(store, STR(NAME), &err));
    ck_assert_int_eq(err.status, 503);
}
END_TEST

START_TEST(objects_move_from_store_to_store)
{
    struct media_store *disk;
    struct str path;
    int64_t size;

    bucket.object = STR("hello");
    ck_assert(media_open_disk(place_path(&place, "disk", ""), &disk, &err));
    ck_assert(!media_size(disk, STR(NAME), &size, &err) && err.status == 404);
    path = media_spool_path(disk, &arena);
    ck_assert(media_fetch(store, STR(NAME), path.ptr, &err));
    ck_assert(media_put(disk, path.ptr, STR(NAME), &err));
    ck_assert(media_size(disk, STR(NAME), &size, &err) && size == 5);
    path = media_spool_path(store, &arena);
    ck_assert(media_fetch(disk, STR(NAME), path.ptr, &err));
    ck_assert(media_put(store, path.ptr, STR(NAME), &err));
    ck_assert_slice(last_request().body, "hello");
    ck_assert(media_size(disk, STR(NAME), &size, &err) && size == 5);
    ck_assert(media_size(store, STR(NAME), &size, &err) && size == 5);
    media_close(disk);
}
END_TEST

static TCase *
beginning(void)
{
    TCase *c = tcase_create("beginning");

    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_loop_test(c, what_is_wrong_is_found_at_the_start, 0, sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_loop_test(c, settings_that_make_no_sense_are_refused, 0, sizeof(nonsense) / sizeof(nonsense[0]));
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

    tcase_add_checked_fixture(c, set_up_open, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(c, tests[i]);
    tcase_add_loop_test(c, what_passes_is_tried_again, 0, sizeof(passing) / sizeof(passing[0]));
    tcase_add_loop_test(c, what_stays_is_said_and_only_the_mark_is_left, 0, sizeof(passing) / sizeof(passing[0]));
    return c;
}

static TCase *
getting(void)
{
    const TTest *const tests[] = {
        what_was_asked_for_is_there_the_next_time, what_is_not_there_is_a_404, a_bucket_that_is_gone_is_no_404,
        who_may_not_list_hears_403_for_404, half_of_it_is_nothing, after_an_hour_the_bucket_is_asked_again,
        copies_keep_within_their_room, processes_of_one_machine_share_their_copies,
        no_place_for_a_copy_is_our_trouble, removing_takes_the_copy_along, objects_move_from_store_to_store,
    };
    TCase *c = tcase_create("getting");

    tcase_add_checked_fixture(c, set_up_open, tear_down);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(c, tests[i]);
    return c;
}

TEST_CASES("s3", beginning, putting, getting)
