/* courier_flow_test.c -- many requests at once: order, bounds, kept connections, cancelling, ending. */
#include "net/courier.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/testing.h"
#include "net/testing.h"

static void
answer_target(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)user;
    test_peer_answer(p, 200, NULL, r->target);
}

static void
answer_never(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_hold(p);
}

static void
answer_or_hang(struct test_peer *p, const struct test_request *r, void *user)
{
    if (str_ends(r->target, STR("hang")))
        answer_never(p, r, user);
    else
        answer_target(p, r, user);
}

/* Waits until the server has seen so many requests; the loop turns meanwhile. */
static void
await_requests(struct test_client *c, struct test_server *s, int n)
{
    while (test_server_requests(s) < n)
        uv_run(&c->loop, UV_RUN_NOWAIT);
}

static struct net_call *
send_numbered(struct test_client *c, struct test_server *s, int i)
{
    struct str path = arena_printf(&c->arena, "%d", i);
    struct net_request request = { .url = test_url(c, s, path.ptr), .body = STR("hello") };
    struct net_call *call = test_client_call(c, request);

    test_client_send(c, call);
    return call;
}

START_TEST(connections_are_kept)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL);

    test_client_init(&c, NULL);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(test_client_post(&c, s, "x")->result,
                         NET_ANSWERED);
    ck_assert_int_eq(test_server_connections(s), 1);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(two_thousand_at_once_are_all_answered)
{
    static struct net_call *calls[2000];
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 300 });
    for (int i = 0; i < 2000; i++)
        calls[i] = send_numbered(&c, s, i);
    ck_assert_int_eq(courier_in_flight(c.courier), 2000);
    test_client_run(&c);
    ck_assert_int_eq(courier_in_flight(c.courier), 0);
    ck_assert_int_eq(test_server_requests(s), 2000);
    ck_assert_int_le(test_server_connections(s), 300);
    for (int i = 0; i < 2000; i++) {
        ck_assert_msg(calls[i]->response.result == NET_ANSWERED, "%s", calls[i]->response.error);
        ck_assert(str_ends(calls[i]->request.url, calls[i]->response.body));
    }
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_host_is_asked_in_order)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 1 });
    for (int i = 0; i < 300; i++)
        send_numbered(&c, s, i);
    test_client_run(&c);
    ck_assert_int_eq(test_server_connections(s), 1);
    for (int i = 0; i < 300; i++) {
        char end[16];

        snprintf(end, sizeof(end), "/%d", i);
        ck_assert(str_ends(test_server_request(s, i).target, str_of(end)));
    }
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* Answers when as many requests have come as are allowed at once, or more. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    int             waiting, wanted, passed;
};

static void
answer_at_gate(struct test_peer *p, const struct test_request *r, void *user)
{
    struct gate *g = user;
    int round;

    pthread_mutex_lock(&g->lock);
    round = g->passed;
    if (++g->waiting == g->wanted) {
        g->waiting = 0;
        g->passed++;
        pthread_cond_broadcast(&g->changed);
    }
    while (g->passed == round)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    test_peer_answer(p, 200, NULL, r->target);
}

START_TEST(a_host_gets_so_many_connections_and_no_more)
{
    struct test_client c;
    struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .wanted = 7 };
    struct test_server *s = test_server_start(answer_at_gate, &gate);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 7 });
    for (int i = 0; i < 140; i++)
        send_numbered(&c, s, i);
    test_client_run(&c);
    ck_assert_int_eq(test_server_most_at_once(s), 7);
    ck_assert_int_eq(test_server_connections(s), 7);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_host_is_one_however_it_is_spelled)
{
    static const char *const spellings[] = { "localhost", "LOCALHOST", "LocalHost" };
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 1 });
    for (int i = 0; i < 60; i++) {
        struct net_request request = { .url = test_url_at(&c, i % 2 ? "http" : "HTTP", spellings[i % 3], s, "x") };

        test_client_send(&c, test_client_call(&c, request));
    }
    test_client_run(&c);
    ck_assert_int_eq(test_server_requests(s), 60);
    ck_assert_int_eq(test_server_most_at_once(s), 1);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(there_is_a_bound_for_all_hosts)
{
    struct test_client c;
    struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .wanted = 5 };
    struct test_server *a = test_server_start(answer_at_gate, &gate), *b = test_server_start(answer_at_gate, &gate);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 4, .total_max = 5 });
    for (int i = 0; i < 100; i++)
        send_numbered(&c, i % 2 ? a : b, i);
    test_client_run(&c);
    ck_assert_int_le(test_server_most_at_once(a), 4);
    ck_assert_int_le(test_server_most_at_once(b), 4);
    ck_assert_int_eq(test_server_requests(a) + test_server_requests(b), 100);
    test_client_deinit(&c);
    test_server_stop(a);
    test_server_stop(b);
}
END_TEST

