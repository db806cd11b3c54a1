/* testing_graph.c -- see testing_graph.h. */
#include "sandbox/meta/testing_graph.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/testing.h"
#include "sandbox/sandbox.h"

#define TEXT_MAX ((size_t)1024 * 1024)
#define WAIT_MS  10000

static struct sandbox *sandbox;
static struct arena    arena;
static int             app = -1;
static char            app_url[64];

void
graph_open(void)
{
    struct sandbox_options options = { .listen = "127.0.0.1:0", .seed = 7 };
    struct sockaddr_in     at = { .sin_family = AF_INET };
    socklen_t              len = sizeof(at);
    struct error           err;

    arena_init(&arena);
    ck_assert_msg(sandbox_start(&options, &sandbox, &err), "%s", err.message);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    app = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(app, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(listen(app, 64), 0);
    ck_assert_int_eq(getsockname(app, (struct sockaddr *)&at, &len), 0);
    snprintf(app_url, sizeof(app_url), "http://127.0.0.1:%d/webhooks/meta", ntohs(at.sin_port));
}

void
graph_close(void)
{
    close(app);
    sandbox_stop(sandbox);
    arena_deinit(&arena);
}

const char *
graph_app_url(void)
{
    return app_url;
}

const char *
graph_printf(const char *fmt, ...)
{
    char   *text = arena_alloc(&arena, TEXT_MAX);
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, TEXT_MAX, fmt, args);
    va_end(args);
    return text;
}

/* ---- asking ---- */

