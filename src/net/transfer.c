/* transfer.c -- see transfer.h. What libcurl is told, and what it asks on the way.
 *
 * libcurl sends a request again by itself when a kept connection ends before a byte of the answer came
 * (Curl_retry_request() in its lib/transfer.c, 7.88). It cannot know whether the other side read the request before
 * it closed, and it makes no difference between GET and POST. Switching connection reuse off would cost a TLS
 * handshake for each message; a body that cannot be rewound does not help, since a body already written in full is
 * not rewound but read anew. So the moment before each sending (CURLOPT_PREREQFUNCTION) is used: if bytes of a request
 * that may not be repeated have been written, it ends there. Whether they have is known from the debug callback,
 * which is told of each write that succeeded; CURLINFO_REQUEST_SIZE leaves out what was written after a short write. */
#include "net/transfer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"

#define CONNECT_MS_DEFAULT ((int64_t)5000)
#define TOTAL_MS_DEFAULT ((int64_t)30000)
#define RESPONSE_MAX_DEFAULT ((int64_t)MIB)
#define HEAD_MAX (512 * KIB) /* libcurl gives up at 300 */

/* Servers close what is idle, often after a minute, some after five seconds; the shorter we keep a connection, the
 * rarer a request crosses the closing and ends as NET_UNKNOWN. */
#define IDLE_MAX_S 20L

static int64_t
or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

bool
transfer_fault(struct transfer *t, const char *what, const char *why)
{
    t->faulty = true;
    snprintf(t->why, sizeof(t->why), "%s: %s", what, why);
    t->call->response.result = NET_LOCAL_FAULT;
    transfer_explain(t, t->why);
    return false;
}

struct transfer *
transfer_new(const struct transfer_common *common, struct net_call *call)
{
    struct transfer *t = calloc(1, sizeof(*t));

    if (!t)
        out_of_memory();
    t->common  = common;
    t->call    = call;
    t->body_fd = t->save_fd = -1;
    call->response = (struct net_response){ .result = NET_NOT_SENT };
    buf_init(&t->head, HEAD_MAX);
    buf_init(&t->body, (size_t)or_default(call->request.response_max, RESPONSE_MAX_DEFAULT));
    return t;
}

void
transfer_free(struct transfer *t)
{
    if (!t)
        return;
    assert(!t->easy);
    if (t->save_fd >= 0)
        close(t->save_fd);
    buf_deinit(&t->head);
    buf_deinit(&t->body);
    address_give_back(t->common->addresses, t->to);
    free(t);
}

/* ---- What libcurl asks on the way ---- */

bool
transfer_is_repeatable(const struct transfer *t)
{
    const struct net_request *r = &t->call->request;

    if (t->as_get)
        return true;
    return r->part_count == 0 && str_is_none(r->body) && str_is_none(r->body_path)
        && (str_is_none(r->method) || str_eq(r->method, STR("GET")) || str_eq(r->method, STR("HEAD"))
            || str_eq(r->method, STR("OPTIONS")));
}

static bool
guard_allows(struct transfer *t, const struct sockaddr *address, const char *shown)
{
    if (!t->call->request.guarded || net_guard_allows(t->common->guard, address))
        return true;
    t->refused = true;
    snprintf(t->refused_ip, sizeof(t->refused_ip), "%s", shown);
    return false;
}

