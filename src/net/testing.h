/* testing.h -- for tests: an HTTP server whose answers are written out byte by byte, and a courier to ask it with.
 *
 * The server has a thread for each connection, so an answer is a plain function that may write half of it, wait for
 * the client to go, or cut the line. Everything it received can be looked at afterwards. */
#ifndef PARLEY_NET_TESTING_H
#define PARLEY_NET_TESTING_H

#include "net/courier.h"

struct test_server;
struct test_peer; /* a client's connection */

struct test_request {
    struct str text;       /* all of it, as it came */
    struct str method, target;
    struct str head, body; /* with the request line; behind the empty line */
    int        connection; /* counted from 1 */
    int        number;     /* on its connection, counted from 1 */
};

/* On the connection's thread. The next request is read when it returns, unless the connection was ended. */
typedef void test_answer(struct test_peer *peer, const struct test_request *request, void *user);

/* The bytes that `user` points to, which end with a NUL; NULL = 200 and "ok". */
void test_answer_bytes(struct test_peer *peer, const struct test_request *request, void *user);

struct test_server *test_server_start(test_answer *answer, void *user); /* a free port of all our IPv4 addresses */
struct test_server *test_server_start_at(const char *ip, test_answer *answer, void *user);
void test_server_stop(struct test_server *s);                            /* ends all connections */
int  test_server_port(const struct test_server *s);

/* What came so far; the texts live until test_server_stop(). */
int  test_server_connections(struct test_server *s);
int  test_server_requests(struct test_server *s);
struct test_request test_server_request(struct test_server *s, int i); /* counted from 0 */
int  test_server_most_at_once(struct test_server *s);                  /* requests being answered */
void test_server_await_ended(struct test_server *s, int connections);    /* until so many connections are over */

void test_server_cut_next(struct test_server *s, int connections);       /* so many will be cut without being read */

/* The value of a header of a request; none when it is not there. */
struct str test_request_header(const struct test_request *r, const char *name);

void test_peer_send(struct test_peer *p, struct str bytes);
void test_peer_answer(struct test_peer *p, int status, const char *headers, struct str body); /* and its length */
void test_peer_end(struct test_peer *p);   /* closes in order */
void test_peer_reset(struct test_peer *p); /* cuts */
void test_peer_hold(struct test_peer *p);  /* waits until the client has gone or the server is stopped */

/* A loop, a courier on it, an arena. A test that fails leaves them to its process. */
struct test_client {
    uv_loop_t       loop;
    struct courier *courier;
    struct arena    arena;
    int             pending; /* calls sent with test_client_send() and not done */
};

void test_client_init(struct test_client *c, const struct courier_options *options); /* but the loop; NULL = none */
void test_client_deinit(struct test_client *c);

struct net_call *test_client_call(struct test_client *c, struct net_request request); /* in the arena, not sent */
void test_client_send(struct test_client *c, struct net_call *call);  /* pending, unless the test set `done` */
void test_client_run(struct test_client *c);                          /* until nothing is pending */
struct net_response *test_client_ask(struct test_client *c, struct net_request request); /* the three above */

/* Asks at test_url(): a GET; a POST of "hello". */
struct net_response *test_client_get(struct test_client *c, const struct test_server *s, const char *path);
struct net_response *test_client_post(struct test_client *c, const struct test_server *s, const char *path);

/* Asks a server of its own that gives these bytes, once. `request` needs no url. */
struct net_response *test_client_ask_for(struct test_client *c, const char *bytes, struct net_request request);

#define TEST_SECRET_PATH "/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

/* "http://127.0.0.1:<port>" TEST_SECRET_PATH "/<path>": every call of a test goes to a URL with a secret in it, and
 * test_client_run() fails a test in which an error text tells of it. */
struct str test_url(struct test_client *c, const struct test_server *s, const char *path);
struct str test_url_at(struct test_client *c, const char *scheme, const char *host, const struct test_server *s,
                       const char *path);

#endif
