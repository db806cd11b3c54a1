/* courier_guard_test.c -- where requests may lead: names, addresses, redirects. */
#include "net/courier.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/testing.h"
#include "net/testing.h"

/* ---- The names of these tests, answered here instead of by the system's resolver, which libcurl asks ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static int  slow_waiting;  /* look-ups of "slow.test" under way */
static bool slow_released;

static struct addrinfo *
entry(const char *ip, const char *port, struct addrinfo *next)
{
    struct {
        struct addrinfo     info;
        struct sockaddr_in6 address; /* room for either */
    } *e = calloc(1, sizeof(*e));
    struct sockaddr_in  v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(port, NULL, 10)) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = v4.sin_port };

    ck_assert_ptr_nonnull(e);
    e->info = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP,
                                 .ai_addrlen = sizeof(v4), .ai_addr = (struct sockaddr *)&e->address, .ai_next = next };
    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
        memcpy(&e->address, &v4, sizeof(v4));
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
        memcpy(&e->address, &v6, sizeof(v6));
        e->info.ai_family  = AF_INET6;
        e->info.ai_addrlen = sizeof(v6);
    }
    return &e->info;
}

static void
wait_for_release(void)
{
    pthread_mutex_lock(&lock);
    slow_waiting++;
    pthread_cond_broadcast(&changed);
    while (!slow_released)
        pthread_cond_wait(&changed, &lock);
    slow_waiting--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int
getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    *out = NULL;
    (void)hints;
    if (strcmp(name, "home.test") == 0 || strcmp(name, "other.test") == 0)
        *out = entry("127.0.0.1", port, NULL);
    else if (strcmp(name, "mapped.test") == 0)
        *out = entry("::ffff:127.0.0.1", port, NULL);
    else if (strcmp(name, "metadata.test") == 0)
        *out = entry("169.254.169.254", port, NULL);
    else if (strcmp(name, "both.test") == 0) /* nobody listens at the first */
        *out = entry("127.0.0.9", port, entry("127.0.0.1", port, NULL));
    else if (strcmp(name, "half.test") == 0) /* refused, and allowed where only 127.0.0.1 is */
        *out = entry("127.0.0.2", port, entry("127.0.0.1", port, NULL));
    else if (strcmp(name, "slow.test") == 0) {
        wait_for_release();
        *out = entry("127.0.0.1", port, NULL);
    }
    return *out ? 0 : EAI_NONAME;
}

void
freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

/* ---- Servers ---- */

/* Asks for "x" at a host, as a stranger would have us. */
static struct net_response *
ask_guarded(struct test_client *c, const struct test_server *s, const char *host)
{
    struct net_request request = { .url = test_url_at(c, "http", host, s, "x"), .guarded = true };

    return test_client_ask(c, request);
}

/* The same on our own account. */
static struct net_response *
ask_freely(struct test_client *c, const struct test_server *s, const char *host, int64_t connect_ms)
{
    struct net_request request = { .url = test_url_at(c, "http", host, s, "x"), .connect_ms = connect_ms };

    return test_client_ask(c, request);
}

static struct net_guard strict = { .allowed_count = 0 };
static struct net_guard home_only = { .allowed = { { .bytes = { 127, 0, 0, 1 }, .family = AF_INET, .bits = 32 } },
                                      .allowed_count = 1 };

/* ---- The guard ---- */

struct guard_row {
    const char *host;
    const char *complaint;
};

static const struct guard_row guarded[] = {
    { "127.0.0.1", "the URL leads to a private or reserved address (127.0.0.1)" },
    { "2130706433", "the URL leads to a private or reserved address (127.0.0.1)" },
    { "[::ffff:127.0.0.1]", "the URL leads to a private or reserved address (::ffff:127.0.0.1)" },
    { "localhost", "the URL leads to a private or reserved address (127.0.0.1)" },
    { "user:pw@example.com", "the URL must not hold a user name or password" },
    { "home.test", "the host has a private or reserved address (127.0.0.1)" },
    { "mapped.test", "the host has a private or reserved address (::ffff:127.0.0.1)" },
    { "metadata.test", "the host has a private or reserved address (169.254.169.254)" },
    { "both.test", "the host has a private or reserved address (127.0.0.1)" },
};

