#include "http/conn.h"
#include "http/testing_pair.h"

#include <stdio.h>
#include <sys/socket.h>

#define STREAM "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- on the loop ---- */

static void
write_text(struct testing_server *t, void *arg)
{
    http_stream_write(t->stream, str_of(arg));
}

static void
end_stream(struct testing_server *t, void *arg)
{
    (void)arg;
    http_stream_end(t->stream);
    t->stream = NULL;
}

static void
write_and_end(struct testing_server *t, void *arg)
{
    write_text(t, arg);
    end_stream(t, NULL);
}

/* Until nothing more is taken; *arg is how much was. */
static void
write_until_refused(struct testing_server *t, void *arg)
{
    static char block[64 * 1024];
    size_t     *written = arg;

    while (http_stream_write(t->stream, (struct str){ block, sizeof(block) }))
        *written += sizeof(block);
    if (http_stream_write(t->stream, STR("more")))
        *written = 0; /* once lost, always lost */
}

#define PIECE 1000

/* *arg is how much waited to be sent when no more was taken. */
static void
write_until_full(struct testing_server *t, void *arg)
{
    static char piece[PIECE];
    size_t     *unsent = arg;

    do
        *unsent = http_stream_unsent(t->stream);
    while (http_stream_write(t->stream, (struct str){ piece, sizeof(piece) }));
}

static void
write_until_unsent(struct testing_server *t, void *arg)
{
    static char block[64 * 1024];
    size_t     *written = arg;

    while (http_stream_unsent(t->stream) == 0) {
        http_stream_write(t->stream, (struct str){ block, sizeof(block) });
        *written += sizeof(block);
    }
}

static void
lose_and_end(struct testing_server *t, void *arg)
{
    write_until_refused(t, arg);
    end_stream(t, NULL);
}

static void
nothing(struct testing_server *t, void *arg)
{
    (void)t;
    (void)arg;
}

/* ---- tests ---- */

START_TEST(a_stream_is_sent_as_it_is_written)
{
    struct testing_reply r;

    pair_start(NULL);
    testing_send(&client, STREAM);
    r = testing_read_head(&client);
    ck_assert_int_eq(r.status, 200);
    ck_assert_text(testing_header(&r, "Transfer-Encoding"), "chunked");
    ck_assert_text(testing_header(&r, "Content-Type"), "text/event-stream");
    ck_assert(str_is_none(testing_header(&r, "Content-Length")));
    testing_stream(&server);
    testing_on_loop(&server, 0, write_text, "data: 1\n\n");
    while (client.in.len < 14)
        ck_assert(testing_receive(&client));
    ck_assert_text(buf_str(&client.in), "9\r\ndata: 1\n\n\r\n");
}
END_TEST

START_TEST(an_ended_stream_leaves_the_connection_open)
{
    struct testing_reply r;

    pair_start(NULL);
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_text, "one");
    testing_on_loop(&server, 0, write_text, ""); /* would be the end of a chunked body */
    testing_on_loop(&server, 0, write_and_end, "two");
    r = testing_read(&client);
    ck_assert_text(r.body, "onetwo");
    testing_ask(&client, HELLO, 200);
    ck_assert_int_eq(server.closed, 0);
    testing_await(&server, &server.finished, 2);
}
END_TEST

