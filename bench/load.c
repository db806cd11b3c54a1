/* load.c -- an HTTP load generator for the benchmarks: keep-alive connections on one thread, as
 * fast as the other side answers or at a fixed rate.
 *
 *     load ADDRESS:PORT --connections N --seconds S [--rate R] [--method M] [--header LINE]... [--bodies FILE]
 *          [--number N] [--sign SECRET] PATH... | @FILE
 *
 * Paths, and bodies (a line each), are taken in turn. "@@@@@@@@@@@@" in a body becomes a number that grows with every
 * request. --sign adds Meta's signature of the body. At a fixed rate a request's latency counts from the moment it was
 * due, so that a stalled server cannot hide what it delayed. Prints one JSON object. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define HEADERS_MAX  8
#define MARK         "@@@@@@@@@@@@"
#define MARK_LEN     12
#define REQUEST_MAX  (128 * 1024)
#define RESPONSE_MAX (256 * 1024)
#define BUCKETS      4096

struct conn {
    int     fd;
    bool    busy;
    int64_t due_us;
    char    out[REQUEST_MAX];
    size_t  out_len, out_sent;
    char   *in;
    size_t  in_len;
};

static struct {
    struct sockaddr_in address;
    int         connections, epoll;
    double      seconds, rate;
    const char *method, *secret;
    const char *headers[HEADERS_MAX];
    int         header_count, path_count, body_count;
    char      **paths, **bodies;
} opt = { .connections = 64, .seconds = 5, .method = "GET" };

static struct {
    int64_t  sent, done, failed, bytes;
    uint64_t latency[BUCKETS];
    int64_t  latency_max, number;
    char     refusal[160]; /* the first answer that was none of success, as far as it is fit for our JSON */
} seen;

static int64_t
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Buckets of 1 % width, from 1 us up. */
static int
bucket_of(int64_t us)
{
    int shift = 0;

    while (us >> shift >= 128)
        shift++;
    return shift * 64 + (int)(us >> shift);
}

static double
percentile(double p)
{
    uint64_t want = (uint64_t)((double)seen.done * p), sum = 0;

    for (int i = 0; i < BUCKETS; i++) {
        sum += seen.latency[i];
        if (sum > want) {
            int shift = i < 128 ? 0 : (i - 64) / 64;

            return (double)((int64_t)(i - shift * 64) << shift) / 1000.0;
        }
    }
    return (double)seen.latency_max / 1000.0;
}

static void
put_number(char *text)
{
    char digits[MARK_LEN + 1];
    char *at = strstr(text, MARK);

    if (!at)
        return;
    snprintf(digits, sizeof(digits), "%012llu", (unsigned long long)seen.number++ % 1000000000000ULL);
    for (; at; at = strstr(at, MARK))
        memcpy(at, digits, MARK_LEN);
}

/* Over the body as it goes out, so the number comes first. */
static int
put_signature(char *out, size_t size, const char *body)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    int n = snprintf(out, size, "X-Hub-Signature-256: sha256=");

    HMAC(EVP_sha256(), opt.secret, (int)strlen(opt.secret), (const unsigned char *)body, strlen(body), mac, &len);
    for (unsigned int i = 0; i < len; i++)
        n += snprintf(out + n, size - (size_t)n, "%02x", mac[i]);
    return n + snprintf(out + n, size - (size_t)n, "\r\n");
}

static void
build_request(struct conn *c)
{
    static char numbered[REQUEST_MAX];

    const char *path = opt.paths[seen.sent % opt.path_count];
    const char *body = opt.body_count ? opt.bodies[seen.sent % opt.body_count] : NULL;
    int n = snprintf(c->out, sizeof(c->out), "%s %s HTTP/1.1\r\nHost: bench\r\n", opt.method, path);

    for (int i = 0; i < opt.header_count; i++)
        n += snprintf(c->out + n, sizeof(c->out) - (size_t)n, "%s\r\n", opt.headers[i]);
    if (body) {
        snprintf(numbered, sizeof(numbered), "%s", body);
        put_number(numbered);
        if (opt.secret)
            n += put_signature(c->out + n, sizeof(c->out) - (size_t)n, numbered);
        n += snprintf(c->out + n, sizeof(c->out) - (size_t)n, "Content-Length: %zu\r\n\r\n%s", strlen(numbered),
                      numbered);
    } else {
        n += snprintf(c->out + n, sizeof(c->out) - (size_t)n, "\r\n");
    }
    c->out_len = (size_t)n;
    c->out_sent = 0;
    c->in_len = 0;
    c->busy = true;
    seen.sent++;
}

static void
watch(struct conn *c, bool writing, int how)
{
    struct epoll_event e = { .events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c };

    if (epoll_ctl(opt.epoll, how, c->fd, &e) != 0)
        die("epoll_ctl");
}

static void
conn_open(struct conn *c)
{
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&opt.address, sizeof(opt.address)) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!c->in)
        c->in = malloc(RESPONSE_MAX + 1);
    c->busy = false;
    watch(c, false, EPOLL_CTL_ADD);
}

static void
conn_write(struct conn *c)
{
    while (c->out_sent < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            watch(c, true, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0)
            die("send");
        c->out_sent += (size_t)n;
    }
}

static void
conn_send(struct conn *c, int64_t due_us)
{
    build_request(c);
    c->due_us = due_us;
    conn_write(c);
}

static void
conn_reopen(struct conn *c)
{
    close(c->fd);
    conn_open(c);
}