START_TEST(a_strangers_url_does_not_lead_inside)
{
    const struct guard_row *row = &guarded[_i];
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_response *r;

    test_client_init(&c, &(struct courier_options){ .guard = &strict });
    r = ask_guarded(&c, s, row->host);
    ck_assert_int_eq(r->result, NET_FORBIDDEN);
    ck_assert_str_eq(r->error, row->complaint);
    ck_assert_int_eq(test_server_connections(s), 0);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(our_own_urls_and_exceptions_do)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);

    test_client_init(&c, &(struct courier_options){ .guard = &strict });
    ck_assert_int_eq(test_client_get(&c, s, "x")->result, NET_ANSWERED);
    ck_assert_int_eq(ask_freely(&c, s, "home.test", 0)->result, NET_ANSWERED);
    test_client_deinit(&c);

    test_client_init(&c, &(struct courier_options){ .guard = &home_only });
    ck_assert_int_eq(ask_guarded(&c, s, "home.test")->result, NET_ANSWERED);
    ck_assert_int_eq(ask_guarded(&c, s, "mapped.test")->result, NET_ANSWERED);
    test_client_deinit(&c);

    test_client_init(&c, NULL); /* no guard at all */
    ck_assert_int_eq(ask_guarded(&c, s, "home.test")->result, NET_ANSWERED);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_kept_connection_is_no_way_around)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_request request;
    struct net_response *r;

    test_client_init(&c, &(struct courier_options){ .guard = &strict });
    request = (struct net_request){ .url = test_url_at(&c, "http", "home.test", s, "x"), .body = STR("hello") };
    ck_assert_int_eq(test_client_ask(&c, request)->result, NET_ANSWERED);
    request.guarded = true;
    r = test_client_ask(&c, request);
    ck_assert_int_eq(r->result, NET_FORBIDDEN);
    ck_assert_str_eq(r->error, "the host has a private or reserved address (127.0.0.1)");
    ck_assert_int_eq(test_server_requests(s), 1);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(nor_is_a_url_that_is_ours_as_well)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_request request;
    struct net_call *ours, *theirs, *ours_too;

    test_client_init(&c, &(struct courier_options){ .guard = &strict });
    request = (struct net_request){ .url = test_url(&c, s, "x") };
    ours = test_client_call(&c, request);
    ours_too = test_client_call(&c, request);
    request.guarded = true;
    theirs = test_client_call(&c, request);
    test_client_send(&c, ours);
    test_client_send(&c, theirs);
    test_client_send(&c, ours_too);
    test_client_run(&c);
    ck_assert_int_eq(ours->response.result, NET_ANSWERED);
    ck_assert_int_eq(theirs->response.result, NET_FORBIDDEN);
    ck_assert_str_eq(theirs->response.error, "the URL leads to a private or reserved address (127.0.0.1)");
    ck_assert_int_eq(ours_too->response.result, NET_ANSWERED);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(of_several_addresses_an_allowed_one_is_taken)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);

    test_client_init(&c, &(struct courier_options){ .guard = &home_only });
    ck_assert_int_eq(ask_guarded(&c, s, "half.test")->result, NET_ANSWERED);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- Names ---- */

static struct test_server *
server_at_home_only(void)
{
    return test_server_start_at("127.0.0.1", test_answer_bytes, NULL);
}