START_TEST(an_old_client_sees_the_end_of_the_connection)
{
    struct testing_reply r;

    pair_start(NULL);
    testing_send(&client, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    testing_stream(&server);
    testing_on_loop(&server, 0, write_and_end, "data");
    r = testing_read(&client);
    ck_assert_text(r.body, "data");
    ck_assert_text(testing_header(&r, "Connection"), "close");
    ck_assert(str_is_none(testing_header(&r, "Transfer-Encoding")));
}
END_TEST

START_TEST(head_of_a_stream_is_only_its_head)
{
    pair_start(NULL);
    testing_send(&client, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" HELLO);
    ck_assert_int_eq(testing_read_head(&client).status, 200);
    testing_await(&server, &server.closed, 1);
    ck_assert_int_eq(testing_read(&client).status, 200);
}
END_TEST

START_TEST(a_client_that_goes_closes_its_stream)
{
    pair_start(NULL);
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_close(&client);
    testing_await(&server, &server.closed, 1);
    testing_await(&server, &server.finished, 1);
}
END_TEST

START_TEST(drained_is_told_when_the_client_has_read)
{
    size_t written = 0, received = 0;

    pair_start(NULL);
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_until_unsent, &written);
    while (received < written) {
        ck_assert(testing_receive(&client));
        received += client.in.len;
        buf_clear(&client.in);
    }
    testing_await(&server, &server.drained, 1);
    testing_on_loop(&server, 0, end_stream, NULL);
}
END_TEST

START_TEST(a_slow_reader_is_given_up_when_its_buffer_is_full)
{
    size_t written = 0;

    pair_start(&(struct http_limits){ .stream_buffer_max = 100000 });
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_until_refused, &written);
    ck_assert_uint_gt(written, 0);
    testing_await(&server, &server.closed, 1);
    testing_await(&server, &server.finished, 1);
}
END_TEST

static const size_t buffers[][2] = { { 0, MIB }, { 100000, 100000 }, { 300000, 300000 } }; /* asked for, had */

START_TEST(as_much_waits_for_a_slow_reader_as_may)
{
    size_t unsent = 0, max = buffers[_i][1];

    pair_start(&(struct http_limits){ .stream_buffer_max = buffers[_i][0] });
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_until_full, &unsent);
    ck_assert_uint_gt(unsent, max - PIECE);
    ck_assert_uint_le(unsent, max + 8); /* the last piece's frame */
    testing_await(&server, &server.closed, 1);
}
END_TEST

START_TEST(a_slow_reader_is_given_up_after_a_while)
{
    size_t written = 0;

    pair_start(&(struct http_limits){ .write_ms = 50 });
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_until_unsent, &written);
    testing_await(&server, &server.closed, 1);
}
END_TEST

START_TEST(a_lost_stream_may_still_be_ended)
{
    size_t written = 0;

    pair_start(&(struct http_limits){ .stream_buffer_max = 100000 });
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, lose_and_end, &written);
    testing_await(&server, &server.finished, 1);
    ck_assert_int_eq(server.closed, 0);
}
END_TEST

static void
write_and_cut(struct testing_server *t, void *arg)
{
    write_text(t, arg);
    http_exchange_cut(t->stream);
    t->stream = NULL;
}

START_TEST(a_cut_stream_has_no_proper_end)
{
    pair_start(NULL);
    testing_send(&client, STREAM);
    testing_read_head(&client);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_and_cut, "half");
    while (testing_receive(&client))
        ;
    ck_assert_text(buf_str(&client.in), "4\r\nhalf\r\n");
    testing_await(&server, &server.finished, 1);
    ck_assert_int_eq(server.closed, 0);
}
END_TEST

START_TEST(an_idle_stream_has_no_time_limit)
{
    struct testing_client other;

    pair_start(&(struct http_limits){ .idle_ms = 800, .request_ms = 800, .write_ms = 800 });
    testing_send(&client, STREAM);
    testing_stream(&server);
    for (int i = 0; i < 2; i++) {
        testing_connect(&other, &server);
        ck_assert(testing_is_closed(&other));
        testing_close(&other);
    }
    testing_on_loop(&server, 0, write_and_end, "still here");
    ck_assert_text(testing_read(&client).body, "still here");
}
END_TEST

