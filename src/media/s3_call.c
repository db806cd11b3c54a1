/* s3_call.c -- libcurl, one connection a waiting thread; they are kept and used again. */
#include "media/s3_call.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

enum { CONNECT_MS = 5000, SLOWEST = 256 /* bytes in a second, over the time of patience */ };

struct s3_line {
    CURL           *curl;
    struct s3_line *next;
};

/* What libcurl's callbacks work on. */
struct wire {
    struct s3_call *call;
    CURL           *curl;
    struct str      body;
    size_t          sent;
    struct buf      answer;
};

/* ---- connections ---- */

static struct s3_line *
take_line(struct s3_bucket *b)
{
    struct s3_line *line;

    pthread_mutex_lock(&b->lock);
    line = b->idle;
    if (line)
        b->idle = line->next;
    pthread_mutex_unlock(&b->lock);
    if (line) {
        curl_easy_reset(line->curl); /* the connection stays */
        return line;
    }
    line = calloc(1, sizeof(*line));
    if (!line || !(line->curl = curl_easy_init()))
        out_of_memory();
    return line;
}

static void
put_line(struct s3_bucket *b, struct s3_line *line)
{
    pthread_mutex_lock(&b->lock);
    line->next = b->idle;
    b->idle = line;
    pthread_mutex_unlock(&b->lock);
}

void
s3_hang_up(struct s3_bucket *b)
{
    struct s3_line *line;

    while ((line = b->idle) != NULL) {
        b->idle = line->next;
        curl_easy_cleanup(line->curl);
        free(line);
    }
}

/* ---- callbacks ---- */

static size_t
give_body(char *to, size_t size, size_t n, void *user)
{
    struct wire *w = user;
    size_t len = size * n < w->body.len - w->sent ? size * n : w->body.len - w->sent;

    if (len > 0)
        memcpy(to, w->body.ptr + w->sent, len);
    w->sent += len;
    return len;
}

/* A kept connection may turn out dead when something was written to it already; libcurl begins again on another. */
static int
rewind_body(void *user, curl_off_t offset, int origin)
{
    struct wire *w = user;

    if (origin != SEEK_SET || offset < 0 || (size_t)offset > w->body.len)
        return CURL_SEEKFUNC_CANTSEEK;
    w->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static bool
save(struct s3_call *call, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(call->save_fd, bytes.ptr, bytes.len);

        if (put >= 0)
            bytes = str_from(bytes, (size_t)put);
        else if (errno != EINTR)
            return call->local = errno, false;
    }
    return true;
}

static size_t
take_answer(char *bytes, size_t size, size_t n, void *user)
{
    struct wire *w = user;
    size_t len = size * n, room = S3_ANSWER_MAX - w->answer.len;
    long status = 0;

    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
    if (w->call->save_fd >= 0 && status == 200)
        return save(w->call, (struct str){ bytes, len }) ? len : 0;
    buf_append(&w->answer, (struct str){ bytes, len < room ? len : room });
    return len;
}

static void
note_header(struct str line, struct str name, char *out, size_t size)
{
    struct str value;

    if (line.len <= name.len || !str_eq_nocase(str_slice(line, 0, name.len), name))
        return;
    value = str_trim(str_from(line, name.len));
    snprintf(out, size, "%.*s", STR_ARG(value));
}

static size_t
take_header(char *bytes, size_t size, size_t n, void *user)
{
    struct wire *w = user;
    struct str line = { bytes, size * n };

    if (str_starts(line, STR("HTTP/")))
        w->call->etag[0] = w->call->last_modified[0] = '\0';
    note_header(line, STR("etag:"), w->call->etag, sizeof(w->call->etag));
    note_header(line, STR("last-modified:"), w->call->last_modified, sizeof(w->call->last_modified));
    return line.len;
}

/* ---- a call ---- */

static void
add_line(struct curl_slist **list, struct str line)
{
    struct curl_slist *longer = curl_slist_append(*list, line.ptr);

    if (!longer)
        out_of_memory();
    *list = longer;
}

static struct curl_slist *
headers_of(const struct s3_bucket *b, const struct s3_call *call, struct str path, struct str body, struct arena *a)
{
    struct sigv4_request r = {
        .method = str_of(call->method), .host = b->host, .path = path, .query = call->query,
        .header_count = call->header_count, .payload_hash = sigv4_hash(a, body), .time_ms = clock_now_ms(),
    };
    struct curl_slist *list = NULL;

    memcpy(r.headers, call->headers, sizeof(r.headers));
    add_line(&list, arena_printf(a, "Host: %.*s", STR_ARG(b->host)));
    add_line(&list, arena_printf(a, "Authorization: %.*s", STR_ARG(sigv4_authorization(a, &b->key, &r))));
    add_line(&list, arena_printf(a, "x-amz-date: %.*s", STR_ARG(sigv4_time(a, r.time_ms))));
    add_line(&list, arena_printf(a, "x-amz-content-sha256: %.*s", STR_ARG(r.payload_hash)));
    for (size_t i = 0; i < call->header_count; i++)
        add_line(&list, arena_printf(a, "%.*s: %.*s", STR_ARG(call->headers[i].name), STR_ARG(call->headers[i].value)));
    if (call->header_count == 0)
        add_line(&list, STR("Content-Type:")); /* libcurl would make one up */
    add_line(&list, STR("Expect:"));
    return list;
}