START_TEST(the_next_address_is_tried_at_once)
{
    struct test_client c;
    struct test_server *s = server_at_home_only();
    struct net_response *r;

    test_client_init(&c, NULL);
    r = ask_freely(&c, s, "both.test", 30000);
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_lt(r->took_us, 14000000); /* not half of the time */
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* A listener at another address of the server's port whose backlog is full, so that a connection gets no answer. */
static int
silent_neighbour(const struct test_server *s)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)test_server_port(s)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.9", &a.sin_addr), 1);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    for (int i = 0; i < 3; i++)
        (void)connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (struct sockaddr *)&a, sizeof(a));
    return fd;
}

static void
close_neighbour(uv_timer_t *timer)
{
    close(*(int *)timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

/* The first address refuses only after a while, when we are already waiting for it: the kernel asks again after a
 * second. */
START_TEST(an_address_that_refuses_late_costs_no_more_time)
{
    struct test_client c;
    struct test_server *s = server_at_home_only();
    struct net_response *r;
    int neighbour = silent_neighbour(s);
    uv_timer_t later;

    test_client_init(&c, NULL);
    uv_timer_init(&c.loop, &later);
    later.data = &neighbour;
    uv_timer_start(&later, close_neighbour, 200, 0);
    r = ask_freely(&c, s, "both.test", 30000);
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_gt(r->took_us, 500000);
    ck_assert_int_lt(r->took_us, 14000000);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(an_address_that_does_not_answer_costs_half_of_the_time)
{
    struct test_client c;
    struct test_server *s = server_at_home_only();
    struct net_response *r;
    int neighbour = silent_neighbour(s);

    test_client_init(&c, NULL);
    r = ask_freely(&c, s, "both.test", 1600);
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_ge(r->took_us, 750000);
    close(neighbour);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_name_nobody_has_is_not_sent_to)
{
    struct test_client c;
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){ .url = STR("http://nobody.test" TEST_SECRET_PATH) });
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    ck_assert_str_eq(r->error, "Could not resolve host: nobody.test");
    test_client_deinit(&c);
}
END_TEST

static bool
is_looking_up(void)
{
    bool is;

    pthread_mutex_lock(&lock);
    is = slow_waiting > 0;
    pthread_mutex_unlock(&lock);
    return is;
}

static void
await_look_up(bool begun)
{
    pthread_mutex_lock(&lock);
    while ((slow_waiting > 0) != begun)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void
release_look_ups(void)
{
    pthread_mutex_lock(&lock);
    slow_released = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    await_look_up(false);
}

START_TEST(a_slow_look_up_holds_nobody)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_response *r;
    struct net_call *slow;

    test_client_init(&c, NULL);

    /* given up in time */
    r = ask_freely(&c, s, "slow.test", 50);
    ck_assert_int_eq(r->result, NET_NOT_SENT);
    await_look_up(true); /* on a thread that may begin late */

    /* others are answered meanwhile, it can be cancelled, and so can everything */
    slow = test_client_call(&c, (struct net_request){ .url = test_url_at(&c, "http", "slow.test", s, "x") });
    courier_send(c.courier, slow);
    ck_assert_int_eq(test_client_get(&c, s, "x")->result, NET_ANSWERED);
    courier_cancel(c.courier, slow);
    courier_send(c.courier, slow);
    ck_assert_int_eq(test_client_get(&c, s, "x")->result, NET_ANSWERED);
    c.pending++;
    courier_free(c.courier);
    c.courier = NULL;
    ck_assert_int_eq(slow->response.result, NET_NOT_SENT);
    ck_assert(is_looking_up());

    release_look_ups();
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(a_look_up_that_ends_is_used)
{
    struct test_client c;
    struct test_server *s = test_server_start(test_answer_bytes, NULL);
    struct net_call *slow;

    test_client_init(&c, NULL);
    slow = test_client_call(&c, (struct net_request){ .url = test_url_at(&c, "http", "slow.test", s, "x") });
    test_client_send(&c, slow);
    while (!is_looking_up())
        uv_run(&c.loop, UV_RUN_NOWAIT);
    release_look_ups();
    test_client_run(&c);
    ck_assert_int_eq(slow->response.result, NET_ANSWERED);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

/* ---- Redirects ---- */

/* "/bot.../<status>?<location>" is redirected there; all else is answered with the method and the body. */
static void
answer_redirecting(struct test_peer *p, const struct test_request *r, void *user)
{
    struct str before, location;
    char headers[2048], body[256];

    (void)user;
    if (str_cut(r->target, '?', &before, &location) && before.len > 3 && str_find(before, STR("/ok")) < 0) {
        int64_t status = 0;

        ck_assert(str_to_i64(str_from(before, before.len - 3), &status));
        snprintf(headers, sizeof(headers), "Location: %.*s\r\n", STR_ARG(location));
        for (char *at; (at = strchr(headers, '~')) != NULL;)
            *at = ' ';
        test_peer_answer(p, (int)status, headers, STR("see there"));
        return;
    }
    snprintf(body, sizeof(body), "%.*s %.*s", STR_ARG(r->method), STR_ARG(r->body));
    test_peer_answer(p, 200, NULL, str_of(body));
}

struct redirect_row {
    const char *path;     /* %d is the server's port */
    const char *method, *body;
    int         max;
    int         status;   /* in the end */
    const char *answer;
    int         requests;
};

static const struct redirect_row redirects[] = {
    /* followed */
    { "302?/ok", NULL, NULL, 1, 200, "GET ", 2 },
    { "301?ok", NULL, NULL, 1, 200, "GET ", 2 },
    { "307?../ok?x=1", NULL, NULL, 1, 200, "GET ", 2 },
    { "308?http://127.0.0.1:%d/ok", NULL, NULL, 1, 200, "GET ", 2 },
    { "302?//127.0.0.1:%d/ok", NULL, NULL, 1, 200, "GET ", 2 },
    { "303?/ok", NULL, NULL, 1, 200, "GET ", 2 },
    { "302?/ok/a~b~\xc3\xa4", NULL, NULL, 1, 200, "GET ", 2 },
    { "302?/ok#there", NULL, NULL, 1, 200, "GET ", 2 },
    { "302?/302?/302?/ok", NULL, NULL, 3, 200, "GET ", 4 },
    { "303?/ok", "POST", "secret", 1, 200, "GET ", 2 },
    { "303?/ok", "DELETE", NULL, 1, 200, "GET ", 2 },
    { "303?/302?/ok", "POST", "secret", 2, 200, "GET ", 3 },
    { "302?/ok", "HEAD", NULL, 1, 200, "", 2 },
    { "303?/ok", "HEAD", NULL, 1, 200, "", 2 },

    /* an answer like any other */
    { "302?/ok", NULL, NULL, 0, 302, "see there", 1 },
    { "302?/302?/302?/ok", NULL, NULL, 2, 302, "see there", 3 },
    { "302?/302", NULL, NULL, 5, 200, "GET ", 2 },
    { "301?/ok", "POST", "secret", 5, 301, "see there", 1 },
    { "302?/ok", "POST", "secret", 5, 302, "see there", 1 },
    { "307?/ok", "POST", "secret", 5, 307, "see there", 1 },
    { "308?/ok", "PUT", "secret", 5, 308, "see there", 1 },
    { "307?/ok", "DELETE", NULL, 5, 307, "see there", 1 },
    { "300?/ok", NULL, NULL, 5, 300, "see there", 1 },
    { "304?/ok", NULL, NULL, 5, 304, "", 1 },
    { "201?/ok", NULL, NULL, 5, 201, "see there", 1 },
};

START_TEST(a_redirect_is_followed_or_not)
{
    const struct redirect_row *row = &redirects[_i];
    struct test_client c;
    struct test_server *s = test_server_start(answer_redirecting, NULL);
    struct net_response *r;
    struct test_request last;
    char path[256];
    char *port;

    snprintf(path, sizeof(path), "%s", row->path);
    port = strstr(path, "%d");
    if (port)
        snprintf(port, 64, "%d%s", test_server_port(s), strstr(row->path, "%d") + 2);
    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, path), .method = str_of(row->method),
                                                  .body = str_of(row->body), .redirects_max = row->max });
    ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    ck_assert_int_eq(r->status, row->status);
    ck_assert_msg(str_eq(r->body, str_of(row->answer)), "%.*s", STR_ARG(r->body));
    ck_assert_int_eq(test_server_requests(s), row->requests);
    last = test_server_request(s, row->requests - 1);
    if (row->requests > 1 && row->body)
        ck_assert(str_is_none(test_request_header(&last, "Content-Length")));
    ck_assert_int_lt(str_find(last.target, STR(" ")), 0);
    ck_assert_int_lt(str_find(last.target, STR("#")), 0);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(the_path_of_a_relative_redirect_is_found)
{
    struct test_client c;
    struct test_server *s = test_server_start(answer_redirecting, NULL);

    test_client_init(&c, NULL);
    test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "a/b/302?../ok~\xc3\xa4"), .redirects_max = 1 });
    ck_assert(str_ends(test_server_request(s, 1).target, STR("/a/ok%20%c3%a4")));
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

