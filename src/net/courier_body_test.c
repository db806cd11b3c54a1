/* courier_body_test.c -- bodies that go out, and answers that come back: how large, and in files. */
#include "net/courier.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing_str.h"
#include "net/testing.h"

/* ---- what goes out ---- */

static struct str
pattern(struct test_client *c, size_t n)
{
    char *p = arena_bytes(&c->arena, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 31 + i / 251);
    return (struct str){ p, n };
}

static const char *
write_file(struct test_client *c, struct str bytes)
{
    struct str path = arena_copy(&c->arena, STR("/tmp/courier-test-XXXXXX"));
    int fd = mkstemp((char *)(uintptr_t)path.ptr);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    close(fd);
    return path.ptr;
}

START_TEST(a_large_body_arrives_whole)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_response *r;
    struct str body;
    struct test_request seen;

    test_client_init(&c, NULL);
    body = pattern(&c, 3 * MIB + 7);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body = body });
    ck_assert_int_eq(r->result, NET_ANSWERED);
    seen = test_server_request(s, 0);
    ck_assert(str_is_none(test_request_header(&seen, "Expect")));
    ck_assert(str_eq(seen.body, body));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_body_comes_from_a_file)
{
    static const char *const methods[] = { NULL, "PUT", "PATCH" };
    struct net_header type = { STR("content-type"), STR("application/json") };
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct str body;
    const char *path;

    test_client_init(&c, NULL);
    body = pattern(&c, 2 * MIB + 3);
    path = write_file(&c, body);
    for (int i = 0; i < 3; i++) {
        struct net_request r = { .url = test_url(&c, s, "x"), .method = str_of(methods[i]), .body_path = str_of(path),
                                 .headers = &type, .header_count = 1 };
        struct test_request seen;

        ck_assert_int_eq(test_client_ask(&c, r)->result, NET_ANSWERED);
        seen = test_server_request(s, i);
        ck_assert_same(seen.method, methods[i] ? str_of(methods[i]) : STR("POST"));
        ck_assert(str_is_none(test_request_header(&seen, "Expect")));
        ck_assert_same(test_request_header(&seen, "Content-Type"), STR("application/json"));
        ck_assert(str_eq(seen.body, body));
    }
    unlink(path);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_our_fault)
{
    struct net_part part = { .name = STR("f"), .path = STR("/nowhere/x") };
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body_path = STR("/nowhere/x") });
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot read the file to send: No such file or directory");
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .parts = &part, .part_count = 1 });
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_int_eq(test_server_connections(s), 0);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .body_path = STR("/tmp") });
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot read the file to send: Is a directory");
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* The next part of a multipart body, without the line end before the boundary. */
static struct str
next_part(struct str *rest, struct str boundary)
{
    ptrdiff_t end;
    struct str part;

    ck_assert(str_starts(*rest, boundary));
    *rest = str_from(*rest, boundary.len);
    end = str_find(*rest, boundary);
    if (end < 0)
        return STR_NONE;
    part  = str_slice(*rest, 2, (size_t)end - 4);
    *rest = str_from(*rest, (size_t)end);
    return part;
}