START_TEST(a_stream_that_was_slow_has_no_time_limit_afterwards)
{
    struct testing_client other;
    size_t                written = 0;

    pair_start(&(struct http_limits){ .idle_ms = 800, .write_ms = 800 });
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_until_unsent, &written);
    while (client.in.len < written)
        ck_assert(testing_receive(&client));
    testing_await(&server, &server.drained, 1);
    for (int i = 0; i < 2; i++) {
        testing_connect(&other, &server);
        ck_assert(testing_is_closed(&other));
        testing_close(&other);
    }
    testing_on_loop(&server, 0, write_and_end, "still here");
    ck_assert(str_ends(testing_read(&client).body, STR("still here")));
}
END_TEST

static void
begin_held(struct testing_server *t, void *arg)
{
    (void)arg;
    testing_begin_stream(t, t->held);
    if (http_stream_write(t->stream, STR("data")))
        t->drained = -1;
    t->held = NULL;
}

static void
hold_and_vanish(void)
{
    pair_start(NULL);
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    testing_held(&server);
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
    testing_close(&client);
    testing_await_connections(&server, 0);
}

START_TEST(a_stream_may_begin_too_late)
{
    hold_and_vanish();
    testing_on_loop(&server, 0, begin_held, NULL);
    testing_await(&server, &server.closed, 1);
    testing_await(&server, &server.finished, 1);
    ck_assert_int_eq(server.drained, 0);
}
END_TEST

static void
begin_held_and_end(struct testing_server *t, void *arg)
{
    (void)arg;
    testing_begin_stream(t, t->held);
    http_stream_end(t->held);
    t->held = t->stream = NULL;
}

START_TEST(a_stream_that_began_too_late_may_still_be_ended)
{
    hold_and_vanish();
    testing_on_loop(&server, 0, begin_held_and_end, NULL);
    testing_await(&server, &server.finished, 1);
    ck_assert_int_eq(server.closed, 0);
}
END_TEST

START_TEST(what_comes_during_a_stream_ends_the_connection_after_it)
{
    pair_start(NULL);
    testing_send(&client, STREAM);
    testing_read_head(&client);
    testing_stream(&server);
    testing_send(&client, HELLO);
    while (client.in.len == 0) {
        /* The loop reads the socket before or after an errand; at the latest the second finds it read. */
        testing_on_loop(&server, 0, write_text, "x");
        testing_receive(&client);
    }
    testing_on_loop(&server, 0, end_stream, NULL);
    while (testing_receive(&client))
        ;
    ck_assert(str_ends(buf_str(&client.in), STR("0\r\n\r\n")));
}
END_TEST

START_TEST(stopping_ends_streams_properly)
{
    struct testing_reply r;

    pair_start(NULL);
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, write_text, "data");
    http_stop(server.http, 10000);
    server.http = NULL;
    ck_assert_int_eq(server.closed, 1);
    r = testing_read(&client);
    ck_assert_text(r.body, "data");
    ck_assert(testing_is_closed(&client));
}
END_TEST

START_TEST(who_has_said_all_is_not_waited_for_after_the_last_reply)
{
    pair_start(NULL);
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    testing_held(&server);
    ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
    for (int i = 0; i < 2; i++) /* the loop reads the socket before or after an errand */
        testing_on_loop(&server, 0, nothing, NULL);
    testing_release(&server);
    ck_assert_int_eq(testing_read(&client).status, 200);
    ck_assert(testing_is_closed(&client));
    testing_await_connections(&server, 0);
}
END_TEST

static void
lose_and_drain(struct testing_server *t, void *arg)
{
    struct http_conn *c = http_conn_of(t->stream);

    write_until_refused(t, arg);
    http_conn_drain(c);
}

START_TEST(one_that_is_lost_has_no_proper_end_when_the_server_stops)
{
    size_t written = 0;

    pair_start(&(struct http_limits){ .stream_buffer_max = 100000 });
    testing_send(&client, STREAM);
    testing_stream(&server);
    testing_on_loop(&server, 0, lose_and_drain, &written);
    testing_await(&server, &server.finished, 1);
    ck_assert_int_eq(server.closed, 1);
    while (testing_receive(&client))
        ;
    ck_assert(!str_ends(buf_str(&client.in), STR("0\r\n\r\n")));
}
END_TEST