START_TEST(headers_stay_with_their_host)
{
    struct net_header headers[] = { { STR("Authorization"), STR("Bearer abc") }, { STR("Cookie"), STR("a=b") },
                                    { STR("X-Api-Key"), STR("k") },              { STR("Accept"), STR("image/png") } };
    struct test_client c;
    struct test_server *s = test_server_start(answer_redirecting, NULL);
    struct test_server *other = test_server_start(answer_redirecting, NULL);
    struct net_request request = { .redirects_max = 5, .headers = headers, .header_count = 4 };
    struct test_request seen;
    char path[256];

    test_client_init(&c, NULL);

    /* on the same host they go along */
    request.url = test_url(&c, s, "302?/ok");
    test_client_ask(&c, request);
    seen = test_server_request(s, 1);
    ck_assert(str_eq(test_request_header(&seen, "Authorization"), STR("Bearer abc")));

    /* to another port, and back from there, only one does */
    snprintf(path, sizeof(path), "302?http://127.0.0.1:%d/302?http://127.0.0.1:%d/ok", test_server_port(other),
             test_server_port(s));
    request.url = test_url(&c, s, path);
    test_client_ask(&c, request);
    ck_assert_int_eq(test_server_requests(other), 1);
    ck_assert_int_eq(test_server_requests(s), 4);
    for (int i = 0; i < 2; i++) {
        seen = i == 0 ? test_server_request(other, 0) : test_server_request(s, 3);
        ck_assert(str_is_none(test_request_header(&seen, "Authorization")));
        ck_assert(str_is_none(test_request_header(&seen, "Cookie")));
        ck_assert(str_is_none(test_request_header(&seen, "X-Api-Key")));
        ck_assert(str_is_none(test_request_header(&seen, "Referer")));
        ck_assert(str_eq(test_request_header(&seen, "Accept"), STR("image/png")));
    }
    test_client_deinit(&c);
    test_server_stop(s);
    test_server_stop(other);
}
END_TEST