START_TEST(a_multipart_body_is_these_bytes)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct str photo, type, boundary, rest, part, head;
    struct net_part parts[4];
    struct net_response *r;
    struct test_request seen;
    ptrdiff_t at;

    test_client_init(&c, NULL);
    photo    = pattern(&c, 300 * KIB + 1);
    parts[0] = (struct net_part){ .name = STR("chat_id"), .value = STR("42") };
    parts[1] = (struct net_part){ .name = STR("caption"), .value = STR("gr\xc3\xbc\xc3\x9f\r\nGott") };
    parts[2] = (struct net_part){ .name = STR("photo"), .path = str_of(write_file(&c, photo)),
                                  .file_name = STR("my \"photo\".jpg"), .content_type = STR("image/jpeg") };
    parts[3] = (struct net_part){ .name = STR("empty"), .value = STR("") };
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "x"), .parts = parts, .part_count = 4 });
    ck_assert_int_eq(r->result, NET_ANSWERED);
    seen = test_server_request(s, 0);
    ck_assert_same(seen.method, STR("POST"));
    ck_assert(str_is_none(test_request_header(&seen, "Expect")));
    type = test_request_header(&seen, "Content-Type");
    ck_assert(str_starts(type, STR("multipart/form-data; boundary=")));
    boundary = arena_printf(&c.arena, "--%.*s", STR_ARG(str_from(type, 30)));

    rest = seen.body;
    ck_assert_same(next_part(&rest, boundary), STR("Content-Disposition: form-data; name=\"chat_id\"\r\n\r\n42"));
    ck_assert_same(next_part(&rest, boundary),
                   STR("Content-Disposition: form-data; name=\"caption\"\r\n\r\ngr\xc3\xbc\xc3\x9f\r\nGott"));
    part = next_part(&rest, boundary);
    at   = str_find(part, STR("\r\n\r\n"));
    ck_assert_int_gt(at, 0);
    head = str_slice(part, 0, (size_t)at);
    ck_assert_same(head, STR("Content-Disposition: form-data; name=\"photo\"; filename=\"my %22photo%22.jpg\"\r\n"
                             "Content-Type: image/jpeg"));
    ck_assert(str_eq(str_from(part, (size_t)at + 4), photo));
    ck_assert_same(next_part(&rest, boundary), STR("Content-Disposition: form-data; name=\"empty\"\r\n\r\n"));
    ck_assert(str_is_none(next_part(&rest, boundary)));
    ck_assert_same(rest, STR("--\r\n"));
    unlink(parts[2].path.ptr);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- what comes back ---- */

struct size_row {
    const char     *answer;
    enum net_result result;
    int             status;
};

static const struct size_row sizes[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", NET_ANSWERED, 200 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", NET_ANSWERED, 200 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", NET_TOO_BIG, 200 }, /* refused before a byte of it came */
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n", NET_TOO_BIG, 200 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n012345678\r\n2\r\n9a\r\n", NET_TOO_BIG, 200 },
    { "HTTP/1.1 200 OK\r\n\r\n0123456789abcdef", NET_TOO_BIG, 200 },
    { "HTTP/1.1 503 No\r\nContent-Length: 11\r\n\r\n", NET_TOO_BIG, 503 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", NET_TOO_BIG, 200 },
};

START_TEST(an_answer_has_a_largest_size)
{
    const struct size_row *row = &sizes[_i];
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask_for(&c, row->answer, (struct net_request){ .response_max = 10 });
    ck_assert_msg(r->result == row->result, "%d: %s", (int)r->result, r->error);
    ck_assert_int_eq(r->status, row->status);
    test_client_deinit(&c);
}
END_TEST

START_TEST(a_megabyte_is_the_usual_limit)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
                            (struct net_request){ .body = STR_NONE });
    ck_assert_int_eq(r->result, NET_TOO_BIG);
    test_client_deinit(&c);
}
END_TEST

static struct str
free_path(struct test_client *c)
{
    const char *path = write_file(c, STR(""));

    unlink(path);
    return str_of(path);
}

