#include "http/testing_pair.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(name, value) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define PART(name, file, type, value)                                                                        \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"" file "\"\r\nContent-Type: " type \
    "\r\nContent-Length: 1\r\n\r\n" value "\r\n"
#define END "--b--\r\n"

static void
send_upload(const char *path, struct str body, size_t declared)
{
    char head[256];

    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
             "Content-Length: %zu\r\n\r\n", path, declared);
    testing_send(&client, head);
    testing_send_bytes(&client, body);
}

static struct testing_reply
upload(const char *body, int status)
{
    struct testing_reply r;

    send_upload("/upload", str_of(body), strlen(body));
    r = testing_read(&client);
    ck_assert_msg(r.status == status, "%d: %.*s", r.status, STR_ARG(r.body));
    return r;
}

START_TEST(parts_are_fields_and_files)
{
    struct testing_reply r = upload(
        FIELD("body", "Hello") PART("media[]", "a.txt", "Text/Plain", "file bytes") FIELD("x", "")
        PART("f", "", "a/b", "") END, 200);

    ck_assert_text(r.body, "body|||5|Hello\nmedia[]|a.txt|text/plain|10|file bytes\nx|||0|\nf||a/b|0|\n");
    testing_ask(&client, HELLO, 200); /* the exchange is over by then */
    ck_assert_uint_eq(testing_spooled(&server), 0);
}
END_TEST

START_TEST(a_chunked_upload_may_be_cut_anywhere)
{
    static const char    body[] = FIELD("a", "1") PART("f", "n", "t/x", "0123456789") END;
    struct testing_reply r;
    char                 chunk[16];

    testing_send(&client, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < sizeof(body) - 1; i++) {
        snprintf(chunk, sizeof(chunk), "1\r\n%c\r\n", body[i]);
        testing_send(&client, chunk);
    }
    r = testing_ask(&client, "0\r\n\r\n", 200);
    ck_assert_text(r.body, "a|||1|1\nf|n|t/x|10|0123456789\n");
}
END_TEST

START_TEST(text_fields_share_one_bound)
{
    struct buf body;

    buf_init(&body, MIB);
    for (int i = 0; i < 3; i++) {
        buf_append(&body, STR("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"));
        for (int n = 0; n < 400; n++)
            buf_append_char(&body, 'x');
        buf_append(&body, STR("\r\n"));
    }
    buf_append(&body, STR(END));
    send_upload("/upload", buf_str(&body), body.len);
    ck_assert_int_eq(testing_read(&client).status, 413);
    buf_deinit(&body);
}
END_TEST

START_TEST(a_renamed_file_stays)
{
    char path[128];

    send_upload("/keep", str_of(PART("f", "n", "t/x", "kept") END), sizeof(PART("f", "n", "t/x", "kept") END) - 1);
    ck_assert_int_eq(testing_read(&client).status, 200);
    testing_ask(&client, HELLO, 200);
    ck_assert_uint_eq(testing_spooled(&server), 1);
    snprintf(path, sizeof(path), "%s/kept", server.spool);
    ck_assert_int_eq(access(path, R_OK), 0);
}
END_TEST

/* What a multipart body of this many bytes is, in one file or one text field. */
static struct buf
body_of_size(bool in_a_file, size_t size)
{
    struct buf b;

    buf_init(&b, MIB);
    buf_append(&b, in_a_file ? STR("--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n")
                             : STR("--b\r\nContent-Disposition: form-data; name=f\r\n\r\n"));
    while (b.len < size - 7)
        buf_append_char(&b, 'x');
    buf_append(&b, STR("\r\n--b--"));
    return b;
}

static const struct {
    bool   in_a_file, chunked;
    size_t size;
    int    status;
} sizes[] = {
    { true, false, 100000, 200 }, { true, false, 100001, 413 }, { true, true, 100000, 200 },
    { true, true, 100001, 413 },  { false, false, 1000, 200 },  { false, false, 1100, 413 },
};

