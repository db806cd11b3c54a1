#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/random.h"
#include "base/testing.h"

#define REPLY_MAX ((size_t)64 * 1024)
#define TOKEN     "1000001:sandbox-default-bot-token-000000000"

static struct arena arena;

static struct sandbox *
start(uint64_t seed)
{
    struct sandbox_options options = { .listen = "127.0.0.1:0", .seed = seed };
    struct sandbox        *s;
    struct error           err;

    ck_assert_msg(sandbox_start(&options, &s, &err), "%s", err.message);
    return s;
}

static int
dial(const struct sandbox *s)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)strtol(strrchr(sandbox_address(s), ':') + 1, NULL, 10));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void
say(int fd, const char *method, const char *path, const char *body)
{
    struct str request = arena_printf(&arena,
        "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        method, path, strlen(body), body);

    ck_assert_int_eq(write(fd, request.ptr, request.len), (ssize_t)request.len);
}

/* All that comes until the other side closes. */
static const char *
hear(int fd)
{
    char   *text = arena_alloc(&arena, REPLY_MAX);
    size_t  len = 0;
    ssize_t got;

    while ((got = read(fd, text + len, REPLY_MAX - 1 - len)) > 0)
        len += (size_t)got;
    close(fd);
    return text;
}

static const char *
ask(const struct sandbox *s, const char *method, const char *path, const char *body)
{
    int fd = dial(s);

    say(fd, method, path, body);
    return hear(fd);
}

START_TEST(several_sandboxes_do_not_know_each_other)
{
    struct sandbox *one = start(0), *two = start(0);

    ask(one, "DELETE", "/sandbox/telegram/bots/1000001", "");
    ck_assert_ptr_nonnull(strstr(ask(one, "GET", "/bot" TOKEN "/getMe", ""), "HTTP/1.1 401 "));
    ck_assert_ptr_nonnull(strstr(ask(two, "GET", "/bot" TOKEN "/getMe", ""), "\"username\":\"sandbox_bot\""));
    sandbox_stop(one);
    sandbox_stop(two);
    sandbox_stop(NULL);
}
END_TEST

START_TEST(an_address_that_is_taken_is_told)
{
    struct sandbox        *s = start(0), *other;
    struct sandbox_options options = { .listen = sandbox_address(s) };
    struct error           err;

    ck_assert(!sandbox_start(&options, &other, &err));
    ck_assert_ptr_nonnull(strstr(err.message, sandbox_address(s)));
    sandbox_stop(s);
}
END_TEST

static const char *
token_of_a_new_bot(uint64_t seed)
{
    struct sandbox *s = start(seed);
    const char     *bot = "{\"first_name\":\"A\",\"username\":\"a_test_bot\"}";
    const char     *reply = ask(s, "POST", "/sandbox/telegram/bots", bot);

    sandbox_stop(s);
    reply = strstr(reply, "\"token\":");
    ck_assert_ptr_nonnull(reply);
    return reply;
}

START_TEST(with_a_seed_tokens_are_known_beforehand)
{
    const char *first = token_of_a_new_bot(5);

    ck_assert_str_eq(first, token_of_a_new_bot(5));
    ck_assert_str_ne(first, token_of_a_new_bot(6));
    random_seed(0);
}
END_TEST

/* The live stream ends, the request that waits is answered, and a delivery that nobody takes is given up. */
START_TEST(stopping_leaves_nobody_waiting)
{
    struct sandbox *s = start(0);
    int             sink = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), stream, poll;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t       len = sizeof(at);
    const char     *made;

    ck_assert_int_eq(bind(sink, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(listen(sink, 8), 0);
    getsockname(sink, (struct sockaddr *)&at, &len);

    stream = dial(s);
    say(stream, "GET", "/sandbox/events", "");
    made = ask(s, "POST", "/sandbox/telegram/bots", "{\"id\":5,\"first_name\":\"A\",\"username\":\"a_test_bot\"}");
    ck_assert_ptr_nonnull(strstr(made, "HTTP/1.1 201 "));
    ask(s, "POST", "/bot" TOKEN "/setWebhook",
        arena_printf(&arena, "{\"url\":\"http://127.0.0.1:%d/\"}", ntohs(at.sin_port)).ptr);
    ask(s, "POST", "/sandbox/telegram/bots/1000001/chats/7000001/messages", "{\"text\":\"hi\"}");
    close(accept(sink, NULL, NULL)); /* the delivery has begun */

    made = strstr(made, "\"token\":\"") + 9;
    poll = dial(s);
    say(poll, "POST", arena_printf(&arena, "/bot%.*s/getUpdates", (int)strcspn(made, "\""), made).ptr,
        "{\"timeout\":50}");
    while (!strstr(ask(s, "GET", "/sandbox/telegram/bots/5/calls", ""), "getUpdates"))
        ; /* until it has arrived */

    sandbox_stop(s);
    ck_assert_ptr_nonnull(strstr(hear(poll), "\"description\":\"Internal Server Error: restart\""));
    ck_assert_ptr_nonnull(strstr(hear(stream), "event: telegram"));
    close(sink);
}
END_TEST

static void
tear_down(void)
{
    arena_deinit(&arena);
}

static TCase *
life(void)
{
    TCase *c = tcase_create("life");

    tcase_add_checked_fixture(c, NULL, tear_down);
    tcase_add_test(c, several_sandboxes_do_not_know_each_other);
    tcase_add_test(c, an_address_that_is_taken_is_told);
    tcase_add_test(c, with_a_seed_tokens_are_known_beforehand);
    tcase_add_test(c, stopping_leaves_nobody_waiting);
    return c;
}

TEST_CASES("sandbox", life)