START_TEST(a_host_that_hangs_delays_no_other)
{
    struct test_client c;
    struct test_server *hangs = test_server_start(answer_never, NULL);
    struct test_server *works = test_server_start(answer_target, NULL);
    struct net_call *stuck[20];

    test_client_init(&c, &(struct courier_options){ .per_host_max = 2, .total_max = 4 });
    for (int i = 0; i < 20; i++) {
        stuck[i] = test_client_call(&c, (struct net_request){ .url = test_url(&c, hangs, "x") });
        courier_send(c.courier, stuck[i]);
    }
    for (int i = 0; i < 100; i++)
        send_numbered(&c, works, i);
    test_client_run(&c);
    ck_assert_int_eq(test_server_requests(works), 100);
    ck_assert_int_eq(courier_in_flight(c.courier), 20);
    ck_assert_int_le(test_server_connections(hangs), 2);
    for (int i = 0; i < 20; i++)
        courier_cancel(c.courier, stuck[i]);
    ck_assert_int_eq(courier_in_flight(c.courier), 0);
    test_client_deinit(&c);
    test_server_stop(hangs);
    test_server_stop(works);
}
END_TEST

START_TEST(lines_of_one_host_do_not_wait_for_each_other)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_or_hang, NULL);
    struct net_call *stuck[5], *passes;

    test_client_init(&c, &(struct courier_options){ .per_host_max = 1 });
    for (int i = 0; i < 5; i++) {
        struct net_request request = { .url = test_url(&c, s, "hang"), .line = STR("one") };

        stuck[i] = test_client_call(&c, request);
        courier_send(c.courier, stuck[i]);
    }
    passes = test_client_call(&c, (struct net_request){ .url = test_url(&c, s, "x"), .line = STR("two") });
    test_client_send(&c, passes);
    test_client_run(&c);
    ck_assert_int_eq(passes->response.result, NET_ANSWERED);
    ck_assert_int_eq(test_client_get(&c, s, "x")->result, NET_ANSWERED);
    ck_assert_int_le(test_server_connections(s), 3);
    for (int i = 0; i < 5; i++)
        courier_cancel(c.courier, stuck[i]);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(waiting_is_not_counted_as_time)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_never, NULL);
    struct net_call *calls[3];

    test_client_init(&c, &(struct courier_options){ .per_host_max = 1 });
    for (int i = 0; i < 3; i++) {
        calls[i] = test_client_call(&c, (struct net_request){ .url = test_url(&c, s, "x"), .total_ms = 500 });
        test_client_send(&c, calls[i]);
    }
    test_client_run(&c);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(calls[i]->response.result, NET_UNKNOWN);
        ck_assert_int_ge(calls[i]->response.took_us, 499000);
    }
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- When done() is called, and what it may do ---- */

static bool sending;
static int  done_count;

static void
note_done(struct net_call *call)
{
    ck_assert(!sending);
    ck_assert_ptr_null(call->transfer);
    done_count++;
}

static void
must_not_be_done(struct net_call *call)
{
    (void)call;
    ck_abort_msg("done() of a cancelled call");
}

START_TEST(done_is_not_called_from_inside_send)
{
    static const char *const urls[] = { "nonsense", "http://127.0.0.1:1/", "file:///", "http://127.0.0.1/" };
    struct test_client c;
    struct net_guard guard = { .allowed_count = 0 };

    test_client_init(&c, &(struct courier_options){ .guard = &guard });
    for (int i = 0; i < 4; i++) {
        struct net_call *call = test_client_call(&c, (struct net_request){ .url = str_of(urls[i]), .guarded = i == 3 });

        call->done = note_done;
        sending = true;
        courier_send(c.courier, call);
        sending = false;
    }
    ck_assert_int_eq(done_count, 0);
    uv_run(&c.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 4);
    test_client_deinit(&c);
}
END_TEST

static int again;