START_TEST(sizes_are_bounded)
{
    struct buf body = body_of_size(sizes[_i].in_a_file, sizes[_i].size);
    char       size[32];

    if (sizes[_i].chunked) {
        testing_send(&client, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n");
        snprintf(size, sizeof(size), "%zx\r\n", body.len);
        testing_send(&client, size);
        testing_send_bytes(&client, buf_str(&body));
        testing_send(&client, "\r\n0\r\n\r\n");
    } else
        send_upload("/upload", buf_str(&body), body.len);
    buf_deinit(&body);
    ck_assert_int_eq(testing_read(&client).status, sizes[_i].status);
    if (sizes[_i].status == 200)
        testing_ask(&client, HELLO, 200);
    else
        ck_assert(testing_is_closed(&client));
    ck_assert_uint_eq(testing_spooled(&server), 0);
}
END_TEST

static const char *const broken[] = {
    "",
    "--b",
    FIELD("a", "1"),
    PART("f", "n", "t/x", "1") "--bx",
    PART("f", "n", "t/x", "1") "--b\r\nno header",
};

START_TEST(a_broken_upload_leaves_nothing)
{
    upload(broken[_i], 400);
    ck_assert(testing_is_closed(&client));
    ck_assert_uint_eq(testing_spooled(&server), 0);
}
END_TEST

START_TEST(a_broken_off_upload_leaves_nothing)
{
    send_upload("/upload", STR(PART("f", "n", "t/x", "1")), 5000);
    testing_close(&client);
    testing_await_connections(&server, 0);
    ck_assert_uint_eq(testing_spooled(&server), 0);
}
END_TEST

START_TEST(a_boundary_is_needed)
{
    testing_ask(&client, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                         "Content-Type: multipart/form-data\r\n\r\nabc", 400);
    ck_assert(testing_is_closed(&client));
}
END_TEST

/* Nothing of what one request was allowed is left for the next. */
START_TEST(who_wants_no_upload_gets_a_body)
{
    struct testing_reply r = upload(FIELD("a", "1") END, 200);

    r = testing_ask(&client,
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\nabc", 200);

    ck_assert_text(r.body, "abc");
    testing_ask(&client, "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 413);
}
END_TEST

START_TEST(a_spool_that_cannot_be_written_is_a_503)
{
    ck_assert_int_eq(rmdir(server.spool), 0);
    upload(PART("f", "n", "t/x", "1") END, 503);
    ck_assert_int_eq(mkdir(server.spool, 0700), 0);
}
END_TEST

START_TEST(a_full_disk_is_a_503)
{
    struct rlimit limit, little = { .rlim_cur = 1 };
    static char   bytes[50000];
    struct buf    body;

    memset(bytes, 'x', sizeof(bytes));
    buf_init(&body, 100000);
    buf_printf(&body, PART("f", "n", "t/x", "%.*s") END, (int)sizeof(bytes), bytes);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    little.rlim_max = limit.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    send_upload("/upload", buf_str(&body), body.len);
    ck_assert_int_eq(testing_read(&client).status, 503);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_uint_eq(testing_spooled(&server), 0);
    buf_deinit(&body);
}
END_TEST

static TCase *
uploads(void)
{
    TCase *c = tcase_create("uploads");

    tcase_add_checked_fixture(c, pair_set_up, pair_tear_down);
    tcase_add_test(c, parts_are_fields_and_files);
    tcase_add_test(c, a_chunked_upload_may_be_cut_anywhere);
    tcase_add_test(c, text_fields_share_one_bound);
    tcase_add_test(c, a_renamed_file_stays);
    tcase_add_test(c, a_full_disk_is_a_503);
    tcase_add_loop_test(c, sizes_are_bounded, 0, COUNT(sizes));
    tcase_add_loop_test(c, a_broken_upload_leaves_nothing, 0, COUNT(broken));
    tcase_add_test(c, a_broken_off_upload_leaves_nothing);
    tcase_add_test(c, a_boundary_is_needed);
    tcase_add_test(c, who_wants_no_upload_gets_a_body);
    tcase_add_test(c, a_spool_that_cannot_be_written_is_a_503);
    return c;
}

TEST_CASES("upload", uploads)