/* How long the whole answer in `c->in` is, 0 while that is not known. */
static size_t
answer_size(struct conn *c)
{
    char *end, *length;

    c->in[c->in_len] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    length = strcasestr(c->in, "\r\ncontent-length:");
    return (size_t)(end - c->in) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

static void
note_refusal(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    size_t n = (size_t)snprintf(seen.refusal, sizeof(seen.refusal), "%.3s %s", answer + 9, body ? body + 4 : "");

    for (size_t i = 0; i < n && i < sizeof(seen.refusal) - 1; i++)
        if (seen.refusal[i] < ' ' || seen.refusal[i] == '"' || seen.refusal[i] == '\\')
            seen.refusal[i] = '\'';
}

static bool
conn_read(struct conn *c, int64_t at_us)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, RESPONSE_MAX - c->in_len, MSG_DONTWAIT);
    size_t size;
    int64_t us;

    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        seen.failed += c->busy;
        conn_reopen(c);
        return true;
    }
    c->in_len += (size_t)n;
    size = answer_size(c);
    if (size == 0 || c->in_len < size)
        return false;
    us = at_us - c->due_us;
    seen.done++;
    seen.bytes += (int64_t)size;
    if (c->in[9] != '2' && seen.failed++ == 0)
        note_refusal(c->in);
    seen.latency[bucket_of(us < 1 ? 1 : us)]++;
    if (us > seen.latency_max)
        seen.latency_max = us;
    c->busy = false;
    if (strcasestr(c->in, "\r\nconnection: close"))
        conn_reopen(c);
    return true;
}

static void
run(struct conn *conns)
{
    struct epoll_event events[256];
    int64_t start = now_us(), end = start + (int64_t)(opt.seconds * 1e6), now = start;
    int64_t due = 0;    /* requests that should have been sent by now */
    int idle = opt.connections, next = 0;

    while (now < end) {
        due = opt.rate > 0 ? (int64_t)((double)(now - start) * opt.rate / 1e6) : INT64_MAX;
        while (seen.sent < due && idle > 0) {
            while (conns[next % opt.connections].busy)
                next++;
            conn_send(&conns[next % opt.connections],
                      opt.rate > 0 ? start + (int64_t)((double)seen.sent * 1e6 / opt.rate) : now);
            idle--;
        }
        int n = epoll_wait(opt.epoll, events, 256, opt.rate > 0 ? 1 : 100);

        now = now_us();
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (events[i].events & EPOLLOUT) {
                watch(c, false, EPOLL_CTL_MOD);
                conn_write(c);
            }
            if ((events[i].events & ~(uint32_t)EPOLLOUT) && conn_read(c, now) && !c->busy)
                idle++;
        }
        idle = 0;
        for (int i = 0; i < opt.connections; i++)
            idle += !conns[i].busy;
    }
}

static char **
read_lines(const char *path, int *count)
{
    FILE *f = fopen(path, "r");
    char **lines = NULL, *line = NULL;
    size_t size = 0;
    ssize_t n;

    if (!f)
        die(path);
    for (*count = 0; (n = getline(&line, &size, f)) > 0; (*count)++) {
        line[strcspn(line, "\n")] = '\0';
        char **more = realloc(lines, sizeof(*lines) * (size_t)(*count + 1));

        if (!more)
            die("realloc");
        lines = more;
        lines[*count] = strdup(line);
    }
    free(line);
    fclose(f);
    return lines;
}

static void
parse(int argc, char **argv)
{
    char host[64];
    int port;

    if (argc < 3 || sscanf(argv[1], "%63[^:]:%d", host, &port) != 2)
        exit(2);
    opt.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, host, &opt.address.sin_addr);
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            opt.paths = argv + i;
            opt.path_count = argc - i;
            if (argv[i][0] == '@')
                opt.paths = read_lines(argv[i] + 1, &opt.path_count);
            return;
        }
        if (i + 1 == argc)
            exit(2);
        if (strcmp(argv[i], "--connections") == 0)
            opt.connections = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0)
            opt.seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--rate") == 0)
            opt.rate = atof(argv[++i]);
        else if (strcmp(argv[i], "--method") == 0)
            opt.method = argv[++i];
        else if (strcmp(argv[i], "--bodies") == 0)
            opt.bodies = read_lines(argv[++i], &opt.body_count);
        else if (strcmp(argv[i], "--sign") == 0)
            opt.secret = argv[++i];
        else if (strcmp(argv[i], "--number") == 0)
            seen.number = atoll(argv[++i]);
        else if (strcmp(argv[i], "--header") == 0 && opt.header_count < HEADERS_MAX)
            opt.headers[opt.header_count++] = argv[++i];
        else
            exit(2);
    }
    exit(2);
}

int
main(int argc, char **argv)
{
    struct rusage use;
    struct conn *conns;
    int64_t start;
    double took;

    parse(argc, argv);
    opt.epoll = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)opt.connections, sizeof(*conns));
    for (int i = 0; i < opt.connections; i++)
        conn_open(&conns[i]);
    start = now_us();
    run(conns);
    took = (double)(now_us() - start) / 1e6;
    getrusage(RUSAGE_SELF, &use);
    printf("{\"per_second\":%.1f,\"done\":%lld,\"failed\":%lld,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
           "\"bytes_each\":%lld,\"next_number\":%lld,\"refusal\":\"%s\",\"cpu_s\":%.3f}\n",
           (double)seen.done / took, (long long)seen.done, (long long)seen.failed, percentile(0.5), percentile(0.99),
           (double)seen.latency_max / 1000.0, (long long)(seen.done ? seen.bytes / seen.done : 0),
           (long long)seen.number, seen.refusal,
           (double)use.ru_utime.tv_sec + (double)use.ru_utime.tv_usec / 1e6 + (double)use.ru_stime.tv_sec
               + (double)use.ru_stime.tv_usec / 1e6);
    return 0;
}