static struct str
read_file(struct test_client *c, struct str path)
{
    char *bytes = arena_bytes(&c->arena, 2 * MIB);
    int fd = open(path.ptr, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return STR_NONE;
    n = read(fd, bytes, 2 * MIB);
    close(fd);
    return (struct str){ bytes, (size_t)n };
}

START_TEST(an_answer_goes_to_a_file)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;
    struct stat info;

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    umask(0);
    r = test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", request);
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert_int_eq(r->size, 6);
    ck_assert_uint_eq(r->body.len, 0);
    ck_assert_same(r->content_type, STR("image/png"));
    ck_assert_same(read_file(&c, request.save_path), STR("hello!"));
    ck_assert_int_eq(stat(request.save_path.ptr, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    unlink(request.save_path.ptr);
    test_client_deinit(&c);
}
END_TEST

START_TEST(an_empty_answer_is_an_empty_file)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    ck_assert_int_eq(test_client_ask_for(&c, "HTTP/1.1 204 OK\r\n\r\n", request)->result, NET_ANSWERED);
    ck_assert_same(read_file(&c, request.save_path), STR(""));
    unlink(request.save_path.ptr);
    test_client_deinit(&c);
}
END_TEST

START_TEST(only_a_2xx_goes_to_a_file)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    r = test_client_ask_for(&c, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", request);
    ck_assert_int_eq(r->result, NET_ANSWERED);
    ck_assert_same(r->body, STR("no"));
    ck_assert(str_is_none(read_file(&c, request.save_path)));
    test_client_deinit(&c);
}
END_TEST

static void
answer_half(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_send(p, STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
    test_peer_end(p);
}

START_TEST(a_file_that_is_not_whole_is_removed)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_half, NULL);
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;

    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    request.url       = test_url(&c, s, "x");
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_UNKNOWN);
    ck_assert(str_is_none(read_file(&c, request.save_path)));

    request.response_max = 5;
    r = test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n4\r\n4567\r\n",
                            request);
    ck_assert_int_eq(r->result, NET_TOO_BIG);
    ck_assert(str_is_none(read_file(&c, request.save_path)));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_file_that_is_there_is_left_alone)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;

    test_client_init(&c, NULL);
    request.save_path = str_of(write_file(&c, STR("mine")));
    r = test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntheirs", request);
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot create the file for the answer: File exists");
    ck_assert_same(read_file(&c, request.save_path), STR("mine"));
    unlink(request.save_path.ptr);

    ck_assert_int_eq(symlink("/nowhere/else", request.save_path.ptr), 0);
    ck_assert_int_eq(test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", request)->result,
                     NET_LOCAL_FAULT);
    unlink(request.save_path.ptr);
    test_client_deinit(&c);
}
END_TEST

START_TEST(a_full_disk_is_our_fault)
{
    struct test_client c;
    struct net_request request = { .body = STR_NONE };
    struct net_response *r;
    struct rlimit limit = { .rlim_cur = 4, .rlim_max = 4 };

    signal(SIGXFSZ, SIG_IGN);
    test_client_init(&c, NULL);
    request.save_path = free_path(&c);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    r = test_client_ask_for(&c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntheirs", request);
    ck_assert_int_eq(r->result, NET_LOCAL_FAULT);
    ck_assert_str_eq(r->error, "cannot write the answer to disk: File too large");
    ck_assert(str_is_none(read_file(&c, request.save_path)));
    test_client_deinit(&c);
}
END_TEST

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, an_answer_has_a_largest_size, 0, COUNT(sizes));
    return c;
}

static TCase *
rest_of_it(void)
{
    TCase *c = tcase_create("rest");

    tcase_add_test(c, a_large_body_arrives_whole);
    tcase_add_test(c, a_body_comes_from_a_file);
    tcase_add_test(c, a_file_that_is_not_there_is_our_fault);
    tcase_add_test(c, a_multipart_body_is_these_bytes);
    tcase_add_test(c, a_megabyte_is_the_usual_limit);
    tcase_add_test(c, an_answer_goes_to_a_file);
    tcase_add_test(c, an_empty_answer_is_an_empty_file);
    tcase_add_test(c, only_a_2xx_goes_to_a_file);
    tcase_add_test(c, a_file_that_is_not_whole_is_removed);
    tcase_add_test(c, a_file_that_is_there_is_left_alone);
    tcase_add_test(c, a_full_disk_is_our_fault);
    return c;
}

TEST_CASES("courier bodies", tables, rest_of_it)