static void
stop(void *http)
{
    http_stop(http, 10000);
}

static void
begin_held_and_lose(struct testing_server *t, void *arg)
{
    testing_begin_stream(t, t->held);
    t->held = NULL;
    write_until_refused(t, arg);
}

/* It is to be ended and it is lost, in one turn. */
START_TEST(one_that_begins_while_the_server_stops_is_ended_once)
{
    struct testing_client idle;
    uv_thread_t stopping;
    size_t written = 0;

    pair_start(&(struct http_limits){ .stream_buffer_max = 100000 });
    testing_connect(&idle, &server);
    testing_ask(&idle, HELLO, 200);
    testing_send(&client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    testing_held(&server);
    ck_assert_int_eq(uv_thread_create(&stopping, stop, server.http), 0);
    ck_assert(testing_is_closed(&idle)); /* so it does */
    testing_on_loop(&server, 0, begin_held_and_lose, &written);
    uv_thread_join(&stopping);
    server.http = NULL;
    ck_assert_int_eq(server.closed, 1);
    ck_assert_uint_gt(written, 0);
    testing_close(&idle);
}
END_TEST

START_TEST(thousands_of_streams_take_little)
{
    enum { COUNT = 400 };
    struct testing_client many[COUNT];
    struct testing_reply  r;

    pair_start(NULL);
    for (int i = 0; i < COUNT; i++) {
        testing_connect(&many[i], &server);
        testing_send(&many[i], STREAM);
    }
    for (int i = 0; i < COUNT; i++) {
        r = testing_read_head(&many[i]);
        ck_assert_int_eq(r.status, 200);
    }
    ck_assert_int_eq(http_open_connections(server.http), COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        testing_close(&many[i]);
    testing_await(&server, &server.closed, COUNT);
}
END_TEST

static TCase *
streams(void)
{
    TCase *c = tcase_create("streams");

    tcase_add_checked_fixture(c, NULL, pair_tear_down);
    tcase_add_test(c, a_stream_is_sent_as_it_is_written);
    tcase_add_test(c, an_ended_stream_leaves_the_connection_open);
    tcase_add_test(c, an_old_client_sees_the_end_of_the_connection);
    tcase_add_test(c, head_of_a_stream_is_only_its_head);
    tcase_add_test(c, a_client_that_goes_closes_its_stream);
    tcase_add_test(c, drained_is_told_when_the_client_has_read);
    tcase_add_test(c, a_slow_reader_is_given_up_when_its_buffer_is_full);
    tcase_add_loop_test(c, as_much_waits_for_a_slow_reader_as_may, 0, COUNT(buffers));
    tcase_add_test(c, a_slow_reader_is_given_up_after_a_while);
    tcase_add_test(c, a_lost_stream_may_still_be_ended);
    tcase_add_test(c, a_cut_stream_has_no_proper_end);
    tcase_add_test(c, an_idle_stream_has_no_time_limit);
    tcase_add_test(c, a_stream_that_was_slow_has_no_time_limit_afterwards);
    tcase_add_test(c, a_stream_may_begin_too_late);
    tcase_add_test(c, a_stream_that_began_too_late_may_still_be_ended);
    tcase_add_test(c, what_comes_during_a_stream_ends_the_connection_after_it);
    tcase_add_test(c, stopping_ends_streams_properly);
    tcase_add_test(c, who_has_said_all_is_not_waited_for_after_the_last_reply);
    tcase_add_test(c, one_that_is_lost_has_no_proper_end_when_the_server_stops);
    tcase_add_test(c, one_that_begins_while_the_server_stops_is_ended_once);
    tcase_add_test(c, thousands_of_streams_take_little);
    return c;
}

TEST_CASES("stream", streams)
