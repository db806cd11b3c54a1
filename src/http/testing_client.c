/* testing_client.c -- see testing_client.h. */
#include "http/testing_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void
testing_connect(struct testing_client *c, const struct testing_server *t)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(t->http)) };
    struct timeval     patience = { .tv_sec = TESTING_PATIENCE_MS / 1000 };
    int                on = 1;

    memset(c, 0, sizeof(*c));
    buf_init(&c->in, 64 * MIB);
    buf_init(&c->head, MIB);
    buf_init(&c->body, 64 * MIB);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

void
testing_close(struct testing_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_deinit(&c->in);
    buf_deinit(&c->head);
    buf_deinit(&c->body);
}

/* The server may well have closed already. */
void
testing_send_bytes(struct testing_client *c, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n <= 0) {
            c->reset = c->reset || errno == EPIPE || errno == ECONNRESET;
            return;
        }
        bytes = str_from(bytes, (size_t)n);
    }
}

void
testing_send(struct testing_client *c, const char *text)
{
    testing_send_bytes(c, str_of(text));
}

bool
testing_receive(struct testing_client *c)
{
    ssize_t n = c->ended ? 0 : recv(c->fd, buf_room(&c->in, 64 * KIB), 64 * KIB, 0);

    ck_assert_msg(n >= 0 || errno == ECONNRESET, "no answer came: %s", strerror(errno));
    if (n > 0)
        buf_grew(&c->in, (size_t)n);
    else {
        c->reset = c->reset || n < 0;
        c->ended = true;
    }
    return n > 0;
}

static void
need(struct testing_client *c, size_t bytes)
{
    while (c->in.len < bytes)
        ck_assert_msg(testing_receive(c), "the connection ended behind \"%.*s\"", STR_ARG(buf_str(&c->in)));
}

/* What is read stays at the front until the next reply is asked for. */
static size_t
need_through(struct testing_client *c, size_t from, struct str mark)
{
    ptrdiff_t at;

    while ((at = str_find(str_from(buf_str(&c->in), from), mark)) < 0)
        need(c, c->in.len + 1);
    return from + (size_t)at + mark.len;
}

struct str
testing_header(const struct testing_reply *r, const char *name)
{
    struct str rest = r->head, line, key, value;

    while (rest.len > 0) {
        str_cut(rest, '\n', &line, &rest);
        if (str_cut(str_trim(line), ':', &key, &value) && str_eq_nocase(key, str_of(name)))
            return str_trim(value);
    }
    return STR_NONE;
}

static size_t
read_chunks(struct testing_client *c, size_t at)
{
    for (;;) {
        size_t   begin = need_through(c, at, STR("\r\n"));
        uint64_t size = strtoull(c->in.ptr + at, NULL, 16);

        need(c, begin + size + 2);
        ck_assert(str_eq(str_slice(buf_str(&c->in), begin + size, 2), STR("\r\n")));
        buf_append(&c->body, str_slice(buf_str(&c->in), begin, size));
        at = begin + size + 2;
        if (size == 0)
            return at;
    }
}

static struct testing_reply
read_reply(struct testing_client *c, bool with_body)
{
    size_t               head_len = need_through(c, 0, STR("\r\n\r\n")), used = head_len;
    struct testing_reply peek = { .head = str_slice(buf_str(&c->in), 0, head_len) };
    struct str           length = testing_header(&peek, "Content-Length");
    struct testing_reply r;
    int64_t              n, status;

    buf_clear(&c->body);
    if (with_body && str_to_i64(length, &n)) {
        used += (size_t)n;
        need(c, used);
        buf_append(&c->body, str_slice(buf_str(&c->in), head_len, (size_t)n));
    } else if (with_body && str_eq(testing_header(&peek, "Transfer-Encoding"), STR("chunked")))
        used = read_chunks(c, head_len);
    else if (with_body) {
        while (testing_receive(c))
            ;
        used = c->in.len;
        buf_append(&c->body, str_from(buf_str(&c->in), head_len));
    }
    buf_clear(&c->head);
    buf_append(&c->head, str_slice(buf_str(&c->in), 0, head_len));
    buf_drop_front(&c->in, used);
    r = (struct testing_reply){ .head = buf_str(&c->head), .body = buf_str(&c->body) };
    ck_assert_msg(str_starts(r.head, STR("HTTP/1.1 ")) && str_to_i64(str_slice(r.head, 9, 3), &status),
        "not a reply: \"%.*s\"", STR_ARG(r.head));
    r.status = (int)status;
    return r;
}

struct testing_reply
testing_read(struct testing_client *c)
{
    return read_reply(c, true);
}

struct testing_reply
testing_read_head(struct testing_client *c)
{
    return read_reply(c, false);
}

bool
testing_is_closed(struct testing_client *c)
{
    return c->in.len == 0 && !testing_receive(c);
}

struct testing_reply
testing_ask(struct testing_client *c, const char *request, int status)
{
    struct testing_reply r;

    testing_send(c, request);
    r = testing_read(c);
    ck_assert_msg(r.status == status, "%.20s: %d instead of %d: %.*s", request, r.status, status, STR_ARG(r.body));
    return r;
}