struct forbidden_row {
    const char *location; /* %d is the server's port */
    bool        guarded;
    const char *complaint;
};

static const struct forbidden_row forbidden[] = {
    { "http://127.0.0.2:%d/ok", true, "the redirect leads to a private or reserved address (127.0.0.2)" },
    { "//10.0.0.1/", true, "the redirect leads to a private or reserved address (10.0.0.1)" },
    { "http://localhost:%d/", true, NULL }, /* localhost is 127.0.0.1, which is allowed here */
    { "http://metadata.test/latest", true, "the host has a private or reserved address (169.254.169.254)" },
    { "http://u:p@home.test:%d/", true, "the redirect must not hold a user name or password" },
    { "file:///etc/passwd", true, "the redirect must begin with http:// or https://" },
    { "file:///etc/passwd", false, "the redirect is not a valid http or https URL" },
    { "gopher://127.0.0.1:%d/x", false, "the redirect is not a valid http or https URL" },
    { "ftp://127.0.0.1:%d/x", false, "the redirect is not a valid http or https URL" },
};

START_TEST(a_redirect_does_not_lead_where_the_url_may_not)
{
    const struct forbidden_row *row = &forbidden[_i];
    struct test_client c;
    struct test_server *s = test_server_start(answer_redirecting, NULL);
    struct net_response *r;
    char path[256];
    char *port;

    snprintf(path, sizeof(path), "302?%s", row->location);
    port = strstr(path, "%d");
    if (port)
        snprintf(port, 64, "%d%s", test_server_port(s), strstr(row->location, "%d") + 2);
    test_client_init(&c, &(struct courier_options){ .guard = &home_only });
    r = test_client_ask(&c, (struct net_request){ .url = test_url_at(&c, "http", "home.test", s, path),
                                                  .guarded = row->guarded, .redirects_max = 5 });
    if (row->complaint) {
        ck_assert_int_eq(r->result, NET_FORBIDDEN);
        ck_assert_str_eq(r->error, row->complaint);
        ck_assert_int_eq(test_server_requests(s), 1);
    } else {
        ck_assert_msg(r->result == NET_ANSWERED, "%s", r->error);
    }
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static void
redirect_or_hold(struct test_peer *p, const struct test_request *r, void *user)
{
    if (str_find(r->target, STR("302")) >= 0)
        answer_redirecting(p, r, user);
    else
        test_peer_hold(p);
}

START_TEST(the_time_limit_is_for_all_of_the_way)
{
    struct test_client c;
    struct test_server *s = test_server_start(redirect_or_hold, NULL);
    struct net_response *r;

    test_client_init(&c, NULL);
    r = test_client_ask(&c, (struct net_request){ .url = test_url(&c, s, "302?/ok"), .redirects_max = 5,
                                                  .total_ms = 1000 });
    ck_assert_int_eq(r->result, NET_UNKNOWN);
    ck_assert_int_eq(test_server_requests(s), 2);
    ck_assert_int_ge(r->took_us, 999000);
    test_client_deinit(&c);
    test_server_stop(s);
}
END_TEST

static TCase *
tables(void)
{
    TCase *c = tcase_create("tables");

    tcase_add_loop_test(c, a_strangers_url_does_not_lead_inside, 0, COUNT(guarded));
    tcase_add_loop_test(c, a_redirect_is_followed_or_not, 0, COUNT(redirects));
    tcase_add_loop_test(c, a_redirect_does_not_lead_where_the_url_may_not, 0, COUNT(forbidden));
    return c;
}

static TCase *
rest(void)
{
    TCase *c = tcase_create("rest");

    tcase_add_test(c, our_own_urls_and_exceptions_do);
    tcase_add_test(c, a_kept_connection_is_no_way_around);
    tcase_add_test(c, nor_is_a_url_that_is_ours_as_well);
    tcase_add_test(c, of_several_addresses_an_allowed_one_is_taken);
    tcase_add_test(c, the_next_address_is_tried_at_once);
    tcase_add_test(c, an_address_that_refuses_late_costs_no_more_time);
    tcase_add_test(c, an_address_that_does_not_answer_costs_half_of_the_time);
    tcase_add_test(c, a_name_nobody_has_is_not_sent_to);
    tcase_add_test(c, a_slow_look_up_holds_nobody);
    tcase_add_test(c, a_look_up_that_ends_is_used);
    tcase_add_test(c, the_path_of_a_relative_redirect_is_found);
    tcase_add_test(c, headers_stay_with_their_host);
    tcase_add_test(c, the_time_limit_is_for_all_of_the_way);
    return c;
}

TEST_CASES("courier guard", tables, rest)