static int
dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)strtol(strrchr(sandbox_address(sandbox), ':') + 1, NULL, 10));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static struct str
hear(int fd)
{
    char   *text = arena_alloc(&arena, TEXT_MAX);
    size_t  len = 0;
    ssize_t got;

    while ((got = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
        len += (size_t)got;
    close(fd);
    return (struct str){ text, len };
}

int
graph_begin(const char *method, const char *path, const char *token, const char *body)
{
    struct str request = arena_printf(&arena,
        "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\n%s%s%s"
        "Content-Length: %zu\r\n\r\n%s",
        method, path, sandbox_address(sandbox), token ? "Authorization: Bearer " : "", token ? token : "",
        token ? "\r\n" : "", body ? strlen(body) : 0, body ? body : "");
    int fd = dial();

    ck_assert_int_eq(write(fd, request.ptr, request.len), (ssize_t)request.len);
    return fd;
}

struct str
graph_reply(const char *method, const char *path, const char *token, const char *body, int status)
{
    struct str reply = hear(graph_begin(method, path, token, body));

    ck_assert_msg(reply.len > 12 && strtol(reply.ptr + 9, NULL, 10) == status, "%s %s: %.*s", method, path,
        STR_ARG(reply));
    return reply;
}

static yyjson_val *
json_of(struct str reply)
{
    ptrdiff_t    at = str_find(reply, STR("\r\n\r\n"));
    yyjson_val  *val = NULL;
    struct error err;

    return at >= 0 && json_parse(&arena, str_from(reply, (size_t)at + 4), JSON_DEPTH_MAX, &val, &err) ? val : NULL;
}

yyjson_val *
graph_ask(const char *method, const char *path, const char *token, const char *body, int status)
{
    return json_of(graph_reply(method, path, token, body, status));
}

/* What has been asked before has been looked at when this is answered. */
bool
graph_waits(int asked)
{
    struct pollfd ready = { .fd = asked, .events = POLLIN };

    graph_ask("GET", "/sandbox/meta/app", NULL, NULL, 200);
    return poll(&ready, 1, 0) == 0;
}

yyjson_val *
graph_end(int asked, int status)
{
    struct str reply = hear(asked);

    ck_assert_msg(reply.len > 12 && strtol(reply.ptr + 9, NULL, 10) == status, "%.*s", STR_ARG(reply));
    return json_of(reply);
}

/* ---- being told ---- */

static bool
is_whole(struct str request)
{
    ptrdiff_t end = str_find(request, STR("\r\n\r\n")), at = str_find_nocase(request, STR("\r\ncontent-length: "));
    size_t    length = at >= 0 && at < end ? strtoul(request.ptr + at + 18, NULL, 10) : 0;

    return end >= 0 && request.len >= (size_t)end + 4 + length;
}

static struct str
read_request(int fd)
{
    char         *text = arena_alloc(&arena, TEXT_MAX);
    size_t        len = 0;
    ssize_t       got;
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    while (!is_whole((struct str){ text, len })) {
        ck_assert_int_eq(poll(&ready, 1, WAIT_MS), 1);
        got = read(fd, text + len, TEXT_MAX - 1 - len);
        ck_assert_int_gt(got, 0);
        len += (size_t)got;
    }
    return (struct str){ text, len };
}

static int
take_request(struct str *request)
{
    struct pollfd ready = { .fd = app, .events = POLLIN };
    int           fd;

    ck_assert_msg(poll(&ready, 1, WAIT_MS) == 1, "the app is told nothing");
    fd = accept(app, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    *request = read_request(fd);
    return fd;
}

static void
answer(int fd, int status, struct str body)
{
    struct str text = arena_printf(&arena, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%.*s",
        status, body.len, STR_ARG(body));

    ck_assert_int_eq(write(fd, text.ptr, text.len), (ssize_t)text.len);
    close(fd);
}

struct graph_told
graph_told(int status)
{
    struct str request;
    int        fd = take_request(&request);
    ptrdiff_t  end = str_find(request, STR("\r\n\r\n"));
    struct graph_told told = { str_slice(request, 0, (size_t)end), str_from(request, (size_t)end + 4),
        json_of(request) };

    answer(fd, status, STR(""));
    return told;
}

void
graph_settled(void)
{
    yyjson_val *hooks;

    do {
        hooks = graph_at(graph_ask("GET", "/sandbox/meta/app", NULL, NULL, 200), "callbacks");
    } while (json_int(json_obj(hooks, "page"), "under_way", 1) > 0
        || json_int(json_obj(hooks, "instagram"), "under_way", 1) > 0);
}

bool
graph_is_quiet(void)
{
    struct pollfd ready = { .fd = app, .events = POLLIN };

    graph_ask("GET", "/sandbox/meta/app", NULL, NULL, 200);
    return poll(&ready, 1, 0) == 0;
}

static void
set_callback(const char *object)
{
    const char *body = graph_printf("{\"object\":\"%s\",\"url\":\"%s\",\"verify_token\":\"v t\"}", object, app_url);
    struct str  request, challenge, rest;
    int         fd = graph_begin("POST", "/sandbox/meta/app/callback", NULL, body), asked = take_request(&request);
    ptrdiff_t   at = str_find(request, STR("hub.challenge="));

    ck_assert_int_ge(str_find(request, STR("hub.mode=subscribe")), 0);
    ck_assert_int_ge(str_find(request, STR("hub.verify_token=v%20t")), 0);
    str_cut(str_from(request, (size_t)at + 14), '&', &challenge, &rest);
    answer(asked, 200, challenge);
    ck_assert_int_ge(str_find(hear(fd), STR("HTTP/1.1 200")), 0);
}

void
graph_subscribe(void)
{
    set_callback("page");
    set_callback("instagram");
    graph_ask("POST", "/v25.0/me/subscribed_apps", PAGE_TOKEN,
        "{\"subscribed_fields\":[\"messages\",\"message_echoes\",\"feed\",\"messaging_postbacks\"]}", 200);
    graph_ask("POST", "/instagram/v25.0/me/subscribed_apps", IG_TOKEN, "{\"subscribed_fields\":\"messages\"}", 200);
}

/* ---- looking into it ---- */

yyjson_val *
graph_at(yyjson_val *val, const char *path)
{
    struct str step, rest = str_of(path);

    while (val && rest.len > 0) {
        int64_t place;

        str_cut(rest, '.', &step, &rest);
        val = str_to_i64(step, &place) && yyjson_is_arr(val) ? yyjson_arr_get(val, (size_t)place)
                                                             : yyjson_obj_getn(val, step.ptr, step.len);
    }
    return val;
}

const char *
graph_text(yyjson_val *val, const char *path)
{
    const char *text = yyjson_get_str(graph_at(val, path));

    ck_assert_msg(text != NULL, "no text at %s", path);
    return text;
}