static void
send_again(struct net_call *call)
{
    struct test_client *c = call->user;

    ck_assert(!sending);
    if (++again < 1000) {
        sending = true;
        courier_send(c->courier, call);
        sending = false;
    }
}

static void
send_while_others_wait(struct net_call *call)
{
    struct test_client *c = call->user;

    if (c->pending > 0)
        courier_send(c->courier, call);
}

START_TEST(done_may_send_again)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL);
    struct net_call *call;

    test_client_init(&c, NULL);
    call = test_client_call(&c, (struct net_request){ .url = test_url(&c, s, "x") });
    call->done = send_again;
    courier_send(c.courier, call);
    uv_run(&c.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(again, 1000);
    ck_assert_int_eq(test_server_requests(s), 1000);
    ck_assert_int_eq(test_server_connections(s), 1);

    /* Also one that fails at once: each time is a turn of the loop, so that others come to their right. */
    call = test_client_call(&c, (struct net_request){ .url = STR("nonsense") });
    call->done = send_while_others_wait;
    courier_send(c.courier, call);
    ck_assert_int_eq(test_client_get(&c, s, "x")->result, NET_ANSWERED);
    uv_run(&c.loop, UV_RUN_DEFAULT);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static struct net_call *victims[64];
static int victim_count;

static void
cancel_victims(struct net_call *call)
{
    struct test_client *c = call->user;

    c->pending--;
    for (int i = 0; i < victim_count; i++)
        courier_cancel(c->courier, victims[i]);
    victim_count = 0;
}

START_TEST(done_may_cancel_others)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL), *never = test_server_start(answer_never, NULL);
    struct net_call *call;

    test_client_init(&c, &(struct courier_options){ .per_host_max = 4 });

    /* Of these, the first to be through cancels those that wait, those that run and those that are through. */
    call = test_client_call(&c, (struct net_request){ .url = STR("nonsense") });
    call->done = cancel_victims;
    for (int i = 0; i < 30; i++) {
        struct str url = i % 3 == 0 ? STR("nonsense too") : test_url(&c, i % 3 == 1 ? s : never, "x");

        victims[victim_count] = test_client_call(&c, (struct net_request){ .url = url });
        victims[victim_count++]->done = must_not_be_done;
        if (i == 0) {
            c.pending++;
            courier_send(c.courier, call);
        }
        courier_send(c.courier, victims[i]);
    }
    test_client_run(&c);
    ck_assert_int_eq(courier_in_flight(c.courier), 0);
    uv_run(&c.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(test_client_get(&c, s, "x")->result, NET_ANSWERED);
    test_client_deinit(&c);
    test_server_stop(s);
    test_server_stop(never);
}
END_TEST

/* ---- Cancelling ---- */

static void
answer_begun(struct test_peer *p, const struct test_request *r, void *user)
{
    (void)r;
    (void)user;
    test_peer_send(p, STR("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
    test_peer_hold(p);
}

START_TEST(a_call_is_cancelled_at_every_moment)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_begun, NULL);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 2 });
    for (int turns = 0; turns < 60; turns++) {
        struct net_call *calls[3];

        for (int i = 0; i < 3; i++) { /* the third waits */
            calls[i] = test_client_call(&c, (struct net_request){ .url = test_url(&c, s, "x") });
            calls[i]->done = must_not_be_done;
            courier_send(c.courier, calls[i]);
        }
        for (int i = 0; i < turns; i++)
            uv_run(&c.loop, UV_RUN_NOWAIT);
        for (int i = 0; i < 3; i++) {
            courier_cancel(c.courier, calls[(i + turns) % 3]);
            courier_cancel(c.courier, calls[(i + turns) % 3]); /* nothing */
        }
        ck_assert_int_eq(courier_in_flight(c.courier), 0);
    }
    uv_run(&c.loop, UV_RUN_DEFAULT);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_cancelled_call_leaves_no_file)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_begun, NULL);
    struct net_request request = { .body = STR_NONE };
    struct net_call *call;

    test_client_init(&c, NULL);
    request.save_path = arena_printf(&c.arena, "/tmp/courier-test-cancelled-%d", (int)getpid());
    request.url = test_url(&c, s, "x");
    call = test_client_call(&c, request);
    call->done = must_not_be_done;
    courier_send(c.courier, call);
    while (access(request.save_path.ptr, F_OK) != 0)
        uv_run(&c.loop, UV_RUN_ONCE);
    courier_cancel(c.courier, call);
    ck_assert_int_ne(access(request.save_path.ptr, F_OK), 0);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- Ending ---- */