static void
set_up(CURL *curl, const struct s3_bucket *b, struct wire *w, struct str url, struct curl_slist *headers)
{
    const struct s3_call *call = w->call;

    curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)((b->patience_ms + 999) / 1000));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, w);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, w);
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    if (strcmp(call->method, "PUT") == 0 || strcmp(call->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(curl, CURLOPT_READDATA, w);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, w);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->body.len);
    }
}

static void
call_once(struct s3_bucket *b, struct s3_call *call, struct str body, struct arena *a)
{
    struct wire w = { .call = call, .body = body };
    struct str path = arena_printf(a, "%.*s%.*s", STR_ARG(b->base), STR_ARG(sigv4_encode(a, call->name, false)));
    struct str url = arena_printf(a, "%.*s://%.*s%.*s%s%.*s", STR_ARG(b->scheme), STR_ARG(b->host), STR_ARG(path),
                                  call->query.len > 0 ? "?" : "", STR_ARG(call->query));
    struct curl_slist *headers = headers_of(b, call, path, body, a);
    struct s3_line *line = take_line(b);
    curl_off_t length = -1;
    long status = 0;
    CURLcode code;

    w.curl = line->curl;
    buf_init(&w.answer, S3_ANSWER_MAX);
    set_up(line->curl, b, &w, url, headers);
    code = curl_easy_perform(line->curl);
    curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(line->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    call->status = code == CURLE_OK ? (int)status : 0;
    call->length = length;
    call->answer = w.answer.len > 0 ? arena_copy(a, buf_str(&w.answer)) : STR("");
    snprintf(call->why, sizeof(call->why), "%s", code == CURLE_OK ? "" : curl_easy_strerror(code));
    buf_deinit(&w.answer);
    curl_slist_free_all(headers);
    put_line(b, line);
}

/* The file's part is mapped, so that hashing and sending read it without a copy of it in memory. */
static bool
map_body(struct s3_call *call, void **map, struct str *body)
{
    *map = NULL;
    *body = call->body.ptr ? call->body : STR("");
    if (call->body_fd < 0 || call->body_len == 0)
        return true;
    *map = mmap(NULL, (size_t)call->body_len, PROT_READ, MAP_PRIVATE, call->body_fd, (off_t)call->body_at);
    if (*map == MAP_FAILED)
        return call->local = errno, false;
    *body = (struct str){ *map, (size_t)call->body_len };
    return true;
}

struct str
s3_element(struct str xml, struct str open)
{
    ptrdiff_t at = str_find(xml, open), end;
    struct str rest;

    if (at < 0)
        return STR_NONE;
    rest = str_from(xml, (size_t)at + open.len);
    end = str_find(rest, STR("<"));
    return end < 0 ? STR_NONE : str_slice(rest, 0, (size_t)end);
}

/* What may be otherwise in a moment. S3 calls it a 400 when a connection it waited on was silent for too long. */
static bool
is_passing(const struct s3_call *call)
{
    if (call->local)
        return false;
    return call->status == 0 || call->status == 429 || call->status >= 500
        || (call->status == 400 && str_eq(s3_element(call->answer, STR("<Code>")), STR("RequestTimeout")));
}

static void
wait_before(const struct s3_bucket *b, int tries)
{
    int64_t ms = random_jitter(b->again_ms << (tries - 1), 30);
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

bool
s3_call(struct s3_bucket *b, struct s3_call *call, struct arena *a)
{
    struct str body;
    void *map;

    call->status = call->local = 0;
    if (!map_body(call, &map, &body))
        return false;
    for (int tries = 1;; tries++) {
        call_once(b, call, body, a);
        if (!is_passing(call) || tries == S3_TRIES || atomic_load(&b->is_hurried))
            break;
        wait_before(b, tries);
        if (call->save_fd >= 0 && (lseek(call->save_fd, 0, SEEK_SET) != 0 || ftruncate(call->save_fd, 0) != 0)) {
            call->local = errno;
            break;
        }
    }
    if (map)
        munmap(map, (size_t)call->body_len);
    return call->status != 0;
}