static curl_socket_t
on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = user;
    char shown[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    int fd;

    (void)purpose;
    if (address->family == AF_INET6) {
        memcpy(&v6, &address->addr, sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, shown, sizeof(shown));
    } else {
        memcpy(&v4, &address->addr, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, shown, sizeof(shown));
    }
    if (!guard_allows(t, &address->addr, shown))
        return CURL_SOCKET_BAD;
    if (t->written && !transfer_is_repeatable(t))
        return CURL_SOCKET_BAD; /* a connection to repeat it on; on_before_sending() would refuse it */
    t->connecting = true;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* libcurl puts into words what it does for whoever listens, which costs as much as sending; so on_debug() hears no more
 * than it must: from before the first byte of the request to the end of the answer's head. */
static void
listen_to(struct transfer *t, bool on)
{
    curl_easy_setopt(t->easy, CURLOPT_VERBOSE, (long)on);
}

static long
status_of(struct transfer *t)
{
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* The connection is there, perhaps a kept one that an unguarded request opened. */
static int
on_before_sending(void *user, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct transfer *t = user;
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    const struct sockaddr *address = (struct sockaddr *)&v6;

    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    if (t->written && !transfer_is_repeatable(t))
        return CURL_PREREQFUNC_ABORT;
    if (t->call->request.not_after_mono_ms && clock_mono_ms() >= *t->call->request.not_after_mono_ms) {
        t->late = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (inet_pton(AF_INET, remote_ip, &v4.sin_addr) == 1)
        address = (struct sockaddr *)&v4;
    else if (inet_pton(AF_INET6, remote_ip, &v6.sin6_addr) != 1)
        v6.sin6_addr = in6addr_any; /* which a guard refuses */
    if (!guard_allows(t, address, remote_ip)) {
        t->connecting = false;
        return CURL_PREREQFUNC_ABORT;
    }
    crash_point("call: not written yet");
    listen_to(t, true);
    return CURL_PREREQFUNC_OK;
}

/* Line by line. The head of a 100 or 103 is followed by that of the answer; "HTTP/" begins no header's name. */
static void
take_head_line(struct transfer *t, struct str line)
{
    if (str_starts(line, STR("HTTP/")))
        buf_clear(&t->head);
    t->head_ended = line.ptr[0] == '\r' || line.ptr[0] == '\n';
    if (!t->head_ended)
        buf_append(&t->head, line);
    else if (status_of(t) >= 200)
        listen_to(t, false);
}

static int
on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *user)
{
    struct transfer *t = user;

    (void)easy;
    if (type == CURLINFO_HEADER_IN && size > 0)
        take_head_line(t, (struct str){ data, size });
    if ((type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT) && size > 0)
        t->written = t->reached = true;
    crash_point_if(type == CURLINFO_HEADER_OUT, "call: head written");
    crash_point_if(type == CURLINFO_DATA_OUT, "call: body written");
    return 0;
}

static size_t
on_body_wanted(char *out, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    ssize_t got;

    do
        got = read(t->body_fd, out, size * n);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return (size_t)got;
    transfer_fault(t, "cannot read the file to send", strerror(errno));
    return CURL_READFUNC_ABORT;
}

static int
on_body_rewind(void *user, curl_off_t offset, int origin)
{
    struct transfer *t = user;

    return lseek(t->body_fd, offset, origin) < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

bool
transfer_open_save(struct transfer *t)
{
    struct str path = arena_copy(t->call->arena, t->call->request.save_path);

    t->save_fd = open(path.ptr, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    t->saved   = t->save_fd >= 0;
    return t->saved || transfer_fault(t, "cannot create the file for the answer", strerror(errno));
}

void
transfer_drop_save(struct transfer *t)
{
    if (t->save_fd >= 0)
        close(t->save_fd);
    t->save_fd = -1;
    if (t->saved)
        unlink(arena_copy(t->call->arena, t->call->request.save_path).ptr);
    t->saved = false;
}

static bool
save(struct transfer *t, const char *data, size_t n)
{
    if (t->save_fd < 0 && !transfer_open_save(t))
        return false;
    while (n > 0) {
        ssize_t put = write(t->save_fd, data, n);

        if (put < 0 && errno != EINTR)
            return transfer_fault(t, "cannot write the answer to disk", strerror(errno));
        if (put > 0) {
            data += put;
            n -= (size_t)put;
        }
    }
    return true;
}

static size_t
on_body(char *data, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    const struct net_request *r = &t->call->request;
    long status = status_of(t);

    n *= size;
    if ((int64_t)n > or_default(r->response_max, RESPONSE_MAX_DEFAULT) - t->received) {
        t->too_big = true;
        return CURL_WRITEFUNC_ERROR;
    }
    t->received += (int64_t)n;
    if (str_is_none(r->save_path) || status < 200 || status > 299)
        buf_append(&t->body, (struct str){ data, n });
    else if (!save(t, data, n))
        return CURL_WRITEFUNC_ERROR;
    return n;
}

/* ---- What libcurl is told ---- */

/* `failed` in the function that uses it. Options fail for want of memory, or in a libcurl built without them. */
#define SET(easy, option, value) (failed |= curl_easy_setopt(easy, option, value) != CURLE_OK)

static bool
set_common(struct transfer *t)
{
    const struct net_request *r = &t->call->request;
    int64_t left_ms = or_default(r->total_ms, TOTAL_MS_DEFAULT) - t->spent_us / 1000;
    CURL *easy = t->easy;
    bool failed = false;

    SET(easy, CURLOPT_CURLU, t->to->url);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* or later */
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_PROXY, ""); /* one would hide the address from the guard */
    SET(easy, CURLOPT_USERAGENT, t->common->user_agent);
    if (t->common->ca_bundle) {
        SET(easy, CURLOPT_CAINFO, t->common->ca_bundle);
        SET(easy, CURLOPT_CAPATH, (char *)NULL); /* with a folder the certificates are read anew for each connection */
    }
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* or giving up a slow look-up would wait for its thread */
    SET(easy, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)or_default(r->connect_ms, CONNECT_MS_DEFAULT));
    SET(easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
    SET(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    SET(easy, CURLOPT_PRIVATE, t);
    SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(easy, CURLOPT_OPENSOCKETDATA, t);
    SET(easy, CURLOPT_PREREQFUNCTION, on_before_sending);
    SET(easy, CURLOPT_PREREQDATA, t);
    SET(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    SET(easy, CURLOPT_DEBUGDATA, t);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, t);
    return !failed;
}

static bool
add_header(struct transfer *t, struct str name, const char *between, struct str value)
{
    struct curl_slist *grown;
    struct buf line;

    buf_init(&line, MIB);
    buf_append(&line, name);
    buf_append(&line, str_of(between));
    buf_append(&line, value);
    buf_append_char(&line, '\0');
    grown = buf_ok(&line) ? curl_slist_append(t->headers, line.ptr) : NULL;
    buf_deinit(&line);
    if (grown)
        t->headers = grown;
    return grown != NULL;
}

static bool
set_headers(struct transfer *t, bool has_body)
{
    const struct net_request *r = &t->call->request;
    bool has_type = r->part_count > 0;
    bool ok = true;

    for (size_t i = 0; i < r->header_count && ok; i++) {
        const struct net_header *h = &r->headers[i];

        if (t->only_accept && !str_eq_nocase(h->name, STR("Accept")))
            continue;
        if (t->as_get && str_eq_nocase(h->name, STR("Content-Type")))
            continue;
        has_type |= str_eq_nocase(h->name, STR("Content-Type"));
        ok = h->value.len > 0 ? add_header(t, h->name, ": ", h->value) : add_header(t, h->name, ";", STR_NONE);
    }
    if (ok && has_body)
        ok = add_header(t, STR("Expect"), ":", STR_NONE); /* libcurl would wait for a 100 with a large body */
    if (ok && has_body && !has_type)
        ok = add_header(t, STR("Content-Type"), ":", STR_NONE); /* libcurl would call it a form */
    return ok && curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

static bool
set_parts(struct transfer *t)
{
    const struct net_request *r = &t->call->request;
    struct arena *a = t->call->arena;
    bool failed = false;

    t->mime = curl_mime_init(t->easy);
    for (size_t i = 0; i < r->part_count && t->mime && !failed; i++) {
        const struct net_part *p = &r->parts[i];
        curl_mimepart *part = curl_mime_addpart(t->mime);

        failed = !part || curl_mime_name(part, arena_copy(a, p->name).ptr) != CURLE_OK;
        if (failed)
            break;
        if (str_is_none(p->path))
            failed |= curl_mime_data(part, p->value.len > 0 ? p->value.ptr : "", p->value.len) != CURLE_OK;
        else if (curl_mime_filedata(part, arena_copy(a, p->path).ptr) != CURLE_OK)
            return transfer_fault(t, "cannot read the file to send", strerror(errno));
        if (!str_is_none(p->file_name))
            failed |= curl_mime_filename(part, arena_copy(a, p->file_name).ptr) != CURLE_OK;
        if (!str_is_none(p->content_type))
            failed |= curl_mime_type(part, arena_copy(a, p->content_type).ptr) != CURLE_OK;
    }
    if (!t->mime || failed)
        return transfer_fault(t, "cannot build the request", "out of memory");
    SET(t->easy, CURLOPT_MIMEPOST, t->mime);
    return !failed || transfer_fault(t, "cannot build the request", "out of memory");
}

static bool
set_body_file(struct transfer *t)
{
    struct stat info;
    bool failed = false;

    t->body_fd = open(arena_copy(t->call->arena, t->call->request.body_path).ptr, O_RDONLY | O_CLOEXEC);
    if (t->body_fd < 0 || fstat(t->body_fd, &info) != 0)
        return transfer_fault(t, "cannot read the file to send", strerror(errno));
    SET(t->easy, CURLOPT_UPLOAD, 1L);
    SET(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)info.st_size);
    SET(t->easy, CURLOPT_READFUNCTION, on_body_wanted);
    SET(t->easy, CURLOPT_READDATA, t);
    SET(t->easy, CURLOPT_SEEKFUNCTION, on_body_rewind);
    SET(t->easy, CURLOPT_SEEKDATA, t);
    return !failed || transfer_fault(t, "cannot build the request", "out of memory");
}

/* The method, the body, and the headers that depend on them. */
static bool
set_request(struct transfer *t)
{
    const struct net_request *r = &t->call->request;
    bool has_body = !t->as_get && (r->part_count > 0 || !str_is_none(r->body_path) || !str_is_none(r->body));
    struct str method = !str_is_none(r->method) ? r->method : has_body ? STR("POST") : STR("GET");
    struct str implied = STR("GET"); /* what libcurl would say */
    bool failed = false;

    if (t->as_get && !str_eq(method, STR("HEAD")))
        method = STR("GET");
    if (!has_body && (str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) || str_eq(method, STR("PATCH"))))
        has_body = true; /* an empty one: they are answered with 411 without a length */
    if (has_body && r->part_count > 0) {
        implied = STR("POST");
        if (!set_parts(t))
            return false;
    } else if (has_body && !str_is_none(r->body_path)) {
        implied = STR("PUT");
        if (!set_body_file(t))
            return false;
    } else if (has_body) {
        implied = STR("POST");
        SET(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        SET(t->easy, CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.ptr : "");
    } else if (str_eq(method, STR("HEAD"))) {
        implied = STR("HEAD");
        SET(t->easy, CURLOPT_NOBODY, 1L);
    }
    if (!str_eq(method, implied))
        SET(t->easy, CURLOPT_CUSTOMREQUEST, arena_copy(t->call->arena, method).ptr);
    if (!str_eq(method, STR("HEAD"))) /* whose Content-Length announces nothing */
        SET(t->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)or_default(r->response_max, RESPONSE_MAX_DEFAULT));
    failed |= !set_headers(t, has_body);
    return !failed || transfer_fault(t, "cannot build the request", "out of memory");
}

bool
transfer_start(struct transfer *t, CURL *easy)
{
    t->easy       = easy;
    t->started_us = clock_mono_us();
    t->connecting = t->refused = t->written = t->head_ended = false;
    t->curl_error[0] = '\0';
    buf_clear(&t->head);
    if (!set_common(t))
        return transfer_fault(t, "cannot build the request", "out of memory");
    return set_request(t);
}

void
transfer_unhook(struct transfer *t)
{
    curl_easy_reset(t->easy); /* it must not point into what is freed here */
    t->easy = NULL;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    curl_mime_free(t->mime);
    t->mime = NULL;
    if (t->body_fd >= 0)
        close(t->body_fd);
    t->body_fd = -1;
}