START_TEST(freeing_ends_all_calls)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_never, NULL);
    struct net_call *calls[6];

    test_client_init(&c, &(struct courier_options){ .per_host_max = 2 });
    for (int i = 0; i < 5; i++)
        calls[i] = send_numbered(&c, s, i);
    calls[5] = test_client_call(&c, (struct net_request){ .url = STR("nonsense") });
    await_requests(&c, s, 2);
    test_client_send(&c, calls[5]);
    courier_free(c.courier);
    c.courier = NULL;
    ck_assert_int_eq(c.pending, 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(calls[i]->response.result, i < 2 ? NET_UNKNOWN : NET_NOT_SENT);
    ck_assert_int_eq(calls[5]->response.result, NET_FORBIDDEN);
    ck_assert_str_eq(calls[0]->response.error, "cancelled, because the server is stopping");
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static void
free_courier(struct net_call *call)
{
    struct test_client *c = call->user;

    done_count++;
    if (c->courier) {
        struct courier *courier = c->courier;

        c->courier = NULL;
        courier_free(courier);
    }
}

START_TEST(done_may_free_the_courier)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_target, NULL), *never = test_server_start(answer_never, NULL);

    test_client_init(&c, &(struct courier_options){ .per_host_max = 3 });
    for (int i = 0; i < 20; i++) {
        struct net_request request = { .url = test_url(&c, i % 2 ? s : never, "x") };
        struct net_call *call = test_client_call(&c, request);

        call->done = free_courier;
        courier_send(c.courier, call);
    }
    uv_run(&c.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 20);
    test_client_deinit(&c);
    test_server_stop(s);
    test_server_stop(never);
}
END_TEST

static void
send_once_more(struct net_call *call)
{
    struct test_client *c = call->user;

    if (++done_count == 1)
        courier_send(c->courier, call);
}

START_TEST(what_is_sent_while_freeing_is_not_sent)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_never, NULL);
    struct net_call *call;

    test_client_init(&c, NULL);
    call = test_client_call(&c, (struct net_request){ .url = test_url(&c, s, "x") });
    call->done = send_once_more;
    courier_send(c.courier, call);
    await_requests(&c, s, 1);
    courier_free(c.courier);
    c.courier = NULL;
    ck_assert_int_eq(done_count, 2);
    ck_assert_int_eq(call->response.result, NET_NOT_SENT);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(the_courier_is_freed_at_every_moment)
{
    for (int turns = 0; turns < 40; turns++) {
        struct test_client c;
        struct test_server *s = test_server_start(turns % 2 ? answer_begun : answer_target, NULL);

        test_client_init(&c, &(struct courier_options){ .per_host_max = 2 });
        for (int i = 0; i < 5; i++)
            send_numbered(&c, s, i);
        for (int i = 0; i < turns; i++)
            uv_run(&c.loop, UV_RUN_NOWAIT);
        courier_free(c.courier);
        c.courier = NULL;
        ck_assert_int_eq(c.pending, 0);
        test_client_deinit(&c);
        test_server_stop(s);
    }
}
END_TEST

START_TEST(certificates_that_are_not_there_are_said_so)
{
    struct courier *courier;
    struct error err = { .status = 0 };
    uv_loop_t loop;

    uv_loop_init(&loop);
    ck_assert(!courier_new(&(struct courier_options){ .loop = &loop, .ca_bundle = "/nowhere.pem" }, &courier, &err));
    ck_assert_str_eq(err.message, "cannot read the certificates in /nowhere.pem");
    ck_assert_ptr_null(courier);
    courier_free(courier);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

TESTS("courier flow", connections_are_kept, two_thousand_at_once_are_all_answered, a_host_is_asked_in_order,
      a_host_gets_so_many_connections_and_no_more, a_host_is_one_however_it_is_spelled, there_is_a_bound_for_all_hosts,
      a_host_that_hangs_delays_no_other, lines_of_one_host_do_not_wait_for_each_other, waiting_is_not_counted_as_time,
      done_is_not_called_from_inside_send, done_may_send_again, done_may_cancel_others,
      a_call_is_cancelled_at_every_moment, a_cancelled_call_leaves_no_file, freeing_ends_all_calls,
      done_may_free_the_courier, what_is_sent_while_freeing_is_not_sent, the_courier_is_freed_at_every_moment,
      certificates_that_are_not_there_are_said_so)
